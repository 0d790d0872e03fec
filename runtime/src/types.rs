//! The types every client of the chain shares with it.

use crate::{AllPalletsWithSystem, Runtime, RuntimeCall};
use alloc::vec::Vec;
use sp_runtime::{
	generic, impl_opaque_keys,
	traits::{BlakeTwo256, IdentifyAccount, Verify},
	MultiAddress, MultiSignature,
};

/// Who signed a transaction: Sr25519, Ed25519 or ECDSA.
pub type Signature = MultiSignature;
/// An account: the hash or the public key of its signer.
pub type AccountId = <<Signature as Verify>::Signer as IdentifyAccount>::AccountId;
/// How a transaction names an account.
pub type Address = MultiAddress<AccountId, ()>;
/// An amount in rao, 10^-9 alpha.
pub type Balance = u128;
/// The number of a block.
pub type BlockNumber = u32;
/// The number of transactions an account has sent.
pub type Nonce = u32;
/// A hash of the chain.
pub type Hash = sp_core::H256;
/// A block's header.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// A block.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
/// A block with its signature of the authoring engine.
pub type SignedBlock = generic::SignedBlock<Block>;
/// Names a block by hash or number.
pub type BlockId = generic::BlockId<Block>;

/// What every transaction passes through, in order. `AuthorizeCall` comes first so that calls
/// which carry their own proof become authorized before anything asks for a sender; `WeightReclaim`
/// comes last so that it sees what the others used.
pub type TxExtension = (
	frame_system::AuthorizeCall<Runtime>,
	frame_system::CheckNonZeroSender<Runtime>,
	frame_system::CheckSpecVersion<Runtime>,
	frame_system::CheckTxVersion<Runtime>,
	frame_system::CheckGenesis<Runtime>,
	frame_system::CheckEra<Runtime>,
	frame_system::CheckNonce<Runtime>,
	frame_system::CheckWeight<Runtime>,
	pallet_skip_feeless_payment::SkipCheckIfFeeless<
		Runtime,
		pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
	>,
	frame_metadata_hash_extension::CheckMetadataHash<Runtime>,
	frame_system::WeightReclaim<Runtime>,
);

/// A transaction as it travels.
pub type UncheckedExtrinsic =
	generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TxExtension>;
/// What a signed transaction's signature covers.
pub type SignedPayload = generic::SignedPayload<RuntimeCall, TxExtension>;

/// Dispatches the calls of a block to the pallets.
pub type Executive = frame_executive::Executive<
	Runtime,
	Block,
	frame_system::ChainContext<Runtime>,
	Runtime,
	AllPalletsWithSystem,
>;

/// The extensions of a transaction that only its call authorizes, or of one still to be filled in:
/// immortal, nonce 0, no tip, no metadata hash.
pub fn plain_extension(nonce: Nonce) -> TxExtension {
	(
		frame_system::AuthorizeCall::new(),
		frame_system::CheckNonZeroSender::new(),
		frame_system::CheckSpecVersion::new(),
		frame_system::CheckTxVersion::new(),
		frame_system::CheckGenesis::new(),
		frame_system::CheckEra::from(generic::Era::Immortal),
		frame_system::CheckNonce::from(nonce),
		frame_system::CheckWeight::new(),
		pallet_skip_feeless_payment::SkipCheckIfFeeless::from(
			pallet_transaction_payment::ChargeTransactionPayment::from(0),
		),
		frame_metadata_hash_extension::CheckMetadataHash::new(false),
		frame_system::WeightReclaim::new(),
	)
}

impl_opaque_keys! {
	/// The keys a validator works with. The order is part of the proof of possession.
	pub struct SessionKeys {
		pub grandpa: crate::Grandpa,
		pub babe: crate::Babe,
		pub im_online: crate::ImOnline,
		pub authority_discovery: crate::AuthorityDiscovery,
	}
}

/// Amounts, sizes and times in the units of the chain.
pub mod units {
	use super::{Balance, BlockNumber};

	/// One alpha.
	pub const ALPHA: Balance = hippius_primitives::ALPHA;
	/// A thousandth of an alpha.
	pub const MILLI_ALPHA: Balance = ALPHA / 1_000;
	/// A millionth of an alpha.
	pub const MICRO_ALPHA: Balance = MILLI_ALPHA / 1_000;
	/// An account with less is removed.
	pub const EXISTENTIAL_DEPOSIT: Balance = 500;

	/// Milliseconds from one slot to the next.
	pub const SLOT_MILLIS: u64 = 6_000;
	/// Blocks in a minute.
	pub const MINUTES: BlockNumber = 10;
	/// Blocks in an hour.
	pub const HOURS: BlockNumber = 60 * MINUTES;
	/// Blocks in a day.
	pub const DAYS: BlockNumber = 24 * HOURS;
}
