//! The store as its callers see it.

use crate::{
	clock::{Clock, SystemClock},
	config::StoreConfig,
	disk::{Disk, OsDisk},
	engine::Engine,
	error::StoreError,
	frame::{Draft, Kind},
	inventory::{Cursor, Page},
	key::{Key, Namespace, RecordKey},
	maintain::{save_snapshot, Maintenance, Rounds},
	open,
	scrub::{ScrubProgress, ScrubState},
	shared::{Finding, Shared},
	space,
	staged::{Message, Outcome},
	tag::{self, Tag},
	usage::Usage,
	volume,
	writer::{tell, Writer},
};
use arion_storage_proof::Outboard;
use hippius_primitives::{ShardMeta, StripeId};
use std::{
	any::Any,
	collections::BTreeSet,
	io,
	path::Path,
	sync::{
		atomic::{AtomicBool, Ordering::Relaxed},
		mpsc::{channel, Receiver, RecvTimeoutError},
		Arc, Mutex, PoisonError,
	},
	thread::JoinHandle,
};

/// What a put did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
	/// The record was written and synced.
	Stored,
	/// The record was there already, durable, at this place of its stripe.
	AlreadyStored,
}

/// An open store. Calls block; share it in an [`Arc`] and call it from threads that may wait.
/// Dropping it waits for the puts under way and saves the index, unless the disk does not answer: then it
/// is left to its threads, which hold its lock until the disk has answered.
pub struct ShardStore {
	pub(crate) shared: Arc<Shared>,
	engine: Option<Arc<Engine>>,
	writer: Option<Worker>,
	rounds: Option<(Arc<Rounds>, Worker)>,
	skip: Mutex<BTreeSet<u32>>,
	_lock: Lock,
}

