//! What is configured, and what is kept of windows, pages and nodes.

use crate::RING_DAYS;
use alloc::{format, string::String, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
	traits::{ConstU32, Get},
	BoundedVec,
};
use hippius_primitives::heartbeat::{collectors_of, Page, Window, PAGE_NODES};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// Lengths and thresholds.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeartbeatConfig {
	/// Blocks of a window.
	pub window_blocks: u32,
	/// Blocks after a window in which it can be reported; at most a window.
	pub report_blocks: u32,
	/// Beats due from a node in a window.
	pub beats_per_window: u8,
	/// Windows after which pages get other collectors.
	pub rotation_windows: u32,
	/// Windows of a day, the unit in which uptime is forgotten.
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

impl Default for HeartbeatConfig {
	/// The main network's: windows of ten minutes, 20 beats in each, collectors change hourly; down
	/// after 4 hours, out after a day; absences an hour ahead, 12 hours in 30 days.
	fn default() -> Self {
		Self {
			window_blocks: 100,
			report_blocks: 50,
			beats_per_window: 20,
			rotation_windows: 6,
			day_windows: 144,
			down_windows: 24,
			out_windows: 144,
			notice_blocks: 600,
			absence_blocks: 7_200,
			absent_percent: 5,
		}
	}
}

impl HeartbeatConfig {
	/// Whether nodes can be judged by this; the error names the flaw.
	pub fn check(&self) -> Result<(), String> {
		let zero = [
			("windowBlocks", self.window_blocks == 0),
			("reportBlocks", self.report_blocks == 0),
			("beatsPerWindow", self.beats_per_window == 0),
			("rotationWindows", self.rotation_windows == 0),
			("dayWindows", self.day_windows == 0),
			("downWindows", self.down_windows == 0),
		];
		if let Some((name, _)) = zero.iter().find(|(_, zero)| *zero) {
			return Err(format!("{name} must not be zero"));
		}
		if self.report_blocks > self.window_blocks {
			return Err("reportBlocks must not exceed windowBlocks".into());
		}
		if self.out_windows < self.down_windows {
			return Err("outWindows must not be below downWindows".into());
		}
		if self.absent_percent > 100 {
			return Err("absentPercent must not exceed 100".into());
		}
		let beats = u64::from(self.day_windows).saturating_mul(self.beats_per_window.into());
		if beats > u16::MAX.into() {
			return Err(format!("{beats} beats a day are more than can be counted"));
		}
		Ok(())
	}

	/// The window a block lies in.
	pub fn window_of(&self, block: u32) -> Window {
		block / self.window_blocks.max(1)
	}

	/// The first block of a window.
	pub fn start_of(&self, window: Window) -> u32 {
		window.saturating_mul(self.window_blocks)
	}

	/// The first block at which a window can no longer be reported.
	pub fn report_end(&self, window: Window) -> u32 {
		self.start_of(window.saturating_add(1))
			.saturating_add(self.report_blocks)
	}

	/// The day a window lies in.
	pub fn day_of(&self, window: Window) -> u32 {
		window / self.day_windows.max(1)
	}

	/// The stretch of 30 days a block lies in.
	pub fn period_of(&self, block: u32) -> u32 {
		let days = self.day_windows.saturating_mul(RING_DAYS);
		block / days.saturating_mul(self.window_blocks).max(1)
	}
}

/// A window whose collectors are fixed.
#[derive(Encode, Decode, MaxEncodedLen, TypeInfo)]
#[scale_info(skip_type_params(Max))]
#[codec(mel_bound(Id: MaxEncodedLen))]
pub struct OpenWindow<Id, Max: Get<u32>> {
	/// Seed of the draw of collectors.
	pub seed: [u8; 32],
	/// Hash of the block before the window.
	pub anchor: [u8; 32],
	/// The validators, in their order.
	pub validators: BoundedVec<Id, Max>,
}

impl<Id: AsRef<[u8]>, Max: Get<u32>> OpenWindow<Id, Max> {
	/// The collectors of a page: places in the list of validators.
	pub fn collectors(&self, page: Page) -> Vec<u32> {
		collectors_of(&self.seed, page, &self.validators)
	}
}

/// The page that is settled next, and its window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Cursor {
	/// The window.
	pub window: Window,
	/// The page.
	pub page: Page,
}

/// An announced absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Absence {
	/// First block.
	pub from: u32,
	/// Block by which the node is back.
	pub until: u32,
}

/// What is known of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct NodeState {
	/// Beats seen in the ring's days.
	pub seen: u32,
	/// Beats due in the ring's days.
	pub due: u32,
	/// Counted windows missed in a row.
	pub missed: u16,
	/// Block at which the first of them began.
	pub since: u32,
	/// Whether others shall get its data.
	pub out: bool,
	/// Block by which it was there again after it had been away or silent, or was first heard.
	pub back: u32,
	/// The last window it gave a sign of life in.
	pub shown: Option<Window>,
	/// When it is away.
	pub absence: Option<Absence>,
	/// Blocks of absence in a stretch of 30 days, and which stretch.
	pub absent: (u32, u32),
}

/// What is known of a page's nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct PageState {
	/// The newest day of its ring.
	pub day: u32,
	/// Its nodes, in order of their numbers; `None` for one that is not registered or new.
	pub nodes: BoundedVec<Option<NodeState>, ConstU32<PAGE_NODES>>,
}

/// A day of a page: per node beats seen and beats due.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct DayRow {
	/// Which day.
	pub day: u32,
	/// The nodes' beats, in order of their numbers.
	pub beats: BoundedVec<(u16, u16), ConstU32<PAGE_NODES>>,
}
