//! The messages of the shard protocol.
//!
//! One bidirectional stream carries one request. A frame is a little-endian `u16` length, then
//! that many bytes: a version byte and the SCALE encoding of the message. What follows a frame is
//! raw: a put's bytes, a `has` list's ids, a slice.
//!
//! | request | after it | answer | after it |
//! |---|---|---|---|
//! | `Put { permit, meta, len }` | `len` bytes | `Stored(ack)` | |
//! | `Get { shard, groups }` | | `Slice { len }` | the slice of these groups of a shard of `len` bytes |
//! | `Has { count }` | `count` ids of 32 bytes | `Held { bits }` | |
//! | `Stripe { stripe }` | | `Stripe(meta)` | |
//! | `Receipt { batch, len }` | `len` bytes: SCALE of `batch.stripes` stripe entries | `Receipt(receipt)` | |
//! | `Change(permit)` | | `Changed { records }` | |
//! | `Doubt { shard }` | | `Noted` | |
//! | `Observe` | | `Observed { address }` | |
//! | `Punch(punch)` | | `Punch(punch)` | |
//! | `Inventory { pg, after, limit }` | | `Inventory { count, .. }` | `count` entries of 36 bytes |
//! | `Offer { stripe }` | | `Offered { taken }` | |
//! | `Leaves { pg, root }` | | `Leaves { count, len }` | `len` bytes: SCALE of `count` stripe entries |
//! | `Batches { pg, first, limit }` | | `Batches { count }` | `count` batches of 44 bytes |
//! | `Beat(beat)` | | `Noted` | |
//!
//! A slice is that of `arion_storage_proof::slice`: groups of 16 KiB with the hashes that prove each
//! of them by itself. No groups given means all.
//!
//! What follows a request does so at once if it is at most 16 KiB. More than that waits until the node
//! says `Go`: requests that wait for their turn must not fill the connection's window, or those whose
//! turn it is would get no further.
//!
//! Any answer may be `Failed` instead. A side that cannot go on resets its stream with a
//! [`code`]; a stream that ends early without one is a fault.

use crate::{listing::MAX_LISTED, service::PutAck};
use arion_storage_proof::GROUP_LEN;
use codec::{Decode, DecodeAll, Encode};
use hippius_primitives::{
	coding::SHARD_LEN,
	heartbeat::SignedBeat,
	permit::{SignedChange, SignedPermit},
	receipt::{BatchRef, Receipt, MAX_RECEIPT_STRIPES},
	NodeAddress, Pg, ShardId, ShardMeta, StripeId,
};
use std::fmt;

/// The application protocol named in the handshake.
pub const ALPN: &[u8] = b"arion/shards/3";
/// First byte of every frame.
pub const PROTOCOL_VERSION: u8 = 3;
/// Longest frame, in bytes, without its length prefix.
pub const MAX_FRAME: usize = 2048;
/// Longest body, in bytes, that follows its request at once; a longer one waits for [`Response::Go`].
pub(crate) const EAGER: usize = 16 * 1024;
/// Most shards one `has` request asks for.
pub const MAX_HAS: usize = 1024;
/// Most addresses a [`Punch`] names.
pub(crate) const MAX_CANDIDATES: usize = 8;
/// Highest code of a kind of NAT.
pub(crate) const MAX_NAT: u8 = 3;
/// Bytes of a stripe entry: stripe, owner, and a compact number of two bytes at most.
const MIN_ENTRY: u32 = 65;
const MAX_ENTRY: u32 = 68;
/// Most batches one answer lists.
pub const MAX_BATCHES: usize = 4096;
/// Bytes of a listed batch.
pub(crate) const BATCH_LEN: usize = 32 + 8 + 4;
/// Groups of a full shard.
pub(crate) const MAX_GROUPS: usize = SHARD_LEN / GROUP_LEN;
/// Longest text in a [`Response::Failed`], in bytes.
pub(crate) const MAX_DETAIL: usize = 256;

/// Codes in stream resets, stops and connection closes.
pub(crate) mod code {
	use quinn::VarInt;

