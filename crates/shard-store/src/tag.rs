//! For whom a shard was stored: kept behind its meta.

use codec::{Decode, DecodeAll, Encode};
use hippius_primitives::{NodeKey, ShardMeta};

/// First byte of a tag. A record without one ends with its meta.
const VERSION: u8 = 1;

/// Who let a shard be stored, and who pays for it. Only that issuer may have it deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Tag {
	/// The key that signed the permit.
	pub issuer: NodeKey,
	/// The account that pays.
	pub owner: [u8; 32],
}

/// The meta of a record.
pub(crate) fn encode(meta: &ShardMeta, tag: Option<&Tag>) -> Vec<u8> {
	let mut bytes = meta.encode();
	if let Some(tag) = tag {
		bytes.push(VERSION);
		tag.encode_to(&mut bytes);
	}
	bytes
}

/// Reads the meta of a record, with its tag if it has one.
pub(crate) fn decode(mut bytes: &[u8]) -> Option<(ShardMeta, Option<Tag>)> {
	let meta = ShardMeta::decode(&mut bytes).ok()?;
	match bytes.split_first() {
		None => Some((meta, None)),
		Some((&VERSION, mut rest)) => Some((meta, Some(Tag::decode_all(&mut rest).ok()?))),
		Some(_) => None,
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use hippius_primitives::ShardId;

	#[test]
	fn metas_with_and_without_a_tag_read_back() {
		let meta = ShardMeta::new([ShardId([7; 32]); 30], 4).unwrap();
		let tag = Tag {
			issuer: NodeKey([1; 32]),
			owner: [2; 32],
		};
		assert_eq!(decode(&encode(&meta, None)), Some((meta.clone(), None)));
		let tagged = encode(&meta, Some(&tag));
		assert_eq!(decode(&tagged), Some((meta.clone(), Some(tag))));
		// Records written before there were tags.
		assert_eq!(decode(&meta.encode()), Some((meta, None)));
		for len in 0..tagged.len() {
			let known = decode(&tagged[..len]);
			assert!(known.is_none_or(|(_, tag)| tag.is_none() && len == tagged.len() - 65));
		}
		assert_eq!(decode(&[&tagged[..], &[0]].concat()), None);
		let mut other = tagged.clone();
		other[tagged.len() - 65] = 2;
		assert_eq!(decode(&other), None);
	}
}
