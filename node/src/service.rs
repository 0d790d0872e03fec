//! Puts a node together.

use crate::{
	collector::{self, CollectorConfig, CollectorError},
	daemons, rpc, Block,
};
use futures::{FutureExt, StreamExt};
use hippius_primitives::daemon::DaemonAccess;
use hippius_runtime::{apis::RuntimeApi, genesis};
use sc_client_api::{Backend, BlockBackend};
use sc_consensus_babe::{BabeLink, BabeWorkerHandle, SlotProportion};
use sc_consensus_grandpa::{
	FinalityProofProvider, GrandpaJustificationStream, SharedAuthoritySet, SharedVoterState,
};
use sc_executor::{HeapAllocStrategy, DEFAULT_HEAP_ALLOC_STRATEGY};
use sc_network::{
	event::Event, service::traits::NetworkService, NetworkBackend, NetworkEventStream,
};
use sc_network_sync::SyncingService;
use sc_service::{
	error::Error as ServiceError, Configuration, RpcHandlers, TFullBackend, TFullClient,
	TaskManager, WarpSyncConfig,
};
use sc_telemetry::{Telemetry, TelemetryWorker};
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_consensus_babe::inherents::BabeCreateInherentDataProviders;
use sp_keystore::KeystorePtr;
use sp_runtime::traits::Block as BlockT;
use std::{
	path::{Path, PathBuf},
	sync::Arc,
	time::Duration,
};

/// What the wasm runtime may call.
pub type HostFunctions = sp_io::SubstrateHostFunctions;
/// Runs the wasm runtime.
pub type Executor = sc_executor::WasmExecutor<HostFunctions>;
/// The chain: database and runtime.
pub type Client = TFullClient<Block, RuntimeApi, Executor>;
/// The database.
pub type NodeBackend = TFullBackend<Block>;
/// The transactions that wait.
pub type Pool = sc_transaction_pool::TransactionPoolHandle<Block, Client>;
/// The longest chain that does not revert what is final.
pub type SelectChain = sc_consensus::LongestChain<NodeBackend, Block>;

type GrandpaBlockImport =
	sc_consensus_grandpa::GrandpaBlockImport<NodeBackend, Block, Client, SelectChain>;
type GrandpaLink = sc_consensus_grandpa::LinkHalf<Block, Client, SelectChain>;
type BlockImport = sc_consensus_babe::BabeBlockImport<
	Block,
	Client,
	GrandpaBlockImport,
	BabeCreateInherentDataProviders<Block>,
	SelectChain,
>;

/// Blocks between two justifications that are kept for ever.
const JUSTIFICATION_PERIOD: u32 = 512;

/// The folder of compiled runtimes in the base path.
const WASM_CACHE: &str = "wasm-cache";

/// What this node does beyond what every Substrate node's configuration says.
#[derive(Clone, Debug, Default)]
pub struct Options {
	/// The miner daemons that the offchain worker drives.
	pub daemons: Vec<DaemonAccess>,
	/// Where this validator collects heartbeats, if it does.
	pub collector: Option<CollectorConfig>,
	/// Where compiled runtimes are kept, if not in the base path.
	pub wasm_cache: Option<PathBuf>,
}

/// Why a node does not start, where the reason is ours.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
	/// A validator on a chain whose keys nobody holds.
	#[error(
		"this chain's genesis still holds placeholder keys, so nobody can author on it: write a \
		 chain spec with real session keys (export-chain-spec --chain main, then replace them) \
		 and start with --chain FILE"
	)]
	PlaceholderKeys,
	/// The database holds no genesis.
	#[error("the database has no block 0; remove it with purge-chain and start again")]
	NoGenesis,
}

impl From<StartError> for ServiceError {
	fn from(error: StartError) -> Self {
		Self::Application(Box::new(error))
	}
}

/// The parts of a node that tools need as well.
pub struct Partial {
	/// The chain.
	pub client: Arc<Client>,
	/// The database.
	pub backend: Arc<NodeBackend>,
	/// The tasks.
	pub task_manager: TaskManager,
	/// The node's keys.
	pub keystore: KeystorePtr,
	/// Which chain is the best.
	pub select_chain: SelectChain,
	/// Checks and imports blocks.
	pub import_queue: sc_consensus::DefaultImportQueue<Block>,
	/// The transactions that wait.
	pub pool: Arc<Pool>,
	block_import: BlockImport,
	grandpa_link: GrandpaLink,
	babe_link: BabeLink<Block>,
	// The import queue's essential task ends when the last handle goes.
	babe_worker: BabeWorkerHandle<Block>,
	telemetry: Option<Telemetry>,
}

