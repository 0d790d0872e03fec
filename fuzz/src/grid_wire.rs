//! Frames of the shard protocol: the prefix, then one byte says what is read.

use crate::{
	wire::{
		clean, decode_request, decode_response, frame, frame_len, pack, unpack, GroupRange, Punch,
		Request, Response, Status, MAX_FRAME, MAX_HAS,
	},
	Input,
};
use codec::Encode;
use hippius_primitives::{
	permit::{Change, ChangePermit, SignedChange, SignedPermit, StorePermit},
	receipt::{BatchRef, Receipt, ReceiptBody},
	NodeAddress, NodeKey, ShardId, ShardMeta, StripeId,
};

/// Decodes; what is understood must read back from its own encoding.
pub fn run(data: &[u8]) {
	let mut input = Input(data);
	let kind = input.u8();
	if let Ok(len) = frame_len(input.clone().array()) {
		assert!(len > 0 && len <= MAX_FRAME);
	}
	match kind % 4 {
		0 => {
			if let Ok(request) = decode_request(input.0) {
				let again = frame(&request).unwrap();
				assert_eq!(decode_request(&again[2..]), Ok(request.clone()));
				match request {
					Request::Put { meta, .. } => check(&meta),
					Request::Punch(punch) => assert!(punch.candidates.len() <= 8),
					_ => {}
				}
			}
		}
		1 => {
			if let Ok(response) = decode_response(input.0) {
				let again = frame(&response).unwrap();
				assert_eq!(decode_response(&again[2..]), Ok(response.clone()));
				match response {
					Response::Stripe(meta) => check(&meta),
					Response::Failed { detail, .. } => {
						assert!(clean(&detail).chars().all(|c| !c.is_control()));
					}
					_ => {}
				}
			}
		}
		2 => {
			let count = usize::from(input.u16()) % (MAX_HAS + 9);
			if let Some(held) = unpack(input.0, count) {
				assert_eq!(held.len(), count);
				assert_eq!(pack(&held), input.0);
			}
		}
		_ => {
			let text = String::from_utf8_lossy(input.0);
			if let Response::Failed { detail, .. } = Response::failed(Status::NotFound, &text) {
				assert!(detail.len() <= 256 && std::str::from_utf8(&detail).is_ok());
			}
			assert!(clean(input.0).len() <= 3 * 256);
		}
	}
}

fn check(meta: &ShardMeta) {
	assert_eq!(meta.shard().is_some(), meta.slot < 30);
	if meta.is_consistent() {
		assert_eq!(ShardMeta::new(meta.shards, meta.slot).as_ref(), Some(meta));
	}
}

/// One of each message.
pub fn seeds() -> Vec<Vec<u8>> {
	let shards = core::array::from_fn(|i| ShardId([i as u8; 32]));
	let meta = Box::new(ShardMeta::new(shards, 3).unwrap());
	let batch = BatchRef {
		genesis: [1; 32],
		pg: 2,
		epoch: 3,
		root: [4; 32],
		bytes: 64,
		stripes: 1,
		owners: [5; 32],
	};
	let punch = Box::new(Punch {
		nonce: [1; 32],
		nat: 2,
		candidates: vec![
			NodeAddress::V4 {
				ip: [203, 0, 113, 7],
				port: 4000,
			},
			NodeAddress::V6 {
				ip: [9; 16],
				port: 4000,
			},
		],
	});
	let message = |kind: u8, frame: Vec<u8>| {
		let mut seed = vec![kind];
		seed.extend_from_slice(&frame[2..]);
		seed
	};
	let request = |request: Request| message(0, frame(&request).unwrap());
	let response = |response: Response| message(1, frame(&response).unwrap());
	vec![
		request(Request::Put {
			permit: Box::new(SignedPermit {
				permit: StorePermit {
					genesis: [1; 32],
					epoch: 2,
					stripe: StripeId([3; 32]),
					shard_len: 640,
					owner: [5; 32],
					issued: 6,
					expires: 7,
					nonce: 8,
				},
				issuer: NodeKey([9; 32]),
				signature: [10; 64],
			}),
			meta: meta.clone(),
			len: 640,
		}),
		request(Request::Get {
			shard: ShardId([1; 32]),
			groups: Some(GroupRange { start: 2, end: 5 }),
		}),
		request(Request::Has { count: 9 }),
		request(Request::Stripe {
			stripe: StripeId([2; 32]),
		}),
		request(Request::Receipt { batch, len: 66 }),
		request(Request::Change(Box::new(SignedChange {
			permit: ChangePermit {
				genesis: [1; 32],
				change: Change::Restore,
				stripe: StripeId([3; 32]),
				issued: 6,
				expires: 7,
				nonce: 8,
			},
			issuer: NodeKey([9; 32]),
			signature: [10; 64],
		}))),
		response(Response::Receipt(Box::new(Receipt {
			body: ReceiptBody {
				batch,
				held: vec![1],
				node: 7,
			},
			signature: [8; 64],
		}))),
		response(Response::Changed { records: 3 }),
		request(Request::Doubt {
			shard: ShardId([3; 32]),
		}),
		request(Request::Observe),
		request(Request::Punch(punch.clone())),
		response(Response::Punch(punch)),
		response(Response::Noted),
		response(Response::Go),
		response(Response::Stored(crate::service::PutAck {
			already_held: true,
		})),
		response(Response::Slice { len: 64 }),
		response(Response::Held {
			bits: vec![0xff, 1],
		}),
		response(Response::Stripe(meta)),
		response(Response::failed(Status::Corrupt, "damaged")),
		(2u8, 9u16, [0xffu8, 1]).encode(),
		vec![3, b'h', 0xf0, 0x9f, 7],
	]
}
