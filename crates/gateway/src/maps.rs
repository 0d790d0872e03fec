//! Maps and the node table on disk: an object written under an old epoch stays readable after the
//! chain has dropped that epoch's map, and while no chain can be reached.

use crate::cluster::ClusterError;
use codec::{DecodeAll, Encode};
use hippius_primitives::{registration::NodeRecord, Epoch};
use std::{
	fs,
	io::{self, Write},
	path::{Path, PathBuf},
};

const GENESIS_FILE: &str = "genesis";
const NODES_FILE: &str = "nodes.scale";
const MAP_SUFFIX: &str = ".map";

/// The folder `maps/` of a base path.
pub struct MapStore {
	folder: PathBuf,
}

impl MapStore {
	/// Opens or makes the folder.
	pub fn open(folder: PathBuf) -> Result<Self, ClusterError> {
		fs::create_dir_all(&folder).map_err(failed("making", &folder))?;
		Ok(Self { folder })
	}

	/// Ties the folder to a chain, or checks that it is tied to this one.
	pub fn bind(&self, genesis: &[u8; 32]) -> Result<(), ClusterError> {
		let theirs = hex::encode(genesis);
		match self.genesis()? {
			None => self.write(GENESIS_FILE, theirs.as_bytes()),
			Some(ours) if ours == theirs => Ok(()),
			Some(ours) => Err(ClusterError::OtherChain { ours, theirs }),
		}
	}

	/// The chain the folder is tied to, as hexadecimal genesis hash.
	pub fn genesis(&self) -> Result<Option<String>, ClusterError> {
		let bytes = self.read(GENESIS_FILE)?;
		Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()))
	}

	/// Keeps the map of an epoch.
	pub fn put(&self, epoch: Epoch, blob: &[u8]) -> Result<(), ClusterError> {
		self.write(&format!("{epoch}{MAP_SUFFIX}"), blob)
	}

	/// The map of an epoch.
	pub fn get(&self, epoch: Epoch) -> Result<Option<Vec<u8>>, ClusterError> {
		self.read(&format!("{epoch}{MAP_SUFFIX}"))
	}

	/// Epochs whose maps are here, newest first.
	pub fn epochs(&self) -> Result<Vec<Epoch>, ClusterError> {
		let mut epochs: Vec<Epoch> = Vec::new();
		for entry in fs::read_dir(&self.folder).map_err(failed("listing", &self.folder))? {
			let entry = entry.map_err(failed("listing", &self.folder))?;
			let name = entry.file_name();
			let epoch: Option<Epoch> = name
				.to_str()
				.and_then(|name| name.strip_suffix(MAP_SUFFIX)?.parse().ok());
			epochs.extend(epoch);
		}
		epochs.sort_unstable_by(|a, b| b.cmp(a));
		Ok(epochs)
	}

	/// Keeps the node table.
	pub fn put_nodes(&self, nodes: &Vec<NodeRecord>) -> Result<(), ClusterError> {
		self.write(NODES_FILE, &nodes.encode())
	}

	/// The node table as last kept; empty if there is none. One that does not decode (of another
	/// version) counts as none, since the chain has it anyway.
	pub fn nodes(&self) -> Result<Vec<NodeRecord>, ClusterError> {
		let bytes = self.read(NODES_FILE)?.unwrap_or_default();
		Ok(Vec::decode_all(&mut bytes.as_slice()).unwrap_or_default())
	}

	fn read(&self, name: &str) -> Result<Option<Vec<u8>>, ClusterError> {
		let path = self.folder.join(name);
		match fs::read(&path) {
			Ok(bytes) => Ok(Some(bytes)),
			Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
			Err(cause) => Err(failed("reading", &path)(cause)),
		}
	}

	fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ClusterError> {
		let path = self.folder.join(name);
		replace_file(&path, bytes).map_err(failed("writing", &path))
	}
}

/// Writes a file so that at any moment either the old or the new content is there.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
	let mut part = path.as_os_str().to_owned();
	part.push(".part");
	let mut file = fs::File::create(&part)?;
	file.write_all(bytes)?;
	file.sync_all()?;
	fs::rename(&part, path)?;
	match path.parent() {
		Some(folder) => fs::File::open(folder)?.sync_all(),
		None => Ok(()),
	}
}

fn failed(action: &'static str, path: &Path) -> impl Fn(io::Error) -> ClusterError {
	let path = path.display().to_string();
	move |cause| ClusterError::Disk {
		action,
		path: path.clone(),
		cause,
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[test]
	fn keeps_maps_and_its_chain() {
		let folder = tempfile::tempdir().unwrap();
		let open = || MapStore::open(folder.path().join("maps")).unwrap();
		open().bind(&[1; 32]).unwrap();
		open().bind(&[1; 32]).unwrap();
		assert!(matches!(
			open().bind(&[2; 32]),
			Err(ClusterError::OtherChain { .. })
		));
		for epoch in [1, 10, 9] {
			open()
				.put(epoch, &[7, u8::try_from(epoch).unwrap()])
				.unwrap();
		}
		assert_eq!(open().epochs().unwrap(), [10, 9, 1]);
		assert_eq!(open().get(9).unwrap().unwrap(), [7, 9]);
		assert_eq!(open().get(2).unwrap(), None);
		assert!(open().nodes().unwrap().is_empty());
		fs::write(folder.path().join("maps").join(NODES_FILE), [255; 3]).unwrap();
		assert!(open().nodes().unwrap().is_empty());
	}
}
