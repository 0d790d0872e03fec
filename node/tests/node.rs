//! A node in this process: it authors, finalises, and goes on where it stopped.
#![allow(clippy::unwrap_used)]

use codec::{Decode, Encode};
use futures::StreamExt;
use hippius_chain_client::{signer_from_suri, ChainClient, Included};
use hippius_node::{
	cli::Cli,
	service::{new_full, NodeHandle, Options},
};
use hippius_primitives::daemon::{DaemonAccess, DAEMONS_STORAGE_KEY};
use sc_cli::SubstrateCli;
use sc_client_api::{Backend, BlockchainEvents, UsageProvider};
use sc_network::Litep2pNetworkBackend;
use sc_transaction_pool_api::{InPoolTransaction, TransactionPool};
use sp_core::offchain::{OffchainStorage, STORAGE_PREFIX};
use std::{
	fs::File,
	path::{Path, PathBuf},
	sync::atomic::Ordering::SeqCst,
	time::Duration,
};
use tokio::runtime::Runtime;

mod liar;

/// Far more than a slow machine needs; only a node that hangs meets it.
const PATIENCE: Duration = Duration::from_secs(240);

/// Starts the development network's validator on `base_path`, with free ports on loopback.
fn start(runtime: &Runtime, base_path: &Path, options: Options) -> NodeHandle {
	let _guard = runtime.enter();
	let cli = Cli::try_from_iter([
		"hippius-node",
		"--dev",
		"--base-path",
		base_path.to_str().unwrap(),
		"--listen-addr=/ip4/127.0.0.1/tcp/0",
		"--rpc-port=0",
		"--no-mdns",
		"--no-prometheus",
		"--no-telemetry",
		"--state-pruning=archive",
		"--blocks-pruning=archive",
	])
	.unwrap();
	let config = cli
		.create_configuration(&cli.run.base, runtime.handle().clone())
		.unwrap();
	new_full::<Litep2pNetworkBackend>(config, options).unwrap()
}

/// Waits until a block of at least this number is final.
fn finalised(runtime: &Runtime, node: &NodeHandle, number: u32) -> u32 {
	runtime.block_on(async {
		let mut blocks = node.client.finality_notification_stream();
		let wait = async {
			loop {
				let block = blocks.next().await.expect("the node runs");
				if block.header.number >= number {
					return block.header.number;
				}
			}
		};
		tokio::time::timeout(PATIENCE, wait)
			.await
			.expect("blocks become final")
	})
}

/// Stops the node and waits until nothing of it is left: offchain workers run on threads of their own,
/// which the runtime's end does not wait for, and one in the middle of its work keeps the database open.
fn stop(runtime: Runtime, node: NodeHandle, base_path: &Path) {
	drop(node);
	runtime.shutdown_timeout(PATIENCE);
	let lock = base_path.join("chains/hippius_dev/paritydb/full/lock");
	File::open(lock).unwrap().lock().unwrap();
}

fn query(runtime: &Runtime, node: &NodeHandle, method: &str) -> serde_json::Value {
	let request = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":[]}}"#);
	let (answer, _) = runtime
		.block_on(node.rpc_handlers.rpc_query(&request))
		.unwrap();
	let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
	answer["result"].clone()
}

fn stored_daemons(node: &NodeHandle) -> Option<Vec<DaemonAccess>> {
	let storage = node.backend.offchain_storage().unwrap();
	let bytes = storage.get(STORAGE_PREFIX, DAEMONS_STORAGE_KEY)?;
	Some(Decode::decode(&mut &bytes[..]).unwrap())
}

fn check_methods(node: &NodeHandle) {
	let module = node.rpc_handlers.handle();
	let methods: Vec<_> = module.method_names().collect();
	println!("{} RPC methods", methods.len());
	for name in [
		"chainHead_v1_follow",
		"transactionWatch_v1_submitAndWatch",
		"chainSpec_v1_genesisHash",
		"archive_v1_body",
		"author_rotateKeysWithOwner",
		"author_submitAndWatchExtrinsic",
		"state_call",
		"state_getMetadata",
		"system_accountNextIndex",
		"payment_queryInfo",
		"babe_epochAuthorship",
		"grandpa_roundState",
		"grandpa_proveFinality",
		"sync_state_genSyncSpec",
	] {
		assert!(methods.contains(&name), "{name} is missing");
	}
}

