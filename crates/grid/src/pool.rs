//! One connection per node key, made when first needed.

use crate::{
	identity::Identity,
	path::{PathKind, PeerPath, Reach},
	peer::Peer,
	punch::Puncher,
	rekey::KeyClock,
	relay::{Hold, Relays},
	stream::Pen,
	transfer::{Tally, TransferStats},
	GridConfig, GridError,
};
use dial::Hole;
use futures_util::{
	future::{BoxFuture, Shared},
	FutureExt,
};
use hippius_primitives::{net::MAX_RELAYS, NodeKey};
use quinn::{Connection, Endpoint, TransportConfig};
use std::{
	collections::HashMap,
	net::SocketAddr,
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc, Mutex, MutexGuard, PoisonError, RwLock,
	},
	time::Instant,
};
use tokio::{runtime::Handle, sync::watch};

mod dial;
mod upgrade;

/// Addresses of a peer that are tried, at most.
const MAX_ADDRESSES: usize = 8;

/// What is needed to dial.
pub(crate) struct Dialer {
	pub(crate) endpoint: Endpoint,
	/// Another one after the node's key was rotated.
	pub(crate) identity: RwLock<Arc<Identity>>,
	pub(crate) config: GridConfig,
	pub(crate) transport: Arc<TransportConfig>,
	pub(crate) relayed: Arc<TransportConfig>,
	pub(crate) punched: Arc<TransportConfig>,
	pub(crate) puncher: Arc<Puncher>,
	pub(crate) relays: Arc<Relays>,
	pub(crate) runtime: Handle,
	pub(crate) closing: watch::Receiver<bool>,
	pub(crate) tally: Tally,
}

/// The peers this node talks to.
pub(crate) struct Pool {
	dialer: Arc<Dialer>,
	entries: Mutex<HashMap<NodeKey, Arc<Entry>>>,
	uses: AtomicU64,
}

/// One peer.
pub(crate) struct Entry {
	pub(crate) key: NodeKey,
	used: AtomicU64,
	state: Mutex<State>,
	path: watch::Sender<Option<PathKind>>,
}

/// A peer's key, and the one that replaces it while both are valid.
type Keys = (NodeKey, Option<NodeKey>);

type Dial = Shared<BoxFuture<'static, Result<Live, GridError>>>;

#[derive(Default)]
struct State {
	reach: Reach,
	/// The key that replaces the peer's, while both are valid.
	next: Option<NodeKey>,
	live: Option<Live>,
	/// The relayed connection behind a direct one that was found over it.
	fallback: Option<Live>,
	punching: upgrade::Punching,
	/// Runs in a task of its own, so that a caller that gives up does not undo it for others.
	dial: Option<Dial>,
	failed: Option<(Instant, GridError)>,
}

#[derive(Clone)]
pub(crate) struct Live {
	connection: Connection,
	path: PathKind,
	keys: Arc<KeyClock>,
	pen: Pen,
	expires: Instant,
	/// Keeps the address of a relayed connection.
	_hold: Option<Hold>,
}

impl Live {
	fn is_open(&self) -> bool {
		self.connection.close_reason().is_none()
	}
}

/// A connection for one request.
#[derive(Clone)]
pub(crate) struct Link {
	pub(crate) connection: Connection,
	pub(crate) address: SocketAddr,
	pub(crate) keys: Arc<KeyClock>,
	/// Whose turn it is to send on the connection.
	pub(crate) pen: Pen,
	path: PathKind,
	reused: bool,
}

impl Link {
	pub(crate) fn new(live: Live, reused: bool) -> Self {
		let address = live.connection.remote_address();
		Self {
			connection: live.connection,
			address,
			keys: live.keys,
			pen: live.pen,
			path: live.path,
			reused,
		}
	}

