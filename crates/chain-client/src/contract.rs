//! What this client expects of the runtime, by name, and the check that it is so.

use crate::{error::ChainError, money::names};
use subxt::metadata::Metadata;

/// Metadata of the runtime this client was built for, SCALE, as the runtime gives it. A test in
/// the runtime fails when the two drift apart.
pub const METADATA: &[u8] = include_bytes!("../metadata.scale");

/// Calls.
pub mod call {
	/// A call by name.
	pub struct Call {
		/// The pallet.
		pub pallet: &'static str,
		/// The call.
		pub name: &'static str,
		/// Whether its whole shape is compared; not so for those that take any other call.
		pub closed: bool,
	}
	/// `register_node(node_key: NodeKey, params: NodeParams, proof: KeyProof)`.
	pub const REGISTER_NODE: Call = Call {
		pallet: "Registry",
		name: "register_node",
		closed: true,
	};
	/// `update_node(node: NodeIndex, params: NodeParams)`.
	pub const UPDATE_NODE: Call = Call {
		pallet: "Registry",
		name: "update_node",
		closed: true,
	};
	/// `announce_key(node: NodeIndex, new_key: NodeKey, proof: KeyProof)`.
	pub const ANNOUNCE_KEY: Call = Call {
		pallet: "Registry",
		name: "announce_key",
		closed: true,
	};
	/// `activate_key(node: NodeIndex)`.
	pub const ACTIVATE_KEY: Call = Call {
		pallet: "Registry",
		name: "activate_key",
		closed: true,
	};
	/// `start_exit(node: NodeIndex)`.
	pub const START_EXIT: Call = Call {
		pallet: "Registry",
		name: "start_exit",
		closed: true,
	};
	/// `claim_exit(node: NodeIndex)`.
	pub const CLAIM_EXIT: Call = Call {
		pallet: "Registry",
		name: "claim_exit",
		closed: true,
	};
	/// `append(pg: Pg, epoch: Epoch, batch: Batch, owners: Vec<OwnerShare>, receipts:
	/// Vec<CompactReceipt>)`.
	pub const APPEND: Call = Call {
		pallet: "PlacementGroups",
		name: "append",
		closed: true,
	};
	/// `transfer_keep_alive(dest: MultiAddress, value: Compact<u128>)`.
	pub const TRANSFER: Call = Call {
		pallet: "Balances",
		name: "transfer_keep_alive",
		closed: true,
	};
	/// `batch_all(calls: Vec<RuntimeCall>)`.
	pub const BATCH_ALL: Call = Call {
		pallet: "Utility",
		name: "batch_all",
		closed: false,
	};
	/// `challenge(pg: Pg, slot: u8, offset: u64)`.
	pub const CHALLENGE: Call = Call {
		pallet: "Audits",
		name: "challenge",
		closed: true,
	};
	/// All of them.
	pub const ALL: [&Call; 10] = [
		&REGISTER_NODE,
		&UPDATE_NODE,
		&ANNOUNCE_KEY,
		&ACTIVATE_KEY,
		&START_EXIT,
		&CLAIM_EXIT,
		&APPEND,
		&CHALLENGE,
		&TRANSFER,
		&BATCH_ALL,
	];
}

