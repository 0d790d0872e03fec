//! Answering peers: who gets in, and how much at a time.

use crate::{
	rekey::KeyClock,
	relay::{is_mapped, Relays},
	service::ShardService,
	tls,
	wire::code,
	GridConfig,
};
use hippius_primitives::NodeKey;
use quinn::{Connection, ConnectionError, Endpoint, Incoming};
use std::{
	collections::{hash_map::Entry, HashMap, VecDeque},
	sync::{
		atomic::{AtomicUsize, Ordering},
		Arc, Mutex,
	},
	time::Instant,
};
use tokio::{
	sync::{watch, Semaphore},
	time::timeout,
};

mod request;

/// Memory permits are counted in units of this many bytes.
const MEMORY_UNIT: usize = 1024;

/// The serving half of a grid.
pub(crate) struct Server {
	service: Arc<dyn ShardService>,
	config: GridConfig,
	closing: watch::Receiver<bool>,
	relays: Arc<Relays>,
	/// What connections through relays are accepted with.
	relayed: Arc<quinn::ServerConfig>,
	handshakes: Arc<AtomicUsize>,
	connections: Arc<AtomicUsize>,
	requests: Semaphore,
	memory: Semaphore,
	peers: Mutex<HashMap<NodeKey, Seat>>,
}

/// What one peer takes up.
struct Seat {
	requests: Arc<Semaphore>,
	/// Oldest first.
	connections: VecDeque<Connection>,
}

/// Counts something for as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
	fn new(counter: &Arc<AtomicUsize>) -> Self {
		counter.fetch_add(1, Ordering::Relaxed);
		Self(counter.clone())
	}
}

impl Drop for Counted {
	fn drop(&mut self) {
		self.0.fetch_sub(1, Ordering::Relaxed);
	}
}

/// Resolves when the grid closes, or is gone.
async fn closed(mut closing: watch::Receiver<bool>) {
	// An error means that the grid was dropped, which closes it too.
	let _ = closing.wait_for(|closing| *closing).await;
}

impl Server {
	pub(crate) fn new(
		service: Arc<dyn ShardService>,
		config: GridConfig,
		closing: watch::Receiver<bool>,
		relays: Arc<Relays>,
		relayed: Arc<quinn::ServerConfig>,
	) -> Self {
		Self {
			service,
			closing,
			relays,
			relayed,
			handshakes: Arc::default(),
			connections: Arc::default(),
			requests: Semaphore::new(config.max_requests),
			memory: Semaphore::new(config.body_memory / MEMORY_UNIT),
			peers: Mutex::default(),
			config,
		}
	}

	/// Connections taken.
	pub(crate) fn connections(&self) -> Vec<Connection> {
		let peers = self
			.peers
			.lock()
			.unwrap_or_else(|poisoned| poisoned.into_inner());
		let seats = peers.values();
		seats.flat_map(|seat| &seat.connections).cloned().collect()
	}

	/// Resolves when no request is being served.
	pub(crate) async fn drained(&self) {
		// Validated to fit; if it did not, waiting for one permit is the best that can be done.
		let all = u32::try_from(self.config.max_requests).unwrap_or(1);
		// The semaphore is never closed, so there is nothing to tell apart.
		let _ = self.requests.acquire_many(all).await;
	}

	/// Takes connections until the grid closes.
	pub(crate) async fn accept(self: Arc<Self>, endpoint: Endpoint) {
		loop {
			let incoming = tokio::select! {
				biased;
				() = closed(self.closing.clone()) => return,
				incoming = endpoint.accept() => incoming,
			};
			match incoming {
				Some(incoming) => self.consider(incoming),
				None => return,
			}
		}
	}

	/// Decides on a newcomer before any costly work is done for it.
	fn consider(self: &Arc<Self>, incoming: Incoming) {
		let address = incoming.remote_address();
		let open = self.handshakes.load(Ordering::Relaxed);
		if open >= self.config.ignore_above {
			tracing::debug!(%address, open, "too many handshakes: ignored");
			incoming.ignore();
		} else if open >= self.config.retry_above
			&& !incoming.remote_address_validated()
			// A relay has seen to it that the node is one; its address here proves nothing.
			&& !is_mapped(&address)
		{
			tracing::debug!(%address, open, "many handshakes: address must be proved");
			if incoming.retry().is_err() {
				tracing::debug!(%address, "retry not possible: refused");
			}
		} else if open + self.connections.load(Ordering::Relaxed) >= self.config.max_connections {
			tracing::debug!(%address, "too many connections: refused");
			incoming.refuse();
		} else {
			let counted = Counted::new(&self.handshakes);
			tokio::spawn(self.clone().greet(incoming, counted));
		}
	}

