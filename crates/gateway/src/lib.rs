//! The data path of the Arion network and its HTTP face.
//!
//! [`Gateway::put`] cuts a source into stripes, encrypts and codes each, and pushes its 30 shards
//! to the nodes the cluster map names; a stripe counts as stored when 20 distinct nodes have synced
//! theirs to disk. [`Gateway::find`] and [`Gateway::read`] get an object back from any 10 shards of
//! each stripe, every byte checked. [`http`] serves both to users.
//!
//! Memory is bounded by the settings: stripes on their way out and in, requests, prefetched pieces.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod catalog;
pub mod cluster;
pub mod config;
pub mod error;
mod fetch;
pub mod follow;
mod gateway;
mod get;
pub mod http;
pub mod ledger;
pub mod maps;
pub mod metrics;
mod nat;
mod payers;
pub mod peers;
mod push;
mod put;
pub mod receipts;
mod root;
pub mod run;

pub use error::{Fault, GetError, Part, PutError};
pub use fetch::{PathKind, PeerEstimate};
pub use gateway::{Address, AddressError, Gateway};
pub use payers::{NotAPayer, Payers};
pub use put::{Label, Stored};
pub use root::Object;
