//! The loop: what is due next, and when to wait.

use super::{
	eras::{Eras, Group},
	handover::{DrainState, DrainStatus, Sweep},
	index::{now, Mark},
	locked,
	pass::{self, Outcome},
	plan::{Danger, Task},
	rebuild::{Failure, Order, Sources},
	state::{State, KEPT_MAPS},
	Progress, Shared, Single,
};
use crate::{
	epochs::{Epochs, Held},
	MinerError,
};
use arion_shard_store::{Fault, Namespace};
use futures_util::stream::{self, StreamExt};
use hippius_primitives::{NodeKey, Pg, ShardId};
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::{Arc, PoisonError},
	time::Duration,
};
use tokio::{
	sync::watch,
	time::{sleep_until, Instant},
};

/// Time between two looks at the store's findings.
const TICK: Duration = Duration::from_secs(1);
/// Slots found complete that are noted at once.
const BATCH: usize = 64;
/// Findings taken at a time.
const FINDINGS: usize = 256;
/// Tries after which a single shard is left to the next check of its slot.
const MAX_TRIES: u32 = 5;
/// Between two checks of all slots because a finding does not say what was lost.
const FULL_CHECK: Duration = Duration::from_secs(3600);
/// Least time between two evaluations of all open slots.
const EVALUATE: Duration = Duration::from_secs(5);

/// A slot to be looked through.
struct Open {
	task: Task,
	tries: u32,
	not_before: Instant,
	waits: bool,
}

pub(super) struct Runner {
	shared: Arc<Shared>,
	state: Arc<State>,
	epochs: Arc<Epochs>,
	/// The map last seen, and those before; newest first.
	maps: Vec<Arc<Held>>,
	complete: BTreeMap<(Pg, u8), u64>,
	/// Found complete, not yet noted.
	found: Vec<(Pg, u8)>,
	open: Vec<Open>,
	/// What was known of the nodes when the open slots were evaluated.
	evaluated: (u64, Instant),
	full_check: Option<Instant>,
	taken: Instant,
	sweep: Sweep,
	sweep_due: Instant,
	progress: watch::Sender<Progress>,
}

impl Runner {
	pub(super) async fn new(
		shared: Arc<Shared>,
		state: Arc<State>,
		epochs: Arc<Epochs>,
		own: NodeKey,
		progress: watch::Sender<Progress>,
	) -> Result<Self, MinerError> {
		let kept = state.clone();
		let (maps, complete) = shared
			.blocking(move |_| Ok::<_, MinerError>((kept.maps(&own)?, kept.complete()?)))
			.await??;
		let now = Instant::now();
		let mut runner = Self {
			shared,
			state,
			epochs,
			maps,
			complete,
			found: Vec::new(),
			open: Vec::new(),
			evaluated: (0, now),
			full_check: None,
			taken: now,
			sweep: Sweep::default(),
			sweep_due: now,
			progress,
		};
		// So that peers are answered from the start.
		runner.use_maps().await?;
		Ok(runner)
	}

	pub(super) async fn run(mut self) {
		loop {
			let due = match self.step().await {
				Ok(due) => due,
				Err(error) => {
					tracing::error!(%error, "repair");
					Some(Instant::now() + self.retry(0))
				}
			};
			self.publish();
			if let Some(due) = due {
				tokio::select! {
					() = self.shared.wake.notified() => {}
					() = sleep_until(due.min(Instant::now() + TICK)) => {}
				}
			}
		}
	}

	/// Does one thing that is due; when to look again, or at once (`None`).
	async fn step(&mut self) -> Result<Option<Instant>, MinerError> {
		self.follow().await?;
		let Some(eras) = self.shared.eras() else {
			return Ok(Some(Instant::now() + TICK));
		};
		if !self.shared.settings.enabled {
			return Ok(Some(Instant::now() + TICK));
		}
		self.findings();
		self.suspects(&eras);
		self.evaluate(&eras).await?;
		self.publish();
		if self.singles(&eras).await? {
			return Ok(None);
		}
		let now = Instant::now();
		let due = self.open.iter().enumerate();
		let due = due.filter(|(_, open)| open.not_before <= now);
		if let Some((at, _)) = due.min_by_key(|(_, open)| open.task.order()) {
			self.look_through(&eras, at).await?;
			return Ok(None);
		}
		self.note_found().await?;
		self.recheck(&eras);
		self.hand_over(&eras).await?;
		let next = self.open.iter().map(|open| open.not_before);
		let singles = locked(&self.shared.singles);
		let next = next.chain(singles.iter().map(|single| single.not_before));
		let next = next.chain((!self.sweep.ended).then_some(self.sweep_due));
		Ok(Some(next.min().unwrap_or(now + TICK)))
	}

