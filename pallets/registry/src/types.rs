//! What is stored of a node, and what its capacity costs.

use codec::{Decode, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use hippius_primitives::{
	registration::{NodeStatus, MAX_ADDRESSES, MAX_HOST_LEN},
	NodeAddress, NodeKey,
};
use scale_info::TypeInfo;

/// A host name: UTF-8, not empty.
pub type HostName = BoundedVec<u8, ConstU32<MAX_HOST_LEN>>;
/// Where a node serves, best first; not empty.
pub type NodeAddresses = BoundedVec<NodeAddress, ConstU32<MAX_ADDRESSES>>;

/// Bytes of a terabyte, the unit stake is counted in.
const TERABYTE: u128 = 1_000_000_000_000;

/// A registered node.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct NodeInfo<AccountId, Balance, BlockNumber> {
	/// The operator.
	pub family: AccountId,
	/// The key the node is addressed by.
	pub key: NodeKey,
	/// The key that replaces it and the block from which on anyone may make it do so.
	pub next_key: Option<(NodeKey, BlockNumber)>,
	/// Placement zone.
	pub zone: u8,
	/// Machine, unique within the family.
	pub host: HostName,
	/// Bytes committed.
	pub capacity: u64,
	/// Where the node serves.
	pub addresses: NodeAddresses,
	/// Where the node is in its life.
	pub status: NodeStatus,
	/// Block of its registration.
	pub registered_at: BlockNumber,
	/// Held as `RegistrationDeposit`.
	pub deposit: Balance,
	/// Held as `CapacityStake`.
	pub stake: Balance,
	/// Set with the start of the exit: from this block on it can be claimed.
	pub claimable_at: Option<BlockNumber>,
}

/// The stake behind `capacity` bytes at `per_terabyte`: pro rata, rounded up. Saturates.
pub fn stake_for(capacity: u64, per_terabyte: u128) -> u128 {
	match u128::from(capacity).checked_mul(per_terabyte) {
		Some(product) => product.div_ceil(TERABYTE),
		None => u128::MAX,
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn stake_is_pro_rata_rounded_up_and_saturates() {
		assert_eq!(stake_for(0, 5), 0);
		assert_eq!(stake_for(1, 5), 1);
		assert_eq!(stake_for(1_000_000_000_000, 5), 5);
		assert_eq!(stake_for(1_000_000_000_001, 5), 6);
		assert_eq!(stake_for(2_500_000_000_000, 4), 10);
		assert_eq!(stake_for(u64::MAX, 0), 0);
		assert_eq!(stake_for(u64::MAX, u128::MAX), u128::MAX);
	}
}
