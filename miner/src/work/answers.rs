//! Which proofs travel together, and in which place of a pool.
//!
//! A pool takes one answer per place and per thing answered. So what was put into an answer stays in
//! it, in the same place, until the chain no longer asks for one of its items or a proof was made
//! anew: given twice it is the same transaction.

use super::prove::Proved;
use arion_grid::Identity;
use arion_storage_proof::{
	answer::{Answer, Item},
	work::MAX_WORK_REPORT,
};
use codec::Encode;
use hippius_primitives::{
	audit::{Ask, MAX_ANSWERED, PENDING_PLACES},
	NodeIndex, NodeKey,
};
use std::collections::{BTreeMap, BTreeSet};

/// Most places taken by what is shown as released: the chain may see it otherwise, and then it stays
/// there for as long as it is asked.
const RELEASED_PLACES: usize = 3;
/// What of a report is left to other things than answers, in bytes.
const REST: usize = 64 * 1024;

/// Something asked that can be answered.
#[derive(Clone, Debug)]
pub(super) struct Ready {
	pub(super) proved: Proved,
	/// Another one for every proof that is made.
	pub(super) version: u64,
	pub(super) seed: [u8; 32],
	/// The last tick at which an answer counts.
	pub(super) due: Option<u32>,
}

/// An answer that was given.
#[derive(Debug)]
struct Formed {
	asks: Vec<(Ask, u64)>,
	key: NodeKey,
	released: bool,
	len: usize,
	answer: Answer,
}

/// The places.
#[derive(Debug, Default)]
pub(super) struct Places([Option<Formed>; PENDING_PLACES as usize]);

/// Who answers, and with which key.
pub(super) struct Answerer<'a> {
	pub(super) genesis: [u8; 32],
	pub(super) node: NodeIndex,
	pub(super) identity: &'a Identity,
}

impl Answerer<'_> {
	fn answer(&self, place: u8, group: &[(Ask, &Ready)]) -> Option<Formed> {
		let items: Vec<Item> = group.iter().map(|(_, r)| r.proved.item.clone()).collect();
		let seeds: Vec<[u8; 32]> = group.iter().map(|(_, ready)| ready.seed).collect();
		let mut answer = Answer {
			node: self.node,
			place,
			// Groups are no longer than an answer may be.
			items: items.try_into().ok()?,
			signature: [0; 64],
		};
		answer.signature = self.identity.sign(&answer.payload(&self.genesis, &seeds));
		Some(Formed {
			asks: group.iter().map(|(ask, r)| (*ask, r.version)).collect(),
			key: self.identity.node_key(),
			released: group.iter().any(|(_, ready)| ready.proved.released),
			len: answer.encoded_size(),
			answer,
		})
	}
}

impl Places {
	/// The answers to what is ready: those given before as they were, then new ones for the rest, what
	/// is due first. What is shown as released goes alone, so that it spoils nothing else.
	pub(super) fn form(&mut self, ready: &BTreeMap<Ask, Ready>, by: &Answerer<'_>) -> Vec<Answer> {
		for (place, formed) in (0u8..).zip(&mut self.0) {
			let Some(old) = formed.as_ref() else { continue };
			let group: Option<Vec<(Ask, &Ready)>> = old
				.asks
				.iter()
				.map(|(ask, version)| {
					let ready = ready.get(ask).filter(|ready| ready.version == *version)?;
					Some((*ask, ready))
				})
				.collect();
			let same = old.answer.node == by.node && old.key == by.identity.node_key();
			match group {
				Some(_) if same => {}
				Some(group) => *formed = by.answer(place, &group),
				None => *formed = None,
			}
		}
		let taken: BTreeSet<Ask> = self.asks().collect();
		let rest = ready.iter().filter(|(ask, _)| !taken.contains(ask));
		let mut rest: Vec<(Ask, &Ready)> = rest.map(|(ask, ready)| (*ask, ready)).collect();
		rest.sort_by_key(|(ask, ready)| (ready.due.unwrap_or(u32::MAX), *ask));
		let (alone, together): (Vec<_>, Vec<_>) =
			rest.into_iter().partition(|(_, ready)| ready.proved.released);
		for group in together.chunks(MAX_ANSWERED as usize) {
			self.put(group, by);
		}
		for group in alone.chunks(1) {
			let released = self.0.iter().flatten().filter(|formed| formed.released);
			if released.count() < RELEASED_PLACES {
				self.put(group, by);
			}
		}
		self.0.iter().flatten().map(|f| f.answer.clone()).collect()
	}