/// Storage values, and maps with one key.
pub mod storage {
	/// A storage entry by name.
	pub struct Entry {
		/// The pallet.
		pub pallet: &'static str,
		/// The entry.
		pub name: &'static str,
		/// For error messages.
		pub action: &'static str,
	}
	/// `NodeKey -> NodeIndex`.
	pub const NODE_BY_KEY: Entry = Entry {
		pallet: "Registry",
		name: "NodeByKey",
		action: "reading Registry.NodeByKey",
	};
	/// `NodeKey -> u32`.
	pub const PROOF_SEQUENCE: Entry = Entry {
		pallet: "Registry",
		name: "ProofSequence",
		action: "reading Registry.ProofSequence",
	};
	/// `Epoch -> [u8; 32]`.
	pub const MAP_HASH: Entry = Entry {
		pallet: "ClusterMap",
		name: "MapHash",
		action: "reading ClusterMap.MapHash",
	};
	/// `Epoch`, no key.
	pub const CURRENT_EPOCH: Entry = Entry {
		pallet: "ClusterMap",
		name: "CurrentEpoch",
		action: "reading ClusterMap.CurrentEpoch",
	};
	/// `AccountId -> AccountInfo`.
	pub const ACCOUNT: Entry = Entry {
		pallet: "System",
		name: "Account",
		action: "reading System.Account",
	};
	/// `NodeIndex -> NodeInfo`, which is [`crate::NodeDetails`].
	pub const NODES: Entry = Entry {
		pallet: "Registry",
		name: "Nodes",
		action: "reading Registry.Nodes",
	};
	/// `AccountId -> Vec<IdAmount<RuntimeHoldReason, u128>>`. Not compared: it changes with every
	/// pallet that holds something.
	pub const HOLDS: Entry = Entry {
		pallet: "Balances",
		name: "Holds",
		action: "reading Balances.Holds",
	};
	/// `u64`, no key: milliseconds of Unix time.
	pub const TIMESTAMP: Entry = Entry {
		pallet: "Timestamp",
		name: "Now",
		action: "reading Timestamp.Now",
	};
	/// `NodeIndex -> Record`, which is [`crate::AuditRecord`].
	pub const RECORDS: Entry = Entry {
		pallet: "Ranking",
		name: "Records",
		action: "reading Ranking.Records",
	};
	/// `Page -> Vec<Option<Placing>>`, which is [`crate::Placing`].
	pub const PLACES: Entry = Entry {
		pallet: "Ranking",
		name: "Places",
		action: "reading Ranking.Places",
	};
	/// `bool`, no key.
	pub const OUTAGE: Entry = Entry {
		pallet: "Audits",
		name: "Outage",
		action: "reading Audits.Outage",
	};
	/// `HeartbeatConfig`, no key, which is [`crate::BeatRules`].
	pub const BEAT_RULES: Entry = Entry {
		pallet: "Heartbeats",
		name: "Config",
		action: "reading Heartbeats.Config",
	};
	/// All that are compared.
	pub const ALL: [&Entry; 11] = [
		&NODES,
		&TIMESTAMP,
		&NODE_BY_KEY,
		&PROOF_SEQUENCE,
		&MAP_HASH,
		&CURRENT_EPOCH,
		&ACCOUNT,
		&RECORDS,
		&PLACES,
		&OUTAGE,
		&BEAT_RULES,
	];
}

/// Runtime API functions.
pub mod runtime_api {
	/// A function by name.
	pub struct Function {
		/// The trait.
		pub api: &'static str,
		/// The method.
		pub method: &'static str,
		/// Both, as the node takes it.
		pub name: &'static str,
	}
	/// `cluster_map(epoch: Option<Epoch>) -> Option<Vec<u8>>`.
	pub const CLUSTER_MAP: Function = Function {
		api: "PlacementGroupsApi",
		method: "cluster_map",
		name: "PlacementGroupsApi_cluster_map",
	};
	/// `nodes_from(from: NodeIndex, limit: u32) -> Vec<NodeRecord>`.
	pub const NODES_FROM: Function = Function {
		api: "PlacementGroupsApi",
		method: "nodes_from",
		name: "PlacementGroupsApi_nodes_from",
	};
	/// `ledger(pg: Pg) -> Option<LedgerState>`, which is [`crate::LedgerState`].
	pub const LEDGER: Function = Function {
		api: "PlacementGroupsApi",
		method: "ledger",
		name: "PlacementGroupsApi_ledger",
	};
	/// `standing(node: NodeIndex) -> (LivenessState, Option<(u32, u32)>)`.
	pub const STANDING: Function = Function {
		api: "HeartbeatsApi",
		method: "standing",
		name: "HeartbeatsApi_standing",
	};
	/// All of them.
	pub const ALL: [&Function; 4] = [&CLUSTER_MAP, &NODES_FROM, &LEDGER, &STANDING];
}

/// View functions of pallets.
pub mod view_function {
	/// A function by name.
	pub struct Function {
		/// The pallet.
		pub pallet: &'static str,
		/// The function.
		pub name: &'static str,
		/// For error messages.
		pub action: &'static str,
	}
}

/// Compares every item above in the node's metadata with the committed one.
pub(crate) fn check(node: &Metadata) -> Result<(), ChainError> {
	let ours = Metadata::decode_from(METADATA).map_err(|_| ChainError::Incompatible {
		item: "metadata.scale".into(),
		difference: "the committed file does not decode",
	})?;
	compare(&ours, node)
}

