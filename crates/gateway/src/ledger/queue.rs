//! What waits to be appended, in the catalog's file.

use crate::catalog::{failed, Catalog, CatalogError};
use arion_storage_proof::{Blake2, StripeEntry, SumTree};
use codec::{Decode, DecodeAll, Encode};
use hippius_primitives::{receipt::MAX_RECEIPT_STRIPES, Epoch, Pg};
use redb::{Durability, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use std::collections::BTreeMap;

/// Group, epoch (both big endian), stripe -> SCALE of [`Waiting`].
const WAITING: TableDefinition<&[u8; 40], &[u8]> = TableDefinition::new("ledger-waiting");
/// Group (big endian), root -> SCALE of [`Stored`].
const BATCHES: TableDefinition<&[u8; 36], &[u8]> = TableDefinition::new("ledger-batches");

/// A stripe that waits.
#[derive(Encode, Decode)]
struct Waiting {
	entry: StripeEntry,
	/// Seconds since 1970.
	since: u64,
}

/// A batch on disk; the first byte is its version.
#[derive(Encode, Decode)]
enum Stored {
	#[codec(index = 1)]
	V1 {
		epoch: Epoch,
		entries: Vec<StripeEntry>,
		submitted: Option<Epoch>,
	},
}

/// Names a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchId {
	/// The placement group.
	pub pg: Pg,
	/// Root of its sum tree.
	pub root: [u8; 32],
}

impl BatchId {
	fn key(&self) -> [u8; 36] {
		let mut key = [0; 36];
		key[..4].copy_from_slice(&self.pg.to_be_bytes());
		key[4..].copy_from_slice(&self.root);
		key
	}

	fn of(key: &[u8; 36]) -> Self {
		let (mut pg, mut root) = ([0; 4], [0; 32]);
		pg.copy_from_slice(&key[..4]);
		root.copy_from_slice(&key[4..]);
		Self {
			pg: Pg::from_be_bytes(pg),
			root,
		}
	}
}

/// A batch that waits for receipts or for the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
	/// The epoch by whose map its stripes were stored.
	pub epoch: Epoch,
	/// Its stripes, in order.
	pub entries: Vec<StripeEntry>,
	/// Set while the chain may have it without our knowing: the epoch of the receipts it was last
	/// submitted with.
	pub submitted: Option<Epoch>,
}

/// When stripes become a batch.
#[derive(Clone, Copy, Debug)]
pub struct SealPolicy {
	/// When a group has so many; a batch never has more.
	pub stripes: u32,
	/// When the oldest has waited so many seconds.
	pub age: u64,
}

fn waiting_key(pg: Pg, epoch: Epoch, entry: &StripeEntry) -> [u8; 40] {
	let mut key = [0; 40];
	key[..4].copy_from_slice(&pg.to_be_bytes());
	key[4..8].copy_from_slice(&epoch.to_be_bytes());
	key[8..].copy_from_slice(entry.stripe.as_bytes());
	key
}

/// Group and epoch of a waiting stripe.
fn group_of(key: &[u8; 40]) -> (Pg, Epoch) {
	let number = |at: usize| {
		let mut bytes = [0; 4];
		bytes.copy_from_slice(&key[at..at + 4]);
		u32::from_be_bytes(bytes)
	};
	(number(0), number(4))
}

fn wait(
	write: &WriteTransaction,
	pg: Pg,
	epoch: Epoch,
	entries: &[StripeEntry],
	now: u64,
) -> Result<(), CatalogError> {
	let mut table = write.open_table(WAITING).map_err(failed)?;
	for entry in entries {
		let value = Waiting {
			entry: *entry,
			since: now,
		};
		table
			.insert(&waiting_key(pg, epoch, entry), value.encode().as_slice())
			.map_err(failed)?;
	}
	Ok(())
}

