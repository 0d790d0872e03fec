//! The one thread that appends: it gathers what is waiting, writes it, syncs once, and answers all.

use crate::{
	disk::DiskFile,
	entry::Entry,
	error::{Limit, StoreError},
	frame::{Draft, Kind, BLOCK, LIST},
	key::{Place, RecordKey},
	shared::Shared,
	staged::{Claim, Effect, Message, Outcome, Reply, Staged},
};
use std::{
	collections::{BTreeMap, HashMap},
	sync::{
		atomic::{AtomicBool, Ordering::Relaxed},
		mpsc::{Receiver, SendError, Sender, TryRecvError},
		Arc,
	},
	time::Instant,
};

/// The volume that is being appended to.
pub(crate) struct Active {
	pub(crate) number: u32,
	pub(crate) file: Arc<dyn DiskFile>,
	pub(crate) blocks: u32,
	/// Next free block.
	pub(crate) pos: u32,
	/// Everything before this block is on disk.
	pub(crate) durable: u32,
}

impl Active {
	/// Bytes left for records; one block is kept for the end mark.
	pub(crate) fn room(&self) -> u64 {
		u64::from(self.blocks.saturating_sub(self.pos).saturating_sub(1)) * BLOCK as u64
	}
}

/// A group that is durable and in the index.
pub(crate) struct Done {
	staged: Vec<Staged>,
	outcomes: Vec<Outcome>,
}

impl Done {
	/// Tells all that wait for it.
	fn tell(self) {
		for (staged, outcome) in self.staged.iter().zip(self.outcomes) {
			for (nth, reply) in staged.replies.iter().enumerate() {
				answer(reply, Ok(if nth == 0 { outcome } else { Outcome::Held }));
			}
		}
	}
}

/// Tells those who wait, on a thread of its own: whoever is woken wants the processor, which the writer
/// needs to keep the disk busy.
pub(crate) fn tell(groups: &Receiver<Done>) {
	while let Ok(group) = groups.recv() {
		group.tell();
	}
}

pub(crate) struct Writer {
	pub(crate) shared: Arc<Shared>,
	/// To the thread that tells; ends with the writer.
	done: Sender<Done>,
	pub(crate) active: Option<Active>,
	/// Number of the next volume.
	pub(crate) next: u32,
	/// Where the volume before that ended, if that is known.
	pub(crate) before: Option<u32>,
	/// Whether the store was opened with a volume that could not be mended.
	pub(crate) unmended: bool,
	pub(crate) staged: Vec<Staged>,
	pub(crate) bytes: u64,
	/// Which of the staged has a key.
	pub(crate) by_key: HashMap<RecordKey, usize>,
	/// Set by whoever sent the wake-up that has not been seen.
	woken: Arc<AtomicBool>,
}

impl Writer {
	pub(crate) fn new(
		shared: Arc<Shared>,
		active: Option<Active>,
		next: u32,
		woken: Arc<AtomicBool>,
		done: Sender<Done>,
	) -> Self {
		Self {
			done,
			before: None,
			unmended: shared.counters.doubtful.load(Relaxed),
			shared,
			active,
			next,
			staged: Vec::new(),
			bytes: 0,
			by_key: HashMap::new(),
			woken,
		}
	}

	/// Works until all senders are gone. While one group is being synced the next one gathers in
	/// the queue; a group is held open for a moment only for puts that are known to be coming.
	pub(crate) fn run(mut self, requests: &Receiver<Message>) {
		let shared = self.shared.clone();
		while let Ok(first) = requests.recv() {
			// A group takes as long as the disk takes.
			let _call = shared.pending.begin();
			let mut next = Some(first);
			let mut opened = None;
			while let Some(message) = next {
				self.stage(message);
				if self.bytes >= self.shared.config.batch_bytes as u64 {
					break;
				}
				next = match requests.try_recv() {
					Ok(message) => Some(message),
					Err(TryRecvError::Disconnected) => None,
					Err(TryRecvError::Empty) => self.linger(requests, &mut opened),
				};
			}
			self.stage_drops();
			self.commit();
		}
		self.stage_drops();
		self.commit();
	}

	/// The next message, if a put is on its way and the group has not been open for too long.
	fn linger(
		&self,
		requests: &Receiver<Message>,
		opened: &mut Option<Instant>,
	) -> Option<Message> {
		if self.shared.counters.arriving.load(Relaxed) == 0 || self.staged.is_empty() {
			return None;
		}
		let since = opened.get_or_insert_with(Instant::now).elapsed();
		let left = self.shared.config.batch_wait.checked_sub(since)?;
		requests.recv_timeout(left).ok()
	}

