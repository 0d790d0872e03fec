//! How a node shows that it is there: the beats it signs for its collectors, and what the chain is
//! told of them.
//!
//! Nodes are cut into pages of [`PAGE_NODES`] by their number. Each page has up to
//! [`MAX_COLLECTORS`] validators as collectors, see [`collectors_of`]. A node sends each of them a
//! [`SignedBeat`] every [`BEAT_MILLIS`] (or as often as its chain says); at the end of a window of
//! blocks each collector posts one [`PageReport`] with one byte per node. A node that is marked down
//! though it lives can post a [`LifeSign`] itself.

use crate::{Epoch, NodeIndex, NodeKey};
use alloc::vec::Vec;
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::cmp::Reverse;
use scale_info::TypeInfo;

/// Signature context of a beat.
pub const BEAT_CONTEXT: &[u8] = b"hippius/heartbeat/v1";
/// Signature context of a page report.
pub const REPORT_CONTEXT: &[u8] = b"hippius/heartbeat-page/v1";
/// Signature context of a direct sign of life.
pub const LIFE_CONTEXT: &[u8] = b"hippius/sign-of-life/v1";
/// Context of the draw of a page's collectors.
const COLLECTOR_CONTEXT: &[u8] = b"hippius/page-collector/v1";
/// Context of an inner node of the tree below a report's root.
const EVIDENCE_CONTEXT: &[u8] = b"hippius/heartbeat-evidence/v1";

/// Nodes of a page.
pub const PAGE_NODES: u32 = 256;
/// Most collectors of a page.
pub const MAX_COLLECTORS: usize = 9;
/// Milliseconds from one beat to the next on the main network.
pub const BEAT_MILLIS: u64 = 30_000;

/// A stretch of blocks over which beats are counted, numbered from block 0 on.
pub type Window = u32;
/// A page of nodes: node number / [`PAGE_NODES`].
pub type Page = u32;

/// The page of a node, and its place in the page.
pub const fn page_of(node: NodeIndex) -> (Page, usize) {
	(node / PAGE_NODES, (node % PAGE_NODES) as usize)
}

/// What a node says of itself with each beat.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Beat {
	/// Hash of the chain's block 0.
	pub genesis: [u8; 32],
	/// The node.
	pub node: NodeIndex,
	/// Greater than that of any beat this node signed before.
	pub seq: u64,
	/// Number of the best block its full node knows; says which window the beat belongs to.
	pub best: u32,
	/// Hash of that block, so that no beat can be signed ahead.
	pub best_hash: [u8; 32],
	/// The newest map the daemon holds.
	pub map_epoch: Epoch,
	/// Bytes it stores.
	pub used: u64,
	/// Bytes it has left.
	pub free: u64,
	/// The daemon's version: major, minor, patch.
	pub version: [u16; 3],
}

impl Beat {
	/// The bytes the node signs: the context, then blake3 of the SCALE encoding.
	pub fn payload(&self) -> Vec<u8> {
		prefixed(BEAT_CONTEXT, &self.encode())
	}
}

/// A beat with its node's signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct SignedBeat {
	/// What is said.
	pub beat: Beat,
	/// Ed25519 by the node's key over [`Beat::payload`].
	pub signature: [u8; 64],
}

/// One byte per node of a page, in order of their numbers; what is left out at the end is 0.
pub type BeatCounts = BoundedVec<u8, ConstU32<PAGE_NODES>>;

/// What a collector saw of a page in a window.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct PageReport {
	/// The window.
	pub window: Window,
	/// The page.
	pub page: Page,
	/// The collector's place in the window's list of validators.
	pub collector: u32,
	/// Beats seen of each node, at most those due in a window.
	pub counts: BeatCounts,
	/// [`evidence_root`] over the beats, to which the collector can be held.
	pub evidence: [u8; 32],
}

impl PageReport {
	/// The bytes the collector's session key signs: the context, then blake3 of the SCALE encoding of
	/// genesis hash and report.
	pub fn payload(&self, genesis: &[u8; 32]) -> Vec<u8> {
		prefixed(REPORT_CONTEXT, &(genesis, self).encode())
	}
}

/// What a node says to the chain when its collectors do not.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct LifeSign {
	/// The node.
	pub node: NodeIndex,
	/// The window it lives in.
	pub window: Window,
}

impl LifeSign {
	/// The bytes the node signs: the context, then blake3 of the SCALE encoding of genesis hash,
	/// anchor and sign. The anchor is the hash of the block before the window, so that no sign can be
	/// made ahead.
	pub fn payload(&self, genesis: &[u8; 32], anchor: &[u8; 32]) -> Vec<u8> {
		prefixed(LIFE_CONTEXT, &(genesis, anchor, self).encode())
	}
}

