//! Receiving a slice: every group is verified before it counts.

use crate::stream::{paced, Pace, StreamError};
use arion_storage_proof::{
	outboard::{group_bytes, PAIR_LEN},
	slice::{slice_parts, SlicePart},
	SliceDecoder, SliceError,
};
use bytes::Bytes;
use hippius_primitives::ShardId;
use quinn::RecvStream;
use std::{
	ops::Range,
	sync::{
		atomic::{AtomicU64, Ordering::Relaxed},
		Arc, OnceLock,
	},
	time::{Duration, Instant},
};

/// Verified bytes received so far of one transfer; cheap to clone, readable while the transfer
/// runs. Counts whole groups (16 KiB), so more than a short range has.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
	bytes: AtomicU64,
	first: OnceLock<Instant>,
}

impl Progress {
	/// Verified bytes received so far.
	pub fn bytes(&self) -> u64 {
		self.0.bytes.load(Relaxed)
	}

	/// When the first group was verified.
	pub fn first(&self) -> Option<Instant> {
		self.0.first.get().copied()
	}

	/// A transfer begins, perhaps once more.
	pub(crate) fn restart(&self) {
		self.0.bytes.store(0, Relaxed);
	}

	fn add(&self, bytes: u64) {
		self.0.first.get_or_init(Instant::now);
		self.0.bytes.fetch_add(bytes, Relaxed);
	}
}

/// Bytes of shards received over a [`Grid`](crate::Grid), hashes included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransferStats {
	/// In all.
	pub received: u64,
	/// Of transfers that were cancelled, broke off or brought wrong bytes.
	pub wasted: u64,
}

/// What one connection has moved so far, packet headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
	/// Bytes in packets that came.
	pub received: u64,
	/// Bytes in packets that went.
	pub sent: u64,
	/// Packets that went and were lost.
	pub lost: u64,
	/// The current round-trip time estimate.
	pub rtt: Duration,
}

/// Counts what transfers bring.
#[derive(Debug, Default)]
pub(crate) struct Tally {
	received: AtomicU64,
	wasted: AtomicU64,
}

impl Tally {
	pub(crate) fn stats(&self) -> TransferStats {
		TransferStats {
			received: self.received.load(Relaxed),
			wasted: self.wasted.load(Relaxed),
		}
	}
}

/// One transfer's part of the tally: wasted unless it is said to be done.
struct Account<'a> {
	tally: &'a Tally,
	bytes: u64,
	done: bool,
}

impl Drop for Account<'_> {
	fn drop(&mut self) {
		self.tally.received.fetch_add(self.bytes, Relaxed);
		if !self.done {
			self.tally.wasted.fetch_add(self.bytes, Relaxed);
		}
	}
}

/// Why a slice was not received.
pub(crate) enum SliceFault {
	Stream(StreamError),
	/// A group or a hash above it is not that of the shard.
	Wrong(SliceError),
}

impl From<StreamError> for SliceFault {
	fn from(error: StreamError) -> Self {
		Self::Stream(error)
	}
}

/// What is to be received.
pub(crate) struct Wanted<'a> {
	pub(crate) shard: ShardId,
	/// Length of the whole shard.
	pub(crate) len: u64,
	pub(crate) groups: Range<u64>,
	pub(crate) progress: &'a Progress,
	pub(crate) tally: &'a Tally,
}

/// Reads the groups of a slice, up to the end of the stream. Each is received into its place and
/// verified there; nothing is read behind the first bad one.
pub(crate) async fn read_slice(
	recv: &mut RecvStream,
	wanted: &Wanted<'_>,
	pace: Pace,
) -> Result<Bytes, SliceFault> {
	let start = Instant::now();
	let groups = wanted.groups.clone();
	let (mut decoder, parts) = SliceDecoder::new(&wanted.shard, wanted.len, groups.clone())
		.and_then(|decoder| Ok((decoder, slice_parts(wanted.len, groups.clone())?)))
		.map_err(SliceFault::Wrong)?;
	let base = group_bytes(wanted.len, groups.start).start;
	let end = group_bytes(wanted.len, groups.end.saturating_sub(1)).end;
	let mut out = vec![0; end.saturating_sub(base) as usize];
	let mut account = Account {
		tally: wanted.tally,
		bytes: 0,
		done: false,
	};
	wanted.progress.restart();
	for part in parts {
		let mut pair = [0; PAIR_LEN];
		let place = match part {
			SlicePart::Pair { .. } => pair.as_mut_slice(),
			SlicePart::Group { offset, len, .. } => {
				let from = (offset - base) as usize;
				&mut out[from..from + len as usize]
			}
		};
		fill(recv, place, &mut account, pace, start).await?;
		let verified = decoder.push(place).map_err(SliceFault::Wrong)?;
		if let Some(group) = verified.group {
			wanted.progress.add(group.bytes.len() as u64);
		}
	}
	decoder.finish().map_err(SliceFault::Wrong)?;
	paced(pace, start, crate::stream::read_end(recv)).await?;
	account.done = true;
	Ok(out.into())
}

/// Fills `place` from the stream.
async fn fill(
	recv: &mut RecvStream,
	place: &mut [u8],
	account: &mut Account<'_>,
	pace: Pace,
	start: Instant,
) -> Result<(), StreamError> {
	let mut filled = 0;
	while let Some(rest) = place.get_mut(filled..).filter(|rest| !rest.is_empty()) {
		let read = paced(pace, start, recv.read(rest)).await?;
		let read = read.ok_or(StreamError::Short)?;
		filled += read;
		account.bytes += read as u64;
	}
	Ok(())
}
