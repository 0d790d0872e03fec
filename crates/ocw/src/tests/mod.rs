//! A loopback with daemons on it, a chain to work for, and the tests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::work::{GroupPeaks, Submission, WorkChain};
use arion_storage_proof::{
	answer::{Answer, Item, Shown},
	work::{LifeOrder, WorkOrder, WorkReport, WORK_PATH},
	Batch, Blake2, Peaks,
};
use codec::{Decode, Encode};
use hippius_primitives::{
	audit::{Ask, AskedOf},
	daemon::{DaemonAccess, DAEMONS_STORAGE_KEY},
	Epoch, NodeIndex, Pg,
};
use sp_core::offchain::{
	testing::TestOffchainExt, Externalities, HttpError, HttpRequestId, HttpRequestStatus,
	OffchainDbExt, OffchainWorkerExt, OpaqueNetworkState, StorageKind, Timestamp,
};
use sp_runtime::offchain::storage::StorageValueRef;
use std::{
	cell::RefCell,
	collections::BTreeMap,
	sync::{Arc, Mutex, MutexGuard},
};

mod trouble;
mod work;

pub(crate) const GENESIS: [u8; 32] = [7; 32];

/// How a daemon behaves.
pub(crate) enum Behaviour {
	/// Answers orders.
	Works(Box<dyn FnMut(&WorkOrder) -> WorkReport + Send>),
	/// As before, after so many milliseconds.
	Slow(u64, Box<dyn FnMut(&WorkOrder) -> WorkReport + Send>),
	/// Accepts the request and never answers.
	Dead,
	/// Cannot be connected to.
	Refusing,
	/// Gives this answer to everything.
	Says(u16, Vec<u8>),
	/// Answers 200 and then never sends the body.
	Stalls,
}

#[derive(Default)]
struct Call {
	url: String,
	headers: BTreeMap<String, String>,
	body: Vec<u8>,
	answer: Option<(u16, Vec<u8>)>,
	/// When the answer is there.
	at: u64,
	read: usize,
}

/// Loopback, and a clock that moves only while somebody waits.
#[derive(Default)]
pub(crate) struct Net {
	daemons: BTreeMap<String, Behaviour>,
	calls: Vec<Call>,
	/// Milliseconds.
	pub(crate) now: u64,
	/// Every order with the port it was sent to.
	pub(crate) orders: Vec<(u16, WorkOrder)>,
}

impl Net {
	fn answer(&mut self, id: usize) {
		let call = &mut self.calls[id];
		let base = call.url.strip_suffix(WORK_PATH).unwrap();
		let port = base.rsplit(':').next().unwrap().parse().unwrap();
		assert_eq!(call.headers["Authorization"], "Bearer secret");
		assert_eq!(call.headers["Content-Type"], "application/octet-stream");
		let order = WorkOrder::decode(&mut &call.body[..]).unwrap();
		call.at = self.now;
		call.answer = match self.daemons.get_mut(base).unwrap() {
			Behaviour::Dead | Behaviour::Refusing => None,
			Behaviour::Stalls => Some((200, Vec::new())),
			Behaviour::Says(code, body) => Some((*code, body.clone())),
			Behaviour::Works(work) => Some((200, work(&order).encode())),
			Behaviour::Slow(millis, work) => {
				call.at += *millis;
				Some((200, work(&order).encode()))
			}
		};
		self.orders.push((port, order));
	}

	fn behaviour(&self, id: HttpRequestId) -> &Behaviour {
		let url = &self.calls[id.0 as usize].url;
		&self.daemons[url.strip_suffix(WORK_PATH).unwrap()]
	}
}

#[derive(Clone, Default)]
pub(crate) struct Loopback(Arc<Mutex<Net>>);

