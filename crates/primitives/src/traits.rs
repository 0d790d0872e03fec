//! Seams between pallets: each is one trait, and `()` implements it.

use crate::{
	heartbeat::PAGE_NODES,
	money::{Pool, Service},
	registration::{NodeRecord, NodeStatus},
	Epoch, NodeIndex, Pg,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Read access to the registered nodes.
pub trait NodeRegistry {
	/// A node by its number.
	fn node(index: NodeIndex) -> Option<NodeRecord>;
	/// At most `limit` nodes with numbers of at least `from`, in ascending order.
	fn nodes_from(from: NodeIndex, limit: u32) -> Vec<NodeRecord>;
	/// Changes whenever anything that the cluster map depends on changes.
	fn revision() -> u64;
	/// The number after the greatest one given out.
	fn end() -> NodeIndex {
		let mut end: NodeIndex = 0;
		while let Some(last) = Self::nodes_from(end, PAGE_NODES).last() {
			end = last.index.saturating_add(1);
		}
		end
	}
	/// How many nodes are registered.
	fn count() -> u32 {
		let (mut count, mut from) = (0u32, 0);
		loop {
			let page = Self::nodes_from(from, PAGE_NODES);
			let Some(last) = page.last() else {
				return count;
			};
			from = last.index.saturating_add(1);
			count = count.saturating_add(page.len() as u32);
		}
	}
	/// Which of the numbers from `page` * 256 on are registered: bit `i % 64` of word `i / 64` stands
	/// for the page's number `i`.
	fn live(page: u32) -> [u64; 4] {
		let mut bits = [0u64; 4];
		let Some(first) = page.checked_mul(PAGE_NODES) else {
			return bits;
		};
		for node in Self::nodes_from(first, PAGE_NODES) {
			let place = node.index.saturating_sub(first);
			if let Some(word) = bits.get_mut((place / 64) as usize) {
				*word |= 1 << (place % 64);
			}
		}
		bits
	}
}

impl NodeRegistry for () {
	fn node(_: NodeIndex) -> Option<NodeRecord> {
		None
	}
	fn nodes_from(_: NodeIndex, _: u32) -> Vec<NodeRecord> {
		Vec::new()
	}
	fn revision() -> u64 {
		0
	}
}

/// Read access to the cluster map's history.
pub trait ClusterMaps {
	/// The newest epoch, 0 if there is none.
	fn current_epoch() -> Epoch;
	/// SCALE of the map of `epoch`, while it is kept.
	fn map_blob(epoch: Epoch) -> Option<Vec<u8>>;
	/// blake2-256 of the map of `epoch`; kept for ever.
	fn map_hash(epoch: Epoch) -> Option<[u8; 32]>;
}

impl ClusterMaps for () {
	fn current_epoch() -> Epoch {
		0
	}
	fn map_blob(_: Epoch) -> Option<Vec<u8>> {
		None
	}
	fn map_hash(_: Epoch) -> Option<[u8; 32]> {
		None
	}
}

/// Which zones nodes may name.
pub trait Zones {
	/// Whether the placement zone exists.
	fn exists(zone: u8) -> bool;
}

impl Zones for () {
	fn exists(_: u8) -> bool {
		true
	}
}

/// What heartbeats say of a node now.
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
pub enum LivenessState {
	/// Seen by its collectors in the last window that had a quorum.
	#[codec(index = 0)]
	Up,
	/// Missed at least one window.
	#[codec(index = 1)]
	Silent,
	/// Missed so many windows that it counts as down.
	#[codec(index = 2)]
	Down {
		/// Block at which the first missed window began.
		since: u32,
	},
	/// Announced its absence.
	#[codec(index = 3)]
	Maintenance {
		/// Block from which on it should be back.
		until: u32,
	},
	/// Not yet judged.
	#[codec(index = 4)]
	Unknown,
}

/// What heartbeats say of nodes. Implemented by heartbeats, used by audits, ranking and cluster-map.
pub trait Liveness {
	/// How a node is doing.
	fn liveness(node: NodeIndex) -> LivenessState;
	/// Beats seen in the last 30 days, and those that were due in windows that count. `None` for a
	/// node not yet judged.
	fn uptime(node: NodeIndex) -> Option<(u32, u32)>;
	/// The uptimes of the 256 nodes from `page` * 256 on.
	fn uptimes(page: u32) -> Vec<Option<(u32, u32)>> {
		let first = page.saturating_mul(PAGE_NODES);
		(first..first.saturating_add(PAGE_NODES))
			.map(Self::uptime)
			.collect()
	}
	/// The block since which a node that is [`LivenessState::Up`] has been there without a break, as far as
	/// heartbeats can tell.
	fn up_since(_: NodeIndex) -> u32 {
		0
	}
	/// The block up to which a node's heartbeats have been judged; later ones may still turn out to be
	/// missing.
	fn judged_until(_: NodeIndex) -> u32 {
		u32::MAX
	}
	/// Whether a node is silent so long that others shall get its data.
	fn is_out(_: NodeIndex) -> bool {
		false
	}
	/// Changes whenever a node goes out or comes back.
	fn out_revision() -> u64 {
		0
	}
}

impl Liveness for () {
	fn liveness(_: NodeIndex) -> LivenessState {
		LivenessState::Unknown
	}
	fn uptime(_: NodeIndex) -> Option<(u32, u32)> {
		None
	}
}

/// What audits tell. Implemented by ranking.
pub trait AuditOutcomes {
	/// A node passed or failed an audit.
	fn audited(node: NodeIndex, passed: bool);
	/// How a node stands: passed and failed (in units of 2^-20 audits, older ones weighing less), and
	/// how many samples there were in all.
	fn stood(node: NodeIndex) -> Option<(u64, u64, u32)>;
	/// Forgets a node's record, as at its eviction.
	fn forget(node: NodeIndex);
}

impl AuditOutcomes for () {
	fn audited(_: NodeIndex, _: bool) {}
	fn stood(_: NodeIndex) -> Option<(u64, u64, u32)> {
		None
	}
	fn forget(_: NodeIndex) {}
}

/// Current scores. Implemented by ranking, used by cluster-map and audits.
pub trait NodeScores {
	/// A node's score, 2^30 for the full one. `None` where nodes are not scored.
	fn score(node: NodeIndex) -> Option<u32>;
	/// Changes whenever scores were fixed anew. A node that is jailed in between has the score 0 at
	/// once; that shows in the registry's revision.
	fn revision() -> u64 {
		0
	}
}

impl NodeScores for () {
	fn score(_: NodeIndex) -> Option<u32> {
		None
	}
}

/// What stands behind a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backing {
	/// Held as its stake.
	pub stake: u128,
	/// To be held for the bytes it has.
	pub required: u128,
	/// Whether it is jailed.
	pub jailed: bool,
}

