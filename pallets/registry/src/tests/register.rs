use crate::{
	mock::*, proof::is_weak, Error, Event, HoldReason, NodeByKey, Nodes, ProofSequence, Revision,
};
use frame_support::{
	assert_noop, assert_ok,
	traits::fungible::{InspectHold, Mutate},
	weights::Weight,
};
use hippius_primitives::{
	registration::{KeyProof, NodeParams, NodeStatus},
	traits::NodeRegistry,
	NodeAddress, NodeKey, RelayAddress,
};

fn try_register(params: NodeParams) -> frame_support::dispatch::DispatchResult {
	let proof = proof(&account(1), 10, &params, 0);
	Registry::register_node(RuntimeOrigin::signed(account(1)), key(10), params, proof)
}

#[test]
fn a_node_is_registered_and_its_money_held() {
	ExtBuilder::default().build_and_execute(|| {
		assert_eq!(register(&account(1), 10), 0);

		let event = Event::NodeRegistered {
			node: 0,
			family: account(1),
			key: key(10),
		};
		assert_eq!(last_event(), event.into());
		let node = Nodes::<Test>::get(0).unwrap();
		assert_eq!(node.status, NodeStatus::Active);
		assert_eq!((node.deposit, node.stake), (100, 2_000));
		let held = |reason: HoldReason| Balances::balance_on_hold(&reason.into(), &account(1));
		assert_eq!(held(HoldReason::RegistrationDeposit), 100);
		assert_eq!(held(HoldReason::CapacityStake), 2_000);
		assert_eq!(NodeByKey::<Test>::get(key(10)), Some(0));
		assert_eq!(ProofSequence::<Test>::get(key(10)), 1);
		assert_eq!(Revision::<Test>::get(), 1);
		assert_eq!(<Registry as NodeRegistry>::revision(), 1);
	});
}

#[test]
fn views_page_through_the_nodes_in_ascending_order() {
	ExtBuilder::default().build_and_execute(|| {
		for (seed, family) in [(10, 1), (11, 2), (12, 1), (13, 3)] {
			register(&account(family), seed);
		}
		let record = Registry::node(2).unwrap();
		assert_eq!(
			(record.index, record.key, record.family),
			(2, key(12), [1; 32])
		);
		assert_eq!(record.params, params());
		assert_eq!(Registry::node_by_key(key(12)), Some(record));
		assert_eq!(Registry::node(4), None);
		assert_eq!(Registry::node_by_key(key(99)), None);

		let indexes = |from, limit| -> Vec<u32> {
			Registry::nodes_from(from, limit)
				.iter()
				.map(|node| node.index)
				.collect()
		};
		assert_eq!(indexes(0, 10), [0, 1, 2, 3]);
		assert_eq!(indexes(0, u32::MAX), [0, 1, 2, 3]);
		assert_eq!(indexes(1, 2), [1, 2]);
		assert_eq!(indexes(4, 2), [0; 0]);
		assert_eq!(indexes(u32::MAX, 2), [0; 0]);
		assert_eq!(indexes(0, 0), [0; 0]);
	});
}

#[test]
fn pages_of_256_numbers_are_read_from_the_bits() {
	/// The seam's own, slow way.
	struct Listed;
	impl NodeRegistry for Listed {
		fn node(index: u32) -> Option<hippius_primitives::registration::NodeRecord> {
			<Registry as NodeRegistry>::node(index)
		}
		fn nodes_from(from: u32, limit: u32) -> Vec<hippius_primitives::registration::NodeRecord> {
			<Registry as NodeRegistry>::nodes_from(from, limit)
		}
		fn revision() -> u64 {
			0
		}
	}
	ExtBuilder::default().build_and_execute(|| {
		assert_eq!(<Registry as NodeRegistry>::end(), 0);
		for (seed, next) in [(10, 0), (11, 300), (12, 700), (13, 1_023), (14, 1_100)] {
			crate::NextNodeIndex::<Test>::put(next);
			register(&account(1 + seed % 3), seed);
		}
		for page in (0..6).chain([u32::MAX / 256, u32::MAX]) {
			assert_eq!(
				<Registry as NodeRegistry>::live(page),
				Listed::live(page),
				"page {page}"
			);
		}
		assert_eq!(<Registry as NodeRegistry>::end(), Listed::end());
		assert_eq!(<Registry as NodeRegistry>::count(), 5);
		assert_eq!(Listed::count(), 5);
	});
}

