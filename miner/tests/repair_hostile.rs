//! One miner's repair among nodes that are dead, lie, or are lost while it works.

#![allow(clippy::unwrap_used)]

mod common;

use arion_crush::WEIGHT_ONE;
use arion_grid::{
	BoxFuture, Extract, Grid, GridConfig, Identity, Listed, Listing, ServiceError, ShardService,
};
use arion_miner::{daemon::Daemon, files::BasePath, init::init, size::ByteSize};
use bytes::Bytes;
use common::network::{hand_over, holders, map, settings, until, Seat, Stripe};
use hippius_primitives::{daemon::EpochUpdate, Epoch, NodeKey, Pg, ShardId, ShardMeta, StripeId};
use std::{
	collections::BTreeMap,
	os::unix::fs::FileExt,
	path::Path,
	sync::{Arc, Mutex},
};

/// Nodes per zone besides the miner, which is in the first.
const ZONES: [usize; 6] = [5, 8, 8, 8, 7, 7];

/// A node that keeps its shards in memory.
#[derive(Default)]
struct Memory {
	/// By group key.
	shards: Mutex<BTreeMap<[u8; 32], (ShardMeta, Bytes)>>,
	/// Sends other bytes than were asked for.
	lies: bool,
	/// Lists so many stripes that do not exist, as if it had each slot of them.
	invents: u32,
}

impl Memory {
	fn find(&self, shard: &ShardId) -> Option<Bytes> {
		let shards = self.shards.lock().unwrap();
		let mut all = shards.values();
		let found = all.find(|(meta, _)| meta.shard() == Some(*shard))?;
		Some(found.1.clone())
	}
}

impl ShardService for Memory {
	fn get(
		&self,
		_: NodeKey,
		shard: ShardId,
		groups: Option<std::ops::Range<u64>>,
	) -> BoxFuture<'_, Result<Option<Extract>, ServiceError>> {
		let found = self.find(&shard).map(|bytes| {
			let mut bytes = bytes.to_vec();
			bytes[7] ^= u8::from(self.lies);
			Extract::of(&bytes.into(), groups).unwrap()
		});
		Box::pin(async { Ok(found) })
	}

	fn has(
		&self,
		_: NodeKey,
		shards: Vec<ShardId>,
	) -> BoxFuture<'_, Result<Vec<bool>, ServiceError>> {
		let held = shards
			.iter()
			.map(|shard| self.find(shard).is_some())
			.collect();
		Box::pin(async { Ok(held) })
	}

	fn stripe(
		&self,
		_: NodeKey,
		stripe: StripeId,
	) -> BoxFuture<'_, Result<Option<ShardMeta>, ServiceError>> {
		let shards = self.shards.lock().unwrap();
		let found = shards
			.get(&stripe.group_key())
			.map(|(meta, _)| meta.clone());
		Box::pin(async { Ok(found) })
	}

	fn inventory(
		&self,
		_: NodeKey,
		_: Pg,
		after: Option<StripeId>,
		limit: usize,
	) -> BoxFuture<'_, Result<Listing, ServiceError>> {
		let after = after.map(|stripe| stripe.group_key());
		let shards = self.shards.lock().unwrap();
		let held = shards.iter().map(|(key, (meta, _))| (*key, 1 << meta.slot));
		let invented = (0..self.invents).map(|n| {
			let key = *blake3::hash(&n.to_le_bytes()).as_bytes();
			(key, (1 << 30) - 1)
		});
		let all: BTreeMap<[u8; 32], u32> = invented.chain(held).collect();
		let mut rest = all
			.into_iter()
			.filter(|(key, _)| after.is_none_or(|after| *key > after));
		let stripes: Vec<Listed> = rest
			.by_ref()
			.take(limit)
			.map(|(key, slots)| Listed {
				stripe: StripeId::from_group_key(key),
				slots,
			})
			.collect();
		let more = rest.next().is_some();
		let next = stripes.last().map(|listed| listed.stripe).filter(|_| more);
		Box::pin(async move {
			Ok(Listing {
				stripes,
				next,
				whole: true,
			})
		})
	}
}

