//! What other members know of a group's ledger.
//!
//! Entries of batches that this node did not sign for, and the order of batches where the worker's full
//! node has no history, come from other members of the group. Any one that has them will do: members
//! that have nothing, do not answer or lie are passed over.

use super::{
	locked,
	peers::{Peers, Silent},
	Work,
};
use crate::{
	leaves::{Followed, LeavesError},
	metrics::unix_now,
};
use arion_storage_proof::{Batch, Peaks, StripeEntry};
use futures_util::stream::{FuturesUnordered, StreamExt};
use hippius_primitives::{NodeIndex, Pg};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::Arc,
	time::Duration,
};
use tokio::{
	sync::watch,
	task::{JoinError, JoinSet},
	time::Instant,
};

/// Members asked side by side, and groups.
const ABREAST: usize = 4;
/// Groups that wait.
const MOST_NEEDS: usize = 256;
/// Batches of one group whose entries are fetched at a time.
const MOST_MISSING: usize = 64;
/// Pieces of an order asked for at a time.
const MOST_PIECES: usize = 16;
/// A member that lied is not asked for this long.
const LIAR_PAUSE: Duration = Duration::from_secs(600);

/// Groups of which something is to be fetched.
#[derive(Debug, Default)]
pub(super) struct Needs {
	/// Whether the chain asks about it.
	groups: BTreeMap<Pg, bool>,
	/// Groups of which something is being fetched; they wait until that has ended.
	running: BTreeSet<Pg>,
	/// Members that lied, and until when they are not asked.
	liars: BTreeMap<NodeIndex, Instant>,
}

impl Needs {
	pub(super) fn add(&mut self, pg: Pg, urgent: bool) {
		if self.groups.len() < MOST_NEEDS || urgent {
			*self.groups.entry(pg).or_default() |= urgent;
		}
		if self.groups.len() > MOST_NEEDS {
			// Asked about again with the next order, at most as many as an order has.
			self.groups.retain(|_, urgent| *urgent);
		}
	}

	/// The next groups, those asked about first.
	fn next(&mut self) -> Vec<Pg> {
		let waiting = self.groups.iter();
		let waiting = waiting.filter(|(pg, _)| !self.running.contains(pg));
		let mut next: Vec<(bool, Pg)> = waiting.map(|(pg, urgent)| (!urgent, *pg)).collect();
		next.sort_unstable();
		next.truncate(ABREAST);
		let next: Vec<Pg> = next.into_iter().map(|(_, pg)| pg).collect();
		for pg in &next {
			self.groups.remove(pg);
			self.running.insert(*pg);
		}
		next
	}

	fn lied(&mut self, node: NodeIndex) {
		self.liars.insert(node, Instant::now() + LIAR_PAUSE);
	}

	fn trusts(&mut self, node: NodeIndex) -> bool {
		let now = Instant::now();
		self.liars.retain(|_, until| *until > now);
		!self.liars.contains_key(&node)
	}
}

/// A group of which something is being fetched.
struct Running(Arc<Work>, Pg);

impl Drop for Running {
	fn drop(&mut self) {
		locked(&self.0.needs).running.remove(&self.1);
	}
}

async fn entries_of(
	peers: Arc<dyn Peers>,
	node: NodeIndex,
	pg: Pg,
	batch: Batch,
) -> (NodeIndex, Result<Vec<StripeEntry>, Silent>) {
	(node, peers.leaves(node, pg, batch).await)
}

impl Work {
	/// Has something of a group fetched.
	pub(super) fn need(&self, pg: Pg, urgent: bool) {
		locked(&self.needs).add(pg, urgent);
		self.needed.notify_one();
	}

	/// Fetches what is needed until `stop` is set.
	pub async fn run(self: Arc<Self>, peers: Arc<dyn Peers>, mut stop: watch::Receiver<bool>) {
		let fetching = async {
			let mut tasks = JoinSet::new();
			loop {
				let next = locked(&self.needs).next();
				if next.is_empty() && tasks.is_empty() {
					self.needed.notified().await;
					continue;
				}
				for pg in next {
					if tasks.len() >= ABREAST {
						self.came(tasks.join_next().await);
					}
					let running = Running(self.clone(), pg);
					tasks.spawn(self.clone().fetch(peers.clone(), running));
				}
				tokio::select! {
					done = tasks.join_next() => self.came(done),
					() = self.needed.notified() => {}
				}
			}
		};
		tokio::select! {
			// The guard must not live on.
			() = async { drop(stop.wait_for(|stop| *stop).await) } => {}
			() = fetching => {}
		}
	}

	/// Something was fetched: what could not be shown without it may be now.
	fn came(self: &Arc<Self>, done: Option<Result<bool, JoinError>>) {
		match done {
			Some(Ok(true)) => self.again(),
			Some(Err(error)) => tracing::error!(%error, "fetching a ledger"),
			Some(Ok(false)) | None => {}
		}
	}

