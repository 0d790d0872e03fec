use arion_storage_proof::{sample::bytes, ChunkProof, Outboard, OutboardBuilder, ProofError};
use hippius_primitives::id::shard_id;
use proptest::prelude::*;

const GROUP: usize = 16 * 1024;

/// Lengths around every boundary: of blocks, chunks, groups and powers of two of them.
fn lengths() -> Vec<usize> {
	let mut lengths = vec![1, 63, 64, 65, 1 << 20, (1 << 20) - 64];
	for power in 0..=6 {
		for near in [-1i64, 0, 1] {
			lengths.push(((1024 << power) as i64 + near) as usize);
			lengths.push(((3072 << power) as i64 + near) as usize);
		}
	}
	lengths.extend([5 * GROUP, 5 * GROUP + 1, 7 * GROUP - 1, 13 * GROUP + 1025]);
	lengths
}

fn group(shard: &[u8], chunk: u64) -> &[u8] {
	let start = chunk as usize / 16 * GROUP;
	&shard[start..(start + GROUP).min(shard.len())]
}

#[test]
fn every_chunk_is_proved_from_the_shard_and_from_its_outboard() {
	for len in lengths() {
		let shard = bytes(len, len as u64);
		let id = shard_id(&shard);
		let outboard = Outboard::build(&shard);
		assert_eq!(outboard.shard_id(), id, "length {len}");
		let chunks = len.div_ceil(1024) as u64;
		let step = (chunks / 40).max(1);
		for chunk in (0..chunks).filter(|i| i % step == 0 || i + 3 > chunks) {
			let proof = ChunkProof::make(&shard, chunk).unwrap();
			let start = chunk as usize * 1024;
			assert_eq!(
				proof.verify(&id, len as u64, chunk),
				Ok(&shard[start..(start + 1024).min(len)]),
				"chunk {chunk} of {len} bytes"
			);
			let short = ChunkProof::from_group(&outboard, group(&shard, chunk), chunk);
			assert_eq!(short, Ok(proof), "chunk {chunk} of {len} bytes");
		}
	}
}

#[test]
fn a_proof_holds_for_one_place_only() {
	let shard = bytes(100_000, 1);
	let id = shard_id(&shard);
	let proof = ChunkProof::make(&shard, 37).unwrap();
	for chunk in (0..200).filter(|chunk| *chunk != 37) {
		assert!(proof.verify(&id, 100_000, chunk).is_err());
	}
	// The way up from chunk 37 is the same in all shards of 65 to 128 chunks: the length is bound by
	// whoever names the shard, and by the proof of the last chunk.
	let last = ChunkProof::make(&shard, 97).unwrap();
	for len in (0..200_000).step_by(64).filter(|len| *len != 100_000) {
		let same_way = (65..=128).contains(&u64::div_ceil(len, 1024));
		assert_eq!(proof.verify(&id, len, 37).is_ok(), same_way, "{len}");
		for chunk in 0..196 {
			assert!(last.verify(&id, len, chunk).is_err(), "{len}");
		}
	}
	let other = bytes(100_000, 2);
	assert_eq!(
		proof.verify(&shard_id(&other), 100_000, 37),
		Err(ProofError::RootMismatch)
	);
	// Equal bytes at two places have different proofs, as the chunk's number is hashed too.
	let zeros = vec![0u8; 4096];
	let zero = ChunkProof::make(&zeros, 0).unwrap();
	assert!(zero.verify(&shard_id(&zeros), 4096, 0).is_ok());
	for chunk in 1..4 {
		assert!(zero.verify(&shard_id(&zeros), 4096, chunk).is_err());
	}
}

