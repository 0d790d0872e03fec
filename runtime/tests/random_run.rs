//! A long random run of the whole runtime: any call by anyone, and miners' lives with sound proofs.
//! Nothing panics, and what each pallet says must always hold does hold: of money that is I1 to I7.
//!
//! `HIPPIUS_RANDOM_EXTRINSICS` and `HIPPIUS_RANDOM_SEED` make it longer or another.
#![allow(clippy::unwrap_used)]

mod common;
mod random {
	pub(crate) mod actors;
	pub(crate) mod known;
	pub(crate) mod ledger;
	pub(crate) mod market;
	pub(crate) mod root;
	pub(crate) mod values;
}

use common::{externalities, pair, signed, Chain};
use fastrand::Rng;
use frame_support::{storage::transactional::with_transaction_unchecked, traits::fungible::Mutate};
use hippius_runtime::*;
use random::{
	actors::Actors,
	known::{pairs, Known},
	root::restored,
	values::Values,
};
use sp_core::{sr25519, Pair as _};
use sp_runtime::{ApplyExtrinsicResult, TransactionOutcome};
use std::{collections::BTreeMap, time::Instant};

/// Extrinsics of a run.
const EXTRINSICS: u64 = 100_000;
/// Most extrinsics offered to one block.
const PER_BLOCK: usize = 80;
/// How many of the senders, the first ones, are the network's validators.
const VALIDATORS: usize = 3;
/// Extrinsics after which a long run says how far it is.
const PER_REPORT: u64 = 50_000;
/// Blocks between two with randomness: for draws, and for lots of orders.
const BLOCKS_PER_OUTPUT: u32 = 4;

