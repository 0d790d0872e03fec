//! Whether this node holds all that the ledgers put into its slots.
//!
//! A group is looked through batch by batch against the list of shards that repair keeps, a bounded
//! number of stripes with every order. What was here and is gone is handed to the repair. What never
//! was here the owner may have released before this node came into the slot, and nobody has it: the
//! repair compares the slot with what the other members hold, and what is not here after that is not
//! to be had.
//!
//! Of groups that the chain does not hold for clean the node then reports that it has everything; a
//! report names only groups that it has not named before, because one that says nothing new is refused
//! with all in it. If the chain still calls a group unclean some time later, it is named again, alone.

use super::{
	groups::Groups,
	shards::{Listed, Shards},
};
use crate::leaves::{Leaves, LeavesError};
use arion_shard_store::StoreError;
use hippius_primitives::{ledger::MAX_CLEAN_GROUPS, Epoch, Pg, StripeId};
use std::collections::BTreeMap;

/// Stripes looked for with one order.
const STRIPES: usize = 4096;
/// Lacking stripes handed to the repair with one order.
const HANDED: usize = 64;
/// Blocks after which what was lacking is looked for again, the first time; it doubles each time.
const AGAIN: u32 = 10;
/// How often it doubles.
const DOUBLINGS: u32 = 8;
/// Blocks after which groups that are clean are looked through again: about a day.
const PERIOD: u32 = 14_400;
/// Least blocks between two reports.
const PAUSE: u32 = 2;

/// Why groups cannot be looked through.
#[derive(Debug, thiserror::Error)]
pub(super) enum CheckError {
	#[error(transparent)]
	Leaves(#[from] LeavesError),
	#[error(transparent)]
	Store(#[from] StoreError),
}

/// How far a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
	/// So many batches were looked through, and something was or was not lacking.
	Looking { batch: u64, lacks: Lacks },
	/// All is here, as of a block.
	Held { at: u32 },
	/// Something is lacking; to be looked at again from a block on.
	Lacks { again: u32 },
}

/// What a look through a group found lacking so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lacks {
	/// Shards that were here, or entries.
	gone: bool,
	/// Shards that never were here.
	unknown: bool,
}

#[derive(Clone, Copy, Debug)]
struct Check {
	epoch: Epoch,
	batches: u64,
	/// Whether the chain held the group for unclean, so that all must be here.
	strict: bool,
	found: Found,
	/// Times something was lacking.
	tries: u32,
	/// Unix seconds at which the repair was asked to compare the slot with other members'.
	compared: Option<u64>,
	/// The block of the last report, and the reports so far.
	reported: Option<(u32, u32)>,
}

/// What is looked at.
pub(super) struct Scene<'a> {
	pub(super) leaves: &'a Leaves,
	pub(super) shards: &'a dyn Shards,
	pub(super) groups: &'a Groups,
	/// This node's slot in each of its groups.
	pub(super) slots: &'a BTreeMap<Pg, u8>,
	pub(super) epoch: Epoch,
	pub(super) best: u32,
	/// Unix seconds.
	pub(super) now: u64,
}

/// What a step came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
	/// Stripes found lacking.
	pub(super) lacking: u64,
	/// Groups of which entries are not here.
	pub(super) unknown: Vec<Pg>,
}

/// The groups looked through.
#[derive(Debug, Default)]
pub(super) struct Clean {
	checks: BTreeMap<Pg, Check>,
	/// The block of the last report.
	last: Option<u32>,
}

impl Clean {
	/// Looks through some more: first what may be reported. Blocks.
	pub(super) fn step(&mut self, scene: &Scene<'_>) -> Result<Step, CheckError> {
		self.checks.retain(|pg, _| scene.slots.contains_key(pg));
		let mut step = Step::default();
		let (mut budget, mut handed) = (STRIPES, HANDED);
		for unclean in [true, false] {
			for (pg, slot) in scene.slots {
				let seen = scene.groups.seen(*pg).filter(|seen| {
					seen.followed.complete && seen.unclean == unclean && seen.newest.leaves() > 0
				});
				let Some(seen) = seen else { continue };
				if budget == 0 {
					return Ok(step);
				}
				let batches = seen.newest.leaves();
				if let Some(mut check) = self.due(*pg, unclean, batches, scene) {
					let mut limits = (budget, handed);
					let looked = check.look((*pg, *slot), scene, &mut limits, &mut step);
					(budget, handed) = limits;
					self.checks.insert(*pg, check);
					looked?;
				}
			}
		}
		Ok(step)
	}