	/// Whether `error` only says that a kept connection had died unnoticed. A way through NAT may
	/// close at any time while the node is well, so there a long silence says no more either.
	pub(crate) fn was_stale(&self, error: &GridError) -> bool {
		match error {
			GridError::Lost { .. } => self.reused,
			GridError::Timeout { .. } => self.path.is_opened(),
			_ => false,
		}
	}
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	// Nothing that runs under these locks leaves their contents half changed.
	mutex
		.lock()
		.unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Pool {
	pub(crate) fn new(dialer: Dialer) -> Self {
		Self {
			dialer: Arc::new(dialer),
			entries: Mutex::new(HashMap::new()),
			uses: AtomicU64::new(0),
		}
	}

	/// From now on this node shows another key; kept connections are replaced when next used.
	pub(crate) fn set_identity(&self, identity: Arc<Identity>) {
		let mut shown = self
			.dialer
			.identity
			.write()
			.unwrap_or_else(PoisonError::into_inner);
		*shown = identity;
		drop(shown);
		let now = Instant::now();
		for entry in lock(&self.entries).values() {
			entry.renew(now);
		}
	}

	pub(crate) fn transfers(&self) -> TransferStats {
		self.dialer.tally.stats()
	}

	/// A handle to the peer `key`. `reach`, if it is not empty, replaces what was known before.
	pub(crate) fn peer(&self, key: NodeKey, reach: Reach) -> Peer {
		let now = self.uses.fetch_add(1, Ordering::Relaxed);
		let mut entries = lock(&self.entries);
		if !entries.contains_key(&key) && entries.len() >= self.dialer.config.max_pooled {
			let oldest = entries
				.values()
				.min_by_key(|entry| entry.used.load(Ordering::Relaxed));
			if let Some(key) = oldest.map(|entry| entry.key) {
				// Handles and running requests keep what they use.
				entries.remove(&key);
			}
		}
		let entry = entries
			.entry(key)
			.or_insert_with(|| Arc::new(Entry::new(key)))
			.clone();
		drop(entries);
		entry.used.store(now, Ordering::Relaxed);
		entry.set_reach(reach);
		Peer {
			dialer: self.dialer.clone(),
			entry,
		}
	}
}

impl Pool {
	/// Connections in use.
	pub(crate) fn connections(&self) -> Vec<PeerPath> {
		let entries: Vec<_> = lock(&self.entries).values().cloned().collect();
		entries.iter().filter_map(|entry| entry.open()).collect()
	}

	/// This node's address has changed: direct ways that were not found before are looked for again.
	pub(crate) fn punch_again(&self) {
		for entry in lock(&self.entries).values() {
			lock(&entry.state).punching.reset();
		}
	}
}

impl State {
	fn is_dialling(&self) -> bool {
		self.dial.as_ref().is_some_and(|dial| dial.peek().is_none())
	}

	/// Whether a dial failed a moment ago.
	fn is_avoided(&self, dialer: &Dialer, now: Instant) -> bool {
		self.failed
			.as_ref()
			.is_some_and(|(at, _)| now.saturating_duration_since(*at) < dialer.config.redial_delay)
	}
}

impl Entry {
	fn new(key: NodeKey) -> Self {
		Self {
			key,
			used: AtomicU64::new(0),
			state: Mutex::default(),
			path: watch::Sender::new(None),
		}
	}

	fn set_reach(&self, mut reach: Reach) {
		reach.direct.truncate(MAX_ADDRESSES);
		reach.relays.truncate(MAX_RELAYS);
		let mut state = lock(&self.state);
		if !reach.is_empty() && reach != state.reach {
			state.reach = reach;
			state.failed = None;
		}
	}

	pub(crate) fn reach(&self) -> Reach {
		lock(&self.state).reach.clone()
	}

	/// The open connection, if there is one.
	pub(crate) fn live(&self) -> Option<Connection> {
		let state = lock(&self.state);
		let live = state.live.as_ref().filter(|live| live.is_open())?;
		Some(live.connection.clone())
	}

