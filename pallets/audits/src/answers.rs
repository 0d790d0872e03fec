//! Answers: what makes one count, and what it does.

use crate::{
	types::{Offsets, Place, Why},
	ActiveRules, Answered, Cases, Config, Error, Event, HostBlake2, Open, Pallet, Tick,
};
use alloc::vec::Vec;
use arion_storage_proof::{
	answer::{Answer, Item, Shown},
	AuditProof, Challenge, EntryProof, Peaks, PgLedger, ProofError,
};
use core::fmt;
use frame_support::{
	ensure,
	pallet_prelude::{
		InvalidTransaction, TransactionSource, TransactionValidityWithRefund, ValidTransaction,
		Weight,
	},
	traits::Get,
};
use frame_system::pallet_prelude::BlockNumberFor;
use hippius_primitives::{
	audit::{Ask, PENDING_PLACES},
	traits::{AuditOutcomes, NodeRegistry},
	NodeIndex, NodeKey,
};
use sp_core::ed25519;
use sp_runtime::{
	traits::{SaturatedConversion, Zero},
	DispatchResult,
};

/// Keeps the tags of answers apart from other pallets'.
const TAG: &str = "arion-audit";

/// Why an answer does not count. The number is what a transaction pool gives as custom error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
	/// `place` is not below 8.
	Place = 1,
	/// It answers nothing.
	Empty = 2,
	/// What it answers is not in ascending order, or twice the same.
	Order = 3,
	/// The block has not come yet.
	FutureBlock = 4,
	/// No such draw or task is open: there never was one, or its deadline has passed.
	NotAsked = 5,
	/// The deadline has passed.
	TooLate = 6,
	/// Another node was asked.
	OtherNode = 7,
	/// It has been answered.
	AlreadyAnswered = 8,
	/// Not one proof for each byte asked for.
	ProofCount = 9,
	/// The group has no ledger.
	NoLedger = 10,
	/// A proof's bytes are no proof.
	Malformed = 11,
	/// A proof leads to another root: other bytes, another chunk, another slot's shard, a forged path.
	WrongRoot = 12,
	/// A proof is for another byte of the ledger.
	WrongPlace = 13,
	/// A proof has the wrong shape for its place.
	WrongShape = 14,
	/// The stripe shown as released is not.
	NotReleased = 15,
	/// No such node.
	UnknownNode = 16,
	/// The signature is not the node's.
	Signature = 17,
	/// The chain does not know its genesis hash or rules yet.
	NotReady = 18,
}

impl fmt::Display for Refusal {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::Place => "the answer's place is not below 8",
			Self::Empty => "the answer answers nothing",
			Self::Order => "the answered draws are not in ascending order",
			Self::FutureBlock => "the drawing block has not come yet",
			Self::NotAsked => "no such draw is open",
			Self::TooLate => "the draw's deadline has passed",
			Self::OtherNode => "the draw asks another node",
			Self::AlreadyAnswered => "the draw has been answered",
			Self::ProofCount => "there is not one proof for each byte asked for",
			Self::NoLedger => "the placement group has no ledger",
			Self::Malformed => "a proof's bytes are no proof",
			Self::WrongRoot => "a proof leads to another root than the ledger's",
			Self::WrongPlace => "a proof is for another byte of the ledger",
			Self::WrongShape => "a proof has the wrong shape for its place",
			Self::NotReleased => "the stripe shown as released is not",
			Self::UnknownNode => "there is no such node",
			Self::Signature => "the signature is not the node's",
			Self::NotReady => "the chain cannot take answers yet",
		})
	}
}

impl core::error::Error for Refusal {}

impl From<ProofError> for Refusal {
	fn from(error: ProofError) -> Self {
		match error {
			ProofError::Malformed | ProofError::TooLong { .. } => Self::Malformed,
			ProofError::RootMismatch | ProofError::GroupMismatch(_) => Self::WrongRoot,
			ProofError::NotCovered { .. } | ProofError::Offset { .. } => Self::WrongPlace,
			_ => Self::WrongShape,
		}
	}
}

impl<T> From<Refusal> for Error<T> {
	fn from(refusal: Refusal) -> Self {
		match refusal {
			Refusal::Place => Self::BadPlace,
			Refusal::Empty => Self::EmptyAnswer,
			Refusal::Order => Self::AnswersNotAscending,
			Refusal::FutureBlock => Self::FutureBlock,
			Refusal::NotAsked => Self::NotAsked,
			Refusal::TooLate => Self::TooLate,
			Refusal::OtherNode => Self::OtherNode,
			Refusal::AlreadyAnswered => Self::AlreadyAnswered,
			Refusal::ProofCount => Self::WrongProofCount,
			Refusal::NoLedger => Self::NoLedger,
			Refusal::Malformed => Self::MalformedProof,
			Refusal::WrongRoot => Self::WrongRoot,
			Refusal::WrongPlace => Self::WrongPlace,
			Refusal::WrongShape => Self::WrongShape,
			Refusal::NotReleased => Self::NotReleased,
			Refusal::UnknownNode => Self::UnknownNode,
			Refusal::Signature => Self::BadSignature,
			Refusal::NotReady => Self::NotReady,
		}
	}
}

