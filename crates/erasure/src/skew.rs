//! The code as a transform.
//!
//! A stripe is a polynomial of degree below ten: shard `r` holds its values at the field element
//! `r`, one polynomial for each byte column. The elements 0 to 31 are a linear space over GF(2), so
//! the additive fast Fourier transform of Lin, Chung and Han ("Novel Polynomial Basis and Its
//! Application to Reed-Solomon Erasure Codes", FOCS 2014) goes from the values at eight elements
//! that form a coset of {0..7} to coefficients and back in twelve multiplications. A degree below
//! ten needs two coefficients more, which two further values give:
//!
//! With `W0(x) = x`, `W(i+1)(x) = W(i)(x) * (W(i)(x) + W(i)(2^i))` and
//! `w(i)(x) = W(i)(x) / W(i)(2^i)`, the polynomial is
//! `sum over j < 8 of a[j] * X[j](x) + w3(x) * (a[8] + a[9] * x)`, where `X[j]` is the product of
//! those `w(i)` whose bit `i` is set in `j`. `w3` is constant on each coset of {0..7}, so there the
//! polynomial is one of eight coefficients whose first two have a multiple of `a[8]` and `a[9]`
//! added.
//!
//! Encoding costs 39 multiplications per column instead of the 200 of the generator matrix.

use crate::gf;

/// `w(i)(x)`.
pub(crate) const fn skew(i: u32, x: u8) -> u8 {
	match gf::inv(vanishing(i, 1 << i)) {
		Some(scale) => gf::mul(vanishing(i, x), scale),
		None => unreachable!(),
	}
}

/// `W(i)(x)`: zero for all `x` below `2^i`.
const fn vanishing(i: u32, x: u8) -> u8 {
	if i == 0 {
		return x;
	}
	let value = vanishing(i - 1, x);
	gf::mul(value, value ^ vanishing(i - 1, 1 << (i - 1)))
}

/// What the transform over a coset multiplies by, per layer and block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coset<T> {
	/// Between elements 4 apart.
	pub(crate) far: T,
	/// Between elements 2 apart, in the lower and in the upper half.
	pub(crate) middle: [T; 2],
	/// Between neighbours.
	pub(crate) near: [T; 4],
	/// `w3` on the coset.
	pub(crate) top: T,
}

/// The coset of {0..7} that holds `8 * index`.
pub(crate) const fn coset(index: u8) -> Coset<u8> {
	let base = 8 * index;
	Coset {
		far: skew(2, base),
		middle: [skew(1, base), skew(1, base + 4)],
		near: [base, base + 2, base + 4, base + 6],
		top: skew(3, base),
	}
}

/// The cosets that hold slots.
pub(crate) const COSETS: [Coset<u8>; 4] = [coset(0), coset(1), coset(2), coset(3)];

#[cfg(test)]
mod tests {
	use super::*;
	use crate::matrix::PARITY_ROWS;

	fn inverse(values: [u8; 8], coset: &Coset<u8>) -> [u8; 8] {
		let mut a = values;
		for (pair, near) in coset.near.into_iter().enumerate() {
			a[2 * pair + 1] ^= a[2 * pair];
			a[2 * pair] ^= gf::mul(near, a[2 * pair + 1]);
		}
		for (half, middle) in coset.middle.into_iter().enumerate() {
			for i in 4 * half..4 * half + 2 {
				a[i + 2] ^= a[i];
				a[i] ^= gf::mul(middle, a[i + 2]);
			}
		}
		for i in 0..4 {
			a[i + 4] ^= a[i];
			a[i] ^= gf::mul(coset.far, a[i + 4]);
		}
		a
	}

	fn forward(coefficients: [u8; 8], coset: &Coset<u8>) -> [u8; 8] {
		let mut a = coefficients;
		for i in 0..4 {
			a[i] ^= gf::mul(coset.far, a[i + 4]);
			a[i + 4] ^= a[i];
		}
		for (half, middle) in coset.middle.into_iter().enumerate() {
			for i in 4 * half..4 * half + 2 {
				a[i] ^= gf::mul(middle, a[i + 2]);
				a[i + 2] ^= a[i];
			}
		}
		for (pair, near) in coset.near.into_iter().enumerate() {
			a[2 * pair] ^= gf::mul(near, a[2 * pair + 1]);
			a[2 * pair + 1] ^= a[2 * pair];
		}
		a
	}

	/// Written plainly, the transform gives the columns of the generator matrix.
	#[test]
	fn the_transform_is_the_generator() {
		let unit = |col| core::array::from_fn::<u8, 10, _>(|c| u8::from(c == col));
		for (col, data) in (0..10).map(unit).enumerate() {
			let values = core::array::from_fn(|i| data[i]);
			let a = inverse(values, &COSETS[0]);
			let low = forward(a, &COSETS[1]);
			let (first, second) = (low[0] ^ data[8], low[1] ^ data[9]);
			let a9 = first ^ second;
			let a8 = first ^ gf::mul(8, a9);
			for slot in 0..30 {
				let coset = &COSETS[slot / 8];
				let mut a = a;
				a[0] ^= gf::mul(coset.top, a8);
				a[1] ^= gf::mul(coset.top, a9);
				let value = forward(a, coset)[slot % 8];
				let expected = slot
					.checked_sub(10)
					.map_or_else(|| data[slot], |row: usize| PARITY_ROWS[row][col]);
				assert_eq!(value, expected, "slot {slot}, column {col}");
			}
		}
	}

	/// What the vector kernels leave out.
	#[test]
	fn shortcuts_of_the_kernels_hold() {
		assert_eq!(COSETS[0].far, 0);
		assert_eq!(COSETS[0].middle[0], 0);
		assert_eq!(COSETS[0].near[0], 0);
		assert_eq!(COSETS[0].top, 0);
		assert_eq!(COSETS[1].top, 1);
		assert_eq!(COSETS[3].top, COSETS[2].top ^ 1);
		assert_eq!(COSETS[3].far, COSETS[2].far ^ COSETS[1].far);
	}
}
