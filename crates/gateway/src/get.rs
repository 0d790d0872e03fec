//! Fetching an object, or a range of it.

use crate::{
	error::{GetError, Part},
	fetch::{Gathered, Wanted},
	gateway::{Address, Gateway},
	root::Object,
};
use arion_erasure::{Codec, ShardSet};
use arion_object::{Manifest, OpenError, Piece, RangePlan, StripeError, StripeOpener, StripeRef};
use bytes::Bytes;
use futures_util::{
	future::BoxFuture,
	stream::{self, Stream},
	FutureExt, StreamExt, TryStreamExt,
};
use hippius_primitives::{coding::shard_len, DATA_SHARDS};
use std::{collections::VecDeque, ops::Range, sync::Arc};
use tokio_util::task::AbortOnDropHandle;

/// References of stripes read at a time where they are stored in stripes themselves.
const REFS_AT_ONCE: usize = 1024;

/// What is left to read of a level.
struct Cursor {
	level: u8,
	pieces: VecDeque<Piece>,
	/// References of the first pieces.
	refs: VecDeque<StripeRef>,
}

impl Gateway {
	/// Finds an object.
	pub async fn find(&self, address: &Address) -> Result<Object, GetError> {
		match address {
			Address::Link(link) => self.open(link.id, link.key.clone()).await,
			Address::Id(id) => match self.entry(*id).await? {
				Some(entry) => self.open(*id, entry.key).await,
				None => Err(GetError::NoKey(*id)),
			},
		}
	}

