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

/// What is prepared for the blocks to come: two each, used in turns, of which one is read while the
/// other is filled.
struct Ahead {
	pieces: [Pieces; 2],
	messages: [Words<16>; 2],
}

/// Half a round: four mixings, which are independent of each other, step by step. Their first words
/// are `v[0]` to `v[3]`. Macros, because functions for AVX-512 cannot be made to be inlined.
macro_rules! mix {
	($v:ident, $m:ident, $round:literal, $at:literal, $b:expr, $c:expr, $d:expr) => {{
		const WORDS: [usize; 16] = SCHEDULE[$round];
		const B: [usize; 4] = $b;
		const C: [usize; 4] = $c;
		const D: [usize; 4] = $d;
		for i in 0..4 {
			$v[i] = _mm512_add_epi32($v[i], $m[WORDS[$at + 2 * i]]);
		}
		for i in 0..4 {
			$v[i] = _mm512_add_epi32($v[i], $v[B[i]]);
		}
		for i in 0..4 {
			$v[D[i]] = _mm512_xor_si512($v[D[i]], $v[i]);
		}
		for i in 0..4 {
			$v[D[i]] = _mm512_ror_epi32::<16>($v[D[i]]);
		}
		for i in 0..4 {
			$v[C[i]] = _mm512_add_epi32($v[C[i]], $v[D[i]]);
		}
		for i in 0..4 {
			$v[B[i]] = _mm512_xor_si512($v[B[i]], $v[C[i]]);
		}
		for i in 0..4 {
			$v[B[i]] = _mm512_ror_epi32::<12>($v[B[i]]);
		}
		for i in 0..4 {
			$v[i] = _mm512_add_epi32($v[i], $m[WORDS[$at + 2 * i + 1]]);
		}
		for i in 0..4 {
			$v[i] = _mm512_add_epi32($v[i], $v[B[i]]);
		}
		for i in 0..4 {
			$v[D[i]] = _mm512_xor_si512($v[D[i]], $v[i]);
		}
		for i in 0..4 {
			$v[D[i]] = _mm512_ror_epi32::<8>($v[D[i]]);
		}
		for i in 0..4 {
			$v[C[i]] = _mm512_add_epi32($v[C[i]], $v[D[i]]);
		}
		for i in 0..4 {
			$v[B[i]] = _mm512_xor_si512($v[B[i]], $v[C[i]]);
		}
		for i in 0..4 {
			$v[B[i]] = _mm512_ror_epi32::<7>($v[B[i]]);
		}
	}};
}

/// Compresses a block into `v[0]` to `v[7]`, given the four words that follow the constants. Does
/// something else after each of the first twelve half rounds.
macro_rules! compress {
	($v:ident, $m:ident, $low:expr, $high:expr, $flags:expr $(, $task:expr)*) => {{
		$v[8] = splat(IV[0]);
		$v[9] = splat(IV[1]);
		$v[10] = splat(IV[2]);
		$v[11] = splat(IV[3]);
		$v[12] = $low;
		$v[13] = $high;
		$v[14] = splat(BLOCK_LEN as u32);
		$v[15] = splat($flags);
		compress!(@half $v $m
			[[0 0] [0 8] [1 0] [1 8] [2 0] [2 8] [3 0] [3 8] [4 0] [4 8] [5 0] [5 8] [6 0] [6 8]]
			[$($task,)*]
		);
		for word in 0..8 {
			$v[word] = _mm512_xor_si512($v[word], $v[8 + word]);
		}
	}};
	(@half $v:ident $m:ident [[$r:literal $at:tt] $($rest:tt)*] [$task:expr, $($tasks:tt)*]) => {
		compress!(@mix $v $m $r $at);
		$task;
		compress!(@half $v $m [$($rest)*] [$($tasks)*]);
	};
	(@half $v:ident $m:ident [[$r:literal $at:tt] $($rest:tt)*] []) => {
		compress!(@mix $v $m $r $at);
		compress!(@half $v $m [$($rest)*] []);
	};
	(@half $v:ident $m:ident [] []) => {};
	// Columns, then diagonals.
	(@mix $v:ident $m:ident $r:literal 0) => {
		mix!($v, $m, $r, 0, [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15])
	};
	(@mix $v:ident $m:ident $r:literal 8) => {
		mix!($v, $m, $r, 8, [5, 6, 7, 4], [10, 11, 8, 9], [15, 12, 13, 14])
	};
}

/// A group and where to copy it.
pub(super) struct Job<'a> {
	pub(super) input: &'a [u8; GROUP_LEN],
	/// Used by [`hash_and_copy`] alone.
	pub(super) copy: Option<&'a mut [u8; GROUP_LEN]>,
	/// Fetched into the second-level cache meanwhile, [`FETCH_LINES`] for each block. Used by
	/// [`hash_and_copy`] alone, too.
	pub(super) fetch: &'a [u8],
}

