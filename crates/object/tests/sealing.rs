//! Sealed bytes that were altered in any way are refused.
#![allow(clippy::unwrap_used)]

mod common;

use arion_object::*;
use common::bytes;
use hippius_primitives::coding::STRIPE_LEN;

const SUITES: [Suite; 2] = [Suite::Aes256Gcm, Suite::XChaCha20Poly1305];

struct Stream {
	key: ObjectKey,
	suite: Suite,
	salt: Salt,
	layout: Layout,
	stripes: Vec<Vec<u8>>,
}

/// Seals a source of this length.
fn seal(len: usize, suite: Suite) -> Stream {
	let key = ObjectKey::from_bytes([0x42; 32]);
	let mut sealer = StripeSealer::new(suite, &key).unwrap();
	let source = bytes(len, 11);
	let mut pieces: Vec<&[u8]> = source.chunks(STRIPE_PLAIN).collect();
	if pieces.is_empty() {
		pieces.push(&[]);
	}
	let count = pieces.len();
	let mut stripes = Vec::new();
	for (index, piece) in pieces.into_iter().enumerate() {
		let sealed = sealer.seal_next(piece, index + 1 == count).unwrap();
		assert_eq!(sealed.index as usize, index);
		stripes.push(sealed.bytes);
	}
	assert_eq!(
		(sealer.size(), sealer.stripes() as usize),
		(len as u64, count)
	);
	Stream {
		key,
		suite,
		salt: sealer.salt(),
		layout: Layout::new(len as u64).unwrap(),
		stripes,
	}
}

impl Stream {
	fn opener(&self, kind: StreamKind, layout: Layout) -> StripeOpener {
		StripeOpener::new(self.suite, &self.key, kind, &self.salt, layout).unwrap()
	}

	fn open(&self, stripe: u32, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
		self.opener(StreamKind::Data, self.layout)
			.open_stripe(stripe, sealed)
	}
}

#[test]
fn any_flipped_bit_is_caught() {
	for suite in SUITES {
		for len in [0, 1, 40] {
			let stream = seal(len, suite);
			let sealed = &stream.stripes[0];
			assert_eq!(sealed.len(), len + TAG_LEN);
			for bit in 0..sealed.len() * 8 {
				let mut altered = sealed.clone();
				altered[bit / 8] ^= 1 << (bit % 8);
				let expected = OpenError::NotAuthentic {
					stripe: 0,
					chunk: 0,
				};
				assert_eq!(stream.open(0, &altered), Err(expected));
			}
		}
	}
}

#[test]
fn a_flipped_bit_in_any_chunk_names_the_chunk() {
	for suite in SUITES {
		let stream = seal(3 * CHUNK_PLAIN + 5, suite);
		for chunk in 0..4 {
			let mut altered = stream.stripes[0].clone();
			altered[chunk * CHUNK_LEN + 9] ^= 4;
			assert_eq!(
				stream.open(0, &altered),
				Err(OpenError::NotAuthentic { stripe: 0, chunk })
			);
		}
	}
}

#[test]
fn chunks_cannot_change_places() {
	for suite in SUITES {
		let stream = seal(3 * CHUNK_PLAIN, suite);
		let mut altered = stream.stripes[0].clone();
		let (a, b) = altered.split_at_mut(CHUNK_LEN);
		a.swap_with_slice(&mut b[..CHUNK_LEN]);
		let expected = OpenError::NotAuthentic {
			stripe: 0,
			chunk: 0,
		};
		assert_eq!(stream.open(0, &altered), Err(expected));
	}
}

#[test]
fn stripes_cannot_change_places_nor_streams() {
	let stream = seal(2 * STRIPE_PLAIN, Suite::Aes256Gcm);
	assert_eq!(stream.stripes[0].len(), STRIPE_LEN);
	assert!(stream.open(0, &stream.stripes[0]).is_ok());
	let expected = |stripe| OpenError::NotAuthentic { stripe, chunk: 0 };
	assert_eq!(stream.open(1, &stream.stripes[0]), Err(expected(1)));
	assert_eq!(stream.open(0, &stream.stripes[1]), Err(expected(0)));
	let other = seal(2 * STRIPE_PLAIN, Suite::Aes256Gcm);
	assert_eq!(stream.open(0, &other.stripes[0]), Err(expected(0)));
	for kind in [
		StreamKind::Index(1),
		StreamKind::Index(2),
		StreamKind::Manifest,
	] {
		let opened = stream
			.opener(kind, stream.layout)
			.open_stripe(0, &stream.stripes[0]);
		assert_eq!(opened, Err(expected(0)));
	}
}

