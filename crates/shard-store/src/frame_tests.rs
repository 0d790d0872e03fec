#![allow(clippy::unwrap_used)]

use super::*;
use hippius_primitives::id::shard_id;

const KEY: StoreKey = StoreKey([7; 32]);
const PLACE: Place = Place {
	volume: 2,
	block: 9,
};

fn draft(len: usize) -> (Draft, Vec<u8>) {
	let data = vec![5u8; len];
	let tree = Outboard::build(&data);
	let record = RecordKey {
		key: shard_id(&data).into(),
		stripe: StripeId([3; 32]),
		slot: 3,
	};
	let draft = Draft::data(&Arc::default(), record, &[8; 993], &data, &tree, 99);
	(draft, data)
}

#[test]
fn a_record_is_whole_blocks_and_reads_back_from_both_ends() {
	for len in [1, 10_000, 16_384, 16_385, 100_000] {
		let (mut draft, data) = draft(len);
		draft.place(&KEY, PLACE, 8);
		let bytes = draft.bytes().to_vec();
		assert_eq!(bytes.len() % BLOCK, 0);
		let header = Frame::decode_header(&bytes[..FRAME], &KEY, PLACE).unwrap();
		let end = PLACE.block + header.blocks;
		let footer = Frame::decode_footer(&bytes[bytes.len() - FRAME..], &KEY, 2, end).unwrap();
		assert_eq!((header.clone(), PLACE), footer);
		let start = header.data_start();
		assert_eq!(bytes[start..start + data.len()], data);
		let tree_end = bytes.len() - FRAME;
		let tree = &bytes[tree_end - header.tree_len as usize..tree_end];
		assert_eq!(tree, Outboard::build(&data).as_bytes());
	}
}

#[test]
fn frames_count_only_at_their_own_place_and_in_their_own_store() {
	let (mut draft, _) = draft(10_000);
	draft.place(&KEY, PLACE, 0);
	let bytes = draft.bytes();
	let header = &bytes[..FRAME];
	for (volume, block) in [(3, 9), (2, 10)] {
		let other = Place { volume, block };
		assert_eq!(Frame::decode_header(header, &KEY, other), None);
	}
	assert_eq!(
		Frame::decode_header(header, &StoreKey([8; 32]), PLACE),
		None
	);
	// A footer is no header, though the fields agree.
	let footer = &bytes[bytes.len() - FRAME..];
	assert_eq!(Frame::decode_header(footer, &KEY, PLACE), None);
}

#[test]
fn every_bit_of_a_frame_matters() {
	let (mut draft, _) = draft(10_000);
	draft.place(&KEY, PLACE, 0);
	for bit in 0..FRAME * 8 {
		let mut frame = draft.bytes()[..FRAME].to_vec();
		frame[bit / 8] ^= 1 << (bit % 8);
		assert_eq!(Frame::decode_header(&frame, &KEY, PLACE), None, "bit {bit}");
	}
}

#[test]
fn a_full_list_takes_one_block() {
	let entry = Entry::new(1, PLACE, 3, Namespace::Shard);
	let draft = Draft::list(Kind::Drop, &vec![entry; LIST], 5);
	assert_eq!(draft.len(), BLOCK as u64);
	assert!(draft.frame.is_sound());
}
