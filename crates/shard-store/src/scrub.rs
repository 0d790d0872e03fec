//! Scrub: every record is read and checked once in a while, slowly.

use crate::{
	engine::Engine,
	entry::{Entry, Spot},
	error::StoreError,
	frame::BLOCK,
	key::StoreKey,
	read::is_gone,
	shared::Shared,
	volume,
};
use std::{
	sync::{MutexGuard, PoisonError},
	time::Duration,
};

const FILE: &str = "SCRUB";
const MAGIC: [u8; 8] = *b"ARIONSCR";
const LEN: usize = 56;
/// Time whose worth of reading may be made up for at once.
const BURST: Duration = Duration::from_secs(10);
/// Least bytes per second, so that a small store is not forgotten.
const LEAST_RATE: u64 = 64 * 1024;

/// Where a scrub stands.
#[derive(Default)]
pub(crate) struct ScrubState {
	/// The next record is at or after this place.
	next: u64,
	/// Passes done.
	passes: u64,
	/// Unix seconds at which this pass began.
	began: u64,
	/// Bytes that may be read now.
	tokens: u64,
	/// When they were counted.
	counted: Option<Duration>,
	/// The rest of the volume being read, last one first.
	rest: Vec<Entry>,
	/// Position as of the last save.
	saved: u64,
}

/// How far a scrub is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrubProgress {
	/// Passes done.
	pub passes: u64,
	/// Unix seconds at which this pass began; 0 before the first.
	pub began: u64,
	/// Volume being read; 0 at the start.
	pub volume: u32,
}

impl ScrubState {
	pub(crate) fn progress(&self) -> ScrubProgress {
		ScrubProgress {
			passes: self.passes,
			began: self.began,
			volume: Spot(self.next).place().volume,
		}
	}

	/// Reads the position of an earlier run. One that is damaged is only worth starting over.
	pub(crate) fn load(shared: &Shared) -> Self {
		let bytes = match volume::read_small(&*shared.disk, FILE, LEN) {
			Ok(Some(bytes)) => bytes,
			Ok(None) => return Self::default(),
			Err(error) => {
				tracing::warn!(%error, "the scrub starts over");
				return Self::default();
			}
		};
		Self::parse(&shared.key, &bytes).unwrap_or_else(|| {
			tracing::warn!("the scrub's position is damaged: it starts over");
			Self::default()
		})
	}

	pub(crate) fn parse(key: &StoreKey, bytes: &[u8]) -> Option<Self> {
		let (fields, check) = bytes.split_at_checked(LEN - 16)?;
		if fields[..8] != MAGIC || *check != key.check(b'C', 0, 0, fields) {
			return None;
		}
		let field = |at| u64::from_le_bytes(crate::frame::array(fields, at));
		Some(Self {
			next: field(8),
			passes: field(16),
			began: field(24),
			saved: field(8),
			..Self::default()
		})
	}

	fn save(&mut self, shared: &Shared) -> Result<(), StoreError> {
		let mut bytes = [0; LEN];
		bytes[..8].copy_from_slice(&MAGIC);
		bytes[8..16].copy_from_slice(&self.next.to_le_bytes());
		bytes[16..24].copy_from_slice(&self.passes.to_le_bytes());
		bytes[24..32].copy_from_slice(&self.began.to_le_bytes());
		let check = shared.key.check(b'C', 0, 0, &bytes[..LEN - 16]);
		bytes[LEN - 16..].copy_from_slice(&check);
		volume::replace(&*shared.disk, FILE, &[&bytes])?;
		self.saved = self.next;
		Ok(())
	}

	/// Gives the tokens that have accrued since they were last counted.
	fn refill(&mut self, shared: &Shared) {
		let now = shared.clock.now();
		let since = self
			.counted
			.map_or(Duration::ZERO, |then| now.saturating_sub(then));
		self.counted = Some(now);
		let live: u64 = {
			let index = shared.index();
			let all = index.live.iter().chain(&index.trashed);
			all.map(|count| count.blocks * BLOCK as u64).sum()
		};
		let period = shared.config.scrub_period.as_secs().max(1);
		let rate = (live / period).max(LEAST_RATE);
		let accrued =
			rate.saturating_mul(since.as_millis().min(u128::from(u64::MAX)) as u64) / 1000;
		// Enough must fit for the longest record.
		let most = (rate * BURST.as_secs()).max(2 * shared.config.max_shard_len as u64 + (1 << 16));
		self.tokens = self.tokens.saturating_add(accrued).min(most);
	}

