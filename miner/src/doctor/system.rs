//! The machine: clock, memory, file limit, files of the base path.

use super::report::Finding;
use crate::{
	files::{self, BasePath},
	size::ByteSize,
};
use arion_grid::Identity;
use std::time::Duration;

/// Files besides volumes and connections: log, control API, key, runtime.
const OTHER_FILES: u64 = 256;
/// Memory of the index for one record, in bytes, generously.
const INDEX_RECORD: u64 = 64;
/// Size of a full shard, in bytes.
const SHARD: u64 = 800_000;

/// The node key, as the daemon would load it.
pub fn node_key(base: &BasePath) -> Finding {
	match Identity::load(&base.node_key()) {
		Ok(identity) => Finding::ok("node-key", format!("{}", identity.node_key())),
		Err(error) => Finding::failed("node-key", error),
	}
}

/// The control API's token.
pub fn token(base: &BasePath) -> Finding {
	match files::read_token(&base.token()) {
		Ok(_) => Finding::ok("control-token", "is private"),
		Err(error) => Finding::failed("control-token", error),
	}
}

/// Our clock against the newest block's time. The chain's clock is behind ours by up to a block
/// time and the time a block takes to get here; it is never ahead, unless ours is slow.
pub fn clock(ours: Duration, chain: Duration, block: Duration) -> Finding {
	let mend = "keep the clock right with chrony or systemd-timesyncd";
	let ahead = chain.saturating_sub(ours);
	if ahead > Duration::from_secs(2) {
		let text = format!(
			"this machine's clock is {} s behind the chain's",
			ahead.as_secs()
		);
		return match ahead > Duration::from_secs(30) {
			true => Finding::error("clock", text, mend),
			false => Finding::warning("clock", text, mend),
		};
	}
	let behind = ours.saturating_sub(chain);
	let text = format!(
		"the newest block's time is {} s behind this machine's clock",
		behind.as_secs()
	);
	let bound = 5 * block.max(Duration::from_secs(6));
	if behind > 10 * bound {
		Finding::error(
			"clock",
			text,
			format!("{mend}; or the chain's node is not in sync: look at its log"),
		)
	} else if behind > bound {
		Finding::warning(
			"clock",
			text,
			format!("{mend}; or the chain's node is catching up: ask again later"),
		)
	} else {
		Finding::ok("clock", text)
	}
}

/// Open files allowed (`soft` of at most `hard`) against what `disks` disks with at most
/// `open_files` volumes open each need.
pub fn file_limit(soft: u64, hard: u64, disks: u64, open_files: u64) -> Finding {
	let needed = disks.saturating_mul(open_files).saturating_add(OTHER_FILES);
	let text = format!("{soft} files may be open, {needed} may be needed");
	if soft >= needed {
		return Finding::ok("file-limit", text);
	}
	let how = match hard >= needed {
		true => format!("run it with `ulimit -n {needed}`"),
		false => "raise the hard limit in /etc/security/limits.conf".into(),
	};
	Finding::warning(
		"file-limit",
		text,
		format!("{how}, or set LimitNOFILE={needed} in the systemd unit"),
	)
}

/// Memory available against what an index for `capacity` bytes and `jobs` operations need.
pub fn memory(available: u64, capacity: u64, jobs: u64) -> Finding {
	let index = (capacity / SHARD).saturating_mul(INDEX_RECORD);
	let needed = index
		.saturating_add(jobs.saturating_mul(4 << 20))
		.saturating_add(256 << 20);
	let mib = |bytes: u64| ByteSize(bytes >> 20 << 20);
	let text = format!(
		"{} are available, {} may be needed",
		mib(available),
		mib(needed)
	);
	match available >= needed {
		true => Finding::ok("memory", text),
		false => Finding::warning(
			"memory",
			text,
			"add memory, end other programs, or lower capacity or store.jobs",
		),
	}
}

/// `MemAvailable` of /proc/meminfo, in bytes.
pub fn available_memory(meminfo: &str) -> Option<u64> {
	let line = meminfo
		.lines()
		.find_map(|line| line.strip_prefix("MemAvailable:"))?;
	let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
	kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use crate::doctor::report::Level;
	use std::os::unix::fs::PermissionsExt;

	#[test]
	fn keys_that_are_missing_open_to_others_or_broken() {
		let dir = tempfile::tempdir().unwrap();
		let base = BasePath(dir.path().into());
		assert_eq!(node_key(&base).level, Level::Error);
		assert_eq!(token(&base).level, Level::Error);
		Identity::generate()
			.unwrap()
			.save(&base.node_key())
			.unwrap();
		files::write_new(&base.token(), "a".repeat(64).as_bytes()).unwrap();
		assert_eq!(node_key(&base).level, Level::Ok);
		assert_eq!(token(&base).level, Level::Ok);
		for path in [base.node_key(), base.token()] {
			std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
		}
		for finding in [node_key(&base), token(&base)] {
			assert_eq!(finding.level, Level::Error);
			assert!(finding.text.contains("chmod 600"), "{}", finding.text);
		}
	}

	#[test]
	fn clocks_that_are_off() {
		let now = Duration::from_secs(1_700_000_000);
		let block = Duration::from_secs(6);
		let at = |offset: i64| {
			let chain = Duration::from_secs((1_700_000_000 + offset) as u64);
			clock(now, chain, block).level
		};
		assert_eq!(at(0), Level::Ok);
		assert_eq!(at(1), Level::Ok);
		assert_eq!(at(-30), Level::Ok);
		assert_eq!(at(5), Level::Warning);
		assert_eq!(at(60), Level::Error);
		assert_eq!(at(-60), Level::Warning);
		assert_eq!(at(-3600), Level::Error);
	}

	#[test]
	fn limits_that_are_too_low() {
		assert_eq!(file_limit(1024, 4096, 1, 256).level, Level::Ok);
		let low = file_limit(1024, 1 << 20, 8, 256);
		assert_eq!(low.level, Level::Warning);
		assert!(low.mend.unwrap().contains("ulimit -n 2304"));
		let hard = file_limit(1024, 1024, 8, 256);
		assert!(hard.mend.unwrap().contains("limits.conf"));
		assert_eq!(file_limit(1024, 1024, u64::MAX, 256).level, Level::Warning);
	}

	#[test]
	fn memory_that_is_too_little() {
		assert_eq!(memory(4 << 30, 10 << 40, 64).level, Level::Ok);
		assert_eq!(memory(1 << 30, 100 << 40, 64).level, Level::Warning);
		assert_eq!(memory(0, u64::MAX, u64::MAX).level, Level::Warning);
		let text = "MemTotal: 10 kB\nMemAvailable:    2048 kB\n";
		assert_eq!(available_memory(text), Some(2 << 20));
		for bad in ["", "MemAvailable: x kB", "MemAvailable: 3"] {
			assert_eq!(available_memory(bad), None);
		}
	}
}
