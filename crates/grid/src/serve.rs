//! Answering peers: who gets in, and how much at a time.

use crate::{
	path::{PathKind, PeerPath},
	punch::Puncher,
	rekey::KeyClock,
	relay::{is_mapped, Relays},
	service::ShardService,
	stream::Pen,
	tls,
	wire::code,
	GridConfig,
};
use hippius_primitives::NodeKey;
use quinn::{Connection, ConnectionError, Endpoint, Incoming};
use std::{
	collections::{hash_map::Entry, HashMap, VecDeque},
	net::SocketAddr,
	sync::{
		atomic::{AtomicU64, AtomicUsize, Ordering},
		Arc, Mutex, PoisonError, RwLock,
	},
	time::Instant,
};
use tokio::{
	sync::{watch, Semaphore},
	time::timeout,
};

mod bodies;
mod bucket;
mod load;
mod request;
mod shares;

use bodies::Bodies;
use bucket::{Buckets, Verdict};
use load::Load;
use request::Line;
use shares::Shares;

/// Memory is counted in units of this many bytes.
const MEMORY_UNIT: usize = 1024;

/// The serving half of a grid.
pub(crate) struct Server {
	service: Arc<dyn ShardService>,
	config: GridConfig,
	closing: watch::Receiver<bool>,
	relays: Arc<Relays>,
	pub(crate) puncher: Arc<Puncher>,
	/// What connections through relays are accepted with.
	relayed: RwLock<Arc<quinn::ServerConfig>>,
	handshakes: Arc<AtomicUsize>,
	connections: Arc<AtomicUsize>,
	requests: Arc<Shares>,
	/// In units of [`MEMORY_UNIT`].
	memory: Arc<Shares>,
	bodies: Bodies,
	peers: Mutex<HashMap<NodeKey, Seat>>,
	/// This node's key as it is shown to newcomers.
	shown: RwLock<NodeKey>,
	/// Every connection with the key of this node it was made under.
	under: Mutex<HashMap<usize, (NodeKey, Connection)>>,
	buckets: Mutex<Buckets>,
	counts: Counts,
}

/// What one peer takes up.
struct Seat {
	requests: Arc<Semaphore>,
	load: Arc<Load>,
	/// Oldest first.
	connections: VecDeque<(Connection, PathKind)>,
}

/// What a server has made of those who came, and how much of it is open now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServeStats {
	/// Handshakes begun.
	pub accepted: u64,
	/// Handshakes open now.
	pub handshakes: usize,
	/// Most handshakes that were open at a time.
	pub peak_handshakes: usize,
	/// Connections open now.
	pub connections: usize,
	/// Newcomers who had to prove their address first.
	pub retried: u64,
	/// Newcomers who got no answer, because too many handshakes were open.
	pub ignored: u64,
	/// Newcomers who were refused: too many connections, or too many from their network.
	pub refused: u64,
	/// Networks whose handshakes are being counted.
	pub sources: usize,
	/// Requests being served now.
	pub requests: usize,
	/// Bytes of shards and lists that these hold in memory, or have room kept for.
	pub memory: u64,
	/// Times a peer's streams were cut down because it cancelled most of what it asked for.
	pub throttled: u64,
}

#[derive(Default)]
struct Counts {
	peak: AtomicUsize,
	accepted: AtomicU64,
	retried: AtomicU64,
	ignored: AtomicU64,
	refused: AtomicU64,
	throttled: AtomicU64,
}

