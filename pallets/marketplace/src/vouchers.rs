//! Payments that came by the payment service: vouchers, maturity, chargebacks.

use crate::{
	settle::AccountOf,
	types::{KeySignatures, Payment, PaymentKeys, PaymentState, PAYMENT_QUORUM},
	Accounts, Config, Error, Event, Keys, Pallet, Payments, RevokedKeys, SourceMinted,
};
use frame_support::{ensure, pallet_prelude::DispatchResult, traits::Defensive};
use frame_system::pallet_prelude::BlockNumberFor;
use hippius_economy::{alpha_for, Funding, Paid};
use hippius_primitives::{
	money::{chargeback_payload, Source, Voucher},
	traits::RevenueSink,
};
use sp_core::ed25519;
use sp_io::hashing::blake2_256;
use sp_runtime::traits::Zero;

impl<T: Config> Pallet<T> {
	/// The hash of block 0.
	pub(crate) fn genesis() -> Result<[u8; 32], Error<T>> {
		let hash = frame_system::BlockHash::<T>::get(BlockNumberFor::<T>::zero());
		ensure!(hash != T::Hash::default(), Error::<T>::NoGenesis);
		hash.as_ref().try_into().map_err(|_| Error::<T>::NoGenesis)
	}

	/// Whether enough of the payment service's keys signed.
	fn check_keys(payload: &[u8], signatures: &KeySignatures) -> Result<(), Error<T>> {
		let keys = Keys::<T>::get();
		for (place, (key, _)) in signatures.iter().enumerate() {
			ensure!(!RevokedKeys::<T>::contains_key(key), Error::<T>::KeyRevoked);
			ensure!(keys.contains(key), Error::<T>::UnknownKey);
			ensure!(
				!signatures.iter().take(place).any(|(other, _)| other == key),
				Error::<T>::DuplicateKey
			);
		}
		ensure!(
			signatures.len() as u32 >= PAYMENT_QUORUM,
			Error::<T>::TooFewSignatures
		);
		for (key, signature) in signatures {
			ensure!(
				sp_io::crypto::ed25519_verify(
					&ed25519::Signature::from_raw(*signature),
					payload,
					&ed25519::Public::from_raw(*key),
				),
				Error::<T>::BadSignature
			);
		}
		Ok(())
	}

	/// Names the payment service's keys anew; those that are no longer among them never count again.
	pub(crate) fn do_set_payment_keys(keys: PaymentKeys) -> DispatchResult {
		for (place, key) in keys.iter().enumerate() {
			ensure!(!RevokedKeys::<T>::contains_key(key), Error::<T>::KeyRevoked);
			ensure!(
				!keys.iter().take(place).any(|other| other == key),
				Error::<T>::DuplicateKey
			);
		}
		for old in Keys::<T>::get() {
			if !keys.contains(&old) {
				RevokedKeys::<T>::insert(old, ());
			}
		}
		Keys::<T>::put(&keys);
		Self::deposit_event(Event::PaymentKeysSet { keys });
		Ok(())
	}

	/// Gives the credits that a voucher is for.
	pub(crate) fn do_redeem(voucher: Voucher, signatures: KeySignatures) -> DispatchResult {
		let config = Self::config();
		let now = Self::now_ms();
		let payload = voucher.payload();
		let hash = blake2_256(&payload);
		ensure!(
			voucher.genesis == Self::genesis()?,
			Error::<T>::WrongGenesis
		);
		if let Some(before) = Payments::<T>::get(voucher.payment) {
			ensure!(before.voucher != hash, Error::<T>::VoucherReplayed);
			return Err(Error::<T>::PaymentUsed.into());
		}
		ensure!(now <= voucher.expires, Error::<T>::VoucherExpired);
		let credits = voucher.credits;
		ensure!(
			credits >= u128::from(config.least_credits),
			Error::<T>::AmountTooSmall
		);
		let day = Self::today();
		let today = |(then, sum): (u64, u128)| match then == day {
			true => sum.saturating_add(credits),
			false => credits,
		};
		let by_source = today(SourceMinted::<T>::get(voucher.source));
		ensure!(by_source <= config.source_cap.into(), Error::<T>::SourceCap);
		let user = T::AccountId::from(voucher.user);
		let before = Accounts::<T>::get(&user).unwrap_or_default();
		ensure!(before.owes == 0, Error::<T>::AccountLocked);
		let by_user = today(before.minted);
		ensure!(by_user <= config.user_cap.into(), Error::<T>::UserCap);
		let price = Self::alpha_price()?;
		let alpha = alpha_for(credits, price).ok_or(Error::<T>::AmountTooLarge)?;
		ensure!(
			Self::spendable(&Self::float()) >= alpha,
			Error::<T>::FloatTooLow
		);
		Self::check_keys(&payload, &signatures)?;

		SourceMinted::<T>::insert(voucher.source, (day, by_source));
		Self::pay(&Self::float(), &Self::escrow(), alpha)?;
		let mut account = Self::settled(&user)?;
		account.minted = (day, by_user);
		let frozen_until = now.saturating_add(config.freeze_ms);
		let reversible = voucher.source == Source::Fiat;
		let funding = match voucher.source {
			Source::Tao => Funding::Tao,
			Source::Fiat => {
				account
					.frozen
					.try_push(voucher.payment)
					.map_err(|_| Error::<T>::TooManyPayments)?;
				Funding::Fiat {
					payment: voucher.payment,
					frozen_until,
				}
			}
		};
		Payments::<T>::insert(
			voucher.payment,
			Payment {
				voucher: hash,
				user: user.clone(),
				alpha,
				reversible,
				frozen_until: if reversible { frozen_until } else { now },
				pending: Default::default(),
				state: match reversible {
					true => PaymentState::Frozen,
					false => PaymentState::Matured,
				},
			},
		);
		Self::deposit_event(Event::VoucherRedeemed {
			who: user.clone(),
			payment: voucher.payment,
			source: voucher.source,
			credits,
			alpha,
		});
		Self::credit(&user, &mut account, credits, alpha, funding)?;
		Self::store(&user, account);
		Ok(())
	}

