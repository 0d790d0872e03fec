//! Shards of slots that are other nodes' now: given up once those have them, or counted until a
//! leaving node has none left that only it holds.

use super::{
	eras::{Eras, Group},
	index::{Mark, Row, Span},
	Shared,
};
use crate::MinerError;
use arion_shard_store::StoreError;
use hippius_primitives::{Epoch, NodeIndex, Pg, ShardId, StripeId};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// Rows looked at in one step.
const ROWS: usize = 1024;
/// Offers made in one step.
const MAX_OFFERS: usize = 256;
/// Shards of a leaving node that are read from their new holders as a proof.
const SAMPLE: usize = 32;

/// Where a node stands that leaves the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrainState {
	/// No map is held yet, or the node was never in one.
	#[default]
	Unknown,
	/// The node is in the map: its slots are its own.
	InMap,
	/// It has left the map; new holders fetch its shards.
	Moving,
	/// Every shard is confirmed by its new holder.
	Safe,
}

/// How a node that leaves fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainStatus {
	/// Where it stands.
	pub state: DrainState,
	/// The epoch that is looked at.
	pub epoch: Epoch,
	/// Live shards in the store.
	pub shards: u64,
	/// Shards confirmed by their new holders, of those asked about so far.
	pub confirmed: u64,
	/// Shards not confirmed yet.
	pub left: u64,
	/// Confirmed shards that were read from their new holders and were right.
	pub sampled: u64,
}

impl fmt::Display for DrainStatus {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			shards,
			confirmed,
			left,
			sampled,
			epoch,
			..
		} = self;
		match self.state {
			DrainState::Unknown => f.write_str("the daemon has no map that has this node"),
			DrainState::InMap => write!(
				f,
				"the map of epoch {epoch} still has this node, with {shards} shards"
			),
			DrainState::Moving => write!(
				f,
				"{left} of {shards} shards are not confirmed by their new holders yet ({confirmed} are)"
			),
			DrainState::Safe => write!(
				f,
				"safe to unplug: all {confirmed} shards are with their new holders as of epoch \
				 {epoch}, {sampled} of them were read there"
			),
		}
	}
}

impl DrainStatus {
	/// Shards that may be nowhere else.
	pub fn unconfirmed(&self, shards: u64) -> u64 {
		match self.state {
			DrainState::Safe => 0,
			DrainState::Moving => self.left.max(1),
			DrainState::Unknown | DrainState::InMap => shards,
		}
	}

	/// Whether the node can be switched off without a shard being lost.
	pub fn is_safe(&self) -> bool {
		self.state == DrainState::Safe
	}
}

/// One walk through all shards.
#[derive(Debug, Default)]
pub(super) struct Sweep {
	after: Option<(StripeId, u8)>,
	/// Shards confirmed by their new holders.
	pub(super) confirmed: u64,
	/// Shards not confirmed.
	pub(super) left: u64,
	/// The walk is through.
	pub(super) ended: bool,
	/// It is through, everything was confirmed, and of a leaving node a sample was read.
	pub(super) proven: bool,
	/// Confirmed shards picked at random, and how many of them were read and right.
	sample: Vec<(NodeIndex, ShardId)>,
	pub(super) sampled: u64,
	random: u64,
}

/// A row of another node's slot.
struct Foreign {
	row: Row,
	holder: Option<NodeIndex>,
	/// Its bytes are needed here for another slot of the same stripe.
	shared_bytes: bool,
}

impl Sweep {
	/// Looks at the next rows. With `release`, shards that their new holders have go to the trash.
	pub(super) async fn step(
		&mut self,
		shared: &Arc<Shared>,
		eras: &Arc<Eras>,
		release: bool,
	) -> Result<(), MinerError> {
		let (after, for_rows) = (self.after, eras.clone());
		let page = shared.blocking(move |shared| foreign(shared, &for_rows, after));
		let (rows, last) = page.await??;
		let mut by_holder: BTreeMap<Option<NodeIndex>, Vec<Foreign>> = BTreeMap::new();
		for row in rows {
			by_holder.entry(row.holder).or_default().push(row);
		}
		let mut offers = MAX_OFFERS;
		for (holder, rows) in by_holder {
			let Some(holder) = holder else {
				// A hole of the map: nobody is to have it.
				self.left += rows.len() as u64;
				continue;
			};
			let shards = rows.iter().map(|foreign| foreign.row.shard).collect();
			let held = match shared.net.has(eras, holder, shards).await {
				Ok(held) => held,
				Err(error) => {
					tracing::debug!(%error, "a new holder does not answer");
					self.left += rows.len() as u64;
					continue;
				}
			};
			for (foreign, held) in rows.into_iter().zip(held) {
				let row = foreign.row;
				if !held {
					self.left += 1;
					if offers > 0 && self.offer(shared, eras, holder, row.stripe).await {
						offers -= 1;
					}
					continue;
				}
				self.confirmed += 1;
				self.pick(holder, row.shard);
				if release && !foreign.shared_bytes {
					shared
						.blocking(move |shared| give_up(shared, &row))
						.await??;
				}
			}
		}
		self.after = last.or(self.after);
		self.ended = last.is_none();
		Ok(())
	}

