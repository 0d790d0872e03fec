//! Eras: closed when they are over, then settled page by page.

use crate::{
	Closing, Config, CurrentEra, Era, EraConfig, EraEntry, EraPages, Eras, Event, Held, Pallet,
	Places, Placing, Record, Records, Revision, Settings, Settling, WeightInfo,
};
use frame_support::{traits::Get, weights::Weight, BoundedVec};
use frame_system::pallet_prelude::BlockNumberFor;
use hippius_primitives::{
	heartbeat::PAGE_NODES,
	traits::{Backing, Liveness, NodeBacking, NodeRegistry},
	NodeIndex,
};
use hippius_score::{pay_weight, Inputs, Ratio};
use sp_runtime::traits::UniqueSaturatedInto;

impl<T: Config> Pallet<T> {
	/// Closes, settles and sweeps what is due; gives the weight of that.
	pub(crate) fn do_on_initialize(now: BlockNumberFor<T>) -> Weight {
		let mut weight = T::WeightInfo::idle();
		let Some(config) = Settings::<T>::get() else {
			return weight;
		};
		let now: u32 = now.unique_saturated_into();
		if let Some(closing) = Closing::<T>::get() {
			Self::settle_next(&config, closing, now);
			weight.saturating_accrue(T::WeightInfo::settle_page());
		} else {
			let era = CurrentEra::<T>::get();
			let blocks = now.saturating_sub(era.start);
			if blocks >= config.era_blocks {
				CurrentEra::<T>::put(Era {
					index: era.index.saturating_add(1),
					start: now,
				});
				Closing::<T>::put(Settling {
					era: era.index,
					blocks,
					page: 0,
				});
			}
		}
		weight.saturating_add(Self::sweep(&config, now))
	}

	/// Settles the next page of an era and drops the page that is now too old.
	pub(crate) fn settle_next(config: &EraConfig, closing: Settling, now: u32) {
		let Settling { era, blocks, page } = closing;
		let pages = T::Registry::end().div_ceil(PAGE_NODES);
		if page < pages {
			Self::settle_page(config, &closing, now);
		}
		let expired = era.checked_sub(T::KeptEras::get());
		if let Some(expired) = expired {
			EraPages::<T>::remove(expired, page);
		}
		let next = page.saturating_add(1);
		if next < pages {
			Closing::<T>::put(Settling {
				page: next,
				..closing
			});
			return;
		}
		Closing::<T>::kill();
		if let Some(expired) = expired {
			Eras::<T>::remove(expired);
		}
		Revision::<T>::mutate(|revision| *revision = revision.wrapping_add(1));
		let totals = Eras::<T>::mutate(era, |totals| {
			let totals = totals.get_or_insert_with(Default::default);
			totals.blocks = blocks;
			totals.complete = true;
			*totals
		});
		Self::deposit_event(Event::EraSettled {
			era,
			nodes: totals.nodes,
			byte_blocks: totals.byte_blocks,
			weight: totals.weight,
		});
	}

	/// Fixes the scores and pay weights of a page.
	fn settle_page(config: &EraConfig, closing: &Settling, now: u32) {
		let (era, page) = (closing.era, closing.page);
		let live = T::Registry::live(page);
		let before = Places::<T>::get(page);
		if live == [0; 4] && before.is_empty() {
			return;
		}
		let uptimes = T::Liveness::uptimes(page);
		let mut places = BoundedVec::new();
		let mut entries: BoundedVec<EraEntry, _> = BoundedVec::new();
		let mut totals = Eras::<T>::get(era).unwrap_or_default();
		for place in 0..PAGE_NODES {
			let node = page.saturating_mul(PAGE_NODES).saturating_add(place);
			let word = live.get((place / 64) as usize).copied().unwrap_or(0);
			let placing = if word >> (place % 64) & 1 == 1 {
				let held = Held::<T>::take(node);
				let uptime = uptimes.get(place as usize).copied().flatten();
				Some(Self::settle_node(config, closing, now, node, held, uptime))
			} else {
				if before.get(place as usize).is_some_and(Option::is_some) {
					Records::<T>::remove(node);
				}
				// It left while it held something: that is not paid.
				Held::<T>::take(node).map(|held| (held, None))
			};
			let (held, placing) = match placing {
				Some((held, placing)) => (held, placing),
				None => (0, None),
			};
			if held > 0 {
				let score = placing.map_or(0, |placing: Placing| placing.score);
				let entry = EraEntry {
					node,
					byte_blocks: held,
					score,
					weight: pay_weight(held, score),
				};
				totals.nodes = totals.nodes.saturating_add(1);
				totals.byte_blocks = totals.byte_blocks.saturating_add(held);
				totals.weight = totals.weight.saturating_add(entry.weight);
				// As many entries as places: they fit.
				let _full = entries.try_push(entry);
			}
			let _full = places.try_push(placing);
		}
		while places.last().is_some_and(Option::is_none) {
			places.pop();
		}
		if places.is_empty() {
			Places::<T>::remove(page);
		} else {
			Places::<T>::insert(page, places);
		}
		if !entries.is_empty() {
			EraPages::<T>::insert(era, page, entries);
			Eras::<T>::insert(era, totals);
		}
	}

	/// Fixes the score of a node that is there; gives what it held and its place.
	fn settle_node(
		config: &EraConfig,
		closing: &Settling,
		now: u32,
		node: NodeIndex,
		held: Option<u128>,
		uptime: Option<(u32, u32)>,
	) -> (u128, Option<Placing>) {
		let held = held.unwrap_or(0);
		let bytes = u64::try_from(held / u128::from(closing.blocks.max(1))).unwrap_or(u64::MAX);
		let Some(backing) = T::Backing::backing(node, bytes) else {
			return (held, None);
		};
		let stored = Records::<T>::get(node);
		let mut record = stored.unwrap_or_default();
		let day = now / config.day_blocks.max(1);
		if held > 0 && !backing.jailed && record.last_day != Some(day) {
			record.active_days = record.active_days.saturating_add(1);
			record.last_day = Some(day);
			Records::<T>::insert(node, record);
		}
		let score = inputs(&record, uptime, backing).score();
		(held, Some(Placing { score, bytes }))
	}
}

/// What a node's score is made of. Retrievals are not measured yet.
pub(crate) fn inputs(record: &Record, uptime: Option<(u32, u32)>, backing: Backing) -> Inputs {
	let (good, counted) = uptime.unwrap_or((0, 0));
	Inputs {
		reputation: record.reputation,
		uptime: Ratio { good, counted },
		active_days: record.active_days,
		retrieval: Ratio::default(),
		stake: backing.stake,
		required: backing.required,
		jailed: backing.jailed,
	}
}
