//! Answers peers from the shard store.

use crate::{
	epochs::Epochs,
	error::MinerError,
	leaves::{Leaves, LeavesError},
	metrics::Metrics,
	permits::Permits,
	repair::Repair,
};
use arion_grid::{
	BoxFuture, Extract, Identity, Listing, PutAck, ServiceError, ShardService, Status,
};
use arion_shard_store::{Holding, PutOutcome, StoreError, StoreSet, Tag};
use arion_storage_proof::{stripes::owner_shares, Batch, Blake2, ProofError, StripeEntry, SumTree};
use bytes::Bytes;
use hippius_primitives::{
	ledger::owners_hash,
	permit::{Change, SignedChange, SignedPermit},
	receipt::{BatchRef, Receipt, ReceiptBody},
	NodeKey, Pg, ShardId, ShardMeta, StripeId,
};
use std::{
	ops::Range,
	sync::{
		atomic::{AtomicU64, Ordering::Relaxed},
		Arc, PoisonError, RwLock,
	},
	time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::Semaphore;

/// Environment variable that makes the process die at a chosen place. For crash tests only.
pub const FAILPOINT: &str = "ARION_MINER_FAILPOINT";

/// Longest reads of the store: a little more than it waits for a disk by default.
const READ_PATIENCE: Duration = Duration::from_secs(12);
/// Longest writes: a disk may be waited for twice, and then the next one takes the shard.
const WRITE_PATIENCE: Duration = Duration::from_secs(25);

/// A place to die at, see [`FAILPOINT`].
#[derive(Debug)]
pub enum Failpoint {
	/// `before-ack` or `before-ack:N`: abort when the N-th shard (the first) has become durable,
	/// before its acknowledgement is sent.
	BeforeAck(AtomicU64),
}

impl Failpoint {
	/// Reads the value of [`FAILPOINT`].
	pub fn parse(text: &str) -> Result<Self, MinerError> {
		let (name, count) = text.split_once(':').unwrap_or((text, "1"));
		match (name, count.parse()) {
			("before-ack", Ok(count @ 1..)) => Ok(Self::BeforeAck(AtomicU64::new(count))),
			_ => Err(MinerError::Input(format!(
				"{FAILPOINT}={text} is unknown: use before-ack or before-ack:N, or unset it"
			))),
		}
	}
}

/// The miner's side of the shard protocol.
pub struct MinerService {
	store: Arc<StoreSet>,
	metrics: Arc<Metrics>,
	repair: Arc<Repair>,
	/// Store operations that may run at the same time; further requests wait, and the transport
	/// bounds how many those can be.
	jobs: Arc<Semaphore>,
	/// Those of them that may be puts, so that a disk which takes no writes leaves room for reads.
	puts: Arc<Semaphore>,
	disputes: Arc<Semaphore>,
	permits: Permits,
	epochs: Arc<Epochs>,
	leaves: Arc<Leaves>,
	signer: Signer,
	failpoint: Option<Failpoint>,
}

/// The key that receipts are signed with; another one after the node's key was rotated.
pub type Signer = Arc<RwLock<Arc<Identity>>>;

impl MinerService {
	/// Serves `store` with at most `jobs` operations at a time; what is signed for is kept in
	/// `leaves`.
	#[allow(clippy::too_many_arguments)]
	pub fn new(
		store: Arc<StoreSet>,
		leaves: Arc<Leaves>,
		permits: Permits,
		epochs: Arc<Epochs>,
		signer: Signer,
		metrics: Arc<Metrics>,
		repair: Arc<Repair>,
		jobs: usize,
		failpoint: Option<Failpoint>,
	) -> Self {
		Self {
			store,
			metrics,
			repair,
			jobs: Arc::new(Semaphore::new(jobs)),
			puts: Arc::new(Semaphore::new(jobs.div_ceil(2))),
			disputes: Arc::new(Semaphore::new(1)),
			permits,
			epochs,
			leaves,
			signer,
			failpoint,
		}
	}

	/// Looks something up in the leaves for a member of a group.
	async fn leaf<T: Send + 'static>(
		&self,
		peer: NodeKey,
		pg: Pg,
		look: impl FnOnce(&Leaves) -> Result<T, LeavesError> + Send + 'static,
	) -> Result<T, ServiceError> {
		let (leaves, epochs) = (self.leaves.clone(), self.epochs.clone());
		let job = move |_: &StoreSet| {
			if !is_member(&epochs, &peer, pg) {
				return Ok(Err(ServiceError::refused(
					"ledgers are told to members of the group",
				)));
			}
			Ok(look(&leaves).map_err(|error| {
				tracing::error!(%error, "a member cannot be told of a ledger");
				ServiceError::internal("the ledger cannot be read")
			}))
		};
		self.blocking(READ_PATIENCE, job).await?
	}

	/// Runs a store operation on a thread that may block. Its permit is given back when it ends,
	/// even if the asker has gone by then, and after `patience` if the disk does not answer: the store
	/// sends nobody else there, so that no more threads wait than there are permits.
	async fn blocking<T: Send + 'static>(
		&self,
		patience: Duration,
		job: impl FnOnce(&StoreSet) -> Result<T, StoreError> + Send + 'static,
	) -> Result<T, ServiceError> {
		let closing = |_| ServiceError::new(Status::Busy, "the node is stopping");
		let permit = self.jobs.clone().acquire_owned().await.map_err(closing)?;
		let store = self.store.clone();
		let done = tokio::spawn(async move {
			let _permit = permit;
			let job = tokio::task::spawn_blocking(move || job(&store));
			tokio::time::timeout(patience, job).await
		});
		match done.await {
			Ok(Ok(Ok(result))) => result.map_err(|error| to_service(&error)),
			Ok(Err(_)) => {
				tracing::error!(
					?patience,
					"a store operation is given up: a disk does not answer"
				);
				Err(ServiceError::internal("the disk does not answer"))
			}
			Ok(Ok(Err(error))) | Err(error) => {
				tracing::error!(%error, "a store operation failed");
				Err(ServiceError::internal("the store operation failed"))
			}
		}
	}

	fn check_unused(&self, permit: &SignedPermit, meta: &ShardMeta) -> Result<(), ServiceError> {
		let held = meta.shard().is_some_and(|shard| self.store.has(&shard));
		self.permits.check_unused(permit, meta.slot, held)
	}

	fn before_ack(&self) {
		if let Some(Failpoint::BeforeAck(left)) = &self.failpoint {
			if left.fetch_sub(1, Relaxed) == 1 {
				tracing::warn!("failpoint before-ack reached");
				std::process::abort();
			}
		}
	}
}

