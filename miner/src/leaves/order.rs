//! Learning the order of a group's batches from somebody who may be wrong about it.

use super::{entries_key, open_key, order_key, Leaves, LeavesError, ENTRIES, OPEN, ORDER};
use arion_storage_proof::{Batch, Blake2, Mmr, Peaks};
use codec::{DecodeAll, Encode};
use hippius_primitives::Pg;
use redb::ReadableTable;

/// What is known of a group's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Followed {
	/// Batches known, those included that no peak confirms yet.
	pub known: u64,
	/// Whether the first of them lead to the peaks.
	pub complete: bool,
	/// The number of the first batch to be asked for.
	pub next: u64,
	/// Whether what was given contradicts the peaks, so that none of it was taken.
	pub refused: bool,
}

impl Leaves {
	/// Learns from `batches`, the first of which is said to be number `first` of the group's ledger,
	/// which is said to have the peaks `newest`.
	///
	/// What peaks confirm stays as it is. Batches that lie under a peak of which not all batches are
	/// known are kept until that peak decides; others in their place are not taken, unless there is
	/// `doubt` about those known. Batches that contradict a peak are not taken; if those known before
	/// contradict it, as they do when the chain dropped blocks, they stay until others come that fit.
	/// What is refused once gives reason to doubt the next time: either may be wrong. Blocks.
	///
	/// # Errors
	/// [`LeavesError::Proof`] for peaks or batches that cannot be, [`LeavesError::Database`],
	/// [`LeavesError::Damaged`].
	pub fn follow(
		&self,
		pg: Pg,
		newest: &Peaks,
		first: u64,
		batches: &[Batch],
		doubt: bool,
	) -> Result<Followed, LeavesError> {
		newest.check()?;
		newest.total()?;
		let leaves = newest.leaves();
		let known = self.batches(pg)?;
		let mut mmr = Mmr::new();
		for batch in &known {
			mmr.append::<Blake2>(batch)?;
		}
		let now = mmr.confirmed_by(newest);
		let many = known.len() as u64;
		let mut followed = Followed {
			known: many,
			complete: now.batches == leaves,
			next: match (now.batches == leaves, now.contradicted) {
				(true, _) => leaves,
				(false, true) => now.batches,
				(false, false) => many,
			},
			refused: false,
		};
		let base = first.max(now.batches);
		let given = usize::try_from(base.saturating_sub(first)).ok();
		let given = given.and_then(|skip| batches.get(skip..)).unwrap_or(&[]);
		let room = usize::try_from(leaves.saturating_sub(base)).unwrap_or(usize::MAX);
		let given = given.get(..room.min(given.len())).unwrap_or(&[]);
		if followed.complete || base > many || given.is_empty() {
			return Ok(followed);
		}
		let keep = usize::try_from(base).unwrap_or(usize::MAX).min(known.len());
		let tail = &known[keep..];
		let same = tail.iter().zip(given).take_while(|(a, b)| a == b).count();
		let open = now.contradicted || doubt;
		if same == given.len() && !open {
			return Ok(followed);
		}
		let mut learned = Mmr::new();
		for batch in known[..keep].iter().chain(given) {
			learned.append::<Blake2>(batch)?;
		}
		let then = learned.confirmed_by(newest);
		let confirmed = then.batches > now.batches;
		if then.contradicted || !(open || confirmed || same == tail.len()) {
			followed.next = now.batches;
			followed.refused = true;
			return Ok(followed);
		}
		self.rewrite(pg, base + same as u64, &given[same..])?;
		followed.known = base + given.len() as u64;
		followed.complete = then.batches == leaves;
		followed.next = followed.known;
		Ok(followed)
	}

	/// The number of batches of a group's ledger that are known. Blocks.
	///
	/// # Errors
	/// [`LeavesError::Database`].
	pub fn known(&self, pg: Pg) -> Result<u64, LeavesError> {
		let table = self.read()?.open_table(ORDER).map_err(|e| self.failed(e))?;
		let (first, last) = (order_key(pg, 0), order_key(pg, u64::MAX));
		let mut range = table
			.range::<&[u8; 12]>(&first..=&last)
			.map_err(|e| self.failed(e))?;
		let Some(item) = range.next_back() else {
			return Ok(0);
		};
		let (key, _) = item.map_err(|e| self.failed(e))?;
		let mut number = [0; 8];
		number.copy_from_slice(&key.value()[4..]);
		Ok(u64::from_be_bytes(number).saturating_add(1))
	}

	/// Puts `batches` in the place of all from number `from` on.
	fn rewrite(&self, pg: Pg, from: u64, batches: &[Batch]) -> Result<(), LeavesError> {
		let write = self.write()?;
		{
			let mut order = write.open_table(ORDER).map_err(|e| self.failed(e))?;
			let entries = write.open_table(ENTRIES).map_err(|e| self.failed(e))?;
			let mut open = write.open_table(OPEN).map_err(|e| self.failed(e))?;
			let since = |batch: &Batch| {
				let key = entries_key(pg, &batch.root);
				let found = entries.get(&key).map_err(|e| self.failed(e))?;
				let since = found.map(|found| self.decode(found.value()));
				let since = since.transpose()?.map(|(since, _)| since);
				Ok::<_, LeavesError>(since.map(|since| open_key(since, &key)))
			};
			let (first, last) = (order_key(pg, from), order_key(pg, u64::MAX));
			let mut gone = Vec::new();
			let range = order.range::<&[u8; 12]>(&first..=&last);
			for item in range.map_err(|e| self.failed(e))? {
				let (key, bytes) = item.map_err(|e| self.failed(e))?;
				let batch = Batch::decode_all(&mut bytes.value()).map_err(|_| self.damaged())?;
				gone.push((*key.value(), batch));
			}
			for (key, batch) in gone {
				order.remove(&key).map_err(|e| self.failed(e))?;
				// It waits for the chain again, and is dropped if it never comes.
				if let Some(waiting) = since(&batch)? {
					open.insert(&waiting, ()).map_err(|e| self.failed(e))?;
				}
			}
			for (number, batch) in (from..).zip(batches) {
				let bytes = batch.encode();
				order
					.insert(&order_key(pg, number), bytes.as_slice())
					.map_err(|e| self.failed(e))?;
				if let Some(waiting) = since(batch)? {
					open.remove(&waiting).map_err(|e| self.failed(e))?;
				}
			}
		}
		write.commit().map_err(|e| self.failed(e))
	}
}
