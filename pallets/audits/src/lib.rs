#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]

extern crate alloc;

pub use answers::Refusal;
#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::BenchmarkHelper;
pub use pallet::*;
pub use rules::Rules;
pub use seams::{Congestion, HostBlake2};
pub use types::{Case, Draw, Jail, OpenBlock, Place, Task, Why};
pub use weights::WeightInfo;

mod answers;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod challenges;
mod consequences;
mod deadline;
mod draws;
mod measured;
mod read;
mod rules;
mod seams;
#[cfg(any(feature = "std", feature = "try-runtime"))]
mod try_state;
pub mod types;
pub mod weights;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

use frame_support::traits::fungible::{Credit, Inspect};

/// Target of the pallet's log lines.
pub(crate) const LOG_TARGET: &str = "runtime::audits";

/// Balance of the currency deposits are held in.
pub type BalanceOf<T> =
	<<T as Config>::Currency as Inspect<<T as frame_system::Config>::AccountId>>::Balance;

/// What is kept of a node in trouble.
pub type CaseOf<T> = Case<<T as frame_system::Config>::AccountId, BalanceOf<T>>;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use crate::types::{Offsets, Tally, MAX_WINDOW};
	use alloc::vec::Vec;
	use arion_storage_proof::{answer::Answer, AuditProof, EntryProof, PgLedger};
	use frame_support::{
		pallet_prelude::*,
		traits::{
			fungible::{BalancedHold, MutateHold},
			OnUnbalanced,
		},
	};
	use frame_system::{ensure_authorized, pallet_prelude::*};
	use hippius_primitives::{
		audit::{Ask, AskedOf},
		traits::{AuditOutcomes, Liveness, NodePenalties, NodeRegistry, PlacementWeights},
		NodeIndex, Pg,
	};
	use sp_runtime::traits::SaturatedConversion;

	/// The layout of this pallet's storage.
	pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	/// Most nodes whose slots are looked for at one time.
	pub const MAX_COLLECTING: u32 = 64;

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// What the runtime decides for this pallet.
	#[pallet::config]
	pub trait Config: frame_system::Config<AccountId: Into<[u8; 32]> + From<[u8; 32]>> {
		/// Where challengers' deposits are held.
		type Currency: MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>
			+ BalancedHold<Self::AccountId, Reason = Self::RuntimeHoldReason>;

		/// The runtime's hold reasons.
		type RuntimeHoldReason: From<HoldReason>;

		/// The output of the parent block's author's VRF; `None` if there was none.
		type Vrf: Get<Option<[u8; 32]>>;

		/// What placement groups hold, and who.
		type Ledger: PgLedger;

		/// Weights in the cluster map.
		type Weights: PlacementWeights;

		/// The nodes, and what may be done to them.
		type Registry: NodeRegistry + NodePenalties;

		/// What heartbeats say.
		type Liveness: Liveness;

		/// Where outcomes are kept.
		type Outcomes: AuditOutcomes;

		/// Whether the chain can serve answers.
		type Congestion: Congestion;

		/// Takes the part of lost deposits that the challenged node's family does not get.
		type Treasury: OnUnbalanced<Credit<Self::AccountId, Self::Currency>>;

		/// Held for a challenge: twice what it costs the node and the chain to answer.
		type ChallengeDeposit: Get<BalanceOf<Self>>;

		/// Priority of answers in a transaction pool.
		type AnswerPriority: Get<TransactionPriority>;

		/// Who changes the rules.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// Weights of the calls and hooks.
		type WeightInfo: WeightInfo;

		/// Other pallets for benchmarks.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: BenchmarkHelper;
	}

	/// Why an account's balance is on hold.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// Deposit for a challenge that is open.
		#[codec(index = 0)]
		Challenge,
	}

	/// The rules. Written by genesis and `set_rules`.
	#[pallet::storage]
	pub type ActiveRules<T> = StorageValue<_, Rules>;

	/// The newest randomness.
	#[pallet::storage]
	pub type Rolling<T> = StorageValue<_, [u8; 32], ValueQuery>;

	/// The randomness of past blocks, removed when it is `kept_randomness` blocks old. A block whose
	/// parent had no VRF output has none.
	#[pallet::storage]
	pub type Randomness<T> = StorageMap<_, Twox64Concat, u32, [u8; 32]>;

	/// The deadline counter: blocks in which answers could get in.
	#[pallet::storage]
	pub type Tick<T> = StorageValue<_, u32, ValueQuery>;

	/// The last tick whose deadline has passed, so that its answers were counted.
	#[pallet::storage]
	pub type Tallied<T> = StorageValue<_, u32, ValueQuery>;

	/// The last tick whose draws were swept: what was missed was booked.
	#[pallet::storage]
	pub type Swept<T> = StorageValue<_, u32, ValueQuery>;

	/// Which of the last 32 blocks were full, the newest lowest.
	#[pallet::storage]
	pub type FullBlocks<T> = StorageValue<_, u32, ValueQuery>;

	/// The draws of each block until they are swept.
	#[pallet::storage]
	pub type Open<T> = StorageMap<_, Twox64Concat, u32, OpenBlock>;

	/// Which draws of an open block were answered, a bit each.
	#[pallet::storage]
	pub type Answered<T> = StorageMap<_, Twox64Concat, u32, u32, ValueQuery>;

	/// The block that drew at a tick, while it is open.
	#[pallet::storage]
	pub type DrawnAt<T> = StorageMap<_, Twox64Concat, u32, u32>;

	/// What the last ticks swept came to, oldest first.
	#[pallet::storage]
	pub type Tallies<T> = StorageValue<_, BoundedVec<Tally, ConstU32<MAX_WINDOW>>, ValueQuery>;

	/// Whether so much goes unanswered that nobody is punished.
	#[pallet::storage]
	pub type Outage<T> = StorageValue<_, bool, ValueQuery>;

	/// Nodes in trouble. Bounded by the nodes there are; a node without trouble has no entry.
	#[pallet::storage]
	pub type Cases<T: Config> = StorageMap<_, Twox64Concat, NodeIndex, CaseOf<T>>;

	/// The node in trouble that was visited last.
	#[pallet::storage]
	pub type CaseCursor<T> = StorageValue<_, NodeIndex>;

	/// Jailed nodes whose slots are looked for.
	#[pallet::storage]
	pub type Collecting<T> =
		StorageValue<_, BoundedVec<NodeIndex, ConstU32<MAX_COLLECTING>>, ValueQuery>;

	/// The number the next task gets.
	#[pallet::storage]
	pub type NextTask<T> = StorageValue<_, u64, ValueQuery>;

	/// The rules from block 0 on.
	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// The rules of this chain.
		pub rules: Rules,
		/// Nothing; carries the type.
		#[serde(skip)]
		pub _config: core::marker::PhantomData<T>,
	}

	impl<T: Config> GenesisConfig<T> {
		/// With these rules.
		pub fn new(rules: Rules) -> Self {
			Self {
				rules,
				_config: core::marker::PhantomData,
			}
		}
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			// A chain specification by which audits cannot work must not start.
			if let Err(flaw) = self.rules.check() {
				panic!("the audits' genesis rules are not valid: {flaw}");
			}
			ActiveRules::<T>::put(self.rules);
		}
	}

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A node showed what it was asked for.
		#[codec(index = 0)]
		DrawAnswered {
			/// The node.
			node: NodeIndex,
			/// What it was asked.
			ask: Ask,
		},
		/// A node that was up did not answer in time. Its shards there may need repair.
		#[codec(index = 1)]
		DrawMissed {
			/// The node.
			node: NodeIndex,
			/// The placement group.
			pg: Pg,
			/// The slot.
			slot: u8,
			/// The bytes of the group's ledger.
			offsets: Offsets,
		},
		/// A draw fell due while its node was away; it will be asked again.
		#[codec(index = 2)]
		DrawHeldOver {
			/// The node.
			node: NodeIndex,
			/// The task it became.
			id: u64,
		},
		/// A node is back and asked again.
		#[codec(index = 3)]
		DrawAskedAgain {
			/// The node.
			node: NodeIndex,
			/// The task.
			id: u64,
		},
		/// Draws went unanswered in an outage; nobody is punished for them.
		#[codec(index = 4)]
		OutageRecorded {
			/// The block that drew them.
			block: u32,
			/// Its draws that were due.
			due: u32,
			/// Of these, not answered.
			missed: u32,
		},
		/// So much goes unanswered that nobody is punished.
		#[codec(index = 5)]
		OutageBegan,
		/// Answers come again.
		#[codec(index = 6)]
		OutageEnded,
		/// A node missed too many of its last draws.
		#[codec(index = 7)]
		NodeJailed {
			/// The node.
			node: NodeIndex,
		},
		/// A jailed node has to answer fresh draws.
		#[codec(index = 8)]
		FreshDrawsAsked {
			/// The node.
			node: NodeIndex,
			/// The last tick at which answers count.
			due: u32,
		},
		/// A jailed node has shown what it was asked for.
		#[codec(index = 9)]
		NodeReleased {
			/// The node.
			node: NodeIndex,
		},
		/// A node's record was too bad, or it was in jail too long.
		#[codec(index = 10)]
		NodeEvicted {
			/// The node.
			node: NodeIndex,
		},
		/// Somebody has a node asked.
		#[codec(index = 11)]
		Challenged {
			/// The task's number.
			id: u64,
			/// The node.
			node: NodeIndex,
			/// Who pays.
			by: T::AccountId,
			/// What is held of him.
			deposit: BalanceOf<T>,
			/// The last tick at which an answer counts.
			due: u32,
		},
		/// The rules changed.
		#[codec(index = 12)]
		RulesSet {
			/// The new ones.
			rules: Rules,
		},
	}

	/// Why a call was refused.
	#[pallet::error]
	pub enum Error<T> {
		/// The answer's place is not below 8.
		#[codec(index = 0)]
		BadPlace,
		/// The answer answers nothing.
		#[codec(index = 1)]
		EmptyAnswer,
		/// The answered draws are not in ascending order, or one is there twice.
		#[codec(index = 2)]
		AnswersNotAscending,
		/// The drawing block has not come yet.
		#[codec(index = 3)]
		FutureBlock,
		/// No such draw or task of the node is open: there never was one, or its deadline has passed.
		#[codec(index = 4)]
		NotAsked,
		/// The deadline has passed.
		#[codec(index = 5)]
		TooLate,
		/// The draw asks another node.
		#[codec(index = 6)]
		OtherNode,
		/// The draw has been answered.
		#[codec(index = 7)]
		AlreadyAnswered,
		/// There is not one proof for each byte asked for.
		#[codec(index = 8)]
		WrongProofCount,
		/// The placement group has no ledger.
		#[codec(index = 9)]
		NoLedger,
		/// A proof's bytes are no proof.
		#[codec(index = 10)]
		MalformedProof,
		/// A proof leads to another root than the ledger's: other bytes, another chunk, another slot's
		/// shard, or a forged path. After a snapshot of the ledger an answer must be made anew.
		#[codec(index = 11)]
		WrongRoot,
		/// A proof is for another byte of the ledger.
		#[codec(index = 12)]
		WrongPlace,
		/// A proof has the wrong shape for its place.
		#[codec(index = 13)]
		WrongShape,
		/// The stripe shown as released is not.
		#[codec(index = 14)]
		NotReleased,
		/// There is no such node.
		#[codec(index = 15)]
		UnknownNode,
		/// The signature is not the node's.
		#[codec(index = 16)]
		BadSignature,
		/// The chain does not know its genesis hash or rules yet.
		#[codec(index = 17)]
		NotReady,
		/// The group's ledger has no such byte.
		#[codec(index = 18)]
		BeyondTheLedger,
		/// Nobody need hold the slot: it is a hole, or still being filled.
		#[codec(index = 19)]
		NobodyHolds,
		/// The holder is jailed or thrown out, and asked by other means.
		#[codec(index = 20)]
		NotChallengeable,
		/// The holder is away; it will be asked when it is back.
		#[codec(index = 21)]
		NodeAway,
		/// The node has been challenged too often, today or by others still open.
		#[codec(index = 22)]
		TooManyChallenges,
		/// The rules contradict each other or their bounds.
		#[codec(index = 23)]
		BadRules,
		/// `kept_randomness` can only grow.
		#[codec(index = 24)]
		LengthFixed,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_initialize(now: BlockNumberFor<T>) -> Weight {
			Self::do_on_initialize(now.saturated_into())
		}

		fn on_finalize(_: BlockNumberFor<T>) {
			Self::do_on_finalize();
		}

		fn integrity_test() {
			let longest = AuditProof::max_encoded_len().max(EntryProof::max_encoded_len());
			assert!(
				longest <= arion_storage_proof::answer::MAX_PROOF as usize,
				"the longest proof must fit an answer"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// A node's answer to some of what it is asked. No account sends it: it is authorized by the
		/// proofs in it and the node's signature, and pays no fee.
		#[pallet::call_index(0)]
		#[pallet::weight({
			let (draws, tasks) = answers::kinds(answer);
			<T as Config>::WeightInfo::answer(draws, tasks)
		})]
		#[pallet::weight_of_authorize(<T as Config>::WeightInfo::authorize_answer(
			answer.items.len() as u32,
			answer.items.iter().map(|item| item.shown.len() as u32).sum(),
		))]
		#[pallet::authorize(Self::authorize_answer)]
		pub fn answer(origin: OriginFor<T>, answer: Answer) -> DispatchResult {
			ensure_authorized(origin)?;
			Self::do_answer(answer)
		}

		/// Has the holder of a slot asked for byte `offset` of the group's ledger. The deposit is given
		/// back, with a fifth of the slash, if the node does not answer; if it does, half is its
		/// family's and the rest the treasury's.
		#[pallet::call_index(1)]
		#[pallet::weight(<T as Config>::WeightInfo::challenge())]
		pub fn challenge(origin: OriginFor<T>, pg: Pg, slot: u8, offset: u64) -> DispatchResult {
			let by = ensure_signed(origin)?;
			Self::do_challenge(by, pg, slot, offset)
		}

		/// Changes the rules.
		#[pallet::call_index(2)]
		#[pallet::weight(<T as Config>::WeightInfo::set_rules())]
		pub fn set_rules(origin: OriginFor<T>, rules: Rules) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_set_rules(rules)
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// The rules.
		pub fn rules() -> Option<Rules> {
			ActiveRules::<T>::get()
		}

		/// The draws of a block, while they are open, in order; also those answered.
		pub fn draws(block: u32) -> Vec<AskedOf> {
			Self::asked_in(block)
		}

		/// All that a node is asked and has not answered.
		pub fn asked_of(node: NodeIndex) -> Vec<AskedOf> {
			Self::open_for(node)
		}

		/// The deadline counter.
		pub fn tick() -> u32 {
			Tick::<T>::get()
		}
	}
}
