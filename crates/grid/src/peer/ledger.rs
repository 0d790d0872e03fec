//! Asking what a node knows of a placement group's ledger. Nothing of it is believed: whoever asks
//! checks it against what the chain says.

use super::{Peer, MAX_REPEATS};
use crate::{
	pool::Link,
	stream::read_body,
	wire::{Request, Response, BATCH_LEN, MAX_BATCHES},
	GridError,
};
use arion_storage_proof::{Batch, StripeEntry};
use bytes::Bytes;
use codec::{Decode, DecodeAll};
use hippius_primitives::Pg;

impl Peer {
	/// The entries of a batch, as many as it has stripes, in the node's words.
	///
	/// # Errors
	/// [`GridError`]; not found if the node does not have them.
	pub async fn leaves(&self, pg: Pg, batch: &Batch) -> Result<Vec<StripeEntry>, GridError> {
		let request = Request::Leaves {
			pg,
			root: batch.root,
		};
		repeated!(self, link => self.leaves_once(&link, &request, batch.stripes))
	}

	async fn leaves_once(
		&self,
		link: &Link,
		request: &Request,
		stripes: u32,
	) -> Result<Vec<StripeEntry>, GridError> {
		match self.ask(link, request, Bytes::new()).await? {
			(Response::Leaves { count, len }, mut recv) => {
				if count != stripes {
					let what = format!("it has {count} entries of a batch of {stripes}");
					return Err(self.protocol(link, what));
				}
				let len = len as usize;
				let (bytes, _) = read_body(&mut recv, len, self.pace(len))
					.await
					.map_err(|error| self.failed(link, error, "send a batch's entries"))?;
				let mut rest = &bytes[..];
				let entries: Result<Vec<StripeEntry>, _> =
					(0..count).map(|_| StripeEntry::decode(&mut rest)).collect();
				match entries {
					Ok(entries) if rest.is_empty() => Ok(entries),
					_ => Err(self.protocol(link, "a batch's entries do not decode".into())),
				}
			}
			(other, _) => Err(self.unexpected(link, &other)),
		}
	}

	/// The batches of a group's ledger from number `first` on, at most `limit` (no more than
	/// [`MAX_BATCHES`]), in the node's words.
	///
	/// # Errors
	/// [`GridError`].
	pub async fn batches(&self, pg: Pg, first: u64, limit: usize) -> Result<Vec<Batch>, GridError> {
		let limit = u16::try_from(limit.clamp(1, MAX_BATCHES)).unwrap_or(1);
		let request = Request::Batches { pg, first, limit };
		repeated!(self, link => self.batches_once(&link, &request, limit))
	}

	async fn batches_once(
		&self,
		link: &Link,
		request: &Request,
		limit: u16,
	) -> Result<Vec<Batch>, GridError> {
		match self.ask(link, request, Bytes::new()).await? {
			(Response::Batches { count }, mut recv) => {
				if count > limit {
					let what = format!("it lists {count} batches, {limit} were asked for");
					return Err(self.protocol(link, what));
				}
				let len = usize::from(count) * BATCH_LEN;
				let (bytes, _) = read_body(&mut recv, len, self.pace(len))
					.await
					.map_err(|error| self.failed(link, error, "list batches"))?;
				let batches: Result<Vec<Batch>, _> = bytes
					.chunks_exact(BATCH_LEN)
					.map(|mut batch| Batch::decode_all(&mut batch))
					.collect();
				batches.map_err(|_| self.protocol(link, "a batch does not decode".into()))
			}
			(other, _) => Err(self.unexpected(link, &other)),
		}
	}
}