/// Stands for all slots of a stripe where permits are remembered by slot.
const EVERY_SLOT: u8 = u8::MAX;

/// Whether the node of this key has a slot in a group by the newest map or the one before. Blocks for
/// a moment.
fn is_member(epochs: &Epochs, peer: &NodeKey, pg: Pg) -> bool {
	epochs.kept().iter().take(2).any(|held| {
		let mut nodes = held.update.nodes.iter();
		let node = nodes.find(|node| node.key == *peer || node.next_key == Some(*peer));
		let up = held.placement().map(|placement| placement.up(pg));
		match (node, up) {
			(Some(node), Ok(Ok(up))) => up.contains(&Some(node.index)),
			_ => false,
		}
	})
}

/// Which of a batch's stripes are here, as [`held_of`] tells. If any is, the batch's entries are kept
/// before anything is signed: without them the node could not prove what it holds.
fn sign_for(
	store: &StoreSet,
	leaves: &Leaves,
	slot: u8,
	batch: &BatchRef,
	entries: Vec<StripeEntry>,
) -> Result<Vec<u8>, ServiceError> {
	let bad = |error: ProofError| ServiceError::bad_request(error.to_string());
	let tree = SumTree::build::<Blake2>(entries).map_err(bad)?;
	let held = held_of(store, slot, batch, &tree)?;
	if held.iter().any(|byte| *byte != 0) {
		let now = SystemTime::now()
			.duration_since(UNIX_EPOCH)
			.map_or(0, |since| since.as_secs());
		leaves.keep(batch, &tree, now).map_err(|error| {
			tracing::error!(%error, "no receipt is given");
			match error {
				LeavesError::Full => ServiceError::new(Status::Busy, error.to_string()),
				_ => ServiceError::internal("the batch's entries cannot be kept"),
			}
		})?;
	}
	Ok(held)
}

