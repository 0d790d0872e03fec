//! The disks: syncs, space, kind of file system, reservation.

use super::report::Finding;
use crate::{config::DiskPlan, size::ByteSize};
use rustix::fs::{FallocateFlags, FsWord};
use std::{
	fs::{self, File, OpenOptions},
	io,
	os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
	path::{Path, PathBuf},
	time::{Duration, Instant},
};

/// Syncs that are measured.
const SYNCS: usize = 50;
/// Longest time the measurement takes, if the disk answers at all.
const MEASURE: Duration = Duration::from_secs(5);
/// A 99th percentile above this is worth a warning.
const SLOW: Duration = Duration::from_millis(20);
/// Bytes reserved to see whether reserving works.
const RESERVED: u64 = 1 << 20;

/// Time of writing 4 KiB and syncing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncTimes {
	/// Half are faster.
	pub p50: Duration,
	/// All but one in a hundred are faster.
	pub p99: Duration,
	/// How many were measured.
	pub count: usize,
}

/// A file in the directory that is removed at the end.
struct Scratch {
	path: PathBuf,
	file: File,
}

impl Scratch {
	fn new(dir: &Path) -> io::Result<Self> {
		let path = dir.join(format!(".doctor-{}", std::process::id()));
		let file = OpenOptions::new()
			.write(true)
			.create(true)
			.truncate(true)
			.mode(0o600)
			.open(&path)?;
		Ok(Self { path, file })
	}
}

impl Drop for Scratch {
	fn drop(&mut self) {
		if let Err(error) = fs::remove_file(&self.path) {
			tracing::warn!(path = %self.path.display(), %error, "a scratch file is left");
		}
	}
}

/// Measures syncs in a directory.
pub fn measure_sync(dir: &Path) -> io::Result<SyncTimes> {
	let scratch = Scratch::new(dir)?;
	let block = [0x5a; 4096];
	let began = Instant::now();
	let mut times = Vec::with_capacity(SYNCS);
	while times.len() < SYNCS && (times.is_empty() || began.elapsed() < MEASURE) {
		let start = Instant::now();
		scratch
			.file
			.write_all_at(&block, 4096 * times.len() as u64)?;
		scratch.file.sync_data()?;
		times.push(start.elapsed());
	}
	times.sort_unstable();
	let at = |hundredths: usize| times[(times.len() - 1) * hundredths / 100];
	Ok(SyncTimes {
		p50: at(50),
		p99: at(99),
		count: times.len(),
	})
}

/// Whether syncs work and are fast enough: each acknowledged shard waits for one.
pub fn sync(path: &Path, measured: &io::Result<SyncTimes>) -> Finding {
	let path = path.display();
	match measured {
		Err(error) => Finding::error(
			"disk-sync",
			format!("{path}: writing 4 KiB and syncing failed: {error}"),
			"check the mount and its permissions, and the disk's health with `smartctl -a` and `dmesg`",
		),
		Ok(times) => {
			let millis = |time: Duration| time.as_micros() as f64 / 1000.0;
			let text = format!(
				"{path}: p50 {:.2} ms, p99 {:.2} ms of {}",
				millis(times.p50),
				millis(times.p99),
				times.count
			);
			match times.p99 > SLOW {
				true => Finding::warning(
					"disk-sync",
					text,
					"puts wait for each sync: prefer a disk of its own, an SSD, or one with power-loss protection",
				),
				false => Finding::ok("disk-sync", text),
			}
		}
	}
}

