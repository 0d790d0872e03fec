//! `arion get`.

use crate::{
	cli::{GetArgs, Output},
	client::{describe, Gateway, TRANSFER_HEADER},
	error::CliError,
	progress,
};
use futures_util::StreamExt;
use std::{
	fs::Permissions,
	os::unix::fs::PermissionsExt,
	path::{Path, PathBuf},
	time::Instant,
};
use tempfile::{NamedTempFile, TempPath};
use tokio::io::{AsyncWrite, AsyncWriteExt};

pub(crate) async fn run(gateway: &Gateway, args: GetArgs, output: Output) -> Result<(), CliError> {
	let started = Instant::now();
	let to_stdout = args.file.as_deref() == Some(Path::new("-"));
	if to_stdout && output == Output::Json {
		return Err(CliError::Usage(
			"--output json and `-o -` both want standard output; choose one".into(),
		));
	}
	let info = gateway.stat(&args.object).await?;
	if to_stdout {
		let mut sink = tokio::io::stdout();
		let size = download(gateway, &args.object, &mut sink, Path::new("-")).await?;
		return matches_stat(size, info.size);
	}
	let target = match args.file {
		Some(file) => file,
		None => default_name(info.name.as_deref(), &info.id),
	};
	if !args.force && target.symlink_metadata().is_ok() {
		return Err(CliError::Exists(target));
	}
	let (file, part) = part_file(&target)?;
	let mut sink = tokio::fs::File::from_std(file);
	let size = download(gateway, &args.object, &mut sink, &target).await?;
	matches_stat(size, info.size)?;
	sink.sync_all()
		.await
		.map_err(|cause| cannot_write(&target, cause))?;
	drop(sink);
	place(part, &target, args.force)?;
	let seconds = started.elapsed().as_secs_f64();
	match output {
		Output::Json => println!(
			"{}",
			serde_json::json!({ "id": info.id, "size": size, "file": target, "seconds": seconds })
		),
		Output::Text => println!("{}: {size} bytes, {seconds:.1} s", target.display()),
	}
	Ok(())
}

/// Streams the object into `sink`; returns its length.
async fn download(
	gateway: &Gateway,
	object: &str,
	sink: &mut (impl AsyncWrite + Unpin),
	path: &Path,
) -> Result<u64, CliError> {
	let response = gateway.get(object).await?;
	let size = response.content_length();
	let transfer = response
		.headers()
		.get(TRANSFER_HEADER)
		.and_then(|value| value.to_str().ok())
		.map(str::to_owned);
	let bar = progress::bar("fetching", size);
	let mut done = 0u64;
	let mut body = response.bytes_stream();
	while let Some(chunk) = body.next().await {
		match chunk {
			Ok(chunk) => {
				sink.write_all(&chunk)
					.await
					.map_err(|cause| cannot_write(path, cause))?;
				let len = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
				done = done.saturating_add(len);
				bar.inc(len);
			}
			Err(cause) => {
				bar.finish_and_clear();
				// The gateway can only cut the connection now; it keeps the reason for us.
				if let Some(transfer) = &transfer {
					if let Some(fault) = gateway.failure(transfer).await {
						return Err(CliError::Gateway(fault));
					}
				}
				return Err(CliError::Broken {
					done,
					size: size.unwrap_or(done),
					cause: describe(&cause),
				});
			}
		}
	}
	bar.finish_and_clear();
	sink.flush()
		.await
		.map_err(|cause| cannot_write(path, cause))?;
	match size {
		Some(size) if size != done => Err(CliError::Broken {
			done,
			size,
			cause: "the gateway closed the connection early".into(),
		}),
		_ => Ok(done),
	}
}

fn matches_stat(size: u64, expected: u64) -> Result<(), CliError> {
	if size == expected {
		return Ok(());
	}
	Err(CliError::Broken {
		done: size,
		size: expected,
		cause: "the object's length is another".into(),
	})
}

/// A temporary file beside the target, so that it can be renamed into place.
fn part_file(target: &Path) -> Result<(std::fs::File, TempPath), CliError> {
	let folder = match target.parent() {
		Some(folder) if !folder.as_os_str().is_empty() => folder,
		_ => Path::new("."),
	};
	tempfile::Builder::new()
		.prefix(".arion-part-")
		// As any new file: the user's umask decides, not the private default of temporary files.
		.permissions(Permissions::from_mode(0o666))
		.tempfile_in(folder)
		.map(NamedTempFile::into_parts)
		.map_err(|cause| cannot_write(target, cause))
}

fn place(part: TempPath, target: &Path, force: bool) -> Result<(), CliError> {
	let placed = if force {
		part.persist(target)
	} else {
		part.persist_noclobber(target)
	};
	placed.map_err(|failed| match failed.error.kind() {
		std::io::ErrorKind::AlreadyExists => CliError::Exists(target.to_owned()),
		_ => cannot_write(target, failed.error),
	})
}

fn cannot_write(path: &Path, cause: std::io::Error) -> CliError {
	CliError::File {
		action: "cannot write",
		path: path.to_owned(),
		cause,
	}
}

/// The last component of the name the object was stored under. It comes from whoever stored it,
/// so it must not lead out of the current folder.
fn default_name(name: Option<&str>, id: &str) -> PathBuf {
	name.and_then(|name| name.rsplit(['/', '\\']).next())
		.filter(|name| !matches!(*name, "" | "." | "..") && !name.chars().any(char::is_control))
		.unwrap_or(id)
		.into()
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn names_of_strangers_stay_in_the_folder() {
		assert_eq!(default_name(Some("a.txt"), "id"), Path::new("a.txt"));
		assert_eq!(
			default_name(Some("../../etc/passwd"), "id"),
			Path::new("passwd")
		);
		for bad in ["..", "", "a/", "a/..", "x\n", "c:\\"] {
			assert_eq!(default_name(Some(bad), "id"), Path::new("id"), "{bad:?}");
		}
		assert_eq!(default_name(None, "id"), Path::new("id"));
	}
}
