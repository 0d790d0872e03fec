//! rjenkins1: Robert Jenkins' 1996 public 32-bit mix, as CRUSH seeds and chains it.

/// Start value of every hash.
const SEED: u32 = 1_315_423_911;
/// First working word; the mix changes it and later rounds use what it became.
const WORD_X: u32 = 231_232;
/// Second working word.
const WORD_Y: u32 = 1_232;

/// Mixes three words. Nine updates; each takes the two other words off the target, then folds the
/// shifted last one in.
#[inline(always)]
const fn mix(mut a: u32, mut b: u32, mut c: u32) -> (u32, u32, u32) {
	a = a.wrapping_sub(b).wrapping_sub(c) ^ (c >> 13);
	b = b.wrapping_sub(c).wrapping_sub(a) ^ (a << 8);
	c = c.wrapping_sub(a).wrapping_sub(b) ^ (b >> 13);
	a = a.wrapping_sub(b).wrapping_sub(c) ^ (c >> 12);
	b = b.wrapping_sub(c).wrapping_sub(a) ^ (a << 16);
	c = c.wrapping_sub(a).wrapping_sub(b) ^ (b >> 5);
	a = a.wrapping_sub(b).wrapping_sub(c) ^ (c >> 3);
	b = b.wrapping_sub(c).wrapping_sub(a) ^ (a << 10);
	c = c.wrapping_sub(a).wrapping_sub(b) ^ (b >> 15);
	(a, b, c)
}

/// Hash of two words.
pub const fn hash2(a: u32, b: u32) -> u32 {
	let h = SEED ^ a ^ b;
	let (a, b, h) = mix(a, b, h);
	let (_, _, h) = mix(WORD_X, a, h);
	let (_, _, h) = mix(b, WORD_Y, h);
	h
}

/// Hash of three words.
#[inline(always)]
pub const fn hash3(a: u32, b: u32, c: u32) -> u32 {
	let h = SEED ^ a ^ b ^ c;
	let (a, b, h) = mix(a, b, h);
	let (c, x, h) = mix(c, WORD_X, h);
	let (y, _, h) = mix(WORD_Y, a, h);
	let (_, _, h) = mix(b, x, h);
	let (_, _, h) = mix(y, c, h);
	h
}

/// [`hash3`] of `a`, each of `ids` and `c`. Independent lanes in plain arithmetic, so that the
/// compiler can run them side by side.
#[inline(always)]
pub fn hash3_lanes<const N: usize>(a: u32, ids: &[i32; N], c: u32) -> [u32; N] {
	let mut hashes = [0; N];
	for (hash, id) in hashes.iter_mut().zip(ids) {
		*hash = hash3(a, *id as u32, c);
	}
	hashes
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn known_values() {
		assert_eq!(hash2(0, 0), 430_787_817);
		assert_eq!(hash2(123, 456), 2_468_338_131);
		assert_eq!(hash3(0, 0, 0), 2_050_749_362);
		assert_eq!(hash3(1, 2, 3), 1_935_332_395);
		assert_eq!(hash3(12345, u32::MAX, 7), 1_787_697_149);
	}

	#[test]
	fn lanes_equal_single_hashes() {
		let ids = [0, 1, -1, 7, i32::MAX, i32::MIN, -300, 65_536];
		let lanes = hash3_lanes(99, &ids, 5);
		for (lane, id) in lanes.iter().zip(ids) {
			assert_eq!(*lane, hash3(99, id as u32, 5));
		}
	}
}