#[test]
fn listing_crosses_pages_and_gaps() {
	ExtBuilder::default().build_and_execute(|| {
		register(&account(1), 10);
		crate::NextNodeIndex::<Test>::put(5_000);
		register(&account(1), 11);
		let found: Vec<_> = Registry::nodes_from(0, 9)
			.iter()
			.map(|node| node.index)
			.collect();
		assert_eq!(found, [0, 5_000]);
		assert_eq!(crate::LiveNodes::<Test>::iter().count(), 2);
	});
}

#[test]
fn a_proof_of_another_chain_is_refused() {
	ExtBuilder::default().build_and_execute(|| {
		let good = proof(&account(1), 10, &params(), 0);
		let origin = RuntimeOrigin::signed(account(1));
		let bad = KeyProof {
			genesis: [8; 32],
			..good
		};
		assert_noop!(
			Registry::register_node(origin, key(10), params(), bad),
			Error::<Test>::WrongGenesis
		);
	});
}

#[test]
fn an_unknown_genesis_hash_is_never_taken_for_zero() {
	ExtBuilder::default()
		.without_genesis_hash()
		.build_and_execute(|| {
			let good = proof(&account(1), 10, &params(), 0);
			for genesis in [[0; 32], GENESIS] {
				let origin = RuntimeOrigin::signed(account(1));
				let proof = KeyProof {
					genesis,
					..good.clone()
				};
				assert_noop!(
					Registry::register_node(origin, key(10), params(), proof),
					Error::<Test>::WrongGenesis
				);
			}
		});
}

#[test]
fn a_proof_is_good_only_for_its_time() {
	ExtBuilder::default().build_and_execute(|| {
		let proof = proof(&account(1), 10, &params(), 0);
		let call = || {
			let origin = RuntimeOrigin::signed(account(1));
			Registry::register_node(origin, key(10), params(), proof.clone())
		};
		System::set_block_number(u64::from(proof.valid_until) + 1);
		assert_noop!(call(), Error::<Test>::ProofExpired);
		System::set_block_number(u64::from(proof.valid_until - PROOF_LIFETIME) - 1);
		assert_noop!(call(), Error::<Test>::ProofTooFarAhead);
		System::set_block_number(u64::from(proof.valid_until));
		assert_ok!(call());
	});
}

#[test]
fn a_registered_key_cannot_be_registered_again() {
	ExtBuilder::default().build_and_execute(|| {
		register(&account(1), 10);
		let proof = proof(&account(2), 10, &params(), 1);
		assert_noop!(
			Registry::register_node(RuntimeOrigin::signed(account(2)), key(10), params(), proof),
			Error::<Test>::KeyAlreadyRegistered
		);
	});
}

#[test]
fn a_sequence_out_of_order_is_refused() {
	ExtBuilder::default().build_and_execute(|| {
		let early = proof(&account(1), 10, &params(), 1);
		assert_noop!(
			Registry::register_node(RuntimeOrigin::signed(account(1)), key(10), params(), early),
			Error::<Test>::ProofReplayed
		);
		ProofSequence::<Test>::insert(key(10), u32::MAX);
		let last = proof(&account(1), 10, &params(), u32::MAX);
		assert_noop!(
			Registry::register_node(RuntimeOrigin::signed(account(1)), key(10), params(), last),
			Error::<Test>::SequenceExhausted
		);
	});
}

