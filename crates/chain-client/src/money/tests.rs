//! What is sent and read is what the runtime reads and writes: each is taken apart with the runtime's own
//! types, to the last byte.

#![allow(clippy::unwrap_used)]

use super::{names, *};
use crate::contract::METADATA;
use codec::Encode;
use hippius_economy::{index::Meter, Batch, Funding};
use hippius_primitives::money::{Pool, Service, Source, Voucher};
use subxt::{ext::scale_value::scale::decode_as_type, metadata::Metadata};

const POOL: Pool = Service::Arion.held();

fn metadata() -> Metadata {
	Metadata::decode_from(METADATA).unwrap()
}

/// Reads bytes as a type of the runtime's; all of them must be used.
fn reads(metadata: &Metadata, ty: u32, bytes: &[u8], what: &str) {
	let mut rest = bytes;
	decode_as_type(&mut rest, ty, metadata.types()).unwrap_or_else(|e| panic!("{what}: {e}"));
	assert!(rest.is_empty(), "{what}: {} bytes are left", rest.len());
}

fn grant() -> UsageGrant {
	UsageGrant {
		units: 1,
		credits: 2,
		until: 3,
	}
}

fn calls() -> Vec<MoneyCall> {
	let voucher = Voucher {
		genesis: [1; 32],
		source: Source::Fiat,
		payment: [2; 32],
		user: [3; 32],
		credits: 4,
		expires: 5,
	};
	vec![
		MoneyCall::Deposit { alpha: 1, least: 2 },
		MoneyCall::Refund { batch: 3 },
		MoneyCall::Redeem {
			voucher,
			signatures: vec![([1; 32], [2; 64]); 3],
		},
		MoneyCall::Repay,
		MoneyCall::Settle { who: [1; 32] },
		MoneyCall::Authorize {
			gateway: [1; 32],
			grant: grant(),
		},
		MoneyCall::Revoke { gateway: [1; 32] },
		MoneyCall::ForceAlphaPrice { price: 1 },
		MoneyCall::SetPrice {
			pool: POOL,
			price: 1,
			from: 2,
		},
		MoneyCall::PayoutPage {
			pool: POOL,
			era: 1,
			page: 2,
		},
		MoneyCall::Withdraw { node: 1 },
		MoneyCall::PayoutValidator {
			era: 1,
			validator: [1; 32],
			page: 2,
		},
		MoneyCall::WithdrawStake,
		MoneyCall::PayTreasury,
		MoneyCall::Request(OrderRequest {
			service: Service::S3,
			spec: vec![1, 2, 3],
			units: 1,
			idle_units: 2,
			term: 3,
		}),
		MoneyCall::SetRunning {
			id: 1,
			running: true,
		},
		MoneyCall::Renew { id: 1, blocks: 2 },
		MoneyCall::Cancel { id: 1 },
	]
}

#[test]
fn calls_are_what_the_runtime_reads() {
	let metadata = metadata();
	let calls = calls();
	// And the administrator's, which takes any.
	assert_eq!(calls.len() + 1, names::CALLS.len());
	for call in calls {
		let name = call.name();
		let pallet = metadata.pallet_by_name(name.pallet).unwrap();
		let variant = pallet.call_variant_by_name(name.name).unwrap();
		let arguments = call.arguments();
		assert_eq!(arguments.len(), variant.fields.len(), "{}", name.name);
		for (field, bytes) in variant.fields.iter().zip(&arguments) {
			reads(&metadata, field.ty.id, bytes, name.name);
		}
	}
}

fn account() -> MarketAccount {
	let fiat = Funding::Fiat {
		payment: [1; 32],
		frozen_until: 2,
	};
	let batch = |funding| Batch {
		id: 1,
		credits: 2,
		alpha: 3,
		funding,
	};
	MarketAccount {
		batches: vec![batch(Funding::Alpha), batch(Funding::Tao), batch(fiat)],
		locked: 1,
		lines: vec![MarketLine {
			pool: POOL,
			meter: Meter {
				units: 7,
				index: 8,
				rest: 9,
			},
			debt: 1,
		}],
		subscriptions: vec![Subscription {
			id: 1,
			plan: ServicePlan {
				service: Service::S3,
				price: 1,
				period: 2,
				included: 3,
			},
			start: 1,
			billed: 2,
			renew: true,
		}],
		frozen: vec![[1; 32]],
		gateways: vec![([5; 32], grant())],
		minted: (1, 2),
		owes: 3,
		status: MarketStatus::Grace { since: 4 },
	}
}

fn order() -> Order {
	Order {
		owner: [1; 32],
		request: OrderRequest {
			service: Service::Ipfs,
			spec: vec![1],
			units: 2,
			idle_units: 1,
			term: 3,
		},
		state: OrderState::Active {
			node: 1,
			running: false,
		},
		until: 5,
		passed: vec![1, 2],
		attempts: 3,
	}
}

