use arion_storage_proof::{
	draw::Draws,
	sample::{bytes, hash, Sample, Shape},
	AuditProof, Blake2, Challenge, ChunkProof, ProofError, ShardLen, ShardPath,
};
use codec::{Encode, MaxEncodedLen};
use std::sync::OnceLock;

pub(crate) const SMALL: Shape = Shape {
	batches: 11,
	stripes: 6,
	shard_len: 4096,
	real_len: 20_032,
	batch: 9,
	stripe: 4,
	slot: 22,
};

pub(crate) fn small() -> &'static Sample {
	static SMALL_SAMPLE: OnceLock<Sample> = OnceLock::new();
	SMALL_SAMPLE.get_or_init(|| Sample::new::<Blake2>(SMALL, 1).unwrap())
}

#[test]
fn every_byte_of_a_shard_is_answered() {
	let sample = small();
	for byte in (0..20_032).step_by(61).chain([20_031]) {
		let answer = sample.answer(byte).unwrap();
		let proved = answer
			.verify::<Blake2>(sample.mmr.peaks(), &sample.challenge(byte))
			.unwrap();
		assert_eq!((proved.batch, proved.stripe), (9, 4));
		assert_eq!(proved.chunk, byte / 1024);
		assert_eq!(proved.shard, sample.shards[22]);
		assert_eq!(proved.entry, sample.tree.entries()[4]);
		assert_eq!(AuditProof::from_bytes(&answer.encode()), Ok(answer));
	}
}

#[test]
fn what_is_located_is_what_is_asked() {
	let sample = small();
	let challenge = sample.challenge(5000);
	let (batch, batch_start) = sample.mmr.locate(challenge.offset).unwrap();
	let (stripe, start) = sample.tree.locate(challenge.offset - batch_start).unwrap();
	assert_eq!((batch, stripe), (9, 4));
	assert_eq!(challenge.offset - batch_start - start, 5000);
}

#[test]
fn an_answer_holds_for_its_chunk_slot_and_ledger_only() {
	let sample = small();
	let peaks = sample.mmr.peaks();
	let answer = sample.answer(5000).unwrap();
	let asked = sample.challenge(5000);
	// Every byte of the same chunk is answered by it, no other.
	for byte in 0..20_032u64 {
		let verified = answer
			.verify::<Blake2>(peaks, &sample.challenge(byte))
			.is_ok();
		assert_eq!(verified, byte / 1024 == 5000 / 1024, "byte {byte}");
	}
	let total = peaks.total().unwrap();
	for offset in (0..total + 5000).step_by(997).chain([u64::MAX]) {
		let challenge = Challenge { offset, slot: 22 };
		let covered = (asked.offset - 5000 + 4096..asked.offset - 5000 + 5120).contains(&offset);
		assert_eq!(answer.verify::<Blake2>(peaks, &challenge).is_ok(), covered);
	}
	for slot in (0..=255).filter(|slot| *slot != 22) {
		let challenge = Challenge { slot, ..asked };
		assert!(answer.verify::<Blake2>(peaks, &challenge).is_err());
	}
	// Another placement group's ledger, and the same one a batch later.
	let other = Sample::new::<Blake2>(SMALL, 2).unwrap();
	assert_eq!(
		answer.verify::<Blake2>(other.mmr.peaks(), &asked),
		Err(ProofError::RootMismatch)
	);
	let mut later = peaks.clone();
	later.append::<Blake2>(&other.tree.batch()).unwrap();
	assert!(answer.verify::<Blake2>(&later, &asked).is_err());
}

