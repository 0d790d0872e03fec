//! Asking a peer.

use crate::{
	path::{PathKind, Reach},
	pool::{Dialer, Entry, Link},
	service::PutAck,
	stream::{read_end, read_frame, Pace, Sender, StreamError},
	transfer::{read_slice, Progress, SliceFault, Traffic, Wanted},
	wire::{
		self, clean, code, decode_response, GroupRange, Request, Response, Status, EAGER, MAX_HAS,
	},
	GridError,
};
use arion_storage_proof::{
	outboard::{group_bytes, group_count},
	slice::covering_groups,
	StripeEntry,
};
use bytes::Bytes;
use codec::Encode;
use hippius_primitives::{
	coding::SHARD_LEN,
	permit::{Change, SignedChange, SignedPermit},
	receipt::{BatchRef, Receipt, MAX_RECEIPT_STRIPES},
	NodeKey, ShardId, ShardMeta, StripeId,
};
use quinn::{ConnectionError, RecvStream};
use std::{future::Future, net::SocketAddr, ops::Range, sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};

/// A node that can be asked. Cheap to clone; connects on first use, shares one connection per
/// node key with every other handle of the same [`Grid`](crate::Grid), and connects again when it
/// was lost. Every request is safe to repeat, and a request that fails because a kept connection
/// turned out dead is repeated on another one.
///
/// Dropping a request's future cancels it: the stream is closed on both sides.
#[derive(Clone)]
pub struct Peer {
	pub(crate) dialer: Arc<Dialer>,
	pub(crate) entry: Arc<Entry>,
}

impl std::fmt::Debug for Peer {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("Peer")
			.field("key", &self.entry.key)
			.finish_non_exhaustive()
	}
}

/// Times a request is repeated because the connection it was sent on turned out dead: the direct
/// one, and the relayed one behind it.
const MAX_REPEATS: u32 = 2;

/// Asks on a pooled connection; if that turns out dead, again on another one.
macro_rules! repeated {
	($peer:ident, $link:ident => $once:expr) => {{
		let mut left = MAX_REPEATS;
		loop {
			let $link = $peer.link().await?;
			match $once.await {
				Err(error) if left > 0 && $link.was_stale(&error) => {
					tracing::debug!(peer = %$peer.key(), %error, "kept connection was dead");
					left -= 1;
				}
				done => break done,
			}
		}
	}};
}

mod inventory;
mod ledger;

impl Peer {
	/// The node's key.
	pub fn key(&self) -> NodeKey {
		self.entry.key
	}

	/// Where the node is looked for.
	pub fn reach(&self) -> Reach {
		self.entry.reach()
	}

	/// The UDP addresses at which the node is looked for, best first.
	pub fn addresses(&self) -> Vec<SocketAddr> {
		self.entry.reach().direct
	}

	/// How packets to the node travel, `None` while not connected.
	pub fn path(&self) -> Option<PathKind> {
		self.entry.path()
	}

	/// How packets to the node travel, and will from now on. What died without a word is noticed at
	/// the next request.
	pub fn watch_path(&self) -> watch::Receiver<Option<PathKind>> {
		self.entry.watch_path()
	}

	/// The current round-trip time estimate, `None` while not connected.
	pub fn rtt(&self) -> Option<Duration> {
		self.entry.live().map(|connection| connection.rtt())
	}

	/// What the open connection has moved, `None` while not connected.
	pub fn traffic(&self) -> Option<Traffic> {
		let stats = self.entry.live()?.stats();
		Some(Traffic {
			received: stats.udp_rx.bytes,
			sent: stats.udp_tx.bytes,
			lost: stats.path.lost_packets,
			rtt: stats.path.rtt,
		})
	}

	/// The same node, which may show `next` instead of its key: the two are valid side by side while
	/// a node's key is rotated. `None` ends that. For every handle of the same key.
	#[must_use]
	pub fn or_key(self, next: Option<NodeKey>) -> Self {
		self.entry.set_next(next);
		self
	}

	/// Connects now, if not connected, so that the next request need not wait for it.
	pub async fn connect(&self) -> Result<(), GridError> {
		self.link().await.map(|_| ())
	}