/// A number for the miner, and the node of its zone whose slot it gets when that node leaves: where
/// there are just enough nodes, the others may change slots, too.
fn cast() -> (u32, u32) {
	let seat = |index, zone| Seat {
		index,
		zone,
		key: NodeKey([index as u8; 32]),
		address: "127.0.0.1:9".parse().unwrap(),
		reweight: WEIGHT_ONE,
	};
	let zones = ZONES.iter().zip(0u8..);
	let zones = zones.flat_map(|(count, zone)| std::iter::repeat_n(zone, *count));
	let others: Vec<Seat> = zones
		.zip(1u32..)
		.map(|(zone, index)| seat(index, zone))
		.collect();
	let stripe = StripeId::default();
	let before = holders(&map(1, 1, &others), &stripe);
	let pairs = (100u32..200).flat_map(|own| (1..=5u32).map(move |former| (own, former)));
	let mut fitting = pairs.filter(|(own, former)| {
		let mut seats = others.clone();
		seats.retain(|seat| seat.index != *former);
		seats.push(seat(*own, 0));
		let after = holders(&map(2, 1, &seats), &stripe);
		let slot = after.iter().position(|node| node == own).unwrap();
		before[slot] == *former
	});
	fitting.next().unwrap()
}

/// A miner and the nodes around it.
struct World {
	former: u32,
	base: BasePath,
	daemon: Option<Daemon>,
	own: Seat,
	others: Vec<(Seat, Arc<Grid>, Arc<Memory>)>,
}

impl World {
	/// `special` makes nodes what they are.
	async fn new(dir: &Path, rate: u64, special: impl Fn(u32, bool) -> Memory) -> Self {
		let (own, former) = cast();
		let base = BasePath(dir.join("miner"));
		let mut config = settings();
		config.repair.rate = ByteSize(rate);
		config.repair.parallel = 2;
		let key = init(&base, &config).unwrap();
		let daemon = Daemon::start(base.clone(), None).await.unwrap();
		let own = Seat {
			index: own,
			zone: 0,
			key,
			address: daemon.info().listen,
			reweight: WEIGHT_ONE,
		};
		let zones = ZONES.iter().zip(0u8..);
		let zones = zones.flat_map(|(count, zone)| std::iter::repeat_n(zone, *count));
		let others = zones.zip(1u32..).map(|(zone, index)| {
			let identity = Arc::new(Identity::generate().unwrap());
			let key = identity.node_key();
			let listen = "127.0.0.1:0".parse().unwrap();
			let grid = Grid::bind(listen, identity, GridConfig::default()).unwrap();
			let memory = Arc::new(special(index, index == former));
			grid.serve(memory.clone()).unwrap();
			let seat = Seat {
				index,
				zone,
				key,
				address: grid.local_addr(),
				reweight: WEIGHT_ONE,
			};
			(seat, grid, memory)
		});
		Self {
			former,
			base,
			daemon: Some(daemon),
			own,
			others: others.collect(),
		}
	}

	fn daemon(&self) -> &Daemon {
		self.daemon.as_ref().unwrap()
	}

	/// A map of the nodes that are wanted, with one placement group.
	fn map(&self, epoch: Epoch, wanted: impl Fn(u32) -> bool) -> EpochUpdate {
		let seats = self.others.iter().map(|(seat, ..)| *seat);
		let seats = std::iter::once(self.own).chain(seats);
		let seats: Vec<Seat> = seats.filter(|seat| wanted(seat.index)).collect();
		map(epoch, 1, &seats)
	}

	async fn take(&self, update: &EpochUpdate) {
		hand_over(&self.base, self.daemon(), update).await;
		let epoch = update.epoch;
		until(self.daemon(), "map", move |p| p.epoch >= epoch).await;
	}

