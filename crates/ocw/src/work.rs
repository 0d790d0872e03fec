//! The work a full node does for the daemons beside it: it asks each for what the chain asks of its
//! node, and submits the answers, reports and signs of life that come back.
//!
//! Each run makes one [`WorkOrder`] for each daemon from the state of a block and takes one
//! [`WorkReport`]. All that is kept from run to run is, for each daemon, its node's number, the ledgers
//! it wants and what was submitted lately, and none of it is needed: skipped blocks, reorganisations
//! and restarts at worst cost a repeated transaction. What the chain does not show is submitted again
//! after [`RETRY_BLOCKS`], and at once if it would have to be made anew: another fork has other seeds,
//! a new snapshot other peaks.
//!
//! A daemon can lie or be dead. Whatever it gives is checked as the pool would before it is submitted,
//! and no daemon's silence delays what another one said.

use crate::{
	daemons::{daemons, exchange, read, Daemon, Failure},
	ledgers,
};
use alloc::{string::String, vec::Vec};
use arion_storage_proof::{
	answer::Answer,
	work::{
		GroupLedger, LifeOrder, WorkOrder, WorkReport, MAX_ORDER_ASKED, MAX_ORDER_BATCHES,
		MAX_ORDER_LEDGERS, MAX_WORK_ORDER, MAX_WORK_REPORT, WORK_PATH,
	},
	Peaks,
};
use codec::{Decode, Encode};
use hippius_primitives::{
	audit::{AskedOf, PENDING_PLACES},
	heartbeat::LifeSign,
	ledger::CleanReport,
	Epoch, NodeIndex, Pg,
};
use sp_core::offchain::{Duration, Timestamp};
use sp_runtime::offchain::{
	http::Response,
	storage::StorageValueRef,
	storage_lock::{StorageLock, Time},
};

/// Longest a run waits for daemons, in milliseconds.
pub const RUN_MILLIS: u64 = 2_000;
/// Blocks after which what the chain does not show is asked for and submitted again.
pub const RETRY_BLOCKS: u32 = 3;
/// Most batches of one group in an order.
pub const MAX_GROUP_BATCHES: usize = 4_096;

const LOG_TARGET: &str = "runtime::arion-work";
/// Held during a run; longer than a run, in case one ends without giving it back.
const LOCK_KEY: &[u8] = b"hippius::arion-work::lock";
const LOCK_MILLIS: u64 = 5 * RUN_MILLIS;
/// What is kept of a daemon; its URL's hash follows.
const MEMORY_PREFIX: &[u8] = b"hippius::arion-work::daemon::";

/// Tells a thing that was submitted from others.
type Mark = [u8; 16];

/// What the chain has of a group's ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPeaks {
	/// What proofs must lead to.
	pub challengeable: Peaks,
	/// The ledger now.
	pub newest: Peaks,
}

/// A transaction that its contents authorize.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submission {
	/// An answer to audits.
	Answer(Answer),
	/// That groups are clean.
	Clean(CleanReport, [u8; 64]),
	/// A sign of life.
	Life(LifeSign, [u8; 64]),
}

/// The chain, as of the block a run is for.
pub trait WorkChain {
	/// Hash of block 0; `None` before block 1.
	fn genesis() -> Option<[u8; 32]>;
	/// The block's number.
	fn best() -> u32;
	/// The epoch of the current map, 0 before the first.
	fn epoch() -> Epoch;
	/// What a node is asked and has not answered.
	fn asked_of(node: NodeIndex) -> Vec<AskedOf>;
	/// A group's ledger; `None` for a group that has none.
	fn ledger(pg: Pg) -> Option<GroupPeaks>;
	/// Of each group, whether a report of the node that it is clean would count now.
	fn may_report(node: NodeIndex, groups: &[Pg]) -> Vec<bool>;
	/// The sign of life the node may give; `None` unless it is called silent and gave none.
	fn life(node: NodeIndex) -> Option<LifeOrder>;
	/// Whether the pool would take it now; the reason if not.
	fn check(submission: &Submission) -> Result<(), String>;
	/// Submits it; whether the pool took it.
	fn submit(submission: Submission) -> bool;
}

/// What is kept of a daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
struct Memory {
	/// Its node.
	node: Option<NodeIndex>,
	/// The ledgers it wants, from which batch on.
	wants: Vec<(Pg, u64)>,
	/// What was submitted for it, and at which block; only of the last blocks.
	submitted: Vec<(Mark, u32)>,
}

impl Memory {
	fn key(daemon: &Daemon) -> Vec<u8> {
		let mut key = MEMORY_PREFIX.to_vec();
		key.extend_from_slice(&sp_io::hashing::blake2_128(daemon.url().as_bytes()));
		key
	}

