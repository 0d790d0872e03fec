//! Keeps this node's slots complete.
//!
//! With every new map the node looks through the slots that became its own: it asks the members of the
//! placement group for their lists of stripes ([`gather`]), and gets each shard it lacks ([`rebuild`]):
//! copied from a former holder of the slot if one still serves it, else computed from ten others. Groups
//! with the fewest shards left come first ([`plan`]); what is not urgent keeps to a rate ([`throttle`]).
//! What the store finds damaged, and what former holders offer, is brought here the same way.
//!
//! Shards of slots that are other nodes' now are kept until those have them, then put into the trash;
//! a node that has left the map reports when all are confirmed ([`handover`]).
//!
//! | what | bound |
//! |---|---|
//! | list of own shards | on disk, 70 bytes a shard; 16 MiB in memory ([`index`]) |
//! | lists of others | one page of 36 KiB for each of at most 64 members |
//! | shards in memory | eleven for each repair that runs, `repair.parallel` of them |
//! | maps | the newest six that differ ([`state`]) |
//! | single shards waiting | 4096; beyond that the whole slot is looked through |

mod eras;
mod fill;
mod gather;
pub mod handover;
pub mod index;
mod net;
mod pass;
pub mod plan;
mod rebuild;
mod run;
pub mod state;
pub mod stats;
mod throttle;

use crate::{config::RepairSection, epochs::Epochs, MinerError};
use arion_grid::{Grid, Listing, ServiceError, Status};
use arion_shard_store::StoreSet;
use eras::Eras;
use handover::DrainStatus;
use hippius_primitives::{Epoch, NodeIndex, NodeKey, Pg, ShardId, ShardMeta, StripeId};
use index::{Index, Span};
use net::Net;
use state::State;
use stats::Stats;
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	path::Path,
	sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
	time::Duration,
};
use throttle::Bucket;
use tokio::{
	sync::{watch, Notify, Semaphore},
	task::JoinHandle,
};

/// Single shards that wait to be repaired, at most.
const MAX_SINGLES: usize = 4096;
/// Blocking jobs side by side, at most; lists for peers among them.
const MAX_JOBS: u32 = 64;

/// How far repair is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
	/// The epoch worked on.
	pub epoch: Epoch,
	/// Slots to be looked through, those included that failed and are tried again.
	pub open: usize,
	/// Slots that wait for a former holder to come back.
	pub waiting: usize,
	/// Single shards to be repaired.
	pub singles: usize,
	/// Whether shards of slots that are others' now have been looked through.
	pub swept: bool,
	/// How a leaving node fares.
	pub drain: DrainStatus,
}

impl Progress {
	/// Whether nothing is left to do in an epoch.
	pub fn is_settled(&self, epoch: Epoch) -> bool {
		self.epoch >= epoch && self.open == 0 && self.singles == 0
	}
}

/// A single shard to be repaired.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Single {
	stripe: StripeId,
	/// The shard, if a finding names it; else this node's slot of the stripe is meant.
	shard: Option<ShardId>,
	/// Who offers it.
	from: Option<NodeIndex>,
	/// It seems to be here, but cannot be read.
	again: bool,
	tries: u32,
	not_before: tokio::time::Instant,
}

