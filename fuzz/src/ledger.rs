//! Peaks, and proofs of batches and stripe entries: one byte says which.

use crate::Input;
use arion_storage_proof::{
	draw::{Draws, Lane},
	mmr::prove_with,
	sample::hash,
	stripes::verify_entry,
	Batch, Blake2, Mmr, Peaks, ShardLen, ShardPath, Sibling, StripeEntry, SumNode, SumTree,
};
use codec::{DecodeAll, Encode};
use hippius_primitives::{tree::stripe_id, ShardId, StripeId};
use std::sync::OnceLock;

struct Ledger {
	mmr: Mmr,
	batches: Vec<Batch>,
	tree: SumTree,
	shards: [ShardId; 30],
}

fn ledger() -> &'static Ledger {
	static LEDGER: OnceLock<Ledger> = OnceLock::new();
	LEDGER.get_or_init(|| {
		let entries = (0..21)
			.map(|i| StripeEntry {
				stripe: StripeId(hash(i)),
				owner: hash(i % 2),
				shard_len: ShardLen::new(64 * (1 + i * i)).unwrap(),
			})
			.collect();
		let mut mmr = Mmr::new();
		let batches: Vec<_> = (0..23)
			.map(|i| Batch {
				root: hash(100 + i),
				bytes: 64 * (1 + i * 5 % 17),
				stripes: i as u32,
			})
			.collect();
		for batch in &batches {
			mmr.append::<Blake2>(batch).unwrap();
		}
		Ledger {
			mmr,
			batches,
			tree: SumTree::build::<Blake2>(entries).unwrap(),
			shards: core::array::from_fn(|slot| ShardId(hash(slot as u64))),
		}
	})
}

/// Verifies, appends, bags.
pub fn run(data: &[u8]) {
	let mut input = Input(data);
	match input.u8() % 4 {
		0 => peaks(input),
		1 => batch(input),
		2 => entry(input),
		_ => slot(input),
	}
}

/// Peaks as a light client may get them.
fn peaks(mut input: Input) {
	let batch = Batch {
		root: input.array(),
		bytes: input.u64(),
		stripes: input.u32(),
	};
	let index = input.u64();
	let Ok(mut peaks) = Peaks::decode_all(&mut input.0) else {
		return;
	};
	let _ = (peaks.total(), peaks.root::<Blake2>(), peaks.depth(index));
	let _ = peaks.verify::<Blake2>(index, &batch.leaf::<Blake2>(), &[]);
	let _ = prove_with(peaks.leaves(), index, |_, _| {
		Some(SumNode {
			hash: [1; 32],
			sum: 64,
		})
	});
	let before = peaks.clone();
	match peaks.append::<Blake2>(&batch) {
		Ok(number) => {
			assert_eq!(number, before.leaves());
			assert_eq!(peaks.check(), Ok(()));
			assert_eq!(
				peaks.total().unwrap(),
				before.total().unwrap() + batch.bytes
			);
		}
		Err(_) => assert_eq!(peaks, before),
	}
}

/// A batch's path: only the honest one leads to a peak.
fn batch(mut input: Input) {
	let ledger = ledger();
	let index = u64::from(input.u8());
	let leaf = SumNode {
		hash: input.array(),
		sum: input.u64(),
	};
	let Ok(path) = Vec::<Sibling>::decode_all(&mut input.0) else {
		return;
	};
	if let Ok(start) = ledger.mmr.peaks().verify::<Blake2>(index, &leaf, &path) {
		assert_eq!(leaf, ledger.batches[index as usize].leaf::<Blake2>());
		assert_eq!(ledger.mmr.prove(index), Ok(path));
		assert_eq!(ledger.mmr.locate(start), Some((index, start)));
	}
}

/// A stripe entry's path.
fn entry(mut input: Input) {
	let ledger = ledger();
	let index = u32::from(input.u8());
	let mut rest = input.0;
	let Ok((entry, path)) = <(StripeEntry, Vec<Sibling>)>::decode_all(&mut rest) else {
		return;
	};
	let batch = ledger.tree.batch();
	if let Ok(start) = verify_entry::<Blake2>(&batch, index, &entry, &path) {
		assert_eq!(entry, ledger.tree.entries()[index as usize]);
		assert_eq!(ledger.tree.prove(index), Ok(path));
		assert_eq!(ledger.tree.locate(start), Some((index, start)));
	}
	// The number of stripes can be a lie too.
	let lie = Batch {
		stripes: index.wrapping_mul(0x0101_0101),
		..batch
	};
	let _ = verify_entry::<Blake2>(&lie, index, &entry, &[]);
}

/// A slot's path, and draws from the same bytes.
fn slot(mut input: Input) {
	let shards = &ledger().shards;
	let slot = input.u8();
	let draws = Draws {
		randomness: input.array(),
		block: input.u32(),
	};
	let total = input.u64();
	if let Some(draw) = draws.byte::<Blake2>(slot.into(), total) {
		assert!(draw.offset < total && draw.slot < 30);
	}
	assert!(total == 0 || draws.below::<Blake2>(Lane::Floor, 0, 0, total) < total);
	let shard = ShardId(input.array());
	let Ok(path) = ShardPath::decode_all(&mut input.0) else {
		return;
	};
	if path.verify(&stripe_id(shards), &shard, slot).is_ok() {
		assert_eq!(shard, shards[usize::from(slot)]);
		assert_eq!(ShardPath::make(shards, slot), Ok(path));
	}
}

/// Honest proofs of each kind.
pub fn seeds() -> Vec<Vec<u8>> {
	let ledger = ledger();
	let peaks = ledger.mmr.peaks();
	let batch = &ledger.batches[5];
	vec![
		(0u8, batch, 3u64, peaks).encode(),
		(0u8, batch, 0u64, Peaks::new()).encode(),
		(
			1u8,
			5u8,
			batch.leaf::<Blake2>(),
			ledger.mmr.prove(5).unwrap(),
		)
			.encode(),
		(
			1u8,
			22u8,
			ledger.batches[22].leaf::<Blake2>(),
			ledger.mmr.prove(22).unwrap(),
		)
			.encode(),
		(
			2u8,
			20u8,
			ledger.tree.entries()[20],
			ledger.tree.prove(20).unwrap(),
		)
			.encode(),
		(
			2u8,
			4u8,
			ledger.tree.entries()[4],
			ledger.tree.prove(4).unwrap(),
		)
			.encode(),
		(
			3u8,
			9u8,
			[7u8; 32],
			77u32,
			1u64 << 40,
			ledger.shards[9],
			ShardPath::make(&ledger.shards, 9).unwrap(),
		)
			.encode(),
	]
}
