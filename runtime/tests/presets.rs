//! Every preset builds a state on which blocks can be made.
#![allow(clippy::unwrap_used)]

mod common;

use common::{externalities, genesis_json, Chain};
use frame_support::traits::Get;
use hippius_runtime::{genesis, *};

#[test]
fn every_preset_builds_and_goes_on() {
	for name in genesis::preset_names() {
		externalities(name.as_ref()).execute_with(|| {
			let validators = Session::validators().len();
			assert!(validators > 0, "{name}");
			assert_eq!(Babe::authorities().len(), validators);
			assert_eq!(Grandpa::grandpa_authorities().len(), validators);
			assert_eq!(AuthorityDiscovery::authorities().len(), validators);
			assert_eq!(
				pallet_staking::Validators::<Runtime>::count() as usize,
				validators
			);
			Chain::new().blocks(3);
			assert_eq!(System::block_number(), 3);
		});
	}
}

#[test]
fn the_default_genesis_builds() {
	let json = serde_json::to_vec(&RuntimeGenesisConfig::default()).unwrap();
	sp_io::TestExternalities::new_empty().execute_with(|| {
		frame_support::genesis_builder_helper::build_state::<RuntimeGenesisConfig>(json).unwrap();
	});
}

#[test]
fn an_unknown_preset_is_none() {
	assert_eq!(genesis::preset(&"elsewhere".into()), None);
}

#[test]
fn nobody_can_close_the_accounts_of_slashes_and_charges() {
	use configs::money::{RepairFundAccount, TreasuryAccount};
	use frame_support::traits::{
		fungible::{Balanced, Inspect, Mutate},
		tokens::{Fortitude, Preservation},
	};
	for name in genesis::preset_names() {
		externalities(name.as_ref()).execute_with(|| {
			let (escrow, float, reserve) = Marketplace::pallet_accounts();
			let pots = Rewards::account();
			for account in [escrow, float, reserve, pots] {
				assert!(Balances::free_balance(account) >= units::EXISTENTIAL_DEPOSIT);
			}
			for account in [RepairFundAccount::get(), TreasuryAccount::get()] {
				let least = units::EXISTENTIAL_DEPOSIT;
				assert_eq!(Balances::free_balance(&account), least);
				// As a spend of the treasury takes all there is.
				let (expendable, polite) = (Preservation::Expendable, Fortitude::Polite);
				assert_eq!(Balances::reducible_balance(&account, expendable, polite), 0);
				let other = common::account("Alice");
				assert!(
					<Balances as Mutate<_>>::transfer(&account, &other, least, expendable).is_err()
				);
				// A rao reaches it.
				let credit = <Balances as Balanced<AccountId>>::issue(1);
				assert!(<Balances as Balanced<AccountId>>::resolve(&account, credit).is_ok());
			}
		});
	}
}

#[test]
fn networks_differ_in_state_only() {
	let epoch =
		|name: &str| externalities(name).execute_with(<configs::EpochDuration as Get<u64>>::get);
	assert_eq!(epoch(genesis::LOCAL), 20);
	assert_eq!(epoch(genesis::MAIN), 600);
	let unbonding = |name: &str| {
		externalities(name).execute_with(dynamic_params::registry::UnbondingPeriod::get)
	};
	assert!(unbonding(genesis::LOCAL) < 10 * units::MINUTES);
	assert_eq!(unbonding(genesis::MAIN), 28 * units::DAYS);
}

#[test]
fn only_test_networks_have_a_sudo_key() {
	let sudo = |name: &str| externalities(name).execute_with(pallet_sudo::Key::<Runtime>::get);
	assert!(sudo(genesis::DEVELOPMENT).is_some());
	assert!(sudo(genesis::LOCAL).is_some());
	assert_eq!(sudo(genesis::MAIN), None);
}

#[test]
fn only_the_main_preset_has_placeholder_keys() {
	let placeholders = |name: &str| {
		externalities(name).execute_with(|| {
			Babe::authorities()
				.iter()
				.filter(|(key, _)| genesis::is_placeholder(key))
				.count()
		})
	};
	assert_eq!(placeholders(genesis::DEVELOPMENT), 0);
	assert_eq!(placeholders(genesis::LOCAL), 0);
	assert_eq!(placeholders(genesis::MAIN), 4);
}

#[test]
fn genesis_has_no_pallet_by_another_name() {
	let json: serde_json::Value = serde_json::from_slice(&genesis_json(genesis::LOCAL)).unwrap();
	let known = serde_json::to_value(RuntimeGenesisConfig::default()).unwrap();
	for key in json.as_object().unwrap().keys() {
		assert!(known.get(key).is_some(), "{key}");
	}
}