fn prefixed(context: &[u8], body: &[u8]) -> Vec<u8> {
	let mut payload = context.to_vec();
	payload.extend_from_slice(blake3::hash(body).as_bytes());
	payload
}

/// The collectors of a page: places in `validators` of the [`MAX_COLLECTORS`] with the highest hash
/// of (seed, page, key), the highest first. Rendezvous hashing: a validator that leaves changes only
/// the pages it collected, and nobody chooses his page, since the seed is drawn after the keys are
/// known.
pub fn collectors_of<K: AsRef<[u8]>>(seed: &[u8; 32], page: Page, validators: &[K]) -> Vec<u32> {
	let mut drawn: Vec<([u8; 32], u32)> = validators
		.iter()
		.zip(0..)
		.map(|(key, place)| {
			let mut hasher = blake3::Hasher::new();
			hasher.update(COLLECTOR_CONTEXT);
			hasher.update(seed);
			hasher.update(&page.to_le_bytes());
			hasher.update(key.as_ref());
			(*hasher.finalize().as_bytes(), place)
		})
		.collect();
	drawn.sort_unstable_by_key(|(hash, place)| (Reverse(*hash), *place));
	drawn.truncate(MAX_COLLECTORS);
	drawn.into_iter().map(|(_, place)| place).collect()
}

/// The root over what a collector can show for each node of a page: leaf `i` is blake3 over the SCALE
/// encoding of the counted [`SignedBeat`]s of the page's node `i`, missing leaves are zero.
pub fn evidence_root(leaves: &[[u8; 32]]) -> [u8; 32] {
	let mut level: Vec<[u8; 32]> = leaves.iter().copied().take(PAGE_NODES as usize).collect();
	level.resize(PAGE_NODES as usize, [0; 32]);
	while level.len() > 1 {
		level = level
			.chunks(2)
			.map(|pair| {
				let mut hasher = blake3::Hasher::new();
				hasher.update(EVIDENCE_CONTEXT);
				pair.iter().for_each(|child| {
					hasher.update(child);
				});
				*hasher.finalize().as_bytes()
			})
			.collect();
	}
	level.first().copied().unwrap_or_default()
}

/// The leaf of a node below [`evidence_root`].
pub fn evidence_leaf(beats: &[SignedBeat]) -> [u8; 32] {
	if beats.is_empty() {
		return [0; 32];
	}
	*blake3::hash(&beats.encode()).as_bytes()
}

