//! Lists of stripes, and offers.

use super::{Fault, Sending, Server};
use crate::{
	listing::Listed,
	stream::Sender,
	wire::{Response, Status},
};
use bytes::Bytes;
use hippius_primitives::{NodeKey, Pg, StripeId};

impl Server {
	pub(super) async fn inventory(
		&self,
		peer: NodeKey,
		pg: Pg,
		after: Option<StripeId>,
		limit: usize,
		sending: &mut Sending,
		sender: &mut Sender,
	) -> Result<(), Fault> {
		let memory = self.memory(peer, limit * Listed::LEN, sender).await?;
		let listing = self
			.watched(sender, self.service.inventory(peer, pg, after, limit))
			.await?;
		let count = match u16::try_from(listing.stripes.len()) {
			Ok(count) if usize::from(count) <= limit => count,
			_ => {
				let listed = listing.stripes.len();
				tracing::error!(limit, listed, "the service lists too many stripes");
				return Err(Fault::Answer(
					Status::Internal,
					"the node miscounted".into(),
				));
			}
		};
		let entries = listing.stripes.into_iter().map(Listed::to_bytes);
		let body: Bytes = entries.flatten().collect::<Vec<u8>>().into();
		let response = Response::Inventory {
			count,
			next: listing.next,
			whole: listing.whole,
		};
		sending.memory = Some(memory);
		let pace = self.pace(body.len());
		sender.frame(&response, pace).await?;
		Ok(sender.body(body, pace).await?)
	}

	pub(super) async fn offer(
		&self,
		peer: NodeKey,
		stripe: StripeId,
		sender: &mut Sender,
	) -> Result<(), Fault> {
		let taken = self
			.watched(sender, self.service.offer(peer, stripe))
			.await?;
		Ok(sender
			.frame(&Response::Offered { taken }, self.pace(0))
			.await?)
	}
}
