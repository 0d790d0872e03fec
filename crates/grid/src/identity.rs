//! The node's Ed25519 key: made, kept in a file, used to sign.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hippius_primitives::{
	permit::{Permit, Signed},
	NodeKey,
};
use std::{
	fmt,
	fs::{self, File, OpenOptions},
	io::{self, Read, Write},
	path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// More than a seed file ever holds: 64 digits, an optional `0x`, a line end.
const MAX_FILE: u64 = 128;

/// Why a node key could not be made, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
	/// The system gave no random bytes.
	#[error("the system's random source failed ({0}); a node key cannot be made without it")]
	Random(String),
	/// Reading or writing the file failed.
	#[error("node key file {path}: cannot {action}: {source}")]
	Io {
		/// The file.
		path: PathBuf,
		/// What was tried.
		action: &'static str,
		/// The system's answer.
		source: io::Error,
	},
	/// The file may be read by others.
	#[error(
		"node key file {path} has mode {mode:03o}, so other users may read or change the key; \
		run `chmod 600 {path}`, and replace the key if the machine is shared"
	)]
	Exposed {
		/// The file.
		path: PathBuf,
		/// Its permission bits.
		mode: u32,
	},
	/// The path is not a plain file.
	#[error("node key file {path} is not a regular file")]
	NotAFile {
		/// The path.
		path: PathBuf,
	},
	/// The file does not hold a seed.
	#[error(
		"node key file {path} does not hold a key: expected 64 hexadecimal digits; \
		restore it from a backup or make a new key"
	)]
	Malformed {
		/// The file.
		path: PathBuf,
	},
	/// There is a key already; it is never overwritten.
	#[error("node key file {path} exists already; a key is never overwritten, move it away first")]
	Exists {
		/// The file.
		path: PathBuf,
	},
	/// The public key has a small order, so signatures under it prove nothing.
	#[error("the seed gives a weak public key; make a new key")]
	Weak,
}

/// A node's secret Ed25519 key. Wiped from memory when dropped, never printed.
pub struct Identity {
	key: SigningKey,
}

impl Identity {
	/// A new key from the system's random source.
	pub fn generate() -> Result<Self, IdentityError> {
		let mut seed = Zeroizing::new([0u8; 32]);
		getrandom::fill(seed.as_mut_slice())
			.map_err(|error| IdentityError::Random(error.to_string()))?;
		Self::from_seed(&seed)
	}

	/// The key of a 32-byte seed (RFC 8032 secret key).
	pub fn from_seed(seed: &[u8; 32]) -> Result<Self, IdentityError> {
		let key = SigningKey::from_bytes(seed);
		if key.verifying_key().is_weak() {
			return Err(IdentityError::Weak);
		}
		Ok(Self { key })
	}

	/// Reads the seed file at `path`. Refused if group or others have any access to it.
	pub fn load(path: &Path) -> Result<Self, IdentityError> {
		let io = |action| {
			move |source| IdentityError::Io {
				path: path.to_path_buf(),
				action,
				source,
			}
		};
		let file = File::open(path).map_err(io("open it"))?;
		// Asked of the open file, so that nobody can swap it between check and read.
		let metadata = file.metadata().map_err(io("read its permissions"))?;
		if !metadata.is_file() {
			return Err(IdentityError::NotAFile {
				path: path.to_path_buf(),
			});
		}
		check_mode(path, &metadata)?;
		// Reserved up front, so that no regrown buffer leaves the seed behind.
		let mut text = Zeroizing::new(Vec::with_capacity(MAX_FILE as usize + 1));
		file.take(MAX_FILE)
			.read_to_end(&mut text)
			.map_err(io("read it"))?;
		let malformed = || IdentityError::Malformed {
			path: path.to_path_buf(),
		};
		let digits = text.trim_ascii();
		let digits = digits.strip_prefix(b"0x").unwrap_or(digits);
		let mut seed = Zeroizing::new([0u8; 32]);
		hex::decode_to_slice(digits, seed.as_mut_slice()).map_err(|_| malformed())?;
		Self::from_seed(&seed)
	}

