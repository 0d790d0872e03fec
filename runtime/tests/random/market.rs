//! What buyers, gateways, nodes of ordered services and those who are paid do, most often in order.

use super::{
	known::{accounts, pairs},
	ledger::{Batch, Ledger},
};
use crate::common::{pair, payment_key};
use arion_storage_proof::{stripes::owner_shares, PgLedger};
use ed25519_dalek::{Signer, SigningKey};
use fastrand::Rng;
use hippius_primitives::{
	ledger::{full, owners_hash, CompactReceipt},
	money::{chargeback_payload, EgressReceipt, Pool, Service, Source, Voucher},
	receipt::{BatchRef, Receipt, ReceiptBody},
	registration::NodeRecord,
	NodeIndex, Pg, TOTAL_SHARDS,
};
use hippius_runtime::*;
use pallet_marketplace::{Call as Buy, Grant, KeySignatures, Plan, SignedReceipt};
use pallet_orders::{Call as Order, Request, State};
use pallet_placement_groups::{ledger::StripeProofs, Call as Groups, Permission, StripeProof};
use pallet_rewards::Call as Pay;
use sp_core::Pair as _;
use sp_runtime::MultiSignature;
use std::{collections::BTreeMap, fmt};

/// Placement groups that are stored in: few, so that ledgers grow.
const GROUPS: Pg = 6;

/// What has been done so far, as far as later actions need it.
#[derive(Default)]
pub(crate) struct Market {
	/// The ledgers of all that is stored.
	pub(crate) ledgers: BTreeMap<Pg, Ledger>,
	/// Vouchers that were brought.
	vouchers: Vec<Voucher>,
	/// The orders of the block, once somebody needed them.
	orders: Option<Vec<(u64, pallet_orders::Order<AccountId>)>>,
	/// What is tried now, and the batch that is in the ledger if it succeeds.
	trying: Option<(&'static str, Option<(Pg, Batch)>)>,
	/// How often it was tried, and succeeded.
	counts: BTreeMap<&'static str, (u64, u64)>,
}

impl fmt::Display for Market {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		for (name, (tried, done)) in &self.counts {
			write!(f, "{name} {done}/{tried} ")?;
		}
		Ok(())
	}
}

/// An amount where mistakes are likely.
fn amount(rng: &mut Rng) -> u128 {
	match rng.u8(..12) {
		0 => [0, 1, 5, 6][rng.usize(..4)],
		1 => 10u128.pow(rng.u32(..39)),
		2 => u64::MAX.into(),
		3 => u128::MAX - rng.u128(..3),
		4 => 1 << rng.u32(..128),
		_ => rng.u128(1..100_000_000_000),
	}
}

fn service(rng: &mut Rng) -> Service {
	match rng.bool() {
		true => Service::Arion,
		false => Service::ALL[rng.usize(..4)],
	}
}

fn pool(rng: &mut Rng) -> Pool {
	match rng.bool() {
		true => Service::Arion.held(),
		false => Pool::ALL[rng.usize(..8)],
	}
}

fn somebody(rng: &mut Rng) -> AccountId {
	let all = accounts();
	all[rng.usize(..all.len())].clone()
}

fn genesis() -> [u8; 32] {
	System::block_hash(0).0
}

/// Two of the payment service's three keys.
fn signatures(rng: &mut Rng, payload: &[u8]) -> KeySignatures {
	let names = [["Alice", "Bob"], ["Bob", "Charlie"], ["Charlie", "Bob"]][rng.usize(..3)];
	let signed = names.map(|name| {
		let key = payment_key(name);
		(key.public().0, key.sign(payload).0)
	});
	signed.to_vec().try_into().unwrap()
}

impl Market {
	/// Notes whether what was tried last succeeded.
	pub(crate) fn tried(&mut self, done: bool) {
		let Some((name, batch)) = self.trying.take() else {
			return;
		};
		let count = self.counts.entry(name).or_default();
		count.0 += 1;
		count.1 += u64::from(done);
		if let (true, Some((pg, batch))) = (done, batch) {
			self.ledgers.entry(pg).or_default().append(batch);
		}
	}

	/// A block was opened.
	pub(crate) fn refresh(&mut self) {
		self.orders = None;
	}

	fn of(&mut self, name: &'static str, call: impl Into<RuntimeCall>) -> RuntimeCall {
		self.trying = Some((name, None));
		call.into()
	}

