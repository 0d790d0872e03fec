//! Money through whole blocks: what a client deposits is charged for what is stored, split, and paid to
//! miners, validators, those who stake with them and the treasury; to the rao, after every block.
#![allow(clippy::unwrap_used)]

mod common;

use arion_storage_proof::PgLedger;
use common::{
	account, externalities,
	money::{credits, deposit, fails, fee, seen, send, set_price, tell_price, watch, PRICE},
	nodes::thirty_nodes,
	pair, signed,
	stored::{Stored, PG},
	Chain,
};
use frame_support::dispatch::DispatchClass;
use hippius_primitives::{
	money::{Pool, Service},
	traits::{NodePenalties, PayWeights},
};
use hippius_runtime::{configs::economy::Weights, *};
use pallet_marketplace::{Call as Market, Grant, Status};
use pallet_placement_groups::{
	ledger::StripeProofs, Call as Groups, Error, Permission, StripeProof,
};
use pallet_rewards::Call as Pay;
use sp_core::{sr25519, Pair as _};
use sp_runtime::DispatchError;

/// Logical bytes of the stripe that is stored.
const UNITS: u64 = 15_360;

fn grant(units: u64) -> Grant {
	Grant {
		units,
		credits: 1_000_000,
		until: 10_000,
	}
}

fn family_of(node: u32) -> sr25519::Pair {
	pair(&format!("Family{}", node / 3))
}

/// Thirty nodes in a map, and a price of alpha.
fn network() -> Chain {
	let mut chain = Chain::new();
	thirty_nodes(&mut chain);
	chain.until(20, || ClusterMap::epoch() > 0);
	watch(&mut chain);
	tell_price(&mut chain);
	chain
}

/// Dave's stripe, appended by Bob.
fn stored_for_dave(chain: &mut Chain) -> Stored {
	deposit(chain, "Dave", 100 * units::ALPHA);
	send(chain, || {
		let call = Market::authorize_gateway {
			gateway: account("Bob"),
			grant: grant(UNITS),
		};
		vec![signed(&pair("Dave"), call)]
	});
	let stored = Stored::of(account("Dave"), 0);
	send(chain, || vec![stored.appended_by(30, |_| ())]);
	stored
}

fn module(error: Error<Runtime>) -> DispatchError {
	error.into()
}

/// The next block has no room for anything but transactions.
fn full_block(chain: &mut Chain) {
	chain.open();
	let weights = <Runtime as frame_system::Config>::BlockWeights::get();
	System::register_extra_weight_unchecked(weights.max_block, DispatchClass::Mandatory);
	chain.close();
}

#[test]
fn who_did_not_authorise_a_gateway_or_cannot_pay_is_not_stored_for() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = network();
		let stored = Stored::of(account("Dave"), 0);
		let append = || stored.appended_by(30, |_| ());
		let authorise = |chain: &mut Chain, units| {
			send(chain, || {
				let gateway = account("Bob");
				let call = Market::authorize_gateway {
					gateway,
					grant: grant(units),
				};
				vec![signed(&pair("Dave"), call)]
			});
		};
		assert_eq!(fails(&mut chain, append), module(Error::NotAuthorised));
		// A credit, and the gateway may: as long as nothing costs anything.
		deposit(&mut chain, "Dave", 100);
		assert_eq!(credits(&account("Dave")), 1);
		authorise(&mut chain, UNITS - 1);
		assert_eq!(fails(&mut chain, append), module(Error::NotAuthorised));
		authorise(&mut chain, UNITS);
		set_price(&mut chain, Service::Arion.held(), PRICE);
		assert_eq!(fails(&mut chain, append), module(Error::OwnerWithoutFunds));
		assert_eq!(<PlacementGroups as PgLedger>::live_bytes(PG), 0);
		let account_of = || Marketplace::account(account("Dave")).unwrap();
		assert_eq!(account_of().units(Service::Arion), 0);
		// What was refused used nothing up.
		assert_eq!(account_of().gateways[0].1.units, UNITS);
		deposit(&mut chain, "Dave", units::ALPHA);
		send(&mut chain, || vec![append()]);
		assert_eq!(account_of().units(Service::Arion), UNITS);
		assert_eq!(account_of().gateways[0].1.units, 0);
		let another = Stored::of(account("Dave"), 1);
		let again = || another.appended_by(30, |_| ());
		assert_eq!(fails(&mut chain, again), module(Error::NotAuthorised));
	});
}

