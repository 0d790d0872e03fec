//! Weights of the calls and hooks: those measured by the benchmarks, which `scripts/weights.sh` writes into
//! `measured.rs`, put together.

use crate::measured;
use core::marker::PhantomData;
use frame_support::{
	traits::Get,
	weights::{constants::ParityDbWeight, RuntimeDbWeight, Weight},
};

/// What each step may cost at most.
pub trait WeightInfo {
	/// Booking an answer to `draws` draws of blocks and `tasks` tasks of the node's own.
	fn answer(draws: u32, tasks: u32) -> Weight;
	/// Checking an answer to `items` draws with `proofs` proofs.
	fn authorize_answer(items: u32, proofs: u32) -> Weight;
	/// Weight of `challenge`.
	fn challenge() -> Weight;
	/// Weight of `set_rules`.
	fn set_rules() -> Weight;
	/// A block in which the deadline counter stands, with the block's end.
	fn idle_block() -> Weight;
	/// A block that draws `bytes` bytes, looks at the holders of `looks` groups, makes or sweeps `draws`
	/// draws, visits `visits` nodes in trouble and books `booked` misses or other turns, with the block's
	/// end.
	fn block(bytes: u32, looks: u32, draws: u32, visits: u32, booked: u32) -> Weight;
}

/// Booking an answer. Who answers both draws and tasks is counted twice for what both have in common.
fn answer(db: RuntimeDbWeight, draws: u32, tasks: u32) -> Weight {
	let of_draws = (draws > 0).then(|| measured::answer_draws(db, draws));
	let of_tasks = (tasks > 0).then(|| measured::answer_tasks(db, tasks));
	let both = of_draws.unwrap_or_default();
	both.saturating_add(of_tasks.unwrap_or_default())
}

/// Checking an answer: measured with one proof for each item, then the other proofs.
fn authorize_answer(db: RuntimeDbWeight, items: u32, proofs: u32) -> Weight {
	let weight = measured::authorize_answer(db, items);
	match proofs.saturating_sub(items) {
		0 => weight,
		more => weight.saturating_add(measured::check_proofs(db, more)),
	}
}

/// What so many of something cost.
type Step = fn(RuntimeDbWeight, u32) -> Weight;

/// A block. Each step is measured by itself; what it does not do costs nothing.
fn block(
	db: RuntimeDbWeight,
	bytes: u32,
	looks: u32,
	draws: u32,
	visits: u32,
	booked: u32,
) -> Weight {
	let steps: [(u32, Step); 5] = [
		(bytes, measured::draw_bytes),
		(looks, measured::draw_looks),
		(draws, measured::sweep),
		(visits, measured::visit),
		(booked, measured::book),
	];
	steps
		.into_iter()
		.filter(|(count, _)| *count > 0)
		.fold(measured::empty_block(db), |weight, (count, step)| {
			weight.saturating_add(step(db, count))
		})
}

/// Weights by the runtime's `DbWeight`.
pub struct SubstrateWeight<T>(PhantomData<T>);

macro_rules! steps {
	($db:expr) => {
		fn answer(draws: u32, tasks: u32) -> Weight {
			answer($db, draws, tasks)
		}
		fn authorize_answer(items: u32, proofs: u32) -> Weight {
			authorize_answer($db, items, proofs)
		}
		fn challenge() -> Weight {
			measured::challenge($db)
		}
		fn set_rules() -> Weight {
			measured::set_rules($db)
		}
		fn idle_block() -> Weight {
			measured::idle_block($db)
		}
		fn block(bytes: u32, looks: u32, draws: u32, visits: u32, booked: u32) -> Weight {
			block($db, bytes, looks, draws, visits, booked)
		}
	};
}

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	steps!(T::DbWeight::get());
}

impl WeightInfo for () {
	steps!(ParityDbWeight::get());
}
