//! Starting, watching and ending processes.
//!
//! Every process gets its own process group, so that a Ctrl-C on the terminal reaches the
//! supervisor alone, and is held by a pidfd, so that a signal can never hit a pid's next owner.

use crate::{
	error::{Context as _, Error, Result},
	procfs::{ProcessId, MARK},
};
use rustix::process::{pidfd_open, pidfd_send_signal, Pid, PidfdFlags, Signal};
use std::{
	fs::{self, File, OpenOptions},
	io::{Read as _, Seek as _, SeekFrom, Write as _},
	os::fd::OwnedFd,
	path::{Path, PathBuf},
	process::{ExitStatus, Stdio},
	sync::Arc,
	time::Duration,
};
use tokio::{
	io::{unix::AsyncFd, Interest},
	process::Command,
	sync::watch,
};

/// How long a process may take to end after SIGTERM.
pub const TERM_GRACE: Duration = Duration::from_secs(20);
/// How long the system may take to end a process after SIGKILL.
pub const KILL_GRACE: Duration = Duration::from_secs(10);
const TAIL_BYTES: u64 = 4096;
const TAIL_LINES: usize = 12;

/// What to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
	/// Name in the network.
	pub name: String,
	/// Program file.
	pub program: PathBuf,
	/// Arguments.
	pub args: Vec<String>,
	/// File that takes both outputs, appended to.
	pub log: PathBuf,
}

/// A process that was alive when this was made.
#[derive(Clone, Debug)]
pub struct Running {
	name: String,
	id: ProcessId,
	log: PathBuf,
	fd: Arc<AsyncFd<OwnedFd>>,
	/// Known for our own children only.
	status: Option<watch::Receiver<Option<ExitStatus>>>,
}

impl Running {
	/// Starts a process. Needs a tokio runtime. The process outlives the returned value.
	pub fn spawn(spec: &Spec, dir: &Path) -> Result<Self> {
		if !spec.program.is_file() {
			return Err(Error::NoBinary(spec.program.clone()));
		}
		let log = open_log(&spec.log, &spec.program, &spec.args)?;
		let err = log
			.try_clone()
			.context(|| format!("open {}", spec.log.display()))?;
		let mut child = Command::new(&spec.program)
			.args(&spec.args)
			.env(MARK, dir)
			.stdin(Stdio::null())
			.stdout(log)
			.stderr(err)
			.process_group(0)
			.spawn()
			.context(|| format!("start {}", spec.program.display()))?;
		let gone = || Error::Ended {
			name: spec.name.clone(),
			how: "at once".into(),
			doing: "starting".into(),
			log: spec.log.clone(),
			tail: log_tail(&spec.log, TAIL_LINES),
		};
		let pid = child
			.id()
			.and_then(|pid| i32::try_from(pid).ok())
			.ok_or_else(gone)?;
		// Not reaped yet, so the pid is still this child's even if it has ended already.
		let fd = open_pidfd(pid).context(|| format!("watch {}", spec.name))?;
		let id = ProcessId::of(pid);
		let (sender, status) = watch::channel(None);
		tokio::spawn(async move {
			if let Ok(status) = child.wait().await {
				sender.send_replace(Some(status));
			}
		});
		Ok(Self {
			name: spec.name.clone(),
			id: id.ok_or_else(gone)?,
			log: spec.log.clone(),
			fd: Arc::new(fd),
			status: Some(status),
		})
	}

	/// Takes hold of a process started earlier, perhaps by another supervisor; `None` if it ended.
	pub fn attach(name: &str, id: ProcessId, log: &Path) -> Result<Option<Self>> {
		let fd = match open_pidfd(id.pid) {
			Ok(fd) => fd,
			Err(rustix::io::Errno::SRCH) => return Ok(None),
			Err(errno) => return Err(errno).context(|| format!("watch {name} (pid {})", id.pid)),
		};
		// Checked after opening: from here on the descriptor stands for that very process.
		Ok(id.alive().then(|| Self {
			name: name.into(),
			id,
			log: log.into(),
			fd: Arc::new(fd),
			status: None,
		}))
	}

	/// Name in the network.
	pub fn name(&self) -> &str {
		&self.name
	}

	/// Its identity.
	pub fn id(&self) -> ProcessId {
		self.id
	}

	/// Resolves when the process has ended.
	pub async fn exited(&self) {
		// An error means the reactor is gone, which happens at the runtime's own end only.
		if let Ok(mut guard) = self.fd.readable().await {
			// Stays readable: others wait on the same descriptor.
			guard.retain_ready();
		}
	}