fn store(
	write: &WriteTransaction,
	pg: Pg,
	epoch: Epoch,
	entries: Vec<StripeEntry>,
) -> Result<BatchId, CatalogError> {
	let tree = SumTree::build::<Blake2>(entries).map_err(CatalogError::Batch)?;
	let id = BatchId {
		pg,
		root: tree.batch().root,
	};
	let stored = Stored::V1 {
		epoch,
		entries: tree.entries().to_vec(),
		submitted: None,
	};
	let mut table = write.open_table(BATCHES).map_err(failed)?;
	table
		.insert(&id.key(), stored.encode().as_slice())
		.map_err(failed)?;
	Ok(id)
}

impl Catalog {
	/// Lets a stripe wait. On disk with the next change that is, which comes before its object is
	/// acknowledged: until then nobody relies on it.
	pub fn ledger_wait(
		&self,
		pg: Pg,
		epoch: Epoch,
		entry: &StripeEntry,
		now: u64,
	) -> Result<(), CatalogError> {
		let mut write = self.database.begin_write().map_err(failed)?;
		write.set_durability(Durability::None).map_err(failed)?;
		wait(&write, pg, epoch, &[*entry], now)?;
		write.commit().map_err(failed)
	}

	/// Stripes that wait.
	pub fn ledger_waiting(&self) -> Result<u64, CatalogError> {
		use redb::ReadableTableMetadata;
		let read = self.database.begin_read().map_err(failed)?;
		read.open_table(WAITING)
			.map_err(failed)?
			.len()
			.map_err(failed)
	}

	/// Makes batches of what has waited enough; gives how many.
	pub fn ledger_seal(&self, policy: SealPolicy, now: u64) -> Result<usize, CatalogError> {
		let due = self.ledger_due(policy, now)?;
		if due.is_empty() {
			return Ok(0);
		}
		let write = self.database.begin_write().map_err(failed)?;
		for (pg, epoch, entries) in &due {
			store(&write, *pg, *epoch, entries.clone())?;
			let mut table = write.open_table(WAITING).map_err(failed)?;
			for entry in entries {
				table
					.remove(&waiting_key(*pg, *epoch, entry))
					.map_err(failed)?;
			}
		}
		write.commit().map_err(failed)?;
		Ok(due.len())
	}

	/// What has waited enough, cut into batches of one owner each.
	fn ledger_due(
		&self,
		policy: SealPolicy,
		now: u64,
	) -> Result<Vec<(Pg, Epoch, Vec<StripeEntry>)>, CatalogError> {
		let most = policy.stripes.clamp(1, MAX_RECEIPT_STRIPES) as usize;
		let read = self.database.begin_read().map_err(failed)?;
		let table = read.open_table(WAITING).map_err(failed)?;
		let mut due = Vec::new();
		// By owner: who cannot pay must not keep the stripes of others from the chain.
		let mut group: BTreeMap<[u8; 32], Vec<Waiting>> = BTreeMap::new();
		let mut of = None;
		let mut close = |of: Option<(Pg, Epoch)>, waiting: Vec<Waiting>| {
			let aged = |waiting: &Waiting| now.saturating_sub(waiting.since) >= policy.age;
			if let Some((pg, epoch)) = of {
				if waiting.len() >= most || waiting.iter().any(aged) {
					let entries = waiting.iter().map(|waiting| waiting.entry).collect();
					due.push((pg, epoch, entries));
				}
			}
		};
		for item in table.iter().map_err(failed)? {
			let (key, value) = item.map_err(failed)?;
			let here = Some(group_of(key.value()));
			if here != of {
				for waiting in std::mem::take(&mut group).into_values() {
					close(of, waiting);
				}
				of = here;
			}
			let waiting = Waiting::decode_all(&mut value.value());
			let waiting = waiting.map_err(|_| CatalogError::DamagedQueue)?;
			let owners = group.entry(waiting.entry.owner).or_default();
			owners.push(waiting);
			if owners.len() >= most {
				close(of, std::mem::take(owners));
			}
		}
		for waiting in group.into_values() {
			close(of, waiting);
		}
		Ok(due)
	}

