//! Signed transactions.

use crate::{
	client::{ChainClient, Config},
	contract::call,
	error::{request, submission, ChainError},
	recover::Sent,
	view::{ChainView, Encoded},
};
use codec::{Compact, Encode};
use hippius_primitives::{
	registration::{KeyProof, NodeParams},
	NodeIndex, NodeKey,
};
use subxt::{
	config::{substrate::SubstrateConfig, DefaultExtrinsicParamsBuilder},
	transactions::{StaticPayload, TransactionInBlock, TransactionProgress, TransactionStatus},
	utils::{AccountId32, MultiAddress, Static},
};
use subxt_signer::sr25519::Keypair;

/// How far a transaction must have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Included {
	/// In the newest block; fast, may still be undone.
	InBlock,
	/// In a finalised block.
	Finalized,
}

/// Blocks for which a signed transaction stays valid.
pub(crate) const MORTALITY: u64 = 64;
const ACTION: &str = "submitting a transaction";

pub(crate) type Call = StaticPayload<Vec<Static<Encoded>>>;
pub(crate) type InBlock =
	TransactionInBlock<Config, subxt::client::OnlineClientAtBlockImpl<Config>>;

type Progress = TransactionProgress<Config, subxt::client::OnlineClientAtBlockImpl<Config>>;

/// How the watch over a transaction ended.
enum Watched {
	/// It is in a block; the state there.
	Included(ChainView),
	/// The pool no longer has it; the pool's reason.
	GivenUp(String),
}

pub(crate) fn payload(call: &call::Call, arguments: Vec<Vec<u8>>) -> Call {
	let arguments = arguments
		.into_iter()
		.map(|bytes| Static(Encoded(bytes)))
		.collect();
	StaticPayload::new(call.pallet, call.name, arguments)
}

pub(crate) fn register(key: NodeKey, params: &NodeParams, proof: &KeyProof) -> Call {
	payload(
		&call::REGISTER_NODE,
		vec![key.encode(), params.encode(), proof.encode()],
	)
}

pub(crate) fn transfer(to: [u8; 32], amount: u128) -> Call {
	let to: MultiAddress<AccountId32, ()> = MultiAddress::Id(AccountId32(to));
	payload(&call::TRANSFER, vec![to.encode(), Compact(amount).encode()])
}

impl ChainClient {
	/// Registers a node under the signer's account and returns its number once the registration
	/// is finalised. See [`crate::sign_registration`] for the proof.
	pub async fn register_node(
		&self,
		signer: &Keypair,
		key: NodeKey,
		params: &NodeParams,
		proof: &KeyProof,
	) -> Result<NodeIndex, ChainError> {
		let call = register(key, params, proof);
		let view = self.submit(signer, &call, Included::Finalized).await?;
		match view.node_by_key(key).await? {
			Some(node) => Ok(node.index),
			None => Err(ChainError::NotIncluded(
				"the registration left no node behind".into(),
			)),
		}
	}

	/// Moves `amount` rao, keeping the sender's account alive; done when finalised.
	pub async fn transfer(
		&self,
		signer: &Keypair,
		to: [u8; 32],
		amount: u128,
	) -> Result<(), ChainError> {
		self.submit(signer, &transfer(to, amount), Included::Finalized)
			.await
			.map(drop)
	}

	/// Moves `amount` rao to each account, all or nothing; done when it is `included`.
	pub async fn fund(
		&self,
		signer: &Keypair,
		accounts: &[[u8; 32]],
		amount: u128,
		included: Included,
	) -> Result<(), ChainError> {
		let action = "encoding a batch of transfers";
		let at = self.api.at_current_block().await.map_err(request(action))?;
		let transactions = at.transactions();
		// A `Vec` of calls: its length, then each call.
		let count = u32::try_from(accounts.len()).unwrap_or(u32::MAX);
		let mut calls = Compact(count).encode();
		for account in accounts {
			let call = transactions
				.call_data(&transfer(*account, amount))
				.map_err(request(action))?;
			calls.extend(call);
		}
		self.submit(signer, &payload(&call::BATCH_ALL, vec![calls]), included)
			.await
			.map(drop)
	}

	/// Signs, submits and waits; the state at the block that holds the transaction. What the node's pool
	/// gives up is looked for on chain, and signed anew if it is not there: a pool forgets transactions
	/// when blocks are replaced by others, and may call one invalid that a block already holds.
	pub(crate) async fn submit(
		&self,
		signer: &Keypair,
		call: &Call,
		included: Included,
	) -> Result<ChainView, ChainError> {
		let account = AccountId32(signer.public_key().0);
		let numbering = self.numbering.lock().await;
		// The pool's answer, which counts what is submitted but not yet in a block.
		let nonce = self
			.rpc
			.system_account_next_index(&account)
			.await
			.map_err(request(ACTION))?;
		let mut sent = Sent::new(account, nonce);
		let mut progress = self.send(signer, call, &mut sent).await?;
		drop(numbering);
		loop {
			let why = match self.watch(&mut progress, included).await? {
				Watched::Included(view) => return Ok(view),
				Watched::GivenUp(why) => why,
			};
			progress = loop {
				if let Some(view) = self.search(&mut sent, &why).await? {
					return Ok(view);
				}
				match self.send(signer, call, &mut sent).await {
					// A block may just have taken one that was sent before; the number of attempts is bounded.
					Err(ChainError::NotSubmitted(_)) => {}
					progress => break progress?,
				}
			};
		}
	}

	/// Signs with the number it is `sent` with, and hands it to the node.
	async fn send(
		&self,
		signer: &Keypair,
		call: &Call,
		sent: &mut Sent,
	) -> Result<Progress, ChainError> {
		sent.attempts += 1;
		let params = DefaultExtrinsicParamsBuilder::<SubstrateConfig>::new()
			.nonce(sent.nonce)
			.mortal(MORTALITY)
			.build();
		let progress = self
			.api
			.transactions()
			.await
			.map_err(request(ACTION))?
			.sign_and_submit_then_watch(call, signer, params)
			.await
			.map_err(submission(ACTION))?;
		sent.hashes.push(progress.extrinsic_hash().0);
		Ok(progress)
	}

	async fn watch(
		&self,
		progress: &mut Progress,
		included: Included,
	) -> Result<Watched, ChainError> {
		while let Some(status) = progress.next().await {
			match status.map_err(request(ACTION))? {
				TransactionStatus::InBestBlock(place) if included == Included::InBlock => {
					return self.outcome(&place).await.map(Watched::Included)
				}
				TransactionStatus::InFinalizedBlock(place) => {
					return self.outcome(&place).await.map(Watched::Included)
				}
				TransactionStatus::Error { message }
				| TransactionStatus::Invalid { message }
				| TransactionStatus::Dropped { message } => return Ok(Watched::GivenUp(message)),
				TransactionStatus::Validated
				| TransactionStatus::Broadcasted
				| TransactionStatus::NoLongerInBestBlock
				| TransactionStatus::InBestBlock(_) => {}
			}
		}
		Err(ChainError::Closed)
	}
}
