//! Memory in large pages.

use crate::buffers::LINE;
use memmap2::MmapMut;

/// Bytes of a large page.
const LARGE: usize = 2 * 1024 * 1024;

/// Zeroed memory that begins at a cache line. Where the system can, its first whole multiple of
/// 2 MiB lies in large pages: a stripe is written in thirty places at once, and with pages of 4 KiB
/// looking up where they are takes about as long as a quarter of all the work on it.
pub(crate) struct Memory {
	place: Place,
	start: usize,
	len: usize,
}

enum Place {
	Mapped(MmapMut),
	Heap(Vec<u8>),
}

impl Memory {
	/// `len` bytes.
	pub(crate) fn new(len: usize) -> Self {
		Self::mapped(len).unwrap_or_else(|| Self::heap(len))
	}

	/// `len` bytes in pages of whatever size.
	pub(crate) fn heap(len: usize) -> Self {
		let bytes = vec![0; len + LINE];
		let start = bytes.as_ptr().align_offset(LINE).min(LINE);
		let place = Place::Heap(bytes);
		Self { place, start, len }
	}

	/// `None` if this is not worth it, or if the system refuses: then the heap may still serve.
	fn mapped(len: usize) -> Option<Self> {
		if len < LARGE || !cfg!(target_os = "linux") {
			return None;
		}
		let map = MmapMut::map_anon(len + LARGE).ok()?;
		let start = map.as_ptr().addr().next_multiple_of(LARGE) - map.as_ptr().addr();
		// Not the rest: a large page would be used for the few bytes of its beginning. A refusal
		// costs speed alone.
		#[cfg(target_os = "linux")]
		let _ = map.advise_range(memmap2::Advice::HugePage, start, len / LARGE * LARGE);
		let place = Place::Mapped(map);
		Some(Self { place, start, len })
	}
}

impl AsRef<[u8]> for Memory {
	fn as_ref(&self) -> &[u8] {
		let all = match &self.place {
			Place::Mapped(map) => &map[..],
			Place::Heap(bytes) => bytes,
		};
		&all[self.start..self.start + self.len]
	}
}

impl AsMut<[u8]> for Memory {
	fn as_mut(&mut self) -> &mut [u8] {
		let all = match &mut self.place {
			Place::Mapped(map) => &mut map[..],
			Place::Heap(bytes) => bytes,
		};
		&mut all[self.start..self.start + self.len]
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn memory_begins_at_a_line_and_is_all_there() {
		for len in [
			0,
			1,
			64,
			1_000_000,
			LARGE - 1,
			LARGE,
			LARGE + 9,
			5 * LARGE + 77,
		] {
			for mut memory in [Memory::new(len), Memory::heap(len)] {
				let bytes = memory.as_mut();
				assert_eq!((bytes.len(), bytes.as_ptr().addr() % LINE), (len, 0));
				assert!(bytes.iter().all(|byte| *byte == 0));
				bytes.fill(1);
				assert!(memory.as_ref().iter().all(|byte| *byte == 1));
			}
		}
	}
}