	/// The check of a group that is to go on or to begin.
	fn due(&self, pg: Pg, unclean: bool, batches: u64, scene: &Scene<'_>) -> Option<Check> {
		let anew = Check {
			epoch: scene.epoch,
			batches,
			strict: unclean,
			found: Found::Looking {
				batch: 0,
				lacks: Lacks::default(),
			},
			tries: 0,
			compared: None,
			reported: None,
		};
		let Some(check) = self.checks.get(&pg) else {
			return Some(anew);
		};
		let same =
			(check.epoch, check.batches) == (scene.epoch, batches) && (check.strict || !unclean);
		let old = match check.found {
			Found::Held { at } => scene.best.saturating_sub(at) >= PERIOD,
			Found::Looking { .. } => return Some(if same { *check } else { anew }),
			Found::Lacks { again } => scene.best >= again,
		};
		let kept = Check {
			tries: check.tries,
			compared: check.compared.filter(|_| same),
			reported: check.reported.filter(|_| same),
			..anew
		};
		(old || (unclean && !same)).then_some(kept)
	}

	/// The groups to report as clean: group and number of batches, ascending.
	pub(super) fn report(&mut self, groups: &Groups, epoch: Epoch, best: u32) -> Vec<(Pg, u64)> {
		if self
			.last
			.is_some_and(|last| best < last.saturating_add(PAUSE) && best >= last)
		{
			return Vec::new();
		}
		let ready = self.checks.iter_mut().filter(|(pg, check)| {
			let seen = groups.seen(**pg);
			let stands = seen.is_some_and(|seen| {
				seen.unclean && seen.followed.complete && seen.newest.leaves() == check.batches
			});
			stands && check.epoch == epoch && matches!(check.found, Found::Held { .. })
		});
		let (mut fresh, mut again) = (Vec::new(), None);
		for (pg, check) in ready {
			match check.reported {
				None if fresh.len() < MAX_CLEAN_GROUPS as usize => fresh.push((*pg, check)),
				None => {}
				Some((at, times)) => {
					let wait = AGAIN << times.saturating_sub(1).min(DOUBLINGS);
					if best.saturating_sub(at) >= wait {
						again = again.or(Some((*pg, check)));
					}
				}
			}
		}
		if fresh.is_empty() {
			fresh.extend(again);
		}
		let named = fresh.into_iter().map(|(pg, check)| {
			let times = check.reported.map_or(0, |(_, times)| times);
			check.reported = Some((best, times.saturating_add(1)));
			(pg, check.batches)
		});
		let named: Vec<(Pg, u64)> = named.collect();
		if !named.is_empty() {
			self.last = Some(best);
		}
		named
	}
}

impl Check {
	/// Goes on, with what is left of stripes to look for and to hand over.
	fn look(
		&mut self,
		(pg, slot): (Pg, u8),
		scene: &Scene<'_>,
		(budget, handed): &mut (usize, usize),
		step: &mut Step,
	) -> Result<(), CheckError> {
		let Found::Looking { batch, mut lacks } = self.found else {
			return Ok(());
		};
		let batches = scene.leaves.batches(pg)?;
		let from = usize::try_from(batch).unwrap_or(usize::MAX);
		let rest = batches.get(from..).unwrap_or(&[]);
		for (at, batch) in (batch..).zip(rest) {
			if at >= self.batches {
				break;
			}
			if *budget == 0 {
				self.found = Found::Looking { batch: at, lacks };
				return Ok(());
			}
			let Some(entries) = scene.leaves.entries(pg, &batch.root)? else {
				if step.unknown.last() != Some(&pg) {
					step.unknown.push(pg);
				}
				lacks.gone = true;
				*budget -= 1;
				continue;
			};
			let stripes: Vec<StripeId> = entries.iter().map(|entry| entry.stripe).collect();
			*budget = budget.saturating_sub(stripes.len().max(1));
			let listed = scene.shards.listed(&stripes, slot)?;
			for (stripe, listed) in stripes.iter().zip(listed) {
				match listed {
					Listed::Here => {}
					Listed::Unknown => lacks.unknown = true,
					Listed::Gone => {
						lacks.gone = true;
						step.lacking += 1;
						if *handed > 0 {
							*handed -= 1;
							scene.shards.lost(*stripe, false);
						}
					}
				}
			}
		}
		// Nobody else has what is not here after a comparison that began when it was asked for.
		let compared = scene.shards.compared(pg, slot);
		let proven = self.compared.is_some_and(|asked| compared > Some(asked));
		// Of a group that is clean, what never was here is not this node's to miss.
		let unknown = lacks.unknown && self.strict && !proven;
		self.found = match lacks.gone || unknown {
			false => {
				self.tries = 0;
				Found::Held { at: scene.best }
			}
			true => {
				if unknown {
					self.compared = Some(scene.now);
					scene.shards.compare(pg);
				}
				let wait = AGAIN << self.tries.min(DOUBLINGS);
				self.tries = self.tries.saturating_add(1);
				Found::Lacks {
					again: scene.best.saturating_add(wait),
				}
			}
		};
		Ok(())
	}
}
