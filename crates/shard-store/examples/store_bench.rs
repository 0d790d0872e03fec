//! Measures a store: `restart DIR RECORDS` (how long a start takes), `put DIR MIB` (beside the disk's
//! own sequential writes, `fdatasync` every 8 MiB, past the page cache and through it, in turns), `read
//! DIR` (whole records, and single groups). DIR must not exist and is removed at the end.

use arion_shard_store::{fabricate, Key, ShardStore, StoreConfig};
use hippius_primitives::{coding::SHARD_LEN, id::shard_id, ShardId, ShardMeta};
use std::{
	fs::{File, OpenOptions},
	os::unix::fs::{FileExt, OpenOptionsExt},
	path::Path,
	process::ExitCode,
	sync::atomic::{AtomicUsize, Ordering::Relaxed},
	time::{Duration, Instant},
};

type Failure = Box<dyn std::error::Error + Send + Sync>;
const MIB: f64 = 1024.0 * 1024.0;
/// Callers that put at the same time.
const THREADS: usize = 16;
/// MiB written in one turn.
const TURN: usize = 256;
const GROUP: usize = 8 << 20;
/// What direct writes are aligned to.
const ALIGN: usize = 4096;

/// Resident memory of this process, in MiB.
fn resident() -> Result<f64, Failure> {
	let status = std::fs::read_to_string("/proc/self/status")?;
	let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
	let kib = line.and_then(|line| line.split_whitespace().next());
	Ok(kib.ok_or("no VmRSS")?.parse::<f64>()? / 1024.0)
}

fn restart(dir: &Path, records: u64) -> Result<(), Failure> {
	let len = 820_000;
	let volume_size = 1 << 30;
	let made = Instant::now();
	fabricate::store(dir, records, len, volume_size)?;
	let size = std::fs::metadata(dir.join("INDEX"))?.len();
	println!(
		"{records} records of {len} bytes fabricated in {:.1} s, index file {:.0} MiB",
		made.elapsed().as_secs_f64(),
		size as f64 / MIB
	);
	let config = || StoreConfig {
		background: false,
		ballast: 0,
		..StoreConfig::new(1 << 44)
	};
	for round in 0..3 {
		let before = resident()?;
		let started = Instant::now();
		let store = ShardStore::open(dir, config())?;
		let took = started.elapsed();
		let usage = store.usage();
		println!(
			"restart {round}: {:.2} s, {} records, {} volumes, index {:.0} MiB, resident {:.0} MiB (before {before:.0})",
			took.as_secs_f64(),
			usage.shards,
			usage.volumes,
			usage.index_bytes as f64 / MIB,
			resident()?
		);
		let started = Instant::now();
		let page = store.inventory(None, 1);
		println!(
			"  first inventory page {:.2} ms ({})",
			started.elapsed().as_secs_f64() * 1e3,
			page.is_ok()
		);
		if round == 0 {
			let started = Instant::now();
			store.snapshot()?;
			println!("  snapshot {:.2} s", started.elapsed().as_secs_f64());
		}
	}
	Ok(())
}

fn shards(count: usize, salt: u64) -> Result<Vec<(ShardMeta, Vec<u8>)>, Failure> {
	(0..count)
		.map(|n| {
			let mut data = vec![0; SHARD_LEN];
			let mut hasher = blake3::Hasher::new();
			hasher.update(&salt.to_le_bytes()).update(&n.to_le_bytes());
			hasher.finalize_xof().fill(&mut data);
			let shards = [shard_id(&data); 30];
			Ok((ShardMeta::new(shards, 0).ok_or("no such slot")?, data))
		})
		.collect()
}

/// How a plain file is written.
#[derive(Clone, Copy)]
enum Way {
	/// Past the page cache, as puts are.
	Direct,
	Cached,
}

/// A preallocated file that is written from the start, `fdatasync` every 8 MiB.
struct Plain {
	file: File,
	at: u64,
	buf: Vec<u8>,
	/// Where in `buf` the written bytes begin, as direct writes must be aligned.
	start: usize,
}

impl Plain {
	fn new(dir: &Path, bytes: usize, way: Way) -> Result<Self, Failure> {
		let (name, flags) = match way {
			Way::Direct => ("direct", rustix::fs::OFlags::DIRECT.bits()),
			Way::Cached => ("cached", 0),
		};
		let file = OpenOptions::new()
			.create_new(true)
			.write(true)
			.custom_flags(flags.try_into()?)
			.open(dir.join(name))?;
		rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes as u64)?;
		file.sync_all()?;
		let mut buf = vec![0; GROUP + ALIGN];
		blake3::Hasher::new().finalize_xof().fill(&mut buf);
		let start = buf.as_ptr().align_offset(ALIGN);
		let at = 0;
		Ok(Self {
			file,
			at,
			buf,
			start,
		})
	}

	fn write(&mut self, bytes: usize) -> Result<Duration, Failure> {
		let group = self.start..self.start + GROUP;
		let group = self.buf.get(group).ok_or("memory cannot be aligned")?;
		let started = Instant::now();
		for _ in 0..bytes / GROUP {
			self.file.write_all_at(group, self.at)?;
			self.file.sync_data()?;
			self.at += GROUP as u64;
		}
		Ok(started.elapsed())
	}
}