impl Loopback {
	pub(crate) fn net(&self) -> MutexGuard<'_, Net> {
		self.0.lock().unwrap()
	}

	/// Puts daemons on the ports from 1 on.
	pub(crate) fn serve(&self, behaviours: Vec<Behaviour>) {
		let url = |port| format!("http://127.0.0.1:{port}");
		let accesses: Vec<DaemonAccess> = (1..=behaviours.len())
			.map(|port| DaemonAccess {
				url: url(port).into_bytes(),
				token: b"secret".to_vec(),
			})
			.collect();
		StorageValueRef::persistent(DAEMONS_STORAGE_KEY).set(&accesses);
		self.net().daemons = (1..).map(url).zip(behaviours).collect();
	}

	/// The orders since it was asked last.
	pub(crate) fn orders(&self) -> Vec<(u16, WorkOrder)> {
		std::mem::take(&mut self.net().orders)
	}

	/// The only one.
	pub(crate) fn order(&self) -> WorkOrder {
		let mut orders = self.orders();
		assert_eq!(orders.len(), 1);
		orders.pop().unwrap().1
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
		Timestamp::from_unix_millis(self.net().now)
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
		assert_eq!(method, "POST");
		let mut net = self.net();
		net.calls.push(Call {
			url: url.into(),
			..Default::default()
		});
		Ok(HttpRequestId(net.calls.len() as u16 - 1))
	}
	fn http_request_add_header(
		&mut self,
		id: HttpRequestId,
		name: &str,
		value: &str,
	) -> Result<(), ()> {
		let headers = &mut self.net().calls[id.0 as usize].headers;
		headers.insert(name.into(), value.into());
		Ok(())
	}
	fn http_request_write_body(
		&mut self,
		id: HttpRequestId,
		chunk: &[u8],
		deadline: Option<Timestamp>,
	) -> Result<(), HttpError> {
		assert!(deadline.is_some());
		let mut net = self.net();
		net.calls[id.0 as usize].body.extend(chunk);
		if chunk.is_empty() {
			net.answer(id.0 as usize);
		}
		Ok(())
	}
	fn http_response_wait(
		&mut self,
		ids: &[HttpRequestId],
		deadline: Option<Timestamp>,
	) -> Vec<HttpRequestStatus> {
		let deadline = deadline.expect("never without a deadline").unix_millis();
		let mut net = self.net();
		let pending = |net: &Net, id: &HttpRequestId| {
			let call = &net.calls[id.0 as usize];
			!matches!(net.behaviour(*id), Behaviour::Refusing)
				&& (call.answer.is_none() || call.at > net.now)
		};
		// Until all are there, or the deadline.
		let last = ids
			.iter()
			.filter(|id| pending(&net, id))
			.map(|id| match &net.calls[id.0 as usize].answer {
				Some(_) => net.calls[id.0 as usize].at,
				None => u64::MAX,
			})
			.max();
		if let Some(last) = last {
			net.now = net.now.max(last.min(deadline));
		}
		ids.iter()
			.map(|id| match &net.calls[id.0 as usize].answer {
				_ if pending(&net, id) => HttpRequestStatus::DeadlineReached,
				Some((code, _)) => HttpRequestStatus::Finished(*code),
				None => HttpRequestStatus::IoError,
			})
			.collect()
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
		let deadline = deadline.expect("never without a deadline").unix_millis();
		let mut net = self.net();
		if matches!(net.behaviour(id), Behaviour::Stalls) {
			net.now = net.now.max(deadline);
			return Err(HttpError::DeadlineReached);
		}
		let call = &mut net.calls[id.0 as usize];
		let (_, body) = call.answer.as_ref().unwrap();
		let rest = &body[call.read..];
		let len = rest.len().min(buffer.len());
		buffer[..len].copy_from_slice(&rest[..len]);
		call.read += len;
		Ok(len)
	}
	fn set_authorized_nodes(&mut self, _: Vec<sp_core::OpaquePeerId>, _: bool) {}
}

/// What the chain of the tests says.
#[derive(Default)]
pub(crate) struct State {
	pub(crate) genesis: Option<[u8; 32]>,
	pub(crate) best: u32,
	pub(crate) epoch: Epoch,
	pub(crate) asked: Vec<AskedOf>,
	pub(crate) ledgers: BTreeMap<Pg, GroupPeaks>,
	/// Where a clean report would count.
	pub(crate) unclean: Vec<(NodeIndex, Pg)>,
	/// Who is called silent.
	pub(crate) silent: Vec<NodeIndex>,
	/// What is not good.
	pub(crate) refuses: Option<fn(&Submission) -> bool>,
	/// Whether the pool is full.
	pub(crate) full: bool,
}

thread_local! {
	static STATE: RefCell<State> = RefCell::new(State::default());
	static TAKEN: RefCell<Vec<Submission>> = const { RefCell::new(Vec::new()) };
}

/// That chain.
pub(crate) struct Chain;

impl Chain {
	pub(crate) fn change(change: impl FnOnce(&mut State)) {
		STATE.with_borrow_mut(change);
	}

	/// One run; what the pool took.
	pub(crate) fn run() -> Vec<Submission> {
		crate::work::run::<Self>();
		TAKEN.take()
	}

	/// One run at this block.
	pub(crate) fn run_at(best: u32) -> Vec<Submission> {
		Self::change(|state| state.best = best);
		Self::run()
	}
}

