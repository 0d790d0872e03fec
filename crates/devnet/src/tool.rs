//! Running a program to its end.

use crate::{
	error::{Context as _, Error, Result},
	process::{log_tail, Spec},
	procfs::MARK,
};
use std::{fs::OpenOptions, path::Path, process::Stdio, time::Duration};
use tokio::process::{Child, Command};

const DEADLINE: Duration = Duration::from_secs(300);
const TAIL_LINES: usize = 12;

/// Runs a helper to its end, output to its log. Fails with the end of the log.
pub async fn run(spec: &Spec, dir: &Path) -> Result<()> {
	if let Some(parent) = spec.log.parent() {
		std::fs::create_dir_all(parent).context(|| format!("create {}", parent.display()))?;
	}
	let open = || OpenOptions::new().create(true).append(true).open(&spec.log);
	let log = open().context(|| format!("open {}", spec.log.display()))?;
	let err = log
		.try_clone()
		.context(|| format!("open {}", spec.log.display()))?;
	let mut child = command(&spec.program, &spec.args, dir)?
		.stdin(Stdio::null())
		.stdout(log)
		.stderr(err)
		.spawn()
		.context(|| format!("start {}", spec.program.display()))?;
	let status = tokio::time::timeout(DEADLINE, child.wait())
		.await
		.map_err(|_| Error::Late {
			what: spec.name.clone(),
			seconds: DEADLINE.as_secs(),
			detail: format!("; see {}", spec.log.display()),
		})?
		.context(|| format!("wait for {}", spec.name))?;
	match status.success() {
		true => Ok(()),
		false => Err(Error::Command {
			command: spec.name.clone(),
			how: status.to_string(),
			message: log_tail(&spec.log, TAIL_LINES),
		}),
	}
}

/// A command that carries the mark and ends with its handle.
pub fn command(program: &Path, args: &[String], dir: &Path) -> Result<Command> {
	if !program.is_file() {
		return Err(Error::NoBinary(program.into()));
	}
	let mut command = Command::new(program);
	command
		.args(args)
		.env(MARK, dir)
		.process_group(0)
		.kill_on_drop(true);
	Ok(command)
}

/// Waits for a child whose error output is piped: its standard output, if that is piped too.
pub async fn finish(child: Child, what: &str) -> Result<Vec<u8>> {
	let output = child
		.wait_with_output()
		.await
		.context(|| format!("wait for `{what}`"))?;
	match output.status.success() {
		true => Ok(output.stdout),
		false => Err(failed(what, &output.status.to_string(), &output.stderr)),
	}
}

/// The error of a command that failed, with what it said.
pub fn failed(what: &str, how: &str, stderr: &[u8]) -> Error {
	let text = String::from_utf8_lossy(stderr);
	let message = text.trim();
	Error::Command {
		command: what.into(),
		how: how.into(),
		message: message.strip_prefix("error: ").unwrap_or(message).into(),
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[tokio::test]
	async fn a_failing_helper_shows_its_last_words() {
		let dir = tempfile::tempdir().unwrap();
		let spec = |script: &str| Spec {
			name: "helper".into(),
			program: "/bin/sh".into(),
			args: vec!["-c".into(), script.into()],
			log: dir.path().join("logs/helper.log"),
		};
		run(&spec("echo fine"), dir.path()).await.unwrap();
		let message = run(&spec("echo no such zone >&2; exit 4"), dir.path())
			.await
			.unwrap_err();
		let message = message.to_string();
		assert!(
			message.contains("no such zone") && message.contains("exit status: 4"),
			"{message}"
		);
	}

	#[tokio::test]
	async fn output_and_errors_are_kept_apart() {
		let dir = tempfile::tempdir().unwrap();
		let run = |script: &str| {
			command(
				Path::new("/bin/sh"),
				&["-c".into(), script.into()],
				dir.path(),
			)
			.unwrap()
			.stdout(Stdio::piped())
			.stderr(Stdio::piped())
			.spawn()
			.unwrap()
		};
		assert_eq!(
			finish(run("echo a; echo b >&2"), "x").await.unwrap(),
			b"a\n"
		);
		let error = finish(run("echo 'error: 9 of 30' >&2; exit 1"), "get")
			.await
			.unwrap_err();
		assert_eq!(error.to_string(), "`get` failed (exit status: 1): 9 of 30");
	}
}
