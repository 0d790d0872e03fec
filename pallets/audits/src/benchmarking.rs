//! What each call and each step of a block costs at worst.

use crate::{
	types::{Offsets, Tally, Why, FRESH_DRAWS, MAX_CHALLENGES, MAX_DRAWS},
	*,
};
use alloc::vec::Vec;
use arion_storage_proof::{
	answer::{Answer, Item, Shown},
	draw::Lane,
	sample::{Sample, Shape},
	Peaks,
};
use codec::{Decode, Encode};
use frame_benchmarking::v2::*;
use frame_support::{
	pallet_prelude::TransactionSource,
	traits::{fungible::MutateHold, Authorize, Get},
	BoundedVec,
};
use frame_system::{pallet_prelude::BlockNumberFor, RawOrigin};
use hippius_primitives::{
	audit::{Ask, MAX_ANSWERED, MAX_CHUNKS},
	traits::{AuditOutcomes, NodePenalties, NodeRegistry},
	NodeIndex, NodeKey, Pg,
};
use sp_core::{crypto::KeyTypeId, ed25519};
use sp_runtime::traits::Zero;

/// What benchmarks need of the runtime's other pallets.
pub trait BenchmarkHelper {
	/// Registers nodes with numbers `0..nodes`, all with this key, up, and each of a family of its own; the
	/// first 32 with all they must put up. The newest map has them all, the one before too.
	fn network(nodes: u32, key: NodeKey);
	/// Gives a group this ledger.
	fn ledger(pg: Pg, peaks: Peaks);
	/// Lets ledgers be seen as they are.
	fn show();
	/// Leaves a VRF output of the parent's author.
	fn vrf();
	/// Gives an account plenty of money.
	fn fund(account: [u8; 32]);
}

impl BenchmarkHelper for () {
	fn network(_: u32, _: NodeKey) {}
	fn ledger(_: Pg, _: Peaks) {}
	fn show() {}
	fn vrf() {}
	fn fund(_: [u8; 32]) {}
}

/// Where benchmarks keep the nodes' key.
const NODE_KEY: KeyTypeId = KeyTypeId(*b"hbau");
/// Nodes of the map: as many as six zones take of families with one node.
const NODES: u32 = 1_536;
/// Groups that hold something.
const GROUPS: u32 = 64;
/// The block that is worked on, in which lane B is not due by the main network's rules.
const NOW: u32 = 10_001;
/// The deadline counter.
const TICK: u32 = 1_000;
/// A slot that shows its bytes, in the [`sample`].
const NODE: NodeIndex = 17;

fn rules() -> Rules {
	Rules::default()
}

/// Nodes, with rules and a deadline counter.
fn network<T: Config>(nodes: u32) -> ed25519::Public {
	let key = sp_io::crypto::ed25519_generate(NODE_KEY, None);
	T::BenchmarkHelper::network(nodes, NodeKey(key.0));
	T::BenchmarkHelper::vrf();
	ActiveRules::<T>::put(rules());
	Tick::<T>::put(TICK);
	Swept::<T>::put(TICK - rules().deadline);
	let window = rules().outage_window as usize;
	let full = Tally {
		due: MAX_DRAWS as u8,
		missed: 0,
	};
	Tallies::<T>::put(BoundedVec::truncate_from(alloc::vec![full; window]));
	frame_system::Pallet::<T>::set_block_number(NOW.into());
	let genesis = T::Hash::decode(&mut &[7; 32][..]).expect("a hash has 32 bytes");
	frame_system::BlockHash::<T>::insert(BlockNumberFor::<T>::zero(), genesis);
	key
}

/// A hundred million stripes, one of which has its bytes.
fn sample() -> Sample {
	Sample::new::<HostBlake2>(Shape::HUNDRED_MILLION, 1).expect("the shape is sound")
}

/// Groups with small ledgers.
fn ledgers<T: Config>() {
	let shape = Shape {
		batches: 1_000,
		stripes: 1,
		shard_len: 1 << 20,
		real_len: 64,
		batch: 1,
		stripe: 0,
		slot: 0,
	};
	let sample = Sample::new::<HostBlake2>(shape, 1).expect("the shape is sound");
	for group in 0..GROUPS {
		// Over more than one page of groups.
		T::BenchmarkHelper::ledger(group * 5, sample.mmr.peaks().clone());
	}
	T::BenchmarkHelper::show();
}

