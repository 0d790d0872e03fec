//! What is kept of offers, orders and what was served.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use hippius_primitives::{money::Service, NodeIndex};
use scale_info::TypeInfo;

/// Most offers of a service.
pub const MAX_OFFERS: u32 = 1_024;
/// Longest queue of orders that wait for their lot.
pub const MAX_WAITING: u32 = 256;
/// Up to this length of the queue it takes new orders. The rest is for those that lost their node.
pub const MAX_NEW: u32 = MAX_WAITING / 2;
/// Blocks after which an order is drawn for again that nobody could take, or that found the queue full.
pub const RETRY_BLOCKS: u32 = 5;
/// A stopped order takes its units of the node all the same: this part of them is metered at least.
pub const IDLE_PART: u64 = 10;
/// More free units of [`Service::Compute`] give an offer no better chance: nobody attests that a node has
/// them. What a node offers in bytes is at most what it has registered, and put up stake for.
pub const MAX_WEIGHED: u64 = 1 << 20;
/// Offers that a block looks at, as far as there is room, whether their nodes are gone.
pub const OFFERS_PER_BLOCK: u32 = 4;
/// Most nodes that an order is not given to again.
pub const MAX_PASSED: u32 = 8;
/// How often an order is given to nodes that do not accept it, before it ends.
pub const MAX_ATTEMPTS: u32 = 16;
/// Longest description.
pub const MAX_SPEC: u32 = 256;
/// Offers drawn evenly for one assignment, of which one is taken by weight.
pub const MAX_LOTS: u32 = 32;
/// Eras for which it is known what was served.
pub const KEPT_ERAS: u32 = 4;

/// The nodes that offer a service.
pub type Offering = BoundedVec<NodeIndex, ConstU32<MAX_OFFERS>>;
/// A block and an order, both big endian: so the keys of a map ascend by block.
pub type Moment = [u8; 12];
/// Orders that wait for their lot, the oldest first.
pub type Queue = BoundedVec<u64, ConstU32<MAX_WAITING>>;
/// What is ordered, for the node to read: its format is the service's.
pub type Spec = BoundedVec<u8, ConstU32<MAX_SPEC>>;

/// What a node offers.
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
pub struct Offer {
	/// Units in all.
	pub capacity: u64,
	/// Units that orders given to it take.
	pub taken: u64,
}

impl Offer {
	/// Units that are free of at most so many that the node can have.
	pub fn free(&self, most: u64) -> u64 {
		self.capacity.min(most).saturating_sub(self.taken)
	}
}

/// The key of a block and an order.
pub(crate) fn moment(block: u32, id: u64) -> Moment {
	let mut key = [0; 12];
	let (left, right) = key.split_at_mut(4);
	left.copy_from_slice(&block.to_be_bytes());
	right.copy_from_slice(&id.to_be_bytes());
	key
}

/// The block and the order of a key.
pub(crate) fn read_moment(key: &Moment) -> (u32, u64) {
	let number = |bytes: &[u8]| {
		let bytes = bytes.iter();
		bytes.fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
	};
	let (left, right) = key.split_at(4);
	(number(left) as u32, number(right))
}

/// Where an order is in its life.
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
pub enum State {
	/// It waits for a node.
	#[codec(index = 0)]
	Requested {
		/// Since this block, or the last draw that found nobody; lots of later ones decide.
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
		/// Whether it runs, or only keeps what it needs to run again.
		running: bool,
	},
}

impl State {
	/// The node that has it.
	pub fn node(&self) -> Option<NodeIndex> {
		match self {
			Self::Requested { .. } => None,
			Self::Assigned { node, .. } | Self::Active { node, .. } => Some(*node),
		}
	}
}

/// What a user asks for.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Request {
	/// The service.
	pub service: Service,
	/// What of it.
	pub spec: Spec,
	/// Units metered while it runs, and taken of a node; at least 1.
	pub units: u64,
	/// Units metered while it does not; at most as many, at least a tenth, rounded up.
	pub idle_units: u64,
	/// Blocks it is wanted for.
	pub term: u32,
}

/// An order that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Order<AccountId> {
	/// Who pays.
	pub owner: AccountId,
	/// What is ordered.
	pub request: Request,
	/// Where it is in its life.
	pub state: State,
	/// The block after its last.
	pub until: u32,
	/// Nodes it was given to and that did not keep it, the last ones.
	pub passed: BoundedVec<NodeIndex, ConstU32<MAX_PASSED>>,
	/// How often it was given to a node since it was active.
	pub attempts: u32,
}

impl<AccountId> Order<AccountId> {
	/// Units that are metered now.
	pub fn metered(&self) -> u64 {
		match self.state {
			State::Active { running: true, .. } => self.request.units,
			State::Active { running: false, .. } => self.request.idle_units,
			_ => 0,
		}
	}

	/// The block at which something is due with it, whatever happens.
	pub(crate) fn due(&self) -> u32 {
		match self.state {
			State::Assigned { until, .. } => until.saturating_add(1).min(self.until),
			_ => self.until,
		}
	}
}

/// Why an order ended.
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
pub enum Ended {
	/// Its owner cancelled it.
	#[codec(index = 0)]
	Cancelled,
	/// Its term is over.
	#[codec(index = 1)]
	TermOver,
	/// Its owner cannot pay for it.
	#[codec(index = 2)]
	Unpaid,
	/// No node took it.
	#[codec(index = 3)]
	NoNode,
}

/// Why an order was taken from a node.
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
pub enum Moved {
	/// The node did not want it.
	#[codec(index = 0)]
	Rejected,
	/// The node did not accept it in time.
	#[codec(index = 1)]
	TimedOut,
	/// The node gave it back.
	#[codec(index = 2)]
	GivenBack,
	/// The node is down, leaving or gone.
	#[codec(index = 3)]
	NodeFailed,
}

/// What a node, or all of them, serve of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Served {
	/// Units served now.
	pub units: u128,
	/// Since this block.
	pub block: u32,
	/// Units times blocks, in the era of that block and before it.
	pub sum: u128,
}

impl Served {
	/// What was served in the era that this counts, until its end.
	pub fn until(&self, end: u32) -> u128 {
		let blocks = end.saturating_sub(self.block);
		self.sum
			.saturating_add(self.units.saturating_mul(blocks.into()))
	}
}
