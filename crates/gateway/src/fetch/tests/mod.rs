//! Gathering against simulated miners, in simulated time: every case runs the same each time.

#![allow(clippy::unwrap_used)]

mod sim;

use super::SlotRange;
use crate::{error::GetError, peers::Standing};
use hippius_primitives::TOTAL_SHARDS;
use sim::{key, Manner, World, MIB, USUAL};
use std::time::Duration;
use tokio::time::Instant;

/// What a read takes when all is well.
const USUAL_TIME: Duration = Duration::from_millis(73);

fn ms(ms: u64) -> Duration {
	Duration::from_millis(ms)
}

#[tokio::test(start_paused = true)]
async fn a_healthy_read_asks_ten_data_shards_and_little_else() {
	let mut world = World::new(|_| {});
	for _ in 0..100 {
		let wanted = world.stripe();
		let gathered = world.fetcher.gather(&wanted).await.unwrap();
		assert!((0..10).all(|slot| gathered.get(slot, &(0..MIB)).is_some()));
	}
	let (needed, fetched) = (1000 * MIB as u64, world.metrics.shard_bytes_fetched.get());
	assert!(fetched >= needed);
	assert!(fetched as f64 / needed as f64 <= 1.15, "{fetched}");
	assert_eq!(fetched - needed, world.metrics.wasted_bytes.get());
	assert_eq!(world.metrics.hedged_requests.get(), 0);
	// Now and then one is asked just to know it.
	let probes = world.metrics.probe_requests.get();
	assert!((1..=15).contains(&probes), "{probes}");
	assert_eq!(world.outstanding(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_first_stall_is_passed_by_and_the_second_avoided() {
	let mut world = World::new(|_| {});
	let wanted = world.stripe();
	let bad = world.holder(&wanted, 4);
	world.set([bad], Manner::StallsAfter(0));
	// Nothing is known of anybody, but its nine siblings tell.
	assert!(world.read(&wanted).await <= ms(300));
	assert_eq!(world.metrics.hedged_requests.get(), 1);
	assert_eq!(world.peers.standing(&key(bad)), Standing::Slow);
	assert_eq!(world.metrics.wasted_bytes.get(), 0);
	for _ in 0..20 {
		let wanted = world.stripe();
		assert!(world.read(&wanted).await <= USUAL_TIME);
	}
}

#[tokio::test(start_paused = true)]
async fn with_five_of_thirty_stalled_reads_stay_fast_and_cheap() {
	let mut world = World::new(|_| {});
	let healthy = world.read_many(300).await;
	let before = world.metrics.wasted_bytes.get();
	let spare = world.fetcher.budget_left();
	world.set([1, 8, 13, 22, 27], Manner::StallsAfter(0));
	let stalled = world.read_many(1000).await;
	let p99 = |times: &[Duration]| times[times.len() * 99 / 100];
	let ratio = p99(&stalled).as_secs_f64() / p99(&healthy).as_secs_f64();
	assert!(ratio <= 1.3, "{ratio}: {:?}", &stalled[980..]);
	assert!(stalled[999] <= ms(400), "{:?}", stalled[999]);
	let wasted = world.metrics.wasted_bytes.get() - before;
	assert!(wasted <= spare + 10_000 * MIB as u64 / 5, "{wasted}");
	assert!(wasted <= 10_000 * MIB as u64 / 20, "{wasted}");
}

#[tokio::test(start_paused = true)]
async fn twenty_that_fall_silent_are_got_over_in_two_rounds() {
	let mut world = World::new(|_| {});
	let wanted = world.stripe();
	world.set(0..20, Manner::StallsAfter(0));
	// Ten are asked, then all others, as most of those are silent.
	let took = world.read(&wanted).await;
	assert!(took <= world.fetcher.patience * 6, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn those_that_stall_half_way_are_noticed_too() {
	let mut world = World::new(|_| {});
	world.read_many(20).await;
	world.set([1, 8, 13, 22, 27], Manner::StallsAfter(MIB as u64 / 2));
	let times = world.read_many(200).await;
	assert!(times[190] <= USUAL_TIME, "{:?}", &times[190..]);
	assert!(times[199] <= ms(500), "{:?}", &times[190..]);
	// What they sent was for nothing, and is within what may be.
	assert!(world.metrics.wasted_bytes.get() <= (16 + 220 * 2) * MIB as u64);
}

#[tokio::test(start_paused = true)]
async fn a_lie_costs_its_sender_the_trust_and_the_reader_little() {
	let mut world = World::new(|_| {});
	world.read_many(20).await;
	let wanted = world.stripe();
	let liar = world.holder(&wanted, 0);
	world.set([liar], Manner::Lies(ms(30)));
	assert_eq!(world.read(&wanted).await, ms(30) + USUAL_TIME);
	assert_eq!(world.peers.standing(&key(liar)), Standing::Quarantined);
	assert_eq!(world.metrics.hedged_requests.get(), 0, "not charged");
	world.log();
	world.read_many(50).await;
	assert!(world.log().asked.iter().all(|(node, _)| *node != key(liar)));
}

#[tokio::test(start_paused = true)]
async fn an_empty_budget_leaves_only_real_stalls_to_be_replaced() {
	let mut world = World::new(|config| config.hedge_percent = 0);
	world.read_many(20).await;
	let wanted = world.stripe();
	let bad = world.holder(&wanted, 2);
	world.set([bad], Manner::StallsAfter(MIB as u64 / 4));
	let took = world.read(&wanted).await;
	assert!((ms(250)..ms(600)).contains(&took), "{took:?}");
	let metrics = &world.metrics;
	assert_eq!(metrics.hedged_requests.get(), 0);
	assert!(metrics.hedges_refused.get() > 0);
	assert_eq!(metrics.stalled_requests.get(), 1);
	assert_eq!(world.fetcher.budget_left(), 0);
	assert!(world.read_many(20).await[19] <= USUAL_TIME);
}

#[tokio::test(start_paused = true)]
async fn ten_are_enough_and_nine_are_not() {
	let mut world = World::new(|_| {});
	world.set(0..20, Manner::Gone);
	let wanted = world.stripe();
	assert!(world.read(&wanted).await <= USUAL_TIME);
	world.set([20], Manner::Lacks);
	let wanted = world.stripe();
	match world.fetcher.gather(&wanted).await {
		Err(GetError::NotEnoughShards {
			have: 9,
			missing: 21,
			silent: 20,
			..
		}) => {}
		other => panic!("{other:?}"),
	}
	world.set(0..30, Manner::Gone);
	let start = Instant::now();
	match world.fetcher.gather(&wanted).await {
		Err(GetError::NotEnoughShards {
			have: 0,
			missing: 30,
			silent: 30,
			..
		}) => {}
		other => panic!("{other:?}"),
	}
	assert!(start.elapsed() < ms(10), "known at once");
	assert_eq!(world.outstanding(), 0);
}

#[tokio::test(start_paused = true)]
async fn when_all_stall_the_read_ends_in_time() {
	let mut world = World::new(|_| {});
	world.set(0..30, Manner::StallsAfter(0));
	let wanted = world.stripe();
	let start = Instant::now();
	match world.fetcher.gather(&wanted).await {
		Err(GetError::TooSlow { have: 0, .. }) => {}
		other => panic!("{other:?}"),
	}
	assert_eq!(start.elapsed(), Duration::from_secs(30));
	// Twenty that stall are not too many.
	world.set(0..10, USUAL);
	tokio::time::sleep(Duration::from_secs(100)).await;
	let wanted = world.stripe();
	assert!(world.read(&wanted).await < Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn slow_miners_are_left_to_others_once_known() {
	let mut world = World::new(|_| {});
	world.set([3, 14], Manner::Sends(ms(400), 20e6));
	world.set([5], Manner::Sends(ms(20), 3e6));
	world.read_many(100).await;
	world.log();
	let times = world.read_many(100).await;
	assert!(times[98] <= USUAL_TIME, "{:?}", &times[95..]);
	let slow = [key(3), key(14), key(5)];
	let asked = world.log().asked;
	let slow = asked.iter().filter(|(node, _)| slow.contains(node)).count();
	// Tried now and then, which is how they would come back.
	assert!(slow <= 30, "{slow} of {}", asked.len());
}

#[tokio::test(start_paused = true)]
async fn one_that_recovers_is_found_out_by_a_probe() {
	let mut world = World::new(|_| {});
	world.set([6], Manner::StallsAfter(0));
	world.read_many(20).await;
	assert_ne!(world.peers.standing(&key(6)), Standing::Good);
	world.set([6], USUAL);
	tokio::time::sleep(Duration::from_secs(6)).await;
	assert_eq!(world.peers.standing(&key(6)), Standing::Unproven);
	assert!(world.read_many(3).await[2] <= USUAL_TIME);
	assert_eq!(world.peers.standing(&key(6)), Standing::Good);
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_is_tried_less_and_less() {
	let mut world = World::new(|_| {});
	world.set([6], Manner::StallsAfter(0));
	world.read_many(20).await;
	world.log();
	let start = Instant::now();
	while start.elapsed() < Duration::from_secs(600) {
		let wanted = world.stripe();
		assert!(world.read(&wanted).await <= USUAL_TIME);
		tokio::time::sleep(ms(500)).await;
	}
	let log = world.log();
	let tried = log.asked.iter().filter(|(node, _)| *node == key(6)).count();
	assert!((4..=20).contains(&tried), "{tried}");
}

#[tokio::test(start_paused = true)]
async fn losers_are_cancelled_the_moment_enough_is_there() {
	let mut world = World::new(|config| config.turbo = true);
	// Ten are faster than the rest.
	world.set(0..20, Manner::Sends(ms(50), 20e6));
	let wanted = world.stripe();
	let took = world.read(&wanted).await;
	let now = Instant::now();
	assert!(took <= USUAL_TIME);
	let log = world.log();
	assert_eq!(log.asked.len(), TOTAL_SHARDS);
	assert_eq!(log.cancelled.len(), 20);
	// The stop is sent at this very moment, so it is there half a round trip later.
	assert!(log.cancelled.iter().all(|(_, at)| *at == now));
	assert_eq!(world.metrics.requests_cancelled.get(), 20);
	let wasted = world.metrics.wasted_bytes.get();
	assert!(wasted > 0 && wasted < 20 * MIB as u64);
	assert_eq!(world.outstanding(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_given_up_leaves_nothing_behind() {
	let mut world = World::new(|_| {});
	let wanted = world.stripe();
	let given_up = tokio::time::timeout(ms(30), world.fetcher.gather(&wanted)).await;
	assert!(given_up.is_err());
	assert_eq!(world.log().cancelled.len(), 10);
	assert_eq!(world.outstanding(), 0);
	assert!((0..30).all(|index| world.peers.standing(&key(index)) == Standing::Good));
}

#[tokio::test(start_paused = true)]
async fn a_range_asks_one_miner_for_that_range() {
	let mut world = World::new(|_| {});
	let range = 3 * 65_536..4 * 65_536;
	let wanted = world.part(3, range.clone());
	let gathered = world.fetcher.gather(&wanted).await.unwrap();
	assert_eq!(gathered.get(3, &range).unwrap().len(), 65_536);
	let holder = key(world.holder(&wanted, 3));
	assert_eq!(world.log().asked, [(holder, 65_536)]);
	assert_eq!(world.metrics.shard_bytes_fetched.get(), 65_536);
	// A range of three shards asks for exactly its bytes.
	let mut wanted = world.part(2, MIB - 65_536..MIB);
	let more = [(3, 0..MIB), (4, 0..65_536)].map(|(slot, range)| SlotRange { slot, range });
	wanted.parts.extend(more);
	world.fetcher.gather(&wanted).await.unwrap();
	let asked: u64 = world.log().asked.iter().map(|(_, bytes)| bytes).sum();
	assert_eq!(asked, (MIB + 2 * 65_536) as u64);
}

#[tokio::test(start_paused = true)]
async fn a_range_of_a_lost_shard_costs_ten_such_ranges() {
	let mut world = World::new(|_| {});
	let range = 65_536..2 * 65_536;
	for manner in [Manner::Lacks, Manner::Gone, Manner::Lies(ms(5))] {
		let wanted = world.part(7, range.clone());
		let bad = world.holder(&wanted, 7);
		world.set([bad], manner);
		let gathered = world.fetcher.gather(&wanted).await.unwrap();
		assert_eq!(gathered.columns, range);
		let have = (0..30).filter(|slot| gathered.get(*slot, &range).is_some());
		assert_eq!(have.count(), 10);
		let log = world.log();
		assert_eq!(log.asked.len(), 11, "{manner:?}");
		assert!(log.asked.iter().all(|(_, bytes)| *bytes == 65_536));
		assert_eq!(world.metrics.wasted_bytes.get(), 0, "{manner:?}");
		world.set([bad], USUAL);
	}
	// A stall as well, paid from the budget; and the next time it is not even asked.
	let wanted = world.part(1, range.clone());
	let bad = world.holder(&wanted, 1);
	world.set([bad], Manner::StallsAfter(0));
	let before = world.metrics.hedged_requests.get();
	assert!(world.read(&wanted).await < ms(300));
	assert_eq!(world.metrics.hedged_requests.get(), before + 10);
	assert_eq!(world.metrics.wasted_bytes.get(), 9 * 65_536);
	let mut again = world.stripe();
	while world.holder(&again, 1) != bad {
		again = world.part(1, range.clone());
	}
	world.log();
	assert!(world.read(&again).await < ms(60));
	assert!(world.log().asked.iter().all(|(node, _)| *node != key(bad)));
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_may_have_recovered_is_asked_for_a_range() {
	let mut world = World::new(|_| {});
	let range = 0..65_536;
	let wanted = world.part(1, range.clone());
	let bad = world.holder(&wanted, 1);
	world.set([bad], Manner::StallsAfter(0));
	world.read(&wanted).await;
	world.set([bad], USUAL);
	tokio::time::sleep(Duration::from_secs(6)).await;
	assert_eq!(world.peers.standing(&key(bad)), Standing::Unproven);
	let mut again = world.stripe();
	while world.holder(&again, 1) != bad {
		again = world.part(1, range.clone());
	}
	world.log();
	world.read(&again).await;
	assert_eq!(world.log().asked, [(key(bad), 65_536)]);
	assert_eq!(world.peers.standing(&key(bad)), Standing::Good);
}

#[tokio::test(start_paused = true)]
async fn a_root_of_unknown_length_is_gathered() {
	let mut world = World::new(|_| {});
	let mut wanted = world.stripe();
	wanted.shard_len = None;
	let bad = world.holder(&wanted, 0);
	world.set([bad], Manner::StallsAfter(0));
	let gathered = world.fetcher.gather(&wanted).await.unwrap();
	assert_eq!(gathered.pieces.iter().flatten().count(), 10);
	assert_eq!(world.metrics.wasted_bytes.get(), 0);
}
