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

/// [`hash3`] of `a`, each of `ids` and `c`.
///
/// Plain arithmetic on all lanes, operation by operation, which the compiler turns into vectors of
/// the target. A hash is a long chain of operations that wait for each other, so lanes beyond the
/// vector's width, up to 16, still gain: they fill the waits.
#[inline(always)]
pub fn hash3_lanes<const N: usize>(a: u32, ids: &[i32; N], c: u32) -> [u32; N] {
	let mut b = ids.map(|id| id as u32);
	let mut h = b.map(|id| SEED ^ a ^ id ^ c);
	let (mut a, mut c) = ([a; N], [c; N]);
	let (mut x, mut y) = ([WORD_X; N], [WORD_Y; N]);
	mix_lanes(&mut a, &mut b, &mut h);
	mix_lanes(&mut c, &mut x, &mut h);
	mix_lanes(&mut y, &mut a, &mut h);
	mix_lanes(&mut b, &mut x, &mut h);
	mix_lanes(&mut y, &mut c, &mut h);
	h
}

/// [`mix`] of every lane.
#[inline(always)]
fn mix_lanes<const N: usize>(a: &mut [u32; N], b: &mut [u32; N], c: &mut [u32; N]) {
	update(a, b, c, &right(c, 13));
	update(b, c, a, &left(a, 8));
	update(c, a, b, &right(b, 13));
	update(a, b, c, &right(c, 12));
	update(b, c, a, &left(a, 16));
	update(c, a, b, &right(b, 5));
	update(a, b, c, &right(c, 3));
	update(b, c, a, &left(a, 10));
	update(c, a, b, &right(b, 15));
}

#[inline(always)]
fn update<const N: usize>(
	target: &mut [u32; N],
	next: &[u32; N],
	last: &[u32; N],
	shifted: &[u32; N],
) {
	for lane in 0..N {
		target[lane] = target[lane]
			.wrapping_sub(next[lane])
			.wrapping_sub(last[lane])
			^ shifted[lane];
	}
}

#[inline(always)]
fn right<const N: usize>(word: &[u32; N], bits: u32) -> [u32; N] {
	let mut shifted = [0; N];
	for lane in 0..N {
		shifted[lane] = word[lane] >> bits;
	}
	shifted
}

#[inline(always)]
fn left<const N: usize>(word: &[u32; N], bits: u32) -> [u32; N] {
	let mut shifted = [0; N];
	for lane in 0..N {
		shifted[lane] = word[lane] << bits;
	}
	shifted
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
		let ids = core::array::from_fn(|lane| lane as i32 * 0x0123_4567 - 9);
		for c in [0, 1, 77, u32::MAX] {
			let lanes: [u32; 16] = hash3_lanes(c ^ 5, &ids, c);
			assert_eq!(lanes, ids.map(|id| hash3(c ^ 5, id as u32, c)));
		}
	}
}
