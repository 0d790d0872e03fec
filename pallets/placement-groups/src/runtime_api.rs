//! What clients may ask the runtime.

use crate::{oracle::OracleError, LedgerState, PlacementError};
use alloc::vec::Vec;
use hippius_primitives::{registration::NodeRecord, Epoch, NodeIndex, Pg, StripeId};

sp_api::decl_runtime_apis! {
	/// Where shards are and should be.
	pub trait PlacementGroupsApi {
		/// The placement group of a stripe under the current map; `None` before the first map.
		fn pg_of(stripe: StripeId) -> Option<Pg>;

		/// Who must hold a placement group's shards now, one entry per slot; `None` for a hole.
		fn acting_set(pg: Pg) -> Result<Vec<Option<NodeIndex>>, PlacementError>;

		/// Who should hold a placement group's shards by the current map.
		fn up_set(pg: Pg) -> Result<Vec<Option<NodeIndex>>, PlacementError>;

		/// SCALE of the cluster map of an epoch, by default the current one, while it is kept.
		fn cluster_map(epoch: Option<Epoch>) -> Option<Vec<u8>>;

		/// A group's ledger; `None` for a group that has none.
		fn ledger(pg: Pg) -> Option<LedgerState>;

		/// At most `limit` nodes (and at most 256) with numbers of at least `from`, ascending.
		fn nodes_from(from: NodeIndex, limit: u32) -> Vec<NodeRecord>;
	}

	/// Computes any CRUSH mapping with the runtime's own code, so that anyone can compare.
	pub trait CrushOracleApi {
		/// Maps each of `xs` with rule `rule` of `map` (SCALE of `arion_crush::CrushMap`), asking for
		/// `num_rep` items. `reweights[d]` is the reweight of device `d` (16.16); a device beyond the
		/// end is out. A hole is `0x7fffffff`. Inputs and draws are bounded, see
		/// [`oracle`](crate::oracle).
		fn crush_map_pgs(
			map: Vec<u8>,
			rule: u32,
			num_rep: u32,
			xs: Vec<u32>,
			reweights: Vec<u32>,
		) -> Result<Vec<Vec<i32>>, OracleError>;
	}
}
