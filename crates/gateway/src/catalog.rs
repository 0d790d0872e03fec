//! What this gateway stored: ids, names and keys. A convenience, not the truth: an object's link
//! alone gives it back on any gateway.

use arion_object::{ObjectId, ObjectKey};
use codec::{Decode, Encode};
use hippius_primitives::StripeId;
use redb::{Database, ReadableDatabase, TableDefinition};
use std::{
	ops::Bound,
	path::{Path, PathBuf},
};

/// Object id -> SCALE of [`Entry`].
const OBJECTS: TableDefinition<&[u8; 32], &[u8]> = TableDefinition::new("objects");

/// The catalog cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
	/// The file cannot be made or opened.
	#[error("catalog {}: {cause}", path.display())]
	File {
		/// The file.
		path: PathBuf,
		/// Why.
		cause: std::io::Error,
	},
	/// The database failed.
	#[error("catalog: {0}; if the disk is sound, move the file away: objects stay readable by their links")]
	Database(#[source] Box<redb::Error>),
	/// An entry does not decode.
	#[error("the catalog's entry of object {0} is damaged; use the object's link")]
	Damaged(ObjectId),
	/// An entry of the queue for the chain does not decode.
	#[error("the catalog's queue of stripes for the chain is damaged")]
	DamagedQueue,
	/// A stripe of the queue makes no batch.
	#[error("the queue of stripes for the chain: {0}")]
	Batch(arion_storage_proof::ProofError),
}

/// What is kept of an object.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
	/// The key it is sealed with.
	pub key: ObjectKey,
	/// Name it was stored under.
	pub name: Option<String>,
	/// Bytes of content.
	pub size: u64,
	/// Stripes of the content.
	pub stripes: u32,
	/// Seconds since 1970.
	pub created: u64,
}

/// An entry on disk; the first byte is its version.
#[derive(Encode, Decode)]
enum Stored {
	#[codec(index = 1)]
	V1 {
		key: [u8; 32],
		name: Option<String>,
		size: u64,
		stripes: u32,
		created: u64,
	},
}

/// The file `catalog.redb`, readable by its owner only since it holds keys. Its calls block.
pub struct Catalog {
	pub(crate) database: Database,
}

impl Catalog {
	/// Opens or makes the file.
	pub fn open(path: &Path) -> Result<Self, CatalogError> {
		use std::os::unix::fs::OpenOptionsExt;
		let file = std::fs::OpenOptions::new()
			.read(true)
			.write(true)
			.create(true)
			.truncate(false)
			.mode(0o600)
			.open(path)
			.map_err(|cause| CatalogError::File {
				path: path.to_owned(),
				cause,
			})?;
		let database = Database::builder().create_file(file).map_err(failed)?;
		let write = database.begin_write().map_err(failed)?;
		write.open_table(OBJECTS).map_err(failed)?;
		Self::ledger_tables(&write)?;
		write.commit().map_err(failed)?;
		Ok(Self { database })
	}

	/// Adds or replaces an entry; it is on disk on return.
	pub fn insert(&self, id: ObjectId, entry: &Entry) -> Result<(), CatalogError> {
		let stored = Stored::V1 {
			key: *entry.key.expose(),
			name: entry.name.clone(),
			size: entry.size,
			stripes: entry.stripes,
			created: entry.created,
		};
		let write = self.database.begin_write().map_err(failed)?;
		{
			let mut table = write.open_table(OBJECTS).map_err(failed)?;
			table
				.insert(id.0.as_bytes(), stored.encode().as_slice())
				.map_err(failed)?;
		}
		write.commit().map_err(failed)
	}

	/// An entry.
	pub fn get(&self, id: ObjectId) -> Result<Option<Entry>, CatalogError> {
		let read = self.database.begin_read().map_err(failed)?;
		let table = read.open_table(OBJECTS).map_err(failed)?;
		let found = table.get(id.0.as_bytes()).map_err(failed)?;
		found.map(|bytes| decode(id, bytes.value())).transpose()
	}

	/// At most `limit` entries in order of id, after the one given.
	pub fn page(
		&self,
		after: Option<ObjectId>,
		limit: usize,
	) -> Result<Vec<(ObjectId, Entry)>, CatalogError> {
		let read = self.database.begin_read().map_err(failed)?;
		let table = read.open_table(OBJECTS).map_err(failed)?;
		let after = after.map(|id| id.0 .0);
		let start = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
		let range = table
			.range::<&[u8; 32]>((start, Bound::Unbounded))
			.map_err(failed)?;
		range
			.take(limit)
			.map(|item| {
				let (id, bytes) = item.map_err(failed)?;
				let id = ObjectId(StripeId(*id.value()));
				Ok((id, decode(id, bytes.value())?))
			})
			.collect()
	}

	/// Number of entries.
	pub fn count(&self) -> Result<u64, CatalogError> {
		use redb::ReadableTableMetadata;
		let read = self.database.begin_read().map_err(failed)?;
		read.open_table(OBJECTS)
			.map_err(failed)?
			.len()
			.map_err(failed)
	}
}

fn decode(id: ObjectId, mut bytes: &[u8]) -> Result<Entry, CatalogError> {
	let Ok(Stored::V1 {
		key,
		name,
		size,
		stripes,
		created,
	}) = Stored::decode(&mut bytes)
	else {
		return Err(CatalogError::Damaged(id));
	};
	Ok(Entry {
		key: ObjectKey::from_bytes(key),
		name,
		size,
		stripes,
		created,
	})
}

pub(crate) fn failed(cause: impl Into<redb::Error>) -> CatalogError {
	CatalogError::Database(Box::new(cause.into()))
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use std::os::unix::fs::PermissionsExt;

	fn entry(size: u64) -> Entry {
		Entry {
			key: ObjectKey::from_bytes([9; 32]),
			name: Some("a".into()),
			size,
			stripes: 1,
			created: 5,
		}
	}

	#[test]
	fn survives_reopening_and_pages_in_order() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("catalog.redb");
		let ids: Vec<ObjectId> = (0u8..5).map(|i| ObjectId(StripeId([i * 7; 32]))).collect();
		{
			let catalog = Catalog::open(&path).unwrap();
			for (size, id) in ids.iter().enumerate().rev() {
				catalog.insert(*id, &entry(size as u64)).unwrap();
			}
		}
		assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
		let catalog = Catalog::open(&path).unwrap();
		assert_eq!(catalog.count().unwrap(), 5);
		assert!(catalog.get(ids[3]).unwrap() == Some(entry(3)));
		assert!(catalog.get(ObjectId(StripeId([1; 32]))).unwrap().is_none());
		let page = catalog.page(None, 2).unwrap();
		assert_eq!(page.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids[..2]);
		let rest = catalog.page(Some(ids[1]), 10).unwrap();
		assert_eq!(rest.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids[2..]);
	}

	#[test]
	fn damage_is_reported_with_the_id() {
		assert!(matches!(
			decode(ObjectId(StripeId([1; 32])), &[77, 1]),
			Err(CatalogError::Damaged(_))
		));
	}
}