	/// Nothing is wrong; the sender has no more interest.
	pub(crate) const DONE: VarInt = VarInt::from_u32(0);
	/// The other side broke the protocol.
	pub(crate) const PROTOCOL: VarInt = VarInt::from_u32(1);
	/// The other side took too long.
	pub(crate) const TIMEOUT: VarInt = VarInt::from_u32(2);
	/// Something broke on this side.
	pub(crate) const INTERNAL: VarInt = VarInt::from_u32(3);
	/// The other side may not connect.
	pub(crate) const REFUSED: VarInt = VarInt::from_u32(4);
	/// Too many connections; this one gave way.
	pub(crate) const TOO_MANY: VarInt = VarInt::from_u32(5);
	/// The request was answered before it was read to its end.
	pub(crate) const ANSWERED: VarInt = VarInt::from_u32(6);
	/// This side's key, under which the connection was made, is no longer valid.
	pub(crate) const RETIRED: VarInt = VarInt::from_u32(8);
	/// What was sent is not what was asked for.
	pub(crate) const WRONG_BYTES: VarInt = VarInt::from_u32(7);
}

/// The kind of a failed answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Status {
	/// The node does not hold what was asked for.
	#[codec(index = 1)]
	NotFound,
	/// The node has no room.
	#[codec(index = 2)]
	InsufficientStorage,
	/// The node holds it, but damaged.
	#[codec(index = 3)]
	Corrupt,
	/// The request makes no sense, or its bytes do not fit its header.
	#[codec(index = 4)]
	BadRequest,
	/// The node has too much to do.
	#[codec(index = 5)]
	Busy,
	/// The asker may not have this.
	#[codec(index = 6)]
	Refused,
	/// Something broke in the node.
	#[codec(index = 7)]
	Internal,
	/// The permit is too old for this node, from before its start, or was used: sign a new one.
	#[codec(index = 8)]
	StalePermit,
	/// The node has not the map that is spoken of, or no longer: try again when both sides have
	/// the newest.
	#[codec(index = 9)]
	UnknownEpoch,
}

impl fmt::Display for Status {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::NotFound => "not found",
			Self::InsufficientStorage => "insufficient storage",
			Self::Corrupt => "corrupt",
			Self::BadRequest => "bad request",
			Self::Busy => "busy",
			Self::Refused => "refused",
			Self::Internal => "internal error",
			Self::StalePermit => "stale permit",
			Self::UnknownEpoch => "unknown epoch",
		})
	}
}

/// Groups `start..end` of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct GroupRange {
	pub(crate) start: u16,
	pub(crate) end: u16,
}

/// What a node says of itself to one that it is to find a way to without a relay.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Punch {
	/// Half of the key of the packets that open the way; secret to the two.
	pub(crate) nonce: [u8; 32],
	/// What stands before the node, as `NatKind::code`.
	pub(crate) nat: u8,
	/// UDP addresses it may be seen at, at most [`MAX_CANDIDATES`].
	pub(crate) candidates: Vec<NodeAddress>,
}

impl fmt::Debug for Punch {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Punch")
			.field("nat", &self.nat)
			.field("candidates", &self.candidates)
			.finish_non_exhaustive()
	}
}

impl Punch {
	fn is_sound(&self) -> bool {
		self.nat <= MAX_NAT
			&& self.candidates.len() <= MAX_CANDIDATES
			&& self.candidates.iter().all(|at| at.relay().is_none())
	}
}