/// A block that drew as much as it can, at a tick, with `last` as its last draw.
fn open_block<T: Config>(block: u32, tick: u32, last: Draw) {
	let draws = (0..MAX_DRAWS).map(|at| match at + 1 == MAX_DRAWS {
		true => last.clone(),
		false => draw(at % 32, at, alloc::vec![1; MAX_CHUNKS as usize]),
	});
	let open = OpenBlock {
		tick,
		seed: [block as u8; 32],
		draws: BoundedVec::truncate_from(draws.collect()),
	};
	Open::<T>::insert(block, open);
	DrawnAt::<T>::insert(tick, block);
}

fn draw(node: NodeIndex, pg: Pg, offsets: Vec<u64>) -> Draw {
	Draw {
		lane: Lane::Floor,
		node,
		pg,
		slot: NODE as u8,
		offsets: Offsets::truncate_from(offsets),
	}
}

/// A node in trouble that has all the tasks it may have.
fn troubled<T: Config>(
	node: NodeIndex,
	challenges: u32,
	by: &T::AccountId,
	offset: u64,
) -> CaseOf<T> {
	let task = |at: u32| Task {
		id: (u64::from(node) << 32) + u64::from(at),
		why: match at {
			at if at < challenges => Why::Challenge {
				by: by.clone(),
				deposit: T::ChallengeDeposit::get(),
			},
			at if at < challenges + FRESH_DRAWS => Why::Fresh,
			_ => Why::Missed,
		},
		place: (at, NODE as u8),
		offsets: Offsets::truncate_from(alloc::vec![offset]),
		seed: [at as u8; 32],
		due: Some(TICK + 1),
	};
	Case {
		recent: 0b11,
		last_miss: Some(TICK),
		missed: BoundedVec::truncate_from(alloc::vec![(0, 0); 3]),
		tasks: BoundedVec::truncate_from((0..types::MAX_TASKS).map(task).collect()),
		jail: None,
		challenged: (0, 0),
	}
}

/// An account that can pay for challenges, and as many of its deposits held.
fn challenger<T: Config>(deposits: u32) -> T::AccountId {
	let by: T::AccountId = whitelisted_caller();
	T::BenchmarkHelper::fund(by.clone().into());
	for _ in 0..deposits {
		T::Currency::hold(
			&HoldReason::Challenge.into(),
			&by,
			T::ChallengeDeposit::get(),
		)
		.expect("the account has enough");
	}
	by
}

/// An answer to these, each with one proof of the sample's stripe, or as many as it is asked for.
fn answer<T: Config>(key: &ed25519::Public, asks: Vec<(Ask, [u8; 32])>, proof: &[u8]) -> Answer {
	let item = |ask: &(Ask, [u8; 32])| Item {
		ask: ask.0,
		shown: BoundedVec::truncate_from(alloc::vec![Shown::Bytes(BoundedVec::truncate_from(
			proof.to_vec()
		))]),
	};
	let mut answer = Answer {
		node: NODE,
		place: 0,
		items: BoundedVec::truncate_from(asks.iter().map(item).collect()),
		signature: [0; 64],
	};
	let seeds: Vec<_> = asks.iter().map(|(_, seed)| *seed).collect();
	let genesis = frame_system::BlockHash::<T>::get(BlockNumberFor::<T>::zero());
	let genesis = genesis.as_ref().try_into().expect("a hash has 32 bytes");
	let payload = answer.payload(&genesis, &seeds);
	answer.signature = sp_io::crypto::ed25519_sign(NODE_KEY, key, &payload)
		.expect("the key was just made")
		.0;
	answer
}