	/// How it ended, once [`Self::exited`] resolved: `exit status: 1`, `signal: 9 (SIGKILL)`.
	pub async fn exit(&self) -> String {
		self.exited().await;
		if let Some(mut status) = self.status.clone() {
			if let Ok(status) = status.wait_for(Option::is_some).await {
				if let Some(status) = *status {
					return status.to_string();
				}
			}
		}
		"status unknown, not our child".into()
	}

	/// Sends a signal; a process that has ended already is no error.
	pub fn signal(&self, signal: Signal) -> Result<()> {
		match pidfd_send_signal(self.fd.get_ref(), signal) {
			Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
			Err(errno) => {
				Err(errno).context(|| format!("signal {} (pid {})", self.name, self.id.pid))
			}
		}
	}

	/// SIGKILL, and waits until the process is gone.
	pub async fn kill(&self) -> Result<()> {
		self.signal(Signal::KILL)?;
		tokio::time::timeout(KILL_GRACE, self.exited())
			.await
			.map_err(|_| Error::Survivors(format!("{} (pid {})", self.name, self.id.pid)))
	}

	/// SIGTERM, then SIGKILL after [`TERM_GRACE`]; waits until the process is gone.
	pub async fn stop(&self) -> Result<()> {
		self.signal(Signal::TERM)?;
		match tokio::time::timeout(TERM_GRACE, self.exited()).await {
			Ok(()) => Ok(()),
			Err(_) => self.kill().await,
		}
	}

	/// Waits for `ready`, at most `deadline`; fails at once, with the end of the log, if the
	/// process ends first.
	pub async fn until<T>(
		&self,
		doing: &str,
		deadline: Duration,
		ready: impl std::future::Future<Output = Result<T>>,
	) -> Result<T> {
		tokio::select! {
			biased;
			done = tokio::time::timeout(deadline, ready) => done.unwrap_or_else(|_| {
				Err(Error::Late {
					what: format!("{}: {doing}", self.name),
					seconds: deadline.as_secs(),
					detail: format!("; the end of {}:\n{}", self.log.display(), log_tail(&self.log, TAIL_LINES)),
				})
			}),
			how = self.exit() => Err(Error::Ended {
				name: self.name.clone(),
				how,
				doing: doing.into(),
				log: self.log.clone(),
				tail: log_tail(&self.log, TAIL_LINES),
			}),
		}
	}
}

/// Ends all of them at once: SIGTERM, SIGKILL after [`TERM_GRACE`] or as soon as `hurry` resolves.
pub async fn stop_all(
	running: &[Running],
	hurry: impl std::future::Future<Output = ()>,
) -> Result<()> {
	for process in running {
		process.signal(Signal::TERM)?;
	}
	let gone = futures_util::future::join_all(running.iter().map(Running::exited));
	tokio::select! {
		_ = gone => return Ok(()),
		_ = tokio::time::sleep(TERM_GRACE) => (),
		_ = hurry => (),
	}
	let killed = futures_util::future::join_all(running.iter().map(Running::kill)).await;
	let survivors: Vec<String> = running
		.iter()
		.zip(killed)
		.filter(|(_, result)| result.is_err())
		.map(|(process, _)| format!("{} (pid {})", process.name, process.id.pid))
		.collect();
	match survivors.is_empty() {
		true => Ok(()),
		false => Err(Error::Survivors(survivors.join(", "))),
	}
}

fn open_pidfd(pid: i32) -> rustix::io::Result<AsyncFd<OwnedFd>> {
	let pid = Pid::from_raw(pid).ok_or(rustix::io::Errno::SRCH)?;
	let fd = pidfd_open(pid, PidfdFlags::empty())?;
	AsyncFd::with_interest(fd, Interest::READABLE)
		.map_err(|error| rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO))
}

fn open_log(path: &Path, program: &Path, args: &[String]) -> Result<File> {
	if let Some(parent) = path.parent() {
		fs::create_dir_all(parent).context(|| format!("create {}", parent.display()))?;
	}
	let mut log = OpenOptions::new()
		.create(true)
		.append(true)
		.open(path)
		.context(|| format!("open {}", path.display()))?;
	writeln!(log, "# {} {}", program.display(), args.join(" "))
		.context(|| format!("write {}", path.display()))?;
	Ok(log)
}

