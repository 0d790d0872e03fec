//! One request, from its first byte to the delivered answer.

use super::{shares::Share, Load, Server, MEMORY_UNIT};
use crate::{
	observe,
	service::ServiceError,
	stream::{read_body, read_end, read_frame, Pace, Pen, Sender, StreamError},
	wire::{code, decode_request, pack, GroupRange, Request, Response, Status, WireError, EAGER},
};
use arion_storage_proof::{StripeEntry, GROUP_LEN};
use codec::Decode;
use hippius_primitives::{
	coding::SHARD_LEN, permit::SignedPermit, receipt::BatchRef, NodeKey, ShardId, ShardMeta,
	StripeId,
};
use quinn::{RecvStream, SendStream, VarInt};
use std::{future::Future, net::SocketAddr, sync::Arc};
use tokio::time::timeout;

mod inventory;
mod ledger;

/// Why a request was not served.
enum Fault {
	/// The peer is told.
	Answer(Status, String),
	/// The stream is reset: the peer is gone, too slow, or in the middle of a body.
	Abort(VarInt),
}

impl Fault {
	fn bad(what: impl Into<String>) -> Self {
		Self::Answer(Status::BadRequest, what.into())
	}
}

impl From<StreamError> for Fault {
	fn from(error: StreamError) -> Self {
		match error {
			StreamError::Wire(error) => Self::bad(error.to_string()),
			StreamError::Short => Self::bad("the request ended too early"),
			StreamError::Trailing => Self::bad("the request went on after its end"),
			StreamError::Timeout(_) => Self::Abort(code::TIMEOUT),
			StreamError::Reset(_) | StreamError::Stopped(_) | StreamError::Lost(_) => {
				Self::Abort(code::DONE)
			}
			StreamError::Misused => Self::Abort(code::INTERNAL),
		}
	}
}

impl From<WireError> for Fault {
	fn from(error: WireError) -> Self {
		StreamError::from(error).into()
	}
}

impl From<ServiceError> for Fault {
	fn from(error: ServiceError) -> Self {
		Self::Answer(error.status, error.detail)
	}
}

/// Who asks, on one connection.
pub(super) struct Line {
	pub(super) peer: NodeKey,
	pub(super) load: Arc<Load>,
	pub(super) pen: Pen,
}

/// What an answer takes up until the other side has it.
#[derive(Default)]
struct Sending {
	/// Bytes of a slice of a shard.
	slice: u64,
	memory: Option<Share>,
}

/// What a put announces.
struct Upload {
	permit: SignedPermit,
	meta: ShardMeta,
	len: usize,
}

impl Server {
	pub(super) async fn request(
		&self,
		line: &Line,
		address: SocketAddr,
		send: SendStream,
		mut recv: RecvStream,
	) {
		let peer = line.peer;
		// A service that panics leaves a reset behind, not a clean end.
		let mut sender = Sender::new(send, code::INTERNAL, line.pen.clone());
		let _running = tokio::select! {
			biased;
			// The peer is gone, or wants no more: others need not wait for it.
			_ = sender.stopped() => return,
			running = self.requests.acquire(peer, 1) => running,
		};
		let mut sending = Sending::default();
		let served = self
			.answer(peer, address, &mut sending, &mut sender, &mut recv)
			.await;
		// Stopped by the other side, before or after the transport had all of it.
		let mut cancelled = matches!(&served, Err(Fault::Abort(code::DONE)));
		let ended = match served {
			Ok(()) => sender.finish().map_err(Fault::from),
			Err(Fault::Answer(status, detail)) => {
				tracing::debug!(%peer, %status, detail, "request failed");
				let response = Response::failed(status, &detail);
				let told = sender.frame(&response, self.pace(0)).await;
				let ended = told.and_then(|()| sender.finish()).map_err(Fault::from);
				// After the answer, so that the peer finds it when its upload is stopped. Fails
				// only if the upload was complete.
				let _ = recv.stop(code::ANSWERED);
				ended
			}
			Err(abort) => Err(abort),
		};
		match ended {
			// Held until delivered, so that closing the grid does not cut off an answer; what that
			// takes up as well, which is in the transport's hands until then.
			Ok(()) => match timeout(self.config.progress_timeout, sender.stopped()).await {
				Ok(ended) => cancelled |= matches!(ended, Ok(Some(_)) | Err(_)),
				Err(_) => sender.reset(code::TIMEOUT),
			},
			Err(Fault::Abort(code)) => {
				sender.reset(code);
				// Fails only if the peer's half has ended, which is what is wanted.
				let _ = recv.stop(code);
			}
			Err(Fault::Answer(..)) => sender.reset(code::INTERNAL),
		}
		drop(sending.memory);
		if sending.slice > 0 {
			line.load.note(sending.slice, cancelled);
		}
	}