/// What the finality methods of the RPC work with.
#[derive(Clone)]
pub struct GrandpaParts {
	/// Who votes.
	pub authorities: SharedAuthoritySet<<Block as BlockT>::Hash, hippius_runtime::BlockNumber>,
	/// How the vote stands.
	pub voter_state: SharedVoterState,
	/// Justifications as they come.
	pub justifications: GrandpaJustificationStream<Block>,
}

/// A running node. Dropping `task_manager` stops it.
pub struct NodeHandle {
	/// The tasks.
	pub task_manager: TaskManager,
	/// The chain.
	pub client: Arc<Client>,
	/// The database.
	pub backend: Arc<NodeBackend>,
	/// The transactions that wait.
	pub pool: Arc<Pool>,
	/// The node's keys.
	pub keystore: KeystorePtr,
	/// The network.
	pub network: Arc<dyn NetworkService>,
	/// Block synchronisation.
	pub sync: Arc<SyncingService<Block>>,
	/// The RPC methods, callable in memory, and the addresses they are served on.
	pub rpc_handlers: RpcHandlers,
}

/// The executor of runtimes, as [`sc_service::new_wasm_executor`] makes it, which keeps what it compiled.
fn executor(config: &Configuration, wasm_cache: Option<&Path>) -> Executor {
	let cache = wasm_cache.map_or_else(
		|| config.base_path.path().join(WASM_CACHE),
		Path::to_path_buf,
	);
	let config = &config.executor;
	let heap = config
		.default_heap_pages
		.map_or(DEFAULT_HEAP_ALLOC_STRATEGY, |pages| {
			HeapAllocStrategy::Static {
				extra_pages: u32::try_from(pages).unwrap_or(u32::MAX),
			}
		});
	Executor::builder()
		.with_execution_method(config.wasm_method)
		.with_onchain_heap_alloc_strategy(heap)
		.with_offchain_heap_alloc_strategy(heap)
		.with_max_runtime_instances(config.max_runtime_instances)
		.with_runtime_cache_size(config.runtime_cache_size)
		.with_cache_path(cache)
		.build()
}

/// Opens the database and sets up what checks blocks. Compiled runtimes are kept in `wasm_cache`, or in the base
/// path.
pub fn new_partial(
	config: &Configuration,
	wasm_cache: Option<&Path>,
) -> Result<Partial, ServiceError> {
	let telemetry = config
		.telemetry_endpoints
		.clone()
		.filter(|endpoints| !endpoints.is_empty())
		.map(|endpoints| -> Result<_, sc_telemetry::Error> {
			let worker = TelemetryWorker::new(16)?;
			let telemetry = worker.handle().new_telemetry(endpoints);
			Ok((worker, telemetry))
		})
		.transpose()?;

	let executor = executor(config, wasm_cache);
	let (client, backend, keystore_container, task_manager) =
		sc_service::new_full_parts::<Block, RuntimeApi, _>(
			config,
			telemetry.as_ref().map(|(_, telemetry)| telemetry.handle()),
			executor,
			Vec::new(),
		)?;
	let client = Arc::new(client);
	let telemetry = telemetry.map(|(worker, telemetry)| {
		task_manager
			.spawn_handle()
			.spawn("telemetry", None, worker.run());
		telemetry
	});

	let select_chain = sc_consensus::LongestChain::new(Arc::clone(&backend));
	let pool = Arc::new(
		sc_transaction_pool::Builder::new(
			task_manager.spawn_essential_handle(),
			Arc::clone(&client),
			config.role.is_authority().into(),
		)
		.with_options(config.transaction_pool.clone())
		.with_prometheus(config.prometheus_registry())
		.build(),
	);

	let (grandpa_block_import, grandpa_link) = sc_consensus_grandpa::block_import(
		Arc::clone(&client),
		JUSTIFICATION_PERIOD,
		&Arc::clone(&client),
		select_chain.clone(),
		telemetry.as_ref().map(Telemetry::handle),
	)?;
	let justification_import = grandpa_block_import.clone();

	let babe_config = sc_consensus_babe::configuration(&*client)?;
	let slot_duration = babe_config.slot_duration();
	let (block_import, babe_link) = sc_consensus_babe::block_import(
		babe_config,
		grandpa_block_import,
		Arc::clone(&client),
		inherents(slot_duration),
		select_chain.clone(),
		OffchainTransactionPoolFactory::new(Arc::clone(&pool)),
	)?;
	let (import_queue, babe_worker) =
		sc_consensus_babe::import_queue(sc_consensus_babe::ImportQueueParams {
			link: babe_link.clone(),
			block_import: block_import.clone(),
			justification_import: Some(Box::new(justification_import)),
			client: Arc::clone(&client),
			slot_duration,
			spawner: &task_manager.spawn_essential_handle(),
			registry: config.prometheus_registry(),
			telemetry: telemetry.as_ref().map(Telemetry::handle),
		})?;

	Ok(Partial {
		client,
		backend,
		task_manager,
		keystore: keystore_container.keystore(),
		select_chain,
		import_queue,
		pool,
		block_import,
		grandpa_link,
		babe_link,
		babe_worker,
		telemetry,
	})
}

