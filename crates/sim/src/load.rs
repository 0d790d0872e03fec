//! What heartbeats, audits and ranking cost the chain, by the pallets' weights.

use crate::{
	chain::Extensions,
	silence::windows_of,
	table::{percent, table},
};
use arion_storage_proof::{
	answer::{Answer, Item, Shown},
	lanes::FloorPlan,
	sample::{Sample, Shape},
	Blake2,
};
use codec::Encode;
use fastrand::Rng;
use frame_support::weights::{
	constants::{ExtrinsicBaseWeight, WEIGHT_REF_TIME_PER_SECOND},
	Weight,
};
use frame_system::ExtensionsWeightInfo as _;
use hippius_primitives::audit::Ask;
use pallet_audits::{Rules, WeightInfo as Audits};
use pallet_heartbeats::{HeartbeatConfig, WeightInfo as Heartbeats};
use pallet_ranking::{EraConfig, WeightInfo as Ranking};

/// Picoseconds a block may take.
const BLOCK: f64 = 2.0 * WEIGHT_REF_TIME_PER_SECOND as f64;
/// Blocks of a day.
const DAY: f64 = 14_400.0;
/// Bytes of a transaction that its call authorizes, besides the call's arguments: length, version,
/// extensions, pallet and call.
const ENVELOPE: f64 = 16.0;
/// Bytes of a posted page but for its counts: report and signature.
const REPORT: f64 = 150.0;
/// Most draws of lane B of a block.
const MOST_FLOOR: f64 = 8.0;

/// What something takes of the chain.
#[derive(Clone, Copy)]
struct Load {
	/// Picoseconds of a block, on average.
	time: f64,
	/// Bytes of blocks in a day.
	bytes: f64,
}

impl Load {
	fn share(&self) -> String {
		percent(self.time / BLOCK)
	}

	fn bytes(&self) -> String {
		match self.bytes {
			bytes if bytes < 1e9 => format!("{:.1} MB", bytes / 1e6),
			bytes => format!("{:.2} GB", bytes / 1e9),
		}
	}
}

/// What each transaction costs besides its call.
fn transaction() -> f64 {
	let extensions = [
		Extensions::check_genesis(),
		Extensions::check_mortality_immortal_transaction(),
		Extensions::check_non_zero_sender(),
		Extensions::check_nonce(),
		Extensions::check_spec_version(),
		Extensions::check_tx_version(),
		Extensions::check_weight(),
		Extensions::weight_reclaim(),
	];
	let all = extensions
		.into_iter()
		.fold(ExtrinsicBaseWeight::get(), Weight::saturating_add);
	time(all)
}

fn time(weight: Weight) -> f64 {
	weight.ref_time() as f64
}

/// Heartbeats of so many nodes.
fn heartbeats(nodes: u32, config: &HeartbeatConfig) -> Load {
	type W = ();
	let pages = f64::from(nodes.div_ceil(256));
	let blocks = f64::from(config.window_blocks);
	let posted = transaction()
		+ time(<W as Heartbeats>::post_page())
		+ time(<W as Heartbeats>::authorize_post_page());
	// A day is forgotten once a day, and of each page one node in a hundred changes.
	let settled = time(<W as Heartbeats>::settle_page(0, 3));
	let day = time(<W as Heartbeats>::settle_page(1, 3)) - settled;
	let window = pages * (9.0 * posted + settled) + time(<W as Heartbeats>::open_window());
	Load {
		time: window / blocks + pages * day / DAY + time(<W as Heartbeats>::idle()),
		bytes: pages * 9.0 * (256.0 + REPORT + ENVELOPE) * DAY / blocks,
	}
}

/// Bytes of an answer to one draw with so many proofs, of a ledger of a hundred million stripes.
fn answer_bytes(proofs: usize) -> f64 {
	let Ok(sample) = Sample::new::<Blake2>(Shape::HUNDRED_MILLION, 1) else {
		return f64::NAN;
	};
	let shown = (0..proofs).filter_map(|at| {
		let proof = sample.answer(100_000 + 1_000 * at as u64).ok()?;
		Some(Shown::Bytes(proof.encode().try_into().ok()?))
	});
	let item = Item {
		ask: Ask::Draw {
			block: u32::MAX,
			draw: 31,
		},
		shown: shown.collect::<Vec<_>>().try_into().unwrap_or_default(),
	};
	let answer = Answer {
		node: 99_999,
		place: 0,
		items: vec![item].try_into().unwrap_or_default(),
		signature: [0; 64],
	};
	answer.encoded_size() as f64 + ENVELOPE
}

