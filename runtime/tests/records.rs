//! What audits leave of nodes does not depend on how their answers came: one by one or many in a
//! transaction, those of one node or of another first.
#![allow(clippy::unwrap_used)]

mod common;
#[allow(dead_code)]
mod wasm {
	pub(crate) mod ledgers;
	pub(crate) mod network;
	pub(crate) mod twins;
}

use common::externalities;
use hippius_primitives::{registration::NodeStatus, NodeIndex};
use hippius_runtime::*;
use hippius_score::Reputation;
use wasm::{
	network::{Network, NODES},
	twins::Twins,
};

/// A node that passes, then fails.
const LAZY: NodeIndex = 4;

/// Record and score of each node.
type Books = Vec<(Option<pallet_ranking::Record>, pallet_ranking::Standing)>;

fn books() -> Books {
	(0..NODES)
		.map(|node| {
			let record = pallet_ranking::Records::<Runtime>::get(node);
			(record, Ranking::explain(node).unwrap())
		})
		.collect()
}

/// A network that answers with so many items at a time, from the first or the last node on, in which one
/// stops answering, gets into jail and out of it.
fn lived(items: usize, is_backwards: bool) -> (Books, Network) {
	let mut twins = Twins::native_only(externalities(genesis::LOCAL));
	let mut network = Network::new(&mut twins);
	network.items = items;
	network.is_backwards = is_backwards;
	network.begin(&mut twins);
	network.silent.insert(LAZY);
	let status = || pallet_registry::Nodes::<Runtime>::get(LAZY).unwrap().status;
	network.until(&mut twins, 60, |_| status() == NodeStatus::Jailed);
	network.silent.remove(&LAZY);
	network.until(&mut twins, 40, |_| status() == NodeStatus::Active);
	// Until the era in which it was in jail is settled, and the next one.
	let era = twins.native(Ranking::era).index;
	network.until(&mut twins, 60, |_| Ranking::era_totals(era + 1).is_some());
	(twins.native(books), network)
}

#[test]
fn batching_makes_no_difference() {
	let (books, network) = lived(1, false);
	assert_eq!(network.seen.several, 0);
	// A record is the fold of all audits, one by one, whatever blocks and eras they came in.
	for (node, (record, _)) in (0..NODES).zip(&books) {
		let audits = &network.seen.audits[&node];
		let folded = audits.iter().fold(Reputation::NEW, |reputation, passed| {
			reputation.audited(*passed)
		});
		let record = record.unwrap();
		assert_eq!(record.reputation, folded, "{node}");
		assert_eq!(record.samples as usize, audits.len(), "{node}");
		assert!(audits.len() > 10, "{node}: {}", audits.len());
	}
	let failed = |node: NodeIndex| {
		network.seen.audits[&node]
			.iter()
			.filter(|passed| !**passed)
			.count()
	};
	assert!(failed(LAZY) >= 3);
	assert!(network.seen.audits[&LAZY].ends_with(&[true; 8]));
	for (items, is_backwards) in [(8, false), (3, true)] {
		let (again, other) = lived(items, is_backwards);
		assert!(other.seen.several > 10, "{:?}", other.seen);
		assert_eq!(again, books, "{items} at a time");
	}
}
