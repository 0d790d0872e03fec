//! What the chain keeps, as it encodes it.

use codec::{Decode, Encode};
use hippius_economy::{index::Meter, Batch};
use hippius_primitives::{
	money::{Pool, Service},
	NodeIndex,
};

/// What is used of one pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct MarketLine {
	/// The pool.
	pub pool: Pool,
	/// Units (bytes, for storage), and up to where they are charged.
	pub meter: Meter,
	/// Credits charged that the account did not have.
	pub debt: u128,
}

/// What a gateway may still do for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct UsageGrant {
	/// Bytes it may still add.
	pub units: u64,
	/// Credits of egress it may still charge.
	pub credits: u128,
	/// Last block at which it may.
	pub until: u32,
}

/// A plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ServicePlan {
	/// The service.
	pub service: Service,
	/// Credits per period, paid in advance.
	pub price: u128,
	/// Blocks of a period.
	pub period: u32,
	/// Units that are not metered.
	pub included: u64,
}

/// A plan in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Subscription {
	/// The plan's number.
	pub id: u32,
	/// As it was when this began.
	pub plan: ServicePlan,
	/// First block of the running period.
	pub start: u32,
	/// Credits of the period that are charged.
	pub billed: u128,
	/// Whether another period follows.
	pub renew: bool,
}

/// How an account is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum MarketStatus {
	/// It can pay for what it uses.
	#[codec(index = 0)]
	Active,
	/// Its credits are below the floor: nothing new until it has more.
	#[codec(index = 1)]
	Grace {
		/// Block of the notice.
		since: u32,
	},
	/// Its credits ran out and the grace is over: what is stored for it may be released.
	#[codec(index = 2)]
	Expired {
		/// Since this block.
		since: u32,
	},
}

/// What is kept of an account of the marketplace.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct MarketAccount {
	/// Credits with the alpha behind them, oldest first.
	pub batches: Vec<Batch>,
	/// Credits that subscriptions prepaid, among those.
	pub locked: u128,
	/// What it uses.
	pub lines: Vec<MarketLine>,
	/// Plans in force.
	pub subscriptions: Vec<Subscription>,
	/// Payments not matured yet, oldest first.
	pub frozen: Vec<[u8; 32]>,
	/// Who may add and charge for it.
	pub gateways: Vec<([u8; 32], UsageGrant)>,
	/// The day of the last voucher, and the credits of that day's.
	pub minted: (u64, u128),
	/// Rao owed for payments that were reversed.
	pub owes: u128,
	/// How it was doing when it was settled last.
	pub status: MarketStatus,
}

impl MarketAccount {
	/// Units held of a service.
	pub fn units(&self, service: Service) -> u64 {
		let mut lines = self.lines.iter();
		lines
			.find(|line| line.pool == service.held())
			.map_or(0, |line| line.meter.units)
	}

	/// What a gateway may do for it.
	pub fn grant(&self, gateway: &[u8; 32]) -> Option<&UsageGrant> {
		let mut gateways = self.gateways.iter();
		gateways
			.find(|(other, _)| other == gateway)
			.map(|(_, grant)| grant)
	}
}

/// How an account stands now, as if it were settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct MarketStanding {
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
	pub status: MarketStatus,
}

/// Sums of charges and payments since the beginning, in rao.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct RevenueTotals {
	/// Charges that came in.
	pub revenue: u128,
	/// Of these, miners' parts.
	pub miners: u128,
	/// Of these, validators' parts.
	pub validators: u128,
	/// Of these, the treasury's parts.
	pub treasury: u128,
	/// Withdrawn by families.
	pub miners_withdrawn: u128,
	/// Withdrawn by validators and those who stake with them.
	pub stakers_withdrawn: u128,
	/// Moved to the treasury.
	pub treasury_paid: u128,
	/// Taken from earnings as slashes.
	pub slashed: u128,
	/// Of that, for repair.
	pub slash_repair: u128,
	/// Of that, to reporters.
	pub slash_reporter: u128,
	/// Of that, to the treasury's pot.
	pub slash_treasury: u128,
}

/// What a node has earned and its family not withdrawn, in rao.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NodeEarnings {
	/// Whose it is.
	pub family: [u8; 32],
	/// Can be withdrawn.
	pub accrued: u128,
	/// Kept back until the node's bond is what it must be.
	pub withheld: u128,
}

/// An era of one pool that is being paid.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EraPool {
	/// Rao that are paid.
	pub amount: u128,
	/// The sum of all weights.
	pub weight: u128,
	/// For egress: under which number what was sent is kept.
	pub period: u32,
	/// Rao credited so far.
	pub paid: u128,
	/// Pages there are.
	pub pages: u32,
	/// Pages not paid yet.
	pub left: u32,
	/// Which are paid: bit `p % 64` of word `p / 64`.
	pub done: Vec<u64>,
}

impl EraPool {
	/// The pages that are not paid yet.
	pub fn unpaid(&self) -> impl Iterator<Item = u32> + '_ {
		(0..self.pages).filter(|page| {
			let word = self.done.get((page / 64) as usize).copied().unwrap_or(0);
			word >> (page % 64) & 1 == 0
		})
	}
}

/// The running era of scores and pay weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct RunningEra {
	/// Its number, counted from 0.
	pub index: u32,
	/// Its first block.
	pub start: u32,
}

/// Sums over an era of scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EraTotals {
	/// Blocks it had.
	pub blocks: u32,
	/// Nodes that held anything.
	pub nodes: u32,
	/// What they held, in bytes times blocks.
	pub byte_blocks: u128,
	/// The sum of their pay weights.
	pub weight: u128,
	/// Whether all nodes are in.
	pub complete: bool,
}

/// What a node held in an era, and what it is paid by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EraEntry {
	/// The node.
	pub node: NodeIndex,
	/// What it held, in bytes times blocks.
	pub byte_blocks: u128,
	/// Its score, 2^30 for the full one.
	pub score: u32,
	/// The one times the other.
	pub weight: u128,
}

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum OrderState {
	/// It waits for a node.
	#[codec(index = 0)]
	Requested {
		/// Since this block.
		since: u32,
	},
	/// It was given to a node that has not accepted it yet.
	#[codec(index = 1)]
	Assigned {
		/// The node.
		node: NodeIndex,
		/// Last block at which it may accept.
		until: u32,
	},
	/// A node serves it.
	#[codec(index = 2)]
	Active {
		/// The node.
		node: NodeIndex,
		/// Whether it runs, or is stopped.
		running: bool,
	},
}

/// What is ordered.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct OrderRequest {
	/// The service.
	pub service: Service,
	/// What of it, in the service's own format; at most 256 bytes.
	pub spec: Vec<u8>,
	/// Units metered while it runs.
	pub units: u64,
	/// Units metered while it is stopped.
	pub idle_units: u64,
	/// Blocks it is wanted for.
	pub term: u32,
}

/// An order that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Order {
	/// Who pays.
	pub owner: [u8; 32],
	/// What is ordered.
	pub request: OrderRequest,
	/// Where it is in its life.
	pub state: OrderState,
	/// The block after its last.
	pub until: u32,
	/// Nodes it was given to and that did not keep it, the last ones.
	pub passed: Vec<NodeIndex>,
	/// How often it was given to a node since it was active.
	pub attempts: u32,
}
