//! What can go wrong in a store.

use crate::key::Key;
use std::{fmt, io, sync::Arc};

/// Which limit a refused write ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
	/// The store's capacity, less what is kept back for compaction and deletions.
	Capacity,
	/// The quota of the record's namespace.
	Quota,
	/// The file system's free space is below the floor for new data.
	SoftFloor,
	/// The file system's free space is below the floor for everything.
	HardFloor,
	/// The file system itself is full.
	FileSystem,
}

impl fmt::Display for Limit {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::Capacity => "the store's capacity",
			Self::Quota => "the namespace's quota",
			Self::SoftFloor => "the file system's floor for new data",
			Self::HardFloor => "the file system's floor",
			Self::FileSystem => "the file system's size",
		})
	}
}

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
	/// A file is of a format this version does not read.
	#[error(
		"{path} has format version {found}, this program reads version {known}: use the program \
		 that wrote it, or an empty directory"
	)]
	Version {
		/// The file.
		path: String,
		/// Its version.
		found: u16,
		/// The version this program reads.
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
	/// The bytes on disk no longer match their key; the store has forgotten them.
	#[error("{0} is damaged on disk and was dropped: fetch it from its stripe's other shards")]
	Corrupt(Key),
	/// A range outside the record was asked for.
	#[error("bytes {offset}..{end} were asked for, {key} has {len}")]
	Range {
		/// Of which record.
		key: Key,
		/// First byte.
		offset: u64,
		/// Byte after the last.
		end: u64,
		/// Bytes there are.
		len: u64,
	},
	/// There is no room.
	#[error(
		"no room for {needed} bytes: {free} of {capacity} bytes are left for data, and the limit \
		 is {limit}"
	)]
	InsufficientStorage {
		/// Bytes the record takes on disk.
		needed: u64,
		/// Bytes left for data.
		free: u64,
		/// Bytes the store may take in all.
		capacity: u64,
		/// What stands in the way.
		limit: Limit,
	},
	/// All volume numbers have been given out.
	#[error("all {0} volume numbers are used up: start a new store on this disk")]
	OutOfVolumes(u32),
	/// The disk has not answered. What was to be stored may be there later.
	#[error(
		"{path} has not answered for {after:?}: look for errors of the disk in the system's log, \
		 and replace it if it goes on"
	)]
	Stalled {
		/// The store's directory.
		path: String,
		/// How long it was waited for.
		after: std::time::Duration,
	},
	/// The store kept changing under an operation.
	#[error("{0} was moved again and again while it was read: try again")]
	Busy(Key),
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

/// Whether the operating system says that there is no space.
pub(crate) fn is_no_space(error: &io::Error) -> bool {
	matches!(
		error.kind(),
		io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
	)
}
