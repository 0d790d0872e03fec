//! Lists of the stripes a node holds shards of.

use hippius_primitives::{StripeId, TOTAL_SHARDS};

/// Most stripes in one [`Listing`].
pub const MAX_LISTED: usize = 1024;

/// A stripe of which a node says that it holds shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
	/// The stripe.
	pub stripe: StripeId,
	/// The slots whose shards it holds, one bit each, slot 0 the lowest; never 0.
	pub slots: u32,
}

impl Listed {
	/// Bytes of an entry on the wire: the stripe, then the slots, little endian.
	pub const LEN: usize = 36;

	pub(crate) fn to_bytes(self) -> [u8; Self::LEN] {
		let mut bytes = [0; Self::LEN];
		bytes[..32].copy_from_slice(&self.stripe.0);
		bytes[32..].copy_from_slice(&self.slots.to_le_bytes());
		bytes
	}

	fn from_bytes(bytes: &[u8]) -> Option<Self> {
		let (stripe, slots) = bytes.split_at_checked(32)?;
		let slots = u32::from_le_bytes(slots.try_into().ok()?);
		let valid = slots != 0 && slots >> TOTAL_SHARDS == 0;
		let stripe = StripeId(stripe.try_into().ok()?);
		valid.then_some(Self { stripe, slots })
	}
}

/// A page of the stripes of a placement group. A claim, as everything a peer says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
	/// Ascending by [`StripeId::group_key`].
	pub stripes: Vec<Listed>,
	/// What to ask for the next page after; `None` on the last one.
	pub next: Option<StripeId>,
	/// Whether the node knows all it holds; it does not while it still reads its disks.
	pub whole: bool,
}

impl Listing {
	/// Reads the entries of a page and checks that it goes on where the last one ended, so that a
	/// walk over pages always ends.
	pub(crate) fn read(
		entries: &[u8],
		next: Option<StripeId>,
		whole: bool,
		after: Option<StripeId>,
	) -> Option<Self> {
		let stripes: Vec<Listed> = entries
			.chunks(Listed::LEN)
			.map(Listed::from_bytes)
			.collect::<Option<_>>()?;
		let keys = || stripes.iter().map(|listed| listed.stripe.group_key());
		let mut last = after.map(|stripe| stripe.group_key());
		for key in keys() {
			if last.is_some_and(|last| last >= key) {
				return None;
			}
			last = Some(key);
		}
		if let Some(next) = next.map(|stripe| stripe.group_key()) {
			let after = after.map(|stripe| stripe.group_key());
			if last.is_some_and(|last| last > next) || after.is_some_and(|after| after >= next) {
				return None;
			}
		}
		Some(Self {
			stripes,
			next,
			whole,
		})
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	fn stripe(n: u8) -> StripeId {
		StripeId::from_group_key([n; 32])
	}

	fn page(stripes: &[(u8, u32)]) -> Vec<u8> {
		let entry = |&(n, slots): &(u8, u32)| {
			let stripe = stripe(n);
			Listed { stripe, slots }.to_bytes()
		};
		stripes.iter().flat_map(entry).collect()
	}

	#[test]
	fn pages_are_read_in_order_and_always_go_on() {
		let read = |page: &[u8], next: Option<u8>, after: Option<u8>| {
			Listing::read(page, next.map(stripe), true, after.map(stripe))
		};
		let good = page(&[(3, 1), (4, 1 << 29)]);
		let listing = read(&good, Some(4), Some(2)).unwrap();
		assert_eq!(listing.stripes[1].stripe, stripe(4));
		assert_eq!(listing.stripes[1].slots, 1 << 29);
		assert!(read(&good, None, None).is_some());
		assert!(read(&[], Some(9), Some(2)).is_some());
		for (entries, next, after) in [
			(&good[..], None, Some(3)),
			(&good, Some(3), None),
			(&good[1..], None, None),
			(&page(&[(3, 1), (3, 1)]), None, None),
			(&page(&[(4, 1), (3, 1)]), None, None),
			(&page(&[(4, 0)]), None, None),
			(&page(&[(4, 1 << 30)]), None, None),
			(&[], Some(2), Some(2)),
		] {
			assert_eq!(read(entries, next, after), None);
		}
	}
}
