//! The worker against daemons that are honest, behind, foreign, broken, lying or dead.

use crate::{
	mock::*,
	offchain::{ASK_MILLIS, RUN_MILLIS},
};
use codec::{Decode, Encode};
use frame_support::traits::Hooks;
use hippius_ocw::daemons::{BODY_MILLIS, MAX_DAEMONS};
use hippius_primitives::daemon::{
	DaemonAccess, EpochState, EpochUpdate, DAEMONS_STORAGE_KEY, EPOCH_PATH, MAX_EPOCH_STATE,
};
use sp_core::offchain::{
	testing::TestOffchainExt, Externalities, HttpError, HttpRequestId, HttpRequestStatus,
	OffchainDbExt, OffchainWorkerExt, OpaqueNetworkState, StorageKind, Timestamp,
};
use std::{
	collections::BTreeMap,
	sync::{Arc, Mutex},
};

/// How a daemon of the test behaves.
#[derive(Clone)]
enum Behaviour {
	/// As a daemon should; holds this state.
	Honest(EpochState),
	/// Accepts the request and never answers.
	Dead,
	/// Cannot be connected to.
	Refusing,
	/// Gives this answer to everything.
	Says(u16, Vec<u8>),
	/// Answers 200 and then never sends the body.
	Stalls,
}

#[derive(Default, Clone)]
struct Call {
	method: String,
	url: String,
	headers: BTreeMap<String, String>,
	body: Vec<u8>,
	answer: Option<(u16, Vec<u8>)>,
	read: usize,
}

/// Loopback with daemons on it, and a clock that moves only while somebody waits.
#[derive(Default)]
struct Net {
	daemons: BTreeMap<String, (String, Behaviour)>,
	calls: Vec<Call>,
	now: u64,
}

impl Net {
	fn answer(&mut self, call: &Call) -> Option<(u16, Vec<u8>)> {
		let base = call.url.strip_suffix(EPOCH_PATH).unwrap();
		let (token, behaviour) = self.daemons.get_mut(base)?;
		match behaviour {
			Behaviour::Dead | Behaviour::Refusing => None,
			Behaviour::Stalls => Some((200, Vec::new())),
			Behaviour::Says(code, body) => Some((*code, body.clone())),
			Behaviour::Honest(state) => {
				let authorization = call.headers.get("Authorization");
				if authorization != Some(&format!("Bearer {token}")) {
					return Some((401, Vec::new()));
				}
				if call.method == "POST" {
					let update = EpochUpdate::decode(&mut &call.body[..]).unwrap();
					*state = EpochState {
						epoch: update.epoch,
						genesis: update.genesis,
					};
				}
				Some((200, state.encode()))
			}
		}
	}

	fn is(&self, call: &Call, wanted: fn(&Behaviour) -> bool) -> bool {
		let base = call.url.strip_suffix(EPOCH_PATH).unwrap();
		self.daemons
			.get(base)
			.is_some_and(|(_, behaviour)| wanted(behaviour))
	}

	fn wait_until(&mut self, deadline: Option<Timestamp>) {
		let deadline = deadline.expect("the worker never waits without a deadline");
		self.now = self.now.max(deadline.unix_millis());
	}
}

#[derive(Clone, Default)]
struct Loopback(Arc<Mutex<Net>>);

impl Loopback {
	fn with<R>(&self, f: impl FnOnce(&mut Net) -> R) -> R {
		f(&mut self.0.lock().unwrap())
	}
}