	fn put(&self, update: &EpochUpdate, stripe: &Stripe) {
		for (slot, node) in holders(update, &stripe.id()).into_iter().enumerate() {
			let (_, _, memory) = &self.others[node as usize - 1];
			let shard = (stripe.slot(slot), stripe.shards[slot].clone());
			let mut shards = memory.shards.lock().unwrap();
			shards.insert(stripe.id().group_key(), shard);
		}
	}

	/// Checks that the miner has its slot's shard of every stripe, and nothing else.
	fn check(&self, update: &EpochUpdate, stripes: &[Stripe]) {
		for stripe in stripes {
			let slot = self.own_slot(update, stripe);
			let found = self
				.daemon()
				.store()
				.get(&stripe.meta.shards[slot])
				.unwrap();
			let (meta, bytes) = found.expect("missing");
			assert_eq!(
				(meta, &bytes[..]),
				(stripe.slot(slot), &stripe.shards[slot][..])
			);
		}
		assert_eq!(self.daemon().store().usage().shards, stripes.len() as u64);
	}

	fn own_slot(&self, update: &EpochUpdate, stripe: &Stripe) -> usize {
		let holders = holders(update, &stripe.id());
		let own = holders.iter().position(|node| *node == self.own.index);
		own.unwrap()
	}

	fn close(&self, node: u32) -> impl std::future::Future<Output = ()> + '_ {
		self.others[node as usize - 1].1.close()
	}

	fn brought(&self) -> (u64, u64) {
		let stats = self.daemon().repair().stats();
		(stats.get(|s| &s.copied), stats.get(|s| &s.rebuilt))
	}
}

