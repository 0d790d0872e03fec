//! What can go wrong, each with its cause and its mend.

use std::{io, path::PathBuf};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Failures of the devnet.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// A port of the plan is in use.
	#[error(
		"{protocol} port {port} ({what}) is already taken: end the program that uses it, or choose other ports with --base-port"
	)]
	PortTaken {
		/// The port.
		port: u16,
		/// `TCP` or `UDP`.
		protocol: &'static str,
		/// What would listen there.
		what: String,
	},
	/// The port range does not fit below 65536.
	#[error("--base-port {base} leaves no room: the network needs {needed} ports from it on; choose at most {most}")]
	PortRange {
		/// The base asked for.
		base: u16,
		/// Ports needed.
		needed: u16,
		/// Largest base that works.
		most: u16,
	},
	/// Another network runs from the same folder.
	#[error("a network already runs from {dir} (process {pid}): end it with `down`, or choose another folder with --dir")]
	AlreadyRunning {
		/// State folder.
		dir: PathBuf,
		/// One of its processes.
		pid: i32,
	},
	/// Nothing runs from this folder.
	#[error("no network runs from {0}: start one with `up`")]
	NotRunning(PathBuf),
	/// The folder holds something that is not ours.
	#[error("{0} is not empty and was not made by devnet: choose another folder with --dir")]
	ForeignDir(PathBuf),
	/// The state file is not readable as one.
	#[error("{path} is damaged ({cause}): `down` ends what is left and does without it")]
	BadState {
		/// State file.
		path: PathBuf,
		/// Why.
		cause: String,
	},
	/// No process of that name.
	#[error("no process is called {name:?}; there are: {known}")]
	NoSuchProcess {
		/// Asked for.
		name: String,
		/// What there is.
		known: String,
	},
	/// A program of the network is not there.
	#[error("{0} does not exist: build the workspace (`cargo build --workspace --bins`) or name its folder with --bin-dir")]
	NoBinary(PathBuf),
	/// A process ended while it was waited for.
	#[error("{name} ended ({how}) while {doing}; the end of {}:\n{tail}", log.display())]
	Ended {
		/// Process.
		name: String,
		/// Exit status.
		how: String,
		/// What it was waited for.
		doing: String,
		/// Log file.
		log: PathBuf,
		/// Last lines of the log.
		tail: String,
	},
	/// Something did not happen in time.
	#[error("{what} did not happen within {seconds} s{detail}")]
	Late {
		/// What was waited for.
		what: String,
		/// How long.
		seconds: u64,
		/// More, may be empty.
		detail: String,
	},
	/// A process could not be ended.
	#[error("these processes are still there after SIGKILL: {0}")]
	Survivors(String),
	/// A command of the demo failed.
	#[error("`{command}` failed ({how}): {message}")]
	Command {
		/// The command.
		command: String,
		/// Exit status.
		how: String,
		/// Its error output.
		message: String,
	},
	/// An answer was not what it should be.
	#[error("unexpected answer of {who}: {what}")]
	Answer {
		/// Who answered.
		who: String,
		/// What was wrong.
		what: String,
	},
	/// The chain refused or could not be reached.
	#[error("{0}")]
	Chain(String),
	/// What came back is not what went in.
	#[error("the file that came back differs: {0}")]
	Differs(String),
	/// Bad option.
	#[error("{0}")]
	Usage(String),
	/// A signal asked to stop.
	#[error("interrupted")]
	Interrupted,
	/// File or process trouble.
	#[error("{what}: {source}")]
	Io {
		/// What was tried.
		what: String,
		/// The system's word.
		source: io::Error,
	},
}

/// Adds what was tried to a system error.
pub(crate) trait Context<T> {
	fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
	fn context(self, what: impl FnOnce() -> String) -> Result<T> {
		self.map_err(|source| Error::Io {
			what: what(),
			source,
		})
	}
}

impl<T> Context<T> for rustix::io::Result<T> {
	fn context(self, what: impl FnOnce() -> String) -> Result<T> {
		self.map_err(|errno| Error::Io {
			what: what(),
			source: errno.into(),
		})
	}
}
