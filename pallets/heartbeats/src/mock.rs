#![allow(clippy::unwrap_used, unreachable_pub)]

use crate as pallet_heartbeats;
use crate::{Call, Event, HeartbeatConfig};
use codec::Encode;
use ed25519_dalek::{Signer, SigningKey};
use frame_support::{
	derive_impl,
	dispatch::DispatchResult,
	parameter_types,
	traits::{Authorize, Hooks, Randomness, UnfilteredDispatchable},
};
use frame_system::{
	offchain::{CreateAuthorizedTransaction, CreateTransaction, CreateTransactionBase},
	RawOrigin,
};
use hippius_primitives::{
	heartbeat::{LifeSign, Page, PageReport, Window},
	registration::{NodeParams, NodeRecord, NodeStatus},
	traits::NodeRegistry,
	NodeIndex, NodeKey,
};
use sp_core::{sr25519, Pair as _, H256};
use sp_runtime::{
	traits::IdentityLookup,
	transaction_validity::{TransactionSource, TransactionValidityError, ValidTransaction},
	AccountId32, BuildStorage,
};
use std::{cell::RefCell, collections::BTreeMap};

pub(crate) mod app {
	use sp_application_crypto::{app_crypto, sr25519, KeyTypeId};
	app_crypto!(sr25519, KeyTypeId(*b"hbts"));
}

pub(crate) type AccountId = AccountId32;
type TxExtension = frame_system::AuthorizeCall<Test>;
type Block = frame_system::mocking::MockBlock<Test, (), TxExtension>;
pub(crate) type Extrinsic = frame_system::mocking::MockUncheckedExtrinsic<Test, (), TxExtension>;

#[frame_support::runtime]
mod runtime {
	#[runtime::runtime]
	#[runtime::derive(
		RuntimeCall,
		RuntimeEvent,
		RuntimeError,
		RuntimeOrigin,
		RuntimeHoldReason,
		RuntimeFreezeReason,
		RuntimeTask,
		RuntimeViewFunction
	)]
	pub struct Test;

	#[runtime::pallet_index(0)]
	pub type System = frame_system;
	#[runtime::pallet_index(1)]
	pub type Heartbeats = pallet_heartbeats;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = Block;
	type AccountId = AccountId;
	type Lookup = IdentityLookup<AccountId>;
}

parameter_types! {
	pub static Validators: Vec<u8> = Vec::new();
	/// The key of one more validator.
	pub static FurtherKey: Option<Vec<u8>> = None;
	pub static PagesPerBlock: u32 = 2;
	pub static RandomByte: u8 = 1;
}

/// The keys of [`Validators`].
pub struct Keys;
impl frame_support::traits::Get<Vec<app::Public>> for Keys {
	fn get() -> Vec<app::Public> {
		let further = FurtherKey::get().map(|key| codec::Decode::decode(&mut &key[..]).unwrap());
		let of_seeds = Validators::get().into_iter().map(collector);
		of_seeds.chain(further).collect()
	}
}

/// Depends on the subject and on [`RandomByte`].
pub struct Dice;
impl Randomness<H256, u64> for Dice {
	fn random(subject: &[u8]) -> (H256, u64) {
		let seed = (subject, RandomByte::get()).encode();
		(sp_io::hashing::blake2_256(&seed).into(), 0)
	}
}

impl<LocalCall> CreateTransactionBase<LocalCall> for Test
where
	RuntimeCall: From<LocalCall>,
{
	type Extrinsic = Extrinsic;
	type RuntimeCall = RuntimeCall;
}

impl<LocalCall> CreateTransaction<LocalCall> for Test
where
	RuntimeCall: From<LocalCall>,
{
	type Extension = TxExtension;

	fn create_transaction(call: RuntimeCall, extension: TxExtension) -> Extrinsic {
		Extrinsic::new_transaction(call, extension)
	}
}

impl<LocalCall> CreateAuthorizedTransaction<LocalCall> for Test
where
	RuntimeCall: From<LocalCall>,
{
	fn create_extension() -> TxExtension {
		TxExtension::new()
	}
}

impl crate::Config for Test {
	type CollectorId = app::Public;
	type Collectors = Keys;
	type MaxCollectors = frame_support::traits::ConstU32<32>;
	type Registry = Nodes;
	type Randomness = Dice;
	type PagesPerBlock = PagesPerBlock;
	type Priority = frame_support::traits::ConstU64<7>;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = Helper;
}

thread_local! {
	static NODES: RefCell<(BTreeMap<NodeIndex, NodeRecord>, NodeIndex)> = RefCell::default();
}

/// A registry that tests fill by hand.
pub struct Nodes;