/// What a peer asks.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Request {
	/// Store the `len` bytes that follow.
	#[codec(index = 1)]
	Put {
		permit: Box<SignedPermit>,
		meta: Box<ShardMeta>,
		len: u32,
	},
	/// Send these groups of a shard, all if none are named.
	#[codec(index = 2)]
	Get {
		shard: ShardId,
		groups: Option<GroupRange>,
	},
	/// Say which of the `count` shards that follow are held.
	#[codec(index = 3)]
	Has { count: u16 },
	/// Describe a stripe.
	#[codec(index = 4)]
	Stripe { stripe: StripeId },
	/// Sign for what you hold of the batch whose entries follow.
	#[codec(index = 5)]
	Receipt { batch: BatchRef, len: u32 },
	/// Delete or restore.
	#[codec(index = 6)]
	Change(Box<SignedChange>),
	/// The bytes sent of a shard were wrong: look at your copy.
	#[codec(index = 7)]
	Doubt { shard: ShardId },
	/// Say from which address this comes.
	#[codec(index = 20)]
	Observe,
	/// Help to find a way without the relay that this comes through.
	#[codec(index = 21)]
	Punch(Box<Punch>),
	/// List stripes of a placement group of which shards are held.
	#[codec(index = 30)]
	Inventory {
		pg: Pg,
		after: Option<StripeId>,
		limit: u16,
	},
	/// The sender holds the shard of a slot that is the receiver's now.
	#[codec(index = 31)]
	Offer { stripe: StripeId },
	/// Send the entries of a batch of stripes of a placement group.
	#[codec(index = 40)]
	Leaves { pg: Pg, root: [u8; 32] },
	/// List the batches of a placement group's ledger from number `first` on.
	#[codec(index = 41)]
	Batches { pg: Pg, first: u64, limit: u16 },
	/// The sender, or whose beat it brings, is there. For collectors.
	#[codec(index = 50)]
	Beat(Box<SignedBeat>),
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Response {
	/// The shard is on stable storage.
	#[codec(index = 1)]
	Stored(PutAck),
	/// A slice of the shard follows, which has `len` bytes in all.
	#[codec(index = 2)]
	Slice { len: u32 },
	/// One bit per shard asked, least significant first; unused bits are zero.
	#[codec(index = 3)]
	Held { bits: Vec<u8> },
	/// The stripe's description.
	#[codec(index = 4)]
	Stripe(Box<ShardMeta>),
	/// Nothing of the kind.
	#[codec(index = 5)]
	Failed { status: Status, detail: Vec<u8> },
	/// What the node holds of the batch.
	#[codec(index = 6)]
	Receipt(Box<Receipt>),
	/// So many shards were deleted or restored.
	#[codec(index = 8)]
	Changed { records: u32 },
	/// Nothing more to say.
	#[codec(index = 7)]
	Noted,
	/// There is room for what follows the request: send it. Another answer comes then.
	#[codec(index = 9)]
	Go,
	/// The UDP address a request came from.
	#[codec(index = 20)]
	Observed { address: NodeAddress },
	/// Where this node may be seen; its probes are on their way.
	#[codec(index = 21)]
	Punch(Box<Punch>),
	/// `count` entries of [`Listed::LEN`](crate::Listed::LEN) bytes follow.
	#[codec(index = 30)]
	Inventory {
		count: u16,
		next: Option<StripeId>,
		whole: bool,
	},
	/// Whether the offered shard will be fetched.
	#[codec(index = 31)]
	Offered { taken: bool },
	/// `len` bytes with `count` stripe entries follow.
	#[codec(index = 40)]
	Leaves { count: u32, len: u32 },
	/// `count` batches follow, each of 44 bytes.
	#[codec(index = 41)]
	Batches { count: u16 },
}

impl Response {
	/// A failure, its text cut at a character boundary.
	pub(crate) fn failed(status: Status, detail: &str) -> Self {
		let mut end = detail.len().min(MAX_DETAIL);
		while !detail.is_char_boundary(end) {
			end -= 1;
		}
		Self::Failed {
			status,
			detail: detail.as_bytes()[..end].to_vec(),
		}
	}
}

/// Why a frame was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
	#[error("a frame of {0} bytes; at most {MAX_FRAME} are allowed")]
	Oversize(usize),
	#[error("an empty frame")]
	Empty,
	#[error("protocol version {0}; this node speaks {PROTOCOL_VERSION}")]
	Version(u8),
	#[error("a frame that does not decode")]
	Malformed,
	#[error("a field out of range: {0}")]
	Range(&'static str),
}

