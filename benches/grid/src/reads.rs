//! Reads one at a time: single bytes, losers, and stripes while miners stall.

use crate::{failed, network, Bench, RATIO, WALL_MS};
use arion_gateway::{cluster::Layout, Gateway, Object};
use arion_grid::Progress;
use arion_object::STRIPE_PLAIN;
use bench_harness::{BenchError, Case, Report, Unit, XorShift};
use std::{
	sync::Arc,
	time::{Duration, Instant},
};

/// Bytes of a full shard.
const SHARD: u32 = 1 << 20;
/// One in each zone but one.
const STALLED: [usize; 5] = [0, 6, 12, 18, 24];

/// The value that so many of a hundred samples do not exceed.
pub(crate) fn percentile(samples: &mut [f64], percent: usize) -> f64 {
	samples.sort_by(f64::total_cmp);
	let at = (samples.len() * percent).div_ceil(100).saturating_sub(1);
	samples.get(at).copied().unwrap_or(0.0)
}

/// Random places, one after the other.
pub(crate) async fn single_bytes(
	bench: &Bench,
	report: &mut Report,
	gateway: &Arc<Gateway>,
	stored: &[Arc<Object>],
) -> Result<(), BenchError> {
	let count = if bench.options.quick { 100 } else { 400 };
	let before = gateway.metrics().shard_bytes_fetched.get();
	let (mut words, mut times) = (XorShift::new(), Vec::new());
	for at in 0..count {
		let object = &stored[at % stored.len()];
		let place = words.next_word() % object.manifest.size();
		let began = Instant::now();
		network::read(gateway, object, place..place + 1, Some(&bench.content)).await?;
		times.push(began.elapsed().as_secs_f64() * 1e3);
	}
	let moved = gateway.metrics().shard_bytes_fetched.get() - before;
	report.push(
		Case::new("byte-moved", Unit::BYTES, moved as f64 / count as f64)
			.note("bar: 65536 bytes at most"),
	);
	report.push(Case::new("byte-p50", WALL_MS, percentile(&mut times, 50)));
	report.push(Case::new("byte-p99", WALL_MS, percentile(&mut times, 99)));
	Ok(())
}

/// All thirty are asked and the twenty slowest cancelled, stripe after stripe.
pub(crate) async fn losers(
	bench: &Bench,
	report: &mut Report,
	stored: &[Arc<Object>],
) -> Result<(), BenchError> {
	let gateway = network::gateway(&bench.miners, "turbo", |config| config.get.turbo = true)?;
	let mut times = stripes(bench, &gateway, stored, 10).await?;
	let metrics = gateway.metrics();
	let (wasted, cancelled) = (metrics.wasted_bytes.get(), metrics.requests_cancelled.get());
	times.extend(stripes(bench, &gateway, stored, 30).await?);
	let cancelled = metrics.requests_cancelled.get() - cancelled;
	let wasted = metrics.wasted_bytes.get() - wasted;
	report.push(
		Case::new(
			"turbo-wasted-per-loser",
			Unit::BYTES,
			wasted as f64 / cancelled.max(1) as f64,
		)
		.note(format!("{cancelled} requests cancelled, all thirty asked")),
	);
	report.push(Case::new(
		"turbo-stripe-p50",
		WALL_MS,
		percentile(&mut times, 50),
	));
	gateway.close().await;
	Ok(())
}

