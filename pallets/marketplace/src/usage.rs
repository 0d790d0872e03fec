//! What is used: told by the pallets that keep the books of it, and by receipts of clients.

use crate::{
	settle::AccountOf,
	types::{Grant, Receipts, Status},
	Accounts, Config, EgressSeen, Error, Event, Pallet, Prices,
};
use alloc::vec::Vec;
use frame_support::{
	defensive, ensure,
	pallet_prelude::DispatchResult,
	storage::{with_storage_layer, with_transaction, TransactionOutcome},
};
use hippius_economy::index::{in_force, index_at, once};
use hippius_primitives::{
	money::{EgressReceipt, Service},
	traits::{ClusterMaps, StorageOwners, UsageMeter, UsageRefused},
};
use sp_io::hashing::blake2_256;
use sp_runtime::{traits::Verify, AccountId32, DispatchError};

impl<T: Config> Pallet<T> {
	/// Lets a gateway add and charge for the account, up to limits; replaces what it could before.
	pub(crate) fn do_authorize(
		who: T::AccountId,
		gateway: T::AccountId,
		grant: Grant,
	) -> DispatchResult {
		ensure!(grant.until >= Self::block(), Error::<T>::GrantExpired);
		let mut account = Accounts::<T>::get(&who).ok_or(Error::<T>::NoAccount)?;
		account.gateways.retain(|(other, _)| *other != gateway);
		account
			.gateways
			.try_push((gateway.clone(), grant))
			.map_err(|_| Error::<T>::TooManyGateways)?;
		Accounts::<T>::insert(&who, account);
		Self::deposit_event(Event::GatewayAuthorised {
			who,
			gateway,
			grant,
		});
		Ok(())
	}

	/// Takes back what a gateway may.
	pub(crate) fn do_revoke(who: T::AccountId, gateway: T::AccountId) -> DispatchResult {
		let mut account = Accounts::<T>::get(&who).ok_or(Error::<T>::NoAccount)?;
		let before = account.gateways.len();
		account.gateways.retain(|(other, _)| *other != gateway);
		ensure!(account.gateways.len() < before, Error::<T>::NotAuthorised);
		Self::store(&who, account);
		Self::deposit_event(Event::GatewayRevoked { who, gateway });
		Ok(())
	}

	/// What `by` may do for the account: anything for its own.
	fn grant<'a>(
		account: &'a mut AccountOf<T>,
		by: &T::AccountId,
	) -> Result<&'a mut Grant, Error<T>> {
		let now = Self::block();
		account
			.gateways
			.iter_mut()
			.find(|(gateway, grant)| gateway == by && grant.until >= now)
			.map(|(_, grant)| grant)
			.ok_or(Error::<T>::NotAuthorised)
	}

	fn do_add(
		service: Service,
		owner: &T::AccountId,
		by: &T::AccountId,
		units: u64,
	) -> Result<(), DispatchError> {
		let mut account = Self::settled(owner)?;
		ensure!(
			account.owes == 0 && !matches!(account.status, Status::Expired { .. }),
			Error::<T>::AccountLocked
		);
		if owner != by {
			let grant = Self::grant(&mut account, by)?;
			grant.units = grant
				.units
				.checked_sub(units)
				.ok_or(Error::<T>::NotAuthorised)?;
		}
		Self::close_gap(owner, &mut account, service)?;
		let index = index_at(&Prices::<T>::get(service.held()), Self::block());
		let line = Self::line(&mut account, service.held())?;
		if line.meter.units == 0 {
			// Where nothing was held nothing is charged.
			line.meter.index = index;
		}
		line.meter.units = line
			.meter
			.units
			.checked_add(units)
			.ok_or(Error::<T>::AmountTooLarge)?;
		ensure!(Self::solvent(&account), Error::<T>::BelowFloor);
		Self::store(owner, account);
		Ok(())
	}

	fn do_remove(service: Service, owner: &T::AccountId, units: u64) -> DispatchResult {
		let mut account = Self::settled(owner)?;
		Self::close_gap(owner, &mut account, service)?;
		let line = Self::line(&mut account, service.held())?;
		line.meter.units = line.meter.units.saturating_sub(units);
		Self::store(owner, account);
		Ok(())
	}

	/// Charges clients for what they say they received.
	pub(crate) fn do_post_egress(gateway: T::AccountId, receipts: Receipts) -> DispatchResult {
		let genesis = Self::genesis()?;
		for signed in receipts {
			let receipt = signed.receipt;
			ensure!(receipt.genesis == genesis, Error::<T>::WrongGenesis);
			ensure!(
				receipt.gateway == gateway.clone().into(),
				Error::<T>::OtherGateway
			);
			let current = T::Maps::current_epoch();
			ensure!(
				receipt.epoch <= current && receipt.epoch.saturating_add(1) >= current,
				Error::<T>::EpochNotOpen
			);
			let client = AccountId32::new(receipt.client);
			ensure!(
				signed.signature.verify(&receipt.payload()[..], &client),
				Error::<T>::BadSignature
			);
			Self::charge_egress(&gateway, &receipt)?;
		}
		Ok(())
	}

	fn charge_egress(gateway: &T::AccountId, receipt: &EgressReceipt) -> DispatchResult {
		let key = egress_key(receipt);
		let seen = EgressSeen::<T>::get(receipt.epoch, key);
		// Only the highest counts, so none counts twice.
		let bytes = receipt
			.bytes
			.checked_sub(seen)
			.filter(|bytes| *bytes > 0)
			.ok_or(Error::<T>::ReceiptNotHigher)?;
		let client = T::AccountId::from(receipt.client);
		let pool = receipt.service.egress();
		let price = in_force(&Prices::<T>::get(pool), Self::block()).price;
		let mut account = Self::settled(&client)?;
		ensure!(account.owes == 0, Error::<T>::AccountLocked);
		let line = Self::line(&mut account, pool)?;
		let credits = once(bytes, price, &mut line.meter.rest);
		if client != *gateway {
			let grant = Self::grant(&mut account, gateway)?;
			grant.credits = grant
				.credits
				.checked_sub(credits)
				.ok_or(Error::<T>::NotAuthorised)?;
		}
		ensure!(
			account.debt() == 0 && account.available() >= credits,
			Error::<T>::NotEnoughCredits
		);
		EgressSeen::<T>::insert(receipt.epoch, key, receipt.bytes);
		Self::spend(&client, &mut account, pool, credits, Some(receipt.node))?;
		Self::store(&client, account);
		Self::deposit_event(Event::EgressCharged {
			client,
			gateway: gateway.clone(),
			service: receipt.service,
			node: receipt.node,
			bytes,
			credits,
		});
		Ok(())
	}

	/// Forgets receipts of epochs whose receipts no longer count: at most 32 at a time.
	pub(crate) fn forget_receipts() {
		let Some(oldest) = T::Maps::current_epoch().checked_sub(2) else {
			return;
		};
		let next = crate::EgressFrom::<T>::get();
		if next > oldest {
			return;
		}
		let done = EgressSeen::<T>::clear_prefix(next, 32, None);
		if done.maybe_cursor.is_none() {
			crate::EgressFrom::<T>::put(next.saturating_add(1));
		}
	}
}