/// Free space and what the store takes already, against what it may take.
pub fn space(plan: &DiskPlan, free: u64, allocated: u64) -> Finding {
	let path = plan.path.display();
	let config = &plan.config;
	let possible = free.saturating_add(allocated);
	let rounded = |bytes: u64| ByteSize(bytes >> 20 << 20);
	let text = format!(
		"{path}: {} free and {} taken, capacity {}",
		rounded(free),
		rounded(allocated),
		ByteSize(config.capacity)
	);
	let needed = config.capacity.saturating_add(config.ballast);
	if possible >= needed {
		return Finding::ok("disk-space", text);
	}
	Finding::warning(
		"disk-space",
		text,
		format!(
			"the store will be full before its capacity: free {}, or lower the disk's capacity to at most {} and run `arion-miner update`",
			rounded(needed - possible),
			rounded(possible.saturating_sub(config.ballast)),
		),
	)
}

/// Bytes the volumes in a store directory take on disk.
pub fn allocated(dir: &Path) -> io::Result<u64> {
	let mut sum = 0u64;
	let entries = match fs::read_dir(dir) {
		Ok(entries) => entries,
		Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
		Err(error) => return Err(error),
	};
	for entry in entries {
		let entry = entry?;
		let name = entry.file_name();
		let name = Path::new(&name);
		if name.extension().is_some_and(|end| end == "vol") || name == Path::new("BALLAST") {
			sum = sum.saturating_add(entry.metadata()?.blocks().saturating_mul(512));
		}
	}
	Ok(sum)
}

/// The kind of file system, by its number in statfs(2).
pub fn file_system(path: &Path, magic: FsWord) -> Finding {
	let path = path.display();
	// On 32-bit machines the number is signed.
	let magic = magic as u64 & 0xffff_ffff;
	let (name, cost) = match magic {
		0x0102_1994 | 0x8584_58f6 => ("in memory", "everything is lost with a reboot"),
		0x6969 => (
			"NFS",
			"syncs and locks depend on the server and the network",
		),
		0x517b | 0xff53_4d42 | 0xfe53_4d42 => ("SMB", "syncs and locks depend on the server"),
		0x0102_1997 => ("9p", "syncs and locks depend on the host"),
		0x794c_7630 => (
			"overlay",
			"it is slow and in a container usually lost with it: use a volume",
		),
		0x6573_5546 => ("FUSE", "what a sync means there is up to its program"),
		_ => return Finding::ok("disk-kind", format!("{path}: a local file system")),
	};
	Finding::warning(
		"disk-kind",
		format!("{path}: the file system is {name}: {cost}"),
		"use a local ext4 or XFS on a disk of its own",
	)
}

/// Whether space can be reserved in a directory.
pub fn can_reserve(dir: &Path) -> io::Result<bool> {
	let scratch = Scratch::new(dir)?;
	match rustix::fs::fallocate(&scratch.file, FallocateFlags::empty(), 0, RESERVED) {
		Ok(()) => Ok(scratch.file.metadata()?.blocks() * 512 >= RESERVED),
		Err(rustix::io::Errno::OPNOTSUPP) => Ok(false),
		Err(error) => Err(error.into()),
	}
}

/// Whether volumes get their space when they are made.
pub fn reservation(path: &Path, possible: &io::Result<bool>) -> Finding {
	let path = path.display();
	match possible {
		Ok(true) => Finding::ok("disk-reserve", format!("{path}: space can be reserved")),
		Ok(false) => Finding::warning(
			"disk-reserve",
			format!("{path}: the file system cannot reserve space"),
			"others can take the space away, and syncs cost more: use ext4 or XFS",
		),
		Err(error) => Finding::error(
			"disk-reserve",
			format!("{path}: reserving {} failed: {error}", ByteSize(RESERVED)),
			"free some space, or look for a quota",
		),
	}
}

/// The directory, or what it will be made in.
pub fn existing(path: &Path) -> &Path {
	path.ancestors()
		.find(|path| path.is_dir())
		.unwrap_or(Path::new("/"))
}