/// The time and the slot that follows from it.
fn inherents(
	slot_duration: sp_consensus_babe::SlotDuration,
) -> BabeCreateInherentDataProviders<Block> {
	Arc::new(move |_, ()| async move {
		let timestamp = sp_timestamp::InherentDataProvider::from_system_time();
		let slot =
			sp_consensus_babe::inherents::InherentDataProvider::from_timestamp_and_slot_duration(
				*timestamp,
				slot_duration,
			);
		Ok((slot, timestamp))
	})
}

/// Starts a node.
pub fn new_full<N>(mut config: Configuration, options: Options) -> Result<NodeHandle, ServiceError>
where
	N: NetworkBackend<Block, <Block as BlockT>::Hash>,
{
	// The order of batches in the ledgers, which the worker tells daemons, is left there by the blocks.
	config.offchain_worker.indexing_enabled = true;
	let Partial {
		client,
		backend,
		mut task_manager,
		keystore,
		select_chain,
		import_queue,
		pool,
		block_import,
		grandpa_link,
		babe_link,
		babe_worker,
		mut telemetry,
	} = new_partial(&config, options.wasm_cache.as_deref())?;

	let role = config.role;
	refuse_placeholder_keys(role, &babe_link)?;
	daemons::store(backend.offchain_storage().as_mut(), &options.daemons)
		.map_err(|error| ServiceError::Application(Box::new(error)))?;

	start_collector(
		options.collector.as_ref(),
		&config,
		&task_manager,
		&client,
		&backend,
		&keystore,
	)
	.map_err(|error| ServiceError::Application(Box::new(error)))?;

	let prometheus = config.prometheus_registry().cloned();
	let metrics = N::register_notification_metrics(config.prometheus_registry());
	let mut net_config = sc_network::config::FullNetworkConfiguration::<
		Block,
		<Block as BlockT>::Hash,
		N,
	>::new(&config.network, prometheus.clone());
	let genesis_hash = client.block_hash(0)?.ok_or(StartError::NoGenesis)?;
	let grandpa_protocol =
		sc_consensus_grandpa::protocol_standard_name(&genesis_hash, &config.chain_spec);
	let (grandpa_protocol_config, grandpa_notifications) =
		sc_consensus_grandpa::grandpa_peers_set_config::<_, N>(
			grandpa_protocol.clone(),
			metrics.clone(),
			net_config.peer_store_handle(),
		);
	net_config.add_notification_protocol(grandpa_protocol_config);
	let warp_sync = Arc::new(sc_consensus_grandpa::warp_proof::NetworkProvider::new(
		Arc::clone(&backend),
		grandpa_link.shared_authority_set().clone(),
		Vec::new(),
	));

	let (network, system_rpc_tx, tx_handler_controller, sync, _) =
		sc_service::build_network(sc_service::BuildNetworkParams {
			config: &config,
			net_config,
			client: Arc::clone(&client),
			transaction_pool: Arc::clone(&pool),
			spawn_handle: task_manager.spawn_handle(),
			spawn_essential_handle: task_manager.spawn_essential_handle(),
			import_queue,
			block_announce_validator_builder: None,
			warp_sync_config: Some(WarpSyncConfig::WithProvider(warp_sync)),
			block_relay: None,
			metrics,
			gap_sync_body_policy: None,
		})?;

	if config.offchain_worker.enabled {
		start_offchain_workers(
			&task_manager,
			role.is_authority(),
			&client,
			&backend,
			&keystore,
			&pool,
			&network,
		)?;
	}

	let voter_state = SharedVoterState::empty();
	let rpc_builder = {
		let client = Arc::clone(&client);
		let pool = Arc::clone(&pool);
		let keystore = Arc::clone(&keystore);
		let select_chain = select_chain.clone();
		let chain_spec = config.chain_spec.cloned_box();
		let authorities = grandpa_link.shared_authority_set().clone();
		let finality =
			FinalityProofProvider::new_for_service(Arc::clone(&backend), Some(authorities.clone()));
		let grandpa = GrandpaParts {
			authorities,
			voter_state: voter_state.clone(),
			justifications: grandpa_link.justification_stream(),
		};
		Box::new(move |executor| {
			rpc::create(rpc::Deps {
				client: Arc::clone(&client),
				pool: Arc::clone(&pool),
				select_chain: select_chain.clone(),
				chain_spec: chain_spec.cloned_box(),
				keystore: Arc::clone(&keystore),
				babe: babe_worker.clone(),
				grandpa: grandpa.clone(),
				finality: Arc::clone(&finality),
				executor,
			})
		})
	};

	let force_authoring = config.force_authoring;
	let enable_grandpa = !config.disable_grandpa;
	let name = config.network.node_name.clone();
	let authority_discovery = AuthorityDiscoveryConfig {
		role,
		public_addresses: config.network.public_addresses.clone(),
		publish_non_global_ips: config.network.allow_non_globals_in_dht,
		cache: config.network.net_config_path.clone(),
		prometheus: prometheus.clone(),
	};

	let rpc_handlers = sc_service::spawn_tasks(sc_service::SpawnTasksParams {
		config,
		client: Arc::clone(&client),
		backend: Arc::clone(&backend),
		task_manager: &mut task_manager,
		keystore: Arc::clone(&keystore),
		transaction_pool: Arc::clone(&pool),
		rpc_builder,
		network: Arc::clone(&network),
		system_rpc_tx,
		tx_handler_controller,
		sync_service: Arc::clone(&sync),
		telemetry: telemetry.as_mut(),
		tracing_execute_block: None,
	})?;

	if role.is_authority() {
		let proposer = sc_basic_authorship::ProposerFactory::new(
			task_manager.spawn_handle(),
			Arc::clone(&client),
			Arc::clone(&pool),
			prometheus.as_ref(),
			telemetry.as_ref().map(Telemetry::handle),
		);
		let slot_duration = babe_link.config().slot_duration();
		let babe = sc_consensus_babe::start_babe(sc_consensus_babe::BabeParams {
			keystore: Arc::clone(&keystore),
			client: Arc::clone(&client),
			select_chain,
			env: proposer,
			block_import,
			sync_oracle: Arc::clone(&sync),
			justification_sync_link: Arc::clone(&sync),
			create_inherent_data_providers: inherents(slot_duration),
			force_authoring,
			backoff_authoring_blocks: Some(
				sc_consensus_slots::BackoffAuthoringOnFinalizedHeadLagging::default(),
			),
			babe_link,
			block_proposal_slot_portion: SlotProportion::new(0.5),
			max_block_proposal_slot_portion: None,
			telemetry: telemetry.as_ref().map(Telemetry::handle),
		})?;
		task_manager.spawn_essential_handle().spawn_blocking(
			"babe-proposer",
			Some("block-authoring"),
			babe.boxed(),
		);
		authority_discovery.start(&task_manager, &client, &network, &keystore);
	}

	if enable_grandpa {
		let voter = sc_consensus_grandpa::run_grandpa_voter(sc_consensus_grandpa::GrandpaParams {
			config: sc_consensus_grandpa::Config {
				gossip_duration: Duration::from_millis(333),
				justification_generation_period: JUSTIFICATION_PERIOD,
				observer_enabled: false,
				local_role: role,
				name: Some(name),
				keystore: role.is_authority().then(|| Arc::clone(&keystore)),
				telemetry: telemetry.as_ref().map(Telemetry::handle),
				protocol_name: grandpa_protocol,
			},
			link: grandpa_link,
			network: Arc::clone(&network),
			sync: Arc::clone(&sync),
			notification_service: grandpa_notifications,
			voting_rule: sc_consensus_grandpa::VotingRulesBuilder::default().build(),
			prometheus_registry: prometheus,
			shared_voter_state: voter_state,
			telemetry: telemetry.as_ref().map(Telemetry::handle),
			offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(Arc::clone(&pool)),
		})?;
		task_manager
			.spawn_essential_handle()
			.spawn_blocking("grandpa-voter", None, voter);
	}
	// The telemetry connection lives as long as the tasks.
	task_manager.keep_alive(telemetry);

	Ok(NodeHandle {
		task_manager,
		client,
		backend,
		pool,
		keystore,
		network,
		sync,
		rpc_handlers,
	})
}