#[test]
fn streams_cannot_be_cut_or_extended() {
	for suite in SUITES {
		let stream = seal(3 * CHUNK_PLAIN, suite);
		let sealed = &stream.stripes[0];
		// The length is known from the manifest.
		for len in [0, 1, CHUNK_LEN, sealed.len() - 1] {
			let expected = sealed.len();
			let expected = OpenError::WrongLength {
				stripe: 0,
				len,
				expected,
			};
			assert_eq!(stream.open(0, &sealed[..len]), Err(expected));
		}
		let longer = [&sealed[..], &[0; 32]].concat();
		assert!(matches!(
			stream.open(0, &longer),
			Err(OpenError::WrongLength { .. })
		));
		// Even a lie about the size is caught, by the flag of the last chunk.
		let cut = Layout::new(2 * CHUNK_PLAIN as u64).unwrap();
		let opened = stream
			.opener(StreamKind::Data, cut)
			.open_stripe(0, &sealed[..2 * CHUNK_LEN]);
		assert_eq!(
			opened,
			Err(OpenError::NotAuthentic {
				stripe: 0,
				chunk: 1
			})
		);
		let extended = Layout::new(3 * CHUNK_PLAIN as u64 + 16).unwrap();
		let opened = stream
			.opener(StreamKind::Data, extended)
			.open_stripe(0, &longer);
		assert_eq!(
			opened,
			Err(OpenError::NotAuthentic {
				stripe: 0,
				chunk: 2
			})
		);
	}
}

#[test]
fn the_last_stripe_cannot_be_dropped() {
	let stream = seal(STRIPE_PLAIN + 1, Suite::Aes256Gcm);
	let layout = Layout::new(STRIPE_PLAIN as u64).unwrap();
	let opened = stream
		.opener(StreamKind::Data, layout)
		.open_stripe(0, &stream.stripes[0]);
	assert_eq!(
		opened,
		Err(OpenError::NotAuthentic {
			stripe: 0,
			chunk: STRIPE_CHUNKS - 1
		})
	);
}

#[test]
fn a_range_opens_only_its_chunks() {
	for suite in SUITES {
		let len = 4 * CHUNK_PLAIN + 10;
		let stream = seal(len, suite);
		let source = bytes(len, 11);
		let opener = stream.opener(StreamKind::Data, stream.layout);
		// Other chunks are damaged and it does not matter.
		let mut sealed = stream.stripes[0].clone();
		sealed[0] ^= 1;
		sealed[3 * CHUNK_LEN] ^= 1;
		let range = CHUNK_PLAIN + 7..3 * CHUNK_PLAIN;
		assert_eq!(
			opener.open_range(0, &sealed, range.clone()).unwrap(),
			source[range.clone()]
		);
		let plan = opener.plan_range(0, range.clone()).unwrap();
		assert_eq!(plan.sealed, CHUNK_LEN..3 * CHUNK_LEN);
		assert_eq!(
			opener
				.open_part(&plan, &sealed[plan.sealed.clone()])
				.unwrap(),
			source[range]
		);
		let tail = len - 3..len;
		assert_eq!(
			opener.open_range(0, &sealed, tail.clone()).unwrap(),
			source[tail]
		);
		assert!(opener.open_range(0, &sealed, 0..1).is_err());
		assert_eq!(opener.open_range(0, &sealed, 9..9).unwrap(), []);
	}
}

#[test]
fn sealed_bytes_may_come_in_pieces_cut_anywhere() {
	for suite in SUITES {
		let len = 3 * CHUNK_PLAIN + 10;
		let stream = seal(len, suite);
		let opener = stream.opener(StreamKind::Data, stream.layout);
		let sealed = &stream.stripes[0];
		let plan = opener.plan_range(0, 0..len).unwrap();
		let ends = [0, 1, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1, 3 * CHUNK_LEN];
		for (at, a) in ends.iter().enumerate() {
			for b in &ends[at..] {
				let pieces = [&sealed[..*a], &sealed[*a..*b], &sealed[*b..]];
				assert_eq!(opener.open_pieces(&plan, &pieces).unwrap(), bytes(len, 11));
			}
		}
		let short = opener.open_pieces(&plan, &[&sealed[..CHUNK_LEN]]);
		assert!(matches!(short, Err(OpenError::WrongLength { .. })));
		let none: [&[u8]; 0] = [];
		assert!(opener.open_pieces(&plan, &none).is_err());
		let mut wrong = sealed.clone();
		wrong[CHUNK_LEN] ^= 1;
		let wrong = opener.open_pieces(&plan, &[&wrong[..9], &wrong[9..]]);
		assert!(matches!(
			wrong,
			Err(OpenError::NotAuthentic { chunk: 1, .. })
		));
	}
}

