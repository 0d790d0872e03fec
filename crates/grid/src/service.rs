//! What a node answers with.

use crate::{listing::Listing, wire::Status};
use arion_storage_proof::{
	outboard::{group_bytes, group_count, PAIR_LEN},
	slice::{slice_parts, SlicePart},
	Batch, Outboard, StripeEntry,
};
use bytes::Bytes;
use codec::{Decode, Encode};
use futures_util::future::BoxFuture;
use hippius_primitives::{
	heartbeat::SignedBeat,
	permit::{SignedChange, SignedPermit},
	receipt::{BatchRef, Receipt},
	NodeKey, Pg, ShardId, ShardMeta, StripeId,
};
use std::ops::Range;

/// Groups of a shard with the tree that proves them: what a service hands out.
#[derive(Clone, Debug)]
pub struct Extract {
	outboard: Outboard,
	groups: Range<u64>,
	bytes: Bytes,
}

impl Extract {
	/// `bytes` are groups `groups` (of 16 KiB) of the shard of `outboard`. They need not have been
	/// checked: the asker does that. `None` if the shard has no such groups, or not so many bytes
	/// in them.
	pub fn new(outboard: Outboard, groups: Range<u64>, bytes: Bytes) -> Option<Self> {
		let len = outboard.shard_len();
		let there = !groups.is_empty() && groups.end <= group_count(len);
		let start = group_bytes(len, groups.start).start;
		let end = group_bytes(len, groups.end.saturating_sub(1)).end;
		(there && bytes.len() as u64 == end - start).then_some(Self {
			outboard,
			groups,
			bytes,
		})
	}

	/// The same from a shard in memory, all of it if no groups are named. Hashes it.
	pub fn of(shard: &Bytes, groups: Option<Range<u64>>) -> Option<Self> {
		let outboard = Outboard::build(shard);
		let len = outboard.shard_len();
		let groups = groups.unwrap_or(0..group_count(len));
		let start = group_bytes(len, groups.start).start as usize;
		let end = group_bytes(len, groups.end.checked_sub(1)?).end as usize;
		let bytes = (start <= end).then(|| shard.slice(start..end))?;
		Self::new(outboard, groups, bytes)
	}

	/// Bytes of the whole shard.
	pub fn shard_len(&self) -> u64 {
		self.outboard.shard_len()
	}

	/// Bytes of the groups.
	pub fn len(&self) -> usize {
		self.bytes.len()
	}

	/// Whether there are no bytes: only of an empty shard, which nobody stores.
	pub fn is_empty(&self) -> bool {
		self.bytes.is_empty()
	}

	/// The pieces of the slice, in the order of the wire; none is copied.
	pub(crate) fn pieces(&self) -> Option<impl Iterator<Item = Bytes> + '_> {
		let base = group_bytes(self.shard_len(), self.groups.start).start;
		let pairs = Bytes::copy_from_slice(self.outboard.as_bytes());
		let parts = slice_parts(self.shard_len(), self.groups.clone()).ok()?;
		Some(parts.map(move |part| match part {
			SlicePart::Pair { offset } => {
				let offset = offset as usize;
				pairs.slice(offset..offset + PAIR_LEN)
			}
			SlicePart::Group { offset, len, .. } => {
				let offset = (offset - base) as usize;
				self.bytes.slice(offset..offset + len as usize)
			}
		}))
	}
}

/// The answer to a put: the shard is on stable storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PutAck {
	/// The node held the shard before this request.
	pub already_held: bool,
}

/// Why a service could not do what a peer asked. Sent to the peer, so `detail` names no paths or
/// secrets of this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {detail}")]
pub struct ServiceError {
	/// What kind of failure it is.
	pub status: Status,
	/// One sentence for a person; at most 256 bytes of it are sent.
	pub detail: String,
}

impl ServiceError {
	/// An error of kind `status`.
	pub fn new(status: Status, detail: impl Into<String>) -> Self {
		Self {
			status,
			detail: detail.into(),
		}
	}

	/// There is no room for the shard.
	pub fn insufficient_storage(detail: impl Into<String>) -> Self {
		Self::new(Status::InsufficientStorage, detail)
	}

	/// The stored bytes are damaged.
	pub fn corrupt(detail: impl Into<String>) -> Self {
		Self::new(Status::Corrupt, detail)
	}

	/// The request makes no sense.
	pub fn bad_request(detail: impl Into<String>) -> Self {
		Self::new(Status::BadRequest, detail)
	}

	/// The peer may not ask this.
	pub fn refused(detail: impl Into<String>) -> Self {
		Self::new(Status::Refused, detail)
	}

	/// Something broke here that the peer can do nothing about.
	pub fn internal(detail: impl Into<String>) -> Self {
		Self::new(Status::Internal, detail)
	}
}

