//! What waits for the next sync, and what it does to the index once it is durable.

use crate::{
	entry::Entry,
	error::StoreError,
	frame::{Draft, Kind},
	index::Index,
	key::{Namespace, Place, RecordKey, StoreKey},
};
use std::sync::mpsc::SyncSender;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
	/// Written and synced.
	Stored,
	/// Was there already.
	Held,
	/// What was to be changed is not there any more.
	Gone,
	/// So many records were changed.
	Changed(usize),
}

pub(crate) type Reply = SyncSender<Result<Outcome, StoreError>>;

/// How much of the space that is kept back a record may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Claim {
	/// Data: nothing.
	Data,
	/// What callers change of the data: half.
	Change,
	/// What gives space back in the end: all.
	Upkeep,
}

/// A request to the writer.
pub(crate) enum Message {
	/// Store a record.
	Put {
		record: RecordKey,
		draft: Box<Draft>,
		reply: Reply,
	},
	/// Write the record of `from` anew, if it is still there, and let it take its place.
	Copy {
		from: Entry,
		old: Vec<Entry>,
		draft: Box<Draft>,
		reply: Reply,
	},
	/// Record a change of the listed entries, at most one list long.
	List {
		kind: Kind,
		entries: Vec<Entry>,
		claim: Claim,
		reply: Reply,
	},
	/// Record how the listed entries stand now: their old lists are about to go.
	Carry { entries: Vec<Entry>, reply: Reply },
	/// Something is in [`crate::shared::Shared::drops`].
	Wake,
}

/// What a staged record does to the index.
pub(crate) enum Effect {
	/// Adds a record, in place of those with the same key that are in the trash.
	Put { replaces: Vec<Entry> },
	/// Moves a record.
	Copy { from: Entry, old: Vec<Entry> },
	/// Changes the listed entries.
	List { kind: Kind, entries: Vec<Entry> },
}

/// A record that has its place but is not durable.
pub(crate) struct Staged {
	pub(crate) draft: Draft,
	pub(crate) place: Place,
	pub(crate) effect: Effect,
	/// Whom to tell: the first asked for it, the others wanted the same. None for drops.
	pub(crate) replies: Vec<Reply>,
}

impl Staged {
	pub(crate) fn is_put(&self) -> bool {
		matches!(self.effect, Effect::Put { .. })
	}

	/// Bytes that a put adds to its namespace.
	pub(crate) fn adds(&self, namespace: Namespace) -> u64 {
		let counts = self.is_put() && self.draft.frame.record.key.namespace == namespace;
		u64::from(counts) * self.draft.len()
	}

	/// Does to the index what the record, now durable, says.
	pub(crate) fn apply(&self, index: &mut Index, key: &StoreKey) -> Outcome {
		match &self.effect {
			Effect::Put { replaces } => {
				for entry in replaces {
					index.remove(entry);
				}
				for entry in self.draft.frame.entries(key, self.place) {
					index.insert(entry);
				}
				Outcome::Stored
			}
			Effect::Copy { from, old } => self.apply_copy(index, key, from, old),
			Effect::List { kind, entries } => {
				apply_list(index, *kind, entries, self.draft.frame.created)
			}
		}
	}

	fn apply_copy(
		&self,
		index: &mut Index,
		key: &StoreKey,
		from: &Entry,
		old: &[Entry],
	) -> Outcome {
		let since = index.trash.get(&from.spot()).copied();
		// The old record becomes no hole: nothing is written that says it does not count, so a start
		// must be able to see that it is the same.
		index.remove(from);
		for entry in old {
			index.remove(entry);
		}
		for entry in self.draft.frame.entries(key, self.place) {
			index.insert(entry);
			if since.is_some() {
				index.set_trash(&entry, since);
			}
		}
		Outcome::Stored
	}
}

/// What a list does to the index, when it is written and when it is replayed.
pub(crate) fn apply_list(
	index: &mut Index,
	kind: Kind,
	entries: &[Entry],
	created: u64,
) -> Outcome {
	let mut changed = 0;
	for entry in entries {
		let number = entry.place().volume;
		let counts = usize::from(!entry.is_stripe());
		match kind {
			Kind::Drop => {
				let was = index.remove(entry).is_some();
				changed += counts * usize::from(was);
				if !entry.is_stripe() && index.has_volume(number) {
					index.to_punch.insert(entry.spot());
				}
			}
			Kind::Trash => {
				changed += counts * usize::from(index.set_trash(entry, Some(created)));
			}
			Kind::Restore => changed += counts * usize::from(index.set_trash(entry, None)),
			Kind::Punched => {
				let spot = entry.spot();
				let was = index.to_punch.remove(&spot);
				changed += usize::from(was);
				// The trash flag of such an entry says that no hole could be made.
				if was && !entry.is_trash() {
					index.add_punched(number, spot.interior());
				}
			}
			Kind::Removed => changed += 1,
			Kind::Data | Kind::Void | Kind::End => {}
		}
	}
	Outcome::Changed(changed)
}
