//! What the benches share: CPU clock, interleaved sampling, tables and JSON.
//!
//! A [`Contest`] measures several [`Contestant`]s of one case side by side: every round takes one
//! sample of each, in an order that rotates, so that a slow moment of the machine meets all alike. A
//! sample is the CPU time of the thread over many runs of the operation; the figure is the median.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod arena;
mod clock;
mod contest;
mod error;
mod options;
mod report;
mod stats;

pub use arena::Arena;
pub use clock::{pin, thread_cpu_time, unpin};
pub use contest::{Contest, Contestant, Figure};
pub use error::BenchError;
pub use options::Options;
pub use report::{Case, Machine, Report, Unit};
pub use stats::{median, spread};

/// FNV-1a, 64 bits: says whether outputs are equal, not whether they are authentic.
pub fn fnv1a64<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
	parts
		.into_iter()
		.flatten()
		.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
			(hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
		})
}

/// The words of xorshift64 (13, 7, 17) from seed 0x9E3779B97F4A7C15, little-endian: test data that is
/// the same everywhere.
pub struct XorShift(u64);

impl XorShift {
	/// The sequence from its beginning.
	#[allow(clippy::new_without_default)]
	pub fn new() -> Self {
		Self(0x9E37_79B9_7F4A_7C15)
	}

	/// The next word.
	pub fn next_word(&mut self) -> u64 {
		self.0 ^= self.0 << 13;
		self.0 ^= self.0 >> 7;
		self.0 ^= self.0 << 17;
		self.0
	}

	/// Fills `buffer` with the next words; a part of a word at the end is cut off.
	pub fn fill(&mut self, buffer: &mut [u8]) {
		for chunk in buffer.chunks_mut(8) {
			chunk.copy_from_slice(&self.next_word().to_le_bytes()[..chunk.len()]);
		}
	}
}
