//! The lengths of windows and slots.

use hippius_primitives::heartbeat::Window;
use std::num::{NonZeroU32, NonZeroU8};

/// What the chain says of windows; fixed at its genesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
	/// Hash of the chain's block 0.
	pub genesis: [u8; 32],
	/// Blocks of a window.
	pub window_blocks: NonZeroU32,
	/// Beats due in a window, and so its slots.
	pub beats: NonZeroU8,
	/// How many blocks a beat may be behind or ahead of the collector's best block.
	pub tolerance: u32,
}

impl Terms {
	/// The window of a block, and the slot in it.
	pub fn slot_of(&self, block: u32) -> (Window, u8) {
		let blocks = self.window_blocks.get();
		let within = u64::from(block % blocks);
		let slot = within * u64::from(self.beats.get()) / u64::from(blocks);
		// Smaller than `beats`, since `within` is smaller than `blocks`.
		(block / blocks, slot as u8)
	}
}
