//! Parity and recovery against `reed-solomon-erasure` 6.0, byte for byte.
#![allow(clippy::unwrap_used)]

use arion_erasure::{
	shard_len, Codec, Kernel, ShardSet, StripeCodec, DATA_SHARDS, PARITY_SHARDS, TOTAL_SHARDS,
};
use proptest::prelude::*;
use reed_solomon_erasure::galois_8::ReedSolomon;

/// A small deterministic generator, so that failures repeat.
struct Random(u64);

impl Random {
	fn next(&mut self) -> u64 {
		self.0 ^= self.0 << 13;
		self.0 ^= self.0 >> 7;
		self.0 ^= self.0 << 17;
		self.0
	}

	fn bytes(&mut self, len: usize) -> Vec<u8> {
		(0..len).map(|_| (self.next() >> 24) as u8).collect()
	}

	/// `count` distinct slots.
	fn slots(&mut self, count: usize) -> ShardSet {
		let mut slots: Vec<usize> = (0..TOTAL_SHARDS).collect();
		for i in 0..count {
			let j = i + self.next() as usize % (TOTAL_SHARDS - i);
			slots.swap(i, j);
		}
		ShardSet::from_slots(slots.into_iter().take(count)).unwrap()
	}
}

/// All 30 shards of ten data shards, by the codec under test.
fn encode(data: &[Vec<u8>]) -> Vec<Vec<u8>> {
	let inputs: [&[u8]; DATA_SHARDS] = std::array::from_fn(|slot| &data[slot][..]);
	let mut parity: [Vec<u8>; PARITY_SHARDS] = std::array::from_fn(|_| vec![0xEE; inputs[0].len()]);
	Codec::shared()
		.encode(&inputs, &mut parity.each_mut().map(Vec::as_mut_slice))
		.unwrap();
	data.iter().cloned().chain(parity).collect()
}

/// The same by the oracle.
fn oracle_encode(data: &[Vec<u8>]) -> Vec<Vec<u8>> {
	let len = data[0].len();
	let mut shards: Vec<Vec<u8>> = data.to_vec();
	shards.resize(TOTAL_SHARDS, vec![0; len]);
	ReedSolomon::new(DATA_SHARDS, PARITY_SHARDS)
		.unwrap()
		.encode(&mut shards)
		.unwrap();
	shards
}

fn recover(shards: &[Vec<u8>], present: ShardSet, wanted: ShardSet) -> Vec<Vec<u8>> {
	recover_by(Codec::shared(), shards, present, wanted)
}

fn recover_by(
	codec: &Codec,
	shards: &[Vec<u8>],
	present: ShardSet,
	wanted: ShardSet,
) -> Vec<Vec<u8>> {
	let plan = codec.plan(present, wanted).unwrap();
	assert!(plan.sources().iter().all(|slot| present.contains(*slot)));
	assert_eq!(plan.wanted(), wanted);
	let mut outputs = vec![vec![0xEE; shards[0].len()]; wanted.len()];
	let mut slices: Vec<&mut [u8]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
	let sources = plan.sources().map(|slot| &shards[slot][..]);
	codec.recover(&plan, &sources, &mut slices).unwrap();
	outputs
}

#[test]
fn known_parity_of_bytes_0_to_99() {
	let data: Vec<Vec<u8>> = (0..10u8)
		.map(|shard| (0..10).map(|i| shard * 10 + i).collect())
		.collect();
	let shards = encode(&data);
	assert_eq!(hex::encode(&shards[10]), "6a6b03022b2a66677b7a");
	assert_eq!(hex::encode(&shards[29]), "a0a16e6fc6c713129697");
}

#[test]
fn parity_equals_the_oracle_at_every_small_length() {
	let mut random = Random(0x9E37_79B9_7F4A_7C15);
	for len in (1..=300).chain([511, 512, 513, 4095, 4096, 4097, 4113]) {
		let data: Vec<Vec<u8>> = (0..DATA_SHARDS).map(|_| random.bytes(len)).collect();
		assert_eq!(encode(&data), oracle_encode(&data), "length {len}");
	}
}

#[test]
fn parity_equals_the_oracle_across_tiles() {
	let mut random = Random(77);
	for len in [16_383, 16_384, 16_385, 40_000] {
		let data: Vec<Vec<u8>> = (0..DATA_SHARDS).map(|_| random.bytes(len)).collect();
		assert_eq!(encode(&data), oracle_encode(&data), "length {len}");
	}
}