	/// The batches, at most `limit`.
	pub fn ledger_batches(&self, limit: usize) -> Result<Vec<(BatchId, Sealed)>, CatalogError> {
		let read = self.database.begin_read().map_err(failed)?;
		let table = read.open_table(BATCHES).map_err(failed)?;
		let all = table.iter().map_err(failed)?.take(limit);
		all.map(|item| {
			let (key, value) = item.map_err(failed)?;
			let Ok(Stored::V1 {
				epoch,
				entries,
				submitted,
			}) = Stored::decode_all(&mut value.value())
			else {
				return Err(CatalogError::DamagedQueue);
			};
			let sealed = Sealed {
				epoch,
				entries,
				submitted,
			};
			Ok((BatchId::of(key.value()), sealed))
		})
		.collect()
	}

	/// Notes whether the chain may have the batch.
	pub fn ledger_submitted(
		&self,
		id: &BatchId,
		batch: &Sealed,
		submitted: Option<Epoch>,
	) -> Result<(), CatalogError> {
		let stored = Stored::V1 {
			epoch: batch.epoch,
			entries: batch.entries.clone(),
			submitted,
		};
		let write = self.database.begin_write().map_err(failed)?;
		{
			let mut table = write.open_table(BATCHES).map_err(failed)?;
			table
				.insert(&id.key(), stored.encode().as_slice())
				.map_err(failed)?;
		}
		write.commit().map_err(failed)
	}

	/// Forgets a batch: the chain has it.
	pub fn ledger_done(&self, id: &BatchId) -> Result<(), CatalogError> {
		let write = self.database.begin_write().map_err(failed)?;
		{
			let mut table = write.open_table(BATCHES).map_err(failed)?;
			table.remove(&id.key()).map_err(failed)?;
		}
		write.commit().map_err(failed)
	}

	/// Takes a batch apart that was never submitted: those of `keep` become a batch of their own,
	/// the others wait again, each in the group and epoch given with it.
	pub fn ledger_split(
		&self,
		id: &BatchId,
		epoch: Epoch,
		keep: Vec<StripeEntry>,
		others: &[(Pg, Epoch, StripeEntry)],
		now: u64,
	) -> Result<(), CatalogError> {
		let write = self.database.begin_write().map_err(failed)?;
		{
			let mut table = write.open_table(BATCHES).map_err(failed)?;
			table.remove(&id.key()).map_err(failed)?;
		}
		if !keep.is_empty() {
			store(&write, id.pg, epoch, keep)?;
		}
		for (pg, epoch, entry) in others {
			wait(&write, *pg, *epoch, &[*entry], now)?;
		}
		write.commit().map_err(failed)
	}

