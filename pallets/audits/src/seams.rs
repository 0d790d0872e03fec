//! What the pallet asks of the chain around it.

use arion_storage_proof::SumHasher;

/// Whether the chain is in a state to serve answers.
pub trait Congestion {
	/// Whether the block being finished is full. Asked once, at its end.
	fn block_is_full() -> bool;
	/// Whether migrations run, so that no transactions but the necessary ones get in.
	fn is_migrating() -> bool;
	/// By how many blocks finality lags, if the chain knows.
	fn finality_lag() -> Option<u32>;
}

impl Congestion for () {
	fn block_is_full() -> bool {
		false
	}
	fn is_migrating() -> bool {
		false
	}
	fn finality_lag() -> Option<u32> {
		None
	}
}

/// BLAKE2b-256 by the host.
pub struct HostBlake2;

impl SumHasher for HostBlake2 {
	fn blake2_256(data: &[u8]) -> [u8; 32] {
		sp_io::hashing::blake2_256(data)
	}
}
