//! What a mapping costs.

use crate::error::MapperError;

/// Counts draws, the unit of work of a mapping, against a cap.
#[derive(Clone, Debug)]
pub struct DrawMeter {
	cap: u64,
	spent: u64,
}

impl DrawMeter {
	/// A meter that allows `cap` draws.
	pub const fn new(cap: u64) -> Self {
		Self { cap, spent: 0 }
	}

	/// Draws made so far.
	pub const fn spent(&self) -> u64 {
		self.spent
	}

	pub(crate) fn spend(&mut self, draws: usize) -> Result<(), MapperError> {
		let spent = self.spent.saturating_add(draws as u64);
		if spent > self.cap {
			return Err(MapperError::DrawCap(self.cap));
		}
		self.spent = spent;
		Ok(())
	}
}
