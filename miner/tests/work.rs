//! What the chain asks of a miner's disks, and what the miner answers: with real shards, a real ledger,
//! and the checks of the chain.

#![allow(clippy::unwrap_used)]

mod common;

use arion_crush::ClusterMap;
use arion_grid::{BoxFuture, Identity};
use arion_miner::{
	epochs::Epochs,
	leaves::Leaves,
	work::{
		peers::{Peers, Silent},
		prove::Cause,
		shards::{Found, Listed, Shards},
		Work, WorkError, PATIENCE,
	},
};
use arion_shard_store::{ShardStore, Slice, StoreConfig, StoreError, StoreSet};
use arion_storage_proof::{
	answer::{Answer, Shown},
	sample,
	work::{GroupLedger, LifeOrder, WorkOrder, WorkReport, MAX_ORDER_ASKED},
	AuditProof, Batch, Blake2, Challenge, EntryProof, Mmr, ShardLen, StripeEntry, SumTree,
};
use bytes::Bytes;
use codec::Encode;
use common::{update, GENESIS, OWN};
use hippius_primitives::{
	audit::{Ask, AskedOf},
	heartbeat::LifeSign,
	id::shard_id,
	receipt::BatchRef,
	NodeIndex, Pg, ShardId, ShardMeta, StripeId,
};
use std::{
	collections::BTreeSet,
	sync::{
		atomic::{AtomicU64, Ordering::SeqCst},
		Arc, Mutex, RwLock,
	},
};
use tokio::sync::watch;

const LEN: u64 = 100_032;

/// A store of which reads can be held up.
struct Disk {
	store: StoreSet,
	open: watch::Sender<bool>,
	reads: AtomicU64,
	lost: Mutex<BTreeSet<StripeId>>,
	damaged: Mutex<BTreeSet<ShardId>>,
	never: Mutex<BTreeSet<StripeId>>,
	compare: Mutex<Vec<Pg>>,
	compared: AtomicU64,
}

impl Shards for Disk {
	fn find(&self, entry: &StripeEntry, slot: u8) -> Result<Found, StoreError> {
		let held = self.store.holdings(&entry.stripe, false)?;
		let held = held.into_iter().find(|held| held.meta.slot == slot);
		Ok(match held {
			Some(held) => Found::Here(Box::new(held.meta)),
			None if self.never.lock().unwrap().contains(&entry.stripe) => Found::Never,
			None => Found::Lost,
		})
	}

	fn listed(&self, stripes: &[StripeId], _: u8) -> Result<Vec<Listed>, StoreError> {
		let never = self.never.lock().unwrap();
		let listed = |stripe| {
			let held = !self.store.holdings(stripe, false)?.is_empty();
			Ok(match held {
				true => Listed::Here,
				false if never.contains(stripe) => Listed::Unknown,
				false => Listed::Gone,
			})
		};
		stripes.iter().map(listed).collect()
	}

	fn compare(&self, pg: Pg) {
		self.compare.lock().unwrap().push(pg);
	}

	fn compared(&self, _: Pg, _: u8) -> Option<u64> {
		Some(self.compared.load(SeqCst)).filter(|at| *at > 0)
	}

	fn group(&self, shard: &ShardId, group: u64) -> Result<Option<Slice>, StoreError> {
		let mut open = self.open.subscribe();
		self.reads.fetch_add(1, SeqCst);
		let waited = tokio::runtime::Handle::current().block_on(open.wait_for(|open| *open));
		drop(waited);
		self.store
			.read_slice(&(*shard).into(), Some(group..group + 1))
	}

	fn damaged(&self, shard: &ShardId) {
		self.damaged.lock().unwrap().insert(*shard);
	}

	fn lost(&self, stripe: StripeId, _: bool) {
		self.lost.lock().unwrap().insert(stripe);
	}
}

/// The ledger of one group, with a stripe of which this node has a shard in the middle batch.
struct Ledger {
	pg: Pg,
	meta: ShardMeta,
	trees: Vec<SumTree>,
	mmr: Mmr,
}

fn entry(stripe: StripeId, len: u64) -> StripeEntry {
	StripeEntry {
		stripe,
		owner: [5; 32],
		shard_len: ShardLen::new(len).unwrap(),
	}
}

fn foreign(seed: u8) -> StripeEntry {
	entry(StripeId([seed; 32]), 64 * u64::from(seed))
}