	fn load(daemon: &Daemon, now: u32) -> Self {
		let key = Self::key(daemon);
		let mut memory: Self = match StorageValueRef::persistent(&key).get() {
			Ok(memory) => memory.unwrap_or_default(),
			Err(_) => {
				log::warn!(
					target: LOG_TARGET,
					"what is kept of daemon {} cannot be decoded; it is made anew", daemon.url()
				);
				Self::default()
			}
		};
		// A block that is to come is one of an abandoned fork.
		memory
			.submitted
			.retain(|(_, at)| *at <= now && now.saturating_sub(*at) < RETRY_BLOCKS);
		memory
	}

	fn store(&self, daemon: &Daemon) {
		StorageValueRef::persistent(&Self::key(daemon)).set(self);
	}

	fn has_submitted(&self, mark: &Mark) -> bool {
		self.submitted.iter().any(|(of, _)| of == mark)
	}
}

fn mark(what: &impl Encode) -> Mark {
	sp_io::hashing::blake2_128(&what.encode())
}

/// What a daemon was asked in this run.
struct Job {
	daemon: Daemon,
	/// As it was read, to see whether it changed.
	before: Memory,
	memory: Memory,
	asked: Vec<(AskedOf, Mark)>,
	life: Option<LifeOrder>,
}

/// One run, at a block of `C`.
pub fn run<C: WorkChain>() {
	let daemons = daemons(LOG_TARGET);
	if daemons.is_empty() {
		return;
	}
	let Some(genesis) = C::genesis() else { return };
	// Without a map there is nothing to hold, and no daemon knows its node.
	if C::epoch() == 0 {
		return;
	}
	let mut lock = StorageLock::<Time>::with_deadline(LOCK_KEY, Duration::from_millis(LOCK_MILLIS));
	let Ok(_guard) = lock.try_lock() else {
		log::debug!(target: LOG_TARGET, "another run is under way");
		return;
	};
	let now = C::best();
	let deadline = sp_io::offchain::timestamp().add(Duration::from_millis(RUN_MILLIS));
	let mut sent = Vec::new();
	for daemon in daemons {
		let (job, order) = prepare::<C>(daemon, genesis, now);
		let body = order.encode();
		if body.len() > MAX_WORK_ORDER {
			log::error!(
				target: LOG_TARGET,
				"the order to {} has {} bytes, more than daemons take", job.daemon.url(), body.len()
			);
			continue;
		}
		match job.daemon.post(WORK_PATH, &body, deadline) {
			Ok(request) => sent.push((job, request)),
			Err(failure) => failed(&job.daemon, &failure),
		}
	}
	exchange(sent, deadline, |job, answer| {
		let report = answer.and_then(|response| report_of(&response, deadline));
		match report {
			Ok(report) => take::<C>(job, report, now),
			Err(failure) => failed(&job.daemon, &failure),
		}
	});
}

fn failed(daemon: &Daemon, failure: &Failure) {
	log::warn!(target: LOG_TARGET, "no work by daemon {}: it {failure}", daemon.url());
}

fn report_of(response: &Response, deadline: Timestamp) -> Result<WorkReport, Failure> {
	read(response, MAX_WORK_REPORT, deadline)
}

/// What a daemon is to be told.
fn prepare<C: WorkChain>(daemon: Daemon, genesis: [u8; 32], now: u32) -> (Job, WorkOrder) {
	let before = Memory::load(&daemon, now);
	let memory = before.clone();
	let mut ledgers = Ledgers::<C>::default();
	let mut asked: Vec<(AskedOf, Mark)> = memory
		.node
		.map(C::asked_of)
		.unwrap_or_default()
		.into_iter()
		.map(|asked| {
			let mark = mark(&(&asked.ask, &asked.seed, ledgers.challengeable(asked.pg)));
			(asked, mark)
		})
		.filter(|(_, mark)| !memory.has_submitted(mark))
		.collect();
	// What is due first comes first, should there be too much.
	asked.sort_by_key(|(asked, _)| (asked.due.unwrap_or(u32::MAX), asked.ask));
	asked.truncate(MAX_ORDER_ASKED);
	let life = memory
		.node
		.and_then(C::life)
		.filter(|life| !memory.has_submitted(&mark(&life.sign)));
	let groups = asked.iter().map(|(asked, _)| asked.pg);
	let order = WorkOrder {
		genesis,
		best: now,
		epoch: C::epoch(),
		asked: asked.iter().map(|(asked, _)| asked.clone()).collect(),
		ledgers: ledgers.list(memory.node, groups, &memory.wants),
		life,
	};
	let job = Job {
		daemon,
		before,
		memory,
		asked,
		life,
	};
	(job, order)
}

/// The ledgers that were read for an order.
struct Ledgers<C> {
	read: alloc::collections::BTreeMap<Pg, Option<GroupPeaks>>,
	of: core::marker::PhantomData<C>,
}

