//! The index in a file: written now and then and at a clean stop, so that a start reads only what
//! the volumes got since.
//!
//! A snapshot is not a moment in time. The volumes' marks, the trash and the holes to make are
//! copied first, the tables one after the other while the store goes on. Whatever changes in between
//! stands behind the marks in a volume, and replaying it twice does no harm.

use crate::{
	entry::{Entry, Spot, MAX_VOLUMES, MAX_VOLUME_BLOCKS},
	frame::{array, VERSION},
	index::{Index, Stat, TABLES},
	key::StoreKey,
};
use std::{collections::BTreeMap, io};

pub(crate) const MAGIC: [u8; 8] = *b"ARIONIDX";
pub(crate) const HEAD: usize = 64;
const VOLUME: usize = 24;
const CHECK: usize = 32;
/// Entries read at once.
const CHUNK: usize = 4096;
const CLOSED: u32 = 1;
const SEALED: u32 = 2;

/// Why a snapshot cannot be used. The index is then rebuilt from the volumes.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
	/// It cannot be read.
	#[error("cannot be read: {0}")]
	Io(#[from] io::Error),
	/// It is no snapshot, or of another format version.
	#[error("is no snapshot of this format")]
	Format,
	/// It ends before its end.
	#[error("is cut short")]
	Short,
	/// A field contradicts another.
	#[error("contradicts itself in {0}")]
	Field(&'static str),
	/// Its check does not fit, or it belongs to another store.
	#[error("is damaged or of another store")]
	Check,
}

/// Everything of a snapshot that is small.
pub(crate) struct Front {
	pub(crate) volumes: BTreeMap<u32, Stat>,
	pub(crate) trash: BTreeMap<Spot, u64>,
	pub(crate) to_punch: Vec<Spot>,
}

impl Front {
	pub(crate) fn of(index: &Index) -> Self {
		Self {
			volumes: index.volumes.clone(),
			trash: index.trash.clone(),
			to_punch: index.to_punch.iter().copied().collect(),
		}
	}

	/// The snapshot up to the tables.
	pub(crate) fn encode(&self) -> Vec<u8> {
		let mut out = vec![0; HEAD];
		out[..8].copy_from_slice(&MAGIC);
		out[8..10].copy_from_slice(&VERSION.to_le_bytes());
		out[12..16].copy_from_slice(&(TABLES as u32).to_le_bytes());
		out[16..24].copy_from_slice(&(self.volumes.len() as u64).to_le_bytes());
		out[24..32].copy_from_slice(&(self.trash.len() as u64).to_le_bytes());
		out[32..40].copy_from_slice(&(self.to_punch.len() as u64).to_le_bytes());
		for (number, stat) in &self.volumes {
			let flags = u32::from(stat.closed) * CLOSED + u32::from(stat.sealed) * SEALED;
			for field in [*number, stat.blocks, stat.mark, flags, stat.punched, 0] {
				out.extend_from_slice(&field.to_le_bytes());
			}
		}
		for (spot, since) in &self.trash {
			out.extend_from_slice(&spot.0.to_le_bytes());
			out.extend_from_slice(&since.to_le_bytes());
		}
		for spot in &self.to_punch {
			out.extend_from_slice(&spot.0.to_le_bytes());
		}
		out
	}
}

/// One table, as it stands in a snapshot.
pub(crate) fn encode_table(index: &Index, table: usize, out: &mut Vec<u8>) {
	out.extend_from_slice(&(index.table_len(table) as u64).to_le_bytes());
	out.extend(index.table(table).flat_map(|entry| entry.to_bytes()));
}

/// The hasher of a snapshot's check.
pub(crate) fn hasher(key: &StoreKey) -> blake3::Hasher {
	let mut hasher = blake3::Hasher::new_keyed(&key.0);
	hasher.update(b"snapshot");
	hasher
}

/// Reads in order, counts what is left, and hashes.
struct Source<'a> {
	read: &'a mut dyn FnMut(&mut [u8]) -> io::Result<()>,
	left: u64,
	hasher: blake3::Hasher,
}

impl Source<'_> {
	/// Refuses a count of things of which the file cannot hold so many.
	fn fits(&self, count: u64, size: usize) -> Result<usize, SnapshotError> {
		let total = count.checked_mul(size as u64);
		match total.filter(|total| *total <= self.left) {
			Some(_) => usize::try_from(count).map_err(|_| SnapshotError::Short),
			None => Err(SnapshotError::Short),
		}
	}

	fn take(&mut self, buf: &mut [u8]) -> Result<(), SnapshotError> {
		self.fits(buf.len() as u64, 1)?;
		(self.read)(buf)?;
		self.left -= buf.len() as u64;
		self.hasher.update(buf);
		Ok(())
	}

	fn number(&mut self) -> Result<u64, SnapshotError> {
		let mut bytes = [0; 8];
		self.take(&mut bytes)?;
		Ok(u64::from_le_bytes(bytes))
	}
}