	async fn answer(
		&self,
		peer: NodeKey,
		address: SocketAddr,
		sending: &mut Sending,
		sender: &mut Sender,
		recv: &mut RecvStream,
	) -> Result<(), Fault> {
		let header = timeout(self.config.header_timeout, async {
			let request = decode_request(&read_frame(recv).await?)?;
			let has_body = matches!(
				request,
				Request::Put { .. } | Request::Has { .. } | Request::Receipt { .. }
			);
			if !has_body {
				read_end(recv).await?;
			}
			Ok::<_, Fault>(request)
		});
		match header.await.map_err(|_| Fault::Abort(code::TIMEOUT))?? {
			Request::Put { permit, meta, len } => {
				let upload = Upload {
					permit: *permit,
					meta: *meta,
					len: len as usize,
				};
				self.put(peer, upload, sender, recv).await
			}
			Request::Receipt { batch, len } => {
				self.receipt(peer, batch, len as usize, sender, recv).await
			}
			Request::Change(change) => {
				let changed = timeout(
					self.config.answer_timeout,
					self.service.change(peer, *change),
				);
				let records = changed.await.map_err(|_| late())??;
				let response = Response::Changed { records };
				Ok(sender.frame(&response, self.pace(0)).await?)
			}
			Request::Get { shard, groups } => self.get(peer, shard, groups, sending, sender).await,
			Request::Has { count } => self.has(peer, usize::from(count), sender, recv).await,
			Request::Stripe { stripe } => self.stripe(peer, stripe, sender).await,
			Request::Doubt { shard } => {
				tracing::warn!(%peer, %shard, "a peer says that the bytes of a shard are wrong");
				self.service.disputed(peer, shard);
				Ok(sender.frame(&Response::Noted, self.pace(0)).await?)
			}
			Request::Inventory { pg, after, limit } => {
				self.inventory(peer, pg, after, usize::from(limit), sending, sender)
					.await
			}
			Request::Offer { stripe } => self.offer(peer, stripe, sender).await,
			Request::Leaves { pg, root } => self.leaves(peer, pg, root, sending, sender).await,
			Request::Batches { pg, first, limit } => {
				self.batches(peer, pg, first, usize::from(limit), sending, sender)
					.await
			}
			Request::Beat(beat) => {
				self.service.beat(peer, *beat)?;
				Ok(sender.frame(&Response::Noted, self.pace(0)).await?)
			}
			Request::Punch(theirs) => {
				let own = self.puncher.answer(peer, &address, &theirs);
				let own =
					own.map_err(|refusal| Fault::Answer(refusal.status(), refusal.to_string()))?;
				Ok(sender
					.frame(&Response::Punch(Box::new(own)), self.pace(0))
					.await?)
			}
			Request::Observe => {
				let answer = observe::answer(address);
				let answer = answer.ok_or_else(|| Fault::bad("you come through a relay"))?;
				Ok(sender.frame(&answer, self.pace(0)).await?)
			}
		}
	}

	async fn put(
		&self,
		peer: NodeKey,
		upload: Upload,
		sender: &mut Sender,
		recv: &mut RecvStream,
	) -> Result<(), Fault> {
		let Upload { permit, meta, len } = upload;
		if !meta.is_consistent() {
			return Err(Fault::bad("the stripe id does not fit the shard ids"));
		}
		if permit.permit.stripe != meta.stripe || permit.permit.shard_len as usize != len {
			return Err(Fault::bad("the permit is of another stripe or length"));
		}
		self.service.authorize(&peer, &permit, &meta)?;
		let memory = self.memory(peer, len, sender).await?;
		self.call_for(len, sender).await?;
		let (bytes, hash) = self.bodies.read(recv, len, self.pace(len)).await?;
		if meta.shard() != Some(ShardId(hash)) {
			return Err(Fault::bad("the bytes do not hash to the shard id"));
		}
		let stored = self.service.put(peer, permit, meta, bytes);
		let ack = timeout(self.config.answer_timeout, stored)
			.await
			.map_err(|_| late())??;
		drop(memory);
		Ok(sender.frame(&Response::Stored(ack), self.pace(0)).await?)
	}

	async fn get(
		&self,
		peer: NodeKey,
		shard: ShardId,
		groups: Option<GroupRange>,
		sending: &mut Sending,
		sender: &mut Sender,
	) -> Result<(), Fault> {
		let groups = groups.map(|groups| u64::from(groups.start)..u64::from(groups.end));
		let most = groups.as_ref().map_or(SHARD_LEN, |groups| {
			(groups.end - groups.start) as usize * GROUP_LEN
		});
		let mut memory = self.memory(peer, most, sender).await?;
		let extract = self
			.watched(sender, self.service.get(peer, shard, groups.clone()))
			.await?
			.ok_or_else(|| Fault::Answer(Status::NotFound, format!("shard {shard} is not held")))?;
		let len = match u32::try_from(extract.shard_len()) {
			Ok(len) if len > 0 && len as usize <= SHARD_LEN && extract.len() <= most => len,
			_ => {
				let len = extract.shard_len();
				tracing::error!(%shard, len, "the service gave an impossible shard");
				return Err(Fault::Answer(
					Status::Internal,
					"the stored shard has no sane length".into(),
				));
			}
		};
		memory.keep(units(extract.len()));
		let pace = self.pace(extract.len());
		sender.frame(&Response::Slice { len }, pace).await?;
		*sending = Sending {
			slice: extract.len() as u64,
			memory: Some(memory),
		};
		Ok(sender.slice(&extract, pace).await?)
	}

