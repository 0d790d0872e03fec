//! Reading from a store: whole records, verified ranges, trees, and what is here.

use crate::{
	engine::FOLLOW,
	entry::Entry,
	error::StoreError,
	frame::Frame,
	key::{Key, Namespace},
	read::is_gone,
	record::{tagged_meta, Record},
	store::ShardStore,
	tag::Tag,
};
use arion_storage_proof::{
	outboard::{group_bytes, group_count},
	Outboard, GROUP_LEN,
};
use hippius_primitives::{ShardId, ShardMeta, StripeId};
use std::ops::Range;

/// Groups of a record and the tree to check them by.
#[derive(Clone, Debug)]
pub struct Slice {
	/// The record's hash tree; it also tells the record's length.
	pub outboard: Outboard,
	/// Which groups, of 16 KiB each.
	pub groups: Range<u64>,
	/// Their bytes, not checked.
	pub data: Vec<u8>,
}

/// A shard of a stripe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
	/// Its place.
	pub meta: ShardMeta,
	/// For whom it was stored, if that was said.
	pub tag: Option<Tag>,
	/// Its bytes.
	pub len: u32,
}

/// What looking at a record came to.
enum Seen<T> {
	Good(T),
	/// It is another key's: equal fingerprints.
	Other,
	/// It is damaged; its frame if that is known.
	Bad(Option<Box<Frame>>),
}

impl<T> Seen<T> {
	fn of(seen: Option<T>) -> Self {
		seen.map_or(Self::Bad(None), Self::Good)
	}
}

impl ShardStore {
	/// The shard and one of its places; `None` if it is not here. What is returned has the hash
	/// `id`. A damaged record is dropped; if no other holds the shard, that is
	/// [`StoreError::Corrupt`] once, then `None`.
	pub fn get(&self, id: &ShardId) -> Result<Option<(ShardMeta, Vec<u8>)>, StoreError> {
		let found = self.find(&(*id).into(), |_, record| {
			Ok(Seen::of(record.shard_meta().map(|meta| (meta, record))))
		})?;
		Ok(found.map(|(meta, record)| (meta, record.into_data())))
	}

	/// The bytes under a key of any namespace, as [`Self::get`].
	pub fn get_keyed(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
		let found = self.find(key, |_, record| Ok(Seen::Good(record)))?;
		Ok(found.map(Record::into_data))
	}

	/// Finds a record whose bytes are good, and hands it to `see`.
	fn find<T>(
		&self,
		key: &Key,
		mut see: impl FnMut(&Entry, Record) -> Result<Seen<T>, StoreError>,
	) -> Result<Option<T>, StoreError> {
		self.follow(key, |entry| {
			let Some(record) = self.shared.read_record(entry)? else {
				return Ok(Seen::Bad(None));
			};
			if record.frame.record.key != *key {
				return Ok(Seen::Other);
			}
			if !record.is_good(&self.shared.key, entry.place()) {
				return Ok(Seen::Bad(Some(Box::new(record.frame))));
			}
			see(entry, record)
		})
	}

	/// Tries the live records of a key one after the other. Those that are bad are dropped; those
	/// that have moved are looked up again.
	fn follow<T>(
		&self,
		key: &Key,
		mut look: impl FnMut(&Entry) -> Result<Seen<T>, StoreError>,
	) -> Result<Option<T>, StoreError> {
		let engine = self.engine()?;
		let fp = self.shared.key.fingerprint(key);
		let mut corrupt = false;
		for _ in 0..FOLLOW {
			let entries = self.shared.index().live_of(fp, false);
			let (mut moved, mut refused) = (false, None);
			for entry in entries {
				match look(&entry) {
					Ok(Seen::Good(seen)) => return Ok(Some(seen)),
					Ok(Seen::Other) => {}
					Ok(Seen::Bad(frame)) => {
						if self.shared.still_there(&entry) {
							engine.quarantine(&entry);
							corrupt |= self.shared.discard(&entry, frame.as_deref());
							engine.wake();
						} else {
							moved = true;
						}
					}
					Err(_) if !self.shared.still_there(&entry) => moved = true,
					Err(error) => {
						if !is_gone(&error) {
							engine.unreadable(&entry, Some(*key));
						}
						refused = Some(error);
					}
				}
			}
			if moved {
				continue;
			}
			return match (refused, corrupt) {
				(Some(error), _) => Err(error),
				(None, true) => Err(StoreError::Corrupt(*key)),
				(None, false) => Ok(None),
			};
		}
		Err(StoreError::Busy(*key))
	}

	/// Bytes `range` of a record, verified through its outboard: two reads of the disk, of which the
	/// second covers only the groups that hold the range. `None` if the record is not here.
	pub fn read_range(&self, key: &Key, range: Range<u64>) -> Result<Option<Vec<u8>>, StoreError> {
		self.with_tree(key, |entry, tree, data_start| {
			let len = tree.shard_len();
			if range.start > range.end || range.end > len {
				return Err(StoreError::Range {
					key: *key,
					offset: range.start,
					end: range.end,
					len,
				});
			}
			if range.start == range.end {
				return Ok(Some(Vec::new()));
			}
			let range = range.start as usize..range.end as usize;
			self.shared.read_groups(entry, tree, data_start, &range)
		})
	}

