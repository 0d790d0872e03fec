//! A chain of nothing but the system's pallet, over the node's database: what each transaction costs in any.

// The macro asks for features of the crate, which has none.
#![allow(unexpected_cfgs)]

use frame_support::{construct_runtime, derive_impl, weights::constants::ParityDbWeight};

construct_runtime! {
	pub enum Chain {
		System: frame_system,
	}
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Chain {
	type Block = frame_system::mocking::MockBlock<Self>;
	type DbWeight = ParityDbWeight;
}

/// Weights of the extensions that all transactions carry, as the runtime takes them.
pub(crate) type Extensions = frame_system::SubstrateExtensionsWeight<Chain>;
