//! What the node answers beyond what every Substrate node does.
//!
//! The service itself adds `chainHead_v1`, `transaction_v1`, `chainSpec_v1`, `archive_v1` (with
//! archive pruning) and the older `author`, `chain`, `state`, `system` and `offchain` methods.

use crate::service::{Client, GrandpaParts, Pool, SelectChain};
use crate::Block;
use hippius_runtime::{AccountId, Nonce};
use jsonrpsee::RpcModule;
use sc_consensus_babe::BabeWorkerHandle;
use sc_consensus_grandpa::FinalityProofProvider;
use sc_rpc::SubscriptionTaskExecutor;
use sc_service::TFullBackend;
use sp_keystore::KeystorePtr;
use std::sync::Arc;

/// What the methods work with.
pub struct Deps {
	/// The chain.
	pub client: Arc<Client>,
	/// The transactions that wait.
	pub pool: Arc<Pool>,
	/// Which chain is the best.
	pub select_chain: SelectChain,
	/// The network's description, for light clients.
	pub chain_spec: Box<dyn sc_chain_spec::ChainSpec>,
	/// The node's keys.
	pub keystore: KeystorePtr,
	/// The authoring engine.
	pub babe: BabeWorkerHandle<Block>,
	/// The finality engine.
	pub grandpa: GrandpaParts,
	/// Proves that a block is final.
	pub finality: Arc<FinalityProofProvider<TFullBackend<Block>, Block>>,
	/// Runs subscriptions.
	pub executor: SubscriptionTaskExecutor,
}

/// The additional methods.
pub fn create(deps: Deps) -> Result<RpcModule<()>, sc_service::Error> {
	use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
	use sc_consensus_babe_rpc::{Babe, BabeApiServer};
	use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
	use sc_sync_state_rpc::{SyncState, SyncStateApiServer};
	use substrate_frame_rpc_system::{System, SystemApiServer};

	let Deps {
		client,
		pool,
		select_chain,
		chain_spec,
		keystore,
		babe,
		grandpa,
		finality,
		executor,
	} = deps;
	let mut module = RpcModule::new(());

	let system = System::new(Arc::clone(&client), pool);
	merge(
		&mut module,
		SystemApiServer::<_, AccountId, Nonce>::into_rpc(system),
	)?;
	let payment = TransactionPayment::new(Arc::clone(&client));
	merge(&mut module, payment.into_rpc())?;
	merge(
		&mut module,
		Babe::new(Arc::clone(&client), babe.clone(), keystore, select_chain).into_rpc(),
	)?;
	let GrandpaParts {
		authorities,
		voter_state,
		justifications,
	} = grandpa;
	merge(
		&mut module,
		Grandpa::new(
			executor,
			authorities.clone(),
			voter_state,
			justifications,
			finality,
		)
		.into_rpc(),
	)?;
	let sync_state = SyncState::new(chain_spec, client, authorities, babe)
		.map_err(|error| sc_service::Error::Application(Box::new(error)))?;
	merge(&mut module, sync_state.into_rpc())?;
	Ok(module)
}

fn merge<C>(module: &mut RpcModule<()>, methods: RpcModule<C>) -> Result<(), sc_service::Error> {
	module
		.merge(methods)
		.map_err(|error| sc_service::Error::Application(Box::new(error)))
}
