//! Disks that are there, missing, another's, or one.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
	config::{DiskSection, StoreSection},
	size::ByteSize,
};

struct World {
	_dir: tempfile::TempDir,
	root: PathBuf,
	base: BasePath,
	config: Config,
}

fn world(disks: &[&str]) -> World {
	let dir = tempfile::tempdir().unwrap();
	let root = dir.path().canonicalize().unwrap();
	let base = BasePath(root.join("base"));
	files::make_dir(&base.0).unwrap();
	let mut config: Config = toml::from_str("[store]\ncapacity = \"64MiB\"\n").unwrap();
	if !disks.is_empty() {
		config.store = StoreSection {
			capacity: None,
			shared_file_system: true,
			disks: disks
				.iter()
				.map(|name| DiskSection {
					path: root.join(name),
					capacity: ByteSize(64 << 20),
					volume_size: Some(ByteSize(16 << 20)),
				})
				.collect(),
			..config.store
		};
	}
	config.validate().unwrap();
	World {
		_dir: dir,
		root,
		base,
		config,
	}
}

impl World {
	fn prepare(&self) -> Result<Vec<Disk>, MinerError> {
		prepare(&self.base, &self.config)
	}

	fn refused(&self) -> String {
		let error = self.prepare().unwrap_err();
		assert_eq!(error.code(), "config", "{error}");
		let checked = check(&self.base, &self.config).unwrap_err();
		assert_eq!(checked.to_string(), error.to_string());
		error.to_string()
	}
}

#[test]
fn disks_are_taken_once_and_known_again() {
	let world = world(&["a", "b"]);
	assert!(check(&world.base, &world.config).is_ok());
	assert!(!world.base.store_record().exists());
	let first = world.prepare().unwrap();
	assert!(first.iter().all(|(_, usable)| usable.is_ok()));
	let id = fs::read(world.root.join("a").join(OWNER)).unwrap();
	assert_eq!(id.len(), 65);
	assert_eq!(id, fs::read(world.root.join("b").join(OWNER)).unwrap());
	let again = world.prepare().unwrap();
	assert!(again.iter().all(|(_, usable)| usable.is_ok()));
}

#[test]
fn a_disk_that_is_not_mounted_is_left_out_until_it_is_back_or_replaced() {
	let world = world(&["a", "b"]);
	world.prepare().unwrap();
	let (a, away) = (world.root.join("a"), world.root.join("away"));
	fs::rename(&a, &away).unwrap();
	for empty in [false, true] {
		if empty {
			fs::create_dir(&a).unwrap();
		}
		let disks = world.prepare().unwrap();
		let error = disks[0].1.as_ref().unwrap_err().to_string();
		assert!(error.contains("mount the disk"), "{error}");
		assert!(disks[1].1.is_ok());
		assert!(is_unused(&a));
	}
	let set = open(&world.base, &world.config).unwrap();
	assert_eq!(set.stores().count(), 1);
	drop(set);
	fs::remove_dir(&a).unwrap();
	fs::rename(&away, &a).unwrap();
	assert!(world.prepare().unwrap()[0].1.is_ok());
	let present = accept(&world.base, &world.config, &a).unwrap_err();
	assert!(present.to_string().contains("not missing"), "{present}");

	fs::rename(&a, &away).unwrap();
	let unknown = accept(&world.base, &world.config, &away).unwrap_err();
	assert!(unknown.to_string().contains("none of the configured"));
	accept(&world.base, &world.config, &a).unwrap();
	assert!(world.prepare().unwrap()[0].1.is_ok());
	assert!(a.join(OWNER).exists());
}

#[test]
fn a_store_of_another_miner_is_refused() {
	let world = world(&[]);
	world.prepare().unwrap();
	fs::write(world.base.store().join(OWNER), "somebody\n").unwrap();
	let error = world.refused();
	assert!(
		error.contains("another miner (somebody)") && error.contains("remove"),
		"{error}"
	);
	// A lost record makes the miner's own store look like another's.
	fs::remove_file(world.base.store_record()).unwrap();
	assert!(world.refused().contains("was lost"));
}

#[test]
fn links_and_shared_file_systems_are_seen_through() {
	let mut world = world(&["a", "b"]);
	fs::create_dir(world.root.join("a")).unwrap();
	std::os::unix::fs::symlink(world.root.join("a"), world.root.join("b")).unwrap();
	assert!(world.refused().contains("twice"));
	fs::remove_file(world.root.join("b")).unwrap();
	world.config.store.shared_file_system = false;
	let error = world.refused();
	assert!(
		error.contains("one file system") && error.contains("shared_file_system"),
		"{error}"
	);
}

#[test]
fn a_disk_that_cannot_be_written_is_left_out() {
	let world = world(&["a", "b"]);
	// A file is where the directory should be: as good as a broken disk.
	fs::write(world.root.join("b"), "x").unwrap();
	let disks = world.prepare().unwrap();
	assert!(disks[0].1.is_ok());
	assert!(disks[1].1.is_err());
	assert_eq!(open(&world.base, &world.config).unwrap().disks().len(), 2);
	fs::remove_dir_all(world.root.join("a")).unwrap();
	let none = open(&world.base, &world.config).unwrap_err();
	assert_eq!(none.code(), "store");
}
