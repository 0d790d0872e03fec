use arion_storage_proof::{
	mmr::prove_with, sample::hash, Batch, Blake2, Mmr, Peaks, ProofError, Sibling, Sum, SumHasher,
	SumNode,
};
use codec::{Decode, Encode};
use proptest::prelude::*;

fn batch(index: u64, bytes: u64) -> Batch {
	Batch {
		root: hash(index),
		bytes,
		stripes: 1 + index as u32,
	}
}

/// The node over `leaves`, a full tree, by the definition.
fn naive(leaves: &[SumNode]) -> SumNode {
	if let [leaf] = leaves {
		return *leaf;
	}
	let (left, right) = leaves.split_at(leaves.len() / 2);
	let (left, right) = (naive(left), naive(right));
	let data = (
		*b"arion/ledger/v1\0",
		left.hash,
		left.sum,
		right.hash,
		right.sum,
	)
		.encode();
	assert_eq!(data.len(), 96);
	SumNode {
		hash: Blake2::blake2_256(&data),
		sum: left.sum + right.sum,
	}
}

fn naive_peaks(mut leaves: &[SumNode]) -> Vec<SumNode> {
	let mut peaks = Vec::new();
	while !leaves.is_empty() {
		let (first, rest) = leaves.split_at(1 << leaves.len().ilog2());
		peaks.push(naive(first));
		leaves = rest;
	}
	peaks
}

#[test]
fn peaks_are_those_of_the_naive_model() {
	let mut mmr = Mmr::new();
	let mut peaks = Peaks::new();
	let mut leaves = Vec::new();
	let mut roots = Vec::new();
	for index in 0..130u64 {
		let batch = batch(index, 64 * (1 + index * index % 97));
		assert_eq!(peaks.append::<Blake2>(&batch), Ok(index));
		assert_eq!(mmr.append::<Blake2>(&batch), Ok(index));
		leaves.push(batch.leaf::<Blake2>());
		assert_eq!(peaks.peaks(), naive_peaks(&leaves));
		assert_eq!(mmr.peaks(), &peaks);
		assert_eq!(peaks.total(), Ok(leaves.iter().map(|leaf| leaf.sum).sum()));
		let root = peaks.root::<Blake2>().unwrap();
		assert_eq!(Ok(root.sum), peaks.total());
		assert!(!roots.contains(&root.hash));
		roots.push(root.hash);
	}
	assert_eq!(Peaks::new().root::<Blake2>().unwrap().sum, 0);
}

#[test]
fn every_batch_is_located_and_proved_at_every_size() {
	let mut mmr = Mmr::new();
	let mut batches = Vec::new();
	for size in 1..40u64 {
		let next = batch(size, 64 * (1 + size * 7 % 13));
		mmr.append::<Blake2>(&next).unwrap();
		batches.push(next);
		let mut start = 0;
		for (index, batch) in batches.iter().enumerate() {
			let index = index as u64;
			let leaf = batch.leaf::<Blake2>();
			let path = mmr.prove(index).unwrap();
			assert_eq!(path.len() as u32, mmr.peaks().depth(index).unwrap());
			assert_eq!(mmr.peaks().verify::<Blake2>(index, &leaf, &path), Ok(start));
			for offset in [start, start + batch.bytes - 1] {
				assert_eq!(mmr.locate(offset), Some((index, start)));
				assert_eq!(
					mmr.peaks()
						.verify_offset::<Blake2>(index, &leaf, &path, offset),
					Ok(start)
				);
			}
			for offset in [start.wrapping_sub(1), start + batch.bytes, u64::MAX] {
				assert!(matches!(
					mmr.peaks()
						.verify_offset::<Blake2>(index, &leaf, &path, offset),
					Err(ProofError::NotCovered { .. })
				));
			}
			for other in 0..size + 3 {
				if other != index {
					assert!(mmr.peaks().verify::<Blake2>(other, &leaf, &path).is_err());
				}
			}
			start += batch.bytes;
		}
		assert_eq!(mmr.locate(start), None);
		assert!(mmr.prove(size).is_err());
	}
}

