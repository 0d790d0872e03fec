//! The networks' first states, by name.
//!
//! - [`DEVELOPMENT`]: one validator, Alice; here and in the next Eve stakes with all validators
//! - [`LOCAL`]: three validators, Alice, Bob and Charlie; sessions, which are staking eras, of two minutes
//! - [`MAIN`]: the main network, with **placeholder** keys nobody holds: a chain made from it cannot
//!   author until they are replaced, see [`is_placeholder`]

use crate::{
	configs::{
		money::{RepairFundAccount, TreasuryAccount},
		BABE_GENESIS_EPOCH_CONFIG,
	},
	units::ALPHA,
	*,
};
use alloc::{format, string::ToString, vec, vec::Vec};
use arion_crush::cluster::FailureDomain;
use frame_support::build_struct_json_patch;
use pallet_cluster_map::PlacementConfig;
use pallet_heartbeats::HeartbeatConfig;
use pallet_marketplace::Terms;
use pallet_ranking::EraConfig;
use pallet_staking::{Forcing, StakerStatus};
use sp_core::{ed25519, sr25519, ByteArray};
use sp_genesis_builder::{PresetId, DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};
use sp_io::hashing::blake2_256;
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};
use sp_runtime::Perbill;

/// Name of the preset with one validator.
pub const DEVELOPMENT: &str = DEV_RUNTIME_PRESET;
/// Name of the preset with three validators.
pub const LOCAL: &str = LOCAL_TESTNET_RUNTIME_PRESET;
/// Name of the main network's preset.
pub const MAIN: &str = "main";

/// What the well-known test accounts start with.
const ENDOWMENT: Balance = 1_000_000 * ALPHA;
/// What a genesis validator bonds.
const STAKE: Balance = 10_000 * ALPHA;
/// Validators of the main preset.
const MAIN_VALIDATORS: u32 = 4;

/// Blocks of what counts as a day on test networks: ten minutes.
const DAY_OF_TESTS: u32 = 100;

/// A genesis validator.
struct Validator {
	account: AccountId,
	keys: SessionKeys,
}

impl Validator {
	fn well_known(account: Sr25519Keyring, grandpa: Ed25519Keyring) -> Self {
		Self::new(account.to_account_id(), account.public(), grandpa.public())
	}

	fn new(account: AccountId, sr25519: sr25519::Public, ed25519: ed25519::Public) -> Self {
		Self {
			account,
			keys: SessionKeys {
				grandpa: ed25519.into(),
				babe: sr25519.into(),
				im_online: sr25519.into(),
				authority_discovery: sr25519.into(),
			},
		}
	}

	fn placeholder(number: u32) -> Self {
		let bytes = placeholder(number);
		Self::new(
			bytes.into(),
			sr25519::Public::from_raw(bytes),
			ed25519::Public::from_raw(bytes),
		)
	}
}

/// The bytes that stand where the main network's validator `number` will put its account and keys.
fn placeholder(number: u32) -> [u8; 32] {
	blake2_256(format!("hippius main placeholder validator {number}").as_bytes())
}

/// Whether `key` is one of the main preset's placeholders, for which nobody holds a secret.
pub fn is_placeholder(key: &sp_consensus_babe::AuthorityId) -> bool {
	(0..MAIN_VALIDATORS).any(|number| key.as_slice() == placeholder(number))
}

/// What one network differs in from another.
struct Preset {
	validators: Vec<Validator>,
	/// Who stakes `STAKE` with all of them.
	nominators: Vec<AccountId>,
	balances: Vec<(AccountId, Balance)>,
	council: Vec<AccountId>,
	sudo: Option<AccountId>,
	slots_per_epoch: u64,
	sessions_per_era: u32,
	key_overlap: Option<BlockNumber>,
	unbonding_period: Option<BlockNumber>,
	snapshot_period: Option<BlockNumber>,
	backfill_period: Option<BlockNumber>,
	placement: PlacementConfig,
	audits: pallet_audits::Rules,
	heartbeat: HeartbeatConfig,
	eras: EraConfig,
	market: Market,
}

