//! One connection per node key, made when first needed.

use crate::{
	identity::{verifying_key, Identity},
	peer::Peer,
	rekey::KeyClock,
	tls::{self, SERVER_NAME},
	transfer::{Tally, TransferStats},
	wire::code,
	DialCause, DialFailure, GridConfig, GridError,
};
use futures_util::{
	future::{BoxFuture, Shared},
	FutureExt,
};
use hippius_primitives::NodeKey;
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, TransportConfig};
use std::{
	collections::HashMap,
	net::SocketAddr,
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc, Mutex, MutexGuard,
	},
	time::{Duration, Instant},
};
use tokio::{runtime::Handle, sync::watch, time::timeout};

/// Addresses of a peer that are tried, at most.
const MAX_ADDRESSES: usize = 8;

/// What is needed to dial.
pub(crate) struct Dialer {
	pub(crate) endpoint: Endpoint,
	pub(crate) identity: Arc<Identity>,
	pub(crate) config: GridConfig,
	pub(crate) transport: Arc<TransportConfig>,
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
	addresses: Vec<SocketAddr>,
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

	pub(crate) fn transfers(&self) -> TransferStats {
		self.dialer.tally.stats()
	}

	/// A handle to the peer `key`. Addresses, if any are given, replace the ones known before.
	pub(crate) fn peer(&self, key: NodeKey, addresses: Vec<SocketAddr>) -> Peer {
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
		entry.set_addresses(addresses);
		Peer {
			dialer: self.dialer.clone(),
			entry,
		}
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

	fn set_addresses(&self, mut addresses: Vec<SocketAddr>) {
		addresses.truncate(MAX_ADDRESSES);
		let mut state = lock(&self.state);
		if !addresses.is_empty() && addresses != state.addresses {
			state.addresses = addresses;
			state.failed = None;
		}
	}

	pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
		lock(&self.state).addresses.clone()
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
			match &state.live {
				Some(live) if live.connection.close_reason().is_none() && now < live.expires => {
					return Ok(Link::new(live.clone(), true));
				}
				// Requests on an aged connection finish there; the last one closes it.
				_ => state.live = None,
			}
			if let Some((at, error)) = &state.failed {
				if now.saturating_duration_since(*at) < dialer.config.redial_delay {
					return Err(error.clone());
				}
			}
			match &state.dial {
				Some(dial) if dial.peek().is_none() => dial.clone(),
				_ => {
					let dial = self.dial(dialer, state.addresses.clone());
					state.dial = Some(dial.clone());
					dial
				}
			}
		};
		dial.await.map(|live| Link::new(live, false))
	}

	fn dial(self: &Arc<Self>, dialer: &Arc<Dialer>, addresses: Vec<SocketAddr>) -> Dial {
		let (entry, dialer) = (self.clone(), dialer.clone());
		let runtime = dialer.runtime.clone();
		let task = runtime.spawn(async move {
			let result = dialer.dial(entry.key, &addresses).await;
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

impl Dialer {
	/// Tries the addresses in order.
	async fn dial(&self, key: NodeKey, addresses: &[SocketAddr]) -> Result<Live, GridError> {
		if verifying_key(&key).is_none() {
			return Err(GridError::BadRequest {
				what: "the peer's key is no sound Ed25519 key",
			});
		}
		if addresses.is_empty() {
			return Err(GridError::NoAddress { peer: key });
		}
		let mut attempts = Vec::with_capacity(addresses.len());
		for &address in addresses {
			if *self.closing.borrow() {
				return Err(GridError::Closed);
			}
			match self.dial_one(key, address).await? {
				Ok(connection) => return Ok(self.live(connection)),
				Err(cause) => {
					tracing::debug!(peer = %key, %address, %cause, "dial failed");
					attempts.push(DialFailure { address, cause });
				}
			}
		}
		Err(GridError::Unreachable {
			peer: key,
			attempts,
		})
	}

	async fn dial_one(
		&self,
		key: NodeKey,
		address: SocketAddr,
	) -> Result<Result<Connection, DialCause>, GridError> {
		let patience = self.config.handshake_timeout;
		let (crypto, offered) = tls::client(&self.identity, key)?;
		let mut client = ClientConfig::new(Arc::new(crypto));
		client.transport_config(self.transport.clone());
		let connecting = match self.endpoint.connect_with(client, address, SERVER_NAME) {
			Ok(connecting) => connecting,
			Err(quinn::ConnectError::EndpointStopping) => return Err(GridError::Closed),
			Err(error) => return Ok(Err(DialCause::Invalid(error.to_string()))),
		};
		let wrong = offered.clone();
		let wrong = move || wrong.get().copied().filter(|offered| *offered != key);
		Ok(match timeout(patience, connecting).await {
			Err(_) | Ok(Err(ConnectionError::TimedOut)) => Err(DialCause::Silent(patience)),
			Ok(Err(ConnectionError::LocallyClosed)) => return Err(GridError::Closed),
			Ok(Err(error)) => Err(match wrong() {
				Some(offered) => DialCause::WrongKey { offered },
				None => DialCause::Handshake(error.to_string()),
			}),
			// The verifier has seen to it; asked again because everything rests on it.
			Ok(Ok(connection)) => match tls::peer_key(&connection) {
				Some(proved) if proved == key => Ok(connection),
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

	fn live(&self, connection: Connection) -> Live {
		let now = Instant::now();
		let keys = KeyClock::new(self.config.rekey_bytes, self.config.rekey_interval, now);
		let expires = now + aged(self.config.max_connection_age);
		tracing::debug!(peer = %connection.remote_address(), "connected");
		Live {
			connection,
			keys: Arc::new(keys),
			expires,
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