/// Kept by all that may write.
type Lock = Arc<dyn Any + Send + Sync>;

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
		Self::open_on(Arc::new(disk), Arc::new(SystemClock), config)
	}

	/// Opens the store on any [`Disk`], with any [`Clock`].
	pub fn open_on(
		disk: Arc<dyn Disk>,
		clock: Arc<dyn Clock>,
		config: StoreConfig,
	) -> Result<Self, StoreError> {
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
		let loaded = open::load_snapshot(&*disk, &key);
		let from_snapshot = loaded.is_some();
		let index = loaded.unwrap_or_default();
		let shared = Arc::new(Shared::new(disk, clock, key, config, index));
		let active = open::replay(&shared, &numbers)?;
		if let Some(active) = &active {
			shared.counters.room.store(active.room(), Relaxed);
		}
		if !from_snapshot && !numbers.is_empty() {
			// So that a store that was read in full is saved soon.
			let bytes = shared.config.snapshot_bytes;
			shared.counters.since_snapshot.store(bytes, Relaxed);
		}
		if let Err(error) = space::renew_ballast(&shared) {
			tracing::warn!(%error, "no ballast");
		}
		let next = numbers.last().map_or(1, |last| last + 1);
		Self::start(shared, active, next, lock.into())
	}

	fn start(
		shared: Arc<Shared>,
		active: Option<crate::writer::Active>,
		next: u32,
		lock: Lock,
	) -> Result<Self, StoreError> {
		// Bounded by the places that `Pending` gives out.
		let (queue, requests) = channel();
		let woken = Arc::new(AtomicBool::new(false));
		// Each group has somebody who waits for it, so it is bounded by the callers.
		let (done, groups) = channel();
		let writer = Writer::new(shared.clone(), active, next, woken.clone(), done);
		let teller = std::thread::Builder::new()
			.name("shard-teller".into())
			.spawn(move || tell(&groups))
			.map_err(|error| StoreError::io("start", "a thread of the store", error))?;
		let writer = Worker::start("shard-writer", &lock, move || {
			writer.run(&requests);
			if teller.join().is_err() {
				tracing::error!("the thread that tells of stored records ended in a panic");
			}
		})?;
		let engine = Arc::new(Engine {
			scrub: Mutex::new(ScrubState::load(&shared)),
			shared: shared.clone(),
			queue,
			woken,
			stopping: false.into(),
		});
		let rounds = if shared.config.background {
			let rounds = Rounds::new();
			let (engine, own) = (engine.clone(), rounds.clone());
			let thread = Worker::start("shard-upkeep", &lock, move || own.run(&engine))?;
			Some((rounds, thread))
		} else {
			None
		};
		Ok(Self {
			shared,
			engine: Some(engine),
			writer: Some(writer),
			rounds,
			skip: Mutex::default(),
			_lock: lock,
		})
	}

	pub(crate) fn engine(&self) -> Result<&Engine, StoreError> {
		self.engine.as_deref().ok_or(StoreError::Closed)
	}

	/// Stores a shard. Returns once it is durable; several callers share one sync.
	///
	/// The meta must be consistent and the bytes must have the hash it names. The same bytes at
	/// another place (of another stripe) are stored again. A shard in the trash comes back.
	pub fn put(&self, meta: &ShardMeta, data: &[u8]) -> Result<PutOutcome, StoreError> {
		self.put_tagged(meta, None, data)
	}

	/// As [`Self::put`]; `tag` says for whom. A shard that is here already keeps the tag it has.
	pub fn put_tagged(
		&self,
		meta: &ShardMeta,
		tag: Option<&Tag>,
		data: &[u8],
	) -> Result<PutOutcome, StoreError> {
		let bad = |message: String| Err(StoreError::BadShard(message));
		if !meta.is_consistent() {
			return bad("its stripe id is not the root of the shards it names".into());
		}
		let arriving = Arriving::new(&self.shared);
		self.check_len(data)?;
		let tree = Outboard::build(data);
		if meta.shard() != Some(tree.shard_id()) {
			let (id, slot) = (tree.shard_id(), meta.slot);
			return bad(format!(
				"its bytes have the hash {id}, not that of slot {slot}"
			));
		}
		let record = RecordKey {
			key: tree.shard_id().into(),
			stripe: meta.stripe,
			slot: meta.slot,
		};
		self.put_record(arriving, record, &tag::encode(meta, tag), data, &tree)
	}

	/// Stores bytes under a key of a namespace other than that of shards. The caller has checked
	/// that they are what the key names; here BLAKE3 keeps them safe.
	pub fn put_keyed(&self, key: &Key, data: &[u8]) -> Result<PutOutcome, StoreError> {
		if key.namespace == Namespace::Shard {
			let message = "shards are stored with their stripe: use put";
			return Err(StoreError::BadShard(message.into()));
		}
		let arriving = Arriving::new(&self.shared);
		self.check_len(data)?;
		let tree = Outboard::build(data);
		let record = RecordKey {
			key: *key,
			stripe: StripeId::default(),
			slot: 0,
		};
		self.put_record(arriving, record, &[], data, &tree)
	}

	fn check_len(&self, data: &[u8]) -> Result<(), StoreError> {
		let most = self.shared.config.max_shard_len;
		if data.is_empty() || data.len() > most {
			let len = data.len();
			let message = format!("it has {len} bytes, 1 to {most} are allowed");
			return Err(StoreError::BadShard(message));
		}
		Ok(())
	}

	fn put_record(
		&self,
		arriving: Arriving<'_>,
		record: RecordKey,
		meta: &[u8],
		data: &[u8],
		tree: &Outboard,
	) -> Result<PutOutcome, StoreError> {
		let engine = self.engine()?;
		let held = self.shared.find_record(&record);
		if held.is_some_and(|(entry, _)| self.shared.is_held(&entry)) {
			return Ok(PutOutcome::AlreadyStored);
		}
		let now = self.shared.now();
		let draft = Draft::data(&self.shared.buffers, record, meta, data, tree, now);
		let draft = Box::new(draft);
		let waiting = Waiting::new(&self.shared);
		let outcome = engine.ask(|reply| {
			drop(arriving);
			Message::Put {
				record,
				draft,
				reply,
			}
		});
		drop(waiting);
		Ok(match outcome? {
			Outcome::Stored => PutOutcome::Stored,
			_ => PutOutcome::AlreadyStored,
		})
	}

	/// Puts the records of a key (only that of `stripe`, if given) into the trash: they are neither
	/// served nor listed any more, and can be restored for as long as the configuration says. Gives
	/// how many there were.
	pub fn delete(&self, key: &Key, stripe: Option<&StripeId>) -> Result<usize, StoreError> {
		self.engine()?.change(Kind::Trash, key, stripe)
	}

	/// Takes records out of the trash; gives how many.
	pub fn restore(&self, key: &Key, stripe: Option<&StripeId>) -> Result<usize, StoreError> {
		self.engine()?.change(Kind::Restore, key, stripe)
	}

	/// Drops records for good, in the trash or not; gives how many.
	pub fn purge(&self, key: &Key, stripe: Option<&StripeId>) -> Result<usize, StoreError> {
		self.engine()?.change(Kind::Drop, key, stripe)
	}

	/// Up to `limit` live records from `from` on, in an order that does not change.
	pub fn inventory(&self, from: Option<Cursor>, limit: usize) -> Result<Page, StoreError> {
		self.engine()?.inventory(from, limit)
	}

	/// Hands out up to `most` records found damaged or unreadable since they were last asked for.
	pub fn take_findings(&self, most: usize) -> Vec<Finding> {
		self.shared.take_findings(most)
	}

	/// One round of maintenance, as the store's own thread does it every second: purge, holes,
	/// at most one compaction, scrub within its rate, snapshot if due.
	pub fn maintain(&self) -> Result<Maintenance, StoreError> {
		let mut skip = self
			.skip
			.lock()
			.unwrap_or_else(std::sync::PoisonError::into_inner);
		Ok(self.engine()?.maintain(&mut skip))
	}

	/// Checks every record now; gives how many.
	pub fn scrub(&self) -> Result<u64, StoreError> {
		self.engine()?.scrub_all()
	}

	/// How far the scrub is.
	pub fn scrub_progress(&self) -> Result<ScrubProgress, StoreError> {
		Ok(self.engine()?.scrub_state().progress())
	}

	/// Saves the index now. The store does so by itself, too.
	pub fn snapshot(&self) -> Result<(), StoreError> {
		save_snapshot(&self.shared)
	}

	/// How full the store is, and what has happened to it. Costs nothing worth mentioning.
	pub fn usage(&self) -> Usage {
		Usage::of(&self.shared)
	}
}

