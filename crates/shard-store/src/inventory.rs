//! What a store holds, page by page.

use crate::{engine::Engine, entry::Entry, error::StoreError, index::TABLES, key::Key};
use hippius_primitives::StripeId;

/// Where the next page begins. Pages follow the fingerprints of keys, an order only this store
/// knows: what stays in the store is listed exactly once, whatever is added or moved in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
	/// Which disk of a set; 0 in a single store.
	pub disk: u32,
	/// The first fingerprint of the page.
	pub fingerprint: u64,
}

impl Cursor {
	/// Where the first page begins.
	pub const START: Self = Self {
		disk: 0,
		fingerprint: 0,
	};
}

/// A record in an inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
	/// What it is filed under.
	pub key: Key,
	/// The stripe and slot of a shard.
	pub stripe: Option<(StripeId, u8)>,
	/// Bytes of its data.
	pub len: u32,
	/// Unix seconds at which it was stored.
	pub created: u64,
}

/// A page of an inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
	/// Live records.
	pub items: Vec<Item>,
	/// Records of the page whose header cannot be read.
	pub unreadable: u64,
	/// Where the next page begins; `None` after the last one.
	pub next: Option<Cursor>,
}

impl Engine {
	/// Up to `limit` records from `from` on, or a few more if fingerprints are equal.
	pub(crate) fn inventory(&self, from: Option<Cursor>, limit: usize) -> Result<Page, StoreError> {
		let from = from.map_or(0, |cursor| cursor.fingerprint);
		let (mut entries, next) = self.page(from, limit.max(1));
		entries.sort_unstable_by_key(Entry::spot);
		let mut page = Page {
			next: next.map(|fingerprint| Cursor {
				disk: 0,
				fingerprint,
			}),
			..Page::default()
		};
		for entry in entries {
			match self.shared.read_frame(&entry) {
				Ok(Some(frame)) => {
					let record = &frame.record;
					let is_shard = record.key.namespace == crate::Namespace::Shard;
					page.items.push(Item {
						key: record.key,
						stripe: is_shard.then_some((record.stripe, record.slot)),
						len: frame.data_len,
						created: frame.created,
					});
				}
				// Moved or gone since, or damaged.
				Ok(None) => page.unreadable += u64::from(self.shared.still_there(&entry)),
				Err(error) if !self.shared.still_there(&entry) => {
					tracing::debug!(%error, "a record moved under an inventory");
				}
				Err(error) => {
					tracing::warn!(%error, "inventory");
					page.unreadable += 1;
				}
			}
		}
		Ok(page)
	}

	/// The page's entries, and the fingerprint the next one begins with.
	fn page(&self, from: u64, limit: usize) -> (Vec<Entry>, Option<u64>) {
		let mut entries: Vec<Entry> = Vec::new();
		let index = self.shared.index();
		for table in (from >> 56) as usize..TABLES {
			let start = entries.len();
			let found = index
				.table(table)
				.filter(|entry| entry.fp >= from && !entry.is_stripe() && !entry.is_trash());
			entries.extend(found.copied());
			entries[start..].sort_unstable_by_key(|entry| entry.fp);
			if entries.len() <= limit {
				continue;
			}
			let last = entries[limit - 1].fp;
			let end = entries.partition_point(|entry| entry.fp <= last);
			let next = entries.get(end).map(|entry| entry.fp);
			entries.truncate(end);
			// At the end of a table the next one says where to go on.
			return (entries, next.or(last.checked_add(1)));
		}
		(entries, None)
	}
}
