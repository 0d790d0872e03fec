//! The object key and what is derived from it.

use crate::{StreamKind, Suite};
use aws_lc_rs::{constant_time::verify_slices_are_equal, rand};
use codec::{Decode, Encode};
use core::fmt;
use zeroize::Zeroizing;

const STREAM_CONTEXT: &str = "hippius arion 2026 object stream key v1";
const COMMITMENT_CONTEXT: &str = "hippius arion 2026 object key commitment v1";

/// Bytes of the longest nonce prefix, that of XChaCha20-Poly1305.
pub(crate) const PREFIX_LEN: usize = 19;

/// The system's random number generator failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes: check that its random number generator works")]
pub struct RandomError;

/// The secret of one object: whoever has it and the object's id can read the object. Wiped from
/// memory when dropped, never printed by `Debug`, compared in constant time.
#[derive(Clone)]
pub struct ObjectKey(Zeroizing<[u8; 32]>);

impl ObjectKey {
	/// A fresh random key. Make one per version of an object and per attempt to put it.
	///
	/// # Errors
	/// [`RandomError`] if the system gives no random bytes.
	pub fn generate() -> Result<Self, RandomError> {
		let mut key = Self(Zeroizing::new([0; 32]));
		rand::fill(&mut key.0[..]).map_err(|_| RandomError)?;
		Ok(key)
	}

	/// The key with these bytes, e.g. from a link.
	pub fn from_bytes(bytes: [u8; 32]) -> Self {
		Self(Zeroizing::new(bytes))
	}

	/// The key's bytes, to be stored or shown on purpose.
	pub fn expose(&self) -> &[u8; 32] {
		&self.0
	}

	/// Key and nonce prefix of one stream.
	pub(crate) fn stream_key(&self, suite: Suite, kind: StreamKind, salt: &Salt) -> StreamKey {
		let mut stream = StreamKey {
			key: Zeroizing::new([0; 32]),
			prefix: [0; PREFIX_LEN],
		};
		let mut output = blake3::Hasher::new_derive_key(STREAM_CONTEXT)
			.update(self.expose())
			.update(&[suite.id()])
			.update(&kind.code())
			.update(&salt.0)
			.finalize_xof();
		output.fill(&mut stream.key[..]);
		output.fill(&mut stream.prefix);
		stream
	}

	/// What the root stripe shows of the key.
	pub(crate) fn commitment(&self, suite: Suite, salt: &Salt) -> [u8; 32] {
		let mut hasher = blake3::Hasher::new_derive_key(COMMITMENT_CONTEXT);
		hasher
			.update(self.expose())
			.update(&[suite.id()])
			.update(&salt.0);
		*hasher.finalize().as_bytes()
	}
}

impl PartialEq for ObjectKey {
	fn eq(&self, other: &Self) -> bool {
		verify_slices_are_equal(self.expose(), other.expose()).is_ok()
	}
}

impl Eq for ObjectKey {}

impl fmt::Debug for ObjectKey {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("ObjectKey(..)")
	}
}

/// Random bytes that set one sealing of a stream apart from every other. Not secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Salt(pub [u8; 16]);

impl Salt {
	/// A fresh random salt.
	///
	/// # Errors
	/// [`RandomError`] if the system gives no random bytes.
	pub fn generate() -> Result<Self, RandomError> {
		let mut salt = Self([0; 16]);
		rand::fill(&mut salt.0).map_err(|_| RandomError)?;
		Ok(salt)
	}
}

/// What one stream is sealed under.
pub(crate) struct StreamKey {
	pub(crate) key: Zeroizing<[u8; 32]>,
	pub(crate) prefix: [u8; PREFIX_LEN],
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[test]
	fn streams_and_commitments_differ_in_every_input() {
		let key = ObjectKey::from_bytes([1; 32]);
		let (aes, salt) = (Suite::Aes256Gcm, Salt([2; 16]));
		let other = ObjectKey::from_bytes([3; 32]);
		let streams = [
			key.stream_key(aes, StreamKind::Data, &salt),
			other.stream_key(aes, StreamKind::Data, &salt),
			key.stream_key(Suite::XChaCha20Poly1305, StreamKind::Data, &salt),
			key.stream_key(aes, StreamKind::Index(1), &salt),
			key.stream_key(aes, StreamKind::Index(2), &salt),
			key.stream_key(aes, StreamKind::Manifest, &salt),
			key.stream_key(aes, StreamKind::Data, &Salt([4; 16])),
		];
		for (i, a) in streams.iter().enumerate() {
			for b in &streams[..i] {
				assert_ne!(a.key, b.key);
				assert_ne!(a.prefix[..7], b.prefix[..7]);
			}
			assert_ne!(&a.key[..], key.expose());
		}
		let commitments = [
			key.commitment(aes, &salt),
			other.commitment(aes, &salt),
			key.commitment(Suite::XChaCha20Poly1305, &salt),
			key.commitment(aes, &Salt([4; 16])),
		];
		for (i, a) in commitments.iter().enumerate() {
			assert!(!commitments[..i].contains(a));
		}
	}

	/// Objects that are stored must stay readable: these values never change.
	#[test]
	fn derivation_is_fixed() {
		let (key, salt) = (ObjectKey::from_bytes([1; 32]), Salt([2; 16]));
		let stream = key.stream_key(Suite::Aes256Gcm, StreamKind::Data, &salt);
		assert_eq!(
			hex::encode(&stream.key[..]),
			"820a710acd04b944d84fa64205548b265ae4aece01772d5a18e77e6bb600423a"
		);
		assert_eq!(
			hex::encode(stream.prefix),
			"806a15a57a773fb555600d6c614d907734b72e"
		);
		let commitment = key.commitment(Suite::Aes256Gcm, &salt);
		assert_eq!(
			hex::encode(commitment),
			"defacab33c6ddf9a6ea24ac25c4825a1baa3681b17e867df6853424e74ca49a6"
		);
	}

	#[test]
	fn keys_are_random_and_never_printed() {
		let (a, b) = (
			ObjectKey::generate().unwrap(),
			ObjectKey::generate().unwrap(),
		);
		assert_ne!(a, b);
		assert_eq!(a, ObjectKey::from_bytes(*a.expose()));
		assert_eq!(format!("{a:?}"), "ObjectKey(..)");
	}
}