	/// Takes over a new map.
	async fn follow(&mut self) -> Result<(), MinerError> {
		let Some(held) = self.epochs.held() else {
			return Ok(());
		};
		let seen = self.maps.first().cloned();
		if seen.as_ref().is_some_and(|seen| seen.update == held.update)
			&& self.shared.eras().is_some()
		{
			return Ok(());
		}
		if seen
			.as_ref()
			.is_some_and(|seen| seen.update.epoch > held.update.epoch)
		{
			// The kept maps are ahead of the daemon's: it has lost its map and gets it again.
			return Ok(());
		}
		if seen
			.as_ref()
			.is_some_and(|seen| held.update.epoch > seen.update.epoch + 1)
		{
			// What happened in between is not known: a slot may have been another's meanwhile.
			self.forget_complete(|_| true).await?;
		}
		let replaced = seen.filter(|seen| places_alike(seen, &held));
		let replaced = replaced.map(|seen| seen.update.epoch);
		if replaced.is_some() {
			self.maps.remove(0);
		}
		self.maps.insert(0, held.clone());
		self.maps.truncate(KEPT_MAPS);
		let state = self.state.clone();
		self.shared
			.blocking(move |_| {
				state.keep_map(&held)?;
				match replaced.filter(|epoch| *epoch != held.update.epoch) {
					Some(epoch) => state.forget_map(epoch),
					None => Ok(()),
				}
			})
			.await??;
		self.taken = Instant::now();
		self.use_maps().await
	}

	/// Works by the maps: which slots are open.
	async fn use_maps(&mut self) -> Result<(), MinerError> {
		if self.maps.is_empty() {
			return Ok(());
		}
		let maps = self.maps.clone();
		let prepared = self.shared.blocking(move |_| {
			let eras = Eras::new(&maps)?;
			let slots: Vec<(Pg, u8)> = eras.slots()?.to_vec();
			Ok((eras, slots))
		});
		let (eras, slots) = prepared.await?.map_err(MinerError::Repair)?;
		let eras = Arc::new(eras);
		let mine: BTreeSet<(Pg, u8)> = slots.into_iter().collect();
		self.forget_complete(|slot| !mine.contains(slot)).await?;
		*self
			.shared
			.eras
			.write()
			.unwrap_or_else(PoisonError::into_inner) = Some(eras.clone());
		self.open.clear();
		locked(&self.shared.completed).clear();
		let open = mine
			.iter()
			.filter(|slot| !self.complete.contains_key(*slot));
		let open: Vec<(Pg, u8)> = open.copied().collect();
		for slot in open {
			self.open(&eras, slot);
		}
		self.sweep = Sweep::default();
		let wait = match eras.is_in() {
			true => Duration::from_secs(self.shared.settings.release_after_seconds),
			false => Duration::ZERO,
		};
		self.sweep_due = self.taken + wait;
		let (epoch, open) = (eras.epoch(), self.open.len());
		tracing::info!(epoch, open, "slots to be looked through");
		self.publish();
		Ok(())
	}

	/// Opens a slot. It is evaluated before it is looked through.
	fn open(&mut self, eras: &Eras, slot: (Pg, u8)) {
		if self
			.open
			.iter()
			.any(|open| (open.task.pg, open.task.slot) == slot)
		{
			return;
		}
		match (eras.group(slot.0), eras.me()) {
			(Ok(group), Some(me)) => {
				let task = self.task(eras, &group, slot.1, me);
				self.open.push(Open {
					task,
					tries: 0,
					not_before: Instant::now(),
					waits: false,
				});
			}
			(Err(error), _) => tracing::error!(pg = slot.0, error, "cannot place a group"),
			(Ok(_), None) => {}
		}
	}