/// Which of a batch's stripes are here with their shard of slot `slot`, at the length the batch
/// says, durable; and whether the entries are those of the batch.
fn held_of(
	store: &StoreSet,
	slot: u8,
	batch: &BatchRef,
	tree: &SumTree,
) -> Result<Vec<u8>, ServiceError> {
	let bad = |error: ProofError| ServiceError::bad_request(error.to_string());
	let made = tree.batch();
	if (made.root, made.bytes, made.stripes) != (batch.root, batch.bytes, batch.stripes) {
		return Err(ServiceError::bad_request(
			"the entries are not those of the batch",
		));
	}
	let shares = owner_shares(tree.entries()).map_err(bad)?;
	if owners_hash(&shares) != batch.owners {
		return Err(ServiceError::bad_request(
			"what the owners have is not what the entries add up to",
		));
	}
	let mut bits = vec![0u8; tree.entries().len().div_ceil(8)];
	for (at, entry) in tree.entries().iter().enumerate() {
		let len = entry.shard_len.bytes().map_err(bad)?;
		let held = store
			.holdings(&entry.stripe, false)
			.unwrap_or_else(|error| {
				tracing::warn!(%error, stripe = %entry.stripe, "a stripe is left out of a receipt");
				Vec::new()
			});
		let fits = |held: &Holding| held.meta.slot == slot && u64::from(held.len) == len;
		bits[at / 8] |= u8::from(held.iter().any(fits)) << (at % 8);
	}
	Ok(bits)
}

/// What a peer is told; paths and causes stay in our log.
fn to_service(error: &StoreError) -> ServiceError {
	match error {
		StoreError::Corrupt(_) => ServiceError::corrupt("the stored shard is damaged"),
		StoreError::InsufficientStorage { needed, free, .. } => ServiceError::insufficient_storage(
			format!("no room for {needed} bytes, {free} are left"),
		),
		StoreError::Range { .. } => ServiceError::bad_request("the shard has no such groups"),
		// The store has said so once.
		StoreError::Stalled { .. } => ServiceError::internal("the disk does not answer"),
		StoreError::BadShard(why) => ServiceError::new(Status::BadRequest, why.clone()),
		other => {
			tracing::error!(error = %other, "store");
			ServiceError::internal("the store failed")
		}
	}
}

impl ShardService for MinerService {
	fn authorize(
		&self,
		peer: &NodeKey,
		permit: &SignedPermit,
		meta: &ShardMeta,
	) -> Result<(), ServiceError> {
		let checked = self.permits.check_store(peer, permit, meta);
		// Before the shard's bytes come.
		let checked = checked.and_then(|()| self.check_unused(permit, meta));
		if checked.is_err() {
			self.metrics.add(|m| &m.permits_refused, 1);
		}
		checked
	}

