//! The files of a store: their names, how they are made, and which are open.

use crate::{
	disk::{Disk, DiskFile},
	entry::MAX_VOLUMES,
	error::StoreError,
	frame::{offset, Draft, BLOCK, VERSION},
	key::{Place, StoreKey},
	preamble::{self, Preamble, Start, PREAMBLE},
};
use std::{
	collections::HashMap,
	io,
	sync::{
		atomic::{AtomicU64, Ordering::Relaxed},
		Arc, Mutex, MutexGuard, PoisonError,
	},
};

pub(crate) const SUPER: &str = "SUPER";
const TEMPORARY: &str = ".tmp";

/// File name of a volume.
pub(crate) fn name(number: u32) -> String {
	format!("{number:08}.vol")
}

fn number(name: &str) -> Option<u32> {
	let digits = name.strip_suffix(".vol")?;
	let number = digits.parse().ok()?;
	(self::name(number) == name && (1..=MAX_VOLUMES).contains(&number)).then_some(number)
}

/// Numbers of the volumes in `disk`, ascending; left-overs of interrupted creations are removed.
pub(crate) fn list(disk: &dyn Disk) -> Result<Vec<u32>, StoreError> {
	let names = disk
		.list()
		.map_err(|e| StoreError::io("list", disk.describe(""), e))?;
	for name in names.iter().filter(|name| name.ends_with(TEMPORARY)) {
		disk.remove(name)
			.map_err(|e| StoreError::io("remove", disk.describe(name), e))?;
	}
	let mut numbers: Vec<u32> = names.iter().filter_map(|name| number(name)).collect();
	numbers.sort_unstable();
	Ok(numbers)
}

/// The store's key: from `SUPER`, else from a volume, else (no volume yet) a new one.
pub(crate) fn store_key(disk: &dyn Disk, volumes: &[u32]) -> Result<StoreKey, StoreError> {
	let path = disk.describe(SUPER);
	match read_start(disk, SUPER) {
		Ok(bytes) => match preamble::read_super(&bytes) {
			Preamble::Good(key) => return Ok(key),
			Preamble::Version(found) => return Err(version(path, found)),
			Preamble::Damaged => tracing::warn!(%path, "damaged, taking the key from a volume"),
		},
		Err(error) if error.kind() == io::ErrorKind::NotFound => {}
		Err(error) => return Err(StoreError::io("read", path, error)),
	}
	let mut known = None;
	for number in volumes {
		let name = name(*number);
		let bytes =
			read_start(disk, &name).map_err(|e| StoreError::io("read", disk.describe(&name), e))?;
		match preamble::read_volume(&bytes) {
			Preamble::Good(start) => {
				known = Some(start.key);
				break;
			}
			Preamble::Version(found) => return Err(version(disk.describe(&name), found)),
			Preamble::Damaged => {}
		}
	}
	let key = match known {
		Some(key) => key,
		None if !volumes.is_empty() => return Err(StoreError::NoKey { path }),
		None => {
			let mut key = [0; 32];
			getrandom::fill(&mut key).map_err(|error| {
				let source = io::Error::other(error.to_string());
				StoreError::io("draw a key for", path.clone(), source)
			})?;
			StoreKey(key)
		}
	};
	replace(disk, SUPER, &[&preamble::of_super(&key)])?;
	Ok(key)
}

fn version(path: String, found: u16) -> StoreError {
	StoreError::Version {
		path,
		found,
		known: VERSION,
	}
}

fn read_start(disk: &dyn Disk, name: &str) -> io::Result<Vec<u8>> {
	let file = disk.open(name)?;
	start_of(&*file)
}

fn start_of(file: &dyn DiskFile) -> io::Result<Vec<u8>> {
	let mut bytes = vec![0; file.size()?.min(PREAMBLE as u64) as usize];
	file.read_at(&mut bytes, 0)?;
	Ok(bytes)
}

/// Makes a file under a temporary name, lets `fill` write it, and gives it its name: durable, name
/// included, or not there.
pub(crate) fn create_file(
	disk: &dyn Disk,
	name: &str,
	len: u64,
	fill: impl FnOnce(&dyn DiskFile) -> io::Result<()>,
) -> Result<Arc<dyn DiskFile>, StoreError> {
	let temporary = format!("{name}{TEMPORARY}");
	let made = (|| {
		let file = match disk.create(&temporary, len) {
			// Left behind by an earlier failure.
			Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
				disk.remove(&temporary)?;
				disk.create(&temporary, len)?
			}
			other => other?,
		};
		fill(&*file)?;
		file.sync()?;
		disk.rename(&temporary, name)?;
		disk.sync_dir()?;
		Ok(file)
	})();
	made.map_err(|error: io::Error| {
		// The first error is the one to report; a left-over is removed at the next start.
		if let Err(error) = disk.remove(&temporary) {
			tracing::debug!(%error, temporary, "cannot remove");
		}
		StoreError::io("create", disk.describe(name), error)
	})
}

/// Makes a small file with this content, replacing what has its name.
pub(crate) fn replace(disk: &dyn Disk, name: &str, content: &[&[u8]]) -> Result<(), StoreError> {
	create_file(disk, name, 0, |file| file.write_at(content, 0)).map(|_| ())
}