	/// Prices and plans, by root.
	pub(crate) fn root(&mut self, rng: &mut Rng) -> RuntimeCall {
		match rng.u8(..6) {
			0..=2 => Buy::force_alpha_price {
				price: match rng.u8(..10) {
					0 => amount(rng),
					_ => rng.u128(1_000_000..100_000_000),
				},
			},
			3 | 4 => Buy::set_price {
				pool: pool(rng),
				price: match rng.u8(..6) {
					0 => 0,
					1 => amount(rng),
					_ => rng.u128(..1 << 32) << rng.u32(..33),
				},
				from: System::block_number() + rng.u32(..8),
			},
			_ => Buy::set_plan {
				id: rng.u32(..3),
				plan: rng.bool().then(|| Plan {
					service: service(rng),
					price: rng.u128(..100_000),
					period: rng.u32(..60),
					included: rng.u64(..1 << 30),
				}),
			},
		}
		.into()
	}

	/// Something that a buyer, a gateway, a node or somebody who is paid does.
	pub(crate) fn call(
		&mut self,
		rng: &mut Rng,
		who: &AccountId,
		nodes: &[NodeRecord],
	) -> RuntimeCall {
		match rng.u8(..10) {
			0..=3 => self.buyer(rng, who),
			4 => self.payment(rng),
			5 | 6 => self.paid(rng, who),
			7 | 8 => self.order(rng, who, nodes),
			_ => match self.release(rng, who) {
				Some(call) => call,
				None => self.receipt(rng, who),
			},
		}
	}

	fn buyer(&mut self, rng: &mut Rng, who: &AccountId) -> RuntimeCall {
		match rng.u8(..12) {
			0..=3 => {
				let alpha = amount(rng);
				self.of("deposit", Buy::deposit { alpha, least: 0 })
			}
			4 => {
				let mine = Marketplace::account(who.clone()).unwrap_or_default();
				let batch = match mine.batches.len() {
					0 => rng.u64(..100),
					len => mine.batches[rng.usize(..len)].id,
				};
				self.of("refund", Buy::refund { batch })
			}
			5 => self.of("settle", Buy::settle { who: somebody(rng) }),
			6 | 7 => {
				let grant = Grant {
					units: rng.u64(..1 << 40),
					credits: amount(rng),
					until: System::block_number() + rng.u32(..1_000),
				};
				let gateway = somebody(rng);
				self.of("authorize", Buy::authorize_gateway { gateway, grant })
			}
			8 => self.of(
				"revoke",
				Buy::revoke_gateway {
					gateway: somebody(rng),
				},
			),
			9 => {
				let (plan, renew) = (rng.u32(..3), rng.bool());
				self.of("subscribe", Buy::subscribe { plan, renew })
			}
			10 => self.of(
				"unsubscribe",
				Buy::unsubscribe {
					service: service(rng),
				},
			),
			_ => self.of("repay", Buy::repay {}),
		}
	}

	/// Vouchers, new ones and known ones; what becomes of payments.
	fn payment(&mut self, rng: &mut Rng) -> RuntimeCall {
		let known = match self.vouchers.len() {
			0 => None,
			len => Some(self.vouchers[rng.usize(..len)]),
		};
		match (rng.u8(..8), known) {
			(0 | 1, Some(known)) => {
				let payment = known.payment;
				let signatures = signatures(rng, &chargeback_payload(&genesis(), &payment));
				self.of(
					"chargeback",
					Buy::chargeback {
						payment,
						signatures,
					},
				)
			}
			(2, Some(known)) => {
				let payment = known.payment;
				self.of("mature", Buy::mature { payment })
			}
			(3, Some(voucher)) => {
				let signatures = signatures(rng, &voucher.payload());
				self.of(
					"replay",
					Buy::redeem {
						voucher,
						signatures,
					},
				)
			}
			_ => {
				let mut payment = [0; 32];
				rng.fill(&mut payment);
				let now = pallet_timestamp::Now::<Runtime>::get();
				let voucher = Voucher {
					genesis: genesis(),
					source: [Source::Fiat, Source::Tao][rng.usize(..2)],
					payment,
					user: somebody(rng).into(),
					credits: amount(rng) % 10_000_000_000,
					expires: now + 60_000,
				};
				self.vouchers.push(voucher);
				let signatures = signatures(rng, &voucher.payload());
				self.of(
					"redeem",
					Buy::redeem {
						voucher,
						signatures,
					},
				)
			}
		}
	}

