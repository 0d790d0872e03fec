//! A process that stores shards is killed again and again; what it reported as stored is there.

use crate::common::{shard, small};
use arion_shard_store::ShardStore;
use std::{
	collections::BTreeSet,
	io::{BufRead, BufReader, Write},
	path::Path,
	process::{Command, Stdio},
	sync::{Arc, Mutex},
};

const DIR: &str = "ARION_STORE_TEST_DIR";
const FIRST: &str = "ARION_STORE_TEST_FIRST";

/// The child: not a test by itself.
#[test]
#[ignore = "started by the test below"]
fn writer_process() {
	let Ok(dir) = std::env::var(DIR) else { return };
	let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
	let store = Arc::new(ShardStore::open(Path::new(&dir), small(64 << 20)).unwrap());
	let out = Arc::new(Mutex::new(std::io::stdout()));
	let threads: Vec<_> = (0..4)
		.map(|thread| {
			let (store, out) = (store.clone(), out.clone());
			std::thread::spawn(move || {
				for number in (first + thread..first + 400).step_by(4) {
					let (meta, data, _) = shard(number);
					store.put(&meta, &data).unwrap();
					let mut out = out.lock().unwrap();
					writeln!(out, "\nacked {number}").unwrap();
					out.flush().unwrap();
				}
			})
		})
		.collect();
	threads
		.into_iter()
		.for_each(|thread| thread.join().unwrap());
}

#[test]
fn acked_shards_survive_kill_9() {
	let dir = tempfile::tempdir().unwrap();
	let mut acked = BTreeSet::new();
	for round in 0..6u64 {
		let mut child = Command::new(std::env::current_exe().unwrap())
			.args([
				"kill9::writer_process",
				"--exact",
				"--ignored",
				"--nocapture",
			])
			.env(DIR, dir.path())
			.env(FIRST, (round * 1000).to_string())
			.stdout(Stdio::piped())
			.stderr(Stdio::null())
			.spawn()
			.unwrap();
		let lines = BufReader::new(child.stdout.take().unwrap()).lines();
		let mut seen = 0;
		for line in lines {
			let line = line.unwrap();
			if let Some(number) = line.strip_prefix("acked ") {
				acked.insert(number.parse::<u64>().unwrap());
				seen += 1;
				// Others are being written at this moment. Lines already in the pipe still count.
				if seen == 3 + round * 11 {
					child.kill().unwrap();
				}
			}
		}
		assert!(!child.wait().unwrap().success() && seen >= 3 + round * 11);
		let store = ShardStore::open(dir.path(), small(64 << 20)).unwrap();
		for number in &acked {
			let (meta, data, id) = shard(*number);
			assert!(
				store.get(&id).unwrap() == Some((meta, data)),
				"shard {number} is lost"
			);
		}
		assert_eq!(store.usage().corrupt, 0);
	}
}
