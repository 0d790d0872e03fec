//! The relay as one running thing.

use crate::{
	admission::{parse_key, read_keys, Admission, KeysError},
	config::{Config, ConfigError},
	follow::follow,
	guard::Guard,
};
use hippius_primitives::NodeKey;
use iroh_base::EndpointId;
use iroh_metrics::{service::MetricsServer, Counter, Gauge, MetricsGroup, Registry};
use iroh_relay::{
	server::{
		http_server::{Handlers, RelayService, TlsConfig},
		ClientRateLimit, Metrics, RelayMetrics,
	},
	KeyCache,
};
use rustls_pki_types::{pem::PemObject as _, CertificateDer, PrivateKeyDer};
use std::{
	collections::HashSet,
	io,
	net::SocketAddr,
	path::{Path, PathBuf},
	sync::Arc,
	time::{Duration, Instant},
};
use tokio::{
	net::TcpListener,
	sync::Semaphore,
	task::JoinSet,
	time::{interval, timeout, MissedTickBehavior},
};

/// TLS, HTTP and login of a client take at most this long.
const ESTABLISH: Duration = Duration::from_secs(10);
/// Clients on their way in at a time.
const ENTERING: usize = 512;
/// How often lists and counters are refreshed, and strangers shown out.
const REFRESH: Duration = Duration::from_secs(1);
/// The file of allowed keys is read again after so many refreshes.
const REREAD: u64 = 30;
/// How long clients may take to hear the farewell.
const FAREWELL: Duration = Duration::from_secs(5);
/// Public keys kept parsed.
const KEY_CACHE: usize = 16_384;