impl Nodes {
	/// Registers the node with this number, whose key is [`node_key`]'s; of family 1.
	pub(crate) fn register(index: NodeIndex) {
		let record = NodeRecord {
			index,
			family: [1; 32],
			key: public(&node_key(index)),
			next_key: None,
			params: NodeParams {
				zone: 0,
				host: b"host".to_vec(),
				capacity: 1,
				addresses: Vec::new(),
			},
			status: NodeStatus::Active,
		};
		NODES.with_borrow_mut(|(nodes, end)| {
			nodes.insert(index, record);
			*end = (*end).max(index + 1);
		});
	}

	pub(crate) fn change(index: NodeIndex, change: impl FnOnce(&mut NodeRecord)) {
		NODES.with_borrow_mut(|(nodes, _)| change(nodes.get_mut(&index).unwrap()));
	}

	pub(crate) fn remove(index: NodeIndex) {
		NODES.with_borrow_mut(|(nodes, _)| nodes.remove(&index).unwrap());
	}
}

impl NodeRegistry for Nodes {
	fn node(index: NodeIndex) -> Option<NodeRecord> {
		NODES.with_borrow(|(nodes, _)| nodes.get(&index).cloned())
	}

	fn nodes_from(from: NodeIndex, limit: u32) -> Vec<NodeRecord> {
		NODES.with_borrow(|(nodes, _)| {
			let nodes = nodes.range(from..).take(limit as usize);
			nodes.map(|(_, node)| node.clone()).collect()
		})
	}

	fn revision() -> u64 {
		0
	}

	fn end() -> NodeIndex {
		NODES.with_borrow(|(_, end)| *end)
	}
}

pub(crate) const GENESIS: [u8; 32] = [7; 32];

/// Windows of 10 blocks, 4 to report, 6 beats; 5 windows a day; down after 2, out after 4.
pub(crate) const CONFIG: HeartbeatConfig = HeartbeatConfig {
	window_blocks: 10,
	report_blocks: 4,
	beats_per_window: 6,
	rotation_windows: 3,
	day_windows: 5,
	down_windows: 2,
	out_windows: 4,
	notice_blocks: 10,
	absence_blocks: 40,
	absent_percent: 50,
};

pub(crate) fn collector_pair(seed: u8) -> sr25519::Pair {
	sr25519::Pair::from_seed(&[seed; 32])
}

pub(crate) fn collector(seed: u8) -> app::Public {
	collector_pair(seed).public().into()
}

pub(crate) fn node_key(index: NodeIndex) -> SigningKey {
	let mut seed = [9; 32];
	seed[..4].copy_from_slice(&index.to_le_bytes());
	SigningKey::from_bytes(&seed)
}

pub(crate) fn public(key: &SigningKey) -> NodeKey {
	NodeKey(key.verifying_key().to_bytes())
}

pub(crate) fn account(seed: u8) -> AccountId {
	AccountId::new([seed; 32])
}

pub(crate) struct ExtBuilder {
	pub(crate) validators: u8,
	pub(crate) nodes: Vec<NodeIndex>,
}

impl Default for ExtBuilder {
	fn default() -> Self {
		Self {
			validators: 9,
			nodes: vec![0, 1, 2],
		}
	}
}

impl ExtBuilder {
	pub(crate) fn validators(validators: u8) -> Self {
		Self {
			validators,
			..Self::default()
		}
	}

	pub(crate) fn nodes(nodes: impl IntoIterator<Item = NodeIndex>) -> Self {
		Self {
			nodes: nodes.into_iter().collect(),
			..Self::default()
		}
	}

	pub(crate) fn build_and_execute(self, test: impl FnOnce()) {
		self.build_with(|_| {}, test);
	}

	/// With what else `prepare` registers, as a node does for its offchain worker.
	pub(crate) fn build_with(
		self,
		prepare: impl FnOnce(&mut sp_io::TestExternalities),
		test: impl FnOnce(),
	) {
		NODES.with_borrow_mut(|nodes| *nodes = Default::default());
		self.nodes.into_iter().for_each(Nodes::register);
		Validators::set((1..=self.validators).collect());
		PagesPerBlock::set(2);
		RandomByte::set(1);
		let mut storage = frame_system::GenesisConfig::<Test>::default()
			.build_storage()
			.unwrap();
		crate::GenesisConfig::<Test> {
			heartbeat: CONFIG,
			..Default::default()
		}
		.assimilate_storage(&mut storage)
		.unwrap();
		let mut chain = sp_io::TestExternalities::new(storage);
		prepare(&mut chain);
		chain.execute_with(|| {
			frame_system::BlockHash::<Test>::insert(0, H256(GENESIS));
			System::set_block_number(1);
			test();
			Heartbeats::do_try_state().unwrap();
		});
	}
}

