//! Objects: stripes, encryption before coding, manifests.
//!
//! # Put
//!
//! A source of any length is cut into stripes of [`STRIPE_PLAIN`] bytes ([`Cutter`]). Each is sealed,
//! coded into 30 shards and hashed in one pass ([`StripeSealer::prepare_next`],
//! [`PlainStripe::encode`]), or in two steps ([`StripeSealer::seal_next`], [`encode_stripe`]) with
//! the same result. The references of the stripes
//! are collected ([`ManifestBuilder`]) in a manifest, which is sealed too and is the *root stripe*;
//! its stripe id is the [`ObjectId`]. When the references outgrow the root, they are themselves
//! stored as stripes, level over level. Memory is bounded by a few stripes at any size.
//!
//! # Get
//!
//! [`decode_root`] and [`read_root`] give the [`Manifest`]; [`Manifest::opener`] gives a
//! [`StripeOpener`] for the data (level 0) or for the references of the level below. A range read
//! opens only the chunks it touches: [`StripeOpener::plan_range`] says which bytes of which data
//! shards they are.
//!
//! # What is sealed how
//!
//! Each object has a random [`ObjectKey`]. Every stream (the data, each level of references, the
//! manifest) has its own key and nonce prefix, derived with BLAKE3 from the object key, the suite,
//! the stream's purpose and level and a random salt, so sealing twice under one object key never
//! repeats a nonce. Streams are sealed by the STREAM construction in chunks of [`CHUNK_LEN`] bytes:
//! the nonce holds a 32-bit big-endian counter and a flag that marks the last chunk, so nothing can
//! be reordered, cut or extended. The root stripe shows a commitment to the key in the clear, which
//! is checked before anything is decrypted.
//!
//! ```
//! use arion_object::*;
//!
//! // Put: every encoded stripe goes to thirty miners.
//! let key = ObjectKey::generate()?;
//! let mut sealer = StripeSealer::new(Suite::default(), &key)?;
//! let mut builder = ManifestBuilder::new(&sealer, &key, "greeting.txt", "text/plain")?;
//! let buffers = ShardBuffers::new(30);
//! let data = sealer.prepare_next(&b"hello"[..], true)?.encode(&buffers)?;
//! builder.push(data.reference(1))?;
//! builder.close(sealer.size())?;
//! while let Some(index) = builder.next_index()? {
//!     let stored = encode_stripe(&index.sealed.bytes)?;
//!     builder.push_index(index.level, stored.reference(1))?;
//! }
//! let root = encode_stripe(&builder.seal_root()?)?;
//! let link = Link { id: ObjectId(root.stripe), key };
//!
//! // Get: twenty shards of each stripe are gone.
//! let survivors = |stripe: &EncodedStripe| -> Vec<_> {
//!     stripe.shards.iter().cloned().enumerate().map(|(i, s)| (i >= 20).then_some(s)).collect()
//! };
//! let manifest = read_root(&decode_root(&root.ids, &survivors(&root))?, &link.key)?;
//! let sealed = decode_stripe(&manifest.stripes()[0], &survivors(&data))?;
//! let plain = manifest.opener(&link.key, 0)?.open_stripe(0, &sealed)?;
//! assert_eq!(plain, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod buffers;
mod builder;
mod cipher;
mod cutter;
mod envelope;
mod error;
mod id;
mod key;
mod layout;
mod manifest;
mod memory;
mod opener;
mod sealer;
mod stage;
mod stripe;
mod suite;

pub use buffers::{ShardBuffers, SHARDS_PER_ALLOCATION};
pub use builder::{IndexStripe, ManifestBuilder};
pub use cutter::Cutter;
pub use envelope::read_root;
pub use error::{ManifestError, OpenError, RootError, SealError, StripeError};
pub use id::{Link, LinkError, ObjectId, ObjectIdError, LINK_PREFIX};
pub use key::{ObjectKey, RandomError, Salt};
pub use layout::{Layout, Piece};
pub use manifest::{Manifest, MAX_CONTENT_TYPE, MAX_LEVEL, MAX_NAME, MAX_ROOT_REFS};
pub use opener::{RangePlan, ShardPart, StripeOpener};
pub use sealer::{PlainStripe, SealedStripe, StripeSealer};
pub use stripe::{
	decode_root, decode_stripe, encode_stripe, encode_stripe_in, EncodedStripe, StripeRef,
};
pub use suite::{StreamKind, Suite};

/// Bytes of a full sealed chunk.
pub const CHUNK_LEN: usize = 65_536;
/// Bytes of the longest shard.
pub(crate) const MAX_SHARD: usize = hippius_primitives::coding::SHARD_LEN;
/// Bytes the seal adds to a chunk.
pub const TAG_LEN: usize = 16;
/// Source bytes of a full chunk.
pub const CHUNK_PLAIN: usize = CHUNK_LEN - TAG_LEN;
/// Chunks of a full stripe: sixteen per data shard.
pub const STRIPE_CHUNKS: usize = hippius_primitives::coding::STRIPE_LEN / CHUNK_LEN;
/// Source bytes of a full stripe.
pub const STRIPE_PLAIN: usize = STRIPE_CHUNKS * CHUNK_PLAIN;
/// Most stripes of a stream, given by the 32-bit chunk counter.
pub const MAX_STRIPES: u32 = u32::MAX / STRIPE_CHUNKS as u32;
/// Longest object, in bytes (281 TB).
pub const MAX_SIZE: u64 = MAX_STRIPES as u64 * STRIPE_PLAIN as u64;

const _: () = assert!(STRIPE_CHUNKS == 160 && STRIPE_PLAIN == 160 * 65_520);