/// Lines fetched while a block is compressed.
const FETCH_LINES: usize = 6;

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
	let mut ahead = Ahead {
		pieces: [[[_mm_setzero_si128(); 4]; 16]; 2],
		messages: [[_mm512_setzero_si512(); 16]; 2],
	};
	let Some(head) = jobs.first() else { return };
	for part in 0..4 {
		gather(head.input, 0, part, &mut ahead.pieces[0]);
		gather(head.input, 1, part, &mut ahead.pieces[1]);
		shuffle(&ahead.pieces[0], part, &mut ahead.messages[0]);
	}
	for (at, group) in (0..jobs.len()).zip(out) {
		let Job { input, fetch, .. } = jobs[at];
		let after = jobs.get(at + 1).map_or(input, |job| job.input);
		let place = match &mut jobs[at].copy {
			Some(place) if COPY && streams_to(&place[..]) => Some(&mut **place),
			_ => None,
		};
		*group = if COPY {
			one::<true>(input, after, place, fetch, first, &mut ahead)
		} else {
			one::<false>(input, after, None, &[], first, &mut ahead)
		};
	}
	if COPY {
		// Streaming stores are ordered with nothing else; others may read the copies from here on.
		_mm_sfence();
	}
}

/// One group, and the first two blocks of the group `after` it. The borders of what is `ahead` are
/// those of a function that is not inlined, so that it stays in memory.
#[inline(never)]
#[target_feature(enable = "avx512f")]
fn one<const COPY: bool>(
	input: &[u8; GROUP_LEN],
	after: &[u8; GROUP_LEN],
	mut place: Option<&mut [u8; GROUP_LEN]>,
	fetch: &[u8],
	first: u64,
	ahead: &mut Ahead,
) -> Group {
	let lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
	// The low word does not overflow: the first number is a multiple of sixteen.
	let low = _mm512_add_epi32(lane, splat(first as u32));
	let high = splat((first >> 32) as u32);
	let mut v = [_mm512_setzero_si512(); 16];
	for (word, value) in v.iter_mut().zip(IV) {
		*word = splat(value);
	}
	let [even, odd] = &mut ahead.messages;
	let [even_pieces, odd_pieces] = &mut ahead.pieces;
	for block in (0..BLOCKS).step_by(2) {
		let (source, row) = match block + 2 {
			row if row < BLOCKS => (input, row),
			_ => (after, 0),
		};
		let flags = if block == 0 { CHUNK_START } else { 0 };
		compress!(
			v,
			even,
			low,
			high,
			flags,
			gather(source, row, 0, even_pieces),
			shuffle(odd_pieces, 0, odd),
			gather(source, row, 1, even_pieces),
			shuffle(odd_pieces, 1, odd),
			gather(source, row, 2, even_pieces),
			shuffle(odd_pieces, 2, odd),
			gather(source, row, 3, even_pieces),
			shuffle(odd_pieces, 3, odd),
			stream::<COPY>(input, &mut place, block, 0),
			stream::<COPY>(input, &mut place, block, 1),
			stream::<COPY>(input, &mut place, block, 2),
			stream::<COPY>(input, &mut place, block, 3),
			prefetch::<COPY>(fetch, block)
		);
		let flags = if block + 2 == BLOCKS { CHUNK_END } else { 0 };
		compress!(
			v,
			odd,
			low,
			high,
			flags,
			gather(source, row + 1, 0, odd_pieces),
			shuffle(even_pieces, 0, even),
			gather(source, row + 1, 1, odd_pieces),
			shuffle(even_pieces, 1, even),
			gather(source, row + 1, 2, odd_pieces),
			shuffle(even_pieces, 2, even),
			gather(source, row + 1, 3, odd_pieces),
			shuffle(even_pieces, 3, even),
			stream::<COPY>(input, &mut place, block + 1, 0),
			stream::<COPY>(input, &mut place, block + 1, 1),
			stream::<COPY>(input, &mut place, block + 1, 2),
			stream::<COPY>(input, &mut place, block + 1, 3),
			prefetch::<COPY>(fetch, block + 1)
		);
	}
	let [a, b, c, d, e, f, g, h, ..] = v;
	store(&[a, b, c, d, e, f, g, h])
}

/// Copies the 16-byte pieces `part` of the rows of block `block` to where they are shuffled.
#[inline]
#[target_feature(enable = "avx512f")]
fn gather(input: &[u8; GROUP_LEN], block: usize, part: usize, pieces: &mut Pieces) {
	debug_assert!(block < BLOCKS && part < 4);
	for i in 0..4 {
		for (lane, piece) in pieces[4 * part + i].iter_mut().enumerate() {
			let row = 4 * lane + i;
			let at = row * CHUNK_LEN + block * BLOCK_LEN + part * 16;
			// SAFETY: `row` < 16, `block` < 16 and `part` < 4, so the 16 bytes end within the group.
			*piece = unsafe { _mm_loadu_si128(input.as_ptr().add(at).cast()) };
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

/// Asks for the lines of `fetch` whose turn it is during block `block`.
#[inline]
#[target_feature(enable = "avx512f")]
fn prefetch<const COPY: bool>(fetch: &[u8], block: usize) {
	if !COPY {
		return;
	}
	for line in 0..FETCH_LINES {
		if let Some(byte) = fetch.get((block * FETCH_LINES + line) * BLOCK_LEN) {
			_mm_prefetch::<_MM_HINT_T1>(core::ptr::from_ref(byte).cast());
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
	compress!(v, message, zero, zero, PARENT);
	let [a, b, c, d, e, f, g, h, ..] = v;
	store(&[a, b, c, d, e, f, g, h])
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(word: u32) -> __m512i {
	_mm512_set1_epi32(word.cast_signed())
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