	fn asks(&self) -> impl Iterator<Item = Ask> + '_ {
		let asks = self.0.iter().flatten().flat_map(|formed| &formed.asks);
		asks.map(|(ask, _)| *ask)
	}

	/// Puts a new answer into a free place, if there is one and the report has room.
	fn put(&mut self, group: &[(Ask, &Ready)], by: &Answerer<'_>) {
		let used: usize = self.0.iter().flatten().map(|formed| formed.len).sum();
		let free = (0u8..).zip(&mut self.0).find(|(_, formed)| formed.is_none());
		let Some((place, formed)) = free else { return };
		let mut group = group.to_vec();
		group.sort_by_key(|(ask, _)| *ask);
		let made = by.answer(place, &group);
		*formed = made.filter(|made| used + made.len <= MAX_WORK_REPORT - REST);
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use arion_storage_proof::answer::Shown;

	fn ready(id: u64, released: bool) -> (Ask, Ready) {
		let ask = Ask::Task { id };
		let shown = match released {
			true => Shown::Released(vec![id as u8].try_into().unwrap()),
			false => Shown::Bytes(vec![id as u8].try_into().unwrap()),
		};
		let item = Item {
			ask,
			shown: vec![shown].try_into().unwrap(),
		};
		let ready = Ready {
			proved: Proved { item, released },
			version: id,
			seed: [id as u8; 32],
			due: Some(100 - id as u32),
		};
		(ask, ready)
	}

	fn ids(answer: &Answer) -> Vec<u64> {
		let id = |item: &Item| match item.ask {
			Ask::Task { id } => id,
			Ask::Draw { .. } => unreachable!(),
		};
		answer.items.iter().map(id).collect()
	}

	#[test]
	fn what_is_in_an_answer_stays_in_it() {
		let identity = Identity::from_seed(&[1; 32]).unwrap();
		let by = Answerer {
			genesis: [2; 32],
			node: 7,
			identity: &identity,
		};
		let mut places = Places::default();
		let mut all: BTreeMap<Ask, Ready> = (0..10).map(|id| ready(id, false)).collect();
		let first = places.form(&all, &by);
		// What is due first goes first; within an answer it is the chain's order.
		assert_eq!(
			first.iter().map(ids).collect::<Vec<_>>(),
			[(2..10).collect::<Vec<_>>(), vec![0, 1]]
		);
		assert_eq!(first.iter().map(|a| a.place).collect::<Vec<_>>(), [0, 1]);
		assert_eq!(places.form(&all, &by), first);
		all.extend([ready(20, false), ready(30, true), ready(31, true)]);
		let more = places.form(&all, &by);
		assert_eq!(more[..2], first);
		let more: Vec<_> = more[2..].iter().map(ids).collect();
		assert_eq!(more, [[20], [31], [30]]);
		// One was answered, and one proved anew: the others of their answers are formed afresh.
		all.remove(&Ask::Task { id: 5 });
		all.get_mut(&Ask::Task { id: 1 }).unwrap().version = 99;
		let after = places.form(&all, &by);
		let mut left: Vec<u64> = after.iter().flat_map(ids).collect();
		left.sort_unstable();
		assert_eq!(left, [0, 1, 2, 3, 4, 6, 7, 8, 9, 20, 30, 31]);
		let mut taken: Vec<u8> = after.iter().map(|answer| answer.place).collect();
		taken.sort_unstable();
		taken.dedup();
		assert_eq!(taken.len(), after.len());
		// Another key signs the same anew.
		let other = Identity::from_seed(&[3; 32]).unwrap();
		let by = Answerer {
			identity: &other,
			..by
		};
		let again = places.form(&all, &by);
		assert_eq!(again.len(), after.len());
		for (old, new) in after.iter().zip(&again) {
			assert_eq!((ids(old), old.place), (ids(new), new.place));
			assert_ne!(old.signature, new.signature);
		}
		assert!(places.form(&BTreeMap::new(), &by).is_empty());
	}

	#[test]
	fn places_run_out_and_released_ones_leave_room() {
		let identity = Identity::from_seed(&[1; 32]).unwrap();
		let by = Answerer {
			genesis: [2; 32],
			node: 7,
			identity: &identity,
		};
		let mut places = Places::default();
		let released: BTreeMap<Ask, Ready> = (0..20).map(|id| ready(id, true)).collect();
		assert_eq!(places.form(&released, &by).len(), RELEASED_PLACES);
		let mut all = released;
		for id in 20..40 {
			all.extend([ready(id, false)]);
			places.form(&all, &by);
		}
		let answers = places.form(&all, &by);
		assert_eq!(answers.len(), usize::from(PENDING_PLACES));
	}
}
