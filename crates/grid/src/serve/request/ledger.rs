//! What is known of ledgers.

use super::{Fault, Sending, Server};
use crate::{
	stream::Sender,
	wire::{Response, Status, BATCH_LEN},
};
use bytes::Bytes;
use codec::Encode;
use hippius_primitives::{receipt::MAX_RECEIPT_STRIPES, NodeKey, Pg};

impl Server {
	pub(super) async fn leaves(
		&self,
		peer: NodeKey,
		pg: Pg,
		root: [u8; 32],
		sending: &mut Sending,
		sender: &mut Sender,
	) -> Result<(), Fault> {
		let most = MAX_RECEIPT_STRIPES as usize;
		let memory = self.memory(peer, most * 68, sender).await?;
		let entries = self
			.watched(sender, self.service.leaves(peer, pg, root))
			.await?
			.ok_or_else(|| Fault::Answer(Status::NotFound, "the batch is not known here".into()))?;
		let body: Vec<u8> = entries.iter().flat_map(Encode::encode).collect();
		let (count, len) = (entries.len(), body.len());
		let (Ok(count), Ok(len), true) = (
			u32::try_from(count),
			u32::try_from(len),
			(1..=most).contains(&count),
		) else {
			tracing::error!(count, "the service gave a batch of no possible size");
			return Err(Fault::Answer(
				Status::Internal,
				"the node miscounted".into(),
			));
		};
		sending.memory = Some(memory);
		let pace = self.pace(body.len());
		let response = Response::Leaves { count, len };
		sender.frame(&response, pace).await?;
		Ok(sender.body(Bytes::from(body), pace).await?)
	}

	pub(super) async fn batches(
		&self,
		peer: NodeKey,
		pg: Pg,
		first: u64,
		limit: usize,
		sending: &mut Sending,
		sender: &mut Sender,
	) -> Result<(), Fault> {
		let memory = self.memory(peer, limit * BATCH_LEN, sender).await?;
		let batches = self
			.watched(sender, self.service.batches(peer, pg, first, limit))
			.await?;
		let count = match u16::try_from(batches.len()) {
			Ok(count) if usize::from(count) <= limit => count,
			_ => {
				let listed = batches.len();
				tracing::error!(limit, listed, "the service lists too many batches");
				return Err(Fault::Answer(
					Status::Internal,
					"the node miscounted".into(),
				));
			}
		};
		let body: Vec<u8> = batches.iter().flat_map(Encode::encode).collect();
		sending.memory = Some(memory);
		let pace = self.pace(body.len());
		sender.frame(&Response::Batches { count }, pace).await?;
		Ok(sender.body(Bytes::from(body), pace).await?)
	}
}