	fn task(&self, eras: &Eras, group: &Group, slot: u8, me: u32) -> Task {
		let serves = |node| pass::answers(&self.shared, eras, node);
		Task::new(group, slot, me, |node| eras.standing(node), serves)
	}

	async fn forget_complete(
		&mut self,
		which: impl Fn(&(Pg, u8)) -> bool,
	) -> Result<(), MinerError> {
		let slots: Vec<(Pg, u8)> = self.complete.keys().filter(|s| which(s)).copied().collect();
		if slots.is_empty() {
			return Ok(());
		}
		slots.iter().for_each(|slot| _ = self.complete.remove(slot));
		let state = self.state.clone();
		self.shared
			.blocking(move |_| state.set_complete(slots, None))
			.await??;
		Ok(())
	}

	/// Takes over what the store found damaged.
	fn findings(&mut self) {
		loop {
			let findings = self.shared.store.take_findings(FINDINGS);
			let last = findings.len() < FINDINGS;
			self.shared
				.stats
				.add(|s| &s.findings, findings.len() as u64);
			for finding in findings {
				let shard = finding.key.filter(|key| key.namespace == Namespace::Shard);
				match (finding.stripe, shard) {
					(Some(stripe), shard) => self.shared.single(Single {
						stripe,
						shard: shard.map(|key| ShardId(key.digest)),
						from: None,
						again: finding.fault == Fault::Unreadable,
						tries: 0,
						not_before: Instant::now(),
					}),
					(None, None) if finding.key.is_some() => {}
					_ => self.check_all(),
				}
			}
			if last {
				return;
			}
		}
	}

	/// Has all slots looked through, but not too often.
	fn check_all(&mut self) {
		let now = Instant::now();
		if self.full_check.is_some_and(|last| now - last < FULL_CHECK) {
			return;
		}
		self.full_check = Some(now);
		if let Some(eras) = self.shared.eras() {
			let slots: Vec<(Pg, u8)> = self.complete.keys().copied().collect();
			tracing::warn!(
				slots = slots.len(),
				"something unknown was lost: all slots are checked"
			);
			slots.into_iter().for_each(|slot| self.open(&eras, slot));
		}
	}

	/// Opens the slots of groups in which something is missing.
	fn suspects(&mut self, eras: &Eras) {
		let suspects = std::mem::take(&mut *locked(&self.shared.suspects));
		for pg in suspects {
			let slots: Vec<(Pg, u8)> = self
				.complete
				.range((pg, 0)..=(pg, u8::MAX))
				.map(|(slot, _)| *slot)
				.collect();
			slots.into_iter().for_each(|slot| self.open(eras, slot));
		}
	}

	/// Looks at the open slots anew if nodes have come or gone.
	async fn evaluate(&mut self, eras: &Arc<Eras>) -> Result<(), MinerError> {
		let (changes, at) = (self.shared.net.changes(), Instant::now());
		if changes == self.evaluated.0 || at - self.evaluated.1 < EVALUATE {
			return Ok(());
		}
		let slots: Vec<(Pg, u8)> = self.open.iter().map(|o| (o.task.pg, o.task.slot)).collect();
		let (for_tasks, Some(me)) = (eras.clone(), eras.me()) else {
			return Ok(());
		};
		let tasks = self.shared.blocking(move |shared| {
			let eras = &for_tasks;
			let task = |(pg, slot): (Pg, u8)| {
				let group = eras.group(pg).ok()?;
				let serves = |node| pass::answers(shared, eras, node);
				Some(Task::new(
					&group,
					slot,
					me,
					|node| eras.standing(node),
					serves,
				))
			};
			slots.into_iter().map(task).collect::<Vec<_>>()
		});
		for (open, task) in self.open.iter_mut().zip(tasks.await?) {
			open.task = task.unwrap_or(open.task);
		}
		self.evaluated = (changes, at);
		Ok(())
	}