/// The last lines of a log, for error messages; empty if it cannot be read.
pub fn log_tail(path: &Path, lines: usize) -> String {
	let read = || -> std::io::Result<Vec<u8>> {
		let mut file = File::open(path)?;
		let len = file.metadata()?.len();
		file.seek(SeekFrom::Start(
			len.saturating_sub(TAIL_BYTES.max(lines as u64 * 200)),
		))?;
		let mut bytes = Vec::new();
		file.read_to_end(&mut bytes)?;
		Ok(bytes)
	};
	let bytes = read().unwrap_or_default();
	let text = String::from_utf8_lossy(&bytes);
	let all: Vec<&str> = text.lines().collect();
	all.get(all.len().saturating_sub(lines)..)
		.unwrap_or_default()
		.join("\n")
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use crate::procfs::marked;

	fn spec(dir: &Path, name: &str, script: &str) -> Spec {
		Spec {
			name: name.into(),
			program: "/bin/sh".into(),
			args: vec!["-c".into(), script.into()],
			log: dir.join(format!("{name}.log")),
		}
	}

	#[tokio::test]
	async fn a_process_is_marked_stopped_and_gone() {
		let dir = tempfile::tempdir().unwrap();
		let process = Running::spawn(&spec(dir.path(), "a", "exec sleep 600"), dir.path()).unwrap();
		// The mark is visible once the program has been executed.
		while marked(dir.path()) != [process.id()] {
			tokio::task::yield_now().await;
		}
		assert!(process.id().alive());
		process.stop().await.unwrap();
		assert!(!process.id().alive());
		assert!(process.exit().await.contains("signal: 15"));
		assert!(marked(dir.path()).is_empty());
		process.signal(Signal::TERM).unwrap();
		assert!(Running::attach("a", process.id(), Path::new("x"))
			.unwrap()
			.is_none());
	}

	#[tokio::test]
	async fn one_that_ignores_sigterm_is_killed_when_hurried() {
		let dir = tempfile::tempdir().unwrap();
		let script = "trap '' TERM; echo ready; while :; do sleep 600; done";
		let process = Running::spawn(&spec(dir.path(), "deaf", script), dir.path()).unwrap();
		while !log_tail(&dir.path().join("deaf.log"), 1).contains("ready") {
			tokio::task::yield_now().await;
		}
		stop_all(std::slice::from_ref(&process), std::future::ready(()))
			.await
			.unwrap();
		assert!(!process.id().alive());
		// The shell's own child is marked too, and found.
		for id in marked(dir.path()) {
			if let Some(process) = Running::attach("left", id, Path::new("x")).unwrap() {
				process.kill().await.unwrap();
			}
		}
		assert!(marked(dir.path()).is_empty());
	}

	#[tokio::test]
	async fn an_early_end_shows_the_log() {
		let dir = tempfile::tempdir().unwrap();
		let script = "echo first; echo 'port is taken' >&2; exit 3";
		let error = match Running::spawn(&spec(dir.path(), "b", script), dir.path()) {
			Ok(process) => process
				.until(
					"becoming ready",
					Duration::from_secs(60),
					std::future::pending::<Result<()>>(),
				)
				.await
				.unwrap_err(),
			Err(error) => error,
		};
		let message = error.to_string();
		assert!(message.contains("b ended"), "{message}");
	}

	#[tokio::test]
	async fn a_missing_program_is_named() {
		let dir = tempfile::tempdir().unwrap();
		let spec = Spec {
			program: dir.path().join("nothing"),
			..spec(dir.path(), "c", "")
		};
		let message = Running::spawn(&spec, dir.path()).unwrap_err().to_string();
		assert!(
			message.contains("nothing does not exist") && message.contains("--bin-dir"),
			"{message}"
		);
	}

	#[tokio::test]
	async fn another_supervisor_can_end_it() {
		let dir = tempfile::tempdir().unwrap();
		let process = Running::spawn(&spec(dir.path(), "d", "exec sleep 600"), dir.path()).unwrap();
		let other = Running::attach("d", process.id(), Path::new("x"))
			.unwrap()
			.unwrap();
		other.kill().await.unwrap();
		assert!(process.exit().await.contains("signal: 9"));
		let reused = ProcessId {
			start: process.id().start + 1,
			pid: std::process::id() as i32,
		};
		assert!(Running::attach("d", reused, Path::new("x"))
			.unwrap()
			.is_none());
	}

	#[test]
	fn a_tail_is_bounded() {
		let dir = tempfile::tempdir().unwrap();
		let path = dir.path().join("log");
		fs::write(
			&path,
			(0..10_000)
				.map(|i| format!("line {i}\n"))
				.collect::<String>(),
		)
		.unwrap();
		assert_eq!(log_tail(&path, 2), "line 9998\nline 9999");
		assert_eq!(log_tail(&dir.path().join("none"), 2), "");
	}
}
