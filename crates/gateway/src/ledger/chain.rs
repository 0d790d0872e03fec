//! Where batches go.

use futures_util::future::BoxFuture;
use hippius_chain_client::{Append, ChainClient, ChainError, Included, Keypair};
use tokio::sync::Mutex;

/// Why a batch was not appended, as far as is known.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
	/// The chain has the batch.
	#[error("the chain has the batch already")]
	Duplicate,
	/// The chain does not have it: the runtime refused it, or it was never sent.
	#[error("not appended: {0}")]
	Refused(#[source] ChainError),
	/// It may be on chain or come there.
	#[error("it is not known whether it was appended: {0}")]
	Unknown(#[source] ChainError),
}

/// Takes batches.
pub trait LedgerChain: Send + Sync + 'static {
	/// Appends a batch; done when that is final.
	fn append<'a>(&'a self, batch: &'a Append) -> BoxFuture<'a, Result<(), AppendError>>;
}

/// The chain behind a node.
pub struct ChainLedger {
	url: String,
	signer: Keypair,
	/// The connection, while there is one.
	client: Mutex<Option<ChainClient>>,
}

impl ChainLedger {
	/// Batches go to the node at `url`, paid by `signer`.
	pub fn new(url: String, signer: Keypair) -> Self {
		Self {
			url,
			signer,
			client: Mutex::new(None),
		}
	}

	async fn client(&self) -> Result<ChainClient, ChainError> {
		let mut client = self.client.lock().await;
		if let Some(client) = client.as_ref() {
			return Ok(client.clone());
		}
		let fresh = ChainClient::connect(&self.url).await?;
		*client = Some(fresh.clone());
		Ok(fresh)
	}
}

impl LedgerChain for ChainLedger {
	fn append<'a>(&'a self, batch: &'a Append) -> BoxFuture<'a, Result<(), AppendError>> {
		Box::pin(async move {
			let client = self.client().await.map_err(AppendError::Refused)?;
			let sent = client
				.append_batch(&self.signer, batch, Included::Finalized)
				.await;
			let error = match sent {
				Ok(()) => return Ok(()),
				Err(error) => error,
			};
			if error.is_disconnected() {
				*self.client.lock().await = None;
			}
			Err(match &error {
				ChainError::Dispatch { error: name, .. } if name == "DuplicateBatch" => {
					AppendError::Duplicate
				}
				ChainError::Dispatch { .. } | ChainError::NotSubmitted(_) => {
					AppendError::Refused(error)
				}
				_ => AppendError::Unknown(error),
			})
		})
	}
}
