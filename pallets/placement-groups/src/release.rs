//! Letting stripes go.

use crate::{
	append::logical,
	ledger::{BatchPath, Permission, StripeProofs},
	Config, Error, Event, HostBlake2, Ledgers, Pallet, Release, ReleasedStripes,
};
use alloc::vec::Vec;
use arion_storage_proof::{stripes::verify_entry, Batch};
use frame_support::{ensure, pallet_prelude::DispatchResult};
use hippius_primitives::{
	ledger::{full, release_payload},
	money::Service,
	receipt::MAX_RECEIPT_STRIPES,
	traits::{StorageOwners, UsageMeter},
	Pg,
};
use sp_runtime::{traits::Verify, AccountId32};

impl<T: Config> Pallet<T> {
	/// Releases stripes of one owner.
	pub fn do_release(
		by: T::AccountId,
		pg: Pg,
		number: u64,
		batch: Batch,
		path: BatchPath,
		stripes: StripeProofs,
		permission: Permission,
	) -> DispatchResult {
		let ascending = stripes
			.iter()
			.zip(stripes.iter().skip(1))
			.all(|(a, b)| a.index < b.index);
		ensure!(ascending, Error::<T>::StripesNotAscending);
		let owner = stripes
			.first()
			.map(|proof| proof.entry.owner)
			.ok_or(Error::<T>::NoStripes)?;
		ensure!(
			stripes.iter().all(|proof| proof.entry.owner == owner),
			Error::<T>::ManyOwners
		);
		let mut ledger = Ledgers::<T>::get(pg).ok_or(Error::<T>::UnknownBatch)?;
		ensure!(
			batch.stripes <= MAX_RECEIPT_STRIPES,
			Error::<T>::BatchStripes
		);
		ledger
			.peaks
			.newest()
			.verify::<HostBlake2>(number, &batch.leaf::<HostBlake2>(), &path)
			.map_err(|_| Error::<T>::UnknownBatch)?;
		for proof in &stripes {
			verify_entry::<HostBlake2>(&batch, proof.index, &proof.entry, &proof.path)
				.map_err(|_| Error::<T>::NotInBatch)?;
		}
		let mut bytes = 0u64;
		for proof in &stripes {
			let more = proof
				.entry
				.shard_len
				.bytes()
				.map_err(|_| Error::<T>::NotInBatch)?;
			bytes = bytes.checked_add(more).ok_or(Error::<T>::SumOverflow)?;
		}
		let units = logical(bytes).ok_or(Error::<T>::SumOverflow)?;
		let indices: Vec<u32> = stripes.iter().map(|proof| proof.index).collect();
		let allowed = match permission {
			Permission::Account => by.into() == owner,
			Permission::Expired => T::Owners::expired(&owner),
			Permission::Signature(signature) => {
				let payload = release_payload(&Self::genesis()?, pg, number, &indices);
				signature.verify(&payload[..], &AccountId32::new(owner))
			}
		};
		ensure!(allowed, Error::<T>::NotReleasable);

		let mut bits = match ReleasedStripes::<T>::get(pg, number) {
			None => alloc::vec![0; batch.stripes.div_ceil(8) as usize],
			Some(Release::Some(bits)) => bits.into_inner(),
			Some(Release::All { .. }) => return Err(Error::<T>::AlreadyReleased.into()),
		};
		for index in &indices {
			let byte = bits
				.get_mut((index / 8) as usize)
				.ok_or(Error::<T>::NotInBatch)?;
			let bit = 1u8 << (index % 8);
			ensure!(*byte & bit == 0, Error::<T>::AlreadyReleased);
			*byte |= bit;
		}
		let whole = bits == full(batch.stripes);
		let release = match whole {
			true => {
				ledger.released = ledger
					.released
					.checked_add(batch.bytes)
					.ok_or(Error::<T>::SumOverflow)?;
				Ledgers::<T>::insert(pg, ledger);
				Release::All { bytes: batch.bytes }
			}
			false => Release::Some(bits.try_into().map_err(|_| Error::<T>::BatchStripes)?),
		};
		ReleasedStripes::<T>::insert(pg, number, release);
		T::Usage::remove(Service::Arion, &owner, units);
		Self::deposit_event(Event::StripesReleased {
			pg,
			batch: number,
			owner,
			stripes: indices.len() as u32,
			whole,
		});
		Ok(())
	}
}
