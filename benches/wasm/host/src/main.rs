//! Placement and proofs inside wasm, run by the executor of the node with its host functions. Adds
//! its cases to the reports of the native benches.

mod guest;

use arion_crush::{samples, ClusterMap};
use arion_storage_proof::sample::Shape;
use bench_harness::{pin, BenchError, Case, Contest, Contestant, Options, Report, Unit};
use bench_proof::{failed, sample, verify, BYTE, CHUNK};
use codec::Encode;
use guest::Guest;
use std::cell::RefCell;

fn main() -> Result<(), BenchError> {
	let options = Options::from_env()?;
	let need = |name: &str| {
		options
			.get(name)
			.ok_or_else(|| BenchError::Usage(format!("--set {name}= is missing")))
	};
	let bench = need("bench")?;
	let mut report = Report::new(&options, pin());
	let guest = Guest::load(need("guest")?)?;
	let measure = Measure {
		options: &options,
		guest: RefCell::new(guest),
	};
	match bench {
		"crush" => placement(&measure, &mut report)?,
		"proof" => proofs(&measure, &mut report)?,
		other => return Err(BenchError::Usage(format!("no wasm bench {other}"))),
	}
	report.append(&options, bench)
}

/// Mappings inside wasm.
fn placement(measure: &Measure<'_>, report: &mut Report) -> Result<(), BenchError> {
	for (nodes, cluster) in [(300, samples::small()), (2000, samples::large())] {
		let map = cluster.encode();
		let refused = |cause| BenchError::failed("samples::one_root", cause);
		let tree = samples::one_root(&cluster).map_err(refused)?.0.encode();
		let expected = ups(&cluster, 64)?;
		measure.equal("bench_up", &(64u32, &map), expected)?;
		let (once, each) = measure.split("bench_up", 100, |count| (count, &map).encode())?;
		report.push(case(format!("{nodes}-up/wasm"), each, ""));
		let about = "decode the map and prepare it, with the call";
		report.push(case(format!("{nodes}-build/wasm"), once, about));
		for (rule, name) in [
			(samples::RULE_BY_FAMILY, "by-family"),
			(samples::RULE_TAKES, "takes"),
		] {
			let arguments = |count: u32| (count, rule, &tree).encode();
			let (_, each) = measure.split("bench_rule", 100, arguments)?;
			report.push(case(format!("{nodes}-{name}/wasm"), each, ""));
		}
	}
	Ok(())
}

/// The sum of all nodes in the slots of the first placement groups.
fn ups(cluster: &ClusterMap, count: u32) -> Result<u64, BenchError> {
	let refused = |cause| BenchError::failed("placement", cause);
	let placement = cluster.placement().map_err(refused)?;
	let mut sum = 0;
	for pg in 0..count {
		let slots = placement
			.up(pg)
			.map_err(|cause| BenchError::failed("up", cause))?;
		sum += slots.into_iter().flatten().map(u64::from).sum::<u64>();
	}
	Ok(sum)
}

/// Audit answers verified inside wasm.
fn proofs(measure: &Measure<'_>, report: &mut Report) -> Result<(), BenchError> {
	let sample = sample(Shape::HUNDRED_MILLION)?;
	let answer = sample.answer(BYTE).map_err(failed)?.encode();
	let peaks = sample.mmr.peaks().encode();
	let challenge = sample.challenge(BYTE);
	verify(&sample, &answer)?;
	measure.equal(
		"bench_verify",
		&(3u32, &peaks, challenge, &answer),
		3 * CHUNK,
	)?;
	let arguments = |count: u32| (count, &peaks, challenge, &answer).encode();
	let (once, each) = measure.split("bench_verify", 200, arguments)?;
	let about = "peaks and answer decoded and verified, BLAKE2b by the host";
	report.push(case("verify-answer/wasm".into(), each, about));
	let about = "a call of the executor that verifies nothing: a fresh instance, arguments, return";
	report.push(case("call/wasm".into(), once, about));
	let (_, each) = measure.split("bench_blake2", 2_000, |count| (count, 96u32).encode())?;
	report.push(case("host-blake2-96-bytes/wasm".into(), each, ""));
	Ok(())
}

fn case(name: String, seconds: f64, note: &str) -> Case {
	let case = Case::new(name, Unit::US, seconds * 1e6);
	if note.is_empty() {
		case
	} else {
		case.note(note)
	}
}

struct Measure<'a> {
	options: &'a Options,
	guest: RefCell<Guest>,
}

impl Measure<'_> {
	/// Whether the guest's result is the native one.
	fn equal(&self, name: &str, arguments: &impl Encode, expected: u64) -> Result<(), BenchError> {
		let found = self.guest.borrow_mut().call(name, &arguments.encode())?;
		if found == expected {
			return Ok(());
		}
		Err(BenchError::Wrong {
			name: "wasm".into(),
			case: name.into(),
			what: format!("{found} instead of {expected}"),
		})
	}

	/// Seconds of a call that does the operation zero times, and seconds of each operation.
	fn split(
		&self,
		name: &str,
		count: u32,
		arguments: impl Fn(u32) -> Vec<u8>,
	) -> Result<(f64, f64), BenchError> {
		let run =
			|arguments: Vec<u8>| move || self.guest.borrow_mut().call(name, &arguments).map(drop);
		let mut contestants = [
			Contestant::new("none", run(arguments(0))),
			Contestant::new("some", run(arguments(count))),
		];
		let figures = Contest::from(self.options).measure(&mut contestants)?;
		let [none, some] = &figures[..] else {
			return Ok((0.0, 0.0));
		};
		let (none, some) = (none.seconds, some.seconds);
		Ok((none, (some - none) / f64::from(count)))
	}
}
