//! The messages between a node and its relay: iroh-relay's protocol, version 2.
//!
//! Each is one binary WebSocket message: a type as QUIC variable-length integer, then its fields.
//! The four of the handshake carry postcard, whose forms used here are plain bytes with a
//! length before those that vary. Only what a client sends and receives is here.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use hippius_primitives::NodeKey;

/// WebSocket sub-protocol.
pub(crate) const SUBPROTOCOL: &str = "iroh-relay-v2";
/// Path of the WebSocket.
pub(crate) const PATH: &str = "/relay";
/// Longest message either side sends, in bytes.
pub(crate) const MAX_MESSAGE: usize = 1024 * 1024;
/// Longest contents of a datagram message, in bytes.
pub(crate) const MAX_CONTENTS: usize = 64 * 1024 - 64;

/// What is signed to log in is derived from the relay's challenge under this name, so that a
/// relay cannot have a message of its choice signed.
const CHALLENGE_CONTEXT: &str = "iroh-relay handshake v1 challenge signature";

mod tag {
	pub(super) const CHALLENGE: u8 = 0;
	pub(super) const AUTH: u8 = 1;
	pub(super) const CONFIRMS: u8 = 2;
	pub(super) const DENIES: u8 = 3;
	pub(super) const SEND: u8 = 4;
	pub(super) const SEND_BATCH: u8 = 5;
	pub(super) const RECEIVE: u8 = 6;
	pub(super) const RECEIVE_BATCH: u8 = 7;
	pub(super) const GONE: u8 = 8;
	pub(super) const PING: u8 = 9;
	pub(super) const PONG: u8 = 10;
	pub(super) const RESTARTING: u8 = 12;
	pub(super) const STATUS: u8 = 13;
}

/// What a relay sends while a node logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Login {
	/// Sign this.
	Challenge([u8; 16]),
	/// Come in.
	Confirmed,
	/// Stay out.
	Denied(String),
}

/// What a relay sends afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Received {
	/// One or more datagrams from a node.
	Datagrams {
		from: NodeKey,
		/// Length of all but the last.
		segment: usize,
		contents: Bytes,
	},
	/// A node that had sent something has left.
	Gone(NodeKey),
	/// To be echoed.
	Ping([u8; 8]),
	/// The echo.
	Pong([u8; 8]),
	/// The relay will close; come back after so many milliseconds.
	Restarting { after: u32 },
	/// How the connection does.
	Status(u8),
	/// Of a kind unknown here; ignored, so that relays may be newer.
	Unknown,
}

/// A message that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the relay sent a message that cannot be read")]
pub(crate) struct Malformed;

/// The relay's status code for "another connection with your key took over".
pub(crate) const STATUS_REPLACED: u8 = 1;

/// Reads a message of the login.
pub(crate) fn login(mut message: Bytes) -> Result<Login, Malformed> {
	match take_tag(&mut message)? {
		Some(tag::CHALLENGE) => message
			.as_ref()
			.try_into()
			.map(Login::Challenge)
			.map_err(|_| Malformed),
		Some(tag::CONFIRMS) => Ok(Login::Confirmed),
		Some(tag::DENIES) => {
			// A postcard string: a length in groups of seven bits, then text.
			let mut len = 0usize;
			for shift in [0, 7] {
				let byte = message.try_get_u8().map_err(|_| Malformed)?;
				len |= usize::from(byte & 0x7f) << shift;
				if byte < 0x80 {
					break;
				}
			}
			let text = message.get(..len).ok_or(Malformed)?;
			Ok(Login::Denied(crate::wire::clean(text)))
		}
		_ => Err(Malformed),
	}
}

/// What is signed in answer to a challenge.
pub(crate) fn to_sign(challenge: &[u8; 16]) -> [u8; 32] {
	blake3::derive_key(CHALLENGE_CONTEXT, challenge)
}

/// The answer to a challenge.
pub(crate) fn auth(key: &NodeKey, signature: &[u8; 64]) -> Bytes {
	let mut message = BytesMut::with_capacity(2 + 32 + 64);
	message.put_u8(tag::AUTH);
	message.put_slice(key.as_bytes());
	message.put_u8(64);
	message.put_slice(signature);
	message.freeze()
}

/// Datagrams to a node; `segment` is the length of all but the last if there are several.
pub(crate) fn send(to: &NodeKey, segment: Option<u16>, contents: &[u8]) -> Bytes {
	let mut message = BytesMut::with_capacity(1 + 32 + 1 + 2 + contents.len());
	message.put_u8(match segment {
		Some(_) => tag::SEND_BATCH,
		None => tag::SEND,
	});
	message.put_slice(to.as_bytes());
	// Congestion marks mean nothing inside of TCP.
	message.put_u8(0);
	if let Some(segment) = segment {
		message.put_u16(segment);
	}
	message.put_slice(contents);
	message.freeze()
}

/// A ping.
pub(crate) fn ping(payload: [u8; 8]) -> Bytes {
	echo(tag::PING, payload)
}

/// The answer to a ping.
pub(crate) fn pong(payload: [u8; 8]) -> Bytes {
	echo(tag::PONG, payload)
}

fn echo(tag: u8, payload: [u8; 8]) -> Bytes {
	let mut message = BytesMut::with_capacity(9);
	message.put_u8(tag);
	message.put_slice(&payload);
	message.freeze()
}

