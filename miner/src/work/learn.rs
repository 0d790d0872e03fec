//! What an order says of ledgers.

use super::{clean::Scene, groups::Groups, locked, Work};
use crate::{epochs::Held, metrics::unix_now};
use arion_storage_proof::work::WorkOrder;
use hippius_primitives::Pg;
use std::{
	collections::{BTreeMap, BTreeSet},
	sync::atomic::Ordering::Relaxed,
};

impl Work {
	/// Learns the ledgers of an order, and what to ask for next. Blocks.
	pub(super) fn learn_ledgers(&self, order: &WorkOrder) {
		let held = self.epochs.held();
		let slots: BTreeMap<Pg, u8> = held
			.as_deref()
			.and_then(Held::slots)
			.unwrap_or(&[])
			.iter()
			.copied()
			.collect();
		let own: BTreeSet<Pg> = slots.keys().copied().collect();
		let asked: BTreeSet<Pg> = order.asked.iter().map(|asked| asked.pg).collect();
		let wanted: BTreeSet<Pg> = locked(&self.state).wants.iter().map(|w| w.0).collect();
		let mut groups = locked(&self.groups);
		groups.retain(|pg| own.contains(&pg) || asked.contains(&pg));
		for ledger in &order.ledgers {
			let pg = ledger.pg;
			// Only what is this node's, so that nobody fills the disk.
			if !own.contains(&pg) && !asked.contains(&pg) {
				continue;
			}
			match groups.learn(&self.leaves, ledger) {
				Ok(followed) if followed.refused => {
					self.stats.add(|s| &s.contradicted, 1);
					tracing::warn!(pg, "the batches an order brings are not those of its peaks");
				}
				Ok(followed) => {
					// The worker's full node may have no history.
					let asked = asked.contains(&pg);
					let none = !followed.complete && ledger.batches.is_empty();
					if none && (asked || wanted.contains(&pg)) {
						self.need(pg, asked);
					}
				}
				Err(error) => {
					self.stats.add(|s| &s.contradicted, 1);
					tracing::warn!(pg, %error, "a ledger cannot be learned");
				}
			}
		}
		match groups.wants(&self.leaves, &asked, &own) {
			Ok(wants) => {
				self.stats.wanted.store(wants.len() as u64, Relaxed);
				locked(&self.state).wants = wants;
			}
			Err(error) => tracing::error!(%error, "the ledgers to ask for"),
		}
		// By another map the slots are others.
		if held.is_some_and(|held| held.update.epoch == order.epoch) {
			self.look_through(order, &groups, &slots);
		}
	}

	/// Looks through some groups, and finds out which to report as clean. Blocks.
	fn look_through(&self, order: &WorkOrder, groups: &Groups, slots: &BTreeMap<Pg, u8>) {
		let (epoch, best) = (order.epoch, order.best);
		let mut clean = locked(&self.clean);
		let scene = Scene {
			leaves: &self.leaves,
			shards: &*self.shards,
			groups,
			slots,
			epoch,
			best,
			now: unix_now(),
		};
		match clean.step(&scene) {
			Ok(step) => {
				self.stats.add(|s| &s.lacking, step.lacking);
				step.unknown.into_iter().for_each(|pg| self.need(pg, false));
			}
			Err(error) => tracing::error!(%error, "the ledgers' stripes cannot be looked for"),
		}
		let named = clean.report(groups, epoch, best);
		drop(clean);
		if !named.is_empty() {
			locked(&self.state).clean = Some((epoch, named));
		}
	}
}