/// Goes on to this block, with all hooks.
pub(crate) fn run_to(block: u64) {
	while System::block_number() < block {
		let next = System::block_number() + 1;
		// Every block has a hash of its own.
		System::reset_events();
		System::initialize(&next, &H256::from_low_u64_be(next), &Default::default());
		Heartbeats::on_initialize(next);
	}
}

/// The first block of a window.
pub(crate) fn start(window: Window) -> u64 {
	u64::from(window * CONFIG.window_blocks)
}

/// Goes on to where this window can be reported.
pub(crate) fn reportable(window: Window) {
	run_to(start(window + 1));
}

/// Goes on to where this window is settled, for as many pages as tests have.
pub(crate) fn settled(window: Window) {
	run_to(start(window + 1) + u64::from(CONFIG.report_blocks));
}

/// The validators' seeds at a window's opening, in the order of the page's collectors.
pub(crate) fn collectors(window: Window, page: Page) -> Vec<u32> {
	crate::Windows::<Test>::get(window)
		.unwrap()
		.collectors(page)
}

pub(crate) fn report(window: Window, page: Page, collector: u32, counts: &[u8]) -> PageReport {
	PageReport {
		window,
		page,
		collector,
		counts: counts.to_vec().try_into().unwrap(),
		evidence: [3; 32],
	}
}

/// A report signed by the validator with this seed.
pub(crate) fn signed(report: PageReport, seed: u8) -> Call<Test> {
	let signature = collector_pair(seed).sign(&report.payload(&GENESIS)).into();
	Call::post_page { report, signature }
}

/// A sign of life by this key.
pub(crate) fn sign_of(node: NodeIndex, window: Window, key: &SigningKey) -> Call<Test> {
	let anchor = crate::Windows::<Test>::get(window).map_or([0; 32], |open| open.anchor);
	let sign = LifeSign { node, window };
	Call::show_life {
		sign,
		signature: key.sign(&sign.payload(&GENESIS, &anchor)).to_bytes(),
	}
}

/// What the pool says.
pub(crate) fn authorize(call: &Call<Test>) -> Result<ValidTransaction, TransactionValidityError> {
	call.authorize(TransactionSource::External)
		.expect("an authorized call")
		.map(|(valid, _)| valid)
}

/// Executes a call that was authorized.
pub(crate) fn dispatch(call: Call<Test>) -> DispatchResult {
	call.dispatch_bypass_filter(RawOrigin::Authorized.into())
		.map(|_| ())
		.map_err(|error| error.error)
}

/// Both, as a block does.
pub(crate) fn submit(call: Call<Test>) {
	authorize(&call).unwrap();
	dispatch(call).unwrap();
}

/// Reports of all of a page's collectors, each with the counts of its rank in the draw.
pub(crate) fn post_ranked(window: Window, page: Page, counts: &[&[u8]]) {
	for (collector, counts) in collectors(window, page).into_iter().zip(counts) {
		let seed = collector as u8 + 1;
		submit(signed(report(window, page, collector, counts), seed));
	}
}

/// The same counts by all of a page's collectors.
pub(crate) fn post_all(window: Window, page: Page, counts: &[u8]) {
	post_ranked(window, page, &[counts; 9]);
}

/// Lets a window pass in which all collectors see this of page 0.
pub(crate) fn pass(window: Window, counts: &[u8]) {
	reportable(window);
	post_all(window, 0, counts);
	settled(window);
}

/// The pallet's events since the last block began.
pub(crate) fn events() -> Vec<Event<Test>> {
	System::events()
		.into_iter()
		.filter_map(|record| match record.event {
			RuntimeEvent::Heartbeats(event) => Some(event),
			_ => None,
		})
		.collect()
}

/// Registers nodes for benchmarks.
#[cfg(feature = "runtime-benchmarks")]
pub struct Helper;

#[cfg(feature = "runtime-benchmarks")]
impl crate::BenchmarkHelper for Helper {
	fn register(node: NodeIndex, key: NodeKey, family: [u8; 32]) {
		Nodes::register(node);
		Nodes::change(node, |record| (record.key, record.family) = (key, family));
	}

	fn collect(key: &[u8]) {
		FurtherKey::set(Some(key.to_vec()));
	}
}

/// An empty state with a keystore.
#[cfg(feature = "runtime-benchmarks")]
pub(crate) fn benchmark_externalities() -> sp_io::TestExternalities {
	use sp_keystore::{testing::MemoryKeystore, KeystoreExt};
	NODES.with_borrow_mut(|nodes| *nodes = Default::default());
	let mut ext = sp_io::TestExternalities::default();
	ext.register_extension(KeystoreExt::new(MemoryKeystore::new()));
	ext
}
