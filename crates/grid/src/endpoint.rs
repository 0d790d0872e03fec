//! One UDP socket: dials and, if asked to, serves.

use crate::{
	config::{Role, LARGEST_PACKET},
	observe::{self, Nat},
	path::{PathCounts, PathKind, PeerPath, Reach},
	peer::Peer,
	pool::{Dialer, Pool},
	punch::{PunchStats, Puncher},
	relay::{Hybrid, RelayState, RelayStatus, Relays},
	serve::{ServeStats, Server},
	service::ShardService,
	socket, tls,
	transfer::{Tally, TransferStats},
	wire::code,
	GridConfig, GridError, Identity,
};
use hippius_primitives::{NodeKey, RelayAddress};
use quinn::{
	crypto::{CryptoError, HmacKey},
	Endpoint, EndpointConfig, Runtime, ServerConfig, TokioRuntime,
};
use quinn_proto::HashedConnectionIdGenerator;
use std::{
	net::SocketAddr,
	sync::{Arc, OnceLock, PoisonError, RwLock},
	time::Duration,
};
use tokio::{runtime::Handle, sync::watch, time::timeout};
use zeroize::Zeroizing;

/// How long the farewell to open connections may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// A node's presence on the network. See the [crate's page](crate) for an example.
pub struct Grid {
	endpoint: Endpoint,
	local: SocketAddr,
	identity: RwLock<Arc<Identity>>,
	config: GridConfig,
	runtime: Handle,
	pool: Pool,
	relays: Arc<Relays>,
	puncher: Arc<Puncher>,
	nat: watch::Sender<Nat>,
	server: OnceLock<Arc<Server>>,
	closing: watch::Sender<bool>,
}

impl std::fmt::Debug for Grid {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("Grid")
			.field("node_key", &self.node_key())
			.field("local", &self.local)
			.finish_non_exhaustive()
	}
}

impl Grid {
	/// Opens a UDP socket on `address` (port 0: any free one). Must be called within a tokio
	/// runtime. Dials at once; serves after [`Grid::serve`].
	pub fn bind(
		address: SocketAddr,
		identity: Arc<Identity>,
		config: GridConfig,
	) -> Result<Arc<Self>, GridError> {
		config.validate()?;
		let runtime = Handle::try_current().map_err(|_| GridError::NoRuntime)?;
		let socket = socket::bind(address, config.socket_buffer)?;
		let bound = |source| GridError::Bind {
			address,
			source: Arc::new(source),
		};
		let quic = Arc::new(TokioRuntime);
		let udp = quic.wrap_udp_socket(socket).map_err(bound)?;
		let local = udp.local_addr().map_err(bound)?;
		let (closing, watching) = watch::channel(false);
		let relays = Relays::new(
			identity.clone(),
			&config,
			local.is_ipv6(),
			runtime.clone(),
			closing.subscribe(),
		);
		let nat = watch::Sender::new(Nat::default());
		let puncher = Puncher::new(
			udp.clone(),
			local,
			config.punch_loopback,
			nat.subscribe(),
			closing.subscribe(),
		);
		let endpoint = Endpoint::new_with_abstract_socket(
			endpoint_config(&identity),
			None,
			Arc::new(Hybrid::new(udp, relays.clone(), puncher.clone())),
			quic,
		)
		.map_err(bound)?;
		let pool = Pool::new(Dialer {
			endpoint: endpoint.clone(),
			identity: RwLock::new(identity.clone()),
			transport: config.transport(Role::Dialer, PathKind::Direct)?,
			relayed: config.transport(Role::Dialer, PathKind::Relayed)?,
			punched: config.transport(Role::Dialer, PathKind::Punched)?,
			puncher: puncher.clone(),
			relays: relays.clone(),
			config: config.clone(),
			runtime: runtime.clone(),
			closing: watching,
			tally: Tally::default(),
		});
		tracing::info!(node = %identity.node_key(), %local, "grid endpoint open");
		let server = OnceLock::new();
		Ok(Arc::new(Self {
			endpoint,
			local,
			identity: RwLock::new(identity),
			config,
			runtime,
			pool,
			relays,
			puncher,
			nat,
			server,
			closing,
		}))
	}

