//! What the chain's offchain worker and a miner daemon say to each other over loopback HTTP.
//!
//! Bodies are SCALE (`application/octet-stream`), because one side runs inside the wasm runtime.

use crate::{registration::NodeRecord, Epoch};
use alloc::vec::Vec;
use codec::{Decode, Encode};

/// `GET` answers [`EpochState`], `POST` takes an [`EpochUpdate`] and answers [`EpochState`].
pub const EPOCH_PATH: &str = "/v1/epoch";
/// Largest body of an [`EpochUpdate`] a daemon takes, in bytes.
pub const MAX_EPOCH_UPDATE: usize = 16 * 1024 * 1024;
/// Largest answer the worker reads, in bytes.
pub const MAX_EPOCH_STATE: usize = 256;

/// Key in the node's persistent offchain storage under which the node's service leaves the
/// daemons given with `--arion-daemon`, as SCALE of `Vec<DaemonAccess>`.
pub const DAEMONS_STORAGE_KEY: &[u8] = b"hippius::arion-daemons";

/// How the worker reaches a daemon.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DaemonAccess {
	/// Base URL on loopback, without a trailing slash, e.g. `http://127.0.0.1:7070`.
	pub url: Vec<u8>,
	/// Bearer token.
	pub token: Vec<u8>,
}

/// A map epoch as handed to a daemon.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EpochUpdate {
	/// Hash of the chain's block 0; a daemon bound to another chain refuses.
	pub genesis: [u8; 32],
	/// The epoch of `map`.
	pub epoch: Epoch,
	/// blake2-256 of `map`, as kept on chain.
	pub map_hash: [u8; 32],
	/// SCALE of `arion_crush::cluster::ClusterMap`.
	pub map: Vec<u8>,
	/// Every node in the map.
	pub nodes: Vec<NodeRecord>,
}

/// What a daemon knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EpochState {
	/// Newest epoch the daemon holds, 0 if none.
	pub epoch: Epoch,
	/// The chain the daemon is bound to, all zero if none yet.
	pub genesis: [u8; 32],
}
