//! Reads and writes of a gateway over thirty miner processes on loopback, and their parts alone in the
//! same run, so that what decides the speed is seen. Miners stalled, losers cancelled, single bytes.

mod clock;
mod far;
mod miners;
mod network;
mod parts;
mod quic;
mod reads;

use arion_gateway::{Gateway, Object};
use bench_harness::{BenchError, Case, Options, Report, Unit};
use bytes::Bytes;
use clock::{Phase, Spent};
use miners::Miners;
use std::{path::Path, sync::Arc};

/// 1e6 bytes per second of the clock on the wall.
const MB_PER_S: Unit = Unit {
	label: "MB/s",
	more_is_better: true,
};
/// Milliseconds on the wall.
const WALL_MS: Unit = Unit {
	label: "ms",
	more_is_better: false,
};
/// A ratio of which less is better.
const RATIO: Unit = Unit {
	label: "x",
	more_is_better: false,
};
/// Bytes of an object.
const OBJECT: usize = 10 * arion_object::STRIPE_PLAIN;
/// Objects stored before anything is measured.
const WARMUP: usize = 2;
/// Volumes of 256 MiB.
const CAPACITY: u64 = 2 << 30;

/// As [`BenchError::failed`] in `map_err`.
pub(crate) fn failed<E: std::fmt::Display>(name: &str) -> impl Fn(E) -> BenchError + '_ {
	move |cause| BenchError::failed(name, cause)
}

fn main() -> Result<(), BenchError> {
	let options = Options::from_env()?;
	let binary = options.get("miner").map(Path::new);
	let binary = binary.ok_or_else(|| BenchError::Usage("--set miner=PATH is missing".into()))?;
	let mut report = Report::new(&options, None);
	report.note("30 arion-miner processes and a gateway on loopback, all on this machine's cores");
	report.note(
		"s/GB: CPU seconds per 1e9 bytes of content, gateway and miners together; rivals are the \
		 parts of the work, each alone, and their sum",
	);
	let runtime = tokio::runtime::Builder::new_multi_thread()
		.enable_all()
		.build()
		.map_err(failed("runtime"))?;
	let bench = Bench {
		miners: runtime.block_on(Miners::start(binary, CAPACITY))?,
		content: network::content(OBJECT),
		options,
	};
	runtime.block_on(bench.run(&mut report))?;
	report.write(&bench.options, "grid")
}

/// What the measurements share.
pub(crate) struct Bench {
	pub(crate) miners: Miners,
	pub(crate) content: Bytes,
	pub(crate) options: Options,
}

/// CPU seconds per GB of content, and MB per second.
struct Speed {
	cpu: f64,
	rate: f64,
}

impl Speed {
	fn of(spent: &Spent, bytes: usize) -> Self {
		Self {
			cpu: (spent.gateway + spent.miners) * 1e9 / bytes as f64,
			rate: bytes as f64 / 1e6 / spent.wall,
		}
	}
}

impl Bench {
	/// Whether this part of the measurements is wanted: `put`, `get`, `byte`, `cancel`, `turbo`,
	/// `stripe`.
	fn wants(&self, part: &str) -> bool {
		let only = self.options.only.as_deref();
		only.is_none_or(|only| only.starts_with(part))
	}

	async fn run(&self, report: &mut Report) -> Result<(), BenchError> {
		let objects = if self.options.quick { 2 } else { 5 };
		let gateway = network::gateway(&self.miners, "catalog", |_| {})?;
		// The first write is slow: all memory is fresh from the system.
		self.put(&gateway, WARMUP).await?;
		let (stored, put) = self.put(&gateway, objects).await?;
		// The first read warms caches and the estimates of the miners.
		for object in &stored {
			let size = object.manifest.size();
			network::read(&gateway, object, 0..size, Some(&self.content)).await?;
		}
		let get = match self.wants("get") {
			true => Some(self.get(&gateway, &stored).await?),
			false => None,
		};
		if self.wants("get") || self.wants("put") {
			let volumes = self.miners.volumes()?;
			let parts = parts::measure(&self.options, &self.content, &volumes)?;
			let quic = quic::measure(&self.content, objects * OBJECT).await?;
			let quic = Speed::of(&quic, objects * OBJECT);
			let many = quic::measure_many(&self.content, objects * OBJECT).await?;
			let many = Speed::of(&many, objects * OBJECT);
			if let Some((get, moved)) = &get {
				self.show_get(report, get, &parts, &quic);
				report.push(Case::new("get-moved-per-asked", RATIO, *moved));
			}
			self.show_put(report, &put, &parts, [&quic, &many])?;
		}
		if self.wants("byte") {
			reads::single_bytes(self, report, &gateway, &stored).await?;
		}
		if self.wants("cancel") {
			reads::cancels(self, report, &gateway, &stored).await?;
			far::cancels(self, report, &stored).await?;
		}
		if self.wants("turbo") {
			reads::losers(self, report, &stored).await?;
		}
		if self.wants("stripe") {
			reads::stalls(self, report, &gateway, &stored).await?;
		}
		gateway.close().await;
		Ok(())
	}

