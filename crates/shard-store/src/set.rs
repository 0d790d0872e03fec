//! Several disks under one daemon: one store each, so that a dead disk costs only its own records.

use crate::{
	config::StoreConfig,
	error::StoreError,
	inventory::{Cursor, Page},
	key::Key,
	scrub::ScrubProgress,
	serve::{Holding, Slice},
	shared::Finding,
	store::{PutOutcome, ShardStore},
	tag::Tag,
	usage::Usage,
};
use arion_storage_proof::Outboard;
use hippius_primitives::{ShardId, ShardMeta, StripeId};
use std::{
	ops::Range,
	path::PathBuf,
	sync::{Mutex, PoisonError},
};

/// How one disk of a set fares.
#[derive(Clone, Debug)]
pub struct DiskReport {
	/// Its directory.
	pub path: PathBuf,
	/// Its usage, or why it is left out.
	pub usage: Result<Usage, StoreError>,
	/// Why the last write failed; `None` after one that went well. Being full is no failure.
	pub fault: Option<StoreError>,
	/// How far its scrub is; `None` if it is left out.
	pub scrub: Option<ScrubProgress>,
}

impl DiskReport {
	/// Its state as a whole.
	pub fn state(&self) -> DiskState {
		match &self.usage {
			Err(_) => DiskState::Failed,
			Ok(usage) if usage.stalled => DiskState::Stalled,
			Ok(_) if self.fault.is_some() => DiskState::Failing,
			Ok(usage) if usage.sealed > 0 || usage.read_errors > 0 => DiskState::Failing,
			Ok(_) => DiskState::Ok,
		}
	}
}

/// The state of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskState {
	/// Nothing is wrong with it.
	Ok,
	/// It is in use, and has refused a read or a write since start.
	Failing,
	/// It does not answer now, and is passed over until it does.
	Stalled,
	/// It could not be opened and is left out.
	Failed,
}

impl DiskState {
	/// All states, best first.
	pub const ALL: [Self; 4] = [Self::Ok, Self::Failing, Self::Stalled, Self::Failed];

	/// In one word.
	pub fn name(self) -> &'static str {
		match self {
			Self::Ok => "ok",
			Self::Failing => "failing",
			Self::Stalled => "stalled",
			Self::Failed => "failed",
		}
	}
}

#[derive(Debug)]
struct Member {
	path: PathBuf,
	store: Result<ShardStore, StoreError>,
	/// Why the last write failed.
	fault: Mutex<Option<StoreError>>,
}

impl Member {
	fn fault(&self) -> std::sync::MutexGuard<'_, Option<StoreError>> {
		self.fault.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Remembers how a write went; says so when that changes.
	fn note(&self, error: Option<&StoreError>) {
		let mut fault = self.fault();
		match (error, fault.is_some()) {
			(Some(error), false) => {
				tracing::error!(path = %self.path.display(), %error, "a disk fails to write: the others are used first");
				*fault = Some(error.clone());
			}
			(Some(error), true) => *fault = Some(error.clone()),
			(None, true) => {
				tracing::warn!(path = %self.path.display(), "a disk takes writes again");
				*fault = None;
			}
			(None, false) => {}
		}
	}
}

/// Stores on several disks, used as one. Records are looked for everywhere and stored where there is
/// most room. A disk whose last write failed is tried after all others, one that does not answer last.
#[derive(Debug)]
pub struct StoreSet {
	disks: Vec<Member>,
}

impl From<ShardStore> for StoreSet {
	/// The set of one store that has no name.
	fn from(store: ShardStore) -> Self {
		Self {
			disks: vec![Member {
				path: PathBuf::new(),
				store: Ok(store),
				fault: Mutex::default(),
			}],
		}
	}
}

