//! The store as its callers see it.

use crate::{
	config::StoreConfig,
	disk::{Disk, OsDisk},
	error::StoreError,
	format::{offset, Draft, Kind, Place, StoreKey, BLOCK, FRAME},
	index::{Entry, Index, RecordKey},
	scan::Found,
	volume::{self, Opened, Volume},
	writer::{Active, Message, Request, Writer},
};
use codec::{Decode, DecodeAll};
use hippius_primitives::{id::shard_id, ShardId, ShardMeta, StripeId};
use std::{
	any::Any,
	collections::BTreeMap,
	io,
	path::Path,
	sync::{
		atomic::{AtomicU64, Ordering::Relaxed},
		mpsc::{sync_channel, SyncSender, TrySendError},
		Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
	},
	thread::JoinHandle,
	time::{SystemTime, UNIX_EPOCH},
};

/// What a put did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
	/// The shard was written and synced.
	Stored,
	/// The shard was there already, durable, at this place of its stripe.
	AlreadyStored,
}

/// How full a store is, and what has happened to it since it was opened. Bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
	/// Most the volumes may take on disk.
	pub capacity: u64,
	/// What they take now, preallocated.
	pub allocated: u64,
	/// What the records that count take.
	pub used: u64,
	/// What can still be written.
	pub free: u64,
	/// Shard records that count.
	pub shards: u64,
	/// Volumes.
	pub volumes: u64,
	/// Shards stored since start.
	pub puts: u64,
	/// Syncs those took.
	pub commits: u64,
	/// Puts that wait for the writer now.
	pub waiting: u64,
	/// Shards found damaged by a read and dropped.
	pub corrupt: u64,
	/// Records found torn behind the last sync at start; none of them had been acknowledged.
	pub torn: u64,
	/// Damaged places found at start.
	pub damaged: u64,
	/// Volumes closed for writing by an I/O error.
	pub sealed: u64,
	/// Reads the operating system refused.
	pub read_errors: u64,
}

#[derive(Default)]
pub(crate) struct Counters {
	pub(crate) puts: AtomicU64,
	pub(crate) commits: AtomicU64,
	pub(crate) waiting: AtomicU64,
	corrupt: AtomicU64,
	torn: AtomicU64,
	damaged: AtomicU64,
	pub(crate) sealed: AtomicU64,
	read_errors: AtomicU64,
	/// Bytes of the active volume that can still take records.
	pub(crate) room: AtomicU64,
}

/// What the callers' threads and the writer share.
pub(crate) struct Shared {
	pub(crate) disk: Arc<dyn Disk>,
	pub(crate) key: StoreKey,
	pub(crate) config: StoreConfig,
	pub(crate) counters: Counters,
	index: RwLock<Index>,
	volumes: RwLock<BTreeMap<u32, Volume>>,
	/// Damaged records whose end the writer has yet to record.
	drops: Mutex<Vec<(ShardId, Place)>>,
}

// A panic while one of the locks is held cannot leave them half changed: every change is one call.
impl Shared {
	pub(crate) fn index(&self) -> RwLockReadGuard<'_, Index> {
		self.index.read().unwrap_or_else(PoisonError::into_inner)
	}

	pub(crate) fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
		self.index.write().unwrap_or_else(PoisonError::into_inner)
	}

	pub(crate) fn volumes(&self) -> RwLockReadGuard<'_, BTreeMap<u32, Volume>> {
		self.volumes.read().unwrap_or_else(PoisonError::into_inner)
	}

	pub(crate) fn add_volume(&self, volume: Volume) {
		let mut volumes = self.volumes.write().unwrap_or_else(PoisonError::into_inner);
		volumes.insert(volume.number, volume);
	}

	pub(crate) fn drops(&self) -> MutexGuard<'_, Vec<(ShardId, Place)>> {
		self.drops.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Bytes all volumes take.
	pub(crate) fn allocated(&self) -> u64 {
		self.volumes()
			.values()
			.map(|volume| offset(volume.blocks))
			.sum()
	}

	/// Bytes that can still be written: what the active volume has left, and volumes not yet made.
	pub(crate) fn free(&self) -> u64 {
		self.counters.room.load(Relaxed) + self.config.capacity.saturating_sub(self.allocated())
	}

	fn read(&self, place: Place, skip: u64, buf: &mut [u8]) -> Result<(), StoreError> {
		let volume = self.volumes().get(&place.volume).cloned();
		let result = match volume {
			Some(volume) => volume.file.read_at(buf, place.offset() + skip),
			None => Err(io::Error::from(io::ErrorKind::NotFound)),
		};
		result.map_err(|error| {
			self.counters.read_errors.fetch_add(1, Relaxed);
			StoreError::io(
				"read",
				self.disk.describe(&volume::name(place.volume)),
				error,
			)
		})
	}
}

