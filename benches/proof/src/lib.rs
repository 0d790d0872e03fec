//! A ledger of 10^8 stripes and one audit answer from it.

use arion_storage_proof::{
	sample::{Sample, Shape},
	stripes::MAX_BATCH_STRIPES,
	AuditProof, Blake2, ChunkProof, ProofError, CHUNK_LEN, GROUP_LEN,
};
use bench_harness::BenchError;

/// The byte of the shard that is asked for.
pub const BYTE: u64 = CHUNK * CHUNK_LEN as u64 + 5;
/// Its chunk.
pub const CHUNK: u64 = 777;

/// As few batches as hold 10^8 stripes: the longest numbers of stripes that an answer can have.
pub const FULL_BATCHES: Shape = Shape {
	batches: 100_000_000u64.div_ceil(MAX_BATCH_STRIPES as u64),
	stripes: MAX_BATCH_STRIPES,
	batch: 700,
	stripe: 40_123,
	..Shape::HUNDRED_MILLION
};

/// As [`BenchError::failed`] in `map_err`.
pub fn failed(cause: ProofError) -> BenchError {
	BenchError::failed("storage-proof", cause)
}

/// The ledger, and what a member of the placement group keeps to answer audits.
///
/// # Errors
/// [`BenchError::Failed`] if the proofs' makers refuse it.
pub fn sample(shape: Shape) -> Result<Sample, BenchError> {
	Sample::new::<Blake2>(shape, 1).map_err(failed)
}

/// Reads an answer and verifies it, as a verifier does; the chunk it shows.
///
/// # Errors
/// [`BenchError::Failed`] if it does not verify.
pub fn verify(sample: &Sample, answer: &[u8]) -> Result<u64, BenchError> {
	let answer = AuditProof::from_bytes(answer).map_err(failed)?;
	let challenge = sample.challenge(BYTE);
	Ok(answer
		.verify::<Blake2>(sample.mmr.peaks(), &challenge)
		.map_err(failed)?
		.chunk)
}

/// The chunk's part of an answer, from the 16 KiB around it.
///
/// # Errors
/// [`BenchError::Failed`] if there is no such chunk.
pub fn chunk_of_group(sample: &Sample) -> Result<ChunkProof, BenchError> {
	let start = BYTE as usize / GROUP_LEN * GROUP_LEN;
	let group = sample
		.shard
		.get(start..start + GROUP_LEN)
		.unwrap_or_default();
	ChunkProof::from_group(&sample.outboard, group, CHUNK).map_err(failed)
}
