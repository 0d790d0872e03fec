//! QUIC transport between Arion nodes: raw Ed25519 identities and the shard protocol.
//!
//! A [`Grid`] is one UDP socket. It dials peers by their [`NodeKey`](hippius_primitives::NodeKey)
//! and, after [`Grid::serve`], answers theirs through a [`ShardService`]. Both sides show a raw
//! Ed25519 public key (RFC 7250) in TLS 1.3 and prove it; a dial to the wrong key fails. There are
//! no certificates, no session tickets and no 0-RTT data.
//!
//! ```no_run
//! # use std::{sync::Arc, net::SocketAddr};
//! # use arion_grid::{Grid, GridConfig, GridError, Identity};
//! # use hippius_primitives::{NodeKey, ShardId};
//! # async fn run(miner: NodeKey, address: SocketAddr, shard: ShardId)
//! #     -> Result<(), Box<dyn std::error::Error>> {
//! let identity = Arc::new(Identity::generate()?);
//! let grid = Grid::bind("0.0.0.0:0".parse()?, identity, GridConfig::default())?;
//! let peer = grid.peer(miner, vec![address]);
//! let bytes = peer.get(shard, 1 << 20).await?;
//! # let _ = bytes;
//! grid.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! What is guaranteed:
//! - bytes that [`Peer::get`] and [`Peer::get_range`] return are those of the shard that was asked
//!   for, verified in groups of 16 KiB as they arrive; a lie ends the transfer at its group;
//! - a stripe's description from [`Peer::stripe`] hashes to the stripe id that was asked for;
//! - [`Peer::put`] returns only after the other side's service said the shard is stored;
//! - a transfer that broke off never looks like a short success: senders reset, receivers check
//!   length and hash;
//! - every queue, buffer and wait is bounded by [`GridConfig`].

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod config;
mod endpoint;
mod error;
mod identity;
mod listing;
mod observe;
mod path;
mod peer;
mod pool;
mod punch;
mod rekey;
mod relay;
mod serve;
mod service;
mod socket;
mod stream;
mod tls;
mod transfer;
mod wire;

#[cfg(test)]
mod tests;

pub use config::GridConfig;
pub use endpoint::Grid;
pub use error::{DialCause, DialFailure, GridError};
pub use futures_util::future::BoxFuture;
pub use hippius_primitives::RelayAddress;
pub use identity::{verify, Identity, IdentityError};
pub use listing::{Listed, Listing, MAX_LISTED};
pub use observe::{Nat, NatKind};
pub use path::{PathCounts, PathKind, PeerPath, Reach};
pub use peer::Peer;
pub use punch::PunchStats;
pub use relay::{RelayState, RelayStatus};
pub use serve::ServeStats;
pub use service::{Extract, PutAck, ServiceError, ShardService};
pub use transfer::{Progress, Traffic, TransferStats};
pub use wire::{Status, ALPN, MAX_BATCHES, MAX_FRAME, MAX_HAS, PROTOCOL_VERSION};
