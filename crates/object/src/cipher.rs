//! Sealing and opening single chunks of a stream.

use crate::{key::PREFIX_LEN, ObjectKey, Salt, StreamKind, Suite, CHUNK_LEN, TAG_LEN};
use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_256_GCM};
use chacha20poly1305::{AeadInPlace, KeyInit, XChaCha20Poly1305, XNonce};

const AES_PREFIX_LEN: usize = 7;

/// The cipher refused its input: a key or chunk of impossible length, or, when opening, bytes that
/// were not sealed at this place of this stream.
#[derive(Debug)]
pub(crate) struct CipherError;

/// Seals and opens the chunks of one stream.
pub(crate) struct ChunkCipher {
	aead: Aead,
	prefix: [u8; PREFIX_LEN],
	/// Suite, purpose, level and chunk length.
	aad: [u8; 7],
}

enum Aead {
	Aes(LessSafeKey),
	XChaCha(Box<XChaCha20Poly1305>),
}

impl ChunkCipher {
	pub(crate) fn new(
		suite: Suite,
		key: &ObjectKey,
		kind: StreamKind,
		salt: &Salt,
	) -> Result<Self, CipherError> {
		let stream = key.stream_key(suite, kind, salt);
		let aead = match suite {
			Suite::Aes256Gcm => {
				let key =
					UnboundKey::new(&AES_256_GCM, &stream.key[..]).map_err(|_| CipherError)?;
				Aead::Aes(LessSafeKey::new(key))
			}
			Suite::XChaCha20Poly1305 => {
				let cipher =
					XChaCha20Poly1305::new_from_slice(&stream.key[..]).map_err(|_| CipherError)?;
				Aead::XChaCha(Box::new(cipher))
			}
		};
		let [purpose, level] = kind.code();
		let [a, b, c, d] = (CHUNK_LEN as u32).to_be_bytes();
		Ok(Self {
			aead,
			prefix: stream.prefix,
			aad: [suite.id(), purpose, level, a, b, c, d],
		})
	}

	/// Writes the sealed chunk to `out`, which is longer than `plain` by [`TAG_LEN`]. On error `out`
	/// may hold anything.
	pub(crate) fn seal(
		&self,
		counter: u32,
		last: bool,
		plain: &[u8],
		out: &mut [u8],
	) -> Result<(), CipherError> {
		let (sealed, tag) = out.split_at_mut_checked(plain.len()).ok_or(CipherError)?;
		let tag: &mut [u8; TAG_LEN] = tag.try_into().map_err(|_| CipherError)?;
		match &self.aead {
			Aead::Aes(key) => {
				let nonce =
					Nonce::assume_unique_for_key(self.nonce::<AES_PREFIX_LEN, 12>(counter, last));
				let aad = Aad::from(self.aad);
				key.seal_out_of_place_scatter(nonce, aad, plain, sealed, &[], tag)
					.map_err(|_| CipherError)
			}
			Aead::XChaCha(cipher) => {
				let nonce = XNonce::from(self.nonce::<PREFIX_LEN, 24>(counter, last));
				sealed.copy_from_slice(plain);
				let made = cipher
					.encrypt_in_place_detached(&nonce, &self.aad, sealed)
					.map_err(|_| CipherError)?;
				tag.copy_from_slice(&made);
				Ok(())
			}
		}
	}

	/// Appends the opened chunk to `out`; on error nothing is appended.
	pub(crate) fn open(
		&self,
		counter: u32,
		last: bool,
		sealed: &[u8],
		out: &mut Vec<u8>,
	) -> Result<(), CipherError> {
		let start = out.len();
		let (sealed, tag) = sealed.split_last_chunk::<TAG_LEN>().ok_or(CipherError)?;
		let opened = match &self.aead {
			Aead::Aes(key) => {
				let nonce =
					Nonce::assume_unique_for_key(self.nonce::<AES_PREFIX_LEN, 12>(counter, last));
				out.resize(start + sealed.len(), 0);
				let aad = Aad::from(self.aad);
				key.open_separate_gather(nonce, aad, sealed, tag, &mut out[start..])
					.map_err(|_| CipherError)
			}
			Aead::XChaCha(cipher) => {
				let nonce = XNonce::from(self.nonce::<PREFIX_LEN, 24>(counter, last));
				out.extend_from_slice(sealed);
				let plain = &mut out[start..];
				cipher
					.decrypt_in_place_detached(&nonce, &self.aad, plain, tag.into())
					.map_err(|_| CipherError)
			}
		};
		if opened.is_err() {
			out.truncate(start);
		}
		opened
	}