	/// What there is to say of the open connection.
	fn open(&self) -> Option<PeerPath> {
		let state = lock(&self.state);
		let live = state.live.as_ref().filter(|live| live.is_open())?;
		Some(PeerPath {
			key: self.key,
			path: live.path,
			rtt: live.connection.rtt(),
			dialled: true,
		})
	}

	pub(crate) fn path(&self) -> Option<PathKind> {
		self.open().map(|open| open.path)
	}

	pub(crate) fn watch_path(&self) -> watch::Receiver<Option<PathKind>> {
		self.path.subscribe()
	}

	/// Tells those who watch the path; called after each change of `live`.
	fn tell(&self, state: &State) {
		let path = state.live.as_ref().map(|live| live.path);
		self.path.send_if_modified(|told| {
			let changed = *told != path;
			*told = path;
			changed
		});
	}

	pub(crate) fn keys(&self) -> Keys {
		(self.key, lock(&self.state).next)
	}

	/// Which key the peer may show besides its own.
	pub(crate) fn set_next(&self, next: Option<NodeKey>) {
		lock(&self.state).next = next;
	}

	/// Has the connection replaced at the next request.
	fn renew(&self, now: Instant) {
		let mut state = lock(&self.state);
		// Made under the key of before, as well.
		state.fallback = None;
		if let Some(live) = &mut state.live {
			live.expires = now;
		}
	}

	/// Lets go of `connection` for future requests.
	pub(crate) fn forget(&self, connection: &Connection) {
		let mut state = lock(&self.state);
		if state
			.live
			.as_ref()
			.is_some_and(|live| is_same(&live.connection, connection))
		{
			state.live = None;
			self.tell(&state);
		}
	}

	/// The open connection, or a new one. Callers that come while it is being made share it, and
	/// its failure.
	pub(crate) async fn link(self: &Arc<Self>, dialer: &Arc<Dialer>) -> Result<Link, GridError> {
		let dial = {
			let mut state = lock(&self.state);
			let now = Instant::now();
			if !state.live.as_ref().is_some_and(Live::is_open) {
				self.fall_back(dialer, &mut state, now);
			}
			if state
				.fallback
				.as_ref()
				.is_some_and(|old| now >= old.expires)
			{
				state.fallback = None;
			}
			if let Some(live) = state.live.clone() {
				// An aged connection serves until there is a new one, and the requests on it to
				// their end; the last of them closes it.
				if now >= live.expires && !state.is_dialling() && !state.is_avoided(dialer, now) {
					state.dial = Some(self.dial(dialer, &state));
				}
				self.consider_punch(dialer, &mut state, now);
				return Ok(Link::new(live, true));
			}
			if state.is_avoided(dialer, now) {
				if let Some((_, error)) = &state.failed {
					return Err(error.clone());
				}
			}
			match &state.dial {
				Some(dial) if dial.peek().is_none() => dial.clone(),
				_ => {
					let dial = self.dial(dialer, &state);
					state.dial = Some(dial.clone());
					dial
				}
			}
		};
		dial.await.map(|live| Link::new(live, false))
	}

	fn dial(self: &Arc<Self>, dialer: &Arc<Dialer>, state: &State) -> Dial {
		let (entry, dialer) = (self.clone(), dialer.clone());
		let (reach, hole) = state.where_to_dial();
		let runtime = dialer.runtime.clone();
		let task = runtime.spawn(async move {
			let result = dialer.dial(entry.keys(), &reach, hole).await;
			let mut state = lock(&entry.state);
			state.dial = None;
			match &result {
				Ok(live) => {
					state.live = Some(live.clone());
					state.failed = None;
					entry.tell(&state);
					entry.consider_punch(&dialer, &mut state, Instant::now());
				}
				Err(error) => state.failed = Some((Instant::now(), error.clone())),
			}
			result
		});
		async move { task.await.unwrap_or(Err(GridError::Closed)) }
			.boxed()
			.shared()
	}
}

fn is_same(a: &Connection, b: &Connection) -> bool {
	// Ids are unique among connections that exist, and both do.
	a.stable_id() == b.stable_id()
}
