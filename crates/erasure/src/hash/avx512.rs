//! Sixteen BLAKE3 compressions side by side in 512-bit vectors.
//!
//! `unsafe` is used for loads and stores of vectors, whose bounds are checked by taking arrays of
//! exactly their size, and for calls of functions compiled for AVX-512 after [`is_available`].

#![allow(unsafe_code)]

use super::{Group, BLOCK_LEN, CHUNK_LEN, GROUP_LEN, LANES};
use core::arch::x86_64::*;

/// First words of the SHA-256 state, as BLAKE3 takes them.
const IV: [u32; 8] = [
	0x6A09_E667,
	0xBB67_AE85,
	0x3C6E_F372,
	0xA54F_F53A,
	0x510E_527F,
	0x9B05_688C,
	0x1F83_D9AB,
	0x5BE0_CD19,
];

const CHUNK_START: u32 = 1;
const CHUNK_END: u32 = 2;
const PARENT: u32 = 4;

/// Which message words each round mixes in: those of the round before, permuted.
const SCHEDULE: [[usize; 16]; 7] = {
	const PERMUTATION: [usize; 16] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
	let mut rounds = [[0; 16]; 7];
	let mut word = 0;
	while word < 16 {
		rounds[0][word] = word;
		word += 1;
	}
	let mut round = 1;
	while round < 7 {
		let mut word = 0;
		while word < 16 {
			rounds[round][word] = rounds[round - 1][PERMUTATION[word]];
			word += 1;
		}
		round += 1;
	}
	rounds
};

type Words<const N: usize> = [__m512i; N];

/// Whether this machine has what the functions need.
pub(super) fn is_available() -> bool {
	is_x86_feature_detected!("avx512f")
}

/// The chaining values of sixteen chunks, of which the first is number `first` of its shard, a
/// multiple of sixteen.
pub(super) fn chunks(input: &[u8; GROUP_LEN], first: u64) -> Group {
	debug_assert!(is_available() && first.is_multiple_of(LANES as u64));
	// SAFETY: the caller chose this kernel after `is_available`.
	unsafe { hash_chunks(input, first) }
}

/// The chaining values of sixteen parents: of the pairs of neighbours in `left`, then in `right`.
pub(super) fn parents(left: &Group, right: &Group) -> Group {
	debug_assert!(is_available());
	// SAFETY: the caller chose this kernel after `is_available`.
	unsafe { hash_parents(left, right) }
}

#[target_feature(enable = "avx512f")]
fn hash_chunks(input: &[u8; GROUP_LEN], first: u64) -> Group {
	const BLOCKS: usize = CHUNK_LEN / BLOCK_LEN;
	let lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
	// The low word does not overflow: the first number is a multiple of sixteen.
	let low = _mm512_add_epi32(lane, splat(first as u32));
	let counter = [low, splat((first >> 32) as u32)];
	let mut cv: Words<8> = IV.map(|word| splat(word));
	for block in 0..BLOCKS {
		let flags = match block {
			0 => CHUNK_START,
			block if block + 1 == BLOCKS => CHUNK_END,
			_ => 0,
		};
		let message = load_blocks(input, block);
		cv = compress(&cv, &message, counter, flags);
	}
	store(&cv)
}