/// Money and freedom of nodes, as ranking sees them.
pub trait NodeBacking {
	/// What stands behind a node that holds `bytes`; `None` for a node that does not exist.
	fn backing(node: NodeIndex, bytes: u64) -> Option<Backing>;
}

impl NodeBacking for () {
	fn backing(_: NodeIndex, _: u64) -> Option<Backing> {
		None
	}
}

/// Who holds how much, by placement group.
pub trait GroupHoldings {
	/// How many groups there are, numbered from 0.
	fn groups() -> u32;
	/// Bytes each slot of a group holds and can be audited for, and who holds each slot; `None` while
	/// nothing is placed there.
	fn holdings(pg: Pg) -> Option<(u64, Vec<Option<NodeIndex>>)>;
}

impl GroupHoldings for () {
	fn groups() -> u32 {
		0
	}
	fn holdings(_: Pg) -> Option<(u64, Vec<Option<NodeIndex>>)> {
		None
	}
}

/// How a node stands with the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
	/// Where it is in its life.
	pub status: NodeStatus,
	/// What is held for it, deposit and stake, in rao.
	pub held: u128,
	/// What a node of its capacity must put up today, deposit and stake, in rao.
	pub required: u128,
}

/// What may be done to a node that fails. Implemented by `registry`.
pub trait NodePenalties {
	/// Takes `share_ppm` millionths of the collateral the node is required to put up, as far as it
	/// is still held: half goes to the repair fund, a fifth to who reported it (to the treasury if
	/// the chain found it itself), the rest to the treasury. Gives what was taken.
	fn slash(node: NodeIndex, share_ppm: u32, reporter: Option<[u8; 32]>) -> u128;
	/// Jails an active node; whether it did.
	fn jail(node: NodeIndex) -> bool;
	/// Makes a jailed node active again; whether it did.
	fn release(node: NodeIndex) -> bool;
	/// Throws a node out: it leaves the map, and its stake can be claimed when it is unbonded.
	/// Whether it did.
	fn evict(node: NodeIndex) -> bool;
	/// How the node stands; `None` if there is none of this number.
	fn standing(node: NodeIndex) -> Option<Standing>;
}

