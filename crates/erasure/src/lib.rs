//! Reed-Solomon 10+20 over GF(2^8).
//!
//! Ten data shards become thirty, and any ten of the thirty give the ten back. The field is GF(2^8)
//! modulo 0x11D and the generator is the systematic Vandermonde matrix, so parity is equal byte for
//! byte to that of `reed-solomon-erasure` 6.0.
//!
//! [`StripeCodec`] is the seam: it encodes and recovers over borrowed slices and allocates nothing
//! per call. [`Codec`] implements it and adds conveniences over whole stripes. Bytes at the same
//! place of all shards are a code by themselves, so parts of shards can be coded as well as whole
//! ones, for instance by [`StripeCodec::recover_columns`].
//!
//! Parity, and many shards lost at once, are computed by an additive Fourier transform, which needs
//! a fifth of the multiplications of the generator matrix; a few shards are computed by a matrix. The
//! fastest [`Kernel`] that the machine can run is chosen at run time, or the one that the environment
//! variable [`KERNEL_VARIABLE`] names: programs should call [`Kernel::from_env`] when they start and
//! stop if that name is wrong. Large outputs bypass the caches, if [`Stores`] does not say otherwise.
//!
//! [`HashingEncoder`] encodes a stripe and hashes its thirty shards in one pass.
//!
//! ```
//! use arion_erasure::Codec;
//!
//! let codec = Codec::shared();
//! let data = b"twenty of thirty may go".to_vec();
//! let mut shards: Vec<_> = codec.encode_stripe(&data)?.into_iter().map(Some).collect();
//! for lost in 0..20 {
//!     shards[lost] = None;
//! }
//! assert_eq!(codec.reconstruct_data(&shards, data.len())?, data);
//! # Ok::<(), arion_erasure::CodecError>(())
//! ```

// Allowed in the kernels, those of the code and that of the hash, for vector instructions alone.
#![deny(unsafe_code)]
#![deny(missing_docs)]

mod buffer;
mod codec;
mod error;
mod fused;
mod gf;
mod hash;
mod kernel;
mod matrix;
mod set;
#[cfg_attr(
	not(any(target_arch = "x86_64", target_arch = "aarch64")),
	expect(dead_code, reason = "for vector kernels alone")
)]
mod skew;
mod stripe;

pub use buffer::StripeBuffer;
pub use codec::{Codec, DecodePlan, StripeCodec};
pub use error::CodecError;
pub use fused::{FusedError, HashingEncoder, COLUMN_ALIGN};
pub use hippius_primitives::coding::{
	shard_len, DATA_SHARDS, PARITY_SHARDS, SHARD_LEN, STRIPE_LEN, TOTAL_SHARDS,
};
pub use kernel::{Kernel, KernelError, Stores, KERNEL_VARIABLE};
pub use set::ShardSet;