	/// The address the socket is bound to.
	pub fn local_addr(&self) -> SocketAddr {
		self.local
	}

	/// This node's key.
	pub fn node_key(&self) -> NodeKey {
		self.identity().node_key()
	}

	/// This node's secret key, for signing.
	pub fn identity(&self) -> Arc<Identity> {
		let identity = self.identity.read();
		identity.unwrap_or_else(PoisonError::into_inner).clone()
	}

	/// Connections open now, both ways.
	pub fn open_connections(&self) -> usize {
		self.endpoint.open_connections()
	}

	/// What has become of those who came, if this grid serves.
	pub fn serve_stats(&self) -> Option<ServeStats> {
		self.server.get().map(|server| server.stats())
	}

	/// What was received of shards so far, and how much of that in vain.
	pub fn transfers(&self) -> TransferStats {
		self.pool.transfers()
	}

	/// A handle to the node `key`, looked for where `reach` (UDP addresses alone will do) says.
	/// Does not connect yet. A `reach` that is not empty replaces the one given before for the
	/// same key.
	pub fn peer(&self, key: NodeKey, reach: impl Into<Reach>) -> Peer {
		self.pool.peer(key, reach.into())
	}

	/// How this node stands with relays: those it lists first, then those of its peers.
	pub fn relays(&self) -> Vec<RelayStatus> {
		self.relays.status()
	}

	/// Batches of packets that were lost here for want of room: to relays, and from relays.
	pub fn relay_losses(&self) -> (u64, u64) {
		self.relays.lost()
	}

	/// Waits until one of the relays this node lists is connected; at once if it lists none. An
	/// error says why the last of them is not.
	pub async fn relay_ready(&self) -> Result<(), String> {
		self.relays.home().await
	}

	/// Asks peers how they see this node's address and remembers what that shows; see [`NatKind`].
	/// Peers should be on different machines; at most four are asked.
	pub async fn learn_nat(&self, peers: &[Peer]) -> Nat {
		let nat = observe::ask(peers, self.local).await;
		if self.nat.send_replace(nat) != nat {
			// What did not work may work now.
			self.pool.punch_again();
		}
		nat
	}

	/// What was learnt last.
	pub fn nat(&self) -> Nat {
		*self.nat.borrow()
	}

	/// Open connections to nodes whose keys are proved, whoever dialled, by path.
	pub fn paths(&self) -> PathCounts {
		PathCounts::of(self.peer_paths().iter().map(|open| open.path))
	}

	/// Each of them: those this node dialled, then those it took.
	pub fn peer_paths(&self) -> Vec<PeerPath> {
		let mut open = self.pool.connections();
		if let Some(server) = self.server.get() {
			open.extend(server.connections());
		}
		open
	}

	/// What has come of attempts to do without relays.
	pub fn punches(&self) -> PunchStats {
		self.puncher.counts.stats()
	}

	/// How it stands with one relay, now and from now on; `None` if it is not in use.
	pub fn watch_relay(&self, relay: &RelayAddress) -> Option<watch::Receiver<RelayState>> {
		self.relays.watch(relay)
	}

	/// Answers peers with `service`, in the background, until [`Grid::close`]. Once per grid.
	pub fn serve(&self, service: Arc<dyn ShardService>) -> Result<(), GridError> {
		if *self.closing.borrow() {
			return Err(GridError::Closed);
		}
		let (config, relayed) = self.server_configs(&self.identity())?;
		let server = Arc::new(Server::new(
			service,
			self.config.clone(),
			self.closing.subscribe(),
			self.relays.clone(),
			self.puncher.clone(),
			relayed,
			self.node_key(),
		));
		self.server
			.set(server.clone())
			.map_err(|_| GridError::AlreadyServing)?;
		self.endpoint.set_server_config(Some(config));
		self.runtime.spawn(server.accept(self.endpoint.clone()));
		Ok(())
	}