/// A validator must not idle on a chain that nobody can author on.
fn refuse_placeholder_keys(
	role: sc_service::Role,
	babe: &BabeLink<Block>,
) -> Result<(), StartError> {
	let placeholders = babe
		.config()
		.authorities
		.iter()
		.any(|(key, _)| genesis::is_placeholder(key));
	if role.is_authority() && placeholders {
		return Err(StartError::PlaceholderKeys);
	}
	Ok(())
}

fn start_collector(
	collector: Option<&CollectorConfig>,
	config: &Configuration,
	task_manager: &TaskManager,
	client: &Arc<Client>,
	backend: &Arc<NodeBackend>,
	keystore: &KeystorePtr,
) -> Result<(), CollectorError> {
	let Some(collector) = collector else {
		collector::forget(backend.offchain_storage());
		return Ok(());
	};
	if !config.role.is_authority() {
		return Err(CollectorError::NotAValidator);
	}
	let service = collector::Service::start(
		collector,
		&config.base_path.config_dir(config.chain_spec.id()),
		Arc::clone(client),
		Arc::clone(keystore),
		backend.offchain_storage(),
	)?;
	// It calls the runtime and the database.
	task_manager
		.spawn_handle()
		.spawn_blocking("heartbeat-collector", None, service.run());
	Ok(())
}

