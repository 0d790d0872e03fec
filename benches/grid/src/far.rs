//! Transfers cancelled over a distance: a proxy before each miner holds packets up, both ways, and
//! notes what it hands on. On loopback a round trip is shorter than a turn of the scheduler.

use crate::{failed, reads::percentile, Bench, RATIO, WALL_MS};
use arion_gateway::{
	cluster::{Layout, Node},
	config::Config,
	run::grid_config,
	Object,
};
use arion_grid::{Grid, Identity, Progress};
use bench_harness::{BenchError, Case, Report, Unit};
use std::{
	net::SocketAddr,
	sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
	time::Duration,
};
use tokio::{net::UdpSocket, sync::mpsc, task::JoinSet, time::Instant};

/// How long a packet is held up.
const DELAY: Duration = Duration::from_millis(10);
const TRIP: Duration = Duration::from_millis(20);
/// A turn of the scheduler, as two cores are shared by thirty miners.
const TURN: Duration = Duration::from_millis(5);
/// Nothing more is expected after so long.
const QUIET: Duration = Duration::from_millis(100);
/// Shorter packets carry no data worth speaking of.
const DATA: usize = 200;
/// Packets a proxy holds at most each way.
const MOST_HELD: usize = 8192;
/// Bytes of a full shard.
const SHARD: u32 = 1 << 20;
/// Transfers at a time. More would measure how fast the proxies are.
const AT_ONCE: usize = 2;

/// What went through a proxy.
#[derive(Default)]
struct Seen {
	/// When a packet came from the client, and when the miner got it.
	up: Vec<(Instant, Instant)>,
	/// When data came from the miner, when the client got it, and how much.
	down: Vec<(Instant, Instant, usize)>,
}

type Log = Arc<Mutex<Seen>>;

fn entries(log: &Log) -> MutexGuard<'_, Seen> {
	log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One miner behind its proxy; the tasks end with it.
struct Proxy {
	address: SocketAddr,
	log: Log,
	_tasks: JoinSet<()>,
}

impl Proxy {
	async fn before(miner: SocketAddr) -> Result<Self, BenchError> {
		let any: SocketAddr = ([127, 0, 0, 1], 0).into();
		let near = Arc::new(UdpSocket::bind(any).await.map_err(failed("proxy"))?);
		let far = Arc::new(UdpSocket::bind(any).await.map_err(failed("proxy"))?);
		far.connect(miner).await.map_err(failed("proxy"))?;
		let address = near.local_addr().map_err(failed("proxy"))?;
		let (log, client) = (Log::default(), Arc::new(OnceLock::new()));
		let mut tasks = JoinSet::new();
		let (hold, held) = mpsc::channel(MOST_HELD);
		let (from, to, who) = (near.clone(), far.clone(), client.clone());
		tasks.spawn(async move {
			let mut packet = vec![0; 1 << 16];
			while let Ok((len, sender)) = from.recv_from(&mut packet).await {
				who.get_or_init(|| sender);
				// Full: lost, as on a full link.
				let _ = hold.try_send((Instant::now(), packet[..len].to_vec()));
			}
		});
		let seen = log.clone();
		tasks.spawn(async move {
			let mut held: mpsc::Receiver<(Instant, Vec<u8>)> = held;
			while let Some((came, packet)) = held.recv().await {
				tokio::time::sleep_until(came + DELAY).await;
				entries(&seen).up.push((came, Instant::now()));
				// A packet that cannot be sent is a lost one.
				let _ = to.send(&packet).await;
			}
		});
		let (hold, held) = mpsc::channel(MOST_HELD);
		tasks.spawn(async move {
			let mut packet = vec![0; 1 << 16];
			while let Ok(len) = far.recv(&mut packet).await {
				let _ = hold.try_send((Instant::now(), packet[..len].to_vec()));
			}
		});
		let seen = log.clone();
		tasks.spawn(async move {
			let mut held: mpsc::Receiver<(Instant, Vec<u8>)> = held;
			while let Some((came, packet)) = held.recv().await {
				tokio::time::sleep_until(came + DELAY).await;
				if packet.len() > DATA {
					entries(&seen)
						.down
						.push((came, Instant::now(), packet.len()));
				}
				if let Some(client) = client.get() {
					let _ = near.send_to(&packet, *client).await;
				}
			}
		});
		Ok(Self {
			address,
			log,
			_tasks: tasks,
		})
	}
}

/// What came of one cancelled transfer, from the moment it was dropped.
#[derive(Default)]
struct After {
	/// Bytes that came: they were on their way.
	bytes: f64,
	/// Bytes that the miner sent after it could know.
	told: f64,
	/// Of these, what it sent more than a turn of the scheduler later.
	late: f64,
	/// Milliseconds from when it could know until it sent the last.
	reaction: f64,
	/// Round trips from the drop until the miner had sent its last.
	stopped: f64,
	/// Round trips from the drop to the last byte that came.
	trips: f64,
	/// The same by the round trip that this word and that byte really took, as a proxy's timers are
	/// late by a millisecond or two.
	own_trips: f64,
}