	/// Lets go of the open connection, if there is one, so that the next request dials afresh. For
	/// callers that stopped waiting because they think that the node is dead: the transport itself
	/// notices a node that died without a word only after [`GridConfig::idle_timeout`]. Requests
	/// under way are not disturbed.
	///
	/// [`GridConfig::idle_timeout`]: crate::GridConfig::idle_timeout
	pub fn disconnect(&self) {
		if let Some(connection) = self.entry.live() {
			self.entry.forget(&connection);
		}
	}

	/// Stores a shard under a permit of its stripe. Returns when the node has it on stable storage.
	///
	/// [`Status::StalePermit`] asks for a permit signed anew, [`Status::UnknownEpoch`] to try again
	/// when node and asker have the same maps.
	pub async fn put(
		&self,
		permit: &SignedPermit,
		meta: &ShardMeta,
		bytes: Bytes,
	) -> Result<PutAck, GridError> {
		if !meta.is_consistent() {
			return Err(GridError::BadRequest {
				what: "the stripe id does not fit the shard ids",
			});
		}
		let len = match u32::try_from(bytes.len()) {
			Ok(len) if len > 0 && bytes.len() <= SHARD_LEN => len,
			_ => {
				return Err(GridError::BadRequest {
					what: "a shard has from 1 byte to 1 MiB",
				})
			}
		};
		if permit.permit.stripe != meta.stripe || permit.permit.shard_len != len {
			return Err(GridError::BadRequest {
				what: "the permit is of another stripe or length",
			});
		}
		let request = Request::Put {
			permit: Box::new(permit.clone()),
			meta: Box::new(meta.clone()),
			len,
		};
		repeated!(self, link => self.put_once(&link, &request, bytes.clone()))
	}

	async fn put_once(
		&self,
		link: &Link,
		request: &Request,
		bytes: Bytes,
	) -> Result<PutAck, GridError> {
		match self.ask(link, request, bytes).await? {
			(Response::Stored(ack), mut recv) => {
				self.end(link, &mut recv).await?;
				Ok(ack)
			}
			(other, _) => Err(self.unexpected(link, &other)),
		}
	}

	/// Asks the node to sign for what it holds of a batch, which `entries` make: at most 1024, all of
	/// one placement group. The receipt is of the batch and its bitmap is sound; whose signature it
	/// bears, `hippius_primitives::receipt::verify_receipt` tells.
	pub async fn receipt(
		&self,
		batch: &BatchRef,
		entries: &[StripeEntry],
	) -> Result<Receipt, GridError> {
		if batch.stripes > MAX_RECEIPT_STRIPES || batch.stripes as usize != entries.len() {
			return Err(GridError::BadRequest {
				what: "a batch has from 1 to 1024 stripes, each with its entry",
			});
		}
		let body: Bytes = entries
			.iter()
			.flat_map(|entry| entry.encode())
			.collect::<Vec<u8>>()
			.into();
		let request = Request::Receipt {
			batch: *batch,
			len: u32::try_from(body.len()).unwrap_or(u32::MAX),
		};
		repeated!(self, link => async {
			match self.ask(&link, &request, body.clone()).await? {
				(Response::Receipt(receipt), mut recv) => {
					self.end(&link, &mut recv).await?;
					if receipt.body.batch != *batch || !receipt.body.is_sound() {
						return Err(self.protocol(&link, "its receipt is of another batch".into()));
					}
					Ok(*receipt)
				}
				(other, _) => Err(self.unexpected(&link, &other)),
			}
		})
	}

	/// Has the node delete the shards of a stripe it holds: they go to its trash, from where
	/// [`Self::restore`] brings them back for 14 days. Tells how many there were. Only the issuer
	/// that let them be stored may have this done.
	pub async fn delete(&self, permit: &SignedChange) -> Result<u32, GridError> {
		self.change(permit, Change::Delete).await
	}

	/// Has the node take shards of a stripe out of its trash; tells how many.
	pub async fn restore(&self, permit: &SignedChange) -> Result<u32, GridError> {
		self.change(permit, Change::Restore).await
	}

	async fn change(&self, permit: &SignedChange, change: Change) -> Result<u32, GridError> {
		if permit.permit.change != change {
			return Err(GridError::BadRequest {
				what: "the permit is for the opposite",
			});
		}
		let request = Request::Change(Box::new(permit.clone()));
		repeated!(self, link => async {
			match self.ask(&link, &request, Bytes::new()).await? {
				(Response::Changed { records }, mut recv) => {
					self.end(&link, &mut recv).await?;
					Ok(records)
				}
				(other, _) => Err(self.unexpected(&link, &other)),
			}
		})
	}

