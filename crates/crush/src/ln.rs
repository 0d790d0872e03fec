//! The fixed-point logarithm of straw2: `ln(u)` is about `2^44 * log2(u + 1)`.
//!
//! Interoperation needs the exact numbers, errors included: the second table deviates from its own
//! formula and the function is not monotone. Neither may be "repaired". The tests hold the SHA-256
//! of every table and of all 65 536 results.

/// 2^48, the logarithm's upper bound.
pub const LN_ONE: u64 = 1 << 48;

/// What most entries of the low table are too large by.
const LOW_OFFSET: u64 = 0x1_4770_0000;

/// Entries of the low table that follow the formula without the offset.
const LOW_PLAIN: [usize; 21] = [
	0, 1, 203, 216, 222, 233, 237, 238, 239, 243, 244, 245, 246, 248, 249, 250, 251, 252, 253, 254,
	255,
];

/// Entries of the low table that follow no formula.
const LOW_SPECIAL: [(usize, u64); 23] = [
	(56, 0xa2_b07f_3458),
	(127, 0x16d_f6ca_19bd),
	(134, 0x182_b07f_3458),
	(181, 0x209_c06e_6212),
	(184, 0x212_b07f_3458),
	(188, 0x21d_6a73_a78f),
	(193, 0x22c_2367_9b4e),
	(198, 0x23a_2c3b_0ea4),
	(199, 0x23d_13ee_805b),
	(200, 0x240_35e9_221f),
	(207, 0x254_9264_4d65),
	(210, 0x25d_13ee_805b),
	(212, 0x262_9645_3882),
	(225, 0x287_bdbf_5255),
	(227, 0x28d_13ee_805b),
	(228, 0x290_35e9_221f),
	(229, 0x292_9645_3882),
	(231, 0x299_02a3_7aab),
	(235, 0x2a4_c760_5d61),
	(236, 0x2a7_bdbf_5255),
	(240, 0x2b2_9645_3882),
	(241, 0x2b5_d022_d80f),
	(247, 0x2c6_1a5e_8f4c),
];

/// Reciprocals: `ceil(2^55 / (128 + k))`.
pub static RECIPROCAL: [u64; 129] = reciprocal_table();
/// `floor(2^48 * log2(1 + k/128))`; the last entry is short of 2^48.
pub static LOG_HIGH: [u64; 129] = high_table();
/// About `2^48 * log2(1 + k/32768)`.
pub static LOG_LOW: [u64; 256] = low_table();

/// `floor(2^48 * log2(n / d))` for `1 <= n/d < 2`, one bit per squaring.
const fn log2_48(n: u64, d: u64) -> u64 {
	let mut y = ((n as u128) << 63) / d as u128;
	let mut log = 0u64;
	let mut bit = 0;
	while bit < 48 {
		y = (y * y) >> 63;
		log <<= 1;
		if y >> 64 != 0 {
			log |= 1;
			y >>= 1;
		}
		bit += 1;
	}
	log
}

const fn reciprocal_table() -> [u64; 129] {
	let mut table = [0; 129];
	let mut k = 0;
	while k < 129 {
		table[k] = (1u64 << 55).div_ceil(128 + k as u64);
		k += 1;
	}
	table
}

const fn high_table() -> [u64; 129] {
	let mut table = [0xffff_0000_0000; 129];
	let mut k = 0;
	while k < 128 {
		table[k] = log2_48(128 + k as u64, 128);
		k += 1;
	}
	table
}

const fn low_table() -> [u64; 256] {
	let mut table = [0; 256];
	let mut k = 0;
	while k < 256 {
		table[k] = log2_48(32_768 + k as u64, 32_768) + LOW_OFFSET;
		k += 1;
	}
	let mut i = 0;
	while i < LOW_PLAIN.len() {
		table[LOW_PLAIN[i]] -= LOW_OFFSET;
		i += 1;
	}
	let mut i = 0;
	while i < LOW_SPECIAL.len() {
		table[LOW_SPECIAL[i].0] = LOW_SPECIAL[i].1;
		i += 1;
	}
	table
}

/// About `2^44 * log2(u + 1)`, always below [`LN_ONE`].
#[inline]
pub fn ln(u: u16) -> u64 {
	let x = u32::from(u) + 1;
	// Bring x to 2^15..=2^16 by shifting left; 65 536 itself stays and uses the last entries.
	let shift = (x.leading_zeros()).saturating_sub(16);
	let x = x << shift;
	let exponent = u64::from(15 - shift);
	let high = (x >> 8) as usize - 128;
	let low = ((u64::from(x) * RECIPROCAL[high]) >> 48) as usize & 255;
	(exponent << 44) + ((LOG_HIGH[high] + LOG_LOW[low]) >> 4)
}

#[cfg(test)]
mod tests {
	use super::*;
	use alloc::vec::Vec;
	use hex_literal::hex;
	use sha2::{Digest, Sha256};

	fn digest(values: impl IntoIterator<Item = u64>) -> [u8; 32] {
		let bytes: Vec<u8> = values.into_iter().flat_map(u64::to_le_bytes).collect();
		Sha256::digest(bytes).into()
	}

	#[test]
	fn tables_and_all_results_are_exact() {
		assert_eq!(
			digest(RECIPROCAL),
			hex!("5debd57bf387705974d0b0b6c955a2b75545172ab55753c637bb7349f1b66ee3")
		);
		assert_eq!(
			digest(LOG_HIGH),
			hex!("2c5d48357edc321c43ac43a2bf4caf715d767ad49b948a8729f140756c5d8f57")
		);
		assert_eq!(
			digest(LOG_LOW),
			hex!("56fecbea65b1d35d0d20f0327d783a870652a56356e9a5326b6ab16d6c31b6ca")
		);
		assert_eq!(
			digest((0..=u16::MAX).map(ln)),
			hex!("7e86f34e8fedc36c3b6252e5a6e4fe3fa4e115ed44e16f58f7fed6543aa1bd20")
		);
	}

	#[test]
	fn known_values() {
		assert_eq!(ln(0), 0);
		assert_eq!(ln(1), 0x1000_0000_0000);
		assert_eq!(ln(2), 0x195c_01a3_9fbd);
		assert_eq!(ln(256), 0x8017_1e3b_6d7a);
		assert_eq!(ln(40_000), 0xf49a_a337_4e16);
		assert_eq!(ln(65_534), 0xffff_fd61_ad10);
		assert_eq!(ln(65_535), 0xffff_f000_0000);
		assert!((0..=u16::MAX).all(|u| ln(u) < LN_ONE));
	}
}
