//! Where collectors of heartbeats listen, and what a validator's service, its offchain worker and the
//! miner daemons hand each other for them.

use crate::{
	heartbeat::{BeatCounts, Page, Window},
	NodeAddress, NodeKey,
};
use alloc::vec::Vec;
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Signature context of an [`Endpoint`].
pub const ENDPOINT_CONTEXT: &[u8] = b"hippius/collector-endpoint/v1";
/// Most addresses of a collector.
pub const MAX_COLLECTOR_ADDRESSES: u32 = 4;

/// Path of a daemon's control API to which [`BeatOrder`]s are posted.
pub const BEAT_PATH: &str = "/v1/beat";
/// Largest body of a [`BeatOrder`], in bytes: some 700 validators with four relays each, or 3000 with
/// one UDP address.
pub const MAX_BEAT_ORDER: usize = 256 * 1024;

/// Key in a validator's persistent offchain storage under which its service leaves the
/// [`LocalEndpoint`] of its collector.
pub const ENDPOINT_STORAGE_KEY: &[u8] = b"hippius::collector-endpoint";
/// Start of the keys under which the service leaves [`PageCounts`], see [`counts_key`].
pub const COUNTS_STORAGE_PREFIX: &[u8] = b"hippius::collector-counts";

/// The addresses of a collector.
pub type CollectorAddresses = BoundedVec<NodeAddress, ConstU32<MAX_COLLECTOR_ADDRESSES>>;

/// Where a collector listens.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Endpoint {
	/// Its key on the network.
	pub key: NodeKey,
	/// Where it is reached.
	pub addresses: CollectorAddresses,
	/// Number of the block after which this was signed; greater than that of any endpoint the
	/// collector announced before.
	pub sequence: u32,
}

impl Endpoint {
	/// The bytes the collector's session key `collector` signs: the context, then blake3 of the SCALE
	/// encoding of genesis hash, key and endpoint.
	pub fn payload(&self, genesis: &[u8; 32], collector: &[u8]) -> Vec<u8> {
		let body = (genesis, collector, self).encode();
		let mut payload = ENDPOINT_CONTEXT.to_vec();
		payload.extend_from_slice(blake3::hash(&body).as_bytes());
		payload
	}
}

/// Where this node's own collector listens, as its service says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LocalEndpoint {
	/// Its key on the network.
	pub key: NodeKey,
	/// Where others reach it.
	pub addresses: CollectorAddresses,
}

/// What this node's own collector counted of a page in a window that is over.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PageCounts {
	/// Beats seen of each node.
	pub counts: BeatCounts,
	/// The root over them, see [`evidence_root`](crate::heartbeat::evidence_root).
	pub evidence: [u8; 32],
}

/// Where the [`PageCounts`] of a page and window are in offchain storage.
pub fn counts_key(window: Window, page: Page) -> Vec<u8> {
	let mut key = COUNTS_STORAGE_PREFIX.to_vec();
	key.extend_from_slice(&window.to_le_bytes());
	key.extend_from_slice(&page.to_le_bytes());
	key
}

/// What a miner daemon needs to send a beat, as its full node knows the chain.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BeatOrder {
	/// Hash of the chain's block 0.
	pub genesis: [u8; 32],
	/// Number of a block of the best chain: the parent of the newest one.
	pub best: u32,
	/// Hash of that block.
	pub best_hash: [u8; 32],
	/// Blocks of a window.
	pub window_blocks: u32,
	/// Beats due in a window.
	pub beats_per_window: u8,
	/// Seed of the draw of collectors in the newest block's window.
	pub seed: [u8; 32],
	/// Keys of the validators among whom collectors are drawn.
	pub validators: Vec<Vec<u8>>,
	/// Where each of them listens, if it said.
	pub endpoints: Vec<Option<Endpoint>>,
}

/// What a validator's service needs to know of a window.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct WindowDraw {
	/// Seed of the draw of collectors.
	pub seed: [u8; 32],
	/// Keys of the validators among whom they are drawn.
	pub validators: Vec<Vec<u8>>,
	/// Pages there are now.
	pub pages: u32,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
	use super::*;
	use core::net::SocketAddr;

	fn endpoint() -> Endpoint {
		let address: SocketAddr = "127.0.0.1:5".parse().unwrap();
		Endpoint {
			key: NodeKey([1; 32]),
			addresses: alloc::vec![address.into()].try_into().unwrap(),
			sequence: 7,
		}
	}

	#[test]
	fn every_field_of_an_endpoint_is_signed() {
		let base = endpoint().payload(&[1; 32], &[2; 32]);
		assert!(base.starts_with(ENDPOINT_CONTEXT));
		#[rustfmt::skip]
		let others = [
			Endpoint { key: NodeKey([9; 32]), ..endpoint() },
			Endpoint { addresses: Default::default(), ..endpoint() },
			Endpoint { sequence: 9, ..endpoint() },
		];
		assert!(others
			.iter()
			.all(|other| other.payload(&[1; 32], &[2; 32]) != base));
		assert_ne!(endpoint().payload(&[9; 32], &[2; 32]), base);
		assert_ne!(endpoint().payload(&[1; 32], &[9; 32]), base);
		// What stands beside the key cannot be moved into it.
		assert_ne!(endpoint().payload(&[1; 32], &[2; 33]), base);
	}

	#[test]
	fn more_addresses_do_not_decode() {
		let mut long = endpoint();
		for _ in 0..3 {
			let address = long.addresses[0].clone();
			long.addresses.try_push(address).unwrap();
		}
		assert!(Endpoint::decode(&mut &long.encode()[..]).is_ok());
		let five: Vec<NodeAddress> = (0..5).map(|_| long.addresses[0].clone()).collect();
		let bytes = (long.key, five, 1u32).encode();
		assert!(Endpoint::decode(&mut &bytes[..]).is_err());
	}

	#[test]
	fn counts_have_a_place_of_their_own() {
		assert_ne!(counts_key(1, 2), counts_key(2, 1));
		assert!(counts_key(1, 2).starts_with(COUNTS_STORAGE_PREFIX));
	}

	#[test]
	fn a_large_order_fits() {
		let order = BeatOrder {
			genesis: [0; 32],
			best: 1,
			best_hash: [0; 32],
			window_blocks: 100,
			beats_per_window: 20,
			seed: [0; 32],
			validators: alloc::vec![alloc::vec![0; 32]; 700],
			endpoints: alloc::vec![Some(Endpoint {
				key: NodeKey([0; 32]),
				addresses: (0..4)
					.map(|_| crate::RelayAddress::new(&"a".repeat(60), 1, true).unwrap().into())
					.collect::<Vec<_>>()
					.try_into()
					.unwrap(),
				sequence: 1,
			}); 700],
		};
		assert!(order.encoded_size() <= MAX_BEAT_ORDER);
	}
}
