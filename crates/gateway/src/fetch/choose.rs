//! Whom to ask.

use crate::peers::Standing;
use fastrand::Rng;
use hippius_primitives::DATA_SHARDS;
use std::time::Duration;

/// A data shard is preferred while it is expected within this many times the best parity shard's
/// time, and the slack given: without it the stripe has to be decoded.
const NEAR_TIE: f64 = 1.5;
/// Those expected within this many times the best one's time are as good as any.
const SIMILAR: f64 = 2.0;
/// One read in so many asks one miner more than needed, to see what became of it.
pub(crate) const EXPLORE_ONE_IN: u32 = 20;

/// A node that may have a shard.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
	/// Its place in the caller's list.
	pub(crate) place: usize,
	/// The shard's slot.
	pub(crate) slot: usize,
	/// Which map names it, newest information first.
	pub(crate) rank: usize,
	/// How the node stands.
	pub(crate) standing: Standing,
	/// When the shard should be here.
	pub(crate) expected: Duration,
}

impl Candidate {
	/// Better classes are emptied before worse ones are touched. A node that only an older or newer
	/// map names may not have the shard, but says so at once, which one that stalls does not.
	fn class(&self) -> (bool, usize, Standing) {
		(self.standing >= Standing::Slow, self.rank, self.standing)
	}
}

/// Up to `count` of the candidates, each of another slot: the best class first; within it data
/// shards as long as they are not clearly slower, then by the power of two choices, so that not all
/// readers run to the same few. Differences below `slack` count for nothing.
pub(crate) fn pick(
	mut pool: Vec<Candidate>,
	count: usize,
	slack: Duration,
	rng: &mut Rng,
) -> Vec<Candidate> {
	let mut picked: Vec<Candidate> = Vec::with_capacity(count);
	pool.sort_by_key(|candidate| (candidate.class(), candidate.expected, candidate.slot));
	while picked.len() < count {
		let Some(best) = pool.first().map(Candidate::class) else {
			break;
		};
		let of_class = pool
			.iter()
			.take_while(|other| other.class() == best)
			.count();
		let class: Vec<Candidate> = pool.drain(..of_class).collect();
		from_class(class, count, slack, rng, &mut picked);
	}
	picked
}

fn from_class(
	class: Vec<Candidate>,
	count: usize,
	slack: Duration,
	rng: &mut Rng,
	picked: &mut Vec<Candidate>,
) {
	let parity = class.iter().find(|other| other.slot >= DATA_SHARDS);
	let limit = parity.map_or(Duration::MAX, |best| {
		best.expected.mul_f64(NEAR_TIE) + slack
	});
	let mut rest = Vec::new();
	let is_new = |picked: &[Candidate], slot| picked.iter().all(|other| other.slot != slot);
	for candidate in class {
		let preferred = candidate.slot < DATA_SHARDS && candidate.expected <= limit;
		if preferred && picked.len() < count && is_new(picked, candidate.slot) {
			picked.push(candidate);
		} else {
			rest.push(candidate);
		}
	}
	while picked.len() < count {
		rest.retain(|other| is_new(picked, other.slot));
		// Sorted by expectation.
		let Some(best) = rest.first() else { return };
		let limit = best.expected.mul_f64(SIMILAR) + slack;
		let similar = rest.partition_point(|other| other.expected <= limit);
		let (a, b) = (rng.usize(..similar), rng.usize(..similar));
		picked.push(rest.remove(a.min(b)));
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use fastrand::Rng;
	use proptest::prelude::*;
	use std::collections::HashSet;

	const SLACK: Duration = Duration::from_millis(5);

	fn candidate(slot: usize, ms: u64, standing: Standing) -> Candidate {
		Candidate {
			place: slot,
			slot,
			rank: 0,
			standing,
			expected: Duration::from_millis(ms),
		}
	}

	fn slots(picked: &[Candidate]) -> Vec<usize> {
		let mut slots: Vec<usize> = picked.iter().map(|candidate| candidate.slot).collect();
		slots.sort_unstable();
		slots
	}

	#[test]
	fn data_shards_win_near_ties() {
		let mut rng = Rng::with_seed(1);
		// Parity is a little faster everywhere.
		let pool = |data: u64| {
			let expected = move |slot| if slot < DATA_SHARDS { data } else { 100 };
			(0..30).map(move |slot| candidate(slot, expected(slot), Standing::Good))
		};
		let picked = pick(pool(140).collect(), 10, SLACK, &mut rng);
		assert_eq!(slots(&picked), (0..10).collect::<Vec<_>>());
		let picked = pick(pool(300).collect(), 10, SLACK, &mut rng);
		assert!(picked.iter().all(|candidate| candidate.slot >= DATA_SHARDS));
	}

	#[test]
	fn slow_ones_come_last_and_each_slot_once() {
		let mut rng = Rng::with_seed(2);
		let mut pool: Vec<_> = (0..30)
			.map(|slot| candidate(slot, 10, Standing::Good))
			.collect();
		pool[3].standing = Standing::Slow;
		pool[4].standing = Standing::Quarantined;
		pool[5].standing = Standing::Unproven;
		let mut moved = candidate(3, 10, Standing::Good);
		moved.rank = 1;
		pool.push(moved);
		let picked = pick(pool.clone(), 10, SLACK, &mut rng);
		assert!(slots(&picked).iter().all(|slot| !(3..6).contains(slot)));
		let all = pick(pool, 40, SLACK, &mut rng);
		assert_eq!(slots(&all), (0..30).collect::<Vec<_>>());
		let order: Vec<usize> = all.iter().map(|candidate| candidate.slot).collect();
		assert_eq!(order[27..], [5, 3, 4]);
		assert_eq!(all[28].rank, 1);
	}

	#[test]
	fn load_spreads_over_those_that_are_alike() {
		let mut rng = Rng::with_seed(3);
		let mut seen = HashSet::new();
		for _ in 0..200 {
			let pool = (10..30).map(|slot| candidate(slot, 20 + slot as u64 % 3, Standing::Good));
			seen.extend(slots(&pick(pool.collect(), 5, SLACK, &mut rng)));
		}
		assert_eq!(seen.len(), 20);
	}

	proptest! {
		#[test]
		fn as_many_as_there_are_slots(
			list in proptest::collection::vec((0usize..30, 0u64..1000, 0u8..5, 0usize..2), 0..60),
			count in 0usize..40,
			seed: u64,
		) {
			let standings = [
				Standing::Good,
				Standing::Unproven,
				Standing::Slow,
				Standing::Down,
				Standing::Quarantined,
			];
			let pool: Vec<_> = list
				.iter()
				.map(|(slot, ms, standing, rank)| Candidate {
					rank: *rank,
					..candidate(*slot, *ms, standings[usize::from(*standing)])
				})
				.collect();
			let distinct: HashSet<usize> = pool.iter().map(|candidate| candidate.slot).collect();
			let picked = pick(pool, count, SLACK, &mut Rng::with_seed(seed));
			let unique: HashSet<usize> = picked.iter().map(|candidate| candidate.slot).collect();
			prop_assert_eq!(unique.len(), picked.len());
			prop_assert_eq!(picked.len(), count.min(distinct.len()));
		}
	}
}
