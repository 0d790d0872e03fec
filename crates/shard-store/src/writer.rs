//! The one thread that appends: it gathers what is waiting, writes it, syncs once, and answers all.

use crate::{
	error::StoreError,
	format::{Draft, Place, BLOCK},
	index::RecordKey,
	scan::Found,
	store::{indexed, PutOutcome, Shared},
	volume::{self, Volume},
};
use std::{
	collections::HashMap,
	io,
	sync::{
		atomic::Ordering::Relaxed,
		mpsc::{Receiver, SyncSender},
		Arc,
	},
};

type Reply = SyncSender<Result<PutOutcome, StoreError>>;

pub(crate) enum Message {
	Put(Box<Request>),
	/// Something is in [`Shared::drops`].
	Wake,
}

pub(crate) struct Request {
	pub(crate) key: RecordKey,
	pub(crate) draft: Draft,
	pub(crate) reply: Reply,
}

/// The volume that is being appended to.
pub(crate) struct Active {
	pub(crate) volume: Volume,
	/// Next free block.
	pub(crate) pos: u32,
	/// Everything before this block is on disk.
	pub(crate) durable: u32,
}

impl Active {
	/// Bytes left for records; one block is kept for the end mark.
	pub(crate) fn room(&self) -> u64 {
		u64::from(
			self.volume
				.blocks
				.saturating_sub(self.pos)
				.saturating_sub(1),
		) * BLOCK as u64
	}
}

/// A record that is written but not synced.
struct Staged {
	found: Found,
	/// Whom to tell: the first wrote it, the others wanted the same. None for drops.
	replies: Vec<Reply>,
}

pub(crate) struct Writer {
	shared: Arc<Shared>,
	active: Option<Active>,
	/// Number of the next volume.
	next: u32,
	staged: Vec<Staged>,
	/// Which of the staged has a key.
	by_key: HashMap<RecordKey, usize>,
}

impl Writer {
	pub(crate) fn new(shared: Arc<Shared>, active: Option<Active>, next: u32) -> Self {
		Self {
			shared,
			active,
			next,
			staged: Vec::new(),
			by_key: HashMap::new(),
		}
	}

	/// Works until all senders are gone. While one group is being synced the next one gathers in
	/// the queue: no timer is needed to make groups.
	pub(crate) fn run(mut self, requests: &Receiver<Message>) {
		while let Ok(mut message) = requests.recv() {
			let mut bytes = 0;
			loop {
				if let Message::Put(request) = message {
					bytes += request.draft.len();
					self.stage_put(*request);
				}
				if bytes >= self.shared.config.batch_bytes as u64 {
					break;
				}
				match requests.try_recv() {
					Ok(next) => message = next,
					Err(_) => break,
				}
			}
			self.stage_drops();
			self.commit();
		}
		self.stage_drops();
		self.commit();
	}

	fn stage_put(&mut self, request: Request) {
		let Request {
			key,
			mut draft,
			reply,
		} = request;
		if self.shared.index().contains(&key) {
			answer(&reply, Ok(PutOutcome::AlreadyStored));
			return;
		}
		if let Some(staged) = self
			.by_key
			.get(&key)
			.and_then(|index| self.staged.get_mut(*index))
		{
			staged.replies.push(reply);
			return;
		}
		match self.append(&mut draft) {
			Ok(place) => {
				self.by_key.insert(key, self.staged.len());
				let found = Found {
					place,
					frame: draft.frame,
				};
				self.staged.push(Staged {
					found,
					replies: vec![reply],
				});
			}
			Err(error) => answer(&reply, Err(error)),
		}
	}

	fn stage_drops(&mut self) {
		let drops = std::mem::take(&mut *self.shared.drops());
		for (id, target) in drops {
			let mut draft = Draft::drop_of(id, target);
			match self.append(&mut draft) {
				Ok(place) => {
					let found = Found {
						place,
						frame: draft.frame,
					};
					self.staged.push(Staged {
						found,
						replies: Vec::new(),
					});
				}
				// The record is out of the index; the next start's first read drops it again.
				Err(error) => tracing::warn!(%id, %error, "cannot record a damaged shard's end"),
			}
		}
	}

