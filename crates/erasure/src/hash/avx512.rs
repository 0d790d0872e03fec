//! Sixteen BLAKE3 compressions side by side in 512-bit vectors.
//!
//! A *group* is sixteen chunks of one shard, and lane `i` of every vector belongs to chunk `i`. Two
//! things keep both vector ports of a core busy where a plain loop over blocks leaves gaps:
//!
//! - The sixteen rows of a block (one per chunk) have to be transposed into sixteen message words.
//!   Half of that, the exchange of 128-bit lanes, is done by copying 16-byte pieces through memory,
//!   which needs no vector port; the other half is 32 shuffles.
//! - Copying the block after the next and shuffling the next one are spread between the rounds of the
//!   present one, across the borders of groups, so that neither is waited for.
//!
//! On the way, groups can be copied to where they are to stay, past the caches: the lines are in the
//! first-level cache anyway, and the stores drain while the rounds compute.
//!
//! `unsafe` is used for loads and stores of vectors, each within an array whose length is in its type,
//! and for calls of functions compiled for AVX-512 after [`is_available`] said yes.

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
/// Blocks of a chunk.
const BLOCKS: usize = CHUNK_LEN / BLOCK_LEN;

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

/// Rows of a block with their 128-bit lanes exchanged: vector `4 * l + i` holds the words `4 * l` to
/// `4 * l + 3` of the rows `i`, `4 + i`, `8 + i` and `12 + i`.
type Pieces = [[__m128i; 4]; 16];

/// A group and where to copy it.
pub(super) struct Job<'a> {
	pub(super) input: &'a [u8; GROUP_LEN],
	/// Used by [`hash_and_copy`] alone.
	pub(super) copy: Option<&'a mut [u8; GROUP_LEN]>,
}

/// Whether this machine has what the functions need.
pub(super) fn is_available() -> bool {
	is_x86_feature_detected!("avx512f")
}

