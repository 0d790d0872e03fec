//! Several disks under one daemon: one store each, so that a dead disk costs only its own records.

use crate::{
	config::StoreConfig,
	error::StoreError,
	key::Key,
	shared::Finding,
	store::{PutOutcome, ShardStore},
	usage::Usage,
};
use hippius_primitives::{ShardId, ShardMeta, StripeId};
use std::{ops::Range, path::PathBuf};

/// How one disk of a set fares.
#[derive(Clone, Debug)]
pub struct DiskReport {
	/// Its directory.
	pub path: PathBuf,
	/// Its usage, or why it could not be opened.
	pub usage: Result<Usage, StoreError>,
}

/// Stores on several disks, used as one. Records are looked for everywhere and stored where there is
/// most room.
#[derive(Debug)]
pub struct StoreSet {
	disks: Vec<(PathBuf, Result<ShardStore, StoreError>)>,
}

impl StoreSet {
	/// Opens a store in each directory. Those that cannot be opened are reported and left out; it is
	/// an error only if none can.
	pub fn open(disks: Vec<(PathBuf, StoreConfig)>) -> Result<Self, StoreError> {
		let mut opened = Vec::with_capacity(disks.len());
		for (path, config) in disks {
			let store = ShardStore::open(&path, config);
			if let Err(error) = &store {
				tracing::error!(path = %path.display(), %error, "a disk is left out");
			}
			opened.push((path, store));
		}
		if opened.iter().any(|(_, store)| store.is_ok()) {
			return Ok(Self { disks: opened });
		}
		let failed = opened.into_iter().find_map(|(_, store)| store.err());
		Err(failed.unwrap_or_else(|| StoreError::Config("no disk is given".into())))
	}

	/// The stores that are open.
	pub fn stores(&self) -> impl Iterator<Item = &ShardStore> {
		self.disks
			.iter()
			.filter_map(|(_, store)| store.as_ref().ok())
	}

	/// How each disk fares.
	pub fn disks(&self) -> Vec<DiskReport> {
		self.disks
			.iter()
			.map(|(path, store)| DiskReport {
				path: path.clone(),
				usage: store.as_ref().map(ShardStore::usage).map_err(Clone::clone),
			})
			.collect()
	}

	/// Open stores, those with most room first.
	fn by_room(&self) -> Vec<&ShardStore> {
		let mut stores: Vec<(u64, &ShardStore)> = self
			.stores()
			.map(|store| (store.usage().free, store))
			.collect();
		stores.sort_by_key(|(free, _)| std::cmp::Reverse(*free));
		stores.into_iter().map(|(_, store)| store).collect()
	}

	/// As [`ShardStore::put`]. A disk that is full or refuses to write is passed over.
	pub fn put(&self, meta: &ShardMeta, data: &[u8]) -> Result<PutOutcome, StoreError> {
		let id = meta.shard();
		let stores = self.by_room();
		if let Some(holder) = id.and_then(|id| stores.iter().find(|store| store.has(&id))) {
			// It holds the shard, at this place or at another: it decides.
			if let Ok(outcome) = holder.put(meta, data) {
				return Ok(outcome);
			}
		}
		let mut refused = StoreError::Closed;
		for store in stores {
			match store.put(meta, data) {
				Err(error @ (StoreError::InsufficientStorage { .. } | StoreError::Io { .. })) => {
					refused = error;
				}
				other => return other,
			}
		}
		Err(refused)
	}

	/// The first answer that is something; else the first error; else nothing.
	fn first<T>(
		&self,
		ask: impl Fn(&ShardStore) -> Result<Option<T>, StoreError>,
	) -> Result<Option<T>, StoreError> {
		let mut refused = None;
		for store in self.stores() {
			match ask(store) {
				Ok(Some(found)) => return Ok(Some(found)),
				Ok(None) => {}
				Err(error) => refused = refused.or(Some(error)),
			}
		}
		refused.map_or(Ok(None), Err)
	}

	/// As [`ShardStore::get`].
	pub fn get(&self, id: &ShardId) -> Result<Option<(ShardMeta, Vec<u8>)>, StoreError> {
		self.first(|store| store.get(id))
	}

	/// As [`ShardStore::read_range`].
	pub fn read_range(&self, key: &Key, range: Range<u64>) -> Result<Option<Vec<u8>>, StoreError> {
		self.first(|store| store.read_range(key, range.clone()))
	}

	/// As [`ShardStore::has`].
	pub fn has(&self, id: &ShardId) -> bool {
		self.stores().any(|store| store.has(id))
	}

	/// As [`ShardStore::stripe`].
	pub fn stripe(&self, stripe: &StripeId) -> Result<Vec<ShardMeta>, StoreError> {
		let mut metas = Vec::new();
		for store in self.stores() {
			metas.extend(store.stripe(stripe)?);
		}
		metas.sort_unstable_by_key(|meta| (meta.slot, meta.shard()));
		metas.dedup();
		Ok(metas)
	}

	fn sum(
		&self,
		change: impl Fn(&ShardStore) -> Result<usize, StoreError>,
	) -> Result<usize, StoreError> {
		let mut changed = 0;
		let mut refused = None;
		for store in self.stores() {
			match change(store) {
				Ok(records) => changed += records,
				Err(error) => refused = refused.or(Some(error)),
			}
		}
		refused.map_or(Ok(changed), Err)
	}

	/// As [`ShardStore::delete`], on all disks.
	pub fn delete(&self, key: &Key, stripe: Option<&StripeId>) -> Result<usize, StoreError> {
		self.sum(|store| store.delete(key, stripe))
	}

	/// As [`ShardStore::restore`], on all disks.
	pub fn restore(&self, key: &Key, stripe: Option<&StripeId>) -> Result<usize, StoreError> {
		self.sum(|store| store.restore(key, stripe))
	}

	/// As [`ShardStore::take_findings`], of all disks.
	pub fn take_findings(&self, most: usize) -> Vec<Finding> {
		let mut findings = Vec::new();
		for store in self.stores() {
			findings.extend(store.take_findings(most.saturating_sub(findings.len())));
		}
		findings
	}

	/// The usage of all disks together.
	pub fn usage(&self) -> Usage {
		let mut sum = Usage::default();
		self.stores().for_each(|store| sum.add(&store.usage()));
		sum
	}
}
