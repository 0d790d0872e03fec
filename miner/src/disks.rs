//! The disks of a miner: whose they are, and that they are there, before a store is opened on them.
//!
//! Each store directory holds a file `OWNER` with the miner's random id, so that two miners never
//! write to one store. `store.json` in the base path holds that id and the directories that are in
//! use, so that a disk that is not mounted is noticed, instead of its mount point being filled.

#[cfg(test)]
mod tests;

use crate::{
	config::{overlap, Config, ConfigError, DiskPlan},
	files::{self, BasePath},
	MinerError,
};
use arion_shard_store::{StoreConfig, StoreError, StoreSet};
use serde::{Deserialize, Serialize};
use std::{
	collections::{BTreeMap, BTreeSet},
	fs, io,
	os::unix::fs::MetadataExt,
	path::{Path, PathBuf},
	sync::Arc,
};

/// Name of the file that says whose a store is.
pub const OWNER: &str = "OWNER";
/// Most bytes of an `OWNER` file.
const MAX_OWNER: usize = 256;
/// Most bytes of `store.json`.
const MAX_RECORD: usize = 1 << 20;

/// A directory and how to open it, or why it cannot be used.
pub type Disk = (PathBuf, Result<StoreConfig, StoreError>);

/// `store.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
	/// The miner's id.
	id: String,
	/// Directories that have been in use, as configured.
	disks: BTreeSet<PathBuf>,
}

impl Record {
	fn load(base: &BasePath) -> Result<Option<Self>, MinerError> {
		let path = base.store_record();
		let Some(bytes) = files::read_limited(&path, MAX_RECORD)? else {
			return Ok(None);
		};
		serde_json::from_slice(&bytes)
			.map(Some)
			.map_err(|error| MinerError::io("read", path)(error.into()))
	}

	fn save(&self, base: &BasePath) -> Result<(), MinerError> {
		let path = base.store_record();
		let json = serde_json::to_vec_pretty(self)
			.map_err(|error| MinerError::io("write", &path)(error.into()))?;
		files::replace(&path, &json)
	}
}

/// Whose the store in a directory is.
#[derive(Debug, PartialEq, Eq)]
enum Owner {
	Nobody,
	Us,
	Other(String),
}

fn owner(dir: &Path, id: &str) -> Result<Owner, MinerError> {
	let Some(bytes) = files::read_limited(&dir.join(OWNER), MAX_OWNER)? else {
		return Ok(Owner::Nobody);
	};
	let found = String::from_utf8_lossy(bytes.trim_ascii()).into_owned();
	Ok(if found == id {
		Owner::Us
	} else {
		Owner::Other(found)
	})
}

/// The device of a directory, or of what it will be made in.
fn device(path: &Path) -> Result<u64, MinerError> {
	let mut at = path;
	loop {
		match fs::metadata(at) {
			Ok(meta) => return Ok(meta.dev()),
			Err(error) if error.kind() == io::ErrorKind::NotFound => match at.parent() {
				Some(parent) => at = parent,
				None => return Err(MinerError::io("look at", path)(error)),
			},
			Err(error) => return Err(MinerError::io("look at", path)(error)),
		}
	}
}

/// Whether the directory is missing or has nothing of a store in it.
fn is_unused(path: &Path) -> bool {
	!path.join(OWNER).exists() && !path.join("SUPER").exists()
}

fn failed(path: &Path, error: &MinerError) -> StoreError {
	let kind = match error {
		MinerError::Io { source, .. } => source.kind(),
		_ => io::ErrorKind::Other,
	};
	StoreError::Io {
		op: "use",
		path: path.display().to_string(),
		source: Arc::new(io::Error::new(kind, error.to_string())),
	}
}

fn not_there(path: &Path) -> StoreError {
	StoreError::Io {
		op: "use",
		path: path.display().to_string(),
		source: Arc::new(io::Error::new(
			io::ErrorKind::NotFound,
			"it has held shards of this miner and is empty now; mount the disk, or, if another \
			 disk took its place, tell so with `arion-miner disk accept`",
		)),
	}
}

fn refuse(problem: String) -> MinerError {
	ConfigError::Field {
		field: "store.disk",
		problem,
	}
	.into()
}

