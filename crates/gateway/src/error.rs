//! Why an object could not be stored or fetched.

use crate::cluster::ClusterError;
use arion_object::{
	ManifestError, ObjectId, OpenError, RandomError, RootError, SealError, StripeError,
};
use hippius_primitives::{coding::WRITE_QUORUM, StripeId, DATA_SHARDS, TOTAL_SHARDS};
use std::{fmt, time::Duration};

/// Which stripe of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
	/// A stripe of the content, from 0.
	Data(u32),
	/// A stripe of references, at its level (from 1) and from 0 within it.
	Index(u8, u32),
	/// The root, which holds the manifest.
	Root,
}

impl fmt::Display for Part {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Data(stripe) => write!(f, "stripe {stripe}"),
			Self::Index(level, stripe) => write!(f, "index stripe {stripe} of level {level}"),
			Self::Root => f.write_str("root stripe"),
		}
	}
}

/// Why a get failed.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
	/// Nobody has the object's root stripe, and enough nodes said so.
	#[error("no object {0} is in the network; check the id")]
	NotFound(ObjectId),
	/// The id is known to nobody here, so the key is missing.
	#[error("this gateway did not store object {0} and has no key for it; ask with its link")]
	NoKey(ObjectId),
	/// Too many shards of a stripe are gone.
	#[error(
		"{part} ({stripe}): {have} of {TOTAL_SHARDS} shards found, {missing} missing, at least \
		 {DATA_SHARDS} are needed; {silent} of the nodes asked did not answer, try again when they are back"
	)]
	NotEnoughShards {
		/// Which stripe of the object.
		part: Part,
		/// Its id.
		stripe: StripeId,
		/// Shards found.
		have: usize,
		/// Shards not found.
		missing: usize,
		/// Nodes that gave no answer.
		silent: usize,
	},
	/// The stripe did not come in time.
	#[error(
		"{part} ({stripe}): only {have} shards arrived within {after:?}, {missing} are missing, at \
		 least {DATA_SHARDS} are needed; the network is slow, try again"
	)]
	TooSlow {
		/// Which stripe of the object.
		part: Part,
		/// Its id.
		stripe: StripeId,
		/// Shards that arrived.
		have: usize,
		/// Shards that did not.
		missing: usize,
		/// The time given.
		after: Duration,
	},
	/// The range lies outside the object.
	#[error("bytes {start}..{end} are not within the {size} bytes of the object")]
	BadRange {
		/// First byte.
		start: u64,
		/// Byte after the last.
		end: u64,
		/// Length of the object.
		size: u64,
	},
	/// Where shards are is not known.
	#[error(transparent)]
	Cluster(#[from] ClusterError),
	/// The root stripe is not what it should be.
	#[error(transparent)]
	Root(#[from] RootError),
	/// The manifest is not what it should be.
	#[error(transparent)]
	Manifest(#[from] ManifestError),
	/// A stripe cannot be put together though its shards are authentic: it was coded wrongly.
	#[error("{part}: {cause}")]
	Stripe {
		/// Which stripe of the object.
		part: Part,
		/// What is wrong.
		cause: StripeError,
	},
	/// A stripe does not decrypt.
	#[error("{part}: {cause}")]
	Open {
		/// Which stripe of the object.
		part: Part,
		/// What is wrong.
		cause: OpenError,
	},
	/// The catalog failed.
	#[error(transparent)]
	Catalog(#[from] crate::catalog::CatalogError),
	/// The gateway is going down.
	#[error("the gateway is shutting down; try again soon")]
	Stopping,
}

/// Why a put failed. What was already pushed stays with the miners until they clean up; nothing
/// refers to it.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
	/// The source broke off.
	#[error("the upload broke off: {0}")]
	Source(String),
	/// The object is larger than this gateway takes.
	#[error("the object is larger than the {0} bytes this gateway takes (http.max_object)")]
	TooLarge(u64),
	/// Too few nodes stored their shard.
	#[error(
		"{part} ({stripe}): {acks} nodes stored their shard, {WRITE_QUORUM} are needed; {tried} were \
		 asked, {unplaced} slots have no reachable node{}", Failures(failures)
	)]
	NotEnoughAcks {
		/// Which stripe of the object.
		part: Part,
		/// Its id.
		stripe: StripeId,
		/// Distinct nodes that stored their shard.
		acks: usize,
		/// Nodes asked.
		tried: usize,
		/// Slots without a node in map and node table.
		unplaced: usize,
		/// The first few reasons.
		failures: Vec<String>,
	},
	/// The permit to store a stripe could not be signed.
	#[error("{part}: {cause}")]
	Permit {
		/// Which stripe of the object.
		part: Part,
		/// Why.
		cause: String,
	},
	/// The account named does not pay here.
	#[error(transparent)]
	Payer(#[from] crate::payers::NotAPayer),
	/// Where shards belong is not known.
	#[error(transparent)]
	Cluster(#[from] ClusterError),
	/// Sealing failed.
	#[error(transparent)]
	Seal(#[from] SealError),
	/// The system gives no random bytes.
	#[error(transparent)]
	Random(#[from] RandomError),
	/// The manifest cannot be made, e.g. because the name is too long.
	#[error(transparent)]
	Manifest(#[from] ManifestError),
	/// Coding failed.
	#[error("{part}: {cause}")]
	Stripe {
		/// Which stripe of the object.
		part: Part,
		/// What is wrong.
		cause: StripeError,
	},
	/// The catalog failed.
	#[error(transparent)]
	Catalog(#[from] crate::catalog::CatalogError),
	/// The gateway is going down.
	#[error("the gateway is shutting down; try again soon")]
	Stopping,
}

struct Failures<'a>(&'a [String]);

impl fmt::Display for Failures<'_> {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		self.0.iter().enumerate().try_for_each(|(at, failure)| {
			write!(f, "{}{failure}", if at == 0 { ": " } else { "; " })
		})
	}
}

/// A stable short name and an HTTP status, for those who cannot see the type.
pub trait Fault: std::error::Error {
	/// e.g. `not_enough_shards`.
	fn code(&self) -> &'static str;
	/// HTTP status.
	fn status(&self) -> u16;
}

impl Fault for GetError {
	fn code(&self) -> &'static str {
		match self {
			Self::NotFound(_) | Self::NoKey(_) => "not_found",
			Self::NotEnoughShards { .. } | Self::TooSlow { .. } => "not_enough_shards",
			Self::BadRange { .. } => "bad_range",
			Self::Cluster(ClusterError::NoMap) => "no_map",
			Self::Cluster(_) => "cluster",
			Self::Root(RootError::WrongKey) => "wrong_key",
			Self::Root(_) | Self::Manifest(_) | Self::Stripe { .. } | Self::Open { .. } => {
				"bad_object"
			}
			Self::Catalog(_) => "internal",
			Self::Stopping => "stopping",
		}
	}

	fn status(&self) -> u16 {
		match self {
			Self::NotFound(_) | Self::NoKey(_) => 404,
			Self::BadRange { .. } => 416,
			Self::Root(RootError::WrongKey) => 403,
			Self::NotEnoughShards { .. }
			| Self::TooSlow { .. }
			| Self::Cluster(_)
			| Self::Stopping => 503,
			Self::Root(_) | Self::Manifest(_) | Self::Stripe { .. } | Self::Open { .. } => 502,
			Self::Catalog(_) => 500,
		}
	}
}