impl Ledger {
	fn new((meta, bytes): &(ShardMeta, Bytes)) -> Self {
		let map = ClusterMap::decode_checked(&update(1, Default::default()).map).unwrap();
		let ours = entry(meta.stripe, bytes.len() as u64);
		let mut ledger = Self {
			pg: map.pg_of(&meta.stripe),
			meta: meta.clone(),
			trees: Vec::new(),
			mmr: Mmr::new(),
		};
		ledger.append(vec![foreign(1), foreign(2)]);
		ledger.append(vec![foreign(3), ours, foreign(4)]);
		ledger.append(vec![foreign(5)]);
		ledger
	}

	/// The ledger of nothing but a stripe of which this node has a shard.
	fn own((meta, bytes): &(ShardMeta, Bytes)) -> Self {
		let mut ledger = Self {
			trees: Vec::new(),
			mmr: Mmr::new(),
			..Self::new(&(meta.clone(), bytes.clone()))
		};
		ledger.append(vec![entry(meta.stripe, bytes.len() as u64)]);
		ledger
	}

	fn append(&mut self, entries: Vec<StripeEntry>) {
		let tree = SumTree::build::<Blake2>(entries).unwrap();
		self.mmr.append::<Blake2>(&tree.batch()).unwrap();
		self.trees.push(tree);
	}

	fn batches(&self) -> Vec<Batch> {
		self.trees.iter().map(SumTree::batch).collect()
	}

	/// Where a byte of the shard is in the ledger.
	fn offset(&self, byte: u64) -> u64 {
		64 * (1 + 2 + 3) + byte
	}

	fn told(&self) -> GroupLedger {
		GroupLedger {
			pg: self.pg,
			challengeable: self.mmr.peaks().clone(),
			newest: self.mmr.peaks().clone(),
			first: 0,
			batches: self.batches(),
			unclean: false,
		}
	}

	fn asked(&self, id: u64, bytes: &[u64]) -> AskedOf {
		AskedOf {
			ask: Ask::Task { id },
			node: OWN,
			pg: self.pg,
			slot: self.meta.slot,
			offsets: bytes.iter().map(|byte| self.offset(*byte)).collect(),
			seed: [id as u8; 32],
			due: Some(50),
		}
	}

	fn keep(&self, leaves: &Leaves, number: usize) {
		let tree = &self.trees[number];
		let batch = tree.batch();
		let of = BatchRef {
			genesis: GENESIS,
			pg: self.pg,
			epoch: 1,
			root: batch.root,
			bytes: batch.bytes,
			stripes: batch.stripes,
			owners: [8; 32],
		};
		leaves.keep(&of, tree, 1).unwrap();
	}
}

/// Shards in this node's slot, each of a group of its own.
fn own_shards() -> impl Iterator<Item = (ShardMeta, Bytes)> {
	let map = ClusterMap::decode_checked(&update(1, Default::default()).map).unwrap();
	let placement = map.placement().unwrap();
	let mut groups = BTreeSet::new();
	let mut tries = 0u64..;
	std::iter::repeat_with(move || {
		let bytes: Bytes = sample::bytes(LEN as usize, groups.len() as u64).into();
		let id = shard_id(&bytes);
		let mut found = tries.by_ref().filter_map(|seed| {
			let slot = (seed % 30) as usize;
			let mut shards = [ShardId(sample::hash(seed)); 30];
			shards[slot] = id;
			let meta = ShardMeta::new(shards, slot as u8).unwrap();
			let pg = map.pg_of(&meta.stripe);
			let ours = placement.up(pg).unwrap()[slot] == Some(OWN);
			(ours && groups.insert(pg)).then_some(meta)
		});
		(found.next().unwrap(), bytes)
	})
}

struct Rig {
	_dir: tempfile::TempDir,
	epochs: Arc<Epochs>,
	leaves: Arc<Leaves>,
	disk: Arc<Disk>,
	signer: Arc<RwLock<Arc<Identity>>>,
	work: Arc<Work>,
	ledgers: Vec<Ledger>,
}

impl Rig {
	/// A node with so many shards, each of a group of its own.
	fn new(shards: usize) -> Self {
		Self::of(shards, Ledger::new)
	}

