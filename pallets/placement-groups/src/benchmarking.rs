//! What each call and each step of the hook costs at worst.

use crate::{
	ledger::{BatchPath, CleanGroups, Owners, Receipts, StripeProofs, SLOTS},
	*,
};
use alloc::vec::Vec;
use arion_storage_proof::{sample, Batch, Mmr, Peaks, ShardLen, StripeEntry, SumTree};
use codec::Decode;
use frame_benchmarking::v2::*;
use frame_support::{
	pallet_prelude::TransactionSource,
	traits::{Authorize, Get},
};
use frame_system::RawOrigin;
use hippius_primitives::{
	coding::SHARD_LEN,
	ledger::{
		full, owners_hash, CleanReport, CompactReceipt, OwnerShare, MAX_BATCH_OWNERS,
		MAX_CLEAN_GROUPS, MAX_RELEASE_STRIPES,
	},
	receipt::{BatchRef, Receipt, ReceiptBody, MAX_RECEIPT_STRIPES},
	traits::ClusterMaps,
	Epoch, NodeIndex, NodeKey, Pg, StripeId,
};
use sp_core::{crypto::KeyTypeId, ed25519};
use sp_runtime::{traits::Zero, MultiSignature};

/// What benchmarks need of the runtime's other pallets.
pub trait BenchmarkHelper {
	/// Registers nodes with numbers `0..nodes`, all with this key and each of a family of its own, and
	/// publishes the maps of epochs 1 and 2, which have them all.
	fn network(nodes: u32, key: NodeKey);
	/// Lets `by` store for an owner.
	fn allow(owner: [u8; 32], by: [u8; 32]);
}

impl BenchmarkHelper for () {
	fn network(_: u32, _: NodeKey) {}
	fn allow(_: [u8; 32], _: [u8; 32]) {}
}

/// Where benchmarks keep the nodes' key.
const NODE_KEY: KeyTypeId = KeyTypeId(*b"hbpg");
/// Nodes of the map: as many as six zones take of families with one node.
const NODES: u32 = 1_536;
/// The newest epoch.
const EPOCH: Epoch = 2;

impl<T: Config> Pallet<T> {
	/// Gives a group this ledger, seen by audits, its members clean at the epoch before the current one:
	/// finding a holder takes two maps. For benchmarks only.
	pub fn put_ledger(pg: Pg, peaks: Peaks) {
		let now = Self::period();
		let total = peaks.total().unwrap_or_default();
		let mut ledger = Ledger::default();
		*ledger.peaks.change(now) = peaks;
		Ledgers::<T>::insert(pg, ledger);
		// The total has room for some more.
		let _ = Self::add_bytes(now, pg, total);
		CleanEpoch::<T>::insert(pg, T::Maps::current_epoch().saturating_sub(1));
		GroupsEnd::<T>::mutate(|end| *end = (*end).max(pg.saturating_add(1)));
	}

	/// Lets audits see all ledgers as they are. For benchmarks only.
	pub fn show_ledgers() {
		Snapshot::<T>::mutate(|period| period.number = period.number.saturating_add(2));
	}
}

fn network<T: Config>() -> ed25519::Public {
	let key = sp_io::crypto::ed25519_generate(NODE_KEY, None);
	T::BenchmarkHelper::network(NODES, NodeKey(key.0));
	let genesis = T::Hash::decode(&mut &[7; 32][..]).expect("a hash has 32 bytes");
	frame_system::BlockHash::<T>::insert(
		frame_system::pallet_prelude::BlockNumberFor::<T>::zero(),
		genesis,
	);
	key
}

fn sign(key: &ed25519::Public, payload: &[u8]) -> [u8; 64] {
	sp_io::crypto::ed25519_sign(NODE_KEY, key, payload)
		.expect("the key was just made")
		.0
}

/// A batch of as many stripes and owners as there may be.
fn tree(owner: impl Fn(u32) -> [u8; 32]) -> SumTree {
	let entry = |at: u32| StripeEntry {
		stripe: StripeId(sample::hash(at.into())),
		owner: owner(at),
		shard_len: ShardLen::new(SHARD_LEN as u64).expect("whole shards have a length"),
	};
	SumTree::build::<HostBlake2>((0..MAX_RECEIPT_STRIPES).map(entry).collect())
		.expect("there are stripes")
}