	/// Fetches a shard of at most `max_len` bytes. The bytes hash to `shard`.
	/// [`GridError::is_not_found`] if the node does not hold it.
	pub async fn get(&self, shard: ShardId, max_len: usize) -> Result<Bytes, GridError> {
		let request = Request::Get {
			shard,
			groups: None,
		};
		let progress = Progress::default();
		repeated!(self, link => async {
			let (len, mut recv) = self.slice(&link, &request).await?;
			if len as usize > max_len {
				let what = format!("it announced {len} bytes, at most {max_len} were expected");
				return Err(self.protocol(&link, what));
			}
			let groups = 0..group_count(len.into());
			self.groups(&link, &mut recv, shard, len, groups, &progress).await
		})
	}

	/// Fetches bytes `range` of a shard of `shard_len` bytes. They are verified in groups of 16 KiB
	/// against `shard`, as they arrive; the transfer ends at the first group that is wrong
	/// ([`GridError::WrongBytes`]), and nothing of it is returned.
	///
	/// [`GridError::OtherLength`] if the node says that the shard has another length: one of you is
	/// wrong, and only all of the shard's bytes would tell who.
	pub async fn get_range(
		&self,
		shard: ShardId,
		shard_len: u32,
		range: Range<u32>,
		progress: &Progress,
	) -> Result<Bytes, GridError> {
		let bytes = u64::from(range.start)..u64::from(range.end);
		let bad = |what| GridError::BadRequest { what };
		if shard_len as usize > SHARD_LEN {
			return Err(bad("a shard has from 1 byte to 1 MiB"));
		}
		let groups = covering_groups(shard_len.into(), bytes)
			.ok_or_else(|| bad("the range is empty or reaches beyond the shard"))?;
		let number = |at: u64| u16::try_from(at).map_err(|_| bad("a shard has at most 64 groups"));
		let request = Request::Get {
			shard,
			groups: Some(GroupRange {
				start: number(groups.start)?,
				end: number(groups.end)?,
			}),
		};
		let got = repeated!(self, link => async {
			let (len, mut recv) = self.slice(&link, &request).await?;
			if len != shard_len {
				return Err(GridError::OtherLength {
					peer: self.key(),
					address: link.address,
					shard,
					said: len,
					expected: shard_len,
				});
			}
			self.groups(&link, &mut recv, shard, len, groups.clone(), progress).await
		})?;
		let first = group_bytes(shard_len.into(), groups.start).start;
		let start = u64::from(range.start).saturating_sub(first) as usize;
		Ok(got.slice(start..start + (range.end - range.start) as usize))
	}

	/// Asks for a slice; gives the shard's length, and the stream that the slice will come on.
	async fn slice(&self, link: &Link, request: &Request) -> Result<(u32, RecvStream), GridError> {
		match self.ask(link, request, Bytes::new()).await? {
			(Response::Slice { len }, recv) => Ok((len, recv)),
			(other, _) => Err(self.unexpected(link, &other)),
		}
	}

	async fn groups(
		&self,
		link: &Link,
		recv: &mut RecvStream,
		shard: ShardId,
		len: u32,
		groups: Range<u64>,
		progress: &Progress,
	) -> Result<Bytes, GridError> {
		let wanted = Wanted {
			shard,
			len: len.into(),
			groups,
			progress,
			tally: &self.dialer.tally,
		};
		match read_slice(recv, &wanted, self.pace(len as usize)).await {
			Ok(bytes) => Ok(bytes),
			Err(SliceFault::Stream(error)) => Err(self.failed(link, error, "send the shard")),
			Err(SliceFault::Wrong(error)) => {
				// Fails only if all has arrived, and then there is nothing to stop.
				let _ = recv.stop(code::WRONG_BYTES);
				let (peer, address) = (self.key(), link.address);
				tracing::debug!(%peer, %shard, %error, "wrong bytes");
				self.doubt(link, shard);
				Err(GridError::WrongBytes {
					peer,
					address,
					shard,
				})
			}
		}
	}

