//! The root stripe: a header in the clear and the sealed manifest.
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | magic `ARIONOBJ` |
//! | 8 | version, 1 |
//! | 9 | cipher suite |
//! | 10..26 | salt of the manifest's stream |
//! | 26..58 | commitment to the object key |
//! | 58..62 | length of the manifest before sealing, little endian |
//! | 62.. | the sealed manifest, then zeros up to ten shards |

use crate::{
	layout::sealed_len, Layout, Manifest, ManifestError, ObjectKey, RootError, Salt, SealError,
	StreamKind, StripeOpener, StripeSealer, Suite, STRIPE_PLAIN,
};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use codec::Encode;
use hippius_primitives::coding::{shard_len, DATA_SHARDS, STRIPE_LEN};

const MAGIC: &[u8; 8] = b"ARIONOBJ";
const VERSION: u8 = 1;
const HEADER_LEN: usize = 62;

/// Seals a manifest into the bytes of a root stripe.
pub(crate) fn seal_root(manifest: &Manifest, key: &ObjectKey) -> Result<Vec<u8>, ManifestError> {
	let plain = manifest.encode();
	let suite = manifest.suite();
	let mut sealer = StripeSealer::for_stream(suite, key, StreamKind::Manifest)?;
	let salt = sealer.salt();
	let too_long = SealError::TooLong {
		stripe: 0,
		len: plain.len(),
	};
	if HEADER_LEN + sealed_len(plain.len()) > STRIPE_LEN {
		return Err(too_long.into());
	}
	let len = u32::try_from(plain.len()).map_err(|_| too_long)?;
	let sealed = sealer.seal_next(&plain, true)?;
	let mut root = Vec::with_capacity(HEADER_LEN + sealed.bytes.len());
	root.extend_from_slice(MAGIC);
	root.extend_from_slice(&[VERSION, suite.id()]);
	root.extend_from_slice(&salt.0);
	root.extend_from_slice(&key.commitment(suite, &salt));
	root.extend_from_slice(&len.to_le_bytes());
	root.extend_from_slice(&sealed.bytes);
	Ok(root)
}

/// Opens a root stripe, with or without its padding, and checks the manifest in it. The key is
/// checked against the header's commitment before anything is decrypted.
///
/// # Errors
/// [`RootError::NotARoot`], [`RootError::Version`] or [`RootError::Suite`] if this is something
/// else, [`RootError::WrongKey`] if the key does not belong to it, any other if it was altered or
/// made by a broken program.
pub fn read_root(bytes: &[u8], key: &ObjectKey) -> Result<Manifest, RootError> {
	let (header, rest) = bytes
		.split_first_chunk::<HEADER_LEN>()
		.ok_or(RootError::NotARoot)?;
	let header = Header::parse(header)?;
	let commitment = key.commitment(header.suite, &header.salt);
	verify_slices_are_equal(&commitment, &header.commitment).map_err(|_| RootError::WrongKey)?;

	let plain_len = header.manifest_len as usize;
	// A length no root has is told before it is used to compute others.
	let sealed = if plain_len <= STRIPE_PLAIN {
		sealed_len(plain_len)
	} else {
		STRIPE_LEN
	};
	let need = HEADER_LEN + sealed;
	let padded = shard_len(need).map(|len| len * DATA_SHARDS);
	if bytes.len() != need && padded != Some(bytes.len()) {
		return Err(RootError::Length {
			have: bytes.len(),
			need,
		});
	}
	let wrong_length = RootError::Length {
		have: bytes.len(),
		need,
	};
	let (sealed, padding) = rest.split_at_checked(sealed).ok_or(wrong_length)?;
	if padding.iter().any(|byte| *byte != 0) {
		return Err(RootError::Padding);
	}
	let layout = Layout::new(plain_len as u64).ok_or(RootError::NotARoot)?;
	let opener = StripeOpener::new(
		header.suite,
		key,
		StreamKind::Manifest,
		&header.salt,
		layout,
	)?;
	Ok(Manifest::decode_checked(&opener.open_stripe(0, sealed)?)?)
}

struct Header {
	suite: Suite,
	salt: Salt,
	commitment: [u8; 32],
	manifest_len: u32,
}

impl Header {
	fn parse(bytes: &[u8; HEADER_LEN]) -> Result<Self, RootError> {
		let mut rest = &bytes[..];
		if take(&mut rest) != *MAGIC {
			return Err(RootError::NotARoot);
		}
		let [version, suite] = take(&mut rest);
		if version != VERSION {
			return Err(RootError::Version(version));
		}
		Ok(Self {
			suite: Suite::from_id(suite).ok_or(RootError::Suite(suite))?,
			salt: Salt(take(&mut rest)),
			commitment: take(&mut rest),
			manifest_len: u32::from_le_bytes(take(&mut rest)),
		})
	}
}

/// Takes the next field off the header, whose length is that of all its fields.
fn take<const LEN: usize>(rest: &mut &[u8]) -> [u8; LEN] {
	let mut field = [0; LEN];
	let (bytes, after) = rest.split_at(LEN);
	field.copy_from_slice(bytes);
	*rest = after;
	field
}