/// An open store. Calls block; share it in an [`Arc`] and call it from threads that may wait.
/// Dropping it waits for the puts under way.
pub struct ShardStore {
	shared: Arc<Shared>,
	queue: Option<SyncSender<Message>>,
	writer: Option<JoinHandle<()>>,
	_lock: Box<dyn Any + Send + Sync>,
}

impl std::fmt::Debug for ShardStore {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("ShardStore")
			.field("usage", &self.usage())
			.finish_non_exhaustive()
	}
}

impl ShardStore {
	/// Opens the store in `dir`, making it if there is none.
	pub fn open(dir: &Path, config: StoreConfig) -> Result<Self, StoreError> {
		let disk =
			OsDisk::new(dir).map_err(|e| StoreError::io("create", dir.display().to_string(), e))?;
		Self::open_on(Arc::new(disk), config)
	}

	/// Opens the store on any [`Disk`].
	pub fn open_on(disk: Arc<dyn Disk>, config: StoreConfig) -> Result<Self, StoreError> {
		config.validate()?;
		let lock = disk.lock().map_err(|error| {
			let path = disk.describe(OsDisk::LOCK);
			match error.kind() {
				io::ErrorKind::WouldBlock => StoreError::Locked { path },
				_ => StoreError::io("lock", path, error),
			}
		})?;
		let numbers = volume::list(&*disk)?;
		let key = volume::store_key(&*disk, &numbers)?;
		let shared = Shared {
			disk,
			key,
			config,
			counters: Counters::default(),
			index: RwLock::default(),
			volumes: RwLock::default(),
			drops: Mutex::default(),
		};
		let mut active = None;
		for number in &numbers {
			let opened = volume::open(&*shared.disk, &key, *number)?;
			let is_last = Some(number) == numbers.last();
			active = load(&shared, opened, is_last);
		}
		if let Some(active) = &active {
			shared.counters.room.store(active.room(), Relaxed);
		}
		let shared = Arc::new(shared);
		let next = numbers.last().map_or(1, |last| last + 1);
		let (queue, requests) = sync_channel(shared.config.queue_len);
		let writer = Writer::new(shared.clone(), active, next);
		let writer = std::thread::Builder::new()
			.name("shard-writer".into())
			.spawn(move || writer.run(&requests))
			.map_err(|e| StoreError::io("start", "the writer thread", e))?;
		Ok(Self {
			shared,
			queue: Some(queue),
			writer: Some(writer),
			_lock: lock,
		})
	}

	/// Stores a shard. Returns once it is durable; several callers share one sync.
	///
	/// The meta must be consistent and the bytes must have the hash it names. The same bytes at
	/// another place (of another stripe) are stored again.
	pub fn put(&self, meta: &ShardMeta, data: &[u8]) -> Result<PutOutcome, StoreError> {
		let id = self.check(meta, data)?;
		let key = (id, meta.stripe, meta.slot);
		if self.shared.index().contains(&key) {
			return Ok(PutOutcome::AlreadyStored);
		}
		let created = SystemTime::now()
			.duration_since(UNIX_EPOCH)
			.map_or(0, |age| age.as_secs());
		let draft = Draft::shard(meta, id, data, created);
		let (reply, answer) = sync_channel(1);
		let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
		self.shared.counters.waiting.fetch_add(1, Relaxed);
		let sent = queue.send(Message::Put(Box::new(Request { key, draft, reply })));
		let outcome = match sent {
			Ok(()) => answer.recv().unwrap_or(Err(StoreError::Closed)),
			Err(_) => Err(StoreError::Closed),
		};
		self.shared.counters.waiting.fetch_sub(1, Relaxed);
		outcome
	}

