//! Reading: the view functions' bodies and the seams to other pallets.

use crate::{eras::inputs, Config, Pallet, Places, Placing, Records, Revision, Standing};
use alloc::vec::Vec;
use hippius_primitives::{
	heartbeat::{page_of, Page, PAGE_NODES},
	traits::{AuditOutcomes, Liveness, NodeBacking, NodeRegistry, NodeScores},
	NodeIndex,
};
use hippius_score::{sort_by_rank, Inputs, Ranked};

impl<T: Config> Pallet<T> {
	/// A node's place as fixed at the end of the last era.
	fn place(node: NodeIndex) -> Option<Placing> {
		let (page, place) = page_of(node);
		Places::<T>::get(page).get(place).copied().flatten()
	}

	pub(crate) fn standing(node: NodeIndex) -> Option<Standing> {
		let place = Self::place(node);
		let bytes = place.map_or(0, |place| place.bytes);
		let backing = T::Backing::backing(node, bytes)?;
		let record = Records::<T>::get(node).unwrap_or_default();
		Some(Standing {
			score: Self::score(node)?,
			now: inputs(&record, T::Liveness::uptime(node), backing).explain(),
			samples: record.samples,
			active_days: record.active_days,
			bytes,
		})
	}

	pub(crate) fn ranked_page(page: Page) -> Vec<Ranked> {
		let first = page.saturating_mul(PAGE_NODES);
		let mut ranked: Vec<Ranked> = Places::<T>::get(page)
			.into_iter()
			.zip(first..)
			.filter_map(|(place, node)| {
				let Placing { score, bytes } = place?;
				Some(Ranked { node, score, bytes })
			})
			.collect();
		sort_by_rank(&mut ranked);
		ranked
	}

	/// Whether a node is registered; cheaper than to read its record.
	fn is_registered(node: NodeIndex) -> bool {
		let (page, place) = page_of(node);
		let word = T::Registry::live(page).get(place / 64).copied();
		word.is_some_and(|word| word >> (place % 64) & 1 == 1)
	}
}

impl<T: Config> AuditOutcomes for Pallet<T> {
	/// Audits of nodes that have left change nothing, so that no record stays behind.
	fn audited(node: NodeIndex, passed: bool) {
		if !Self::is_registered(node) {
			return;
		}
		Records::<T>::mutate(node, |record| {
			let record = record.get_or_insert_with(Default::default);
			record.reputation = record.reputation.audited(passed);
			record.samples = record.samples.saturating_add(1);
		});
	}

	fn stood(node: NodeIndex) -> Option<(u64, u64, u32)> {
		let record = Records::<T>::get(node)?;
		let reputation = record.reputation;
		Some((reputation.alpha, reputation.beta, record.samples))
	}

	fn forget(node: NodeIndex) {
		Records::<T>::remove(node);
	}
}

impl<T: Config> NodeScores for Pallet<T> {
	/// The score in force; 0 for a node jailed since; a new node's for one never settled; `None` for
	/// one that does not exist.
	fn score(node: NodeIndex) -> Option<u32> {
		let place = Self::place(node);
		let backing = T::Backing::backing(node, place.map_or(0, |place| place.bytes))?;
		Some(match place {
			_ if backing.jailed => 0,
			Some(place) => place.score,
			None => Inputs::new(backing.stake, backing.required).score(),
		})
	}

	fn revision() -> u64 {
		Revision::<T>::get()
	}
}
