//! The Hippius runtime: the state transition function of the chain.
//!
//! One wasm serves every network. What differs between a laptop and the main network (epoch and era
//! lengths, deposits, the placement rule) is genesis state, see [`genesis`], never a cargo feature.
//!
//! - [`configs`]: one file per domain, each pallet's `Config`
//! - [`apis`]: the runtime APIs the node and clients call
//! - [`genesis`]: the presets `development`, `local_testnet` and `main`
//! - [`network`]: lengths that are fixed at genesis
//! - [`work`]: what the offchain worker does for miner daemons
//! - `benchmarks`: what the pallets' benchmarks need, only when these are measured
//! - [`root_motion`]: how the council acts as root where there is no sudo key

#![cfg_attr(not(feature = "std"), no_std)]
#![recursion_limit = "512"]
// The macros of frame generate public items without documentation of their own.
#![allow(unreachable_pub)]

#[cfg(feature = "std")]
include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));

extern crate alloc;

pub mod apis;
#[cfg(feature = "runtime-benchmarks")]
pub mod benchmarks;
pub mod configs;
pub mod genesis;
pub mod network;
pub mod root_motion;
pub mod types;
pub mod work;

pub use configs::governance::{dynamic_params, RuntimeParameters, RuntimeParametersKey};
pub use types::*;

use alloc::{borrow::Cow, vec::Vec};
use sp_version::RuntimeVersion;

/// The runtime's version. `spec_version` rises with every change of behaviour,
/// `transaction_version` with every change of call indices or transaction extensions.
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
	spec_name: Cow::Borrowed("hippius"),
	impl_name: Cow::Borrowed("hippius"),
	authoring_version: 1,
	spec_version: 1,
	impl_version: 1,
	apis: apis::RUNTIME_API_VERSIONS,
	transaction_version: 1,
	system_version: 1,
};

#[frame_support::runtime]
mod runtime {
	#[runtime::runtime]
	#[runtime::derive(
		RuntimeCall,
		RuntimeEvent,
		RuntimeError,
		RuntimeOrigin,
		RuntimeFreezeReason,
		RuntimeHoldReason,
		RuntimeSlashReason,
		RuntimeLockId,
		RuntimeTask,
		RuntimeViewFunction
	)]
	pub struct Runtime;

	#[runtime::pallet_index(0)]
	pub type System = frame_system;
	#[runtime::pallet_index(1)]
	pub type Network = crate::network;
	#[runtime::pallet_index(2)]
	pub type Timestamp = pallet_timestamp;

	// Babe before Session, so that a session's last block counts for its author's session.
	#[runtime::pallet_index(3)]
	pub type Babe = pallet_babe;
	#[runtime::pallet_index(4)]
	pub type Authorship = pallet_authorship;

	#[runtime::pallet_index(5)]
	pub type Balances = pallet_balances;
	#[runtime::pallet_index(6)]
	pub type TransactionPayment = pallet_transaction_payment;
	#[runtime::pallet_index(7)]
	pub type SkipFeelessPayment = pallet_skip_feeless_payment;

	// Staking before Session: the genesis session asks it for the first validators.
	#[runtime::pallet_index(8)]
	pub type Staking = pallet_staking;
	#[runtime::pallet_index(9)]
	pub type Offences = pallet_offences;
	#[runtime::pallet_index(10)]
	pub type Historical = pallet_session::historical;
	#[runtime::pallet_index(11)]
	pub type Session = pallet_session;
	#[runtime::pallet_index(12)]
	pub type Grandpa = pallet_grandpa;
	#[runtime::pallet_index(13)]
	pub type AuthorityDiscovery = pallet_authority_discovery;
	#[runtime::pallet_index(14)]
	pub type ImOnline = pallet_im_online;

	#[runtime::pallet_index(20)]
	pub type Treasury = pallet_treasury;
	#[runtime::pallet_index(21)]
	pub type Council = pallet_collective<Instance1>;
	#[runtime::pallet_index(22)]
	pub type RootMotion = crate::root_motion;
	#[runtime::pallet_index(23)]
	pub type Sudo = pallet_sudo;
	#[runtime::pallet_index(24)]
	pub type TxPause = pallet_tx_pause;
	#[runtime::pallet_index(25)]
	pub type Parameters = pallet_parameters;
	#[runtime::pallet_index(26)]
	pub type Migrations = pallet_migrations;

	#[runtime::pallet_index(30)]
	pub type Utility = pallet_utility;
	#[runtime::pallet_index(31)]
	pub type Proxy = pallet_proxy;
	#[runtime::pallet_index(32)]
	pub type Multisig = pallet_multisig;
	#[runtime::pallet_index(33)]
	pub type Preimage = pallet_preimage;
	#[runtime::pallet_index(34)]
	pub type Scheduler = pallet_scheduler;

	#[runtime::pallet_index(40)]
	pub type Registry = pallet_registry;
	#[runtime::pallet_index(41)]
	pub type ClusterMap = pallet_cluster_map;
	#[runtime::pallet_index(42)]
	pub type PlacementGroups = pallet_placement_groups;
	#[runtime::pallet_index(43)]
	pub type Audits = pallet_audits;
	#[runtime::pallet_index(44)]
	pub type Heartbeats = pallet_heartbeats;
	#[runtime::pallet_index(45)]
	pub type Ranking = pallet_ranking;
	#[runtime::pallet_index(46)]
	pub type Rewards = pallet_rewards;
	#[runtime::pallet_index(47)]
	pub type Marketplace = pallet_marketplace;
	#[runtime::pallet_index(48)]
	pub type Orders = pallet_orders;
}
