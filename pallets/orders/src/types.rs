//! What is kept of offers, orders and what was served.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use hippius_primitives::{money::Service, NodeIndex};
use scale_info::TypeInfo;

/// Most offers of a service.
pub const MAX_OFFERS: u32 = 1_024;
/// Most orders that wait for a node.
pub const MAX_WAITING: u32 = 256;
/// Most nodes that an order is not given to again.
pub const MAX_PASSED: u32 = 8;
/// How often an order is given to a node that does not accept it, before it ends.
pub const MAX_ATTEMPTS: u32 = 16;
/// Longest description.
pub const MAX_SPEC: u32 = 256;
/// Lots drawn for one assignment.
pub const MAX_LOTS: u32 = 32;
/// Eras for which it is known what was served.
pub const KEPT_ERAS: u32 = 4;

/// The nodes that offer a service.
pub type Offering = BoundedVec<NodeIndex, ConstU32<MAX_OFFERS>>;
/// Orders that wait for a node, the oldest first.
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
	/// Whether it gets new orders.
	pub open: bool,
}

impl Offer {
	/// Units that are free.
	pub fn free(&self) -> u64 {
		self.capacity.saturating_sub(self.taken)
	}
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
		/// Since this block; lots of later ones decide.
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
	/// Units metered while it does not; at most as many.
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
	/// How often it was drawn for since it was active.
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
