//! Rust source of what was measured.

use crate::fit::{Cost, Line};
use std::{fmt::Write, fs};

/// The processor this runs on.
fn processor() -> String {
	let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
	info.lines()
		.find_map(|line| line.strip_prefix("model name")?.split_once(": "))
		.map_or_else(
			|| "an unnamed processor".into(),
			|(_, name)| name.trim().into(),
		)
}

/// Digits in groups of three.
fn number(value: u128) -> String {
	let digits = value.to_string();
	let mut text = String::new();
	for (at, digit) in digits.chars().enumerate() {
		if at > 0 && (digits.len() - at).is_multiple_of(3) {
			text.push('_');
		}
		text.push(digit);
	}
	text
}

/// What `line` adds for `parameter`.
fn slope(line: &Line, parameter: &str) -> u128 {
	let found = line.slopes.iter().find(|(name, _)| name == parameter);
	found.map_or(0, |(_, slope)| *slope)
}

fn part(time: u128, proof: u128, reads: u128, writes: u128) -> String {
	format!(
		"part(db, {}, {}, {}, {})",
		number(time),
		number(proof),
		number(reads),
		number(writes)
	)
}

/// The module with the costs of a pallet's benchmarks.
pub(crate) fn module(pallet: &str, costs: &[Cost], steps: u32, repeat: u32) -> String {
	let mut text = format!(
		"//! What the benchmarks of `{pallet}` cost. **Written by `scripts/weights.sh`; do not edit.**\n\
		 //!\n\
		 //! Measured in the runtime's wasm on {}, {steps} steps, {repeat} repeats: time by least squares\n\
		 //! over the faster half, storage as counted, proofs as recorded and with [`PATH`] for each read.\n\n\
		 use frame_support::weights::{{RuntimeDbWeight, Weight}};\n\n\
		 /// Bytes of the path to an item in a state that is much larger than the benchmarks'.\n\
		 const PATH: u64 = 2_000;\n\n\
		 /// Picoseconds, bytes of proof, reads and writes.\n\
		 fn part(db: RuntimeDbWeight, time: u64, proof: u64, reads: u64, writes: u64) -> Weight {{\n\
		 \tWeight::from_parts(time, proof.saturating_add(PATH.saturating_mul(reads)))\n\
		 \t\t.saturating_add(db.reads_writes(reads, writes))\n\
		 }}\n",
		processor()
	);
	for cost in costs {
		let parameters: Vec<&str> = cost.parameters().collect();
		let arguments: String = parameters
			.iter()
			.map(|name| format!(", {name}: u32"))
			.collect();
		let base = part(
			cost.time.base,
			cost.proof.base,
			cost.reads.base,
			cost.writes.base,
		);
		// Writing to a string does not fail.
		let _ = write!(
			text,
			"\n/// `{}`.\npub(crate) fn {}(db: RuntimeDbWeight{arguments}) -> Weight {{\n\t{base}",
			cost.name, cost.name
		);
		for name in parameters {
			let each = part(
				slope(&cost.time, name),
				slope(&cost.proof, name),
				slope(&cost.reads, name),
				slope(&cost.writes, name),
			);
			let _ = write!(
				text,
				"\n\t\t.saturating_add({each}.saturating_mul({name}.into()))"
			);
		}
		text.push_str("\n}\n");
	}
	text
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn digits_are_grouped() {
		let texts = [0, 12, 123, 1_234, 1_234_567].map(number);
		assert_eq!(texts, ["0", "12", "123", "1_234", "1_234_567"]);
	}

	#[test]
	fn a_cost_becomes_a_function() {
		let cost = Cost {
			name: "step".into(),
			time: Line {
				base: 5_000,
				slopes: vec![("n".into(), 7)],
			},
			reads: Line {
				base: 1,
				slopes: vec![("n".into(), 2)],
			},
			writes: Line::default(),
			proof: Line::default(),
		};
		let text = module("pallet_x", &[cost], 10, 5);
		assert!(text.contains("pub(crate) fn step(db: RuntimeDbWeight, n: u32) -> Weight {"));
		assert!(text.contains("part(db, 5_000, 0, 1, 0)"));
		assert!(text.contains(".saturating_add(part(db, 7, 0, 2, 0).saturating_mul(n.into()))"));
	}
}
