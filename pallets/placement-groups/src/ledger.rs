//! What is kept of a group's ledger.

use crate::Lagged;
use alloc::vec::Vec;
use arion_storage_proof::{Peaks, Sibling, StripeEntry, SumHasher};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use hippius_primitives::{
	ledger::{CompactReceipt, OwnerShare, MAX_BATCH_OWNERS, MAX_CLEAN_GROUPS, MAX_RELEASE_STRIPES},
	receipt::MAX_RECEIPT_STRIPES,
	Epoch, NodeIndex, Pg, TOTAL_SHARDS,
};
use scale_info::TypeInfo;
use sp_runtime::MultiSignature;

/// Slots of a group.
pub const SLOTS: u32 = TOTAL_SHARDS as u32;
/// Longest bitmap over a batch's stripes, in bytes.
pub const MAX_BITMAP: u32 = MAX_RECEIPT_STRIPES / 8;

/// What each owner has of a batch.
pub type Owners = BoundedVec<OwnerShare, ConstU32<MAX_BATCH_OWNERS>>;
/// What a batch's members signed.
pub type Receipts = BoundedVec<CompactReceipt, ConstU32<SLOTS>>;
/// Groups of a clean report with the number of batches.
pub type CleanGroups = BoundedVec<(Pg, u64), ConstU32<MAX_CLEAN_GROUPS>>;
/// The way of a batch to its peak.
pub type BatchPath = BoundedVec<Sibling, ConstU32<{ arion_storage_proof::mmr::MAX_BATCH_DEPTH }>>;
/// The way of a stripe to its batch.
pub type StripePath =
	BoundedVec<Sibling, ConstU32<{ arion_storage_proof::stripes::MAX_STRIPE_DEPTH }>>;
/// Stripes to be released.
pub type StripeProofs = BoundedVec<StripeProof, ConstU32<MAX_RELEASE_STRIPES>>;
/// Slots with the number of stripes they lack.
pub type MissingSlots = BoundedVec<(u8, u32), ConstU32<SLOTS>>;

/// BLAKE2b-256 by the host.
pub struct HostBlake2;

impl SumHasher for HostBlake2 {
	fn blake2_256(data: &[u8]) -> [u8; 32] {
		sp_io::hashing::blake2_256(data)
	}
}

/// A group's ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Ledger {
	/// The range over its batches.
	pub peaks: Lagged<Peaks>,
	/// Bytes of the batches that were released as a whole.
	pub released: u64,
}

/// What a slot lacks of its group's ledger.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Gap<BlockNumber> {
	/// The first batch it lacks stripes of.
	pub first: u64,
	/// The last one.
	pub last: u64,
	/// How many stripes it lacked when their batches were appended.
	pub stripes: u64,
	/// Until this block nobody is asked for the slot's bytes.
	pub until: BlockNumber,
}

/// Which stripes of a batch were released.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Release {
	/// Those whose bit is set, least significant first; not all.
	#[codec(index = 0)]
	Some(BoundedVec<u8, ConstU32<MAX_BITMAP>>),
	/// All of them.
	#[codec(index = 1)]
	All {
		/// Bytes one slot held of the batch.
		bytes: u64,
	},
}

impl Release {
	/// Whether the stripe was released.
	pub fn has(&self, stripe: u32) -> bool {
		match self {
			Self::All { .. } => true,
			Self::Some(bits) => bits
				.get((stripe / 8) as usize)
				.is_some_and(|byte| byte >> (stripe % 8) & 1 == 1),
		}
	}
}

/// Shows that a stripe is in a batch, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct StripeProof {
	/// Its number in the batch.
	pub index: u32,
	/// What the batch says of it.
	pub entry: StripeEntry,
	/// Its way to the batch's root.
	pub path: StripePath,
}

/// By whose leave stripes are released.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Permission {
	/// The owner signed the transaction.
	#[codec(index = 0)]
	Account,
	/// The owner signed [`release_payload`](hippius_primitives::ledger::release_payload).
	#[codec(index = 1)]
	Signature(MultiSignature),
	/// The chain no longer stores for the owner.
	#[codec(index = 2)]
	Expired,
}

/// Who said at an epoch that its slot is filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct CleanSlots {
	/// The epoch.
	pub epoch: Epoch,
	/// Bit `s` stands for slot `s`.
	pub slots: u32,
}

/// The snapshot period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct SnapshotPeriod<BlockNumber> {
	/// Its number; only grows.
	pub number: u32,
	/// The block it began at.
	pub since: BlockNumber,
}

/// A group's ledger, for those who read.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct LedgerState {
	/// The range over all of its batches.
	pub peaks: Peaks,
	/// The range audits are checked against.
	pub challengeable: Peaks,
	/// Bytes of the batches that were released as a whole.
	pub released: u64,
	/// The group's last clean epoch.
	pub clean: Epoch,
	/// What slots lack, by slot.
	pub gaps: Vec<(u8, Gap<u32>)>,
	/// The nodes that must answer, by slot; `None` for holes and slots being filled.
	pub holders: Vec<Option<NodeIndex>>,
}