	/// Makes the tables, so that reading an empty queue works.
	pub(crate) fn ledger_tables(write: &WriteTransaction) -> Result<(), CatalogError> {
		write.open_table(WAITING).map_err(failed)?;
		write.open_table(BATCHES).map_err(failed)?;
		Ok(())
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use arion_storage_proof::ShardLen;
	use hippius_primitives::StripeId;

	fn entry(seed: u8) -> StripeEntry {
		StripeEntry {
			stripe: StripeId([seed; 32]),
			owner: [1; 32],
			shard_len: ShardLen::new(64).unwrap(),
		}
	}

	const POLICY: SealPolicy = SealPolicy {
		stripes: 3,
		age: 100,
	};

	#[test]
	fn groups_are_sealed_when_full_or_old() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("catalog");
		let catalog = Catalog::open(&path).unwrap();
		assert_eq!(catalog.ledger_seal(POLICY, 0).unwrap(), 0);
		for seed in 0..7 {
			catalog.ledger_wait(1, 5, &entry(seed), 10).unwrap();
		}
		// Said twice, it waits once.
		catalog.ledger_wait(1, 5, &entry(0), 10).unwrap();
		catalog.ledger_wait(1, 6, &entry(7), 50).unwrap();
		catalog.ledger_wait(2, 5, &entry(8), 20).unwrap();
		assert_eq!(catalog.ledger_waiting().unwrap(), 9);
		// Two full ones of group 1; one is left, and the others are young.
		assert_eq!(catalog.ledger_seal(POLICY, 20).unwrap(), 2);
		assert_eq!(catalog.ledger_waiting().unwrap(), 3);
		assert_eq!(catalog.ledger_seal(POLICY, 109).unwrap(), 0);
		assert_eq!(catalog.ledger_seal(POLICY, 110).unwrap(), 1);
		assert_eq!(catalog.ledger_seal(POLICY, 149).unwrap(), 1);
		drop(catalog);
		let catalog = Catalog::open(&path).unwrap();
		assert_eq!(catalog.ledger_waiting().unwrap(), 1);
		assert_eq!(catalog.ledger_seal(POLICY, 150).unwrap(), 1);
		let batches = catalog.ledger_batches(100).unwrap();
		let mut sizes: Vec<_> = batches
			.iter()
			.map(|(id, batch)| (id.pg, batch.epoch, batch.entries.len()))
			.collect();
		sizes.sort_unstable();
		assert_eq!(
			sizes,
			[(1, 5, 1), (1, 5, 3), (1, 5, 3), (1, 6, 1), (2, 5, 1)]
		);
		for (id, batch) in &batches {
			let tree = SumTree::build::<Blake2>(batch.entries.clone()).unwrap();
			assert_eq!(tree.batch().root, id.root);
		}
		assert_eq!(catalog.ledger_batches(2).unwrap().len(), 2);
	}

	#[test]
	fn a_batch_has_one_owner() {
		let folder = tempfile::tempdir().unwrap();
		let catalog = Catalog::open(&folder.path().join("catalog")).unwrap();
		for seed in 0..9u8 {
			let mut entry = entry(seed);
			entry.owner = [seed % 3; 32];
			catalog.ledger_wait(1, 5, &entry, 10).unwrap();
		}
		// Two of each owner fill a batch, one of each is due with time.
		let policy = SealPolicy {
			stripes: 2,
			age: 100,
		};
		assert_eq!(catalog.ledger_seal(policy, 20).unwrap(), 3);
		assert_eq!(catalog.ledger_seal(policy, 110).unwrap(), 3);
		let batches = catalog.ledger_batches(100).unwrap();
		assert_eq!(batches.len(), 6);
		for (_, batch) in batches {
			let owner = batch.entries[0].owner;
			assert!(batch.entries.iter().all(|entry| entry.owner == owner));
		}
	}

	#[test]
	fn batches_are_marked_split_and_forgotten() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("catalog");
		let catalog = Catalog::open(&path).unwrap();
		for seed in 0..3 {
			catalog.ledger_wait(1, 5, &entry(seed), 10).unwrap();
		}
		catalog.ledger_seal(POLICY, 10).unwrap();
		let (id, batch) = catalog.ledger_batches(9).unwrap().remove(0);
		catalog.ledger_submitted(&id, &batch, Some(6)).unwrap();
		drop(catalog);
		let catalog = Catalog::open(&path).unwrap();
		let (id, batch) = catalog.ledger_batches(9).unwrap().remove(0);
		assert_eq!(batch.submitted, Some(6));
		let (keep, go) = batch.entries.split_at(2);
		catalog
			.ledger_split(&id, 5, keep.to_vec(), &[(4, 7, go[0])], 20)
			.unwrap();
		let (id, batch) = catalog.ledger_batches(9).unwrap().remove(0);
		assert_eq!((batch.entries.as_slice(), batch.submitted), (keep, None));
		assert_eq!(catalog.ledger_waiting().unwrap(), 1);
		catalog.ledger_done(&id).unwrap();
		assert!(catalog.ledger_batches(9).unwrap().is_empty());
		// The stripe put back is in its new group.
		assert_eq!(catalog.ledger_seal(POLICY, 120).unwrap(), 1);
		assert_eq!(catalog.ledger_batches(9).unwrap()[0].0.pg, 4);
	}
}