fn compare(ours: &Metadata, theirs: &Metadata) -> Result<(), ChainError> {
	for item in call::ALL.into_iter().chain(names::CALLS) {
		let hash = |metadata: &Metadata| metadata.pallet_by_name(item.pallet)?.call_hash(item.name);
		let name = || format!("call {}.{}", item.pallet, item.name);
		same(hash(ours), hash(theirs), item.closed, name)?;
	}
	for item in storage::ALL.into_iter().chain(names::STORAGE) {
		let hash = |metadata: &Metadata| {
			metadata
				.pallet_by_name(item.pallet)?
				.storage_hash(item.name)
		};
		same(hash(ours), hash(theirs), true, || {
			format!("storage {}.{}", item.pallet, item.name)
		})?;
	}
	for item in runtime_api::ALL {
		let hash = |metadata: &Metadata| {
			Some(
				metadata
					.runtime_api_trait_by_name(item.api)?
					.method_by_name(item.method)?
					.hash(),
			)
		};
		same(hash(ours), hash(theirs), true, || {
			format!("runtime API {}", item.name)
		})?;
	}
	for item in names::VIEWS {
		let hash = |metadata: &Metadata| {
			let pallet = metadata.pallet_by_name(item.pallet)?;
			Some(pallet.view_function_by_name(item.name)?.hash())
		};
		same(hash(ours), hash(theirs), true, || {
			format!("view function {}.{}", item.pallet, item.name)
		})?;
	}
	Ok(())
}

