//! The Arion miner daemon: keeps shards on disk, serves them over QUIC, and learns from the chain's
//! worker which placement-group slots are its own.
//!
//! A miner lives in one directory, its base path:
//!
//! | Name | Content |
//! |---|---|
//! | `config.toml` | settings, see [`config`] |
//! | `node.key` | seed of the node key, hex, mode 0600 |
//! | `node.key.next` | the key that is to replace it, see [`keys`] |
//! | `control.token` | bearer token of the control API, mode 0600 |
//! | `store/` | shards, see `arion_shard_store`; elsewhere with `[[store.disk]]` |
//! | `store.json` | which disks are in use, see [`disks`] |
//! | `map/` | the newest cluster map and the chain it belongs to, see [`epochs`] |
//! | `repair.redb` | maps seen, list of shards, slots found complete, see [`repair`] |
//! | `leaves.redb` | what must be shown of the ledgers of this node's groups, see [`leaves`] |
//! | `run.json` | addresses of the running daemon, see [`daemon::RunInfo`] |

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod account;
pub mod beats;
pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod disks;
pub mod doctor;
pub mod drain;
pub mod earnings;
pub mod epochs;
pub mod error;
pub mod exit;
pub mod files;
pub mod init;
pub mod keys;
pub mod leaves;
pub mod metrics;
pub mod nat;
pub mod permits;
pub mod register;
pub mod repair;
pub mod rotation;
pub mod service;
pub mod size;
pub mod status;
pub mod update;
pub mod work;

pub use error::MinerError;
