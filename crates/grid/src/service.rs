//! What a node answers with.

use crate::wire::Status;
use bytes::Bytes;
use codec::{Decode, Encode};
use futures_util::future::BoxFuture;
use hippius_primitives::{NodeKey, ShardId, ShardMeta, StripeId};

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

	/// The peer may not ask this.
	pub fn refused(detail: impl Into<String>) -> Self {
		Self::new(Status::Refused, detail)
	}

	/// Something broke here that the peer can do nothing about.
	pub fn internal(detail: impl Into<String>) -> Self {
		Self::new(Status::Internal, detail)
	}
}

/// Holds the shards a node serves. Implemented by the miner over its store, by tests in memory.
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

	/// Stores a shard. `meta` is consistent, `bytes` are not empty, no longer than a full shard,
	/// and hash to `meta`'s shard id: all checked before the call. The future resolves to `Ok`
	/// only when the bytes are on stable storage.
	fn put(
		&self,
		peer: NodeKey,
		meta: ShardMeta,
		bytes: Bytes,
	) -> BoxFuture<'_, Result<PutAck, ServiceError>>;

	/// The bytes of a shard, `None` if it is not held.
	fn get(
		&self,
		peer: NodeKey,
		shard: ShardId,
	) -> BoxFuture<'_, Result<Option<Bytes>, ServiceError>>;

	/// Which of these shards are held: one answer per shard, in order. At most
	/// [`MAX_HAS`](crate::MAX_HAS) are asked at a time.
	fn has(
		&self,
		peer: NodeKey,
		shards: Vec<ShardId>,
	) -> BoxFuture<'_, Result<Vec<bool>, ServiceError>>;

	/// The description of a stripe of which at least one shard is held; any slot's will do.
	fn stripe(
		&self,
		peer: NodeKey,
		stripe: StripeId,
	) -> BoxFuture<'_, Result<Option<ShardMeta>, ServiceError>>;
}