/// What still comes after a transfer was dropped half way, one transfer at a time.
pub(crate) async fn cancels(
	bench: &Bench,
	report: &mut Report,
	gateway: &Arc<Gateway>,
	stored: &[Arc<Object>],
) -> Result<(), BenchError> {
	/// Nothing more is expected once nothing came for so long.
	const QUIET: Duration = Duration::from_millis(30);
	let layout = Layout::new(bench.miners.map.clone()).map_err(failed("map"))?;
	let nodes = bench.miners.nodes();
	let (mut after, mut trips, mut rtts) = (Vec::new(), Vec::new(), Vec::new());
	let stripes = stored.iter().flat_map(|object| object.manifest.stripes());
	for stripe in stripes.take(if bench.options.quick { 2 } else { 6 }) {
		let slots = layout.slots(&stripe.id()).map_err(failed("map"))?;
		for (shard, index) in stripe.shards.iter().zip(slots) {
			let Some(node) = index.and_then(|index| nodes.get(index as usize)) else {
				continue;
			};
			let peer = gateway
				.peers()
				.grid()
				.peer(node.key, node.addresses.clone());
			peer.connect().await.map_err(failed("cancel"))?;
			let progress = Progress::default();
			let transfer = {
				let (peer, shard, progress) = (peer.clone(), *shard, progress.clone());
				tokio::spawn(async move { peer.get_range(shard, SHARD, 0..SHARD, &progress).await })
			};
			while progress.bytes() < u64::from(SHARD) / 4 && !transfer.is_finished() {
				tokio::task::yield_now().await;
			}
			transfer.abort();
			// Resolves when the transfer was dropped, which is what stops the stream.
			let ended = transfer.await;
			let (began, Some(start)) = (Instant::now(), peer.traffic()) else {
				continue;
			};
			if ended.is_ok() {
				continue;
			}
			let (mut last, mut seen) = (began, start.received);
			while last.elapsed() < QUIET {
				tokio::time::sleep(Duration::from_micros(100)).await;
				let received = peer.traffic().map_or(seen, |traffic| traffic.received);
				// Acknowledgements are no data.
				if received > seen + 200 {
					(last, seen) = (Instant::now(), received);
				}
			}
			after.push((seen - start.received) as f64);
			trips.push((last - began).as_secs_f64() / start.rtt.as_secs_f64());
			rtts.push(start.rtt.as_secs_f64() * 1e3);
		}
	}
	let note = format!(
		"of {} transfers dropped after a quarter of 1 MiB; round trip {:.2} ms at that moment",
		after.len(),
		percentile(&mut rtts, 50),
	);
	report.push(
		Case::new(
			"cancel-bytes-after",
			Unit::BYTES,
			percentile(&mut after, 50),
		)
		.note(note),
	);
	report.push(
		Case::new("cancel-round-trips-p50", RATIO, percentile(&mut trips, 50))
			.note("from the drop to the last packet of data; bar: 1"),
	);
	report.push(Case::new(
		"cancel-round-trips-p95",
		RATIO,
		percentile(&mut trips, 95),
	));
	Ok(())
}

/// Milliseconds of reading stripes one after the other.
async fn stripes(
	bench: &Bench,
	gateway: &Arc<Gateway>,
	stored: &[Arc<Object>],
	count: usize,
) -> Result<Vec<f64>, BenchError> {
	let mut times = Vec::with_capacity(count);
	for at in 0..count {
		let object = &stored[at / 10 % stored.len()];
		let start = (at % 10 * STRIPE_PLAIN) as u64;
		let range = start..start + STRIPE_PLAIN as u64;
		let began = Instant::now();
		network::read(gateway, object, range, Some(&bench.content)).await?;
		times.push(began.elapsed().as_secs_f64() * 1e3);
	}
	Ok(times)
}

/// The same stripes with all miners well, then with five that do not answer.
pub(crate) async fn stalls(
	bench: &Bench,
	report: &mut Report,
	gateway: &Arc<Gateway>,
	stored: &[Arc<Object>],
) -> Result<(), BenchError> {
	let count = if bench.options.quick { 100 } else { 500 };
	let mut healthy = stripes(bench, gateway, stored, count).await?;
	let metrics = gateway.metrics();
	let (fetched, decoded) = (
		metrics.shard_bytes_fetched.get(),
		metrics.stripes_decoded.get(),
	);
	bench.miners.stall(&STALLED)?;
	let stalled = stripes(bench, gateway, stored, count).await;
	bench.miners.resume(&STALLED)?;
	let mut stalled = stalled?;
	let moved = (metrics.shard_bytes_fetched.get() - fetched) as f64;
	let decoded = metrics.stripes_decoded.get() - decoded;
	let worst: Vec<f64> = {
		let mut sorted = stalled.clone();
		sorted.sort_by(|a, b| b.total_cmp(a));
		sorted.into_iter().take(8).map(f64::round).collect()
	};
	for (percent, name) in [(50, "p50"), (99, "p99")] {
		let (well, ill) = (
			percentile(&mut healthy, percent),
			percentile(&mut stalled, percent),
		);
		report.push(Case::new(format!("stripe-{name}"), WALL_MS, well));
		report.push(Case::new(format!("stripe-{name}-5-stalled"), WALL_MS, ill));
		report.push(
			Case::new(format!("stripe-{name}-stalled-ratio"), RATIO, ill / well).note(format!(
				"bar for p99: 1.3; {decoded} of {count} stripes decoded; the slowest took {worst:?} ms"
			)),
		);
	}
	let asked = (count * STRIPE_PLAIN) as f64;
	report.push(Case::new("stalled-moved-per-asked", RATIO, moved / asked));
	Ok(())
}
