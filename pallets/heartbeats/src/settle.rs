//! From reports to what is known of a page's nodes.

use crate::{
	Config, DayRow, Days, Event, HeartbeatConfig, NodeState, OpenWindowOf, OutRevision, PageState,
	Pages, Pallet, Reports, RING_DAYS,
};
use alloc::vec::Vec;
use frame_support::BoundedVec;
use hippius_primitives::{
	heartbeat::{BeatCounts, Page, Window, PAGE_NODES},
	traits::NodeRegistry,
	NodeIndex,
};
use hippius_score::quorum;

/// What settling a page took, besides what every page takes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Settled {
	/// Days forgotten.
	pub(crate) days: u32,
	/// Nodes of which something had to be told.
	pub(crate) told: u32,
}

/// What a settled window changed for a node.
#[derive(Clone, Copy, Default, PartialEq)]
struct Change {
	down: bool,
	out: bool,
	back: bool,
	/// Whether `out` is another than before.
	flipped: bool,
	/// Whether an absence is over.
	returned: bool,
}

impl<T: Config> Pallet<T> {
	/// Judges a page's nodes by the reports of a window, and removes these; says what that took.
	pub(crate) fn settle_page(
		config: &HeartbeatConfig,
		window: Window,
		page: Page,
		open: &OpenWindowOf<T>,
	) -> Settled {
		// At most one report of each of the page's collectors was taken.
		let reports: Vec<BeatCounts> = Reports::<T>::drain_prefix((window, page))
			.map(|(_, counts)| counts)
			.collect();
		let collectors = (open.validators.len() as u32).min(quorum::MAX_COLLECTORS);
		let live = T::Registry::live(page);
		let mut state = Pages::<T>::get(page);
		if state.is_none() && live == [0; 4] {
			return Settled::default();
		}
		let mut page_state = state.take().unwrap_or_else(|| PageState {
			day: config.day_of(window),
			nodes: BoundedVec::new(),
		});
		let days = Self::roll(config, window, page, &mut page_state);
		let mut told = Self::follow_registry(&live, &mut page_state);
		let settled = quorum::settle_page(&reports, collectors);
		match &settled {
			Some(counts) => {
				let judged = Self::judge(config, window, page, &live, &mut page_state, counts);
				told = told.saturating_add(judged);
			}
			None if live != [0; 4] => Self::deposit_event(Event::NoQuorum {
				window,
				page,
				reports: reports.len() as u32,
				needed: quorum::quorum(collectors),
			}),
			None => {}
		}
		Pages::<T>::insert(page, page_state);
		Settled { days, told }
	}

	/// Forgets the days that fall out of the ring as the window's day begins; gives how many.
	fn roll(config: &HeartbeatConfig, window: Window, page: Page, state: &mut PageState) -> u32 {
		let day = config.day_of(window);
		let mut forgotten = 0u32;
		let passed = day.saturating_sub(state.day).min(RING_DAYS);
		for back in 0..passed {
			let slot = day.saturating_sub(back) % RING_DAYS;
			let Some(row) = Days::<T>::take(page, slot) else {
				continue;
			};
			forgotten = forgotten.saturating_add(1);
			for (node, (seen, due)) in state.nodes.iter_mut().zip(row.beats) {
				if let Some(node) = node {
					node.seen = node.seen.saturating_sub(seen.into());
					node.due = node.due.saturating_sub(due.into());
				}
			}
		}
		state.day = state.day.max(day);
		forgotten
	}

	/// Forgets nodes that have left; gives how many. New ones are known from the window after this one
	/// on, as they may have missed a part of it.
	fn follow_registry(live: &[u64; 4], state: &mut PageState) -> u32 {
		let mut left = 0u32;
		for (place, node) in state.nodes.iter_mut().enumerate() {
			if !is_live(live, place) {
				if let Some(gone) = node.take() {
					left = left.saturating_add(1);
					if gone.out {
						bump::<T>();
					}
					if gone.absence.is_some() {
						Self::count_absence(false);
					}
				}
			}
		}
		left
	}