/// All checks of one disk.
pub fn check(plan: &DiskPlan) -> Vec<Finding> {
	let dir = existing(&plan.path);
	let mut findings = vec![sync(&plan.path, &measure_sync(dir))];
	match (rustix::fs::statvfs(dir), allocated(&plan.path)) {
		(Ok(stat), Ok(taken)) => {
			let free = stat.f_bavail.saturating_mul(stat.f_frsize);
			findings.push(space(plan, free, taken));
		}
		(Err(error), _) => findings.push(unreadable(&plan.path, &error.into())),
		(_, Err(error)) => findings.push(unreadable(&plan.path, &error)),
	}
	match rustix::fs::statfs(dir) {
		Ok(stat) => findings.push(file_system(&plan.path, stat.f_type)),
		Err(error) => findings.push(unreadable(&plan.path, &error.into())),
	}
	findings.push(reservation(&plan.path, &can_reserve(dir)));
	findings
}

fn unreadable(path: &Path, error: &io::Error) -> Finding {
	Finding::error(
		"disk-space",
		format!("{}: {error}", path.display()),
		"check the mount and its permissions",
	)
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use crate::doctor::report::Level;
	use arion_shard_store::StoreConfig;

	fn plan(path: &Path, capacity: u64) -> DiskPlan {
		DiskPlan {
			path: path.into(),
			config: StoreConfig::new(capacity),
		}
	}

	#[test]
	fn a_directory_is_measured_and_left_as_it_was() {
		let dir = tempfile::tempdir().unwrap();
		let times = measure_sync(dir.path()).unwrap();
		assert!(times.count > 0 && times.p50 <= times.p99);
		can_reserve(dir.path()).unwrap();
		assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
		let checked = check(&plan(&dir.path().join("not/yet"), 1 << 30));
		assert_eq!(checked.len(), 4);
		assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
	}

	#[test]
	fn a_disk_that_refuses_or_is_slow() {
		let gone = Path::new("/nonexistent/disk");
		let refused = sync(gone, &measure_sync(gone));
		assert_eq!(refused.level, Level::Error);
		assert!(refused.mend.unwrap().contains("smartctl"));
		assert_eq!(reservation(gone, &can_reserve(gone)).level, Level::Error);
		let times = |p99| {
			Ok(SyncTimes {
				p50: Duration::from_millis(1),
				p99: Duration::from_millis(p99),
				count: 50,
			})
		};
		assert_eq!(sync(gone, &times(20)).level, Level::Ok);
		let slow = sync(gone, &times(21));
		assert_eq!(slow.level, Level::Warning);
		assert!(slow.text.contains("p99 21.00 ms"), "{}", slow.text);
		assert_eq!(reservation(gone, &Ok(false)).level, Level::Warning);
	}

	#[test]
	fn a_capacity_beyond_the_disk() {
		let disk = plan(Path::new("/d"), 1 << 40);
		assert_eq!(space(&disk, 2 << 40, 0).level, Level::Ok);
		assert_eq!(space(&disk, 1 << 30, 1 << 40).level, Level::Ok);
		let less = space(&disk, 1 << 39, 1 << 30);
		assert_eq!(less.level, Level::Warning);
		assert!(less.mend.unwrap().contains("at most 512GiB"));
	}

	#[test]
	fn volumes_are_counted_by_what_they_take() {
		let dir = tempfile::tempdir().unwrap();
		assert_eq!(allocated(&dir.path().join("none")).unwrap(), 0);
		fs::write(dir.path().join("00000001.vol"), vec![1; 100_000]).unwrap();
		fs::write(dir.path().join("other"), vec![1; 100_000]).unwrap();
		let taken = allocated(dir.path()).unwrap();
		assert!((100_000..200_000).contains(&taken), "{taken}");
	}

	#[test]
	fn file_systems_that_do_not_last() {
		let path = Path::new("/d");
		assert_eq!(file_system(path, 0xef53).level, Level::Ok);
		for magic in [0x0102_1994, 0x6969, 0x794c_7630, 0x6573_5546] {
			assert_eq!(file_system(path, magic).level, Level::Warning, "{magic:x}");
		}
	}
}
