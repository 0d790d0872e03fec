//! Reed-Solomon 10+20 beside other codecs: encode, ten lost, one lost, in several memory layouts.

mod coder;
mod layout;
mod rivals;

use bench_harness::{fnv1a64, pin, BenchError, Case, Contest, Contestant, Options, Report, Unit};
use coder::{Coder, Op};
use layout::{Layout, Stripes, DATA};
use rivals::{Field, Ours};
use std::cell::RefCell;

fn main() -> Result<(), BenchError> {
	let options = Options::from_env()?;
	let core = pin();
	let mut report = Report::new(&options, core);
	let mut field = rivals::all(&options, &mut report)?;
	for length in [layout::MIB, layout::SMALL, layout::TINY] {
		check(&mut field, length)?;
	}
	report.note("outputs of all coders checked; GB/s of source bytes (ten data shards)");
	for layout in Layout::all(options.quick) {
		if !Op::ALL
			.into_iter()
			.any(|op| options.wants(&layout.case(op)))
		{
			continue;
		}
		let stripes = RefCell::new(Stripes::new(&layout)?);
		for op in Op::ALL {
			if layout.has(op) && options.wants(&layout.case(op)) {
				measure(&options, &mut report, &mut field, &layout, &stripes, op)?;
			}
		}
	}
	report.write(&options, "erasure")
}

/// Measures all coders in one case, and reports it for our best kernel and for every other one.
fn measure(
	options: &Options,
	report: &mut Report,
	field: &mut Field,
	layout: &Layout,
	stripes: &RefCell<Stripes>,
	op: Op,
) -> Result<(), BenchError> {
	let bytes = DATA * layout.len;
	let ours = field.ours.len();
	let coders = field.ours.iter_mut().map(|coder| coder as &mut dyn Coder);
	let rivals = field
		.rivals
		.iter_mut()
		.map(|coder| coder.as_mut() as &mut dyn Coder);
	let mut contestants: Vec<_> = coders
		.chain(rivals)
		.map(|coder| {
			Contestant::new(coder.name().to_owned(), move || {
				coder.run(op, &mut stripes.borrow_mut().turn())
			})
		})
		.collect();
	let figures = Contest::from(options).measure(&mut contestants)?;
	drop(contestants);
	// Cutting shards into tiles is the caller's work, not the library's: a case of its own.
	let (tiled, rivals): (Vec<_>, Vec<_>) = figures[ours..]
		.iter()
		.partition(|figure| figure.name.ends_with(rivals::TILED));
	let case = layout.case(op);
	let best = Case::measured(&case, Unit::GB_PER_S, bytes, &figures[0], &rivals);
	report.push(best.note(format!("{}; {}", figures[0].name, layout.about)));
	if !tiled.is_empty() {
		let case = format!("{case}/caller-tiled");
		report.push(Case::measured(
			case,
			Unit::GB_PER_S,
			bytes,
			&figures[0],
			&tiled,
		));
	}
	for (figure, tier) in figures[..ours].iter().zip(&field.ours) {
		let peers = rivals
			.iter()
			.filter(|rival| tier.peers().contains(&rival.name.as_str()))
			.copied();
		let peers: Vec<_> = peers.collect();
		let case = format!("{case}/{}", figure.name);
		report.push(Case::measured(case, Unit::GB_PER_S, bytes, figure, &peers));
	}
	Ok(())
}

/// Every coder's outputs for test data of `len` bytes per shard: parity must be the known one, lost
/// shards must come back.
fn check(field: &mut Field, len: usize) -> Result<(), BenchError> {
	let mut stripes = Stripes::new(&Layout::one(len))?;
	let ours: &mut Ours = &mut field.ours[0];
	let mut expected = None;
	let rivals = field
		.rivals
		.iter_mut()
		.map(|coder| coder.as_mut() as &mut dyn Coder);
	for coder in std::iter::once(ours as &mut dyn Coder).chain(rivals) {
		check_one(coder, &mut stripes, len, &mut expected)?;
	}
	for ours in &mut field.ours[1..] {
		check_one(ours, &mut stripes, len, &mut expected)?;
	}
	Ok(())
}

fn check_one(
	coder: &mut dyn Coder,
	stripes: &mut Stripes,
	len: usize,
	expected: &mut Option<u64>,
) -> Result<(), BenchError> {
	let wrong = |coder: &dyn Coder, op: Op, what: String| BenchError::Wrong {
		name: coder.name().to_owned(),
		case: format!("{} of {len} B shards", op.name()),
		what,
	};
	coder.keep_output(true);
	let mut shards = stripes.turn();
	let data = layout::data(len);
	for (shard, bytes) in shards.iter_mut().zip(data.chunks(len)) {
		shard.copy_from_slice(bytes);
	}
	shards[DATA..].iter_mut().for_each(|shard| shard.fill(0xA5));
	coder.run(Op::Encode, &mut shards)?;
	let parity = fnv1a64(shards[DATA..].iter().map(|shard| &**shard));
	if coder.same_code() {
		let known = layout::known_parity(len).or(*expected).unwrap_or(parity);
		if parity != known {
			let what = format!("parity {parity:016x} instead of {known:016x}");
			return Err(wrong(coder, Op::Encode, what));
		}
		*expected = Some(parity);
	}
	for op in [Op::TenLost, Op::OneLost] {
		shards[..op.lost()]
			.iter_mut()
			.for_each(|shard| shard.fill(0x5A));
		coder.run(op, &mut shards)?;
		if !data
			.chunks(len)
			.zip(shards.iter())
			.all(|(bytes, shard)| bytes == &**shard)
		{
			return Err(wrong(coder, op, "lost shards came back different".into()));
		}
	}
	coder.keep_output(false);
	Ok(())
}