/// What the parts of repair work on.
struct Shared {
	store: Arc<StoreSet>,
	index: Index,
	net: Net,
	bucket: Bucket,
	stats: Stats,
	settings: RepairSection,
	eras: RwLock<Option<Arc<Eras>>>,
	singles: Mutex<VecDeque<Single>>,
	/// Groups in which a shard is found to be missing.
	suspects: Mutex<BTreeSet<Pg>>,
	/// Unix seconds at which slots were found complete by the present map, since start.
	completed: Mutex<BTreeMap<(Pg, u8), u64>>,
	wake: Notify,
	/// Blocking jobs that may run; a stop waits for them, since they outlive the tasks.
	jobs: Arc<Semaphore>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
	/// Runs something that may block.
	async fn blocking<T: Send + 'static>(
		self: &Arc<Self>,
		job: impl FnOnce(&Self) -> T + Send + 'static,
	) -> Result<T, MinerError> {
		let stopping = |_| MinerError::Task("repair is stopping".into());
		let running = self.jobs.clone().acquire_owned().await;
		let (running, shared) = (running.map_err(stopping)?, self.clone());
		let job = move || {
			let _running = running;
			let done = job(&shared);
			// Before `running`: who waits for the jobs wants the store to be free.
			drop(shared);
			done
		};
		tokio::task::spawn_blocking(job)
			.await
			.map_err(|error| MinerError::Task(error.to_string()))
	}

	fn eras(&self) -> Option<Arc<Eras>> {
		self.eras
			.read()
			.unwrap_or_else(PoisonError::into_inner)
			.clone()
	}

	/// Has a single shard repaired. If too many wait, its whole group is looked through instead.
	fn single(&self, single: Single) {
		let mut singles = locked(&self.singles);
		let same = |other: &Single| other.stripe == single.stripe && other.shard == single.shard;
		if singles.iter().any(same) {
			return;
		}
		if singles.len() < MAX_SINGLES {
			singles.push_back(single);
		} else if let Some(eras) = self.eras() {
			locked(&self.suspects).insert(eras.pg_of(&single.stripe));
		}
	}
}

