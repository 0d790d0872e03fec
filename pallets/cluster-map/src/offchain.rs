//! The offchain worker hands the newest map to the daemons beside this full node.
//!
//! The node's service leaves the daemons' addresses and tokens in persistent offchain storage. Each
//! run asks all of them, side by side, which epoch they hold, and sends the current one to those
//! behind. A run depends on the state alone, so skipped blocks do no harm, and it does the same on
//! validators and on plain full nodes. It ends within [`RUN_MILLIS`], whatever the daemons do.
//!
//! Answers are not trusted: they are read up to a bound, decoded, and at worst logged.

use crate::{Config, LOG_TARGET};
use alloc::vec::Vec;
use arion_crush::ClusterMap;
use codec::Encode;
use core::fmt;
use frame_system::pallet_prelude::BlockNumberFor;
use hippius_ocw::daemons::{daemons, exchange, read, Daemon, Failure};
use hippius_primitives::{
	daemon::{EpochState, EpochUpdate, EPOCH_PATH, MAX_EPOCH_STATE, MAX_EPOCH_UPDATE},
	registration::NodeRecord,
	traits::{ClusterMaps, NodeRegistry},
	Epoch,
};
use sp_core::offchain::{Duration, Timestamp};
use sp_runtime::{
	offchain::{
		http::{PendingRequest, Response},
		storage_lock::{StorageLock, Time},
	},
	traits::Zero,
};

/// Longest a run takes, in milliseconds.
pub const RUN_MILLIS: u64 = 2_000;
/// Of these, how long daemons have to say what they know, so that a dead one leaves the others time.
pub const ASK_MILLIS: u64 = 700;

/// Held during a run; longer than a run, in case one ends without giving it back.
const LOCK_KEY: &[u8] = b"hippius::arion-daemons::lock";
const LOCK_MILLIS: u64 = 5 * RUN_MILLIS;

/// Why a daemon does not hold the map.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
	/// It could not be asked or told.
	Failed(Failure),
	/// It belongs to a chain with another genesis block.
	OtherChain,
	/// It took the map, but does not hold it.
	NotTaken(Epoch),
}

impl fmt::Display for Trouble {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Failed(failure) => write!(f, "{failure}"),
			Self::OtherChain => write!(f, "is bound to another chain"),
			Self::NotTaken(epoch) => write!(f, "is still at epoch {epoch} after the update"),
		}
	}
}

/// One run.
pub(crate) fn run<T: Config>() {
	let daemons = daemons(LOG_TARGET);
	if daemons.is_empty() {
		return;
	}
	let epoch = crate::CurrentEpoch::<T>::get();
	// Frame-system keeps the hash of block 0 for ever.
	let hash = frame_system::BlockHash::<T>::get(BlockNumberFor::<T>::zero());
	let Ok(genesis) = <[u8; 32]>::try_from(hash.as_ref()) else {
		return;
	};
	if epoch == 0 || genesis == [0; 32] {
		return;
	}
	let mut lock = StorageLock::<Time>::with_deadline(LOCK_KEY, Duration::from_millis(LOCK_MILLIS));
	let Ok(_guard) = lock.try_lock() else {
		log::debug!(target: LOG_TARGET, "another run is serving the daemons");
		return;
	};
	let start = sp_io::offchain::timestamp();
	let deadline = start.add(Duration::from_millis(RUN_MILLIS));
	let ask_deadline = start.add(Duration::from_millis(ASK_MILLIS));

	let asked = sent(&daemons, |daemon| daemon.get(EPOCH_PATH, ask_deadline));
	let mut behind = Vec::new();
	exchange(asked, ask_deadline, |daemon: &Daemon, answer| {
		let state = state_of(answer, &genesis, ask_deadline);
		if noted(daemon, state).is_some_and(|state| state.epoch < epoch || state.genesis != genesis)
		{
			behind.push(daemon);
		}
	});
	if behind.is_empty() {
		return;
	}

	let Some(body) = epoch_update::<T>(genesis, epoch) else {
		return;
	};
	let told = sent(behind, |daemon| daemon.post(EPOCH_PATH, &body, deadline));
	exchange(told, deadline, |daemon: &Daemon, answer| {
		let taken = match state_of(answer, &genesis, deadline) {
			Ok(state) if state.epoch < epoch => Err(Trouble::NotTaken(state.epoch)),
			other => other,
		};
		if noted(daemon, taken).is_some() {
			log::info!(target: LOG_TARGET, "handed epoch {epoch} to {}", daemon.url());
		}
	});
}

/// The requests that could be sent.
fn sent<'a>(
	daemons: impl IntoIterator<Item = &'a Daemon>,
	send: impl Fn(&Daemon) -> Result<PendingRequest, Failure>,
) -> Vec<(&'a Daemon, PendingRequest)> {
	daemons
		.into_iter()
		.filter_map(|daemon| {
			let request = noted(daemon, send(daemon).map_err(Trouble::Failed))?;
			Some((daemon, request))
		})
		.collect()
}

/// What a daemon says of itself. It may be fresh, or ours, but not another chain's.
fn state_of(
	answer: Result<Response, Failure>,
	genesis: &[u8; 32],
	deadline: Timestamp,
) -> Result<EpochState, Trouble> {
	let state = answer.and_then(|response| read(&response, MAX_EPOCH_STATE, deadline));
	let state: EpochState = state.map_err(Trouble::Failed)?;
	if state.genesis == [0; 32] || state.genesis == *genesis {
		Ok(state)
	} else {
		Err(Trouble::OtherChain)
	}
}

/// The encoded update to the current epoch.
fn epoch_update<T: Config>(genesis: [u8; 32], epoch: Epoch) -> Option<Vec<u8>> {
	let map = <crate::Pallet<T> as ClusterMaps>::map_blob(epoch);
	let map_hash = <crate::Pallet<T> as ClusterMaps>::map_hash(epoch);
	let (Some(map), Some(map_hash)) = (map, map_hash) else {
		log::error!(target: LOG_TARGET, "the map of the current epoch {epoch} is missing");
		return None;
	};
	let nodes = match ClusterMap::decode_checked(&map) {
		Ok(map) => nodes_of::<T>(&map),
		Err(error) => {
			log::error!(target: LOG_TARGET, "the map of epoch {epoch} is not valid: {error}");
			return None;
		}
	};
	let body = EpochUpdate {
		genesis,
		epoch,
		map_hash,
		map,
		nodes,
	}
	.encode();
	if body.len() > MAX_EPOCH_UPDATE {
		log::error!(
			target: LOG_TARGET,
			"the update to epoch {epoch} has {} bytes, more than daemons take", body.len()
		);
		return None;
	}
	Some(body)
}

/// The records of the map's nodes, ascending; those that have left meanwhile are missing.
fn nodes_of<T: Config>(map: &ClusterMap) -> Vec<NodeRecord> {
	let mut indexes: Vec<_> = map.nodes().map(|node| node.index).collect();
	indexes.sort_unstable();
	indexes.into_iter().filter_map(T::Registry::node).collect()
}

/// Logs trouble with the daemon it is about.
fn noted<V>(daemon: &Daemon, result: Result<V, Trouble>) -> Option<V> {
	result
		.map_err(|trouble| log::warn!(target: LOG_TARGET, "daemon {} {trouble}", daemon.url()))
		.ok()
}