impl Externalities for Loopback {
	fn is_validator(&self) -> bool {
		panic!("the worker must not depend on the node's role")
	}
	fn network_state(&self) -> Result<OpaqueNetworkState, ()> {
		Err(())
	}
	fn timestamp(&mut self) -> Timestamp {
		self.with(|net| Timestamp::from_unix_millis(net.now))
	}
	fn sleep_until(&mut self, _: Timestamp) {
		panic!("the worker must not sleep")
	}
	fn random_seed(&mut self) -> [u8; 32] {
		[0; 32]
	}
	fn http_request_start(
		&mut self,
		method: &str,
		url: &str,
		_: &[u8],
	) -> Result<HttpRequestId, ()> {
		self.with(|net| {
			net.calls.push(Call {
				method: method.into(),
				url: url.into(),
				..Default::default()
			});
			Ok(HttpRequestId(net.calls.len() as u16 - 1))
		})
	}
	fn http_request_add_header(
		&mut self,
		id: HttpRequestId,
		name: &str,
		value: &str,
	) -> Result<(), ()> {
		self.with(|net| {
			net.calls[id.0 as usize]
				.headers
				.insert(name.into(), value.into());
			Ok(())
		})
	}
	fn http_request_write_body(
		&mut self,
		id: HttpRequestId,
		chunk: &[u8],
		deadline: Option<Timestamp>,
	) -> Result<(), HttpError> {
		assert!(deadline.is_some());
		self.with(|net| {
			let call = &mut net.calls[id.0 as usize];
			call.body.extend(chunk);
			if chunk.is_empty() {
				let call = call.clone();
				let answer = net.answer(&call);
				net.calls[id.0 as usize].answer = answer;
			}
			Ok(())
		})
	}
	fn http_response_wait(
		&mut self,
		ids: &[HttpRequestId],
		deadline: Option<Timestamp>,
	) -> Vec<HttpRequestStatus> {
		self.with(|net| {
			let mut waits = false;
			let statuses = ids
				.iter()
				.map(|id| {
					let call = &net.calls[id.0 as usize];
					match &call.answer {
						Some((code, _)) => HttpRequestStatus::Finished(*code),
						None if net.is(call, |it| matches!(it, Behaviour::Refusing)) => {
							HttpRequestStatus::IoError
						}
						None => {
							waits = true;
							HttpRequestStatus::DeadlineReached
						}
					}
				})
				.collect();
			if waits {
				net.wait_until(deadline);
			}
			statuses
		})
	}
	fn http_response_headers(&mut self, _: HttpRequestId) -> Vec<(Vec<u8>, Vec<u8>)> {
		Vec::new()
	}
	fn http_response_read_body(
		&mut self,
		id: HttpRequestId,
		buffer: &mut [u8],
		deadline: Option<Timestamp>,
	) -> Result<usize, HttpError> {
		self.with(|net| {
			let call = net.calls[id.0 as usize].clone();
			if net.is(&call, |it| matches!(it, Behaviour::Stalls)) {
				net.wait_until(deadline);
				return Err(HttpError::DeadlineReached);
			}
			let (_, body) = call.answer.ok_or(HttpError::Invalid)?;
			let part = &body[call.read..];
			let len = part.len().min(buffer.len());
			buffer[..len].copy_from_slice(&part[..len]);
			net.calls[id.0 as usize].read += len;
			Ok(len)
		})
	}
	fn set_authorized_nodes(&mut self, _: Vec<sp_core::OpaquePeerId>, _: bool) {}
}

/// The clock's reading when a run starts.
const START: u64 = 1_000;

/// Where the worker keeps its lock.
const LOCK: &[u8] = b"hippius::arion-daemons::lock";

const FRESH: EpochState = EpochState {
	epoch: 0,
	genesis: [0; 32],
};

fn state(epoch: u32) -> EpochState {
	EpochState {
		epoch,
		genesis: GENESIS,
	}
}

/// Runs the worker once at epoch 2 with these daemons; gives the network afterwards.
fn run_with(daemons: Vec<Behaviour>) -> Loopback {
	run_after(daemons, || ())
}

fn run_after(daemons: Vec<Behaviour>, before: impl FnOnce()) -> Loopback {
	let accesses: Vec<_> = (0..daemons.len())
		.map(|at| DaemonAccess {
			url: format!("http://127.0.0.1:{}", 7_000 + at).into_bytes(),
			token: format!("token-{at}").into_bytes(),
		})
		.collect();
	run_given(accesses.encode(), daemons, before)
}

fn run_given(stored: Vec<u8>, daemons: Vec<Behaviour>, before: impl FnOnce()) -> Loopback {
	let net = Loopback::default();
	net.with(|net| {
		net.now = START;
		for (at, behaviour) in daemons.into_iter().enumerate() {
			let url = format!("http://127.0.0.1:{}", 7_000 + at);
			net.daemons.insert(url, (format!("token-{at}"), behaviour));
		}
	});
	let mut ext = ExtBuilder::default().build();
	ext.register_extension(OffchainWorkerExt::new(net.clone()));
	ext.register_extension(OffchainDbExt::new(TestOffchainExt::new().0));
	ext.execute_with(|| {
		thirty_nodes();
		next_epoch();
		Nodes::change(|_| ());
		next_epoch();
		if !stored.is_empty() {
			let key = DAEMONS_STORAGE_KEY;
			sp_io::offchain::local_storage_set(StorageKind::PERSISTENT, key, &stored);
		}
		before();
		Maps::offchain_worker(System::block_number());
	});
	let elapsed = net.with(|net| net.now) - START;
	assert!(elapsed <= RUN_MILLIS, "the run took {elapsed} ms");
	net
}

