//! What is configured, and what is kept of accounts, payments, plans.

use alloc::{format, string::String};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use hippius_economy::{
	index::{Meter, Point},
	total, Batch, MAX_BATCHES,
};
use hippius_primitives::money::{EgressReceipt, Pool, Service};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// Most price changes of a pool that are remembered.
pub(crate) const MAX_POINTS: u32 = 32;
/// Pools, and so most lines of an account.
pub(crate) const MAX_LINES: u32 = 8;
/// Services, and so most subscriptions of an account.
pub(crate) const MAX_SUBSCRIPTIONS: u32 = 4;
/// Most gateways of an account.
pub(crate) const MAX_GATEWAYS: u32 = 8;
/// Keys of the payment service, and how many of them must sign.
pub(crate) const PAYMENT_KEYS: u32 = 3;
/// How many keys must sign.
pub(crate) const PAYMENT_QUORUM: u32 = 2;
/// Most receipts in one call.
pub const MAX_RECEIPTS: u32 = 32;
/// Most subscription periods settled at one time.
pub(crate) const MAX_PERIODS: u32 = 4;

/// A pool's prices, ascending by block.
pub type Points = BoundedVec<Point, ConstU32<MAX_POINTS>>;
/// What of a payment is spent, but not paid out.
pub type Pending = BoundedVec<(Pool, u128), ConstU32<MAX_LINES>>;
/// Keys of the payment service.
pub type PaymentKeys = BoundedVec<[u8; 32], ConstU32<PAYMENT_KEYS>>;
/// Ed25519 keys with their signatures.
pub type KeySignatures = BoundedVec<([u8; 32], [u8; 64]), ConstU32<PAYMENT_KEYS>>;
/// Receipts with the clients' signatures.
pub type Receipts = BoundedVec<SignedReceipt, ConstU32<MAX_RECEIPTS>>;

/// Lengths and limits.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Terms {
	/// For so many blocks of all it uses an account must have credits to use more.
	pub floor_blocks: u32,
	/// Blocks between the notice that credits run out and the release of data, at least.
	pub grace_blocks: u32,
	/// Blocks between the notice of a price and the price, at least.
	pub notice_blocks: u32,
	/// What a payment that can be charged back pays for is paid out so many ms later.
	pub freeze_ms: u64,
	/// A day of caps, in ms.
	pub day_ms: u64,
	/// Credits that vouchers of one source may bring in a day.
	pub source_cap: u64,
	/// Credits that vouchers may bring one account in a day.
	pub user_cap: u64,
	/// Fewest credits of a deposit or voucher.
	pub least_credits: u64,
}

impl Default for Terms {
	/// The main network's: a week, a week, a week, 30 days; 100 000 and 5 000 dollars; a cent.
	fn default() -> Self {
		Self {
			floor_blocks: 100_800,
			grace_blocks: 100_800,
			notice_blocks: 100_800,
			freeze_ms: 30 * 86_400_000,
			day_ms: 86_400_000,
			source_cap: 100_000_000_000,
			user_cap: 5_000_000_000,
			least_credits: 10_000,
		}
	}
}

impl Terms {
	/// Whether a market works by this; the error names the flaw.
	pub fn check(&self) -> Result<(), String> {
		let zero = [
			("floorBlocks", u64::from(self.floor_blocks)),
			("graceBlocks", u64::from(self.grace_blocks)),
			("dayMs", self.day_ms),
			("leastCredits", self.least_credits),
		];
		match zero.iter().find(|(_, value)| *value == 0) {
			Some((name, _)) => Err(format!("{name} must not be zero")),
			None => Ok(()),
		}
	}
}

/// How an account is doing.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum Status {
	/// It can pay for what it uses.
	#[default]
	#[codec(index = 0)]
	Active,
	/// Its credits are below the floor: nothing new, until it has more.
	#[codec(index = 1)]
	Grace {
		/// Block of the notice.
		since: u32,
	},
	/// Its credits ran out and the grace is over: whoever likes may release what is stored for it.
	#[codec(index = 2)]
	Expired {
		/// Since this block.
		since: u32,
	},
}

/// What is used of one pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Line {
	/// The pool.
	pub pool: Pool,
	/// Units, and up to where they are charged.
	pub meter: Meter,
	/// Credits charged that the account did not have; paid first when it has.
	pub debt: u128,
}

/// What a gateway may do for an account.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Grant {
	/// Units it may still add.
	pub units: u64,
	/// Credits of egress it may still charge.
	pub credits: u128,
	/// Last block at which it may.
	pub until: u32,
}

/// A plan that is offered.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Plan {
	/// The service.
	pub service: Service,
	/// Credits per period, paid in advance.
	pub price: u128,
	/// Blocks of a period.
	pub period: u32,
	/// Units that are not metered.
	pub included: u64,
}

/// A plan that is in force.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Subscription {
	/// The plan's number.
	pub id: u32,
	/// As it was when this began.
	pub plan: Plan,
	/// First block of the running period.
	pub start: u32,
	/// Credits of the period that are charged.
	pub billed: u128,
	/// Whether another period follows.
	pub renew: bool,
}

