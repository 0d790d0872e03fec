//! A node for `scripts/nat.sh`, which puts several behind NATs of their own and watches how they
//! find each other. Numbers in place of keys: a node's key is made from one.
//!
//! `nat_peer key N` prints a key. `nat_peer serve N ADDR [RELAY [KEY@ADDR..]]` serves a few shards;
//! the addresses are of observers. `nat_peer read N ADDR RELAY KEY [KEY@ADDR..]` reads them from the
//! node KEY behind RELAY, as told on standard input, one command per line:
//!
//! - `nat`: asks the observers; answers kind and address
//! - `connect`
//! - `read COUNT`: reads so many shards, one after the other
//! - `start`: goes on reading in the background; answers after the first shards
//! - `stop`: ends that
//! - `await PATH`: waits until the path is that one
//! - `stats`
//!
//! Each answer is one line: `ok` and `name=value`s, or `error` and what happened.

#![forbid(unsafe_code)]

use arion_grid::{
	BoxFuture, Extract, Grid, GridConfig, GridError, Identity, Peer, Reach, RelayAddress,
	ServiceError, ShardService,
};
use bytes::Bytes;
use hippius_primitives::{id::shard_id, NodeKey, ShardId};
use std::{
	error::Error,
	net::SocketAddr,
	ops::Range,
	sync::{
		atomic::{AtomicBool, AtomicU64, Ordering},
		Arc,
	},
	time::{Duration, Instant},
};
use tokio::{
	io::{AsyncBufReadExt, BufReader},
	sync::watch,
	task::JoinHandle,
	time::timeout,
};

type Failure = Box<dyn Error + Send + Sync>;

/// Shards each node serves, and their length in bytes.
const SHARDS: u8 = 8;
const SHARD_LEN: usize = 256 * 1024;
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// The shards, which all nodes know.
fn shards() -> Vec<(ShardId, Bytes)> {
	let shard = |seed: u8| {
		let mut bytes = vec![0; SHARD_LEN];
		let mut stream = blake3::Hasher::new().update(&[seed]).finalize_xof();
		stream.fill(&mut bytes);
		(shard_id(&bytes), Bytes::from(bytes))
	};
	(0..SHARDS).map(shard).collect()
}

struct Shards(Vec<(ShardId, Bytes)>);

impl ShardService for Shards {
	fn get(
		&self,
		_: NodeKey,
		shard: ShardId,
		groups: Option<Range<u64>>,
	) -> BoxFuture<'_, Result<Option<Extract>, ServiceError>> {
		Box::pin(async move {
			let held = self.0.iter().find(|(id, _)| *id == shard);
			Ok(held.and_then(|(_, bytes)| Extract::of(bytes, groups)))
		})
	}

	fn has(
		&self,
		_: NodeKey,
		shards: Vec<ShardId>,
	) -> BoxFuture<'_, Result<Vec<bool>, ServiceError>> {
		let held = |shard: &ShardId| self.0.iter().any(|(id, _)| id == shard);
		let answer = shards.iter().map(held).collect();
		Box::pin(async move { Ok(answer) })
	}
}

fn identity(number: &str) -> Result<Identity, Failure> {
	let seed = blake3::hash(format!("nat_peer {number}").as_bytes());
	Ok(Identity::from_seed(seed.as_bytes())?)
}

fn key(text: &str) -> Result<NodeKey, Failure> {
	let mut key = [0; 32];
	hex::decode_to_slice(text, &mut key)?;
	Ok(NodeKey(key))
}

fn observers(grid: &Grid, texts: &[String]) -> Result<Vec<Peer>, Failure> {
	let observer = |text: &String| {
		let (who, address) = text.split_once('@').ok_or("an observer is KEY@ADDR")?;
		Ok(grid.peer(key(who)?, vec![address.parse::<SocketAddr>()?]))
	};
	texts.iter().map(observer).collect()
}

/// What the observers say, in words.
async fn learn(grid: &Grid, observers: &[Peer]) -> String {
	let nat = grid.learn_nat(observers).await;
	let seen = nat
		.address
		.map_or_else(|| "-".into(), |seen| seen.to_string());
	format!("nat={} seen={seen}", nat.kind)
}

fn config(relays: Vec<RelayAddress>) -> GridConfig {
	GridConfig {
		relays,
		// Its network is made for the purpose.
		relay_plain: true,
		punch_retry: Duration::from_secs(3),
		..GridConfig::default()
	}
}

async fn serve(number: &str, address: &str, rest: &[String]) -> Result<(), Failure> {
	let (relays, watching) = match rest.split_first() {
		Some((relay, watching)) => (vec![relay.parse()?], watching),
		None => (Vec::new(), rest),
	};
	let grid = Grid::bind(
		address.parse()?,
		Arc::new(identity(number)?),
		config(relays),
	)?;
	grid.serve(Arc::new(Shards(shards())))?;
	let peers = observers(&grid, watching)?;
	let nat = learn(&grid, &peers).await;
	timeout(PATIENCE, grid.relay_ready()).await??;
	println!("ok {nat}");
	std::future::pending().await
}