	async fn offer(
		&self,
		shared: &Shared,
		eras: &Eras,
		holder: NodeIndex,
		stripe: StripeId,
	) -> bool {
		match shared.net.offer(eras, holder, stripe).await {
			Ok(taken) => {
				shared.stats.add(|s| &s.offered, u64::from(taken));
				true
			}
			Err(error) => {
				tracing::debug!(%stripe, %error, "offer");
				false
			}
		}
	}

	/// Reservoir sampling: each confirmed shard is as likely to be picked as any other.
	fn pick(&mut self, holder: NodeIndex, shard: ShardId) {
		if self.sample.len() < SAMPLE {
			self.sample.push((holder, shard));
			return;
		}
		let at = self.draw() % self.confirmed.max(1);
		let place = usize::try_from(at)
			.ok()
			.and_then(|at| self.sample.get_mut(at));
		if let Some(place) = place {
			*place = (holder, shard);
		}
	}

	/// Pseudo-random; seeded by the system, so that nobody knows which shards are going to be read.
	fn draw(&mut self) -> u64 {
		if self.random == 0 {
			let mut seed = [0; 8];
			if getrandom::fill(&mut seed).is_ok() {
				self.random = u64::from_le_bytes(seed);
			}
			self.random |= 1;
		}
		self.random ^= self.random << 13;
		self.random ^= self.random >> 7;
		self.random ^= self.random << 17;
		self.random
	}

	/// Reads the sample from the new holders; whether all of it is right.
	pub(super) async fn prove(&mut self, shared: &Shared, eras: &Eras) -> bool {
		self.sampled = 0;
		for (holder, shard) in &self.sample {
			match shared.net.get(eras, *holder, *shard).await {
				Ok(Some(_)) => self.sampled += 1,
				Ok(None) => tracing::warn!(holder, %shard, "confirmed, but does not serve it"),
				Err(error) => tracing::warn!(%shard, %error, "confirmed, but does not serve it"),
			}
		}
		self.sampled == self.sample.len() as u64
	}
}

/// A page of rows whose slots are others' now, and where the next one begins. Blocks.
type Rows = (Vec<Foreign>, Option<(StripeId, u8)>);
fn foreign(
	shared: &Shared,
	eras: &Eras,
	after: Option<(StripeId, u8)>,
) -> Result<Rows, MinerError> {
	let rows = shared.index.rows(&Span::ALL, after, ROWS)?;
	let last = rows.last().map(|row| (row.stripe, row.slot));
	let is_in = eras.is_in();
	let mut group: Option<Group> = None;
	let mut found = Vec::new();
	for row in rows {
		if row.mark != Mark::Live || !shared.store.has(&row.shard) {
			continue;
		}
		let pg: Pg = eras.pg_of(&row.stripe);
		if group.as_ref().is_none_or(|group| group.pg != pg) {
			group = Some(eras.group(pg).map_err(MinerError::Repair)?);
		}
		let Some(group) = &group else { continue };
		let holder = group.now().get(usize::from(row.slot)).copied().flatten();
		if is_in && holder == eras.me() {
			continue;
		}
		// The same bytes at another slot of this stripe that is not given up.
		let others = shared.index.of_stripe(&row.stripe)?;
		let shared_bytes = others.iter().any(|other| {
			other.slot != row.slot && other.shard == row.shard && other.mark == Mark::Live
		});
		found.push(Foreign {
			row,
			holder,
			shared_bytes,
		});
	}
	Ok((found, last))
}

/// Puts a shard into the trash. Blocks.
fn give_up(shared: &Shared, row: &Row) -> Result<(), MinerError> {
	let gone = shared.store.delete(&row.shard.into(), Some(&row.stripe));
	gone.map_err(|error: StoreError| MinerError::from(error))?;
	shared
		.index
		.note(row.stripe, row.slot, row.shard, Mark::Released);
	shared.stats.add(|s| &s.released, 1);
	Ok(())
}
