//! Requests to the writer, and the changes of state that are made of them.

use crate::{
	entry::{Entry, Spot},
	error::StoreError,
	frame::{Draft, Kind, LIST},
	key::{Key, RecordKey},
	record::{Health, Record},
	scrub::ScrubState,
	shared::{Fault, Finding, Shared},
	staged::{Claim, Message, Outcome, Reply},
};
use arion_storage_proof::Outboard;
use hippius_primitives::StripeId;
use std::sync::{
	atomic::{AtomicBool, Ordering::Relaxed},
	mpsc::{sync_channel, RecvTimeoutError, Sender},
	Arc, Mutex,
};

/// How often an operation follows a record that moves while it is looked at.
pub(crate) const FOLLOW: usize = 16;

/// The running store: what callers share, and the way to the writer.
pub(crate) struct Engine {
	pub(crate) shared: Arc<Shared>,
	pub(crate) queue: Sender<Message>,
	/// Set while the writer has yet to be told that there are drops.
	pub(crate) woken: Arc<AtomicBool>,
	pub(crate) scrub: Mutex<ScrubState>,
	/// Set when the store is being closed: long work ends early.
	pub(crate) stopping: AtomicBool,
}

/// What became of a record that was to be written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rewritten {
	Moved,
	/// It is not there any more.
	Gone,
	/// It is damaged; it has been dropped.
	Damaged,
}

impl Engine {
	/// Sends a request and waits until it is durable, or until the disk is given up: then it may still
	/// be done, later.
	pub(crate) fn ask(
		&self,
		message: impl FnOnce(Reply) -> Message,
	) -> Result<Outcome, StoreError> {
		let shared = &self.shared;
		let (most, limit) = (shared.config.queue_len, shared.config.stall);
		shared.check_answers()?;
		if !shared.pending.enqueue(most, limit) {
			return Err(shared.stalled());
		}
		let (reply, answer) = sync_channel(1);
		let sent = self.queue.send(message(reply));
		sent.map_err(|_| StoreError::Closed)?;
		match answer.recv_timeout(limit) {
			Ok(outcome) => outcome,
			Err(RecvTimeoutError::Disconnected) => Err(StoreError::Closed),
			Err(RecvTimeoutError::Timeout) => Err(shared.stalled()),
		}
	}

	/// Tells the writer that there are drops; it need not be waited for.
	pub(crate) fn wake(&self) {
		if self.woken.swap(true, Relaxed) {
			return;
		}
		if self.queue.send(Message::Wake).is_err() {
			tracing::error!("the writer has stopped");
		}
	}

	/// Has a change of entries recorded; gives how many records it changed.
	pub(crate) fn list(
		&self,
		kind: Kind,
		entries: &[Entry],
		claim: Claim,
	) -> Result<usize, StoreError> {
		let mut changed = 0;
		for entries in entries.chunks(LIST) {
			let entries = entries.to_vec();
			let outcome = self.ask(|reply| Message::List {
				kind,
				entries,
				claim,
				reply,
			})?;
			if let Outcome::Changed(records) = outcome {
				changed += records;
			}
		}
		Ok(changed)
	}

	/// The entries of all records of `key` (of one stripe, if one is given) that are in the trash, or
	/// are not.
	fn entries_of(
		&self,
		key: &Key,
		stripe: Option<&StripeId>,
		trash: bool,
	) -> Result<Vec<Entry>, StoreError> {
		let fp = self.shared.key.fingerprint(key);
		let found: Vec<Entry> = self
			.shared
			.index()
			.find(fp)
			.filter(|entry| !entry.is_stripe() && entry.is_trash() == trash)
			.copied()
			.collect();
		let mut entries = Vec::new();
		for entry in found {
			let Some(frame) = self.shared.read_frame(&entry)? else {
				continue;
			};
			let record = &frame.record;
			if record.key == *key && stripe.is_none_or(|stripe| *stripe == record.stripe) {
				entries.extend(frame.entries(&self.shared.key, entry.place()));
			}
		}
		Ok(entries)
	}

	/// Changes the state of a key's records; gives how many there were.
	pub(crate) fn change(
		&self,
		kind: Kind,
		key: &Key,
		stripe: Option<&StripeId>,
	) -> Result<usize, StoreError> {
		for _ in 0..FOLLOW {
			let mut entries = self.entries_of(key, stripe, kind != Kind::Trash)?;
			if kind == Kind::Drop {
				entries.extend(self.entries_of(key, stripe, false)?);
			}
			if entries.is_empty() {
				return Ok(0);
			}
			let changed = self.list(kind, &entries, Claim::Change)?;
			if changed > 0 {
				return Ok(changed);
			}
		}
		Err(StoreError::Busy(*key))
	}

