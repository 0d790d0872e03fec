use arion_storage_proof::{
	sample::hash,
	stripes::{verify_entry, MAX_BATCH_STRIPES},
	Blake2, ProofError, ShardLen, ShardPath, StripeEntry, SumTree,
};
use hippius_primitives::{tree::stripe_id, ShardId, StripeId, TOTAL_SHARDS};
use proptest::prelude::*;

fn shards(seed: u64) -> [ShardId; TOTAL_SHARDS] {
	core::array::from_fn(|slot| ShardId(hash(seed + slot as u64)))
}

#[test]
fn every_slot_is_proved_and_no_other() {
	let shards = shards(5);
	let stripe = stripe_id(&shards);
	for slot in 0..TOTAL_SHARDS as u8 {
		let path = ShardPath::make(&shards, slot).unwrap();
		let shard = &shards[usize::from(slot)];
		assert_eq!(path.verify(&stripe, shard, slot), Ok(()));
		for other in 0..TOTAL_SHARDS as u8 {
			if other != slot {
				let refused = Err(ProofError::RootMismatch);
				assert_eq!(path.verify(&stripe, shard, other), refused);
				assert_eq!(
					path.verify(&stripe, &shards[usize::from(other)], slot),
					refused
				);
			}
		}
		for byte in 0..160 {
			let mut bad = path;
			bad.0[byte / 32][byte % 32] ^= 1;
			assert!(bad.verify(&stripe, shard, slot).is_err());
		}
	}
}

#[test]
fn slots_behind_the_last_do_not_exist() {
	let shards = shards(5);
	let path = ShardPath::make(&shards, 29).unwrap();
	for slot in 30..=255u8 {
		assert_eq!(ShardPath::make(&shards, slot), Err(ProofError::Slot(slot)));
		assert_eq!(path.root(&shards[0], slot), Err(ProofError::Slot(slot)));
	}
}

fn entries(lens: &[u64]) -> Vec<StripeEntry> {
	lens.iter()
		.enumerate()
		.map(|(i, len)| StripeEntry {
			stripe: StripeId(hash(i as u64)),
			owner: hash(1000 + i as u64 % 3),
			shard_len: ShardLen::new(*len).unwrap(),
		})
		.collect()
}

#[test]
fn lengths_of_shards_are_checked() {
	for bad in [0, 1, 63, 65, (1 << 20) + 64, u64::MAX, u64::MAX - 63] {
		assert_eq!(ShardLen::new(bad), Err(ProofError::ShardLength(bad)));
	}
	for good in [64, 128, 1 << 20] {
		assert_eq!(ShardLen::new(good).unwrap().bytes(), Ok(good));
	}
	// What a stranger encodes can be longer.
	let lie: ShardLen =
		codec::Decode::decode(&mut &codec::Encode::encode(&codec::Compact(16_384u16))[..]).unwrap();
	assert!(matches!(lie.bytes(), Err(ProofError::ShardLength(_))));
}

#[test]
fn trees_are_bounded() {
	assert_eq!(
		SumTree::build::<Blake2>(Vec::new()).unwrap_err(),
		ProofError::LeafCount(0)
	);
	let one = entries(&[64])[0];
	let many = vec![one; MAX_BATCH_STRIPES as usize + 1];
	assert_eq!(
		SumTree::build::<Blake2>(many).unwrap_err(),
		ProofError::LeafCount(u64::from(MAX_BATCH_STRIPES) + 1)
	);
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(48))]

	#[test]
	fn entries_are_located_and_proved(units in prop::collection::vec(1u64..=16_384, 1..70)) {
		let lens: Vec<u64> = units.iter().map(|unit| unit * 64).collect();
		let tree = SumTree::build::<Blake2>(entries(&lens)).unwrap();
		let batch = tree.batch();
		prop_assert_eq!(batch.bytes, lens.iter().sum::<u64>());
		let mut start = 0;
		for (index, len) in lens.iter().enumerate() {
			let index = index as u32;
			for offset in [start, start + len / 2, start + len - 1] {
				prop_assert_eq!(tree.locate(offset), Some((index, start)));
			}
			let path = tree.prove(index).unwrap();
			let entry = &tree.entries()[index as usize];
			prop_assert_eq!(verify_entry::<Blake2>(&batch, index, entry, &path), Ok(start));
			for other in 0..lens.len() as u32 + 2 {
				if other != index {
					prop_assert!(verify_entry::<Blake2>(&batch, other, entry, &path).is_err());
				}
			}
			let mut richer = *entry;
			richer.owner[3] ^= 1;
			prop_assert!(verify_entry::<Blake2>(&batch, index, &richer, &path).is_err());
			let mut longer = *entry;
			longer.shard_len = ShardLen::new(if *len == 64 { 128 } else { len - 64 }).unwrap();
			prop_assert!(verify_entry::<Blake2>(&batch, index, &longer, &path).is_err());
			for change in [-1i64, 1] {
				let mut other = batch;
				other.stripes = (i64::from(other.stripes) + change) as u32;
				// The number of stripes is bound by the batch's leaf; the path alone often fits both.
				prop_assert_ne!(other.leaf::<Blake2>(), batch.leaf::<Blake2>());
			}
			start += len;
		}
		prop_assert_eq!(tree.locate(start), None);
		prop_assert!(tree.prove(lens.len() as u32).is_err());
	}
}
