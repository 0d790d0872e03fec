use arion_storage_proof::{
	draw::{locate, Draws, Lane, Rates},
	sample::hash,
	Blake2,
};
use proptest::prelude::*;

fn draws(block: u32) -> Draws {
	Draws {
		randomness: core::array::from_fn(|i| i as u8),
		block,
	}
}

const VECTOR_0: u128 = 0x92c5cdfb0e64577b25559266f297e06;
const VECTOR_1: u128 = 0xa2aee9a1c54b594b21d6b62a3846274d;
const VECTOR_2: u128 = 0xa6e2d5a1ba13e9ff5c13a778f8063ccf;
const VECTOR_BYTE: (u64, u8) = (4423848408110, 20);
const VECTOR_MOST: u64 = 6733518688292034922;
const VECTOR_NODE: u32 = 292;
const VECTOR_FLOOR: u64 = 188141722339;

/// Computed with another implementation of BLAKE2b and integers without bounds.
#[test]
fn numbers_are_as_published() {
	let draws = draws(0x0102_0304);
	let number = |lane, draw, item| draws.number::<Blake2>(lane, draw, item);
	assert_eq!(number(Lane::Bytes, 0, 0), VECTOR_0);
	assert_eq!(number(Lane::Bytes, 7, 1), VECTOR_1);
	assert_eq!(number(Lane::Floor, 7, u32::MAX), VECTOR_2);
	let byte = draws.byte::<Blake2>(0, 123_456_789_012_345).unwrap();
	assert_eq!((byte.offset, byte.slot), VECTOR_BYTE);
	assert_eq!(
		draws.byte::<Blake2>(3, u64::MAX).unwrap().offset,
		VECTOR_MOST
	);
	assert_eq!(draws.floor_node::<Blake2>(2, 1000), Some(VECTOR_NODE));
	assert_eq!(
		draws.floor_byte::<Blake2>(2, 3, 1 << 40),
		Some(VECTOR_FLOOR)
	);
}

#[test]
fn every_input_counts() {
	let base = draws(5);
	let first = base.number::<Blake2>(Lane::Bytes, 1, 2);
	let mut other = base;
	other.randomness[31] ^= 1;
	let others = [
		other.number::<Blake2>(Lane::Bytes, 1, 2),
		draws(6).number::<Blake2>(Lane::Bytes, 1, 2),
		base.number::<Blake2>(Lane::Floor, 1, 2),
		base.number::<Blake2>(Lane::Bytes, 2, 2),
		base.number::<Blake2>(Lane::Bytes, 1, 3),
		base.number::<Blake2>(Lane::Bytes, 2, 1),
	];
	assert!(others.iter().all(|number| *number != first));
}

/// Pearson's statistic of `counts` against equal shares.
fn chi_square(counts: &[u64]) -> f64 {
	let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
	counts
		.iter()
		.map(|count| (*count as f64 - expected).powi(2) / expected)
		.sum()
}

#[test]
fn draws_are_uniform() {
	// Totals that are no power of two, and one for which a remainder would be far off: three
	// quarters of 2^64, where `x mod n` of 64 bits hits the first third twice as often.
	for (seed, total) in [(1u64, 1000u64), (2, 3 << 62), (3, (1 << 40) + 12_345)] {
		let mut bins = vec![0u64; 100];
		let mut slots = vec![0u64; 30];
		for block in 0..30_000u32 {
			let draws = Draws {
				randomness: hash(seed),
				block,
			};
			let draw = draws.byte::<Blake2>(block % 24, total).unwrap();
			assert!(draw.offset < total);
			bins[(u128::from(draw.offset) * 100 / u128::from(total)) as usize] += 1;
			slots[usize::from(draw.slot)] += 1;
		}
		// 99 and 29 degrees of freedom: 0.999 quantiles.
		assert!(chi_square(&bins) < 148.3, "{}", chi_square(&bins));
		assert!(chi_square(&slots) < 58.4, "{}", chi_square(&slots));
	}
}

#[test]
fn small_ranges_are_hit_whole() {
	let mut seen = [0u64; 3];
	for draw in 0..3000 {
		seen[draws(1).below::<Blake2>(Lane::Bytes, draw, 0, 3) as usize] += 1;
	}
	assert!(chi_square(&seen) < 13.9, "{seen:?}");
	assert_eq!(draws(1).below::<Blake2>(Lane::Bytes, 0, 0, 0), 0);
	assert_eq!(draws(1).below::<Blake2>(Lane::Bytes, 0, 0, 1), 0);
	assert_eq!(draws(1).byte::<Blake2>(0, 0), None);
	assert_eq!(draws(1).floor_node::<Blake2>(0, 0), None);
	assert_eq!(draws(1).floor_byte::<Blake2>(0, 0, 0), None);
	assert_eq!(draws(1).byte::<Blake2>(0, 1).unwrap().offset, 0);
}

#[test]
fn rates_follow_the_number_of_nodes() {
	let rates = Rates::default();
	for (nodes, count) in [
		(0, 0),
		(1, 1),
		(411, 1),
		(412, 2),
		(1000, 3),
		(9874, 24),
		(10_000, 24),
		(u32::MAX, 24),
	] {
		assert_eq!(rates.byte_draws(nodes), count, "{nodes} nodes");
	}
	let never = Rates {
		blocks_per_day: 0,
		..rates
	};
	assert_eq!(never.byte_draws(1000), 0);
	assert_eq!(draws(0).floor_draws::<Blake2>(1000, &never), 0);
	for nodes in [0u32, 1000, 14_400, 100_000] {
		let blocks = 20_000u32;
		let drawn: u64 = (0..blocks)
			.map(|block| u64::from(draws(block).floor_draws::<Blake2>(nodes, &rates)))
			.sum();
		let expected = f64::from(blocks) * f64::from(nodes) / 14_400.0;
		let rest = f64::from(nodes % 14_400) / 14_400.0;
		let deviation = (f64::from(blocks) * rest * (1.0 - rest)).sqrt();
		assert!(
			(drawn as f64 - expected).abs() <= 4.0 * deviation,
			"{nodes}: {drawn}"
		);
	}
}

#[test]
fn nodes_are_drawn_evenly() {
	let mut counts = vec![0u64; 50];
	for block in 0..10_000 {
		counts[draws(block).floor_node::<Blake2>(0, 50).unwrap() as usize] += 1;
	}
	// 49 degrees of freedom: 0.999 quantile.
	assert!(chi_square(&counts) < 85.4);
}

proptest! {
	#[test]
	fn locating_is_scanning(parts in prop::collection::vec(0u64..50, 0..20), offset in 0u64..600) {
		let bytes: Vec<usize> = parts
			.iter()
			.enumerate()
			.flat_map(|(index, part)| (0..*part).map(move |_| index))
			.collect();
		let found = locate(parts.iter().copied(), offset);
		prop_assert_eq!(found.map(|(index, _)| index), bytes.get(offset as usize).copied());
		if let Some((index, inside)) = found {
			prop_assert_eq!(parts[..index].iter().sum::<u64>() + inside, offset);
		}
	}

	#[test]
	fn drawn_numbers_stay_below(n in 1u64.., randomness in any::<[u8; 32]>(), draw in any::<u32>(), item in any::<u32>()) {
		let draws = Draws { randomness, block: 1 };
		prop_assert!(draws.below::<Blake2>(Lane::Floor, draw, item, n) < n);
	}
}