/// Checks a beat's signature by the node's key. `verify` checks an Ed25519 signature: key, message,
/// signature.
pub fn verify_beat(
	signed: &SignedBeat,
	key: &NodeKey,
	verify: impl FnOnce(&[u8; 32], &[u8], &[u8; 64]) -> bool,
) -> bool {
	verify(&key.0, &signed.beat.payload(), &signed.signature)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	fn beat() -> Beat {
		Beat {
			genesis: [1; 32],
			node: 2,
			seq: 3,
			best: 4,
			best_hash: [5; 32],
			map_epoch: 6,
			used: 7,
			free: 8,
			version: [0, 1, 2],
		}
	}

	fn report() -> PageReport {
		PageReport {
			window: 1,
			page: 2,
			collector: 3,
			counts: alloc::vec![4; 5].try_into().unwrap(),
			evidence: [6; 32],
		}
	}

	fn keys(count: u8) -> Vec<[u8; 32]> {
		(0..count).map(|seed| [seed; 32]).collect()
	}

	#[test]
	fn every_field_of_a_beat_is_signed() {
		let base = beat().payload();
		assert!(base.starts_with(BEAT_CONTEXT));
		#[rustfmt::skip]
		let others = [
			Beat { genesis: [9; 32], ..beat() },
			Beat { node: 9, ..beat() },
			Beat { seq: 9, ..beat() },
			Beat { best: 9, ..beat() },
			Beat { best_hash: [9; 32], ..beat() },
			Beat { map_epoch: 9, ..beat() },
			Beat { used: 9, ..beat() },
			Beat { free: 9, ..beat() },
			Beat { version: [9; 3], ..beat() },
		];
		assert!(others.iter().all(|other| other.payload() != base));
		// Small enough to be sent often.
		let signed = SignedBeat {
			beat: beat(),
			signature: [0; 64],
		};
		assert!(signed.encoded_size() <= 200);
	}

	#[test]
	fn every_field_of_a_report_is_signed() {
		let base = report().payload(&[1; 32]);
		assert!(base.starts_with(REPORT_CONTEXT));
		#[rustfmt::skip]
		let others = [
			PageReport { window: 9, ..report() },
			PageReport { page: 9, ..report() },
			PageReport { collector: 9, ..report() },
			PageReport { counts: Default::default(), ..report() },
			PageReport { evidence: [9; 32], ..report() },
		];
		assert!(others.iter().all(|other| other.payload(&[1; 32]) != base));
		assert_ne!(report().payload(&[2; 32]), base);
	}

	#[test]
	fn every_field_of_a_sign_of_life_is_signed() {
		let sign = LifeSign { node: 1, window: 2 };
		let base = sign.payload(&[1; 32], &[2; 32]);
		assert!(base.starts_with(LIFE_CONTEXT));
		assert_ne!(base, sign.payload(&[9; 32], &[2; 32]));
		assert_ne!(base, sign.payload(&[1; 32], &[9; 32]));
		assert_ne!(
			base,
			LifeSign { node: 9, ..sign }.payload(&[1; 32], &[2; 32])
		);
		assert_ne!(
			base,
			LifeSign { window: 9, ..sign }.payload(&[1; 32], &[2; 32])
		);
	}

	#[test]
	fn a_beat_is_checked_with_the_nodes_key() {
		let signed = SignedBeat {
			beat: beat(),
			signature: [7; 64],
		};
		let asked = |key: &[u8; 32], message: &[u8], signature: &[u8; 64]| {
			*key == [3; 32] && message == beat().payload() && *signature == [7; 64]
		};
		assert!(verify_beat(&signed, &NodeKey([3; 32]), asked));
		assert!(!verify_beat(&signed, &NodeKey([4; 32]), asked));
	}

	#[test]
	fn a_longer_report_does_not_decode() {
		let long = (1u32, 2u32, 3u32, alloc::vec![0u8; 257], [0u8; 32]).encode();
		assert!(PageReport::decode(&mut &long[..]).is_err());
		let full = (1u32, 2u32, 3u32, alloc::vec![0u8; 256], [0u8; 32]).encode();
		assert!(PageReport::decode(&mut &full[..]).is_ok());
	}

	#[test]
	fn few_validators_collect_every_page() {
		for count in 0..=9 {
			let mut collectors = collectors_of(&[1; 32], 7, &keys(count));
			collectors.sort_unstable();
			assert_eq!(collectors, (0..u32::from(count)).collect::<Vec<_>>());
		}
		assert_eq!(collectors_of(&[1; 32], 7, &keys(100)).len(), MAX_COLLECTORS);
	}

	#[test]
	fn the_draw_is_as_it_was() {
		// A change here is a change of the protocol.
		assert_eq!(
			collectors_of(&[1; 32], 0, &keys(20)),
			[3, 2, 1, 0, 18, 17, 15, 8, 11]
		);
	}

	#[test]
	fn pages_and_hours_are_spread_over_the_validators() {
		let keys = keys(50);
		let mut load = [0u32; 50];
		for page in 0..500 {
			for collector in collectors_of(&[1; 32], page, &keys) {
				load[collector as usize] += 1;
			}
		}
		// 90 pages each on average.
		assert!(
			load.iter().all(|pages| (55..=130).contains(pages)),
			"{load:?}"
		);
		let kept = collectors_of(&[1; 32], 0, &keys)
			.into_iter()
			.filter(|collector| collectors_of(&[2; 32], 0, &keys).contains(collector))
			.count();
		assert!(kept < MAX_COLLECTORS);
	}

	#[test]
	fn evidence_depends_on_every_leaf() {
		let empty = evidence_root(&[]);
		assert_eq!(empty, evidence_root(&[[0; 32]; 256]));
		for place in [0, 1, 128, 255] {
			let mut leaves = [[0; 32]; 256];
			leaves[place] = [1; 32];
			assert_ne!(evidence_root(&leaves), empty);
		}
		assert_eq!(evidence_leaf(&[]), [0; 32]);
	}

	proptest! {
		#![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

		/// One validator's leaving changes only the pages it collected, each by one.
		#[test]
		fn a_leaving_validator_moves_only_its_own_pages(seed: [u8; 32], page: u32, leaving in 0u8..30) {
			let all = keys(30);
			let rest: Vec<_> = all.iter().copied().filter(|key| *key != [leaving; 32]).collect();
			let named = |keys: &[[u8; 32]]| collectors_of(&seed, page, keys)
				.into_iter()
				.map(|place| keys[place as usize])
				.collect::<Vec<_>>();
			let (before, after) = (named(&all), named(&rest));
			if before.contains(&[leaving; 32]) {
				prop_assert_eq!(before.iter().filter(|key| after.contains(key)).count(), 8);
			} else {
				prop_assert_eq!(before, after);
			}
		}
	}
}