/// Fetches a shard and drops the transfer after a quarter of it.
async fn cancel(
	grid: Arc<Grid>,
	node: Node,
	log: Log,
	shard: hippius_primitives::ShardId,
) -> Result<Option<After>, BenchError> {
	let peer = grid.peer(node.key, node.addresses);
	peer.connect().await.map_err(failed("cancel"))?;
	*entries(&log) = Seen::default();
	let progress = Progress::default();
	let transfer = {
		let progress = progress.clone();
		tokio::spawn(async move { peer.get_range(shard, SHARD, 0..SHARD, &progress).await })
	};
	while progress.bytes() < u64::from(SHARD) / 4 && !transfer.is_finished() {
		tokio::time::sleep(Duration::from_millis(1)).await;
	}
	transfer.abort();
	if transfer.await.is_ok() {
		return Ok(None);
	}
	let dropped = Instant::now();
	tokio::time::sleep(QUIET).await;
	let seen = std::mem::take(&mut *entries(&log));
	let mut after = After::default();
	let told = seen.up.iter().find(|(came, _)| *came >= dropped);
	let (came, told) = told.map_or((dropped, dropped + DELAY), |(came, handed)| {
		(*came, *handed)
	});
	for (sent, arrived, len) in seen.down {
		if arrived > dropped {
			let took = (arrived - dropped).as_secs_f64();
			let own = (told - came) + (arrived - sent);
			after.bytes += len as f64;
			after.trips = took / TRIP.as_secs_f64();
			after.own_trips = took / own.as_secs_f64();
			after.stopped =
				(sent.saturating_duration_since(dropped)).as_secs_f64() / TRIP.as_secs_f64();
		}
		if sent > told {
			after.told += len as f64;
			after.reaction = (sent - told).as_secs_f64() * 1e3;
		}
		if sent > told + TURN {
			after.late += len as f64;
		}
	}
	Ok(Some(after))
}

/// Whether losers are quiet after one round trip.
pub(crate) async fn cancels(
	bench: &Bench,
	report: &mut Report,
	stored: &[Arc<Object>],
) -> Result<(), BenchError> {
	let layout = Layout::new(bench.miners.map.clone()).map_err(failed("map"))?;
	let (mut nodes, mut proxies) = (Vec::new(), Vec::new());
	for mut node in bench.miners.nodes() {
		for address in &mut node.addresses {
			let proxy = Proxy::before(*address).await?;
			*address = proxy.address;
			proxies.push(proxy);
		}
		nodes.push(node);
	}
	let identity = Identity::generate().map_err(failed("identity"))?;
	let any = ([127, 0, 0, 1], 0).into();
	let grid = Grid::bind(any, Arc::new(identity), grid_config(&Config::default()));
	let grid = grid.map_err(failed("grid"))?;
	// So that connections are open and know their packets' size.
	let first = stored
		.first()
		.and_then(|object| object.manifest.stripes().first());
	if let Some(stripe) = first {
		let slots = layout.slots(&stripe.id()).map_err(failed("map"))?;
		for (shard, index) in stripe.shards.iter().zip(slots) {
			if let Some(node) = index.and_then(|index| nodes.get(index as usize)) {
				let peer = grid.peer(node.key, node.addresses.clone());
				let shard = peer.get(*shard, SHARD as usize).await;
				shard.map_err(failed("cancel"))?;
			}
		}
	}
	let mut all = Vec::new();
	let stripes = stored.iter().flat_map(|object| object.manifest.stripes());
	for stripe in stripes.take(if bench.options.quick { 2 } else { 6 }) {
		let slots = layout.slots(&stripe.id()).map_err(failed("map"))?;
		let places: Vec<_> = stripe.shards.iter().zip(slots).collect();
		for losers in places.chunks(AT_ONCE) {
			let transfers = losers.iter().filter_map(|(shard, index)| {
				let index = index.as_ref().copied()? as usize;
				let (node, proxy) = (nodes.get(index)?, proxies.get(index)?);
				Some(cancel(
					grid.clone(),
					node.clone(),
					proxy.log.clone(),
					**shard,
				))
			});
			let ended = futures_util::future::try_join_all(transfers).await?;
			all.extend(ended.into_iter().flatten());
		}
	}
	grid.close().await;
	let note = format!(
		"{} transfers dropped after a quarter of 1 MiB, {AT_ONCE} at a time, {} ms there and back",
		all.len(),
		TRIP.as_millis()
	);
	let mut show = |name: &str, unit: Unit, note: String, value: fn(&After) -> f64| {
		let mut values: Vec<f64> = all.iter().map(value).collect();
		for percent in [50, 95, 99] {
			let case = Case::new(
				format!("far-cancel-{name}-p{percent}"),
				unit,
				percentile(&mut values, percent),
			);
			report.push(if percent == 50 {
				case.note(note.clone())
			} else {
				case
			});
		}
	};
	show("bytes-after-drop", Unit::BYTES, note, |after| after.bytes);
	let note = "sent by the miner after it got the word".to_owned();
	show("bytes-after-word", Unit::BYTES, note, |after| after.told);
	let note = format!(
		"of these, more than {} ms later; bar for p95: none",
		TURN.as_millis()
	);
	show("bytes-late", Unit::BYTES, note, |after| after.late);
	let note = "from when the miner got the word to the last it sent".to_owned();
	show("reaction", WALL_MS, note, |after| after.reaction);
	let note =
		"from the drop until the miner sent its last packet of data; bar for p99: 1".to_owned();
	show("stopped", RATIO, note, |after| after.stopped);
	let note = "from the drop to the last packet of data, of a line of 20 ms".to_owned();
	show("round-trips", RATIO, note, |after| after.trips);
	let note = "the same, of the time that the word and that packet were on the line".to_owned();
	show("own-round-trips", RATIO, note, |after| after.own_trips);
	Ok(())
}
