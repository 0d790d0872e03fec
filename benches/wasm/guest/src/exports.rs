//! The exported functions.

use alloc::vec::Vec;
use arion_crush::{mapper::do_rule, ClusterMap, CrushMap, DrawMeter, Reweights};
use arion_storage_proof::{AuditProof, Challenge, Peaks, SumHasher};
use codec::{Decode, Encode};
use core::{fmt::Debug, hint::black_box};

/// BLAKE2b as the runtime has it: the node computes it.
struct HostBlake2;

impl SumHasher for HostBlake2 {
	fn blake2_256(data: &[u8]) -> [u8; 32] {
		sp_io::hashing::blake2_256(data)
	}
}

/// Decodes the arguments, runs `f`, hands its result back.
fn exported<A: Decode>(data: *const u8, len: usize, f: impl FnOnce(A) -> u64) -> u64 {
	// SAFETY: the executor has put `len` bytes there.
	let mut bytes = unsafe { core::slice::from_raw_parts(data, len) };
	let result = f(must(A::decode(&mut bytes))).encode();
	let packed = (result.len() as u64) << 32 | result.as_ptr() as u64;
	// The executor reads it after the return, and drops the whole memory then.
	core::mem::forget(result);
	packed
}

/// A panic ends the call with an error that the host sees.
fn must<T, E: Debug>(result: Result<T, E>) -> T {
	match result {
		Ok(value) => value,
		Err(error) => panic!("{error:?}"),
	}
}

/// The slots of placement groups, from an encoded cluster map.
#[no_mangle]
pub extern "C" fn bench_up(data: *const u8, len: usize) -> u64 {
	exported(data, len, |(count, map): (u32, Vec<u8>)| {
		let placement = must(must(ClusterMap::decode_checked(&map)).placement());
		let slots = (0..count).map(|pg| must(placement.up(pg % placement.pg_num())));
		slots
			.map(|slots| slots.into_iter().flatten().map(u64::from).sum::<u64>())
			.sum()
	})
}

/// Mappings of a rule over an encoded tree, of which all devices are in.
#[no_mangle]
pub extern "C" fn bench_rule(data: *const u8, len: usize) -> u64 {
	exported(data, len, |(count, rule, map): (u32, u32, Vec<u8>)| {
		let map = must(CrushMap::decode(&mut &map[..]));
		let reweights = Reweights::all_in(&map);
		let mapping = |x| {
			let mut meter = DrawMeter::new(1 << 20);
			must(do_rule(&map, rule, x, 30, &reweights, &mut meter))
		};
		(0..count)
			.flat_map(mapping)
			.map(|item| u64::from(item.unsigned_abs()))
			.sum()
	})
}

/// Audit answers: the peaks and the answer are decoded and verified.
#[no_mangle]
pub extern "C" fn bench_verify(data: *const u8, len: usize) -> u64 {
	type Arguments = (u32, Vec<u8>, Challenge, Vec<u8>);
	exported(data, len, |(count, peaks, challenge, answer): Arguments| {
		let verify = |_| {
			let peaks = must(Peaks::decode(&mut black_box(&peaks[..])));
			let answer = must(AuditProof::from_bytes(black_box(&answer)));
			must(answer.verify::<HostBlake2>(&peaks, &challenge)).chunk
		};
		(0..count).map(verify).sum()
	})
}

/// BLAKE2b of a node of the sum trees, by the host.
#[no_mangle]
pub extern "C" fn bench_blake2(data: *const u8, len: usize) -> u64 {
	exported(data, len, |(count, length): (u32, u32)| {
		let bytes = alloc::vec![7u8; length as usize];
		let hash = |_| u64::from(HostBlake2::blake2_256(black_box(&bytes))[0]);
		(0..count).map(hash).sum()
	})
}