/// An answer to draws of `items` blocks, in each another group.
fn drawn<T: Config>(items: u32) -> Answer {
	let key = network::<T>(32);
	let sample = sample();
	let byte = 500_000;
	let challenge = sample.challenge(byte);
	let proof = sample.answer(byte).expect("the byte is there").encode();
	let asks = (0..items).map(|at| {
		let block = NOW - 1 - items + at;
		T::BenchmarkHelper::ledger(at, sample.mmr.peaks().clone());
		let last = draw(NODE, at, alloc::vec![challenge.offset]);
		open_block::<T>(block, TICK - 1 - items + at, last);
		let draw = MAX_DRAWS as u8 - 1;
		(Ask::Draw { block, draw }, [block as u8; 32])
	});
	let asks = asks.collect();
	T::BenchmarkHelper::show();
	let by = challenger::<T>(0);
	Cases::<T>::insert(
		NODE,
		troubled::<T>(NODE, MAX_CHALLENGES, &by, challenge.offset),
	);
	answer::<T>(&key, asks, &proof)
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// Checking an answer to draws of as many blocks and groups, with one proof each.
	#[benchmark]
	fn authorize_answer(i: Linear<1, MAX_ANSWERED>) -> Result<(), BenchmarkError> {
		let answer = drawn::<T>(i);
		let call = Call::<T>::answer { answer };

		#[block]
		{
			call.authorize(TransactionSource::InBlock)
				.ok_or("no authorized call")?
				.map_err(|_| "not authorized")?;
		}

		Ok(())
	}

	/// Checking proofs alone, of a ledger of a hundred million stripes.
	#[benchmark]
	fn check_proofs(p: Linear<1, { MAX_ANSWERED * MAX_CHUNKS }>) {
		let sample = sample();
		let byte = 500_000;
		let asked = sample.challenge(byte);
		let proof = sample.answer(byte).expect("the byte is there").encode();
		let shown = Shown::Bytes(BoundedVec::truncate_from(proof));
		let mut good = 0;

		#[block]
		{
			for _ in 0..p {
				let checked = Pallet::<T>::check_proof(&shown, 0, sample.mmr.peaks(), &asked);
				good += u32::from(checked.is_ok());
			}
		}

		assert_eq!(good, p);
	}

	/// Booking an answer to draws, of a node in trouble.
	#[benchmark]
	fn answer_draws(i: Linear<1, MAX_ANSWERED>) {
		let answer = drawn::<T>(i);

		#[extrinsic_call]
		answer(RawOrigin::Authorized, answer);

		assert_eq!(Answered::<T>::iter().count(), i as usize);
	}

	/// Booking an answer to challenges, whose deposits are shared out.
	#[benchmark]
	fn answer_tasks(t: Linear<1, MAX_CHALLENGES>) {
		let key = network::<T>(32);
		let by = challenger::<T>(MAX_CHALLENGES);
		let case = troubled::<T>(NODE, MAX_CHALLENGES, &by, 0);
		let asks = case.tasks.iter().take(t as usize);
		let asks = asks
			.map(|task| (Ask::Task { id: task.id }, task.seed))
			.collect();
		Cases::<T>::insert(NODE, case);
		let answer = answer::<T>(&key, asks, &[]);

		#[extrinsic_call]
		answer(RawOrigin::Authorized, answer);

		let left = Cases::<T>::get(NODE).map_or(0, |case| case.tasks.len() as u32);
		assert_eq!(left, types::MAX_TASKS - t);
	}

	#[benchmark]
	fn challenge() {
		network::<T>(NODES);
		ledgers::<T>();
		let by = challenger::<T>(0);
		let slot = (0..30)
			.find(|slot| {
				use arion_storage_proof::PgLedger;
				T::Ledger::holder(0, *slot).is_some_and(|node| Pallet::<T>::is_up(node))
			})
			.expect("somebody holds something");

		#[extrinsic_call]
		_(RawOrigin::Signed(by), 0, slot, 1_000);

		assert_eq!(Cases::<T>::iter().count(), 1);
	}

	#[benchmark]
	fn set_rules() -> Result<(), BenchmarkError> {
		ActiveRules::<T>::put(rules());
		let origin = {
			use frame_support::traits::EnsureOrigin;
			T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?
		};

		#[extrinsic_call]
		_(origin as T::RuntimeOrigin, rules());

		Ok(())
	}

	/// A block in which the deadline counter stands, and its end.
	#[benchmark]
	fn idle_block() {
		network::<T>(32);
		FullBlocks::<T>::put(u32::MAX);
		Randomness::<T>::insert(NOW.saturating_sub(rules().kept_randomness), [1; 32]);

		#[block]
		{
			Pallet::<T>::do_on_initialize(NOW);
			Pallet::<T>::do_on_finalize();
		}

		assert_eq!(Tick::<T>::get(), TICK);
	}

	/// A block with nothing to draw, and one tick to sweep of which nothing was drawn; its end.
	#[benchmark]
	fn empty_block() {
		network::<T>(NODES);

		#[block]
		{
			Pallet::<T>::do_on_initialize(NOW);
			Pallet::<T>::do_on_finalize();
		}

		assert_eq!(Tick::<T>::get(), TICK + 1);
	}

	/// Draws of lane A.
	#[benchmark]
	fn draw_bytes(d: Linear<0, { types::MAX_BYTE_DRAWS }>) {
		network::<T>(NODES);
		ledgers::<T>();
		let rules = Rules {
			samples_per_node: 1_000,
			most_per_block: d,
			..rules()
		};
		let drawn;

		#[block]
		{
			drawn = Pallet::<T>::draw(NOW, [1; 32], &rules);
		}

		assert_eq!(drawn.bytes, d);
	}

	/// Looks of lane B, at all holders of a group.
	#[benchmark]
	fn draw_looks(l: Linear<0, { arion_storage_proof::lanes::MAX_GROUPS }>) {
		network::<T>(NODES);
		ledgers::<T>();
		// A day so short that every block must look at this many groups.
		let day = |looks: u32| (16 * NODES).div_ceil(30 * looks);
		let rules = Rules {
			most_per_block: 0,
			blocks_per_day: l.checked_sub(1).map_or(14_400, |_| day(l)),
			..rules()
		};
		let drawn;

		#[block]
		{
			drawn = Pallet::<T>::draw(NOW, [1; 32], &rules);
		}

		assert_eq!(drawn.looks, l);
	}

	/// Sweeping a tick whose draws were all answered.
	#[benchmark]
	fn sweep(d: Linear<1, MAX_DRAWS>) {
		network::<T>(32);
		let tick = TICK - rules().deadline;
		Swept::<T>::put(tick - 1);
		open_block::<T>(7, tick, draw(1, 1, alloc::vec![1]));
		Open::<T>::mutate(7, |open| {
			if let Some(open) = open {
				open.draws.truncate(d as usize);
			}
		});
		Answered::<T>::insert(7, u32::MAX);
		let looked;

		#[block]
		{
			looked = Pallet::<T>::sweep(TICK + 1, &rules()).draws;
		}

		assert_eq!(looked, d);
	}

	/// Looking after nodes in trouble for whom nothing is due.
	#[benchmark]
	fn visit(v: Linear<0, { deadline::VISITS_PER_BLOCK as u32 }>) {
		network::<T>(32);
		let by = challenger::<T>(0);
		for node in 0..v {
			Cases::<T>::insert(node, troubled::<T>(node, MAX_CHALLENGES, &by, 0));
		}
		let visited;

		#[block]
		{
			visited = Pallet::<T>::visit_some(NOW, Some([1; 32]), TICK, &rules()).visits;
		}

		assert_eq!(visited, v);
	}

	/// Misses of nodes whose record is so bad that each is slashed twice and thrown out, and all who
	/// challenged it get their deposits back.
	#[benchmark]
	fn book(m: Linear<0, MAX_DRAWS>) {
		network::<T>(32);
		let by = challenger::<T>(MAX_DRAWS * MAX_CHALLENGES);
		for node in 0..m {
			for _ in 0..rules().evict_samples {
				T::Outcomes::audited(node, false);
			}
			Cases::<T>::insert(node, troubled::<T>(node, MAX_CHALLENGES, &by, 0));
		}

		#[block]
		{
			for node in 0..m {
				let offsets = Offsets::truncate_from(alloc::vec![1; MAX_CHUNKS as usize]);
				Pallet::<T>::missed_while_up(node, (0, 0), &offsets, None, TICK, &rules());
			}
		}

		for node in 0..m {
			let standing = T::Registry::standing(node).expect("the node is registered");
			assert_eq!(
				standing.status,
				hippius_primitives::registration::NodeStatus::Evicted
			);
			assert!(T::Registry::node(node).is_some());
		}
	}
}
