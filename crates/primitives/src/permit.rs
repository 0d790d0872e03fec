//! Leave to store, delete or restore: signed, for one stripe, for a few minutes, good once.
//!
//! A miner takes nothing just because somebody connects. Who uploads shows a permit that an issuer
//! (a gateway) signed with its Ed25519 node key; one permit serves all 30 shards of a stripe. It
//! names no node, because where it is good follows from it: the stripe gives the placement group,
//! and with the map of [`StorePermit::epoch`] each slot gives one node. Shown to any other node, or
//! for another slot, it is worth nothing.
//!
//! What a miner checks, cheap things first: chain, time ([`check_time`]), length, that it started
//! before the permit was issued, that the permit was not used here for this slot, placement, issuer,
//! signature.

use crate::{Epoch, NodeKey, StripeId};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

/// Signature context of a permit to store.
pub const STORE_CONTEXT: &[u8] = b"hippius/store-permit/v1";
/// Signature context of a permit to delete or restore.
pub const CHANGE_CONTEXT: &[u8] = b"hippius/change-permit/v1";

/// Longest life of a permit, in milliseconds: ten minutes.
pub const MAX_PERMIT_LIFE: u64 = 600_000;
/// How far an issuer's clock may be ahead of the miner's, in milliseconds: half a minute.
pub const MAX_CLOCK_SKEW: u64 = 30_000;

/// Leave to store the shards of one stripe, each at its own node.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct StorePermit {
	/// Hash of the chain's block 0.
	pub genesis: [u8; 32],
	/// The map by which the stripe is placed.
	pub epoch: Epoch,
	/// The stripe.
	pub stripe: StripeId,
	/// Bytes of each of its shards.
	pub shard_len: u32,
	/// The account that pays for it.
	pub owner: [u8; 32],
	/// When the permit was signed, in milliseconds since 1970.
	pub issued: u64,
	/// When it ends, in milliseconds since 1970; at most [`MAX_PERMIT_LIFE`] after `issued`.
	pub expires: u64,
	/// Never the same twice for one issuer.
	pub nonce: u64,
}

/// What a [`ChangePermit`] allows.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Hash,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum Change {
	/// Put the stripe's shards into the trash, from where they can be restored for 14 days.
	#[codec(index = 1)]
	Delete,
	/// Take them out of the trash.
	#[codec(index = 2)]
	Restore,
}

/// Leave to delete or restore the shards of a stripe, wherever they lie. Only the issuer that let
/// them be stored can give it.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct ChangePermit {
	/// Hash of the chain's block 0.
	pub genesis: [u8; 32],
	/// What is to be done.
	pub change: Change,
	/// The stripe.
	pub stripe: StripeId,
	/// When the permit was signed, in milliseconds since 1970.
	pub issued: u64,
	/// When it ends, in milliseconds since 1970; at most [`MAX_PERMIT_LIFE`] after `issued`.
	pub expires: u64,
	/// Never the same twice for one issuer.
	pub nonce: u64,
}

/// What can be signed as a permit.
pub trait Permit: Encode {
	/// What the signature is prefixed with.
	const CONTEXT: &'static [u8];

	/// The bytes the issuer signs: the context, then blake3 of the permit's SCALE encoding.
	fn payload(&self) -> Vec<u8> {
		let mut payload = Self::CONTEXT.to_vec();
		payload.extend_from_slice(blake3::hash(&self.encode()).as_bytes());
		payload
	}
}

impl Permit for StorePermit {
	const CONTEXT: &'static [u8] = STORE_CONTEXT;
}

impl Permit for ChangePermit {
	const CONTEXT: &'static [u8] = CHANGE_CONTEXT;
}

/// A permit with its issuer's signature.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Signed<P> {
	/// What is permitted.
	pub permit: P,
	/// The key that signed.
	pub issuer: NodeKey,
	/// Ed25519 over [`Permit::payload`].
	pub signature: [u8; 64],
}

impl<P: Permit> Signed<P> {
	/// Whether the signature is the issuer's. `verify` checks an Ed25519 signature: key, message,
	/// signature.
	pub fn is_signed(&self, verify: impl FnOnce(&NodeKey, &[u8], &[u8; 64]) -> bool) -> bool {
		verify(&self.issuer, &self.permit.payload(), &self.signature)
	}
}