/// Why a relay does not start.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
	/// The settings.
	#[error(transparent)]
	Config(#[from] ConfigError),
	/// The allowed keys.
	#[error(transparent)]
	Keys(#[from] KeysError),
	/// An address cannot be listened on.
	#[error("cannot listen on {address}: {cause}; choose a free port")]
	Listen {
		/// The address.
		address: SocketAddr,
		/// Why.
		cause: io::Error,
	},
	/// Certificate or key cannot be used.
	#[error("certificate {} or its key: {reason}", path.display())]
	Tls {
		/// The certificate's file.
		path: PathBuf,
		/// Why.
		reason: String,
	},
}

/// What this relay counts besides iroh-relay's own.
#[derive(Debug, Default, MetricsGroup)]
#[metrics(name = "arion_relay")]
struct Counts {
	/// Clients connected.
	clients: Gauge,
	/// Node keys registered on chain, as read last.
	registered_keys: Gauge,
	/// Connections closed at once because their network sent too many.
	refused_rate: Counter,
}

/// A relay that listens.
pub struct Relay {
	listener: TcpListener,
	address: SocketAddr,
	metrics_address: Option<SocketAddr>,
	config: Config,
	allowed: HashSet<NodeKey>,
	admission: Admission,
	service: RelayService,
	tls: Option<TlsConfig>,
	counts: Arc<Counts>,
	_metrics: Option<MetricsServer>,
}

impl Relay {
	/// Checks the settings and opens the ports.
	pub async fn open(config: Config) -> Result<Self, RelayError> {
		config.validate()?;
		let tls = match (&config.cert, &config.key) {
			(Some(cert), Some(key)) => Some(tls(cert, key)?),
			_ => None,
		};
		let keys = config.allow.iter().map(|text| parse_key("allow", text));
		let allowed: HashSet<NodeKey> = keys.collect::<Result<_, _>>()?;
		let stale_after = Duration::from_secs(config.stale_after);
		let admission = Admission::new(stale_after, config.max_clients, config.max_per_key);
		admission.set_allowed(all_allowed(&allowed, config.allow_file.as_deref())?);

		let listen = |address| move |cause| RelayError::Listen { address, cause };
		let listener = TcpListener::bind(config.listen)
			.await
			.map_err(listen(config.listen))?;
		let address = listener.local_addr().map_err(listen(config.listen))?;
		let counted = Arc::new(Metrics::default());
		let counts = Arc::new(Counts::default());
		let metrics = match config.metrics {
			None => None,
			Some(address) => {
				let mut all = RelayMetrics::default();
				all.server = counted.clone();
				let mut registry = Registry::default();
				registry.register_all(&all);
				registry.register(counts.clone());
				registry.register(admission.decisions.clone());
				let server = MetricsServer::spawn(address, Arc::new(registry)).await;
				Some(server.map_err(listen(address))?)
			}
		};
		let mut limit = ClientRateLimit::new(config.rate);
		limit.max_burst_bytes = Some(config.burst);
		let service = RelayService::new(
			Handlers::default(),
			http::HeaderMap::new(),
			Some(limit),
			KeyCache::new(KEY_CACHE),
			Arc::new(admission.clone()),
			counted,
		);
		Ok(Self {
			listener,
			address,
			metrics_address: metrics.as_ref().map(MetricsServer::local_addr),
			config,
			allowed,
			admission,
			service,
			tls,
			counts,
			_metrics: metrics,
		})
	}

	/// Where clients connect.
	pub fn address(&self) -> SocketAddr {
		self.address
	}

	/// Where Prometheus reads, if it was asked for.
	pub fn metrics_address(&self) -> Option<SocketAddr> {
		self.metrics_address
	}

	/// The URL nodes on this machine use.
	pub fn url(&self) -> String {
		let scheme = if self.tls.is_some() { "https" } else { "http" };
		format!("{scheme}://{}", self.address)
	}

	/// Who may come in.
	pub fn admission(&self) -> &Admission {
		&self.admission
	}

	/// Serves until `stop` completes, then tells the clients.
	pub async fn serve(self, stop: impl std::future::Future<Output = ()>) {
		let mut tasks = JoinSet::new();
		if let Some(url) = self.config.chain.clone() {
			let admission = self.admission.clone();
			tasks.spawn(async move {
				follow(url, admission).await;
			});
		}
		tokio::select! {
			() = stop => {}
			() = self.accept(&mut tasks) => {}
			() = self.refresh() => {}
		}
		tracing::info!("stopping");
		drop(self.listener);
		tasks.abort_all();
		if timeout(FAREWELL, self.service.shutdown()).await.is_err() {
			tracing::warn!("some clients were cut off");
		}
	}

	async fn accept(&self, tasks: &mut JoinSet<()>) {
		let mut guard = Guard::new(self.config.accepts, self.config.accept_burst);
		let entering = Arc::new(Semaphore::new(ENTERING));
		loop {
			while tasks.try_join_next().is_some() {}
			// The permit comes first: a crowd waits in the system's queue, not in tasks here.
			let Ok(permit) = entering.clone().acquire_owned().await else {
				return;
			};
			let (stream, from) = match self.listener.accept().await {
				Ok(accepted) => accepted,
				Err(error) => {
					tracing::warn!(%error, "cannot accept");
					tokio::time::sleep(Duration::from_millis(100)).await;
					continue;
				}
			};
			let loopback = from.ip().to_canonical().is_loopback();
			if !loopback && !guard.take(from.ip(), Instant::now()) {
				tracing::debug!(%from, "too many connections from its network");
				self.counts.refused_rate.inc();
				continue;
			}
			if let Err(error) = stream.set_nodelay(true) {
				tracing::debug!(%from, %error, "no TCP_NODELAY");
			}
			let (service, tls) = (self.service.clone(), self.tls.clone());
			tasks.spawn(async move {
				service.handle_connection(stream, tls, ESTABLISH).await;
				drop(permit);
			});
		}
	}

	/// Keeps lists and gauges current, and shows out who may not be here any more.
	async fn refresh(&self) {
		let mut ticks = interval(REFRESH);
		ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
		let mut count = 0u64;
		loop {
			ticks.tick().await;
			count += 1;
			if count.is_multiple_of(REREAD) {
				match all_allowed(&self.allowed, self.config.allow_file.as_deref()) {
					Ok(allowed) => self.admission.set_allowed(allowed),
					Err(error) => tracing::warn!(%error, "the allowed keys stay as they were"),
				}
			}
			for key in self.admission.strangers() {
				tracing::info!(%key, "client not admitted any more");
				if let Ok(id) = EndpointId::from_bytes(&key.0) {
					self.service.clients().disconnect(id, None);
				}
			}
			let (clients, registered) = self.admission.counts();
			let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
			self.counts.clients.set(gauge(clients));
			self.counts.registered_keys.set(gauge(registered));
		}
	}
}

fn all_allowed(
	given: &HashSet<NodeKey>,
	file: Option<&Path>,
) -> Result<HashSet<NodeKey>, KeysError> {
	let mut all = given.clone();
	if let Some(file) = file {
		all.extend(read_keys(file)?);
	}
	Ok(all)
}

fn tls(cert: &Path, key: &Path) -> Result<TlsConfig, RelayError> {
	let failed = |error: &dyn std::fmt::Display| RelayError::Tls {
		path: cert.into(),
		reason: error.to_string(),
	};
	let chain = CertificateDer::pem_file_iter(cert)
		.map_err(|error| failed(&error))?
		.collect::<Result<Vec<_>, _>>()
		.map_err(|error| failed(&error))?;
	let key = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(&error))?;
	let provider = Arc::new(rustls::crypto::ring::default_provider());
	let config = rustls::ServerConfig::builder_with_provider(provider)
		.with_safe_default_protocol_versions()
		.map_err(|error| failed(&error))?
		.with_no_client_auth()
		.with_single_cert(chain, key)
		.map_err(|error| failed(&error))?;
	Ok(TlsConfig::new(Arc::new(config)))
}
