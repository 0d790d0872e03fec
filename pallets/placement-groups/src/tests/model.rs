//! Random appends, releases and time against a naive model.

use super::kit::*;
use crate::{ledger::Permission, mock::*, totals::PAGE};
use arion_storage_proof::{
	draw::{Draws, Lane},
	Batch, Blake2, PgLedger, SumTree,
};
use frame_support::assert_ok;
use hippius_primitives::Pg;
use proptest::prelude::*;
use sp_runtime::AccountId32;
use std::collections::{BTreeMap, BTreeSet};

/// Groups of the test; more than one page.
const GROUPS: [Pg; 6] = [0, 1, 63, PAGE - 1, PAGE, 3 * PAGE + 7];

#[derive(Clone, Debug)]
enum Step {
	Append {
		group: usize,
		seed: u8,
		stripes: u32,
	},
	Release {
		group: usize,
		batch: usize,
		stripes: u8,
	},
	Wait(u64),
	Epoch,
}

fn step() -> impl Strategy<Value = Step> {
	prop_oneof![
		4 => (0..GROUPS.len(), any::<u8>(), 1u32..12)
			.prop_map(|(group, seed, stripes)| Step::Append { group, seed, stripes }),
		2 => (0..GROUPS.len(), 0usize..8, any::<u8>())
			.prop_map(|(group, batch, stripes)| Step::Release { group, batch, stripes }),
		3 => (1u64..13).prop_map(Step::Wait),
		1 => Just(Step::Epoch),
	]
}

/// Everything, kept plainly.
#[derive(Default)]
struct Model {
	/// Period of the append, tree; per group in order.
	ledgers: BTreeMap<Pg, Vec<(u64, SumTree)>>,
	released: BTreeSet<(Pg, u64, u32)>,
}

impl Model {
	fn seen(&self, pg: Pg, period: u64) -> Vec<Batch> {
		let ledger = self.ledgers.get(&pg).into_iter().flatten();
		ledger
			.filter(|(appended, _)| appended + 2 <= period)
			.map(|(_, tree)| tree.batch())
			.collect()
	}

	/// Every byte of the total in order would be too many: the group of one of them.
	fn locate(&self, offset: u64, period: u64) -> Option<(Pg, u64)> {
		let mut rest = offset;
		for pg in self.ledgers.keys() {
			let bytes: u64 = self.seen(*pg, period).iter().map(|batch| batch.bytes).sum();
			if rest < bytes {
				return Some((*pg, rest));
			}
			rest -= bytes;
		}
		None
	}

	fn check(&self, period: u64, seed: u8) {
		let total: u64 = self
			.ledgers
			.keys()
			.flat_map(|pg| self.seen(*pg, period))
			.map(|batch| batch.bytes)
			.sum();
		assert_eq!(Groups::total_bytes(), total);
		assert_eq!(Groups::locate(total), None);
		for pg in GROUPS {
			let seen = self.seen(pg, period);
			let expected = (!seen.is_empty()).then(|| mmr(&seen).peaks().clone());
			assert_eq!(Groups::peaks(pg), expected);
			let whole: u64 = self
				.ledgers
				.get(&pg)
				.into_iter()
				.flatten()
				.enumerate()
				.filter(|(at, (_, tree))| {
					let all = tree.batch().stripes;
					(0..all).all(|s| self.released.contains(&(pg, *at as u64, s)))
				})
				.map(|(_, (_, tree))| tree.batch().bytes)
				.sum();
			let bytes: u64 = seen.iter().map(|batch| batch.bytes).sum();
			assert_eq!(Groups::live_bytes(pg), bytes.saturating_sub(whole));
			for batch in 0..4u64 {
				let ledger = self.ledgers.get(&pg);
				let there = ledger.and_then(|ledger| ledger.get(batch as usize));
				// Of a batch that is there, all stripes it has.
				let stripes = there.map_or(12, |(_, tree)| tree.batch().stripes);
				for stripe in 0..stripes {
					let gone = self.released.contains(&(pg, batch, stripe));
					assert_eq!(Groups::released(pg, batch, stripe), gone);
				}
			}
		}
		// The draws of a block lead to the same bytes.
		let draws = Draws {
			randomness: [seed; 32],
			block: 7,
		};
		for draw in 0..8 {
			let native = draws.byte::<Blake2>(draw, Groups::total_bytes());
			assert_eq!(native.is_none(), total == 0);
			let Some(byte) = native else { continue };
			assert_eq!(
				byte.offset,
				draws.below::<Blake2>(Lane::Bytes, draw, 0, total)
			);
			let found = Groups::locate(byte.offset);
			assert_eq!(found, self.locate(byte.offset, period));
			let (pg, offset) = found.unwrap();
			// And name a stripe that its holders know.
			let seen = self.seen(pg, period);
			let (batch, start) = mmr(&seen).locate(offset).unwrap();
			let (_, tree) = &self.ledgers[&pg][batch as usize];
			assert!(tree.locate(offset - start).is_some());
		}
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(12))]

	#[test]
	fn the_ledger_is_the_naive_one(steps in proptest::collection::vec(step(), 1..30)) {
		build_and_execute(|| {
			let publish = |epoch: u32, nodes| {
				let mut map = map(epoch, nodes);
				map.pg_num = 512;
				Maps::publish_blob(epoch, codec::Encode::encode(&map));
			};
			publish(1, 60);
			let (mut epoch, mut period, mut since) = (1u32, 0u64, 0u64);
			let mut model = Model::default();
			for step in steps {
				match step {
					Step::Append { group, seed, stripes } => {
						let pg = GROUPS[group];
						let tree = tree(seed, stripes);
						let known = model.ledgers.entry(pg).or_default();
						if known.iter().all(|(_, old)| old.batch() != tree.batch()) {
							assert_ok!(append_held_by(pg, epoch, &tree, 20 + group));
							known.push((period, tree));
						}
					}
					Step::Release { group, batch, stripes } => {
						let pg = GROUPS[group];
						let Some(ledger) = model.ledgers.get(&pg) else { continue };
						let Some((_, tree)) = ledger.get(batch) else { continue };
						let batches: Vec<_> = ledger.iter().map(|(_, tree)| tree.batch()).collect();
						let path = mmr(&batches).prove(batch as u64).unwrap();
						// Everything of one owner that is left, or what the bits say.
						for owner in [1u8, 2] {
							let mine: Vec<u32> = (0u32..)
								.zip(tree.entries())
								.filter(|(at, entry)| {
									entry.owner == [owner; 32]
										&& (stripes > 127 || stripes >> (at % 7) & 1 == 1)
										&& !model.released.contains(&(pg, batch as u64, *at))
								})
								.map(|(at, _)| at)
								.collect();
							if mine.is_empty() {
								continue;
							}
							assert_ok!(Groups::release(
								RuntimeOrigin::signed(AccountId32::new([owner; 32])),
								pg,
								batch as u64,
								tree.batch(),
								path.clone().try_into().unwrap(),
								proofs(tree, &mine),
								Permission::Account,
							));
							model.released.extend(mine.iter().map(|at| (pg, batch as u64, *at)));
						}
					}
					Step::Wait(blocks) => {
						for _ in 0..blocks {
							let now = System::block_number() + 1;
							run_to(now);
							if now - since >= PERIOD {
								(period, since) = (period + 1, now);
							}
						}
					}
					Step::Epoch => {
						epoch += 1;
						publish(epoch, 60 + 6 * (epoch % 3));
					}
				}
				Groups::do_try_state().unwrap();
				model.check(period, epoch as u8);
			}
		});
	}
}