/// What one item of an answer answers.
struct Asked {
	place: Place,
	offsets: Offsets,
	seed: [u8; 32],
}

impl<T: Config> Pallet<T> {
	/// Whether an answer may enter a pool or a block: cheap checks first, then the proofs, the
	/// signature last.
	pub(crate) fn authorize_answer(
		_: TransactionSource,
		answer: &Answer,
	) -> TransactionValidityWithRefund {
		Self::check_answer(answer).map_err(|refusal| InvalidTransaction::Custom(refusal as u8))?;
		let deadline = ActiveRules::<T>::get().map_or(1, |rules| rules.deadline);
		let mut valid = ValidTransaction::with_tag_prefix(TAG)
			.priority(T::AnswerPriority::get())
			.and_provides((answer.node, answer.place));
		for item in &answer.items {
			valid = valid.and_provides(match item.ask {
				Ask::Draw { block, draw } => (0u8, u64::from(block), draw),
				Ask::Task { id } => (1, id, 0),
			});
		}
		valid
			.longevity(deadline.into())
			.propagate(true)
			.build()
			.map(|valid| (valid, Weight::zero()))
	}

	/// Checks everything that makes an answer count.
	///
	/// # Errors
	/// The first [`Refusal`] that applies.
	pub fn check_answer(answer: &Answer) -> Result<(), Refusal> {
		ensure!(answer.place < PENDING_PLACES, Refusal::Place);
		ensure!(!answer.items.is_empty(), Refusal::Empty);
		let ascending = answer
			.items
			.iter()
			.zip(answer.items.iter().skip(1))
			.all(|(item, next)| item.ask < next.ask);
		ensure!(ascending, Refusal::Order);
		let asked = answer
			.items
			.iter()
			.map(|item| {
				let asked = Self::asked(answer.node, item.ask)?;
				ensure!(item.shown.len() == asked.offsets.len(), Refusal::ProofCount);
				Ok(asked)
			})
			.collect::<Result<Vec<_>, Refusal>>()?;
		for (item, asked) in answer.items.iter().zip(&asked) {
			Self::check_proofs(item, asked)?;
		}
		let seeds: Vec<_> = asked.iter().map(|asked| asked.seed).collect();
		Self::check_signature(answer, &seeds)
	}

	/// What is asked of `node` under this name, if an answer still counts.
	fn asked(node: NodeIndex, ask: Ask) -> Result<Asked, Refusal> {
		let rules = ActiveRules::<T>::get().ok_or(Refusal::NotReady)?;
		let tick = Tick::<T>::get();
		match ask {
			Ask::Draw { block, draw } => {
				let now: u32 = frame_system::Pallet::<T>::block_number().saturated_into();
				ensure!(block <= now, Refusal::FutureBlock);
				let open = Open::<T>::get(block).ok_or(Refusal::NotAsked)?;
				let late = tick > open.tick.saturating_add(rules.deadline);
				ensure!(!late, Refusal::TooLate);
				let drawn = open.draws.get(usize::from(draw)).ok_or(Refusal::NotAsked)?;
				ensure!(drawn.node == node, Refusal::OtherNode);
				let answered = Answered::<T>::get(block);
				ensure!(answered & bit(draw) == 0, Refusal::AlreadyAnswered);
				Ok(Asked {
					place: (drawn.pg, drawn.slot),
					offsets: drawn.offsets.clone(),
					seed: open.seed,
				})
			}
			Ask::Task { id } => {
				let case = Cases::<T>::get(node).ok_or(Refusal::NotAsked)?;
				let task = case
					.tasks
					.iter()
					.find(|task| task.id == id)
					.ok_or(Refusal::NotAsked)?;
				ensure!(task.due.is_none_or(|due| tick <= due), Refusal::TooLate);
				Ok(Asked {
					place: task.place,
					offsets: task.offsets.clone(),
					seed: task.seed,
				})
			}
		}
	}

	fn check_proofs(item: &Item, asked: &Asked) -> Result<(), Refusal> {
		let (pg, slot) = asked.place;
		let peaks = T::Ledger::peaks(pg).ok_or(Refusal::NoLedger)?;
		for (shown, offset) in item.shown.iter().zip(&asked.offsets) {
			Self::check_proof(
				shown,
				pg,
				&peaks,
				&Challenge {
					offset: *offset,
					slot,
				},
			)?;
		}
		Ok(())
	}

