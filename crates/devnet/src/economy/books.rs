//! The sums, from events and from the chain's own books, and whether both agree.

use crate::report::{ClientBill, EconomyReport, Pots, Withdrawn};
use hippius_chain_client::{
	money::{MoneyEvent, RevenueTotals},
	ChainError, ChainView,
};
use hippius_primitives::NodeIndex;
use std::collections::BTreeSet;

/// The chain's books at one block. Amounts are in rao.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Snapshot {
	/// The block.
	pub(super) block: u32,
	/// What is behind credits.
	pub(super) escrow: u128,
	/// What was charged and not withdrawn.
	pub(super) rewards: u128,
	/// All there is.
	pub(super) issuance: u128,
	/// Sums since the beginning.
	pub(super) totals: RevenueTotals,
}

impl Snapshot {
	pub(super) async fn read(view: &ChainView) -> Result<Self, ChainError> {
		let [escrow, _, _] = view.market_accounts().await?;
		Ok(Self {
			block: view.number(),
			escrow: view.free_balance(escrow).await?,
			rewards: view.free_balance(view.rewards_account()?).await?,
			issuance: view.total_issuance().await?,
			totals: view.revenue().await?,
		})
	}
}

/// Whom it is about.
#[derive(Clone, Debug, Default)]
pub(super) struct Cast {
	pub(super) buyer: [u8; 32],
	/// Those who stake and do not validate.
	pub(super) nominators: BTreeSet<[u8; 32]>,
}

/// What events told since a block. Amounts are in rao.
#[derive(Clone, Debug, Default)]
pub(super) struct Flows {
	pub(super) before: Snapshot,
	cast: Cast,
	paid_in: u128,
	split: [u128; 3],
	unfair: u64,
	charges: u64,
	out: Withdrawn,
	client: ClientBill,
	/// Eras in which the client was charged.
	pub(super) client_eras: BTreeSet<u32>,
	/// Eras of which pages were paid to miners.
	pub(super) eras_paid: BTreeSet<u32>,
	/// Eras of staking whose pot was frozen.
	pub(super) staker_eras: BTreeSet<u32>,
	miners: BTreeSet<NodeIndex>,
	stakers: BTreeSet<[u8; 32]>,
}

/// The parts a charge must be split into.
fn parts(amount: u128) -> [u128; 3] {
	let (miners, validators) = (amount * 6 / 10, amount * 3 / 10);
	[miners, validators, amount - miners - validators]
}

impl Flows {
	pub(super) fn new(before: Snapshot, cast: Cast) -> Self {
		Self {
			before,
			cast,
			..Self::default()
		}
	}

	/// Writes down an event of a block in this era of pay.
	pub(super) fn see(&mut self, event: MoneyEvent, era: u32) {
		match event {
			MoneyEvent::Deposited { alpha, .. } => self.paid_in += alpha,
			MoneyEvent::Refunded { alpha, .. } => self.out.refunds += alpha,
			MoneyEvent::Charged {
				who,
				credits,
				alpha,
				..
			} if who == self.cast.buyer && alpha > 0 => {
				self.client.charges += 1;
				self.client.credits += credits;
				self.client.rao += alpha;
				self.client_eras.insert(era);
			}
			MoneyEvent::RevenueSplit {
				amount,
				miners,
				validators,
				treasury,
				..
			} => {
				self.charges += 1;
				let split = [miners, validators, treasury];
				self.unfair += u64::from(split != parts(amount));
				for (sum, part) in self.split.iter_mut().zip(split) {
					*sum += part;
				}
			}
			MoneyEvent::PagePaid { era, amount, .. } if amount > 0 => {
				self.eras_paid.insert(era);
			}
			MoneyEvent::StakerEraFrozen { era, .. } => {
				self.staker_eras.insert(era);
			}
			MoneyEvent::Withdrawn { node, amount, .. } => {
				self.out.miners += amount;
				self.miners.insert(node);
			}
			MoneyEvent::StakeWithdrawn { who, amount } => {
				match self.cast.nominators.contains(&who) {
					true => self.out.nominators += amount,
					false => self.out.validators += amount,
				}
				self.stakers.insert(who);
			}
			MoneyEvent::TreasuryPaid { amount } => self.out.treasury += amount,
			_ => (),
		}
	}

