//! Kills processes that store shards, and checks what they had acknowledged. See `scripts/torture.sh`.
//!
//! `child DIR FIRST` stores, deletes and restores until it is killed, and prints each change before
//! it asks for it and after it was acknowledged. `work DIR FIRST` does a fixed amount of the same in
//! one thread. `check DIR FILE` compares a store with what such a process printed. `loop DIR CYCLES
//! SEED SECONDS` runs, kills and checks again and again.

use arion_shard_store::{Floor, Key, ShardStore, StoreConfig, StoreError};
use hippius_primitives::{id::shard_id, ShardId, ShardMeta};
use std::{
	collections::BTreeMap,
	io::{BufRead, BufReader, Write},
	path::Path,
	process::{Child, Command, ExitCode, Stdio},
	sync::{
		atomic::{AtomicU64, Ordering::Relaxed},
		Arc,
	},
	time::{Duration, Instant},
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Numbers of one cycle.
const CYCLE: u64 = 100_000;
/// Cycles whose shards are kept.
const KEEP: u64 = 5;

fn config() -> StoreConfig {
	StoreConfig {
		volume_size: 2 << 20,
		reserve: 4 << 20,
		soft_floor: Floor::NONE,
		hard_floor: Floor::NONE,
		ballast: 1 << 20,
		batch_bytes: 256 << 10,
		max_shard_len: 128 << 10,
		open_files: 8,
		trash_ttl: Duration::ZERO,
		snapshot_bytes: 1 << 20,
		scrub_period: Duration::from_secs(1),
		round: Duration::from_millis(3),
		..StoreConfig::new(192 << 20)
	}
}

fn mix(mut z: u64) -> u64 {
	z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
	z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
	z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
	z ^ (z >> 31)
}

/// Shard number `seed`: mostly small ones, some of many groups.
fn shard(seed: u64) -> Result<(ShardMeta, Vec<u8>), Failure> {
	let most = if seed.is_multiple_of(7) {
		100_000
	} else {
		9000
	};
	let len = 1 + mix(seed) % most;
	let mut data = vec![0u8; len as usize];
	for (n, chunk) in data.chunks_mut(8).enumerate() {
		let bytes = mix(seed ^ (n as u64) << 40).to_le_bytes();
		chunk.copy_from_slice(&bytes[..chunk.len()]);
	}
	let mut shards = [ShardId([seed as u8; 32]); 30];
	shards[0] = shard_id(&data);
	let meta = ShardMeta::new(shards, 0).ok_or("no such slot")?;
	Ok((meta, data))
}

fn key(number: u64) -> Result<Key, Failure> {
	let (_, data) = shard(number)?;
	Ok(shard_id(&data).into())
}

fn say(text: &str) -> Result<(), Failure> {
	let mut out = std::io::stdout().lock();
	writeln!(out, "{text}")?;
	Ok(out.flush()?)
}

/// Puts shard `number`; every fifth is deleted after it, every tenth stored again after that.
fn step(store: &ShardStore, number: u64) -> Result<(), Failure> {
	let (meta, data) = shard(number)?;
	let key: Key = meta.shard().ok_or("no such slot")?.into();
	let report = |verb: &str, result: Result<usize, StoreError>| match result {
		// Nothing there to delete: the put before was refused, and may yet turn up after a crash.
		Ok(0) => Ok(()),
		Ok(_) => say(&format!("done {verb} {number}")),
		Err(error) => {
			eprintln!("{verb} {number}: {error}");
			Ok(())
		}
	};
	say(&format!("try put {number}"))?;
	report("put", store.put(&meta, &data).map(|_| 1))?;
	if number.is_multiple_of(5) {
		say(&format!("try delete {number}"))?;
		report("delete", store.delete(&key, None))?;
	}
	if number.is_multiple_of(10) {
		say(&format!("try put {number}"))?;
		report("put", store.put(&meta, &data).map(|_| 1))?;
	}
	Ok(())
}

fn child(dir: &Path, first: u64) -> Result<(), Failure> {
	let store = ShardStore::open(dir, config())?;
	let next = AtomicU64::new(first);
	std::thread::scope(|scope| {
		let threads: Vec<_> = (0..4)
			.map(|_| {
				scope.spawn(|| -> Result<(), Failure> {
					while next.load(Relaxed) < first + 2000 {
						step(&store, next.fetch_add(1, Relaxed))?;
					}
					Ok(())
				})
			})
			.collect();
		threads
			.into_iter()
			.try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
	})
}

/// Drops shard `number` for good.
fn forget(store: &ShardStore, number: u64) -> Result<(), Failure> {
	say(&format!("try delete {number}"))?;
	match store.purge(&key(number)?, None) {
		Ok(0) => Ok(()),
		Ok(_) => say(&format!("done delete {number}")),
		Err(error) => {
			eprintln!("purge {number}: {error}");
			Ok(())
		}
	}
}

/// Fills some volumes, empties most of them, lets holes and compactions happen, and goes on.
fn work(dir: &Path, first: u64) -> Result<(), Failure> {
	let config = StoreConfig {
		volume_size: 512 << 10,
		background: false,
		..config()
	};
	let store = ShardStore::open(dir, config)?;
	(first..first + 50).try_for_each(|number| step(&store, number))?;
	(first + 3..first + 45).try_for_each(|number| forget(&store, number))?;
	for _ in 0..4 {
		store.maintain()?;
	}
	if let Err(error) = store.snapshot() {
		eprintln!("snapshot: {error}");
	}
	(first + 50..first + 65).try_for_each(|number| step(&store, number))?;
	store.maintain()?;
	Ok(())
}

/// What a shard may be.
#[derive(Clone, Copy, Default)]
struct May {
	live: bool,
	absent: bool,
}

#[derive(Default)]
struct Known(BTreeMap<u64, May>);

impl Known {
	/// Takes in a line that a child printed.
	fn line(&mut self, line: &str) {
		let mut words = line.split(' ');
		let (Some(when), Some(verb), Some(number)) = (words.next(), words.next(), words.next())
		else {
			return;
		};
		let Ok(number) = number.parse() else { return };
		let live = verb == "put";
		let may = self.0.entry(number).or_insert(May {
			live: false,
			absent: true,
		});
		if when == "done" {
			*may = May {
				live,
				absent: !live,
			};
		} else if live {
			may.live = true;
		} else {
			may.absent = true;
		}
	}

	fn check(&mut self, store: &ShardStore) -> Result<u64, Failure> {
		let mut acked = 0;
		for (number, may) in &mut self.0 {
			let (meta, data) = shard(*number)?;
			let id = meta.shard().ok_or("no such slot")?;
			let live = match store.get(&id)? {
				Some(found) if found == (meta, data) => true,
				Some(_) => return Err(format!("WRONG BYTES in {number}").into()),
				None => false,
			};
			let fits = if live { may.live } else { may.absent };
			if !fits {
				let what = if live { "came back" } else { "is LOST" };
				return Err(format!("{number} {what}").into());
			}
			acked += u64::from(live);
			*may = May {
				live,
				absent: !live,
			};
		}
		let usage = store.usage();
		if usage.corrupt > 0 {
			return Err(format!("{} records are damaged", usage.corrupt).into());
		}
		Ok(acked)
	}
}

fn check(dir: &Path, file: &Path) -> Result<(), Failure> {
	let mut known = Known::default();
	let text = std::fs::read_to_string(file)?;
	text.lines().for_each(|line| known.line(line));
	let store = ShardStore::open(dir, config())?;
	let acked = known.check(&store)?;
	say(&format!("{acked} acknowledged shards are there"))
}

fn spawn(dir: &Path, first: u64) -> Result<Child, Failure> {
	Ok(Command::new(std::env::current_exe()?)
		.arg("child")
		.arg(dir)
		.arg(first.to_string())
		.stdout(Stdio::piped())
		.stderr(Stdio::null())
		.spawn()?)
}

/// Runs a child and kills it after a number of lines, or after a time that may be too short for any.
fn one(dir: &Path, known: &mut Known, first: u64, chance: u64) -> Result<(), Failure> {
	let mut child = spawn(dir, first)?;
	let out = child.stdout.take().ok_or("no output")?;
	let late = chance.is_multiple_of(4);
	let lines = 1 + chance / 8 % 400;
	let child = Arc::new(std::sync::Mutex::new(child));
	let kill = |child: &std::sync::Mutex<Child>| -> Result<(), Failure> {
		Ok(child.lock().map_err(|_| "poisoned")?.kill()?)
	};
	let timer = late.then(|| {
		let child = child.clone();
		let wait = Duration::from_micros(chance / 8 % 40_000);
		std::thread::spawn(move || {
			std::thread::sleep(wait);
			kill(&child)
		})
	});
	let mut seen = 0;
	for line in BufReader::new(out).lines() {
		known.line(&line?);
		seen += 1;
		// What others are asking for at this moment may or may not be done. Lines already in the
		// pipe still count.
		if !late && seen == lines {
			kill(&child)?;
		}
	}
	if let Some(timer) = timer {
		timer.join().map_err(|_| "the timer panicked")??;
	}
	child.lock().map_err(|_| "poisoned")?.wait()?;
	Ok(())
}

fn cycles(dir: &Path, cycles: u64, seed: u64, seconds: u64) -> Result<(), Failure> {
	let started = Instant::now();
	let mut known = Known::default();
	let (mut done, mut acked) = (0, 0);
	for cycle in 0..cycles {
		if started.elapsed() > Duration::from_secs(seconds) {
			break;
		}
		let chance = mix(seed ^ mix(cycle));
		one(dir, &mut known, cycle * CYCLE, chance)?;
		let store = ShardStore::open(dir, config())
			.map_err(|error| format!("cycle {cycle}: cannot open: {error}"))?;
		let checked = known.check(&store);
		acked += checked.map_err(|error| format!("cycle {cycle}: {error}"))?;
		// Old ones go, so that compaction has something to do.
		let old = (cycle + 1).saturating_sub(KEEP) * CYCLE;
		for number in known.0.range(..old).map(|(number, _)| *number) {
			store.purge(&key(number)?, None)?;
		}
		known.0 = known.0.split_off(&old);
		if chance.is_multiple_of(3) {
			store.scrub()?;
		}
		done += 1;
		if done % 100 == 0 {
			let usage = store.usage();
			say(&format!(
				"{done} cycles, {acked} checks of acknowledged shards, none lost, none wrong; {} \
				 volumes, {} s",
				usage.volumes,
				started.elapsed().as_secs()
			))?;
		}
	}
	say(&format!(
		"kill -9: {done} of {cycles} cycles, seed {seed}: {acked} checks of acknowledged shards, 0 \
		 lost, 0 wrong bytes, {:.0} s",
		started.elapsed().as_secs_f64()
	))
}

fn run(args: &[String]) -> Result<(), Failure> {
	let words: Vec<&str> = args.iter().map(String::as_str).collect();
	match words.as_slice() {
		["child", dir, first] => child(Path::new(dir), first.parse()?),
		["work", dir, first] => work(Path::new(dir), first.parse()?),
		["check", dir, file] => check(Path::new(dir), Path::new(file)),
		["loop", dir, count, seed, seconds] => {
			cycles(Path::new(dir), count.parse()?, seed.parse()?, seconds.parse()?)
		}
		_ => Err("usage: store_torture child|work DIR FIRST | check DIR FILE | loop DIR CYCLES SEED SECONDS".into()),
	}
}

fn main() -> ExitCode {
	let args: Vec<String> = std::env::args().skip(1).collect();
	match run(&args) {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("store_torture: {error}");
			ExitCode::FAILURE
		}
	}
}