	/// Fetches what is lacking of a group; whether anything came.
	async fn fetch(self: Arc<Self>, peers: Arc<dyn Peers>, running: Running) -> bool {
		let pg = running.1;
		let by = peers.clone();
		let mut members = match tokio::task::spawn_blocking(move || by.members(pg)).await {
			Ok(members) => members,
			Err(error) => {
				tracing::error!(%error, "the members of a group");
				return false;
			}
		};
		members.retain(|node| locked(&self.needs).trusts(*node));
		if !members.is_empty() {
			// Not everybody asks the same one first.
			let own = self.epochs.held().and_then(|held| held.index).unwrap_or(0);
			let first = own.wrapping_add(pg) as usize % members.len();
			members.rotate_left(first);
		}
		let fetched = async {
			let order = self.fetch_order(&peers, pg, &members).await?;
			let entries = self.fetch_entries(&peers, pg, &members).await?;
			Ok::<_, LeavesError>(order || entries)
		};
		fetched.await.unwrap_or_else(|error| {
			tracing::error!(pg, %error, "what is lacking of a ledger");
			false
		})
	}

	/// Runs something that may block.
	async fn blocking<T: Send + 'static>(
		self: &Arc<Self>,
		job: impl FnOnce(&Self) -> Result<T, LeavesError> + Send + 'static,
	) -> Result<Option<T>, LeavesError> {
		let this = self.clone();
		match tokio::task::spawn_blocking(move || job(&this)).await {
			Ok(done) => done.map(Some),
			Err(error) => {
				tracing::error!(%error, "a ledger");
				Ok(None)
			}
		}
	}

	/// Learns the order of a group's batches from members, piece by piece.
	async fn fetch_order(
		self: &Arc<Self>,
		peers: &Arc<dyn Peers>,
		pg: Pg,
		members: &[NodeIndex],
	) -> Result<bool, LeavesError> {
		let mut any = false;
		for node in members {
			// As long as a member has more, it goes on.
			for _ in 0..MOST_PIECES {
				let lacking = self.blocking(move |this| {
					let groups = locked(&this.groups);
					let seen = groups.seen(pg).filter(|seen| !seen.followed.complete);
					Ok(seen.map(|seen| (seen.newest.clone(), seen.followed, seen.doubt)))
				});
				let Some((newest, followed, doubt)) = lacking.await?.flatten() else {
					return Ok(any);
				};
				let batches = match peers.batches(*node, pg, followed.next).await {
					Ok(batches) if !batches.is_empty() => batches,
					Ok(_) => break,
					Err(error) => {
						tracing::debug!(pg, %error, "no batches");
						break;
					}
				};
				let learned = self
					.take_order(pg, newest, followed, doubt, batches)
					.await?;
				match learned {
					Some(now) if now.known > followed.known || now.complete => any = true,
					Some(now) => {
						if now.refused && !doubt {
							self.stats.add(|s| &s.lied, 1);
						}
						break;
					}
					None => break,
				}
			}
		}
		Ok(any)
	}

	async fn take_order(
		self: &Arc<Self>,
		pg: Pg,
		newest: Peaks,
		before: Followed,
		doubt: bool,
		batches: Vec<Batch>,
	) -> Result<Option<Followed>, LeavesError> {
		self.blocking(move |this| {
			let mut groups = locked(&this.groups);
			// An order may have come meanwhile, which knows better.
			let same = groups.seen(pg).is_some_and(|seen| seen.newest == newest);
			if !same {
				return Ok(before);
			}
			let followed = this
				.leaves
				.follow(pg, &newest, before.next, &batches, doubt)?;
			groups.note(pg, followed);
			Ok(followed)
		})
		.await
	}

	/// Fetches entries that are not here.
	async fn fetch_entries(
		self: &Arc<Self>,
		peers: &Arc<dyn Peers>,
		pg: Pg,
		members: &[NodeIndex],
	) -> Result<bool, LeavesError> {
		let missing = self.blocking(move |this| this.leaves.missing(pg, MOST_MISSING));
		let Some(missing) = missing.await? else {
			return Ok(false);
		};
		let (mut any, whole) = (false, missing.len() == MOST_MISSING);
		for (number, batch) in missing {
			let mut members = members
				.iter()
				.filter(|node| locked(&self.needs).trusts(**node));
			let mut answers = FuturesUnordered::new();
			let mut found = false;
			loop {
				while answers.len() < ABREAST {
					let Some(node) = members.next() else { break };
					answers.push(entries_of(peers.clone(), *node, pg, batch));
				}
				let Some((node, answer)) = answers.next().await else {
					break;
				};
				let entries = match answer {
					Ok(entries) => entries,
					Err(Silent::Failed(_, error)) if error.is_misbehaviour() => {
						self.lied(pg, node, &error);
						continue;
					}
					Err(error) => {
						tracing::debug!(pg, number, %error, "no entries");
						continue;
					}
				};
				let accept = move |this: &Self| this.leaves.accept(pg, number, entries, unix_now());
				match self.blocking(accept).await {
					Ok(Some(())) => {
						found = true;
						break;
					}
					Ok(None) => {}
					Err(LeavesError::Proof(error)) => self.lied(pg, node, &error),
					// The order is another by now.
					Err(LeavesError::OutOfOrder { .. }) => break,
					Err(error) => return Err(error),
				}
			}
			if found {
				self.stats.add(|s| &s.fetched, 1);
				any = true;
			} else {
				tracing::warn!(pg, number, "no member gives the entries of a batch");
			}
		}
		if whole && any {
			self.need(pg, false);
		}
		Ok(any)
	}

	fn lied(&self, pg: Pg, node: NodeIndex, error: &dyn std::fmt::Display) {
		tracing::warn!(pg, node, %error, "a member lies about a ledger: it is not asked for a while");
		self.stats.add(|s| &s.lied, 1);
		locked(&self.needs).lied(node);
	}
}