/// Audits of so many nodes that all answer, each draw by a transaction of its own.
fn audits(nodes: u32) -> Load {
	type W = ();
	let rules = Rules::default();
	let rates = rules.rates();
	let bytes = rates.byte_draws(nodes);
	let floor = (f64::from(nodes) / DAY).min(MOST_FLOOR);
	let plan = FloorPlan::new(nodes, &rates);
	let looks = f64::from(plan.groups) / f64::from(plan.every.max(1));
	let idle = <W as Audits>::block(0, 0, 0, 0, 0);
	let step = |weight: Weight| time(weight) - time(idle);
	let draws = f64::from(bytes) + floor;
	// What is drawn is swept later.
	let hook = time(<W as Audits>::block(bytes, 0, 0, 0, 0))
		+ looks * step(<W as Audits>::block(0, 1, 0, 0, 0))
		+ step(<W as Audits>::block(
			0,
			0,
			(2.0 * draws).ceil() as u32,
			0,
			0,
		));
	let answer = |proofs: u32| {
		transaction()
			+ time(<W as Audits>::authorize_answer(1, proofs))
			+ time(<W as Audits>::answer(1, 0))
	};
	Load {
		time: hook + f64::from(bytes) * answer(1) + floor * answer(rules.floor_chunks),
		bytes: DAY
			* (f64::from(bytes) * answer_bytes(1)
				+ floor * answer_bytes(rules.floor_chunks as usize)),
	}
}

/// Ranking of so many nodes in so many groups.
fn ranking(nodes: u32, groups: u32) -> Load {
	type W = ();
	let config = EraConfig {
		// Four groups per block: large networks take longer for a sweep.
		sweep_blocks: (groups / 4).max(600),
		..EraConfig::default()
	};
	let pages = f64::from(nodes.div_ceil(256));
	let era = pages * time(<W as Ranking>::settle_page()) / f64::from(config.era_blocks);
	let four = time(<W as Ranking>::sweep(4)) - time(<W as Ranking>::sweep(0));
	let sweep = f64::from(groups) / 4.0 * four / f64::from(config.sweep_blocks);
	Load {
		time: era + sweep + time(<W as Ranking>::idle()) + time(<W as Ranking>::sweep(0)),
		bytes: 0.0,
	}
}

/// Sizes of networks: nodes, groups.
const SIZES: [(u32, u32); 3] = [(1_000, 1_024), (10_000, 8_192), (100_000, 65_536)];

/// The tables.
pub(crate) fn run(_: &mut Rng) -> String {
	let mut rows = Vec::new();
	for (nodes, groups) in SIZES {
		let beats = heartbeats(nodes, &HeartbeatConfig::default());
		let (audits, ranking) = (audits(nodes), ranking(nodes, groups));
		let both = Load {
			time: beats.time + audits.time,
			bytes: beats.bytes + audits.bytes,
		};
		rows.push(vec![
			nodes.to_string(),
			beats.share(),
			beats.bytes(),
			audits.share(),
			audits.bytes(),
			both.share(),
			both.bytes(),
			ranking.share(),
		]);
	}
	let columns = [
		"nodes",
		"heartbeats",
		"per day",
		"audits",
		"per day",
		"both",
		"per day",
		"ranking",
	];
	let first = table(
		"Share of block weight, and bytes of blocks",
		&columns,
		&rows,
	);

	let mut rows = Vec::new();
	for (name, blocks) in [
		("5 min", 50),
		("10 min", 100),
		("30 min", 300),
		("1 h", 600),
	] {
		let load = heartbeats(100_000, &windows_of(blocks));
		rows.push(vec![name.into(), load.share(), load.bytes()]);
	}
	let second = table(
		"Heartbeats of 100,000 nodes by the length of their windows",
		&["windows of", "share", "per day"],
		&rows,
	);
	format!("{first}\n{second}")
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn heartbeats_and_audits_of_100k_nodes_take_less_than_a_twentieth() {
		let both = heartbeats(100_000, &HeartbeatConfig::default()).time + audits(100_000).time;
		assert!(both / BLOCK < 0.05, "{}", both / BLOCK);
	}

	#[test]
	fn an_answer_to_one_draw_is_small() {
		// The proof has at most 2.5 KB; signature and envelope come with it.
		assert!(answer_bytes(1) < 2_600.0, "{}", answer_bytes(1));
		assert!(answer_bytes(4) > 3.0 * answer_bytes(1));
	}
}
