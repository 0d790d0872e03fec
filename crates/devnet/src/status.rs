//! `status` and `logs`.

use crate::{
	cli::Output,
	error::{Context as _, Error, Result},
	state::{Entry, Phase, StateDir},
};
use serde_json::{json, Value};
use std::{os::unix::process::CommandExt as _, process::Command};

/// Prints what runs. Fails if no network runs, after having said so.
pub fn status(dir: &StateDir, output: Output) -> Result<()> {
	let state = dir.load()?;
	let alive = state
		.as_ref()
		.is_some_and(|state| state.any_alive().is_some());
	let entries: &[Entry] = state
		.as_ref()
		.map(|state| state.processes.as_slice())
		.unwrap_or_default();
	let phase = state
		.as_ref()
		.filter(|_| alive)
		.map(|state| state.phase)
		.unwrap_or(Phase::Down);
	match output {
		Output::Json => {
			let processes: Vec<Value> = entries.iter().map(describe).collect();
			println!(
				"{}",
				json!({ "dir": dir.path(), "phase": phase, "processes": processes })
			);
		}
		Output::Text => print!("{}", table(entries)),
	}
	match alive {
		true => Ok(()),
		false => Err(Error::NotRunning(dir.path().into())),
	}
}

fn condition(entry: &Entry) -> &'static str {
	match (entry.process, entry.alive()) {
		(_, true) => "running",
		(Some(_), false) => "ended",
		(None, false) => "never started",
	}
}

fn describe(entry: &Entry) -> Value {
	json!({
		"name": entry.name,
		"kind": entry.kind,
		"pid": entry.process.filter(|process| process.alive()).map(|process| process.pid),
		"state": condition(entry),
		"addresses": entry.addresses,
		"log": entry.log,
	})
}

fn table(entries: &[Entry]) -> String {
	let mut text = format!("{:<10} {:>8} {:<13} addresses\n", "name", "pid", "state");
	for entry in entries {
		let pid = match entry.process {
			Some(process) if process.alive() => process.pid.to_string(),
			_ => "-".into(),
		};
		let addresses: Vec<String> = entry
			.addresses
			.iter()
			.map(|address| format!("{} {}", address.kind, address.url))
			.collect();
		text += &format!(
			"{:<10} {pid:>8} {:<13} {}\n",
			entry.name,
			condition(entry),
			addresses.join("  ")
		);
	}
	text
}

/// Prints the end of a log and, if asked, goes on as it grows. Hands over to `tail`, which waits
/// for changes by itself.
pub fn logs(dir: &StateDir, name: &str, follow: bool, lines: u32) -> Result<()> {
	let state = dir
		.load()?
		.ok_or_else(|| Error::NotRunning(dir.path().into()))?;
	let log = &state.entry(name)?.log;
	let mut tail = Command::new("tail");
	tail.arg("-n").arg(lines.to_string());
	if follow {
		tail.arg("-F");
	}
	Err(tail.arg("--").arg(log).exec()).context(|| "start tail".into())
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use crate::{
		procfs::ProcessId,
		state::{Address, Kind},
	};

	#[test]
	fn the_table_tells_the_living_from_the_dead() {
		let own = ProcessId::of(std::process::id() as i32).unwrap();
		let entry = |name: &str, process| Entry {
			name: name.into(),
			kind: Kind::Miner,
			program: "x".into(),
			args: vec![],
			log: "x".into(),
			addresses: vec![Address::new("quic", "127.0.0.1:9")],
			process,
		};
		let entries = [
			entry("a", Some(own)),
			entry(
				"b",
				Some(ProcessId {
					start: own.start + 1,
					..own
				}),
			),
			entry("c", None),
		];
		let text = table(&entries);
		let lines: Vec<&str> = text.lines().collect();
		assert!(lines[1].contains("running") && lines[1].contains(&own.pid.to_string()));
		assert!(lines[2].contains("ended") && lines[2].contains("quic 127.0.0.1:9"));
		assert!(lines[3].contains("never started"));
		assert_eq!(describe(&entries[1])["pid"], Value::Null);
	}
}