	/// Writes a record behind the last one, in a new volume if it has to be.
	fn append(&mut self, draft: &mut Draft) -> Result<Place, StoreError> {
		if self
			.active
			.as_ref()
			.is_none_or(|active| active.room() < draft.len())
		{
			self.next_volume(draft.len())?;
		}
		let shared = self.shared.clone();
		let Some(active) = &mut self.active else {
			return Err(StoreError::Closed);
		};
		let place = Place {
			volume: active.volume.number,
			block: active.pos,
		};
		let bytes = draft.place(&shared.key, place, active.durable);
		match active.volume.file.write_at(bytes, place.offset()) {
			Ok(()) => {
				active.pos += draft.frame.blocks;
				shared.counters.room.store(active.room(), Relaxed);
				Ok(place)
			}
			Err(error) => Err(self.seal("write", error, draft.len())),
		}
	}

	/// Ends the active volume and makes the next one, if the capacity allows.
	fn next_volume(&mut self, needed: u64) -> Result<(), StoreError> {
		let config = &self.shared.config;
		let left = config.capacity.saturating_sub(self.shared.allocated());
		let blocks = left.min(config.volume_size) / BLOCK as u64;
		if blocks * (BLOCK as u64) < needed + 2 * BLOCK as u64 {
			return Err(self.full(needed));
		}
		self.commit();
		let number = self.next;
		let made = volume::create(&*self.shared.disk, &self.shared.key, number, blocks as u32);
		let volume = match made {
			Ok(volume) => volume,
			Err(StoreError::Io { source, .. }) if is_full(&source) => {
				return Err(self.full(needed));
			}
			Err(error) => return Err(error),
		};
		// The number is used up only now: a failed creation may be tried again.
		self.next = number.saturating_add(1);
		if let Some(old) = self.active.take() {
			if let Err(error) = volume::write_end(&old.volume, &self.shared.key, old.pos) {
				tracing::warn!(volume = old.volume.number, %error, "cannot mark a volume's end");
			}
		}
		self.shared.add_volume(volume.clone());
		let active = Active {
			volume,
			pos: 1,
			durable: 1,
		};
		self.shared.counters.room.store(active.room(), Relaxed);
		self.active = Some(active);
		Ok(())
	}

	/// Syncs what is staged; only then does it enter the index and is acknowledged.
	fn commit(&mut self) {
		if self.staged.is_empty() {
			return;
		}
		let Some(active) = &mut self.active else {
			return;
		};
		if let Err(error) = active.volume.file.sync() {
			self.seal("sync", error, 0);
			return;
		}
		active.durable = active.pos;
		self.by_key.clear();
		let staged = std::mem::take(&mut self.staged);
		let mut index = self.shared.index_mut();
		for staged in staged.iter().filter(|staged| !staged.replies.is_empty()) {
			let (key, entry) = indexed(&staged.found);
			index.insert(key, entry);
		}
		drop(index);
		self.shared.counters.commits.fetch_add(1, Relaxed);
		for Staged { replies, .. } in staged {
			for (nth, reply) in replies.iter().enumerate() {
				let outcome = if nth == 0 {
					PutOutcome::Stored
				} else {
					PutOutcome::AlreadyStored
				};
				self.shared
					.counters
					.puts
					.fetch_add(u64::from(nth == 0), Relaxed);
				answer(reply, Ok(outcome));
			}
		}
	}

	/// After an error the volume's unsynced part is unknown: nothing more is written to it, and
	/// whoever waits for that part is refused. It is read again, and mended, at the next start.
	fn seal(&mut self, op: &'static str, source: io::Error, needed: u64) -> StoreError {
		let Some(active) = self.active.take() else {
			return StoreError::Closed;
		};
		let path = self
			.shared
			.disk
			.describe(&volume::name(active.volume.number));
		tracing::error!(%path, op, error = %source, "volume is only read from now on");
		self.shared.counters.sealed.fetch_add(1, Relaxed);
		self.shared.counters.room.store(0, Relaxed);
		let error = if is_full(&source) {
			self.full(needed)
		} else {
			StoreError::io(op, path, source)
		};
		self.by_key.clear();
		for staged in std::mem::take(&mut self.staged) {
			for reply in &staged.replies {
				answer(reply, Err(error.clone()));
			}
		}
		error
	}

	fn full(&self, needed: u64) -> StoreError {
		let capacity = self.shared.config.capacity;
		StoreError::InsufficientStorage {
			needed,
			free: self.shared.free(),
			capacity,
		}
	}
}

fn is_full(error: &io::Error) -> bool {
	matches!(
		error.kind(),
		io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
	)
}

fn answer(reply: &Reply, outcome: Result<PutOutcome, StoreError>) {
	if reply.send(outcome).is_err() {
		tracing::debug!("nobody waits for a put's outcome");
	}
}
