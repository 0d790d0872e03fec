//! `hippius-sim`: what the rules of audits, heartbeats and ranking do to honest and dishonest nodes.
//!
//! Each simulation prints tables and is the same for the same seed. The rules are those the chain
//! runs: `hippius-score`, the draw of collectors in `hippius-primitives`, the pallets' rules and weights.
//! `docs/audits.md` has the tables of seed 1; `hippius-sim --into docs/audits.md` writes them, and a test
//! checks them.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod chain;
mod collectors;
mod detection;
mod document;
mod jit;
mod load;
mod outage;
mod silence;
mod sybil;
mod table;

use clap::{Parser, ValueEnum};
use fastrand::Rng;
use std::{fs, path::PathBuf, process::ExitCode};

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
	/// Writes the tables into their places in this Markdown file instead of printing them.
	#[arg(long)]
	into: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum What {
	/// All of them.
	All,
	/// Time until a node that lost a part of its data is found out, jailed, evicted.
	Detection,
	/// What a node that holds nothing and fetches what it is asked for needs and pays.
	JustInTime,
	/// What splitting a node into several earns.
	Sybil,
	/// What collectors that lie can do.
	Collectors,
	/// What an outage of validators and nodes does to the innocent.
	Outage,
	/// What losing power costs an honest node before it counts as silent.
	Silence,
	/// What heartbeats, audits and ranking cost the chain, by number of nodes.
	Load,
}

impl What {
	fn name(self) -> String {
		self.to_possible_value()
			.map_or_else(String::new, |value| value.get_name().into())
	}
}

/// A simulation: from a seeded generator to text.
type Simulation = fn(&mut Rng) -> String;

/// All simulations, in the order they are printed.
const SIMULATIONS: [(What, Simulation); 7] = [
	(What::Detection, detection::run),
	(What::JustInTime, jit::run),
	(What::Sybil, sybil::run),
	(What::Collectors, collectors::run),
	(What::Outage, outage::run),
	(What::Silence, silence::run),
	(What::Load, load::run),
];

/// The chosen simulations' names and tables. Each has a generator of its own, so that the tables do not
/// depend on each other.
fn tables(what: What, seed: u64) -> impl Iterator<Item = (String, String)> {
	SIMULATIONS
		.into_iter()
		.filter(move |(each, _)| what == What::All || what == *each)
		.map(move |(each, simulation)| (each.name(), simulation(&mut Rng::with_seed(seed))))
}

fn main() -> ExitCode {
	let arguments = Arguments::parse();
	let tables = tables(arguments.what, arguments.seed);
	let Some(path) = arguments.into else {
		for (_, text) in tables {
			println!("{text}");
		}
		return ExitCode::SUCCESS;
	};
	let filled = fs::read_to_string(&path)
		.map_err(|error| error.to_string())
		.and_then(|mut document| {
			for (name, text) in tables {
				document =
					document::fill(document, &name, &text).map_err(|error| error.to_string())?;
			}
			fs::write(&path, document).map_err(|error| error.to_string())
		});
	match filled {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("error: {}: {error}", path.display());
			ExitCode::FAILURE
		}
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[test]
	fn the_document_has_the_commands_tables() {
		let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/audits.md");
		let written = fs::read_to_string(path).unwrap();
		for (name, text) in tables(What::All, 1) {
			let filled = document::fill(written.clone(), &name, &text).unwrap();
			assert_eq!(
				filled, written,
				"run `cargo run -p hippius-sim -- --into docs/audits.md`"
			);
		}
	}
}