#[test]
fn every_flaw_of_a_declaration_has_its_error() {
	ExtBuilder::default().build_and_execute(|| {
		let v4 = |ip, port| NodeAddress::V4 { ip, port };
		let v6 = |first: u8, last: u8, port| {
			let mut ip = [0; 16];
			ip[0] = first;
			ip[15] = last;
			NodeAddress::V6 { ip, port }
		};
		let with_host = |host: &[u8]| NodeParams {
			host: host.to_vec(),
			..params()
		};
		let with_capacity = |capacity| NodeParams {
			capacity,
			..params()
		};
		let with_addresses = |addresses| NodeParams {
			addresses,
			..params()
		};

		assert_noop!(try_register(with_host(b"")), Error::<Test>::HostEmpty);
		assert_noop!(
			try_register(with_host(&[b'a'; 65])),
			Error::<Test>::HostTooLong
		);
		assert_noop!(
			try_register(with_host(&[0xff, 0xfe])),
			Error::<Test>::HostNotUtf8
		);
		assert_noop!(
			try_register(with_addresses(vec![])),
			Error::<Test>::NoAddress
		);
		assert_noop!(
			try_register(with_addresses(vec![v4([1; 4], 1); 5])),
			Error::<Test>::TooManyAddresses
		);
		for address in [
			v4([1, 2, 3, 4], 0),
			v4([0; 4], 1),
			v4([255; 4], 1),
			v4([224, 0, 0, 1], 1),
			v6(0, 1, 0),
			v6(0, 0, 1),
			v6(0xff, 1, 1),
		] {
			assert_noop!(
				try_register(with_addresses(vec![v4([1; 4], 1), address])),
				Error::<Test>::InvalidAddress
			);
		}
		let relay = |host: &[u8], port| {
			NodeAddress::Relay(RelayAddress {
				host: host.to_vec().try_into().unwrap(),
				port,
				tls: true,
			})
		};
		for (host, port) in [
			(&b""[..], 443),
			(b"relay.example.org", 0),
			(b"0.0.0.0", 443),
			(b"::", 443),
			(b"ff02::1", 443),
			(b"1.2.3", 443),
			(b"a b", 443),
			(b"https://a", 443),
			(b"\xff", 443),
		] {
			assert_noop!(
				try_register(with_addresses(vec![relay(host, port)])),
				Error::<Test>::InvalidRelay
			);
		}
		assert_noop!(
			try_register(with_addresses(vec![relay(b"a.example.org", 443); 3])),
			Error::<Test>::TooManyRelays
		);
		assert_noop!(
			try_register(with_capacity(0)),
			Error::<Test>::CapacityTooSmall
		);
		assert_noop!(
			try_register(with_capacity(MIN_CAPACITY - 1)),
			Error::<Test>::CapacityTooSmall
		);
		assert_noop!(
			try_register(with_capacity(MAX_CAPACITY + 1)),
			Error::<Test>::CapacityTooLarge
		);
		assert_noop!(
			try_register(NodeParams {
				zone: 6,
				..params()
			}),
			Error::<Test>::UnknownZone
		);

		let at_the_limits = NodeParams {
			zone: 5,
			host: vec![b'a'; 64],
			capacity: MIN_CAPACITY,
			addresses: vec![
				v4([127, 0, 0, 1], 1),
				v6(0, 1, 65_535),
				relay(b"::1", 2),
				relay(&[b'a'; 63], 3),
			],
		};
		assert_ok!(try_register(at_the_limits));
	});
}

#[test]
fn a_family_and_the_registry_can_be_full() {
	ExtBuilder::default().build_and_execute(|| {
		MaxNodesPerFamily::set(2);
		register(&account(1), 10);
		register(&account(1), 11);
		let third = proof(&account(1), 12, &params(), 0);
		assert_noop!(
			Registry::register_node(RuntimeOrigin::signed(account(1)), key(12), params(), third),
			Error::<Test>::TooManyNodes
		);
		MaxNodes::set(2);
		let other = proof(&account(2), 12, &params(), 0);
		assert_noop!(
			Registry::register_node(RuntimeOrigin::signed(account(2)), key(12), params(), other),
			Error::<Test>::RegistryFull
		);
	});
}

#[test]
fn the_free_balance_must_cover_deposit_and_stake() {
	ExtBuilder::default().build_and_execute(|| {
		let poor = account(4);
		let call = || {
			let proof = proof(&poor, 10, &params(), 0);
			Registry::register_node(
				RuntimeOrigin::signed(poor.clone()),
				key(10),
				params(),
				proof,
			)
		};
		// 2 000 there, 100 + 2 000 asked, and the existential deposit must stay free.
		assert_noop!(call(), Error::<Test>::StakeTooLow);
		Balances::set_balance(&poor, 2_100);
		assert_noop!(call(), Error::<Test>::StakeTooLow);
		Balances::set_balance(&poor, 2_101);
		assert_ok!(call());
	});
}

