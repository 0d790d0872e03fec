//! The CPU floor of an upload: seal a stripe, code it into thirty shards, hash them. Fused as the
//! object crate does it, beside the same work step by step.

mod steps;

use arion_object::{ObjectKey, ShardBuffers, StripeSealer, Suite, STRIPE_PLAIN};
use bench_harness::{pin, BenchError, Case, Contest, Contestant, Options, Report, Unit, XorShift};
use bytes::Bytes;
use std::{cell::RefCell, collections::VecDeque};
use steps::{Coding, Steps};

/// How much memory is in turn.
#[derive(Clone, Copy)]
struct Layout {
	name: &'static str,
	/// Stripes of source bytes.
	sources: usize,
	/// Stripes of shards that wait to be sent.
	in_flight: usize,
}

const LAYOUTS: [Layout; 2] = [
	Layout {
		name: "hot",
		sources: 1,
		in_flight: 1,
	},
	// 670 MB and 380 MB: no cache holds much of it.
	Layout {
		name: "memory",
		sources: 64,
		in_flight: 12,
	},
];

fn main() -> Result<(), BenchError> {
	let options = Options::from_env()?;
	let mut report = Report::new(&options, pin());
	report.note("CPU seconds per 1e9 bytes of source; AES-256-GCM, shards of 1 MiB");
	report.note(
		"rivals: the same ciphers and hashes step by step, over our codec (in-sequence) and over \
		 reed-solomon-erasure as it comes (upstream-like)",
	);
	for layout in LAYOUTS {
		measure(&options, &mut report, layout)?;
	}
	report.write(&options, "upload")
}

/// Source stripes in turn.
struct Sources {
	stripes: Vec<Bytes>,
	next: usize,
}

impl Sources {
	fn new(count: usize) -> Self {
		let mut words = XorShift::new();
		let stripes = (0..count).map(|_| {
			let mut stripe = vec![0; STRIPE_PLAIN];
			words.fill(&mut stripe);
			Bytes::from(stripe)
		});
		Self {
			stripes: stripes.collect(),
			next: 0,
		}
	}

	fn turn(&mut self) -> Bytes {
		self.next = (self.next + 1) % self.stripes.len();
		self.stripes[self.next].clone()
	}
}

/// As [`BenchError::failed`] in `map_err`.
pub(crate) fn failed<E: std::fmt::Display>(name: &str) -> impl Fn(E) -> BenchError + '_ {
	move |cause| BenchError::failed(name, cause)
}

pub(crate) fn sealer() -> Result<StripeSealer, BenchError> {
	let key = ObjectKey::from_bytes([7; 32]);
	StripeSealer::new(Suite::Aes256Gcm, &key).map_err(failed("sealer"))
}

fn measure(options: &Options, report: &mut Report, layout: Layout) -> Result<(), BenchError> {
	let case = |part: &str| format!("{part}-{}", layout.name);
	if !options.wants(&case("upload")) && !options.wants(&case("part")) {
		return Ok(());
	}
	let sources = RefCell::new(Sources::new(layout.sources));
	let contest = Contest::from(options);

	let mut fused = Fused::new(layout.in_flight)?;
	fused.check(&sources.borrow_mut().turn())?;
	let mut ours = Steps::new(layout.in_flight, Coding::Ours)?;
	ours.check(&sources.borrow_mut().turn())?;
	let mut upstream = Steps::new(layout.in_flight, Coding::upstream()?)?;
	upstream.check(&sources.borrow_mut().turn())?;

	if options.wants(&case("upload")) {
		let figures = contest.measure(&mut [
			Contestant::new("fused", || fused.run(&sources.borrow_mut().turn())),
			Contestant::new("in-sequence", || ours.run(&sources.borrow_mut().turn())),
			Contestant::new("upstream-like", || {
				upstream.run(&sources.borrow_mut().turn())
			}),
		])?;
		let rivals = [&figures[1], &figures[2]];
		report.push(Case::measured(
			case("upload"),
			Unit::S_PER_GB,
			STRIPE_PLAIN,
			&figures[0],
			&rivals,
		));
	}
	drop(upstream);
	let ours = RefCell::new(ours);
	let mut parts = [
		Contestant::new("seal", || {
			ours.borrow_mut()
				.seal(&sources.borrow_mut().turn())
				.map(drop)
		}),
		Contestant::new("encode", || ours.borrow_mut().encode_alone()),
		Contestant::new("hash", || {
			ours.borrow_mut().hash_alone();
			Ok(())
		}),
	];
	if !options.wants(&case("part")) {
		return Ok(());
	}
	for figure in contest.measure(&mut parts)? {
		let case = case(&format!("part-{}", figure.name));
		report.push(Case::measured(
			case,
			Unit::S_PER_GB,
			STRIPE_PLAIN,
			&figure,
			&[],
		));
	}
	Ok(())
}

/// As the gateway does it.
struct Fused {
	sealer: StripeSealer,
	buffers: ShardBuffers,
	waiting: VecDeque<arion_object::EncodedStripe>,
	in_flight: usize,
}

impl Fused {
	fn new(in_flight: usize) -> Result<Self, BenchError> {
		let buffers = ShardBuffers::new((in_flight + 1) * steps::TOTAL);
		Ok(Self {
			sealer: sealer()?,
			buffers,
			waiting: VecDeque::new(),
			in_flight,
		})
	}

	fn run(&mut self, plain: &Bytes) -> Result<(), BenchError> {
		if self.waiting.len() >= self.in_flight {
			self.waiting.pop_front();
		}
		let plain = self
			.sealer
			.prepare_next(plain.clone(), false)
			.map_err(failed("seal"))?;
		let stripe = plain.encode(&self.buffers).map_err(failed("encode"))?;
		self.waiting.push_back(stripe);
		Ok(())
	}

	/// Whether shards and ids are right, with all memory taken that will be used.
	fn check(&mut self, plain: &Bytes) -> Result<(), BenchError> {
		for _ in 0..=self.in_flight {
			self.run(plain)?;
		}
		let Some(stripe) = self.waiting.back() else {
			return Err(BenchError::failed("fused", "no stripe"));
		};
		let shards: Vec<&[u8]> = stripe.shards.iter().map(|shard| &shard[..]).collect();
		let ids: Vec<[u8; 32]> = stripe.ids.iter().map(|id| id.0).collect();
		let stripe = self.sealer.stripes() - 1;
		steps::check("fused", &self.sealer, stripe, plain, &shards, &ids)
	}
}
