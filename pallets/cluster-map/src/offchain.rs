//! The offchain worker hands the newest map to the daemons beside this full node.
//!
//! The node's service leaves the daemons' addresses and tokens in persistent offchain storage. Each
//! run asks all of them, side by side, which epoch they hold, and sends the current one to those
//! behind. A run depends on the state alone, so skipped blocks do no harm, and it does the same on
//! validators and on plain full nodes. It ends within [`RUN_MILLIS`], whatever the daemons do.
//!
//! Answers are not trusted: they are read up to a bound, decoded, and at worst logged.

use crate::{Config, LOG_TARGET};
use alloc::{format, string::String, vec, vec::Vec};
use arion_crush::ClusterMap;
use codec::{DecodeAll, Encode};
use core::fmt;
use frame_system::pallet_prelude::BlockNumberFor;
use hippius_primitives::{
	daemon::{
		DaemonAccess, EpochState, EpochUpdate, DAEMONS_STORAGE_KEY, EPOCH_PATH, MAX_EPOCH_STATE,
		MAX_EPOCH_UPDATE,
	},
	registration::NodeRecord,
	traits::{ClusterMaps, NodeRegistry},
	Epoch,
};
use sp_core::offchain::{Duration, HttpError, Timestamp};
use sp_runtime::{
	offchain::{
		http::{self, PendingRequest, Request, Response},
		storage::StorageValueRef,
		storage_lock::{StorageLock, Time},
	},
	traits::Zero,
};

/// Longest a run takes, in milliseconds.
pub const RUN_MILLIS: u64 = 2_000;
/// Of these, how long daemons have to say what they know, so that a dead one leaves the others time.
pub const ASK_MILLIS: u64 = 700;
/// Most daemons served by one node; further ones are left out and logged.
pub const MAX_DAEMONS: usize = 64;

/// Held during a run; longer than a run, in case one ends without giving it back.
const LOCK_KEY: &[u8] = b"hippius::arion-daemons::lock";
const LOCK_MILLIS: u64 = 5 * RUN_MILLIS;

/// Why a daemon could not be served.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
	/// Its address or token is no text that can be sent.
	BadAccess,
	/// The request could not be made or broke off.
	Io,
	/// No answer in time.
	Deadline,
	/// An answer other than 200.
	Status(u16),
	/// The answer is longer than any honest one.
	TooLong,
	/// The answer is no epoch state.
	Malformed,
	/// It belongs to a chain with another genesis block.
	OtherChain,
	/// It took the map, but does not hold it.
	NotTaken(Epoch),
}

impl fmt::Display for Failure {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::BadAccess => write!(f, "its URL or token is not valid; see --arion-daemon"),
			Self::Io => write!(f, "cannot be reached; does it run?"),
			Self::Deadline => write!(f, "gave no answer in time"),
			Self::Status(401) => write!(f, "refused the token (401); see --arion-daemon"),
			Self::Status(code) => write!(f, "answered with status {code}"),
			Self::TooLong => write!(f, "sent more than {MAX_EPOCH_STATE} bytes"),
			Self::Malformed => write!(f, "sent no epoch state"),
			Self::OtherChain => write!(f, "is bound to another chain"),
			Self::NotTaken(epoch) => write!(f, "is still at epoch {epoch} after the update"),
		}
	}
}

impl From<http::Error> for Failure {
	fn from(error: http::Error) -> Self {
		match error {
			http::Error::DeadlineReached => Self::Deadline,
			http::Error::IoError | http::Error::Unknown => Self::Io,
		}
	}
}

impl From<HttpError> for Failure {
	fn from(error: HttpError) -> Self {
		match error {
			HttpError::DeadlineReached => Self::Deadline,
			HttpError::IoError | HttpError::Invalid => Self::Io,
		}
	}
}

/// A daemon as the worker speaks to it.
struct Daemon {
	url: String,
	authorization: String,
}

impl Daemon {
	fn new(access: &DaemonAccess) -> Result<Self, Failure> {
		let text = |bytes| core::str::from_utf8(bytes).map_err(|_| Failure::BadAccess);
		let (base, token) = (text(&access.url)?, text(&access.token)?);
		Ok(Self {
			url: format!("{base}{EPOCH_PATH}"),
			authorization: format!("Bearer {token}"),
		})
	}

	fn ask(&self, deadline: Timestamp) -> Result<PendingRequest, Failure> {
		let request = Request::get(&self.url)
			.add_header("Authorization", &self.authorization)
			.deadline(deadline);
		Ok(request.send()?)
	}

