//! A network in memory, and put and get over it as a gateway does them.
#![allow(clippy::unwrap_used, dead_code)]

use arion_object::*;
use hippius_primitives::{ShardId, StripeId, TOTAL_SHARDS};
use std::collections::HashMap;
use std::ops::Range;

/// Deterministic bytes.
pub(crate) fn bytes(len: usize, seed: u64) -> Vec<u8> {
	let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
	let mut out = Vec::with_capacity(len + 8);
	while out.len() < len {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		out.extend_from_slice(&state.to_le_bytes());
	}
	out.truncate(len);
	out
}

/// Shards by id, stripes by id, and which slots are gone.
#[derive(Default)]
pub(crate) struct Network {
	pub(crate) shards: HashMap<ShardId, Vec<u8>>,
	pub(crate) stripes: HashMap<StripeId, [ShardId; TOTAL_SHARDS]>,
	pub(crate) lost: Vec<usize>,
	pub(crate) shards_read: std::cell::Cell<usize>,
}

impl Network {
	pub(crate) fn store(&mut self, sealed: &[u8]) -> EncodedStripe {
		let encoded = encode_stripe(sealed).unwrap();
		for (id, shard) in encoded.ids.iter().zip(&encoded.shards) {
			self.shards.insert(*id, shard.to_vec());
		}
		self.stripes.insert(encoded.stripe, encoded.ids);
		encoded
	}

	pub(crate) fn put(
		&mut self,
		source: &[u8],
		suite: Suite,
		name: &str,
		root_refs: usize,
	) -> Link {
		let key = ObjectKey::generate().unwrap();
		let mut sealer = StripeSealer::new(suite, &key).unwrap();
		let mut builder = ManifestBuilder::new(&sealer, &key, name, "")
			.unwrap()
			.with_root_refs(root_refs);
		let mut cutter = Cutter::new();
		for mut piece in source.chunks(1_000_000) {
			while let Some(plain) = cutter.push(&mut piece) {
				let sealed = sealer.seal_next(&plain, false).unwrap();
				builder
					.push(self.store(&sealed.bytes).reference(1))
					.unwrap();
				self.store_index(&mut builder);
			}
		}
		let sealed = sealer.seal_next(&cutter.finish(), true).unwrap();
		builder
			.push(self.store(&sealed.bytes).reference(1))
			.unwrap();
		builder.close(sealer.size()).unwrap();
		self.store_index(&mut builder);
		let root = self.store(&builder.seal_root().unwrap());
		Link {
			id: ObjectId(root.stripe),
			key,
		}
	}

	pub(crate) fn store_index(&mut self, builder: &mut ManifestBuilder) {
		while let Some(index) = builder.next_index().unwrap() {
			let stored = self.store(&index.sealed.bytes).reference(1);
			builder.push_index(index.level, stored).unwrap();
		}
	}

	pub(crate) fn fetch(&self, ids: &[ShardId; TOTAL_SHARDS]) -> Vec<Option<&Vec<u8>>> {
		let slots = ids.iter().enumerate();
		slots
			.map(|(slot, id)| self.shards.get(id).filter(|_| !self.lost.contains(&slot)))
			.collect()
	}

	pub(crate) fn manifest(&self, link: &Link) -> Result<Manifest, Box<dyn std::error::Error>> {
		let root = decode_root(
			&self.stripes[&link.id.0],
			&self.fetch(&self.stripes[&link.id.0]),
		)?;
		Ok(read_root(&root, &link.key)?)
	}

	pub(crate) fn get(&self, link: &Link) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
		let manifest = self.manifest(link)?;
		self.read(&manifest, &link.key, 0, 0..manifest.size())
	}

	pub(crate) fn get_range(
		&self,
		link: &Link,
		range: Range<u64>,
	) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
		self.read(&self.manifest(link)?, &link.key, 0, range)
	}

	/// Bytes of the stream of a level.
	pub(crate) fn read(
		&self,
		manifest: &Manifest,
		key: &ObjectKey,
		level: u8,
		range: Range<u64>,
	) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
		let opener = manifest.opener(key, level)?;
		let mut out = Vec::new();
		for piece in opener.layout().pieces(range).ok_or("bad range")? {
			let stripe = piece.stripe;
			let reference = self.reference(manifest, key, level, stripe)?;
			let plan = opener.plan_range(stripe, piece.range.clone())?;
			let shards = self.fetch(&reference.shards);
			let parts: Option<Vec<&[u8]>> = plan
				.shard_parts()
				.into_iter()
				.map(|part| shards[usize::from(part.slot)].map(|shard| &shard[part.range]))
				.collect();
			match parts {
				Some(parts) => {
					self.shards_read.set(self.shards_read.get() + parts.len());
					out.extend(opener.open_part(&plan, &parts.concat())?);
				}
				None => {
					let sealed = decode_stripe(&reference, &shards)?;
					out.extend(opener.open_range(stripe, &sealed, piece.range)?);
				}
			}
		}
		Ok(out)
	}

	fn reference(
		&self,
		manifest: &Manifest,
		key: &ObjectKey,
		level: u8,
		stripe: u32,
	) -> Result<StripeRef, Box<dyn std::error::Error>> {
		if level == manifest.level() {
			return Ok(manifest.stripes()[stripe as usize].clone());
		}
		let range = Manifest::refs_range(stripe..stripe + 1);
		let bytes = self.read(manifest, key, level + 1, range)?;
		Ok(manifest.parse_refs(level, stripe, &bytes)?.remove(0))
	}
}