fn start_offchain_workers(
	task_manager: &TaskManager,
	is_validator: bool,
	client: &Arc<Client>,
	backend: &Arc<NodeBackend>,
	keystore: &KeystorePtr,
	pool: &Arc<Pool>,
	network: &Arc<dyn NetworkService>,
) -> Result<(), ServiceError> {
	let workers = sc_offchain::OffchainWorkers::new(sc_offchain::OffchainWorkerOptions {
		runtime_api_provider: Arc::clone(client),
		keystore: Some(Arc::clone(keystore)),
		offchain_db: backend.offchain_storage(),
		transaction_pool: Some(OffchainTransactionPoolFactory::new(Arc::clone(pool))),
		network_provider: Arc::new(Arc::clone(network)),
		is_validator,
		enable_http_requests: true,
		custom_extensions: |_| Vec::new(),
	})?;
	task_manager.spawn_handle().spawn(
		"offchain-workers-runner",
		"offchain-worker",
		workers
			.run(Arc::clone(client), task_manager.spawn_handle())
			.boxed(),
	);
	Ok(())
}

/// How validators find each other.
struct AuthorityDiscoveryConfig {
	role: sc_service::Role,
	public_addresses: Vec<sc_network::Multiaddr>,
	publish_non_global_ips: bool,
	cache: Option<PathBuf>,
	prometheus: Option<substrate_prometheus_endpoint::Registry>,
}

impl AuthorityDiscoveryConfig {
	fn start(
		self,
		task_manager: &TaskManager,
		client: &Arc<Client>,
		network: &Arc<dyn NetworkService>,
		keystore: &KeystorePtr,
	) {
		if !self.role.is_authority() {
			return;
		}
		let events = network
			.event_stream("authority-discovery")
			.filter_map(|event| async move {
				match event {
					Event::Dht(event) => Some(event),
					_ => None,
				}
			});
		let (worker, _service) = sc_authority_discovery::new_worker_and_service_with_config(
			sc_authority_discovery::WorkerConfig {
				publish_non_global_ips: self.publish_non_global_ips,
				public_addresses: self.public_addresses,
				persisted_cache_directory: self.cache,
				..Default::default()
			},
			Arc::clone(client),
			Arc::new(Arc::clone(network)),
			Box::pin(events),
			sc_authority_discovery::Role::PublishAndDiscover(Arc::clone(keystore)),
			self.prometheus,
			task_manager.spawn_handle(),
		);
		task_manager.spawn_handle().spawn(
			"authority-discovery-worker",
			Some("networking"),
			worker.run(),
		);
	}
}
