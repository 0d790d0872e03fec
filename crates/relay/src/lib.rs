//! A relay for Arion nodes that cannot be reached directly: behind NAT, or where UDP is blocked.
//!
//! It is [`iroh_relay`]'s server. What is added here is who may use it, and how much:
//! - [`admission`]: nodes registered on chain, and keys that the operator allows (gateways);
//!   whoever cannot be told to be one of them is refused;
//! - [`guard`]: how fast connections are taken, in all and per network;
//! - [`server`]: the accept loop, the byte rate of each client, metrics, the orderly end.
//!
//! A relay passes packets by node key. It sees which keys talk and how much, not what.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod admission;
pub mod config;
pub mod follow;
pub mod guard;
pub mod server;
