//! Memory of stripes.

use crate::BenchError;
use memmap2::MmapMut;

const HUGE_PAGE: usize = 2 << 20;

/// Memory on huge pages where the system has them, so that page look-ups do not decide who wins.
pub struct Arena {
	map: MmapMut,
	start: usize,
	len: usize,
}

impl Arena {
	/// `len` bytes, all zero.
	///
	/// # Errors
	/// [`BenchError::Memory`] if there is not that much.
	pub fn new(len: usize) -> Result<Self, BenchError> {
		let bytes = len + HUGE_PAGE;
		let mut map =
			MmapMut::map_anon(bytes).map_err(|cause| BenchError::Memory { bytes, cause })?;
		#[cfg(target_os = "linux")]
		if let Err(cause) = map.advise(memmap2::Advice::HugePage) {
			eprintln!("no huge pages: {cause}");
		}
		let start = map.as_ptr().align_offset(HUGE_PAGE).min(HUGE_PAGE);
		// Touched once, so that no page fault is timed.
		map.fill(0);
		Ok(Self { map, start, len })
	}

	/// The bytes.
	pub fn bytes(&mut self) -> &mut [u8] {
		&mut self.map[self.start..self.start + self.len]
	}
}
