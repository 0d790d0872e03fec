//! What Linux tells of processes: whether a pid is still the process we started, and which
//! processes carry our mark.

use serde::{Deserialize, Serialize};
use std::{fs, os::unix::ffi::OsStrExt, path::Path};

/// Environment variable every process of a network carries; its value is the state folder.
pub const MARK: &str = "HIPPIUS_DEVNET";

/// A process, safe against reuse of its pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
	/// Process id.
	pub pid: i32,
	/// When it started, in clock ticks since boot.
	pub start: u64,
}

impl ProcessId {
	/// The process that has this pid now; `None` if there is none or it is a zombie.
	pub fn of(pid: i32) -> Option<Self> {
		let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
		parse_stat(&stat)
			.filter(|stat| stat.alive)
			.map(|stat| Self {
				pid,
				start: stat.start,
			})
	}

	/// Whether it still runs.
	pub fn alive(&self) -> bool {
		Self::of(self.pid) == Some(*self)
	}
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
	alive: bool,
	start: u64,
}

/// Reads `/proc/PID/stat`. The second field is the command in parentheses and may itself hold
/// spaces and parentheses, so fields are counted from the last closing one.
fn parse_stat(text: &str) -> Option<Stat> {
	let (_, rest) = text.rsplit_once(')')?;
	let mut fields = rest.split_ascii_whitespace();
	let state = fields.next()?;
	// Field 22 of the file; `state` was field 3.
	let start = fields.nth(18)?.parse().ok()?;
	Some(Stat {
		alive: !matches!(state, "Z" | "X" | "x"),
		start,
	})
}

/// Processes that carry the mark of this state folder, this process excepted.
pub fn marked(dir: &Path) -> Vec<ProcessId> {
	let mut wanted = format!("{MARK}=").into_bytes();
	wanted.extend_from_slice(dir.as_os_str().as_bytes());
	let own = std::process::id();
	let Ok(entries) = fs::read_dir("/proc") else {
		return Vec::new();
	};
	entries
		.flatten()
		.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
		.filter(|pid| u32::try_from(*pid) != Ok(own))
		.filter_map(|pid| {
			let id = ProcessId::of(pid)?;
			// Other users' processes are not readable, and not ours.
			let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
			environ
				.split(|byte| *byte == 0)
				.any(|var| var == wanted)
				.then_some(id)
		})
		.collect()
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[test]
	fn stat_with_an_awkward_command_is_read() {
		let fields: Vec<String> = (4..53).map(|field| field.to_string()).collect();
		let line = format!("77 (a b) c) S {}\n", fields.join(" "));
		assert_eq!(
			parse_stat(&line),
			Some(Stat {
				alive: true,
				start: 22
			})
		);
		assert!(!parse_stat(&line.replace(") S ", ") Z ")).unwrap().alive);
	}

	#[test]
	fn bad_stat_is_no_process() {
		for text in [
			"",
			"1 (x",
			"1 (x) S 1 2",
			"1 (x) S a b c d e f g h i j k l m n o p q r s t",
		] {
			assert_eq!(parse_stat(text), None, "{text:?}");
		}
	}

	#[test]
	fn own_process_is_alive_and_another_start_is_not() {
		let own = ProcessId::of(std::process::id() as i32).unwrap();
		assert!(own.alive());
		assert!(!ProcessId {
			start: own.start + 1,
			..own
		}
		.alive());
		assert_eq!(ProcessId::of(i32::MAX), None);
	}
}