	/// Writes the seed to a new file at `path`, mode 0600. The file appears whole or not at all,
	/// and is on disk when this returns. An existing file is never touched.
	pub fn save(&self, path: &Path) -> Result<(), IdentityError> {
		let io = |action| {
			move |source| IdentityError::Io {
				path: path.to_path_buf(),
				action,
				source,
			}
		};
		let name = path
			.file_name()
			.ok_or_else(|| IdentityError::NotAFile { path: path.into() })?;
		let parent = match path.parent() {
			Some(parent) if !parent.as_os_str().is_empty() => parent,
			_ => Path::new("."),
		};
		let mut nonce = [0u8; 8];
		getrandom::fill(&mut nonce).map_err(|error| IdentityError::Random(error.to_string()))?;
		let mut draft_name = name.to_os_string();
		draft_name.push(format!(".{}.new", hex::encode(nonce)));
		let draft = parent.join(draft_name);

		let seed = Zeroizing::new(self.key.to_bytes());
		let mut text = Zeroizing::new([0u8; 65]);
		hex::encode_to_slice(seed.as_slice(), &mut text[..64]).map_err(|_| {
			IdentityError::Malformed {
				path: path.to_path_buf(),
			}
		})?;
		text[64] = b'\n';
		let written = write_draft(&draft, text.as_slice());
		// A hard link, not a rename: it fails if the target exists.
		let linked = written.and_then(|()| fs::hard_link(&draft, path));
		let removed = fs::remove_file(&draft);
		linked.map_err(|error| match error.kind() {
			io::ErrorKind::AlreadyExists => IdentityError::Exists {
				path: path.to_path_buf(),
			},
			_ => io("write it")(error),
		})?;
		removed.map_err(io("remove its draft"))?;
		File::open(parent)
			.and_then(|dir| dir.sync_all())
			.map_err(io("sync its folder"))
	}

	/// The public key: the node's name on the wire.
	pub fn node_key(&self) -> NodeKey {
		NodeKey(self.key.verifying_key().to_bytes())
	}

	/// Signs `message`. Callers prefix a context of their own, so that a signature made for one
	/// purpose is worthless for another.
	pub fn sign(&self, message: &[u8]) -> [u8; 64] {
		self.key.sign(message).to_bytes()
	}

	/// Signs a permit to store, delete or restore.
	pub fn permit<P: Permit>(&self, permit: P) -> Signed<P> {
		let signature = self.sign(&permit.payload());
		Signed {
			permit,
			issuer: self.node_key(),
			signature,
		}
	}

	/// A secret for another purpose, derived from the seed and `context`.
	pub(crate) fn derive(&self, context: &str) -> Zeroizing<[u8; 32]> {
		Zeroizing::new(blake3::derive_key(context, self.key.as_bytes()))
	}
}

impl fmt::Debug for Identity {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Identity")
			.field("node_key", &self.node_key())
			.finish_non_exhaustive()
	}
}

/// Whether `signature` over `message` was made by the holder of `key`. Strict: small-order keys
/// and malleable signatures are refused.
pub fn verify(key: &NodeKey, message: &[u8], signature: &[u8; 64]) -> bool {
	verifying_key(key).is_some_and(|key| {
		key.verify_strict(message, &Signature::from_bytes(signature))
			.is_ok()
	})
}

/// The curve point of `key`; `None` if there is none or it has a small order.
pub(crate) fn verifying_key(key: &NodeKey) -> Option<VerifyingKey> {
	VerifyingKey::from_bytes(key.as_bytes())
		.ok()
		.filter(|key| !key.is_weak())
}

fn write_draft(path: &Path, text: &[u8]) -> io::Result<()> {
	let mut options = OpenOptions::new();
	options.write(true).create_new(true);
	#[cfg(unix)]
	std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
	let mut file = options.open(path)?;
	file.write_all(text)?;
	file.sync_all()
}