#[test]
fn places_that_do_not_exist_are_refused() {
	assert_eq!(ChunkProof::make(&[], 0), Err(ProofError::ShardLength(0)));
	assert_eq!(
		ChunkProof::make(&vec![0; (1 << 20) + 1], 0),
		Err(ProofError::ShardLength((1 << 20) + 1))
	);
	let shard = bytes(2048, 0);
	let refused = ProofError::ChunkIndex {
		index: 2,
		chunks: 2,
	};
	assert_eq!(ChunkProof::make(&shard, 2), Err(refused));
	let outboard = Outboard::build(&shard);
	assert_eq!(ChunkProof::from_group(&outboard, &shard, 2), Err(refused));
	assert_eq!(
		ChunkProof::from_group(&outboard, &shard[1..], 1),
		Err(ProofError::GroupMismatch(0))
	);
	let proof = ChunkProof::make(&shard, 1).unwrap();
	assert!(matches!(
		proof.root(u64::MAX, 1),
		Err(ProofError::ShardLength(_))
	));
	assert!(matches!(
		proof.root(2000, 1),
		Err(ProofError::ChunkLength { .. })
	));
	assert!(matches!(
		proof.root(4096, 1),
		Err(ProofError::PathLength { .. })
	));
}

#[test]
fn a_damaged_group_makes_no_proof() {
	let mut shard = bytes(3 * GROUP + 100, 3);
	let outboard = Outboard::build(&shard);
	shard[GROUP + 5] ^= 1;
	assert_eq!(
		ChunkProof::from_group(&outboard, group(&shard, 20), 20),
		Err(ProofError::GroupMismatch(1))
	);
	assert!(ChunkProof::from_group(&outboard, group(&shard, 0), 0).is_ok());
	assert!(outboard.group_matches(3, &shard[3 * GROUP..]));
	assert!(!outboard.group_matches(4, &[]));
	assert!(!outboard.group_matches(u64::MAX, &[]));
}

#[test]
fn outboards_are_built_in_any_pieces_and_read_back() {
	for len in lengths().into_iter().chain([0]) {
		let shard = bytes(len, 7);
		let whole = Outboard::build(&shard);
		assert_eq!(whole.shard_id(), shard_id(&shard));
		assert_eq!(whole.shard_len(), len as u64);
		for piece in [1000, 4096, GROUP + 1] {
			let mut builder = OutboardBuilder::new();
			for part in shard.chunks(piece) {
				builder.push(part);
			}
			assert_eq!(builder.seen(), len as u64);
			assert_eq!(builder.finish(), whole, "{len} bytes by {piece}");
		}
		let stored = whole.as_bytes();
		assert_eq!(stored.len(), (len.div_ceil(GROUP).max(1) - 1) * 64);
		let id = shard_id(&shard);
		assert_eq!(Outboard::parse(stored, len as u64, &id), Ok(whole.clone()));
		for byte in (0..stored.len()).step_by(61) {
			let mut bad = stored.to_vec();
			bad[byte] ^= 0x10;
			assert_eq!(
				Outboard::parse(&bad, len as u64, &id),
				Err(ProofError::RootMismatch)
			);
		}
		let mut longer = stored.to_vec();
		longer.push(0);
		assert!(Outboard::parse(&longer, len as u64, &id).is_err());
		assert!(Outboard::parse(stored, u64::MAX, &id).is_err());
	}
	assert_eq!(Outboard::build(&bytes(1 << 20, 0)).as_bytes().len(), 4032);
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(64))]

	#[test]
	fn a_changed_bit_never_verifies(len in 1usize..40_000, at in any::<u64>(), seed in any::<u64>()) {
		let shard = bytes(len, seed);
		let id = shard_id(&shard);
		let chunk = at % len.div_ceil(1024) as u64;
		let proof = ChunkProof::make(&shard, chunk).unwrap();
		let bits = proof.chunk.len() * 8;
		let mut bad = proof.clone();
		let mut raw = bad.chunk.to_vec();
		let bit = at as usize % bits;
		raw[bit / 8] ^= 1 << (bit % 8);
		bad.chunk = raw.try_into().unwrap();
		prop_assert_eq!(bad.verify(&id, len as u64, chunk), Err(ProofError::RootMismatch));
		for step in 0..proof.path.len() {
			let mut bad = proof.clone();
			let mut path = bad.path.to_vec();
			path[step][(at % 32) as usize] ^= 1 << (at % 8);
			bad.path = path.try_into().unwrap();
			prop_assert_eq!(bad.verify(&id, len as u64, chunk), Err(ProofError::RootMismatch));
		}
	}
}
