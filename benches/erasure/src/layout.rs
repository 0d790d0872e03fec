//! Where shards lie in memory, which decides as much as the arithmetic does.

use crate::coder::{Coder, Op};
use arion_erasure::Kernel;
use bench_harness::{Arena, BenchError, XorShift};
use std::fs;

pub(crate) const DATA: usize = 10;
pub(crate) const TOTAL: usize = 30;
pub(crate) const MIB: usize = 1 << 20;
pub(crate) const SMALL: usize = 64 << 10;
pub(crate) const TINY: usize = 4 << 10;
/// Between shards, so that their columns do not share cache sets.
const PAD: usize = 4160;
/// Stripes of the rotation that is the same on all machines.
const ROTATION: usize = 8;

/// The shards of a stripe, in slot order.
pub(crate) type Shards<'a> = [&'a mut [u8]; TOTAL];

/// How stripes lie in memory.
pub(crate) struct Layout {
	name: &'static str,
	/// Bytes of a shard.
	pub(crate) len: usize,
	stride: usize,
	stripes: usize,
	encode_only: bool,
	/// For the report.
	pub(crate) about: String,
}

impl Layout {
	/// All layouts, or the three that the targets are about.
	pub(crate) fn all(quick: bool) -> Vec<Self> {
		let rotation = rotation(last_level_cache());
		let mut all = vec![
			Self::new(
				"A",
				MIB,
				MIB + PAD,
				1,
				"1 MiB shards, the same stripe every time",
			),
			Self::new("D", MIB, MIB + PAD, rotation, "1 MiB shards in memory"),
			Self::new("S", SMALL, SMALL + PAD, 1, "64 KiB shards"),
		];
		if !quick {
			if rotation > ROTATION {
				let about = "1 MiB shards, 240 MiB in turn";
				all.push(Self::new("D240", MIB, MIB + PAD, ROTATION, about));
			}
			let aligned = Self::new("P", MIB, MIB, 1, "1 MiB shards at a power-of-two stride");
			let tiny = Self::new("T", TINY, TINY + 64, 1, "4 KiB shards, in the L2 cache");
			all.extend([aligned, tiny].map(|layout| Self {
				encode_only: true,
				..layout
			}));
		}
		all
	}

	/// One stripe, for checks.
	pub(crate) fn one(len: usize) -> Self {
		Self::new("check", len, len + PAD, 1, "")
	}

	fn new(name: &'static str, len: usize, stride: usize, stripes: usize, about: &str) -> Self {
		let mib = stripes * TOTAL * stride / MIB;
		let about = format!("{about} ({stripes} stripes, {mib} MiB)");
		Self {
			name,
			len,
			stride,
			stripes,
			encode_only: false,
			about,
		}
	}

	/// The case's name.
	pub(crate) fn case(&self, op: Op) -> String {
		format!("{}-{}", op.name(), self.name)
	}

	/// Whether the operation is measured in this layout.
	pub(crate) fn has(&self, op: Op) -> bool {
		!self.encode_only || op == Op::Encode
	}
}

/// Stripes in turn.
pub(crate) struct Stripes {
	arena: Arena,
	len: usize,
	stride: usize,
	count: usize,
	next: usize,
}

impl Stripes {
	/// Stripes of test data and its parity.
	pub(crate) fn new(layout: &Layout) -> Result<Self, BenchError> {
		let bytes = layout.stripes * TOTAL * layout.stride;
		let mut this = Self {
			arena: Arena::new(bytes)?,
			len: layout.len,
			stride: layout.stride,
			count: layout.stripes,
			next: 0,
		};
		let data = data(layout.len);
		let mut coder = crate::Ours::new(Kernel::best())?;
		for _ in 0..layout.stripes {
			let mut shards = this.turn();
			for (shard, bytes) in shards.iter_mut().zip(data.chunks(layout.len)) {
				shard.copy_from_slice(bytes);
			}
			coder.run(Op::Encode, &mut shards)?;
		}
		Ok(this)
	}

	/// The next stripe.
	pub(crate) fn turn(&mut self) -> Shards<'_> {
		let stripe = TOTAL * self.stride;
		let at = self.next * stripe;
		self.next = (self.next + 1) % self.count;
		let mut shards = self.arena.bytes()[at..at + stripe].chunks_mut(self.stride);
		std::array::from_fn(|_| match shards.next() {
			Some(shard) => &mut shard[..self.len],
			None => &mut [],
		})
	}
}

/// Ten data shards of test data, one after the other.
pub(crate) fn data(len: usize) -> Vec<u8> {
	let mut data = vec![0; DATA * len];
	XorShift::new().fill(&mut data);
	data
}

/// FNV-1a of the twenty parity shards of the test data, as computed by five independent codecs.
pub(crate) fn known_parity(len: usize) -> Option<u64> {
	match len {
		MIB => Some(0xE994_86C0_BACF_2B94),
		SMALL => Some(0x5EA3_5464_6994_3A2E),
		_ => None,
	}
}

/// Stripes that a cache of this many bytes cannot hold half of.
fn rotation(cache: usize) -> usize {
	let stripe = TOTAL * (MIB + PAD);
	(cache * 9 / 4).div_ceil(stripe).clamp(ROTATION, 64)
}

/// Bytes of the last-level cache; 32 MiB where the system does not say.
fn last_level_cache() -> usize {
	let path = "/sys/devices/system/cpu/cpu0/cache/index3/size";
	let size = fs::read_to_string(path).unwrap_or_default();
	let kib = size
		.trim()
		.strip_suffix('K')
		.and_then(|size| size.parse::<usize>().ok());
	kib.unwrap_or(32 << 10) << 10
}