impl Counts {
	fn add(count: &AtomicU64) {
		count.fetch_add(1, Ordering::Relaxed);
	}
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
		puncher: Arc<Puncher>,
		relayed: Arc<quinn::ServerConfig>,
		shown: NodeKey,
	) -> Self {
		Self {
			service,
			closing,
			relays,
			puncher,
			relayed: RwLock::new(relayed),
			handshakes: Arc::default(),
			connections: Arc::default(),
			requests: Shares::new(config.max_requests),
			memory: Shares::new(config.body_memory / MEMORY_UNIT),
			bodies: Bodies::default(),
			peers: Mutex::default(),
			shown: RwLock::new(shown),
			under: Mutex::default(),
			buckets: Mutex::new(Buckets::new(
				config.handshake_rate,
				config.handshake_burst,
				Instant::now(),
			)),
			counts: Counts::default(),
			config,
		}
	}

	/// Connections taken.
	pub(crate) fn connections(&self) -> Vec<PeerPath> {
		let peers = self
			.peers
			.lock()
			.unwrap_or_else(|poisoned| poisoned.into_inner());
		let mut all = Vec::new();
		for (key, seat) in peers.iter() {
			all.extend(seat.connections.iter().map(|(connection, path)| PeerPath {
				key: *key,
				path: *path,
				rtt: connection.rtt(),
				dialled: false,
			}));
		}
		all
	}

	/// This node's key has changed; called when newcomers are shown the new one already, so that none
	/// is taken for one that knows it while it does not.
	pub(crate) fn show(&self, key: NodeKey, relayed: Arc<quinn::ServerConfig>) {
		*self.relayed.write().unwrap_or_else(PoisonError::into_inner) = relayed;
		*self.shown.write().unwrap_or_else(PoisonError::into_inner) = key;
	}

	fn shown(&self) -> NodeKey {
		*self.shown.read().unwrap_or_else(PoisonError::into_inner)
	}

	/// Closes the connections made under this key of ours.
	pub(crate) fn retire(&self, old: &NodeKey) -> usize {
		let under = self.under.lock().unwrap_or_else(PoisonError::into_inner);
		let ended = under.values().filter(|(key, _)| key == old);
		ended
			.map(|(_, connection)| connection.close(code::RETIRED, b"this node has a new key"))
			.count()
	}

	/// What has become of newcomers.
	pub(crate) fn stats(&self) -> ServeStats {
		let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
		ServeStats {
			accepted: read(&self.counts.accepted),
			handshakes: self.handshakes.load(Ordering::Relaxed),
			connections: self.connections.load(Ordering::Relaxed),
			peak_handshakes: self.counts.peak.load(Ordering::Relaxed),
			retried: read(&self.counts.retried),
			ignored: read(&self.counts.ignored),
			refused: read(&self.counts.refused),
			sources: self
				.buckets
				.lock()
				.unwrap_or_else(PoisonError::into_inner)
				.len(),
			requests: self.requests.held() as usize,
			memory: u64::from(self.memory.held()) * MEMORY_UNIT as u64,
			throttled: read(&self.counts.throttled),
		}
	}

	/// Resolves when no request is being served.
	pub(crate) async fn drained(&self) {
		self.requests.idle().await;
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
		let proved = incoming.remote_address_validated();
		if open >= self.config.ignore_above {
			tracing::debug!(%address, open, "too many handshakes: ignored");
			Counts::add(&self.counts.ignored);
			incoming.ignore();
		} else if open >= self.config.retry_above
			&& !incoming.remote_address_validated()
			// A relay has seen to it that the node is one; its address here proves nothing.
			&& !is_mapped(&address)
		{
			tracing::debug!(%address, open, "many handshakes: address must be proved");
			Counts::add(&self.counts.retried);
			if incoming.retry().is_err() {
				tracing::debug!(%address, "retry not possible: refused");
			}
		} else if open + self.connections.load(Ordering::Relaxed) >= self.config.max_connections {
			tracing::debug!(%address, "too many connections: refused");
			Counts::add(&self.counts.refused);
			incoming.refuse();
		} else {
			// Last, so that what is turned away for other reasons costs its source nothing.
			if self.is_limited(&address) {
				let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
				let verdict = buckets.take(address.ip(), proved, Instant::now());
				drop(buckets);
				match verdict {
					Verdict::Enter => {}
					Verdict::Prove => {
						Counts::add(&self.counts.retried);
						if incoming.retry().is_err() {
							tracing::debug!(%address, "retry not possible: refused");
						}
						return;
					}
					Verdict::Refuse => {
						tracing::debug!(%address, "too many handshakes from there: refused");
						Counts::add(&self.counts.refused);
						incoming.refuse();
						return;
					}
				}
			}
			let counted = Counted::new(&self.handshakes);
			Counts::add(&self.counts.accepted);
			self.counts.peak.fetch_max(open + 1, Ordering::Relaxed);
			tokio::spawn(self.clone().greet(incoming, counted));
		}
	}

	/// Whether handshakes from there are counted. Not those from this machine, unless asked for: its
	/// own daemons may come in crowds. Not those through relays, which count them themselves.
	fn is_limited(&self, address: &SocketAddr) -> bool {
		if is_mapped(address) {
			return false;
		}
		self.config.limit_loopback || !address.ip().to_canonical().is_loopback()
	}

	async fn greet(self: Arc<Self>, incoming: Incoming, handshake: Counted) {
		let address = incoming.remote_address();
		// Read before the handshake: if the key changes meanwhile, the connection counts as made under
		// the old one, and is closed once too often rather than never.
		let shown = self.shown();
		// Kept as long as the connection, or a flood of newcomers might take the address away.
		let _hold = self.relays.mapped.hold(&address);
		let connecting = async {
			match is_mapped(&address) {
				true => {
					let relayed = self.relayed.read();
					let relayed = relayed.unwrap_or_else(PoisonError::into_inner).clone();
					incoming.accept_with(relayed)?.await
				}
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
		let id = connection.stable_id();
		self.under
			.lock()
			.unwrap_or_else(PoisonError::into_inner)
			.insert(id, (shown, connection.clone()));
		let seat = self.seat(peer, &connection);
		let error = self.clone().converse(peer, &connection, seat).await;
		self.unseat(peer, &connection);
		self.under
			.lock()
			.unwrap_or_else(PoisonError::into_inner)
			.remove(&id);
		drop(counted);
		tracing::debug!(%address, %peer, ?error, "peer gone");
	}

	/// Gives the connection a place; the peer's oldest one gives way if there are too many.
	fn seat(&self, peer: NodeKey, connection: &Connection) -> (Arc<Semaphore>, Arc<Load>) {
		let mut peers = self
			.peers
			.lock()
			.unwrap_or_else(|poisoned| poisoned.into_inner());
		let seat = peers.entry(peer).or_insert_with(|| Seat {
			requests: Arc::new(Semaphore::new(self.config.max_requests_per_peer)),
			load: Arc::default(),
			connections: VecDeque::new(),
		});
		let path = self.puncher.path_of(&peer, &connection.remote_address());
		seat.connections.push_back((connection.clone(), path));
		while seat.connections.len() > self.config.max_connections_per_peer {
			if let Some((oldest, _)) = seat.connections.pop_front() {
				oldest.close(code::TOO_MANY, b"too many connections of one node key");
			}
		}
		(seat.requests.clone(), seat.load.clone())
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
				.retain(|(other, _)| other.stable_id() != id);
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
		(requests, load): (Arc<Semaphore>, Arc<Load>),
	) -> Option<ConnectionError> {
		let interval = self.config.rekey_interval;
		let keys = KeyClock::new(self.config.rekey_bytes, interval, Instant::now());
		let line = Arc::new(Line {
			peer,
			load,
			pen: Pen::default(),
		});
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
			if let Some(streams) = line.load.change(self.config.max_streams) {
				if streams < self.config.max_streams {
					tracing::info!(%peer, streams, "a peer cancels most of what it asks for");
					Counts::add(&self.counts.throttled);
				}
				connection.set_max_concurrent_bi_streams(streams.into());
			}
			let (server, line) = (self.clone(), line.clone());
			let address = connection.remote_address();
			tokio::spawn(async move {
				server.request(&line, address, send, recv).await;
				drop(permit);
			});
		}
	}
}
