//! One connection per node key, made when first needed.

use crate::{
	identity::{verifying_key, Identity},
	path::{PathKind, Reach},
	peer::Peer,
	rekey::KeyClock,
	relay::{is_mapped, Hold, Relays},
	tls::{self, SERVER_NAME},
	transfer::{Tally, TransferStats},
	wire::code,
	DialCause, DialFailure, GridConfig, GridError,
};
use futures_util::{
	future::{BoxFuture, Shared},
	FutureExt,
};
use hippius_primitives::{net::MAX_RELAYS, NodeKey, RelayAddress};
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, TransportConfig};
use std::{
	collections::HashMap,
	net::SocketAddr,
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc, Mutex, MutexGuard, PoisonError, RwLock,
	},
	time::{Duration, Instant},
};
use tokio::{
	runtime::Handle,
	sync::watch,
	time::{sleep, timeout},
};

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
}

type Dial = Shared<BoxFuture<'static, Result<Live, GridError>>>;

#[derive(Default)]
struct State {
	reach: Reach,
	/// The key that replaces the peer's, while both are valid.
	next: Option<NodeKey>,
	live: Option<Live>,
	/// Runs in a task of its own, so that a caller that gives up does not undo it for others.
	dial: Option<Dial>,
	failed: Option<(Instant, GridError)>,
}

#[derive(Clone)]
struct Live {
	connection: Connection,
	keys: Arc<KeyClock>,
	expires: Instant,
	/// Keeps the address of a relayed connection.
	_hold: Option<Hold>,
}

/// A connection for one request.
#[derive(Clone)]
pub(crate) struct Link {
	pub(crate) connection: Connection,
	pub(crate) address: SocketAddr,
	pub(crate) keys: Arc<KeyClock>,
	reused: bool,
}

impl Link {
	fn new(live: Live, reused: bool) -> Self {
		let address = live.connection.remote_address();
		Self {
			connection: live.connection,
			address,
			keys: live.keys,
			reused,
		}
	}

