//! Placement: CPU time per mapping and per table, beside Ceph's `crushtool` where that is installed.

mod crushtool;
mod text;

use arion_crush::{
	mapper::{do_rule_in, Workspace},
	samples, ClusterMap, CrushMap, DrawMeter, Reweights,
};
use bench_harness::{
	median, pin, spread, thread_cpu_time, unpin, BenchError, Case, Contest, Contestant, Figure,
	Options, Report, Unit,
};
use crushtool::Crushtool;
use std::{hint::black_box, thread::available_parallelism, time::Instant};

/// Slots of a mapping.
const SLOTS: u32 = 30;
/// Far above what these maps take.
const MAX_DRAWS: u64 = 1 << 20;
/// Mappings compared with crushtool's, per rule.
const COMPARED: u32 = 1000;
/// Draws of one mapping.
const DRAWS: Unit = Unit {
	label: "draws",
	more_is_better: false,
};
/// The rules of a sample map.
const RULES: [(u32, &str); 4] = [
	(samples::RULE_BY_HOST, "by-host"),
	(samples::RULE_BY_FAMILY, "by-family"),
	(samples::RULE_TWO_STEPS, "two-steps"),
	(samples::RULE_TAKES, "takes"),
];

fn main() -> Result<(), BenchError> {
	let options = Options::from_env()?;
	let mut report = Report::new(&options, pin());
	let tool = match Crushtool::find(&options) {
		Ok(tool) => Some(tool),
		Err(cause) => {
			report.note(format!("crushtool left out: {cause}"));
			None
		}
	};
	for (nodes, cluster) in [(300, samples::small()), (2000, samples::large())] {
		rules(&options, &mut report, tool.as_ref(), nodes, &cluster)?;
		one_group(&options, &mut report, nodes, &cluster)?;
	}
	tables(&options, &mut report)?;
	report.write(&options, "crush")
}

/// CPU time and draws per mapping, rule by rule, over one tree.
fn rules(
	options: &Options,
	report: &mut Report,
	tool: Option<&Crushtool>,
	nodes: usize,
	cluster: &ClusterMap,
) -> Result<(), BenchError> {
	let failed = |cause| BenchError::failed("samples::one_root", cause);
	let (map, reweights) = samples::one_root(cluster).map_err(failed)?;
	let ours = Ours {
		map: &map,
		reweights: &reweights,
	};
	let rounds = options.rounds().min(5);
	let tool = tool
		.map(|tool| tool.with_map(&text::write(&map)))
		.transpose()?;
	for (rule, name) in RULES {
		let case = format!("{nodes}-{name}");
		if !options.wants(&case) {
			continue;
		}
		let count = if options.quick { 2_000 } else { 20_000 };
		let mut work = Workspace::default();
		let (mut mine, mut theirs, mut draws) = (Vec::new(), Vec::new(), 0);
		if let Some(tool) = &tool {
			ours.compare(rule, &case, &tool.mappings(rule, COMPARED)?)?;
		}
		ours.map(rule, count, &mut work)?;
		for _ in 0..rounds {
			let began = thread_cpu_time();
			draws = ours.map(rule, count, &mut work)?;
			mine.push((thread_cpu_time() - began).as_secs_f64() / f64::from(count));
			if let Some(tool) = &tool {
				theirs.push(tool.seconds(rule, count)? / f64::from(count));
			}
		}
		let figure = |name: &str, samples: &[f64]| Figure {
			name: name.into(),
			seconds: median(samples),
			spread: spread(samples),
			runs: count,
			samples: samples.len(),
		};
		let rival = tool.as_ref().map(|tool| figure(tool.name(), &theirs));
		let rivals: Vec<_> = rival.iter().collect();
		report.push(Case::measured(
			&case,
			Unit::US,
			1,
			&figure("ours", &mine),
			&rivals,
		));
		let draws = draws as f64 / f64::from(count);
		report.push(Case::new(format!("{case}/draws"), DRAWS, draws));
	}
	Ok(())
}

