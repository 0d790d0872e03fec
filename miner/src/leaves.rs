//! What this node must be able to show of the ledgers of its placement groups.
//!
//! The chain keeps the peaks of a ledger only. Whoever is asked for a byte of it must know which stripe
//! the byte is of, and the way from there to the peaks: the entries of its batch, and all batches of
//! the ledger in their order. The entries come with the request for a receipt and are on disk before
//! the receipt is given; the order comes from the chain ([`Leaves::follow`]). Entries of batches
//! that were signed for by others come from peers ([`Leaves::accept`]); they are checked against the
//! order, and the order against the chain's peaks whenever something is proved.

use arion_storage_proof::{Batch, Blake2, ProofError, StripeEntry, SumTree};
use codec::{Decode, DecodeAll, Encode};
use hippius_primitives::{receipt::BatchRef, Pg};
use redb::{
	Database, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata,
	TableDefinition, WriteTransaction,
};
use std::path::{Path, PathBuf};

mod order;
mod place;

pub use order::Followed;
pub use place::{KnownLedger, Place};

/// Group (big endian), root -> SCALE of [`Stored`].
const ENTRIES: TableDefinition<&[u8; 36], &[u8]> = TableDefinition::new("entries");
/// Group, number (both big endian) -> SCALE of [`Batch`].
const ORDER: TableDefinition<&[u8; 12], &[u8]> = TableDefinition::new("order");
/// Seconds since 1970 (big endian), group, root: batches the chain has not confirmed, oldest first.
const OPEN: TableDefinition<&[u8; 44], ()> = TableDefinition::new("open");

/// Most batches kept that the chain has not confirmed: a node signs for no more.
pub const MOST_OPEN: u64 = 10_000;
/// A batch that was not confirmed for so long, in seconds, may be dropped.
pub const OPEN_LIFE: u64 = 14 * 24 * 3600;
/// Old batches dropped at a time.
const SWEEP: usize = 64;

/// Why leaves cannot be kept or shown.
#[derive(Debug, thiserror::Error)]
pub enum LeavesError {
	/// The database failed.
	#[error("leaves {}: {cause}", path.display())]
	Database {
		/// The file.
		path: PathBuf,
		/// Why.
		cause: Box<redb::Error>,
	},
	/// Something in it does not decode.
	#[error("leaves {}: damaged; move the file away, peers have the leaves too", .0.display())]
	Damaged(PathBuf),
	/// The entries are not those of the batch, or the numbers lie outside.
	#[error(transparent)]
	Proof(#[from] ProofError),
	/// Too many batches wait for the chain.
	#[error("{MOST_OPEN} batches were signed for that are not on chain yet")]
	Full,
	/// Another batch has the number, or those before it are not known.
	#[error(
		"batch {number} of group {pg} does not follow: {known} are known, and they do not change"
	)]
	OutOfOrder {
		/// The group.
		pg: Pg,
		/// The number said.
		number: u64,
		/// Batches known.
		known: u64,
	},
	/// The order known here is not that of the chain.
	#[error(
		"the ledger of group {pg} known here, {known} batches, is not the chain's of {leaves}"
	)]
	OtherLedger {
		/// The group.
		pg: Pg,
		/// Batches known.
		known: u64,
		/// Batches of the chain's peaks.
		leaves: u64,
	},
	/// The entries of the batch are not here.
	#[error("the entries of batch {number} of group {pg} are not here: fetch them from a peer")]
	NoEntries {
		/// The group.
		pg: Pg,
		/// The batch's number.
		number: u64,
	},
}

/// Entries on disk; the first byte is the version.
#[derive(Encode, Decode)]
enum Stored {
	#[codec(index = 1)]
	V1 {
		/// Seconds since 1970, when they came.
		since: u64,
		entries: Vec<StripeEntry>,
	},
}

/// The file `leaves.redb`. Its calls block.
pub struct Leaves {
	path: PathBuf,
	database: Database,
}

fn entries_key(pg: Pg, root: &[u8; 32]) -> [u8; 36] {
	let mut key = [0; 36];
	key[..4].copy_from_slice(&pg.to_be_bytes());
	key[4..].copy_from_slice(root);
	key
}

fn order_key(pg: Pg, number: u64) -> [u8; 12] {
	let mut key = [0; 12];
	key[..4].copy_from_slice(&pg.to_be_bytes());
	key[4..].copy_from_slice(&number.to_be_bytes());
	key
}

fn open_key(since: u64, entries: &[u8; 36]) -> [u8; 44] {
	let mut key = [0; 44];
	key[..8].copy_from_slice(&since.to_be_bytes());
	key[8..].copy_from_slice(entries);
	key
}

