//! No encoding but the honest one verifies.

use crate::audits::small;
use arion_storage_proof::{AuditProof, Blake2, Challenge, Peaks};
use codec::{DecodeAll, Encode};
use proptest::prelude::*;

#[test]
fn no_bit_of_an_answer_can_change() {
	let sample = small();
	let peaks = sample.mmr.peaks();
	// The last byte stands in a chunk that is not full, under nodes moved up.
	for byte in [5000, 20_031] {
		let challenge = sample.challenge(byte);
		let encoded = sample.answer(byte).unwrap().encode();
		for bit in 0..encoded.len() * 8 {
			let mut bad = encoded.clone();
			bad[bit / 8] ^= 1 << (bit % 8);
			if let Ok(bad) = AuditProof::from_bytes(&bad) {
				assert!(
					bad.verify::<Blake2>(peaks, &challenge).is_err(),
					"bit {bit}"
				);
			}
		}
	}
}

#[test]
fn no_bit_of_the_peaks_can_change_what_is_proved() {
	let sample = small();
	let answer = sample.answer(5000).unwrap();
	let challenge = sample.challenge(5000);
	let honest = answer
		.verify::<Blake2>(sample.mmr.peaks(), &challenge)
		.unwrap();
	let encoded = sample.mmr.peaks().encode();
	for bit in 0..encoded.len() * 8 {
		let mut bad = encoded.clone();
		bad[bit / 8] ^= 1 << (bit % 8);
		let Ok(bad) = Peaks::decode_all(&mut &bad[..]) else {
			continue;
		};
		// Digests of other mountains are none of this proof's business.
		if let Ok(proved) = answer.verify::<Blake2>(&bad, &challenge) {
			assert_eq!(proved, honest);
			assert_eq!(bad.leaves(), 11);
		}
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(400))]

	#[test]
	fn no_bytes_of_an_answer_can_change(
		byte in 0u64..20_032,
		changes in prop::collection::vec((any::<usize>(), 1u8..), 1..6),
		cut in prop::option::of(any::<usize>()),
	) {
		let sample = small();
		let challenge = sample.challenge(byte);
		let honest = sample.answer(byte).unwrap().encode();
		let mut bad = honest.clone();
		for (at, xor) in changes {
			let at = at % bad.len();
			bad[at] ^= xor;
		}
		if let Some(cut) = cut {
			bad.truncate(cut % honest.len());
		}
		if bad != honest {
			if let Ok(bad) = AuditProof::from_bytes(&bad) {
				prop_assert!(bad.verify::<Blake2>(sample.mmr.peaks(), &challenge).is_err());
			}
		}
	}

	#[test]
	fn no_garbage_verifies_or_panics(
		garbage in prop::collection::vec(any::<u8>(), 0..3000),
		offset in any::<u64>(),
		slot in any::<u8>(),
	) {
		if let Ok(proof) = AuditProof::from_bytes(&garbage) {
			let challenge = Challenge { offset, slot };
			prop_assert!(proof.verify::<Blake2>(small().mmr.peaks(), &challenge).is_err());
		}
		if let Ok(peaks) = Peaks::decode_all(&mut &garbage[..]) {
			let answer = small().answer(offset % 20_032).unwrap();
			prop_assert!(answer.verify::<Blake2>(&peaks, &small().challenge(offset % 20_032)).is_err());
		}
	}
}