/// A message with its length prefix and version byte.
pub(crate) fn frame(message: &impl Encode) -> Result<Vec<u8>, WireError> {
	let mut bytes = vec![0, 0, PROTOCOL_VERSION];
	message.encode_to(&mut bytes);
	let len = bytes.len() - 2;
	if len > MAX_FRAME {
		return Err(WireError::Oversize(len));
	}
	let prefix = u16::try_from(len).map_err(|_| WireError::Oversize(len))?;
	bytes[..2].copy_from_slice(&prefix.to_le_bytes());
	Ok(bytes)
}

/// The length a frame's prefix announces, if it is allowed.
pub(crate) fn frame_len(prefix: [u8; 2]) -> Result<usize, WireError> {
	match usize::from(u16::from_le_bytes(prefix)) {
		0 => Err(WireError::Empty),
		len if len > MAX_FRAME => Err(WireError::Oversize(len)),
		len => Ok(len),
	}
}

fn decode<T: Decode>(frame: &[u8]) -> Result<T, WireError> {
	if frame.len() > MAX_FRAME {
		return Err(WireError::Oversize(frame.len()));
	}
	let (version, mut body) = frame.split_first().ok_or(WireError::Empty)?;
	if *version != PROTOCOL_VERSION {
		return Err(WireError::Version(*version));
	}
	T::decode_all(&mut body).map_err(|_| WireError::Malformed)
}

/// Reads a request from a frame without its prefix, and checks what can be checked without state.
pub(crate) fn decode_request(frame: &[u8]) -> Result<Request, WireError> {
	let request = decode::<Request>(frame)?;
	match &request {
		Request::Put { len, .. } if *len == 0 || *len as usize > SHARD_LEN => {
			Err(WireError::Range("shard length"))
		}
		Request::Get {
			groups: Some(GroupRange { start, end }),
			..
		} if start >= end || usize::from(*end) > MAX_GROUPS => Err(WireError::Range("groups of a shard")),
		Request::Receipt { batch, len } if !are_entries(batch.stripes, *len) => {
			Err(WireError::Range("entries of a batch"))
		}
		Request::Has { count } if *count == 0 || usize::from(*count) > MAX_HAS => {
			Err(WireError::Range("number of shards"))
		}
		Request::Inventory { limit, .. } if *limit == 0 || usize::from(*limit) > MAX_LISTED => {
			Err(WireError::Range("number of stripes"))
		}
		Request::Batches { limit, .. } if *limit == 0 || usize::from(*limit) > MAX_BATCHES => {
			Err(WireError::Range("number of batches"))
		}
		Request::Punch(punch) if !punch.is_sound() => Err(WireError::Range("addresses to probe")),
		_ => Ok(request),
	}
}

/// Whether so many stripe entries can be so many bytes.
fn are_entries(count: u32, len: u32) -> bool {
	(1..=MAX_RECEIPT_STRIPES).contains(&count)
		&& (count * MIN_ENTRY..=count * MAX_ENTRY).contains(&len)
}

/// Reads an answer from a frame without its prefix.
pub(crate) fn decode_response(frame: &[u8]) -> Result<Response, WireError> {
	let response = decode::<Response>(frame)?;
	match &response {
		Response::Slice { len } if *len == 0 || *len as usize > SHARD_LEN => {
			Err(WireError::Range("shard length"))
		}
		Response::Held { bits } if bits.len() > MAX_HAS.div_ceil(8) => {
			Err(WireError::Range("number of shards"))
		}
		Response::Failed { detail, .. } if detail.len() > MAX_DETAIL => {
			Err(WireError::Range("length of the detail"))
		}
		Response::Inventory { count, .. } if usize::from(*count) > MAX_LISTED => {
			Err(WireError::Range("number of stripes"))
		}
		Response::Leaves { count, len } if !are_entries(*count, *len) => {
			Err(WireError::Range("entries of a batch"))
		}
		Response::Batches { count } if usize::from(*count) > MAX_BATCHES => {
			Err(WireError::Range("number of batches"))
		}
		Response::Punch(punch) if !punch.is_sound() => Err(WireError::Range("addresses to probe")),
		_ => Ok(response),
	}
}