#[test]
fn one_deposit_pays_miners_validators_stakers_and_treasury() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = network();
		set_price(&mut chain, Service::Arion.held(), PRICE);
		let stored = stored_for_dave(&mut chain);
		let begun = System::block_number();
		let eras = pallet_staking::ActiveEra::<Runtime>::get().unwrap().index;

		// Several eras of the ranking and of staking.
		let credited = || pallet_rewards::Earned::<Runtime>::iter().count() == 30;
		chain.until(200, credited);
		chain.until(200, || {
			pallet_staking::ActiveEra::<Runtime>::get().unwrap().index > eras + 3
		});

		// Billed by the block: 102.4 credits each.
		send(&mut chain, || {
			let who = account("Dave");
			vec![signed(&pair("Charlie"), Market::settle { who })]
		});
		let blocks = u128::from(System::block_number() - begun);
		let cost = blocks * u128::from(UNITS) * (PRICE >> 32) / (1_000_000_000 * 600);
		assert_eq!(seen().credits, cost);
		assert_eq!(seen().charged, cost * 100, "an alpha of ten dollars");
		assert!(seen().charges > 3, "by the chain itself");
		assert_eq!(credits(&account("Dave")), 1_000_000_000 - cost);
		let standing = Marketplace::standing(account("Dave")).unwrap();
		let per_block = u128::from(UNITS) * (PRICE >> 32) / (1_000_000_000 * 600);
		let runway = u128::from(standing.runway.unwrap());
		assert!((runway - standing.credits / (per_block + 1)) * 100 < runway);
		assert_eq!(standing.status, Status::Active);

		// An era that nobody pays by itself, since no block has room.
		// A sweep over all groups takes longer than an era of tests, so in every other one nobody holds
		// anything: that is carried over.
		let (pool, newest) = (Service::Arion.held(), || Weights::settled(Service::Arion));
		let mut era = newest();
		for _ in 0..3 {
			let start = || pallet_ranking::CurrentEra::<Runtime>::get().start;
			chain.until(40, || System::block_number() == start() + 15);
			let before = newest();
			for _ in 0..20 {
				if newest() == before {
					full_block(&mut chain);
				}
			}
			era = newest();
			if Weights::total(Service::Arion, era.unwrap()) != Some(0) {
				break;
			}
		}
		let era = era.unwrap();
		let somebody = pair("Charlie");
		let earned = || -> Vec<u128> {
			let earnings = (0..30).map(|node| Rewards::earnings(node).unwrap());
			earnings.map(|e| e.accrued + e.withheld).collect()
		};
		let before = earned();
		send(&mut chain, || {
			let service = Service::Arion;
			let calls = vec![
				Market::settle {
					who: account("Dave"),
				}
				.into(),
				Pay::freeze { service }.into(),
				Pay::payout_page { pool, era, page: 0 }.into(),
			];
			common::signed_all(&somebody, calls)
		});
		let frozen = frozen(pool, era);
		let after = earned();
		let paid: u128 = after.iter().sum::<u128>() - before.iter().sum::<u128>();
		assert!(paid <= frozen && frozen - paid < 30, "{paid} of {frozen}");
		assert!(after
			.iter()
			.zip(&before)
			.all(|(after, before)| after > before));
		let again = fails(&mut chain, || {
			signed(&somebody, Pay::payout_page { pool, era, page: 0 })
		});
		assert_eq!(again, pallet_rewards::Error::<Runtime>::UnknownEra.into());

		// Miners.
		let stranger = fails(&mut chain, || signed(&somebody, Pay::withdraw { node: 4 }));
		assert_eq!(
			stranger,
			pallet_rewards::Error::<Runtime>::NotYourNode.into()
		);
		for node in [4, 5, 29] {
			let family = family_of(node);
			let owner = AccountId::from(family.public());
			let (before, due) = (
				Balances::free_balance(&owner),
				Rewards::earnings(node).unwrap().accrued,
			);
			send(&mut chain, || vec![signed(&family, Pay::withdraw { node })]);
			assert_eq!(Balances::free_balance(&owner), before + due - fee());
		}

		// Validators and who stakes with them.
		let staking_era = pallet_rewards::StakerEras::<Runtime>::iter_keys()
			.max()
			.unwrap();
		send(&mut chain, || {
			let validators = ["Alice", "Bob", "Charlie"].map(account);
			let calls = validators.map(|validator| {
				let page = 0;
				Pay::payout_validator {
					era: staking_era,
					validator,
					page,
				}
				.into()
			});
			common::signed_all(&pair("Ferdie"), calls.to_vec())
		});
		let frozen = pallet_rewards::StakerEras::<Runtime>::get(staking_era).unwrap();
		assert!(frozen.amount - frozen.paid < 8, "{frozen:?}");
		let eve = Rewards::stake_earnings(account("Eve"));
		// By points, then by stake, each rounded down.
		let points = pallet_staking::ErasRewardPoints::<Runtime>::get(staking_era);
		let due: u128 = ["Alice", "Bob", "Charlie"]
			.map(account)
			.iter()
			.map(|validator| {
				let mine = u128::from(*points.individual.get(validator).unwrap());
				let part = frozen.amount * mine / u128::from(points.total);
				let key = (staking_era, validator, 0);
				let page = pallet_staking::ErasStakersPaged::<Runtime>::get(key).unwrap();
				let all =
					pallet_staking::ErasStakersOverview::<Runtime>::get(staking_era, validator);
				assert_eq!(page.others.len(), 1);
				part * page.others[0].value / all.unwrap().total
			})
			.sum();
		assert_eq!(eve, due);
		assert!(
			eve * 6 > frozen.amount,
			"a quarter of all stake is hers: {eve}"
		);
		for name in ["Alice", "Eve"] {
			let who = account(name);
			let (before, due) = (
				Balances::free_balance(&who),
				Rewards::stake_earnings(who.clone()),
			);
			assert!(due > 0);
			send(&mut chain, || {
				vec![signed(&pair(name), Pay::withdraw_stake {})]
			});
			if name == "Eve" {
				assert_eq!(Balances::free_balance(&who), before + due - fee());
			}
			assert_eq!(Rewards::stake_earnings(who), 0);
		}

		// The treasury: what it gets besides are fees.
		let due = pallet_rewards::TreasuryPot::<Runtime>::get();
		assert!(due > 0);
		send(&mut chain, || vec![signed(&somebody, Pay::pay_treasury {})]);
		assert!(Rewards::totals().treasury_paid >= due);

		// The client deletes all and takes back the rest.
		let mmr_path = stored.mmr.prove(0).unwrap();
		send(&mut chain, || {
			let proof = StripeProof {
				index: 0,
				entry: stored.tree.entries()[0],
				path: stored.tree.prove(0).unwrap().try_into().unwrap(),
			};
			let call = Groups::release {
				pg: PG,
				number: 0,
				batch: stored.tree.batch(),
				path: mmr_path.clone().try_into().unwrap(),
				stripes: StripeProofs::truncate_from(vec![proof]),
				permission: Permission::Account,
			};
			vec![signed(&pair("Dave"), call)]
		});
		let batch = Marketplace::account(account("Dave")).unwrap().batches[0].id;
		send(&mut chain, || {
			vec![signed(&pair("Dave"), Market::refund { batch })]
		});
		let charged = seen();
		chain.blocks(5);
		assert_eq!(seen().charged, charged.charged, "nothing is used any more");
		assert_eq!(seen().deposited, 100 * units::ALPHA);
		assert_eq!(
			seen().deposited,
			seen().refunded + seen().charged,
			"to the rao"
		);
		let (escrow, ..) = Marketplace::pallet_accounts();
		assert_eq!(Balances::free_balance(escrow), units::EXISTENTIAL_DEPOSIT);
	});
}

