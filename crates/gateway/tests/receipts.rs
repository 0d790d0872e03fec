//! A gateway, thirty real miners that take permits of this gateway only, and what they sign for.

#![allow(clippy::unwrap_used)]

use arion_crush::cluster::{
	ClusterMap, FailureDomain, FamilyBucket, HostBucket, MapNode, PlacementRule, ZoneBucket,
};
use arion_gateway::{
	catalog::Catalog,
	cluster::{Cluster, Node},
	config::Config,
	config::LedgerConfig,
	ledger::{AppendError, Appender, LedgerChain},
	receipts::{batch_of, collect_receipts},
	Gateway, Label, Payers,
};
use arion_grid::{Grid, GridConfig, Identity};
use arion_miner::{
	config::{ControlSection, GridSection, NodeSection, PermitsSection, StoreSection},
	daemon::Daemon,
	epochs::Epochs,
	files::BasePath,
	init::init,
	permits::Issuers,
	size::ByteSize,
};
use arion_storage_proof::{ShardLen, StripeEntry};
use bytes::Bytes;
use codec::Encode;
use futures_util::future::BoxFuture;
use hippius_chain_client::{Append, ChainError};
use hippius_primitives::{
	daemon::EpochUpdate,
	receipt::BatchRef,
	registration::{NodeParams, NodeRecord, NodeStatus},
	NodeAddress, NodeKey,
};
use std::{
	convert::Infallible,
	path::PathBuf,
	sync::{Arc, Mutex},
	time::Duration,
};

const GENESIS: [u8; 32] = [9; 32];
/// The gateway's account.
const OWN: [u8; 32] = [21; 32];
/// Another one that pays.
const USER: [u8; 32] = [22; 32];

fn map() -> ClusterMap {
	let mut id = 0;
	let mut next = || {
		id -= 1;
		id
	};
	let zones = (0..6u8)
		.map(|zone| ZoneBucket {
			zone,
			id: next(),
			families: (0..5u32)
				.map(|at| FamilyBucket {
					id: next(),
					hosts: vec![HostBucket {
						id: next(),
						nodes: vec![MapNode {
							index: u32::from(zone) * 5 + at,
							weight: 65_536,
							reweight: 65_536,
						}],
					}],
				})
				.collect(),
		})
		.collect();
	ClusterMap::plain(1, 4, 1, PlacementRule::new(5, FailureDomain::Host), zones)
}

fn record(index: u32, key: NodeKey) -> NodeRecord {
	NodeRecord {
		index,
		family: [1; 32],
		key,
		next_key: None,
		params: NodeParams {
			zone: (index / 5) as u8,
			host: vec![b'h'],
			capacity: 1 << 30,
			addresses: vec![NodeAddress::V4 {
				ip: [127, 0, 0, 1],
				port: 4100,
			}],
		},
		status: NodeStatus::Active,
	}
}

/// What the chain says to a batch, one answer after the other, then yes; and what it was given.
#[derive(Default)]
struct Chain {
	answers: Mutex<Vec<AppendError>>,
	given: Mutex<Vec<Append>>,
}

