//! Makes the list of shards agree with the store, in the background.

use super::{
	eras::Eras,
	index::{Mark, Span},
	locked, Shared,
};
use crate::MinerError;
use hippius_primitives::{Pg, ShardId};
use std::{
	collections::BTreeSet,
	sync::Arc,
	time::{Duration, Instant},
};
use tokio::time::sleep;

/// Records read at a time.
const PAGE: usize = 512;
/// Rows compared at a time.
const ROWS: usize = 4096;
/// Time between two writes of new rows.
const FLUSH: Duration = Duration::from_secs(5);

/// Fills the list if it is not whole, looks for shards it has and the store lacks, then keeps writing
/// new rows.
pub(super) async fn run(shared: Arc<Shared>) {
	let mut checked = false;
	loop {
		let step = async {
			if !shared.index.is_whole() {
				fill(&shared).await?;
			}
			if let Some(eras) = shared.eras().filter(|_| !checked) {
				check(&shared, &eras).await?;
				checked = true;
			}
			let wanted = shared.index.pending() > 0;
			if wanted {
				shared.blocking(|shared| shared.index.flush(true)).await??;
			}
			Ok::<_, MinerError>(())
		};
		if let Err(error) = step.await {
			tracing::error!(%error, "the list of shards");
		}
		sleep(FLUSH).await;
	}
}

/// Reads the headers of all records. Takes at most half of the time, so that others get at the disk.
async fn fill(shared: &Arc<Shared>) -> Result<(), MinerError> {
	let start = Instant::now();
	let (mut from, mut listed, mut unreadable) = (None, 0u64, 0u64);
	loop {
		let began = Instant::now();
		let page = shared.blocking(move |shared| {
			let page = shared.store.inventory(from, PAGE)?;
			for item in &page.items {
				let shard = ShardId(item.key.digest);
				if let Some((stripe, slot)) = item.stripe.filter(|_| shared.store.has(&shard)) {
					shared.index.note(stripe, slot, shard, Mark::Live);
				}
			}
			shared.index.flush(false)?;
			Ok::<_, MinerError>(page)
		});
		let page = page.await??;
		listed += page.items.len() as u64;
		unreadable += page.unreadable;
		from = page.next;
		if from.is_none() {
			break;
		}
		sleep(began.elapsed()).await;
	}
	shared.blocking(|shared| shared.index.flush(true)).await??;
	shared.index.set_whole(true);
	let took = start.elapsed();
	tracing::info!(listed, unreadable, ?took, "shards listed");
	Ok(())
}

/// Finds the groups in which shards are missing that were here: a disk may be lost.
async fn check(shared: &Arc<Shared>, eras: &Arc<Eras>) -> Result<(), MinerError> {
	let (mut after, mut missing) = (None, 0u64);
	loop {
		let eras = eras.clone();
		let page = shared.blocking(move |shared| {
			let rows = shared.index.rows(&Span::ALL, after, ROWS)?;
			let gone = rows.iter().filter(|row| row.mark == Mark::Live);
			let gone = gone.filter(|row| !shared.store.has(&row.shard));
			let pgs: Vec<Pg> = gone.map(|row| eras.pg_of(&row.stripe)).collect();
			let last = rows.last().map(|row| (row.stripe, row.slot));
			Ok::<_, MinerError>((pgs, last))
		});
		let (pgs, last) = page.await??;
		missing += pgs.len() as u64;
		let pgs: BTreeSet<Pg> = pgs.into_iter().collect();
		locked(&shared.suspects).extend(pgs);
		if last.is_none() {
			break;
		}
		after = last;
	}
	if missing > 0 {
		tracing::warn!(
			missing,
			"shards that were here are gone: they will be repaired"
		);
		shared.wake.notify_one();
	}
	Ok(())
}