/// How credits begin.
struct Market {
	terms: Terms,
	/// Rao in the float, which backs vouchers, and in the reserve, which covers chargebacks.
	funds: (Balance, Balance),
	/// The payment service's keys; without any there are no vouchers.
	keys: Vec<[u8; 32]>,
}

impl Preset {
	/// What accounts start with. Those that get parts of anything, however small, are alive from the
	/// beginning: nobody can move money to an account below its least balance.
	fn all_balances(&self) -> Vec<(AccountId, Balance)> {
		let least = units::EXISTENTIAL_DEPOSIT;
		let (escrow, float, reserve) = Marketplace::pallet_accounts();
		let (in_float, in_reserve) = self.market.funds;
		let mut balances = self.balances.clone();
		balances.extend([
			(TreasuryAccount::get(), least),
			(RepairFundAccount::get(), least),
			(Rewards::account(), least),
			(escrow, least),
			(float, least + in_float),
			(reserve, least + in_reserve),
		]);
		balances
	}

	fn stakers(&self) -> Vec<(AccountId, AccountId, Balance, StakerStatus<AccountId>)> {
		let validators: Vec<_> = self
			.validators
			.iter()
			.map(|validator| validator.account.clone())
			.collect();
		let staker =
			|account: &AccountId, status| (account.clone(), account.clone(), STAKE, status);
		let validating = validators
			.iter()
			.map(|account| staker(account, StakerStatus::Validator));
		let nominating = self
			.nominators
			.iter()
			.map(|account| staker(account, StakerStatus::Nominator(validators.clone())));
		validating.chain(nominating).collect()
	}

	fn to_json(&self) -> serde_json::Value {
		build_struct_json_patch!(RuntimeGenesisConfig {
			network: NetworkConfig {
				slots_per_epoch: self.slots_per_epoch,
				sessions_per_era: self.sessions_per_era,
				key_overlap: self.key_overlap,
				unbonding_period: self.unbonding_period,
				snapshot_period: self.snapshot_period,
				backfill_period: self.backfill_period,
			},
			balances: BalancesConfig {
				balances: self.all_balances()
			},
			cluster_map: ClusterMapConfig {
				placement: self.placement.clone()
			},
			audits: AuditsConfig { rules: self.audits },
			heartbeats: HeartbeatsConfig {
				heartbeat: self.heartbeat
			},
			ranking: RankingConfig { ranking: self.eras },
			marketplace: MarketplaceConfig {
				market: self.market.terms,
				prices: Vec::new(),
				// Whoever tells it first does so by force.
				alpha_price: 0,
				payment_keys: self.market.keys.clone(),
			},
			babe: BabeConfig {
				epoch_config: BABE_GENESIS_EPOCH_CONFIG
			},
			staking: StakingConfig {
				validator_count: self.validators.len() as u32,
				minimum_validator_count: 1,
				force_era: Forcing::NotForcing,
				slash_reward_fraction: Perbill::from_percent(10),
				stakers: self.stakers(),
				min_validator_bond: STAKE / 10,
				min_nominator_bond: ALPHA,
			},
			session: SessionConfig {
				keys: self
					.validators
					.iter()
					.map(|validator| {
						let account = &validator.account;
						(account.clone(), account.clone(), validator.keys.clone())
					})
					.collect(),
			},
			council: CouncilConfig {
				members: self.council.clone()
			},
			sudo: SudoConfig {
				key: self.sudo.clone()
			},
		})
	}
}

/// Alice to Ferdie.
fn well_known_accounts() -> Vec<AccountId> {
	[
		Sr25519Keyring::Alice,
		Sr25519Keyring::Bob,
		Sr25519Keyring::Charlie,
		Sr25519Keyring::Dave,
		Sr25519Keyring::Eve,
		Sr25519Keyring::Ferdie,
	]
	.into_iter()
	.map(Sr25519Keyring::to_account_id)
	.collect()
}