	fn of(shards: usize, make: fn(&(ShardMeta, Bytes)) -> Ledger) -> Self {
		let dir = tempfile::tempdir().unwrap();
		let identity = Arc::new(Identity::from_seed(&[77; 32]).unwrap());
		let epochs = Epochs::load(dir.path().join("map"), identity.node_key()).unwrap();
		std::fs::create_dir_all(dir.path().join("map")).unwrap();
		epochs
			.take(&update(1, identity.node_key()).encode())
			.unwrap();
		epochs.held().unwrap().compute_slots().unwrap();
		let config = StoreConfig {
			volume_size: 16 << 20,
			..StoreConfig::new(64 << 20)
		};
		let store = ShardStore::open(&dir.path().join("store"), config).unwrap();
		let disk = Arc::new(Disk {
			store: store.into(),
			open: watch::Sender::new(true),
			reads: AtomicU64::default(),
			lost: Mutex::default(),
			damaged: Mutex::default(),
			never: Mutex::default(),
			compare: Mutex::default(),
			compared: AtomicU64::default(),
		});
		let leaves = Arc::new(Leaves::open(&dir.path().join("leaves.redb")).unwrap());
		let mut ledgers: Vec<Ledger> = Vec::new();
		for shard in own_shards().take(shards) {
			let ledger = make(&shard);
			disk.store.put(&shard.0, &shard.1).unwrap();
			let ours = ledger.trees.len() / 2;
			ledger.keep(&leaves, ours);
			ledgers.push(ledger);
		}
		let epochs = Arc::new(epochs);
		let signer = Arc::new(RwLock::new(identity));
		let work = Work::new(epochs.clone(), leaves.clone(), disk.clone(), signer.clone());
		Self {
			_dir: dir,
			epochs,
			leaves,
			disk,
			signer,
			work,
			ledgers,
		}
	}

	fn order(&self, asked: Vec<AskedOf>) -> WorkOrder {
		WorkOrder {
			genesis: GENESIS,
			best: 100,
			epoch: 1,
			asked,
			ledgers: self.ledgers.iter().map(Ledger::told).collect(),
			life: None,
		}
	}

	async fn take(&self, order: &WorkOrder) -> WorkReport {
		self.work.take(&order.encode()).await.unwrap()
	}

	/// Checks answers as the chain does; gives what they are to.
	fn check(&self, order: &WorkOrder, answers: &[Answer]) -> Vec<Ask> {
		let key = self.signer.read().unwrap().node_key();
		let mut answered = Vec::new();
		let places: BTreeSet<u8> = answers.iter().map(|answer| answer.place).collect();
		assert_eq!(places.len(), answers.len());
		for answer in answers {
			assert!(answer.node == OWN && answer.place < 8 && !answer.items.is_empty());
			let mut seeds = Vec::new();
			for item in &answer.items {
				assert!(answered.last().is_none_or(|last| *last != item.ask));
				let asked = order.asked.iter().find(|asked| asked.ask == item.ask);
				let asked = asked.unwrap();
				let ledger = self.ledgers.iter().find(|ledger| ledger.pg == asked.pg);
				let peaks = ledger.unwrap().mmr.peaks();
				assert_eq!(item.shown.len(), asked.offsets.len());
				for (shown, offset) in item.shown.iter().zip(&asked.offsets) {
					let challenge = Challenge {
						offset: *offset,
						slot: asked.slot,
					};
					match shown {
						Shown::Bytes(bytes) => {
							let proof = AuditProof::from_bytes(bytes).unwrap();
							proof.verify::<Blake2>(peaks, &challenge).unwrap();
						}
						Shown::Released(bytes) => {
							let proof = EntryProof::from_bytes(bytes).unwrap();
							proof.verify::<Blake2>(peaks, *offset).unwrap();
							assert_eq!(answer.items.len(), 1);
						}
					}
				}
				seeds.push(asked.seed);
				answered.push(item.ask);
			}
			let payload = answer.payload(&order.genesis, &seeds);
			assert!(arion_grid::verify(&key, &payload, &answer.signature));
		}
		answered.sort();
		answered
	}
}

fn task(id: u64) -> Ask {
	Ask::Task { id }
}

