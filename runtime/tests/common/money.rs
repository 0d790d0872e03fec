//! A market with prices, and what must hold of money after every block.

use super::{beats, pair, signed, Chain};
use hippius_primitives::money::Pool;
use hippius_runtime::*;
use std::cell::RefCell;

/// Credits per alpha: ten dollars.
pub const ALPHA_PRICE: u128 = 10_000_000;
/// Credits per GB-hour: high, so that a few kilobytes cost something in a block.
pub const PRICE: u128 = 4_000_000_000 << 32;

/// What was seen of money.
#[derive(Clone, Debug, Default)]
pub struct Seen {
	issued: Balance,
	/// Rao deposited, and rao given back.
	pub deposited: u128,
	pub refunded: u128,
	/// Credits and rao charged.
	pub credits: u128,
	pub charged: u128,
	/// Rao per split: the whole and its parts.
	pub splits: Vec<(u128, u128, u128, u128)>,
	/// Charges, so many as there were.
	pub charges: u32,
}

thread_local! {
	static SEEN: RefCell<Seen> = RefCell::default();
}

/// What was seen so far.
pub fn seen() -> Seen {
	SEEN.with_borrow(Seen::clone)
}

/// From now on every block is looked at.
pub fn watch(chain: &mut Chain) {
	SEEN.with_borrow_mut(|seen| {
		*seen = Seen {
			issued: Balances::total_issuance(),
			..Seen::default()
		};
	});
	chain.check = conserved;
}

/// What must hold of money after every block: nothing was made or burnt, each charge was split exactly,
/// every pallet has what it owes (I1 to I7).
pub fn conserved() {
	money_holds();
	SEEN.with_borrow_mut(|seen| {
		assert_eq!(Balances::total_issuance(), seen.issued, "I5");
		for record in System::events() {
			note(seen, record.event);
		}
		let sums = Rewards::totals();
		assert_eq!(sums.revenue, seen.charged, "what was charged came in");
		let out = sums.miners_withdrawn + sums.stakers_withdrawn + sums.treasury_paid;
		let slashed = sums.slash_repair + sums.slash_reporter;
		let in_pots = Balances::free_balance(Rewards::account()) - units::EXISTENTIAL_DEPOSIT;
		assert_eq!(
			sums.revenue,
			out + slashed + in_pots,
			"revenue is paid or held"
		);
	});
}

fn note(seen: &mut Seen, event: RuntimeEvent) {
	use pallet_marketplace::Event as Market;
	use pallet_rewards::Event as Paid;
	match event {
		RuntimeEvent::Marketplace(Market::Deposited { alpha, .. }) => seen.deposited += alpha,
		RuntimeEvent::Marketplace(Market::Refunded { alpha, .. }) => seen.refunded += alpha,
		RuntimeEvent::Marketplace(Market::Charged { alpha, credits, .. }) => {
			seen.charges += 1;
			seen.credits += credits;
			let _ = alpha;
		}
		RuntimeEvent::Rewards(Paid::RevenueSplit {
			amount,
			miners,
			validators,
			treasury,
			..
		}) => {
			assert_eq!(miners, amount * 60 / 100);
			assert_eq!(validators, amount * 30 / 100);
			assert_eq!(miners + validators + treasury, amount, "I2");
			seen.charged += amount;
			seen.splits.push((amount, miners, validators, treasury));
		}
		_ => {}
	}
}

/// The invariants of the three pallets.
pub fn money_holds() {
	Marketplace::do_try_state().unwrap();
	Rewards::do_try_state().unwrap();
	Orders::do_try_state().unwrap();
}

/// A block in which all of these succeed.
pub fn send(chain: &mut Chain, make: impl Fn() -> Vec<UncheckedExtrinsic>) {
	for result in beats::block(chain, make) {
		let events = || System::events().into_iter().map(|record| record.event);
		match result.unwrap() {
			Ok(()) => {}
			Err(error) => panic!("{error:?}: {:#?}", events().collect::<Vec<_>>()),
		}
	}
}

/// A block in which this alone fails; why.
pub fn fails(
	chain: &mut Chain,
	make: impl Fn() -> UncheckedExtrinsic,
) -> sp_runtime::DispatchError {
	let result = beats::block(chain, || vec![make()]).remove(0);
	result.unwrap().unwrap_err()
}

/// By root.
pub fn sudo(call: impl Into<RuntimeCall>) -> UncheckedExtrinsic {
	let call = Box::new(call.into());
	signed(&pair("Alice"), pallet_sudo::Call::sudo { call })
}

/// Sets the price of alpha anew, which counts for an hour.
pub fn tell_price(chain: &mut Chain) {
	let price = ALPHA_PRICE;
	send(chain, || {
		vec![sudo(pallet_marketplace::Call::force_alpha_price { price })]
	});
	assert_eq!(Marketplace::quote(units::ALPHA), Some(price));
}

/// Sets a price, in force when this returns.
pub fn set_price(chain: &mut Chain, pool: Pool, price: u128) {
	send(chain, || {
		let from = System::block_number() + 4;
		vec![sudo(pallet_marketplace::Call::set_price {
			pool,
			price,
			from,
		})]
	});
	chain.until(10, || Marketplace::price(pool) == price);
}

/// Buys credits.
pub fn deposit(chain: &mut Chain, name: &str, alpha: u128) {
	send(chain, || {
		let call = pallet_marketplace::Call::deposit { alpha, least: 0 };
		vec![signed(&pair(name), call)]
	});
}

/// Credits that an account has, as the view function says.
pub fn credits(who: &AccountId) -> u128 {
	Marketplace::standing(who.clone()).map_or(0, |standing| standing.credits)
}

/// The fee of the newest block's only signed transaction.
pub fn fee() -> Balance {
	let fees: Vec<_> = System::events()
		.into_iter()
		.filter_map(|record| match record.event {
			RuntimeEvent::TransactionPayment(
				pallet_transaction_payment::Event::TransactionFeePaid { actual_fee, .. },
			) => Some(actual_fee),
			_ => None,
		})
		.collect();
	assert_eq!(fees.len(), 1);
	fees[0]
}
