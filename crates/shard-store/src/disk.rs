//! All file access of the store, behind two small traits, so that tests can put a disk with faults
//! underneath.

use std::{any::Any, io, sync::Arc};

pub use crate::os::OsDisk;

/// Space of a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
	/// What this process may still take.
	pub free: u64,
	/// All there is.
	pub total: u64,
}

/// One directory of files, as far as a store needs it.
pub trait Disk: Send + Sync + 'static {
	/// Takes the directory for this process until the guard is dropped; `WouldBlock` if another
	/// holds it.
	fn lock(&self) -> io::Result<Box<dyn Any + Send + Sync>>;
	/// Names of all files, in any order.
	fn list(&self) -> io::Result<Vec<String>>;
	/// Makes a new file of `len` zero bytes whose blocks are reserved; fails if it exists.
	fn create(&self, name: &str, len: u64) -> io::Result<Arc<dyn DiskFile>>;
	/// Opens a file for reading and writing.
	fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
	/// Gives a file another name, replacing what had it.
	fn rename(&self, from: &str, to: &str) -> io::Result<()>;
	/// Removes a file.
	fn remove(&self, name: &str) -> io::Result<()>;
	/// Makes creations, renames and removals durable.
	fn sync_dir(&self) -> io::Result<()>;
	/// Space of the file system.
	fn space(&self) -> io::Result<Space>;
	/// A file's name for messages.
	fn describe(&self, name: &str) -> String;
}

/// An open file.
pub trait DiskFile: Send + Sync + 'static {
	/// Length in bytes.
	fn size(&self) -> io::Result<u64>;
	/// Fills `buf` from `offset`.
	fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;
	/// Writes all of `bufs`, one after the other, at `offset`; behind the end the file grows.
	fn write_at(&self, bufs: &[&[u8]], offset: u64) -> io::Result<()>;
	/// Nothing more is likely to be written: what is held for that alone can be let go.
	fn written(&self) {}
	/// Makes all writes so far durable.
	fn sync(&self) -> io::Result<()>;
	/// Gives blocks back to the file system; they read as zeros. `Unsupported` if that cannot be.
	fn punch(&self, offset: u64, len: u64) -> io::Result<()>;
	/// The first place at or after `offset` that may hold something else than never-written zeros;
	/// `None` if there is none.
	fn next_data(&self, offset: u64) -> io::Result<Option<u64>>;
}
