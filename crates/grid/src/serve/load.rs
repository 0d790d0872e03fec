//! How much of what a peer asks for it then does not want.

use std::sync::{Mutex, PoisonError};

/// Shares are taken over this many bytes asked for, 64 MiB, so that a few cancelled requests of an
/// honest reader that hedges do not count.
const WINDOW: u64 = 64 * 1024 * 1024;
/// A peer that cancels more than this share of its bytes, in percent, gets fewer streams.
const MOST_CANCELLED: u64 = 80;
/// The part of its streams that is left to it.
const LEFT: u32 = 8;

/// Bytes of slices one peer asked for, and of those it stopped.
#[derive(Debug, Default)]
pub(super) struct Load(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
	asked: u64,
	cancelled: u64,
	limited: bool,
	/// The last verdict has not been asked for yet.
	fresh: bool,
}

impl Load {
	/// A slice of `bytes` came to its end, or did not.
	pub(super) fn note(&self, bytes: u64, cancelled: bool) {
		let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
		window.asked += bytes;
		if cancelled {
			window.cancelled += bytes;
		}
		if window.asked >= WINDOW {
			let limited = window.cancelled * 100 > window.asked * MOST_CANCELLED;
			*window = Window {
				asked: 0,
				cancelled: 0,
				fresh: window.fresh || limited != window.limited,
				limited,
			};
		}
	}

	/// How many streams the peer may have from now on, of `most`; `None` if nothing changed.
	pub(super) fn change(&self, most: u32) -> Option<u32> {
		let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
		if !std::mem::take(&mut window.fresh) {
			return None;
		}
		Some(match window.limited {
			true => (most / LEFT).max(1),
			false => most,
		})
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn who_cancels_most_gets_less_until_it_does_better() {
		const MIB: u64 = 1024 * 1024;
		let load = Load::default();
		assert_eq!(load.change(64), None);
		// Four fifths are not too many.
		for at in 0..65 {
			load.note(MIB, at % 5 != 0);
		}
		assert_eq!(load.change(64), None);
		for at in 0..130 {
			load.note(MIB, at % 10 != 0);
		}
		assert_eq!(load.change(64), Some(8));
		assert_eq!(load.change(64), None);
		for _ in 0..130 {
			load.note(MIB, false);
		}
		assert_eq!(load.change(64), Some(64));
		assert_eq!(load.change(3), None);
	}
}