	pub(crate) fn check_proof(
		shown: &Shown,
		pg: hippius_primitives::Pg,
		peaks: &Peaks,
		challenge: &Challenge,
	) -> Result<(), Refusal> {
		match shown {
			Shown::Bytes(bytes) => {
				AuditProof::from_bytes(bytes)?.verify::<HostBlake2>(peaks, challenge)?;
			}
			Shown::Released(bytes) => {
				let proof = EntryProof::from_bytes(bytes)?;
				// A stripe that was not released is no answer, wherever it lies: a read before the hashes.
				let released = T::Ledger::released(pg, proof.batch, proof.stripe);
				ensure!(released, Refusal::NotReleased);
				proof.verify::<HostBlake2>(peaks, challenge.offset)?;
			}
		}
		Ok(())
	}

	fn check_signature(answer: &Answer, seeds: &[[u8; 32]]) -> Result<(), Refusal> {
		let node = T::Registry::node(answer.node).ok_or(Refusal::UnknownNode)?;
		// Frame-system keeps the hash of block 0 for ever, and has it from block 1 on.
		let genesis = frame_system::BlockHash::<T>::get(BlockNumberFor::<T>::zero());
		let genesis = <[u8; 32]>::try_from(genesis.as_ref())
			.ok()
			.filter(|genesis| *genesis != [0; 32])
			.ok_or(Refusal::NotReady)?;
		let payload = answer.payload(&genesis, seeds);
		let signed_by = |key: &NodeKey| {
			sp_io::crypto::ed25519_verify(
				&ed25519::Signature::from_raw(answer.signature),
				&payload,
				&ed25519::Public::from_raw(key.0),
			)
		};
		let valid = signed_by(&node.key) || node.next_key.as_ref().is_some_and(signed_by);
		ensure!(valid, Refusal::Signature);
		Ok(())
	}

	/// Books an answer whose proofs and signature were checked when it was authorized, which is in the
	/// same block and on the same state.
	pub(crate) fn do_answer(answer: Answer) -> DispatchResult {
		let rules = ActiveRules::<T>::get().ok_or(Error::<T>::NotReady)?;
		let node = answer.node;
		for item in answer.items {
			Self::asked(node, item.ask).map_err(Error::<T>::from)?;
			let shows_bytes = item
				.shown
				.iter()
				.any(|shown| matches!(shown, Shown::Bytes(_)));
			match item.ask {
				Ask::Draw { block, draw } => {
					Answered::<T>::mutate(block, |bits| *bits |= bit(draw));
					Self::passed(node, shows_bytes);
				}
				Ask::Task { id } => Self::task_answered(node, id, shows_bytes)?,
			}
			Self::deposit_event(Event::DrawAnswered {
				node,
				ask: item.ask,
			});
		}
		if let Some(case) = Cases::<T>::get(node) {
			Self::put_case(node, case, Tick::<T>::get(), &rules);
		}
		Ok(())
	}

	/// Books a pass. Showing that nothing is to be held counts for nothing.
	fn passed(node: NodeIndex, shows_bytes: bool) {
		if !shows_bytes {
			return;
		}
		T::Outcomes::audited(node, true);
		if Cases::<T>::contains_key(node) {
			Cases::<T>::mutate(node, |case| {
				if let Some(case) = case {
					case.pass();
				}
			});
		}
	}

	fn task_answered(node: NodeIndex, id: u64, shows_bytes: bool) -> DispatchResult {
		let mut case = Cases::<T>::get(node).ok_or(Error::<T>::NotAsked)?;
		let at = case
			.tasks
			.iter()
			.position(|task| task.id == id)
			.ok_or(Error::<T>::NotAsked)?;
		let task = case.tasks.remove(at);
		match task.why {
			Why::Missed => {
				Cases::<T>::insert(node, case);
				Self::passed(node, shows_bytes);
			}
			Why::Fresh => {
				if shows_bytes {
					T::Outcomes::audited(node, true);
				}
				let left = case.count(|why| *why == Why::Fresh);
				let clean = case
					.jail
					.as_ref()
					.is_some_and(|jail| !jail.failed && jail.end.is_some());
				if left == 0 && clean {
					Self::release(node, &mut case);
				}
				Cases::<T>::insert(node, case);
			}
			// Nobody can buy himself a better record.
			Why::Challenge { by, deposit } => {
				Cases::<T>::insert(node, case);
				Self::challenge_lost(node, &by, deposit, shows_bytes);
			}
		}
		Ok(())
	}
}

/// How many draws of blocks and how many tasks of its own a node answers.
pub(crate) fn kinds(answer: &Answer) -> (u32, u32) {
	let of_blocks = |item: &&Item| matches!(item.ask, Ask::Draw { .. });
	let draws = answer.items.iter().filter(of_blocks).count() as u32;
	let all = answer.items.len() as u32;
	(draws, all.saturating_sub(draws))
}

/// The bit of a draw.
fn bit(draw: u8) -> u32 {
	1u32.checked_shl(draw.into()).unwrap_or(0)
}