impl StoreSet {
	/// Opens a store in each directory. Those that cannot be opened are reported and left out; it is
	/// an error only if none can.
	pub fn open(disks: Vec<(PathBuf, StoreConfig)>) -> Result<Self, StoreError> {
		let disks = disks.into_iter().map(|(path, config)| (path, Ok(config)));
		Self::open_usable(disks.collect())
	}

	/// As [`Self::open`]; of a disk that is known not to be usable the reason is given instead of
	/// its configuration. Disks are opened side by side.
	pub fn open_usable(
		disks: Vec<(PathBuf, Result<StoreConfig, StoreError>)>,
	) -> Result<Self, StoreError> {
		let opened = std::thread::scope(|scope| {
			let threads: Vec<_> = disks
				.into_iter()
				.map(|(path, config)| {
					let dir = path.clone();
					let open = move || config.and_then(|config| ShardStore::open(&dir, config));
					(path, scope.spawn(open))
				})
				.collect();
			threads
				.into_iter()
				.map(|(path, thread)| (path, thread.join().unwrap_or(Err(StoreError::Closed))))
				.collect()
		});
		Self::of(opened)
	}

	/// A set of stores opened elsewhere, with their directories; an error only if none is open.
	pub fn of(opened: Vec<(PathBuf, Result<ShardStore, StoreError>)>) -> Result<Self, StoreError> {
		for (path, store) in &opened {
			if let Err(error) = store {
				tracing::error!(path = %path.display(), %error, "a disk is left out");
			}
		}
		if !opened.iter().any(|(_, store)| store.is_ok()) {
			let failed = opened.into_iter().find_map(|(_, store)| store.err());
			let none = || StoreError::Config("no disk is given".into());
			return Err(failed.unwrap_or_else(none));
		}
		let disks = opened.into_iter().map(|(path, store)| Member {
			path,
			store,
			fault: Mutex::default(),
		});
		Ok(Self {
			disks: disks.collect(),
		})
	}

	/// The stores that are open.
	pub fn stores(&self) -> impl Iterator<Item = &ShardStore> {
		self.disks
			.iter()
			.filter_map(|member| member.store.as_ref().ok())
	}

	/// How each disk fares.
	pub fn disks(&self) -> Vec<DiskReport> {
		self.disks
			.iter()
			.map(|member| {
				let store = member.store.as_ref();
				DiskReport {
					path: member.path.clone(),
					usage: store.map(ShardStore::usage).map_err(Clone::clone),
					fault: member.fault().clone(),
					scrub: store.ok().and_then(|store| store.scrub_progress().ok()),
				}
			})
			.collect()
	}

	/// Open stores: first those that take writes, among them those with most room first.
	fn by_room(&self) -> Vec<(&Member, &ShardStore)> {
		let mut stores: Vec<_> = self
			.disks
			.iter()
			.filter_map(|member| {
				let store = member.store.as_ref().ok()?;
				let usage = store.usage();
				let order = (
					usage.stalled,
					member.fault().is_some(),
					std::cmp::Reverse(usage.free),
				);
				Some((order, (member, store)))
			})
			.collect();
		stores.sort_by_key(|(order, _)| *order);
		stores.into_iter().map(|(_, store)| store).collect()
	}

	/// As [`ShardStore::put`]. A disk that is full or refuses to write is passed over; if all do,
	/// the error is that of a full disk if there is one, because that is not a failure.
	pub fn put(&self, meta: &ShardMeta, data: &[u8]) -> Result<PutOutcome, StoreError> {
		self.put_tagged(meta, None, data)
	}

