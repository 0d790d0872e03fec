//! What is stored of draws, tasks and nodes in trouble.

use arion_storage_proof::draw::Lane;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use hippius_primitives::{audit::MAX_CHUNKS, NodeIndex, Pg};
use scale_info::TypeInfo;

/// Most draws of a block: 24 of lane A and 8 of lane B, a bit for each in [`crate::Answered`].
pub const MAX_DRAWS: u32 = 32;
/// Of these, most of lane A.
pub const MAX_BYTE_DRAWS: u32 = 24;
/// Draws a jailed node must answer to be released.
pub const FRESH_DRAWS: u32 = 8;
/// Draws kept of a node that is away, to be asked again.
pub const MAX_MISSED: u32 = 12;
/// Challenges of one node that may be open at one time.
pub const MAX_CHALLENGES: u32 = 4;
/// All tasks one node may have.
pub const MAX_TASKS: u32 = FRESH_DRAWS + MAX_MISSED + MAX_CHALLENGES;
/// Most ticks the outage breaker looks back.
pub const MAX_WINDOW: u32 = 100;

/// A slot of a placement group.
pub type Place = (Pg, u8);
/// The bytes of a group's ledger that are asked for.
pub type Offsets = BoundedVec<u64, ConstU32<MAX_CHUNKS>>;

/// A draw of a block: bytes of one slot, and who must show them.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Draw {
	/// Why it was drawn.
	pub lane: Lane,
	/// Who holds the slot.
	pub node: NodeIndex,
	/// The placement group.
	pub pg: Pg,
	/// The slot.
	pub slot: u8,
	/// Bytes of the group's ledger: one, or several in lane B.
	pub offsets: Offsets,
}

/// The draws of a block until their deadline.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct OpenBlock {
	/// The deadline tick at which they were drawn.
	pub tick: u32,
	/// The block's randomness.
	pub seed: [u8; 32],
	/// The draws.
	pub draws: BoundedVec<Draw, ConstU32<MAX_DRAWS>>,
}

/// Why a node has a task of its own.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Why<AccountId, Balance> {
	/// A draw that fell due while the node was away.
	#[codec(index = 0)]
	Missed,
	/// A fresh draw, to get out of jail.
	#[codec(index = 1)]
	Fresh,
	/// Somebody paid for it.
	#[codec(index = 2)]
	Challenge {
		/// Who.
		by: AccountId,
		/// What is held of him for it.
		deposit: Balance,
	},
}

/// Something asked of one node.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Task<AccountId, Balance> {
	/// Its number.
	pub id: u64,
	/// Why it is asked.
	pub why: Why<AccountId, Balance>,
	/// The slot.
	pub place: Place,
	/// The bytes of the group's ledger.
	pub offsets: Offsets,
	/// The randomness it was drawn with.
	pub seed: [u8; 32],
	/// Last tick at which an answer counts; `None` while the node is away.
	pub due: Option<u32>,
}

/// A node's time in jail.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Jail {
	/// Tick at which it began.
	pub since: u32,
	/// Tick at which the present round began.
	pub round: u32,
	/// The fresh draws' deadline; `None` while slots to draw from are being looked for.
	pub end: Option<u32>,
	/// Slots of the node found so far.
	pub found: BoundedVec<Place, ConstU32<FRESH_DRAWS>>,
	/// Whether a fresh draw of this round was not answered.
	pub failed: bool,
}

/// A node that is in trouble, or was lately.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Case<AccountId, Balance> {
	/// The last eight draws that were due while the node was up, newest lowest: a bit set for a miss.
	pub recent: u8,
	/// Tick of the last miss.
	pub last_miss: Option<u32>,
	/// Where the last misses were.
	pub missed: BoundedVec<Place, ConstU32<3>>,
	/// What is asked of the node besides the draws of blocks.
	pub tasks: BoundedVec<Task<AccountId, Balance>, ConstU32<MAX_TASKS>>,
	/// Its time in jail.
	pub jail: Option<Jail>,
	/// A day, and the challenges made to the node on it.
	pub challenged: (u32, u32),
}

impl<AccountId, Balance> Default for Case<AccountId, Balance> {
	fn default() -> Self {
		Self {
			recent: 0,
			last_miss: None,
			missed: BoundedVec::new(),
			tasks: BoundedVec::new(),
			jail: None,
			challenged: (0, 0),
		}
	}
}

impl<AccountId, Balance> Case<AccountId, Balance> {
	/// Notes a draw answered in time.
	pub fn pass(&mut self) {
		self.recent <<= 1;
	}

	/// Notes a draw not answered although the node was up; whether it is the second within `day`.
	pub fn miss(&mut self, tick: u32, day: u32, place: Place) -> bool {
		self.recent = self.recent << 1 | 1;
		if self.missed.is_full() {
			self.missed.remove(0);
		}
		// There is room now.
		let _ = self.missed.try_push(place);
		self.last_miss
			.replace(tick)
			.is_some_and(|last| tick.saturating_sub(last) < day)
	}

	/// Whether nothing of it need be kept at `tick`.
	pub fn is_closed(&self, tick: u32, day: u32) -> bool {
		let recent_miss = self
			.last_miss
			.is_some_and(|last| tick.saturating_sub(last) < day);
		let challenged = self.challenged.1 > 0
			&& tick
				.checked_div(day)
				.is_some_and(|today| today == self.challenged.0);
		self.recent == 0
			&& !recent_miss
			&& self.tasks.is_empty()
			&& self.jail.is_none()
			&& !challenged
	}

	/// How many tasks there are of a kind.
	pub fn count(&self, kind: impl Fn(&Why<AccountId, Balance>) -> bool) -> u32 {
		self.tasks.iter().filter(|task| kind(&task.why)).count() as u32
	}
}

/// What a tick's draws came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Tally {
	/// Draws that were due.
	pub due: u8,
	/// Of these, not answered.
	pub missed: u8,
}