	/// How newcomers are answered under this key, and how those that come through relays.
	fn server_configs(
		&self,
		identity: &Arc<Identity>,
	) -> Result<(ServerConfig, Arc<ServerConfig>), GridError> {
		let mut config = ServerConfig::with_crypto(Arc::new(tls::server(identity)?));
		let mut relayed = config.clone();
		relayed.transport_config(self.config.transport(Role::Acceptor, PathKind::Relayed)?);
		config
			.transport_config(self.config.transport(Role::Acceptor, PathKind::Direct)?)
			.max_incoming(self.config.max_incoming)
			.incoming_buffer_size(self.config.incoming_buffer)
			.incoming_buffer_size_total(self.config.incoming_buffer_total);
		Ok((config, Arc::new(relayed)))
	}

	/// From now on this node is known by another key: it shows that in every new handshake, both
	/// ways. Connections made before go on under the old key until [`Grid::retire`]; those this node
	/// dialled are replaced when next used. Peers must be told of the new key before
	/// ([`Peer::or_key`]). Relays go on knowing this node by the key it was bound with, until it
	/// starts again.
	pub fn set_identity(&self, identity: Arc<Identity>) -> Result<(), GridError> {
		let serving = self.server.get();
		let configs = serving
			.map(|_| self.server_configs(&identity))
			.transpose()?;
		let mut current = self
			.identity
			.write()
			.unwrap_or_else(PoisonError::into_inner);
		tracing::info!(old = %current.node_key(), new = %identity.node_key(), "node key changed");
		*current = identity.clone();
		drop(current);
		self.pool.set_identity(identity.clone());
		if let (Some(server), Some((config, relayed))) = (serving, configs) {
			self.endpoint.set_server_config(Some(config));
			server.show(identity.node_key(), relayed);
		}
		Ok(())
	}

	/// Ends what was accepted under a key of this node's that is no longer valid; tells how many
	/// connections. Peers dial again, and are shown the new key.
	pub fn retire(&self, old: &NodeKey) -> usize {
		self.server.get().map_or(0, |server| server.retire(old))
	}

	/// Takes no more requests, lets the running ones finish within
	/// [`GridConfig::drain_timeout`], then closes every connection. Idempotent.
	pub async fn close(&self) {
		self.closing.send_replace(true);
		self.endpoint.set_server_config(None);
		if let Some(server) = self.server.get() {
			if timeout(self.config.drain_timeout, server.drained())
				.await
				.is_err()
			{
				tracing::warn!("requests still running at shutdown are cut off");
			}
		}
		self.endpoint.close(code::DONE, b"closing");
		if timeout(FAREWELL, self.endpoint.wait_idle()).await.is_err() {
			tracing::debug!("some peers were not told of the shutdown");
		}
	}
}

impl Drop for Grid {
	fn drop(&mut self) {
		self.closing.send_replace(true);
		self.endpoint.close(code::DONE, b"closing");
	}
}

/// Keys that outlive a restart, so that a restarted node can tell old peers at once that their
/// connection is gone, instead of leaving them to wait for the idle timeout.
pub(crate) fn endpoint_config(identity: &Identity) -> EndpointConfig {
	let reset = ResetKey(identity.derive("hippius arion 2026 quic stateless reset key v1"));
	let cid = identity.derive("hippius arion 2026 quic connection id key v1");
	let [a, b, c, d, e, f, g, h, ..] = *cid;
	let cid = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
	let mut config = EndpointConfig::new(Arc::new(reset));
	// So that a UDP payload whose first byte is below 0x40 is never QUIC: those are probes.
	config.grease_quic_bit(false);
	// Fails only for less than 1200.
	let _ = config.max_udp_payload_size(LARGEST_PACKET);
	config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(cid)));
	config
}

/// Keyed BLAKE3 as the transport's MAC.
struct ResetKey(Zeroizing<[u8; 32]>);

impl HmacKey for ResetKey {
	fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
		blake3::Hasher::new_keyed(&self.0)
			.update(data)
			.finalize_xof()
			.fill(signature_out);
	}

	fn signature_len(&self) -> usize {
		32
	}

	fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
		let signature: [u8; 32] = signature.try_into().map_err(|_| CryptoError)?;
		// Compared in constant time by `blake3::Hash`.
		match blake3::keyed_hash(&self.0, data) == blake3::Hash::from_bytes(signature) {
			true => Ok(()),
			false => Err(CryptoError),
		}
	}
}
