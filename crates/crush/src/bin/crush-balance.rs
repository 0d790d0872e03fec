//! Proposes placement exceptions for a cluster map of the chain, as arguments of the call that sets them.

use arion_crush::{BalanceOptions, ClusterMap, MapError, PlaceError, UpmapError, UpmapItem};
use clap::Parser;
use std::{
	io::{self, BufWriter, ErrorKind, Write},
	path::PathBuf,
	process::ExitCode,
};

/// Propose placement exceptions that bring every node of a cluster map nearer to its fair share.
///
/// Prints one line for each placement group that gets any: JSON with the arguments of
/// `clusterMap.setExceptions`, the exceptions it has included.
#[derive(Parser)]
#[command(name = "crush-balance", version)]
struct Args {
	/// The encoded map, plain or in hex, as the chain gives it.
	#[arg(long, value_name = "FILE")]
	map: PathBuf,
	/// Slots a node may be above or below its share.
	#[arg(long, default_value_t = 1)]
	max_deviation: u32,
	/// Most slots to move now, of a million.
	#[arg(long, default_value_t = 50_000)]
	max_misplaced_ppm: u32,
	/// Most exceptions of the map in all; the chain's `MaxExceptions`.
	#[arg(long, default_value_t = 1_024)]
	max_items: usize,
	/// Most placement groups with exceptions in all; the chain's `MaxExceptionGroups`.
	#[arg(long, default_value_t = 256)]
	max_groups: usize,
}

#[derive(Debug, thiserror::Error)]
enum Error {
	#[error("cannot read {path}: {source}")]
	Read { path: PathBuf, source: io::Error },
	#[error("{path}: {source}")]
	Map { path: PathBuf, source: MapError },
	#[error("the map cannot place all groups: {0}")]
	Place(#[from] PlaceError),
	#[error("{0}")]
	Balance(#[from] UpmapError),
	#[error("cannot write: {0}")]
	Write(#[from] io::Error),
}

fn main() -> ExitCode {
	match run(&Args::parse()) {
		// Whoever reads the lines has had enough of them.
		Err(Error::Write(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("crush-balance: {error}");
			ExitCode::FAILURE
		}
		Ok(()) => ExitCode::SUCCESS,
	}
}

fn run(args: &Args) -> Result<(), Error> {
	let path = || args.map.clone();
	let bytes = std::fs::read(&args.map).map_err(|source| Error::Read {
		path: path(),
		source,
	})?;
	let bytes = unhex(&bytes).unwrap_or(bytes);
	let (_, placement) = ClusterMap::decode_placement(&bytes).map_err(|source| Error::Map {
		path: path(),
		source,
	})?;
	let threads = std::thread::available_parallelism().map_or(1, usize::from);
	let raw = placement.raw_table(threads)?;
	// Those the map does not allow change nothing, and the chain is about to drop them.
	let mut items = placement.exceptions().to_vec();
	placement.retain_valid(&mut items);
	let options = BalanceOptions {
		max_deviation: args.max_deviation,
		max_misplaced_ppm: args.max_misplaced_ppm,
		max_items: args.max_items.saturating_sub(items.len()),
	};
	let found = placement.balance(&raw, &items, &options)?;
	let mut groups: Vec<_> = items.iter().map(|item| item.pg).collect();
	groups.dedup();
	// Each exception is valid without the others, so those of groups too many are left out.
	let mut changed = Vec::new();
	for group in found.items.chunk_by(|a, b| a.pg == b.pg) {
		let pg = group[0].pg;
		if let Err(at) = groups.binary_search(&pg) {
			if groups.len() >= args.max_groups {
				continue;
			}
			groups.insert(at, pg);
		}
		changed.push(pg);
		items.extend_from_slice(group);
	}
	items.sort_unstable();

	let mut out = BufWriter::new(io::stdout().lock());
	let of = |pg| items.iter().filter(move |item| item.pg == pg);
	for pg in changed {
		let pairs =
			of(pg).map(|UpmapItem { from, to, .. }| format!("{{\"from\":{from},\"to\":{to}}}"));
		let pairs: Vec<_> = pairs.collect();
		writeln!(out, "{{\"pg\":{pg},\"exceptions\":[{}]}}", pairs.join(","))?;
	}
	out.flush()?;
	eprintln!(
		"{} exceptions in {} groups; the fullest node is {} slots above its share and the emptiest {} \
		 below, {} and {} if all that was found is set",
		items.len(),
		groups.len(),
		found.before.max_excess,
		found.before.max_lack,
		found.after.max_excess,
		found.after.max_lack,
	);
	Ok(())
}

/// The bytes of a hex text; `None` if it is none.
fn unhex(text: &[u8]) -> Option<Vec<u8>> {
	let text = std::str::from_utf8(text).ok()?.trim();
	let text = text.strip_prefix("0x").unwrap_or(text);
	if text.is_empty() || text.len() % 2 != 0 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
		return None;
	}
	let pairs = (0..text.len()).step_by(2);
	pairs
		.map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
		.collect()
}
