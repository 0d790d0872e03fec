//! What a shard store reads from its disk: record frames and the first bytes of volumes.

use crate::{
	store_format::{
		read_super, read_volume_preamble, super_block, volume_preamble, Draft, Frame, Kind, Place,
		Preamble, Side, StoreKey, FRAME, PREAMBLE,
	},
	Input,
};
use hippius_primitives::{ShardId, ShardMeta};

const KEY: StoreKey = StoreKey([7; 32]);

/// Decodes as a scan does. One byte says what, and whether the check is made right.
pub fn run(data: &[u8]) {
	let mut input = Input(data);
	let kind = input.u8();
	let place = Place {
		volume: input.u32(),
		block: input.u32(),
	};
	match kind % 4 {
		0 => {
			if let Some(frame) = Frame::decode_header(input.0, &KEY, place) {
				assert_eq!(frame.encode(&KEY, place, Side::Header), input.0);
			}
		}
		1 => {
			if let Some((frame, start)) =
				Frame::decode_footer(input.0, &KEY, place.volume, place.block)
			{
				assert!(start.block < place.block);
				assert_eq!(frame.encode(&KEY, start, Side::Footer), input.0);
			}
		}
		2 => {
			for part in [input.0, &input.0[..input.0.len().min(PREAMBLE)]] {
				if let Preamble::Good((key, number)) = read_volume_preamble(part) {
					assert_eq!(volume_preamble(&key, number, 0)[..8], part[..8]);
				}
				let _ = read_super(part);
			}
		}
		_ => forged(input, place),
	}
}

/// A frame with any numbers and the right check, as a broken program may have left it.
fn forged(mut input: Input, place: Place) {
	let kind = [Kind::Shard, Kind::Void, Kind::Drop, Kind::End][usize::from(input.u8() % 4)];
	let mut frame = Frame::plain(kind, input.u32());
	frame.slot = input.u8();
	frame.meta_len = input.u32();
	frame.data_len = input.u32();
	frame.durable = input.u32();
	frame.created = input.u64();
	frame.id = ShardId(input.array());
	let header: [u8; FRAME] = frame.encode(&KEY, place, Side::Header);
	let footer: [u8; FRAME] = frame.encode(&KEY, place, Side::Footer);
	if let Some(read) = Frame::decode_header(&header, &KEY, place) {
		assert_eq!(read, frame);
		if let Some(end) = place.block.checked_add(frame.blocks) {
			assert_eq!(
				Frame::decode_footer(&footer, &KEY, place.volume, end),
				Some((frame, place))
			);
		}
	}
}

/// An honest record and preambles.
pub fn seeds() -> Vec<Vec<u8>> {
	let place = Place {
		volume: 1,
		block: 1,
	};
	let seed = |kind: u8, block: u32, bytes: &[u8]| {
		let mut seed = vec![kind];
		seed.extend_from_slice(&1u32.to_le_bytes());
		seed.extend_from_slice(&block.to_le_bytes());
		seed.extend_from_slice(bytes);
		seed
	};
	let shards = core::array::from_fn(|i| ShardId([i as u8; 32]));
	let meta = ShardMeta::new(shards, 3).unwrap();
	let mut draft = Draft::shard(&meta, shards[3], &[9; 640], 77);
	let record = draft.place(&KEY, place, 1).to_vec();
	let blocks = (record.len() / 4096) as u32;
	assert!(Frame::decode_header(&record[..FRAME], &KEY, place).is_some());
	vec![
		seed(0, 1, &record[..FRAME]),
		seed(1, 1 + blocks, &record[record.len() - FRAME..]),
		seed(2, 0, &volume_preamble(&KEY, 4, 262_144)),
		seed(2, 0, &super_block(&KEY)),
		seed(3, 1, &[0; 60]),
	]
}
