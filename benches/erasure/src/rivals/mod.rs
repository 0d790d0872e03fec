//! Our codec and the others.

mod isal;
mod ours;
mod rse;
mod rss;
mod rusty;

use crate::coder::Coder;
use arion_erasure::Kernel;
use bench_harness::{BenchError, Options, Report};
pub(crate) use ours::Ours;
use std::path::Path;

/// Ends the names of those whose caller cuts the shards into tiles.
pub(crate) const TILED: &str = "-tiled";

/// Everyone who takes part.
pub(crate) struct Field {
	/// Ours, the fastest kernel first.
	pub(crate) ours: Vec<Ours>,
	/// The others.
	pub(crate) rivals: Vec<Box<dyn Coder>>,
}

/// Everyone who can take part here; the report says who cannot and why.
pub(crate) fn all(options: &Options, report: &mut Report) -> Result<Field, BenchError> {
	let kernels = Kernel::ALL
		.into_iter()
		.filter(|kernel| kernel.is_available());
	let mut ours: Vec<_> = kernels.map(Ours::new).collect::<Result<_, _>>()?;
	// The one that is chosen when nobody asks comes first.
	ours.sort_by_key(|coder| coder.kernel() != Kernel::best());
	let mut rivals: Vec<Box<dyn Coder>> =
		vec![Box::new(rusty::Rusty::new()?), Box::new(rss::Rss::new())];
	for (name, library) in [(rse::PLAIN, "rse_plain"), (rse::SIMD, "rse_simd")] {
		match rse::Rse::load(name, library) {
			Ok(coder) => rivals.push(Box::new(coder)),
			Err(cause) => report.note(format!("{name} left out: {cause}")),
		}
	}
	for name in ["isal", "isal-system"] {
		let version = options.get(&format!("{name}-version")).unwrap_or("?");
		let Some(path) = options.get(name) else {
			continue;
		};
		match isal::library(Path::new(path)) {
			Ok(library) => {
				let name = format!("isa-l-{version}");
				let plain = isal::Isal::new(&name, &library, None);
				report.note(format!("{name}: {}", plain.tables()));
				rivals.push(Box::new(plain));
				if options.get("isal") == Some(path) {
					let tiled =
						isal::Isal::new(&format!("{name}{TILED}"), &library, Some(16 << 10));
					rivals.push(Box::new(tiled));
				}
			}
			Err(cause) => report.note(format!("ISA-L {version} left out: {cause}")),
		}
	}
	Ok(Field { ours, rivals })
}

/// The coefficients by which `outputs` are computed from `sources`, row by row: what our codec makes
/// of unit vectors.
fn coefficients(op: crate::coder::Op) -> Result<Vec<u8>, BenchError> {
	use crate::layout::{DATA, TOTAL};
	let mut buffers = vec![vec![0u8; DATA]; TOTAL];
	for (index, slot) in op.sources().into_iter().enumerate() {
		buffers[slot][index] = 1;
	}
	let mut slices = buffers.iter_mut().map(Vec::as_mut_slice);
	let mut shards = std::array::from_fn(|_| slices.next().unwrap_or_default());
	Ours::new(Kernel::Portable)?.run(op, &mut shards)?;
	Ok(op
		.outputs()
		.flat_map(|slot| shards[slot].to_vec())
		.collect())
}
