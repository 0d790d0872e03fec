//! The offchain worker: has the daemons beside this node send beats, and posts what this node's own
//! collector counted.
//!
//! Daemons and counts are left in persistent offchain storage by the node's service. A run depends on
//! the state and on that storage alone, so skipped blocks, reorganisations and restarts do no harm:
//! what the chain does not have yet is submitted again after some blocks. It ends within
//! [`RUN_MILLIS`], whatever the daemons do.

use crate::{
	Call, Config, Endpoints, HeartbeatConfig, OpenWindowOf, Pallet, Reports, Settings, Windows,
	LOG_TARGET,
};
use alloc::{string::String, vec::Vec};
use codec::{Decode, Encode};
use frame_support::traits::Get;
use frame_system::offchain::SubmitTransaction;
use hippius_ocw::daemons::{daemons, exchange, Daemon, Failure};
use hippius_primitives::{
	collector::{
		counts_key, BeatOrder, Endpoint, LocalEndpoint, PageCounts, BEAT_PATH,
		ENDPOINT_STORAGE_KEY, MAX_BEAT_ORDER,
	},
	heartbeat::{Page, PageReport, Window},
};
use sp_application_crypto::RuntimeAppPublic;
use sp_core::offchain::Duration;
use sp_runtime::offchain::{
	storage::StorageValueRef,
	storage_lock::{StorageLock, Time},
};

/// Longest a run waits for daemons, in milliseconds.
pub(crate) const RUN_MILLIS: u64 = 2_000;
/// Blocks after which a transaction that the chain does not show is submitted again.
pub(crate) const RETRY_BLOCKS: u32 = 3;

/// Held during a run; longer than a run, in case one ends without giving it back.
const LOCK_KEY: &[u8] = b"hippius::heartbeats::lock";
const LOCK_MILLIS: u64 = 5 * RUN_MILLIS;
/// What was submitted, and when.
const SUBMITTED_KEY: &[u8] = b"hippius::heartbeats::submitted";

/// What was submitted. Of one window only, so it does not grow.
#[derive(Default, Encode, Decode)]
struct Submitted {
	/// The window of the pages below.
	window: Window,
	/// Page, place of the collector, and the block at which its report was submitted.
	pages: Vec<(Page, u32, u32)>,
	/// Key of a collector, and the block at which its endpoint was submitted.
	endpoints: Vec<(Vec<u8>, u32)>,
}

/// Whether to wait: it was submitted lately. A block that is to come is one of an abandoned fork.
fn lately(submitted: Option<u32>, now: u32) -> bool {
	submitted.is_some_and(|at| at <= now && now - at < RETRY_BLOCKS)
}

/// One run.
pub(crate) fn run<T: Config>() {
	let Some(config) = Settings::<T>::get() else {
		return;
	};
	let mut lock = StorageLock::<Time>::with_deadline(LOCK_KEY, Duration::from_millis(LOCK_MILLIS));
	let Ok(_guard) = lock.try_lock() else {
		log::debug!(target: LOG_TARGET, "another run is under way");
		return;
	};
	// The daemons first: a beat is worth more the earlier it comes.
	order_beats::<T>(&config);
	let own = T::CollectorId::all();
	if own.is_empty() {
		return;
	}
	let now = Pallet::<T>::block();
	let value = StorageValueRef::persistent(SUBMITTED_KEY);
	let mut submitted = value.get::<Submitted>().ok().flatten().unwrap_or_default();
	let announced = announce::<T>(&own, now, &mut submitted);
	let reported = report::<T>(&config, &own, now, &mut submitted);
	if announced || reported {
		value.set(&submitted);
	}
}

fn stored<V: Decode>(key: &[u8]) -> Option<V> {
	StorageValueRef::persistent(key)
		.get::<V>()
		.unwrap_or_else(|_| {
			log::error!(
				target: LOG_TARGET,
				"what the service left under {} cannot be decoded", String::from_utf8_lossy(key)
			);
			None
		})
}

/// Tells the daemons given to this node to beat.
fn order_beats<T: Config>(config: &HeartbeatConfig) {
	let daemons = daemons(LOG_TARGET);
	let Some((_, open)) = Pallet::<T>::open_now(config) else {
		return;
	};
	if daemons.is_empty() {
		return;
	}
	let Some(body) = beat_order::<T>(config, open) else {
		return;
	};
	let deadline = sp_io::offchain::timestamp().add(Duration::from_millis(RUN_MILLIS));
	let told = daemons.iter().filter_map(|daemon| {
		let request = daemon.post(BEAT_PATH, &body, deadline);
		let request = request.inspect_err(|failure| warn(daemon, failure)).ok()?;
		Some((daemon, request))
	});
	exchange(
		told.collect(),
		deadline,
		|daemon: &Daemon, answer| match answer {
			Ok(response) if response.code == 200 => (),
			Ok(response) => warn(daemon, &Failure::Status(response.code)),
			Err(failure) => warn(daemon, &failure),
		},
	);
}

fn warn(daemon: &Daemon, failure: &Failure) {
	log::warn!(target: LOG_TARGET, "no heartbeat of daemon {}: it {failure}", daemon.url());
}