#[test]
fn other_bytes_are_refused() {
	let sample = small();
	let peaks = sample.mmr.peaks();
	let asked = sample.challenge(5000);
	let good = sample.answer(5000).unwrap();
	// Another shard's chunk with its own honest path.
	let mut bad = good.clone();
	bad.chunk = ChunkProof::make(&bytes(20_032, 77), 4).unwrap();
	assert_eq!(
		bad.verify::<Blake2>(peaks, &asked),
		Err(ProofError::RootMismatch)
	);
	// Another chunk of the right shard.
	let mut bad = good.clone();
	bad.chunk = ChunkProof::make(&sample.shard, 5).unwrap();
	assert_eq!(
		bad.verify::<Blake2>(peaks, &asked),
		Err(ProofError::RootMismatch)
	);
	// The last, shorter chunk.
	let mut bad = good.clone();
	bad.chunk = ChunkProof::make(&sample.shard, 19).unwrap();
	assert!(matches!(
		bad.verify::<Blake2>(peaks, &asked),
		Err(ProofError::ChunkLength { .. })
	));
	// Another slot's path.
	let mut bad = good.clone();
	bad.shards = ShardPath::make(&sample.shards, 21).unwrap();
	assert_eq!(
		bad.verify::<Blake2>(peaks, &asked),
		Err(ProofError::RootMismatch)
	);
	// Another owner, another length, another place.
	let mut bad = good.clone();
	bad.owner = hash(4);
	assert_eq!(
		bad.verify::<Blake2>(peaks, &asked),
		Err(ProofError::RootMismatch)
	);
	let mut bad = good.clone();
	bad.shard_len = ShardLen::new(20_096).unwrap();
	assert!(bad.verify::<Blake2>(peaks, &asked).is_err());
	for (batch, stripe, stripes) in [
		(8, 4, 6),
		(10, 4, 6),
		(11, 4, 6),
		(u64::MAX, 4, 6),
		(9, 5, 6),
		(9, 3, 6),
		(9, 4, 5),
		(9, 4, 7),
		(9, 4, 0),
		(9, 4, u32::MAX),
		(9, u32::MAX, u32::MAX),
		(9, 6, 6),
	] {
		let mut bad = good.clone();
		(bad.batch, bad.stripe, bad.stripes) = (batch, stripe, stripes);
		assert!(bad.verify::<Blake2>(peaks, &asked).is_err());
	}
}

#[test]
fn an_answer_is_small_at_a_hundred_million_stripes() {
	let shape = Shape::HUNDRED_MILLION;
	assert!(shape.batches * u64::from(shape.stripes) >= 100_000_000);
	let sample = Sample::new::<Blake2>(shape, 3).unwrap();
	for byte in [0, 700_000, (1 << 20) - 1] {
		let answer = sample.answer(byte).unwrap();
		assert!(answer
			.verify::<Blake2>(sample.mmr.peaks(), &sample.challenge(byte))
			.is_ok());
		assert_eq!(answer.path.len(), 26);
		assert_eq!(answer.encode().len(), 2500);
	}
	assert!(sample.mmr.peaks().encoded_size() < 64 * 40);
}

#[test]
fn strangers_bytes_are_bounded() {
	let max = AuditProof::max_encoded_len();
	assert!(max < 6000, "{max}");
	assert_eq!(
		AuditProof::from_bytes(&vec![0; max + 1]),
		Err(ProofError::TooLong {
			given: max + 1,
			max
		})
	);
	assert_eq!(AuditProof::from_bytes(&[]), Err(ProofError::Malformed));
	let mut bytes = small().answer(0).unwrap().encode();
	bytes.push(0);
	assert_eq!(AuditProof::from_bytes(&bytes), Err(ProofError::Malformed));
}

#[test]
fn a_drawn_byte_is_answered() {
	let sample = small();
	let peaks = sample.mmr.peaks();
	let total = peaks.total().unwrap();
	let draws = Draws {
		randomness: hash(9),
		block: 1,
	};
	let hit = (0..10_000).find_map(|draw| {
		let draw = draws.byte::<Blake2>(draw, total)?;
		let inside = draw.offset.checked_sub(sample.start())?;
		(draw.slot == 22 && inside < 20_032).then_some((draw, inside))
	});
	let (draw, inside) = hit.unwrap();
	let challenge = Challenge {
		offset: draw.offset,
		slot: draw.slot,
	};
	let answer = sample.answer(inside).unwrap();
	assert!(answer.verify::<Blake2>(peaks, &challenge).is_ok());
}
