//! Appending a batch.

use crate::{
	clean::FORGET_WITH_APPEND,
	ledger::{MissingSlots, Owners, Receipts, MAX_BITMAP, SLOTS},
	placement::slots_by,
	CleanEpoch, Config, Error, Event, Gap, Gaps, GroupsEnd, HostBlake2, Ledgers, Pallet,
	RecentRoots,
};
use alloc::{collections::BTreeSet, vec::Vec};
use arion_storage_proof::Batch;
use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	traits::{Defensive, Get},
};
use frame_system::pallet_prelude::BlockNumberFor;
use hippius_primitives::{
	coding::{DATA_SHARDS, SHARD_ALIGN, SHARD_LEN, WRITE_QUORUM},
	ledger::{owners_hash, Held},
	money::Service,
	receipt::{BatchRef, ReceiptBody, MAX_RECEIPT_STRIPES},
	traits::{ClusterMaps, NodeRegistry, UsageMeter, UsageRefused},
	Epoch, NodeIndex, NodeKey, Pg,
};
use sp_core::ed25519;
use sp_runtime::traits::{Saturating, Zero};

impl<T: Config> Pallet<T> {
	/// Appends a batch to a group's ledger.
	pub fn do_append(
		by: T::AccountId,
		pg: Pg,
		epoch: Epoch,
		batch: Batch,
		owners: Owners,
		receipts: Receipts,
	) -> DispatchResult {
		ensure!(receipts.len() >= WRITE_QUORUM, Error::<T>::TooFewReceipts);
		Self::check_batch(&batch)?;
		Self::check_owners(&batch, &owners)?;
		let current = Self::check_epoch(epoch)?;
		let reference = BatchRef {
			genesis: Self::genesis()?,
			pg,
			epoch,
			root: batch.root,
			bytes: batch.bytes,
			stripes: batch.stripes,
			owners: owners_hash(&owners),
		};
		let bodies = Self::check_receipts(&reference, &receipts)?;
		Self::check_quorum(&batch, &bodies)?;
		ensure!(
			!Self::is_recent(pg, &batch.root),
			Error::<T>::DuplicateBatch
		);
		let members = slots_by(&Self::placement_of(epoch).map_err(Error::<T>::from)?, pg)
			.map_err(Error::<T>::from)?;
		ensure!(
			bodies.iter().all(|body| members.contains(&Some(body.node))),
			Error::<T>::NotAMember
		);
		for (body, receipt) in bodies.iter().zip(&receipts) {
			Self::check_signature(body.node, &body.payload(), &receipt.signature)?;
		}
		let charger = by.clone().into();
		for share in &owners {
			let units = logical(share.bytes).ok_or(Error::<T>::UsageOverflow)?;
			T::Usage::add(Service::Arion, &share.owner, &charger, units)
				.map_err(Error::<T>::from)?;
		}

		let now = Self::period();
		let mut ledger = Ledgers::<T>::get(pg).unwrap_or_default();
		let number = ledger
			.peaks
			.change(now)
			.append_noting::<HostBlake2>(&batch, |node, below| {
				hippius_ocw::ledgers::note(pg, node, &below)
			})
			.map_err(|_| Error::<T>::LedgerFull)?;
		Self::add_bytes(now, pg, batch.bytes)?;
		Ledgers::<T>::insert(pg, ledger);
		RecentRoots::<T>::insert(epoch, (pg, batch.root), ());
		Self::forget_roots(current, FORGET_WITH_APPEND);
		if number.is_zero() {
			// Nobody had anything to hold before.
			CleanEpoch::<T>::insert(pg, epoch);
			GroupsEnd::<T>::mutate(|end| *end = (*end).max(pg.saturating_add(1)));
		}
		Self::deposit_event(Event::BatchAppended {
			pg,
			batch: number,
			epoch,
			content: batch,
			owners,
			by,
		});
		let holders = match epoch == current {
			true => members.clone(),
			false => slots_by(&Self::placement_of(current).map_err(Error::<T>::from)?, pg)
				.map_err(Error::<T>::from)?,
		};
		Self::note_gaps(pg, number, &batch, &members, &holders, &bodies);
		Ok(())
	}