#[test]
fn any_ten_of_many_random_sets_give_everything_back() {
	let mut random = Random(2026);
	let data: Vec<Vec<u8>> = (0..DATA_SHARDS).map(|_| random.bytes(37)).collect();
	let shards = encode(&data);
	for _ in 0..10_000 {
		let present = random.slots(DATA_SHARDS);
		let wanted = ShardSet::ALL.without(present);
		let recovered = recover(&shards, present, wanted);
		for (slot, shard) in wanted.iter().zip(recovered) {
			assert_eq!(shard, shards[slot], "slot {slot} from {present:?}");
		}
	}
}

/// On every kernel, with shards longer than a vector: one lost, two lost, and all data or all but
/// some lost.
#[test]
fn every_loss_of_up_to_two_shards_is_recovered() {
	let mut random = Random(5);
	let data: Vec<Vec<u8>> = (0..DATA_SHARDS).map(|_| random.bytes(150)).collect();
	let shards = encode(&data);
	for kernel in Kernel::ALL.into_iter().filter(|k| k.is_available()) {
		let codec = Codec::with_kernel(kernel);
		let check = |lost: ShardSet| {
			let recovered = recover_by(&codec, &shards, ShardSet::ALL.without(lost), lost);
			let expected: Vec<Vec<u8>> = lost.iter().map(|slot| shards[slot].clone()).collect();
			assert_eq!(recovered, expected, "{kernel}, {lost:?}");
		};
		for a in 0..TOTAL_SHARDS {
			for b in a..TOTAL_SHARDS {
				check(ShardSet::from_slots([a, b]).unwrap());
			}
		}
		for first in 0..10 {
			check(ShardSet::from_slots(first..first + 20).unwrap());
			check(ShardSet::from_slots(first..10).unwrap());
		}
	}
}

#[test]
fn a_slot_that_is_present_can_be_asked_for() {
	let mut random = Random(6);
	let data: Vec<Vec<u8>> = (0..DATA_SHARDS).map(|_| random.bytes(100)).collect();
	let shards = encode(&data);
	assert_eq!(recover(&shards, ShardSet::ALL, ShardSet::ALL), shards);
	assert!(recover(&shards, ShardSet::ALL, ShardSet::EMPTY).is_empty());
}

#[test]
fn a_full_stripe_survives_the_loss_of_twenty() {
	let codec = Codec::shared();
	let mut random = Random(10);
	let data = random.bytes(arion_erasure::STRIPE_LEN);
	let mut shards: Vec<_> = codec
		.encode_stripe(&data)
		.unwrap()
		.into_iter()
		.map(Some)
		.collect();
	shards[..20].fill(None);
	assert!(codec.reconstruct_data(&shards, data.len()).unwrap() == data);
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(64))]

	#[test]
	fn parity_and_recovery_equal_the_oracle(
		len in 1usize..=4113,
		seed in 1u64..,
		survivors in DATA_SHARDS..=TOTAL_SHARDS,
	) {
		let mut random = Random(seed);
		let data: Vec<Vec<u8>> = (0..DATA_SHARDS).map(|_| random.bytes(len)).collect();
		let shards = encode(&data);
		prop_assert_eq!(&shards, &oracle_encode(&data));

		let present = random.slots(survivors);
		let mut theirs: Vec<Option<Vec<u8>>> =
			(0..TOTAL_SHARDS).map(|slot| present.contains(slot).then(|| shards[slot].clone())).collect();
		let ours = theirs.clone();
		ReedSolomon::new(DATA_SHARDS, PARITY_SHARDS).unwrap().reconstruct(&mut theirs).unwrap();
		for slot in ShardSet::ALL.iter() {
			let shard = Codec::shared().reconstruct_shard(slot, &ours).unwrap();
			prop_assert_eq!(&shard, theirs[slot].as_ref().unwrap());
		}
	}

	#[test]
	fn stripes_of_any_length_come_back(
		data in proptest::collection::vec(any::<u8>(), 1..5000),
		seed in 1u64..,
	) {
		let codec = Codec::shared();
		let shards = codec.encode_stripe(&data).unwrap();
		prop_assert_eq!(shards.len(), TOTAL_SHARDS);
		prop_assert!(shards.iter().all(|shard| Some(shard.len()) == shard_len(data.len())));
		let present = Random(seed).slots(DATA_SHARDS);
		let shards: Vec<Option<&[u8]>> =
			(0..TOTAL_SHARDS).map(|slot| present.contains(slot).then(|| &shards[slot][..])).collect();
		prop_assert_eq!(codec.reconstruct_data(&shards, data.len()).unwrap(), data);
	}
}
