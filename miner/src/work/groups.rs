//! Which groups' ledgers are known, and which are to be asked for next.

use crate::leaves::{Followed, Leaves, LeavesError};
use arion_storage_proof::{
	work::{GroupLedger, MAX_ORDER_LEDGERS},
	Peaks,
};
use codec::Encode;
use hippius_primitives::Pg;
use std::collections::{BTreeMap, BTreeSet};

/// Wants left to groups whose turn it is, however many others are in need.
const TURNS: usize = MAX_ORDER_LEDGERS / 4;

/// What is known of a group's ledger.
#[derive(Clone, Debug)]
pub(super) struct Seen {
	/// Of the peaks last compared.
	digest: [u8; 32],
	/// The peaks last compared.
	pub(super) newest: Peaks,
	pub(super) followed: Followed,
	/// Whether what is known may be wrong, since what was given contradicted it.
	pub(super) doubt: bool,
	/// Whether a report that the group is clean may count.
	pub(super) unclean: bool,
}

/// The groups seen.
#[derive(Debug, Default)]
pub(super) struct Groups {
	seen: BTreeMap<Pg, Seen>,
	/// Where the next turn begins.
	turn: Pg,
	/// Where the next incomplete ones are looked for.
	next: Pg,
}

impl Groups {
	pub(super) fn seen(&self, pg: Pg) -> Option<&Seen> {
		self.seen.get(&pg)
	}

	/// The groups from `from` on, round.
	pub(super) fn from(&self, from: Pg) -> impl Iterator<Item = (Pg, &Seen)> {
		let later = self.seen.range(from..);
		let all = later.chain(self.seen.range(..from));
		all.map(|(pg, seen)| (*pg, seen))
	}

	/// Forgets groups that are not this node's.
	pub(super) fn retain(&mut self, keep: impl Fn(Pg) -> bool) {
		self.seen.retain(|pg, _| keep(*pg));
	}

	/// Learns what an order says of a group's ledger. Blocks.
	///
	/// # Errors
	/// Those of [`Leaves::follow`].
	pub(super) fn learn(
		&mut self,
		leaves: &Leaves,
		ledger: &GroupLedger,
	) -> Result<Followed, LeavesError> {
		let digest = sp_crypto_hashing::blake2_256(&ledger.newest.encode());
		if let Some(seen) = self.seen.get_mut(&ledger.pg) {
			seen.unclean = ledger.unclean;
			if seen.digest == digest && seen.followed.complete {
				return Ok(seen.followed);
			}
		}
		let doubt = self.seen.get(&ledger.pg).is_some_and(|seen| seen.doubt);
		let GroupLedger {
			pg,
			newest,
			first,
			batches,
			..
		} = ledger;
		let followed = leaves.follow(*pg, newest, *first, batches, doubt)?;
		let seen = Seen {
			digest,
			newest: ledger.newest.clone(),
			followed,
			doubt: followed.refused || (doubt && batches.is_empty() && !followed.complete),
			unclean: ledger.unclean,
		};
		self.seen.insert(ledger.pg, seen);
		Ok(followed)
	}

	/// Notes what came from elsewhere than an order.
	pub(super) fn note(&mut self, pg: Pg, followed: Followed) {
		if let Some(seen) = self.seen.get_mut(&pg) {
			seen.followed = followed;
			seen.doubt = followed.refused;
		}
	}