impl Subscription {
	/// The first block after the period.
	pub fn end(&self) -> u32 {
		self.start.saturating_add(self.plan.period)
	}

	/// Credits of the period not charged yet.
	pub fn unused(&self) -> u128 {
		self.plan.price.saturating_sub(self.billed)
	}
}

/// What is kept of an account.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Account<AccountId> {
	/// Credits, oldest first.
	pub batches: BoundedVec<Batch, ConstU32<MAX_BATCHES>>,
	/// Credits that subscriptions prepaid, among those.
	pub locked: u128,
	/// What it uses.
	pub lines: BoundedVec<Line, ConstU32<MAX_LINES>>,
	/// Plans in force, at most one per service.
	pub subscriptions: BoundedVec<Subscription, ConstU32<MAX_SUBSCRIPTIONS>>,
	/// Payments not matured yet, oldest first.
	pub frozen: BoundedVec<[u8; 32], ConstU32<MAX_BATCHES>>,
	/// Who may add and charge for it.
	pub gateways: BoundedVec<(AccountId, Grant), ConstU32<MAX_GATEWAYS>>,
	/// The day of the last voucher, and the credits of that day's.
	pub minted: (u64, u128),
	/// Rao owed for payments that were reversed.
	pub owes: u128,
	/// How it is doing.
	pub status: Status,
}

impl<AccountId> Default for Account<AccountId> {
	fn default() -> Self {
		Self {
			batches: BoundedVec::new(),
			locked: 0,
			lines: BoundedVec::new(),
			subscriptions: BoundedVec::new(),
			frozen: BoundedVec::new(),
			gateways: BoundedVec::new(),
			minted: (0, 0),
			owes: 0,
			status: Status::Active,
		}
	}
}

impl<AccountId> Account<AccountId> {
	/// All credits.
	pub fn credits(&self) -> u128 {
		total(&self.batches)
	}

	/// Credits that nothing is prepaid with.
	pub fn available(&self) -> u128 {
		self.credits().saturating_sub(self.locked)
	}

	/// Credits charged that were not there.
	pub fn debt(&self) -> u128 {
		self.lines
			.iter()
			.fold(0, |sum, line| sum.saturating_add(line.debt))
	}

	/// Units held of a service.
	pub fn units(&self, service: Service) -> u64 {
		self.lines
			.iter()
			.find(|line| line.pool == service.held())
			.map_or(0, |line| line.meter.units)
	}

	/// Units held of anything.
	pub fn all_units(&self) -> u64 {
		self.lines
			.iter()
			.fold(0, |sum, line| sum.saturating_add(line.meter.units))
	}

	/// The plan in force for a service.
	pub fn subscription(&self, service: Service) -> Option<&Subscription> {
		self.subscriptions
			.iter()
			.find(|subscription| subscription.plan.service == service)
	}

	/// Whether there is nothing to remember. What gateways may do with nothing is no reason to: it could
	/// be for ever.
	pub fn is_empty(&self) -> bool {
		self.batches.is_empty()
			&& self.owes == 0
			&& self.debt() == 0
			&& self.all_units() == 0
			&& self.subscriptions.is_empty()
			&& self.frozen.is_empty()
	}
}

/// What became of a payment.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum PaymentState {
	/// It can be reversed, and what it paid for is not paid out.
	#[codec(index = 0)]
	Frozen,
	/// What it pays for is paid out.
	#[codec(index = 1)]
	Matured,
	/// It was reversed.
	#[codec(index = 2)]
	Reversed,
}

/// A payment that a voucher told of.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Payment<AccountId> {
	/// blake2-256 of the voucher's payload.
	pub voucher: [u8; 32],
	/// Who got the credits.
	pub user: AccountId,
	/// Rao moved into escrow for it.
	pub alpha: u128,
	/// Whether it can be charged back.
	pub reversible: bool,
	/// Unix time in ms until which what it pays for is not paid out.
	pub frozen_until: u64,
	/// Rao spent, but not paid out, by pool.
	pub pending: Pending,
	/// What became of it.
	pub state: PaymentState,
}

impl<AccountId> Payment<AccountId> {
	/// All that is spent, but not paid out.
	pub fn pending_total(&self) -> u128 {
		self.pending
			.iter()
			.fold(0, |sum, (_, rao)| sum.saturating_add(*rao))
	}
}

/// A receipt with its client's signature.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct SignedReceipt {
	/// What the client says.
	pub receipt: EgressReceipt,
	/// The client account's signature over [`EgressReceipt::payload`].
	pub signature: sp_runtime::MultiSignature,
}

/// How an account stands now, as if it were settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct Standing {
	/// Credits left after what is owed now.
	pub credits: u128,
	/// Of these, prepaid by subscriptions.
	pub locked: u128,
	/// Credits owed that are not there.
	pub debt: u128,
	/// Credits that what it uses costs in a day, subscriptions not counted.
	pub per_day: u128,
	/// Blocks until its credits run out; none if it uses nothing.
	pub runway: Option<u32>,
	/// Credits it needs to use more.
	pub floor: u128,
	/// Rao owed for reversed payments.
	pub owes: u128,
	/// How it was doing when it was settled last.
	pub status: Status,
}