impl Drop for ShardStore {
	fn drop(&mut self) {
		if let Some(engine) = &self.engine {
			engine.stopping.store(true, Relaxed);
		}
		let rounds = self.rounds.take();
		let ended = rounds.is_none_or(|(rounds, thread)| {
			rounds.stop();
			thread.end(&self.shared, "the maintenance")
		});
		let Some(engine) = self.engine.take().filter(|_| ended) else {
			return;
		};
		engine.save_scrub();
		drop(engine);
		let writer = self.writer.take();
		if !writer.is_none_or(|thread| thread.end(&self.shared, "the writer")) {
			return;
		}
		if self.shared.counters.since_snapshot.load(Relaxed) > 0 {
			if let Err(error) = save_snapshot(&self.shared) {
				tracing::warn!(%error, "the index could not be saved: the next start reads more");
			}
		}
	}
}

/// A thread of the store.
struct Worker {
	handle: JoinHandle<()>,
	/// Disconnected when it has ended. In a mutex only because it could not be shared otherwise.
	ended: Mutex<Receiver<()>>,
}

impl Worker {
	fn start(
		name: &str,
		lock: &Lock,
		work: impl FnOnce() + Send + 'static,
	) -> Result<Self, StoreError> {
		let (running, ended) = channel();
		let lock = lock.clone();
		let handle = std::thread::Builder::new()
			.name(name.into())
			.spawn(move || {
				let _kept = (running, lock);
				work();
			})
			.map_err(|error| StoreError::io("start", "a thread of the store", error))?;
		let ended = Mutex::new(ended);
		Ok(Self { handle, ended })
	}

	/// Waits until it has ended, unless the disk does not answer.
	fn end(self, shared: &Shared, what: &str) -> bool {
		let ended = self
			.ended
			.into_inner()
			.unwrap_or_else(PoisonError::into_inner);
		while shared.check_answers().is_ok() {
			if ended.recv_timeout(shared.config.stall) == Err(RecvTimeoutError::Disconnected) {
				if self.handle.join().is_err() {
					tracing::error!("{what} of a store ended in a panic");
				}
				return true;
			}
		}
		tracing::warn!("a store is closed whose disk does not answer: the next start reads more");
		false
	}
}

/// Counts a put that has not reached the writer.
struct Arriving<'a>(&'a Shared);

impl<'a> Arriving<'a> {
	fn new(shared: &'a Shared) -> Self {
		shared.add(|c| &c.arriving, 1);
		Self(shared)
	}
}

impl Drop for Arriving<'_> {
	fn drop(&mut self) {
		self.0.counters.arriving.fetch_sub(1, Relaxed);
	}
}

/// Counts a put that waits for the writer.
struct Waiting<'a>(&'a Shared);

impl<'a> Waiting<'a> {
	fn new(shared: &'a Shared) -> Self {
		shared.add(|c| &c.waiting, 1);
		Self(shared)
	}
}

impl Drop for Waiting<'_> {
	fn drop(&mut self) {
		self.0.counters.waiting.fetch_sub(1, Relaxed);
	}
}
