//! What each call and each step of the hooks costs at worst.

use crate::*;
use alloc::vec;
use frame_benchmarking::v2::*;
use frame_support::{
	traits::{Authorize, Get},
	BoundedVec,
};
use frame_system::RawOrigin;
use hippius_primitives::{
	collector::Endpoint,
	heartbeat::{LifeSign, PageReport, Window, PAGE_NODES},
	NodeAddress, NodeIndex, NodeKey,
};
use sp_application_crypto::{ed25519, RuntimeAppPublic};
use sp_core::crypto::KeyTypeId;
use sp_runtime::transaction_validity::TransactionSource;

/// What benchmarks need of the runtime's other pallets.
pub trait BenchmarkHelper {
	/// Registers a node of this family with this key and number.
	fn register(node: NodeIndex, key: NodeKey, family: [u8; 32]);
	/// Makes the validator with this session key the last of as many collectors as there may be.
	fn collect(key: &[u8]);
}

/// Where benchmarks keep the node's key.
const NODE_KEY: KeyTypeId = KeyTypeId(*b"hbnk");
/// The window that is reported, more than two rings after block 0.
const WINDOW: Window = 144 * 70;

/// The length of everything, with a day long enough for all that is measured.
fn config() -> HeartbeatConfig {
	HeartbeatConfig {
		notice_blocks: 1,
		absent_percent: 100,
		..HeartbeatConfig::default()
	}
}

fn at<T: Config>(block: u32) {
	frame_system::Pallet::<T>::set_block_number(block.into());
}

/// A full page of nodes, all with the key that is given back.
fn nodes<T: Config>(family: &T::AccountId) -> ed25519::Public {
	Settings::<T>::put(config());
	let key = sp_io::crypto::ed25519_generate(NODE_KEY, None);
	for node in 0..PAGE_NODES {
		T::BenchmarkHelper::register(node, NodeKey(key.0), family.clone().into());
	}
	key
}

/// Opens the window with so many validators.
fn window<T: Config>(window: Window, validators: u32) {
	let keys = (0..validators)
		.map(|_| T::CollectorId::generate_pair(None))
		.collect();
	let open = OpenWindow {
		seed: [1; 32],
		anchor: [2; 32],
		validators: BoundedVec::truncate_from(keys),
	};
	Windows::<T>::insert(window, open);
	Next::<T>::put(Cursor { window, page: 0 });
}

/// A page all of whose nodes have full rings but for the last day, and of which `silent` are about to be
/// out.
fn page<T: Config>(day: u32, silent: u32) {
	let (seen, due) = (0u16, 100u16);
	for back in 0..RING_DAYS {
		let day = day - back;
		let beats = BoundedVec::truncate_from(vec![(seen, due); PAGE_NODES as usize]);
		Days::<T>::insert(0, day % RING_DAYS, DayRow { day, beats });
	}
	let node = |number| NodeState {
		due: RING_DAYS * u32::from(due),
		missed: if number < silent {
			config().out_windows - 1
		} else {
			0
		},
		..NodeState::default()
	};
	let nodes = (0..PAGE_NODES).map(|number| Some(node(number)));
	let nodes = BoundedVec::truncate_from(nodes.collect());
	Pages::<T>::insert(0, PageState { day, nodes });
}

fn report<T: Config>(validators: u32) -> (PageReport, CollectorSignature<T>) {
	nodes::<T>(&whitelisted_caller());
	window::<T>(WINDOW, validators);
	at::<T>(config().start_of(WINDOW + 1));
	let open = Windows::<T>::get(WINDOW).expect("just opened");
	let collector = *open.collectors(0).last().expect("there are validators");
	let report = PageReport {
		window: WINDOW,
		page: 0,
		collector,
		counts: BoundedVec::truncate_from(vec![1; PAGE_NODES as usize]),
		evidence: [0; 32],
	};
	let payload = report.payload(&Pallet::<T>::genesis_hash());
	let signature = open.validators[collector as usize]
		.sign(&payload)
		.expect("the key was just made");
	(report, signature)
}

/// A collector that says where it listens.
fn endpoint<T: Config>() -> (T::CollectorId, Endpoint, CollectorSignature<T>) {
	let key = T::CollectorId::generate_pair(None);
	T::BenchmarkHelper::collect(key.as_ref());
	at::<T>(100);
	let address = NodeAddress::V4 {
		ip: [192, 0, 2, 1],
		port: 4_000,
	};
	let endpoint = Endpoint {
		key: NodeKey([5; 32]),
		addresses: BoundedVec::truncate_from(vec![address; 8]),
		sequence: 99,
	};
	let payload = endpoint.payload(&Pallet::<T>::genesis_hash(), key.as_ref());
	let signature = key.sign(&payload).expect("the key was just made");
	(key, endpoint, signature)
}

