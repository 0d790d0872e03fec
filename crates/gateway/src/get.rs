//! Fetching an object, or a range of it.

use crate::{
	error::{GetError, Part},
	fetch::{Gathered, Piece as Fetched, SlotRange, Wanted},
	gateway::{Address, Gateway},
	metrics::Metrics,
	root::Object,
};
use arion_erasure::{Codec, CodecError, ShardSet, StripeCodec};
use arion_object::{Manifest, Piece, StripeError, StripeRef};
use bytes::Bytes;
use futures_util::{
	future::BoxFuture,
	stream::{self, Stream},
	FutureExt, StreamExt, TryStreamExt,
};
use hippius_primitives::{coding::shard_len, DATA_SHARDS, TOTAL_SHARDS};
use std::{collections::VecDeque, ops::Range, sync::Arc};
use tokio_util::task::AbortOnDropHandle;

/// References of stripes read at a time where they are stored in stripes themselves.
const REFS_AT_ONCE: usize = 1024;

/// Bytes that are verified together.
const GROUP: usize = 16 * 1024;

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
		let parts: Vec<SlotRange> = plan
			.shard_parts()
			.into_iter()
			.map(|part| SlotRange {
				slot: part.slot.into(),
				range: part.range,
			})
			.collect();
		let memory = self
			.get_memory
			.clone()
			.acquire_owned()
			.await
			.map_err(|_| GetError::Stopping)?;
		let sources = self.gather_parts(part, &reference, parts).await?;
		let metrics = self.metrics.clone();
		let plain = self
			.compute(move || {
				let sealed = assemble(&sources, &metrics)
					.map_err(|cause| GetError::Stripe { part, cause })?;
				let plain = opener.open_pieces(&plan, &sealed);
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

	/// Fetches the bytes of these data shards, each group of them that has columns in common at
	/// once: as many as they are if all goes well, or the same columns of ten others.
	async fn gather_parts(
		&self,
		part: Part,
		reference: &StripeRef,
		parts: Vec<SlotRange>,
	) -> Result<Vec<Assembly>, GetError> {
		let stripe_len = usize::try_from(reference.len).unwrap_or(usize::MAX);
		let Some(shard_len) = shard_len(stripe_len) else {
			let cause = StripeError::Codec(CodecError::StripeLength { len: stripe_len });
			return Err(GetError::Stripe { part, cause });
		};
		let gathers = groups(parts, shard_len)
			.into_iter()
			.map(|group| async move {
				let wanted = Wanted {
					part,
					stripe: reference.id(),
					shards: reference.shards,
					shard_len: Some(shard_len),
					epoch: Some(reference.epoch),
					parts: match group.len() {
						DATA_SHARDS => Vec::new(),
						_ => group.iter().map(|part| part.aligned(shard_len)).collect(),
					},
				};
				let gathered = self.fetcher.gather(&wanted).await?;
				Ok::<_, GetError>(Assembly {
					parts: group,
					gathered,
					shard_len,
				})
			});
		futures_util::future::try_join_all(gathers).await
	}
}

impl SlotRange {
	/// The whole groups that contain the range: what can be verified, and so what is fetched.
	fn aligned(&self, shard_len: usize) -> Self {
		let start = self.range.start / GROUP * GROUP;
		let end = self.range.end.next_multiple_of(GROUP).min(shard_len);
		Self {
			slot: self.slot,
			range: start..end,
		}
	}
}

/// Parts that are fetched together. The end of one shard and the beginning of the next have no
/// columns in common: should both have to be computed, that is less work for each alone.
fn groups(parts: Vec<SlotRange>, shard_len: usize) -> Vec<Vec<SlotRange>> {
	match parts.as_slice() {
		[a, b] if a.aligned(shard_len).range.start >= b.aligned(shard_len).range.end => {
			parts.into_iter().map(|part| vec![part]).collect()
		}
		[] => Vec::new(),
		_ => vec![parts],
	}
}

/// Parts of data shards and what they are made from.
struct Assembly {
	parts: Vec<SlotRange>,
	gathered: Gathered,
	shard_len: usize,
}

/// All parts one after the other. Those that are not here are computed from the same columns of ten
/// other shards; hashes were checked when bytes arrived.
fn assemble(sources: &[Assembly], metrics: &Metrics) -> Result<Vec<Bytes>, StripeError> {
	let mut sealed = Vec::new();
	let mut decoded = false;
	for source in sources {
		let Assembly {
			parts, gathered, ..
		} = source;
		let missing = parts
			.iter()
			.filter(|part| gathered.get(part.slot, &part.range).is_none());
		let missing = ShardSet::from_slots(missing.map(|part| part.slot))?;
		let computed = match missing.is_empty() {
			true => Vec::new(),
			false => source.compute(missing)?,
		};
		decoded |= !missing.is_empty();
		for part in parts {
			let bytes = gathered.get(part.slot, &part.range).or_else(|| {
				let at = missing.iter().position(|slot| slot == part.slot)?;
				computed.get(at)?.get(&part.range)
			});
			sealed.push(bytes.ok_or(CodecError::ColumnRange {
				start: part.range.start,
				end: part.range.end,
				shard_len: source.shard_len,
			})?);
		}
	}
	if decoded {
		metrics.stripes_decoded.add(1);
	}
	Ok(sealed)
}

impl Assembly {
	/// The columns of these slots, in order, from those of ten others.
	fn compute(&self, missing: ShardSet) -> Result<Vec<Fetched>, StripeError> {
		let columns = &self.gathered.columns;
		let pieces: Vec<(usize, Bytes)> = (0..TOTAL_SHARDS)
			.filter_map(|slot| Some((slot, self.gathered.get(slot, columns)?)))
			.collect();
		let present = ShardSet::from_slots(pieces.iter().map(|(slot, _)| *slot))?;
		let codec = Codec::shared();
		let plan = codec.plan(present, missing)?;
		let sources = plan.sources().map(|slot| {
			let piece = pieces.iter().find(|(other, _)| *other == slot);
			piece.map_or(&[][..], |(_, bytes)| &bytes[..])
		});
		let mut computed = vec![vec![0; columns.len()]; missing.len()];
		let mut outputs: Vec<&mut [u8]> = computed.iter_mut().map(Vec::as_mut_slice).collect();
		codec.recover_columns(
			&plan,
			self.shard_len,
			columns.clone(),
			&sources,
			&mut outputs,
		)?;
		let start = columns.start;
		let computed = computed.into_iter().map(Bytes::from);
		Ok(computed.map(|bytes| Fetched { start, bytes }).collect())
	}
}