/// A ledger of a few batches, the last of which is `batch`.
fn ledger(batch: &Batch) -> Mmr {
	let mut mmr = Mmr::new();
	for _ in 0..16 {
		mmr.append::<HostBlake2>(batch).expect("there is room");
	}
	mmr
}

/// Receipts of `count` members by the map of epoch 1 that is no longer the newest; each lacks a stripe.
fn receipts<T: Config>(
	key: &ed25519::Public,
	batch: &Batch,
	owners: &Owners,
	count: u32,
) -> Receipts {
	let members = Pallet::<T>::do_mapping_at(EPOCH - 1, 0).expect("there is a map");
	let genesis = Pallet::<T>::genesis().expect("it was just set");
	let made = members
		.into_iter()
		.flatten()
		.take(count as usize)
		.enumerate();
	let made = made.map(|(at, node)| {
		let mut held = full(batch.stripes);
		held[at] ^= 1;
		let body = ReceiptBody {
			batch: BatchRef {
				genesis,
				pg: 0,
				epoch: EPOCH - 1,
				root: batch.root,
				bytes: batch.bytes,
				stripes: batch.stripes,
				owners: owners_hash(owners),
			},
			held,
			node,
		};
		let signature = sign(key, &body.payload());
		CompactReceipt::new(&Receipt { body, signature })
	});
	Receipts::truncate_from(made.collect())
}