#[tokio::test]
async fn every_byte_asked_for_is_shown_as_the_chain_wants_it() {
	let rig = Rig::new(3);
	let mut asked: Vec<AskedOf> = Vec::new();
	for (id, ledger) in (0..).zip(rig.ledgers.iter().cycle().take(20)) {
		let byte = id * 4_999;
		asked.push(ledger.asked(id, &[byte, 0, LEN - 1, (byte + 16_384) % LEN]));
	}
	let draw = Ask::Draw { block: 7, draw: 3 };
	asked.push(AskedOf {
		ask: draw,
		..rig.ledgers[0].asked(90, &[1_024])
	});
	let order = rig.order(asked);
	let report = rig.take(&order).await;
	assert_eq!(report.node, Some(OWN));
	let answered = rig.check(&order, &report.answers);
	assert_eq!(answered.len(), 21);
	assert!(report.answers.len() == 3 && answered.contains(&draw));
	// Proofs are kept for as long as they lead to the chain's peaks, also over an order without them.
	let reads = rig.disk.reads.load(SeqCst);
	let without = rig.take(&rig.order(Vec::new())).await;
	assert!(without.answers.is_empty());
	let again = rig.take(&order).await;
	assert_eq!(rig.check(&order, &again.answers), answered);
	assert_eq!(rig.disk.reads.load(SeqCst), reads);
	let status = rig.work.status();
	assert_eq!((status.asked, status.ready, status.problem), (21, 21, None));
}

#[tokio::test]
async fn new_peaks_are_proved_to_anew() {
	let mut rig = Rig::new(1);
	let order = rig.order(vec![rig.ledgers[0].asked(1, &[5])]);
	rig.check(&order, &rig.take(&order).await.answers);
	rig.ledgers[0].append(vec![foreign(9)]);
	let order = rig.order(order.asked);
	assert_eq!(
		rig.check(&order, &rig.take(&order).await.answers),
		[task(1)]
	);
	// The audits see an older ledger than there is, and an order brings only what is new.
	let older = order.ledgers[0].challengeable.clone();
	let batch = SumTree::build::<Blake2>(vec![foreign(10)]).unwrap();
	rig.ledgers[0].append(batch.entries().to_vec());
	let mut newer = rig.order(order.asked.clone());
	newer.ledgers[0].challengeable = older;
	newer.ledgers[0].first = 4;
	newer.ledgers[0].batches = vec![batch.batch()];
	let report = rig.take(&newer).await;
	assert_eq!(report.answers[0].items[0].ask, task(1));
	assert_eq!(rig.leaves.known(rig.ledgers[0].pg).unwrap(), 5);
}

#[tokio::test]
async fn what_a_worker_lies_about_is_neither_signed_nor_kept() {
	let rig = Rig::new(2);
	let ledger = &rig.ledgers[0];
	let good = rig.order(vec![ledger.asked(1, &[5]), rig.ledgers[1].asked(2, &[7])]);
	// Of another chain, too long, and no order at all.
	let other = WorkOrder {
		genesis: [1; 32],
		..good.clone()
	};
	let error = rig.work.take(&other.encode()).await.unwrap_err();
	assert!(matches!(error, WorkError::OtherChain { .. }), "{error}");
	let many = rig.order(vec![ledger.asked(1, &[5]); MAX_ORDER_ASKED + 1]);
	let error = rig.work.take(&many.encode()).await.unwrap_err();
	assert!(matches!(error, WorkError::TooMany { .. }), "{error}");
	for bytes in [&[][..], &[255; 100], &[&good.encode()[..], &[0]].concat()] {
		let error = rig.work.take(bytes).await.unwrap_err();
		assert!(matches!(error, WorkError::Malformed(_)), "{error}");
	}
	assert_eq!(rig.work.stats.get(|s| &s.refused), 5);
	// Batches in another order, one left out, one of another ledger, too few peaks.
	type Edit = fn(&mut GroupLedger);
	let lies: [Edit; 6] = [
		|l| l.batches.swap(0, 1),
		|l| l.batches.truncate(1),
		|l| {
			l.batches.remove(1);
		},
		|l| l.batches[0].bytes += 64,
		|l| l.first = 1,
		|l| {
			l.batches[1].root[0] ^= 1;
			l.batches[2].root[0] ^= 1;
		},
	];
	for (nth, lie) in lies.iter().enumerate() {
		let mut bad = good.clone();
		lie(&mut bad.ledgers[0]);
		let report = rig.take(&bad).await;
		// The other group's is answered all the same.
		assert_eq!(rig.check(&bad, &report.answers), [task(2)], "lie {nth}");
		assert_eq!(report.wants[0].0, ledger.pg);
	}
	let failed = &rig.work.stats.failed[Cause::Order as usize];
	assert_eq!(failed.load(SeqCst), lies.len() as u64);
	// Then the truth, which replaces what no peak had decided on.
	let report = rig.take(&good).await;
	assert_eq!(rig.check(&good, &report.answers), [task(1), task(2)]);
	assert_eq!(rig.leaves.batches(ledger.pg).unwrap(), ledger.batches());
	// What is known is not given up for peaks that nothing leads to.
	let mut bad = good.clone();
	let mut false_ledger = Ledger::new(&own_shards().next().unwrap());
	false_ledger.append(vec![foreign(77)]);
	false_ledger.append(vec![foreign(78)]);
	bad.ledgers[0].newest = false_ledger.mmr.peaks().clone();
	bad.ledgers[0].challengeable = false_ledger.mmr.peaks().clone();
	bad.ledgers[0].batches.swap(0, 2);
	let report = rig.take(&bad).await;
	assert_eq!(rig.check(&bad, &report.answers), [task(2)]);
	assert_eq!(rig.leaves.batches(ledger.pg).unwrap(), ledger.batches());
	assert_eq!(rig.check(&good, &rig.take(&good).await.answers).len(), 2);
}