/// Reads a snapshot of `len` bytes through `read`, which fills the buffers it is given one after
/// the other. Memory is bounded by `len`.
pub(crate) fn load(
	key: &StoreKey,
	len: u64,
	read: &mut dyn FnMut(&mut [u8]) -> io::Result<()>,
) -> Result<Index, SnapshotError> {
	let left = len.checked_sub(CHECK as u64).ok_or(SnapshotError::Short)?;
	let mut source = Source {
		read,
		left,
		hasher: hasher(key),
	};
	let mut head = [0; HEAD];
	source.take(&mut head)?;
	let tables = u32::from_le_bytes(array(&head, 12)) as usize;
	if head[..8] != MAGIC || head[8..10] != VERSION.to_le_bytes() || tables != TABLES {
		return Err(SnapshotError::Format);
	}
	let mut index = Index::default();
	let volumes = source.fits(u64::from_le_bytes(array(&head, 16)), VOLUME)?;
	for _ in 0..volumes {
		let (number, stat) = volume(&mut source)?;
		if index.has_volume(number) {
			return Err(SnapshotError::Field("its volumes"));
		}
		index.set_volume(number, stat);
	}
	for _ in 0..source.fits(u64::from_le_bytes(array(&head, 24)), 16)? {
		let spot = spot(source.number()?, &index)?;
		index.trash.insert(spot, source.number()?);
	}
	for _ in 0..source.fits(u64::from_le_bytes(array(&head, 32)), 8)? {
		let spot = spot(source.number()?, &index)?;
		index.to_punch.insert(spot);
	}
	// Neighbours in a table are mostly of different volumes; an array is quicker than the map.
	let lengths = lengths(&index);
	for table in 0..TABLES {
		let count = source.number()?;
		let count = source.fits(count, Entry::LEN)?;
		load_table(&mut source, &mut index, &lengths, table, count)?;
	}
	if source.left != 0 {
		return Err(SnapshotError::Field("its length"));
	}
	let check = *source.hasher.finalize().as_bytes();
	let mut found = [0; CHECK];
	(source.read)(&mut found)?;
	if found != check {
		return Err(SnapshotError::Check);
	}
	Ok(index)
}

fn volume(source: &mut Source<'_>) -> Result<(u32, Stat), SnapshotError> {
	let mut bytes = [0; VOLUME];
	source.take(&mut bytes)?;
	let field = |at| u32::from_le_bytes(array(&bytes, at));
	let (number, blocks, mark, flags, punched) =
		(field(0), field(4), field(8), field(12), field(16));
	let sound = (1..=MAX_VOLUMES).contains(&number)
		&& blocks <= MAX_VOLUME_BLOCKS
		&& mark <= blocks
		&& punched <= blocks;
	let stat = Stat {
		blocks,
		mark,
		closed: flags & CLOSED != 0,
		saved: flags & CLOSED != 0,
		sealed: flags & SEALED != 0,
		punched,
		..Stat::default()
	};
	sound
		.then_some((number, stat))
		.ok_or(SnapshotError::Field("a volume"))
}

fn spot(number: u64, index: &Index) -> Result<Spot, SnapshotError> {
	let spot = Spot(number);
	let entry = Entry::from_spot(spot);
	index
		.volumes
		.get(&spot.place().volume)
		.filter(|stat| entry.is_within(stat.blocks) && entry.spot() == spot)
		.map(|_| spot)
		.ok_or(SnapshotError::Field("a place"))
}

fn load_table(
	source: &mut Source<'_>,
	index: &mut Index,
	lengths: &[u32],
	table: usize,
	count: usize,
) -> Result<(), SnapshotError> {
	index.reserve(table, count);
	let mut buf = vec![0; CHUNK.min(count) * Entry::LEN];
	let mut left = count;
	while left > 0 {
		let now = left.min(CHUNK);
		let bytes = &mut buf[..now * Entry::LEN];
		source.take(bytes)?;
		for bytes in bytes.as_chunks::<{ Entry::LEN }>().0 {
			let entry = Entry::from_bytes(bytes);
			let place = entry.place();
			let blocks = lengths.get(place.volume as usize).copied().unwrap_or(0);
			if (entry.fp >> 56) as usize != table || !entry.is_within(blocks) {
				return Err(SnapshotError::Field("an entry"));
			}
			index.insert_new(entry);
		}
		left -= now;
	}
	Ok(())
}

/// Length of each volume by its number; bounded by the largest number of a volume.
fn lengths(index: &Index) -> Vec<u32> {
	let most = index.volumes.keys().next_back().map_or(0, |last| *last);
	let mut lengths = vec![0; most as usize + 1];
	for (number, stat) in &index.volumes {
		if let Some(length) = lengths.get_mut(*number as usize) {
			*length = stat.blocks;
		}
	}
	lengths
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