/// Counts of reads in the background.
#[derive(Default)]
struct Background {
	stop: AtomicBool,
	read: AtomicU64,
	failed: AtomicU64,
}

struct Reader {
	grid: Arc<Grid>,
	peer: Peer,
	observers: Vec<Peer>,
	shards: Arc<Vec<(ShardId, Bytes)>>,
	background: Option<(Arc<Background>, JoinHandle<()>)>,
}

async fn read(peer: &Peer, (id, bytes): &(ShardId, Bytes)) -> Result<(), GridError> {
	let got = peer.get(*id, SHARD_LEN).await?;
	// The library has verified them; these are the bytes themselves.
	assert_eq!(&got, bytes, "other bytes with the same id");
	Ok(())
}

impl Reader {
	fn path(&self) -> &'static str {
		self.peer.path().map_or("none", |path| path.name())
	}

	async fn command(&mut self, line: &str) -> Result<String, Failure> {
		let mut words = line.split_whitespace();
		let (command, argument) = (words.next().unwrap_or(""), words.next());
		match command {
			"nat" => Ok(learn(&self.grid, &self.observers).await),
			"connect" => {
				self.peer.connect().await?;
				Ok(format!("path={}", self.path()))
			}
			"read" => {
				let count: usize = argument.ok_or("how many?")?.parse()?;
				let began = Instant::now();
				for shard in self.shards.iter().cycle().take(count) {
					read(&self.peer, shard).await?;
				}
				let (ms, bytes) = (began.elapsed().as_millis(), count * SHARD_LEN);
				Ok(format!("bytes={bytes} ms={ms} path={}", self.path()))
			}
			"start" => self.start().await,
			"stop" => {
				let (counts, task) = self.background.take().ok_or("nothing runs")?;
				counts.stop.store(true, Ordering::Relaxed);
				timeout(PATIENCE, task).await??;
				let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
				let (read, failed) = (count(&counts.read), count(&counts.failed));
				Ok(format!("read={read} failed={failed} path={}", self.path()))
			}
			"await" => {
				let wanted = argument.ok_or("which path?")?;
				let mut path = self.peer.watch_path();
				let mut is_wanted = |path: &Option<arion_grid::PathKind>| {
					path.is_some_and(|path| path.name() == wanted)
				};
				let began = Instant::now();
				match timeout(PATIENCE, path.wait_for(&mut is_wanted)).await {
					Ok(waited) => waited?,
					Err(_) => return Err(format!("it is {} still", self.path()).into()),
				};
				Ok(format!("path={wanted} ms={}", began.elapsed().as_millis()))
			}
			"stats" => Ok(format!("{:?}", self.grid.punches())),
			_ => Err("unknown command".into()),
		}
	}

	async fn start(&mut self) -> Result<String, Failure> {
		let counts = Arc::new(Background::default());
		let (peer, shards, mine) = (self.peer.clone(), self.shards.clone(), counts.clone());
		let (told, mut first) = watch::channel(0);
		let task = tokio::spawn(async move {
			for shard in shards.iter().cycle() {
				if mine.stop.load(Ordering::Relaxed) {
					return;
				}
				match read(&peer, shard).await {
					Ok(()) => mine.read.fetch_add(1, Ordering::Relaxed),
					Err(error) => {
						eprintln!("a read failed: {error}");
						mine.failed.fetch_add(1, Ordering::Relaxed)
					}
				};
				told.send_modify(|count| *count += 1);
			}
		});
		self.background = Some((counts, task));
		timeout(PATIENCE, first.wait_for(|count| *count >= 4)).await??;
		Ok(format!("path={}", self.path()))
	}
}

async fn reader(
	number: &str,
	address: &str,
	relay: &str,
	server: &str,
	watching: &[String],
) -> Result<(), Failure> {
	let grid = Grid::bind(
		address.parse()?,
		Arc::new(identity(number)?),
		config(Vec::new()),
	)?;
	let reach = Reach {
		direct: Vec::new(),
		relays: vec![relay.parse()?],
	};
	let mut reader = Reader {
		peer: grid.peer(key(server)?, reach),
		observers: observers(&grid, watching)?,
		grid: grid.clone(),
		shards: Arc::new(shards()),
		background: None,
	};
	let mut lines = BufReader::new(tokio::io::stdin()).lines();
	while let Some(line) = lines.next_line().await? {
		match reader.command(&line).await {
			Ok(answer) => println!("ok {answer}"),
			Err(error) => println!("error {error}"),
		}
	}
	grid.close().await;
	Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
	let arguments: Vec<String> = std::env::args().skip(1).collect();
	let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
	match words.as_slice() {
		["key", number] => {
			println!("{}", hex::encode(identity(number)?.node_key().0));
			Ok(())
		}
		["serve", number, address, ..] => serve(number, address, &arguments[3..]).await,
		["read", number, address, relay, server, ..] => {
			reader(number, address, relay, server, &arguments[5..]).await
		}
		_ => Err("see the beginning of nat_peer.rs for how this is called".into()),
	}
}