impl Leaves {
	/// Opens or makes the file.
	///
	/// # Errors
	/// [`LeavesError::Database`].
	pub fn open(path: &Path) -> Result<Self, LeavesError> {
		let failed = |cause: redb::Error| LeavesError::Database {
			path: path.to_owned(),
			cause: Box::new(cause),
		};
		let database = Database::create(path).map_err(|error| failed(error.into()))?;
		let this = Self {
			path: path.to_owned(),
			database,
		};
		let write = this.write()?;
		write.open_table(ENTRIES).map_err(|e| this.failed(e))?;
		write.open_table(ORDER).map_err(|e| this.failed(e))?;
		write.open_table(OPEN).map_err(|e| this.failed(e))?;
		write.commit().map_err(|e| this.failed(e))?;
		Ok(this)
	}

	fn failed(&self, cause: impl Into<redb::Error>) -> LeavesError {
		LeavesError::Database {
			path: self.path.clone(),
			cause: Box::new(cause.into()),
		}
	}

	fn damaged(&self) -> LeavesError {
		LeavesError::Damaged(self.path.clone())
	}

	fn write(&self) -> Result<WriteTransaction, LeavesError> {
		self.database.begin_write().map_err(|e| self.failed(e))
	}

	fn read(&self) -> Result<ReadTransaction, LeavesError> {
		self.database.begin_read().map_err(|e| self.failed(e))
	}

	/// Keeps the entries of a batch that is about to be signed for; on disk on return. `now` is in
	/// seconds since 1970.
	///
	/// # Errors
	/// [`LeavesError::Proof`] if they are not those of the batch, [`LeavesError::Full`].
	pub fn keep(&self, batch: &BatchRef, tree: &SumTree, now: u64) -> Result<(), LeavesError> {
		let made = tree.batch();
		if (made.root, made.bytes, made.stripes) != (batch.root, batch.bytes, batch.stripes) {
			return Err(ProofError::RootMismatch.into());
		}
		let key = entries_key(batch.pg, &batch.root);
		let write = self.write()?;
		{
			let mut entries = write.open_table(ENTRIES).map_err(|e| self.failed(e))?;
			if entries.get(&key).map_err(|e| self.failed(e))?.is_some() {
				return Ok(());
			}
			let mut open = write.open_table(OPEN).map_err(|e| self.failed(e))?;
			let mut old = Vec::new();
			for item in open.iter().map_err(|e| self.failed(e))?.take(SWEEP) {
				let (at, _) = item.map_err(|e| self.failed(e))?;
				let at = *at.value();
				let (since, of) = split(&at);
				if now.saturating_sub(since) < OPEN_LIFE {
					break;
				}
				old.push((at, of));
			}
			let order = write.open_table(ORDER).map_err(|e| self.failed(e))?;
			for (at, of) in old {
				open.remove(&at).map_err(|e| self.failed(e))?;
				// It may have been confirmed before it was kept.
				let (pg, root) = of.split_at(4);
				let known = self.in_order(&order, pg, |batch| batch.root == *root)?;
				if !known {
					entries.remove(&of).map_err(|e| self.failed(e))?;
				}
			}
			if open.len().map_err(|e| self.failed(e))? >= MOST_OPEN {
				return Err(LeavesError::Full);
			}
			let stored = Stored::V1 {
				since: now,
				entries: tree.entries().to_vec(),
			};
			entries
				.insert(&key, stored.encode().as_slice())
				.map_err(|e| self.failed(e))?;
			open.insert(&open_key(now, &key), ())
				.map_err(|e| self.failed(e))?;
		}
		write.commit().map_err(|e| self.failed(e))
	}

	/// The entries of a batch, if they are here.
	///
	/// # Errors
	/// [`LeavesError::Database`], [`LeavesError::Damaged`].
	pub fn entries(
		&self,
		pg: Pg,
		root: &[u8; 32],
	) -> Result<Option<Vec<StripeEntry>>, LeavesError> {
		let table = self
			.read()?
			.open_table(ENTRIES)
			.map_err(|e| self.failed(e))?;
		let found = table
			.get(&entries_key(pg, root))
			.map_err(|e| self.failed(e))?;
		found
			.map(|bytes| Ok(self.decode(bytes.value())?.1))
			.transpose()
	}

	fn decode(&self, mut bytes: &[u8]) -> Result<(u64, Vec<StripeEntry>), LeavesError> {
		match Stored::decode_all(&mut bytes) {
			Ok(Stored::V1 { since, entries }) => Ok((since, entries)),
			Err(_) => Err(self.damaged()),
		}
	}