	/// Sizes that a batch cannot have.
	fn check_batch(batch: &Batch) -> Result<(), Error<T>> {
		let stripes = u64::from(batch.stripes);
		ensure!(
			(1..=MAX_RECEIPT_STRIPES).contains(&batch.stripes),
			Error::<T>::BatchStripes
		);
		let least = stripes.saturating_mul(SHARD_ALIGN as u64);
		let most = stripes.saturating_mul(SHARD_LEN as u64);
		ensure!(
			(least..=most).contains(&batch.bytes) && batch.bytes.is_multiple_of(SHARD_ALIGN as u64),
			Error::<T>::BatchBytes
		);
		Ok(())
	}

	fn check_owners(batch: &Batch, owners: &Owners) -> Result<(), Error<T>> {
		let ascending = owners
			.iter()
			.zip(owners.iter().skip(1))
			.all(|(a, b)| a.owner < b.owner);
		ensure!(ascending, Error::<T>::OwnersNotAscending);
		let mut sum = 0u64;
		for share in owners {
			let unit = SHARD_ALIGN as u64;
			ensure!(
				share.bytes > 0 && share.bytes.is_multiple_of(unit),
				Error::<T>::OwnerBytes
			);
			sum = sum
				.checked_add(share.bytes)
				.ok_or(Error::<T>::SumOverflow)?;
		}
		ensure!(sum == batch.bytes, Error::<T>::OwnersSum);
		Ok(())
	}

	/// The current epoch, if receipts of `epoch` still count.
	fn check_epoch(epoch: Epoch) -> Result<Epoch, Error<T>> {
		let current = T::Maps::current_epoch();
		ensure!((1..=current).contains(&epoch), Error::<T>::EpochNotStarted);
		let age = current.saturating_sub(epoch);
		ensure!(age <= T::RecentEpochs::get(), Error::<T>::EpochExpired);
		Ok(current)
	}

	/// What the nodes signed, as far as it can be told without their keys.
	fn check_receipts(batch: &BatchRef, receipts: &Receipts) -> Result<Vec<ReceiptBody>, Error<T>> {
		let mut seen = BTreeSet::new();
		let mut bodies = Vec::with_capacity(receipts.len());
		for receipt in receipts {
			ensure!(receipt.pg == batch.pg, Error::<T>::ReceiptOfOtherGroup);
			ensure!(
				receipt.epoch == batch.epoch,
				Error::<T>::ReceiptOfOtherEpoch
			);
			ensure!(
				batch.root.starts_with(&receipt.root),
				Error::<T>::ReceiptOfOtherBatch
			);
			let fits = match &receipt.held {
				Held::All => true,
				Held::Some(bits) => bits.len() <= MAX_BITMAP as usize,
			};
			ensure!(fits, Error::<T>::BitmapUnsound);
			let body = receipt.body(batch);
			ensure!(body.is_sound(), Error::<T>::BitmapUnsound);
			ensure!(seen.insert(receipt.node), Error::<T>::DuplicateSigner);
			bodies.push(body);
		}
		Ok(bodies)
	}

	/// Every stripe must be held by enough nodes.
	fn check_quorum(batch: &Batch, bodies: &[ReceiptBody]) -> Result<(), Error<T>> {
		let everything = bodies
			.iter()
			.filter(|body| body.count() == batch.stripes)
			.count();
		if everything >= WRITE_QUORUM {
			return Ok(());
		}
		let enough = (0..batch.stripes)
			.all(|stripe| bodies.iter().filter(|body| body.holds(stripe)).count() >= WRITE_QUORUM);
		ensure!(enough, Error::<T>::TooFewHolders);
		Ok(())
	}

	/// Whether the batch was appended under an epoch whose receipts still count.
	fn is_recent(pg: Pg, root: &[u8; 32]) -> bool {
		let current = T::Maps::current_epoch();
		let oldest = current.saturating_sub(T::RecentEpochs::get());
		(oldest..=current).any(|epoch| RecentRoots::<T>::contains_key(epoch, (pg, *root)))
	}

