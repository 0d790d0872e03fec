//! What a node signs to be registered, and what the registry keeps of it.

use crate::{NodeAddress, NodeIndex, NodeKey};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

/// Signature context of a registration proof.
pub const REGISTER_CONTEXT: &[u8] = b"hippius/register-node/v1";
/// Signature context of a key rotation proof, signed by the new key.
pub const ROTATE_CONTEXT: &[u8] = b"hippius/rotate-node-key/v1";

/// Longest host name, in bytes.
pub const MAX_HOST_LEN: u32 = 64;
/// Most addresses of a node.
pub const MAX_ADDRESSES: u32 = 4;

/// What an operator declares of a node. Plain vectors, so that the chain can refuse over-long ones
/// with an error that names the field.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct NodeParams {
	/// Placement zone, one of the zones the cluster map knows.
	pub zone: u8,
	/// Name of the machine, unique within the family: nodes of one host fail together. UTF-8, at
	/// most [`MAX_HOST_LEN`] bytes, not empty.
	pub host: Vec<u8>,
	/// Bytes the node commits to hold.
	pub capacity: u64,
	/// Where the node is reached, best first; at least one, at most [`MAX_ADDRESSES`], at most
	/// [`MAX_RELAYS`](crate::net::MAX_RELAYS) of them relays.
	pub addresses: Vec<NodeAddress>,
}

/// Shows that the holder of the node key agrees to this registration, once, on this chain.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct KeyProof {
	/// Hash of the chain's block 0.
	pub genesis: [u8; 32],
	/// Must equal the number of proofs of this key the chain has accepted so far.
	pub sequence: u32,
	/// Last block at which the proof may be used.
	pub valid_until: u32,
	/// Ed25519 signature by the node key over [`registration_payload`] or [`rotation_payload`].
	pub signature: [u8; 64],
}

/// The bytes a node key signs to be registered: blake3 of the SCALE encoding of
/// `(context, genesis, family, node_key, params, sequence, valid_until)`, prefixed by the context.
pub fn registration_payload(
	genesis: &[u8; 32],
	family: &[u8; 32],
	node_key: &NodeKey,
	params: &NodeParams,
	sequence: u32,
	valid_until: u32,
) -> Vec<u8> {
	let body = (genesis, family, node_key, params, sequence, valid_until).encode();
	prefixed(REGISTER_CONTEXT, &body)
}

/// The bytes the *new* key signs when a node's key is rotated.
pub fn rotation_payload(
	genesis: &[u8; 32],
	family: &[u8; 32],
	node: NodeIndex,
	new_key: &NodeKey,
	sequence: u32,
	valid_until: u32,
) -> Vec<u8> {
	let body = (genesis, family, node, new_key, sequence, valid_until).encode();
	prefixed(ROTATE_CONTEXT, &body)
}

fn prefixed(context: &[u8], body: &[u8]) -> Vec<u8> {
	let mut payload = context.to_vec();
	payload.extend_from_slice(blake3::hash(body).as_bytes());
	payload
}

/// A node's life.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	codec::MaxEncodedLen,
	TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum NodeStatus {
	/// Part of the next cluster map.
	#[codec(index = 0)]
	Active,
	/// Leaving: out of the next map, stake still held.
	#[codec(index = 1)]
	Draining,
	/// Failed audits: keeps its place in the map, but gets no new data until it has proved itself.
	#[codec(index = 2)]
	Jailed,
	/// Thrown out: out of the next map, what is left of its stake held until it is unbonded.
	#[codec(index = 3)]
	Evicted,
}

impl NodeStatus {
	/// Whether the next cluster map has the node.
	pub fn in_map(self) -> bool {
		matches!(self, Self::Active | Self::Jailed)
	}

	/// Whether the node is on its way out, so that its exit can be claimed one day.
	pub fn is_leaving(self) -> bool {
		matches!(self, Self::Draining | Self::Evicted)
	}
}

/// A registered node as daemons and clients see it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct NodeRecord {
	/// The node's number.
	pub index: NodeIndex,
	/// The operator's account.
	pub family: [u8; 32],
	/// The key the node is addressed by.
	pub key: NodeKey,
	/// The key that replaces it, while both are valid.
	pub next_key: Option<NodeKey>,
	/// What the operator declared.
	pub params: NodeParams,
	/// Where the node is in its life.
	pub status: NodeStatus,
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn every_field_of_a_registration_is_signed() {
		let params = NodeParams {
			zone: 1,
			host: b"rack-1".to_vec(),
			capacity: 5,
			addresses: alloc::vec![NodeAddress::V4 {
				ip: [127, 0, 0, 1],
				port: 4000
			}],
		};
		let key = NodeKey([3; 32]);
		let base = registration_payload(&[1; 32], &[2; 32], &key, &params, 0, 10);
		let others = [
			registration_payload(&[9; 32], &[2; 32], &key, &params, 0, 10),
			registration_payload(&[1; 32], &[9; 32], &key, &params, 0, 10),
			registration_payload(&[1; 32], &[2; 32], &NodeKey([9; 32]), &params, 0, 10),
			registration_payload(
				&[1; 32],
				&[2; 32],
				&key,
				&NodeParams {
					zone: 2,
					..params.clone()
				},
				0,
				10,
			),
			registration_payload(&[1; 32], &[2; 32], &key, &params, 1, 10),
			registration_payload(&[1; 32], &[2; 32], &key, &params, 0, 11),
			rotation_payload(&[1; 32], &[2; 32], 0, &key, 0, 10),
		];
		assert!(others.iter().all(|other| *other != base));
		assert!(base.starts_with(REGISTER_CONTEXT));
	}
}