	fn check(&self, meta: &ShardMeta, data: &[u8]) -> Result<ShardId, StoreError> {
		let bad = |message: String| Err(StoreError::BadShard(message));
		if data.is_empty() || data.len() > self.shared.config.max_shard_len {
			let most = self.shared.config.max_shard_len;
			return bad(format!(
				"it has {} bytes, 1 to {most} are allowed",
				data.len()
			));
		}
		if !meta.is_consistent() {
			return bad("its stripe id is not the root of the shards it names".into());
		}
		let id = shard_id(data);
		if meta.shard() != Some(id) {
			return bad(format!(
				"its bytes have the hash {id}, not that of slot {}",
				meta.slot
			));
		}
		Ok(id)
	}

	/// The shard and one of its places; `None` if it is not here. What is returned has the hash
	/// `id`. A damaged record is dropped; if no other holds the shard, that is
	/// [`StoreError::Corrupt`] once, then `None`.
	pub fn get(&self, id: &ShardId) -> Result<Option<(ShardMeta, Vec<u8>)>, StoreError> {
		let mut corrupt = false;
		loop {
			let first = self
				.shared
				.index()
				.of(id)
				.next()
				.map(|(key, entry)| (*key, *entry));
			let Some((key, entry)) = first else {
				return if corrupt {
					Err(StoreError::Corrupt(*id))
				} else {
					Ok(None)
				};
			};
			let meta_len = entry.meta_len as usize;
			let mut bytes = vec![0; meta_len + entry.data_len as usize];
			self.shared.read(entry.place, FRAME as u64, &mut bytes)?;
			let (meta, data) = bytes.split_at(meta_len);
			match verify_record(*id, meta, data).filter(|meta| agrees(meta, &key)) {
				Some(meta) => {
					bytes.drain(..meta_len);
					return Ok(Some((meta, bytes)));
				}
				None => {
					corrupt = true;
					self.discard(&key, &entry);
				}
			}
		}
	}

	/// Whether the shard is here and durable. Its bytes are not read.
	pub fn has(&self, id: &ShardId) -> bool {
		self.shared.index().of(id).next().is_some()
	}

	/// The places of all shards of a stripe that are here, by slot. A record whose meta is damaged
	/// is dropped.
	pub fn stripe(&self, stripe: &StripeId) -> Result<Vec<ShardMeta>, StoreError> {
		let entries = self.shared.index().of_stripe(stripe);
		let mut metas = Vec::with_capacity(entries.len());
		for (key, entry) in entries {
			let mut bytes = vec![0; entry.meta_len as usize];
			self.shared.read(entry.place, FRAME as u64, &mut bytes)?;
			let meta = (self.shared.key.meta_check(entry.place, &bytes) == entry.meta_check)
				.then(|| decode_meta(&bytes))
				.flatten();
			match meta.filter(|meta| agrees(meta, &key)) {
				Some(meta) => metas.push(meta),
				None => self.discard(&key, &entry),
			}
		}
		Ok(metas)
	}

	/// Takes a damaged record out of the index, and has that recorded.
	fn discard(&self, key: &RecordKey, entry: &Entry) {
		if !self.shared.index_mut().remove(key, entry.place) {
			return;
		}
		let (id, place) = (key.0, entry.place);
		tracing::warn!(%id, volume = place.volume, block = place.block, "shard is damaged");
		self.shared.counters.corrupt.fetch_add(1, Relaxed);
		self.shared.drops().push((id, place));
		// A full queue means that the writer is about to look anyway.
		if let Some(Err(TrySendError::Disconnected(_))) = self
			.queue
			.as_ref()
			.map(|queue| queue.try_send(Message::Wake))
		{
			tracing::error!("the writer has stopped");
		}
	}