#[test]
fn proofs_are_made_from_nodes_stored_anywhere_and_name_the_missing_one() {
	let mut mmr = Mmr::new();
	for index in 0..13 {
		mmr.append::<Blake2>(&batch(index, 640)).unwrap();
	}
	assert_eq!(
		prove_with(13, 9, |level, index| mmr.node(level, index)),
		mmr.prove(9)
	);
	let missing = prove_with(13, 9, |level, index| {
		mmr.node(level, index).filter(|_| level == 0)
	});
	assert_eq!(missing, Err(ProofError::MissingNode { level: 1, index: 5 }));
}

#[test]
fn moving_bytes_between_siblings_is_noticed() {
	let mut mmr = Mmr::new();
	let batches: Vec<_> = (0..4).map(|i| batch(i, 64 * 100)).collect();
	for batch in &batches {
		mmr.append::<Blake2>(batch).unwrap();
	}
	// The totals stay, the shares change: at the leaf, and one step above.
	let path = mmr.prove(0).unwrap();
	for (moved, step) in [(64u64, 0usize), (64, 1), (6336, 0)] {
		let mut leaf = batches[0].leaf::<Blake2>();
		leaf.sum -= moved;
		let mut bad = path.clone();
		let sum = bad[step].sum.bytes().unwrap() + moved;
		bad[step].sum = Sum::new(sum).unwrap();
		assert_eq!(
			mmr.peaks().verify::<Blake2>(0, &leaf, &bad),
			Err(ProofError::RootMismatch)
		);
	}
	let (a, b) = (path[0].sum, path[1].sum);
	let mut bad = path.clone();
	bad[0].sum = b;
	bad[1].sum = a;
	assert_eq!(
		mmr.peaks()
			.verify::<Blake2>(0, &batches[0].leaf::<Blake2>(), &bad),
		Err(ProofError::RootMismatch)
	);
}

#[test]
fn sums_never_overflow_quietly() {
	let huge = u64::MAX - 63;
	let mut peaks = Peaks::new();
	peaks.append::<Blake2>(&batch(0, huge)).unwrap();
	let before = peaks.clone();
	assert_eq!(
		peaks.append::<Blake2>(&batch(1, 64)),
		Err(ProofError::SumOverflow)
	);
	assert_eq!(peaks, before);
	let mut mmr = Mmr::new();
	mmr.append::<Blake2>(&batch(0, huge)).unwrap();
	assert_eq!(
		mmr.append::<Blake2>(&batch(1, 64)),
		Err(ProofError::SumOverflow)
	);
	assert_eq!(mmr.peaks(), &before);
	for bad in [0, 1, 63, 65] {
		assert_eq!(
			peaks.append::<Blake2>(&batch(1, bad)),
			Err(ProofError::SumUnit(bad))
		);
		assert_eq!(Sum::new(bad), Err(ProofError::SumUnit(bad)));
	}
	// Siblings whose sums do not add up, or do not even fit.
	let small: Vec<_> = (0..4).map(|i| batch(i, 64)).collect();
	let mut mmr = Mmr::new();
	for batch in &small {
		mmr.append::<Blake2>(batch).unwrap();
	}
	let leaf = small[3].leaf::<Blake2>();
	let mut path = mmr.prove(3).unwrap();
	path[0].sum = Sum::new(huge).unwrap();
	assert_eq!(
		mmr.peaks().verify::<Blake2>(3, &leaf, &path),
		Err(ProofError::SumOverflow)
	);
	path[0].sum = Sum::decode(&mut &codec::Compact(u64::MAX).encode()[..]).unwrap();
	assert_eq!(path[0].sum.bytes(), Err(ProofError::SumOverflow));
	assert_eq!(
		mmr.peaks().verify::<Blake2>(3, &leaf, &path),
		Err(ProofError::SumOverflow)
	);
}