	/// Tells the other side, which may not know that its disk is bad. Whether it listens is not
	/// waited for.
	fn doubt(&self, link: &Link, shard: ShardId) {
		let (peer, link) = (self.clone(), link.clone());
		self.dialer.runtime.spawn(async move {
			let request = Request::Doubt { shard };
			if let Err(error) = peer.ask(&link, &request, Bytes::new()).await {
				tracing::debug!(%error, "a node was not told of its wrong bytes");
			}
		});
	}

	/// Asks which of `shards` the node holds; one answer each, in order. Long lists are asked in
	/// several requests. The answers are claims: only [`Peer::get`] proves.
	pub async fn has(&self, shards: Vec<ShardId>) -> Result<Vec<bool>, GridError> {
		let mut held = Vec::with_capacity(shards.len());
		for part in shards.chunks(MAX_HAS) {
			let count = u16::try_from(part.len()).map_err(|_| GridError::BadRequest {
				what: "too many shards in one request",
			})?;
			let ids: Bytes = part.iter().flat_map(|id| id.0).collect::<Vec<u8>>().into();
			let request = Request::Has { count };
			let answer = repeated!(self, link => self.has_once(&link, &request, ids.clone()))?;
			held.extend(answer);
		}
		Ok(held)
	}

	async fn has_once(
		&self,
		link: &Link,
		request: &Request,
		ids: Bytes,
	) -> Result<Vec<bool>, GridError> {
		let count = ids.len() / 32;
		match self.ask(link, request, ids).await? {
			(Response::Held { bits }, mut recv) => {
				self.end(link, &mut recv).await?;
				wire::unpack(&bits, count).ok_or_else(|| {
					self.protocol(link, "its answer does not fit the question".into())
				})
			}
			(other, _) => Err(self.unexpected(link, &other)),
		}
	}

	/// Asks for the description of a stripe; `None` if the node holds no shard of it. What comes
	/// back is consistent and is of the stripe asked for.
	pub async fn stripe(&self, stripe: StripeId) -> Result<Option<ShardMeta>, GridError> {
		let request = Request::Stripe { stripe };
		repeated!(self, link => self.stripe_once(&link, &request, stripe))
	}

	async fn stripe_once(
		&self,
		link: &Link,
		request: &Request,
		stripe: StripeId,
	) -> Result<Option<ShardMeta>, GridError> {
		match self.ask(link, request, Bytes::new()).await {
			Ok((Response::Stripe(meta), mut recv)) => {
				self.end(link, &mut recv).await?;
				if meta.stripe != stripe || !meta.is_consistent() {
					return Err(self.protocol(link, "its stripe is not the one asked for".into()));
				}
				Ok(Some(*meta))
			}
			Ok((other, _)) => Err(self.unexpected(link, &other)),
			Err(error) if error.is_not_found() => Ok(None),
			Err(error) => Err(error),
		}
	}

	pub(crate) async fn link(&self) -> Result<Link, GridError> {
		self.entry.link(&self.dialer).await
	}

	/// Sends a request with its body and reads the answer's frame. A failed answer is an error.
	pub(crate) async fn ask(
		&self,
		link: &Link,
		request: &Request,
		body: Bytes,
	) -> Result<(Response, RecvStream), GridError> {
		let patience = self.dialer.config.answer_timeout;
		link.keys.tick(&link.connection);
		let (send, mut recv) = match timeout(patience, link.connection.open_bi()).await {
			Ok(Ok(streams)) => streams,
			Ok(Err(error)) => return Err(self.lost(link, error)),
			Err(_) => return Err(self.late(link, "take a request", patience)),
		};
		// Dropped together with this future, the sender resets the stream.
		let mut sender = Sender::new(send, code::DONE, link.pen.clone());
		let pace = self.pace(body.len());
		let mut response = Response::Go;
		if body.len() > EAGER {
			let upload = sender.request(request, pace);
			response = self.answer(link, upload, &mut recv).await?;
		}
		if response == Response::Go {
			let upload = async {
				if body.len() <= EAGER {
					sender.request(request, pace).await?;
				}
				sender.body(body, pace).await?;
				sender.finish()
			};
			response = self.answer(link, upload, &mut recv).await?;
		}
		match response {
			Response::Failed { status, detail } => Err(GridError::Answer {
				peer: self.key(),
				address: link.address,
				status,
				detail: clean(&detail),
			}),
			response => Ok((response, recv)),
		}
	}

