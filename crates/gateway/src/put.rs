//! Storing an object.

use crate::{
	catalog::{CatalogError, Entry},
	cluster::ClusterError,
	error::{Part, PutError},
	gateway::{disk, Gateway},
};
use arion_object::{
	encode_stripe_in, Cutter, EncodedStripe, Link, ManifestBuilder, ObjectId, ObjectKey,
	PlainStripe, ShardBuffers, StripeError, StripeRef, StripeSealer, Suite,
};
use arion_storage_proof::{ShardLen, StripeEntry};
use bytes::{Buf, Bytes};
use futures_util::{stream, Stream, StreamExt, TryStreamExt};
use hippius_primitives::coding::shard_len;
use std::{
	fmt::Display,
	sync::Arc,
	time::{Duration, SystemTime},
};
use tokio_util::task::TaskTracker;

/// A source that gives nothing for this long is given up.
const SOURCE_IDLE: Duration = Duration::from_secs(120);

/// Permits of the memory semaphore that a stripe begins with: one per shard.
const STRIPE_PERMITS: u32 = hippius_primitives::TOTAL_SHARDS as u32;

/// What the user says of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
	/// Its name; empty if it has none.
	pub name: String,
	/// Its MIME type; empty if unknown.
	pub content_type: String,
	/// The account that pays for it; the gateway's own if left out.
	pub payer: Option<[u8; 32]>,
}

/// One upload.
struct Upload {
	/// Who pays.
	owner: [u8; 32],
	/// Shards that are on their way after the quorum.
	tail: TaskTracker,
}

/// An object that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
	/// Id and key.
	pub link: Link,
	/// Name it was stored under.
	pub name: Option<String>,
	/// Bytes of content.
	pub size: u64,
	/// Stripes of the content.
	pub stripes: u32,
	/// Seconds since 1970.
	pub created: u64,
}

/// Seconds since 1970.
fn now() -> u64 {
	SystemTime::now()
		.duration_since(SystemTime::UNIX_EPOCH)
		.map_or(0, |since| since.as_secs())
}

/// Cuts a source.
struct Feed<S> {
	gateway: Arc<Gateway>,
	source: S,
	cutter: Cutter,
	/// What has arrived and is not cut yet.
	piece: Bytes,
	/// `None` after the last stripe.
	sealer: Option<StripeSealer>,
	taken: u64,
}

impl Gateway {
	/// Stores an object: reads `source` to its end and returns once every stripe, the manifest's
	/// included, is on the disks of at least 20 distinct nodes and the catalog has its key.
	pub async fn put<S, E>(self: &Arc<Self>, source: S, label: Label) -> Result<Stored, PutError>
	where
		S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
		E: Display,
	{
		let outcome = self.put_all(source, label).await;
		match &outcome {
			Ok(_) => self.metrics.objects_put.add(1),
			Err(_) => self.metrics.objects_put_failed.add(1),
		}
		outcome
	}

	async fn put_all<S, E>(self: &Arc<Self>, source: S, label: Label) -> Result<Stored, PutError>
	where
		S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
		E: Display,
	{
		let upload = &Upload {
			owner: self.payers.choose(label.payer)?,
			tail: TaskTracker::new(),
		};
		let key = ObjectKey::generate()?;
		let sealer = StripeSealer::new(Suite::default(), &key)?;
		let mut manifest = ManifestBuilder::new(&sealer, &key, &label.name, &label.content_type)?
			.with_root_refs(self.put.root_refs);
		let feed = Feed {
			gateway: self.clone(),
			source,
			cutter: Cutter::new(),
			piece: Bytes::new(),
			sealer: Some(sealer),
			taken: 0,
		};
		let (mut size, mut count) = (0u64, 0u32);
		{
			let stripes = stream::try_unfold(feed, |mut feed| async move {
				Ok::<_, PutError>(feed.next().await?.map(|stripe| (stripe, feed)))
			});
			let mut stored = std::pin::pin!(stripes
				.map_ok(|stripe| async move {
					let part = Part::Data(stripe.index());
					let len = u64::try_from(stripe.plain_len()).unwrap_or(u64::MAX);
					let encode = move |buffers: &_| stripe.encode(buffers);
					Ok((len, self.store(part, encode, upload).await?))
				})
				.try_buffered(self.put.parallel_stripes));
			while let Some((plain_len, reference)) = stored.try_next().await? {
				size += plain_len;
				count += 1;
				manifest.push(reference)?;
				self.store_indices(&mut manifest, upload).await?;
			}
		}
		manifest.close(size)?;
		self.store_indices(&mut manifest, upload).await?;
		let root = self
			.store_sealed(Part::Root, manifest.seal_root()?, upload)
			.await?;
		let link = Link {
			id: ObjectId(root.id()),
			key,
		};
		let created = now();
		let name = (!label.name.is_empty()).then_some(label.name);
		self.remember(
			&link,
			Entry {
				key: link.key.clone(),
				name: name.clone(),
				size,
				stripes: count,
				created,
			},
		)
		.await?;
		// Acknowledged already; a moment more and most likely all thirty are there.
		upload.tail.close();
		let settle = Duration::from_millis(self.put.settle_ms);
		if tokio::time::timeout(settle, upload.tail.wait())
			.await
			.is_err()
		{
			tracing::debug!(id = %link.id, "some shards beyond the quorum are still on their way");
		}
		tracing::info!(id = %link.id, size, stripes = count, "stored");
		Ok(Stored {
			link,
			name,
			size,
			stripes: count,
			created,
		})
	}