/// Reads a message after the login.
pub(crate) fn receive(mut message: Bytes) -> Result<Received, Malformed> {
	let Some(tag) = take_tag(&mut message)? else {
		return Ok(Received::Unknown);
	};
	let eight = |message: &Bytes| message.as_ref().try_into().map_err(|_| Malformed);
	Ok(match tag {
		tag::RECEIVE | tag::RECEIVE_BATCH => {
			let from = take_key(&mut message)?;
			let _ecn = message.try_get_u8().map_err(|_| Malformed)?;
			let segment = match tag {
				tag::RECEIVE_BATCH => usize::from(message.try_get_u16().map_err(|_| Malformed)?),
				_ => message.len(),
			};
			if message.is_empty() || segment == 0 || message.len() > MAX_CONTENTS + 64 {
				return Err(Malformed);
			}
			Received::Datagrams {
				from,
				segment: segment.min(message.len()),
				contents: message,
			}
		}
		tag::GONE => Received::Gone(take_key(&mut message)?),
		tag::PING => Received::Ping(eight(&message)?),
		tag::PONG => Received::Pong(eight(&message)?),
		tag::RESTARTING => Received::Restarting {
			after: message.try_get_u32().map_err(|_| Malformed)?,
		},
		tag::STATUS => Received::Status(message.try_get_u8().map_err(|_| Malformed)?),
		_ => Received::Unknown,
	})
}

/// The type of a message; `None` if it is greater than any that is known.
fn take_tag(message: &mut Bytes) -> Result<Option<u8>, Malformed> {
	let first = message.try_get_u8().map_err(|_| Malformed)?;
	// The upper two bits tell how long the integer is; all known types fit one byte.
	Ok((first < 0x40).then_some(first))
}

fn take_key(message: &mut Bytes) -> Result<NodeKey, Malformed> {
	let mut key = [0; 32];
	message.try_copy_to_slice(&mut key).map_err(|_| Malformed)?;
	Ok(NodeKey(key))
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]

	use super::*;
	use proptest::prelude::*;

	#[test]
	fn what_is_sent_has_the_form_relays_read() {
		let key = NodeKey([7; 32]);
		let one = send(&key, None, b"abc");
		assert_eq!((one[0], &one[1..33], one[33]), (4, &[7; 32][..], 0));
		assert_eq!(&one[34..], b"abc");
		let batch = send(&key, Some(0x0102), b"abc");
		assert_eq!((batch[0], &batch[33..]), (5, &b"\0\x01\x02abc"[..]));
		let auth = auth(&key, &[9; 64]);
		assert_eq!((auth[0], auth[33], auth.len()), (1, 64, 98));
		assert_eq!(ping([1; 8])[0], 9);
		assert_eq!(pong([1; 8])[0], 10);
	}

	#[test]
	fn what_relays_send_is_read() {
		let frame = |parts: &[&[u8]]| Bytes::from(parts.concat());
		let from = NodeKey([3; 32]);
		assert_eq!(
			receive(frame(&[&[6], &[3; 32], &[0], b"abc"])),
			Ok(Received::Datagrams {
				from,
				segment: 3,
				contents: Bytes::from_static(b"abc")
			})
		);
		assert_eq!(
			receive(frame(&[&[7], &[3; 32], &[2, 0, 2], b"abc"])),
			Ok(Received::Datagrams {
				from,
				segment: 2,
				contents: Bytes::from_static(b"abc")
			})
		);
		assert_eq!(receive(frame(&[&[8], &[3; 32]])), Ok(Received::Gone(from)));
		assert_eq!(
			receive(frame(&[&[12, 0, 0, 1, 0, 0, 0, 0, 0]])),
			Ok(Received::Restarting { after: 256 })
		);
		assert_eq!(receive(frame(&[&[13, 1]])), Ok(Received::Status(1)));
		assert_eq!(receive(frame(&[&[0x40, 99]])), Ok(Received::Unknown));
		let challenge = frame(&[&[0], &[5; 16]]);
		assert_eq!(login(challenge), Ok(Login::Challenge([5; 16])));
		assert_eq!(login(frame(&[&[2]])), Ok(Login::Confirmed));
		assert_eq!(
			login(frame(&[&[3, 2], b"no"])),
			Ok(Login::Denied("no".into()))
		);
		for bad in [
			&[][..],
			&[6],
			&[6; 33],
			&[6; 34],
			&[7; 36],
			&[9, 1],
			&[8, 1],
			&[12, 0],
			&[13],
		] {
			assert_eq!(
				receive(Bytes::copy_from_slice(bad)),
				Err(Malformed),
				"{bad:?}"
			);
		}
		// A batch of datagrams without length.
		assert!(receive(frame(&[&[7], &[3; 32], &[0, 0, 0], b"abc"])).is_err());
		for bad in [&[0, 1][..], &[3, 9, 1], &[1, 1], &[3]] {
			assert!(login(Bytes::copy_from_slice(bad)).is_err());
		}
	}

	proptest! {
		#[test]
		fn arbitrary_messages_never_panic(message in prop::collection::vec(any::<u8>(), 0..200)) {
			let message = Bytes::from(message);
			let _ = login(message.clone());
			if let Ok(Received::Datagrams { segment, contents, .. }) = receive(message) {
				prop_assert!(segment > 0 && segment <= contents.len());
			}
		}
	}
}