	/// Drops the records that have been in the trash for long enough; gives how many.
	pub(crate) fn purge_due(&self) -> Result<u64, StoreError> {
		let ttl = self.shared.config.trash_ttl.as_secs();
		let now = self.shared.now();
		let due: Vec<Spot> = self
			.shared
			.index()
			.trash
			.iter()
			.filter(|(_, since)| since.saturating_add(ttl) <= now)
			.map(|(spot, _)| *spot)
			.take(LIST / 2)
			.collect();
		let mut entries = Vec::new();
		for spot in due {
			match self.shared.read_frame(&Entry::from_spot(spot)) {
				Ok(Some(frame)) => entries.extend(frame.entries(&self.shared.key, spot.place())),
				other => {
					if let Err(error) = other {
						tracing::warn!(%error, "cannot read a record in the trash");
					}
					let index = self.shared.index();
					let of_volume = index.of_volume(spot.place().volume);
					entries.extend(of_volume.into_iter().filter(|entry| entry.spot() == spot));
				}
			}
		}
		let purged = self.list(Kind::Drop, &entries, Claim::Upkeep)? as u64;
		self.shared.add(|c| &c.purged, purged);
		Ok(purged)
	}

	/// Writes a record anew at the end of the log, whatever is damaged of its frames and outboard.
	pub(crate) fn rewrite(&self, entry: &Entry) -> Result<Rewritten, StoreError> {
		let record = match self.shared.read_record(entry) {
			Ok(record) => record,
			Err(error) => {
				self.unreadable(entry, None);
				return Err(error);
			}
		};
		let place = entry.place();
		let Some(record) = record.filter(|r| r.is_good(&self.shared.key, place)) else {
			return Ok(self.drop_damaged(entry));
		};
		self.copy(entry, &record)
	}

	fn copy(&self, entry: &Entry, record: &Record) -> Result<Rewritten, StoreError> {
		let frame = &record.frame;
		let tree = Outboard::build(record.data());
		let (meta, data) = (record.meta(), record.data());
		let draft = Draft::data(
			&self.shared.buffers,
			frame.record,
			meta,
			data,
			&tree,
			frame.created,
		);
		let mut old = frame.entries(&self.shared.key, entry.place());
		old.retain(|other| !other.same(entry));
		let outcome = self.ask(|reply| Message::Copy {
			from: *entry,
			old,
			draft: Box::new(draft),
			reply,
		})?;
		Ok(match outcome {
			Outcome::Stored => Rewritten::Moved,
			_ => Rewritten::Gone,
		})
	}

	/// Drops a damaged record after keeping a copy of what is left of it.
	pub(crate) fn drop_damaged(&self, entry: &Entry) -> Rewritten {
		if !self.shared.still_there(entry) {
			return Rewritten::Gone;
		}
		let frame = self.shared.read_frame(entry).ok().flatten();
		self.quarantine(entry);
		if !self.shared.discard(entry, frame.as_ref()) {
			return Rewritten::Gone;
		}
		self.wake();
		Rewritten::Damaged
	}

	/// Looks at all of a record, and mends or drops it if it is damaged.
	pub(crate) fn check(&self, entry: &Entry) -> Result<(), StoreError> {
		let record = match self.shared.read_record(entry) {
			Ok(record) => record,
			Err(error) => {
				if self.shared.still_there(entry) {
					self.unreadable(entry, None);
				}
				return Err(error);
			}
		};
		let health = record.as_ref().map_or(Health::Bad, |record| {
			record.health(&self.shared.key, entry.place())
		});
		match (health, record) {
			(Health::Good, _) => {}
			(Health::Patchy, Some(record)) => {
				if self.shared.still_there(entry) && self.copy(entry, &record)? == Rewritten::Moved
				{
					self.shared.add(|c| &c.rewritten, 1);
				}
			}
			_ => _ = self.drop_damaged(entry),
		}
		Ok(())
	}

	/// Has a record that the disk refuses to read repaired elsewhere. It stays: the next read may
	/// succeed.
	pub(crate) fn unreadable(&self, entry: &Entry, key: Option<Key>) {
		let record: Option<RecordKey> = self
			.shared
			.read_frame(entry)
			.ok()
			.flatten()
			.map(|frame| frame.record);
		self.shared.suspects().insert(entry.spot());
		self.shared.report(Finding {
			key: key.or(record.map(|record| record.key)),
			stripe: record.map(|record| record.stripe),
			fault: Fault::Unreadable,
		});
	}

	pub(crate) fn is_stopping(&self) -> bool {
		self.stopping.load(Relaxed)
	}
}
