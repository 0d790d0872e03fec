//! What repair keeps across restarts: the maps seen, the slots found complete, the list of shards.
//! One `redb` file. All of it is a cache: if the file is damaged it is put aside, and everything is
//! found out again from the store and the peers.

use crate::{epochs::Held, MinerError};
use codec::Encode;
use hippius_primitives::{Epoch, NodeKey, Pg};
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};
use std::{
	collections::BTreeMap,
	os::unix::fs::OpenOptionsExt,
	path::{Path, PathBuf},
	sync::Arc,
};

/// Different maps kept. A slot's former holders are looked for in them, so that its shards can be
/// copied from whoever still has them.
pub const KEPT_MAPS: usize = 6;

/// Memory for pages of the file.
const CACHE: usize = 16 << 20;

/// Epoch: SCALE of the update.
const MAPS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("maps");
/// Placement group (big endian) and slot: Unix seconds at which the slot was found complete.
const COMPLETE: TableDefinition<'_, &[u8; 5], u64> = TableDefinition::new("complete");

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the repair state {path}: {cause}; stop the miner, remove the file, start it again: it is made anew")]
pub struct StateError {
	/// The file.
	pub path: PathBuf,
	/// What the database says.
	#[source]
	pub cause: Box<redb::Error>,
}

/// The file.
pub struct State {
	path: PathBuf,
	pub(super) db: Database,
}

impl State {
	/// Opens or makes the file. Blocks.
	pub fn open(path: &Path) -> Result<Self, MinerError> {
		let db = match open(path)? {
			Ok(db) => db,
			Err(DatabaseError::DatabaseAlreadyOpen) => {
				return Err(failed(path)(DatabaseError::DatabaseAlreadyOpen).into());
			}
			Err(error) => {
				let aside = path.with_extension("damaged");
				tracing::error!(path = %path.display(), aside = %aside.display(), %error,
					"the repair state is damaged: put aside and made anew");
				std::fs::rename(path, &aside).map_err(MinerError::io("put aside", path))?;
				open(path)?.map_err(failed(path))?
			}
		};
		let state = Self {
			path: path.into(),
			db,
		};
		state.write(true, |write| {
			write.open_table(MAPS)?;
			write.open_table(COMPLETE)?;
			write.open_table(super::index::SHARDS)?;
			write.open_table(super::index::MARKS)?;
			Ok(())
		})?;
		Ok(state)
	}

	/// One write transaction. Unless `durable`, it may be lost with the process.
	pub(super) fn write<T>(
		&self,
		durable: bool,
		change: impl FnOnce(&redb::WriteTransaction) -> Result<T, redb::Error>,
	) -> Result<T, StateError> {
		let run = || {
			let mut write = self.db.begin_write()?;
			if durable {
				// The next start need not walk the file.
				write.set_quick_repair(true);
			} else {
				write.set_durability(redb::Durability::None)?;
			}
			let done = change(&write)?;
			write.commit()?;
			Ok(done)
		};
		run().map_err(|error: redb::Error| failed(&self.path)(error))
	}

	pub(super) fn read<T>(
		&self,
		look: impl FnOnce(&redb::ReadTransaction) -> Result<T, redb::Error>,
	) -> Result<T, StateError> {
		let run = || look(&self.db.begin_read()?);
		run().map_err(|error: redb::Error| failed(&self.path)(error))
	}

	/// The kept maps, newest first. What does not decode is left out.
	pub fn maps(&self, key: &NodeKey) -> Result<Vec<Arc<Held>>, StateError> {
		self.read(|read| {
			let table = read.open_table(MAPS)?;
			let mut maps = Vec::new();
			for item in table.iter()?.rev() {
				let (epoch, bytes) = item?;
				match Held::read(bytes.value(), key) {
					Ok(held) => maps.push(Arc::new(held)),
					Err(error) => {
						tracing::warn!(epoch = epoch.value(), %error, "a kept map is left out");
					}
				}
			}
			Ok(maps)
		})
	}

	/// Keeps a map, and of the others the newest ones.
	pub fn keep_map(&self, held: &Held) -> Result<(), StateError> {
		self.write(true, |write| {
			let mut table = write.open_table(MAPS)?;
			table.insert(held.update.epoch, held.update.encode().as_slice())?;
			let epochs: Vec<Epoch> = table
				.iter()?
				.rev()
				.skip(KEPT_MAPS)
				.map(|item| Ok(item?.0.value()))
				.collect::<Result<_, redb::StorageError>>()?;
			for epoch in epochs {
				table.remove(epoch)?;
			}
			Ok(())
		})
	}

	/// Forgets a map.
	pub fn forget_map(&self, epoch: Epoch) -> Result<(), StateError> {
		self.write(false, |write| {
			write.open_table(MAPS)?.remove(epoch)?;
			Ok(())
		})
	}

	/// The slots found complete, with the Unix seconds at which they were.
	pub fn complete(&self) -> Result<BTreeMap<(Pg, u8), u64>, StateError> {
		self.read(|read| {
			let table = read.open_table(COMPLETE)?;
			let mut slots = BTreeMap::new();
			for item in table.iter()? {
				let (key, at) = item?;
				let [a, b, c, d, slot] = *key.value();
				slots.insert((Pg::from_be_bytes([a, b, c, d]), slot), at.value());
			}
			Ok(slots)
		})
	}

	/// Notes slots as complete, or no longer (`None`).
	pub fn set_complete(
		&self,
		slots: impl IntoIterator<Item = (Pg, u8)>,
		at: Option<u64>,
	) -> Result<(), StateError> {
		self.write(true, |write| {
			let mut table = write.open_table(COMPLETE)?;
			for (pg, slot) in slots {
				let [a, b, c, d] = pg.to_be_bytes();
				let key = [a, b, c, d, slot];
				match at {
					Some(at) => _ = table.insert(&key, at)?,
					None => _ = table.remove(&key)?,
				}
			}
			Ok(())
		})
	}
}

fn open(path: &Path) -> Result<Result<Database, DatabaseError>, MinerError> {
	let file = std::fs::OpenOptions::new()
		.read(true)
		.write(true)
		.create(true)
		.truncate(false)
		.mode(0o600)
		.open(path)
		.map_err(MinerError::io("open", path))?;
	Ok(Database::builder().set_cache_size(CACHE).create_file(file))
}

fn failed<E: Into<redb::Error>>(path: &Path) -> impl FnOnce(E) -> StateError {
	let path = path.to_owned();
	move |cause| StateError {
		path,
		cause: Box::new(cause.into()),
	}
}
