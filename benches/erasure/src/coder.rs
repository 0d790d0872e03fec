//! What is measured.

use crate::layout::{Shards, DATA, TOTAL};
use bench_harness::BenchError;

/// An operation on a stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
	/// Twenty parity shards of ten data shards.
	Encode,
	/// All data shards of the first ten parity shards.
	TenLost,
	/// Data shard 0 of the other nine and the first parity shard.
	OneLost,
}

impl Op {
	pub(crate) const ALL: [Self; 3] = [Self::Encode, Self::TenLost, Self::OneLost];

	pub(crate) fn name(self) -> &'static str {
		match self {
			Self::Encode => "encode",
			Self::TenLost => "lost10",
			Self::OneLost => "lost1",
		}
	}

	/// How many of the first slots are lost.
	pub(crate) fn lost(self) -> usize {
		match self {
			Self::Encode => 0,
			Self::TenLost => DATA,
			Self::OneLost => 1,
		}
	}

	/// The slots that the first ten present ones are read from, ascending.
	pub(crate) fn sources(self) -> [usize; DATA] {
		std::array::from_fn(|index| index + self.lost())
	}

	/// The slots that are computed.
	pub(crate) fn outputs(self) -> std::ops::Range<usize> {
		match self {
			Self::Encode => DATA..TOTAL,
			_ => 0..self.lost(),
		}
	}
}

/// A codec that can be measured.
pub(crate) trait Coder {
	/// As reported.
	fn name(&self) -> &str;

	/// Computes the shards [`Op::outputs`] from those of [`Op::sources`], in place.
	fn run(&mut self, op: Op, shards: &mut Shards<'_>) -> Result<(), BenchError>;

	/// Whether its parity bytes are those of our code.
	fn same_code(&self) -> bool {
		true
	}

	/// Whether outputs must be put in place. A codec that computes into memory of its own is not
	/// charged for the copy, except when outputs are checked.
	fn keep_output(&mut self, _keep: bool) {}
}
