//! One slot of one placement group: what its stripes are, which shards are missing, and getting them.

use super::{
	eras::{Eras, Group, Standing},
	gather::{Claims, Gather},
	index::Span,
	plan::{Danger, Task},
	rebuild::{Done, Failure, Order, Sources},
	Shared,
};
use crate::MinerError;
use futures_util::stream::{FuturesUnordered, StreamExt};
use hippius_primitives::{NodeIndex, StripeId, DATA_SHARDS, TOTAL_SHARDS, WRITE_QUORUM};
use std::sync::Arc;

/// An acknowledged stripe is on at least 20 members, so at least ten of those that answered list it
/// if no more than these did not.
const MAX_SILENT: usize = TOTAL_SHARDS - WRITE_QUORUM - 1;

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
	/// Every shard of the slot is here.
	Complete,
	/// Something is missing, or not enough members answered: again later.
	Again,
	/// The former holder is out for now and the group is well enough without it.
	Waits,
	/// There is a newer map.
	Overtaken,
}

/// Passes in which a stripe listed by too few is tried; after that it no longer keeps the slot from
/// counting as complete.
const THIN_TRIES: u32 = 3;

/// Looks through a slot and gets what is missing, for the `tries`th time. `overtaken` tells when to
/// leave off.
pub(super) async fn run(
	shared: &Arc<Shared>,
	eras: &Eras,
	task: &Task,
	tries: u32,
	overtaken: impl Fn() -> bool,
) -> Result<Outcome, MinerError> {
	let Some(me) = eras.me() else {
		return Ok(Outcome::Overtaken);
	};
	let group = eras.group(task.pg).map_err(MinerError::Repair)?;
	let Some(span) = Span::of(task.pg, eras.pg_num()) else {
		return Ok(Outcome::Overtaken);
	};
	let mut gather = Gather::new(shared, eras, &group, span);
	gather.fill().await?;
	// Now it is known who answers.
	let task = Task::new(
		&group,
		task.slot,
		me,
		|node| eras.standing(node),
		|node| answers(shared, eras, node),
	);
	if task.can_wait() {
		return Ok(Outcome::Waits);
	}
	let mut failed = 0u64;
	let mut jobs = FuturesUnordered::new();
	while let Some(claims) = gather.next().await? {
		if overtaken() {
			return Ok(Outcome::Overtaken);
		}
		let own = claims.by.iter().find(|(node, _)| *node == me);
		if own.is_some_and(|(_, slots)| slots >> task.slot & 1 == 1) {
			continue;
		}
		if !is_worth_a_try(&group, task.slot, &claims) {
			shared.stats.add(|s| &s.hollow, 1);
			gather.hollow(&claims);
			continue;
		}
		while jobs.len() >= shared.settings.parallel {
			failed += settle(shared, &mut gather, tries, jobs.next().await);
		}
		let order = Order {
			eras,
			stripe: claims.stripe,
			slot: task.slot,
			sources: sources(&group, task.slot, &claims),
			again: false,
			urgent: Danger::of(claims.live().min(task.live)) == Danger::Urgent,
		};
		jobs.push(async move { (claims, order.run(shared).await) });
	}
	while !jobs.is_empty() {
		failed += settle(shared, &mut gather, tries, jobs.next().await);
	}
	let silent = gather.silent();
	shared.stats.add(|s| &s.checked, 1);
	tracing::debug!(
		pg = task.pg,
		slot = task.slot,
		failed,
		silent,
		"slot looked through"
	);
	Ok(match failed == 0 && silent <= MAX_SILENT {
		true => Outcome::Complete,
		false => Outcome::Again,
	})
}

/// Whether a node serves: it answers, and the map does not say that it is out.
pub(super) fn answers(shared: &Shared, eras: &Eras, node: NodeIndex) -> bool {
	eras.standing(node) != Standing::Out && shared.net.serves(node)
}

/// Whether a stripe can come from the nodes that list it: from ten of its shards, or copied from a
/// node that the maps once gave this slot. Everything else costs nothing but the list's bytes.
fn is_worth_a_try(group: &Group, slot: u8, claims: &Claims) -> bool {
	let mut by = claims.by.iter();
	usize::from(claims.live()) >= DATA_SHARDS
		|| by.any(|(node, slots)| slots >> slot & 1 == 1 && group.held_before(slot, *node))
}

/// By the claims, former holders of the slot first.
fn sources(group: &Group, slot: u8, claims: &Claims) -> Sources {
	let mut sources = Sources::claimed(claims);
	for (node, slots) in &claims.by {
		if slots >> slot & 1 == 1 && group.held_before(slot, *node) {
			sources.prefer(slot, *node);
		}
	}
	sources
}

/// Counts what came of a listed stripe; gives 1 if it has to be tried again. A stripe that fewer than
/// ten list and that nobody serves may never have been.
fn settle(
	shared: &Shared,
	gather: &mut Gather<'_>,
	tries: u32,
	done: Option<(Claims, Result<Done, Failure>)>,
) -> u64 {
	let Some((claims, done)) = done else { return 0 };
	let thin = usize::from(claims.live()) < DATA_SHARDS;
	if let (true, Err(error)) = (thin, &done) {
		tracing::debug!(stripe = %claims.stripe, %error, "listed by too few, served by nobody");
		shared.stats.add(|s| &s.hollow, 1);
		gather.hollow(&claims);
		return u64::from(tries < THIN_TRIES);
	}
	count(shared, claims.stripe, done)
}

/// Counts what came of a shard; gives 1 if it has to be tried again.
pub(super) fn count(shared: &Shared, stripe: StripeId, done: Result<Done, Failure>) -> u64 {
	match done {
		Ok(Done::Copied { fetched }) => {
			shared.stats.add(|s| &s.copied, 1);
			tracing::debug!(%stripe, fetched, "shard copied");
			0
		}
		Ok(Done::Rebuilt { fetched }) => {
			shared.stats.add(|s| &s.rebuilt, 1);
			tracing::debug!(%stripe, fetched, "shard rebuilt");
			0
		}
		Ok(Done::Held | Done::Deleted) => 0,
		Err(error) => {
			shared.stats.add(|s| &s.failed, 1);
			tracing::warn!(%stripe, %error, "a shard could not be repaired");
			1
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn what_too_few_list_is_not_fetched() {
		let now = std::array::from_fn(|slot| Some(slot as u32 + 100));
		let before = std::array::from_fn(|slot| Some(slot as u32));
		let group = Group {
			pg: 1,
			eras: vec![now, before],
		};
		let claims = |by: Vec<(u32, u32)>| Claims {
			stripe: StripeId::default(),
			by,
		};
		let ten = claims((0..10).map(|slot| (slot, 1 << slot)).collect());
		assert!(is_worth_a_try(&group, 20, &ten));
		let nine = claims((0..9).map(|slot| (slot, 1 << slot)).collect());
		assert!(!is_worth_a_try(&group, 20, &nine));
		assert!(is_worth_a_try(&group, 4, &nine));
		// The slot's shard is claimed, but not by one who ever held the slot.
		assert!(!is_worth_a_try(&group, 20, &claims(vec![(7, 1 << 20)])));
		assert!(is_worth_a_try(&group, 20, &claims(vec![(20, 1 << 20)])));
	}
}
