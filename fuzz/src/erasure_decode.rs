//! Decoding with lying lengths: a bitmap of the shards present, the length said, the lengths they
//! have, then bytes.

use crate::Input;
use arion_erasure::{Codec, ShardSet, StripeCodec};

/// Decodes with any number of shards of any length; with honest shards the data comes back.
pub fn run(data: &[u8]) {
	let mut input = Input(data);
	let (present, said) = (input.u32(), input.u32() as usize);
	let (slot, flags) = (usize::from(input.u8()), input.u8());
	let codec = Codec::shared();
	if flags & 1 == 0 {
		honest(codec, present, slot, input);
		return;
	}
	// Lies: each shard has its own length, and there may be more or fewer than 30.
	let count = usize::from(input.u8()) % 34;
	let mut shards: Vec<Option<&[u8]>> = Vec::new();
	for slot in 0..count {
		let len = usize::from(if flags & 2 == 0 {
			u16::from(flags)
		} else {
			input.u16() % 200
		});
		let here = present >> (slot % 32) & 1 == 1;
		shards.push(here.then(|| input.take(len)));
	}
	for len in [said, said % 5000] {
		if len > 10 << 20 {
			continue;
		}
		if let Ok(data) = codec.reconstruct_data(&shards, len) {
			assert_eq!(data.len(), len);
		}
	}
	let _ = codec.reconstruct_data(&shards, usize::MAX);
	let _ = codec.reconstruct_shard(slot, &shards);
	columns(codec, present, said, slot, &shards);
}

/// A plan with buffers of other lengths than it is told.
fn columns(codec: &Codec, present: u32, said: usize, slot: usize, shards: &[Option<&[u8]>]) {
	let slots = (0..40).filter(|slot| present >> (slot % 32) & 1 == 1);
	let (Ok(set), Ok(wanted)) = (ShardSet::from_slots(slots), ShardSet::from_slots([slot])) else {
		return;
	};
	let Ok(plan) = codec.plan(set, wanted) else {
		return;
	};
	let sources = plan
		.sources()
		.map(|slot| shards.get(slot).copied().flatten().unwrap_or_default());
	let mut output = vec![0u8; said % 300];
	let _ = codec.recover(&plan, &sources, &mut [&mut output]);
	let range = said % 97..said % 301;
	let _ = codec.recover_columns(&plan, said % 600, range, &sources, &mut [&mut output]);
	let _ = codec.recover(&plan, &sources, &mut []);
}

fn honest(codec: &Codec, present: u32, slot: usize, input: Input) {
	let data = input.0;
	let Ok(shards) = codec.encode_stripe(data) else {
		assert!(data.is_empty());
		return;
	};
	let kept: Vec<Option<&[u8]>> = shards
		.iter()
		.enumerate()
		.map(|(slot, shard)| (present >> slot & 1 == 1).then_some(&shard[..]))
		.collect();
	let enough = kept.iter().flatten().count() >= 10;
	let decoded = codec.reconstruct_data(&kept, data.len());
	assert_eq!(decoded.is_ok(), enough);
	if let Ok(decoded) = decoded {
		assert_eq!(decoded, data);
	}
	if let Ok(shard) = codec.reconstruct_shard(slot, &kept) {
		assert_eq!(shard, shards[slot]);
	}
}

/// Honest and lying starts.
pub fn seeds() -> Vec<Vec<u8>> {
	let seed = |present: u32, said: u32, rest: &[u8]| {
		let mut seed = Vec::new();
		seed.extend_from_slice(&present.to_le_bytes());
		seed.extend_from_slice(&said.to_le_bytes());
		seed.extend_from_slice(rest);
		seed
	};
	let bytes: Vec<u8> = (0..2000u32).map(|i| (i * 7) as u8).collect();
	let with = |head: &[u8]| [head, &bytes].concat();
	vec![
		seed(0x3fff_ffff, 0, &with(&[3, 0])),
		seed(0x3ff0_0000, 0, &with(&[25, 0])),
		seed(0x2aaa_aaaa, 600, &with(&[4, 65, 30])),
		seed(0x3fff_ffff, 600, &with(&[11, 3, 30])),
		seed(0x0000_01ff, 600, &with(&[11, 3, 31])),
	]
}
