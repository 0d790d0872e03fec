//! From one volume to the next: when it is full, and when it can no longer be trusted.

use crate::{
	disk::DiskFile,
	entry::MAX_VOLUMES,
	error::{is_no_space, Limit, StoreError},
	frame::BLOCK,
	index::Stat,
	key::Place,
	preamble::Start,
	space, volume,
	writer::{answer, Active, Writer},
};
use std::{
	io,
	sync::{atomic::Ordering::Relaxed, Arc},
};

impl Writer {
	/// Ends the active volume and makes the next one, if the limits allow.
	pub(crate) fn next_volume(&mut self, needed: u64, data: bool) -> Result<(), StoreError> {
		let config = &self.shared.config;
		let left = config.capacity.saturating_sub(self.shared.allocated());
		let blocks = left.min(config.volume_size) / BLOCK as u64;
		if blocks * (BLOCK as u64) < needed + 2 * BLOCK as u64 {
			return Err(self.full(needed, Limit::Capacity));
		}
		space::check_floor(&self.shared, blocks * BLOCK as u64, data)
			.map_err(|limit| self.full(needed, limit))?;
		self.commit();
		let number = self.next;
		if number > MAX_VOLUMES {
			return Err(StoreError::OutOfVolumes(MAX_VOLUMES));
		}
		let before = self
			.active
			.as_ref()
			.map(|active| active.pos)
			.or(self.before);
		let start = Start {
			key: self.shared.key,
			number,
			before: before.unwrap_or(0),
		};
		let file = self.create(&start, blocks as u32, needed, data)?;
		if self.before.take().is_some() && !self.unmended {
			// From now on the refused part of the volume before is known to be void.
			self.shared.counters.doubtful.store(false, Relaxed);
		}
		// The number is used up only now: a failed creation may be tried again.
		self.next = number.saturating_add(1);
		self.end_active();
		self.shared.files.put(number, file.clone());
		let stat = Stat {
			blocks: blocks as u32,
			mark: 1,
			..Stat::default()
		};
		self.shared.index_mut().set_volume(number, stat);
		let active = Active {
			number,
			file,
			blocks: blocks as u32,
			pos: 1,
			durable: 1,
		};
		self.shared.counters.room.store(active.room(), Relaxed);
		self.active = Some(active);
		Ok(())
	}

	fn create(
		&self,
		start: &Start,
		blocks: u32,
		needed: u64,
		data: bool,
	) -> Result<Arc<dyn DiskFile>, StoreError> {
		let shared = &self.shared;
		let create = || volume::create(&*shared.disk, start, blocks);
		let mut made = create();
		let no_space = |error: &StoreError| matches!(error, StoreError::Io { source, .. } if is_no_space(source));
		// Deletions and compaction may have what was put by for them.
		if !data && made.as_ref().is_err_and(no_space) && space::drop_ballast(shared) {
			made = create();
		}
		made.map_err(|error| {
			if no_space(&error) {
				self.full(needed, Limit::FileSystem)
			} else {
				error
			}
		})
	}

	/// Closes the active volume; all of it is durable.
	fn end_active(&mut self) {
		let Some(old) = self.active.take() else {
			return;
		};
		let place = Place {
			volume: old.number,
			block: old.pos,
		};
		if let Err(error) = volume::write_end(&*old.file, &self.shared.key, place, old.blocks) {
			tracing::warn!(volume = old.number, %error, "cannot mark a volume's end");
		}
		old.file.written();
		if let Some(stat) = self.shared.index_mut().volumes.get_mut(&old.number) {
			stat.closed = true;
		}
	}

	/// After an error the volume's unsynced part is unknown: nothing more is written to it, and
	/// whoever waits for that part is refused. It is read again, and mended, at the next start.
	pub(crate) fn seal(&mut self, op: &'static str, source: io::Error) {
		let Some(active) = self.active.take() else {
			return;
		};
		let path = self.shared.disk.describe(&volume::name(active.number));
		tracing::error!(%path, op, error = %source, "volume is only read from now on");
		self.shared.add(|c| &c.sealed, 1);
		self.shared.counters.room.store(0, Relaxed);
		self.shared.counters.doubtful.store(true, Relaxed);
		self.before = Some(active.durable);
		active.file.written();
		if let Some(stat) = self.shared.index_mut().volumes.get_mut(&active.number) {
			stat.sealed = true;
		}
		let needed = self.bytes;
		let error = if is_no_space(&source) {
			self.full(needed, Limit::FileSystem)
		} else {
			StoreError::io(op, path, source)
		};
		self.by_key.clear();
		self.bytes = 0;
		for staged in std::mem::take(&mut self.staged) {
			for reply in &staged.replies {
				answer(reply, Err(error.clone()));
			}
		}
	}
}
