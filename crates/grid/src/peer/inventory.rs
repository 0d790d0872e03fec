//! Asking what a node holds, and telling it what it should.

use super::{Peer, MAX_REPEATS};
use crate::{
	listing::{Listed, Listing, MAX_LISTED},
	pool::Link,
	stream::read_body,
	wire::{Request, Response},
	GridError,
};
use bytes::Bytes;
use hippius_primitives::{heartbeat::SignedBeat, Pg, StripeId};

impl Peer {
	/// A page of the stripes of a placement group of which the node says that it holds shards: at
	/// most `limit` (no more than [`MAX_LISTED`]), those after `after` in the order of
	/// [`StripeId::group_key`]. Whether they are of that group is for the caller to check.
	pub async fn inventory(
		&self,
		pg: Pg,
		after: Option<StripeId>,
		limit: usize,
	) -> Result<Listing, GridError> {
		let limit = u16::try_from(limit.clamp(1, MAX_LISTED)).unwrap_or(1);
		let request = Request::Inventory { pg, after, limit };
		repeated!(self, link => self.inventory_once(&link, &request, after, limit))
	}

	async fn inventory_once(
		&self,
		link: &Link,
		request: &Request,
		after: Option<StripeId>,
		limit: u16,
	) -> Result<Listing, GridError> {
		match self.ask(link, request, Bytes::new()).await? {
			(Response::Inventory { count, next, whole }, mut recv) => {
				if count > limit {
					let what = format!("it lists {count} stripes, {limit} were asked for");
					return Err(self.protocol(link, what));
				}
				let len = usize::from(count) * Listed::LEN;
				let (bytes, _) = read_body(&mut recv, len, self.pace(len))
					.await
					.map_err(|error| self.failed(link, error, "list its stripes"))?;
				Listing::read(&bytes, next, whole, after).ok_or_else(|| {
					self.protocol(link, "its list of stripes is out of order".into())
				})
			}
			(other, _) => Err(self.unexpected(link, &other)),
		}
	}

	/// Tells the node that this one holds the shard of a slot of `stripe` that is the other's now;
	/// whether it is going to fetch it.
	pub async fn offer(&self, stripe: StripeId) -> Result<bool, GridError> {
		let request = Request::Offer { stripe };
		repeated!(self, link => self.offer_once(&link, &request))
	}

	/// Tells a collector that a node is there.
	pub async fn beat(&self, beat: &SignedBeat) -> Result<(), GridError> {
		let request = Request::Beat(Box::new(beat.clone()));
		repeated!(self, link => self.beat_once(&link, &request))
	}

	async fn beat_once(&self, link: &Link, request: &Request) -> Result<(), GridError> {
		match self.ask(link, request, Bytes::new()).await? {
			(Response::Noted, mut recv) => self.end(link, &mut recv).await,
			(other, _) => Err(self.unexpected(link, &other)),
		}
	}

	async fn offer_once(&self, link: &Link, request: &Request) -> Result<bool, GridError> {
		match self.ask(link, request, Bytes::new()).await? {
			(Response::Offered { taken }, mut recv) => {
				self.end(link, &mut recv).await?;
				Ok(taken)
			}
			(other, _) => Err(self.unexpected(link, &other)),
		}
	}
}