fn sign<T: Config>() -> (LifeSign, [u8; 64]) {
	let key = nodes::<T>(&whitelisted_caller());
	window::<T>(WINDOW, 1);
	page::<T>(config().day_of(WINDOW), PAGE_NODES);
	at::<T>(config().start_of(WINDOW));
	let sign = LifeSign {
		node: PAGE_NODES - 1,
		window: WINDOW,
	};
	let payload = sign.payload(&Pallet::<T>::genesis_hash(), &[2; 32]);
	let signature =
		sp_io::crypto::ed25519_sign(NODE_KEY, &key, &payload).expect("the key was just made");
	(sign, signature.0)
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn post_page() {
		let (report, signature) = report::<T>(T::MaxCollectors::get());

		#[extrinsic_call]
		_(RawOrigin::Authorized, report, signature);

		assert_eq!(Reports::<T>::iter().count(), 1);
	}

	#[benchmark]
	fn authorize_post_page() -> Result<(), BenchmarkError> {
		let (report, signature) = report::<T>(T::MaxCollectors::get());
		let call = Call::<T>::post_page { report, signature };

		#[block]
		{
			call.authorize(TransactionSource::InBlock)
				.ok_or("no authorized call")?
				.map_err(|_| "not authorized")?;
		}

		Ok(())
	}

	#[benchmark]
	fn show_life() {
		let (sign, signature) = sign::<T>();

		#[extrinsic_call]
		_(RawOrigin::Authorized, sign, signature);

		assert_eq!(
			Pallet::<T>::node_state(sign.node).map(|node| node.missed),
			Some(0)
		);
	}

	#[benchmark]
	fn authorize_show_life() -> Result<(), BenchmarkError> {
		let (sign, signature) = sign::<T>();
		let call = Call::<T>::show_life { sign, signature };

		#[block]
		{
			call.authorize(TransactionSource::InBlock)
				.ok_or("no authorized call")?
				.map_err(|_| "not authorized")?;
		}

		Ok(())
	}

	#[benchmark]
	fn announce_absence() {
		let family: T::AccountId = whitelisted_caller();
		nodes::<T>(&family);
		page::<T>(config().day_of(WINDOW), PAGE_NODES);
		at::<T>(1);

		#[extrinsic_call]
		_(RawOrigin::Signed(family), PAGE_NODES - 1, 10, 100);

		assert_eq!(Absences::<T>::get(), 1);
	}

	#[benchmark]
	fn end_absence() -> Result<(), BenchmarkError> {
		let family: T::AccountId = whitelisted_caller();
		nodes::<T>(&family);
		page::<T>(config().day_of(WINDOW), PAGE_NODES);
		at::<T>(1);
		Pallet::<T>::do_announce_absence(family.clone(), PAGE_NODES - 1, 10, 100)?;

		#[extrinsic_call]
		_(RawOrigin::Signed(family), PAGE_NODES - 1);

		assert_eq!(Absences::<T>::get(), 0);
		Ok(())
	}

	#[benchmark]
	fn announce_endpoint() {
		let (collector, endpoint, signature) = endpoint::<T>();

		#[extrinsic_call]
		_(RawOrigin::Authorized, collector, endpoint, signature);

		assert_eq!(Endpoints::<T>::iter().count(), 1);
	}

	#[benchmark]
	fn authorize_announce_endpoint() -> Result<(), BenchmarkError> {
		let (collector, endpoint, signature) = endpoint::<T>();
		let call = Call::<T>::announce_endpoint {
			collector,
			endpoint,
			signature,
		};

		#[block]
		{
			call.authorize(TransactionSource::InBlock)
				.ok_or("no authorized call")?
				.map_err(|_| "not authorized")?;
		}

		Ok(())
	}

	#[benchmark]
	fn idle() {
		Settings::<T>::put(config());

		#[block]
		{
			Pallet::<T>::do_on_initialize(1u32.into());
		}
	}

	/// With as many collectors as there may be.
	#[benchmark]
	fn open_window() {
		nodes::<T>(&whitelisted_caller());
		let key = T::CollectorId::generate_pair(None);
		T::BenchmarkHelper::collect(key.as_ref());

		#[block]
		{
			Pallet::<T>::open_window(&config(), WINDOW);
		}

		assert!(Windows::<T>::contains_key(WINDOW));
	}

	#[benchmark]
	fn skip_window() {
		Settings::<T>::put(config());
		Next::<T>::put(Cursor { window: 1, page: 0 });

		#[block]
		{
			Pallet::<T>::settle_next(&config(), config().start_of(WINDOW));
		}

		assert!(Next::<T>::get().window > 1);
	}

	/// All nine reported, of `t` nodes that they go out, and `d` days are forgotten.
	#[benchmark]
	fn settle_page(d: Linear<0, RING_DAYS>, t: Linear<0, PAGE_NODES>) {
		nodes::<T>(&whitelisted_caller());
		window::<T>(WINDOW, T::MaxCollectors::get());
		let open = Windows::<T>::get(WINDOW).expect("just opened");
		for collector in open.collectors(0) {
			let counts = (0..PAGE_NODES).map(|node| u8::from(node >= t));
			let counts = BoundedVec::truncate_from(counts.collect());
			Reports::<T>::insert((WINDOW, 0, collector), counts);
		}
		page::<T>(config().day_of(WINDOW) - d, t);

		#[block]
		{
			Pallet::<T>::settle_next(&config(), config().report_end(WINDOW));
		}

		assert_eq!(
			t == PAGE_NODES,
			Pallet::<T>::node_state(PAGE_NODES - 1).is_some_and(|node| node.out)
		);
		assert_eq!(Reports::<T>::iter().count(), 0);
	}

	impl_benchmark_test_suite!(Pallet, mock::benchmark_externalities(), mock::Test);
}
