//! How much repair may take.

use super::ConfigError;
use crate::size::ByteSize;
use serde::{Deserialize, Serialize};

/// How much repair may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RepairSection {
	/// Whether the node fetches what it lacks.
	pub enabled: bool,
	/// Bytes a second that may be fetched. What is urgent goes ahead of it.
	pub rate: ByteSize,
	/// Shards repaired at the same time; each takes up to 11 MiB of memory.
	pub parallel: usize,
	/// How long another node may take to answer a small question, in seconds.
	pub ask_seconds: u64,
	/// How long to wait before the second try, in seconds; then twice that, up to 64 times.
	pub retry_seconds: u64,
	/// How long shards of slots that are other nodes' now are kept at least, in seconds. They are
	/// kept for as long as their new holders lack them.
	pub release_after_seconds: u64,
	/// Hours between two checks of a slot that is complete.
	pub recheck_hours: u64,
}

impl Default for RepairSection {
	fn default() -> Self {
		Self {
			enabled: true,
			rate: ByteSize(32 << 20),
			parallel: 4,
			ask_seconds: 10,
			retry_seconds: 10,
			release_after_seconds: 3600,
			recheck_hours: 168,
		}
	}
}

impl RepairSection {
	pub(super) fn validate(&self) -> Result<(), ConfigError> {
		let fail = |field, problem: String| Err(ConfigError::Field { field, problem });
		if self.rate.0 < 64 << 10 {
			return fail(
				"repair.rate",
				format!("is {}; choose at least 64KiB a second", self.rate),
			);
		}
		let ranges = [
			("repair.parallel", self.parallel as u64, 1..=64),
			("repair.ask_seconds", self.ask_seconds, 1..=120),
			("repair.retry_seconds", self.retry_seconds, 1..=3600),
			(
				"repair.release_after_seconds",
				self.release_after_seconds,
				0..=30 * 86_400,
			),
			("repair.recheck_hours", self.recheck_hours, 1..=8760),
		];
		for (field, value, range) in ranges {
			if !range.contains(&value) {
				let (least, most) = (range.start(), range.end());
				return fail(field, format!("is {value}; choose {least} to {most}"));
			}
		}
		Ok(())
	}

	pub(super) fn render(&self) -> String {
		format!(
			"[repair]\n\
			# Whether this node fetches the shards it lacks. Default: true\n\
			enabled = {enabled}\n\
			# Bytes a second that may be fetched; stripes in danger go ahead of it. Default: 32MiB\n\
			rate = \"{rate}\"\n\
			# Shards repaired at the same time, each with up to 11 MiB of memory. Default: 4\n\
			parallel = {parallel}\n\
			# Seconds another node may take to answer, and before the second try. Defaults: 10, 10\n\
			ask_seconds = {ask}\n\
			retry_seconds = {retry}\n\
			# Seconds for which shards of slots that are other nodes' now are kept at least. Default: 3600\n\
			release_after_seconds = {release}\n\
			# Hours between two checks of a slot that is complete. Default: 168\n\
			recheck_hours = {recheck}\n",
			enabled = self.enabled,
			rate = self.rate,
			parallel = self.parallel,
			ask = self.ask_seconds,
			retry = self.retry_seconds,
			release = self.release_after_seconds,
			recheck = self.recheck_hours,
		)
	}
}