/// The repair of a running daemon.
pub struct Repair {
	shared: Arc<Shared>,
	progress: watch::Receiver<Progress>,
	tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Repair {
	/// Starts it. `path` is where its state is kept.
	pub async fn start(
		path: &Path,
		own: NodeKey,
		store: Arc<StoreSet>,
		grid: Arc<Grid>,
		epochs: Arc<Epochs>,
		settings: RepairSection,
	) -> Result<Arc<Self>, MinerError> {
		let path = path.to_owned();
		let opened = tokio::task::spawn_blocking(move || {
			let state = Arc::new(State::open(&path)?);
			let index = Index::open(state.clone())?;
			Ok::<_, MinerError>((state, index))
		});
		let (state, index) = opened
			.await
			.map_err(|error| MinerError::Task(error.to_string()))??;
		let shared = Arc::new(Shared {
			store,
			index,
			net: Net::new(&grid, Duration::from_secs(settings.ask_seconds)),
			bucket: Bucket::new(settings.rate.0),
			stats: Stats::default(),
			settings,
			eras: RwLock::default(),
			singles: Mutex::default(),
			suspects: Mutex::default(),
			completed: Mutex::default(),
			wake: Notify::new(),
			jobs: Arc::new(Semaphore::new(MAX_JOBS as usize)),
		});
		let (sender, progress) = watch::channel(Progress::default());
		let runner = run::Runner::new(shared.clone(), state, epochs, own, sender).await?;
		let tasks = vec![
			tokio::spawn(runner.run()),
			tokio::spawn(fill::run(shared.clone())),
		];
		Ok(Arc::new(Self {
			shared,
			progress,
			tasks: Mutex::new(tasks),
		}))
	}

	/// Tells that a map was taken.
	pub fn wake(&self) {
		self.shared.wake.notify_one();
	}

	/// Notes a shard that was stored for a peer.
	pub fn stored(&self, meta: &ShardMeta) {
		self.shared.index.stored(meta);
	}

	/// Notes that the owner had a stripe deleted, so that it is not brought back.
	pub async fn deleted(&self, stripe: StripeId) -> Result<(), MinerError> {
		let noted = self
			.shared
			.blocking(move |shared| shared.index.deleted(&stripe));
		Ok(noted.await??)
	}

	/// Whether this node had shards of a stripe that the owner had deleted, and has none now.
	pub async fn was_deleted(&self, stripe: StripeId) -> Result<bool, MinerError> {
		let rows = self
			.shared
			.blocking(move |shared| shared.index.of_stripe(&stripe))
			.await??;
		let deleted = |row: &index::Row| row.mark == index::Mark::Deleted;
		Ok(!rows.is_empty() && rows.iter().all(deleted))
	}

	/// What is known of the shards of one slot of these stripes, as [`Index`] has them. Blocks.
	///
	/// # Errors
	/// [`StateError`](state::StateError) if the list cannot be read.
	pub fn known(
		&self,
		stripes: &[StripeId],
		slot: u8,
	) -> Result<Vec<Option<(ShardId, index::Mark)>>, state::StateError> {
		self.shared.index.known(stripes, slot)
	}

	/// This node's shard of a stripe should be here and is not: gets it as if the store had found it
	/// damaged.
	pub fn lost(&self, stripe: StripeId) {
		if !self.shared.settings.enabled {
			return;
		}
		self.shared.single(Single {
			stripe,
			shard: None,
			from: None,
			again: false,
			tries: 0,
			not_before: tokio::time::Instant::now(),
		});
		self.shared.wake.notify_one();
	}

	/// Has this node's slots of a group looked through.
	pub fn look_through(&self, pg: Pg) {
		if self.shared.settings.enabled {
			locked(&self.shared.suspects).insert(pg);
			self.shared.wake.notify_one();
		}
	}

	/// Unix seconds at which a slot was last found complete by the present map; `None` if it has not
	/// been since start.
	pub fn completed(&self, pg: Pg, slot: u8) -> Option<u64> {
		locked(&self.shared.completed).get(&(pg, slot)).copied()
	}

	/// What this node holds of a placement group, for a peer.
	pub async fn inventory(
		&self,
		pg: Pg,
		after: Option<StripeId>,
		limit: usize,
	) -> Result<Listing, ServiceError> {
		let eras = self.shared.eras();
		let eras = eras.ok_or_else(|| ServiceError::new(Status::Busy, "no map yet"))?;
		let span = Span::of(pg, eras.pg_num()).ok_or_else(|| {
			ServiceError::new(
				Status::BadRequest,
				format!("there is no placement group {pg}"),
			)
		})?;
		let page = self.shared.blocking(move |shared| {
			let has = |shard: &ShardId| shared.store.has(shard);
			shared.index.page(&span, after, limit, has)
		});
		match page.await {
			Ok(Ok(listing)) => Ok(listing),
			Ok(Err(error)) => {
				tracing::error!(%error, "cannot list shards");
				Err(ServiceError::internal("the list cannot be read"))
			}
			Err(error) => {
				tracing::error!(%error, "cannot list shards");
				Err(ServiceError::internal("the list cannot be read"))
			}
		}
	}

	/// A peer says that it has the shard of this node's slot of a stripe. Taken if the maps say that
	/// it may.
	pub fn offer(&self, peer: &NodeKey, stripe: StripeId) -> bool {
		let shared = &self.shared;
		if !shared.settings.enabled {
			return false;
		}
		let Some(eras) = shared.eras().filter(|eras| eras.is_in()) else {
			return false;
		};
		let (Some(from), Ok(group)) = (eras.node_of(peer), eras.group(eras.pg_of(&stripe))) else {
			return false;
		};
		let mine = group.now().iter().any(|node| *node == eras.me());
		if !mine || group.slots_of(from) == 0 {
			return false;
		}
		shared.single(Single {
			stripe,
			shard: None,
			from: Some(from),
			again: false,
			tries: 0,
			not_before: tokio::time::Instant::now(),
		});
		shared.wake.notify_one();
		true
	}

	/// How far it is, now and later.
	pub fn progress(&self) -> watch::Receiver<Progress> {
		self.progress.clone()
	}

	/// What it counts.
	pub fn stats(&self) -> &Stats {
		&self.shared.stats
	}

	/// Ends it. What is being repaired is left as it is; the next start finds it missing.
	pub async fn stop(&self) -> Result<(), MinerError> {
		let tasks: Vec<_> = locked(&self.tasks).drain(..).collect();
		for task in tasks {
			task.abort();
			match task.await {
				Err(error) if !error.is_cancelled() => {
					tracing::error!(%error, "repair ended before");
				}
				_ => {}
			}
		}
		self.shared
			.blocking(|shared| shared.index.close())
			.await??;
		// Only then has the last of them let go of the store.
		let all = self.shared.jobs.acquire_many(MAX_JOBS).await;
		all.map(drop)
			.map_err(|_| MinerError::Task("repair was stopped twice".into()))
	}
}
