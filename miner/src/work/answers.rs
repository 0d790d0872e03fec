//! Which proofs travel together, and in which place of a pool.
//!
//! A pool takes one answer per place of a node and one per thing answered. The worker asks for nothing
//! that it has just submitted, so every report is made of what its order asks for, and goes on with the
//! places where the report before ended: these are the most likely to be free again.

use super::prove::Proved;
use arion_grid::Identity;
use arion_storage_proof::{
	answer::{Answer, Item},
	work::MAX_WORK_REPORT,
};
use codec::Encode;
use hippius_primitives::{
	audit::{Ask, MAX_ANSWERED, PENDING_PLACES},
	NodeIndex,
};

/// Most places taken by what is shown as released: the chain may see it otherwise, and then it stays
/// there for as long as it is asked.
const RELEASED_PLACES: usize = 3;
/// What of a report is left to other things than answers, in bytes.
const REST: usize = 64 * 1024;

/// Something asked that can be answered.
#[derive(Clone, Debug)]
pub(super) struct Ready {
	pub(super) proved: Proved,
	pub(super) seed: [u8; 32],
	/// The last tick at which an answer counts.
	pub(super) due: Option<u32>,
}

/// Who answers, and with which key.
pub(super) struct Answerer<'a> {
	pub(super) genesis: [u8; 32],
	pub(super) node: NodeIndex,
	pub(super) identity: &'a Identity,
}

impl Answerer<'_> {
	fn answer(&self, place: u8, group: &[(Ask, &Ready)]) -> Option<Answer> {
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
		Some(answer)
	}
}

/// The places.
#[derive(Debug, Default)]
pub(super) struct Places {
	/// The next one.
	next: u8,
}

impl Places {
	/// Answers to what is ready, what is due first in the first. What is shown as released goes alone,
	/// so that it spoils nothing else.
	pub(super) fn form(&mut self, ready: &[(Ask, Ready)], by: &Answerer<'_>) -> Vec<Answer> {
		let mut ready: Vec<(Ask, &Ready)> = ready.iter().map(|(ask, r)| (*ask, r)).collect();
		ready.sort_by_key(|(ask, ready)| (ready.due.unwrap_or(u32::MAX), *ask));
		let (alone, together): (Vec<_>, Vec<_>) = ready
			.into_iter()
			.partition(|(_, ready)| ready.proved.released);
		let together = together.chunks(MAX_ANSWERED as usize);
		let groups = together.chain(alone.chunks(1).take(RELEASED_PLACES));
		let (mut answers, mut len) = (Vec::new(), 0);
		for group in groups.take(usize::from(PENDING_PLACES)) {
			let mut group = group.to_vec();
			group.sort_by_key(|(ask, _)| *ask);
			let Some(answer) = by.answer(self.next, &group) else {
				continue;
			};
			len += answer.encoded_size();
			if len > MAX_WORK_REPORT - REST {
				break;
			}
			self.next = (self.next + 1) % PENDING_PLACES;
			answers.push(answer);
		}
		answers
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
	fn what_is_due_first_goes_first_and_what_is_released_alone() {
		let identity = Identity::from_seed(&[1; 32]).unwrap();
		let by = Answerer {
			genesis: [2; 32],
			node: 7,
			identity: &identity,
		};
		let mut places = Places::default();
		let mut all: Vec<_> = (0..10).map(|id| ready(id, false)).collect();
		all.extend((20..30).map(|id| ready(id, true)));
		let answers = places.form(&all, &by);
		let formed: Vec<_> = answers.iter().map(ids).collect();
		let first: Vec<u64> = (2..10).collect();
		assert_eq!(formed, [first, vec![0, 1], vec![29], vec![28], vec![27]]);
		// The next ones wait elsewhere.
		let more = places.form(&all, &by);
		let place = |answer: &Answer| answer.place;
		assert_eq!(
			answers.iter().map(place).collect::<Vec<_>>(),
			[0, 1, 2, 3, 4]
		);
		assert_eq!(more.iter().map(place).collect::<Vec<_>>(), [5, 6, 7, 0, 1]);
		assert!(places.form(&[], &by).is_empty());
		let many: Vec<_> = (0..100).map(|id| ready(id, false)).collect();
		let answers = places.form(&many, &by);
		let taken: std::collections::BTreeSet<u8> = answers.iter().map(place).collect();
		assert_eq!((answers.len(), taken.len()), (8, 8));
	}

	#[test]
	fn a_report_stays_within_its_bound() {
		let identity = Identity::from_seed(&[1; 32]).unwrap();
		let by = Answerer {
			genesis: [2; 32],
			node: 7,
			identity: &identity,
		};
		let big = |id| {
			let (ask, mut ready) = ready(id, false);
			let shown = Shown::Bytes(vec![0; 8_192].try_into().unwrap());
			ready.proved.item.shown = vec![shown; 4].try_into().unwrap();
			(ask, ready)
		};
		let many: Vec<_> = (0..64).map(big).collect();
		let answers = Places::default().form(&many, &by);
		assert!(!answers.is_empty());
		assert!(answers.encoded_size() <= MAX_WORK_REPORT - REST);
	}
}