/// Reads a file of at most `most` bytes; `None` if there is none.
pub(crate) fn read_small(
	disk: &dyn Disk,
	name: &str,
	most: usize,
) -> Result<Option<Vec<u8>>, StoreError> {
	let read = || -> io::Result<Vec<u8>> {
		let file = disk.open(name)?;
		let mut bytes = vec![0; file.size()?.min(most as u64) as usize];
		file.read_at(&mut bytes, 0)?;
		Ok(bytes)
	};
	match read() {
		Ok(bytes) => Ok(Some(bytes)),
		Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
		Err(error) => Err(StoreError::io("read", disk.describe(name), error)),
	}
}

/// Makes a volume of `blocks` blocks.
pub(crate) fn create(
	disk: &dyn Disk,
	start: &Start,
	blocks: u32,
) -> Result<Arc<dyn DiskFile>, StoreError> {
	let bytes = preamble::of_volume(start, blocks);
	create_file(disk, &name(start.number), offset(blocks), |file| {
		file.write_at(&[&bytes], 0)
	})
}

/// Where the volume before volume `number` ended, if volume `number` knows.
pub(crate) fn end_before(disk: &dyn Disk, key: &StoreKey, number: u32) -> Option<u32> {
	match preamble::read_volume(&read_start(disk, &name(number)).ok()?) {
		Preamble::Good(start) if start.key == *key && start.number == number => {
			(start.before > 0).then_some(start.before)
		}
		_ => None,
	}
}

/// Marks a volume as complete before `block`, so that later starts need not look behind its last
/// record. Losing the mark costs only time.
pub(crate) fn write_end(
	file: &dyn DiskFile,
	key: &StoreKey,
	place: Place,
	blocks: u32,
) -> io::Result<()> {
	if place.block >= blocks {
		return Ok(());
	}
	let mut end = Draft::end();
	end.place(key, place, place.block);
	file.write_at(&[end.bytes()], place.offset())?;
	file.sync()
}

/// The volumes that are open; the one not used for longest is closed when there are too many.
pub(crate) struct Files {
	disk: Arc<dyn Disk>,
	key: StoreKey,
	most: usize,
	open: Mutex<HashMap<u32, Open>>,
	clock: AtomicU64,
	/// Volumes whose own header was damaged, and renewed.
	pub(crate) renewed: AtomicU64,
}

struct Open {
	file: Arc<dyn DiskFile>,
	used: u64,
}

impl Files {
	pub(crate) fn new(disk: Arc<dyn Disk>, key: StoreKey, most: usize) -> Self {
		Self {
			disk,
			key,
			most,
			open: Mutex::default(),
			clock: AtomicU64::new(0),
			renewed: AtomicU64::new(0),
		}
	}

	fn open(&self) -> MutexGuard<'_, HashMap<u32, Open>> {
		self.open.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// The file of volume `number`, opened and checked if it was not open.
	pub(crate) fn get(&self, number: u32) -> Result<Arc<dyn DiskFile>, StoreError> {
		let used = self.clock.fetch_add(1, Relaxed);
		if let Some(open) = self.open().get_mut(&number) {
			open.used = used;
			return Ok(open.file.clone());
		}
		let file = self.check(number)?;
		self.put(number, file.clone());
		Ok(file)
	}

	/// Takes a file into the open ones.
	pub(crate) fn put(&self, number: u32, file: Arc<dyn DiskFile>) {
		let used = self.clock.fetch_add(1, Relaxed);
		let mut open = self.open();
		if open.len() >= self.most {
			let oldest = open.iter().min_by_key(|(_, open)| open.used);
			if let Some(oldest) = oldest.map(|(number, _)| *number) {
				open.remove(&oldest);
			}
		}
		open.insert(number, Open { file, used });
	}

	/// Closes a volume.
	pub(crate) fn forget(&self, number: u32) {
		self.open().remove(&number);
	}

	fn check(&self, number: u32) -> Result<Arc<dyn DiskFile>, StoreError> {
		let name = name(number);
		let path = self.disk.describe(&name);
		let fail = |op| {
			let path = path.clone();
			move |error| StoreError::io(op, path, error)
		};
		let file = self.disk.open(&name).map_err(fail("open"))?;
		let start = start_of(&*file).map_err(fail("read"))?;
		match preamble::read_volume(&start) {
			Preamble::Good(found) if (found.key, found.number) != (self.key, number) => {
				Err(StoreError::ForeignVolume { path })
			}
			Preamble::Good(_) => Ok(file),
			Preamble::Version(found) => Err(version(path, found)),
			Preamble::Damaged => {
				// Its content is known without it.
				tracing::warn!(%path, "the volume's header is damaged");
				self.renewed.fetch_add(1, Relaxed);
				if let Err(error) = self.renew(&*file, number) {
					tracing::error!(%path, %error, "cannot renew the volume header");
				}
				Ok(file)
			}
		}
	}

	fn renew(&self, file: &dyn DiskFile, number: u32) -> io::Result<()> {
		let blocks = u32::try_from(file.size()? / BLOCK as u64).unwrap_or(u32::MAX);
		let start = Start {
			key: self.key,
			number,
			before: 0,
		};
		file.write_at(&[&preamble::of_volume(&start, blocks)], 0)?;
		file.sync()
	}
}