	fn paid(&mut self, rng: &mut Rng, who: &AccountId) -> RuntimeCall {
		let open = Rewards::open_eras();
		let (pool, era) = match open.len() {
			0 => (pool(rng), rng.u32(..100)),
			len => open[rng.usize(..len)],
		};
		match rng.u8(..12) {
			0 => self.of(
				"freeze",
				Pay::freeze {
					service: service(rng),
				},
			),
			1 | 2 => {
				let page = rng.u32(..3);
				self.of("payout_page", Pay::payout_page { pool, era, page })
			}
			3 => self.of("close_era", Pay::close_era { pool, era }),
			4..=6 => {
				let family: [u8; 32] = who.clone().into();
				let mine = pallet_rewards::Earned::<Runtime>::iter()
					.find(|(_, earned)| earned.family == family);
				let node = mine.map_or_else(|| rng.u32(..100), |(node, _)| node);
				self.of("withdraw", Pay::withdraw { node })
			}
			7 => self.of("freeze_stakers", Pay::freeze_stakers {}),
			8 => {
				let eras = pallet_rewards::StakerEras::<Runtime>::iter_keys();
				let call = Pay::payout_validator {
					era: eras.max().unwrap_or_default(),
					validator: pair(["Alice", "Bob", "Charlie"][rng.usize(..3)])
						.public()
						.into(),
					page: rng.u32(..2),
				};
				self.of("payout_validator", call)
			}
			9 => self.of("close_staker_era", Pay::close_staker_era {}),
			10 => self.of("withdraw_stake", Pay::withdraw_stake {}),
			_ => self.of("pay_treasury", Pay::pay_treasury {}),
		}
	}

	fn order(&mut self, rng: &mut Rng, who: &AccountId, nodes: &[NodeRecord]) -> RuntimeCall {
		let family: [u8; 32] = who.clone().into();
		let mine: Vec<NodeIndex> = nodes
			.iter()
			.filter(|node| node.family == family)
			.map(|node| node.index)
			.collect();
		let read = || pallet_orders::Orders::<Runtime>::iter().collect();
		let orders = self.orders.take().unwrap_or_else(read);
		let id = |rng: &mut Rng, fits: &dyn Fn(&pallet_orders::Order<AccountId>) -> bool| {
			let fitting = orders.iter().filter(|(_, order)| fits(order));
			let ids: Vec<u64> = fitting.map(|(id, _)| *id).collect();
			match ids.len() {
				0 => rng.u64(..50),
				len => ids[rng.usize(..len)],
			}
		};
		let of_mine = |order: &pallet_orders::Order<AccountId>| {
			order.state.node().is_some_and(|node| mine.contains(&node))
		};
		let owned = |order: &pallet_orders::Order<AccountId>| order.owner == *who;
		let served = |order: &pallet_orders::Order<AccountId>| {
			owned(order) && matches!(order.state, State::Active { .. })
		};
		let call = match rng.u8(..12) {
			0 | 1 => {
				let node = match mine.len() {
					0 => rng.u32(..50),
					len => mine[rng.usize(..len)],
				};
				let call = Order::offer {
					node,
					service: service(rng),
					capacity: rng.u64(..1_000),
				};
				self.of("offer", call)
			}
			2..=4 => {
				let request = Request {
					service: Service::ALL[rng.usize(1..4)],
					spec: vec![1; rng.usize(..10)].try_into().unwrap(),
					units: rng.u64(..100),
					idle_units: rng.u64(..20),
					term: rng.u32(..200),
				};
				self.of("request", Order::request { request })
			}
			5..=7 => self.of(
				"accept",
				Order::accept {
					id: id(rng, &of_mine),
				},
			),
			8 => self.of(
				"decline",
				Order::decline {
					id: id(rng, &of_mine),
				},
			),
			9 => {
				let (id, running) = (id(rng, &served), rng.bool());
				self.of("set_running", Order::set_running { id, running })
			}
			10 => match rng.bool() {
				true => self.of(
					"cancel",
					Order::cancel {
						id: id(rng, &owned),
					},
				),
				false => {
					let (id, blocks) = (id(rng, &owned), rng.u32(..100));
					self.of("renew", Order::renew { id, blocks })
				}
			},
			_ => self.of(
				"advance",
				Order::advance {
					id: id(rng, &|_| true),
				},
			),
		};
		self.orders = Some(orders);
		call
	}

