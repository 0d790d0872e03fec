//! The erasure code's shape and the sizes that follow from it.

/// Shards that carry the data itself.
pub const DATA_SHARDS: usize = 10;
/// Shards computed from the data.
pub const PARITY_SHARDS: usize = 20;
/// Shards of a stripe; any [`DATA_SHARDS`] of them give it back.
pub const TOTAL_SHARDS: usize = DATA_SHARDS + PARITY_SHARDS;
/// Distinct nodes that must have synced their shard to disk before a write is acknowledged.
pub const WRITE_QUORUM: usize = 20;
/// Bytes of a full shard.
pub const SHARD_LEN: usize = 1024 * 1024;
/// Bytes of (sealed) data in a full stripe.
pub const STRIPE_LEN: usize = DATA_SHARDS * SHARD_LEN;
/// A short stripe's shard length is a multiple of this.
pub const SHARD_ALIGN: usize = 64;

/// Length of each shard of a stripe that holds `data_len` bytes: `ceil(len / 10)` rounded up to
/// [`SHARD_ALIGN`]. `None` if the stripe is empty or longer than [`STRIPE_LEN`].
pub const fn shard_len(data_len: usize) -> Option<usize> {
	if data_len == 0 || data_len > STRIPE_LEN {
		return None;
	}
	Some(data_len.div_ceil(DATA_SHARDS).next_multiple_of(SHARD_ALIGN))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn shard_len_is_bounded_and_aligned() {
		assert_eq!(shard_len(0), None);
		assert_eq!(shard_len(1), Some(64));
		assert_eq!(shard_len(640), Some(64));
		assert_eq!(shard_len(641), Some(128));
		assert_eq!(shard_len(STRIPE_LEN), Some(SHARD_LEN));
		assert_eq!(shard_len(STRIPE_LEN + 1), None);
	}
}