	/// What it comes to at a later block, up to which all events were seen.
	pub(super) fn settle(&self, after: &Snapshot, bytes: u64) -> EconomyReport {
		let (a, b) = (&self.before, after);
		let [miners, validators, treasury] = self.split;
		let revenue = miners + validators + treasury;
		let out = &self.out;
		let withdrawn = out.miners + out.validators + out.nominators + out.treasury;
		let pots = Pots {
			miners,
			validators,
			treasury,
			held: b.escrow.saturating_sub(a.escrow),
		};
		let since = |of: fn(&RevenueTotals) -> u128| of(&b.totals).saturating_sub(of(&a.totals));
		let checks = [
			(
				"what was paid in is the parts, refunds, and what is behind credits that are left",
				self.paid_in + a.escrow == revenue + out.refunds + b.escrow,
			),
			(
				"what was charged is what was withdrawn and what is left in the pots",
				a.rewards + revenue == withdrawn + b.rewards,
			),
			(
				"the chain's own sums are those of its events",
				since(|t| t.revenue) == revenue
					&& since(|t| t.miners) == miners
					&& since(|t| t.validators) == validators
					&& since(|t| t.treasury) == treasury
					&& since(|t| t.miners_withdrawn) == out.miners
					&& since(|t| t.stakers_withdrawn) == out.validators + out.nominators
					&& since(|t| t.treasury_paid) == out.treasury,
			),
			("nothing was minted or burned", a.issuance == b.issuance),
			(
				"each charge was split 60/30/10",
				self.unfair == 0 && self.charges > 0,
			),
			(
				"miners, validators, nominators and the treasury were paid",
				out.miners > 0 && out.validators > 0 && out.nominators > 0 && out.treasury > 0,
			),
		];
		let nominators = self.stakers.intersection(&self.cast.nominators).count();
		let count = |many: usize| u32::try_from(many).unwrap_or(u32::MAX);
		EconomyReport {
			paid_in: self.paid_in,
			pots,
			out: self.out,
			unpaid: b.rewards.saturating_sub(a.rewards),
			conserved: checks.iter().take(4).all(|(_, holds)| *holds),
			split_exact: self.unfair == 0 && self.charges > 0,
			faults: checks
				.iter()
				.filter(|(_, holds)| !holds)
				.map(|(what, _)| format!("not so: {what}"))
				.collect(),
			charges: self.charges,
			client: ClientBill {
				bytes,
				eras: count(self.client_eras.len()),
				..self.client
			},
			eras_paid: count(self.eras_paid.len()),
			payees: [
				count(self.miners.len()),
				count(self.stakers.len() - nominators),
				count(nominators),
			],
			blocks: [a.block, b.block],
			seconds: 0.0,
		}
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use hippius_primitives::money::Service;

	const BUYER: [u8; 32] = [1; 32];
	const STAKER: [u8; 32] = [2; 32];
	const VALIDATOR: [u8; 32] = [3; 32];

	fn charge(amount: u128) -> [MoneyEvent; 2] {
		let [miners, validators, treasury] = parts(amount);
		let pool = Service::Arion.held();
		[
			MoneyEvent::RevenueSplit {
				pool,
				amount,
				miners,
				validators,
				treasury,
			},
			MoneyEvent::Charged {
				who: BUYER,
				pool,
				credits: amount / 100,
				alpha: amount,
				pending: 0,
			},
		]
	}

	/// 1000 paid in, 107 charged in two eras, some of it withdrawn.
	fn story() -> (Flows, Snapshot) {
		let before = Snapshot {
			block: 10,
			escrow: 500,
			rewards: 500,
			issuance: 10_000,
			totals: RevenueTotals::default(),
		};
		let cast = Cast {
			buyer: BUYER,
			nominators: [STAKER].into(),
		};
		let mut flows = Flows::new(before, cast);
		let events = [MoneyEvent::Deposited {
			who: BUYER,
			alpha: 1_000,
			credits: 10,
			price: 10,
		}];
		let events = events.into_iter().chain(charge(7)).chain(charge(100));
		let paid = [
			MoneyEvent::Withdrawn {
				node: 4,
				family: [9; 32],
				amount: 50,
			},
			MoneyEvent::StakeWithdrawn {
				who: STAKER,
				amount: 10,
			},
			MoneyEvent::StakeWithdrawn {
				who: VALIDATOR,
				amount: 12,
			},
			MoneyEvent::TreasuryPaid { amount: 11 },
		];
		for (era, event) in (0..).zip(events.chain(paid)) {
			flows.see(event, era / 3);
		}
		let after = Snapshot {
			block: 20,
			escrow: 500 + 893,
			rewards: 500 + 107 - 83,
			issuance: 10_000,
			totals: RevenueTotals {
				revenue: 107,
				miners: 64,
				validators: 32,
				treasury: 11,
				miners_withdrawn: 50,
				stakers_withdrawn: 22,
				treasury_paid: 11,
				..RevenueTotals::default()
			},
		};
		(flows, after)
	}

	#[test]
	fn odd_charges_are_split_to_the_last_rao() {
		for (amount, split) in [
			(0, [0, 0, 0]),
			(1, [0, 0, 1]),
			(5, [3, 1, 1]),
			(6, [3, 1, 2]),
			(7, [4, 2, 1]),
			(10, [6, 3, 1]),
			(19_200_000, [11_520_000, 5_760_000, 1_920_000]),
		] {
			assert_eq!(parts(amount), split);
		}
	}

	#[test]
	fn what_adds_up_is_conserved() {
		let (flows, after) = story();
		let report = flows.settle(&after, 99);
		assert_eq!(report.faults, Vec::<String>::new());
		assert!(report.conserved && report.split_exact);
		let pots = report.pots;
		assert_eq!(
			(pots.miners, pots.validators, pots.treasury, pots.held),
			(64, 32, 11, 893)
		);
		assert_eq!(
			report.paid_in,
			pots.miners + pots.validators + pots.treasury + pots.held
		);
		assert_eq!(report.unpaid, 24);
		assert_eq!((report.client.rao, report.client.charges), (107, 2));
		assert_eq!((report.client.bytes, report.client.eras), (99, 2));
		assert_eq!(report.payees, [1, 1, 1]);
		let json = serde_json::to_value(&report).unwrap();
		assert_eq!(json["in"], 1_000);
		assert_eq!(json["pots"]["held"], 893);
	}

	#[test]
	fn one_rao_too_few_or_too_many_is_a_fault() {
		let edits: [fn(&mut Snapshot); 5] = [
			|s| s.escrow -= 1,
			|s| s.rewards += 1,
			|s| s.issuance += 1,
			|s| s.totals.miners += 1,
			|s| s.totals.stakers_withdrawn -= 1,
		];
		for edit in edits {
			let (flows, mut after) = story();
			edit(&mut after);
			let report = flows.settle(&after, 0);
			assert!(!report.conserved && report.faults.len() == 1, "{report:?}");
		}
		let (mut flows, mut after) = story();
		flows.see(
			MoneyEvent::RevenueSplit {
				pool: Service::Arion.held(),
				amount: 10,
				miners: 5,
				validators: 4,
				treasury: 1,
			},
			0,
		);
		after.escrow -= 10;
		after.rewards += 10;
		after.totals.revenue += 10;
		after.totals.miners += 5;
		after.totals.validators += 4;
		after.totals.treasury += 1;
		let report = flows.settle(&after, 0);
		assert!(report.conserved && !report.split_exact && report.faults.len() == 1);
	}
}
