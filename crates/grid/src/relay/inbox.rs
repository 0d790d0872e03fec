//! Packets that came through relays, until the transport takes them.

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use quinn::udp::RecvMeta;
use std::{
	collections::VecDeque,
	io::IoSliceMut,
	net::SocketAddr,
	sync::{
		atomic::{AtomicU64, Ordering},
		Mutex, PoisonError,
	},
	task::{Context, Poll},
};

/// Packets kept, and their bytes; what comes on top is lost, as on any network.
const MOST: usize = 4096;
const MOST_BYTES: usize = 4 * 1024 * 1024;

struct Packet {
	from: SocketAddr,
	segment: usize,
	contents: Bytes,
}

#[derive(Default)]
struct Queue {
	packets: VecDeque<Packet>,
	bytes: usize,
}

/// The queue between the relays' tasks and the transport.
#[derive(Default)]
pub(crate) struct Inbox {
	queue: Mutex<Queue>,
	waker: AtomicWaker,
	lost: AtomicU64,
}

impl Inbox {
	/// Adds a batch of datagrams, all but the last of which are `segment` bytes long.
	pub(crate) fn push(&self, from: SocketAddr, segment: usize, contents: Bytes) {
		let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
		if queue.packets.len() >= MOST || queue.bytes + contents.len() > MOST_BYTES {
			drop(queue);
			return self.lost();
		}
		queue.bytes += contents.len();
		queue.packets.push_back(Packet {
			from,
			segment: segment.max(1),
			contents,
		});
		drop(queue);
		self.waker.wake();
	}

	/// Counts a packet that was not taken.
	pub(crate) fn lost(&self) {
		self.lost.fetch_add(1, Ordering::Relaxed);
	}

	/// Packets that were not taken so far.
	pub(crate) fn lost_so_far(&self) -> u64 {
		self.lost.load(Ordering::Relaxed)
	}

	/// Moves packets into the transport's buffers: as many whole datagrams as fit, the rest next
	/// time. One that fits no buffer is lost.
	pub(crate) fn poll(
		&self,
		cx: &mut Context<'_>,
		buffers: &mut [IoSliceMut<'_>],
		meta: &mut [RecvMeta],
	) -> Poll<usize> {
		// Registered first: a packet that comes between the look and the registration would wait.
		self.waker.register(cx.waker());
		let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
		let mut count = 0;
		for (buffer, meta) in buffers.iter_mut().zip(meta) {
			let Some((from, segment, part)) = queue.take(buffer.len(), || self.lost()) else {
				break;
			};
			if let Some(target) = buffer.get_mut(..part.len()) {
				target.copy_from_slice(&part);
			}
			*meta = RecvMeta::default();
			meta.addr = from;
			meta.len = part.len();
			meta.stride = segment;
			count += 1;
		}
		match count {
			0 => Poll::Pending,
			_ => Poll::Ready(count),
		}
	}
}

impl Queue {
	fn take(&mut self, room: usize, lost: impl Fn()) -> Option<(SocketAddr, usize, Bytes)> {
		loop {
			let packet = self.packets.front_mut()?;
			let whole = match packet.segment <= room {
				true => (room / packet.segment * packet.segment).min(packet.contents.len()),
				// Only a last, short one could fit, and nobody sends such.
				false => 0,
			};
			if whole == 0 {
				lost();
				self.pop();
				continue;
			}
			let part = packet.contents.split_to(whole);
			let taken = (packet.from, packet.segment, part);
			self.bytes -= whole;
			if packet.contents.is_empty() {
				self.pop();
			}
			return Some(taken);
		}
	}

	fn pop(&mut self) {
		if let Some(packet) = self.packets.pop_front() {
			self.bytes -= packet.contents.len();
		}
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]

	use super::*;
	use futures_util::task::noop_waker;
	use proptest::prelude::*;

	fn from() -> SocketAddr {
		"240.0.0.1:1".parse().unwrap()
	}

	/// Takes everything with buffers of `room` bytes; the datagrams in order.
	fn drain(inbox: &Inbox, room: usize) -> Vec<Vec<u8>> {
		let waker = noop_waker();
		let mut cx = Context::from_waker(&waker);
		let mut datagrams = Vec::new();
		let mut memory = vec![vec![0; room]; 3];
		loop {
			let mut buffers: Vec<_> = memory.iter_mut().map(|m| IoSliceMut::new(m)).collect();
			let mut meta = [RecvMeta::default(); 3];
			let Poll::Ready(count) = inbox.poll(&mut cx, &mut buffers, &mut meta) else {
				return datagrams;
			};
			for (buffer, meta) in buffers.iter().zip(meta).take(count) {
				assert_eq!(meta.addr, from());
				datagrams.extend(buffer[..meta.len].chunks(meta.stride).map(<[u8]>::to_vec));
			}
		}
	}

	#[test]
	fn a_full_queue_loses_packets_and_says_so() {
		let inbox = Inbox::default();
		for _ in 0..MOST + 10 {
			inbox.push(from(), 1, Bytes::from_static(b"x"));
		}
		assert_eq!(inbox.lost_so_far(), 10);
		assert_eq!(drain(&inbox, 10).len(), MOST);
		let big = Bytes::from(vec![0; 64 * 1024]);
		for _ in 0..100 {
			inbox.push(from(), 1000, big.clone());
		}
		assert_eq!(inbox.lost_so_far(), 10 + 36);
		drain(&inbox, 2000);
		assert_eq!(inbox.queue.lock().unwrap().bytes, 0);
	}

	#[test]
	fn a_datagram_too_long_for_every_buffer_is_lost_alone() {
		let inbox = Inbox::default();
		inbox.push(from(), 3000, Bytes::from(vec![1; 3000]));
		inbox.push(from(), 5, Bytes::from_static(b"after"));
		assert_eq!(drain(&inbox, 1472), [b"after"]);
		assert_eq!(inbox.lost_so_far(), 1);
	}

	proptest! {
		#[test]
		fn datagrams_stay_whole_and_in_order(
			batches in prop::collection::vec((1usize..40, 1usize..200), 1..20),
			room in 40usize..100,
		) {
			let inbox = Inbox::default();
			let mut sent = Vec::new();
			for (at, (segment, len)) in batches.into_iter().enumerate() {
				let contents = vec![at as u8; len];
				sent.extend(contents.chunks(segment).map(<[u8]>::to_vec));
				inbox.push(from(), segment, contents.into());
			}
			prop_assert_eq!(drain(&inbox, room), sent);
			prop_assert_eq!(inbox.lost_so_far(), 0);
		}
	}
}