#[test]
fn storage_is_what_we_decode() {
	let metadata = metadata();
	let era_pool = EraPool {
		amount: 1,
		weight: 2,
		period: 3,
		paid: 4,
		pages: 70,
		left: 2,
		done: vec![u64::MAX, 0b101],
	};
	assert_eq!(era_pool.unpaid().collect::<Vec<_>>(), [65, 67, 68, 69]);
	let totals = EraTotals {
		blocks: 1,
		nodes: 2,
		byte_blocks: 3,
		weight: 4,
		complete: true,
	};
	let entry = EraEntry {
		node: 1,
		byte_blocks: 2,
		score: 3,
		weight: 4,
	};
	let earned = NodeEarnings {
		family: [1; 32],
		accrued: 2,
		withheld: 3,
	};
	let values = [
		(&names::ACCOUNTS, account().encode()),
		(&names::SUMS, RevenueTotals::default().encode()),
		(&names::EARNED, earned.encode()),
		(&names::STAKER_EARNED, 1u128.encode()),
		(&names::STAKERS_FROZEN, 1u32.encode()),
		(&names::OPEN_ERAS, vec![(POOL, 1u32)].encode()),
		(&names::ERA_POOLS, era_pool.encode()),
		(&names::ORDERS_BY_ID, order().encode()),
		(&names::CURRENT_ERA, RunningEra::default().encode()),
		(&names::ERAS, totals.encode()),
		(&names::ERA_PAGES, vec![entry].encode()),
		(&names::ISSUANCE, 1u128.encode()),
		(&names::VALIDATORS, vec![[1u8; 32]].encode()),
	];
	assert_eq!(values.len(), names::STORAGE.len());
	for (item, bytes) in values {
		let pallet = metadata.pallet_by_name(item.pallet).unwrap();
		let entry = pallet.storage().unwrap().entry_by_name(item.name).unwrap();
		reads(&metadata, entry.value_ty(), &bytes, item.name);
	}
	assert_eq!(account().units(Service::Arion), 7);
	assert_eq!(account().units(Service::S3), 0);
	assert!(account().grant(&[5; 32]).is_some() && account().grant(&[6; 32]).is_none());
}

#[test]
fn view_functions_answer_what_we_decode() {
	let metadata = metadata();
	let standing = MarketStanding {
		credits: 1,
		locked: 2,
		debt: 3,
		per_day: 4,
		runway: Some(5),
		floor: 6,
		owes: 7,
		status: MarketStatus::Expired { since: 8 },
	};
	let answers = [
		(&names::STANDING, Some(standing).encode()),
		(&names::QUOTE, Some(1u128).encode()),
		(&names::PRICE, 1u128.encode()),
		(&names::PALLET_ACCOUNTS, [[1u8; 32]; 3].encode()),
	];
	assert_eq!(answers.len(), names::VIEWS.len());
	for (item, bytes) in answers {
		let pallet = metadata.pallet_by_name(item.pallet).unwrap();
		let function = pallet.view_function_by_name(item.name).unwrap();
		reads(&metadata, function.output_ty(), &bytes, item.name);
	}
	for pallet in ["Marketplace", "Rewards"] {
		let pallet = metadata.pallet_by_name(pallet).unwrap();
		let id = pallet.constant_by_name("PalletId").unwrap();
		assert_eq!(id.value().len(), 8);
	}
}

#[test]
fn events_are_what_we_decode() {
	let metadata = metadata();
	let (who, node) = ([1u8; 32], 7u32);
	let events = [
		(
			"Marketplace",
			"Deposited",
			(who, 1u128, 2u128, 3u128).encode(),
		),
		("Marketplace", "Refunded", (who, 1u128, 2u128).encode()),
		(
			"Marketplace",
			"Charged",
			(who, POOL, 1u128, 2u128, 3u128).encode(),
		),
		(
			"Rewards",
			"RevenueSplit",
			(POOL, 10u128, 6u128, 3u128, 1u128).encode(),
		),
		("Rewards", "TreasuryPaid", 1u128.encode()),
		(
			"Rewards",
			"EraFrozen",
			(POOL, 1u32, 2u128, 3u128, 4u32).encode(),
		),
		(
			"Rewards",
			"PagePaid",
			(POOL, 1u32, 2u32, 3u32, 4u128).encode(),
		),
		("Rewards", "NodeCredited", (node, 1u128, 2u128).encode()),
		("Rewards", "Withdrawn", (node, who, 1u128).encode()),
		("Rewards", "StakerEraFrozen", (1u32, 2u128, 3u32).encode()),
		(
			"Rewards",
			"ValidatorPaid",
			(1u32, who, 2u32, 3u128).encode(),
		),
		("Rewards", "StakeWithdrawn", (who, 1u128).encode()),
	];
	for (pallet, name, bytes) in events {
		let fields = {
			let pallet = metadata.pallet_by_name(pallet).unwrap();
			let variants = pallet.event_variants().unwrap();
			let variant = variants.iter().find(|event| event.name == name).unwrap();
			variant.fields.iter().map(|f| f.ty.id).collect::<Vec<_>>()
		};
		let mut rest = &bytes[..];
		for field in fields {
			decode_as_type(&mut rest, field, metadata.types()).unwrap();
		}
		assert!(rest.is_empty(), "{name}");
		assert!(MoneyEvent::read(pallet, name, &bytes).unwrap().is_some());
		// A byte too few or too many is no event.
		let short = &bytes[..bytes.len() - 1];
		assert!(MoneyEvent::read(pallet, name, short).is_err(), "{name}");
		let long = [&bytes[..], &[0]].concat();
		assert!(MoneyEvent::read(pallet, name, &long).is_err(), "{name}");
	}
	let read = |fields: &[u8]| MoneyEvent::read("Sudo", "Sudid", fields).unwrap();
	assert_eq!(read(&[1, 3]), Some(MoneyEvent::AdministratorFailed));
	assert_eq!(read(&[0]), None);
	assert_eq!(MoneyEvent::read("System", "Remarked", &[]).unwrap(), None);
}
