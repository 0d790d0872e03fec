//! Prints the mappings of a rule of a text map, line for line as
//! `crushtool --test --show-mappings` prints them.

use arion_crush::{
	hash::hash2,
	map::{DeviceId, Reweights, WEIGHT_ONE},
	mapper::do_rule,
	text, DrawMeter, MapperError,
};
use clap::Parser;
use std::{
	io::{self, BufWriter, ErrorKind, Write},
	path::PathBuf,
	process::ExitCode,
};

/// Far above what any mapping of a valid map takes; ends rules that ask for the impossible.
const MAX_DRAWS: u64 = 1 << 32;

/// Print the mappings of a rule of a CRUSH text map.
#[derive(Parser)]
#[command(name = "crush-map", version)]
struct Args {
	/// The map, as `crushtool -c` reads it.
	#[arg(long, value_name = "FILE")]
	map: PathBuf,
	/// The rule's number.
	#[arg(long)]
	rule: u32,
	/// How many devices to choose.
	#[arg(long)]
	num_rep: u32,
	/// The first input.
	#[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=MAX_X))]
	min_x: u32,
	/// The last input.
	#[arg(long, default_value_t = 1023, value_parser = clap::value_parser!(u32).range(..=MAX_X))]
	max_x: u32,
	/// A device's reweight: 0 is out, 1 is in, a fraction is in for that share of the inputs.
	#[arg(long, num_args = 2, value_names = ["DEVICE", "WEIGHT"])]
	weight: Vec<String>,
	/// Hash the input with this pool number.
	#[arg(long)]
	pool_id: Option<u32>,
}

const MAX_X: i64 = i32::MAX as i64;

#[derive(Debug, thiserror::Error)]
enum Error {
	#[error("cannot read {path}: {source}")]
	Read { path: PathBuf, source: io::Error },
	#[error("{path}: {source}")]
	Map {
		path: PathBuf,
		source: text::TextError,
	},
	#[error(
		"--weight {device} {weight}: the device is a number from 0, the weight a decimal from 0"
	)]
	Weight { device: String, weight: String },
	#[error("--min-x {min} is above --max-x {max}")]
	Range { min: u32, max: u32 },
	#[error("x {x}: {source}")]
	Mapping { x: u32, source: MapperError },
	#[error("cannot write: {0}")]
	Write(#[from] io::Error),
}

fn main() -> ExitCode {
	match run(&Args::parse()) {
		// Whoever reads the lines has had enough of them.
		Err(Error::Write(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("crush-map: {error}");
			ExitCode::FAILURE
		}
		Ok(()) => ExitCode::SUCCESS,
	}
}

fn run(args: &Args) -> Result<(), Error> {
	if args.min_x > args.max_x {
		return Err(Error::Range {
			min: args.min_x,
			max: args.max_x,
		});
	}
	let path = || args.map.clone();
	let text = std::fs::read_to_string(&args.map).map_err(|source| Error::Read {
		path: path(),
		source,
	})?;
	let map = text::parse(&text)
		.map_err(|source| Error::Map {
			path: path(),
			source,
		})?
		.map;
	let mut pairs: Vec<_> = map.devices().map(|device| (device, WEIGHT_ONE)).collect();
	for pair in args.weight.chunks_exact(2) {
		pairs.push(reweight(&pair[0], &pair[1])?);
	}
	let reweights = Reweights::new(pairs);
	let mut out = BufWriter::new(io::stdout().lock());
	let Args { rule, num_rep, .. } = *args;
	for x in args.min_x..=args.max_x {
		let input = args.pool_id.map_or(x, |pool| hash2(x, pool));
		let mut meter = DrawMeter::new(MAX_DRAWS);
		let items = do_rule(&map, rule, input, num_rep, &reweights, &mut meter)
			.map_err(|source| Error::Mapping { x, source })?;
		write!(out, "CRUSH rule {rule} x {x} [")?;
		for (at, item) in items.iter().enumerate() {
			let separator = if at == 0 { "" } else { "," };
			write!(out, "{separator}{item}")?;
		}
		writeln!(out, "]")?;
	}
	out.flush()?;
	Ok(())
}

/// A reweight; above 1 means 1.
fn reweight(device: &str, weight: &str) -> Result<(DeviceId, u32), Error> {
	let parsed = device
		.parse()
		.ok()
		.filter(|device: &DeviceId| *device >= 0)
		.zip(text::weight(weight));
	let (device, weight) = parsed.ok_or_else(|| Error::Weight {
		device: device.to_string(),
		weight: weight.to_string(),
	})?;
	Ok((device, weight.min(WEIGHT_ONE)))
}
