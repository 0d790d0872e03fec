//! The parts of a read and of a write, each alone: what they cost together is the floor.

use crate::{
	clock::{Phase, Spent},
	failed,
};
use arion_object::{
	Layout, ObjectKey, PlainStripe, ShardBuffers, StreamKind, StripeOpener, StripeSealer, Suite,
	STRIPE_PLAIN,
};
use bench_harness::{BenchError, Contest, Contestant, Options};
use bytes::Bytes;
use rustix::fs::{fallocate, FallocateFlags, OFlags};
use std::{
	fs::File,
	hint::black_box,
	os::unix::fs::{FileExt, OpenOptionsExt},
	path::{Path, PathBuf},
};

/// Bytes of a shard.
const SHARD: usize = 1 << 20;

/// CPU seconds per 1e9 bytes of each part, in memory, one thread.
pub(crate) struct Parts {
	/// Opening sealed stripes.
	pub(crate) open: f64,
	/// BLAKE3 of shards.
	pub(crate) hash: f64,
	/// Reading volumes from the page cache.
	pub(crate) cache: f64,
	/// Seal, code and hash, per byte of source.
	pub(crate) encode: f64,
}

pub(crate) fn measure(
	options: &Options,
	plain: &Bytes,
	volumes: &[PathBuf],
) -> Result<Parts, BenchError> {
	let key = ObjectKey::from_bytes([7; 32]);
	let sealer = || StripeSealer::new(Suite::Aes256Gcm, &key).map_err(failed("sealer"));
	let first = plain.slice(..STRIPE_PLAIN.min(plain.len()));
	let mut sealing = sealer()?;
	let sealed = sealing.seal_next(&first, true).map_err(failed("seal"))?;
	let layout = Layout::new(first.len() as u64);
	let layout = layout.ok_or_else(|| BenchError::failed("seal", "no layout"))?;
	let (salt, kind) = (sealing.salt(), StreamKind::Data);
	let opener = StripeOpener::new(Suite::Aes256Gcm, &key, kind, &salt, layout);
	let opener = opener.map_err(failed("opener"))?;

	let files: Vec<File> = volumes
		.iter()
		.map(|path| File::open(path).map_err(failed("volume")))
		.collect::<Result<_, _>>()?;
	let mut spots = Vec::new();
	for (at, file) in files.iter().enumerate() {
		let len = file.metadata().map_err(failed("volume"))?.len();
		spots.extend((0..len / SHARD as u64).map(|spot| (at, spot * SHARD as u64)));
	}
	let (mut spot, mut page) = (0, vec![0; SHARD]);
	let buffers = ShardBuffers::new(60);
	let mut turn = plain.len() / STRIPE_PLAIN;
	let mut encoding = sealer()?;

	let figures = Contest::from(options).measure(&mut [
		Contestant::new("open", || {
			let plain = opener
				.open_stripe(0, &sealed.bytes)
				.map_err(failed("open"))?;
			black_box(plain);
			Ok(())
		}),
		Contestant::new("hash", || {
			for shard in first.chunks(SHARD) {
				black_box(blake3::hash(shard));
			}
			Ok(())
		}),
		Contestant::new("cache", || {
			spot = (spot + 1) % spots.len().max(1);
			if let Some((file, offset)) = spots.get(spot) {
				let read = files[*file].read_exact_at(&mut page, *offset);
				read.map_err(failed("volume"))?;
			}
			Ok(())
		}),
		Contestant::new("encode", || {
			turn = (turn + 1) % (plain.len() / STRIPE_PLAIN).max(1);
			let from = turn * STRIPE_PLAIN;
			let source = plain.slice(from..(from + STRIPE_PLAIN).min(plain.len()));
			let stripe: PlainStripe = encoding
				.prepare_next(source, false)
				.map_err(failed("seal"))?;
			black_box(stripe.encode(&buffers).map_err(failed("encode"))?);
			Ok(())
		}),
	])?;
	let per_gb = |at: usize, bytes: usize| figures[at].seconds * 1e9 / bytes as f64;
	Ok(Parts {
		open: per_gb(0, first.len()),
		hash: per_gb(1, first.len()),
		cache: per_gb(2, SHARD),
		encode: per_gb(3, STRIPE_PLAIN),
	})
}

/// How a file is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
	/// Through the page cache.
	Cached,
	/// Past it, as a store does where the file system lets it.
	Direct,
}

/// Writes `total` bytes to a file whose blocks are reserved, synced every 8 MiB, as a store does.
pub(crate) fn disk(
	folder: &Path,
	plain: &Bytes,
	total: usize,
	way: Way,
) -> Result<Spent, BenchError> {
	const GROUP: usize = 8 << 20;
	/// What direct writes are aligned to.
	const ALIGN: usize = 4096;
	let path = folder.join("disk");
	let mut options = File::options();
	options.create(true).truncate(true).write(true);
	let direct = OFlags::DIRECT.bits().cast_signed();
	let file = match way {
		Way::Direct => options.clone().custom_flags(direct).open(&path),
		Way::Cached => options.open(&path),
	};
	// Where it cannot be direct, the store does without too.
	let file = file.or_else(|_| options.open(&path));
	let file = file.map_err(failed("disk"))?;
	fallocate(&file, FallocateFlags::empty(), 0, total as u64).map_err(failed("disk"))?;
	let mut memory = vec![0; GROUP + ALIGN];
	let start = memory.as_ptr().align_offset(ALIGN).min(ALIGN);
	let group = memory.get_mut(start..start + GROUP).unwrap_or_default();
	let phase = Phase::begin(None)?;
	for at in 0..total / GROUP {
		let from = (at * GROUP) % plain.len().saturating_sub(GROUP).max(1);
		if let Some(piece) = plain.get(from..from + GROUP) {
			group.copy_from_slice(piece);
		}
		let offset = (at * GROUP) as u64;
		file.write_all_at(group, offset).map_err(failed("disk"))?;
		file.sync_data().map_err(failed("disk"))?;
	}
	let spent = phase.end(None)?;
	std::fs::remove_file(&path).map_err(failed("disk"))?;
	Ok(spent)
}
