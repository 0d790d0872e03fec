//! What became of a transaction that is in a block.

use crate::{
	client::{ChainClient, Config},
	error::{request, ChainError},
	submit::InBlock,
	view::ChainView,
};
use serde::Deserialize;
use subxt::{
	config::HashFor,
	error::DispatchError,
	events::Phase,
	rpcs::client::{rpc_params, RpcParams},
};

/// The part of `chain_getBlock` that is of interest.
#[derive(Deserialize)]
struct SignedBlock {
	block: Body,
}

#[derive(Deserialize)]
struct Body {
	extrinsics: Vec<Extrinsic>,
}

/// A node prints extrinsics in hexadecimal or, if its client keeps them decoded, as a list of
/// bytes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Extrinsic {
	Hex(String),
	Bytes(Vec<u8>),
}

impl Extrinsic {
	fn hash(self) -> Option<[u8; 32]> {
		let bytes = match self {
			Self::Hex(text) => hex::decode(text.strip_prefix("0x").unwrap_or(&text)).ok()?,
			Self::Bytes(bytes) => bytes,
		};
		Some(sp_crypto_hashing::blake2_256(&bytes))
	}
}

impl ChainClient {
	/// The state at the block, if the call succeeded; otherwise the runtime's error by name.
	pub(crate) async fn outcome(&self, place: &InBlock) -> Result<ChainView, ChainError> {
		let hashes = [place.extrinsic_hash().0];
		match self.outcome_in(place.block_hash(), &hashes).await? {
			Some(view) => Ok(view),
			None => Err(ChainError::NotIncluded(
				"the block said to hold it does not".into(),
			)),
		}
	}

	/// The same for the first of these transactions that the block holds; `None` if it holds none.
	pub(crate) async fn outcome_in(
		&self,
		block_hash: HashFor<Config>,
		hashes: &[[u8; 32]],
	) -> Result<Option<ChainView>, ChainError> {
		let action = "reading a transaction's outcome";
		let params: RpcParams = rpc_params![block_hash];
		let block: Option<SignedBlock> = self
			.raw
			.request("chain_getBlock", params)
			.await
			.map_err(request(action))?;
		let body = block
			.map(|signed| signed.block.extrinsics)
			.unwrap_or_default();
		let position = body
			.into_iter()
			.position(|extrinsic| extrinsic.hash().is_some_and(|hash| hashes.contains(&hash)));
		let Some(index) = position.and_then(|position| u32::try_from(position).ok()) else {
			return Ok(None);
		};
		let at = self.api.at_block(block_hash).await;
		let at = at.map_err(request(action))?;
		let events = at.events().fetch().await.map_err(request(action))?;
		for event in events.iter() {
			let event = event.map_err(request(action))?;
			let failed = event.pallet_name() == "System" && event.event_name() == "ExtrinsicFailed";
			if failed && event.phase() == Phase::ApplyExtrinsic(index) {
				let error = DispatchError::decode_from(event.field_bytes(), at.metadata())
					.map_err(request(action))?;
				return Err(dispatch_error(&error));
			}
		}
		Ok(Some(ChainView::new(at)))
	}
}

fn dispatch_error(error: &DispatchError) -> ChainError {
	if let DispatchError::Module(module) = error {
		if let Ok(details) = module.details() {
			return ChainError::Dispatch {
				pallet: details.pallet.name().to_owned(),
				error: details.variant.name.clone(),
				docs: details.variant.docs.join(" ").trim().to_owned(),
			};
		}
	}
	// An error of the runtime itself, e.g. `Token(FundsUnavailable)`.
	ChainError::Dispatch {
		pallet: "System".into(),
		error: format!("{error:?}"),
		docs: error.to_string(),
	}
}