	/// Looks through an open slot.
	async fn look_through(&mut self, eras: &Arc<Eras>, at: usize) -> Result<(), MinerError> {
		let task = self.open[at].task;
		let epochs = self.epochs.clone();
		let epoch = eras.epoch();
		let overtaken = || epochs.state().epoch != epoch;
		let outcome = pass::run(&self.shared, eras, &task, self.open[at].tries, overtaken).await;
		let retry = self.retry(self.open[at].tries);
		let open = &mut self.open[at];
		open.waits = false;
		open.not_before = Instant::now() + retry;
		open.tries = open.tries.saturating_add(1);
		match outcome? {
			Outcome::Complete => {
				self.open.swap_remove(at);
				self.complete.insert((task.pg, task.slot), now());
				locked(&self.shared.completed).insert((task.pg, task.slot), now());
				self.found.push((task.pg, task.slot));
				if self.found.len() >= BATCH {
					self.note_found().await?;
				}
			}
			Outcome::Waits => open.waits = true,
			Outcome::Again | Outcome::Overtaken => {}
		}
		Ok(())
	}

	/// When to try again: the wait doubles with every try, up to 64 times the first.
	fn retry(&self, tries: u32) -> Duration {
		Duration::from_secs(self.shared.settings.retry_seconds) * (1 << tries.min(6))
	}

	async fn note_found(&mut self) -> Result<(), MinerError> {
		if self.found.is_empty() {
			return Ok(());
		}
		let (found, state) = (std::mem::take(&mut self.found), self.state.clone());
		self.shared
			.blocking(move |shared| {
				// First the rows, then what rests on them.
				shared.index.flush(true)?;
				state.set_complete(found, Some(now()))
			})
			.await??;
		Ok(())
	}

	/// Opens the slot whose last check is too long ago.
	fn recheck(&mut self, eras: &Eras) {
		let period = self.shared.settings.recheck_hours.saturating_mul(3600);
		let before = now().saturating_sub(period);
		let oldest = self.complete.iter().min_by_key(|(_, at)| **at);
		if let Some((slot, _)) = oldest.filter(|(_, at)| **at < before) {
			let slot = *slot;
			self.open(eras, slot);
		}
	}

	/// Repairs single shards that are due, some side by side; whether there were any.
	async fn singles(&mut self, eras: &Arc<Eras>) -> Result<bool, MinerError> {
		let now = Instant::now();
		let mut due = Vec::new();
		{
			let mut singles = locked(&self.shared.singles);
			for _ in 0..singles.len() {
				let Some(single) = singles.pop_front() else {
					break;
				};
				if single.not_before <= now && due.len() < self.shared.settings.parallel {
					due.push(single);
				} else {
					singles.push_back(single);
				}
			}
		}
		if due.is_empty() {
			return Ok(false);
		}
		let shared = &self.shared;
		let repaired = stream::iter(due)
			.map(|single| async move {
				let done = one(shared, eras, &single).await;
				(single, done)
			})
			.buffer_unordered(self.shared.settings.parallel)
			.collect::<Vec<_>>()
			.await;
		for (mut single, done) in repaired {
			if let Err(error) = done {
				shared.stats.add(|s| &s.failed, 1);
				tracing::warn!(stripe = %single.stripe, %error, "a shard could not be repaired");
				single.tries += 1;
				if single.tries < MAX_TRIES {
					single.not_before = Instant::now() + self.retry(single.tries);
					self.shared.single(single);
				} else {
					locked(&shared.suspects).insert(eras.pg_of(&single.stripe));
				}
			}
		}
		Ok(true)
	}

	/// Goes on handing over shards that are others' now.
	async fn hand_over(&mut self, eras: &Arc<Eras>) -> Result<(), MinerError> {
		let now = Instant::now();
		if eras.me().is_none() || now < self.sweep_due || self.sweep.ended {
			return Ok(());
		}
		let release = eras.is_in();
		while !self.sweep.ended {
			self.sweep.step(&self.shared, eras, release).await?;
			self.publish();
			let urgent = !locked(&self.shared.singles).is_empty();
			if urgent || self.epochs.state().epoch != eras.epoch() {
				return Ok(());
			}
		}
		let whole = self.shared.index.is_whole();
		let proven = release || self.sweep.prove(&self.shared, eras).await;
		if self.sweep.left > 0 || !whole || !proven {
			// Once more from the start.
			self.publish();
			let (left, sampled) = (self.sweep.left, self.sweep.sampled);
			tracing::info!(
				left,
				sampled,
				whole,
				"shards that their new holders lack are kept"
			);
			self.sweep = Sweep::default();
			self.sweep_due = Instant::now() + self.retry(0);
			return Ok(());
		}
		self.sweep.proven = true;
		let confirmed = self.sweep.confirmed;
		tracing::info!(
			epoch = eras.epoch(),
			confirmed,
			"all shards of others' slots are with them"
		);
		Ok(())
	}