/// The slots of one placement group, as daemons ask for them.
fn one_group(
	options: &Options,
	report: &mut Report,
	nodes: usize,
	cluster: &ClusterMap,
) -> Result<(), BenchError> {
	let case = format!("{nodes}-up");
	if !options.wants(&case) {
		return Ok(());
	}
	let placement = cluster
		.placement()
		.map_err(|cause| BenchError::failed("placement", cause))?;
	let mut pg = 0;
	let up = Contestant::new("ours", || {
		pg = (pg + 1) % placement.pg_num();
		let slots = placement
			.up(pg)
			.map_err(|cause| BenchError::failed("up", cause))?;
		black_box(slots);
		Ok(())
	});
	let build = Contestant::new("ours", || {
		let placement = cluster.placement();
		black_box(placement.map_err(|cause| BenchError::failed("placement", cause))?);
		Ok(())
	});
	let contest = Contest::from(options);
	let up = &contest.measure(&mut [up])?[0];
	report.push(Case::measured(case, Unit::US, 1, up, &[]));
	let build = &contest.measure(&mut [build])?[0];
	report.push(Case::measured(
		format!("{nodes}-build"),
		Unit::US,
		1,
		build,
		&[],
	));
	Ok(())
}

/// The whole table of the larger map, on the wall: it is threads that are measured.
fn tables(options: &Options, report: &mut Report) -> Result<(), BenchError> {
	let cluster = samples::large();
	let placement = cluster
		.placement()
		.map_err(|cause| BenchError::failed("placement", cause))?;
	unpin();
	let cores = available_parallelism().map_or(1, usize::from);
	let rounds = options.rounds();
	for threads in [1, 2] {
		let case = format!("2000-table-{}-{threads}-threads", placement.pg_num());
		if !options.wants(&case) {
			continue;
		}
		let mut samples = Vec::new();
		for _ in 0..rounds {
			let began = Instant::now();
			let table = placement.table(threads);
			black_box(table.map_err(|cause| BenchError::failed("table", cause))?);
			samples.push(began.elapsed().as_secs_f64());
		}
		let figure = Figure {
			name: "ours".into(),
			seconds: median(&samples),
			spread: spread(&samples),
			runs: 1,
			samples: samples.len(),
		};
		let case = Case::measured(case, Unit::WALL_S, 1, &figure, &[]);
		report.push(case.note(format!(
			"{cores} cores; what else runs on them is in this figure"
		)));
	}
	Ok(())
}

/// One tree, as crushtool is given it.
struct Ours<'a> {
	map: &'a CrushMap,
	reweights: &'a Reweights,
}

impl Ours<'_> {
	/// Maps `0..count`; how many draws that took.
	fn map(&self, rule: u32, count: u32, work: &mut Workspace) -> Result<u64, BenchError> {
		let mut draws = 0;
		for x in 0..count {
			let mut meter = DrawMeter::new(MAX_DRAWS);
			let slots = do_rule_in(self.map, rule, x, SLOTS, self.reweights, &mut meter, work);
			black_box(slots.map_err(|cause| BenchError::failed("ours", cause))?);
			draws += meter.spent();
		}
		Ok(draws)
	}

	/// Compares with mappings of `0..` in order.
	fn compare(&self, rule: u32, case: &str, theirs: &[Vec<i32>]) -> Result<(), BenchError> {
		let mut work = Workspace::default();
		for (x, theirs) in (0..).zip(theirs) {
			let mut meter = DrawMeter::new(MAX_DRAWS);
			let slots = do_rule_in(
				self.map,
				rule,
				x,
				SLOTS,
				self.reweights,
				&mut meter,
				&mut work,
			)
			.map_err(|cause| BenchError::failed("ours", cause))?;
			if slots != theirs.as_slice() {
				return Err(BenchError::Wrong {
					name: "ours".into(),
					case: case.into(),
					what: format!("input {x}: {slots:?} instead of {theirs:?}"),
				});
			}
		}
		Ok(())
	}
}