	async fn receipt(
		&self,
		peer: NodeKey,
		batch: BatchRef,
		len: usize,
		sender: &mut Sender,
		recv: &mut RecvStream,
	) -> Result<(), Fault> {
		let memory = self.memory(peer, len, sender).await?;
		self.call_for(len, sender).await?;
		let (bytes, _) = read_body(recv, len, self.pace(len)).await?;
		let mut rest = &bytes[..];
		let mut entries = Vec::with_capacity(batch.stripes as usize);
		for _ in 0..batch.stripes {
			let entry = StripeEntry::decode(&mut rest)
				.map_err(|_| Fault::bad("a stripe entry does not decode"))?;
			entries.push(entry);
		}
		if !rest.is_empty() {
			return Err(Fault::bad(
				"there are more entries than the batch has stripes",
			));
		}
		let receipt = self
			.watched(sender, self.service.receipt(peer, batch, entries))
			.await?;
		drop(memory);
		let response = Response::Receipt(Box::new(receipt));
		Ok(sender.frame(&response, self.pace(0)).await?)
	}

	async fn has(
		&self,
		peer: NodeKey,
		count: usize,
		sender: &mut Sender,
		recv: &mut RecvStream,
	) -> Result<(), Fault> {
		let len = count * 32;
		self.call_for(len, sender).await?;
		let (ids, _) = read_body(recv, len, self.pace(len)).await?;
		let shards = ids
			.chunks_exact(32)
			.filter_map(|id| id.try_into().ok().map(ShardId))
			.collect::<Vec<_>>();
		let held = self.watched(sender, self.service.has(peer, shards)).await?;
		if held.len() != count {
			tracing::error!(count, answers = held.len(), "the service miscounted");
			return Err(Fault::Answer(
				Status::Internal,
				"the node miscounted".into(),
			));
		}
		Ok(sender
			.frame(&Response::Held { bits: pack(&held) }, self.pace(0))
			.await?)
	}

	async fn stripe(
		&self,
		peer: NodeKey,
		stripe: StripeId,
		sender: &mut Sender,
	) -> Result<(), Fault> {
		let meta = self
			.watched(sender, self.service.stripe(peer, stripe))
			.await?
			.ok_or_else(|| {
				Fault::Answer(
					Status::NotFound,
					format!("no shard of stripe {stripe} is held"),
				)
			})?;
		Ok(sender
			.frame(&Response::Stripe(Box::new(meta)), self.pace(0))
			.await?)
	}

	/// Runs a service call that is worthless once the peer stops waiting for it.
	async fn watched<T>(
		&self,
		sender: &Sender,
		call: impl Future<Output = Result<T, ServiceError>>,
	) -> Result<T, Fault> {
		Ok(self.awaited(sender, call).await?.ok_or_else(late)??)
	}

	/// Waits for `what` as long as the peer waits for an answer; `None` if that took too long.
	async fn awaited<T>(
		&self,
		sender: &Sender,
		what: impl Future<Output = T>,
	) -> Result<Option<T>, Fault> {
		tokio::select! {
			biased;
			// Nothing was sent yet, so this resolves only when the peer is gone or lost interest.
			_ = sender.stopped() => Err(Fault::Abort(code::DONE)),
			done = timeout(self.config.answer_timeout, what) => Ok(done.ok()),
		}
	}

	/// Tells the peer to send its `len` bytes, if it waits for that.
	async fn call_for(&self, len: usize, sender: &mut Sender) -> Result<(), Fault> {
		if len > EAGER {
			sender.frame(&Response::Go, self.pace(0)).await?;
		}
		Ok(())
	}

	/// Room for `len` bytes, waited for as long as the peer does.
	async fn memory(&self, peer: NodeKey, len: usize, sender: &Sender) -> Result<Share, Fault> {
		let room = self.memory.acquire(peer, units(len));
		let room = self.awaited(sender, room).await?;
		room.ok_or_else(|| Fault::Answer(Status::Busy, "no memory to spare".into()))
	}

	fn pace(&self, len: usize) -> Pace {
		Pace {
			stall: self.config.progress_timeout,
			total: self.config.body_timeout(len),
		}
	}
}

/// `len`, at most a shard, in units of memory.
fn units(len: usize) -> u32 {
	u32::try_from(len.min(SHARD_LEN).div_ceil(MEMORY_UNIT)).unwrap_or(u32::MAX)
}

fn late() -> Fault {
	Fault::Answer(Status::Busy, "the request took too long".into())
}
