//! All file access of the store, behind two small traits, so that tests can put a disk with faults
//! underneath.

use rustix::{
	fs::{FallocateFlags, FlockOperation, SeekFrom},
	io::Errno,
};
use std::{
	any::Any,
	fs::{File, OpenOptions},
	io,
	os::unix::fs::{FileExt, OpenOptionsExt},
	path::{Path, PathBuf},
	sync::Arc,
};

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
	/// A file's name for messages.
	fn describe(&self, name: &str) -> String;
}

/// An open file.
pub trait DiskFile: Send + Sync + 'static {
	/// Length in bytes.
	fn size(&self) -> io::Result<u64>;
	/// Fills `buf` from `offset`.
	fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;
	/// Writes all of `buf` at `offset`.
	fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()>;
	/// Makes all writes so far durable.
	fn sync(&self) -> io::Result<()>;
	/// The first place at or after `offset` that may hold something else than never-written zeros;
	/// `None` if there is none.
	fn next_data(&self, offset: u64) -> io::Result<Option<u64>>;
}

/// A directory of the operating system.
pub struct OsDisk {
	root: PathBuf,
}

impl OsDisk {
	/// Name of the lock file.
	pub const LOCK: &'static str = "LOCK";

	/// Uses `root`, making it if needed (only readable by its owner).
	pub fn new(root: &Path) -> io::Result<Self> {
		use std::os::unix::fs::DirBuilderExt;
		if !root.is_dir() {
			std::fs::DirBuilder::new()
				.recursive(true)
				.mode(0o700)
				.create(root)?;
			if let Some(parent) = root
				.parent()
				.filter(|parent| !parent.as_os_str().is_empty())
			{
				File::open(parent)?.sync_all()?;
			}
		}
		Ok(Self {
			root: root.to_path_buf(),
		})
	}
}

impl Disk for OsDisk {
	fn lock(&self) -> io::Result<Box<dyn Any + Send + Sync>> {
		let file = OpenOptions::new()
			.create(true)
			.truncate(false)
			.write(true)
			.mode(0o600)
			.open(self.root.join(Self::LOCK))?;
		rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
		Ok(Box::new(file))
	}

	fn list(&self) -> io::Result<Vec<String>> {
		std::fs::read_dir(&self.root)?
			.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
			.collect()
	}

	fn create(&self, name: &str, len: u64) -> io::Result<Arc<dyn DiskFile>> {
		let path = self.root.join(name);
		let file = OpenOptions::new()
			.create_new(true)
			.read(true)
			.write(true)
			.mode(0o600)
			.open(path)?;
		if len > 0 {
			match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, len) {
				Ok(()) => {}
				// Some file systems cannot reserve; the file then only gets its length.
				Err(Errno::OPNOTSUPP) => file.set_len(len)?,
				Err(error) => return Err(error.into()),
			}
		}
		Ok(Arc::new(OsFile(file)))
	}

	fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
		let file = OpenOptions::new()
			.read(true)
			.write(true)
			.open(self.root.join(name))?;
		Ok(Arc::new(OsFile(file)))
	}

	fn rename(&self, from: &str, to: &str) -> io::Result<()> {
		std::fs::rename(self.root.join(from), self.root.join(to))
	}

	fn remove(&self, name: &str) -> io::Result<()> {
		std::fs::remove_file(self.root.join(name))
	}

	fn sync_dir(&self) -> io::Result<()> {
		File::open(&self.root)?.sync_all()
	}

	fn describe(&self, name: &str) -> String {
		self.root.join(name).display().to_string()
	}
}

struct OsFile(File);

impl DiskFile for OsFile {
	fn size(&self) -> io::Result<u64> {
		Ok(self.0.metadata()?.len())
	}

	fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
		self.0.read_exact_at(buf, offset)
	}

	fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
		self.0.write_all_at(buf, offset)
	}

	fn sync(&self) -> io::Result<()> {
		self.0.sync_data()
	}

	fn next_data(&self, offset: u64) -> io::Result<Option<u64>> {
		match rustix::fs::seek(&self.0, SeekFrom::Data(offset)) {
			Ok(found) => Ok(Some(found)),
			Err(Errno::NXIO) => Ok(None),
			// Not known here: everything may hold data.
			Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(Some(offset)),
			Err(error) => Err(error.into()),
		}
	}
}
