//! A gateway, thirty real miners that take permits of this gateway only, and what they sign for.

#![allow(clippy::unwrap_used)]

use arion_crush::cluster::{
	ClusterMap, FailureDomain, FamilyBucket, HostBucket, MapNode, PlacementRule, ZoneBucket,
};
use arion_gateway::{
	catalog::Catalog,
	cluster::{Cluster, Node},
	config::Config,
	receipts::{batch_of, collect_receipts},
	Gateway, Label,
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
use hippius_primitives::{
	daemon::EpochUpdate,
	registration::{NodeParams, NodeRecord, NodeStatus},
	NodeAddress, NodeKey,
};
use std::{convert::Infallible, sync::Arc, time::Duration};

const GENESIS: [u8; 32] = [9; 32];

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
	ClusterMap {
		epoch: 1,
		pg_num: 4,
		pool: 1,
		rule: PlacementRule::new(5, FailureDomain::Host),
		zones,
	}
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
	let gateway = Gateway::new(&Config::default(), grid.clone(), cluster.clone(), catalog);

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
