#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
	gf,
	matrix::{Interpolation, Row, PARITY_ROWS},
	ShardSet, DATA_SHARDS, TOTAL_SHARDS,
};

struct Random(u64);

impl Random {
	fn next(&mut self) -> u64 {
		self.0 ^= self.0 << 13;
		self.0 ^= self.0 >> 7;
		self.0 ^= self.0 << 17;
		self.0
	}

	fn below(&mut self, bound: usize) -> usize {
		(self.next() >> 8) as usize % bound
	}
}

const STORES: [Stores; 3] = [Stores::Auto, Stores::Cached, Stores::Streaming];
/// Bytes around each output that must stay as they were.
const GUARD: usize = 64;

/// Vector kernels that this machine can run.
fn vectors() -> impl Iterator<Item = Kernel> {
	Kernel::ALL.into_iter().filter(|kernel| {
		if !kernel.is_available() {
			println!("skipped: this machine cannot run {kernel}");
		}
		kernel.is_available() && *kernel != Kernel::Portable
	})
}

/// Ten inputs and some outputs of a length, each at an offset of its own from a cache line.
struct Buffers {
	inputs: Vec<Vec<u8>>,
	offsets: Vec<usize>,
	/// What output offsets are counted from a multiple of.
	align: usize,
	len: usize,
}

impl Buffers {
	/// In three rounds of four, outputs have the same offset, so that they can be streamed: from
	/// a cache line, or once from a page, so that they are crowded.
	fn random(random: &mut Random, len: usize, round: usize) -> Self {
		let mut offsets: Vec<usize> = (0..DATA_SHARDS + TOTAL_SHARDS)
			.map(|_| random.below(64))
			.collect();
		if !round.is_multiple_of(4) {
			let offset = offsets[DATA_SHARDS];
			offsets[DATA_SHARDS..].fill(offset);
		}
		let bytes = |_| {
			(0..len + 128)
				.map(|_| (random.next() >> 24) as u8)
				.collect()
		};
		Self {
			inputs: (0..DATA_SHARDS).map(bytes).collect(),
			offsets,
			align: if round % 4 == 1 { 4096 } else { 64 },
			len,
		}
	}

	/// What the map gives; nothing else is touched.
	fn apply(&self, map: &Map, stores: Stores) -> Vec<Vec<u8>> {
		let aligned = |buffer: &[u8], align| buffer.as_ptr().addr().wrapping_neg() % align;
		let inputs: [&[u8]; DATA_SHARDS] = core::array::from_fn(|i| {
			let start = aligned(&self.inputs[i], 64) + self.offsets[i];
			&self.inputs[i][start..start + self.len]
		});
		let mut buffers = vec![vec![0xAA; self.len + self.align + 64 + 2 * GUARD]; map.rows()];
		let starts: Vec<usize> = (0..map.rows())
			.map(|r| {
				let guarded = &buffers[r][GUARD..];
				GUARD + aligned(guarded, self.align) + self.offsets[DATA_SHARDS + r]
			})
			.collect();
		let mut outputs: Vec<&mut [u8]> = buffers
			.iter_mut()
			.zip(&starts)
			.map(|(buffer, start)| &mut buffer[*start..*start + self.len])
			.collect();
		map.apply(&inputs, &mut outputs, stores);
		let check = |(buffer, start): (Vec<u8>, &usize)| {
			let (before, rest) = buffer.split_at(*start);
			let (output, after) = rest.split_at(self.len);
			assert!(before.iter().chain(after).all(|byte| *byte == 0xAA));
			output.to_vec()
		};
		buffers.into_iter().zip(&starts).map(check).collect()
	}
}

#[test]
fn every_kernel_knows_all_products() {
	let bytes: Vec<u8> = (0..=255).collect();
	let zero = [0; 256];
	for kernel in Kernel::ALL.into_iter().filter(|k| k.is_available()) {
		for group in bytes.chunks(26) {
			for col in [0, 5] {
				let row = |c: &u8| core::array::from_fn(|at| if at == col { *c } else { 0 });
				let matrix: Vec<Row> = group.iter().map(row).collect();
				let map = Map::matrix(&matrix, kernel);
				let mut inputs = [&zero[..]; DATA_SHARDS];
				inputs[col] = &bytes;
				let mut outputs = vec![[0xAA; 256]; group.len()];
				let mut slices: Vec<&mut [u8]> = outputs.iter_mut().map(|o| &mut o[..]).collect();
				map.apply(&inputs, &mut slices, Stores::Auto);
				for (coefficient, output) in group.iter().zip(&outputs) {
					for (byte, product) in bytes.iter().zip(output) {
						assert_eq!(*product, gf::mul(*coefficient, *byte), "{kernel}");
					}
				}
			}
		}
	}
}

