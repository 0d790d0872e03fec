//! The program as a process of its own.

use arion_miner::{daemon::RunInfo, files::BasePath, service::FAILPOINT};
use std::{
	io::{BufRead, BufReader},
	process::{Child, Command, ExitStatus, Stdio},
	sync::mpsc,
};

/// The program under test.
pub const MINER: &str = env!("CARGO_BIN_EXE_arion-miner");

/// A running miner; killed when dropped.
pub struct Process {
	pub child: Child,
	/// What it logs, from its ready line on; ends with it. It never waits for a reader.
	pub log: mpsc::Receiver<String>,
	pub info: RunInfo,
}

impl Process {
	/// Starts the miner and waits for its ready line.
	pub fn start(base: &BasePath) -> Self {
		Self::start_with(base, None)
	}

	/// The same, to die at a failpoint.
	pub fn start_with(base: &BasePath, failpoint: Option<&str>) -> Self {
		let mut command = Command::new(MINER);
		command
			.args(["run", "--log-format", "json", "--base-path"])
			.arg(&base.0);
		command.env_remove("RUST_LOG").env_remove(FAILPOINT);
		let notify = base.0.join("notify");
		if notify.exists() {
			command.env("NOTIFY_SOCKET", notify);
		}
		if let Some(failpoint) = failpoint {
			command.env(FAILPOINT, failpoint);
		}
		let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
		let lines = BufReader::new(child.stderr.take().unwrap()).lines();
		let (sender, log) = mpsc::channel();
		std::thread::spawn(move || {
			// Read on even if nobody listens, or a full pipe would stop the miner.
			lines.for_each(|line| drop(sender.send(line.unwrap())));
		});
		let ready = log
			.iter()
			.map(|line| serde_json::from_str::<serde_json::Value>(&line).unwrap())
			.find(|line| line["message"] == "ready")
			.expect("the miner ended before it was ready");
		let info = RunInfo::load(base).unwrap().unwrap();
		assert_eq!(info.pid, child.id());
		assert_eq!(ready["listen"], info.listen.to_string());
		assert_eq!(ready["control"], info.control.to_string());
		Self { child, log, info }
	}

	pub fn kill(mut self) {
		self.child.kill().unwrap();
		self.child.wait().unwrap();
	}

	/// Asks it to end; how it ended, and what it logged.
	pub fn terminate(mut self) -> (ExitStatus, Vec<String>) {
		let status = Command::new("kill")
			.arg(self.child.id().to_string())
			.status()
			.unwrap();
		assert!(status.success());
		let log = self.log.iter().collect();
		(self.child.wait().unwrap(), log)
	}

	/// Its resident memory now, and the most it ever was, in bytes.
	pub fn memory(&self) -> (u64, u64) {
		let path = format!("/proc/{}/status", self.child.id());
		let status = std::fs::read_to_string(path).unwrap();
		let field = |name: &str| {
			let line = status.lines().find_map(|line| line.strip_prefix(name));
			let number = line.unwrap().trim().strip_suffix(" kB").unwrap();
			number.parse::<u64>().unwrap() * 1024
		};
		(field("VmRSS:"), field("VmHWM:"))
	}
}

impl Drop for Process {
	fn drop(&mut self) {
		// Already gone in many tests.
		let _ = self.child.kill();
		let _ = self.child.wait();
	}
}