impl NodePenalties for () {
	fn slash(_: NodeIndex, _: u32, _: Option<[u8; 32]>) -> u128 {
		0
	}
	fn jail(_: NodeIndex) -> bool {
		false
	}
	fn release(_: NodeIndex) -> bool {
		false
	}
	fn evict(_: NodeIndex) -> bool {
		false
	}
	fn standing(_: NodeIndex) -> Option<Standing> {
		None
	}
}

/// Weights in the current map. Implemented by `cluster-map`.
pub trait PlacementWeights {
	/// Nodes of the map, and their weights' sum.
	fn totals() -> (u32, u64);
	/// The weight of each of `nodes` (16.16), 0 for one that is not in the map.
	fn weights(nodes: &[NodeIndex]) -> Vec<u32>;
}

impl PlacementWeights for () {
	fn totals() -> (u32, u64) {
		(0, 0)
	}
	fn weights(nodes: &[NodeIndex]) -> Vec<u32> {
		alloc::vec![0; nodes.len()]
	}
}

/// Who is stored for.
pub trait StorageOwners {
	/// Whether the chain no longer stores for the owner: whoever likes may release its stripes.
	fn expired(owner: &[u8; 32]) -> bool;
}

impl StorageOwners for () {
	fn expired(_: &[u8; 32]) -> bool {
		false
	}
}

/// Why an owner may not use more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageRefused {
	/// What would be left does not pay for the floor: a week of everything it uses.
	NoFunds,
	/// Its account is locked by a chargeback, or expired.
	Locked,
	/// It did not authorise who asks, or not for so much.
	NotAuthorised,
	/// More than can be counted.
	TooMuch,
}

/// Who uses how much of what is held over time. Implemented by `marketplace`, told by the pallets
/// that keep the books of what is held: so what is billed is what is audited.
///
/// Units of storage are logical bytes: for [`Service::Arion`] the bytes of one slot times
/// [`DATA_SHARDS`](crate::DATA_SHARDS).
pub trait UsageMeter {
	/// `owner` uses `units` more, asked for by `by`; everything before is charged first. Refused
	/// without any effect.
	fn add(
		service: Service,
		owner: &[u8; 32],
		by: &[u8; 32],
		units: u64,
	) -> Result<(), UsageRefused>;
	/// What [`add`](Self::add) would answer now; without any effect.
	fn can_add(
		service: Service,
		owner: &[u8; 32],
		by: &[u8; 32],
		units: u64,
	) -> Result<(), UsageRefused>;
	/// `owner` uses `units` less, at most all it has; everything before is charged first.
	fn remove(service: Service, owner: &[u8; 32], units: u64);
}

impl UsageMeter for () {
	fn add(_: Service, _: &[u8; 32], _: &[u8; 32], _: u64) -> Result<(), UsageRefused> {
		Ok(())
	}
	fn can_add(_: Service, _: &[u8; 32], _: &[u8; 32], _: u64) -> Result<(), UsageRefused> {
		Ok(())
	}
	fn remove(_: Service, _: &[u8; 32], _: u64) {}
}

/// The money was not taken; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTaken;