	/// Prefix, counter in big-endian order, last flag.
	fn nonce<const PREFIX: usize, const LEN: usize>(&self, counter: u32, last: bool) -> [u8; LEN] {
		const { assert!(PREFIX + 5 == LEN && PREFIX <= PREFIX_LEN) };
		let mut nonce = [0; LEN];
		nonce[..PREFIX].copy_from_slice(&self.prefix[..PREFIX]);
		nonce[PREFIX..LEN - 1].copy_from_slice(&counter.to_be_bytes());
		nonce[LEN - 1] = u8::from(last);
		nonce
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use aes_gcm::Aes256Gcm;
	use chacha20poly1305::aead::{stream::EncryptorBE32, Payload};

	const CHUNKS: [&[u8]; 4] = [b"first", b"", b"third chunk", b"last"];
	const KIND: StreamKind = StreamKind::Index(3);
	const SALT: Salt = Salt([8; 16]);

	fn ours(suite: Suite, key: &ObjectKey) -> Vec<u8> {
		let cipher = ChunkCipher::new(suite, key, KIND, &SALT).unwrap();
		let mut out = Vec::new();
		for (counter, chunk) in CHUNKS.iter().enumerate() {
			let mut sealed = vec![0xAA; chunk.len() + TAG_LEN];
			let last = counter + 1 == CHUNKS.len();
			cipher
				.seal(counter as u32, last, chunk, &mut sealed)
				.unwrap();
			out.extend(sealed);
		}
		out
	}

	macro_rules! assert_equal_to_stream_be32 {
		($suite:expr, $aead:ty, $prefix:expr) => {
			let key = ObjectKey::from_bytes([5; 32]);
			let stream = key.stream_key($suite, KIND, &SALT);
			let aead = <$aead>::new_from_slice(&stream.key[..]).unwrap();
			let mut theirs = EncryptorBE32::from_aead(aead, stream.prefix[..$prefix].into());
			let aad = &[$suite.id(), 1, 3, 0, 1, 0, 0];
			let (msg, others) = CHUNKS.split_last().unwrap();
			let mut out = Vec::new();
			for msg in others {
				out.extend(theirs.encrypt_next(Payload { msg, aad }).unwrap());
			}
			out.extend(theirs.encrypt_last(Payload { msg, aad }).unwrap());
			assert_eq!(ours($suite, &key), out);
		};
	}

	#[test]
	fn sealing_is_the_stream_construction() {
		assert_equal_to_stream_be32!(Suite::Aes256Gcm, Aes256Gcm, 7);
		assert_equal_to_stream_be32!(Suite::XChaCha20Poly1305, XChaCha20Poly1305, 19);
	}

	#[test]
	fn wrong_lengths_and_tags_are_refused() {
		for suite in [Suite::Aes256Gcm, Suite::XChaCha20Poly1305] {
			let key = ObjectKey::from_bytes([5; 32]);
			let cipher = ChunkCipher::new(suite, &key, KIND, &SALT).unwrap();
			for len in [0, 4, 5, 20, 22, 100] {
				assert!(cipher.seal(0, true, b"plain", &mut vec![0; len]).is_err());
			}
			let mut sealed = [0; 21];
			cipher.seal(0, true, b"plain", &mut sealed).unwrap();
			let mut out = b"before ".to_vec();
			for len in 0..21 {
				assert!(cipher.open(0, true, &sealed[..len], &mut out).is_err());
			}
			assert!(cipher.open(1, true, &sealed, &mut out).is_err());
			assert!(cipher.open(0, false, &sealed, &mut out).is_err());
			assert_eq!(out, b"before ");
			cipher.open(0, true, &sealed, &mut out).unwrap();
			assert_eq!(out, b"before plain");
		}
	}
}
