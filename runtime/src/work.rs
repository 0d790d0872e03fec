//! The chain as the work for daemons sees it: what nodes are asked, the ledgers, the three calls that
//! are authorized by a node's key.

use crate::*;
use alloc::string::{String, ToString};
use arion_storage_proof::work::LifeOrder;
use frame_support::traits::Authorize;
use frame_system::offchain::{CreateAuthorizedTransaction, SubmitTransaction};
use hippius_ocw::work::{GroupPeaks, Submission, WorkChain};
use hippius_primitives::{audit::AskedOf, Epoch, NodeIndex, Pg};
use sp_runtime::transaction_validity::TransactionSource;

/// This chain, at the block whose state is at hand.
pub struct Work;

impl WorkChain for Work {
	fn genesis() -> Option<[u8; 32]> {
		let genesis = System::block_hash(0).0;
		(genesis != [0; 32]).then_some(genesis)
	}

	fn best() -> u32 {
		System::block_number()
	}

	fn epoch() -> Epoch {
		ClusterMap::epoch()
	}

	fn asked_of(node: NodeIndex) -> Vec<AskedOf> {
		Audits::asked_of(node)
	}

	fn ledger(pg: Pg) -> Option<GroupPeaks> {
		let (challengeable, newest) = PlacementGroups::peaks_of(pg)?;
		Some(GroupPeaks {
			challengeable,
			newest,
		})
	}

	fn may_report(node: NodeIndex, groups: &[Pg]) -> Vec<bool> {
		PlacementGroups::may_report(node, groups)
	}

	fn life(node: NodeIndex) -> Option<LifeOrder> {
		let (sign, anchor) = Heartbeats::life_due(node)?;
		Some(LifeOrder { sign, anchor })
	}

	fn check(submission: &Submission) -> Result<(), String> {
		// The pool would say only a number.
		if let Submission::Answer(answer) = submission {
			return Audits::check_answer(answer).map_err(|refusal| refusal.to_string());
		}
		let Some(call) = call(submission.clone()) else {
			return Err("it names too many groups".into());
		};
		match call.authorize(TransactionSource::Local) {
			Some(Ok(_)) => Ok(()),
			Some(Err(error)) => Err(<&str>::from(error).into()),
			None => Err("nobody may make the call".into()),
		}
	}

	fn submit(submission: Submission) -> bool {
		let Some(call) = call(submission) else {
			return false;
		};
		let transaction =
			<Runtime as CreateAuthorizedTransaction<RuntimeCall>>::create_authorized_transaction(
				call,
			);
		SubmitTransaction::<Runtime, RuntimeCall>::submit_transaction(transaction).is_ok()
	}
}

/// The call; `None` for a report about more groups than one may be about.
fn call(submission: Submission) -> Option<RuntimeCall> {
	Some(match submission {
		Submission::Answer(answer) => pallet_audits::Call::answer { answer }.into(),
		Submission::Clean(report, signature) => pallet_placement_groups::Call::report_clean {
			node: report.node,
			epoch: report.epoch,
			groups: report.groups.try_into().ok()?,
			signature,
		}
		.into(),
		Submission::Life(sign, signature) => {
			pallet_heartbeats::Call::show_life { sign, signature }.into()
		}
	})
}