/// A node with the groups it is in; the report of `count` of them.
fn report<T: Config>(count: u32) -> (NodeIndex, CleanGroups, [u8; 64]) {
	let key = network::<T>();
	let batch = tree(|_| [1; 32]).batch();
	let peaks = ledger(&batch).peaks().clone();
	let node = Pallet::<T>::do_mapping_at(EPOCH, 0)
		.expect("there is a map")
		.into_iter()
		.flatten()
		.next()
		.expect("not all slots are holes");
	let placement = Pallet::<T>::placement_of(EPOCH).expect("there is a map");
	let member = |pg: &Pg| {
		crate::placement::slots_by(&placement, *pg).is_ok_and(|up| up.contains(&Some(node)))
	};
	let groups: Vec<_> = (0..crate::totals::MAX_GROUPS)
		.filter(member)
		.take(count as usize)
		.collect();
	assert_eq!(groups.len() as u32, count, "the node is in enough groups");
	for pg in &groups {
		Pallet::<T>::put_ledger(*pg, peaks.clone());
	}
	Pallet::<T>::show_ledgers();
	let groups: Vec<_> = groups.into_iter().map(|pg| (pg, peaks.leaves())).collect();
	let report = CleanReport {
		node,
		epoch: EPOCH,
		groups: groups.clone(),
	};
	let payload = report.payload(&Pallet::<T>::genesis().expect("it was just set"));
	let signature = sign(&key, &payload);
	(node, CleanGroups::truncate_from(groups), signature)
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// Receipts of the epoch before, all with bitmaps; every member must fill its slot. What it costs to
	/// charge the owners, who use nothing else, is in it.
	#[benchmark]
	fn append(r: Linear<21, SLOTS>) {
		let key = network::<T>();
		let tree = tree(|at| [at as u8 % MAX_BATCH_OWNERS as u8; 32]);
		let batch = tree.batch();
		Pallet::<T>::put_ledger(0, ledger(&sample_batch()).peaks().clone());
		let shares = (0..MAX_BATCH_OWNERS as u8).map(|owner| OwnerShare {
			owner: [owner; 32],
			bytes: batch.bytes / u64::from(MAX_BATCH_OWNERS),
		});
		let owners = Owners::truncate_from(shares.collect());
		let receipts = receipts::<T>(&key, &batch, &owners, r);
		let by: T::AccountId = whitelisted_caller();
		for share in &owners {
			T::BenchmarkHelper::allow(share.owner, by.clone().into());
		}

		#[extrinsic_call]
		_(RawOrigin::Signed(by), 0, EPOCH - 1, batch, owners, receipts);

		assert_eq!(Gaps::<T>::iter_prefix(0).count(), SLOTS as usize);
	}

	/// By a permission, the batch's last stripes, so that the whole batch is gone.
	#[benchmark]
	fn release(s: Linear<1, MAX_RELEASE_STRIPES>) {
		network::<T>();
		let owner = sp_io::crypto::ed25519_generate(NODE_KEY, None);
		let tree = tree(|_| owner.0);
		let batch = tree.batch();
		let mmr = ledger(&batch);
		Pallet::<T>::put_ledger(0, mmr.peaks().clone());
		let first = MAX_RECEIPT_STRIPES - s;
		let mut bits = full(MAX_RECEIPT_STRIPES);
		let proofs = (first..MAX_RECEIPT_STRIPES).map(|index| {
			bits[(index / 8) as usize] &= !(1 << (index % 8));
			StripeProof {
				index,
				entry: tree.entries()[index as usize],
				path: tree
					.prove(index)
					.ok()
					.and_then(|path| path.try_into().ok())
					.expect("the stripe is in the batch"),
			}
		});
		let proofs = StripeProofs::truncate_from(proofs.collect());
		ReleasedStripes::<T>::insert(0, 15, Release::Some(bits.try_into().expect("it fits")));
		let indices: Vec<u32> = (first..MAX_RECEIPT_STRIPES).collect();
		let genesis = Pallet::<T>::genesis().expect("it was just set");
		let payload = hippius_primitives::ledger::release_payload(&genesis, 0, 15, &indices);
		let signature =
			sp_io::crypto::ed25519_sign(NODE_KEY, &owner, &payload).expect("the key was just made");
		let permission = Permission::Signature(MultiSignature::Ed25519(signature));
		let path = BatchPath::truncate_from(mmr.prove(15).expect("the batch is there"));
		let by: T::AccountId = whitelisted_caller();

		#[extrinsic_call]
		_(
			RawOrigin::Signed(by),
			0,
			15,
			batch,
			path,
			proofs,
			permission,
		);

		assert!(matches!(
			ReleasedStripes::<T>::get(0, 15),
			Some(Release::All { .. })
		));
	}

	#[benchmark]
	fn report_clean(g: Linear<1, MAX_CLEAN_GROUPS>) {
		let (node, groups, signature) = report::<T>(g);

		#[extrinsic_call]
		_(RawOrigin::Authorized, node, EPOCH, groups, signature);

		assert_eq!(CleanReports::<T>::iter().count(), g as usize);
	}

	#[benchmark]
	fn authorize_report_clean(g: Linear<1, MAX_CLEAN_GROUPS>) -> Result<(), BenchmarkError> {
		let (node, groups, signature) = report::<T>(g);
		let call = Call::<T>::report_clean {
			node,
			epoch: EPOCH,
			groups,
			signature,
		};

		#[block]
		{
			call.authorize(TransactionSource::InBlock)
				.ok_or("no authorized call")?
				.map_err(|_| "not authorized")?;
		}

		Ok(())
	}

	/// Roots to be forgotten.
	#[benchmark]
	fn forget(r: Linear<0, { clean::FORGET }>) {
		network::<T>();
		for root in 0..r {
			RecentRoots::<T>::insert(0, (0, sample::hash(root.into())), ());
		}
		let current = T::RecentEpochs::get() + 1;

		#[block]
		{
			Pallet::<T>::forget_roots(current, clean::FORGET);
		}

		assert_eq!(RecentRoots::<T>::iter().count(), 0);
	}

	/// A block in which the hook does nothing but look: groups that are clean.
	#[benchmark]
	fn tick() {
		network::<T>();
		for pg in 0..clean::SWEEP {
			CleanEpoch::<T>::insert(pg, EPOCH);
		}
		GroupsEnd::<T>::put(100);

		#[block]
		{
			Pallet::<T>::tick(1u32.into());
		}
	}

	/// Groups whose acting sets are kept.
	#[benchmark]
	fn keep(g: Linear<0, { clean::SWEEP_MAPPED }>) {
		network::<T>();
		for pg in 0..g {
			CleanEpoch::<T>::insert(pg, EPOCH - 1);
		}
		GroupsEnd::<T>::put(g);
		let current = T::KeptEpochs::get() / 2 + EPOCH;

		#[block]
		{
			Pallet::<T>::sweep(current);
		}
	}
}

/// Some batch.
fn sample_batch() -> Batch {
	Batch {
		root: sample::hash(99),
		bytes: 1 << 20,
		stripes: 1,
	}
}