/// By what receipts of one client, gateway, service and node are counted together.
fn egress_key(receipt: &EgressReceipt) -> [u8; 32] {
	let mut bytes = Vec::with_capacity(72);
	bytes.extend_from_slice(&receipt.client);
	bytes.extend_from_slice(&receipt.gateway);
	bytes.push(receipt.service as u8);
	bytes.extend_from_slice(&receipt.node.to_le_bytes());
	blake2_256(&bytes)
}

impl<T: Config> UsageMeter for Pallet<T> {
	fn add(
		service: Service,
		owner: &[u8; 32],
		by: &[u8; 32],
		units: u64,
	) -> Result<(), UsageRefused> {
		let (owner, by) = (T::AccountId::from(*owner), T::AccountId::from(*by));
		with_storage_layer(|| Self::do_add(service, &owner, &by, units)).map_err(|error| {
			let is = |known: Error<T>| error == known.into();
			match () {
				() if is(Error::<T>::AccountLocked) => UsageRefused::Locked,
				() if is(Error::<T>::NotAuthorised) => UsageRefused::NotAuthorised,
				() if is(Error::<T>::AmountTooLarge) => UsageRefused::TooMuch,
				() => UsageRefused::NoFunds,
			}
		})
	}

	fn can_add(
		service: Service,
		owner: &[u8; 32],
		by: &[u8; 32],
		units: u64,
	) -> Result<(), UsageRefused> {
		// What adding would charge and change is taken back.
		with_transaction(|| {
			let answer = <Self as UsageMeter>::add(service, owner, by, units);
			TransactionOutcome::Rollback(Ok::<_, DispatchError>(answer))
		})
		// Refused where layers of storage are too deep, as adding is.
		.unwrap_or(Err(UsageRefused::NoFunds))
	}

	fn remove(service: Service, owner: &[u8; 32], units: u64) {
		let owner = T::AccountId::from(*owner);
		if let Err(error) = with_storage_layer(|| Self::do_remove(service, &owner, units)) {
			// What is charged could not be moved: the accounts of this pallet are broken.
			defensive!("usage not removed", error);
			Self::deposit_event(Event::SettlementFailed { who: owner, error });
		}
	}
}

impl<T: Config> StorageOwners for Pallet<T> {
	fn expired(owner: &[u8; 32]) -> bool {
		Accounts::<T>::get(T::AccountId::from(*owner))
			.is_some_and(|account| matches!(account.status, Status::Expired { .. }))
	}
}