impl Fault for PutError {
	fn code(&self) -> &'static str {
		match self {
			Self::Source(_) => "broken_upload",
			Self::TooLarge(_) => "too_large",
			Self::Payer(_) => "not_a_payer",
			Self::NotEnoughAcks { .. } => "not_enough_acks",
			Self::Cluster(ClusterError::NoMap) => "no_map",
			Self::Cluster(_) => "cluster",
			Self::Manifest(ManifestError::TooLong { .. }) => "bad_request",
			Self::Permit { .. }
			| Self::Seal(_)
			| Self::Random(_)
			| Self::Manifest(_)
			| Self::Stripe { .. }
			| Self::Catalog(_) => "internal",
			Self::Stopping => "stopping",
		}
	}

	fn status(&self) -> u16 {
		match self {
			Self::Source(_) | Self::Manifest(ManifestError::TooLong { .. }) => 400,
			Self::TooLarge(_) => 413,
			Self::Payer(_) => 403,
			Self::NotEnoughAcks { .. } | Self::Cluster(_) | Self::Stopping => 503,
			Self::Permit { .. }
			| Self::Seal(_)
			| Self::Random(_)
			| Self::Manifest(_)
			| Self::Stripe { .. }
			| Self::Catalog(_) => 500,
		}
	}
}
