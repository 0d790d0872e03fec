//! By what rules heartbeats are judged.

use crate::{contract::storage, error::ChainError, view::ChainView};
use codec::{Decode, Encode};

/// Lengths and thresholds of heartbeats, as the chain was given them at genesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BeatRules {
	/// Blocks of a window.
	pub window_blocks: u32,
	/// Blocks after a window in which it can be reported.
	pub report_blocks: u32,
	/// Beats due from a node in a window.
	pub beats_per_window: u8,
	/// Windows after which pages get other collectors.
	pub rotation_windows: u32,
	/// Windows of a day.
	pub day_windows: u32,
	/// Missed windows after which a node is down.
	pub down_windows: u16,
	/// Missed windows after which its data goes to others.
	pub out_windows: u16,
	/// Blocks an absence must be announced ahead.
	pub notice_blocks: u32,
	/// Blocks a node may be absent within 30 days.
	pub absence_blocks: u32,
	/// Most nodes, in percent, that are away or have announced it.
	pub absent_percent: u8,
}

impl BeatRules {
	/// The window a block lies in.
	pub fn window_of(&self, block: u32) -> u32 {
		block / self.window_blocks.max(1)
	}

	/// The block in which a node is called down at the latest that missed every window from the one of
	/// `block` on, if each was reported by enough of its collectors.
	pub fn down_by(&self, block: u32) -> u32 {
		let windows = self
			.window_of(block)
			.saturating_add(self.down_windows.into());
		windows
			.saturating_mul(self.window_blocks)
			.saturating_add(self.report_blocks)
	}
}

impl ChainView {
	/// By what rules heartbeats are judged; `None` if this chain does not.
	pub async fn beat_rules(&self) -> Result<Option<BeatRules>, ChainError> {
		self.read(&storage::BEAT_RULES, Vec::new()).await
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_node_is_down_when_its_last_window_was_reported() {
		let rules = BeatRules {
			window_blocks: 12,
			report_blocks: 6,
			beats_per_window: 6,
			rotation_windows: 3,
			day_windows: 10,
			down_windows: 2,
			out_windows: 4,
			notice_blocks: 12,
			absence_blocks: 100,
			absent_percent: 5,
		};
		// Windows 3 and 4 are missed; the latter ends before block 60.
		for block in [36, 47] {
			assert_eq!(rules.down_by(block), 66);
		}
		assert_eq!(rules.down_by(48), 78);
	}
}