/// Holds the shards a node serves. Implemented by the miner over its store, by tests in memory. What a
/// service does not implement, it has not got and refuses to take.
///
/// The futures run on the async runtime: work that blocks (disk) belongs on `spawn_blocking`.
/// `get`, `has` and `stripe` are dropped when the peer stops waiting; a `put` is not. All are
/// dropped after [`GridConfig::answer_timeout`](crate::GridConfig::answer_timeout).
pub trait ShardService: Send + Sync + 'static {
	/// Whether the peer may connect at all. Called once per connection, so it must be quick.
	fn admit(&self, peer: &NodeKey) -> bool {
		let _ = peer;
		true
	}

	/// Whether the peer may store the shard of `meta`, which is consistent, with this permit, which
	/// is of the same stripe and of the length that was announced. Called before any of the shard's
	/// bytes are read, so it must be quick; a signature check and a placement are.
	fn authorize(
		&self,
		peer: &NodeKey,
		permit: &SignedPermit,
		meta: &ShardMeta,
	) -> Result<(), ServiceError> {
		let _ = (peer, permit, meta);
		Err(ServiceError::refused("this node stores nothing"))
	}

	/// Stores a shard, which was authorized. `meta` is consistent, `bytes` are not empty, no longer than a full shard,
	/// and hash to `meta`'s shard id: all checked before the call. The future resolves to `Ok`
	/// only when the bytes are on stable storage.
	fn put(
		&self,
		peer: NodeKey,
		permit: SignedPermit,
		meta: ShardMeta,
		bytes: Bytes,
	) -> BoxFuture<'_, Result<PutAck, ServiceError>> {
		let _ = (peer, permit, meta, bytes);
		Box::pin(async { Err(ServiceError::refused("this node stores nothing")) })
	}

	/// Groups (of 16 KiB) of a shard, all if none are named; `None` if the shard is not held.
	/// [`ServiceError::bad_request`] if it has no such groups. The bytes need not be verified: the
	/// asker does so, and says if they were wrong ([`Self::disputed`]).
	fn get(
		&self,
		peer: NodeKey,
		shard: ShardId,
		groups: Option<Range<u64>>,
	) -> BoxFuture<'_, Result<Option<Extract>, ServiceError>> {
		let _ = (peer, shard, groups);
		Box::pin(async { Ok(None) })
	}

	/// Signs for what is held of a batch; `entries` are as many as the batch says. The service
	/// checks that they make the batch's root. By default refused.
	fn receipt(
		&self,
		peer: NodeKey,
		batch: BatchRef,
		entries: Vec<StripeEntry>,
	) -> BoxFuture<'_, Result<Receipt, ServiceError>> {
		let _ = (peer, batch, entries);
		Box::pin(async { Err(ServiceError::refused("this node gives no receipts")) })
	}

	/// Deletes or restores shards of a stripe; tells how many. By default refused.
	fn change(
		&self,
		peer: NodeKey,
		change: SignedChange,
	) -> BoxFuture<'_, Result<u32, ServiceError>> {
		let _ = (peer, change);
		Box::pin(async {
			Err(ServiceError::refused(
				"this node deletes and restores nothing",
			))
		})
	}

	/// A peer says that the bytes it was sent are not those of the shard. It may lie; a service that
	/// keeps shards on disk should look at its copy.
	fn disputed(&self, peer: NodeKey, shard: ShardId) {
		let _ = (peer, shard);
	}

	/// Which of these shards are held: one answer per shard, in order. At most
	/// [`MAX_HAS`](crate::MAX_HAS) are asked at a time.
	fn has(
		&self,
		peer: NodeKey,
		shards: Vec<ShardId>,
	) -> BoxFuture<'_, Result<Vec<bool>, ServiceError>> {
		let _ = peer;
		Box::pin(async move { Ok(vec![false; shards.len()]) })
	}

	/// The description of a stripe of which at least one shard is held; any slot's will do.
	fn stripe(
		&self,
		peer: NodeKey,
		stripe: StripeId,
	) -> BoxFuture<'_, Result<Option<ShardMeta>, ServiceError>> {
		let _ = (peer, stripe);
		Box::pin(async { Ok(None) })
	}

	/// Stripes of a placement group of which shards are held, by
	/// [`group_key`](StripeId::group_key): those after `after`, at most `limit` (1 to
	/// [`MAX_LISTED`](crate::MAX_LISTED)). Refused unless the service keeps such a list.
	fn inventory(
		&self,
		peer: NodeKey,
		pg: Pg,
		after: Option<StripeId>,
		limit: usize,
	) -> BoxFuture<'_, Result<Listing, ServiceError>> {
		let _ = (peer, pg, after, limit);
		Box::pin(async { Err(ServiceError::refused("this node lists no stripes")) })
	}

	/// The entries of a batch of a placement group, at most
	/// [`MAX_RECEIPT_STRIPES`](hippius_primitives::receipt::MAX_RECEIPT_STRIPES); `None` if they are
	/// not here. By default refused.
	fn leaves(
		&self,
		peer: NodeKey,
		pg: Pg,
		root: [u8; 32],
	) -> BoxFuture<'_, Result<Option<Vec<StripeEntry>>, ServiceError>> {
		let _ = (peer, pg, root);
		Box::pin(async { Err(ServiceError::refused("this node keeps no ledgers")) })
	}

	/// The batches of a placement group's ledger from number `first` on, at most `limit` (1 to
	/// [`MAX_BATCHES`](crate::MAX_BATCHES)). By default refused.
	fn batches(
		&self,
		peer: NodeKey,
		pg: Pg,
		first: u64,
		limit: usize,
	) -> BoxFuture<'_, Result<Vec<Batch>, ServiceError>> {
		let _ = (peer, pg, first, limit);
		Box::pin(async { Err(ServiceError::refused("this node keeps no ledgers")) })
	}

	/// A node says that it is there. By default refused: only collectors listen.
	fn beat(&self, peer: NodeKey, beat: SignedBeat) -> Result<(), ServiceError> {
		let _ = (peer, beat);
		Err(ServiceError::refused("this node collects no heartbeats"))
	}

	/// The peer holds the shard of a slot of this stripe that is this node's now; whether this node
	/// is going to fetch it.
	fn offer(&self, peer: NodeKey, stripe: StripeId) -> BoxFuture<'_, Result<bool, ServiceError>> {
		let _ = (peer, stripe);
		Box::pin(async { Ok(false) })
	}
}