#[target_feature(enable = "avx512f")]
fn hash_parents(left: &Group, right: &Group) -> Group {
	let even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
	let odd = _mm512_add_epi32(even, splat(1));
	let mut message = [_mm512_setzero_si512(); 16];
	for word in 0..8 {
		let (left, right) = (load_words(&left.0[word]), load_words(&right.0[word]));
		message[word] = _mm512_permutex2var_epi32(left, even, right);
		message[8 + word] = _mm512_permutex2var_epi32(left, odd, right);
	}
	let cv: Words<8> = IV.map(|word| splat(word));
	let counter = [_mm512_setzero_si512(); 2];
	store(&compress(&cv, &message, counter, PARENT))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(word: u32) -> __m512i {
	_mm512_set1_epi32(word.cast_signed())
}

/// One full block of each lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn compress(cv: &Words<8>, message: &Words<16>, counter: Words<2>, flags: u32) -> Words<8> {
	let mut v = [
		cv[0],
		cv[1],
		cv[2],
		cv[3],
		cv[4],
		cv[5],
		cv[6],
		cv[7],
		splat(IV[0]),
		splat(IV[1]),
		splat(IV[2]),
		splat(IV[3]),
		counter[0],
		counter[1],
		splat(BLOCK_LEN as u32),
		splat(flags),
	];
	round::<0>(&mut v, message);
	round::<1>(&mut v, message);
	round::<2>(&mut v, message);
	round::<3>(&mut v, message);
	round::<4>(&mut v, message);
	round::<5>(&mut v, message);
	round::<6>(&mut v, message);
	core::array::from_fn(|word| xor(v[word], v[word + 8]))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(a: __m512i, b: __m512i) -> __m512i {
	_mm512_xor_si512(a, b)
}

/// Four columns, then four diagonals; the four mixings of a kind are independent of each other.
#[inline]
#[target_feature(enable = "avx512f")]
fn round<const R: usize>(v: &mut Words<16>, m: &Words<16>) {
	let s = const { SCHEDULE[R] };
	mix4(
		v,
		[0, 1, 2, 3],
		[4, 5, 6, 7],
		[8, 9, 10, 11],
		[12, 13, 14, 15],
		m,
		[s[0], s[2], s[4], s[6]],
		[s[1], s[3], s[5], s[7]],
	);
	mix4(
		v,
		[0, 1, 2, 3],
		[5, 6, 7, 4],
		[10, 11, 8, 9],
		[15, 12, 13, 14],
		m,
		[s[8], s[10], s[12], s[14]],
		[s[9], s[11], s[13], s[15]],
	);
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn mix4(
	v: &mut Words<16>,
	a: [usize; 4],
	b: [usize; 4],
	c: [usize; 4],
	d: [usize; 4],
	m: &Words<16>,
	x: [usize; 4],
	y: [usize; 4],
) {
	// SAFETY: inlined into functions compiled for AVX-512.
	unsafe {
		for i in 0..4 {
			v[a[i]] = _mm512_add_epi32(v[a[i]], m[x[i]]);
			v[a[i]] = _mm512_add_epi32(v[a[i]], v[b[i]]);
		}
		for i in 0..4 {
			v[d[i]] = _mm512_ror_epi32::<16>(_mm512_xor_si512(v[d[i]], v[a[i]]));
		}
		for i in 0..4 {
			v[c[i]] = _mm512_add_epi32(v[c[i]], v[d[i]]);
		}
		for i in 0..4 {
			v[b[i]] = _mm512_ror_epi32::<12>(_mm512_xor_si512(v[b[i]], v[c[i]]));
		}
		for i in 0..4 {
			v[a[i]] = _mm512_add_epi32(v[a[i]], m[y[i]]);
			v[a[i]] = _mm512_add_epi32(v[a[i]], v[b[i]]);
		}
		for i in 0..4 {
			v[d[i]] = _mm512_ror_epi32::<8>(_mm512_xor_si512(v[d[i]], v[a[i]]));
		}
		for i in 0..4 {
			v[c[i]] = _mm512_add_epi32(v[c[i]], v[d[i]]);
		}
		for i in 0..4 {
			v[b[i]] = _mm512_ror_epi32::<7>(_mm512_xor_si512(v[b[i]], v[c[i]]));
		}
	}
}

/// The words of block `block` of sixteen chunks: vector `w` holds word `w` of every chunk.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_blocks(input: &[u8; GROUP_LEN], block: usize) -> Words<16> {
	let mut rows = [_mm512_setzero_si512(); 16];
	for (lane, row) in rows.iter_mut().enumerate() {
		let at = lane * CHUNK_LEN + block * BLOCK_LEN;
		let Some(bytes) = input[at..].first_chunk::<BLOCK_LEN>() else {
			unreachable!("a group holds sixteen whole chunks")
		};
		// SAFETY: an array of exactly the vector's size, and loads need no alignment.
		*row = unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
	}
	transpose(rows)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(r: Words<16>) -> Words<16> {
	// Pairs of words, then of pairs: within each 128-bit lane, four rows by four words.
	let mut t = r;
	for i in 0..8 {
		t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
		t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
	}
	let mut u = t;
	for i in 0..4 {
		let at = 4 * i;
		u[at] = _mm512_unpacklo_epi64(t[at], t[at + 2]);
		u[at + 1] = _mm512_unpackhi_epi64(t[at], t[at + 2]);
		u[at + 2] = _mm512_unpacklo_epi64(t[at + 1], t[at + 3]);
		u[at + 3] = _mm512_unpackhi_epi64(t[at + 1], t[at + 3]);
	}
	// u[4 * i + w] holds, in lane l, word 4 * l + w of rows 4 * i .. 4 * i + 4.
	let mut out = u;
	for w in 0..4 {
		let (a, b, c, d) = (u[w], u[4 + w], u[8 + w], u[12 + w]);
		let ab_low = _mm512_shuffle_i32x4::<0x88>(a, b);
		let ab_high = _mm512_shuffle_i32x4::<0xDD>(a, b);
		let cd_low = _mm512_shuffle_i32x4::<0x88>(c, d);
		let cd_high = _mm512_shuffle_i32x4::<0xDD>(c, d);
		out[w] = _mm512_shuffle_i32x4::<0x88>(ab_low, cd_low);
		out[4 + w] = _mm512_shuffle_i32x4::<0x88>(ab_high, cd_high);
		out[8 + w] = _mm512_shuffle_i32x4::<0xDD>(ab_low, cd_low);
		out[12 + w] = _mm512_shuffle_i32x4::<0xDD>(ab_high, cd_high);
	}
	out
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_words(words: &[u32; LANES]) -> __m512i {
	// SAFETY: an array of exactly the vector's size, and loads need no alignment.
	unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(words: &Words<8>) -> Group {
	let mut group = Group([[0; LANES]; 8]);
	for (row, word) in group.0.iter_mut().zip(words) {
		// SAFETY: an array of exactly the vector's size, and stores need no alignment.
		unsafe { _mm512_storeu_si512(row.as_mut_ptr().cast(), *word) };
	}
	group
}
