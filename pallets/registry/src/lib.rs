#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]

extern crate alloc;

pub use pallet::*;
pub use types::{stake_for, HostName, NodeAddresses, NodeInfo};
pub use weights::WeightInfo;

mod live;
mod nodes;
mod penalties;
mod proof;
mod read;
mod rotation;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;
mod types;
pub mod weights;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

use frame_support::traits::fungible::{Credit, Inspect};
use frame_system::pallet_prelude::BlockNumberFor;

/// Balance of the currency deposits and stake are held in.
pub type BalanceOf<T> =
	<<T as Config>::Currency as Inspect<<T as frame_system::Config>::AccountId>>::Balance;

/// What the registry keeps of a node.
pub type NodeInfoOf<T> =
	NodeInfo<<T as frame_system::Config>::AccountId, BalanceOf<T>, BlockNumberFor<T>>;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::vec::Vec;
	use frame_support::{
		pallet_prelude::*,
		traits::{
			fungible::{BalancedHold, MutateHold},
			OnUnbalanced,
		},
	};
	use frame_system::pallet_prelude::*;
	use hippius_primitives::{
		registration::{KeyProof, NodeParams, NodeRecord},
		traits::{NodeEarnings, Zones},
		NodeIndex, NodeKey,
	};

	/// The layout of this pallet's storage.
	pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	/// Most nodes one answer of the view functions holds.
	pub const MAX_PAGE: u32 = 256;

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// What the runtime decides for this pallet. The amounts and limits may be tunable parameters:
	/// each is read when a call needs it, and a node keeps the deposit and stake it was taken in
	/// with.
	#[pallet::config]
	pub trait Config: frame_system::Config<AccountId: Into<[u8; 32]> + From<[u8; 32]>> {
		/// Where deposits and stake are held.
		type Currency: MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>
			+ BalancedHold<Self::AccountId, Reason = Self::RuntimeHoldReason>;

		/// The runtime's hold reasons.
		type RuntimeHoldReason: From<HoldReason>;

		/// Which placement zones exist.
		type Zones: Zones;

		/// What nodes have earned and not withdrawn: slashed before what is bonded.
		type Earnings: NodeEarnings;

		/// Takes the half of each slash that pays for repair.
		type RepairFund: OnUnbalanced<Credit<Self::AccountId, Self::Currency>>;

		/// Takes what of each slash nobody else gets.
		type Treasury: OnUnbalanced<Credit<Self::AccountId, Self::Currency>>;

		/// Held per node while it is registered.
		type RegistrationDeposit: Get<BalanceOf<Self>>;

		/// Held per committed terabyte (10^12 bytes), pro rata and rounded up.
		type StakePerTerabyte: Get<BalanceOf<Self>>;

		/// Smallest capacity of a node, in bytes; at least 1.
		type MinCapacity: Get<u64>;

		/// Greatest capacity of a node, in bytes.
		type MaxCapacity: Get<u64>;

		/// Most nodes registered at one time.
		type MaxNodes: Get<u32>;

		/// Most nodes one family may have registered at one time.
		type MaxNodesPerFamily: Get<u32>;

		/// How many blocks ahead a key proof's `valid_until` may lie.
		type MaxProofLifetime: Get<BlockNumberFor<Self>>;

		/// Blocks from the announcement of a new key until anyone may end the old one.
		type KeyOverlap: Get<BlockNumberFor<Self>>;

		/// Blocks from the start of an exit until deposit and stake can be claimed.
		type UnbondingPeriod: Get<BlockNumberFor<Self>>;

		/// Weights of the calls.
		type WeightInfo: WeightInfo;
	}

	/// Why an account's balance is on hold.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// Deposit for a registered node.
		#[codec(index = 0)]
		RegistrationDeposit,
		/// Stake behind the capacity a node committed.
		#[codec(index = 1)]
		CapacityStake,
	}

	/// The registered nodes. Written by every call, removed by `claim_exit`.
	#[pallet::storage]
	pub type Nodes<T: Config> = CountedStorageMap<_, Twox64Concat, NodeIndex, NodeInfoOf<T>>;

	/// Which node a key belongs to: each node's key and, while it is announced, its next key.
	/// Written by `register_node`, `announce_key`; removed by `activate_key`, `announce_key` (which
	/// replaces a key announced earlier) and `claim_exit`.
	#[pallet::storage]
	pub type NodeByKey<T> = StorageMap<_, Blake2_128Concat, NodeKey, NodeIndex>;

	/// How many proofs of a key were accepted. Never removed: it is what makes each proof count
	/// once, also after the key was freed.
	#[pallet::storage]
	pub type ProofSequence<T> = StorageMap<_, Blake2_128Concat, NodeKey, u32, ValueQuery>;

	/// The number the next node gets. Only ever grows.
	#[pallet::storage]
	pub type NextNodeIndex<T> = StorageValue<_, NodeIndex, ValueQuery>;

	/// How many nodes a family has registered; absent for none.
	#[pallet::storage]
	pub type FamilyNodes<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, u32, ValueQuery>;

	/// Which numbers are in use: bit `i` of page `p` stands for node `p * 1024 + i`. Lets nodes be
	/// listed in ascending order at a cost that the gaps left by old nodes hardly change. A page
	/// without nodes is removed.
	#[pallet::storage]
	pub type LiveNodes<T> = StorageMap<_, Twox64Concat, u32, [u64; live::WORDS]>;

	/// Counts the changes of anything a cluster map, or the node list handed out with it, depends
	/// on: nodes, keys, hosts, capacities, addresses, statuses.
	#[pallet::storage]
	pub type Revision<T> = StorageValue<_, u64, ValueQuery>;

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A node was registered.
		#[codec(index = 0)]
		NodeRegistered {
			/// The number it was given.
			node: NodeIndex,
			/// Its operator.
			family: T::AccountId,
			/// Its key.
			key: NodeKey,
		},
		/// A node's declaration changed.
		#[codec(index = 1)]
		NodeUpdated {
			/// The node.
			node: NodeIndex,
			/// Its capacity, in bytes.
			capacity: u64,
			/// What is held as its stake.
			stake: BalanceOf<T>,
		},
		/// A node has a second key, valid beside the first.
		#[codec(index = 2)]
		KeyAnnounced {
			/// The node.
			node: NodeIndex,
			/// The new key.
			key: NodeKey,
			/// From this block on anyone may end the old key.
			activation: BlockNumberFor<T>,
		},
		/// A node's new key became its only one.
		#[codec(index = 3)]
		KeyActivated {
			/// The node.
			node: NodeIndex,
			/// The key that was freed.
			old: NodeKey,
			/// The node's key from now on.
			new: NodeKey,
		},
		/// A node is leaving.
		#[codec(index = 4)]
		ExitStarted {
			/// The node.
			node: NodeIndex,
			/// From this block on the exit can be claimed.
			claimable: BlockNumberFor<T>,
		},
		/// A node is gone, its key free, its number never used again.
		#[codec(index = 5)]
		NodeRemoved {
			/// The node.
			node: NodeIndex,
			/// Its operator.
			family: T::AccountId,
			/// Deposit and stake given back.
			released: BalanceOf<T>,
		},
		/// Something of a node's stake or deposit was taken; what it had earned is told by `rewards`.
		#[codec(index = 6)]
		NodeSlashed {
			/// The node.
			node: NodeIndex,
			/// What was taken.
			amount: BalanceOf<T>,
			/// Who reported it and gets a fifth; `None` if the chain found it.
			reporter: Option<T::AccountId>,
		},
		/// A node failed its audits and gets no new data until it has proved itself.
		#[codec(index = 7)]
		NodeJailed {
			/// The node.
			node: NodeIndex,
		},
		/// A jailed node has proved itself.
		#[codec(index = 8)]
		NodeReleased {
			/// The node.
			node: NodeIndex,
		},
		/// A node was thrown out; the next map is without it.
		#[codec(index = 9)]
		NodeEvicted {
			/// The node.
			node: NodeIndex,
			/// From this block on what is left of its deposit and stake can be claimed.
			claimable: BlockNumberFor<T>,
		},
	}

	/// Why a call was refused.
	#[pallet::error]
	pub enum Error<T> {
		/// The proof names another chain's genesis hash.
		#[codec(index = 0)]
		WrongGenesis,
		/// The proof's `valid_until` has passed: sign a new one.
		#[codec(index = 1)]
		ProofExpired,
		/// The proof's `valid_until` lies further ahead than `MaxProofLifetime`.
		#[codec(index = 2)]
		ProofTooFarAhead,
		/// The proof's sequence is not the number of proofs of this key accepted so far.
		#[codec(index = 3)]
		ProofReplayed,
		/// The signature does not verify under the node key.
		#[codec(index = 4)]
		BadSignature,
		/// The key belongs to a registered node.
		#[codec(index = 5)]
		KeyAlreadyRegistered,
		/// The key is one anybody can sign for (a point of small order).
		#[codec(index = 6)]
		WeakKey,
		/// The zone does not exist.
		#[codec(index = 7)]
		UnknownZone,
		/// The host name is empty.
		#[codec(index = 8)]
		HostEmpty,
		/// The host name is longer than 64 bytes.
		#[codec(index = 9)]
		HostTooLong,
		/// The host name is not UTF-8.
		#[codec(index = 10)]
		HostNotUtf8,
		/// A node needs at least one address.
		#[codec(index = 11)]
		NoAddress,
		/// More than four addresses.
		#[codec(index = 12)]
		TooManyAddresses,
		/// An address has port 0, or an unspecified, broadcast or multicast IP.
		#[codec(index = 13)]
		InvalidAddress,
		/// The capacity is below `MinCapacity`.
		#[codec(index = 14)]
		CapacityTooSmall,
		/// The capacity is above `MaxCapacity`.
		#[codec(index = 15)]
		CapacityTooLarge,
		/// The family has `MaxNodesPerFamily` nodes.
		#[codec(index = 16)]
		TooManyNodes,
		/// The registry has `MaxNodes` nodes.
		#[codec(index = 17)]
		RegistryFull,
		/// The free balance does not cover deposit and stake.
		#[codec(index = 18)]
		StakeTooLow,
		/// No node has this number.
		#[codec(index = 19)]
		UnknownNode,
		/// The node belongs to another family.
		#[codec(index = 20)]
		NotYourNode,
		/// A node's zone cannot change: register another node there.
		#[codec(index = 21)]
		ZoneFixed,
		/// A node that is leaving or was evicted can change nothing but its addresses and key.
		#[codec(index = 22)]
		NodeDraining,
		/// No new key was announced for the node.
		#[codec(index = 23)]
		NoKeyAnnounced,
		/// Until the activation block only the node's family may activate its new key.
		#[codec(index = 24)]
		OverlapNotOver,
		/// The node is not leaving.
		#[codec(index = 25)]
		NotDraining,
		/// The unbonding period is not over.
		#[codec(index = 26)]
		StillBonded,
		/// All node numbers were given out.
		#[codec(index = 27)]
		IndexesExhausted,
		/// All proof sequence numbers of the key were used.
		#[codec(index = 28)]
		SequenceExhausted,
		/// A relay has port 0, or a host that is neither a name nor a usable IP address.
		#[codec(index = 29)]
		InvalidRelay,
		/// More than two relays.
		#[codec(index = 30)]
		TooManyRelays,
		/// A jailed node can change nothing but its addresses and key, and cannot leave: answer its
		/// draws first.
		#[codec(index = 31)]
		NodeJailed,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(
				T::MinCapacity::get() > 0,
				"a node commits at least one byte"
			);
			assert!(
				T::MinCapacity::get() <= T::MaxCapacity::get(),
				"MinCapacity must not exceed MaxCapacity"
			);
			assert!(
				T::MaxNodesPerFamily::get() > 0,
				"a family may have at least one node"
			);
			assert!(
				T::MaxNodesPerFamily::get() <= T::MaxNodes::get(),
				"one family's nodes must fit the registry"
			);
			assert!(
				T::MaxProofLifetime::get() > 0u32.into(),
				"a proof must be usable"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call(weight(<T as Config>::WeightInfo))]
	impl<T: Config> Pallet<T> {
		/// Registers a node of the signing family and holds its deposit and stake.
		///
		/// `proof` is the node key's signature over
		/// [`registration_payload`](hippius_primitives::registration::registration_payload).
		#[pallet::call_index(0)]
		pub fn register_node(
			origin: OriginFor<T>,
			node_key: NodeKey,
			params: NodeParams,
			proof: KeyProof,
		) -> DispatchResult {
			let family = ensure_signed(origin)?;
			Self::do_register_node(family, node_key, params, proof)
		}

		/// Declares anew a node's host, capacity and addresses; its zone is fixed. A greater capacity
		/// raises the stake, a smaller one leaves it held until the node has left.
		#[pallet::call_index(1)]
		pub fn update_node(
			origin: OriginFor<T>,
			node: NodeIndex,
			params: NodeParams,
		) -> DispatchResult {
			let family = ensure_signed(origin)?;
			Self::do_update_node(family, node, params)
		}

		/// Gives a node a second key, valid beside the first until `activate_key`. Replaces a key
		/// announced earlier.
		///
		/// `proof` is the new key's signature over
		/// [`rotation_payload`](hippius_primitives::registration::rotation_payload).
		#[pallet::call_index(2)]
		pub fn announce_key(
			origin: OriginFor<T>,
			node: NodeIndex,
			new_key: NodeKey,
			proof: KeyProof,
		) -> DispatchResult {
			let family = ensure_signed(origin)?;
			Self::do_announce_key(family, node, new_key, proof)
		}

		/// Makes the announced key a node's only one and frees the old. The family may do so at any
		/// time (a leaked key must be replaceable at once), anyone from the activation block on.
		#[pallet::call_index(3)]
		pub fn activate_key(origin: OriginFor<T>, node: NodeIndex) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_activate_key(who, node)
		}

		/// Starts a node's exit: it is left out of the next map and unbonds.
		#[pallet::call_index(4)]
		pub fn start_exit(origin: OriginFor<T>, node: NodeIndex) -> DispatchResult {
			let family = ensure_signed(origin)?;
			Self::do_start_exit(family, node)
		}

		/// Ends a node's exit: gives deposit and stake back and removes the node.
		#[pallet::call_index(5)]
		pub fn claim_exit(origin: OriginFor<T>, node: NodeIndex) -> DispatchResult {
			let family = ensure_signed(origin)?;
			Self::do_claim_exit(family, node)
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// A node by its number.
		pub fn node(index: NodeIndex) -> Option<NodeRecord> {
			Self::record(index)
		}

		/// A node by its key or its announced next key.
		pub fn node_by_key(key: NodeKey) -> Option<NodeRecord> {
			Self::record(NodeByKey::<T>::get(key)?)
		}

		/// At most `limit` nodes (and at most 256) with numbers of at least `from`, ascending.
		pub fn nodes_from(from: NodeIndex, limit: u32) -> Vec<NodeRecord> {
			Self::records_from(from, limit.min(MAX_PAGE))
		}
	}
}
