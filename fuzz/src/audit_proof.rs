//! Audit answers: `u64` offset, slot, answer. One ledger is real; no answer but the honest one may
//! verify against it.

use crate::Input;
use arion_storage_proof::{
	sample::{Sample, Shape},
	AuditProof, Blake2, Challenge,
};
use codec::Encode;
use std::sync::OnceLock;

const SHAPE: Shape = Shape {
	batches: 13,
	stripes: 5,
	shard_len: 4096,
	real_len: 40_000,
	batch: 10,
	stripe: 3,
	slot: 7,
};

fn sample() -> &'static Sample {
	static SAMPLE: OnceLock<Sample> = OnceLock::new();
	SAMPLE.get_or_init(|| Sample::new::<Blake2>(SHAPE, 1).unwrap())
}

/// Verifies as the chain would.
pub fn run(data: &[u8]) {
	let mut input = Input(data);
	let challenge = Challenge {
		offset: input.u64(),
		slot: input.u8(),
	};
	let Ok(proof) = AuditProof::from_bytes(input.0) else {
		return;
	};
	assert_eq!(proof.encode(), input.0, "the encoding is not the only one");
	let sample = sample();
	if let Ok(proved) = proof.verify::<Blake2>(sample.mmr.peaks(), &challenge) {
		let byte = challenge.offset - sample.start();
		assert_eq!(sample.answer(byte).unwrap(), proof);
		assert_eq!(proved.chunk, byte / 1024);
		assert_eq!(challenge.slot, SHAPE.slot);
	}
}

/// Honest answers.
pub fn seeds() -> Vec<Vec<u8>> {
	[0, 5000, 20_000, 39_999]
		.map(|byte| {
			let challenge = sample().challenge(byte);
			let answer = sample().answer(byte).unwrap();
			assert!(answer
				.verify::<Blake2>(sample().mmr.peaks(), &challenge)
				.is_ok());
			(challenge.offset, challenge.slot, answer).encode()
		})
		.into()
}