/// Random lengths and offsets, all numbers of rows, all ways to store.
#[test]
fn every_kernel_equals_the_portable_one() {
	let mut random = Random(0x9E37_79B9_7F4A_7C15);
	let around = [
		1,
		15,
		16,
		17,
		63,
		64,
		65,
		127,
		128,
		129,
		TILE - 1,
		TILE,
		TILE + 1,
		2 * TILE + 65,
	];
	for round in 0..320 {
		let len = around
			.get(round)
			.copied()
			.unwrap_or_else(|| 1 + random.below(4113));
		let rows = 1 + round % TOTAL_SHARDS;
		let mut cell = || random.next() as u8;
		let matrix: Vec<Row> = (0..rows)
			.map(|_| core::array::from_fn(|_| cell()))
			.collect();
		let buffers = Buffers::random(&mut random, len, round);
		let expected = buffers.apply(&Map::matrix(&matrix, Kernel::Portable), Stores::Auto);
		for kernel in vectors() {
			let map = Map::matrix(&matrix, kernel);
			for stores in STORES {
				let found = buffers.apply(&map, stores);
				assert!(
					found == expected,
					"{kernel}, {rows} rows, length {len}, {stores:?}"
				);
			}
		}
	}
}

#[test]
fn the_transform_equals_the_matrix() {
	let mut random = Random(7);
	let plain = Map::matrix(&PARITY_ROWS, Kernel::Portable);
	for round in 0..400 {
		let len = if round < 200 {
			round
		} else {
			1 + random.below(4113)
		};
		let buffers = Buffers::random(&mut random, len, round);
		let expected = buffers.apply(&plain, Stores::Auto);
		for kernel in vectors() {
			let map = Map::parity(kernel);
			for stores in STORES {
				let found = buffers.apply(&map, stores);
				assert!(found == expected, "{kernel}, length {len}, {stores:?}");
			}
		}
	}
}

/// All cosets, all pairs, slots of the coset missing, random outputs.
#[test]
fn every_route_equals_the_matrix() {
	let mut random = Random(11);
	let mut found = 0;
	for round in 0..12 {
		for coset in 0..3 {
			for pair in (0..30).step_by(2).filter(|pair| pair / 8 != coset) {
				let whole =
					ShardSet::from_slots((8 * coset..8 * coset + 8).chain([pair, pair + 1]));
				let mut present = whole.unwrap();
				for _ in 0..round % 3 {
					let lost = ShardSet::EMPTY.with(8 * coset + random.below(8)).unwrap();
					present = present.without(lost);
				}
				while present.len() < DATA_SHARDS {
					present = present.with(random.below(TOTAL_SHARDS)).unwrap();
				}
				let mut wanted = ShardSet::ALL.without(present);
				for _ in 0..5 * (round / 3) {
					let slot = ShardSet::EMPTY.with(random.below(TOTAL_SHARDS)).unwrap();
					wanted = wanted.without(slot);
				}
				let Some((sources, route)) = Route::find(present, wanted) else {
					continue;
				};
				found += 1;
				let interpolation = Interpolation::new(sources);
				let matrix: Vec<Row> = wanted.iter().map(|slot| interpolation.row(slot)).collect();
				let len = 1 + random.below(700);
				let buffers = Buffers::random(&mut random, len, round);
				let expected = buffers.apply(&Map::matrix(&matrix, Kernel::Portable), Stores::Auto);
				for kernel in vectors() {
					let map = Map::route(route.clone(), kernel).unwrap();
					assert_eq!(map.rows(), wanted.len());
					for stores in STORES {
						let found = buffers.apply(&map, stores);
						assert!(found == expected, "{kernel}, {wanted:?} from {present:?}");
					}
				}
			}
		}
	}
	assert!(found > 300, "{found} routes were tried");
}

/// More than 4 MiB: streamed or fetched ahead without being told.
#[test]
fn large_stripes_equal_the_portable_kernel() {
	let mut random = Random(13);
	for round in 0..3 {
		let buffers = Buffers::random(&mut random, 150_001, round);
		let expected = buffers.apply(&Map::parity(Kernel::Portable), Stores::Auto);
		for kernel in vectors() {
			for map in [Map::parity(kernel), Map::matrix(&PARITY_ROWS, kernel)] {
				for stores in STORES {
					let found = buffers.apply(&map, stores);
					assert!(found == expected, "{kernel}, {stores:?}");
				}
			}
		}
	}
}