#[tokio::test]
async fn what_is_asked_of_others_or_makes_no_sense_is_passed_over() {
	let rig = Rig::new(1);
	let good = rig.ledgers[0].asked(1, &[5]);
	type Edit = fn(&mut AskedOf);
	let edits: [Edit; 6] = [
		|a| a.node = 8,
		|a| a.slot = 30,
		|a| a.slot = (a.slot + 1) % 30,
		|a| a.offsets.clear(),
		|a| a.offsets = vec![1; 5],
		|a| a.offsets = vec![u64::MAX],
	];
	let mut asked = vec![good.clone(), good.clone()];
	for (id, edit) in (10..).zip(edits) {
		let mut bad = AskedOf {
			ask: task(id),
			..good.clone()
		};
		edit(&mut bad);
		asked.push(bad);
	}
	let order = rig.order(asked);
	let report = rig.take(&order).await;
	assert_eq!(rig.check(&order, &report.answers), [task(1)]);
	assert_eq!(rig.work.stats.get(|s| &s.foreign), 5);
	assert_eq!(rig.work.status().asked, 3);
}

#[tokio::test]
async fn lost_and_damaged_shards_spoil_nothing_else_and_are_to_be_repaired() {
	let rig = Rig::new(3);
	let asked = (0..).zip(&rig.ledgers);
	let order = rig.order(
		asked
			.map(|(id, ledger)| ledger.asked(id, &[70_000]))
			.collect(),
	);
	let shard = |nth: usize| rig.ledgers[nth].meta.shard().unwrap();
	let stripe = |nth: usize| rig.ledgers[nth].meta.stripe;
	let deleted = rig.disk.store.delete(&shard(0).into(), Some(&stripe(0)));
	assert_eq!(deleted.unwrap(), 1);
	damage(&rig, &shard(1));
	let report = rig.take(&order).await;
	assert_eq!(rig.check(&order, &report.answers), [task(2)]);
	let lost = rig.disk.lost.lock().unwrap().clone();
	assert!(lost.contains(&stripe(0)) && !lost.contains(&stripe(1)));
	assert_eq!(*rig.disk.damaged.lock().unwrap(), [shard(1)].into());
	let failed = |cause: Cause| rig.work.stats.failed[cause as usize].load(SeqCst);
	assert_eq!((failed(Cause::Lost), failed(Cause::Damaged)), (1, 1));
	assert!(rig.work.status().problem.is_some());
	// Back again, it is shown with the next order.
	rig.disk
		.store
		.restore(&shard(0).into(), Some(&stripe(0)))
		.unwrap();
	let report = rig.take(&order).await;
	assert_eq!(rig.check(&order, &report.answers), [task(0), task(2)]);
}

/// Changes a byte of a stored shard on disk.
fn damage(rig: &Rig, shard: &ShardId) {
	let (_, bytes) = rig.disk.store.get(shard).unwrap().unwrap();
	let needle = &bytes[69_000..69_064];
	let mut found = 0;
	for file in walk(&rig._dir.path().join("store")) {
		let mut data = std::fs::read(&file).unwrap();
		let at: Vec<usize> = data
			.windows(needle.len())
			.enumerate()
			.filter(|(_, window)| *window == needle)
			.map(|(at, _)| at)
			.collect();
		for at in at {
			data[at] ^= 1;
			found += 1;
		}
		std::fs::write(&file, data).unwrap();
	}
	assert!(found > 0);
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
	let mut files = Vec::new();
	for item in std::fs::read_dir(dir).unwrap() {
		let path = item.unwrap().path();
		match path.is_dir() {
			true => files.extend(walk(&path)),
			false => files.push(path),
		}
	}
	files
}