#[test]
fn nothing_is_asked_where_nothing_is_due() {
	ExtBuilder::default().build_and_execute(|| {
		Deposit::set(0);
		StakePerTerabyte::set(0);
		register(&account(9), 10);
	});
}

#[test]
fn a_signature_must_be_the_node_keys_over_exactly_this() {
	ExtBuilder::default().build_and_execute(|| {
		let good = proof(&account(1), 10, &params(), 0);
		let call = |family: u8, node_key, params, proof| {
			Registry::register_node(
				RuntimeOrigin::signed(account(family)),
				node_key,
				params,
				proof,
			)
		};
		let other_params = NodeParams {
			capacity: TERABYTE,
			..params()
		};
		let mut flipped = good.clone();
		flipped.signature[0] ^= 1;
		let later = KeyProof {
			valid_until: good.valid_until - 1,
			..good.clone()
		};
		assert_noop!(
			call(2, key(10), params(), good.clone()),
			Error::<Test>::BadSignature
		);
		assert_noop!(
			call(1, key(11), params(), good.clone()),
			Error::<Test>::BadSignature
		);
		assert_noop!(
			call(1, key(10), other_params, good.clone()),
			Error::<Test>::BadSignature
		);
		assert_noop!(
			call(1, key(10), params(), flipped),
			Error::<Test>::BadSignature
		);
		assert_noop!(
			call(1, key(10), params(), later),
			Error::<Test>::BadSignature
		);
		// A point that is none at all.
		assert_noop!(
			call(1, NodeKey([2; 32]), params(), good.clone()),
			Error::<Test>::BadSignature
		);
		assert_ok!(call(1, key(10), params(), good));
	});
}

#[test]
fn keys_anybody_can_sign_for_are_refused() {
	ExtBuilder::default().build_and_execute(|| {
		let mut identity = [0; 32];
		identity[0] = 1;
		let weak = NodeKey(identity);
		let any = proof(&account(1), 10, &params(), 0);
		assert_noop!(
			Registry::register_node(RuntimeOrigin::signed(account(1)), weak, params(), any),
			Error::<Test>::WeakKey
		);
	});
}

#[test]
fn exactly_the_points_of_small_order_are_weak() {
	let mut p_minus_1 = [0xff; 32];
	p_minus_1[0] = 0xec;
	p_minus_1[31] = 0x7f;
	let order_8 = [
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	];
	let mut candidates = vec![[0; 32], p_minus_1];
	for (first, last) in [(1u8, 0u8), (0xed, 0x7f), (0xee, 0x7f)] {
		let mut bytes = [if last == 0 { 0 } else { 0xff }; 32];
		bytes[0] = first;
		bytes[31] = last;
		candidates.push(bytes);
	}
	candidates.extend(order_8.map(|text| *NodeKey::from_hex(text).unwrap().as_bytes()));
	for candidate in candidates {
		for sign in [0, 0x80] {
			let mut bytes = candidate;
			bytes[31] |= sign;
			assert!(is_weak(&NodeKey(bytes)));
			// Encodings of no point at all (x = 0 with a sign) may fail to decode.
			if let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(&bytes) {
				assert!(key.is_weak());
			}
		}
	}
	assert!((0..100).all(|seed| !is_weak(&key(seed))));
}

#[test]
fn weights_are_bounded_and_not_free() {
	use crate::WeightInfo;
	let second = Weight::from_parts(
		frame_support::weights::constants::WEIGHT_REF_TIME_PER_SECOND,
		0,
	);
	for weight in [
		<() as WeightInfo>::register_node(),
		<() as WeightInfo>::update_node(),
		<() as WeightInfo>::announce_key(),
		<() as WeightInfo>::activate_key(),
		<() as WeightInfo>::start_exit(),
		<() as WeightInfo>::claim_exit(),
	] {
		assert!(weight.ref_time() > 0 && weight.ref_time() < second.ref_time() / 100);
		assert!(weight.proof_size() > 0);
	}
}