	/// As [`ShardStore::put_tagged`].
	pub fn put_tagged(
		&self,
		meta: &ShardMeta,
		tag: Option<&Tag>,
		data: &[u8],
	) -> Result<PutOutcome, StoreError> {
		let id = meta.shard();
		let stores = self.by_room();
		if let Some((_, holder)) = id.and_then(|id| stores.iter().find(|(_, s)| s.has(&id))) {
			// It holds the shard, at this place or at another: it decides.
			if let Ok(outcome) = holder.put_tagged(meta, tag, data) {
				return Ok(outcome);
			}
		}
		let mut refused: Option<StoreError> = None;
		for (member, store) in stores {
			let error = match store.put_tagged(meta, tag, data) {
				Ok(outcome) => {
					if outcome == PutOutcome::Stored {
						member.note(None);
					}
					return Ok(outcome);
				}
				Err(error @ StoreError::BadShard(_)) => return Err(error),
				Err(error) => error,
			};
			if !error.is_full() {
				member.note(Some(&error));
			}
			if !refused.as_ref().is_some_and(StoreError::is_full) {
				refused = Some(error);
			}
		}
		Err(refused.unwrap_or(StoreError::Closed))
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

	/// As [`ShardStore::outboard`].
	pub fn outboard(&self, key: &Key) -> Result<Option<Outboard>, StoreError> {
		self.first(|store| store.outboard(key))
	}

	/// As [`ShardStore::read_slice`].
	pub fn read_slice(
		&self,
		key: &Key,
		groups: Option<Range<u64>>,
	) -> Result<Option<Slice>, StoreError> {
		self.first(|store| store.read_slice(key, groups.clone()))
	}

	/// As [`ShardStore::has`].
	pub fn has(&self, id: &ShardId) -> bool {
		self.stores().any(|store| store.has(id))
	}

	/// As [`ShardStore::stripe`]. A disk that cannot be read does not hide what others hold: its
	/// error counts only if nothing is found.
	pub fn stripe(&self, stripe: &StripeId) -> Result<Vec<ShardMeta>, StoreError> {
		let mut metas = Vec::new();
		let mut refused = None;
		for store in self.stores() {
			match store.stripe(stripe) {
				Ok(found) => metas.extend(found),
				Err(error) => refused = refused.or(Some(error)),
			}
		}
		if let Some(error) = refused.filter(|_| metas.is_empty()) {
			return Err(error);
		}
		metas.sort_unstable_by_key(|meta| (meta.slot, meta.shard()));
		metas.dedup();
		Ok(metas)
	}

	/// As [`ShardStore::holdings`], of all disks; as with [`Self::stripe`], an error counts only if
	/// nothing is found.
	pub fn holdings(&self, stripe: &StripeId, trash: bool) -> Result<Vec<Holding>, StoreError> {
		let mut holdings = Vec::new();
		let mut refused = None;
		for store in self.stores() {
			match store.holdings(stripe, trash) {
				Ok(found) => holdings.extend(found),
				Err(error) => refused = refused.or(Some(error)),
			}
		}
		match refused {
			Some(error) if holdings.is_empty() => Err(error),
			_ => Ok(holdings),
		}
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

	/// As [`ShardStore::purge`], on all disks.
	pub fn purge(&self, key: &Key, stripe: Option<&StripeId>) -> Result<usize, StoreError> {
		self.sum(|store| store.purge(key, stripe))
	}

	/// As [`ShardStore::inventory`], one disk after the other: a record that two disks hold is
	/// listed twice.
	pub fn inventory(&self, from: Option<Cursor>, limit: usize) -> Result<Page, StoreError> {
		let limit = limit.max(1);
		let mut at = from.unwrap_or(Cursor::START);
		let mut page = Page::default();
		while let Some(member) = self.disks.get(at.disk as usize) {
			if let Ok(store) = &member.store {
				let found = store.inventory(Some(at), limit - page.items.len())?;
				page.items.extend(found.items);
				page.unreadable += found.unreadable;
				if let Some(next) = found.next {
					page.next = Some(Cursor {
						disk: at.disk,
						..next
					});
					return Ok(page);
				}
			}
			at = Cursor {
				disk: at.disk.saturating_add(1),
				..Cursor::START
			};
			if page.items.len() >= limit {
				page.next = Some(at).filter(|at| (at.disk as usize) < self.disks.len());
				return Ok(page);
			}
		}
		Ok(page)
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