/// What is found at the configured places, without changing anything.
fn look(
	base: &BasePath,
	config: &Config,
	record: Option<&Record>,
) -> Result<Vec<Disk>, MinerError> {
	let mut disks: Vec<Disk> = Vec::new();
	for DiskPlan { path, config } in config.store.plans(base) {
		let known = record.is_some_and(|record| record.disks.contains(&path));
		let id = record.map_or("", |record| &record.id);
		let usable = match owner(&path, id) {
			Err(error) => Err(failed(&path, &error)),
			Ok(Owner::Other(other)) => {
				return Err(refuse(format!(
					"{0} holds the store of another miner ({other}); give this one a directory of \
					 its own, or, if {1} was lost and that store is this miner's, remove {0}/{OWNER}",
					path.display(),
					base.store_record().display()
				)))
			}
			Ok(Owner::Nobody) if known && is_unused(&path) => Err(not_there(&path)),
			Ok(_) => Ok(config),
		};
		disks.push((path, usable));
	}
	check_places(&disks, config.store.shared_file_system)?;
	Ok(disks)
}

/// Refuses places that are one, once links are followed, and those on one file system.
fn check_places(disks: &[Disk], shared: bool) -> Result<(), MinerError> {
	let mut places: Vec<(&Path, PathBuf)> = Vec::new();
	let mut devices: BTreeMap<u64, &Path> = BTreeMap::new();
	for (path, usable) in disks {
		if usable.is_err() {
			continue;
		}
		let real = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
		for (other, other_real) in &places {
			if let Some(problem) = overlap(other_real, &real) {
				let (one, two) = (other.display(), path.display());
				return Err(refuse(format!("{one} and {two}: {problem}")));
			}
		}
		let on = device(path)?;
		if let Some(other) = devices.insert(on, path).filter(|_| !shared) {
			return Err(refuse(format!(
				"{} and {} are on one file system, so that they fail together and share their \
				 space; keep one, or mount the missing disk, or set store.shared_file_system = true \
				 for a trial",
				other.display(),
				path.display()
			)));
		}
		places.push((path, real));
	}
	Ok(())
}

/// Checks the disks and changes nothing.
pub fn check(base: &BasePath, config: &Config) -> Result<Vec<Disk>, MinerError> {
	look(base, config, Record::load(base)?.as_ref())
}

/// Checks the disks and takes new ones for this miner. A disk that cannot be used is left for
/// [`StoreSet::open_usable`] to report; what could make two miners write to one store is an error.
pub fn prepare(base: &BasePath, config: &Config) -> Result<Vec<Disk>, MinerError> {
	let loaded = Record::load(base)?;
	let mut disks = look(base, config, loaded.as_ref())?;
	let mut record = match loaded {
		Some(record) => record,
		None => {
			let made = Record {
				id: files::new_token()?,
				disks: BTreeSet::new(),
			};
			// Before any disk carries the id.
			made.save(base)?;
			made
		}
	};
	for (path, usable) in &mut disks {
		let Ok(_) = usable else { continue };
		let taken = files::make_dir(path).and_then(|()| match owner(path, &record.id)? {
			Owner::Nobody => {
				files::replace(&path.join(OWNER), format!("{}\n", record.id).as_bytes())
			}
			_ => Ok(()),
		});
		if let Err(error) = taken {
			*usable = Err(failed(path, &error));
		}
	}
	// Places that are not configured any more are forgotten; those that failed stay known.
	let before = record.disks.clone();
	record.disks = disks
		.iter()
		.filter(|(path, usable)| usable.is_ok() || before.contains(path))
		.map(|(path, _)| path.clone())
		.collect();
	if record.disks != before {
		record.save(base)?;
	}
	Ok(disks)
}

/// Opens the stores of all disks that can be used.
pub fn open(base: &BasePath, config: &Config) -> Result<StoreSet, MinerError> {
	Ok(StoreSet::open_usable(prepare(base, config)?)?)
}

/// Takes an empty disk in place of the one that was at `path`: the next start makes a store there.
pub fn accept(base: &BasePath, config: &Config, path: &Path) -> Result<(), MinerError> {
	let plans = config.store.plans(base);
	if !plans.iter().any(|plan| plan.path == path) {
		let known: Vec<String> = plans.iter().map(|p| p.path.display().to_string()).collect();
		return Err(MinerError::Input(format!(
			"{} is none of the configured disks; they are {}",
			path.display(),
			known.join(", ")
		)));
	}
	let mut record = Record::load(base)?;
	let known = record
		.as_mut()
		.is_some_and(|record| is_unused(path) && record.disks.remove(path));
	match record.filter(|_| known) {
		Some(record) => record.save(base),
		None => Err(MinerError::Input(format!(
			"{} is not missing: it is new or holds this miner's store, and needs no accepting",
			path.display()
		))),
	}
}