	/// The bytes of a range of an object, in order, in pieces of up to a stripe. The next stripes
	/// are fetched while one is being consumed.
	pub fn read(
		self: &Arc<Self>,
		object: Arc<Object>,
		range: Range<u64>,
	) -> Result<impl Stream<Item = Result<Bytes, GetError>> + Send + 'static, GetError> {
		let size = object.manifest.size();
		let bad_range = GetError::BadRange {
			start: range.start,
			end: range.end,
			size,
		};
		let pieces = object.manifest.layout(0)?.pieces(range).ok_or(bad_range)?;
		let cursor = Cursor {
			level: 0,
			pieces: pieces.collect(),
			refs: VecDeque::new(),
		};
		let gateway = self.clone();
		let jobs = stream::try_unfold(
			(self.clone(), object.clone(), cursor),
			|(gateway, object, mut cursor)| async move {
				let job = gateway.next_piece(&object, &mut cursor).await?;
				Ok::<_, GetError>(job.map(|job| (job, (gateway, object, cursor))))
			},
		);
		let plain = jobs
			.map_ok(move |(piece, reference)| {
				let (gateway, object) = (gateway.clone(), object.clone());
				// A task, so that it goes on while the consumer is busy with the piece before.
				let task =
					tokio::spawn(
						async move { gateway.fetch_piece(&object, 0, piece, reference).await },
					);
				AbortOnDropHandle::new(task).map(|joined| match joined {
					Ok(result) => result,
					Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
					Err(_) => Err(GetError::Stopping),
				})
			})
			.try_buffered(self.prefetch + 1);
		Ok(plain.boxed())
	}

	/// The next piece of a level and where its stripe is.
	async fn next_piece(
		&self,
		object: &Object,
		cursor: &mut Cursor,
	) -> Result<Option<(Piece, StripeRef)>, GetError> {
		let Some(first) = cursor.pieces.front().map(|piece| piece.stripe) else {
			return Ok(None);
		};
		if cursor.refs.is_empty() {
			let count = u32::try_from(cursor.pieces.len().min(REFS_AT_ONCE)).unwrap_or(u32::MAX);
			cursor.refs = self
				.references(object, cursor.level, first..first + count)
				.await?
				.into();
		}
		Ok(cursor.pieces.pop_front().zip(cursor.refs.pop_front()))
	}

	/// Where these stripes of a level are.
	fn references<'a>(
		&'a self,
		object: &'a Object,
		level: u8,
		stripes: Range<u32>,
	) -> BoxFuture<'a, Result<Vec<StripeRef>, GetError>> {
		async move {
			let manifest = &object.manifest;
			if level >= manifest.level() {
				let known = manifest.stripes();
				let start = usize::try_from(stripes.start)
					.unwrap_or(usize::MAX)
					.min(known.len());
				let end = usize::try_from(stripes.end)
					.unwrap_or(usize::MAX)
					.clamp(start, known.len());
				return Ok(known[start..end].to_vec());
			}
			let above = level + 1;
			let layout = manifest.layout(above)?;
			let range = Manifest::refs_range(stripes.clone());
			let beyond = GetError::BadRange {
				start: range.start,
				end: range.end,
				size: layout.size(),
			};
			let pieces = layout.pieces(range).ok_or(beyond)?;
			let mut cursor = Cursor {
				level: above,
				pieces: pieces.collect(),
				refs: VecDeque::new(),
			};
			let mut bytes = Vec::new();
			while let Some((piece, reference)) = self.next_piece(object, &mut cursor).await? {
				bytes.extend_from_slice(&self.fetch_piece(object, above, piece, reference).await?);
			}
			Ok(manifest.parse_refs(level, stripes.start, &bytes)?)
		}
		.boxed()
	}

	/// Fetches and opens a piece: only the data shards it touches, if that works out.
	async fn fetch_piece(
		&self,
		object: &Object,
		level: u8,
		piece: Piece,
		reference: StripeRef,
	) -> Result<Bytes, GetError> {
		let part = match level {
			0 => Part::Data(piece.stripe),
			level => Part::Index(level, piece.stripe),
		};
		let opener = object.manifest.opener(&object.key, level)?;
		let plan = opener
			.plan_range(piece.stripe, piece.range.clone())
			.map_err(|cause| GetError::Open { part, cause })?;
		let slots =
			ShardSet::from_slots(plan.shard_parts().iter().map(|part| usize::from(part.slot)))
				.map_err(|cause| GetError::Stripe {
					part,
					cause: StripeError::Codec(cause),
				})?;
		let max_len = usize::try_from(reference.len)
			.ok()
			.and_then(shard_len)
			.unwrap_or(0);
		let memory = self
			.get_memory
			.clone()
			.acquire_owned()
			.await
			.map_err(|_| GetError::Stopping)?;
		let wanted = Wanted {
			part,
			stripe: reference.id(),
			shards: reference.shards,
			max_len,
			epoch: Some(reference.epoch),
			slots: if slots.len() < DATA_SHARDS {
				slots
			} else {
				ShardSet::EMPTY
			},
		};
		let shards = self.fetcher.gather(&wanted).await?;
		let metrics = self.metrics.clone();
		let plain = self
			.compute(move || {
				let plain = match direct(&plan, &shards) {
					Some(sealed) => opener.open_part(&plan, &sealed),
					None => {
						metrics.stripes_decoded.add(1);
						let sealed = decode(&reference, &shards)
							.map_err(|cause| GetError::Stripe { part, cause })?;
						open_range(&opener, &piece, &sealed)
					}
				};
				drop(shards);
				drop(memory);
				plain.map_err(|cause| GetError::Open { part, cause })
			})
			.await
			.ok_or(GetError::Stopping)??;
		self.metrics
			.bytes_out
			.add(if level == 0 { plain.len() } else { 0 });
		Ok(plain.into())
	}
}

/// The sealed bytes of a plan straight from data shards, if all it needs are there.
fn direct(plan: &RangePlan, shards: &Gathered) -> Option<Vec<u8>> {
	let mut sealed = Vec::with_capacity(plan.sealed.len());
	for part in plan.shard_parts() {
		let shard = shards.get(usize::from(part.slot))?.as_ref()?;
		sealed.extend_from_slice(shard.get(part.range)?);
	}
	Some(sealed)
}

/// A stripe's sealed bytes from any ten shards. Their hashes were checked when they arrived.
fn decode(reference: &StripeRef, shards: &Gathered) -> Result<Vec<u8>, StripeError> {
	let len = usize::try_from(reference.len).unwrap_or(usize::MAX);
	Ok(Codec::shared().reconstruct_data(shards, len)?)
}

fn open_range(opener: &StripeOpener, piece: &Piece, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
	opener.open_range(piece.stripe, sealed, piece.range.clone())
}
