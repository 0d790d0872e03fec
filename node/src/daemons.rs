//! The miner daemons beside this node.
//!
//! The offchain worker runs inside the wasm runtime and sees no command line. The service therefore
//! leaves what `--arion-daemon` said in the node's own offchain storage, from where the worker reads
//! it. Nothing of it ever comes from the chain.

use codec::Encode;
use hippius_primitives::daemon::{DaemonAccess, DAEMONS_STORAGE_KEY};
use sp_core::offchain::{OffchainStorage, STORAGE_PREFIX};
use std::{
	fs, io,
	net::{IpAddr, SocketAddr},
	path::{Path, PathBuf},
	str::FromStr,
};

/// Longest bearer token, in bytes.
pub const MAX_TOKEN_LEN: usize = 512;

/// One `--arion-daemon`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonArg {
	/// Base URL without a trailing slash; plain http on loopback.
	pub url: String,
	/// The file that holds the bearer token.
	pub token_file: Option<PathBuf>,
}

/// What is wrong with an `--arion-daemon`.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
	/// Not `http://`.
	#[error("'{0}' is not a plain http URL; give http://127.0.0.1:PORT")]
	NotHttp(String),
	/// More than scheme, host and port.
	#[error("'{0}' has a user, path, query or fragment; give only http://HOST:PORT")]
	NotABase(String),
	/// The host is no address.
	#[error("'{0}' does not name a loopback address and port; give http://127.0.0.1:PORT")]
	BadHost(String),
	/// The host is not on this machine.
	#[error(
		"'{0}' is not on loopback: the daemon's control API must not leave this machine; give \
		 http://127.0.0.1:PORT, or forward the port"
	)]
	NotLoopback(String),
	/// Something after the comma.
	#[error("'{0}' is not an option of --arion-daemon; the only one is token-file=PATH")]
	UnknownOption(String),
	/// The token file cannot be read.
	#[error("cannot read the token file {path}: {source}")]
	TokenUnreadable {
		/// The file.
		path: PathBuf,
		/// Why.
		source: io::Error,
	},
	/// Everybody may read the token file.
	#[error("{0} can be read by every user of this machine; chmod 600 it")]
	TokenExposed(PathBuf),
	/// The token file holds no token.
	#[error(
		"{0} does not hold a token: one line of 1 to {MAX_TOKEN_LEN} visible ASCII characters is \
		 expected"
	)]
	TokenMalformed(PathBuf),
	/// The database has no place for it.
	#[error(
		"this node's database has no offchain storage, so its worker cannot be told of a daemon"
	)]
	NoOffchainStorage,
}

impl FromStr for DaemonArg {
	type Err = DaemonError;

	fn from_str(text: &str) -> Result<Self, DaemonError> {
		let mut parts = text.split(',');
		let url = base_url(parts.next().unwrap_or_default())?;
		let mut token_file = None;
		for option in parts {
			match option.strip_prefix("token-file=") {
				Some(path) if !path.is_empty() && token_file.is_none() => {
					token_file = Some(PathBuf::from(path));
				}
				_ => return Err(DaemonError::UnknownOption(option.into())),
			}
		}
		Ok(Self { url, token_file })
	}
}

/// Checks a base URL and takes a trailing slash off it.
fn base_url(text: &str) -> Result<String, DaemonError> {
	let authority = text
		.strip_prefix("http://")
		.ok_or_else(|| DaemonError::NotHttp(text.into()))?;
	let authority = authority.strip_suffix('/').unwrap_or(authority);
	if authority.contains(['/', '?', '#', '@']) {
		return Err(DaemonError::NotABase(text.into()));
	}
	let ip = match authority.strip_prefix("localhost:") {
		Some(port) => match port.parse::<u16>() {
			Ok(_) => return Ok(format!("http://{authority}")),
			Err(_) => return Err(DaemonError::BadHost(text.into())),
		},
		None => match authority.parse::<SocketAddr>() {
			Ok(address) => address.ip(),
			// Without a port, to tell the two mistakes apart.
			Err(_) => match authority.parse::<IpAddr>() {
				Ok(ip) if !ip.is_loopback() => ip,
				_ => return Err(DaemonError::BadHost(text.into())),
			},
		},
	};
	if !ip.is_loopback() {
		return Err(DaemonError::NotLoopback(text.into()));
	}
	Ok(format!("http://{authority}"))
}

/// Reads the token files.
pub fn resolve(args: &[DaemonArg]) -> Result<Vec<DaemonAccess>, DaemonError> {
	args.iter()
		.map(|arg| {
			let token = match &arg.token_file {
				Some(path) => read_token(path)?,
				None => Vec::new(),
			};
			Ok(DaemonAccess {
				url: arg.url.clone().into_bytes(),
				token,
			})
		})
		.collect()
}

fn read_token(path: &Path) -> Result<Vec<u8>, DaemonError> {
	let unreadable = |source| DaemonError::TokenUnreadable {
		path: path.into(),
		source,
	};
	let facts = fs::metadata(path).map_err(unreadable)?;
	#[cfg(unix)]
	{
		use std::os::unix::fs::PermissionsExt;
		if facts.permissions().mode() & 0o007 != 0 {
			return Err(DaemonError::TokenExposed(path.into()));
		}
	}
	if !facts.is_file() || facts.len() > 2 * MAX_TOKEN_LEN as u64 {
		return Err(DaemonError::TokenMalformed(path.into()));
	}
	let bytes = fs::read(path).map_err(unreadable)?;
	let token = bytes.trim_ascii();
	// The token becomes part of an HTTP header.
	if token.is_empty() || token.len() > MAX_TOKEN_LEN || !token.iter().all(u8::is_ascii_graphic) {
		return Err(DaemonError::TokenMalformed(path.into()));
	}
	Ok(token.to_vec())
}