fn calls(net: &Loopback, method: &str) -> Vec<String> {
	net.with(|net| {
		let of_method = net.calls.iter().filter(|call| call.method == method);
		of_method.map(|call| call.url.clone()).collect()
	})
}

fn held(net: &Loopback, at: usize) -> EpochState {
	let url = format!("http://127.0.0.1:{}", 7_000 + at);
	net.with(|net| match net.daemons[&url].1 {
		Behaviour::Honest(state) => state,
		_ => panic!("holds nothing"),
	})
}

#[test]
fn without_daemons_nothing_is_sent() {
	for stored in [
		Vec::new(),
		Vec::<DaemonAccess>::new().encode(),
		vec![0xff, 0xff, 0xff],
	] {
		assert_eq!(
			run_given(stored, vec![], || ()).with(|net| net.calls.len()),
			0
		);
	}
}

#[test]
fn a_daemon_behind_gets_the_epoch_with_its_nodes() {
	let net = run_with(vec![Behaviour::Honest(FRESH), Behaviour::Honest(state(1))]);
	assert_eq!(held(&net, 0), state(2));
	assert_eq!(held(&net, 1), state(2));
	let post = net
		.with(|net| net.calls.iter().find(|call| call.method == "POST").cloned())
		.unwrap();
	assert_eq!(post.headers["Authorization"], "Bearer token-0");
	assert_eq!(post.headers["Content-Type"], "application/octet-stream");
	let update = EpochUpdate::decode(&mut &post.body[..]).unwrap();
	assert_eq!(
		(update.genesis, update.epoch, update.nodes.len()),
		(GENESIS, 2, 30)
	);
	assert_eq!(update.map_hash, sp_io::hashing::blake2_256(&update.map));
	let map = arion_crush::ClusterMap::decode_checked(&update.map).unwrap();
	assert_eq!(map.epoch, 2);
	assert_eq!(
		update
			.nodes
			.iter()
			.map(|node| node.index)
			.collect::<Vec<_>>(),
		indexes(&map)
	);
}

#[test]
fn a_current_daemon_and_one_ahead_get_nothing() {
	let net = run_with(vec![
		Behaviour::Honest(state(2)),
		Behaviour::Honest(state(9)),
	]);
	assert_eq!(calls(&net, "GET").len(), 2);
	assert_eq!(calls(&net, "POST").len(), 0);
}

#[test]
fn a_daemon_of_another_chain_gets_nothing() {
	let foreign = EpochState {
		epoch: 1,
		genesis: [9; 32],
	};
	let net = run_with(vec![Behaviour::Honest(foreign)]);
	assert_eq!(calls(&net, "POST").len(), 0);
	assert_eq!(held(&net, 0), foreign);
}

#[test]
fn a_refused_token_ends_it_for_that_daemon_alone() {
	let accesses = vec![
		DaemonAccess {
			url: b"http://127.0.0.1:7000".to_vec(),
			token: b"wrong".to_vec(),
		},
		DaemonAccess {
			url: b"http://127.0.0.1:7001".to_vec(),
			token: b"token-1".to_vec(),
		},
	];
	let daemons = vec![Behaviour::Honest(FRESH), Behaviour::Honest(FRESH)];
	let net = run_given(accesses.encode(), daemons, || ());
	assert_eq!(held(&net, 0), FRESH);
	assert_eq!(held(&net, 1), state(2));
	assert_eq!(calls(&net, "POST"), ["http://127.0.0.1:7001/v1/epoch"]);
}

#[test]
fn answers_that_are_no_state_are_ignored() {
	let mut trailing = FRESH.encode();
	trailing.push(0);
	let lies = [
		Vec::new(),
		vec![1, 2, 3],
		trailing,
		vec![0; MAX_EPOCH_STATE + 1],
		vec![0; 10_000_000],
		b"<html>not found</html>".to_vec(),
	];
	let mut daemons: Vec<_> = lies
		.into_iter()
		.map(|body| Behaviour::Says(200, body))
		.collect();
	daemons.push(Behaviour::Says(500, FRESH.encode()));
	daemons.push(Behaviour::Honest(FRESH));
	let net = run_with(daemons);
	assert_eq!(calls(&net, "POST"), ["http://127.0.0.1:7007/v1/epoch"]);
	assert_eq!(held(&net, 7), state(2));
	// What is too long is not read to its end.
	assert!(net.with(|net| net.calls.iter().all(|call| call.read < 100_000)));
}