	fn change(
		&self,
		peer: NodeKey,
		change: SignedChange,
	) -> BoxFuture<'_, Result<u32, ServiceError>> {
		Box::pin(async move {
			self.permits.check_change(&peer, &change).inspect_err(|_| {
				self.metrics.add(|m| &m.permits_refused, 1);
			})?;
			let expires = change.permit.expires;
			let claim = self.permits.claim(&change, EVERY_SLOT, expires)?;
			let (stripe, issuer) = (change.permit.stripe, change.issuer);
			let restore = change.permit.change == Change::Restore;
			let look = move |store: &StoreSet| store.holdings(&stripe, restore);
			let holdings = self.blocking(READ_PATIENCE, look).await?;
			let there = holdings.len();
			let ours: Vec<ShardMeta> = holdings
				.into_iter()
				.filter(|held| held.tag.is_some_and(|tag| tag.issuer == issuer))
				.map(|held| held.meta)
				.collect();
			if there > 0 && ours.is_empty() {
				return Err(ServiceError::refused(
					"only the issuer that let the shards be stored can have this done",
				));
			}
			if !restore && !ours.is_empty() {
				// Before the shards go, or repair would bring them back.
				ours.iter().for_each(|meta| self.repair.stored(meta));
				self.repair.deleted(stripe).await.map_err(|error| {
					tracing::error!(%error, "a deletion cannot be noted");
					ServiceError::internal("the node cannot note the deletion")
				})?;
			}
			let repair = self.repair.clone();
			let job = move |store: &StoreSet| {
				let mut changed = 0;
				for meta in &ours {
					let Some(shard) = meta.shard() else { continue };
					let key = shard.into();
					changed += match restore {
						true => store.restore(&key, Some(&stripe))?,
						false => store.delete(&key, Some(&stripe))?,
					};
					if restore {
						repair.stored(meta);
					}
				}
				claim.done();
				Ok(changed)
			};
			let changed = self.blocking(WRITE_PATIENCE, job).await?;
			Ok(u32::try_from(changed).unwrap_or(u32::MAX))
		})
	}

	fn receipt(
		&self,
		peer: NodeKey,
		batch: BatchRef,
		entries: Vec<StripeEntry>,
	) -> BoxFuture<'_, Result<Receipt, ServiceError>> {
		Box::pin(async move {
			self.permits.check_receipts_for(&peer)?;
			let (node, slot) = self.permits.member(&batch, &entries)?;
			let leaves = self.leaves.clone();
			let held = move |store: &StoreSet| Ok(sign_for(store, &leaves, slot, &batch, entries));
			let held = self.blocking(READ_PATIENCE, held);
			let body = ReceiptBody {
				batch,
				held: held.await??,
				node,
			};
			let signer = self.signer.read().unwrap_or_else(PoisonError::into_inner);
			let signature = signer.sign(&body.payload());
			drop(signer);
			self.metrics.add(|m| &m.receipts, 1);
			Ok(Receipt { body, signature })
		})
	}

	fn put(
		&self,
		_peer: NodeKey,
		permit: SignedPermit,
		meta: ShardMeta,
		bytes: Bytes,
	) -> BoxFuture<'_, Result<PutAck, ServiceError>> {
		Box::pin(async move {
			let (len, slot) = (bytes.len() as u64, meta.slot);
			self.check_unused(&permit, &meta)?;
			let claim = self.permits.claim(&permit, slot, permit.permit.expires)?;
			let tag = Tag {
				issuer: permit.issuer,
				owner: permit.permit.owner,
			};
			let repair = self.repair.clone();
			let store = move |store: &StoreSet| {
				let outcome = store.put_tagged(&meta, Some(&tag), &bytes)?;
				claim.done();
				repair.stored(&meta);
				Ok(outcome)
			};
			let closing = |_| ServiceError::new(Status::Busy, "the node is stopping");
			let turn = self.puts.acquire().await.map_err(closing)?;
			let outcome = self.blocking(WRITE_PATIENCE, store).await;
			drop(turn);
			self.before_ack();
			match outcome {
				Ok(PutOutcome::Stored) => {
					self.metrics.add(|m| &m.puts, 1);
					self.metrics.add(|m| &m.put_bytes, len);
				}
				Ok(PutOutcome::AlreadyStored) => self.metrics.add(|m| &m.puts_held, 1),
				Err(_) => self.metrics.add(|m| &m.puts_failed, 1),
			}
			outcome.map(|outcome| PutAck {
				already_held: outcome == PutOutcome::AlreadyStored,
			})
		})
	}

	fn get(
		&self,
		_peer: NodeKey,
		shard: ShardId,
		groups: Option<Range<u64>>,
	) -> BoxFuture<'_, Result<Option<Extract>, ServiceError>> {
		Box::pin(async move {
			let read = move |store: &StoreSet| store.read_slice(&shard.into(), groups);
			let found = self.blocking(READ_PATIENCE, read).await;
			match &found {
				Ok(Some(slice)) => {
					self.metrics.add(|m| &m.gets, 1);
					self.metrics.add(|m| &m.get_bytes, slice.data.len() as u64);
				}
				Ok(None) => self.metrics.add(|m| &m.gets_missing, 1),
				Err(_) => self.metrics.add(|m| &m.gets_failed, 1),
			}
			let Some(slice) = found? else {
				return Ok(None);
			};
			Extract::new(slice.outboard, slice.groups, slice.data.into())
				.map(Some)
				.ok_or_else(|| ServiceError::internal("the store gave other groups"))
		})
	}

	/// Reads and hashes the shard, one at a time: a damaged copy leaves the store and is reported as
	/// the scrub would. Further doubts meanwhile are let go; the scrub comes by anyway.
	fn disputed(&self, peer: NodeKey, shard: ShardId) {
		self.metrics.add(|m| &m.disputes, 1);
		let Ok(turn) = self.disputes.clone().try_acquire_owned() else {
			return;
		};
		let store = self.store.clone();
		tokio::task::spawn_blocking(move || {
			match store.get(&shard) {
				Ok(_) => {
					tracing::info!(%peer, %shard, "a disputed shard is as it should be, or gone")
				}
				Err(error) => tracing::warn!(%peer, %shard, %error, "a disputed shard"),
			}
			drop(turn);
		});
	}

	fn has(
		&self,
		_peer: NodeKey,
		shards: Vec<ShardId>,
	) -> BoxFuture<'_, Result<Vec<bool>, ServiceError>> {
		// From memory: no need for another thread.
		self.metrics.add(|m| &m.lookups, 1);
		let held = shards.iter().map(|shard| self.store.has(shard)).collect();
		Box::pin(std::future::ready(Ok(held)))
	}

	fn stripe(
		&self,
		_peer: NodeKey,
		stripe: StripeId,
	) -> BoxFuture<'_, Result<Option<ShardMeta>, ServiceError>> {
		self.metrics.add(|m| &m.lookups, 1);
		Box::pin(async move {
			let look = move |store: &StoreSet| store.stripe(&stripe);
			let metas = self.blocking(READ_PATIENCE, look).await?;
			Ok(metas.into_iter().next())
		})
	}

	fn leaves(
		&self,
		peer: NodeKey,
		pg: Pg,
		root: [u8; 32],
	) -> BoxFuture<'_, Result<Option<Vec<StripeEntry>>, ServiceError>> {
		self.metrics.add(|m| &m.lookups, 1);
		Box::pin(self.leaf(peer, pg, move |leaves| leaves.entries(pg, &root)))
	}

	fn batches(
		&self,
		peer: NodeKey,
		pg: Pg,
		first: u64,
		limit: usize,
	) -> BoxFuture<'_, Result<Vec<Batch>, ServiceError>> {
		self.metrics.add(|m| &m.lookups, 1);
		let look = move |leaves: &Leaves| {
			let batches = leaves.batches(pg)?;
			let skip = usize::try_from(first).unwrap_or(usize::MAX);
			Ok(batches.into_iter().skip(skip).take(limit).collect())
		};
		Box::pin(self.leaf(peer, pg, look))
	}

	fn inventory(
		&self,
		_peer: NodeKey,
		pg: Pg,
		after: Option<StripeId>,
		limit: usize,
	) -> BoxFuture<'_, Result<Listing, ServiceError>> {
		self.metrics.add(|m| &m.lookups, 1);
		Box::pin(self.repair.inventory(pg, after, limit))
	}

	fn offer(&self, peer: NodeKey, stripe: StripeId) -> BoxFuture<'_, Result<bool, ServiceError>> {
		let taken = self.repair.offer(&peer, stripe);
		Box::pin(std::future::ready(Ok(taken)))
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[test]
	fn failpoints_read_and_unknown_ones_are_refused() {
		for (text, count) in [("before-ack", 1), ("before-ack:7", 7)] {
			let Failpoint::BeforeAck(left) = Failpoint::parse(text).unwrap();
			assert_eq!(left.into_inner(), count);
		}
		for bad in [
			"",
			"after-ack",
			"before-ack:",
			"before-ack:0",
			"before-ack:x",
		] {
			assert!(
				Failpoint::parse(bad)
					.unwrap_err()
					.to_string()
					.contains(FAILPOINT),
				"{bad}"
			);
		}
	}

	#[test]
	fn peers_learn_the_kind_of_failure_but_no_paths() {
		let io = StoreError::Io {
			op: "read",
			path: "/secret/place".into(),
			source: Arc::new(std::io::Error::other("x")),
		};
		let told = to_service(&io);
		assert_eq!(told.status, Status::Internal);
		assert!(!told.to_string().contains("secret"));
		let full = StoreError::InsufficientStorage {
			needed: 2,
			free: 1,
			capacity: 3,
			limit: arion_shard_store::Limit::Capacity,
		};
		assert_eq!(to_service(&full).status, Status::InsufficientStorage);
		assert_eq!(
			to_service(&StoreError::Corrupt(ShardId([1; 32]).into())).status,
			Status::Corrupt
		);
	}
}