	fn stage(&mut self, message: Message) {
		match message {
			Message::Wake => self.woken.store(false, Relaxed),
			_ => self.shared.pending.dequeue(),
		}
		match message {
			Message::Put {
				record,
				draft,
				reply,
			} => self.stage_put(record, *draft, reply),
			Message::Copy {
				from,
				old,
				draft,
				reply,
			} => self.stage_copy(from, old, *draft, reply),
			Message::List {
				kind,
				entries,
				claim,
				reply,
			} => self.stage_list(kind, entries, claim, reply),
			Message::Carry { entries, reply } => self.stage_carry(&entries, reply),
			Message::Wake => {}
		}
	}

	fn stage_put(&mut self, record: RecordKey, draft: Draft, reply: Reply) {
		let staged = self.by_key.get(&record).copied();
		if let Some(staged) = staged.and_then(|at| self.staged.get_mut(at)) {
			staged.replies.push(reply);
			return;
		}
		let mut replaces = Vec::new();
		match self.shared.find_record(&record) {
			Some((entry, _)) if self.shared.is_held(&entry) => {
				answer(&reply, Ok(Outcome::Held));
				return;
			}
			// In the trash, or unreadable: what is stored now is known to be good.
			Some((entry, frame)) => replaces = frame.entries(&self.shared.key, entry.place()),
			None => {}
		}
		let old = replaces.clone();
		let allowed = self.check_quota(record, draft.len());
		let placed =
			allowed.and_then(|()| self.append(draft, Claim::Data, Effect::Put { replaces }));
		match placed {
			Ok(at) => {
				self.by_key.insert(record, at);
				self.reply_later(at, reply);
				self.stage_replaced(old);
			}
			Err(error) => answer(&reply, Err(error)),
		}
	}

	/// Has it recorded that what was replaced does not count, so that it can become a hole.
	fn stage_replaced(&mut self, entries: Vec<Entry>) {
		if entries.is_empty() {
			return;
		}
		let kind = Kind::Drop;
		let draft = Draft::list(kind, &entries, self.shared.now());
		if let Err(error) = self.append(draft, Claim::Upkeep, Effect::List { kind, entries }) {
			// It waits for a compaction.
			tracing::debug!(%error, "cannot record that a record was replaced");
		}
	}

	/// Refuses data that would exceed its namespace's quota.
	fn check_quota(&self, record: RecordKey, needed: u64) -> Result<(), StoreError> {
		let namespace = record.key.namespace;
		let quota = self.shared.config.quotas[namespace.slot()];
		let live = self.shared.index().live[namespace.slot()].blocks * BLOCK as u64;
		let staged: u64 = self
			.staged
			.iter()
			.map(|staged| staged.adds(namespace))
			.sum();
		if (live + staged).saturating_add(needed) > quota {
			return Err(self.full(needed, Limit::Quota));
		}
		Ok(())
	}

	fn stage_copy(&mut self, from: Entry, old: Vec<Entry>, mut draft: Draft, reply: Reply) {
		let index = self.shared.index();
		let Some(now) = index.get(&from) else {
			drop(index);
			answer(&reply, Ok(Outcome::Gone));
			return;
		};
		draft.frame.trashed = index.trash.get(&now.spot()).copied().unwrap_or(0);
		drop(index);
		match self.append(draft, Claim::Upkeep, Effect::Copy { from, old }) {
			Ok(at) => self.reply_later(at, reply),
			Err(error) => answer(&reply, Err(error)),
		}
	}

	fn stage_list(&mut self, kind: Kind, mut entries: Vec<Entry>, claim: Claim, reply: Reply) {
		if self
			.staged
			.iter()
			.any(|staged| matches!(staged.effect, Effect::Copy { .. }))
		{
			// A list names places, and those are about to change.
			self.commit();
		}
		if matches!(kind, Kind::Drop | Kind::Trash | Kind::Restore) {
			let index = self.shared.index();
			entries.retain(|entry| index.get(entry).is_some());
		}
		if entries.is_empty() {
			answer(&reply, Ok(Outcome::Gone));
			return;
		}
		let draft = Draft::list(kind, &entries, self.shared.now());
		match self.append(draft, claim, Effect::List { kind, entries }) {
			Ok(at) => self.reply_later(at, reply),
			Err(error) => answer(&reply, Err(error)),
		}
	}