	/// The groups to ask for, with the number of the first batch that is lacking: those asked about
	/// that no order told enough of, others of which something is lacking, and some of `own` in turn,
	/// so that each is compared with the chain in time. Blocks.
	///
	/// # Errors
	/// [`LeavesError::Database`].
	pub(super) fn wants(
		&mut self,
		leaves: &Leaves,
		asked: &BTreeSet<Pg>,
		own: &BTreeSet<Pg>,
	) -> Result<Vec<(Pg, u64)>, LeavesError> {
		let lacks = |pg: &Pg| self.seen.get(pg).is_none_or(|seen| !seen.followed.complete);
		let mut wanted: Vec<Pg> = asked.iter().copied().filter(lacks).collect();
		wanted.truncate(MAX_ORDER_LEDGERS - TURNS);
		let mut there: BTreeSet<Pg> = wanted.iter().copied().collect();
		let room = MAX_ORDER_LEDGERS - TURNS - wanted.len();
		let incomplete = self.from(self.next).filter(|(pg, seen)| {
			!seen.followed.complete && !there.contains(pg) && own.contains(pg)
		});
		let incomplete: Vec<Pg> = incomplete.map(|(pg, _)| pg).take(room).collect();
		if let Some(last) = incomplete.last() {
			self.next = last.saturating_add(1);
		}
		there.extend(&incomplete);
		wanted.extend(incomplete);
		let round = own.range(self.turn..).chain(own.range(..self.turn));
		let round = round.copied().filter(|pg| !there.contains(pg));
		let round: Vec<Pg> = round.take(MAX_ORDER_LEDGERS - wanted.len()).collect();
		if let Some(last) = round.last() {
			self.turn = last.saturating_add(1);
		}
		wanted.extend(round);
		let first = |pg: Pg| match self.seen.get(&pg) {
			Some(seen) => Ok((pg, seen.followed.next)),
			None => Ok((pg, leaves.known(pg)?)),
		};
		wanted.into_iter().map(first).collect()
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use arion_storage_proof::{Batch, Blake2, Mmr};

	fn batch(seed: u8) -> Batch {
		Batch {
			root: [seed; 32],
			bytes: 64,
			stripes: 1,
		}
	}

	fn ledger(pg: Pg, seeds: &[u8], given: &[u8]) -> GroupLedger {
		let mut mmr = Mmr::new();
		for seed in seeds {
			mmr.append::<Blake2>(&batch(*seed)).unwrap();
		}
		GroupLedger {
			pg,
			challengeable: mmr.peaks().clone(),
			newest: mmr.peaks().clone(),
			first: 0,
			batches: given.iter().map(|seed| batch(*seed)).collect(),
			unclean: false,
		}
	}

	#[test]
	fn every_group_gets_its_turn_whatever_else_is_wanted() {
		let folder = tempfile::tempdir().unwrap();
		let leaves = Leaves::open(&folder.path().join("leaves")).unwrap();
		let mut groups = Groups::default();
		let own: BTreeSet<Pg> = (0..500).collect();
		let asked: BTreeSet<Pg> = (100..200).chain(900..910).collect();
		// Of these the order gave nothing.
		for pg in 300..400 {
			let followed = groups.learn(&leaves, &ledger(pg, &[1], &[])).unwrap();
			assert!(!followed.complete);
		}
		let mut met = BTreeSet::new();
		for _ in 0..40 {
			let wants = groups.wants(&leaves, &asked, &own).unwrap();
			assert!(wants.len() <= MAX_ORDER_LEDGERS);
			let pgs: BTreeSet<Pg> = wants.iter().map(|(pg, _)| *pg).collect();
			assert_eq!(pgs.len(), wants.len());
			assert!(wants.iter().all(|(_, first)| *first == 0));
			met.extend(pgs);
		}
		assert!(own.is_subset(&met));
	}

	#[test]
	fn what_is_asked_comes_first_with_what_is_lacking() {
		let folder = tempfile::tempdir().unwrap();
		let leaves = Leaves::open(&folder.path().join("leaves")).unwrap();
		let mut groups = Groups::default();
		let own: BTreeSet<Pg> = (0..3).collect();
		groups
			.learn(&leaves, &ledger(2, &[1, 2, 3], &[1, 2]))
			.unwrap();
		groups
			.learn(&leaves, &ledger(1, &[1, 2, 3], &[1, 2, 3]))
			.unwrap();
		let asked = BTreeSet::from([2, 1]);
		let wants = groups.wants(&leaves, &asked, &own).unwrap();
		assert_eq!(wants, [(2, 2), (0, 0), (1, 3)]);
		groups.retain(|pg| pg == 1);
		assert!(groups.seen(2).is_none() && groups.seen(1).is_some());
	}
}