fn percentile(times: &mut [Duration], percent: usize) -> f64 {
	times.sort_unstable();
	let at = times.len().saturating_sub(1) * percent / 100;
	times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

/// Puts by several threads; how long all and each took.
fn puts(
	store: &ShardStore,
	shards: &[(ShardMeta, Vec<u8>)],
) -> Result<(Duration, Vec<Duration>), Failure> {
	let next = AtomicUsize::new(0);
	let started = Instant::now();
	let work = || -> Result<Vec<Duration>, Failure> {
		let mut times = Vec::new();
		while let Some((meta, data)) = shards.get(next.fetch_add(1, Relaxed)) {
			let started = Instant::now();
			store.put(meta, data)?;
			times.push(started.elapsed());
		}
		Ok(times)
	};
	std::thread::scope(|scope| {
		let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
		let mut all = Vec::new();
		for thread in threads {
			all.extend(thread.join().map_err(|_| "a thread panicked")??);
		}
		Ok((started.elapsed(), all))
	})
}

/// All take turns, so that whatever else the machine does slows each down.
fn put(dir: &Path, mib: usize) -> Result<(), Failure> {
	std::fs::create_dir(dir)?;
	let config = StoreConfig {
		background: false,
		ballast: 0,
		..StoreConfig::new(64 << 30)
	};
	let store = ShardStore::open(&dir.join("store"), config)?;
	// The first volume is made before the clock starts, like the plain file.
	let first = shards(1, u64::MAX)?;
	let (meta, data) = first.first().ok_or("no shard")?;
	store.put(meta, data)?;
	let mut direct = Plain::new(dir, mib << 20, Way::Direct)?;
	let mut cached = Plain::new(dir, mib << 20, Way::Cached)?;
	let (mut times, mut ratios, mut all) = ([Duration::ZERO; 3], Vec::new(), Vec::new());
	let turns = mib / TURN;
	for turn in 0..turns {
		let shards = shards(TURN, turn as u64)?;
		let past = direct.write(TURN << 20)?;
		let (took, each) = puts(&store, &shards)?;
		let through = cached.write(TURN << 20)?;
		for (sum, took) in times.iter_mut().zip([past, through, took]) {
			*sum += took;
		}
		ratios.push(past.min(through).as_secs_f64() / took.as_secs_f64() * 100.0);
		all.extend(each);
	}
	ratios.sort_by(f64::total_cmp);
	let median = ratios.get(ratios.len() / 2).copied().unwrap_or(0.0);
	let [past, through, puts] =
		times.map(|time| (turns * TURN) as f64 * MIB / 1e6 / time.as_secs_f64());
	let usage = store.usage();
	println!(
		"{turns} turns of {TURN} MiB: plain direct {past:.0} MB/s, plain cached {through:.0} MB/s, puts {puts:.0} MB/s \
		 = {:.1} % of the faster, median turn {median:.1} %",
		puts / past.max(through) * 100.0,
	);
	println!(
		"{THREADS} putters, {:.1} MiB for each sync; put p50 {:.2} ms, p99 {:.2} ms",
		usage.puts as f64 * SHARD_LEN as f64 / MIB / usage.commits as f64,
		percentile(&mut all, 50),
		percentile(&mut all, 99)
	);
	Ok(())
}

fn read(dir: &Path) -> Result<(), Failure> {
	let shards = shards(64, 2)?;
	let config = StoreConfig {
		background: false,
		ballast: 0,
		..StoreConfig::new(4 << 30)
	};
	let store = ShardStore::open(dir, config)?;
	for (meta, data) in &shards {
		store.put(meta, data)?;
	}
	let ids: Vec<ShardId> = shards.iter().filter_map(|(meta, _)| meta.shard()).collect();
	let rounds = 20;
	let started = Instant::now();
	for _ in 0..rounds {
		for id in &ids {
			store.get(id)?.ok_or("lost")?;
		}
	}
	let whole = (rounds * ids.len() * SHARD_LEN) as f64 / 1e6 / started.elapsed().as_secs_f64();
	let mut times = Vec::new();
	for group in 0..20u64 {
		for id in &ids {
			let started = Instant::now();
			let range = group * 16_384..(group + 1) * 16_384;
			store.read_range(&Key::from(*id), range)?.ok_or("lost")?;
			times.push(started.elapsed());
		}
	}
	println!(
		"whole records from the page cache, one thread: {whole:.0} MB/s; one verified group of 16 KiB: p50 {:.3} ms, p99 {:.3} ms",
		percentile(&mut times, 50),
		percentile(&mut times, 99)
	);
	Ok(())
}

fn main() -> ExitCode {
	let args: Vec<String> = std::env::args().skip(1).collect();
	let words: Vec<&str> = args.iter().map(String::as_str).collect();
	let Some(dir) = words
		.get(1)
		.map(Path::new)
		.filter(|dir| File::open(dir).is_err())
	else {
		eprintln!("usage: store_bench restart DIR RECORDS | put DIR MIB | read DIR   (DIR must not exist)");
		return ExitCode::FAILURE;
	};
	let number = words.get(2).and_then(|word| word.parse::<u64>().ok());
	let result = match (words.first().copied(), number) {
		(Some("restart"), Some(records)) => restart(dir, records),
		(Some("put"), Some(mib)) => put(dir, mib as usize),
		(Some("read"), None) => read(dir),
		_ => Err("unknown words".into()),
	};
	let removed = std::fs::remove_dir_all(dir);
	match result.and(removed.map_err(Into::into)) {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("store_bench: {error}");
			ExitCode::FAILURE
		}
	}
}