fn setting(name: &str, default: u64) -> u64 {
	std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// What must hold after every block.
fn check_state() {
	Registry::do_try_state().unwrap();
	ClusterMap::do_try_state().unwrap();
	PlacementGroups::do_try_state().unwrap();
	Audits::do_try_state().unwrap();
	Heartbeats::do_try_state().unwrap();
	Ranking::do_try_state().unwrap();
	common::money::money_holds();
}

/// One extrinsic, as somebody might send it.
fn extrinsic(
	rng: &mut Rng,
	values: &Values,
	known: &mut Known,
	senders: &[sr25519::Pair],
) -> Option<UncheckedExtrinsic> {
	let sender = &senders[rng.usize(..senders.len())];
	Some(match rng.u16(..1000) {
		// Root, seldom: what it sets stays for long.
		0..=3 => {
			let call = Box::new(values.root_call(rng, known)?);
			signed(&pair("Alice"), pallet_sudo::Call::sudo { call })
		}
		4..=30 => UncheckedExtrinsic::new_bare(values.bare_call(rng, known)?),
		31..=60 => {
			UncheckedExtrinsic::new_transaction(values.bare_call(rng, known)?, plain_extension(0))
		}
		61..=400 => {
			let call = known.operator(rng, sender);
			signed(sender, call)
		}
		401..=406 => {
			let call = match rng.u8(..12) {
				0 => restored(known.rules),
				_ => known.market.root(rng),
			};
			let call = Box::new(call);
			signed(&pair("Alice"), pallet_sudo::Call::sudo { call })
		}
		407..=409 => signed(sender, known.market.challenge(rng)),
		410..=430 => {
			let call = known.append(rng, &AccountId::from(sender.public()))?;
			signed(sender, call)
		}
		431..=650 => {
			let call = known.trade(rng, &AccountId::from(sender.public()));
			signed(sender, call)
		}
		_ => {
			// The validators stay: without them every block is a session's last and full.
			let sender = &senders[rng.usize(VALIDATORS..senders.len())];
			signed(sender, values.call(rng, known)?)
		}
	})
}

/// As a block's author does it: what is refused leaves nothing behind.
fn apply(extrinsic: UncheckedExtrinsic) -> ApplyExtrinsicResult {
	with_transaction_unchecked(|| match Executive::apply_extrinsic(extrinsic) {
		Ok(result) => TransactionOutcome::Commit(Ok(result)),
		Err(refused) => TransactionOutcome::Rollback(Err(refused)),
	})
}

/// When something that takes as long as the state is large is done: the larger, the more seldom, so that a
/// run takes a time in proportion to its length.
struct Schedule {
	/// Blocks between two times, at least.
	least: u32,
	/// And at least this part of all blocks so far.
	part: u32,
	next: u32,
}

impl Schedule {
	const fn new(least: u32, part: u32) -> Self {
		Self {
			least,
			part,
			next: 0,
		}
	}

	fn is_due(&mut self, block: u32) -> bool {
		let due = block >= self.next;
		if due {
			self.next = block + self.least.max(block / self.part);
		}
		due
	}
}

/// The memory that this process has, in megabytes, where the system tells.
fn memory() -> u64 {
	let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
	let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
	let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
	kilobytes.unwrap_or(0u64) / 1_024
}

/// Nobody is out of the game for long: money comes from outside.
fn refill(senders: &[sr25519::Pair]) {
	for sender in senders {
		let account = AccountId::from(sender.public());
		if Balances::free_balance(&account) < 1_000 * units::ALPHA {
			Balances::mint_into(&account, 20_000 * units::ALPHA).unwrap();
		}
	}
}

/// Whether what happened made or burnt money: root may, and anybody may burn what is his.
fn changes_issuance(event: &RuntimeEvent) -> bool {
	use pallet_balances::Event as Changed;
	matches!(
		event,
		RuntimeEvent::Balances(
			Changed::Burned { .. }
				| Changed::BalanceSet { .. }
				| Changed::TotalIssuanceForced { .. }
		)
	)
}

#[derive(Debug, Default)]
struct Seen {
	succeeded: u64,
	failed: u64,
	/// Blocks after which as much was issued as before.
	conserved: u32,
	/// By reason.
	refused: BTreeMap<String, u64>,
}

impl Seen {
	fn total(&self) -> u64 {
		self.succeeded + self.failed + self.refused.values().sum::<u64>()
	}
}

#[test]
fn a_long_random_run_breaks_nothing() {
	let extrinsics = setting("HIPPIUS_RANDOM_EXTRINSICS", EXTRINSICS);
	let seed = setting("HIPPIUS_RANDOM_SEED", 1);
	let mut rng = Rng::with_seed(seed);
	let values = Values::new();
	let senders = pairs();
	let mut ext = externalities(genesis::LOCAL);
	let mut known = Known {
		rules: ext.execute_with(|| Audits::rules().unwrap()),
		..Known::default()
	};
	let mut actors = Actors::default();
	let mut chain = Chain::new();
	let mut seen = Seen::default();

	// Payments, hashes of maps and ids of hosts are kept for ever.
	let mut money_checks = Schedule::new(1, 500);
	let mut checks = Schedule::new(20, 50);
	let began = Instant::now();
	let mut reported = 0;

	let mut blocks = 0;
	while seen.total() < extrinsics {
		ext.execute_with(|| {
			// The test chain's authors claim their slots without a VRF; here is what one would have left.
			let output = (blocks % BLOCKS_PER_OUTPUT == 0)
				.then(|| sp_io::hashing::blake2_256(&chain.slot().to_le_bytes()));
			pallet_babe::AuthorVrfRandomness::<Runtime>::put(output);
			refill(&senders);
			let issued = Balances::total_issuance();
			chain.open();
			pallet_babe::AuthorVrfRandomness::<Runtime>::kill();
			known.refresh();
			// Before everybody else, or with what room others leave.
			let is_first = rng.u8(..4) > 0;
			if is_first {
				actors.act(&mut rng, &known, apply);
			}
			for _ in 0..rng.usize(..PER_BLOCK) {
				let Some(extrinsic) = extrinsic(&mut rng, &values, &mut known, &senders) else {
					continue;
				};
				let result = apply(extrinsic);
				known.market.tried(matches!(result, Ok(Ok(()))));
				match result {
					Ok(Ok(())) => seen.succeeded += 1,
					Ok(Err(_)) => seen.failed += 1,
					Err(error) => *seen.refused.entry(format!("{error:?}")).or_default() += 1,
				}
			}
			if !is_first {
				actors.act(&mut rng, &known, apply);
			}
			chain.close();
			let events: Vec<_> = System::events().into_iter().map(|r| r.event).collect();
			events.iter().for_each(|event| actors.note(event));
			if !events.iter().any(changes_issuance) {
				assert_eq!(Balances::total_issuance(), issued, "I5");
				seen.conserved += 1;
			}
			blocks += 1;
			if money_checks.is_due(blocks) {
				common::money::money_holds();
			}
			if checks.is_due(blocks) {
				check_state();
			}
		});
		ext.commit_all().unwrap();
		// The backend keeps every version of every node of its trie that there ever was.
		ext.backend.backend_storage_mut().purge();
		if seen.total() / PER_REPORT > reported {
			reported = seen.total() / PER_REPORT;
			let (seconds, megabytes) = (began.elapsed().as_secs(), memory());
			let total = seen.total();
			println!("{total} extrinsics, {blocks} blocks, {seconds} s, {megabytes} MB");
		}
	}
	ext.execute_with(check_state);
	let money = ext.execute_with(Rewards::totals);
	println!("seed {seed}, {blocks} blocks: {seen:?}");
	println!("{money:?}");
	println!("{}", known.market);
	println!("{}", ext.execute_with(|| actors.to_string()));
	// A run in which nothing works shows nothing.
	assert!(seen.succeeded > extrinsics / 20, "{seen:?}");
	assert!(seen.failed > extrinsics / 20, "{seen:?}");
	assert!(seen.conserved > blocks / 2, "{seen:?}");
	if extrinsics >= EXTRINSICS {
		// What is never reached is never checked.
		assert_eq!(actors.lacking(), [""; 0]);
		assert!(money.revenue > 0 && money.miners_withdrawn > 0, "{money:?}");
		assert!(
			money.stakers_withdrawn > 0 && money.treasury_paid > 0,
			"{money:?}"
		);
	}
}