	/// Stores what the manifest wants to have stored.
	async fn store_indices(
		&self,
		manifest: &mut ManifestBuilder,
		upload: &Upload,
	) -> Result<(), PutError> {
		while let Some(index) = manifest.next_index()? {
			let part = Part::Index(index.level, index.sealed.index);
			let reference = self.store_sealed(part, index.sealed.bytes, upload).await?;
			manifest.push_index(index.level, reference)?;
		}
		Ok(())
	}

	/// Codes a sealed stripe and pushes it.
	async fn store_sealed(
		&self,
		part: Part,
		sealed: Vec<u8>,
		upload: &Upload,
	) -> Result<StripeRef, PutError> {
		let encode = move |buffers: &_| encode_stripe_in(buffers, &sealed);
		self.store(part, encode, upload).await
	}

	/// Encodes a stripe once there is memory for its shards, and pushes it.
	async fn store(
		&self,
		part: Part,
		encode: impl FnOnce(&ShardBuffers) -> Result<EncodedStripe, StripeError> + Send + 'static,
		upload: &Upload,
	) -> Result<StripeRef, PutError> {
		let memory = self
			.put_memory
			.clone()
			.acquire_many_owned(STRIPE_PERMITS)
			.await;
		let memory = memory.map_err(|_| PutError::Stopping)?;
		let buffers = self.buffers.clone();
		let stripe = self
			.compute(move || encode(&buffers))
			.await
			.ok_or(PutError::Stopping)?
			.map_err(|cause| PutError::Stripe { part, cause })?;
		let Upload { owner, tail } = upload;
		let pushed = self.pusher.push(part, stripe, *owner, memory, tail);
		let reference = pushed.await?;
		if self.ledger {
			self.wait_for_ledger(&reference, *owner).await?;
		}
		Ok(reference)
	}

	/// Lets a stored stripe wait to be appended to its group's ledger. On disk with the object's
	/// entry at the latest.
	async fn wait_for_ledger(
		&self,
		reference: &StripeRef,
		owner: [u8; 32],
	) -> Result<(), PutError> {
		let epoch = reference.epoch;
		let layout = self.cluster.layout(epoch).await?;
		let layout = layout.ok_or(ClusterError::NoMap)?;
		let stripe = reference.id();
		let len = shard_len(usize::try_from(reference.len).unwrap_or(usize::MAX)).unwrap_or(0);
		let entry = StripeEntry {
			stripe,
			owner,
			shard_len: ShardLen::new(u64::try_from(len).unwrap_or(u64::MAX))
				.map_err(CatalogError::Batch)?,
		};
		let (catalog, pg) = (self.catalog.clone(), layout.map().pg_of(&stripe));
		let now = now();
		Ok(disk(move || catalog.ledger_wait(pg, epoch, &entry, now)).await?)
	}

	async fn remember(&self, link: &Link, entry: Entry) -> Result<(), PutError> {
		let (catalog, id) = (self.catalog.clone(), link.id);
		Ok(self
			.compute(move || catalog.insert(id, &entry))
			.await
			.ok_or(PutError::Stopping)??)
	}
}

impl<S, E> Feed<S>
where
	S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
	E: Display,
{
	/// The next stripe, to be sealed where it is encoded.
	async fn next(&mut self) -> Result<Option<PlainStripe>, PutError> {
		let Some(mut sealer) = self.sealer.take() else {
			return Ok(None);
		};
		let (plain, last) = self.cut().await?;
		let stripe = sealer.prepare_next(plain, last)?;
		if !last {
			self.sealer = Some(sealer);
		}
		Ok(Some(stripe))
	}

	/// The source's bytes of the next stripe, and whether it is the last.
	async fn cut(&mut self) -> Result<(Vec<u8>, bool), PutError> {
		loop {
			let mut rest = &self.piece[..];
			let full = self.cutter.push(&mut rest);
			let used = self.piece.len() - rest.len();
			self.piece.advance(used);
			if let Some(stripe) = full {
				return Ok((stripe, false));
			}
			match tokio::time::timeout(SOURCE_IDLE, self.source.next()).await {
				Ok(Some(Ok(piece))) => {
					self.taken = self
						.taken
						.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
					if self.taken > self.gateway.max_object {
						return Err(PutError::TooLarge(self.gateway.max_object));
					}
					self.gateway.metrics.bytes_in.add(piece.len());
					self.piece = piece;
				}
				Ok(Some(Err(cause))) => return Err(PutError::Source(cause.to_string())),
				Ok(None) => return Ok((std::mem::take(&mut self.cutter).finish(), true)),
				Err(_) => {
					return Err(PutError::Source(format!(
						"nothing came for {SOURCE_IDLE:?}"
					)))
				}
			}
		}
	}
}