impl<C> Default for Ledgers<C> {
	fn default() -> Self {
		Self {
			read: Default::default(),
			of: core::marker::PhantomData,
		}
	}
}

impl<C: WorkChain> Ledgers<C> {
	fn get(&mut self, pg: Pg) -> Option<&GroupPeaks> {
		self.read
			.entry(pg)
			.or_insert_with(|| C::ledger(pg))
			.as_ref()
	}

	fn challengeable(&mut self, pg: Pg) -> Option<&Peaks> {
		self.get(pg).map(|peaks| &peaks.challengeable)
	}

	/// The ledgers of an order: first the groups that are asked about, then those that are wanted.
	fn list(
		&mut self,
		node: Option<NodeIndex>,
		asked: impl Iterator<Item = Pg>,
		wants: &[(Pg, u64)],
	) -> Vec<GroupLedger> {
		let mut groups: Vec<Pg> = Vec::new();
		for pg in asked.chain(wants.iter().map(|(pg, _)| *pg)) {
			if !groups.contains(&pg) {
				groups.push(pg);
			}
		}
		groups.truncate(MAX_ORDER_LEDGERS);
		let unclean = node.map(|node| C::may_report(node, &groups));
		let unclean = unclean
			.into_iter()
			.flatten()
			.chain(core::iter::repeat(false));
		let mut room = MAX_ORDER_BATCHES;
		groups
			.into_iter()
			.zip(unclean)
			.filter_map(|(pg, unclean)| {
				let GroupPeaks {
					challengeable,
					newest,
				} = self.get(pg)?.clone();
				let wanted = wants.iter().find(|(of, _)| *of == pg);
				let (first, batches) = match wanted {
					Some((_, first)) => {
						let most = room.min(MAX_GROUP_BATCHES);
						(*first, ledgers::batches(pg, &newest, *first, most))
					}
					None => (newest.leaves(), Vec::new()),
				};
				room = room.saturating_sub(batches.len());
				Some(GroupLedger {
					pg,
					challengeable,
					newest,
					first,
					batches,
					unclean,
				})
			})
			.collect()
	}
}

/// Submits what a daemon has for the chain, and keeps what it said.
fn take<C: WorkChain>(job: Job, report: WorkReport, now: u32) {
	let Job {
		daemon,
		before,
		mut memory,
		asked,
		life,
	} = job;
	if let Some(node) = report.node {
		memory.node = Some(node);
	}
	memory.wants = report.wants;
	memory.wants.truncate(MAX_ORDER_LEDGERS);
	for answer in report.answers.into_iter().take(PENDING_PLACES.into()) {
		let marks: Option<Vec<Mark>> = answer
			.items
			.iter()
			.map(|item| {
				let mut fits = asked.iter();
				let fits =
					fits.find(|(asked, _)| asked.ask == item.ask && asked.node == answer.node);
				fits.map(|(_, mark)| *mark)
			})
			.collect();
		// Nobody asked for it, or not any more; or this report has it twice.
		let Some(marks) = marks.filter(|marks| {
			!marks.is_empty() && !marks.iter().any(|mark| memory.has_submitted(mark))
		}) else {
			log::debug!(target: LOG_TARGET, "daemon {} answers what is not asked", daemon.url());
			continue;
		};
		if submit::<C>(&daemon, Submission::Answer(answer)) {
			memory
				.submitted
				.extend(marks.into_iter().map(|mark| (mark, now)));
		}
	}
	if let Some((clean, signature)) = report.clean {
		let mark = mark(&clean);
		if !memory.has_submitted(&mark) && submit::<C>(&daemon, Submission::Clean(clean, signature))
		{
			memory.submitted.push((mark, now));
		}
	}
	if let (Some(life), Some(signature)) = (life, report.life) {
		if submit::<C>(&daemon, Submission::Life(life.sign, signature)) {
			memory.submitted.push((mark(&life.sign), now));
		}
	}
	if memory != before {
		memory.store(&daemon);
	}
}

/// Checks and submits; whether the pool took it.
fn submit<C: WorkChain>(daemon: &Daemon, submission: Submission) -> bool {
	let what = match &submission {
		Submission::Answer(_) => "an answer",
		Submission::Clean(..) => "a clean report",
		Submission::Life(..) => "a sign of life",
	};
	let url = daemon.url();
	if let Err(reason) = C::check(&submission) {
		// A daemon cannot see that the chain knows already what it reports.
		let level = match submission {
			Submission::Clean(..) => log::Level::Debug,
			Submission::Answer(_) | Submission::Life(..) => log::Level::Warn,
		};
		log::log!(target: LOG_TARGET, level, "{what} of daemon {url} is not good: {reason}");
		return false;
	}
	let taken = C::submit(submission);
	if !taken {
		log::warn!(target: LOG_TARGET, "the pool did not take {what} of daemon {url}; it is tried again");
	}
	taken
}
