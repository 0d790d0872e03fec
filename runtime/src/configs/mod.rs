//! Each pallet's configuration, by domain.

pub mod arion;
mod consensus;
pub mod economy;
pub mod governance;
pub mod money;
pub mod staking;
mod system;

pub use consensus::{EpochDuration, BABE_GENESIS_EPOCH_CONFIG};

/// The limits of a block.
pub(crate) fn system_weights() -> frame_system::limits::BlockWeights {
	<<crate::Runtime as frame_system::Config>::BlockWeights as frame_support::traits::Get<_>>::get()
}