	/// Whether `error` only says that a kept connection had died unnoticed.
	pub(crate) fn was_stale(&self, error: &GridError) -> bool {
		self.reused && matches!(error, GridError::Lost { .. })
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
	pub(crate) fn connections(&self) -> Vec<Connection> {
		let entries: Vec<_> = lock(&self.entries).values().cloned().collect();
		entries.iter().filter_map(|entry| entry.live()).collect()
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
		let connection = &state.live.as_ref()?.connection;
		connection
			.close_reason()
			.is_none()
			.then(|| connection.clone())
	}

	/// Which key the peer may show besides its own.
	pub(crate) fn set_next(&self, next: Option<NodeKey>) {
		lock(&self.state).next = next;
	}

	/// Has the connection replaced at the next request.
	fn renew(&self, now: Instant) {
		if let Some(live) = &mut lock(&self.state).live {
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
		}
	}

	/// The open connection, or a new one. Callers that come while it is being made share it, and
	/// its failure.
	pub(crate) async fn link(self: &Arc<Self>, dialer: &Arc<Dialer>) -> Result<Link, GridError> {
		let dial = {
			let mut state = lock(&self.state);
			let now = Instant::now();
			match state.live.clone() {
				Some(live) if live.connection.close_reason().is_none() => {
					// An aged connection serves until there is a new one, and the requests on it to
					// their end; the last of them closes it.
					if now >= live.expires && !state.is_dialling() && !state.is_avoided(dialer, now)
					{
						let dial = self.dial(dialer, state.reach.clone());
						state.dial = Some(dial);
					}
					return Ok(Link::new(live, true));
				}
				_ => state.live = None,
			}
			if state.is_avoided(dialer, now) {
				if let Some((_, error)) = &state.failed {
					return Err(error.clone());
				}
			}
			match &state.dial {
				Some(dial) if dial.peek().is_none() => dial.clone(),
				_ => {
					let dial = self.dial(dialer, state.reach.clone());
					state.dial = Some(dial.clone());
					dial
				}
			}
		};
		dial.await.map(|live| Link::new(live, false))
	}

	fn dial(self: &Arc<Self>, dialer: &Arc<Dialer>, reach: Reach) -> Dial {
		let (entry, dialer) = (self.clone(), dialer.clone());
		let runtime = dialer.runtime.clone();
		let task = runtime.spawn(async move {
			let next = lock(&entry.state).next;
			let result = dialer.dial((entry.key, next), &reach).await;
			let mut state = lock(&entry.state);
			state.dial = None;
			match &result {
				Ok(live) => {
					state.live = Some(live.clone());
					state.failed = None;
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

/// A live connection, or what happened at each place; an error if nothing can be dialled at all.
type Dialled = Result<Result<Live, Vec<DialFailure>>, GridError>;

fn unreachable(peer: NodeKey, attempts: Vec<DialFailure>) -> GridError {
	GridError::Unreachable { peer, attempts }
}

/// A peer's key, and the one that replaces it while both are valid.
type Keys = (NodeKey, Option<NodeKey>);

impl Dialer {
	fn identity(&self) -> Arc<Identity> {
		let shown = self.identity.read();
		shown.unwrap_or_else(PoisonError::into_inner).clone()
	}

	/// Tries the UDP addresses in order, and after a while, or when they have failed, the relays.
	async fn dial(&self, keys: Keys, reach: &Reach) -> Result<Live, GridError> {
		let (key, _) = keys;
		if verifying_key(&key).is_none() {
			return Err(GridError::BadRequest {
				what: "the peer's key is no sound Ed25519 key",
			});
		}
		if reach.is_empty() {
			return Err(GridError::NoAddress { peer: key });
		}
		let direct = self.dial_direct(keys, &reach.direct);
		let relayed = self.dial_relays(keys, &reach.relays);
		if reach.relays.is_empty() || reach.direct.is_empty() {
			let all = match reach.relays.is_empty() {
				true => direct.await?,
				false => relayed.await?,
			};
			return all.map_err(|attempts| unreachable(key, attempts));
		}
		tokio::pin!(direct, relayed);
		let head_start = sleep(self.config.relay_delay);
		let mut attempts = tokio::select! {
			biased;
			outcome = &mut direct => match outcome? {
				Ok(live) => return Ok(live),
				Err(failures) => failures,
			},
			() = head_start => tokio::select! {
				biased;
				outcome = &mut direct => match outcome? {
					Ok(live) => return Ok(live),
					Err(failures) => failures,
				},
				outcome = &mut relayed => match outcome? {
					Ok(live) => return Ok(live),
					Err(failures) => return direct.await?.map_err(|mut attempts| {
						attempts.extend(failures);
						unreachable(key, attempts)
					}),
				},
			},
		};
		relayed.await?.map_err(|failures| {
			attempts.extend(failures);
			unreachable(key, attempts)
		})
	}

	/// Tries UDP addresses in order.
	async fn dial_direct(&self, keys: Keys, addresses: &[SocketAddr]) -> Dialled {
		let (key, _) = keys;
		let mut attempts = Vec::with_capacity(addresses.len());
		for &address in addresses {
			let cause = match is_mapped(&address) {
				true => Err(DialCause::Invalid("it is on no network".into())),
				false => self.dial_one(keys, address).await?,
			};
			match cause {
				Ok(connection) => return Ok(Ok(self.live(connection, None))),
				Err(cause) => {
					tracing::debug!(peer = %key, %address, %cause, "dial failed");
					attempts.push(DialFailure { address, cause });
				}
			}
		}
		Ok(Err(attempts))
	}

	/// Tries relays in order.
	async fn dial_relays(&self, keys: Keys, relays: &[RelayAddress]) -> Dialled {
		let (key, _) = keys;
		let patience = self.config.handshake_timeout;
		let mut attempts = Vec::with_capacity(relays.len());
		for relay in relays {
			let reached = match timeout(patience, self.relays.reach(key, relay)).await {
				Ok(reached) => reached,
				Err(_) => Err(format!("no connection to it within {patience:?}")),
			};
			let problem = match reached {
				Err(problem) => problem,
				Ok((address, hold)) => match self.dial_one(keys, address).await? {
					Ok(connection) => return Ok(Ok(self.live(connection, Some(hold)))),
					Err(DialCause::Silent(after)) => {
						format!("no answer from the node within {after:?}; is it connected there?")
					}
					Err(cause) => cause.to_string(),
				},
			};
			tracing::debug!(peer = %key, %relay, problem, "dial failed");
			let address = SocketAddr::from(([0; 4], 0));
			let relay = relay.clone();
			let cause = DialCause::Relay { relay, problem };
			attempts.push(DialFailure { address, cause });
		}
		Ok(Err(attempts))
	}

	async fn dial_one(
		&self,
		(key, next): Keys,
		address: SocketAddr,
	) -> Result<Result<Connection, DialCause>, GridError> {
		if *self.closing.borrow() {
			return Err(GridError::Closed);
		}
		let patience = self.config.handshake_timeout;
		let (crypto, offered) = tls::client(&self.identity(), key, next)?;
		let mut client = ClientConfig::new(Arc::new(crypto));
		client.transport_config(match PathKind::of(&address) {
			PathKind::Direct => self.transport.clone(),
			PathKind::Relayed => self.relayed.clone(),
		});
		let connecting = match self.endpoint.connect_with(client, address, SERVER_NAME) {
			Ok(connecting) => connecting,
			Err(quinn::ConnectError::EndpointStopping) => return Err(GridError::Closed),
			Err(error) => return Ok(Err(DialCause::Invalid(error.to_string()))),
		};
		let wrong = offered.clone();
		let wrong = move || {
			wrong
				.get()
				.copied()
				.filter(|offered| *offered != key && Some(*offered) != next)
		};
		Ok(match timeout(patience, connecting).await {
			Err(_) | Ok(Err(ConnectionError::TimedOut)) => Err(DialCause::Silent(patience)),
			Ok(Err(ConnectionError::LocallyClosed)) => return Err(GridError::Closed),
			Ok(Err(error)) => Err(match wrong() {
				Some(offered) => DialCause::WrongKey { offered },
				None => DialCause::Handshake(error.to_string()),
			}),
			// The verifier has seen to it; asked again because everything rests on it.
			Ok(Ok(connection)) => match tls::peer_key(&connection) {
				Some(proved) if proved == key || Some(proved) == next => Ok(connection),
				proved => {
					connection.close(code::PROTOCOL, b"wrong key");
					Err(match proved {
						Some(offered) => DialCause::WrongKey { offered },
						None => DialCause::Handshake("no key was proved".into()),
					})
				}
			},
		})
	}

	fn live(&self, connection: Connection, hold: Option<Hold>) -> Live {
		let now = Instant::now();
		let keys = KeyClock::new(self.config.rekey_bytes, self.config.rekey_interval, now);
		let expires = now + aged(self.config.max_connection_age);
		let path = PathKind::of(&connection.remote_address());
		tracing::debug!(peer = %connection.remote_address(), %path, "connected");
		Live {
			connection,
			keys: Arc::new(keys),
			expires,
			_hold: hold,
		}
	}
}

/// `age` shortened by up to a fifth.
fn aged(age: Duration) -> Duration {
	let mut byte = [0u8; 1];
	// Without randomness connections merely fall due together.
	if getrandom::fill(&mut byte).is_err() {
		return age;
	}
	age - age.mul_f64(f64::from(byte[0]) / 255.0 / 5.0)
}
