//! What records are filed under, and the secret that binds them to their store.

use codec::Encode;
use hippius_primitives::{ShardId, StripeId};
use std::fmt;

/// What kind of content a digest names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Namespace {
	/// Arion shards, by BLAKE3.
	Shard = 0,
	/// IPFS blocks, by the digest of their multihash.
	Block = 1,
	/// Chunks of the local S3 landing tier.
	Chunk = 2,
}

impl Namespace {
	/// All namespaces, in the order of their numbers.
	pub const ALL: [Self; 3] = [Self::Shard, Self::Block, Self::Chunk];

	pub(crate) fn from_number(number: u8) -> Option<Self> {
		Self::ALL.get(usize::from(number)).copied()
	}

	pub(crate) fn slot(self) -> usize {
		self as usize
	}
}

/// A digest in its namespace.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
	/// What the digest names.
	pub namespace: Namespace,
	/// The digest.
	pub digest: [u8; 32],
}

impl From<ShardId> for Key {
	fn from(id: ShardId) -> Self {
		Self {
			namespace: Namespace::Shard,
			digest: id.0,
		}
	}
}

impl fmt::Display for Key {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let name = match self.namespace {
			Namespace::Shard => "shard",
			Namespace::Block => "block",
			Namespace::Chunk => "chunk",
		};
		write!(f, "{name} {}", ShardId(self.digest))
	}
}

impl fmt::Debug for Key {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "{self}")
	}
}

/// A shard's bytes may belong to several stripes (or slots): each has its own record. Stripe and
/// slot are zero outside the shard namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RecordKey {
	pub(crate) key: Key,
	pub(crate) stripe: StripeId,
	pub(crate) slot: u8,
}

/// Where a record starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
	/// Number of the volume.
	pub(crate) volume: u32,
	/// First block.
	pub(crate) block: u32,
}

impl Place {
	pub(crate) fn offset(self) -> u64 {
		crate::frame::offset(self.block)
	}
}

/// Random bytes that bind records to one store: whoever does not know them (a peer choosing shard
/// content) can neither make bytes that look like a record nor choose digests that collide in the
/// index.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoreKey(pub(crate) [u8; 32]);

impl StoreKey {
	pub(crate) fn check(&self, domain: u8, volume: u32, block: u32, parts: &[u8]) -> [u8; 16] {
		let mut hasher = blake3::Hasher::new_keyed(&self.0);
		hasher.update(&[domain]);
		hasher.update(&volume.to_le_bytes());
		hasher.update(&block.to_le_bytes());
		hasher.update(parts);
		let mut check = [0; 16];
		check.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
		check
	}

	/// Check over a record's meta.
	pub(crate) fn meta_check(&self, place: Place, meta: &[u8]) -> [u8; 16] {
		self.check(b'M', place.volume, place.block, meta)
	}

	/// What the index knows a key by.
	pub(crate) fn fingerprint(&self, key: &Key) -> u64 {
		self.short(&(b'I', key.namespace as u8, key.digest).encode())
	}

	/// What the index knows a stripe by.
	pub(crate) fn stripe_fingerprint(&self, stripe: &StripeId) -> u64 {
		self.short(&(b'T', stripe.0).encode())
	}

	fn short(&self, bytes: &[u8]) -> u64 {
		let hash = blake3::keyed_hash(&self.0, bytes);
		let mut short = [0; 8];
		short.copy_from_slice(&hash.as_bytes()[..8]);
		u64::from_le_bytes(short)
	}
}

impl fmt::Debug for StoreKey {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("StoreKey")
	}
}