	fn publish(&self) {
		let shared = &self.shared;
		let eras = shared.eras();
		let waiting = self.open.iter().filter(|open| open.waits).count();
		let mut backlog = [0u64; Danger::ALL.len()];
		for open in self.open.iter().filter(|open| !open.waits) {
			backlog[open.task.danger() as usize] += 1;
		}
		for (gauge, value) in shared.stats.backlog.iter().zip(backlog) {
			gauge.store(value, std::sync::atomic::Ordering::Relaxed);
		}
		let progress = Progress {
			epoch: eras.as_ref().map_or(0, |eras| eras.epoch()),
			open: self.open.len() - waiting,
			waiting,
			singles: locked(&shared.singles).len(),
			swept: self.sweep.proven,
			drain: self.drain(eras.as_deref()),
		};
		shared.stats.set(|s| &s.waiting, waiting as u64);
		shared.stats.set(|s| &s.singles, progress.singles as u64);
		shared.stats.set(|s| &s.drain_left, progress.drain.left);
		self.progress.send_if_modified(|old| {
			let changed = *old != progress;
			*old = progress;
			changed
		});
	}

	fn drain(&self, eras: Option<&Eras>) -> DrainStatus {
		let Some(eras) = eras.filter(|eras| eras.me().is_some()) else {
			return DrainStatus::default();
		};
		let shards = self.shared.store.usage().shards;
		let status = DrainStatus {
			state: DrainState::InMap,
			epoch: eras.epoch(),
			shards,
			..DrainStatus::default()
		};
		if eras.is_in() {
			return status;
		}
		let confirmed = self.sweep.confirmed;
		let (state, left) = match self.sweep.proven {
			true => (DrainState::Safe, 0),
			false => (DrainState::Moving, shards.saturating_sub(confirmed)),
		};
		DrainStatus {
			state,
			confirmed,
			left,
			sampled: self.sweep.sampled,
			..status
		}
	}
}

/// Whether two maps give every slot to the same node.
fn places_alike(a: &Held, b: &Held) -> bool {
	let mut map = a.map.clone();
	map.epoch = b.map.epoch;
	map == b.map
}

/// Repairs a single shard.
async fn one(shared: &Arc<Shared>, eras: &Arc<Eras>, single: &Single) -> Result<(), Failure> {
	let stripe = single.stripe;
	let group = eras
		.group(eras.pg_of(&stripe))
		.map_err(MinerError::Repair)?;
	let rows = shared
		.blocking(move |shared| shared.index.of_stripe(&stripe))
		.await?;
	let rows = rows.map_err(MinerError::from)?;
	let lost = rows.iter().filter(|row| row.mark == Mark::Live);
	let lost = lost
		.filter(|row| single.shard == Some(row.shard))
		.map(|row| row.slot);
	let mut slots: BTreeSet<u8> = lost.collect();
	if slots.is_empty() {
		let mine = group
			.now()
			.iter()
			.zip(0u8..)
			.filter(|(node, _)| **node == eras.me());
		slots.extend(mine.map(|(_, slot)| slot).filter(|_| eras.is_in()));
	}
	for slot in slots {
		let mut sources = Sources::placed(&group);
		if let Some(from) = single.from {
			sources.prefer(slot, from);
		}
		let order = Order {
			eras,
			stripe,
			slot,
			sources,
			again: single.again,
			urgent: Danger::of(super::plan::live(
				&group,
				eras.me().unwrap_or(u32::MAX),
				|node| pass::answers(shared, eras, node),
			)) == Danger::Urgent,
		};
		let done = order.run(shared).await?;
		pass::count(shared, stripe, Ok(done));
	}
	Ok(())
}