	/// Checks a node's signature, by its key or by the one that is about to replace it.
	pub(crate) fn check_signature(
		node: NodeIndex,
		payload: &[u8],
		signature: &[u8; 64],
	) -> Result<(), Error<T>> {
		let record = T::Registry::node(node).ok_or(Error::<T>::UnknownNode)?;
		let signed = |key: &NodeKey| {
			sp_io::crypto::ed25519_verify(
				&ed25519::Signature::from_raw(*signature),
				payload,
				&ed25519::Public::from_raw(key.0),
			)
		};
		let good = signed(&record.key) || record.next_key.as_ref().is_some_and(signed);
		ensure!(good, Error::<T>::BadSignature);
		Ok(())
	}

	/// The hash of block 0, which frame-system keeps for ever and has from block 1 on.
	pub(crate) fn genesis() -> Result<[u8; 32], Error<T>> {
		let hash = frame_system::BlockHash::<T>::get(BlockNumberFor::<T>::zero());
		ensure!(hash != T::Hash::default(), Error::<T>::NoGenesis);
		hash.as_ref().try_into().map_err(|_| Error::<T>::NoGenesis)
	}

	/// Notes which slots must be filled: those whose node by the current map signed for less than
	/// the whole batch.
	fn note_gaps(
		pg: Pg,
		number: u64,
		batch: &Batch,
		members: &[Option<NodeIndex>],
		holders: &[Option<NodeIndex>],
		bodies: &[ReceiptBody],
	) {
		let until = Self::fill_until();
		let mut missing = MissingSlots::default();
		for (slot, (member, holder)) in (0u8..).zip(members.iter().zip(holders)) {
			let Some(holder) = holder else { continue };
			let held = match member == &Some(*holder) {
				true => bodies
					.iter()
					.find(|body| body.node == *holder)
					.map_or(0, ReceiptBody::count),
				false => 0,
			};
			let lacks = batch.stripes.saturating_sub(held);
			if lacks == 0 {
				continue;
			}
			Gaps::<T>::mutate(pg, slot, |gap| {
				let gap = gap.get_or_insert(Gap {
					first: number,
					last: number,
					stripes: 0,
					until,
				});
				gap.last = number;
				gap.stripes = gap.stripes.saturating_add(lacks.into());
			});
			let _ = missing.try_push((slot, lacks)).defensive();
		}
		if !missing.is_empty() {
			Self::deposit_event(Event::ShardsMissing {
				pg,
				batch: number,
				slots: missing,
			});
		}
	}

	/// The block until which a node that must fill a slot from now on is not asked for it.
	pub(crate) fn fill_until() -> BlockNumberFor<T> {
		frame_system::Pallet::<T>::block_number().saturating_add(T::BackfillPeriod::get())
	}
}

/// The bytes that owners are charged for: of `bytes` in each slot. The price has the parity in it.
pub(crate) fn logical(bytes: u64) -> Option<u64> {
	bytes.checked_mul(DATA_SHARDS as u64)
}

impl<T> From<UsageRefused> for Error<T> {
	fn from(refused: UsageRefused) -> Self {
		match refused {
			UsageRefused::NoFunds => Self::OwnerWithoutFunds,
			UsageRefused::Locked => Self::OwnerLocked,
			UsageRefused::NotAuthorised => Self::NotAuthorised,
			UsageRefused::TooMuch => Self::UsageOverflow,
		}
	}
}

const _: () = assert!(SLOTS == 30 && WRITE_QUORUM < SLOTS as usize);

impl<T> From<crate::PlacementError> for Error<T> {
	fn from(error: crate::PlacementError) -> Self {
		use crate::PlacementError::*;
		match error {
			NoMap => Self::NoMap,
			UnknownPg => Self::UnknownGroup,
			EpochNotKept => Self::EpochExpired,
			DrawLimit | CorruptMap => Self::NoPlacement,
		}
	}
}