#[cfg(unix)]
fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), IdentityError> {
	use std::os::unix::fs::PermissionsExt;
	let mode = metadata.permissions().mode() & 0o777;
	if mode & 0o077 != 0 {
		return Err(IdentityError::Exposed {
			path: path.to_path_buf(),
			mode,
		});
	}
	Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &fs::Metadata) -> Result<(), IdentityError> {
	Ok(())
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]

	use super::*;

	fn temp() -> tempfile::TempDir {
		tempfile::tempdir().unwrap()
	}

	#[test]
	fn a_saved_key_loads_and_signs_the_same() {
		let dir = temp();
		let path = dir.path().join("node.key");
		let made = Identity::generate().unwrap();
		made.save(&path).unwrap();
		let read = Identity::load(&path).unwrap();
		assert_eq!(read.node_key(), made.node_key());
		assert_eq!(read.sign(b"x"), made.sign(b"x"));
		assert!(verify(&made.node_key(), b"x", &read.sign(b"x")));
		assert!(!verify(&made.node_key(), b"y", &read.sign(b"x")));
		// The draft is gone.
		assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
	}

	#[test]
	fn a_key_is_never_overwritten() {
		let dir = temp();
		let path = dir.path().join("node.key");
		let first = Identity::generate().unwrap();
		first.save(&path).unwrap();
		let again = Identity::generate().unwrap().save(&path);
		assert!(matches!(again, Err(IdentityError::Exists { .. })));
		assert_eq!(Identity::load(&path).unwrap().node_key(), first.node_key());
		assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
	}

	#[cfg(unix)]
	#[test]
	fn files_are_private_and_exposed_ones_refused() {
		use std::os::unix::fs::PermissionsExt;
		let dir = temp();
		let path = dir.path().join("node.key");
		Identity::generate().unwrap().save(&path).unwrap();
		let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
		assert_eq!(mode(&path), 0o600);
		for open in [0o640, 0o604, 0o620] {
			fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
			let error = Identity::load(&path).unwrap_err();
			assert!(matches!(error, IdentityError::Exposed { mode, .. } if mode == open));
			assert!(error.to_string().contains("chmod 600"));
		}
	}

	#[cfg(unix)]
	#[test]
	fn malformed_files_are_refused() {
		use std::os::unix::fs::PermissionsExt;
		let dir = temp();
		let path = dir.path().join("node.key");
		let long = "ab".repeat(500);
		for text in [
			"",
			"xyz",
			"ab",
			&"zz".repeat(32),
			&"ab".repeat(31),
			&"ab".repeat(33),
			&long,
		] {
			fs::write(&path, text).unwrap();
			fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
			assert!(matches!(
				Identity::load(&path),
				Err(IdentityError::Malformed { .. })
			));
		}
		assert!(matches!(
			Identity::load(&dir.path().join("none")),
			Err(IdentityError::Io { .. })
		));
		assert!(matches!(
			Identity::load(dir.path()),
			Err(IdentityError::NotAFile { .. })
		));
	}

	#[test]
	fn rfc8032_vector() {
		let mut seed = [0u8; 32];
		let hex_seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
		hex::decode_to_slice(hex_seed, &mut seed).unwrap();
		let key = Identity::from_seed(&seed).unwrap();
		assert_eq!(
			key.node_key().to_string(),
			"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
		);
		assert!(!format!("{key:?}").contains("9d61b19d"));
	}

	#[test]
	fn weak_and_impossible_keys_verify_nothing() {
		// The identity point and a point of order 8 have a small order; 0x02.. is not on the curve.
		let mut one = [0u8; 32];
		one[0] = 1;
		assert!(verifying_key(&NodeKey(one)).is_none());
		assert!(verifying_key(&NodeKey([0; 32])).is_none());
		let mut off = [0u8; 32];
		off[0] = 2;
		assert!(verifying_key(&NodeKey(off)).is_none());
		assert!(!verify(&NodeKey(one), b"m", &[0; 64]));
	}
}
