//! Stored outboards and chunk proofs: one byte says which.

use crate::Input;
use arion_storage_proof::{
	outboard::{group_bytes, group_count},
	sample::bytes,
	ChunkProof, Outboard, OutboardBuilder, GROUP_LEN,
};
use codec::{DecodeAll, Encode};
use hippius_primitives::{id::shard_id, ShardId};
use std::sync::OnceLock;

const LEN: usize = 6 * GROUP_LEN + 777;

fn shard() -> &'static (Vec<u8>, ShardId, Outboard) {
	static SHARD: OnceLock<(Vec<u8>, ShardId, Outboard)> = OnceLock::new();
	SHARD.get_or_init(|| {
		let shard = bytes(LEN, 5);
		(shard.clone(), shard_id(&shard), Outboard::build(&shard))
	})
}

/// Parses and verifies.
pub fn run(data: &[u8]) {
	let mut input = Input(data);
	match input.u8() % 4 {
		0 => parse(LEN as u64, input),
		1 => parse(input.u64(), input),
		2 => chunk(input),
		_ => build(input),
	}
}

fn parse(len: u64, input: Input) {
	let (_, id, honest) = shard();
	if let Ok(outboard) = Outboard::parse(input.0, len, id) {
		// One pair less or more changes the shape, so only lengths of as many groups pass; a single
		// group has no pairs that could be wrong.
		if group_count(len) == 1 {
			assert_eq!(input.0, []);
		} else {
			assert_eq!(group_count(len), group_count(LEN as u64));
			assert_eq!(outboard.as_bytes(), honest.as_bytes());
		}
		let (shard, ..) = shard();
		for group in 0..group_count(len) {
			let start = group as usize * GROUP_LEN;
			let end = (start + GROUP_LEN).min(len as usize).min(LEN);
			let bytes = shard.get(start..end).unwrap_or_default();
			let matches = outboard.group_matches(group, bytes);
			assert!(!matches || group_bytes(len, group) == group_bytes(LEN as u64, group));
		}
	}
}

fn chunk(mut input: Input) {
	let (shard, id, outboard) = shard();
	let index = u64::from(input.u16());
	let Ok(proof) = ChunkProof::decode_all(&mut input.0) else {
		return;
	};
	if let Ok(bytes) = proof.verify(id, LEN as u64, index) {
		let start = index as usize * 1024;
		assert_eq!(bytes, &shard[start..(start + 1024).min(LEN)]);
		let group = index as usize / 16 * GROUP_LEN;
		let group = &shard[group..(group + GROUP_LEN).min(LEN)];
		assert_eq!(ChunkProof::from_group(outboard, group, index), Ok(proof));
	}
}

/// Any bytes in any pieces give the outboard of the whole, and its proofs hold.
fn build(mut input: Input) {
	let index = u64::from(input.u16());
	let piece = usize::from(input.u16()) + 1;
	let repeat = usize::from(input.u8());
	let bytes = input
		.0
		.repeat(repeat.min(1 + (1 << 17) / input.0.len().max(1)));
	let mut builder = OutboardBuilder::new();
	bytes.chunks(piece).for_each(|piece| builder.push(piece));
	let outboard = builder.finish();
	assert_eq!(outboard.shard_id(), shard_id(&bytes));
	let parsed = Outboard::parse(
		outboard.as_bytes(),
		bytes.len() as u64,
		&outboard.shard_id(),
	);
	assert_eq!(parsed.as_ref(), Ok(&outboard));
	if let Ok(proof) = ChunkProof::make(&bytes, index) {
		let checked = proof.verify(&outboard.shard_id(), bytes.len() as u64, index);
		assert!(checked.is_ok());
	}
}

/// Honest ones.
pub fn seeds() -> Vec<Vec<u8>> {
	let (shard, _, outboard) = shard();
	let mut stored = vec![0];
	stored.extend_from_slice(outboard.as_bytes());
	let mut lying = vec![1];
	lying.extend_from_slice(&(LEN as u64).to_le_bytes());
	lying.extend_from_slice(outboard.as_bytes());
	vec![
		stored,
		lying,
		(2u8, 50u16, ChunkProof::make(shard, 50).unwrap()).encode(),
		(2u8, 96u16, ChunkProof::make(shard, 96).unwrap()).encode(),
		(3u8, 30u16, 5000u16, 200u8, [7u8; 400]).encode(),
	]
}