/// All files in a folder and its folders.
fn files(dir: &Path) -> Vec<PathBuf> {
	let mut found = Vec::new();
	for entry in std::fs::read_dir(dir).unwrap() {
		let path = entry.unwrap().path();
		match path.is_dir() {
			true => found.extend(files(&path)),
			false => found.push(path),
		}
	}
	found
}

#[test]
fn it_authors_finalises_and_goes_on_after_a_restart() {
	let dir = tempfile::tempdir().unwrap();
	let daemon = DaemonAccess {
		url: b"http://127.0.0.1:9".to_vec(),
		token: b"secret".to_vec(),
	};

	let runtime = Runtime::new().unwrap();
	let node = start(
		&runtime,
		dir.path(),
		Options {
			daemons: vec![daemon.clone()],
			..Options::default()
		},
	);
	assert_eq!(stored_daemons(&node), Some(vec![daemon]));
	let before = finalised(&runtime, &node, 2);

	check_methods(&node);
	let properties = query(&runtime, &node, "system_properties");
	assert_eq!(properties["tokenDecimals"], 9);
	assert_eq!(properties["ss58Format"], 42);
	stop(runtime, node, dir.path());

	// What a start compiled is kept for the next, which does without if it is spoilt.
	let compiled = files(&dir.path().join("wasm-cache"));
	assert!(!compiled.is_empty());
	for file in compiled {
		std::fs::write(file, b"spoilt").unwrap();
	}

	let runtime = Runtime::new().unwrap();
	let node = start(&runtime, dir.path(), Options::default());
	assert!(node.client.usage_info().chain.finalized_number >= before);
	assert_eq!(
		stored_daemons(&node),
		None,
		"an earlier run's daemons are forgotten"
	);
	finalised(&runtime, &node, before + 1);
	stop(runtime, node, dir.path());
}

/// Where the node serves RPC, on loopback.
fn rpc_address(node: &NodeHandle) -> std::net::SocketAddr {
	let addresses = node.rpc_handlers.listen_addresses().iter();
	let port = addresses
		.flat_map(|address| address.iter())
		.find_map(|part| match part {
			sc_network::multiaddr::Protocol::Tcp(port) => Some(port),
			_ => None,
		});
	([127, 0, 0, 1], port.unwrap()).into()
}

#[test]
fn a_transaction_the_pool_gave_up_is_found_on_chain_or_signed_anew() {
	let dir = tempfile::tempdir().unwrap();
	let runtime = Runtime::new().unwrap();
	let node = start(&runtime, dir.path(), Options::default());
	let to = [7; 32];
	let whom = [to];
	let alice = signer_from_suri("//Alice").unwrap();
	runtime.block_on(async {
		let (liar, lies) = liar::before(rpc_address(&node)).await;
		let misled = ChainClient::connect(&format!("ws://{liar}")).await.unwrap();
		let transfer = misled.fund(&alice, &whom, 1_000_000_000, Included::InBlock);
		let done = tokio::time::timeout(PATIENCE, transfer).await;
		done.expect("it ends").unwrap();
		assert!(lies.load(SeqCst) > 0);
		assert_eq!(misled.free_balance(to).await.unwrap(), 1_000_000_000);

		// Taken out of the pool as soon as it is there. Should a block hold it by then, it counts as well.
		let truthful = ChainClient::connect(&format!("ws://{}", rpc_address(&node)))
			.await
			.unwrap();
		let transfer = truthful.transfer(&alice, to, 1_000_000_000);
		let (done, removed) = tokio::join!(
			tokio::time::timeout(PATIENCE, transfer),
			tokio::time::timeout(PATIENCE, forget(&node, to))
		);
		done.expect("it ends").unwrap();
		removed.expect("it comes to the pool");
		assert_eq!(truthful.free_balance(to).await.unwrap(), 2_000_000_000);
	});
	stop(runtime, node, dir.path());
}

/// Takes a transaction that names `account` out of the node's pool as soon as it is there.
async fn forget(node: &NodeHandle, account: [u8; 32]) {
	let mut arrivals = node.pool.import_notification_stream();
	loop {
		let hash = arrivals.next().await.expect("the node runs");
		let Some(arrived) = node.pool.ready_transaction(&hash) else {
			continue;
		};
		if arrived
			.data()
			.encode()
			.windows(32)
			.any(|part| part == account)
		{
			node.pool.report_invalid(None, [(hash, None)].into()).await;
			return;
		}
	}
}
