//! What a shard store reads from its disk. One byte says what, the rest is read as that.

use crate::Input;
use arion_shard_store::fuzz;

/// Reads; the parsers' own promise is that nothing panics and memory stays in proportion.
pub fn run(data: &[u8]) {
	let mut input = Input(data);
	let kind = input.u8();
	let key = [kind >> 4; 32];
	match kind % 7 {
		0 => drop(fuzz::record(input.0)),
		1 => drop(fuzz::frame(key, input.0)),
		2 => assert!(fuzz::list(input.0) <= input.0.len()),
		3 => drop(fuzz::preambles(input.0)),
		4 => drop(fuzz::snapshot(key, input.0)),
		5 => drop(fuzz::scrub_position(key, input.0)),
		_ => drop(fuzz::volume(key, input.0)),
	}
}

/// A magic each to start from.
pub fn seeds() -> Vec<Vec<u8>> {
	(0..7u8)
		.flat_map(|kind| {
			[&b"ARSR"[..], b"ARIONVOL", b"ARIONSUP"].map(|magic| {
				let mut seed = vec![kind];
				seed.extend_from_slice(magic);
				seed.extend_from_slice(&[2, 0]);
				seed.resize(4096, 0);
				seed
			})
		})
		.collect()
}
