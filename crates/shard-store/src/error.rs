//! What can go wrong in a store.

use hippius_primitives::ShardId;
use std::{io, sync::Arc};

/// An error of the store. Cheap to clone, because one failed sync fails every put of its group.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
	/// A size in the configuration cannot work.
	#[error("store configuration: {0}")]
	Config(String),
	/// Another process has the store open.
	#[error("{path} is in use by another process: stop it, or choose another directory")]
	Locked {
		/// The lock file.
		path: String,
	},
	/// The operating system refused an operation.
	#[error("cannot {op} {path}: {source}")]
	Io {
		/// What was tried, a verb.
		op: &'static str,
		/// On which file.
		path: String,
		/// Why it failed.
		source: Arc<io::Error>,
	},
	/// A volume was written by another store.
	#[error("{path} belongs to another store: move it out of this directory")]
	ForeignVolume {
		/// The volume.
		path: String,
	},
	/// A file is of a format this version does not know.
	#[error("{path} has format version {found}, this program knows {known}: upgrade the program")]
	Version {
		/// The file.
		path: String,
		/// Its version.
		found: u16,
		/// The newest version known.
		known: u16,
	},
	/// The directory holds volumes, but neither `SUPER` nor any volume header can be read.
	#[error("{path} and every volume header are damaged: restore {path} from a backup")]
	NoKey {
		/// The `SUPER` file.
		path: String,
	},
	/// What was to be stored is not what it claims to be.
	#[error("shard refused: {0}")]
	BadShard(String),
	/// The shard's bytes on disk no longer match its id; the store has forgotten it.
	#[error(
		"shard {0} is damaged on disk and was dropped: fetch it from its stripe's other shards"
	)]
	Corrupt(ShardId),
	/// The store is full.
	#[error("no room for {needed} bytes: {free} of {capacity} bytes are left")]
	InsufficientStorage {
		/// Bytes the record takes on disk.
		needed: u64,
		/// Bytes left for records.
		free: u64,
		/// Bytes the store may take in all.
		capacity: u64,
	},
	/// The writer has stopped.
	#[error("the store is closed")]
	Closed,
}

impl StoreError {
	pub(crate) fn io(op: &'static str, path: impl Into<String>, source: io::Error) -> Self {
		Self::Io {
			op,
			path: path.into(),
			source: Arc::new(source),
		}
	}

	/// Whether the store refused because it is full.
	pub fn is_full(&self) -> bool {
		matches!(self, Self::InsufficientStorage { .. })
	}
}
