//! What a downloader reads: root stripes, manifests, references, links. One byte says which.

use crate::Input;
use arion_object::{
	encode_stripe, read_root, Link, Manifest, ManifestBuilder, ObjectId, ObjectKey, StripeSealer,
	Suite,
};
use codec::{DecodeAll, Encode};
use hippius_primitives::ShardMeta;
use std::{str::FromStr, sync::OnceLock};

const KEY: [u8; 32] = [9; 32];

/// Reads.
pub fn run(data: &[u8]) {
	let mut input = Input(data);
	match input.u8() % 4 {
		0 => {
			if let Ok(manifest) = read_root(input.0, &ObjectKey::from_bytes(KEY)) {
				// Only the key's owner can have made it: a seed, of this run or an earlier one.
				assert_eq!((manifest.size(), manifest.name()), (3000, "a name"));
				assert_eq!(manifest.content_type(), "text/plain");
				assert_eq!(manifest.stripe_count(), 1);
			}
		}
		1 => manifest(input),
		2 => {
			let text = String::from_utf8_lossy(input.0);
			if let Ok(link) = Link::from_str(&text) {
				assert_eq!(Link::from_str(&link.to_string()).as_ref(), Ok(&link));
			}
			if let Ok(id) = ObjectId::from_str(&text) {
				assert_eq!(ObjectId::from_str(&id.to_string()), Ok(id));
			}
		}
		_ => {
			if let Ok(meta) = ShardMeta::decode_all(&mut input.0) {
				let _ = (meta.is_consistent(), meta.shard());
			}
		}
	}
}

/// A manifest that nobody checked.
fn manifest(mut input: Input) {
	let (level, first, cut) = (input.u8(), input.u32(), usize::from(input.u16()));
	let refs = input.take(cut);
	let Ok(manifest) = Manifest::decode_all(&mut input.0) else {
		return;
	};
	let _ = (manifest.name().len(), manifest.content_type().len());
	let _ = (manifest.size(), manifest.stripe_count(), manifest.level());
	let _ = manifest.parse_refs(level, first, refs);
	if let Ok(layout) = manifest.layout(level) {
		let _ = (layout.stripes(), layout.sealed_len(first));
		let size = manifest.size();
		for range in [0..size, size / 2..size, size..u64::MAX] {
			let _ = layout.pieces(range).map(|pieces| pieces.take(100).count());
		}
	}
	if let Ok(opener) = manifest.opener(&ObjectKey::from_bytes(KEY), level) {
		let _ = opener.open_stripe(first, refs);
		let _ = opener.open_range(first, refs, cut / 2..cut);
		if let Ok(plan) = opener.plan_range(first, cut / 2..cut) {
			assert!(plan.shard_parts().len() <= 10);
			let _ = opener.open_part(&plan, refs);
		}
	}
	for reference in manifest.stripes().iter().take(3) {
		let _ = reference.meta(level).map(|meta| meta.is_consistent());
	}
}

fn roots() -> &'static [(Vec<u8>, Manifest)] {
	static ROOTS: OnceLock<Vec<(Vec<u8>, Manifest)>> = OnceLock::new();
	ROOTS.get_or_init(|| {
		[Suite::Aes256Gcm, Suite::XChaCha20Poly1305]
			.into_iter()
			.map(|suite| {
				let key = ObjectKey::from_bytes(KEY);
				let mut sealer = StripeSealer::new(suite, &key).unwrap();
				let mut builder =
					ManifestBuilder::new(&sealer, &key, "a name", "text/plain").unwrap();
				let sealed = sealer.seal_next(&[5; 3000], true).unwrap();
				let stripe = encode_stripe(&sealed.bytes).unwrap();
				builder.push(stripe.reference(1)).unwrap();
				builder.close(sealer.size()).unwrap();
				let root = builder.seal_root().unwrap();
				let manifest = read_root(&root, &key).unwrap();
				(root, manifest)
			})
			.collect()
	})
}

/// Honest roots, manifests and links.
pub fn seeds() -> Vec<Vec<u8>> {
	let mut seeds = Vec::new();
	for (root, manifest) in roots() {
		let mut seed = vec![0];
		seed.extend_from_slice(root);
		seeds.push(seed);
		let refs = manifest.stripes()[0].encode();
		let mut seed = (1u8, 0u8, 0u32, refs.len() as u16).encode();
		seed.extend_from_slice(&refs);
		manifest.encode_to(&mut seed);
		seeds.push(seed);
	}
	let link = Link {
		id: ObjectId(roots()[0].1.stripes()[0].id()),
		key: ObjectKey::from_bytes(KEY),
	};
	for text in [link.to_string(), link.id.to_string()] {
		let mut seed = vec![2];
		seed.extend_from_slice(text.as_bytes());
		seeds.push(seed);
	}
	let meta = roots()[0].1.stripes()[0].meta(4);
	seeds.push((3u8, meta.unwrap()).encode());
	seeds
}