/// What the newest block froze of a pool.
fn frozen(of: Pool, at: u32) -> u128 {
	let amount = |record: frame_system::EventRecord<RuntimeEvent, Hash>| match record.event {
		RuntimeEvent::Rewards(pallet_rewards::Event::EraFrozen {
			pool, era, amount, ..
		}) if pool == of && era == at => Some(amount),
		_ => None,
	};
	System::events().into_iter().find_map(amount).unwrap()
}

#[test]
fn a_slash_takes_what_was_earned_before_what_is_bonded() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = network();
		set_price(&mut chain, Service::Arion.held(), PRICE);
		stored_for_dave(&mut chain);
		chain.until(200, || Rewards::earnings(3).is_some());
		chain.open();
		let earnings = Rewards::earnings(3).unwrap();
		let earned = earnings.accrued + earnings.withheld;
		let standing = <Registry as NodePenalties>::standing(3).unwrap();
		let repair = configs::money::RepairFundAccount::get();
		let reporter = account("Ferdie");
		let (before, rewarded) = (
			Balances::free_balance(&repair),
			Balances::free_balance(&reporter),
		);
		let taken = Registry::slash(3, 10_000, Some(reporter.clone().into()));
		assert_eq!(taken, standing.required / 100);
		assert!(taken > earned && earned > 100);
		assert_eq!(Rewards::earnings(3), None);
		let after = <Registry as NodePenalties>::standing(3).unwrap();
		assert_eq!(standing.held - after.held, taken - earned);
		let bonded = taken - earned;
		assert_eq!(
			Balances::free_balance(&repair) - before,
			earned / 2 + bonded / 2
		);
		assert_eq!(
			Balances::free_balance(&reporter) - rewarded,
			earned / 5 + bonded / 5
		);
		assert_eq!(Rewards::totals().slashed, earned);
		// The smallest slash there is reaches its accounts, too: they are alive from block 0 on.
		assert_eq!(Registry::slash(4, 1, None), standing.required / 1_000_000);
		chain.close();
	});
}

