//! Transfers cancelled over a distance: a proxy before each miner holds packets up, both ways, and
//! notes what it hands on. On loopback a round trip is shorter than a turn of the scheduler.

use crate::{failed, reads::percentile, Bench, RATIO};
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
	sync::{Arc, Mutex, OnceLock, PoisonError},
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

/// What a proxy handed to the client, and when.
type Log = Arc<Mutex<Vec<(Instant, usize)>>>;

fn entries(log: &Log) -> std::sync::MutexGuard<'_, Vec<(Instant, usize)>> {
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
				let _ = hold.try_send((Instant::now() + DELAY, packet[..len].to_vec()));
			}
		});
		tasks.spawn(async move {
			let mut held = held;
			while let Some((due, packet)) = held.recv().await {
				tokio::time::sleep_until(due).await;
				// A packet that cannot be sent is a lost one.
				let _ = to.send(&packet).await;
			}
		});
		let (hold, held) = mpsc::channel(MOST_HELD);
		tasks.spawn(async move {
			let mut packet = vec![0; 1 << 16];
			while let Ok(len) = far.recv(&mut packet).await {
				let _ = hold.try_send((Instant::now() + DELAY, packet[..len].to_vec()));
			}
		});
		let seen = log.clone();
		tasks.spawn(async move {
			let mut held: mpsc::Receiver<(Instant, Vec<u8>)> = held;
			while let Some((due, packet)) = held.recv().await {
				tokio::time::sleep_until(due).await;
				if packet.len() > DATA {
					entries(&seen).push((Instant::now(), packet.len()));
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
struct After {
	/// Bytes within a round trip and a turn of the scheduler: they were on their way.
	due: f64,
	/// Bytes later than that.
	late: f64,
	/// Round trips until the last byte.
	trips: f64,
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
	let mut after = After {
		due: 0.0,
		late: 0.0,
		trips: 0.0,
	};
	for (at, len) in entries(&log).drain(..).filter(|(at, _)| *at > dropped) {
		match at <= dropped + TRIP + TURN {
			true => after.due += len as f64,
			false => after.late += len as f64,
		}
		after.trips = (at - dropped).as_secs_f64() / TRIP.as_secs_f64();
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
	let of = |value: fn(&After) -> f64| all.iter().map(value).collect::<Vec<f64>>();
	let (mut due, mut late, mut trips) = (of(|a| a.due), of(|a| a.late), of(|a| a.trips));
	let note = format!(
		"{} transfers dropped after a quarter of 1 MiB, {AT_ONCE} at a time, {} ms there and back",
		all.len(),
		TRIP.as_millis()
	);
	let case = Case::new(
		"far-cancel-bytes-in-flight",
		Unit::BYTES,
		percentile(&mut due, 50),
	);
	report.push(case.note(note));
	for percent in [50, 95, 99] {
		let name = format!("far-cancel-bytes-late-p{percent}");
		let case = Case::new(name, Unit::BYTES, percentile(&mut late, percent));
		report.push(case.note(format!(
			"later than a round trip and {} ms; bar for p95: none",
			TURN.as_millis()
		)));
		let name = format!("far-cancel-round-trips-p{percent}");
		report.push(Case::new(name, RATIO, percentile(&mut trips, percent)));
	}
	Ok(())
}