/// Leaves the daemons where the worker finds them, in place of those of an earlier run.
pub fn store<S: OffchainStorage>(
	storage: Option<&mut S>,
	daemons: &[DaemonAccess],
) -> Result<(), DaemonError> {
	let Some(storage) = storage else {
		return if daemons.is_empty() {
			Ok(())
		} else {
			Err(DaemonError::NoOffchainStorage)
		};
	};
	if daemons.is_empty() {
		storage.remove(STORAGE_PREFIX, DAEMONS_STORAGE_KEY);
	} else {
		storage.set(STORAGE_PREFIX, DAEMONS_STORAGE_KEY, &daemons.encode());
	}
	Ok(())
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use codec::Decode;
	use sp_core::offchain::storage::InMemOffchainStorage;

	#[test]
	fn loopback_urls_are_taken() {
		for (text, url) in [
			("http://127.0.0.1:7070", "http://127.0.0.1:7070"),
			("http://127.0.0.1:7070/", "http://127.0.0.1:7070"),
			("http://[::1]:7070", "http://[::1]:7070"),
			("http://localhost:7070", "http://localhost:7070"),
		] {
			assert_eq!(text.parse::<DaemonArg>().unwrap().url, url);
		}
		let arg: DaemonArg = "http://127.0.0.1:1,token-file=/run/t".parse().unwrap();
		assert_eq!(arg.token_file, Some("/run/t".into()));
	}

	#[test]
	fn other_urls_are_refused() {
		use DaemonError::*;
		let error = |text: &str| text.parse::<DaemonArg>().unwrap_err();
		assert!(matches!(error("https://127.0.0.1:1"), NotHttp(_)));
		assert!(matches!(error("127.0.0.1:1"), NotHttp(_)));
		assert!(matches!(error(""), NotHttp(_)));
		assert!(matches!(error("http://192.168.1.2:1"), NotLoopback(_)));
		assert!(matches!(error("http://10.0.0.1"), NotLoopback(_)));
		assert!(matches!(error("http://0.0.0.0:1"), NotLoopback(_)));
		assert!(matches!(error("http://example.org:1"), BadHost(_)));
		assert!(matches!(error("http://127.0.0.1"), BadHost(_)));
		assert!(matches!(error("http://localhost:x"), BadHost(_)));
		assert!(matches!(error("http://127.0.0.1:1/v1"), NotABase(_)));
		assert!(matches!(error("http://a@127.0.0.1:1"), NotABase(_)));
		assert!(matches!(
			error("http://127.0.0.1:1,token=x"),
			UnknownOption(_)
		));
		assert!(matches!(
			error("http://127.0.0.1:1,token-file="),
			UnknownOption(_)
		));
	}

	#[cfg(unix)]
	#[test]
	fn token_files_are_checked() {
		use std::os::unix::fs::PermissionsExt;
		let dir = tempfile::tempdir().unwrap();
		let path = dir.path().join("token");
		let read = |content: &[u8], mode: u32| {
			fs::write(&path, content).unwrap();
			fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
			read_token(&path)
		};
		assert_eq!(read(b"secret\n", 0o600).unwrap(), b"secret");
		assert!(matches!(
			read(b"secret", 0o644),
			Err(DaemonError::TokenExposed(_))
		));
		assert!(matches!(
			read(b" \n", 0o600),
			Err(DaemonError::TokenMalformed(_))
		));
		assert!(matches!(
			read(b"a\r\nX: y", 0o600),
			Err(DaemonError::TokenMalformed(_))
		));
		assert!(matches!(
			read(&[b'a'; 5000], 0o600),
			Err(DaemonError::TokenMalformed(_))
		));
		let missing = read_token(&dir.path().join("none")).unwrap_err();
		assert!(missing.to_string().contains("none"), "{missing}");
	}

	#[test]
	fn the_worker_finds_this_runs_daemons_only() {
		let mut storage = InMemOffchainStorage::default();
		let one = DaemonAccess {
			url: b"http://127.0.0.1:1".to_vec(),
			token: b"t".to_vec(),
		};
		store(Some(&mut storage), std::slice::from_ref(&one)).unwrap();
		let found = storage.get(STORAGE_PREFIX, DAEMONS_STORAGE_KEY).unwrap();
		assert_eq!(
			Vec::<DaemonAccess>::decode(&mut &found[..]).unwrap(),
			std::slice::from_ref(&one)
		);
		store(Some(&mut storage), &[]).unwrap();
		assert_eq!(storage.get(STORAGE_PREFIX, DAEMONS_STORAGE_KEY), None);

		let none = None::<&mut InMemOffchainStorage>;
		assert!(matches!(
			store(none, &[one]),
			Err(DaemonError::NoOffchainStorage)
		));
		assert!(store(None::<&mut InMemOffchainStorage>, &[]).is_ok());
	}
}
