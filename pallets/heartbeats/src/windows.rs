//! The course of windows: opened, reported, settled.

use crate::{
	settle::Settled, Config, Cursor, Event, HeartbeatConfig, Next, OpenWindow, OpenWindowOf,
	Pallet, Rotation, Settings, WeightInfo, Windows, MAX_OPEN,
};
use codec::Encode;
use frame_support::{
	traits::{Get, Randomness},
	weights::Weight,
	BoundedVec,
};
use frame_system::pallet_prelude::BlockNumberFor;
use hippius_primitives::{
	heartbeat::{Page, Window, PAGE_NODES},
	traits::NodeRegistry,
};
use sp_runtime::traits::UniqueSaturatedInto;

/// Subject of the randomness that seeds the draw.
const SEED_CONTEXT: &[u8] = b"hippius/heartbeats/seed/v1";

impl<T: Config> Pallet<T> {
	/// Opens the window that begins and settles what is due; gives the weight of what it did.
	pub(crate) fn do_on_initialize(now: BlockNumberFor<T>) -> Weight {
		let mut weight = T::WeightInfo::idle();
		let Some(config) = Settings::<T>::get() else {
			return weight;
		};
		let now: u32 = now.unique_saturated_into();
		if now.is_multiple_of(config.window_blocks) {
			weight.saturating_accrue(Self::open_window(&config, config.window_of(now)));
		}
		for _ in 0..T::PagesPerBlock::get() {
			let Some(step) = Self::settle_next(&config, now) else {
				break;
			};
			weight.saturating_accrue(step);
		}
		weight
	}

	/// Fixes the collectors of a window that begins.
	pub(crate) fn open_window(config: &HeartbeatConfig, window: Window) -> Weight {
		if Windows::<T>::iter_keys().count() >= MAX_OPEN as usize {
			Self::deposit_event(Event::WindowSkipped { window });
			return T::WeightInfo::open_window();
		}
		let mut validators = T::Collectors::get();
		validators.truncate(T::MaxCollectors::get() as usize);
		Self::keep_endpoints(&validators);
		Windows::<T>::insert(
			window,
			OpenWindow {
				seed: Self::seed(window / config.rotation_windows.max(1)),
				anchor: hash_bytes(&frame_system::Pallet::<T>::parent_hash()),
				validators: BoundedVec::truncate_from(validators),
			},
		);
		T::WeightInfo::open_window()
	}

	/// The seed of a rotation, drawn when its first window opens.
	fn seed(rotation: u32) -> [u8; 32] {
		if let Some((present, seed)) = Rotation::<T>::get() {
			if present == rotation {
				return seed;
			}
		}
		let (random, _) = T::Randomness::random(&(SEED_CONTEXT, rotation).encode());
		let seed = sp_io::hashing::blake2_256(&(SEED_CONTEXT, rotation, random).encode());
		Rotation::<T>::put((rotation, seed));
		seed
	}

	/// Settles the next page, if its window can no longer be reported.
	pub(crate) fn settle_next(config: &HeartbeatConfig, now: u32) -> Option<Weight> {
		let Cursor { window, page } = Next::<T>::get();
		if now < config.report_end(window) {
			return None;
		}
		let Some(open) = Windows::<T>::get(window) else {
			// Nobody could report a window that was never opened; there may be a great many of them
			// when the pallet starts late, so go on to the first that is open.
			let next = Windows::<T>::iter_keys()
				.min()
				.unwrap_or_else(|| config.window_of(now));
			Next::<T>::put(Cursor {
				window: next.max(window.saturating_add(1)),
				page: 0,
			});
			return Some(T::WeightInfo::skip_window());
		};
		let pages = Self::pages();
		let settled = match page < pages {
			true => Self::settle_page(config, window, page, &open),
			false => Settled::default(),
		};
		let next = page.saturating_add(1);
		if next < pages {
			Next::<T>::put(Cursor { window, page: next });
		} else {
			Windows::<T>::remove(window);
			Next::<T>::put(Cursor {
				window: window.saturating_add(1),
				page: 0,
			});
		}
		Some(T::WeightInfo::settle_page(settled.days, settled.told))
	}

	/// How many pages have numbers that were given out.
	pub(crate) fn pages() -> Page {
		T::Registry::end().div_ceil(PAGE_NODES)
	}

	/// The present window, if it is open.
	pub(crate) fn open_now(config: &HeartbeatConfig) -> Option<(Window, OpenWindowOf<T>)> {
		let window = config.window_of(Self::block());
		Some((window, Windows::<T>::get(window)?))
	}

	/// The present block's number.
	pub(crate) fn block() -> u32 {
		frame_system::Pallet::<T>::block_number().unique_saturated_into()
	}

	/// The hash of block 0, which frame-system keeps for ever.
	pub(crate) fn genesis_hash() -> [u8; 32] {
		hash_bytes(&frame_system::BlockHash::<T>::get(
			BlockNumberFor::<T>::default(),
		))
	}
}

/// A hash's first 32 bytes; the hashes of this chain have no more.
fn hash_bytes(hash: &impl AsRef<[u8]>) -> [u8; 32] {
	let mut bytes = [0; 32];
	let hash = hash.as_ref();
	let len = hash.len().min(32);
	bytes[..len].copy_from_slice(&hash[..len]);
	bytes
}