#[test]
fn a_daemon_that_does_not_keep_the_update_is_asked_again_next_time() {
	let net = run_with(vec![Behaviour::Says(200, state(1).encode())]);
	assert_eq!(calls(&net, "POST").len(), 1);
}

#[test]
fn dead_daemons_cost_their_share_of_the_time_and_no_more() {
	for (dead, cost) in [
		(Behaviour::Dead, ASK_MILLIS),
		(Behaviour::Stalls, 2 * BODY_MILLIS),
	] {
		let net = run_with(vec![dead.clone(), Behaviour::Honest(FRESH), dead]);
		assert_eq!(held(&net, 1), state(2));
		assert_eq!(net.with(|net| net.now), START + cost);
	}
	let net = run_with(vec![Behaviour::Refusing, Behaviour::Honest(FRESH)]);
	assert_eq!(held(&net, 1), state(2));
	assert_eq!(net.with(|net| net.now), START);
}

#[test]
fn a_url_or_token_that_is_no_text_is_skipped() {
	let accesses = vec![
		DaemonAccess {
			url: vec![0xff],
			token: b"t".to_vec(),
		},
		DaemonAccess {
			url: b"http://127.0.0.1:7000".to_vec(),
			token: vec![0xff],
		},
		DaemonAccess {
			url: b"http://127.0.0.1:7000".to_vec(),
			token: b"token-0".to_vec(),
		},
	];
	let net = run_given(accesses.encode(), vec![Behaviour::Honest(FRESH)], || ());
	assert_eq!(net.with(|net| net.calls.len()), 2);
	assert_eq!(held(&net, 0), state(2));
}

#[test]
fn only_so_many_daemons_are_served() {
	let net = run_with(vec![Behaviour::Honest(FRESH); MAX_DAEMONS + 5]);
	assert_eq!(calls(&net, "GET").len(), MAX_DAEMONS);
	assert_eq!(calls(&net, "POST").len(), MAX_DAEMONS);
}

#[test]
fn before_the_first_epoch_nothing_is_sent() {
	let net = run_after(vec![Behaviour::Honest(FRESH)], || {
		crate::CurrentEpoch::<Test>::kill();
	});
	assert_eq!(net.with(|net| net.calls.len()), 0);
}

#[test]
fn without_a_genesis_hash_nothing_is_sent() {
	let net = run_after(vec![Behaviour::Honest(FRESH)], || {
		frame_system::BlockHash::<Test>::remove(0);
	});
	assert_eq!(net.with(|net| net.calls.len()), 0);
}

#[test]
fn runs_do_not_overlap() {
	let net = run_after(vec![Behaviour::Honest(FRESH)], || {
		let held = Timestamp::from_unix_millis(START + 1).encode();
		sp_io::offchain::local_storage_set(StorageKind::PERSISTENT, LOCK, &held);
	});
	assert_eq!(net.with(|net| net.calls.len()), 0);
}

#[test]
fn a_lock_that_was_never_given_back_expires() {
	let net = run_after(vec![Behaviour::Honest(FRESH)], || {
		let ended = Timestamp::from_unix_millis(START - 1).encode();
		sp_io::offchain::local_storage_set(StorageKind::PERSISTENT, LOCK, &ended);
	});
	assert_eq!(held(&net, 0), state(2));
}

#[test]
fn a_second_run_finds_the_lock_free_and_has_nothing_left_to_send() {
	let net = run_after(vec![Behaviour::Honest(FRESH)], || {
		Maps::offchain_worker(System::block_number());
	});
	assert_eq!(calls(&net, "GET").len(), 2);
	assert_eq!(calls(&net, "POST").len(), 1);
}

#[test]
fn nodes_that_left_since_are_missing_from_the_update() {
	let net = run_after(vec![Behaviour::Honest(FRESH)], || Nodes::remove(4));
	let post = net
		.with(|net| net.calls.iter().find(|call| call.method == "POST").cloned())
		.unwrap();
	let update = EpochUpdate::decode(&mut &post.body[..]).unwrap();
	assert_eq!(update.nodes.len(), 29);
	assert!(update.nodes.iter().all(|node| node.index != 4));
}
