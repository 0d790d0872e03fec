//! The `[store]` section: which disks, how much of each.

use super::ConfigError;
use crate::{files::BasePath, size::ByteSize};
use arion_shard_store::StoreConfig;
use serde::{Deserialize, Serialize};
use std::path::{Component, Path, PathBuf};

/// Most disks of one miner.
pub const MAX_DISKS: usize = 64;

/// The shard store: either `capacity`, for one store in the base path, or `disk` entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSection {
	/// Most disk space shards may take in the base path's `store/`.
	#[serde(default, skip_serializing_if = "Option::is_none")]
	pub capacity: Option<ByteSize>,
	/// Size of one volume file, preallocated; of every disk that says nothing else.
	#[serde(default, skip_serializing_if = "Option::is_none")]
	pub volume_size: Option<ByteSize>,
	/// Store operations that may run at the same time.
	#[serde(default = "default_jobs")]
	pub jobs: usize,
	/// Allows several `disk` entries on one file system.
	#[serde(default)]
	pub shared_file_system: bool,
	/// One entry for each disk.
	#[serde(default, rename = "disk", skip_serializing_if = "Vec::is_empty")]
	pub disks: Vec<DiskSection>,
}

/// One disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskSection {
	/// Directory of its store.
	pub path: PathBuf,
	/// Most space shards may take on it.
	pub capacity: ByteSize,
	/// Size of one volume file, preallocated.
	#[serde(default, skip_serializing_if = "Option::is_none")]
	pub volume_size: Option<ByteSize>,
}

/// A disk as it is to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskPlan {
	/// Directory of its store.
	pub path: PathBuf,
	/// Its sizes.
	pub config: StoreConfig,
}

pub(super) fn default_jobs() -> usize {
	64
}

/// A 64th of the capacity in whole MiB, at least 64 MiB, at most 1 GiB.
pub(super) fn default_volume(capacity: ByteSize) -> ByteSize {
	const MIB: u64 = 1 << 20;
	ByteSize((capacity.0 / 64 / MIB * MIB).clamp(64 * MIB, 1024 * MIB))
}

fn sizes(capacity: ByteSize, volume_size: Option<ByteSize>) -> StoreConfig {
	StoreConfig {
		volume_size: volume_size.unwrap_or_else(|| default_volume(capacity)).0,
		..StoreConfig::new(capacity.0)
	}
}

impl StoreSection {
	/// One store in the base path.
	pub fn single(capacity: ByteSize, volume_size: Option<ByteSize>) -> Self {
		Self {
			capacity: Some(capacity),
			volume_size,
			jobs: default_jobs(),
			shared_file_system: false,
			disks: Vec::new(),
		}
	}

	/// What all disks together may take.
	pub fn total(&self) -> ByteSize {
		let disks = self.disks.iter().map(|disk| disk.capacity.0);
		let sum = disks.fold(0, u64::saturating_add);
		ByteSize(self.capacity.map_or(sum, |capacity| capacity.0))
	}

	/// The disks to open, for the miner in `base`.
	pub fn plans(&self, base: &BasePath) -> Vec<DiskPlan> {
		if let Some(capacity) = self.capacity {
			return vec![DiskPlan {
				path: base.store(),
				config: sizes(capacity, self.volume_size),
			}];
		}
		let plan = |disk: &DiskSection| DiskPlan {
			path: disk.path.clone(),
			config: sizes(disk.capacity, disk.volume_size.or(self.volume_size)),
		};
		self.disks.iter().map(plan).collect()
	}

	/// Checks what can be checked without looking at the disks.
	pub fn validate(&self) -> Result<(), ConfigError> {
		let fail = |field, problem: String| Err(ConfigError::Field { field, problem });
		if !(1..=1024).contains(&self.jobs) {
			return fail("store.jobs", format!("is {}; choose 1 to 1024", self.jobs));
		}
		match (self.capacity, self.disks.len()) {
			(None, 0) => {
				return fail(
					"store.capacity",
					"is missing; set it as in \"500GiB\", or add [[store.disk]] entries".into(),
				)
			}
			(Some(_), 1..) => {
				return fail(
					"store.capacity",
					"is set beside [[store.disk]] entries; give each disk its capacity and remove this one (an entry for the base path's own `store` keeps what it holds)".into(),
				)
			}
			(None, count) if count > MAX_DISKS => {
				return fail(
					"store.disk",
					format!("there are {count}; at most {MAX_DISKS} are allowed"),
				)
			}
			_ => {}
		}
		for (number, disk) in self.disks.iter().enumerate() {
			let path = disk.path.display();
			if !disk.path.is_absolute() || disk.path.components().any(|c| c == Component::ParentDir)
			{
				return fail(
					"store.disk",
					format!("{path} is not an absolute path without `..`; write it in full"),
				);
			}
			for other in &self.disks[..number] {
				if let Some(problem) = overlap(&other.path, &disk.path) {
					return fail("store.disk", problem);
				}
			}
		}
		for plan in self.plans(&BasePath(PathBuf::new())) {
			plan.config.validate().map_err(|error| ConfigError::Field {
				field: if self.disks.is_empty() {
					"store"
				} else {
					"store.disk"
				},
				problem: match self.disks.is_empty() {
					true => error.to_string(),
					false => format!("{}: {error}", plan.path.display()),
				},
			})?;
		}
		Ok(())
	}
}

/// Why two disks' directories cannot be used side by side, if they cannot.
pub(crate) fn overlap(one: &Path, other: &Path) -> Option<String> {
	if one == other {
		return Some(format!("{} is given twice; keep one entry", one.display()));
	}
	let (inner, outer) = match (one.starts_with(other), other.starts_with(one)) {
		(true, _) => (one, other),
		(_, true) => (other, one),
		_ => return None,
	};
	Some(format!(
		"{} lies inside {}; give each disk a directory of its own",
		inner.display(),
		outer.display()
	))
}