/// A signed permit to store.
pub type SignedPermit = Signed<StorePermit>;
/// A signed permit to delete or restore.
pub type SignedChange = Signed<ChangePermit>;

/// What is wrong with the times of a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeError {
	/// It lives longer than any permit may, or ends before it begins.
	Life,
	/// It was signed in the future.
	Early,
	/// It has ended.
	Expired,
}

impl fmt::Display for TimeError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::Life => "the permit lives longer than ten minutes, or not at all",
			Self::Early => "the permit was signed in the future; check the clocks",
			Self::Expired => "the permit has expired",
		})
	}
}

impl core::error::Error for TimeError {}

/// Checks the times of a permit at `now`; all are milliseconds since 1970.
pub fn check_time(issued: u64, expires: u64, now: u64) -> Result<(), TimeError> {
	match expires.checked_sub(issued) {
		None | Some(0) => Err(TimeError::Life),
		Some(life) if life > MAX_PERMIT_LIFE => Err(TimeError::Life),
		_ if issued > now.saturating_add(MAX_CLOCK_SKEW) => Err(TimeError::Early),
		_ if expires <= now => Err(TimeError::Expired),
		_ => Ok(()),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn store() -> StorePermit {
		StorePermit {
			genesis: [1; 32],
			epoch: 2,
			stripe: StripeId([3; 32]),
			shard_len: 4,
			owner: [5; 32],
			issued: 6,
			expires: 7,
			nonce: 8,
		}
	}

	#[test]
	fn every_field_is_signed_and_contexts_differ() {
		let base = store();
		let change = |edit: fn(&mut StorePermit)| {
			let mut other = base.clone();
			edit(&mut other);
			other.payload()
		};
		let others = [
			change(|p| p.genesis[0] ^= 1),
			change(|p| p.epoch += 1),
			change(|p| p.stripe.0[31] ^= 1),
			change(|p| p.shard_len += 1),
			change(|p| p.owner[5] ^= 1),
			change(|p| p.issued += 1),
			change(|p| p.expires += 1),
			change(|p| p.nonce += 1),
		];
		assert!(others.iter().all(|other| *other != base.payload()));
		assert!(base.payload().starts_with(STORE_CONTEXT));
		// Longer than 16 bytes, so that it is no handshake's or token's message.
		assert_eq!(base.payload().len(), STORE_CONTEXT.len() + 32);
		let delete = ChangePermit {
			genesis: [1; 32],
			change: Change::Delete,
			stripe: StripeId([3; 32]),
			issued: 6,
			expires: 7,
			nonce: 8,
		};
		let restore = ChangePermit {
			change: Change::Restore,
			..delete.clone()
		};
		assert_ne!(delete.payload(), restore.payload());
		assert!(delete.payload().starts_with(CHANGE_CONTEXT));
	}

	#[test]
	fn times_are_checked_at_their_edges() {
		let now = 1_000_000;
		let check = |issued, expires| check_time(issued, expires, now);
		assert_eq!(check(now, now + 1), Ok(()));
		assert_eq!(check(now, now + MAX_PERMIT_LIFE), Ok(()));
		assert_eq!(check(now, now + MAX_PERMIT_LIFE + 1), Err(TimeError::Life));
		assert_eq!(check(now, now), Err(TimeError::Life));
		assert_eq!(check(now, now - 1), Err(TimeError::Life));
		let ahead = now + MAX_CLOCK_SKEW;
		assert_eq!(check(ahead, ahead + 9), Ok(()));
		assert_eq!(check(ahead + 1, ahead + 9), Err(TimeError::Early));
		assert_eq!(check(now - 9, now), Err(TimeError::Expired));
		assert_eq!(check(0, u64::MAX), Err(TimeError::Life));
		assert_eq!(check(u64::MAX - 1, u64::MAX), Err(TimeError::Early));
	}

	#[test]
	fn the_signature_is_asked_about_the_right_bytes() {
		let signed = Signed {
			permit: store(),
			issuer: NodeKey([9; 32]),
			signature: [7; 64],
		};
		assert!(signed.is_signed(|key, message, signature| {
			*key == NodeKey([9; 32]) && message == store().payload() && *signature == [7; 64]
		}));
		let bytes = signed.encode();
		assert_eq!(SignedPermit::decode(&mut &bytes[..]), Ok(signed));
		assert_eq!(bytes.len(), SignedPermit::max_encoded_len());
	}
}