	/// How full the store is.
	pub fn usage(&self) -> Usage {
		let counters = &self.shared.counters;
		let (shards, blocks) = {
			let index = self.shared.index();
			(index.len(), index.blocks())
		};
		Usage {
			capacity: self.shared.config.capacity,
			allocated: self.shared.allocated(),
			used: blocks * BLOCK as u64,
			free: self.shared.free(),
			shards,
			volumes: self.shared.volumes().len() as u64,
			puts: counters.puts.load(Relaxed),
			commits: counters.commits.load(Relaxed),
			waiting: counters.waiting.load(Relaxed),
			corrupt: counters.corrupt.load(Relaxed),
			torn: counters.torn.load(Relaxed),
			damaged: counters.damaged.load(Relaxed),
			sealed: counters.sealed.load(Relaxed),
			read_errors: counters.read_errors.load(Relaxed),
		}
	}
}

impl Drop for ShardStore {
	fn drop(&mut self) {
		drop(self.queue.take());
		if let Some(Err(_)) = self.writer.take().map(JoinHandle::join) {
			tracing::error!("the writer ended in a panic");
		}
	}
}

/// Takes an opened volume's records into the index; gives where to append, if it is the last one.
fn load(shared: &Shared, opened: Opened, is_last: bool) -> Option<Active> {
	let Opened {
		volume,
		records,
		append,
		torn,
		damaged,
	} = opened;
	let mut index = shared.index_mut();
	for found in records {
		let place = found.place;
		match found.frame.kind {
			Kind::Shard => {
				let (key, entry) = indexed(&found);
				index.insert(key, entry);
			}
			Kind::Drop => match drop_target(shared, &volume, &found) {
				Some(target) => _ = index.remove_at(&found.frame.id, target),
				None => tracing::warn!(?place, "a drop record is unreadable"),
			},
			Kind::Void | Kind::End => {}
		}
	}
	drop(index);
	shared.counters.torn.fetch_add(torn, Relaxed);
	shared.counters.damaged.fetch_add(damaged, Relaxed);
	shared.add_volume(volume.clone());
	let pos = append?;
	if is_last {
		return Some(Active {
			volume,
			pos,
			durable: pos,
		});
	}
	// Left behind after an error: nothing will be appended, so later starts may trust it.
	if let Err(error) = volume::write_end(&volume, &shared.key, pos) {
		tracing::warn!(volume = volume.number, %error, "cannot mark the end of a volume");
	}
	None
}

fn drop_target(shared: &Shared, volume: &Volume, found: &Found) -> Option<Place> {
	let mut bytes = vec![0; found.frame.meta_len as usize];
	volume
		.file
		.read_at(&mut bytes, found.place.offset() + FRAME as u64)
		.ok()?;
	(shared.key.meta_check(found.place, &bytes) == found.frame.meta_check)
		.then(|| Place::decode(&mut bytes.as_slice()).ok())
		.flatten()
}

/// A shard record's key and place in the index.
pub(crate) fn indexed(found: &Found) -> (RecordKey, Entry) {
	let frame = &found.frame;
	let entry = Entry {
		place: found.place,
		meta_len: frame.meta_len,
		data_len: frame.data_len,
		blocks: frame.blocks,
		meta_check: frame.meta_check,
	};
	((frame.id, frame.stripe, frame.slot), entry)
}

fn decode_meta(bytes: &[u8]) -> Option<ShardMeta> {
	ShardMeta::decode_all(&mut &*bytes)
		.ok()
		.filter(ShardMeta::is_consistent)
}

fn agrees(meta: &ShardMeta, key: &RecordKey) -> bool {
	meta.stripe == key.1 && meta.slot == key.2
}

/// The meta of a shard record whose every byte is as it was stored.
pub(crate) fn verify_record(id: ShardId, meta: &[u8], data: &[u8]) -> Option<ShardMeta> {
	decode_meta(meta).filter(|meta| meta.shard() == Some(id) && shard_id(data) == id)
}
