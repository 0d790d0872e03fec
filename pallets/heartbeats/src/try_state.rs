//! What must hold between blocks.

use crate::{
	Absences, Config, Days, HeartbeatConfig, Next, NodeState, Pages, Pallet, Reports, Settings,
	Windows, MAX_OPEN, RING_DAYS,
};
use frame_support::ensure;
use hippius_primitives::heartbeat::Page;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
	/// Checks the pallet's invariants.
	///
	/// # Invariants
	///
	/// * Only windows not yet settled are open, at most [`MAX_OPEN`] of them.
	/// * Each report is of an open window, of a page not yet settled, by one of the page's
	///   collectors, and counts no more beats than are due.
	/// * A node's beats seen and due are the sums of those of its page's days, and none were seen
	///   that were not due.
	/// * Exactly the nodes that missed `out_windows` are out.
	/// * The rows of a page's ring lie within the last [`RING_DAYS`].
	/// * `Absences` counts the nodes with an absence.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		let Some(config) = Settings::<T>::get() else {
			return Ok(());
		};
		Self::try_state_windows(&config)?;
		let mut absences = 0u32;
		for (page, state) in Pages::<T>::iter() {
			for (place, node) in state.nodes.iter().enumerate() {
				let Some(node) = node else { continue };
				Self::try_state_node(&config, page, place, node)?;
				absences = absences.saturating_add(node.absence.is_some().into());
			}
			for (slot, row) in Days::<T>::iter_prefix(page) {
				ensure!(slot == row.day % RING_DAYS, "a day in another's place");
				ensure!(
					row.day <= state.day && row.day.saturating_add(RING_DAYS) > state.day,
					"a day that should be forgotten"
				);
			}
		}
		ensure!(absences == Absences::<T>::get(), "absences are miscounted");
		Ok(())
	}

	fn try_state_windows(config: &HeartbeatConfig) -> Result<(), TryRuntimeError> {
		let next = Next::<T>::get();
		let now = config.window_of(Self::block());
		let mut open = 0;
		for window in Windows::<T>::iter_keys() {
			ensure!(
				window >= next.window && window <= now,
				"an open window that is settled or to come"
			);
			open += 1;
		}
		ensure!(open <= MAX_OPEN, "too many open windows");
		for ((window, page, collector), counts) in Reports::<T>::iter() {
			let open = Windows::<T>::get(window).ok_or("a report of a window that is not open")?;
			ensure!(
				window > next.window || page >= next.page,
				"a report of a settled page"
			);
			ensure!(
				open.collectors(page).contains(&collector),
				"a report by somebody else"
			);
			ensure!(
				counts.iter().all(|count| *count <= config.beats_per_window),
				"more beats than are due"
			);
		}
		Ok(())
	}

	fn try_state_node(
		config: &HeartbeatConfig,
		page: Page,
		place: usize,
		node: &NodeState,
	) -> Result<(), TryRuntimeError> {
		let (mut seen, mut due) = (0u32, 0u32);
		for row in Days::<T>::iter_prefix_values(page) {
			let (day_seen, day_due) = row.beats.get(place).copied().unwrap_or_default();
			seen = seen.saturating_add(day_seen.into());
			due = due.saturating_add(day_due.into());
		}
		ensure!(
			(seen, due) == (node.seen, node.due),
			"uptime is not the sum of its days"
		);
		ensure!(seen <= due, "more beats seen than due");
		ensure!(
			node.out == (node.missed >= config.out_windows),
			"out without being silent, or the reverse"
		);
		Ok(())
	}
}
