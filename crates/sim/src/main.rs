//! `hippius-sim`: what the rules of audits, heartbeats and ranking do to honest and dishonest nodes.
//!
//! Each simulation prints a table and is the same for the same seed. The rules are those the chain
//! runs: `hippius-score`, the draw of collectors in `hippius-primitives`, the pallets' weights.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod collectors;
mod detection;
mod load;
mod outage;
mod sybil;
mod table;

use clap::{Parser, ValueEnum};
use fastrand::Rng;

/// Simulations of audits, heartbeats and ranking.
#[derive(Parser)]
#[command(version)]
struct Arguments {
	/// What to simulate.
	#[arg(value_enum, default_value = "all")]
	what: What,
	/// Seed of all chance.
	#[arg(long, default_value_t = 1)]
	seed: u64,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum What {
	/// All of them.
	All,
	/// Time until a node that lost a part of its data is found out, jailed, evicted.
	Detection,
	/// What splitting a node into several earns.
	Sybil,
	/// What collectors that lie can do.
	Collectors,
	/// What an outage of validators and nodes does to the innocent.
	Outage,
	/// What heartbeats and ranking cost the chain, by number of nodes.
	Load,
}

/// A simulation: from a seeded generator to text.
type Simulation = fn(&mut Rng) -> String;

fn main() {
	let arguments = Arguments::parse();
	let simulations: [(What, Simulation); 5] = [
		(What::Detection, detection::run),
		(What::Sybil, sybil::run),
		(What::Collectors, collectors::run),
		(What::Outage, outage::run),
		(What::Load, load::run),
	];
	for (what, simulation) in simulations {
		if arguments.what == What::All || arguments.what == what {
			// Each with a generator of its own, so that the tables do not depend on each other.
			println!("{}", simulation(&mut Rng::with_seed(arguments.seed)));
		}
	}
}