	/// A client's word for what it received.
	fn receipt(&mut self, rng: &mut Rng, who: &AccountId) -> RuntimeCall {
		let clients = pairs();
		let own = clients
			.iter()
			.find(|pair| AccountId::from(pair.public()) == *who);
		let client = match own {
			Some(own) if rng.bool() => own,
			_ => &clients[rng.usize(..clients.len())],
		};
		let receipt = EgressReceipt {
			genesis: genesis(),
			client: client.public().0,
			gateway: who.clone().into(),
			service: service(rng),
			node: rng.u32(..30),
			epoch: ClusterMap::epoch().saturating_sub(rng.u32(..2)),
			bytes: match rng.u8(..4) {
				0 => amount(rng) as u64,
				_ => rng.u64(..1 << 30),
			},
		};
		let signature = MultiSignature::Sr25519(client.sign(&receipt.payload()));
		let receipts = vec![SignedReceipt { receipt, signature }];
		let receipts = receipts.try_into().unwrap();
		self.of("post_egress", Buy::post_egress { receipts })
	}

	/// Appends a batch, most often of `who`, with receipts of all its members, if there are enough.
	pub(crate) fn append(
		&mut self,
		rng: &mut Rng,
		who: &AccountId,
		keys: &BTreeMap<[u8; 32], SigningKey>,
		nodes: &[NodeRecord],
	) -> Option<RuntimeCall> {
		let (pg, epoch) = (rng.u32(..GROUPS), ClusterMap::epoch());
		let owner = match rng.u8(..4) {
			0 => somebody(rng),
			_ => who.clone(),
		};
		let stored = Batch::new(rng, &owner);
		let batch = stored.tree.batch();
		let owners = owner_shares(stored.tree.entries()).unwrap();
		let reference = BatchRef {
			genesis: genesis(),
			pg,
			epoch,
			root: batch.root,
			bytes: batch.bytes,
			stripes: batch.stripes,
			owners: owners_hash(&owners),
		};
		let members = PlacementGroups::up_set(pg).ok()?;
		let receipts: Vec<_> = members
			.into_iter()
			.flatten()
			.filter_map(|node| {
				let at = nodes.binary_search_by_key(&node, |node| node.index).ok()?;
				let key = keys.get(&nodes[at].key.0)?;
				let body = ReceiptBody {
					batch: reference,
					held: full(batch.stripes),
					node,
				};
				let signature = key.sign(&body.payload()).to_bytes();
				Some(CompactReceipt::new(&Receipt { body, signature }))
			})
			.collect();
		let call = Groups::append {
			pg,
			epoch,
			batch,
			owners: owners.try_into().unwrap(),
			receipts: receipts.try_into().ok()?,
		};
		self.trying = Some(("append", Some((pg, stored))));
		Some(call.into())
	}

	/// Has somebody asked for a byte, most often one that there is.
	pub(crate) fn challenge(&mut self, rng: &mut Rng) -> RuntimeCall {
		let pg = rng.u32(..=GROUPS);
		let bytes =
			<PlacementGroups as PgLedger>::peaks(pg).map_or(0, |peaks| peaks.total().unwrap());
		let call = pallet_audits::Call::challenge {
			pg,
			slot: rng.u8(..=TOTAL_SHARDS as u8),
			offset: rng.u64(..=bytes),
		};
		self.of("challenge", call)
	}

	/// Lets go a stripe of `who`, perhaps once more.
	fn release(&mut self, rng: &mut Rng, who: &AccountId) -> Option<RuntimeCall> {
		let me: [u8; 32] = who.clone().into();
		let (pg, ledger) = self.ledgers.iter().nth(rng.usize(..GROUPS as usize))?;
		let number = rng.usize(..ledger.batches().len());
		let tree = &ledger.batches()[number].tree;
		let permission = match tree.entries()[0].owner == me {
			true => Permission::Account,
			false => Permission::Expired,
		};
		let index = rng.u32(..tree.batch().stripes);
		let proof = StripeProof {
			index,
			entry: tree.entries()[index as usize],
			path: tree.prove(index).unwrap().try_into().unwrap(),
		};
		let call = Groups::release {
			pg: *pg,
			number: number as u64,
			batch: tree.batch(),
			path: ledger
				.mmr()
				.prove(number as u64)
				.unwrap()
				.try_into()
				.unwrap(),
			stripes: StripeProofs::truncate_from(vec![proof]),
			permission,
		};
		Some(self.of("release", call))
	}
}