fn stripes(count: u32, len: usize) -> Vec<Stripe> {
	(0..count).map(|seed| Stripe::new(seed, len)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_fifteen_of_thirty_nodes_dead_repair_goes_ahead_of_the_rate() {
	let dir = tempfile::tempdir().unwrap();
	// At this rate it would take more than a minute.
	let world = World::new(dir.path(), 64 << 10, |_, _| Memory::default()).await;
	let before = world.map(1, |node| node != world.own.index);
	world.take(&before).await;
	let stripes = stripes(8, 640 << 10);
	stripes.iter().for_each(|stripe| world.put(&before, stripe));
	let members = holders(&before, &stripes[0].id());
	// The former holder, and of the other zones as many as leave five.
	let mut dead = vec![world.former];
	for (zone, spare) in [(1, 3), (2, 3), (3, 3), (4, 2), (5, 2)] {
		dead.extend(&members[zone * 5..zone * 5 + spare]);
	}
	assert_eq!(dead.len(), 14);
	for node in &dead {
		world.close(*node).await;
	}
	// One more does not answer, but nobody has noticed.
	let silent = members[14];
	world.close(silent).await;
	let after = world.map(2, |node| !dead.contains(&node));
	world.take(&after).await;
	until(world.daemon(), "urgent", |p| p.is_settled(2)).await;
	world.check(&after, &stripes);
	assert_eq!(world.brought(), (0, 8));
	world.daemon.unwrap().stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn liars_cost_little_and_change_nothing() {
	let dir = tempfile::tempdir().unwrap();
	let world = World::new(dir.path(), 32 << 20, |node, former| Memory {
		// The slot's former holder and every seventh node.
		lies: former || node % 7 == 0,
		invents: if former { 6000 } else { 0 },
		..Memory::default()
	})
	.await;
	let before = world.map(1, |node| node != world.own.index);
	world.take(&before).await;
	let stripes = stripes(6, 640);
	stripes.iter().for_each(|stripe| world.put(&before, stripe));
	let after = world.map(2, |node| node != world.former);
	world.take(&after).await;
	let stats = || world.daemon().repair().stats();
	until(world.daemon(), "liars", |p| {
		p.is_settled(2) || stats().get(|s| &s.checked) > 0
	})
	.await;
	world.check(&after, &stripes);
	assert_eq!(
		world.brought(),
		(0, 6),
		"all are rebuilt, since the only copies are wrong"
	);
	let hollow = stats().get(|s| &s.hollow);
	assert!((1..=4096).contains(&hollow), "{hollow}");
	world.daemon.unwrap().stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_without_its_state_goes_on_where_it_was() {
	let dir = tempfile::tempdir().unwrap();
	let mut world = World::new(dir.path(), 256 << 10, |_, _| Memory::default()).await;
	let before = world.map(1, |node| node != world.own.index);
	world.take(&before).await;
	// Each takes ten times 64 KiB to rebuild.
	let stripes = stripes(5, 640 << 10);
	stripes.iter().for_each(|stripe| world.put(&before, stripe));
	let after = world.map(2, |node| node != world.former);
	world.close(world.former).await;
	world.take(&after).await;
	let mut progress = world.daemon().repair().progress();
	let begun = std::time::Instant::now();
	while world.brought().1 == 0 {
		assert!(begun.elapsed() < common::network::HANG);
		let tick = std::time::Duration::from_millis(20);
		let _ = tokio::time::timeout(tick, progress.changed()).await;
	}
	world.daemon.take().unwrap().stop().await.unwrap();
	std::fs::remove_file(world.base.repair()).unwrap();
	let mut config = settings();
	config.repair.rate = ByteSize(32 << 20);
	std::fs::write(world.base.config(), config.render()).unwrap();
	world.daemon = Some(Daemon::start(world.base.clone(), None).await.unwrap());
	let had = world.daemon().store().usage().shards;
	assert!((1..5).contains(&had), "{had}");
	until(world.daemon(), "restart", |p| p.is_settled(2)).await;
	world.check(&after, &stripes);
	assert_eq!(world.brought(), (0, 5 - had));
	world.daemon.unwrap().stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_scrub_finds_is_brought_back() {
	let dir = tempfile::tempdir().unwrap();
	let world = World::new(dir.path(), 32 << 20, |_, _| Memory::default()).await;
	let before = world.map(1, |node| node != world.own.index);
	world.take(&before).await;
	let stripes = stripes(4, 64_000);
	stripes.iter().for_each(|stripe| world.put(&before, stripe));
	let after = world.map(2, |node| node != world.former);
	world.take(&after).await;
	until(world.daemon(), "copies", |p| p.is_settled(2)).await;
	world.check(&after, &stripes);
	assert_eq!(world.brought(), (4, 0), "the former holder still serves");

	// Flip bits of one shard on disk.
	let slot = world.own_slot(&after, &stripes[2]);
	let (id, bytes) = (stripes[2].meta.shards[slot], &stripes[2].shards[slot]);
	let volume = world.base.store().join("00000001.vol");
	let content = std::fs::read(&volume).unwrap();
	let mut windows = content.windows(64);
	let at = windows.position(|window| window == &bytes[..64]).unwrap();
	let file = std::fs::OpenOptions::new()
		.write(true)
		.open(&volume)
		.unwrap();
	file.write_all_at(&[!bytes[0], !bytes[1]], at as u64)
		.unwrap();
	let store = world.daemon().store().clone();
	let scrubbed = tokio::task::spawn_blocking(move || {
		let scrubbed: u64 = store.stores().map(|store| store.scrub().unwrap()).sum();
		scrubbed
	});
	assert_eq!(scrubbed.await.unwrap(), 4);
	let stats = world.daemon().repair().stats();
	let mut progress = world.daemon().repair().progress();
	let begun = std::time::Instant::now();
	while stats.get(|s| &s.copied) < 5 || !world.daemon().store().has(&id) {
		assert!(begun.elapsed() < common::network::HANG);
		let tick = std::time::Duration::from_millis(20);
		let _ = tokio::time::timeout(tick, progress.changed()).await;
	}
	world.check(&after, &stripes);
	assert_eq!(stats.get(|s| &s.findings), 1);
	world.daemon.unwrap().stop().await.unwrap();
}
