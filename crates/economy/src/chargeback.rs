//! Payments that are reversed.

/// What became of a payment's alpha until it was reversed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paid {
	/// What was moved into escrow for it.
	pub alpha: u128,
	/// What of it is unspent.
	pub left: u128,
	/// What was spent, but is not paid out.
	pub pending: u128,
}

/// Who bears it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chargeback {
	/// From escrow back to the float: unspent and pending.
	pub returned: u128,
	/// From the reserve to the float: what had been paid out.
	pub covered: u128,
	/// What the reserve could not cover.
	pub uncovered: u128,
	/// What the user had of services, and owes.
	pub owed: u128,
}

impl Paid {
	/// Reverses the payment with `reserve` at hand. The float has back all but what is uncovered.
	pub fn reverse(&self, reserve: u128) -> Chargeback {
		let returned = self.left.saturating_add(self.pending);
		let gone = self.alpha.saturating_sub(returned);
		let covered = gone.min(reserve);
		Chargeback {
			returned,
			covered,
			uncovered: gone - covered,
			owed: self.alpha.saturating_sub(self.left),
		}
	}
}