fn same(
	ours: Option<[u8; 32]>,
	theirs: Option<[u8; 32]>,
	shape: bool,
	item: impl Fn() -> String,
) -> Result<(), ChainError> {
	let difference = match (ours, theirs) {
		(None, _) => "this client's metadata lacks it",
		(_, None) => "the node lacks it",
		(Some(ours), Some(theirs)) if shape && ours != theirs => "another shape",
		_ => return Ok(()),
	};
	Err(ChainError::Incompatible {
		item: item(),
		difference,
	})
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use crate::{ledger, node, sign_registration, submit, Append, NodeDetails};
	use arion_storage_proof::Batch;
	use codec::Encode;
	use hippius_primitives::{
		ledger::{CompactReceipt, Held, OwnerShare},
		registration::NodeParams,
		NodeAddress, NodeKey, RelayAddress,
	};
	use subxt::{
		client::OfflineClient, config::substrate::SubstrateConfig,
		ext::scale_value::scale::decode_as_type,
	};

	fn ours() -> Metadata {
		Metadata::decode_from(METADATA).unwrap()
	}

	#[test]
	fn the_committed_metadata_has_all_we_use() {
		compare(&ours(), &ours()).unwrap();
		let missing = same(None, Some([0; 32]), true, || "x".into()).unwrap_err();
		assert!(
			matches!(missing, ChainError::Incompatible { .. }),
			"{missing}"
		);
		assert!(same(Some([1; 32]), None, false, || "x".into()).is_err());
		assert!(same(Some([1; 32]), Some([2; 32]), true, || "x".into()).is_err());
		assert!(same(Some([1; 32]), Some([2; 32]), false, || "x".into()).is_ok());
	}

	/// Every call, encoded by us, is taken apart with the runtime's own types, to the last byte.
	#[test]
	fn calls_are_what_the_runtime_reads() {
		let key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
		let params = NodeParams {
			zone: 4,
			host: b"rack".to_vec(),
			capacity: 1 << 40,
			addresses: vec![
				NodeAddress::V4 {
					ip: [127, 0, 0, 1],
					port: 1,
				},
				NodeAddress::V6 {
					ip: [1; 16],
					port: 2,
				},
				NodeAddress::Relay(RelayAddress::new("relay.example.org", 443, true).unwrap()),
			],
		};
		let proof = sign_registration(&key, [1; 32], [2; 32], &params, 5, 99);
		let key_of_node = NodeKey(key.verifying_key().to_bytes());
		let metadata = ours();
		let config = SubstrateConfig::builder()
			.set_genesis_hash([1; 32].into())
			.set_metadata_for_spec_versions([(1, ours().into())])
			.set_spec_version_for_block_ranges([subxt::config::substrate::SpecVersionForRange {
				block_range: 0..10,
				spec_version: 1,
				transaction_version: 1,
			}])
			.build();
		let at = OfflineClient::new_with_config(config)
			.at_block(1u64)
			.unwrap();
		let receipt = |held| CompactReceipt {
			node: 7,
			pg: 5,
			epoch: 6,
			root: [1; 4],
			held,
			signature: [2; 64],
		};
		let append = Append {
			pg: 5,
			epoch: 6,
			batch: Batch {
				root: [1; 32],
				bytes: 640,
				stripes: 9,
			},
			owners: vec![OwnerShare {
				owner: [3; 32],
				bytes: 640,
			}],
			receipts: vec![receipt(Held::All), receipt(Held::Some(vec![1, 1]))],
		};
		let calls = [
			(
				&call::REGISTER_NODE,
				submit::register(key_of_node, &params, &proof),
				(key_of_node, &params, &proof).encode(),
			),
			(
				&call::TRANSFER,
				submit::transfer([7; 32], 12),
				(0u8, [7u8; 32], codec::Compact(12u128)).encode(),
			),
			(
				&call::UPDATE_NODE,
				node::update_node(8, &params),
				(8u32, &params).encode(),
			),
			(
				&call::ANNOUNCE_KEY,
				node::announce_key(8, key_of_node, &proof),
				(8u32, key_of_node, &proof).encode(),
			),
			(
				&call::ACTIVATE_KEY,
				node::of_node(&call::ACTIVATE_KEY, 8),
				8u32.encode(),
			),
			(
				&call::START_EXIT,
				node::of_node(&call::START_EXIT, 8),
				8u32.encode(),
			),
			(
				&call::CLAIM_EXIT,
				node::of_node(&call::CLAIM_EXIT, 8),
				8u32.encode(),
			),
			(
				&call::APPEND,
				ledger::append(&append),
				(5u32, 6u32, append.batch, &append.owners, &append.receipts).encode(),
			),
		];
		for (item, payload, arguments) in calls {
			let bytes = at.transactions().call_data(&payload).unwrap();
			assert_eq!(bytes[2..], arguments);
			let pallet = metadata.pallet_by_name(item.pallet).unwrap();
			let variant = pallet.call_variant_by_name(item.name).unwrap();
			assert_eq!(bytes[..2], [pallet.call_index(), variant.index]);
			let mut rest = &bytes[2..];
			for field in &variant.fields {
				decode_as_type(&mut rest, field.ty.id, metadata.types()).unwrap();
			}
			assert!(rest.is_empty(), "{}", item.name);
		}
	}

	/// What the runtime writes is what we read: each type is taken apart with the runtime's own.
	#[test]
	fn storage_is_what_we_decode() {
		let details = NodeDetails {
			family: [1; 32],
			key: NodeKey([2; 32]),
			next_key: Some((NodeKey([3; 32]), 77)),
			zone: 4,
			host: b"rack".to_vec(),
			capacity: 5,
			addresses: vec![NodeAddress::V4 {
				ip: [127, 0, 0, 1],
				port: 1,
			}],
			status: hippius_primitives::registration::NodeStatus::Draining,
			registered_at: 6,
			deposit: 7,
			stake: 8,
			claimable_at: Some(9),
		};
		let metadata = ours();
		let registry = metadata.pallet_by_name("Registry").unwrap();
		let holds: Vec<((u8, u8), u128)> = vec![((registry.call_index(), 1), 5)];
		for (item, bytes) in [
			(&storage::NODES, details.encode()),
			(&storage::TIMESTAMP, 1u64.encode()),
			(&storage::HOLDS, holds.encode()),
		] {
			let pallet = metadata.pallet_by_name(item.pallet).unwrap();
			let entry = pallet.storage().unwrap().entry_by_name(item.name).unwrap();
			let mut rest = &bytes[..];
			let value = decode_as_type(&mut rest, entry.value_ty(), metadata.types()).unwrap();
			assert!(rest.is_empty(), "{}", item.name);
			if item.name == storage::HOLDS.name {
				let text = format!("{value:?}");
				assert!(text.contains("CapacityStake"), "{text}");
			}
		}
		let babe = metadata.pallet_by_name("Babe").unwrap();
		assert!(babe.constant_by_name("ExpectedBlockTime").is_some());
	}
}
