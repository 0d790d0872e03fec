//! Ranges, verified group by group.

use super::support::{grid, pair, quick, raw_server, say, shard, store, Memory, Script};
use crate::{
	wire::{code, Response},
	GridError, Progress,
};
use arion_storage_proof::{outboard::group_count, slice::encode_slice, Outboard, GROUP_LEN};
use hippius_primitives::{coding::SHARD_LEN, ShardId};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

#[tokio::test]
async fn ranges_of_all_kinds() {
	let ends = pair(quick(), Arc::new(Memory::default()));
	for (seed, len) in [
		(0, 1),
		(1, GROUP_LEN),
		(2, GROUP_LEN + 64),
		(3, 200_000),
		(4, SHARD_LEN),
	] {
		let (meta, bytes) = shard(seed, len, 3);
		let id = meta.shard().unwrap();
		store(&ends.peer, &meta, bytes.clone()).await.unwrap();
		let len = len as u32;
		let mut ranges = vec![0..1, 0..len, len - 1..len];
		if len > 20_000 {
			ranges.extend([16_383..16_385, 16_384..20_000, 5..len - 5]);
		}
		for range in ranges {
			let progress = Progress::default();
			let got = ends
				.peer
				.get_range(id, len, range.clone(), &progress)
				.await
				.unwrap();
			assert_eq!(got, bytes[range.start as usize..range.end as usize]);
			let groups = u64::from(range.end.div_ceil(16_384) - range.start / 16_384);
			assert!(progress.bytes() <= groups * 16_384 && progress.bytes() >= got.len() as u64);
		}
		for bad in [0..0, 5..5, 0..len + 1, len..len + 1] {
			let progress = Progress::default();
			let got = ends.peer.get_range(id, len, bad, &progress).await;
			assert!(matches!(got, Err(GridError::BadRequest { .. })));
		}
		// Another length than the shard has is neither served nor held against the node.
		for wrong in [len + 1, len + 64]
			.into_iter()
			.filter(|len| *len as usize <= SHARD_LEN)
		{
			let progress = Progress::default();
			let got = ends.peer.get_range(id, wrong, 0..1, &progress).await;
			let error = got.unwrap_err();
			let expected = (wrong, len);
			assert!(
				matches!(error, GridError::OtherLength { expected: e, said: s, .. } if (e, s) == expected),
				"{error}"
			);
			assert!(!error.is_misbehaviour());
		}
	}
	let absent = ends
		.peer
		.get_range(ShardId([1; 32]), 64, 0..1, &Progress::default())
		.await;
	assert!(absent.unwrap_err().is_not_found());
	assert_eq!(ends.client.transfers().wasted, 0);
}

#[tokio::test]
async fn one_byte_moves_little() {
	let ends = pair(quick(), Arc::new(Memory::default()));
	let (meta, bytes) = shard(1, SHARD_LEN, 3);
	store(&ends.peer, &meta, bytes.clone()).await.unwrap();
	let connection = ends.peer.entry.live().unwrap();
	let moved = || {
		let stats = connection.stats();
		stats.udp_rx.bytes + stats.udp_tx.bytes
	};
	let before = moved();
	let at = 777_777u32;
	let id = meta.shard().unwrap();
	let got = ends
		.peer
		.get_range(id, SHARD_LEN as u32, at..at + 1, &Progress::default())
		.await
		.unwrap();
	assert_eq!(got[..], bytes[at as usize..at as usize + 1]);
	let moved = moved() - before;
	println!("one byte of 1 MiB moved {moved} bytes, all packets of both ways counted");
	assert!(moved <= 64 * 1024, "{moved}");
	assert_eq!(ends.client.transfers().received, 16_384 + 6 * 64);
}

/// A server that sends `slice` for whatever is asked, and tells how its stream was stopped.
fn sends(len: u32, slice: Vec<u8>) -> (Script, mpsc::UnboundedReceiver<Option<u64>>) {
	let (stops, seen) = mpsc::unbounded_channel();
	let script: Script = Arc::new(move |mut send, mut recv| {
		let (slice, stops) = (slice.clone(), stops.clone());
		Box::pin(async move {
			recv.read_to_end(4096).await.unwrap();
			say(&mut send, &Response::Slice { len }).await;
			// Stopped in the middle, perhaps.
			let _ = send.write_all(&slice).await;
			let _ = send.finish();
			let stopped = send.stopped().await.ok().flatten();
			let _ = stops.send(stopped.map(quinn::VarInt::into_inner));
		})
	});
	(script, seen)
}