	/// Pays out what a payment paid for while it was frozen.
	pub(crate) fn do_mature(id: [u8; 32]) -> DispatchResult {
		let mut payment = Payments::<T>::get(id).ok_or(Error::<T>::UnknownPayment)?;
		ensure!(payment.state == PaymentState::Frozen, Error::<T>::NotFrozen);
		ensure!(
			Self::now_ms() >= payment.frozen_until,
			Error::<T>::StillFrozen
		);
		Accounts::<T>::mutate(&payment.user, |account| {
			if let Some(account) = account {
				account.frozen.retain(|other| *other != id);
			}
		});
		Self::pay_pending(id, &mut payment)
	}

	fn pay_pending(id: [u8; 32], payment: &mut Payment<T::AccountId>) -> DispatchResult {
		let alpha = payment.pending_total();
		for (pool, rao) in core::mem::take(&mut payment.pending) {
			if rao > 0 {
				T::Revenue::charge(&Self::escrow(), pool, rao)
					.map_err(|_| Error::<T>::RevenueNotTaken)?;
			}
		}
		payment.state = PaymentState::Matured;
		Payments::<T>::insert(id, &*payment);
		Self::deposit_event(Event::PaymentMatured { payment: id, alpha });
		Ok(())
	}

	/// Matures the account's oldest payment if it is due: one at a time, so that it costs little.
	pub(crate) fn mature_due(account: &mut AccountOf<T>) -> DispatchResult {
		let Some(id) = account.frozen.first().copied() else {
			return Ok(());
		};
		let Some(mut payment) = Payments::<T>::get(id).defensive() else {
			return Ok(());
		};
		if Self::now_ms() < payment.frozen_until {
			return Ok(());
		}
		account.frozen.retain(|other| *other != id);
		Self::pay_pending(id, &mut payment)
	}

	/// Reverses a payment.
	pub(crate) fn do_chargeback(id: [u8; 32], signatures: KeySignatures) -> DispatchResult {
		let known = Payments::<T>::get(id).ok_or(Error::<T>::UnknownPayment)?;
		ensure!(known.reversible, Error::<T>::NotReversible);
		ensure!(
			known.state != PaymentState::Reversed,
			Error::<T>::AlreadyReversed
		);
		Self::check_keys(&chargeback_payload(&Self::genesis()?, &id), &signatures)?;
		let user = known.user;
		// What was used until now is charged to it first.
		let mut account = Self::settled(&user)?;
		let mut payment = Payments::<T>::get(id).ok_or(Error::<T>::UnknownPayment)?;
		let of_it = |funding: &Funding| match funding {
			Funding::Fiat { payment, .. } => *payment == id,
			_ => false,
		};
		let left = account
			.batches
			.iter()
			.filter(|batch| of_it(&batch.funding))
			.fold((0u128, 0u128), |(credits, alpha), batch| {
				(
					credits.saturating_add(batch.credits),
					alpha.saturating_add(batch.alpha),
				)
			});
		account.batches.retain(|batch| !of_it(&batch.funding));
		account.frozen.retain(|other| *other != id);
		let back = Paid {
			alpha: payment.alpha,
			left: left.1,
			pending: payment.pending_total(),
		}
		.reverse(Self::spendable(&Self::reserve()));
		Self::pay(&Self::escrow(), &Self::float(), back.returned)?;
		Self::pay(&Self::reserve(), &Self::float(), back.covered)?;
		payment.pending = Default::default();
		payment.state = PaymentState::Reversed;
		Payments::<T>::insert(id, payment);
		account.owes = account.owes.saturating_add(back.owed);
		if account.credits() < account.locked {
			Self::end_all(&user, &mut account);
		}
		Self::deposit_event(Event::ChargedBack {
			who: user.clone(),
			payment: id,
			credits: left.0,
			returned: back.returned,
			covered: back.covered,
			uncovered: back.uncovered,
			owed: back.owed,
		});
		Self::store(&user, account);
		Ok(())
	}

	/// Pays what is owed for reversed payments, into the reserve.
	pub(crate) fn do_repay(who: T::AccountId) -> DispatchResult {
		let mut account = Self::settled(&who)?;
		ensure!(account.owes > 0, Error::<T>::NothingOwed);
		let alpha = core::mem::take(&mut account.owes);
		Self::take(&who, &Self::reserve(), alpha)?;
		Self::deposit_event(Event::Repaid {
			who: who.clone(),
			alpha,
		});
		Self::store(&who, account);
		Ok(())
	}
}