	/// Notes that the chain has a batch as number `number` of a group's ledger. Numbers follow each
	/// other; said again it changes nothing.
	///
	/// # Errors
	/// [`LeavesError::OutOfOrder`].
	pub fn confirm(&self, pg: Pg, number: u64, batch: &Batch) -> Result<(), LeavesError> {
		let batches = self.batches(pg)?;
		let known = batches.len() as u64;
		let refused = LeavesError::OutOfOrder { pg, number, known };
		if number < known {
			let same = usize::try_from(number).ok().and_then(|at| batches.get(at)) == Some(batch);
			return if same { Ok(()) } else { Err(refused) };
		}
		if number > known {
			return Err(refused);
		}
		let key = entries_key(pg, &batch.root);
		let write = self.write()?;
		{
			let mut order = write.open_table(ORDER).map_err(|e| self.failed(e))?;
			order
				.insert(&order_key(pg, number), batch.encode().as_slice())
				.map_err(|e| self.failed(e))?;
			let entries = write.open_table(ENTRIES).map_err(|e| self.failed(e))?;
			let mut open = write.open_table(OPEN).map_err(|e| self.failed(e))?;
			let found = entries.get(&key).map_err(|e| self.failed(e))?;
			let since = match found {
				Some(found) => Some(self.decode(found.value())?.0),
				None => None,
			};
			if let Some(since) = since {
				open.remove(&open_key(since, &key))
					.map_err(|e| self.failed(e))?;
			}
		}
		write.commit().map_err(|e| self.failed(e))
	}

	/// Whether a batch of a group, given by its number's bytes, is like that.
	fn in_order(
		&self,
		order: &impl ReadableTable<&'static [u8; 12], &'static [u8]>,
		pg: &[u8],
		like: impl Fn(&Batch) -> bool,
	) -> Result<bool, LeavesError> {
		let (mut first, mut last) = ([0; 12], [u8::MAX; 12]);
		first[..4].copy_from_slice(pg);
		last[..4].copy_from_slice(pg);
		let range = order.range::<&[u8; 12]>(&first..=&last);
		for item in range.map_err(|e| self.failed(e))? {
			let (_, bytes) = item.map_err(|e| self.failed(e))?;
			let batch = Batch::decode_all(&mut bytes.value()).map_err(|_| self.damaged())?;
			if like(&batch) {
				return Ok(true);
			}
		}
		Ok(false)
	}

	/// The batches of a group's ledger, as far as the chain confirmed them.
	///
	/// # Errors
	/// [`LeavesError::Database`], [`LeavesError::Damaged`].
	pub fn batches(&self, pg: Pg) -> Result<Vec<Batch>, LeavesError> {
		let table = self.read()?.open_table(ORDER).map_err(|e| self.failed(e))?;
		let range = order_key(pg, 0)..=order_key(pg, u64::MAX);
		let range = table
			.range::<&[u8; 12]>(range.start()..=range.end())
			.map_err(|e| self.failed(e))?;
		range
			.map(|item| {
				let (_, bytes) = item.map_err(|e| self.failed(e))?;
				Batch::decode_all(&mut bytes.value()).map_err(|_| self.damaged())
			})
			.collect()
	}

	/// Confirmed batches whose entries are not here, with their numbers; at most `limit`.
	///
	/// # Errors
	/// [`LeavesError::Database`], [`LeavesError::Damaged`].
	pub fn missing(&self, pg: Pg, limit: usize) -> Result<Vec<(u64, Batch)>, LeavesError> {
		let batches = self.batches(pg)?;
		let table = self
			.read()?
			.open_table(ENTRIES)
			.map_err(|e| self.failed(e))?;
		let mut missing = Vec::new();
		for (number, batch) in (0u64..).zip(batches) {
			if missing.len() >= limit {
				break;
			}
			let key = entries_key(pg, &batch.root);
			if table.get(&key).map_err(|e| self.failed(e))?.is_none() {
				missing.push((number, batch));
			}
		}
		Ok(missing)
	}

	/// Takes the entries of confirmed batch `number` from a peer, which may lie.
	///
	/// # Errors
	/// [`LeavesError::Proof`] if they are not those of the batch, [`LeavesError::OutOfOrder`] if the
	/// batch is not confirmed.
	pub fn accept(
		&self,
		pg: Pg,
		number: u64,
		entries: Vec<StripeEntry>,
		now: u64,
	) -> Result<(), LeavesError> {
		let batches = self.batches(pg)?;
		let known = batches.len() as u64;
		let batch = usize::try_from(number).ok().and_then(|at| batches.get(at));
		let batch = batch.ok_or(LeavesError::OutOfOrder { pg, number, known })?;
		let tree = SumTree::build::<Blake2>(entries)?;
		if tree.batch() != *batch {
			return Err(ProofError::RootMismatch.into());
		}
		let stored = Stored::V1 {
			since: now,
			entries: tree.entries().to_vec(),
		};
		let write = self.write()?;
		{
			let mut table = write.open_table(ENTRIES).map_err(|e| self.failed(e))?;
			table
				.insert(&entries_key(pg, &batch.root), stored.encode().as_slice())
				.map_err(|e| self.failed(e))?;
		}
		write.commit().map_err(|e| self.failed(e))
	}
}

/// Time and [`entries_key`] of an [`open_key`].
fn split(key: &[u8; 44]) -> (u64, [u8; 36]) {
	let (mut since, mut of) = ([0; 8], [0; 36]);
	since.copy_from_slice(&key[..8]);
	of.copy_from_slice(&key[8..]);
	(u64::from_be_bytes(since), of)
}

#[cfg(test)]
mod tests;