/// The encoded order for the present block.
fn beat_order<T: Config>(config: &HeartbeatConfig, open: OpenWindowOf<T>) -> Option<Vec<u8>> {
	let parent = frame_system::Pallet::<T>::parent_hash();
	let best_hash = <[u8; 32]>::try_from(parent.as_ref()).ok()?;
	let keys = open.validators.iter();
	let order = BeatOrder {
		genesis: Pallet::<T>::genesis_hash(),
		// This block's own hash is not known inside it.
		best: Pallet::<T>::block().checked_sub(1)?,
		best_hash,
		window_blocks: config.window_blocks,
		beats_per_window: config.beats_per_window,
		seed: open.seed,
		endpoints: keys.clone().map(Endpoints::<T>::get).collect(),
		validators: keys.map(|key| key.as_ref().to_vec()).collect(),
	};
	let body = order.encode();
	if body.len() > MAX_BEAT_ORDER {
		log::error!(
			target: LOG_TARGET,
			"the order to beat has {} bytes, more than daemons take", body.len()
		);
		return None;
	}
	Some(body)
}

/// Announces this node's collector, if the chain knows another endpoint or none.
fn announce<T: Config>(own: &[T::CollectorId], now: u32, submitted: &mut Submitted) -> bool {
	let Some(local) = stored::<LocalEndpoint>(ENDPOINT_STORAGE_KEY) else {
		return false;
	};
	let validators = T::Collectors::get();
	let most = T::MaxCollectors::get() as usize;
	let mut changed = false;
	for key in validators.iter().take(most).filter(|key| own.contains(key)) {
		let known = Endpoints::<T>::get(key);
		if known
			.as_ref()
			.is_some_and(|known| known.key == local.key && known.addresses == local.addresses)
		{
			continue;
		}
		let raw = key.as_ref();
		let last = submitted.endpoints.iter().find(|(of, _)| of == raw);
		let ahead = known.is_some_and(|known| known.sequence >= now);
		if ahead || lately(last.map(|(_, at)| *at), now) {
			continue;
		}
		let endpoint = Endpoint {
			key: local.key,
			addresses: local.addresses.clone(),
			sequence: now,
		};
		let payload = endpoint.payload(&Pallet::<T>::genesis_hash(), raw);
		let Some(signature) = key.sign(&payload) else {
			log::error!(target: LOG_TARGET, "the keystore does not sign the collector's endpoint");
			continue;
		};
		submit::<T>(
			Call::announce_endpoint {
				collector: key.clone(),
				endpoint,
				signature,
			},
			"the collector's endpoint",
		);
		submitted
			.endpoints
			.retain(|(of, _)| own.iter().any(|key| key.as_ref() == of && of != raw));
		submitted.endpoints.push((raw.to_vec(), now));
		changed = true;
	}
	changed
}

/// Posts what this node's collector counted in the window that is being reported.
fn report<T: Config>(
	config: &HeartbeatConfig,
	own: &[T::CollectorId],
	now: u32,
	submitted: &mut Submitted,
) -> bool {
	let Some(window) = config.window_of(now).checked_sub(1) else {
		return false;
	};
	// A transaction is in the next block at the earliest.
	if now.saturating_add(1) >= config.report_end(window) {
		return false;
	}
	let Some(open) = Windows::<T>::get(window) else {
		return false;
	};
	let places: Vec<(u32, &T::CollectorId)> = (0..)
		.zip(open.validators.iter())
		.filter(|(_, key)| own.contains(key))
		.collect();
	if places.is_empty() {
		return false;
	}
	let mut changed = false;
	if submitted.window != window {
		submitted.window = window;
		submitted.pages.clear();
	}
	for page in 0..Pallet::<T>::pages() {
		let Some(counted) = stored::<PageCounts>(&counts_key(window, page)) else {
			continue;
		};
		let collectors = open.collectors(page);
		for (place, key) in &places {
			let due =
				collectors.contains(place) && !Reports::<T>::contains_key((window, page, *place));
			let same = |(of, by, _): &&(Page, u32, u32)| *of == page && by == place;
			let last = submitted.pages.iter().find(same).map(|(_, _, at)| *at);
			if !due || lately(last, now) {
				continue;
			}
			post::<T>(window, page, *place, key, counted.clone());
			submitted.pages.retain(|entry| !same(&entry));
			submitted.pages.push((page, *place, now));
			changed = true;
		}
	}
	changed
}

fn post<T: Config>(
	window: Window,
	page: Page,
	collector: u32,
	key: &T::CollectorId,
	counted: PageCounts,
) {
	let report = PageReport {
		window,
		page,
		collector,
		counts: counted.counts,
		evidence: counted.evidence,
	};
	let Some(signature) = key.sign(&report.payload(&Pallet::<T>::genesis_hash())) else {
		log::error!(target: LOG_TARGET, "the keystore does not sign the report of page {page}");
		return;
	};
	submit::<T>(
		Call::post_page { report, signature },
		"the report of a page",
	);
}

fn submit<T: Config>(call: Call<T>, what: &str) {
	let transaction = T::create_authorized_transaction(call.into());
	if SubmitTransaction::<T, Call<T>>::submit_transaction(transaction).is_err() {
		log::warn!(target: LOG_TARGET, "the pool did not take {what}; it is tried again");
	}
}
