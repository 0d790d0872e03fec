//! `rusty_erasure`.

use crate::{
	coder::{Coder, Op},
	layout::{Shards, DATA, TOTAL},
};
use bench_harness::BenchError;
use rusty_erasure::{coder, compat::reed_solomon_erasure_matrix};

pub(crate) const NAME: &str = "rusty_erasure-0.4.3";

/// Its coder, with plans that are used again.
pub(crate) struct Rusty {
	coder: rusty_erasure::Coder,
	ten: rusty_erasure::DecodePlan,
	one: rusty_erasure::DecodePlan,
}

impl Rusty {
	pub(crate) fn new() -> Result<Self, BenchError> {
		let failed = |cause| BenchError::failed(NAME, cause);
		let matrix = reed_solomon_erasure_matrix(DATA, TOTAL - DATA).map_err(failed)?;
		let coder = coder(matrix).map_err(failed)?;
		let plan = |op: Op| {
			let lost: Vec<usize> = op.outputs().collect();
			let present: [bool; TOTAL] = std::array::from_fn(|slot| !lost.contains(&slot));
			coder
				.decode_plan(&present, &lost)
				.map_err(|cause| BenchError::failed(NAME, cause))
		};
		let (ten, one) = (plan(Op::TenLost)?, plan(Op::OneLost)?);
		Ok(Self { coder, ten, one })
	}
}

impl Coder for Rusty {
	fn name(&self) -> &str {
		NAME
	}

	fn run(&mut self, op: Op, shards: &mut Shards<'_>) -> Result<(), BenchError> {
		let plan = match op {
			Op::Encode => {
				let (data, parity) = shards.split_at_mut(DATA);
				let data: [&[u8]; DATA] = std::array::from_fn(|slot| &*data[slot]);
				let done = self.coder.encode(&data, parity);
				return done.map_err(|cause| BenchError::failed(NAME, cause));
			}
			Op::TenLost => &self.ten,
			Op::OneLost => &self.one,
		};
		let (lost, rest) = shards.split_at_mut(op.lost());
		let present: [Option<&[u8]>; TOTAL] =
			std::array::from_fn(|slot| Some(&*rest[slot.checked_sub(lost.len())?]));
		let done = self.coder.recover_with(plan, &present, lost);
		done.map_err(|cause| BenchError::failed(NAME, cause))
	}
}