/// One bit anywhere ends the transfer at its group: what lies before has been counted, nothing
/// behind it has been read into the result.
#[tokio::test]
async fn one_wrong_bit_ends_the_transfer_at_its_group() {
	let (meta, bytes) = shard(1, SHARD_LEN, 3);
	let id = meta.shard().unwrap();
	let outboard = Outboard::build(&bytes);
	let groups = group_count(SHARD_LEN as u64);
	let slice = encode_slice(&bytes, &outboard, 0..groups).unwrap();
	for (position, expected) in [
		// The first pair; the first group behind six pairs; the last group.
		(3, 0),
		(6 * 64 + 100, 0),
		(slice.len() - 1, SHARD_LEN as u64 - 16_384),
		// In the middle: 32 groups, 31 pairs and the root's pair lie before the right half's pair.
		(64 + 31 * 64 + 32 * 16_384 + 7, SHARD_LEN as u64 / 2),
	] {
		let mut lie = slice.clone();
		lie[position] ^= 0x10;
		let (script, mut stops) = sends(SHARD_LEN as u32, lie);
		let (endpoint, key) = raw_server(script);
		let client = grid(quick());
		let peer = client.peer(key, vec![endpoint.local_addr().unwrap()]);
		let progress = Progress::default();
		let error = peer
			.get_range(id, SHARD_LEN as u32, 0..SHARD_LEN as u32, &progress)
			.await
			.unwrap_err();
		assert!(matches!(error, GridError::WrongBytes { shard, .. } if shard == id));
		assert_eq!(progress.bytes(), expected, "bit {position}");
		let stats = client.transfers();
		println!(
			"a bit at {position}: {} bytes verified, {} read, {} wasted",
			progress.bytes(),
			stats.received,
			stats.wasted
		);
		assert_eq!(stats.wasted, stats.received);
		// Not a group more was read than the one that was wrong.
		assert!(stats.received <= expected + 16_384 + 63 * 64);
		// The server is told to stop, unless all had arrived by then.
		let wrong = code::WRONG_BYTES.into_inner();
		let stopped = stops.recv().await.unwrap();
		assert!(stopped.is_none_or(|code| code == wrong), "{stopped:?}");
	}
}

#[tokio::test]
async fn cancelled_transfers_are_counted() {
	let (meta, bytes) = shard(1, SHARD_LEN, 3);
	let outboard = Outboard::build(&bytes);
	let slice = encode_slice(&bytes, &outboard, 0..64).unwrap();
	// A server that sends half and waits.
	let half: Arc<Mutex<Vec<u8>>> = Arc::new(Mutex::new(slice[..slice.len() / 2].to_vec()));
	let script: Script = Arc::new(move |mut send, mut recv| {
		let half = half.lock().unwrap().clone();
		Box::pin(async move {
			recv.read_to_end(4096).await.unwrap();
			say(
				&mut send,
				&Response::Slice {
					len: SHARD_LEN as u32,
				},
			)
			.await;
			send.write_all(&half).await.unwrap();
			let _ = send.stopped().await;
		})
	});
	let (endpoint, key) = raw_server(script);
	let client = grid(quick());
	let peer = client.peer(key, vec![endpoint.local_addr().unwrap()]);
	let progress = Progress::default();
	let id = meta.shard().unwrap();
	let get = {
		let (peer, progress) = (peer.clone(), progress.clone());
		tokio::spawn(async move {
			let all = 0..SHARD_LEN as u32;
			peer.get_range(id, SHARD_LEN as u32, all, &progress).await
		})
	};
	while progress.bytes() < 30 * 16_384 {
		tokio::task::yield_now().await;
	}
	get.abort();
	assert!(get.await.unwrap_err().is_cancelled());
	let stats = client.transfers();
	assert_eq!(stats.received, stats.wasted);
	assert!(stats.wasted >= 30 * 16_384, "{stats:?}");
}