#[test]
fn peaks_from_strangers_are_checked() {
	let node = SumNode {
		hash: hash(1),
		sum: 64,
	};
	let forged = |leaves: u64, peaks: Vec<SumNode>| {
		let bytes = (codec::Compact(leaves), peaks).encode();
		Peaks::decode(&mut &bytes[..])
	};
	let refused = ProofError::PeakCount {
		given: 1,
		expected: 2,
	};
	let mut peaks = forged(3, vec![node]).unwrap();
	assert_eq!(peaks.check(), Err(refused));
	assert_eq!(peaks.append::<Blake2>(&batch(0, 64)), Err(refused));
	assert_eq!(peaks.verify::<Blake2>(0, &node, &[]), Err(refused));
	assert!(forged(1, vec![node; 65]).is_err());
	let mut full = forged(u64::MAX, vec![node; 64]).unwrap();
	assert_eq!(
		full.append::<Blake2>(&batch(0, 64)),
		Err(ProofError::LeafCount(u64::MAX))
	);
	let over = forged(
		3,
		vec![
			SumNode {
				sum: u64::MAX,
				..node
			};
			2
		],
	)
	.unwrap();
	assert_eq!(over.total(), Err(ProofError::SumOverflow));
	assert_eq!(over.root::<Blake2>(), Err(ProofError::SumOverflow));
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(48))]

	#[test]
	fn a_changed_bit_never_verifies(
		sums in prop::collection::vec(1u64..1 << 40, 2..60),
		pick in any::<u64>(),
		bit in any::<usize>(),
	) {
		let mut mmr = Mmr::new();
		for (index, sum) in sums.iter().enumerate() {
			mmr.append::<Blake2>(&batch(index as u64, sum * 64)).unwrap();
		}
		let index = pick % sums.len() as u64;
		let leaf = batch(index, sums[index as usize] * 64).leaf::<Blake2>();
		let path = mmr.prove(index).unwrap();
		let start = mmr.peaks().verify::<Blake2>(index, &leaf, &path).unwrap();
		prop_assert_eq!(start, sums[..index as usize].iter().sum::<u64>() * 64);
		let mut encoded = path.encode();
		let bit = bit % (encoded.len() * 8);
		encoded[bit / 8] ^= 1 << (bit % 8);
		if let Ok(bad) = <Vec<Sibling> as codec::DecodeAll>::decode_all(&mut &encoded[..]) {
			prop_assert!(mmr.peaks().verify::<Blake2>(index, &leaf, &bad).is_err());
		}
	}
}

proptest! {
	/// What peaks say of a longer, a shorter, and another ledger.
	#[test]
	fn peaks_confirm_what_stands_under_them(
		known in 0u64..70, there in 0u64..70, other in proptest::option::of(0u64..70),
	) {
		let build = |count: u64, other: Option<u64>| {
			let mut mmr = Mmr::new();
			for index in 0..count {
				let root = if other == Some(index) { 1_000 } else { index };
				mmr.append::<Blake2>(&batch(root, 64)).unwrap();
			}
			mmr
		};
		let ledger = build(known, other);
		let confirmed = ledger.confirmed_by(build(there, None).peaks());
		let other = other.filter(|other| *other < known.min(there));
		// Peaks from the left on, as far as all of a peak's batches are known and the same.
		let (mut first, mut expected, mut contradicted) = (0, 0, false);
		for height in (0..7).rev().filter(|height| there >> height & 1 == 1) {
			let end = first + (1u64 << height);
			if end > known {
				break;
			}
			if other.is_some_and(|other| (first..end).contains(&other)) {
				contradicted = true;
				break;
			}
			(first, expected) = (end, end);
		}
		prop_assert_eq!(confirmed.batches, expected);
		prop_assert_eq!(confirmed.contradicted, contradicted);
	}
}