	/// Groups (of 16 KiB) of a record, all if none are named, with its hash tree: one read of the
	/// record's end, one of the groups. The tree is checked against its root, the groups are **not**:
	/// this is for senders whose readers check each group by the tree. `None` if the record is not
	/// here.
	pub fn read_slice(
		&self,
		key: &Key,
		groups: Option<Range<u64>>,
	) -> Result<Option<Slice>, StoreError> {
		self.with_tree(key, |entry, tree, data_start| {
			let len = tree.shard_len();
			let groups = groups.clone().unwrap_or(0..group_count(len));
			let bytes = group_bytes(len, groups.start).start
				..group_bytes(len, groups.end.saturating_sub(1)).end;
			if groups.is_empty() || groups.end > group_count(len) || bytes.is_empty() {
				return Err(StoreError::Range {
					key: *key,
					offset: bytes.start,
					end: groups.end.saturating_mul(GROUP_LEN as u64),
					len,
				});
			}
			let bytes = bytes.start as usize..bytes.end as usize;
			let data = self.shared.read_data(entry, data_start, &bytes)?;
			// What a record leaves behind may be a hole by now; nothing else here would tell.
			if !self.shared.still_there(entry) {
				return Ok(None);
			}
			Ok(Some(Slice {
				outboard: tree.clone(),
				groups,
				data,
			}))
		})
	}

	/// A record's hash tree, checked against its root. `None` if the record is not here.
	pub fn outboard(&self, key: &Key) -> Result<Option<Outboard>, StoreError> {
		self.with_tree(key, |_, tree, _| Ok(Some(tree.clone())))
	}

	/// Hands the tree to `look`; if that or the tree is damaged, the whole record decides.
	fn with_tree<T>(
		&self,
		key: &Key,
		look: impl Fn(&Entry, &Outboard, usize) -> Result<Option<T>, StoreError>,
	) -> Result<Option<T>, StoreError> {
		self.follow(key, |entry| {
			if let Some(found) = self.shared.read_tree(entry)? {
				if found.record.key != *key {
					return Ok(Seen::Other);
				}
				if let Some(seen) = look(entry, &found.tree, found.data_start)? {
					return Ok(Seen::Good(seen));
				}
			}
			let Some(record) = self.shared.read_record(entry)? else {
				return Ok(Seen::Bad(None));
			};
			if record.frame.record.key != *key {
				return Ok(Seen::Other);
			}
			if !record.is_good(&self.shared.key, entry.place()) {
				return Ok(Seen::Bad(Some(Box::new(record.frame))));
			}
			let tree = Outboard::build(record.data());
			let seen = look(entry, &tree, record.frame.data_start())?;
			Ok(Seen::of(seen))
		})
	}

	/// Whether the shard is here and durable, as the index in memory knows: nothing is read. The
	/// index holds 64 keyed bits of each id, so with ten million records one question in 10^12 about
	/// an absent shard is answered wrongly; [`Self::get`] never is.
	pub fn has(&self, id: &ShardId) -> bool {
		self.has_keyed(&(*id).into())
	}

	/// As [`Self::has`], for a key of any namespace.
	pub fn has_keyed(&self, key: &Key) -> bool {
		let fp = self.shared.key.fingerprint(key);
		let index = self.shared.index();
		let has = index.find(fp).any(|e| !e.is_stripe() && !e.is_trash());
		has
	}

	/// The places of all shards of a stripe that are here, by slot. A record whose meta is damaged
	/// is dropped.
	pub fn stripe(&self, stripe: &StripeId) -> Result<Vec<ShardMeta>, StoreError> {
		let holdings = self.holdings(stripe, false)?;
		Ok(holdings.into_iter().map(|holding| holding.meta).collect())
	}

	/// The shards of a stripe that are here, or, if `trash`, those of it that are in the trash; by
	/// slot. Reads frame and meta of each, not its bytes.
	pub fn holdings(&self, stripe: &StripeId, trash: bool) -> Result<Vec<Holding>, StoreError> {
		let engine = self.engine()?;
		let fp = self.shared.key.stripe_fingerprint(stripe);
		for _ in 0..FOLLOW {
			let entries = self.shared.index().of_stripe(fp, trash);
			let mut holdings = Vec::with_capacity(entries.len());
			let mut moved = false;
			for entry in entries {
				match self.meta_of(&entry, stripe) {
					Ok(Some(holding)) => holdings.push(holding),
					Ok(None) => {}
					Err(_) if !self.shared.still_there(&entry) => moved = true,
					Err(error) => return Err(error),
				}
			}
			if !moved {
				engine.wake();
				holdings.sort_unstable_by_key(|held| (held.meta.slot, held.meta.shard()));
				return Ok(holdings);
			}
		}
		Err(StoreError::Busy(Key {
			namespace: Namespace::Shard,
			digest: stripe.0,
		}))
	}

	fn meta_of(&self, entry: &Entry, stripe: &StripeId) -> Result<Option<Holding>, StoreError> {
		let Some(frame) = self.shared.read_frame(entry)? else {
			// The shard's own entry, if there is one, is dropped when the shard is read.
			self.shared.discard(entry, None);
			return Ok(None);
		};
		if frame.record.stripe != *stripe {
			return Ok(None);
		}
		let meta = self.shared.read_meta(entry, &frame)?;
		let good = self.shared.key.meta_check(entry.place(), &meta) == frame.meta_check;
		let Some((meta, tag)) = good.then(|| tagged_meta(&frame, &meta)).flatten() else {
			self.shared.discard(entry, Some(&frame));
			return Ok(None);
		};
		Ok(Some(Holding {
			meta,
			tag,
			len: frame.data_len,
		}))
	}
}