	fn stage_carry(&mut self, entries: &[Entry], reply: Reply) {
		self.commit();
		let sealed = self.shared.counters.sealed.load(Relaxed);
		let mut lists: BTreeMap<(u8, u64), (Kind, Vec<Entry>)> = BTreeMap::new();
		let index = self.shared.index();
		for entry in entries {
			let (kind, since) = match index.get(entry) {
				None => (Kind::Drop, 0),
				Some(now) if now.is_trash() => {
					let since = index.trash.get(&now.spot());
					(
						Kind::Trash,
						since.copied().unwrap_or_else(|| self.shared.now()),
					)
				}
				Some(_) => (Kind::Restore, 0),
			};
			let list = lists.entry((kind as u8, since));
			list.or_insert_with(|| (kind, Vec::new())).1.push(*entry);
		}
		drop(index);
		for ((_, since), (kind, entries)) in lists {
			for entries in entries.chunks(LIST) {
				let draft = Draft::list(kind, entries, since);
				let entries = entries.to_vec();
				if let Err(error) =
					self.append(draft, Claim::Upkeep, Effect::List { kind, entries })
				{
					answer(&reply, Err(error));
					return;
				}
			}
		}
		if self.shared.counters.sealed.load(Relaxed) != sealed {
			// A part of it went into a volume that could not be synced.
			answer(&reply, Err(StoreError::Closed));
			return;
		}
		match self.staged.len().checked_sub(1) {
			Some(last) => self.reply_later(last, reply),
			None => answer(&reply, Ok(Outcome::Changed(0))),
		}
	}

	fn stage_drops(&mut self) {
		let drops = std::mem::take(&mut *self.shared.drops());
		for entries in drops.chunks(LIST) {
			let draft = Draft::list(Kind::Drop, entries, self.shared.now());
			let effect = Effect::List {
				kind: Kind::Drop,
				entries: entries.to_vec(),
			};
			if let Err(error) = self.append(draft, Claim::Upkeep, effect) {
				// They are out of the index; the first read after a restart drops them again.
				tracing::warn!(%error, "cannot record the end of damaged records");
			}
		}
	}

	fn reply_later(&mut self, at: usize, reply: Reply) {
		if let Some(staged) = self.staged.get_mut(at) {
			staged.replies.push(reply);
		}
	}

	/// Gives a record its place behind the last one, in a new volume if it has to be.
	fn append(
		&mut self,
		mut draft: Draft,
		claim: Claim,
		effect: Effect,
	) -> Result<usize, StoreError> {
		let len = draft.len();
		let kept = match claim {
			Claim::Data => self.shared.config.reserve,
			Claim::Change => self.shared.config.reserve / 2,
			Claim::Upkeep => 0,
		};
		if self.shared.free() < kept + len {
			return Err(self.full(len, Limit::Capacity));
		}
		if self
			.active
			.as_ref()
			.is_none_or(|active| active.room() < len)
		{
			self.next_volume(len, claim == Claim::Data)?;
		}
		let Some(active) = &mut self.active else {
			return Err(StoreError::Closed);
		};
		let place = Place {
			volume: active.number,
			block: active.pos,
		};
		draft.place(&self.shared.key, place, active.durable);
		active.pos += draft.frame.blocks;
		self.shared.counters.room.store(active.room(), Relaxed);
		self.bytes += len;
		self.staged.push(Staged {
			draft,
			place,
			effect,
			replies: Vec::new(),
		});
		Ok(self.staged.len() - 1)
	}

	/// Writes and syncs what is staged; only then does it enter the index and is acknowledged.
	pub(crate) fn commit(&mut self) {
		let (Some(first), Some(active)) = (self.staged.first(), &mut self.active) else {
			return;
		};
		let records: Vec<&[u8]> = self.staged.iter().map(|s| s.draft.bytes()).collect();
		if let Err(error) = active.file.write_at(&records, first.place.offset()) {
			self.seal("write", error);
			return;
		}
		if let Err(error) = active.file.sync() {
			self.seal("sync", error);
			return;
		}
		active.durable = active.pos;
		let (number, durable) = (active.number, active.durable);
		self.by_key.clear();
		let staged = std::mem::take(&mut self.staged);
		let bytes = std::mem::take(&mut self.bytes);
		let shared = &self.shared;
		let mut index = shared.index_mut();
		let outcomes: Vec<Outcome> = staged
			.iter()
			.map(|staged| staged.apply(&mut index, &shared.key))
			.collect();
		if let Some(stat) = index.volumes.get_mut(&number) {
			stat.mark = durable;
		}
		drop(index);
		shared.add(|c| &c.since_snapshot, bytes);
		shared.add(|c| &c.commits, 1);
		let puts = staged.iter().filter(|staged| staged.is_put()).count();
		shared.add(|c| &c.puts, puts as u64);
		let done = Done { staged, outcomes };
		if let Err(SendError(done)) = self.done.send(done) {
			done.tell();
		}
	}

	pub(crate) fn full(&self, needed: u64, limit: Limit) -> StoreError {
		StoreError::InsufficientStorage {
			needed,
			free: self.shared.free_for_data(),
			capacity: self.shared.config.capacity,
			limit,
		}
	}
}

pub(crate) fn answer(reply: &Reply, outcome: Result<Outcome, StoreError>) {
	if reply.send(outcome).is_err() {
		tracing::debug!("nobody waits for an outcome");
	}
}