/// A peer's text made fit for logs: valid UTF-8, no control characters, bounded.
pub(crate) fn clean(text: &[u8]) -> String {
	let text = &text[..text.len().min(MAX_DETAIL)];
	String::from_utf8_lossy(text)
		.chars()
		.map(|c| if c.is_control() { '?' } else { c })
		.collect()
}

/// Packs one bit per answer.
pub(crate) fn pack(held: &[bool]) -> Vec<u8> {
	held.chunks(8)
		.map(|byte| {
			byte.iter()
				.enumerate()
				.fold(0, |bits, (at, held)| bits | u8::from(*held) << at)
		})
		.collect()
}

/// Unpacks `count` answers; `None` if `bits` is not exactly their packing.
pub(crate) fn unpack(bits: &[u8], count: usize) -> Option<Vec<bool>> {
	if bits.len() != count.div_ceil(8) {
		return None;
	}
	let held: Vec<bool> = (0..count)
		.map(|at| bits[at / 8] >> (at % 8) & 1 == 1)
		.collect();
	(pack(&held) == bits).then_some(held)
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]

	use super::*;
	use hippius_primitives::{
		id::shard_id,
		permit::{Change, ChangePermit, StorePermit},
		receipt::ReceiptBody,
		NodeKey, TOTAL_SHARDS,
	};
	use proptest::prelude::*;

	fn meta() -> Box<ShardMeta> {
		Box::new(ShardMeta::new(std::array::from_fn(|slot| shard_id(&[slot as u8])), 3).unwrap())
	}

	fn permit() -> Box<SignedPermit> {
		Box::new(SignedPermit {
			permit: StorePermit {
				genesis: [1; 32],
				epoch: 2,
				stripe: StripeId([3; 32]),
				shard_len: 4,
				owner: [5; 32],
				issued: 6,
				expires: 7,
				nonce: 8,
			},
			issuer: NodeKey([9; 32]),
			signature: [10; 64],
		})
	}

	fn change() -> Box<SignedChange> {
		Box::new(SignedChange {
			permit: ChangePermit {
				genesis: [1; 32],
				change: Change::Delete,
				stripe: StripeId([3; 32]),
				issued: 6,
				expires: 7,
				nonce: 8,
			},
			issuer: NodeKey([9; 32]),
			signature: [10; 64],
		})
	}

	fn batch(stripes: u32) -> BatchRef {
		BatchRef {
			genesis: [1; 32],
			pg: 2,
			epoch: 3,
			root: [4; 32],
			bytes: 64,
			stripes,
			owners: [5; 32],
		}
	}

	fn receipt() -> Box<Receipt> {
		Box::new(Receipt {
			body: ReceiptBody {
				batch: batch(MAX_RECEIPT_STRIPES),
				held: vec![255; 128],
				node: 7,
			},
			signature: [8; 64],
		})
	}

	fn punch(candidates: usize) -> Box<Punch> {
		let address = NodeAddress::V6 {
			ip: [9; 16],
			port: 4000,
		};
		Box::new(Punch {
			nonce: [7; 32],
			nat: MAX_NAT,
			candidates: vec![address; candidates],
		})
	}

	/// Forms that decode and make no sense: too many places, a relay for a place, an unknown NAT.
	fn bad_punches() -> [Box<Punch>; 3] {
		let relay = NodeAddress::Relay("https://relay.example.org:443".parse().unwrap());
		let (mut relayed, mut unknown) = (punch(1), punch(1));
		relayed.candidates[0] = relay;
		unknown.nat = MAX_NAT + 1;
		[punch(MAX_CANDIDATES + 1), relayed, unknown]
	}

	#[test]
	fn punches_are_checked_both_ways() {
		for punch in bad_punches() {
			let request = Request::Punch(punch.clone());
			let response = Response::Punch(punch);
			let range = Err(WireError::Range("addresses to probe"));
			assert_eq!(decode_request(&body(&request)), range);
			assert!(matches!(
				decode_response(&body(&response)),
				Err(WireError::Range(_))
			));
		}
		// The nonce is half of a key: it is in no log.
		assert!(!format!("{:?}", punch(0)).contains('7'));
	}

	fn body(message: &impl Encode) -> Vec<u8> {
		let framed = frame(message).unwrap();
		assert_eq!(frame_len([framed[0], framed[1]]).unwrap(), framed.len() - 2);
		framed[2..].to_vec()
	}

	#[test]
	fn requests_round_trip() {
		for request in [
			Request::Put {
				permit: permit(),
				meta: meta(),
				len: SHARD_LEN as u32,
			},
			Request::Get {
				shard: ShardId([7; 32]),
				groups: None,
			},
			Request::Get {
				shard: ShardId([7; 32]),
				groups: Some(GroupRange { start: 63, end: 64 }),
			},
			Request::Has {
				count: MAX_HAS as u16,
			},
			Request::Stripe {
				stripe: StripeId([9; 32]),
			},
			Request::Receipt {
				batch: batch(1),
				len: 65,
			},
			Request::Change(change()),
			Request::Doubt {
				shard: ShardId([9; 32]),
			},
			Request::Inventory {
				pg: 7,
				after: Some(StripeId([9; 32])),
				limit: MAX_LISTED as u16,
			},
			Request::Offer {
				stripe: StripeId([9; 32]),
			},
			Request::Leaves {
				pg: 7,
				root: [9; 32],
			},
			Request::Batches {
				pg: 7,
				first: u64::MAX,
				limit: MAX_BATCHES as u16,
			},
			Request::Observe,
			Request::Punch(punch(MAX_CANDIDATES)),
			Request::Punch(punch(0)),
		] {
			assert_eq!(decode_request(&body(&request)), Ok(request));
		}
	}

	#[test]
	fn responses_round_trip_and_fit_a_frame() {
		for response in [
			Response::Stored(PutAck { already_held: true }),
			Response::Slice { len: 1 },
			Response::Held {
				bits: vec![255; MAX_HAS / 8],
			},
			Response::Stripe(meta()),
			Response::Receipt(receipt()),
			Response::Changed { records: 3 },
			Response::Noted,
			Response::Go,
			Response::Inventory {
				count: MAX_LISTED as u16,
				next: Some(StripeId([9; 32])),
				whole: true,
			},
			Response::Offered { taken: true },
			Response::Leaves { count: 2, len: 133 },
			Response::Batches {
				count: MAX_BATCHES as u16,
			},
			Response::Observed {
				address: NodeAddress::V4 {
					ip: [1; 4],
					port: 2,
				},
			},
			Response::Punch(punch(MAX_CANDIDATES)),
			Response::failed(Status::Busy, &"x".repeat(10_000)),
		] {
			assert_eq!(decode_response(&body(&response)), Ok(response));
		}
	}

	#[test]
	fn the_wire_form_is_pinned() {
		let get = frame(&Request::Get {
			shard: ShardId([0xab; 32]),
			groups: Some(GroupRange { start: 1, end: 2 }),
		})
		.unwrap();
		assert_eq!(get[..4], [39, 0, 3, 2]);
		assert_eq!(get[36..], [1, 1, 0, 2, 0]);
		let put = frame(&Request::Put {
			permit: permit(),
			meta: meta(),
			len: 5,
		})
		.unwrap();
		assert_eq!(put.len(), 2 + 1 + 1 + 224 + 32 + 1 + 32 * TOTAL_SHARDS + 4);
		assert_eq!(
			frame(&Response::failed(Status::NotFound, "a")).unwrap(),
			[5, 0, 3, 5, 1, 4, b'a']
		);
	}

	#[test]
	fn bad_frames_have_their_own_errors() {
		assert_eq!(frame_len([0, 0]), Err(WireError::Empty));
		assert_eq!(frame_len([1, 8]), Err(WireError::Oversize(2049)));
		assert_eq!(frame_len([0, 8]), Ok(2048));
		assert_eq!(decode_request(&[]), Err(WireError::Empty));
		assert_eq!(decode_request(&[1, 2]), Err(WireError::Version(1)));
		assert_eq!(decode_request(&[3, 99]), Err(WireError::Malformed));
		assert_eq!(
			decode_request(&vec![1; 2049]),
			Err(WireError::Oversize(2049))
		);
		let mut trailing = body(&Request::Has { count: 1 });
		trailing.push(0);
		assert_eq!(decode_request(&trailing), Err(WireError::Malformed));
		for request in [
			Request::Put {
				permit: permit(),
				meta: meta(),
				len: 0,
			},
			Request::Put {
				permit: permit(),
				meta: meta(),
				len: SHARD_LEN as u32 + 1,
			},
			Request::Get {
				shard: ShardId([7; 32]),
				groups: Some(GroupRange { start: 3, end: 3 }),
			},
			Request::Get {
				shard: ShardId([7; 32]),
				groups: Some(GroupRange { start: 0, end: 65 }),
			},
			Request::Receipt {
				batch: batch(0),
				len: 65,
			},
			Request::Receipt {
				batch: batch(MAX_RECEIPT_STRIPES + 1),
				len: 80_000,
			},
			Request::Receipt {
				batch: batch(2),
				len: 129,
			},
			Request::Receipt {
				batch: batch(2),
				len: 137,
			},
			Request::Batches {
				pg: 1,
				first: 0,
				limit: 0,
			},
			Request::Batches {
				pg: 1,
				first: 0,
				limit: MAX_BATCHES as u16 + 1,
			},
			Request::Has { count: 0 },
			Request::Has {
				count: MAX_HAS as u16 + 1,
			},
		] {
			assert!(matches!(
				decode_request(&body(&request)),
				Err(WireError::Range(_))
			));
		}
		for response in [
			Response::Slice { len: 0 },
			Response::Slice { len: u32::MAX },
			Response::Leaves { count: 0, len: 65 },
			Response::Leaves {
				count: MAX_RECEIPT_STRIPES + 1,
				len: 70_000,
			},
			Response::Leaves { count: 2, len: 129 },
			Response::Leaves { count: 2, len: 137 },
			Response::Leaves {
				count: u32::MAX,
				len: u32::MAX,
			},
			Response::Batches {
				count: MAX_BATCHES as u16 + 1,
			},
			Response::Held {
				bits: vec![0; MAX_HAS / 8 + 1],
			},
			Response::Failed {
				status: Status::Busy,
				detail: vec![b'x'; MAX_DETAIL + 1],
			},
		] {
			assert!(matches!(
				decode_response(&body(&response)),
				Err(WireError::Range(_))
			));
		}
	}

	#[test]
	fn details_are_cut_at_characters_and_cleaned() {
		let long = "\u{20ac}".repeat(100);
		let Response::Failed { detail, .. } = Response::failed(Status::Internal, &long) else {
			unreachable!()
		};
		assert_eq!(detail.len(), 255);
		assert_eq!(clean(b"a\x1b[31m\nb\xff"), "a?[31m?b\u{fffd}");
	}

	proptest! {
		#[test]
		fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
			let _ = decode_request(&bytes);
			let _ = decode_response(&bytes);
			let _ = clean(&bytes);
		}

		#[test]
		fn arbitrary_bodies_of_a_known_kind_never_panic(
			kind in prop_oneof![0u8..8, 20u8..22, 30u8..32, 40u8..42], bytes in prop::collection::vec(any::<u8>(), 0..2048),
		) {
			let mut frame = vec![PROTOCOL_VERSION, kind];
			frame.extend(bytes);
			// What decodes encodes to the same bytes: there is one form of each message.
			if let Ok(request) = decode_request(&frame) {
				prop_assert_eq!(body(&request), frame.clone());
			}
			if let Ok(response) = decode_response(&frame) {
				prop_assert_eq!(body(&response), frame);
			}
		}

		#[test]
		fn bits_round_trip(held in prop::collection::vec(any::<bool>(), 0..200)) {
			prop_assert_eq!(unpack(&pack(&held), held.len()), Some(held));
		}

		#[test]
		fn stray_bits_are_refused(bits in prop::collection::vec(any::<u8>(), 0..20), count in 0usize..200) {
			if let Some(held) = unpack(&bits, count) {
				prop_assert_eq!(pack(&held), bits);
			}
		}
	}
}