#[tokio::test]
async fn what_was_never_here_is_shown_as_released_and_alone() {
	let rig = Rig::new(2);
	let ledger = &rig.ledgers[0];
	rig.disk.never.lock().unwrap().insert(StripeId([3; 32]));
	let mut released = ledger.asked(1, &[]);
	released.offsets = vec![64 * 3 + 5, ledger.offset(9)];
	let order = rig.order(vec![
		released,
		ledger.asked(2, &[1]),
		rig.ledgers[1].asked(3, &[1]),
	]);
	let report = rig.take(&order).await;
	let all = [task(1), task(2), task(3)];
	assert_eq!(rig.check(&order, &report.answers), all);
	assert_eq!(report.answers.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_hangs_delays_only_its_own() {
	let rig = Rig::new(2);
	let order = rig.order(vec![rig.ledgers[0].asked(1, &[5])]);
	rig.disk.open.send_replace(false);
	let before = tokio::time::Instant::now();
	let report = rig.take(&order).await;
	assert!(report.answers.is_empty() && before.elapsed() >= PATIENCE);
	// Asked again while it hangs, nobody else is sent there.
	let report = rig.take(&order).await;
	assert!(report.answers.is_empty());
	assert_eq!(rig.disk.reads.load(SeqCst), 1);
	let mut settled = rig.work.settled();
	settled.mark_unchanged();
	rig.disk.open.send_replace(true);
	settled.changed().await.unwrap();
	let report = rig.take(&order).await;
	assert_eq!(rig.check(&order, &report.answers), [task(1)]);
	assert_eq!(rig.disk.reads.load(SeqCst), 1);
}

#[tokio::test]
async fn the_key_that_the_chain_takes_signs() {
	let rig = Rig::new(1);
	let order = rig.order(vec![rig.ledgers[0].asked(1, &[5])]);
	let first = rig.take(&order).await;
	rig.check(&order, &first.answers);
	// The node shows its next key before a map has it: nothing that would not count is signed.
	let next = Arc::new(Identity::from_seed(&[78; 32]).unwrap());
	let old = rig.signer.read().unwrap().node_key();
	*rig.signer.write().unwrap() = next.clone();
	rig.epochs.set_key(next.node_key());
	assert!(rig.take(&order).await.answers.is_empty());
	let mut rotating = update(2, old);
	rotating.nodes[OWN as usize].next_key = Some(next.node_key());
	rig.epochs.take(&rotating.encode()).unwrap();
	let report = rig.take(&order).await;
	assert_eq!(rig.check(&order, &report.answers), [task(1)]);
	assert_ne!(report.answers[0].signature, first.answers[0].signature);
}

#[tokio::test]
async fn a_sign_of_life_is_for_this_node_only() {
	let rig = Rig::new(0);
	let mut order = rig.order(Vec::new());
	let life = |node| LifeOrder {
		sign: LifeSign { node, window: 9 },
		anchor: [4; 32],
	};
	order.life = Some(life(8));
	assert_eq!(rig.take(&order).await.life, None);
	order.life = Some(life(OWN));
	let signature = rig.take(&order).await.life.unwrap();
	let key = rig.signer.read().unwrap().node_key();
	let payload = life(OWN).sign.payload(&GENESIS, &[4; 32]);
	assert!(arion_grid::verify(&key, &payload, &signature));
}

impl Rig {
	/// An order at a block by which all groups are unclean.
	fn unclean(&self, best: u32) -> WorkOrder {
		let mut order = WorkOrder {
			best,
			..self.order(Vec::new())
		};
		for ledger in &mut order.ledgers {
			ledger.unclean = true;
		}
		order
	}

	/// The groups a report calls clean; its signature is checked.
	fn clean(&self, report: &WorkReport) -> Vec<(Pg, u64)> {
		let Some((clean, signature)) = &report.clean else {
			return Vec::new();
		};
		assert_eq!(clean.node, OWN);
		let key = self.signer.read().unwrap().node_key();
		assert!(arion_grid::verify(
			&key,
			&clean.payload(&GENESIS),
			signature
		));
		assert!(clean.groups.windows(2).all(|pair| pair[0].0 < pair[1].0));
		clean.groups.clone()
	}
}

#[tokio::test]
async fn groups_of_which_all_is_here_are_reported_as_clean() {
	let rig = Rig::of(18, Ledger::own);
	let told: BTreeSet<(Pg, u64)> = rig.ledgers.iter().map(|ledger| (ledger.pg, 1)).collect();
	// Of other epochs' slots nothing is said, nor of groups that the chain holds for clean.
	let mut later = rig.unclean(100);
	later.epoch = 2;
	assert_eq!(rig.take(&later).await.clean, None);
	assert_eq!(rig.take(&rig.order(Vec::new())).await.clean, None);
	let first = rig.clean(&rig.take(&rig.unclean(100)).await);
	assert_eq!(first.len(), 16);
	// Others in the next report but one, and none twice.
	assert_eq!(rig.take(&rig.unclean(101)).await.clean, None);
	let second = rig.clean(&rig.take(&rig.unclean(102)).await);
	assert_eq!(second.len(), 2);
	assert_eq!(told, first.iter().chain(&second).copied().collect());
	for best in 103..110 {
		assert_eq!(rig.take(&rig.unclean(best)).await.clean, None);
	}
	// The chain has not heard: once more, alone.
	let again = rig.clean(&rig.take(&rig.unclean(110)).await);
	assert_eq!(again, first[..1]);
	let next = rig.clean(&rig.take(&rig.unclean(112)).await);
	assert_eq!(next, first[1..2]);
	assert_eq!(rig.work.stats.get(|s| &s.reports), 4);
}

#[tokio::test]
async fn a_group_that_lacks_something_is_not_reported_until_it_is_here() {
	let mut rig = Rig::of(2, Ledger::own);
	let pgs: Vec<Pg> = rig.ledgers.iter().map(|ledger| ledger.pg).collect();
	let shard = rig.ledgers[0].meta.shard().unwrap();
	let stripe = rig.ledgers[0].meta.stripe;
	rig.disk.store.delete(&shard.into(), Some(&stripe)).unwrap();
	let clean = rig.clean(&rig.take(&rig.unclean(100)).await);
	assert_eq!(clean, [(pgs[1], 1)]);
	assert_eq!(*rig.disk.lost.lock().unwrap(), [stripe].into());
	assert_eq!(rig.work.stats.get(|s| &s.lacking), 1);
	rig.disk
		.store
		.restore(&shard.into(), Some(&stripe))
		.unwrap();
	assert_eq!(rig.take(&rig.unclean(109)).await.clean, None);
	let clean = rig.clean(&rig.take(&rig.unclean(110)).await);
	assert_eq!(clean, [(pgs[0], 1)]);
	// A batch that others signed for: its entries are not here, so who knows.
	rig.ledgers[1].append(vec![foreign(9)]);
	assert_eq!(rig.take(&rig.unclean(112)).await.clean, None);
	assert_eq!(rig.leaves.missing(pgs[1], 9).unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_released_before_the_node_came_does_not_keep_a_group_from_being_clean() {
	let mut rig = Rig::of(1, Ledger::own);
	rig.ledgers[0].append(vec![foreign(9)]);
	rig.ledgers[0].keep(&rig.leaves, 1);
	rig.disk.never.lock().unwrap().insert(StripeId([9; 32]));
	let pg = rig.ledgers[0].pg;
	// What never was here is not missed as long as the chain holds the group for clean.
	assert_eq!(rig.take(&rig.order(Vec::new())).await.clean, None);
	assert!(rig.disk.compare.lock().unwrap().is_empty());
	// Then it is compared with what others hold; a comparison from before does not count.
	rig.disk.compared.store(1, SeqCst);
	rig.ledgers[0].append(vec![foreign(9)]);
	rig.ledgers[0].keep(&rig.leaves, 2);
	assert_eq!(rig.take(&rig.unclean(100)).await.clean, None);
	assert_eq!(*rig.disk.compare.lock().unwrap(), [pg]);
	assert_eq!(rig.take(&rig.unclean(110)).await.clean, None);
	rig.disk.compared.store(u64::MAX, SeqCst);
	assert_eq!(rig.take(&rig.unclean(111)).await.clean, None);
	let clean = rig.clean(&rig.take(&rig.unclean(130)).await);
	assert_eq!(clean, [(pg, 3)]);
	assert!(rig.disk.lost.lock().unwrap().is_empty());
}

/// Members of whom only one has what is asked for; of the others every third says something else.
struct Withholders {
	honest: NodeIndex,
	entries: Vec<Vec<StripeEntry>>,
	batches: Vec<Batch>,
	asked: Mutex<Vec<NodeIndex>>,
}

impl Peers for Withholders {
	fn members(&self, _: Pg) -> Vec<NodeIndex> {
		(0..30).filter(|node| *node != OWN).collect()
	}

	fn leaves(
		&self,
		node: NodeIndex,
		_: Pg,
		batch: Batch,
	) -> BoxFuture<'_, Result<Vec<StripeEntry>, Silent>> {
		self.asked.lock().unwrap().push(node);
		let of = |entries: &&Vec<StripeEntry>| {
			SumTree::build::<Blake2>((*entries).clone())
				.unwrap()
				.batch() == batch
		};
		let answer = match node == self.honest {
			true => Ok(self.entries.iter().find(of).unwrap().clone()),
			false if node.is_multiple_of(3) => Ok(vec![foreign(200); batch.stripes as usize]),
			false => Err(Silent::Late(node)),
		};
		Box::pin(std::future::ready(answer))
	}

	fn batches(
		&self,
		node: NodeIndex,
		_: Pg,
		first: u64,
	) -> BoxFuture<'_, Result<Vec<Batch>, Silent>> {
		let answer = match node == self.honest {
			true => Ok(self.batches[(first as usize).min(self.batches.len())..].to_vec()),
			false if node.is_multiple_of(3) => Ok(vec![self.batches[0]; 9]),
			false => Err(Silent::Late(node)),
		};
		Box::pin(std::future::ready(answer))
	}
}

/// Withheld ledger leaves: the node did not sign for the batch it is asked about, its full node has no
/// history, and of 29 members 28 withhold or lie.
#[tokio::test]
async fn leaves_that_all_but_one_withhold_are_found() {
	let rig = Rig::new(1);
	let ledger = &rig.ledgers[0];
	rig.disk.never.lock().unwrap().insert(StripeId([5; 32]));
	for honest in [29, 8] {
		let peers = Arc::new(Withholders {
			honest,
			entries: ledger
				.trees
				.iter()
				.map(|tree| tree.entries().to_vec())
				.collect(),
			batches: ledger.batches(),
			asked: Mutex::default(),
		});
		let dir = tempfile::tempdir().unwrap();
		let leaves = Arc::new(Leaves::open(&dir.path().join("leaves.redb")).unwrap());
		let disk = rig.disk.clone();
		let work = Work::new(rig.epochs.clone(), leaves.clone(), disk, rig.signer.clone());
		let (stop, stopping) = watch::channel(false);
		let running = tokio::spawn(work.clone().run(peers.clone(), stopping));
		let mut order = rig.order(vec![ledger.asked(1, &[5, 99_000])]);
		order.ledgers[0].batches.clear();
		let mut settled = work.settled();
		let answers = loop {
			let report = work.take(&order.encode()).await.unwrap();
			if !report.answers.is_empty() {
				break report.answers;
			}
			settled.changed().await.unwrap();
		};
		assert_eq!(rig.check(&order, &answers), [task(1)]);
		assert_eq!(leaves.batches(ledger.pg).unwrap(), ledger.batches());
		// The entries of the other batches follow, though nothing is asked of them.
		let all = async {
			while !leaves.missing(ledger.pg, 9).unwrap().is_empty() {
				tokio::task::yield_now().await;
			}
		};
		tokio::time::timeout(common::network::HANG, all)
			.await
			.unwrap();
		// Who lied is not asked again soon, but for the three beside the one that was honest, to whom
		// nobody listened any more: with each of three batches.
		let asked = peers.asked.lock().unwrap().clone();
		let lied = asked.iter().filter(|node| node.is_multiple_of(3)).count();
		let liars: BTreeSet<_> = asked.iter().filter(|node| node.is_multiple_of(3)).collect();
		assert!(lied <= liars.len() + 9, "{asked:?}");
		stop.send_replace(true);
		running.await.unwrap();
	}
}