	/// The next record; `None` at the end of a pass.
	fn next(&mut self, shared: &Shared) -> Option<Entry> {
		loop {
			if let Some(entry) = self.rest.last() {
				return Some(*entry);
			}
			let index = shared.index();
			let from = Spot(self.next);
			let number = from.place().volume;
			let volume = index
				.volumes
				.range(number..)
				.next()
				.map(|(number, _)| *number)?;
			let mut entries = index.of_volume(volume);
			entries.retain(|entry| entry.spot() >= from);
			entries.reverse();
			self.rest = entries;
			if self.rest.is_empty() {
				self.next = Spot::of_volume(volume).end.0;
			}
		}
	}
}

impl Engine {
	pub(crate) fn scrub_state(&self) -> MutexGuard<'_, ScrubState> {
		self.scrub.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Checks as many records as the time since the last call allows; gives how many.
	pub(crate) fn scrub(&self) -> Result<u64, StoreError> {
		let mut state = self.scrub_state();
		state.refill(&self.shared);
		let volume = state.progress().volume;
		let mut checked = 0;
		while !self.is_stopping() {
			let Some(entry) = state.next(&self.shared) else {
				if checked > 0 || state.next > 0 {
					self.end_pass(&mut state);
				}
				break;
			};
			let len = u64::from(entry.blocks()) * BLOCK as u64;
			if state.tokens < len {
				break;
			}
			state.tokens -= len;
			self.scrub_one(&mut state, &entry);
			checked += 1;
		}
		if state.progress().volume != volume && state.saved != state.next {
			state.save(&self.shared)?;
		}
		Ok(checked)
	}

	/// Checks every record now; gives how many.
	pub(crate) fn scrub_all(&self) -> Result<u64, StoreError> {
		let mut state = self.scrub_state();
		state.next = 0;
		state.rest.clear();
		let mut checked = 0;
		while let Some(entry) = state.next(&self.shared) {
			if self.is_stopping() {
				return Ok(checked);
			}
			self.scrub_one(&mut state, &entry);
			checked += 1;
		}
		self.end_pass(&mut state);
		state.save(&self.shared)?;
		Ok(checked)
	}

	fn end_pass(&self, state: &mut ScrubState) {
		state.passes += 1;
		state.next = 0;
		state.began = self.shared.now();
		self.shared.add(|c| &c.scrub_passes, 1);
	}

	fn scrub_one(&self, state: &mut ScrubState, entry: &Entry) {
		state.rest.pop();
		state.next = entry.spot().0 + 1;
		if !self.shared.still_there(entry) {
			return;
		}
		let len = u64::from(entry.blocks()) * BLOCK as u64;
		self.shared.add(|c| &c.scrubbed_bytes, len);
		match self.check(entry) {
			Err(error) if !is_gone(&error) => tracing::warn!(%error, "scrub"),
			_ => {}
		}
	}

	/// Writes the position down.
	pub(crate) fn save_scrub(&self) {
		let mut state = self.scrub_state();
		if state.saved != state.next {
			if let Err(error) = state.save(&self.shared) {
				tracing::warn!(%error, "cannot save the scrub's position");
			}
		}
	}

	/// Keeps a copy of a damaged record, if there are not too many already.
	pub(crate) fn quarantine(&self, entry: &Entry) {
		let place = entry.place();
		let name = format!("quarantine-{:08}-{}.bad", place.volume, place.block);
		if let Err(error) = self.try_quarantine(entry, &name) {
			tracing::warn!(%error, name, "cannot keep a copy of a damaged record");
		}
	}

	fn try_quarantine(&self, entry: &Entry, name: &str) -> std::io::Result<()> {
		let disk = &self.shared.disk;
		let kept = disk.list()?;
		let kept = kept.iter().filter(|name| name.starts_with("quarantine-"));
		if kept.count() >= self.shared.config.quarantine {
			return Ok(());
		}
		let place = entry.place();
		let mut bytes = vec![0; entry.blocks() as usize * BLOCK];
		let file = self
			.shared
			.files
			.get(place.volume)
			.map_err(std::io::Error::other)?;
		file.read_at(&mut bytes, place.offset())?;
		volume::replace(&**disk, name, &[&bytes]).map_err(std::io::Error::other)?;
		self.shared.add(|c| &c.quarantined, 1);
		Ok(())
	}
}