#[test]
fn pages_and_settlements_leave_a_block_room() {
	use pallet_marketplace::WeightInfo as _;
	use pallet_orders::WeightInfo as _;
	use pallet_rewards::WeightInfo as _;
	let weights = <Runtime as frame_system::Config>::BlockWeights::get();
	let most = weights.get(DispatchClass::Normal).max_extrinsic.unwrap();
	type Market = <Runtime as pallet_marketplace::Config>::WeightInfo;
	type Paid = <Runtime as pallet_rewards::Config>::WeightInfo;
	type Ordered = <Runtime as pallet_orders::Config>::WeightInfo;
	let fits = |name: &str, weight: frame_support::weights::Weight, part: u64| {
		let least = most.ref_time() / part;
		println!("{name}: {} us", weight.ref_time() / 1_000_000);
		assert!(weight.ref_time() <= least, "{name}: {weight:?} of {least}");
		assert!(
			weight.proof_size() <= most.proof_size(),
			"{name}: {weight:?}"
		);
	};
	fits("a page of 128 miners", Paid::payout_page(), 4);
	fits("a settlement", Market::settle(), 40);
	fits("a page of stakers", Paid::payout_validator(), 4);
	fits("32 receipts", Market::post_egress(32), 1);
	fits("an assignment", Ordered::assign(), 40);
	// All that blocks do by themselves, in one.
	let own = Market::settle()
		.saturating_mul(16)
		.saturating_add(Market::forget_receipts())
		.saturating_add(Paid::payout_page())
		.saturating_add(Paid::freeze().saturating_mul(4))
		.saturating_add(Paid::freeze_stakers())
		.saturating_add(Ordered::assign().saturating_mul(8))
		.saturating_add(
			Ordered::advance()
				.saturating_add(Market::settle())
				.saturating_mul(8),
		);
	fits("what blocks do by themselves", own, 2);
	// An append with as many owners as a batch may have.
	let shares = <configs::economy::UsageWeight as frame_support::traits::Get<_>>::get();
	let append = {
		use pallet_placement_groups::WeightInfo as _;
		<Runtime as pallet_placement_groups::Config>::WeightInfo::append(30)
	};
	fits(
		"an append for 64 owners",
		append.saturating_add(frame_support::weights::Weight::saturating_mul(shares, 64)),
		1,
	);
}

#[test]
fn what_is_earned_and_left_can_be_asked_by_view_functions() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = network();
		set_price(&mut chain, Service::Arion.held(), PRICE);
		stored_for_dave(&mut chain);
		let bytes = Runtime::metadata_at_version(16).unwrap();
		let frame_metadata::RuntimeMetadata::V16(metadata) =
			<frame_metadata::RuntimeMetadataPrefixed as codec::Decode>::decode(&mut &bytes[..])
				.unwrap()
				.1
		else {
			panic!("not version 16");
		};
		let ask = |pallet: &str, function: &str, input: Vec<u8>| -> Vec<u8> {
			let pallet = metadata.pallets.iter().find(|p| p.name == pallet).unwrap();
			let found = pallet.view_functions.iter().find(|f| f.name == function);
			let id = codec::Encode::encode(&found.unwrap().id);
			let id = codec::Decode::decode(&mut &id[..]).unwrap();
			Runtime::execute_view_function(id, input).unwrap()
		};
		let who = codec::Encode::encode(&account("Dave"));
		let answer = ask("Marketplace", "standing", who);
		let standing: Option<pallet_marketplace::Standing> =
			codec::Decode::decode(&mut &answer[..]).unwrap();
		let standing = standing.unwrap();
		assert!(standing.credits > 0 && standing.per_day > 0 && standing.runway.is_some());
		chain.until(200, || Rewards::earnings(3).is_some());
		let answer = ask("Rewards", "earnings", codec::Encode::encode(&3u32));
		let earnings: Option<pallet_rewards::Earnings> =
			codec::Decode::decode(&mut &answer[..]).unwrap();
		assert!(earnings.unwrap().accrued > 0);
		let answer = ask("Orders", "waiting", Vec::new());
		assert_eq!(answer, vec![0]);
	});
}
