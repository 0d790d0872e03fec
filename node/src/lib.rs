//! The Hippius node as a library: a network, a database, two consensus engines and an RPC server
//! around the runtime's wasm.
//!
//! - [`service`] puts the parts together; tests and other programs start a node with
//!   [`service::new_full`]
//! - [`chain_spec`] names the networks
//! - [`cli`] and [`command`] are the command line
//! - [`collector`] counts the heartbeats of storage nodes on a validator
//! - [`daemons`] tells the offchain worker of the miner daemons beside this node
//! - [`session_keys`] makes a validator's keys with their proof of possession

#![forbid(unsafe_code)]
#![deny(missing_docs)]
// The errors of sc-cli and sc-service are large, and every entry point here returns one of them.
#![allow(clippy::result_large_err)]

pub mod chain_spec;
pub mod cli;
pub mod collector;
pub mod command;
pub mod daemons;
pub mod rpc;
pub mod service;
pub mod session_keys;

/// A block as the node handles it: its extrinsics are bytes, so that the node goes on understanding
/// blocks after a runtime upgrade, and RPC gives them in hexadecimal, as every client expects.
pub type Block = sp_runtime::generic::Block<hippius_runtime::Header, sp_runtime::OpaqueExtrinsic>;
