//! Types, constants and signing payloads shared by the Hippius chain and the daemons around it.
//!
//! Everything here is `no_std`, SCALE encoded, and changes only together with a version byte or a
//! new signature context, because chain, miners, gateways and clients all agree on it byte for byte.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

pub mod audit;
pub mod coding;
pub mod collector;
pub mod daemon;
pub mod heartbeat;
pub mod id;
pub mod ledger;
pub mod money;
pub mod net;
pub mod permit;
pub mod receipt;
pub mod registration;
pub mod shard;
pub mod traits;
pub mod tree;

pub use coding::{DATA_SHARDS, PARITY_SHARDS, TOTAL_SHARDS, WRITE_QUORUM};
pub use id::{Epoch, NodeIndex, NodeKey, Pg, ShardId, StripeId};
pub use net::{NodeAddress, RelayAddress};
pub use shard::ShardMeta;

/// One alpha in rao, the smallest unit (9 decimals, as on Bittensor).
pub const ALPHA: u128 = 1_000_000_000;

/// The SS58 address prefix of the chain.
pub const SS58_PREFIX: u16 = 42;

/// The token symbol wallets show.
pub const TOKEN_SYMBOL: &str = "ALPHA";

/// Decimals of the token.
pub const TOKEN_DECIMALS: u8 = 9;
