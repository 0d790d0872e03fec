//! The hash of the sum-carrying trees.

use crate::Hash;

/// BLAKE2b-256. A runtime gives its host function, everybody else takes [`Blake2`].
pub trait SumHasher {
	/// BLAKE2b with 32 bytes of output, no key.
	fn blake2_256(data: &[u8]) -> Hash;
}

/// BLAKE2b-256 computed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blake2;

impl SumHasher for Blake2 {
	fn blake2_256(data: &[u8]) -> Hash {
		sp_crypto_hashing::blake2_256(data)
	}
}
