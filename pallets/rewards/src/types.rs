//! What is kept of eras, earnings and sums.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use hippius_primitives::money::Pool;
use scale_info::TypeInfo;

/// Nodes of a page.
pub const PAGE: u32 = 128;
/// Words of 64 pages that an era can have.
pub(crate) const MAX_WORDS: u32 = 1_024;
/// Most eras that are being paid at one time.
pub(crate) const MAX_OPEN: u32 = 64;
/// Most pages of those who stake with one validator.
pub(crate) const MAX_STAKER_PAGES: u32 = 64;

/// Eras that are being paid, oldest first.
pub type OpenEras = BoundedVec<(Pool, u32), ConstU32<MAX_OPEN>>;

/// An era of one pool that is being paid.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct EraPool {
	/// Rao that are paid.
	pub amount: u128,
	/// The sum of all weights.
	pub weight: u128,
	/// For egress: under which number what was sent is kept.
	pub period: u32,
	/// Rao credited so far.
	pub paid: u128,
	/// Pages there are.
	pub pages: u32,
	/// Pages not paid yet.
	pub left: u32,
	/// Which are paid: bit `p % 64` of word `p / 64`.
	pub done: BoundedVec<u64, ConstU32<MAX_WORDS>>,
}

impl EraPool {
	/// Whether a page is paid.
	pub fn is_paid(&self, page: u32) -> bool {
		let word = self.done.get((page / 64) as usize).copied().unwrap_or(0);
		word >> (page % 64) & 1 == 1
	}

	/// The first page that is not.
	pub fn first_unpaid(&self) -> Option<u32> {
		let words = self.done.iter().zip(0u32..);
		words
			.filter(|(word, _)| **word != u64::MAX)
			.map(|(word, at)| at.saturating_mul(64).saturating_add(word.trailing_ones()))
			.next()
			.filter(|page| *page < self.pages)
	}
}

/// What a node has earned and its family not withdrawn.
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
pub struct Earnings {
	/// Whose they are.
	pub family: [u8; 32],
	/// Rao that can be withdrawn.
	pub accrued: u128,
	/// Rao kept back until what is bonded, with them, is what it must be.
	pub withheld: u128,
}

/// An era of validators and those who stake with them.
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
pub struct StakerEra {
	/// Rao that are paid.
	pub amount: u128,
	/// The sum of all validators' points.
	pub points: u32,
	/// Rao credited so far.
	pub paid: u128,
}

/// Sums since the beginning, in rao. They only grow.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Totals {
	/// Charges that came in.
	pub revenue: u128,
	/// Of these, miners' parts.
	pub miners: u128,
	/// Of these, validators' parts.
	pub validators: u128,
	/// Of these, the treasury's parts.
	pub treasury: u128,
	/// Withdrawn by families.
	pub miners_withdrawn: u128,
	/// Withdrawn by validators and those who stake with them.
	pub stakers_withdrawn: u128,
	/// Moved to the treasury.
	pub treasury_paid: u128,
	/// Taken from earnings as slashes.
	pub slashed: u128,
	/// Of that, for repair.
	pub slash_repair: u128,
	/// Of that, to reporters.
	pub slash_reporter: u128,
	/// Of that, to the treasury.
	pub slash_treasury: u128,
}

/// What is in the pots now, in rao.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Held {
	/// In the pools of the running era, carried over included.
	pub pools: u128,
	/// In eras that are being paid.
	pub eras: u128,
	/// Credited to nodes and not withdrawn, what is withheld included.
	pub nodes: u128,
	/// Validators' pot, its eras that are being paid, and what is credited and not withdrawn.
	pub stakers: u128,
	/// The treasury's pot.
	pub treasury: u128,
}
