//! What the miner counts, as Prometheus text.

use crate::{
	beats::Beats,
	epochs::Epochs,
	repair::{plan::Danger, stats::Stats},
	work::{prove::Cause, Work},
};
use arion_grid::{Grid, NatKind};
use arion_shard_store::{DiskReport, DiskState, StoreSet, Usage};
use std::{
	fmt::Write,
	sync::atomic::{AtomicU64, Ordering::Relaxed},
	time::{SystemTime, UNIX_EPOCH},
};

/// Name, kind, help and value of a metric that each disk has.
type DiskMetric = (&'static str, &'static str, &'static str, fn(&Usage) -> u64);

/// A label's value as Prometheus wants it.
fn escape(text: &str) -> String {
	text.replace('\\', "\\\\")
		.replace('"', "\\\"")
		.replace('\n', "\\n")
}

/// Counters of served requests.
#[derive(Debug, Default)]
pub struct Metrics {
	/// Shards stored.
	pub puts: AtomicU64,
	/// Shards that were there already.
	pub puts_held: AtomicU64,
	/// Puts that failed.
	pub puts_failed: AtomicU64,
	/// Bytes of stored shards.
	pub put_bytes: AtomicU64,
	/// Shards served.
	pub gets: AtomicU64,
	/// Gets of shards that are not here.
	pub gets_missing: AtomicU64,
	/// Gets that failed.
	pub gets_failed: AtomicU64,
	/// Permits that were not taken.
	pub permits_refused: AtomicU64,
	/// Receipts given.
	pub receipts: AtomicU64,
	/// Times a peer said that the bytes it was sent are wrong.
	pub disputes: AtomicU64,
	/// Bytes of served shards.
	pub get_bytes: AtomicU64,
	/// `has` and `stripe` requests.
	pub lookups: AtomicU64,
	/// Epoch updates taken.
	pub epochs_taken: AtomicU64,
	/// Epoch updates refused.
	pub epochs_refused: AtomicU64,
	/// Control requests without a valid token.
	pub unauthorized: AtomicU64,
	/// Unix seconds at which the full node's worker last asked or sent; 0 if it has not.
	pub worker_seen: AtomicU64,
}

/// Unix seconds.
pub fn unix_now() -> u64 {
	let since = SystemTime::now().duration_since(UNIX_EPOCH);
	since.map_or(0, |since| since.as_secs())
}

/// Resident memory of this process in bytes, if the system tells.
fn resident() -> Option<u64> {
	let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
	let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
	pages.checked_mul(rustix::param::page_size() as u64)
}

/// Open files of this process, if the system tells.
fn open_files() -> Option<u64> {
	Some(std::fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}

impl Metrics {
	/// Adds to one of the counters.
	pub fn add(&self, counter: fn(&Self) -> &AtomicU64, by: u64) {
		counter(self).fetch_add(by, Relaxed);
	}

	/// All metrics in Prometheus text format.
	pub fn render(
		&self,
		store: &StoreSet,
		epochs: &Epochs,
		repair: &Stats,
		grid: &Grid,
		beats: &Beats,
		work: &Work,
	) -> String {
		let mut text = String::new();
		let usage = store.usage();
		let mut family = |name: &str, kind: &str, help: &str, values: &[(&str, u64)]| {
			// Writing to a string cannot fail.
			let _ = writeln!(text, "# HELP arion_miner_{name} {help}");
			let _ = writeln!(text, "# TYPE arion_miner_{name} {kind}");
			for (labels, value) in values {
				let _ = writeln!(text, "arion_miner_{name}{labels} {value}");
			}
		};
		let get = |counter: &AtomicU64| counter.load(Relaxed);
		family(
			"puts_total",
			"counter",
			"Shard puts by outcome.",
			&[
				("{outcome=\"stored\"}", get(&self.puts)),
				("{outcome=\"held\"}", get(&self.puts_held)),
				("{outcome=\"failed\"}", get(&self.puts_failed)),
			],
		);
		family(
			"beats_total",
			"counter",
			"Heartbeats sent to collectors by result.",
			&[
				("{result=\"noted\"}", get(&beats.noted)),
				("{result=\"refused\"}", get(&beats.refused)),
				("{result=\"lost\"}", get(&beats.lost)),
			],
		);
		let work = &work.stats;
		family(
			"work_orders_total",
			"counter",
			"Orders of the chain's worker by outcome.",
			&[
				("{outcome=\"taken\"}", get(&work.orders)),
				("{outcome=\"refused\"}", get(&work.refused)),
			],
		);
		let failed = |cause: Cause| work.failed.get(cause as usize).map_or(0, get);
		family(
			"audit_proofs_total",
			"counter",
			"Things the chain asked for, by what came of making a proof.",
			&[
				("{outcome=\"proved\"}", get(&work.proved)),
				("{outcome=\"order\"}", failed(Cause::Order)),
				("{outcome=\"entries\"}", failed(Cause::Entries)),
				("{outcome=\"lost\"}", failed(Cause::Lost)),
				("{outcome=\"damaged\"}", failed(Cause::Damaged)),
				("{outcome=\"broken\"}", failed(Cause::Broken)),
				("{outcome=\"foreign\"}", get(&work.foreign)),
			],
		);
		family(
			"ledger_leaves_total",
			"counter",
			"What was learned of ledgers from others, by outcome.",
			&[
				("{outcome=\"contradicted\"}", get(&work.contradicted)),
				("{outcome=\"fetched\"}", get(&work.fetched)),
				("{outcome=\"lied\"}", get(&work.lied)),
			],
		);
		for (name, kind, help, value) in [
			(
				"audit_asked",
				"gauge",
				"Things the chain asks for.",
				&work.asked,
			),
			(
				"audit_ready",
				"gauge",
				"Things the chain asks for whose proofs were given.",
				&work.ready,
			),
			(
				"ledgers_wanted",
				"gauge",
				"Groups whose ledger the last report asked for.",
				&work.wanted,
			),
			(
				"ledger_lacking_total",
				"counter",
				"Shards found missing that a ledger has in this node's slot.",
				&work.lacking,
			),
			(
				"clean_reports_total",
				"counter",
				"Reports given that groups are clean.",
				&work.reports,
			),
			(
				"life_signs_total",
				"counter",
				"Signs of life given.",
				&work.lives,
			),
		] {
			family(name, kind, help, &[("", get(value))]);
		}
		family(
			"gets_total",
			"counter",
			"Shard gets by outcome.",
			&[
				("{outcome=\"served\"}", get(&self.gets)),
				("{outcome=\"missing\"}", get(&self.gets_missing)),
				("{outcome=\"failed\"}", get(&self.gets_failed)),
			],
		);
		family(
			"shard_bytes_total",
			"counter",
			"Bytes of shards moved.",
			&[
				("{direction=\"in\"}", get(&self.put_bytes)),
				("{direction=\"out\"}", get(&self.get_bytes)),
			],
		);
		let plain = |value: u64| [("", value)];
		let counter = "counter";
		family(
			"permits_refused_total",
			counter,
			"Permits to store, delete or restore that were not taken.",
			&plain(get(&self.permits_refused)),
		);
		family(
			"receipts_total",
			counter,
			"Receipts given for batches.",
			&plain(get(&self.receipts)),
		);
		family(
			"disputes_total",
			counter,
			"Times a peer said that the bytes it was sent are wrong.",
			&plain(get(&self.disputes)),
		);
		family(
			"lookups_total",
			counter,
			"Requests for has and stripe.",
			&plain(get(&self.lookups)),
		);
		family(
			"epoch_updates_total",
			counter,
			"Epoch updates by outcome.",
			&[
				("{outcome=\"taken\"}", get(&self.epochs_taken)),
				("{outcome=\"refused\"}", get(&self.epochs_refused)),
			],
		);
		family(
			"control_unauthorized_total",
			counter,
			"Control requests without a valid token.",
			&plain(get(&self.unauthorized)),
		);
		family(
			"repair_shards_total",
			counter,
			"Shards that were missing, by how they came here.",
			&[
				("{how=\"copied\"}", repair.get(|s| &s.copied)),
				("{how=\"rebuilt\"}", repair.get(|s| &s.rebuilt)),
				("{how=\"failed\"}", repair.get(|s| &s.failed)),
			],
		);
		let gauge = "gauge";
		let backlog = |danger: Danger| get(&repair.backlog[danger as usize]);
		family(
			"repair_backlog",
			gauge,
			"Slots to be looked through, by danger.",
			&[
				("{danger=\"urgent\"}", backlog(Danger::Urgent)),
				("{danger=\"lazy\"}", backlog(Danger::Lazy)),
				("{danger=\"calm\"}", backlog(Danger::Calm)),
			],
		);
		for (name, kind, help, value) in [
			(
				"repair_fetched_bytes_total",
				counter,
				"Bytes fetched to repair shards.",
				repair.get(|s| &s.fetched_bytes),
			),
			(
				"repair_hollow_total",
				counter,
				"Listed stripes that too few nodes hold.",
				repair.get(|s| &s.hollow),
			),
			(
				"repair_checked_total",
				counter,
				"Slots looked through.",
				repair.get(|s| &s.checked),
			),
			(
				"repair_findings_total",
				counter,
				"Damaged shards reported by the store.",
				repair.get(|s| &s.findings),
			),
			(
				"repair_released_total",
				counter,
				"Shards given up to their new holders.",
				repair.get(|s| &s.released),
			),
			(
				"repair_waiting",
				gauge,
				"Slots that wait for a former holder to come back.",
				repair.get(|s| &s.waiting),
			),
			(
				"repair_singles",
				gauge,
				"Single shards to be repaired.",
				repair.get(|s| &s.singles),
			),
			(
				"drain_left",
				gauge,
				"Shards of a leaving node not confirmed by new holders.",
				repair.get(|s| &s.drain_left),
			),
		] {
			family(name, kind, help, &plain(value));
		}
		family(
			"info",
			gauge,
			"1, with the version as label.",
			&[(concat!("{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1)],
		);
		family(
			"worker_seen_seconds",
			gauge,
			"Unix time at which the full node's worker last asked or sent; 0 if it has not.",
			&plain(get(&self.worker_seen)),
		);
		if let Some(taken) = epochs.taken_at() {
			family(
				"epoch_taken_seconds",
				gauge,
				"Unix time at which the held map came.",
				&plain(taken),
			);
		}
		for (name, help, value) in [
			("resident_bytes", "Memory of the process.", resident()),
			("open_files", "Open files of the process.", open_files()),
		] {
			if let Some(value) = value {
				family(name, gauge, help, &plain(value));
			}
		}
		family(
			"epoch",
			gauge,
			"Epoch of the held cluster map.",
			&plain(epochs.state().epoch.into()),
		);
		if let Some(slots) = epochs.held().and_then(|held| held.slots().map(<[_]>::len)) {
			family(
				"slots",
				gauge,
				"Placement-group slots of this node.",
				&plain(slots as u64),
			);
		}
		family(
			"connections",
			gauge,
			"Open QUIC connections.",
			&plain(grid.open_connections() as u64),
		);
		if let Some(served) = grid.serve_stats() {
			family(
				"served_connections",
				gauge,
				"Open connections of those who came to this node.",
				&plain(served.connections as u64),
			);
			family(
				"handshakes",
				gauge,
				"Handshakes of newcomers that are open.",
				&plain(served.handshakes as u64),
			);
			family(
				"newcomers_total",
				"counter",
				"Newcomers, by what became of their first packet.",
				&[
					("{outcome=\"accepted\"}", served.accepted),
					("{outcome=\"retried\"}", served.retried),
					("{outcome=\"ignored\"}", served.ignored),
					("{outcome=\"refused\"}", served.refused),
				],
			);
			family(
				"served_requests",
				gauge,
				"Requests of other nodes being served.",
				&plain(served.requests as u64),
			);
			family(
				"served_memory_bytes",
				gauge,
				"Bytes that these hold in memory, or have room kept for.",
				&plain(served.memory),
			);
			family(
				"throttled_total",
				"counter",
				"Times a peer's streams were cut down because it cancelled most of what it asked for.",
				&plain(served.throttled),
			);
		}
		let paths = grid.paths();
		family(
			"node_connections",
			gauge,
			"Connections to and from known nodes, by path.",
			&[
				("{path=\"direct\"}", paths.direct as u64),
				("{path=\"relayed\"}", paths.relayed as u64),
				("{path=\"punched\"}", paths.punched as u64),
				("{path=\"reversed\"}", paths.reversed as u64),
			],
		);
		let nat = grid.nat().kind;
		let is = |kind| u64::from(nat == kind);
		family(
			"nat_kind",
			gauge,
			"What stands between this node and others: 1 for the kind it is.",
			&[
				("{kind=\"unknown\"}", is(NatKind::Unknown)),
				("{kind=\"none\"}", is(NatKind::None)),
				("{kind=\"easy\"}", is(NatKind::Easy)),
				("{kind=\"hard\"}", is(NatKind::Hard)),
			],
		);
		let punches = grid.punches();
		family(
			"punch_attempts_total",
			"counter",
			"Attempts to do without a relay that have ended, by outcome.",
			&[
				("{outcome=\"punched\"}", punches.punched),
				("{outcome=\"reversed\"}", punches.reversed),
				("{outcome=\"hard\"}", punches.hard),
				("{outcome=\"no_address\"}", punches.no_address),
				("{outcome=\"silent\"}", punches.silent),
				("{outcome=\"refused\"}", punches.refused),
				("{outcome=\"dial_failed\"}", punches.dial_failed),
			],
		);
		family(
			"punch_answers_total",
			"counter",
			"Attempts of other nodes, by what became of them.",
			&[
				("{outcome=\"answered\"}", punches.answered),
				("{outcome=\"limited\"}", punches.limited),
			],
		);
		family(
			"punch_fallbacks_total",
			"counter",
			"Direct connections that broke and were replaced by the relay.",
			&plain(punches.fallbacks),
		);
		family(
			"punch_probes_total",
			"counter",
			"Probes: sent, received, and those that were not taken.",
			&[
				("{kind=\"sent\"}", punches.probes_sent),
				("{kind=\"received\"}", punches.probes_received),
				("{kind=\"bad\"}", punches.probes_bad),
			],
		);
		let relays = grid.relays();
		let connected = relays.iter().filter(|relay| relay.home && relay.connected);
		family(
			"relays_connected",
			gauge,
			"Relays of this node that are connected.",
			&plain(connected.count() as u64),
		);
		let (unsent, unread) = grid.relay_losses();
		family(
			"relay_packets_lost_total",
			"counter",
			"Batches of packets lost here for want of room, by direction.",
			&[
				("{direction=\"out\"}", unsent),
				("{direction=\"in\"}", unread),
			],
		);
		for (name, help, value) in [
			(
				"store_capacity_bytes",
				"Most bytes the volumes may take.",
				usage.capacity,
			),
			(
				"store_allocated_bytes",
				"Bytes the volumes take.",
				usage.allocated,
			),
			(
				"store_used_bytes",
				"Bytes the live records take.",
				usage.used,
			),
			(
				"store_free_bytes",
				"Bytes that can still be written.",
				usage.free,
			),
			(
				"store_trash_bytes",
				"Bytes of deleted records that can be restored.",
				usage.trash_bytes,
			),
			(
				"store_dead_bytes",
				"Bytes that compaction will get back.",
				usage.dead_bytes,
			),
			(
				"store_index_bytes",
				"Memory of the index.",
				usage.index_bytes,
			),
			("store_shards", "Live shard records.", usage.shards),
			("store_volumes", "Volumes.", usage.volumes),
			("store_waiting", "Puts waiting for the disk.", usage.waiting),
			(
				"store_torn_records",
				"Unacknowledged records found torn at start.",
				usage.torn,
			),
			(
				"store_damaged_places",
				"Damaged places found at start.",
				usage.damaged,
			),
		] {
			family(name, gauge, help, &plain(value));
		}
		for (name, help, value) in [
			(
				"store_commits_total",
				"Syncs of shard groups.",
				usage.commits,
			),
			(
				"store_corrupt_total",
				"Shards found damaged and dropped.",
				usage.corrupt,
			),
			(
				"store_sealed_total",
				"Volumes closed by an I/O error.",
				usage.sealed,
			),
			(
				"store_quarantined_total",
				"Damaged records of which a copy is kept.",
				usage.quarantined,
			),
			(
				"store_purged_total",
				"Records whose time in the trash was up.",
				usage.purged,
			),
			(
				"store_compacted_total",
				"Volumes rewritten and removed.",
				usage.compacted,
			),
			(
				"store_scrubbed_bytes_total",
				"Bytes the scrub has checked.",
				usage.scrubbed_bytes,
			),
			(
				"store_read_errors_total",
				"Refused reads.",
				usage.read_errors,
			),
		] {
			family(name, counter, help, &plain(value));
		}
		let disks: Vec<(String, DiskReport)> = store
			.disks()
			.into_iter()
			.map(|report| (escape(&report.path.display().to_string()), report))
			.collect();
		let mut states = Vec::new();
		for (path, report) in &disks {
			for state in DiskState::ALL {
				let labels = format!("{{disk=\"{path}\",state=\"{}\"}}", state.name());
				states.push((labels, u64::from(report.state() == state)));
			}
		}
		let states: Vec<(&str, u64)> = states.iter().map(|(l, v)| (l.as_str(), *v)).collect();
		family(
			"disk_state",
			gauge,
			"1 for the state a disk is in.",
			&states,
		);
		let each: [DiskMetric; 8] = [
			(
				"disk_capacity_bytes",
				gauge,
				"Most bytes the disk's volumes may take.",
				|u| u.capacity,
			),
			(
				"disk_used_bytes",
				gauge,
				"Bytes the disk's live records take.",
				|u| u.used,
			),
			(
				"disk_free_bytes",
				gauge,
				"Bytes that can still be written to the disk.",
				|u| u.free,
			),
			(
				"disk_shards",
				gauge,
				"Live shard records on the disk.",
				|u| u.shards,
			),
			(
				"disk_sealed_total",
				counter,
				"Volumes of the disk closed by an I/O error.",
				|u| u.sealed,
			),
			(
				"disk_read_errors_total",
				counter,
				"Reads the disk refused.",
				|u| u.read_errors,
			),
			(
				"disk_corrupt_total",
				counter,
				"Shards found damaged on the disk.",
				|u| u.corrupt,
			),
			(
				"disk_scrubbed_bytes_total",
				counter,
				"Bytes of the disk the scrub has checked.",
				|u| u.scrubbed_bytes,
			),
		];
		for (name, kind, help, value) in each {
			let values: Vec<(String, u64)> = disks
				.iter()
				.filter_map(|(path, report)| {
					let usage = report.usage.as_ref().ok()?;
					Some((format!("{{disk=\"{path}\"}}"), value(usage)))
				})
				.collect();
			let values: Vec<(&str, u64)> = values.iter().map(|(l, v)| (l.as_str(), *v)).collect();
			family(name, kind, help, &values);
		}
		text
	}
}