	fn update(&self, body: &[u8], deadline: Timestamp) -> Result<PendingRequest, Failure> {
		let request = Request::post(&self.url, vec![body])
			.add_header("Authorization", &self.authorization)
			.add_header("Content-Type", "application/octet-stream")
			.deadline(deadline);
		Ok(request.send()?)
	}
}

/// One run.
pub(crate) fn run<T: Config>() {
	let Some(accesses) = accesses() else { return };
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

	let daemons: Vec<Daemon> = accesses
		.iter()
		.filter_map(|access| {
			let shown = String::from_utf8_lossy(&access.url);
			noted(&shown, Daemon::new(access))
		})
		.collect();
	let behind: Vec<&Daemon> = exchange(
		&daemons.iter().collect::<Vec<_>>(),
		ask_deadline,
		|daemon| daemon.ask(ask_deadline),
	)
	.into_iter()
	.filter(|(daemon, state)| {
		let state =
			check(state, &genesis).map(|()| state.epoch < epoch || state.genesis != genesis);
		noted(&daemon.url, state) == Some(true)
	})
	.map(|(daemon, _)| daemon)
	.collect();
	if behind.is_empty() {
		return;
	}

	let Some(body) = epoch_update::<T>(genesis, epoch) else {
		return;
	};
	for (daemon, state) in exchange(&behind, deadline, |daemon| daemon.update(&body, deadline)) {
		let taken = match check(&state, &genesis) {
			Ok(()) if state.epoch < epoch => Err(Failure::NotTaken(state.epoch)),
			checked => checked,
		};
		if noted(&daemon.url, taken).is_some() {
			log::info!(target: LOG_TARGET, "handed epoch {epoch} to {}", daemon.url);
		}
	}
}

/// The daemons given to this node, if any.
fn accesses() -> Option<Vec<DaemonAccess>> {
	let mut accesses =
		match StorageValueRef::persistent(DAEMONS_STORAGE_KEY).get::<Vec<DaemonAccess>>() {
			Ok(accesses) => accesses?,
			Err(_) => {
				log::error!(target: LOG_TARGET, "the stored list of daemons cannot be decoded");
				return None;
			}
		};
	if accesses.len() > MAX_DAEMONS {
		log::warn!(
			target: LOG_TARGET,
			"{} daemons are given, only the first {MAX_DAEMONS} are served", accesses.len()
		);
		accesses.truncate(MAX_DAEMONS);
	}
	(!accesses.is_empty()).then_some(accesses)
}

/// Sends a request to each daemon, waits for all until the deadline, and gives those that answered
/// with a state.
fn exchange<'a>(
	daemons: &[&'a Daemon],
	deadline: Timestamp,
	send: impl Fn(&Daemon) -> Result<PendingRequest, Failure>,
) -> Vec<(&'a Daemon, EpochState)> {
	let (asked, requests): (Vec<_>, Vec<_>) = daemons
		.iter()
		.filter_map(|daemon| Some((*daemon, noted(&daemon.url, send(daemon))?)))
		.unzip();
	let answers = PendingRequest::try_wait_all(requests, deadline);
	asked
		.into_iter()
		.zip(answers)
		.filter_map(|(daemon, answer)| {
			let state = answer
				.map_err(|_| Failure::Deadline)
				.and_then(|result| Ok(result?))
				.and_then(|response| read_state(&response, deadline));
			Some((daemon, noted(&daemon.url, state)?))
		})
		.collect()
}

fn read_state(response: &Response, deadline: Timestamp) -> Result<EpochState, Failure> {
	if response.code != 200 {
		return Err(Failure::Status(response.code));
	}
	let mut body = response.body();
	body.deadline(deadline);
	let mut bytes = Vec::with_capacity(MAX_EPOCH_STATE);
	for byte in body.by_ref() {
		if bytes.len() == MAX_EPOCH_STATE {
			return Err(Failure::TooLong);
		}
		bytes.push(byte);
	}
	if let Some(error) = body.error() {
		return Err((*error).into());
	}
	EpochState::decode_all(&mut &bytes[..]).map_err(|_| Failure::Malformed)
}

/// A daemon may be fresh, or ours, but not another chain's.
fn check(state: &EpochState, genesis: &[u8; 32]) -> Result<(), Failure> {
	if state.genesis == [0; 32] || state.genesis == *genesis {
		Ok(())
	} else {
		Err(Failure::OtherChain)
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

/// Logs a failure with the daemon it is about.
fn noted<V>(daemon: &str, result: Result<V, Failure>) -> Option<V> {
	result
		.map_err(|failure| log::warn!(target: LOG_TARGET, "daemon {daemon} {failure}"))
		.ok()
}