	async fn greet(self: Arc<Self>, incoming: Incoming, handshake: Counted) {
		let address = incoming.remote_address();
		// Kept as long as the connection, or a flood of newcomers might take the address away.
		let _hold = self.relays.mapped.hold(&address);
		let connecting = async {
			match is_mapped(&address) {
				true => incoming.accept_with(self.relayed.clone())?.await,
				false => incoming.accept()?.await,
			}
		};
		let connection: Result<_, ConnectionError> =
			match timeout(self.config.handshake_timeout, connecting).await {
				Ok(connection) => connection,
				Err(_) => Err(ConnectionError::TimedOut),
			};
		let connection = match connection {
			Ok(connection) => connection,
			Err(error) => {
				tracing::debug!(%address, %error, "handshake failed");
				return;
			}
		};
		let Some(peer) = tls::peer_key(&connection) else {
			// Cannot be: the verifier takes nothing else.
			connection.close(code::PROTOCOL, b"no node key");
			return;
		};
		if !self.service.admit(&peer) {
			tracing::debug!(%address, %peer, "not admitted");
			connection.close(code::REFUSED, b"this node does not serve this key");
			return;
		}
		let counted = Counted::new(&self.connections);
		drop(handshake);
		tracing::debug!(%address, %peer, "peer connected");
		let requests = self.seat(peer, &connection);
		let error = self.clone().converse(peer, &connection, requests).await;
		self.unseat(peer, &connection);
		drop(counted);
		tracing::debug!(%address, %peer, ?error, "peer gone");
	}

	/// Gives the connection a place; the peer's oldest one gives way if there are too many.
	fn seat(&self, peer: NodeKey, connection: &Connection) -> Arc<Semaphore> {
		let mut peers = self
			.peers
			.lock()
			.unwrap_or_else(|poisoned| poisoned.into_inner());
		let seat = peers.entry(peer).or_insert_with(|| Seat {
			requests: Arc::new(Semaphore::new(self.config.max_requests_per_peer)),
			connections: VecDeque::new(),
		});
		seat.connections.push_back(connection.clone());
		while seat.connections.len() > self.config.max_connections_per_peer {
			if let Some(oldest) = seat.connections.pop_front() {
				oldest.close(code::TOO_MANY, b"too many connections of one node key");
			}
		}
		seat.requests.clone()
	}

	fn unseat(&self, peer: NodeKey, connection: &Connection) {
		let mut peers = self
			.peers
			.lock()
			.unwrap_or_else(|poisoned| poisoned.into_inner());
		if let Entry::Occupied(mut seat) = peers.entry(peer) {
			let id = connection.stable_id();
			seat.get_mut()
				.connections
				.retain(|other| other.stable_id() != id);
			if seat.get().connections.is_empty() {
				seat.remove();
			}
		}
	}

	/// Takes requests from one connection. The permit comes first, so that a busy node shows as
	/// the transport's stream limit on the other side, not as a pile of waiting tasks here.
	async fn converse(
		self: Arc<Self>,
		peer: NodeKey,
		connection: &Connection,
		requests: Arc<Semaphore>,
	) -> Option<ConnectionError> {
		let interval = self.config.rekey_interval;
		let keys = KeyClock::new(self.config.rekey_bytes, interval, Instant::now());
		loop {
			let permit = tokio::select! {
				biased;
				error = connection.closed() => return Some(error),
				() = closed(self.closing.clone()) => return None,
				permit = requests.clone().acquire_owned() => permit.ok()?,
			};
			let (send, recv) = tokio::select! {
				biased;
				() = closed(self.closing.clone()) => return None,
				streams = connection.accept_bi() => match streams {
					Ok(streams) => streams,
					Err(error) => return Some(error),
				},
			};
			keys.tick(connection);
			let server = self.clone();
			tokio::spawn(async move {
				server.request(peer, send, recv).await;
				drop(permit);
			});
		}
	}
}