impl LedgerChain for Chain {
	fn append<'a>(&'a self, batch: &'a Append) -> BoxFuture<'a, Result<(), AppendError>> {
		self.given.lock().unwrap().push(batch.clone());
		let answer = self.answers.lock().unwrap().pop();
		Box::pin(async { answer.map_or(Ok(()), Err) })
	}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn miners_take_one_gateways_permits_and_sign_for_what_they_hold() {
	let dir = tempfile::tempdir().unwrap();
	let identity = Arc::new(Identity::generate().unwrap());
	let listen = "127.0.0.1:0".parse().unwrap();
	let grid = Grid::bind(listen, identity, GridConfig::default()).unwrap();

	let config = arion_miner::config::Config {
		node: NodeSection::default(),
		grid: GridSection {
			listen,
			..GridSection::default()
		},
		store: StoreSection::single(ByteSize(32 << 20), Some(ByteSize(8 << 20))),
		control: ControlSection { listen },
		permits: PermitsSection {
			issuers: Issuers::Only([grid.node_key()].into()),
		},
		repair: Default::default(),
	};
	let bases: Vec<(BasePath, NodeKey)> = (0..30)
		.map(|index| {
			let base = BasePath(dir.path().join(format!("m{index}")));
			let key = init(&base, &config).unwrap();
			(base, key)
		})
		.collect();
	let map = map();
	let bytes = map.encode();
	let nodes: Vec<NodeRecord> = (0..30).map(|i| record(i, bases[i as usize].1)).collect();
	let update = EpochUpdate {
		genesis: GENESIS,
		epoch: 1,
		map_hash: sp_crypto_hashing::blake2_256(&bytes),
		map: bytes,
		nodes,
	};
	let mut daemons = Vec::new();
	for (base, key) in bases {
		std::fs::create_dir_all(base.map()).unwrap();
		let epochs = Epochs::load(base.map(), key).unwrap();
		epochs.take(&update.encode()).unwrap();
		daemons.push(Daemon::start(base, None).await.unwrap());
	}
	let nodes: Vec<Node> = (0u32..)
		.zip(&daemons)
		.map(|(index, daemon)| {
			let mut node = Node::from(&record(index, daemon.info().node_key));
			node.addresses = vec![daemon.info().listen];
			node
		})
		.collect();
	let cluster = Cluster::fixed([map], nodes.clone()).unwrap();
	cluster.set_genesis(&GENESIS);
	let cluster = Arc::new(cluster);
	let catalog = Catalog::open(&dir.path().join("catalog")).unwrap();
	let settings = Config {
		ledger: LedgerConfig {
			account_file: PathBuf::from("account"),
			payers: vec![hippius_chain_client::ss58(&USER)],
			max_age_ms: 60_000,
			..LedgerConfig::default()
		},
		..Config::default()
	};
	let payers = Payers::new(OWN, &settings.ledger).unwrap();
	let gateway = Gateway::paid_by(&settings, grid.clone(), cluster.clone(), catalog, payers);

	// Three stripes, each signed for once and taken by thirty miners.
	let content = Bytes::from(vec![7u8; 25 << 20]);
	let source = futures_util::stream::iter([Ok::<_, Infallible>(content)]);
	let stored = gateway.put(source, Label::default()).await.unwrap();
	gateway.settled().await;
	let object = gateway
		.find(&arion_gateway::Address::Link(stored.link.clone()))
		.await
		.unwrap();
	let mut held = 0;
	for reference in object.manifest.stripes() {
		let layout = arion_gateway::cluster::ClusterSource::current(cluster.as_ref()).unwrap();
		let stripe = reference.id();
		let pg = layout.map().pg_of(&stripe);
		let len = hippius_primitives::coding::shard_len(reference.len as usize).unwrap() as u64;
		let entry = StripeEntry {
			stripe,
			owner: [5; 32],
			shard_len: ShardLen::new(len).unwrap(),
		};
		let batch = batch_of(GENESIS, pg, 1, &[entry]).unwrap();
		let patience = Duration::from_secs(20);
		let receipts =
			collect_receipts(cluster.as_ref(), gateway.peers(), batch, &[entry], patience)
				.await
				.unwrap();
		assert_eq!(receipts.missing, [], "stripe {stripe}");
		assert_eq!(receipts.receipts.len(), 30);
		held += receipts.complete();
	}
	assert_eq!(held, 3 * 30);

	// One object more, paid by somebody else; who is not named here does not pay.
	let put_for = |payer| {
		let source = futures_util::stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"x"))]);
		let label = Label {
			payer: Some(payer),
			..Label::default()
		};
		let gateway = &gateway;
		async move { gateway.put(source, label).await }
	};
	put_for(USER).await.unwrap();
	let refused = put_for([23; 32]).await.unwrap_err();
	assert!(refused.to_string().contains("ledger.payers"), "{refused}");
	gateway.settled().await;

	// The same stripes and the object's root wait to be appended; too young, then due. The chain
	// refuses once, is silent once, has one already: each batch comes there in the end, once.
	let chain = Arc::new(Chain::default());
	*chain.answers.lock().unwrap() = vec![
		AppendError::Duplicate,
		AppendError::Unknown(ChainError::Closed),
		AppendError::Refused(ChainError::Closed),
	];
	let mut appender = Appender::new(&gateway, chain.clone(), &settings.ledger);
	let now = std::time::SystemTime::now()
		.duration_since(std::time::SystemTime::UNIX_EPOCH)
		.unwrap()
		.as_secs();
	assert_eq!(appender.round(now).await.unwrap(), 0);
	assert!(chain.given.lock().unwrap().is_empty());
	let mut done = appender.round(now + 100).await.unwrap();
	// What failed is not tried again before its time.
	assert_eq!(appender.round(now + 100).await.unwrap(), 0);
	// A gateway that starts anew tries what is left at once.
	for _ in 0..3 {
		let mut fresh = Appender::new(&gateway, chain.clone(), &settings.ledger);
		done += fresh.round(now + 100).await.unwrap();
	}
	let given = chain.given.lock().unwrap().clone();
	assert!(chain.answers.lock().unwrap().is_empty());
	let mut roots = std::collections::BTreeMap::new();
	let mut owners = std::collections::BTreeSet::new();
	for append in &given {
		assert_eq!(append.receipts.len(), 30);
		assert_eq!(append.owners.len(), 1);
		owners.insert(append.owners[0].owner);
		assert_eq!(append.owners[0].bytes, append.batch.bytes);
		let batch = BatchRef {
			genesis: GENESIS,
			pg: append.pg,
			epoch: append.epoch,
			root: append.batch.root,
			bytes: append.batch.bytes,
			stripes: append.batch.stripes,
			owners: hippius_primitives::ledger::owners_hash(&append.owners),
		};
		for receipt in &append.receipts {
			let node = nodes
				.iter()
				.find(|node| node.index == receipt.node)
				.unwrap();
			let payload = receipt.body(&batch).payload();
			assert!(arion_grid::verify(&node.key, &payload, &receipt.signature));
		}
		roots.insert((append.pg, append.batch.root), append.batch.stripes);
	}
	assert_eq!(owners, [OWN, USER].into());
	// Three stripes of content and the root, and two of the small object.
	assert_eq!(roots.values().sum::<u32>(), 6);
	assert_eq!((done, given.len()), (roots.len(), roots.len() + 2));

	// Another gateway's permits count for nothing here.
	let identity = Arc::new(Identity::generate().unwrap());
	let other = Grid::bind(listen, identity, GridConfig::default()).unwrap();
	let catalog = Catalog::open(&dir.path().join("catalog2")).unwrap();
	let stranger = Gateway::new(&Config::default(), other, cluster, catalog);
	let source = futures_util::stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"x"))]);
	let refused = stranger.put(source, Label::default()).await.unwrap_err();
	assert!(
		refused.to_string().contains("no permits of that issuer"),
		"{refused}"
	);
	for daemon in daemons {
		daemon.stop().await.unwrap();
	}
}
