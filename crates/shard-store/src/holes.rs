//! Space of dropped records goes back to the file system: as holes in their volumes.

use crate::{
	disk::DiskFile,
	engine::Engine,
	entry::{Entry, Spot},
	error::StoreError,
	frame::{offset, Kind, LIST},
	mend::write_void,
	staged::Claim,
	volume,
};
use std::{collections::BTreeMap, io};

impl Engine {
	/// Makes holes of up to one list of dropped records; gives how many.
	pub(crate) fn punch(&self) -> Result<u64, StoreError> {
		let due: Vec<Spot> = {
			let index = self.shared.index();
			let is_still = |spot: &&Spot| {
				// Nobody but the writer may sync a volume it appends to: an error of such a sync
				// would be reported here, and the writer's own would then succeed.
				let stat = index.volumes.get(&spot.place().volume);
				stat.is_some_and(|stat| stat.closed || stat.sealed)
			};
			index
				.to_punch
				.iter()
				.filter(is_still)
				.take(LIST)
				.copied()
				.collect()
		};
		let mut by_volume: BTreeMap<u32, Vec<Spot>> = BTreeMap::new();
		for spot in due {
			by_volume.entry(spot.place().volume).or_default().push(spot);
		}
		let mut punched = 0;
		for (number, spots) in by_volume {
			match self.punch_volume(number, &spots) {
				Ok(done) => punched += done,
				Err(error) => {
					// The next start tries again; the space waits for a compaction until then.
					tracing::warn!(volume = number, %error, "cannot make holes");
					let mut index = self.shared.index_mut();
					for spot in &spots {
						index.to_punch.remove(spot);
					}
				}
			}
		}
		Ok(punched)
	}

	fn punch_volume(&self, number: u32, spots: &[Spot]) -> Result<u64, StoreError> {
		let file = self.shared.files.get(number)?;
		let path = || self.shared.disk.describe(&volume::name(number));
		let fail = |op| move |error| StoreError::io(op, path(), error);
		let mut done = Vec::with_capacity(spots.len());
		for spot in spots {
			let sure = self.may_void(*spot);
			if sure {
				let place = spot.place();
				let end = place.block + spot.blocks();
				let punched = spot.interior() > 0;
				write_void(&*file, &self.shared.key, place, end, 0, punched)
					.map_err(fail("write"))?;
			}
			done.push((*spot, sure && spot.interior() > 0));
		}
		file.sync().map_err(fail("sync"))?;
		let mut entries = Vec::with_capacity(done.len());
		for (spot, hole) in done {
			let hole = hole && self.punch_one(&*file, number, spot)?;
			// The flag says that no hole could be made.
			entries.push(Entry::from_spot(spot).with_trash(!hole));
		}
		Ok(self.list(Kind::Punched, &entries, Claim::Upkeep)? as u64)
	}

	fn punch_one(&self, file: &dyn DiskFile, number: u32, spot: Spot) -> Result<bool, StoreError> {
		let start = offset(spot.place().block + 1);
		match file.punch(start, offset(spot.interior())) {
			Ok(()) => Ok(true),
			Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(false),
			Err(error) => {
				let path = self.shared.disk.describe(&volume::name(number));
				Err(StoreError::io("punch a hole in", path, error))
			}
		}
	}

	/// Whether the blocks are for certain those of a record that no longer counts.
	fn may_void(&self, spot: Spot) -> bool {
		match self.shared.read_frame(&Entry::from_spot(spot)) {
			Ok(Some(frame)) => {
				let entries = frame.entries(&self.shared.key, spot.place());
				let index = self.shared.index();
				let counts = entries.iter().any(|entry| index.get(entry).is_some());
				if counts {
					tracing::error!(?spot, "a live record was to become a hole");
				}
				!counts
			}
			// Void already (a crash came before this was recorded), or damaged.
			Ok(None) => self.is_void(spot),
			Err(_) => false,
		}
	}

	fn is_void(&self, spot: Spot) -> bool {
		use crate::frame::{Frame, FRAME};
		let place = spot.place();
		let mut bytes = [0; FRAME];
		let read = self
			.shared
			.files
			.get(place.volume)
			.is_ok_and(|file| file.read_at(&mut bytes, place.offset()).is_ok());
		read && Frame::decode_header(&bytes, &self.shared.key, place)
			.is_some_and(|frame| frame.kind == Kind::Void && frame.blocks == spot.blocks())
	}
}