	/// Sends a request, or a part of it, and reads the next frame of the answer.
	async fn answer(
		&self,
		link: &Link,
		upload: impl Future<Output = Result<(), StreamError>>,
		recv: &mut RecvStream,
	) -> Result<Response, GridError> {
		let patience = self.dialer.config.answer_timeout;
		let answer = read_frame(recv);
		tokio::pin!(upload, answer);
		let frame = tokio::select! {
			biased;
			// An answer that comes before all is sent is a refusal.
			frame = &mut answer => frame.map_err(|error| self.failed(link, error, "answer")),
			sent = &mut upload => match sent {
				Ok(()) | Err(StreamError::Stopped(_)) => match timeout(patience, answer).await {
					Ok(frame) => frame.map_err(|error| self.failed(link, error, "answer")),
					Err(_) => Err(self.late(link, "answer", patience)),
				},
				Err(error) => Err(self.failed(link, error, "take the request")),
			},
		}?;
		decode_response(&frame).map_err(|error| self.protocol(link, error.to_string()))
	}

	pub(crate) async fn end(&self, link: &Link, recv: &mut RecvStream) -> Result<(), GridError> {
		let patience = self.dialer.config.progress_timeout;
		match timeout(patience, read_end(recv)).await {
			Ok(end) => end.map_err(|error| self.failed(link, error, "end its answer")),
			Err(_) => Err(self.late(link, "end its answer", patience)),
		}
	}

	fn pace(&self, len: usize) -> Pace {
		let config = &self.dialer.config;
		Pace {
			stall: config.progress_timeout,
			total: config.body_timeout(len),
		}
	}

	fn failed(&self, link: &Link, error: StreamError, what: &'static str) -> GridError {
		let (peer, address) = (self.key(), link.address);
		match error {
			StreamError::Wire(error) => self.protocol(link, error.to_string()),
			StreamError::Reset(code) | StreamError::Stopped(code) => GridError::Interrupted {
				peer,
				address,
				code: code.into_inner(),
			},
			StreamError::Lost(error) => self.lost(link, error),
			StreamError::Short => self.protocol(link, "its answer ended too early".into()),
			StreamError::Trailing => self.protocol(link, "its answer went on after its end".into()),
			StreamError::Timeout(after) => self.late(link, what, after),
			StreamError::Misused => self.protocol(link, "the stream was closed".into()),
		}
	}

	/// A peer that is late may be dead: the next request gets a fresh connection.
	fn late(&self, link: &Link, what: &'static str, after: Duration) -> GridError {
		self.entry.forget(&link.connection);
		GridError::Timeout {
			peer: self.key(),
			address: link.address,
			what,
			after,
		}
	}

	fn lost(&self, link: &Link, cause: ConnectionError) -> GridError {
		let (peer, address) = (self.key(), link.address);
		let status = match &cause {
			ConnectionError::LocallyClosed => return GridError::Closed,
			ConnectionError::ApplicationClosed(close) if close.error_code == code::REFUSED => {
				Some((Status::Refused, clean(&close.reason)))
			}
			ConnectionError::ApplicationClosed(close) if close.error_code == code::TOO_MANY => {
				Some((Status::Busy, clean(&close.reason)))
			}
			_ => None,
		};
		match status {
			Some((status, detail)) => GridError::Answer {
				peer,
				address,
				status,
				detail,
			},
			None => GridError::Lost {
				peer,
				address,
				cause,
			},
		}
	}

	pub(crate) fn protocol(&self, link: &Link, what: String) -> GridError {
		GridError::Protocol {
			peer: self.key(),
			address: link.address,
			what,
		}
	}

	pub(crate) fn unexpected(&self, link: &Link, response: &Response) -> GridError {
		let kind = match response {
			Response::Stored(_) => "stored",
			Response::Slice { .. } => "slice",
			Response::Held { .. } => "held",
			Response::Stripe(_) => "stripe",
			Response::Failed { .. } => "failed",
			Response::Noted => "noted",
			Response::Go => "go",
			Response::Receipt(_) => "receipt",
			Response::Changed { .. } => "changed",
			Response::Inventory { .. } => "inventory",
			Response::Leaves { .. } => "leaves",
			Response::Batches { .. } => "batches",
			Response::Offered { .. } => "offered",
			Response::Observed { .. } => "observed",
			Response::Punch(_) => "punch",
		};
		self.protocol(link, format!("it answered another question ({kind})"))
	}
}