fn test_network(validators: Vec<Validator>, slots_per_epoch: u64) -> Preset {
	let accounts = well_known_accounts();
	Preset {
		validators,
		nominators: vec![Sr25519Keyring::Eve.to_account_id()],
		balances: accounts
			.iter()
			.map(|account| (account.clone(), ENDOWMENT))
			.collect(),
		council: accounts.into_iter().take(3).collect(),
		sudo: Some(Sr25519Keyring::Alice.to_account_id()),
		slots_per_epoch,
		sessions_per_era: 1,
		key_overlap: Some(units::MINUTES),
		unbonding_period: Some(2 * units::MINUTES),
		snapshot_period: Some(units::MINUTES / 2),
		backfill_period: Some(2 * units::MINUTES),
		placement: PlacementConfig {
			failure_domain: FailureDomain::Host,
			pg_num: 128,
			epoch_blocks: 5,
			growth_blocks: DAY_OF_TESTS,
			..PlacementConfig::default()
		},
		// As many draws as blocks take: even a node that lost little is found out within minutes.
		audits: pallet_audits::Rules {
			samples_per_node: 100,
			evict_after: 15,
			..pallet_audits::Rules::fast()
		},
		// Windows of 36 seconds; down after two that were missed, out after eight: later than a demo
		// that kills most of the network is over.
		heartbeat: HeartbeatConfig {
			window_blocks: 6,
			report_blocks: 5,
			beats_per_window: 3,
			rotation_windows: 5,
			day_windows: 20,
			down_windows: 2,
			out_windows: 8,
			notice_blocks: 10,
			absence_blocks: 200,
			absent_percent: 20,
		},
		eras: EraConfig {
			era_blocks: 20,
			day_blocks: DAY_OF_TESTS,
			sweep_blocks: 5,
		},
		// Storage costs nothing until root sets a price.
		market: Market {
			terms: Terms {
				floor_blocks: DAY_OF_TESTS,
				grace_blocks: DAY_OF_TESTS / 5,
				notice_blocks: 2,
				freeze_ms: 10 * 60_000,
				day_ms: 10 * 60_000,
				least_credits: 1,
				..Terms::default()
			},
			funds: (10_000 * ALPHA, 1_000 * ALPHA),
			keys: [
				Ed25519Keyring::Alice,
				Ed25519Keyring::Bob,
				Ed25519Keyring::Charlie,
			]
			.map(|key| key.public().0)
			.to_vec(),
		},
	}
}

fn development() -> Preset {
	test_network(
		vec![Validator::well_known(
			Sr25519Keyring::Alice,
			Ed25519Keyring::Alice,
		)],
		20,
	)
}

fn local() -> Preset {
	test_network(
		vec![
			Validator::well_known(Sr25519Keyring::Alice, Ed25519Keyring::Alice),
			Validator::well_known(Sr25519Keyring::Bob, Ed25519Keyring::Bob),
			Validator::well_known(Sr25519Keyring::Charlie, Ed25519Keyring::Charlie),
		],
		20,
	)
}

fn main_network() -> Preset {
	let validators: Vec<_> = (0..MAIN_VALIDATORS).map(Validator::placeholder).collect();
	let accounts: Vec<_> = validators
		.iter()
		.map(|validator| validator.account.clone())
		.collect();
	Preset {
		balances: accounts
			.iter()
			.map(|account| (account.clone(), 2 * STAKE))
			.collect(),
		council: accounts,
		sudo: None,
		slots_per_epoch: 600,
		sessions_per_era: 6,
		key_overlap: None,
		unbonding_period: None,
		snapshot_period: None,
		backfill_period: None,
		// Six zones, five shards in each, by family.
		placement: PlacementConfig::default(),
		audits: pallet_audits::Rules::default(),
		heartbeat: HeartbeatConfig::default(),
		eras: EraConfig::default(),
		nominators: Vec::new(),
		// The treasury fills float and reserve; root names keys and prices.
		market: Market {
			terms: Terms::default(),
			funds: (0, 0),
			keys: Vec::new(),
		},
		validators,
	}
}

/// The JSON patch of preset `id` over the default genesis.
pub fn preset(id: &PresetId) -> Option<Vec<u8>> {
	let preset = match id.as_ref() {
		DEVELOPMENT => development(),
		LOCAL => local(),
		MAIN => main_network(),
		_ => return None,
	};
	Some(preset.to_json().to_string().into_bytes())
}

/// The presets there are.
pub fn preset_names() -> Vec<PresetId> {
	vec![DEVELOPMENT.into(), LOCAL.into(), MAIN.into()]
}
