//! Reading: the view functions' bodies and the seam to other pallets.

use crate::{Config, Next, NodeState, OutRevision, Pages, Pallet, Settings, Windows};
use alloc::vec::Vec;
use hippius_primitives::{
	collector::WindowDraw,
	heartbeat::{page_of, Page, Window},
	traits::{Liveness, LivenessState},
	NodeIndex,
};

impl<T: Config> Pallet<T> {
	/// What is known of a node.
	pub(crate) fn node_state(node: NodeIndex) -> Option<NodeState> {
		let (page, place) = page_of(node);
		Pages::<T>::get(page)?.nodes.get(place).copied().flatten()
	}

	pub(crate) fn present_window() -> Option<(Window, [u8; 32])> {
		let (window, open) = Self::open_now(&Settings::<T>::get()?)?;
		Some((window, open.anchor))
	}

	pub(crate) fn present_collectors(page: Page) -> Vec<T::CollectorId> {
		let open = Settings::<T>::get().and_then(|config| Self::open_now(&config));
		let Some((_, open)) = open else {
			return Vec::new();
		};
		open.collectors(page)
			.into_iter()
			.filter_map(|place| open.validators.get(place as usize).cloned())
			.collect()
	}

	/// Blocks of a window, and beats due in it.
	pub fn terms() -> Option<(u32, u8)> {
		let config = Settings::<T>::get()?;
		Some((config.window_blocks, config.beats_per_window))
	}

	/// Who may collect in a window that is open or not settled yet.
	pub fn draw(window: Window) -> Option<WindowDraw> {
		let open = Windows::<T>::get(window)?;
		let keys = open.validators.iter();
		Some(WindowDraw {
			seed: open.seed,
			validators: keys.map(|key| key.as_ref().to_vec()).collect(),
			pages: Self::pages(),
		})
	}

	/// How a node is doing, and beats seen and due in the last 30 days.
	pub fn standing_of(node: NodeIndex) -> (LivenessState, Option<(u32, u32)>) {
		let (Some(config), Some(state)) = (Settings::<T>::get(), Self::node_state(node)) else {
			return (LivenessState::Unknown, None);
		};
		let now = Self::block();
		let away = state
			.absence
			.filter(|absence| absence.from <= now && now < absence.until);
		let liveness = match (away, state.missed) {
			(Some(absence), _) => LivenessState::Maintenance {
				until: absence.until,
			},
			(None, 0) if state.due == 0 => LivenessState::Unknown,
			(None, 0) => LivenessState::Up,
			(None, missed) if missed < config.down_windows => LivenessState::Silent,
			(None, _) => LivenessState::Down { since: state.since },
		};
		let uptime = (state.due > 0).then_some((state.seen, state.due));
		(liveness, uptime)
	}
}

impl<T: Config> Liveness for Pallet<T> {
	fn liveness(node: NodeIndex) -> LivenessState {
		Self::standing_of(node).0
	}

	fn up_since(node: NodeIndex) -> u32 {
		let Some(state) = Self::node_state(node) else {
			return 0;
		};
		// An absence that is over is kept until a whole window has been judged after it.
		let now = Self::block();
		let absence = state.absence.filter(|absence| absence.until <= now);
		state.back.max(absence.map_or(0, |absence| absence.until))
	}

	fn judged_until(node: NodeIndex) -> u32 {
		let Some(config) = Settings::<T>::get() else {
			return 0;
		};
		let (page, _) = page_of(node);
		let next = Next::<T>::get();
		let open = next.window.saturating_add(u32::from(next.page > page));
		config.start_of(open)
	}

	fn uptime(node: NodeIndex) -> Option<(u32, u32)> {
		Self::standing_of(node).1
	}

	fn uptimes(page: Page) -> Vec<Option<(u32, u32)>> {
		let nodes = Pages::<T>::get(page).unwrap_or_default().nodes;
		nodes
			.into_iter()
			.map(|node| node.and_then(|node| (node.due > 0).then_some((node.seen, node.due))))
			.collect()
	}

	fn is_out(node: NodeIndex) -> bool {
		Self::node_state(node).is_some_and(|state| state.out)
	}

	fn out_revision() -> u64 {
		OutRevision::<T>::get()
	}
}