	/// Stores objects, two at a time.
	async fn put(
		&self,
		gateway: &Arc<Gateway>,
		objects: usize,
	) -> Result<(Vec<Arc<Object>>, Spent), BenchError> {
		let phase = Phase::begin(Some(&self.miners))?;
		let mut stored = Vec::new();
		while stored.len() < objects {
			let (a, b) = (
				network::put(gateway, &self.content),
				network::put(gateway, &self.content),
			);
			if objects - stored.len() > 1 {
				let (a, b) = tokio::try_join!(a, b)?;
				stored.extend([a, b]);
			} else {
				stored.push(a.await?);
			}
		}
		gateway.settled().await;
		Ok((stored, phase.end(Some(&self.miners))?))
	}

	/// Reads all objects over and over, three at a time; with the bytes moved per byte of content.
	async fn get(
		&self,
		gateway: &Arc<Gateway>,
		stored: &[Arc<Object>],
	) -> Result<((Spent, usize), f64), BenchError> {
		const READERS: usize = 3;
		let rounds = if self.options.quick { 2 } else { 4 };
		let metrics = gateway.metrics();
		let (fetched, wasted) = (
			metrics.shard_bytes_fetched.get(),
			metrics.wasted_bytes.get(),
		);
		let hedged = metrics.hedged_requests.get();
		let phase = Phase::begin(Some(&self.miners))?;
		let readers = (0..READERS).map(|reader| {
			let (gateway, stored) = (gateway.clone(), stored.to_vec());
			tokio::spawn(async move {
				let mut bytes = 0;
				for at in 0..stored.len() * rounds {
					let object = &stored[(at + reader) % stored.len()];
					let size = object.manifest.size();
					bytes += network::read(&gateway, object, 0..size, None).await?;
				}
				Ok::<_, BenchError>(bytes)
			})
		});
		let mut bytes = 0;
		for reader in futures_util::future::join_all(readers).await {
			bytes += reader.map_err(failed("get"))??;
		}
		let spent = phase.end(Some(&self.miners))?;
		let moved = metrics.shard_bytes_fetched.get() - fetched;
		println!(
			"note: {} requests hedged, {} MB of {} MB in vain, caution {:.2}",
			metrics.hedged_requests.get() - hedged,
			(metrics.wasted_bytes.get() - wasted) / 1_000_000,
			moved / 1_000_000,
			gateway.estimates(0).1,
		);
		Ok(((spent, bytes as usize), moved as f64 / bytes as f64))
	}

	fn show_get(
		&self,
		report: &mut Report,
		(spent, bytes): &(Spent, usize),
		parts: &parts::Parts,
		quic: &Speed,
	) {
		let speed = Speed::of(spent, *bytes);
		let verdict = if speed.rate >= 300.0 {
			"held"
		} else {
			"missed"
		};
		report.push(
			Case::new("get", MB_PER_S, speed.rate)
				.rival("quic", quic.rate)
				.note(format!("bar: 300 MB/s on two cores: {verdict}")),
		);
		let sum = parts.open + parts.hash + parts.cache + quic.cpu;
		report.push(
			Case::new("get-cpu", Unit::S_PER_GB, speed.cpu)
				.rival("sum of parts", sum)
				.note("bar: within 1.5 of the sum of the parts, which is a ratio of 0.67"),
		);
		let per_gb = |seconds: f64| seconds * 1e9 / *bytes as f64;
		for (name, value) in [
			("get-cpu-gateway", per_gb(spent.gateway)),
			("get-cpu-miners", per_gb(spent.miners)),
			("get-part-quic", quic.cpu),
			("get-part-open", parts.open),
			("get-part-hash", parts.hash),
			("get-part-cache", parts.cache),
		] {
			report.push(Case::new(name, Unit::S_PER_GB, value));
		}
	}

	fn show_put(
		&self,
		report: &mut Report,
		spent: &Spent,
		parts: &parts::Parts,
		[quic, many]: [&Speed; 2],
	) -> Result<(), BenchError> {
		let bytes = if self.options.quick { 2 } else { 5 } * OBJECT;
		let folder = self.miners.folder();
		let cached = parts::disk(folder, &self.content, bytes, parts::Way::Cached)?;
		let cached = Speed::of(&cached, bytes);
		let disk = parts::disk(folder, &self.content, bytes, parts::Way::Direct)?;
		let disk = Speed::of(&disk, bytes);
		let speed = Speed::of(spent, bytes);
		// Thirty shards of ten: three bytes travel, are hashed and written per byte of source.
		let sum = parts.encode + 3.0 * (quic.cpu + parts.hash + disk.cpu);
		report.push(Case::new("put", MB_PER_S, speed.rate).rival("disk", disk.rate / 3.0));
		report.push(
			Case::new("put-cpu", Unit::S_PER_GB, speed.cpu)
				.rival("sum of parts", sum)
				.rival("with 30 peers", sum + 3.0 * (many.cpu - quic.cpu))
				.rival("with page cache", sum + 3.0 * (cached.cpu - disk.cpu))
				.note("bar: within 1.5 of the sum of the parts, which is a ratio of 0.67"),
		);
		let per_gb = |seconds: f64| seconds * 1e9 / bytes as f64;
		for (name, value) in [
			("put-cpu-gateway", per_gb(spent.gateway)),
			("put-cpu-miners", per_gb(spent.miners)),
			("put-part-encode", parts.encode),
			("put-part-quic", 3.0 * quic.cpu),
			("put-part-quic-30-peers", 3.0 * many.cpu),
			("put-part-hash", 3.0 * parts.hash),
			("put-part-disk", 3.0 * disk.cpu),
			("put-part-disk-cached", 3.0 * cached.cpu),
		] {
			report.push(Case::new(name, Unit::S_PER_GB, value));
		}
		Ok(())
	}
}
