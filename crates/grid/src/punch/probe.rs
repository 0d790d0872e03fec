//! The packets that open a way: small, authenticated, and never QUIC.
//!
//! The first byte is below 0x40, which no QUIC packet of ours has (its fixed bit is never greased),
//! so QUIC drops them unread. Their keys come from two nonces that only the two nodes know, because
//! these travelled on their encrypted connection; each direction has a key of its own, so that nobody
//! can send a node its own packets.

use blake3::Hash;

/// Bytes of a probe.
pub(crate) const LEN: usize = 30;
/// How every probe begins.
const MAGIC: [u8; 3] = [0x2a, b'a', b'p'];
const TAG: usize = 16;
const CONTEXT: &str = "hippius arion 2026 punch probes v1";

/// Names a round of punching.
pub(crate) type SessionId = [u8; 8];

/// A random number that one side contributes.
pub(crate) type Nonce = [u8; 32];

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
	/// To be answered.
	Probe,
	/// The answer: the way is open in both directions.
	Reply,
}

/// Which part a side plays in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
	/// Asked for it, and will dial.
	Asker,
	/// Was asked, and will be dialled.
	Answerer,
}

impl Side {
	pub(crate) const fn other(self) -> Self {
		match self {
			Self::Asker => Self::Answerer,
			Self::Answerer => Self::Asker,
		}
	}
}

/// The keys of a round.
pub(crate) struct Keys {
	pub(crate) id: SessionId,
	asker: [u8; 32],
	answerer: [u8; 32],
}

impl Keys {
	/// Of the nonces of both sides.
	pub(crate) fn new(asker: &Nonce, answerer: &Nonce) -> Self {
		let mut keys = Self {
			id: [0; 8],
			asker: [0; 32],
			answerer: [0; 32],
		};
		let mut stream = blake3::Hasher::new_derive_key(CONTEXT)
			.update(asker)
			.update(answerer)
			.finalize_xof();
		stream.fill(&mut keys.id);
		stream.fill(&mut keys.asker);
		stream.fill(&mut keys.answerer);
		keys
	}

	fn tag(&self, from: Side, head: &[u8]) -> Hash {
		let key = match from {
			Side::Asker => &self.asker,
			Side::Answerer => &self.answerer,
		};
		blake3::keyed_hash(key, head)
	}

	/// The packet with this number.
	pub(crate) fn seal(&self, from: Side, kind: Kind, number: u16) -> [u8; LEN] {
		let mut packet = [0; LEN];
		let (head, tag) = packet.split_at_mut(LEN - TAG);
		head[..3].copy_from_slice(&MAGIC);
		head[3] = match kind {
			Kind::Probe => 1,
			Kind::Reply => 2,
		};
		head[4..12].copy_from_slice(&self.id);
		head[12..].copy_from_slice(&number.to_le_bytes());
		tag.copy_from_slice(&self.tag(from, head).as_bytes()[..TAG]);
		packet
	}

	/// Kind and number of a packet of this round that `from` has sent; `None` if it is none.
	pub(crate) fn open(&self, from: Side, packet: &[u8]) -> Option<(Kind, u16)> {
		if session(packet)? != self.id {
			return None;
		}
		let (head, tag) = packet.split_at_checked(LEN - TAG)?;
		// Compared in constant time by `blake3::Hash`: the rest of the tag is ours in both.
		let ours = self.tag(from, head);
		let mut theirs = *ours.as_bytes();
		theirs[..TAG].copy_from_slice(tag);
		if ours != Hash::from_bytes(theirs) {
			return None;
		}
		let kind = match head[3] {
			1 => Kind::Probe,
			2 => Kind::Reply,
			_ => return None,
		};
		Some((kind, u16::from_le_bytes([head[12], head[13]])))
	}
}

/// The round a packet says it is of; `None` if it is no probe.
pub(crate) fn session(packet: &[u8]) -> Option<SessionId> {
	if packet.len() != LEN || !packet.starts_with(&MAGIC) {
		return None;
	}
	packet.get(4..12)?.try_into().ok()
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]

	use super::*;
	use proptest::prelude::*;

	#[test]
	fn probes_open_for_the_other_side_only() {
		let keys = Keys::new(&[1; 32], &[2; 32]);
		let packet = keys.seal(Side::Asker, Kind::Probe, 7);
		assert!(packet[0] < 0x40 && packet.len() <= 32);
		assert_eq!(session(&packet), Some(keys.id));
		assert_eq!(keys.open(Side::Asker, &packet), Some((Kind::Probe, 7)));
		// Sent back to where it came from, it is nothing.
		assert_eq!(keys.open(Side::Answerer, &packet), None);
		let other = Keys::new(&[2; 32], &[1; 32]);
		assert_ne!(other.id, keys.id);
		assert_eq!(other.open(Side::Asker, &packet), None);
	}

	#[test]
	fn every_bit_counts() {
		let keys = Keys::new(&[1; 32], &[2; 32]);
		let packet = keys.seal(Side::Answerer, Kind::Reply, 300);
		for bit in 0..LEN * 8 {
			let mut changed = packet;
			changed[bit / 8] ^= 1 << (bit % 8);
			assert_eq!(keys.open(Side::Answerer, &changed), None, "bit {bit}");
		}
		assert_eq!(keys.open(Side::Answerer, &packet[..LEN - 1]), None);
		assert_eq!(
			keys.open(Side::Answerer, &[&packet[..], &[0]].concat()),
			None
		);
	}

	proptest! {
		#[test]
		fn arbitrary_bytes_are_no_probe(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
			let keys = Keys::new(&[1; 32], &[2; 32]);
			prop_assert_eq!(keys.open(Side::Asker, &bytes), None);
			let mut led = MAGIC.to_vec();
			led.extend(bytes);
			prop_assert_eq!(keys.open(Side::Asker, &led), None);
		}
	}
}