/// Takes charges. Implemented by `rewards`.
pub trait RevenueSink<AccountId> {
	/// Moves `rao` from `from` to where revenue is kept, and splits it at once.
	fn charge(from: &AccountId, pool: Pool, rao: u128) -> Result<(), NotTaken>;
}

impl<AccountId> RevenueSink<AccountId> for () {
	/// There is nobody to take it.
	fn charge(_: &AccountId, _: Pool, _: u128) -> Result<(), NotTaken> {
		Err(NotTaken)
	}
}

/// Hears of what clients paid for bytes that they received. Implemented by `rewards`.
pub trait EgressWeights {
	/// Whether a node can be paid for what it sends.
	fn counts(node: NodeIndex) -> bool;
	/// For what a node sent, `rao` went to revenue: by so much it weighs, whatever the bytes.
	fn sent(service: Service, node: NodeIndex, rao: u128);
}

impl EgressWeights for () {
	fn counts(_: NodeIndex) -> bool {
		false
	}
	fn sent(_: Service, _: NodeIndex, _: u128) {}
}

/// What nodes are paid by for what they held, era by era. Implemented by what ranks the nodes of a
/// service.
pub trait PayWeights {
	/// The newest era whose weights are fixed.
	fn settled(service: Service) -> Option<u32>;
	/// The sum of all weights of an era, while it is kept.
	fn total(service: Service, era: u32) -> Option<u128>;
	/// The weights of at most 128 nodes, those numbered from `page` * 128 on.
	fn page(service: Service, era: u32, page: u32) -> Vec<(NodeIndex, u128)>;
}

impl PayWeights for () {
	fn settled(_: Service) -> Option<u32> {
		None
	}
	fn total(_: Service, _: u32) -> Option<u128> {
		None
	}
	fn page(_: Service, _: u32, _: u32) -> Vec<(NodeIndex, u128)> {
		Vec::new()
	}
}

/// What a node has earned and not yet withdrawn, as far as it can be slashed. Implemented by
/// `rewards`; whoever slashes asks it before touching what is bonded.
pub trait NodeEarnings {
	/// Takes up to `rao`, what is withheld first, then what is accrued, and divides it as a slash:
	/// half for repair, a fifth for the reporter, the rest for the treasury. Gives what was taken.
	fn slash(node: NodeIndex, rao: u128, reporter: Option<[u8; 32]>) -> u128;
}

impl NodeEarnings for () {
	fn slash(_: NodeIndex, _: u128, _: Option<[u8; 32]>) -> u128 {
		0
	}
}

/// What one who stakes with a validator put up, in rao.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staker<AccountId> {
	/// The account.
	pub who: AccountId,
	/// Its stake behind the validator.
	pub stake: u128,
}

/// A validator in an era.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValidatorEra {
	/// The points it earned.
	pub points: u32,
	/// Its commission, in thousand-millionths.
	pub commission_ppb: u32,
	/// Its own stake.
	pub own: u128,
	/// All stake behind it, its own included.
	pub total: u128,
	/// Pages of those who stake with it.
	pub pages: u32,
}

/// Who validated and who stood behind them, era by era. Implemented by the runtime over its staking.
pub trait ValidatorStakes<AccountId> {
	/// The newest era that is over.
	fn ended() -> Option<u32>;
	/// The sum of all points of an era, while it is kept.
	fn points(era: u32) -> Option<u32>;
	/// How a validator did.
	fn validator(era: u32, who: &AccountId) -> Option<ValidatorEra>;
	/// Those who stake with it: one page, at most 512.
	fn stakers(era: u32, who: &AccountId, page: u32) -> Vec<Staker<AccountId>>;
}

impl<AccountId> ValidatorStakes<AccountId> for () {
	fn ended() -> Option<u32> {
		None
	}
	fn points(_: u32) -> Option<u32> {
		None
	}
	fn validator(_: u32, _: &AccountId) -> Option<ValidatorEra> {
		None
	}
	fn stakers(_: u32, _: &AccountId, _: u32) -> Vec<Staker<AccountId>> {
		Vec::new()
	}
}
