//! What the fuzz targets do with their bytes: one module each, with `run` for the target and
//! `seeds` for inputs to start from. A `run` panics if a decoder takes a lie for the truth.

#![allow(clippy::unwrap_used)]

pub mod audit_proof;
pub mod cluster_map;
pub mod crush_text;
pub mod erasure_decode;
pub mod grid_wire;
mod input;
pub mod ledger;
pub mod object_root;
pub mod outboard;
pub mod slice_decoder;
pub mod store_record;

pub use input::Input;
use std::path::PathBuf;

/// With `FUZZ_SEEDS` set, writes the inputs that fuzzing `target` starts from to that folder, after
/// running each once, and ends the process. Called by a target before anything else.
pub fn start(target: &str) {
	let Some(folder) = std::env::var_os("FUZZ_SEEDS").map(PathBuf::from) else {
		return;
	};
	let (run, seeds): (fn(&[u8]), Vec<Vec<u8>>) = match target {
		"audit_proof" => (audit_proof::run, audit_proof::seeds()),
		"ledger" => (ledger::run, ledger::seeds()),
		"slice_decoder" => (slice_decoder::run, slice_decoder::seeds()),
		"outboard" => (outboard::run, outboard::seeds()),
		"cluster_map" => (cluster_map::run, cluster_map::seeds()),
		"crush_text" => (crush_text::run, crush_text::seeds()),
		"grid_wire" => (grid_wire::run, grid_wire::seeds()),
		"store_record" => (store_record::run, store_record::seeds()),
		"object_root" => (object_root::run, object_root::seeds()),
		"erasure_decode" => (erasure_decode::run, erasure_decode::seeds()),
		_ => panic!("no target {target}"),
	};
	for (number, seed) in seeds.iter().enumerate() {
		run(seed);
		std::fs::write(folder.join(format!("seed-{number:02}")), seed).unwrap();
	}
	std::process::exit(0);
}

/// What `wire.rs` takes from its crate's `service` module.
mod service {
	use codec::{Decode, Encode};

	/// The answer to a put, as `arion_grid::PutAck`.
	#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
	pub struct PutAck {
		/// The node held the shard before this request.
		pub already_held: bool,
	}
}

/// What `wire.rs` takes from its crate's `listing` module.
mod listing {
	/// As `arion_grid::MAX_LISTED`.
	pub const MAX_LISTED: usize = 1024;
}

// These decoders are private to their crate, so their file is compiled here too.
#[allow(dead_code, unreachable_pub, clippy::all)]
#[path = "../../crates/grid/src/wire.rs"]
mod wire;
