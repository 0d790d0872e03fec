//! Arithmetic in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1, generator 2.

const POLYNOMIAL: u16 = 0x11D;
/// Order of the multiplicative group.
pub(crate) const ORDER: usize = 255;

/// `EXP[i] = 2^i`, twice over so that a sum of two logarithms needs no reduction.
const EXP: [u8; 2 * ORDER] = exp_table();
/// `LOG[EXP[i]] = i`; `LOG[0]` has no meaning.
const LOG: [u8; 256] = log_table();

const fn exp_table() -> [u8; 2 * ORDER] {
	let mut table = [0u8; 2 * ORDER];
	let mut value = 1u16;
	let mut i = 0;
	while i < 2 * ORDER {
		table[i] = value as u8;
		value <<= 1;
		if value & 0x100 != 0 {
			value ^= POLYNOMIAL;
		}
		i += 1;
	}
	table
}

const fn log_table() -> [u8; 256] {
	let mut table = [0u8; 256];
	let mut i = 0;
	while i < ORDER {
		table[EXP[i] as usize] = i as u8;
		i += 1;
	}
	table
}

/// Product.
pub(crate) const fn mul(a: u8, b: u8) -> u8 {
	if a == 0 || b == 0 {
		return 0;
	}
	EXP[LOG[a as usize] as usize + LOG[b as usize] as usize]
}

/// Multiplicative inverse; `None` for 0.
pub(crate) const fn inv(a: u8) -> Option<u8> {
	if a == 0 {
		return None;
	}
	Some(EXP[ORDER - LOG[a as usize] as usize])
}

/// The logarithm of `a` to the base 2, below [`ORDER`]; 0 for 0, which has none.
pub(crate) const fn log(a: u8) -> usize {
	LOG[a as usize] as usize
}

/// `2^n`.
pub(crate) const fn power_of_two(n: usize) -> u8 {
	EXP[n % ORDER]
}

/// `a^n`, where `0^0 = 1`.
#[cfg(test)]
pub(crate) fn pow(a: u8, n: usize) -> u8 {
	match (a, n) {
		(_, 0) => 1,
		(0, _) => 0,
		_ => power_of_two(log(a) * n),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Carry-less product reduced bit by bit: the definition.
	fn slow_mul(a: u8, b: u8) -> u8 {
		let mut product = (0..8)
			.filter(|bit| b >> bit & 1 == 1)
			.fold(0u16, |sum, bit| sum ^ u16::from(a) << bit);
		for bit in (8..16).rev() {
			if product >> bit & 1 == 1 {
				product ^= POLYNOMIAL << (bit - 8);
			}
		}
		product as u8
	}

	#[test]
	fn all_products_match_the_definition() {
		for a in 0..=255 {
			for b in 0..=255 {
				assert_eq!(mul(a, b), slow_mul(a, b), "{a} * {b}");
			}
		}
	}

	#[test]
	fn inverses_and_powers() {
		assert_eq!(inv(0), None);
		for a in 1..=255u8 {
			assert_eq!(inv(a).map(|b| mul(a, b)), Some(1), "{a}");
		}
		for a in 0..=255u8 {
			let mut power = 1;
			for n in 0..600 {
				assert_eq!(pow(a, n), power, "{a}^{n}");
				power = mul(power, a);
			}
		}
	}
}