impl WorkChain for Chain {
	fn genesis() -> Option<[u8; 32]> {
		STATE.with_borrow(|state| state.genesis)
	}
	fn best() -> u32 {
		STATE.with_borrow(|state| state.best)
	}
	fn epoch() -> Epoch {
		STATE.with_borrow(|state| state.epoch)
	}
	fn asked_of(node: NodeIndex) -> Vec<AskedOf> {
		STATE.with_borrow(|state| {
			let of_node = state.asked.iter().filter(|asked| asked.node == node);
			of_node.cloned().collect()
		})
	}
	fn ledger(pg: Pg) -> Option<GroupPeaks> {
		STATE.with_borrow(|state| state.ledgers.get(&pg).cloned())
	}
	fn may_report(node: NodeIndex, groups: &[Pg]) -> Vec<bool> {
		let state = |pg: &Pg| STATE.with_borrow(|state| state.unclean.contains(&(node, *pg)));
		groups.iter().map(state).collect()
	}
	fn life(node: NodeIndex) -> Option<LifeOrder> {
		STATE.with_borrow(|state| state.silent.contains(&node).then(|| life(node)))
	}
	fn check(submission: &Submission) -> Result<(), String> {
		match STATE.with_borrow(|state| state.refuses.is_some_and(|refuses| refuses(submission))) {
			true => Err("refused".into()),
			false => Ok(()),
		}
	}
	fn submit(submission: Submission) -> bool {
		if STATE.with_borrow(|state| state.full) {
			return false;
		}
		TAKEN.with_borrow_mut(|taken| taken.push(submission));
		true
	}
}

pub(crate) fn life(node: NodeIndex) -> LifeOrder {
	LifeOrder {
		sign: hippius_primitives::heartbeat::LifeSign { node, window: 4 },
		anchor: [9; 32],
	}
}

/// Runs a test at block 100 of a chain without asks; group 1 has a ledger of 5 batches.
pub(crate) fn with_node(test: impl FnOnce(&Loopback)) {
	let loopback = Loopback::default();
	let (storage, _) = TestOffchainExt::new();
	let mut ext = sp_io::TestExternalities::new_empty();
	ext.register_extension(OffchainDbExt::new(storage));
	ext.register_extension(OffchainWorkerExt::new(loopback.clone()));
	STATE.set(State {
		genesis: Some(GENESIS),
		best: 100,
		epoch: 3,
		..Default::default()
	});
	TAKEN.take();
	ext.execute_with(|| {
		grow(1, 5);
		test(&loopback)
	});
}

pub(crate) fn batch(pg: Pg, number: u64) -> Batch {
	let mut root = [pg as u8; 32];
	root[..8].copy_from_slice(&number.to_le_bytes());
	Batch {
		root,
		bytes: 64,
		stripes: 1,
	}
}

/// Appends batches to a group's ledger; what was there before is challengeable. What is below the nodes
/// is left as offchain indexing does when a block is imported.
pub(crate) fn grow(pg: Pg, batches: u64) {
	let mut peaks = match Chain::ledger(pg) {
		Some(ledger) => ledger.newest,
		None => Peaks::new(),
	};
	let challengeable = peaks.clone();
	for number in peaks.leaves()..peaks.leaves() + batches {
		peaks
			.append_noting::<Blake2>(&batch(pg, number), |node, below| {
				let key = arion_storage_proof::index::index_key(pg, node);
				sp_io::offchain::local_storage_set(StorageKind::PERSISTENT, &key, &below.encode());
			})
			.unwrap();
	}
	Chain::change(|state| {
		let ledger = GroupPeaks {
			challengeable,
			newest: peaks,
		};
		state.ledgers.insert(pg, ledger);
	});
}

/// Draw 0 of a block, of node 8's slot in group 1.
pub(crate) fn draw(block: u32) -> AskedOf {
	AskedOf {
		ask: Ask::Draw { block, draw: 0 },
		node: 8,
		pg: 1,
		slot: 2,
		offsets: vec![5],
		seed: [block as u8; 32],
		due: Some(block + 50),
	}
}

/// An answer to these, by node 8.
pub(crate) fn answer(place: u8, asks: &[Ask]) -> Answer {
	let item = |ask: &Ask| Item {
		ask: *ask,
		shown: vec![Shown::Bytes(vec![1].try_into().unwrap())]
			.try_into()
			.unwrap(),
	};
	Answer {
		node: 8,
		place,
		items: asks
			.iter()
			.map(item)
			.collect::<Vec<_>>()
			.try_into()
			.unwrap(),
		signature: [0; 64],
	}
}

/// A daemon of node 8 that answers all it is asked, eight at a time, and gives a sign of life when told.
pub(crate) fn honest() -> Behaviour {
	Behaviour::Works(Box::new(honestly))
}

pub(crate) fn honestly(order: &WorkOrder) -> WorkReport {
	let mut asks: Vec<Ask> = order.asked.iter().map(|asked| asked.ask).collect();
	asks.sort();
	let chunks = (0..).zip(asks.chunks(8));
	WorkReport {
		node: Some(8),
		answers: chunks.map(|(place, asks)| answer(place, asks)).collect(),
		life: order.life.map(|_| [3; 64]),
		..Default::default()
	}
}

/// The asks of answers.
pub(crate) fn answered(submissions: &[Submission]) -> Vec<Ask> {
	submissions
		.iter()
		.flat_map(|submission| match submission {
			Submission::Answer(answer) => answer.items.iter().map(|item| item.ask),
			other => panic!("{other:?}"),
		})
		.collect()
}
