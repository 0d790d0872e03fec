//! One audit answer at 10^8 stripes: made and verified natively, and its size. The `bench-wasm`
//! program adds what verifying costs inside wasm.

use arion_storage_proof::{sample::Shape, ChunkProof, Outboard};
use bench_harness::{pin, BenchError, Case, Contest, Contestant, Options, Report, Unit};
use bench_proof::{chunk_of_group, failed, sample, verify, BYTE, CHUNK, FULL_BATCHES};
use codec::Encode;
use std::hint::black_box;

fn main() -> Result<(), BenchError> {
	let options = Options::from_env()?;
	let mut report = Report::new(&options, pin());
	report.note("one audit answer for a 1 MiB shard in a ledger of 10^8 stripes");
	for (case, shape) in [
		("answer-bytes-full-batches", FULL_BATCHES),
		("answer-bytes", Shape::HUNDRED_MILLION),
	] {
		let sample = sample(shape)?;
		let answer = sample.answer(BYTE).map_err(failed)?.encode();
		let shown = verify(&sample, &answer)?;
		if shown != CHUNK {
			return Err(BenchError::Wrong {
				name: "storage-proof".into(),
				case: "verify".into(),
				what: format!("chunk {shown} instead of {CHUNK}"),
			});
		}
		let about = format!("{} batches of {} stripes", shape.batches, shape.stripes);
		report.push(Case::new(case, Unit::BYTES, answer.len() as f64).note(about));
	}

	let sample = sample(Shape::HUNDRED_MILLION)?;
	let answer = sample.answer(BYTE).map_err(failed)?.encode();
	let peaks = sample.mmr.peaks().encode().len() as f64;
	report.push(Case::new("peaks-bytes", Unit::BYTES, peaks));
	let mut contestants = [
		Contestant::new("make-outboard", || {
			black_box(Outboard::build(&sample.shard));
			Ok(())
		}),
		Contestant::new("make-chunk-of-shard", || {
			black_box(ChunkProof::make(&sample.shard, CHUNK).map_err(failed)?);
			Ok(())
		}),
		Contestant::new("make-chunk-of-group", || {
			black_box(chunk_of_group(&sample)?);
			Ok(())
		}),
		Contestant::new("make-answer", || {
			black_box(sample.answer(BYTE).map_err(failed)?.encode());
			Ok(())
		}),
		Contestant::new("verify-answer", || {
			black_box(verify(&sample, &answer)?);
			Ok(())
		}),
	];
	for figure in Contest::from(&options).measure(&mut contestants)? {
		report.push(Case::measured(
			figure.name.as_str(),
			Unit::US,
			1,
			&figure,
			&[],
		));
	}
	report.write(&options, "proof")
}