#[test]
fn the_shard_parts_of_a_plan_are_its_sealed_bytes() {
	let len = 5 * CHUNK_PLAIN + 10;
	let stream = seal(len, Suite::Aes256Gcm);
	let opener = stream.opener(StreamKind::Data, stream.layout);
	let shards = encode_stripe(&stream.stripes[0]).unwrap().shards;
	for range in [
		0..0,
		0..1,
		0..len,
		70_000..140_000,
		len - 1..len,
		CHUNK_PLAIN..CHUNK_PLAIN + 1,
	] {
		let plan = opener.plan_range(0, range.clone()).unwrap();
		let parts = plan.shard_parts().into_iter();
		let sealed: Vec<u8> = parts
			.flat_map(|part| shards[usize::from(part.slot)][part.range].to_vec())
			.collect();
		assert_eq!(
			opener.open_part(&plan, &sealed).unwrap(),
			bytes(len, 11)[range]
		);
	}
}

#[test]
fn wrong_calls_get_typed_errors() {
	let stream = seal(100, Suite::Aes256Gcm);
	let opener = stream.opener(StreamKind::Data, stream.layout);
	let sealed = &stream.stripes[0];
	for stripe in [1, u32::MAX] {
		let expected = OpenError::NoSuchStripe { stripe, stripes: 1 };
		assert_eq!(opener.open_stripe(stripe, sealed), Err(expected));
		assert_eq!(opener.open_range(stripe, sealed, 0..1), Err(expected));
		assert_eq!(opener.plan_range(stripe, 0..1), Err(expected));
	}
	for (start, end) in [(0, 101), (5, 4), (usize::MAX, usize::MAX), (0, usize::MAX)] {
		let expected = OpenError::BadRange {
			stripe: 0,
			start,
			end,
			len: 100,
		};
		assert_eq!(opener.plan_range(0, start..end), Err(expected));
		assert_eq!(opener.open_range(0, sealed, start..end), Err(expected));
	}
	let plan = opener.plan_range(0, 0..100).unwrap();
	assert!(matches!(
		opener.open_part(&plan, &[]),
		Err(OpenError::WrongLength { .. })
	));
	// A plan of a longer stream.
	let long = Layout::new(1_000_000).unwrap();
	let plan = stream
		.opener(StreamKind::Data, long)
		.plan_range(0, 900_000..900_001)
		.unwrap();
	let sealed = vec![0; plan.sealed.len()];
	assert!(matches!(
		opener.open_part(&plan, &sealed),
		Err(OpenError::NotAuthentic { .. })
	));
}

#[test]
fn the_sealer_refuses_stripes_of_wrong_length() {
	let key = ObjectKey::generate().unwrap();
	let mut sealer = StripeSealer::new(Suite::Aes256Gcm, &key).unwrap();
	let full = vec![0; STRIPE_PLAIN];
	let long = vec![0; STRIPE_PLAIN + 1];
	for last in [false, true] {
		let expected = SealError::TooLong {
			stripe: 0,
			len: STRIPE_PLAIN + 1,
		};
		assert_eq!(sealer.seal_next(&long, last), Err(expected));
	}
	for len in [0, 1, STRIPE_PLAIN - 1] {
		let expected = SealError::NotFull { stripe: 0, len };
		assert_eq!(sealer.seal_next(&full[..len], false), Err(expected));
	}
	assert_eq!(
		(sealer.stripes(), sealer.size(), sealer.is_ended()),
		(0, 0, false)
	);
	sealer.seal_next(&full, false).unwrap();
	assert_eq!(
		sealer.seal_next(&[], true),
		Err(SealError::Empty { stripe: 1 })
	);
	sealer.seal_next(&[1], true).unwrap();
	assert!(sealer.is_ended());
	assert_eq!(
		sealer.seal_next(&[1], true),
		Err(SealError::Ended { stripe: 1 })
	);
}
