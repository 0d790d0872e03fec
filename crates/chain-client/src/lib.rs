//! Typed access to the Hippius chain for daemons and tools.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use hippius_chain_client::{signer_from_suri, At, ChainClient};
//!
//! let chain = ChainClient::connect("ws://127.0.0.1:9944").await?;
//! let view = chain.at(At::Finalized).await?;
//! if let Some(map) = view.cluster_map(None).await? {
//!     println!("epoch {} with {} nodes", map.epoch, view.nodes().await?.len());
//! }
//! let alice = signer_from_suri("//Alice")?;
//! chain.transfer(&alice, [7; 32], 1_000_000_000).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Calls and storage are addressed by the names in [`contract`] and encoded with the types of
//! `hippius-primitives`, which the runtime uses too. [`ChainClient::connect`] compares their shapes
//! in the node's metadata with those in the committed `metadata.scale` and refuses a chain that
//! differs.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod account;
mod audits;
mod beats;
mod client;
pub mod contract;
mod error;
mod follow;
mod ledger;
pub mod money;
mod node;
mod outcome;
mod recover;
mod signer;
mod submit;
mod view;

pub use account::{parse_account, ss58, AccountError};
pub use audits::{AuditRecord, Placing};
pub use beats::BeatRules;
pub use client::ChainClient;
pub use error::{ChainError, MapProblem};
pub use follow::BlockNumbers;
pub use ledger::{Append, Gap, LedgerState};
pub use node::NodeDetails;
pub use signer::{account_of, sign_registration, signer_from_suri, SignerError};
pub use submit::Included;
pub use subxt_signer::sr25519::Keypair;
pub use view::{At, ChainView, VerifiedMap};
