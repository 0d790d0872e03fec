//! Setting up a base path, and running a gateway from it.

use crate::{
	catalog::{Catalog, CatalogError},
	cluster::ClusterError,
	config::{Config, ConfigError, CONFIG_FILE},
	follow::ChainCluster,
	gateway::Gateway,
	http,
	ledger::{Appender, ChainLedger},
	maps::{replace_file, MapStore},
	nat,
	payers::Payers,
};
use arion_grid::{Grid, GridConfig, GridError, Identity, IdentityError};
use hippius_chain_client::{signer_from_suri, Keypair, SignerError};
use std::{
	future::{Future, IntoFuture},
	io::{self, Write},
	net::SocketAddr,
	path::{Path, PathBuf},
	sync::Arc,
	time::Duration,
};
use tokio_util::sync::CancellationToken;

const KEY_FILE: &str = "node.key";
/// The public half of the key: what miners list as an issuer of permits.
pub const PUBLIC_FILE: &str = "node.pub";
const TOKEN_FILE: &str = "http.token";
const CATALOG_FILE: &str = "catalog.redb";
const MAPS_FOLDER: &str = "maps";
/// Tells others where a running gateway is.
const RUN_FILE: &str = "run.json";
/// How long running requests may go on after a request to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Why a gateway does not start or run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
	/// The settings.
	#[error(transparent)]
	Config(#[from] ConfigError),
	/// The settings cannot be written down.
	#[error("cannot write the settings: {0}")]
	Toml(#[from] toml::ser::Error),
	/// The node key.
	#[error(transparent)]
	Identity(#[from] IdentityError),
	/// The QUIC endpoint.
	#[error(transparent)]
	Grid(#[from] GridError),
	/// The catalog.
	#[error(transparent)]
	Catalog(#[from] CatalogError),
	/// The cluster.
	#[error(transparent)]
	Cluster(#[from] ClusterError),
	/// A file of the base path.
	#[error("{action} {}: {cause}", path.display())]
	File {
		/// What was tried.
		action: &'static str,
		/// The file.
		path: PathBuf,
		/// Why it failed.
		cause: io::Error,
	},
	/// `init` was called twice.
	#[error("{} is a gateway's base path already; remove it or choose another", .0.display())]
	Exists(PathBuf),
	/// The system gives no random bytes.
	#[error("the system gives no random bytes: {0}")]
	Random(getrandom::Error),
	/// The HTTP address is taken or not ours.
	#[error("cannot listen on {address}: {cause}; choose another http.listen")]
	Listen {
		/// The address.
		address: SocketAddr,
		/// Why.
		cause: io::Error,
	},
	/// The account file holds no account.
	#[error("{}: {cause}", path.display())]
	Account {
		/// The file.
		path: PathBuf,
		/// Why.
		cause: SignerError,
	},
	/// The token file holds no token.
	#[error("{} holds no token; `arion-gateway init` makes one", .0.display())]
	Token(PathBuf),
}

/// Makes a base path: settings, a fresh node key and a fresh token.
pub fn init(base: &Path, config: &Config) -> Result<(), RunError> {
	config.validate()?;
	let failed = |action, path: &Path| {
		let path = path.to_owned();
		move |cause| RunError::File {
			action,
			path,
			cause,
		}
	};
	std::fs::create_dir_all(base).map_err(failed("cannot make", base))?;
	let config_path = base.join(CONFIG_FILE);
	if config_path.exists() {
		return Err(RunError::Exists(base.to_owned()));
	}
	let identity = Identity::generate()?;
	identity.save(&base.join(KEY_FILE))?;
	let public = base.join(PUBLIC_FILE);
	std::fs::write(&public, format!("{}\n", identity.node_key()))
		.map_err(failed("cannot write", &public))?;
	let mut secret = [0u8; 32];
	getrandom::fill(&mut secret).map_err(RunError::Random)?;
	let token_path = base.join(TOKEN_FILE);
	write_secret(&token_path, &hex::encode(secret)).map_err(failed("cannot write", &token_path))?;
	// Last: its presence says that the rest is there.
	replace_file(&config_path, config.to_toml()?.as_bytes())
		.map_err(failed("cannot write", &config_path))
}

/// A gateway that listens.
pub struct Running {
	/// Where users reach it.
	pub address: SocketAddr,
	gateway: Arc<Gateway>,
	listener: tokio::net::TcpListener,
	cluster: Arc<ChainCluster>,
	config: Config,
	token: String,
	/// Who pays for appending to the ledgers, if that is on.
	signer: Option<Keypair>,
	run_file: PathBuf,
}

impl Running {
	/// Opens everything below `base`. `overrule` may change settings for this run.
	pub async fn open(base: &Path, overrule: impl FnOnce(&mut Config)) -> Result<Self, RunError> {
		let mut config = Config::load(&base.join(CONFIG_FILE))?;
		overrule(&mut config);
		config.validate()?;
		let token = read_token(&base.join(TOKEN_FILE))?;
		let signer = match config.ledger.is_on() {
			true => Some(read_account(&config.ledger.account_file)?),
			false => {
				tracing::warn!("no ledger.account_file: what is stored is not appended to the ledgers on chain");
				None
			}
		};
		let identity = Arc::new(Identity::load(&base.join(KEY_FILE))?);
		let catalog = Catalog::open(&base.join(CATALOG_FILE))?;
		let cluster = Arc::new(ChainCluster::open(MapStore::open(base.join(MAPS_FOLDER))?)?);
		let grid = Grid::bind(config.grid.bind, identity, grid_config(&config))?;
		let own = signer
			.as_ref()
			.map_or(grid.node_key().0, hippius_chain_client::account_of);
		let payers = Payers::new(own, &config.ledger)?;
		let gateway = Gateway::paid_by(&config, grid, cluster.clone(), catalog, payers);
		let listen = config.http.listen;
		let listener = tokio::net::TcpListener::bind(listen)
			.await
			.map_err(|cause| RunError::Listen {
				address: listen,
				cause,
			})?;
		let address = listener.local_addr().map_err(|cause| RunError::Listen {
			address: listen,
			cause,
		})?;
		Ok(Self {
			address,
			gateway,
			listener,
			cluster,
			config,
			token,
			signer,
			run_file: base.join(RUN_FILE),
		})
	}

	/// The gateway.
	pub fn gateway(&self) -> &Arc<Gateway> {
		&self.gateway
	}

	/// Serves until `stop` completes, then lets running requests finish for a while.
	pub async fn serve(
		self,
		stop: impl Future<Output = ()> + Send + 'static,
	) -> Result<(), RunError> {
		let Self {
			address,
			gateway,
			listener,
			cluster,
			config,
			token,
			signer,
			run_file,
		} = self;
		let about = serde_json::json!({
			"pid": std::process::id(),
			"http": format!("http://{address}"),
			"quic": gateway.peers().grid().local_addr().to_string(),
			"node_key": gateway.peers().grid().node_key().to_string(),
			"version": env!("CARGO_PKG_VERSION"),
		});
		replace_file(&run_file, about.to_string().as_bytes()).map_err(|cause| RunError::File {
			action: "cannot write",
			path: run_file.clone(),
			cause,
		})?;
		let stopping = CancellationToken::new();
		let mut following =
			tokio::spawn(cluster.follow(config.chain.url.clone(), stopping.clone()));
		// Ends with the rest.
		tokio::spawn(nat::watch(gateway.clone(), stopping.clone()));
		let appending = signer.map(|signer| {
			let chain = Arc::new(ChainLedger::new(config.chain.url.clone(), signer));
			let appender = Appender::new(&gateway, chain, &config.ledger);
			tokio::spawn(appender.run(stopping.clone()))
		});
		let router = http::router(gateway.clone(), &token, config.http.max_requests);
		let graceful = axum::serve(listener, router)
			.with_graceful_shutdown(stopping.clone().cancelled_owned())
			.into_future();
		let mut serving = tokio::spawn(graceful);
		let stop = std::pin::pin!(stop);
		let outcome = tokio::select! {
			() = stop => Ok(()),
			// Ends early only when the node is of another chain.
			followed = &mut following => match followed {
				Ok(Err(error)) => Err(error.into()),
				_ => Ok(()),
			},
			_ = &mut serving => Ok(()),
		};
		tracing::info!("stopping");
		stopping.cancel();
		if tokio::time::timeout(GRACE, &mut serving).await.is_err() {
			tracing::warn!("running requests were cut off");
			serving.abort();
		}
		if let Some(appending) = appending {
			// Ends by the token; a crash of it is in the log.
			if let Err(error) = appending.await {
				tracing::error!(%error, "appending to the ledgers ended early");
			}
		}
		gateway.close().await;
		if let Err(cause) = std::fs::remove_file(&run_file) {
			tracing::warn!(%cause, "cannot remove run.json");
		}
		outcome
	}
}

/// The transport as a gateway wants it: dead miners are noticed sooner than the default.
pub fn grid_config(config: &Config) -> GridConfig {
	let idle = config.grid.idle_timeout();
	GridConfig {
		idle_timeout: idle,
		keep_alive: idle / 3,
		handshake_timeout: config.grid.dial_timeout(),
		..GridConfig::default()
	}
}

/// The account whose secret is the first line of a file.
fn read_account(path: &Path) -> Result<Keypair, RunError> {
	let text = std::fs::read_to_string(path).map_err(|cause| RunError::File {
		action: "cannot read",
		path: path.to_owned(),
		cause,
	})?;
	let line = text.lines().next().unwrap_or_default();
	signer_from_suri(line).map_err(|cause| RunError::Account {
		path: path.to_owned(),
		cause,
	})
}

fn read_token(path: &Path) -> Result<String, RunError> {
	let text = std::fs::read_to_string(path).map_err(|cause| RunError::File {
		action: "cannot read",
		path: path.to_owned(),
		cause,
	})?;
	let token = text.trim();
	if token.len() < 16 || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
		return Err(RunError::Token(path.to_owned()));
	}
	Ok(token.to_owned())
}

fn write_secret(path: &Path, text: &str) -> io::Result<()> {
	use std::os::unix::fs::OpenOptionsExt;
	let mut file = std::fs::OpenOptions::new()
		.write(true)
		.create_new(true)
		.mode(0o600)
		.open(path)?;
	file.write_all(text.as_bytes())?;
	file.write_all(b"\n")?;
	file.sync_all()
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use std::os::unix::fs::PermissionsExt;

	#[tokio::test]
	async fn a_base_path_is_made_once_and_opens() {
		let folder = tempfile::tempdir().unwrap();
		let base = folder.path().join("gateway");
		assert!(matches!(
			Running::open(&base, |_| {}).await,
			Err(RunError::Config(ConfigError::Read { .. }))
		));
		init(&base, &Config::default()).unwrap();
		assert!(matches!(
			init(&base, &Config::default()),
			Err(RunError::Exists(_))
		));
		for secret in [KEY_FILE, TOKEN_FILE] {
			assert_eq!(
				base.join(secret).metadata().unwrap().permissions().mode() & 0o777,
				0o600
			);
		}
		let any_port = |config: &mut Config| config.http.listen.set_port(0);
		let running = Running::open(&base, any_port).await.unwrap();
		let taken = running.address;
		let second = folder.path().join("second");
		init(&second, &Config::default()).unwrap();
		let error = Running::open(&second, |config| config.http.listen = taken)
			.await
			.err()
			.unwrap();
		assert!(matches!(error, RunError::Listen { .. }), "{error}");
		running.gateway().close().await;
		std::fs::write(second.join(TOKEN_FILE), "short\n").unwrap();
		assert!(matches!(
			Running::open(&second, any_port).await,
			Err(RunError::Token(_))
		));
	}
}