	/// Counts the window for each node; gives of how many something had to be told.
	fn judge(
		config: &HeartbeatConfig,
		window: Window,
		page: Page,
		live: &[u64; 4],
		state: &mut PageState,
		counts: &[u8; PAGE_NODES as usize],
	) -> u32 {
		let mut told = 0u32;
		let slot = config.day_of(window) % RING_DAYS;
		let mut row = Days::<T>::get(page, slot).unwrap_or_else(|| DayRow {
			day: config.day_of(window),
			beats: BoundedVec::new(),
		});
		let places = (0..PAGE_NODES as usize)
			.rev()
			.find(|place| is_live(live, *place))
			.map_or(0, |last| last + 1)
			.max(state.nodes.len());
		// A page has no more places than either list takes, so neither is ever full.
		while state.nodes.len() < places && state.nodes.try_push(None).is_ok() {}
		while row.beats.len() < places && row.beats.try_push((0, 0)).is_ok() {}
		for (place, count) in counts.iter().enumerate().take(places) {
			let (Some(entry), Some(day)) = (state.nodes.get_mut(place), row.beats.get_mut(place))
			else {
				break;
			};
			match entry {
				Some(node) => {
					let change = count_window(config, window, node, day, *count);
					let index = page * PAGE_NODES + place as NodeIndex;
					if change != Change::default() {
						told = told.saturating_add(1);
						Self::tell(index, node, change);
					}
				}
				None if is_live(live, place) => *entry = Some(NodeState::default()),
				None => {}
			}
		}
		Days::<T>::insert(page, slot, row);
		told
	}

	fn tell(index: NodeIndex, node: &NodeState, change: Change) {
		if change.flipped {
			bump::<T>();
		}
		if change.returned {
			Self::count_absence(false);
		}
		if change.back {
			Self::deposit_event(Event::NodeBack { node: index });
		}
		if change.down {
			Self::deposit_event(Event::NodeDown {
				node: index,
				since: node.since,
			});
		}
		if change.out {
			Self::deposit_event(Event::NodeOut { node: index });
		}
	}
}

/// Whether a place of a page is a registered node.
fn is_live(live: &[u64; 4], place: usize) -> bool {
	live.get(place / 64)
		.is_some_and(|word| word >> (place % 64) & 1 == 1)
}

/// Notes that a node went out or came back.
pub(crate) fn bump<T: Config>() {
	OutRevision::<T>::mutate(|revision| *revision = revision.wrapping_add(1));
}

/// Counts a settled window for a node.
fn count_window(
	config: &HeartbeatConfig,
	window: Window,
	node: &mut NodeState,
	day: &mut (u16, u16),
	count: u8,
) -> Change {
	let mut change = Change::default();
	let (start, end) = (config.start_of(window), config.start_of(window + 1));
	if let Some(absence) = node.absence {
		if absence.until <= start {
			node.absence = None;
			node.back = node.back.max(absence.until);
			change.returned = true;
		} else if absence.from < end {
			// Away, as announced. Beats seen all the same bring it back, but count for nothing.
			if count > 0 {
				seen(node, &mut change, config, end);
			}
			return change;
		}
	}
	let shown = node.shown.is_some_and(|shown| shown >= window);
	if count == 0 && node.shown == Some(window) {
		// It lived, whatever its collectors say.
		return change;
	}
	if count > 0 && node.due == 0 {
		node.back = node.back.max(end);
	}
	let beats = u16::from(count.min(config.beats_per_window));
	let due = u16::from(config.beats_per_window);
	if let (Some(day_seen), Some(day_due)) = (day.0.checked_add(beats), day.1.checked_add(due)) {
		*day = (day_seen, day_due);
		node.seen = node.seen.saturating_add(beats.into());
		node.due = node.due.saturating_add(due.into());
	}
	if beats > 0 {
		seen(node, &mut change, config, end);
	} else if !shown {
		if node.missed == 0 {
			node.since = start;
		}
		node.missed = node.missed.saturating_add(1);
		change.down = node.missed == config.down_windows;
		if node.missed >= config.out_windows && !node.out {
			node.out = true;
			change.out = true;
			change.flipped = true;
		}
	}
	change
}

/// The node is there, by block `by` at the latest.
fn seen(node: &mut NodeState, change: &mut Change, config: &HeartbeatConfig, by: u32) {
	change.back = node.missed >= config.down_windows;
	change.flipped = node.out;
	// One without a break goes on as it was.
	if node.missed > 0 {
		node.back = node.back.max(by);
	}
	node.missed = 0;
	node.out = false;
}

/// The node is there, as it shows itself in this window; whether it was down and whether it was out.
pub(crate) fn shown(
	node: &mut NodeState,
	config: &HeartbeatConfig,
	window: Window,
) -> (bool, bool) {
	let mut change = Change::default();
	let end = config.start_of(window.saturating_add(1));
	seen(node, &mut change, config, end);
	(change.back, change.flipped)
}
