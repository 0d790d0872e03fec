//! Where things are in a base path, and how files there are written.

use crate::MinerError;
use std::{
	fs::{self, File, OpenOptions},
	io::{self, Read, Write},
	os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
	path::{Path, PathBuf},
};

/// A miner's directory.
#[derive(Clone, Debug)]
pub struct BasePath(pub PathBuf);

impl BasePath {
	/// Settings.
	pub fn config(&self) -> PathBuf {
		self.0.join("config.toml")
	}

	/// Seed of the node key.
	pub fn node_key(&self) -> PathBuf {
		self.0.join("node.key")
	}

	/// Seed of the key that is to replace it, see [`crate::keys`].
	pub fn next_key(&self) -> PathBuf {
		self.0.join("node.key.next")
	}

	/// Bearer token of the control API.
	pub fn token(&self) -> PathBuf {
		self.0.join("control.token")
	}

	/// Shards.
	pub fn store(&self) -> PathBuf {
		self.0.join("store")
	}

	/// Which disks are in use, see [`crate::disks`].
	pub fn store_record(&self) -> PathBuf {
		self.0.join("store.json")
	}

	/// The cluster map.
	pub fn map(&self) -> PathBuf {
		self.0.join("map")
	}

	/// What repair keeps.
	pub fn repair(&self) -> PathBuf {
		self.0.join("repair.redb")
	}

	/// The ledgers' leaves, see [`crate::leaves`].
	pub fn leaves(&self) -> PathBuf {
		self.0.join("leaves.redb")
	}

	/// Addresses of the running daemon.
	pub fn run_info(&self) -> PathBuf {
		self.0.join("run.json")
	}
}

/// Makes a directory only its owner may enter, parents included; fine if it is there.
pub fn make_dir(path: &Path) -> Result<(), MinerError> {
	fs::DirBuilder::new()
		.recursive(true)
		.mode(0o700)
		.create(path)
		.map_err(MinerError::io("create", path))
}

/// Writes a new file with mode 0600, durably; an existing one is an error.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), MinerError> {
	let written = (|| {
		let mut file = OpenOptions::new()
			.write(true)
			.create_new(true)
			.mode(0o600)
			.open(path)?;
		file.write_all(bytes)?;
		file.sync_all()?;
		sync_parent(path)
	})();
	written.map_err(|error| match error.kind() {
		io::ErrorKind::AlreadyExists => MinerError::Exists(path.into()),
		_ => MinerError::io("create", path)(error),
	})
}

/// Replaces a file's content: after a crash the old or the new content is there, whole.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), MinerError> {
	let mut draft = path.as_os_str().to_owned();
	draft.push(".new");
	let draft = PathBuf::from(draft);
	let written = (|| {
		let mut file = OpenOptions::new()
			.write(true)
			.create(true)
			.truncate(true)
			.mode(0o600)
			.open(&draft)?;
		file.write_all(bytes)?;
		file.sync_all()?;
		fs::rename(&draft, path)?;
		sync_parent(path)
	})();
	written.map_err(MinerError::io("write", path))
}

/// Makes what was created, renamed or removed in a directory durable.
pub fn sync_dir(path: &Path) -> Result<(), MinerError> {
	File::open(path)
		.and_then(|dir| dir.sync_all())
		.map_err(MinerError::io("sync", path))
}

fn sync_parent(path: &Path) -> io::Result<()> {
	match path.parent() {
		Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
		_ => File::open(".")?.sync_all(),
	}
}

/// The content of a file of at most `limit` bytes; `None` if it is not there.
pub fn read_limited(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, MinerError> {
	let file = match File::open(path) {
		Ok(file) => file,
		Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
		Err(error) => return Err(MinerError::io("open", path)(error)),
	};
	let mut bytes = Vec::new();
	file.take(limit as u64 + 1)
		.read_to_end(&mut bytes)
		.map_err(MinerError::io("read", path))?;
	if bytes.len() > limit {
		let error = io::Error::new(
			io::ErrorKind::FileTooLarge,
			format!("more than {limit} bytes"),
		);
		return Err(MinerError::io("read", path)(error));
	}
	Ok(Some(bytes))
}

/// A new random token: 64 hexadecimal digits.
pub fn new_token() -> Result<String, MinerError> {
	let mut bytes = [0u8; 32];
	getrandom::fill(&mut bytes).map_err(|error| MinerError::Random(error.to_string()))?;
	Ok(hex::encode(bytes))
}

/// Reads the control token. A file that everybody on the machine may read is refused; a group may
/// read it, so that the full node can run as another user.
pub fn read_token(path: &Path) -> Result<String, MinerError> {
	let bad = |problem| MinerError::Token {
		path: path.into(),
		problem,
	};
	let bytes = read_limited(path, 256)?.ok_or_else(|| bad("is missing"))?;
	let mode = fs::metadata(path)
		.map_err(MinerError::io("open", path))?
		.mode();
	if mode & 0o007 != 0 {
		return Err(bad("can be read by every user of the machine"));
	}
	let token = std::str::from_utf8(&bytes).map_or("", str::trim);
	let fits = (32..=128).contains(&token.len());
	if !fits || !token.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
		return Err(bad("does not hold a token"));
	}
	Ok(token.to_owned())
}