/// Writes the chaining values of each group's chunks to `out`. The first chunk of each group is
/// number `first` of its shard, a multiple of sixteen.
pub(super) fn hash(jobs: &mut [Job<'_>], first: u64, out: &mut [Group]) {
	assert!(is_available() && first.is_multiple_of(LANES as u64));
	// SAFETY: the instructions are available.
	unsafe { groups::<false>(jobs, first, out) }
}

/// As [`hash`], and copies each group to its place past the caches; groups without a place, or whose
/// place does not begin at a cache line, are not copied: [`streams_to`] tells.
pub(super) fn hash_and_copy(jobs: &mut [Job<'_>], first: u64, out: &mut [Group]) {
	assert!(is_available() && first.is_multiple_of(LANES as u64));
	// SAFETY: the instructions are available.
	unsafe { groups::<true>(jobs, first, out) }
}

/// Whether a place can be written past the caches.
pub(super) fn streams_to(place: &[u8]) -> bool {
	place.as_ptr().addr().is_multiple_of(BLOCK_LEN)
}

/// The chaining values of sixteen parents: of the pairs of neighbours in `left`, then in `right`.
pub(super) fn parents(left: &Group, right: &Group) -> Group {
	assert!(is_available());
	// SAFETY: the instructions are available.
	unsafe { hash_parents(left, right) }
}

#[target_feature(enable = "avx512f")]
fn groups<const COPY: bool>(jobs: &mut [Job<'_>], first: u64, out: &mut [Group]) {
	let zero = _mm512_setzero_si512();
	// Two each, used in turns: one is read while the other is filled.
	let mut pieces = [[[_mm_setzero_si128(); 4]; 16]; 2];
	let mut messages = [[zero; 16]; 2];
	let lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
	// The low word does not overflow: the first number is a multiple of sixteen.
	let low = _mm512_add_epi32(lane, splat(first as u32));
	let high = splat((first >> 32) as u32);
	let Some(head) = jobs.first() else { return };
	for part in 0..4 {
		gather(head.input, 0, part, &mut pieces[0]);
		gather(head.input, 1, part, &mut pieces[1]);
		shuffle(&pieces[0], part, &mut messages[0]);
	}
	for (at, group) in (0..jobs.len()).zip(out) {
		let input = jobs[at].input;
		let after = jobs.get(at + 1).map_or(input, |job| job.input);
		let place = match &mut jobs[at].copy {
			Some(place) if COPY && streams_to(&place[..]) => Some(&mut **place),
			_ => None,
		};
		let mut place = place;
		let mut v = [zero; 16];
		for (word, value) in v.iter_mut().zip(IV) {
			*word = splat(value);
		}
		for block in 0..BLOCKS {
			let [a, b] = &mut messages;
			let (message, next) = if block % 2 == 0 { (&*a, b) } else { (&*b, a) };
			let [a, b] = &mut pieces;
			let (filled, free) = if block % 2 == 0 { (&*b, a) } else { (&*a, b) };
			let (source, row) = match block + 2 {
				row if row < BLOCKS => (input, row),
				row => (after, row - BLOCKS),
			};
			let flags = match block {
				0 => CHUNK_START,
				block if block + 1 == BLOCKS => CHUNK_END,
				_ => 0,
			};
			v[8] = splat(IV[0]);
			v[9] = splat(IV[1]);
			v[10] = splat(IV[2]);
			v[11] = splat(IV[3]);
			v[12] = low;
			v[13] = high;
			v[14] = splat(BLOCK_LEN as u32);
			v[15] = splat(flags);
			columns::<0>(&mut v, message);
			gather(source, row, 0, free);
			diagonals::<0>(&mut v, message);
			shuffle(filled, 0, next);
			columns::<1>(&mut v, message);
			gather(source, row, 1, free);
			diagonals::<1>(&mut v, message);
			shuffle(filled, 1, next);
			columns::<2>(&mut v, message);
			gather(source, row, 2, free);
			diagonals::<2>(&mut v, message);
			shuffle(filled, 2, next);
			columns::<3>(&mut v, message);
			gather(source, row, 3, free);
			diagonals::<3>(&mut v, message);
			shuffle(filled, 3, next);
			columns::<4>(&mut v, message);
			stream::<COPY>(input, &mut place, block, 0);
			diagonals::<4>(&mut v, message);
			stream::<COPY>(input, &mut place, block, 1);
			columns::<5>(&mut v, message);
			stream::<COPY>(input, &mut place, block, 2);
			diagonals::<5>(&mut v, message);
			stream::<COPY>(input, &mut place, block, 3);
			columns::<6>(&mut v, message);
			diagonals::<6>(&mut v, message);
			for word in 0..8 {
				v[word] = _mm512_xor_si512(v[word], v[8 + word]);
			}
		}
		let [a, b, c, d, e, f, g, h, ..] = v;
		*group = store(&[a, b, c, d, e, f, g, h]);
	}
	if COPY {
		// Streaming stores are ordered with nothing else; others may read the copies from here on.
		_mm_sfence();
	}
}

/// Copies the 16-byte pieces `part` of the rows of block `block` to where they are shuffled.
#[inline]
#[target_feature(enable = "avx512f")]
fn gather(input: &[u8; GROUP_LEN], block: usize, part: usize, pieces: &mut Pieces) {
	debug_assert!(block < BLOCKS && part < 4);
	for i in 0..4 {
		for lane in 0..4 {
			let row = 4 * lane + i;
			let at = row * CHUNK_LEN + block * BLOCK_LEN + part * 16;
			// SAFETY: `row` < 16, `block` < 16 and `part` < 4, so the 16 bytes end within the group.
			let piece = unsafe { _mm_loadu_si128(input.as_ptr().add(at).cast()) };
			pieces[4 * part + i][lane] = piece;
		}
	}
}

/// The message words `4 * part` to `4 * part + 3` of all lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn shuffle(pieces: &Pieces, part: usize, message: &mut Words<16>) {
	let load = |i: usize| {
		let piece: &[__m128i; 4] = &pieces[4 * part + i];
		// SAFETY: an array of exactly the vector's size, and loads need no alignment.
		unsafe { _mm512_loadu_si512(piece.as_ptr().cast()) }
	};
	let (a, b, c, d) = (load(0), load(1), load(2), load(3));
	let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
	let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
	message[4 * part] = _mm512_unpacklo_epi64(ab_low, cd_low);
	message[4 * part + 1] = _mm512_unpackhi_epi64(ab_low, cd_low);
	message[4 * part + 2] = _mm512_unpacklo_epi64(ab_high, cd_high);
	message[4 * part + 3] = _mm512_unpackhi_epi64(ab_high, cd_high);
}

/// Copies a quarter of chunk `chunk` past the caches.
#[inline]
#[target_feature(enable = "avx512f")]
fn stream<const COPY: bool>(
	input: &[u8; GROUP_LEN],
	place: &mut Option<&mut [u8; GROUP_LEN]>,
	chunk: usize,
	quarter: usize,
) {
	debug_assert!(chunk < LANES && quarter < 4);
	if !COPY {
		return;
	}
	let Some(place) = place else { return };
	for line in 0..4 {
		let at = chunk * CHUNK_LEN + (quarter * 4 + line) * BLOCK_LEN;
		// SAFETY: `chunk` < 16 and each has 16 lines, so the 64 bytes end within both groups; the
		// place begins at a cache line, as `groups` has checked, and so does each line of it.
		unsafe {
			let bytes = _mm512_loadu_si512(input.as_ptr().add(at).cast());
			_mm512_stream_si512(place.as_mut_ptr().add(at).cast(), bytes);
		}
	}
}

#[target_feature(enable = "avx512f")]
fn hash_parents(left: &Group, right: &Group) -> Group {
	let even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
	let odd = _mm512_add_epi32(even, splat(1));
	let zero = _mm512_setzero_si512();
	let mut message = [zero; 16];
	let mut v = [zero; 16];
	for word in 0..8 {
		let (left, right) = (load(&left.0[word]), load(&right.0[word]));
		message[word] = _mm512_permutex2var_epi32(left, even, right);
		message[8 + word] = _mm512_permutex2var_epi32(left, odd, right);
		v[word] = splat(IV[word]);
	}
	v[8] = splat(IV[0]);
	v[9] = splat(IV[1]);
	v[10] = splat(IV[2]);
	v[11] = splat(IV[3]);
	v[14] = splat(BLOCK_LEN as u32);
	v[15] = splat(PARENT);
	round::<0>(&mut v, &message);
	round::<1>(&mut v, &message);
	round::<2>(&mut v, &message);
	round::<3>(&mut v, &message);
	round::<4>(&mut v, &message);
	round::<5>(&mut v, &message);
	round::<6>(&mut v, &message);
	store(&core::array::from_fn(|word| xor(v[word], v[8 + word])))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(word: u32) -> __m512i {
	_mm512_set1_epi32(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f")]
fn round<const R: usize>(v: &mut Words<16>, message: &Words<16>) {
	columns::<R>(v, message);
	diagonals::<R>(v, message);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn columns<const R: usize>(v: &mut Words<16>, m: &Words<16>) {
	let s = const { SCHEDULE[R] };
	let x = [m[s[0]], m[s[2]], m[s[4]], m[s[6]]];
	let y = [m[s[1]], m[s[3]], m[s[5]], m[s[7]]];
	mix(v, [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15], x, y);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn diagonals<const R: usize>(v: &mut Words<16>, m: &Words<16>) {
	let s = const { SCHEDULE[R] };
	let x = [m[s[8]], m[s[10]], m[s[12]], m[s[14]]];
	let y = [m[s[9]], m[s[11]], m[s[13]], m[s[15]]];
	mix(v, [5, 6, 7, 4], [10, 11, 8, 9], [15, 12, 13, 14], x, y);
}

/// Four mixings, which are independent of each other, step by step: their first words are `v[0]` to
/// `v[3]`.
#[inline]
#[target_feature(enable = "avx512f")]
fn mix(
	v: &mut Words<16>,
	b: [usize; 4],
	c: [usize; 4],
	d: [usize; 4],
	x: Words<4>,
	y: Words<4>,
) {
	for i in 0..4 {
		v[i] = add(add(v[i], x[i]), v[b[i]]);
	}
	for i in 0..4 {
		v[d[i]] = _mm512_ror_epi32::<16>(xor(v[d[i]], v[i]));
	}
	for i in 0..4 {
		v[c[i]] = add(v[c[i]], v[d[i]]);
	}
	for i in 0..4 {
		v[b[i]] = _mm512_ror_epi32::<12>(xor(v[b[i]], v[c[i]]));
	}
	for i in 0..4 {
		v[i] = add(add(v[i], y[i]), v[b[i]]);
	}
	for i in 0..4 {
		v[d[i]] = _mm512_ror_epi32::<8>(xor(v[d[i]], v[i]));
	}
	for i in 0..4 {
		v[c[i]] = add(v[c[i]], v[d[i]]);
	}
	for i in 0..4 {
		v[b[i]] = _mm512_ror_epi32::<7>(xor(v[b[i]], v[c[i]]));
	}
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add(a: __m512i, b: __m512i) -> __m512i {
	_mm512_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(a: __m512i, b: __m512i) -> __m512i {
	_mm512_xor_si512(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(words: &[u32; LANES]) -> __m512i {
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
