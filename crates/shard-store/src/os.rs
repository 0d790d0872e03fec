//! The disk of the operating system.

use crate::disk::{Disk, DiskFile, Space};
use rustix::{
	fs::{FallocateFlags, FlockOperation, Mode, OFlags, SeekFrom},
	io::Errno,
};
use std::{
	any::Any,
	fs::{DirBuilder, File, OpenOptions},
	io::{self, IoSlice},
	os::{
		fd::AsRawFd,
		unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
	},
	path::{Path, PathBuf},
	sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Buffers of one write; Linux takes 1024.
const MAX_BUFFERS: usize = 512;
/// What direct I/O is aligned to, in memory and on disk, in bytes.
const ALIGN: usize = 4096;

/// A directory of the operating system.
pub struct OsDisk {
	root: PathBuf,
}

impl OsDisk {
	/// Name of the lock file.
	pub const LOCK: &'static str = "LOCK";

	/// Uses `root`, making it if needed (only readable by its owner).
	pub fn new(root: &Path) -> io::Result<Self> {
		if !root.is_dir() {
			DirBuilder::new().recursive(true).mode(0o700).create(root)?;
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

/// A held lock file. Closing it would not always do: a child process that is being started has it open
/// too, until it runs its own program.
struct Held(File);

impl Drop for Held {
	fn drop(&mut self) {
		if let Err(error) = rustix::fs::flock(&self.0, FlockOperation::Unlock) {
			tracing::warn!(%error, "the lock of a store's directory was not given back");
		}
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
		Ok(Box::new(Held(file)))
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
		Ok(Arc::new(OsFile::new(file)))
	}

	fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
		let file = OpenOptions::new()
			.read(true)
			.write(true)
			.open(self.root.join(name))?;
		Ok(Arc::new(OsFile::new(file)))
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

	fn space(&self) -> io::Result<Space> {
		let stat = rustix::fs::statvfs(&self.root)?;
		Ok(Space {
			free: stat.f_bavail.saturating_mul(stat.f_frsize),
			total: stat.f_blocks.saturating_mul(stat.f_frsize),
		})
	}

	fn describe(&self, name: &str) -> String {
		self.root.join(name).display().to_string()
	}
}

struct OsFile {
	file: File,
	direct: Mutex<Direct>,
}

/// The same file, past the page cache.
enum Direct {
	/// Made for the next write that can go that way.
	Unused,
	Open(Arc<File>),
	/// The file system refuses.
	Refused,
}

impl OsFile {
	fn new(file: File) -> Self {
		Self {
			file,
			direct: Mutex::new(Direct::Unused),
		}
	}

	fn state(&self) -> MutexGuard<'_, Direct> {
		self.direct.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// The way past the page cache, if these bytes can take it. What a miner stores is rarely read
	/// soon, so a copy in the cache costs more than it is worth. Reads do go through the cache, which
	/// the system keeps in step with direct writes.
	fn direct(&self, bufs: &[&[u8]], offset: u64) -> Option<Arc<File>> {
		let aligned =
			|buf: &&[u8]| buf.len().is_multiple_of(ALIGN) && buf.as_ptr().align_offset(ALIGN) == 0;
		if !offset.is_multiple_of(ALIGN as u64) || !bufs.iter().all(aligned) {
			return None;
		}
		let mut state = self.state();
		if matches!(*state, Direct::Unused) {
			// By its number: the file may have got another name since it was opened.
			let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
			let flags = OFlags::RDWR | OFlags::DIRECT | OFlags::CLOEXEC;
			*state = match rustix::fs::open(path, flags, Mode::empty()) {
				Ok(fd) => Direct::Open(Arc::new(fd.into())),
				Err(error) => {
					tracing::debug!(%error, "no direct I/O here");
					Direct::Refused
				}
			};
		}
		match &*state {
			Direct::Open(file) => Some(file.clone()),
			Direct::Unused | Direct::Refused => None,
		}
	}
}

impl DiskFile for OsFile {
	fn size(&self) -> io::Result<u64> {
		Ok(self.file.metadata()?.len())
	}

	fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
		self.file.read_exact_at(buf, offset)
	}

	fn write_at(&self, bufs: &[&[u8]], mut offset: u64) -> io::Result<()> {
		let mut direct = self.direct(bufs, offset);
		for bufs in bufs.chunks(MAX_BUFFERS) {
			let mut slices: Vec<IoSlice<'_>> = bufs.iter().map(|buf| IoSlice::new(buf)).collect();
			let mut slices = slices.as_mut_slice();
			IoSlice::advance_slices(&mut slices, 0);
			while !slices.is_empty() {
				match rustix::io::pwritev(direct.as_deref().unwrap_or(&self.file), slices, offset) {
					Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
					Ok(written) => {
						offset += written as u64;
						IoSlice::advance_slices(&mut slices, written);
					}
					Err(Errno::INTR) => {}
					// The file system takes none, or wants another alignment.
					Err(Errno::INVAL | Errno::OPNOTSUPP) if direct.is_some() => {
						direct = None;
						*self.state() = Direct::Refused;
					}
					Err(error) => return Err(error.into()),
				}
			}
		}
		Ok(())
	}

	fn written(&self) {
		let mut state = self.state();
		if matches!(*state, Direct::Open(_)) {
			*state = Direct::Unused;
		}
	}

	fn sync(&self) -> io::Result<()> {
		self.file.sync_data()
	}

	fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
		let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
		match rustix::fs::fallocate(&self.file, flags, offset, len) {
			Err(Errno::OPNOTSUPP | Errno::NOSYS) => Err(io::ErrorKind::Unsupported.into()),
			other => Ok(other?),
		}
	}

	fn next_data(&self, offset: u64) -> io::Result<Option<u64>> {
		match rustix::fs::seek(&self.file, SeekFrom::Data(offset)) {
			Ok(found) => Ok(Some(found)),
			Err(Errno::NXIO) => Ok(None),
			// Not known here: everything may hold data.
			Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(Some(offset)),
			Err(error) => Err(error.into()),
		}
	}
}
