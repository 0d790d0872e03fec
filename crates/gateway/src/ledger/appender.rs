//! Brings batches to the chain.

use super::{
	chain::{AppendError, LedgerChain},
	queue::{BatchId, SealPolicy, Sealed},
};
use crate::{
	catalog::{Catalog, CatalogError},
	cluster::{ClusterError, ClusterSource, Layout},
	config::LedgerConfig,
	metrics::Metrics,
	peers::Peers,
	receipts::{batch_of, collect_receipts, shares_of, Receipts, ReceiptsError},
	Gateway,
};
use arion_storage_proof::Batch;
use futures_util::{stream, StreamExt};
use hippius_chain_client::Append;
use hippius_primitives::{coding::WRITE_QUORUM, ledger::CompactReceipt, Epoch};
use std::{
	collections::HashMap,
	sync::Arc,
	time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio_util::sync::CancellationToken;

/// For how many epochs receipts count on chain, the current one not counted.
const RECENT_EPOCHS: Epoch = 4;
/// Receipts are asked for by the map a batch was stored with while it is at most so many epochs
/// old, so that they still count when the batch is in a block.
const FRESH_EPOCHS: Epoch = 2;
/// Batches on their way at a time.
const WIDTH: usize = 8;
/// Batches looked at in one round.
const ROUND: usize = 256;
/// Wait before a batch that failed is tried again; doubled up to [`RETRY_MOST`].
const RETRY_FIRST: Duration = Duration::from_secs(5);
const RETRY_MOST: Duration = Duration::from_secs(600);
/// Rounds follow each other at least this far apart.
const ROUND_MOST: Duration = Duration::from_secs(10);

/// Why a batch is not on chain yet.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
	/// The queue.
	#[error(transparent)]
	Catalog(#[from] CatalogError),
	/// The members are not known.
	#[error(transparent)]
	Cluster(#[from] ClusterError),
	/// The receipts cannot be asked for.
	#[error(transparent)]
	Receipts(#[from] ReceiptsError),
	/// The chain.
	#[error(transparent)]
	Append(#[from] AppendError),
	/// The genesis hash is not known yet.
	#[error("the chain was not reached yet")]
	NoGenesis,
	/// Too few members signed.
	#[error("{signed} members signed, {WRITE_QUORUM} are needed; first reason: {reason}")]
	TooFew {
		/// Those that did.
		signed: usize,
		/// Why one did not.
		reason: String,
	},
	/// Too few members hold some of its stripes, which wait again.
	#[error("{lacking} of {stripes} stripes are held by fewer than {WRITE_QUORUM} members; they wait again")]
	Split {
		/// Such stripes.
		lacking: usize,
		/// Stripes of the batch.
		stripes: usize,
	},
	/// The chain may have it, and it is too late to find out by trying again.
	#[error(
		"batch {root} of group {pg} was submitted with receipts of epoch {epoch} and its fate is not \
		 known; it stays in the queue and is not sent again, since it might count twice"
	)]
	Uncertain {
		/// The group.
		pg: u32,
		/// The batch's root.
		root: String,
		/// The epoch.
		epoch: Epoch,
	},
}

/// Appends what a gateway stored.
pub struct Appender {
	catalog: Arc<Catalog>,
	cluster: Arc<dyn ClusterSource>,
	peers: Arc<Peers>,
	metrics: Arc<Metrics>,
	chain: Arc<dyn LedgerChain>,
	policy: SealPolicy,
	patience: Duration,
	/// Failures in a row and when the next try is due.
	waits: HashMap<BatchId, (u32, Instant)>,
}

impl Appender {
	/// Appends what `gateway` stores.
	pub fn new(gateway: &Gateway, chain: Arc<dyn LedgerChain>, config: &LedgerConfig) -> Self {
		Self {
			catalog: gateway.catalog.clone(),
			cluster: gateway.cluster.clone(),
			peers: gateway.peers.clone(),
			metrics: gateway.metrics.clone(),
			chain,
			policy: SealPolicy {
				stripes: config.max_stripes,
				age: config.max_age_ms / 1000,
			},
			patience: Duration::from_millis(config.receipt_timeout_ms),
			waits: HashMap::new(),
		}
	}

	/// Works until `stop`. What is on its way then is found again after the next start.
	pub async fn run(mut self, stop: CancellationToken) {
		let age = Duration::from_secs(self.policy.age);
		let pause = (age / 4).clamp(Duration::from_secs(1), ROUND_MOST);
		let mut rounds = tokio::time::interval(pause);
		rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
		loop {
			tokio::select! {
				_ = rounds.tick() => {}
				() = stop.cancelled() => return,
			}
			let now = SystemTime::now()
				.duration_since(UNIX_EPOCH)
				.map_or(0, |since| since.as_secs());
			let round = tokio::select! {
				round = self.round(now) => round,
				() = stop.cancelled() => return,
			};
			if let Err(error) = round {
				tracing::error!(%error, "the queue of batches for the chain");
			}
		}
	}

	/// Makes batches of what is due at `now` (seconds since 1970) and tries those whose time has
	/// come; gives how many were appended.
	pub async fn round(&mut self, now: u64) -> Result<usize, CatalogError> {
		let policy = self.policy;
		self.disk(move |catalog| catalog.ledger_seal(policy, now))
			.await?;
		let mut batches = self.disk(|catalog| catalog.ledger_batches(ROUND)).await?;
		let at = Instant::now();
		self.waits
			.retain(|id, _| batches.iter().any(|(batch, _)| batch == id));
		batches.retain(|(id, _)| self.waits.get(id).is_none_or(|(_, due)| *due <= at));
		let this = &*self;
		let results: Vec<_> = stream::iter(batches)
			.map(|(id, batch)| async move { (id, this.bring(&id, &batch, now).await) })
			.buffer_unordered(WIDTH)
			.collect()
			.await;
		let mut done = 0;
		for (id, result) in results {
			match result {
				Ok(()) => {
					self.waits.remove(&id);
					self.metrics.batches_appended.add(1);
					done += 1;
				}
				Err(error) => {
					self.metrics.batches_failed.add(1);
					tracing::warn!(pg = id.pg, %error, "a batch is not on chain yet");
					let (failures, due) = self.waits.entry(id).or_insert((0, at));
					let wait = RETRY_FIRST.saturating_mul(1 << (*failures).min(10));
					*due = Instant::now() + wait.min(RETRY_MOST);
					*failures += 1;
				}
			}
		}
		Ok(done)
	}

	/// Gathers a batch's receipts and appends it.
	async fn bring(&self, id: &BatchId, sealed: &Sealed, now: u64) -> Result<(), LedgerError> {
		let layout = self.cluster.current().ok_or(ClusterError::NoMap)?;
		let current = layout.epoch();
		if let Some(epoch) = sealed.submitted {
			if current.saturating_sub(epoch) > RECENT_EPOCHS {
				return Err(LedgerError::Uncertain {
					pg: id.pg,
					root: hex::encode(id.root),
					epoch,
				});
			}
		}
		let fresh = current.saturating_sub(sealed.epoch) <= FRESH_EPOCHS;
		let epoch = if fresh { sealed.epoch } else { current };
		if !fresh && sealed.submitted.is_none() {
			self.regroup(id, sealed, &layout, now).await?;
		}
		let genesis = self.cluster.genesis().ok_or(LedgerError::NoGenesis)?;
		let batch = batch_of(genesis, id.pg, epoch, &sealed.entries)?;
		let (cluster, peers) = (self.cluster.as_ref(), self.peers.as_ref());
		let gathered =
			collect_receipts(cluster, peers, batch, &sealed.entries, self.patience).await?;
		if gathered.receipts.len() < WRITE_QUORUM {
			let missing = gathered.missing.into_iter().next();
			return Err(LedgerError::TooFew {
				signed: gathered.receipts.len(),
				reason: missing.map_or_else(String::new, |(_, _, reason)| reason),
			});
		}
		let lacking = lacking(&gathered);
		if !lacking.is_empty() {
			self.split(id, sealed, &lacking, now).await?;
			return Err(LedgerError::Split {
				lacking: lacking.len(),
				stripes: sealed.entries.len(),
			});
		}
		let append = Append {
			pg: id.pg,
			epoch,
			batch: Batch {
				root: batch.root,
				bytes: batch.bytes,
				stripes: batch.stripes,
			},
			owners: shares_of(&sealed.entries)?,
			receipts: gathered
				.receipts
				.iter()
				.map(|(_, receipt)| CompactReceipt::new(receipt))
				.collect(),
		};
		// The oldest try whose fate is open decides for how long another can be told from it.
		let open = sealed.submitted.unwrap_or(epoch);
		self.mark(id, sealed, Some(open)).await?;
		match self.chain.append(&append).await {
			Ok(()) | Err(AppendError::Duplicate) => {
				let id = *id;
				self.disk(move |catalog| catalog.ledger_done(&id)).await?;
				tracing::info!(pg = id.pg, stripes = append.batch.stripes, "batch appended");
				Ok(())
			}
			Err(error @ AppendError::Refused(_)) => {
				// As far as an earlier try is concerned, nothing new is known.
				self.mark(id, sealed, sealed.submitted).await?;
				Err(error.into())
			}
			Err(error @ AppendError::Unknown(_)) => Err(error.into()),
		}
	}

	/// A batch so old that the current map counts: stripes that are of another group by now wait
	/// there.
	async fn regroup(
		&self,
		id: &BatchId,
		sealed: &Sealed,
		layout: &Layout,
		now: u64,
	) -> Result<(), LedgerError> {
		let (keep, moved): (Vec<_>, Vec<_>) = sealed
			.entries
			.iter()
			.copied()
			.partition(|entry| layout.map().pg_of(&entry.stripe) == id.pg);
		if moved.is_empty() {
			return Ok(());
		}
		let (lacking, stripes) = (moved.len(), sealed.entries.len());
		let moved: Vec<_> = moved
			.into_iter()
			.map(|entry| (layout.map().pg_of(&entry.stripe), layout.epoch(), entry))
			.collect();
		let (id, epoch) = (*id, sealed.epoch);
		self.disk(move |catalog| catalog.ledger_split(&id, epoch, keep, &moved, now))
			.await?;
		Err(LedgerError::Split { lacking, stripes })
	}

	/// Puts aside the stripes that too few members hold, unless the chain may have the batch.
	async fn split(
		&self,
		id: &BatchId,
		sealed: &Sealed,
		lacking: &[usize],
		now: u64,
	) -> Result<(), CatalogError> {
		if sealed.submitted.is_some() {
			return Ok(());
		}
		let (mut keep, mut others) = (Vec::new(), Vec::new());
		for (at, entry) in sealed.entries.iter().enumerate() {
			match lacking.contains(&at) {
				true => others.push((id.pg, sealed.epoch, *entry)),
				false => keep.push(*entry),
			}
		}
		let (id, epoch) = (*id, sealed.epoch);
		self.disk(move |catalog| catalog.ledger_split(&id, epoch, keep, &others, now))
			.await
	}

	async fn mark(
		&self,
		id: &BatchId,
		sealed: &Sealed,
		submitted: Option<Epoch>,
	) -> Result<(), CatalogError> {
		let (id, sealed) = (*id, sealed.clone());
		self.disk(move |catalog| catalog.ledger_submitted(&id, &sealed, submitted))
			.await
	}

	async fn disk<V: Send + 'static>(
		&self,
		work: impl FnOnce(&Catalog) -> Result<V, CatalogError> + Send + 'static,
	) -> Result<V, CatalogError> {
		let catalog = self.catalog.clone();
		crate::gateway::disk(move || work(&catalog)).await
	}
}

/// The stripes that too few of those who signed hold.
pub(super) fn lacking(gathered: &Receipts) -> Vec<usize> {
	(0..gathered.batch.stripes)
		.filter(|stripe| {
			let held = gathered
				.receipts
				.iter()
				.filter(|(_, receipt)| receipt.body.holds(*stripe));
			held.count() < WRITE_QUORUM
		})
		.map(|stripe| stripe as usize)
		.collect()
}
