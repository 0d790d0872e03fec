//! The file the demo stores: made, hashed, compared.

use crate::error::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use std::{
	fs::File,
	io::{Read as _, Write as _},
	path::{Path, PathBuf},
};

const BUFFER: usize = 1024 * 1024;

/// A file's length and SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
	/// Bytes.
	pub bytes: u64,
	/// Hexadecimal.
	pub sha256: String,
}

/// Hashes what is fed to it.
#[derive(Default)]
pub struct Hasher {
	bytes: u64,
	sha256: Sha256,
}

impl Hasher {
	/// Takes more.
	pub fn update(&mut self, bytes: &[u8]) {
		self.bytes += bytes.len() as u64;
		self.sha256.update(bytes);
	}

	/// Of all taken.
	pub fn finish(self) -> Fingerprint {
		Fingerprint {
			bytes: self.bytes,
			sha256: hex::encode(self.sha256.finalize()),
		}
	}
}

/// Hashes a file.
pub async fn fingerprint(path: PathBuf) -> Result<Fingerprint> {
	blocking(move || {
		let mut file = File::open(&path).context(|| format!("open {}", path.display()))?;
		let mut hasher = Hasher::default();
		let mut buffer = vec![0; BUFFER];
		loop {
			let len = file
				.read(&mut buffer)
				.context(|| format!("read {}", path.display()))?;
			match buffer.get(..len) {
				Some(part) if len > 0 => hasher.update(part),
				_ => return Ok(hasher.finish()),
			}
		}
	})
	.await
}

/// Fills a file with random bytes.
pub async fn make_random(path: &Path, bytes: u64) -> Result<()> {
	let path = path.to_owned();
	blocking(move || {
		if let Some(parent) = path.parent() {
			std::fs::create_dir_all(parent).context(|| format!("create {}", parent.display()))?;
		}
		let mut file = File::create(&path).context(|| format!("create {}", path.display()))?;
		let mut buffer = vec![0; BUFFER];
		let mut left = bytes;
		while left > 0 {
			getrandom::fill(&mut buffer)
				.map_err(|cause| std::io::Error::other(cause.to_string()))
				.context(|| "get random bytes".into())?;
			let len = usize::try_from(left).unwrap_or(BUFFER).min(BUFFER);
			let part = buffer.get(..len).unwrap_or_default();
			file.write_all(part)
				.context(|| format!("write {}", path.display()))?;
			left -= len as u64;
		}
		Ok(())
	})
	.await
}

async fn blocking<T: Send + 'static>(
	work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
	tokio::task::spawn_blocking(work)
		.await
		.map_err(std::io::Error::other)
		.context(|| "run a task".into())?
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[tokio::test]
	async fn a_made_file_has_the_length_and_hash() {
		let dir = tempfile::tempdir().unwrap();
		let path = dir.path().join("sub/file");
		make_random(&path, BUFFER as u64 + 17).await.unwrap();
		let print = fingerprint(path.clone()).await.unwrap();
		assert_eq!(print.bytes, BUFFER as u64 + 17);
		let mut hasher = Hasher::default();
		hasher.update(&std::fs::read(&path).unwrap());
		assert_eq!(hasher.finish(), print);
		std::fs::write(&path, "abc").unwrap();
		let print = fingerprint(path).await.unwrap();
		assert!(print.sha256.starts_with("ba7816bf8f01cfea"), "{print:?}");
		assert!(fingerprint(dir.path().join("none")).await.is_err());
	}
}
