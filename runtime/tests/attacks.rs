//! Each attack on audits, ledgers and heartbeats, played through whole blocks with transactions as they
//! travel: none pays, none stops the chain.
#![allow(clippy::unwrap_used)]

mod common;

use arion_storage_proof::{
	answer::{Answer, Shown},
	AuditProof, PgLedger,
};
use common::{
	beats, externalities,
	nodes::thirty_nodes,
	stored::{
		answer, answer_by, answer_showing, assert_refused, extrinsic, open_with_draws, receipt,
		sign, validate, Stored, PG,
	},
	Chain,
};
use frame_support::{storage::with_transaction_unchecked, traits::fungible::Inspect};
use hippius_primitives::{
	audit::{Ask, AskedOf},
	ledger::CompactReceipt,
	receipt::BatchRef,
	registration::NodeStatus,
	traits::{AuditOutcomes, Liveness, LivenessState},
	NodeIndex, TOTAL_SHARDS,
};
use hippius_runtime::*;
use pallet_audits::Refusal;
use sp_runtime::{
	transaction_validity::{InvalidTransaction, TransactionValidityError},
	ApplyExtrinsicResult, TransactionOutcome,
};

/// A network of thirty nodes that are up and hold one stripe, and a chain on which a block that has drawn
/// is open.
struct Attacked {
	chain: Chain,
	stored: Stored,
	draws: Vec<AskedOf>,
}

impl Attacked {
	fn new() -> Self {
		let stored = Stored::new();
		let mut chain = up();
		stored.append(&mut chain);
		chain.until(40, || <PlacementGroups as PgLedger>::total_bytes() == 1_536);
		let draws = open_with_draws(&mut chain);
		Self {
			chain,
			stored,
			draws,
		}
	}

	/// A draw for a byte of the first chunk.
	fn asked(&self) -> AskedOf {
		let first = |asked: &&AskedOf| asked.offsets.len() == 1 && asked.offsets[0] < 1_024;
		self.draws.iter().find(first).unwrap().clone()
	}

	fn honest(&self, asked: &AskedOf) -> AuditProof {
		self.stored.prove(asked.slot, asked.offsets[0])
	}

	/// After the attack: the node's books are as they were, it misses the draw, and the chain goes on with
	/// all its invariants.
	fn assert_in_vain(mut self, asked: &AskedOf, before: Books) {
		assert_eq!(Books::of(asked.node), before);
		assert!(Audits::asked_of(asked.node).contains(asked));
		let passed = before.passed();
		self.chain.close();
		// All others answer nothing either: that would be an outage in which nobody is punished.
		pallet_audits::ActiveRules::<Runtime>::mutate(|rules| {
			rules.as_mut().unwrap().outage_percent = 100;
		});
		// Its deadline, and until an outage would be known.
		self.chain.blocks(20);
		let after = Books::of(asked.node);
		assert!(after.passed() <= passed, "the attack counts as a pass");
		assert!(
			after.samples() > before.samples(),
			"the draw was not booked"
		);
		assert!(after.money <= before.money);
		all_hold();
	}
}

/// Thirty nodes that collectors have seen, and a map of them.
fn up() -> Chain {
	let mut chain = Chain::new();
	thirty_nodes(&mut chain);
	// The first window makes nodes known, the second one counts.
	beats::pass(&mut chain, 2, &[beats::beats(); 30]);
	chain.until(20, || ClusterMap::epoch() > 0);
	assert_eq!(Heartbeats::liveness(0), LivenessState::Up);
	chain
}

/// Everything that a node could gain by.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Books {
	/// Passes, failures, samples.
	stood: Option<(u64, u64, u32)>,
	/// What its family has, held or free.
	money: Balance,
	status: NodeStatus,
}

impl Books {
	fn of(node: NodeIndex) -> Self {
		let info = pallet_registry::Nodes::<Runtime>::get(node).unwrap();
		Self {
			stood: Ranking::stood(node),
			money: Balances::total_balance(&info.family),
			status: info.status,
		}
	}

	/// Weighed passes; a new node has some, too.
	fn passed(&self) -> u64 {
		self.stood.map_or(u64::MAX, |(passed, _, _)| passed)
	}

	fn samples(&self) -> u32 {
		self.stood.map_or(0, |(_, _, samples)| samples)
	}
}

fn all_hold() {
	Audits::do_try_state().unwrap();
	Registry::do_try_state().unwrap();
	PlacementGroups::do_try_state().unwrap();
	Heartbeats::do_try_state().unwrap();
	Ranking::do_try_state().unwrap();
}

/// Sends an answer; whether there was room for it. At a session's end a block takes no transactions.
fn sent(answer: Answer) -> bool {
	let full: TransactionValidityError = InvalidTransaction::ExhaustsResources.into();
	match Executive::apply_extrinsic(extrinsic(answer)) {
		Err(error) if error == full => false,
		result => {
			result.unwrap().unwrap();
			true
		}
	}
}

fn error_of(result: ApplyExtrinsicResult) -> sp_runtime::DispatchError {
	result.unwrap().unwrap_err()
}

#[test]
fn a_forged_path() {
	externalities(genesis::LOCAL).execute_with(|| {
		let attacked = Attacked::new();
		let asked = attacked.asked();
		let before = Books::of(asked.node);
		let good = attacked.honest(&asked);
		// One wrong bit at every place of the proof: in the chunk, in each digest, in each length.
		let bytes = codec::Encode::encode(&good);
		for at in (0..bytes.len()).step_by(7) {
			let mut forged = bytes.clone();
			forged[at] ^= 1 << (at % 8);
			let shown = vec![Shown::Bytes(forged.try_into().unwrap())];
			let answer = answer_showing(asked.node, asked.node, &asked, shown);
			assert!(validate(&answer).is_err(), "byte {at}");
		}
		let mut forged = good.clone();
		forged.shards.0[2][9] ^= 1;
		assert_refused(answer(&asked, &[forged]), Refusal::WrongRoot);
		attacked.assert_in_vain(&asked, before);
	});
}

#[test]
fn a_wrong_chunk() {
	externalities(genesis::LOCAL).execute_with(|| {
		let attacked = Attacked::new();
		let asked = attacked.asked();
		let before = Books::of(asked.node);
		// The node kept the second chunk only: its bytes, and its bytes under the first one's path.
		let other = attacked.stored.prove(asked.slot, 1_100);
		assert_refused(
			answer(&asked, std::slice::from_ref(&other)),
			Refusal::WrongShape,
		);
		let mut mixed = attacked.honest(&asked);
		mixed.chunk = other.chunk;
		assert_refused(answer(&asked, &[mixed]), Refusal::WrongShape);
		attacked.assert_in_vain(&asked, before);
	});
}

#[test]
fn bytes_of_another_shard() {
	externalities(genesis::LOCAL).execute_with(|| {
		let attacked = Attacked::new();
		let asked = attacked.asked();
		let before = Books::of(asked.node);
		for other in (0..TOTAL_SHARDS as u8).filter(|slot| *slot != asked.slot) {
			let proof = attacked.stored.prove(other, asked.offsets[0]);
			assert_refused(answer(&asked, &[proof]), Refusal::WrongRoot);
		}
		attacked.assert_in_vain(&asked, before);
	});
}

#[test]
fn a_replay_of_an_answer() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut attacked = Attacked::new();
		let asked = attacked.asked();
		let answered = answer(&asked, &[attacked.honest(&asked)]);
		Executive::apply_extrinsic(extrinsic(answered.clone()))
			.unwrap()
			.unwrap();
		let before = Books::of(asked.node);
		// In the same block, in the next one, and when the draw is gone.
		assert_refused(answered.clone(), Refusal::AlreadyAnswered);
		attacked.chain.close();
		let next = open_with_draws(&mut attacked.chain);
		assert_refused(answered.clone(), Refusal::AlreadyAnswered);
		// For another draw of the node, with the old signature; its proof may even fit.
		let again = next.iter().find(|next| next.node == asked.node);
		for other in again.into_iter().chain(&next).take(3) {
			let mut moved = answered.clone();
			moved.items[0].ask = other.ask;
			assert!(validate(&moved).is_err());
		}
		attacked.chain.close();
		attacked.chain.blocks(20);
		attacked.chain.open();
		assert_refused(answered.clone(), Refusal::NotAsked);
		// As one of the node's own tasks.
		let mut task = answered;
		task.items[0].ask = Ask::Task { id: 0 };
		assert!(validate(&task).is_err());
		attacked.chain.close();
		assert!(Books::of(asked.node).passed() <= before.passed());
		all_hold();
	});
}

#[test]
fn an_answer_by_another_node() {
	externalities(genesis::LOCAL).execute_with(|| {
		let attacked = Attacked::new();
		let asked = attacked.asked();
		let other = (asked.node + 1) % 30;
		let (before, others) = (Books::of(asked.node), Books::of(other));
		let proof = [attacked.honest(&asked)];
		// In its own name, and in the asked node's with its own key.
		let own = answer_by(other, other, &asked, &proof);
		assert_refused(own, Refusal::OtherNode);
		let named = answer_by(asked.node, other, &asked, &proof);
		assert_refused(named, Refusal::Signature);
		assert_eq!(Books::of(other), others);
		attacked.assert_in_vain(&asked, before);
	});
}

#[test]
fn grinding_the_answer() {
	externalities(genesis::LOCAL).execute_with(|| {
		let attacked = Attacked::new();
		let asked = attacked.asked();
		let proof = [attacked.honest(&asked)];
		// What the next blocks draw if this block has the answer, the same from another place of the pool,
		// or no answer at all.
		let first = answer(&asked, &proof);
		let mut second = first.clone();
		second.place = 7;
		sign(&mut second, asked.node, &asked);
		let then = |sent: Option<&Answer>| {
			with_transaction_unchecked(|| {
				let mut chain = attacked.chain.clone();
				if let Some(answer) = sent {
					Executive::apply_extrinsic(extrinsic(answer.clone()))
						.unwrap()
						.unwrap();
				}
				chain.close();
				let mut drawn = open_with_draws(&mut chain);
				chain.close();
				drawn.extend(open_with_draws(&mut chain));
				TransactionOutcome::Rollback(drawn)
			})
		};
		let [none, one, other] = [None, Some(&first), Some(&second)].map(then);
		assert!(!none.is_empty());
		assert_eq!(none, one);
		assert_eq!(none, other);
	});
}

#[test]
fn invalid_proofs_flood_the_pool() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut attacked = Attacked::new();
		let asked = attacked.asked();
		let before = Books::of(asked.node);
		let good = attacked.honest(&asked);
		let weight = System::block_weight().total();
		let size = System::block_size();
		for number in 0..300u32 {
			let mut forged = good.clone();
			forged.shards.0[0][..4].copy_from_slice(&number.to_le_bytes());
			forged.shards.0[0][4] ^= 1;
			let flood = answer(&asked, &[forged]);
			assert!(validate(&flood).is_err());
			// Not even an author who ignores his pool gets one into a block.
			assert!(Executive::apply_extrinsic(extrinsic(flood)).is_err());
		}
		assert_eq!(System::block_weight().total(), weight);
		assert_eq!(System::block_size(), size);
		assert_eq!(Books::of(asked.node), before);
		// The honest answer gets in, and the next blocks come.
		Executive::apply_extrinsic(extrinsic(answer(&asked, &[good])))
			.unwrap()
			.unwrap();
		assert!(Books::of(asked.node).samples() > before.samples());
		attacked.chain.close();
		attacked.chain.blocks(3);
		all_hold();
	});
}

#[test]
fn withheld_ledger_leaves() {
	externalities(genesis::LOCAL).execute_with(|| {
		let stored = Stored::new();
		let mut chain = up();
		// Kept from eleven members, a batch does not get into the ledger at all.
		let too_few = stored.appended_by(19, |_| ());
		let error = error_of(chain.block(vec![too_few]).remove(0));
		assert_eq!(
			error,
			pallet_placement_groups::Error::<Runtime>::TooFewReceipts.into()
		);
		// Kept from ten, it does; for these it is said that they lack it.
		chain.block_of(vec![stored.appended_by(20, |_| ())]);
		let members = PlacementGroups::acting_set(PG).unwrap();
		let ledger = PlacementGroups::ledger(PG).unwrap();
		let kept_from: Vec<usize> = ledger
			.gaps
			.iter()
			.map(|(slot, _)| usize::from(*slot))
			.collect();
		assert_eq!(kept_from, (20..30).collect::<Vec<_>>());
		let books: Vec<_> = (0..30).map(Books::of).collect();
		chain.until(40, || <PlacementGroups as PgLedger>::total_bytes() == 1_536);
		// They are not asked while they have time to get leaves and bytes from the twenty others...
		let end = ledger.gaps[0].1.until;
		while System::block_number() + 1 < end {
			let draws = open_with_draws(&mut chain);
			assert!(draws.iter().all(|asked| usize::from(asked.slot) < 20));
			// ... who can show the bytes, as they were given the entries before they signed.
			let honest = draws.iter().find(|asked| asked.offsets.len() == 1);
			if let Some(asked) = honest {
				sent(answer(asked, &[stored.prove(asked.slot, asked.offsets[0])]));
			}
			chain.close();
		}
		for (slot, member) in members.iter().enumerate().skip(20) {
			let node = member.unwrap();
			assert_eq!(Books::of(node), books[node as usize], "slot {slot}");
		}
		// Afterwards they are.
		chain.block(Vec::new());
		let asked: Vec<_> = (0..6)
			.flat_map(|_| {
				let draws = open_with_draws(&mut chain);
				chain.close();
				draws
			})
			.collect();
		assert!(asked.iter().any(|asked| asked.slot >= 20));
		all_hold();
	});
}

#[test]
fn receipts_that_are_none() {
	use pallet_placement_groups::Error;
	externalities(genesis::LOCAL).execute_with(|| {
		let stored = Stored::new();
		let mut chain = up();
		let free = Balances::free_balance(common::account("Bob"));
		// What is done to thirty good receipts of the batch.
		type Edit = fn(&mut Vec<CompactReceipt>, BatchRef);
		let attacks: [(Edit, Error<Runtime>); 9] = [
			(|all, _| all.truncate(19), Error::TooFewReceipts),
			(|all, _| all[3].signature[5] ^= 1, Error::BadSignature),
			(|all, _| all[4] = all[5].clone(), Error::DuplicateSigner),
			(|all, _| all[0].root[0] ^= 1, Error::ReceiptOfOtherBatch),
			(|all, _| all[0].epoch += 1, Error::ReceiptOfOtherEpoch),
			(|all, _| all[0].pg += 1, Error::ReceiptOfOtherGroup),
			// Of another stripe, and for other owners, but it claims to be of this batch.
			(
				|all, mut batch| {
					batch.root[9] ^= 1;
					all[0] = receipt(batch, all[0].node, all[0].node);
				},
				Error::BadSignature,
			),
			(
				|all, mut batch| {
					batch.owners[9] ^= 1;
					all[0] = receipt(batch, all[0].node, all[0].node);
				},
				Error::BadSignature,
			),
			// Signed by one node in another's name.
			(
				|all, batch| all[0] = receipt(batch, all[0].node, all[1].node),
				Error::BadSignature,
			),
		];
		for (edit, expected) in attacks {
			chain.open();
			let batch = stored.reference(ClusterMap::epoch());
			let sent = stored.appended_by(TOTAL_SHARDS, |receipts| edit(receipts, batch));
			let error = error_of(Executive::apply_extrinsic(sent));
			chain.close();
			assert_eq!(error, expected.into());
			let ledger = PlacementGroups::ledger(PG);
			assert!(ledger.is_none_or(|ledger| ledger.peaks.leaves() == 0));
		}
		assert!(Balances::free_balance(common::account("Bob")) < free);
		stored.append(&mut chain);
		all_hold();
	});
}

#[test]
fn colluding_collectors_below_quorum() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = up();
		let all = [beats::beats(); 30];
		let mut dead = all;
		dead[7] = 0;
		let window_of = |chain: &mut Chain| beats::next_window(chain);
		let reported = |chain: &mut Chain, counts: Vec<[u8; 30]>| {
			let window = window_of(chain);
			let names = beats::validators(window);
			for result in beats::block(chain, || {
				counts
					.iter()
					.zip(0..)
					.map(|(counts, place)| {
						beats::report(window, place, counts, names[place as usize])
					})
					.collect()
			}) {
				result.unwrap().unwrap();
			}
			chain.blocks(Heartbeats::config().unwrap().report_blocks);
		};
		// Two of three press a live node: the third one's word settles.
		let uptime = Heartbeats::uptime(7);
		for _ in 0..3 {
			reported(&mut chain, vec![dead, dead, all]);
		}
		assert_eq!(Heartbeats::liveness(7), LivenessState::Up);
		let (seen, due) = Heartbeats::uptime(7).unwrap();
		assert_eq!(seen, due);
		assert!(uptime.is_none_or(|(before, _)| seen >= before));
		// One alone is no quorum: whatever it says, nothing is settled and nobody loses uptime.
		for counts in [dead, [0; 30]] {
			let before: Vec<_> = (0..30).map(Heartbeats::uptime).collect();
			reported(&mut chain, vec![counts]);
			assert_eq!(before, (0..30).map(Heartbeats::uptime).collect::<Vec<_>>());
			assert_eq!(Heartbeats::liveness(7), LivenessState::Up);
		}
		all_hold();
	});
}

#[test]
fn a_dead_node_that_collectors_lift_earns_nothing() {
	externalities(genesis::LOCAL).execute_with(|| {
		let stored = Stored::new();
		let mut chain = up();
		stored.append(&mut chain);
		chain.until(40, || <PlacementGroups as PgLedger>::total_bytes() == 1_536);
		let dead = PlacementGroups::acting_set(PG).unwrap()[4].unwrap();
		let before = Books::of(dead);
		// All others answer what they are asked.
		for _ in 0..60 {
			let draws = open_with_draws(&mut chain);
			for asked in draws.iter().filter(|asked| asked.node != dead) {
				let proofs: Vec<_> = asked
					.offsets
					.iter()
					.map(|offset| stored.prove(asked.slot, *offset))
					.collect();
				sent(answer(asked, &proofs));
			}
			// All collectors say that all nodes are there.
			let (window, into) = (
				System::block_number() / beats::window_blocks(),
				System::block_number() % beats::window_blocks(),
			);
			if into == 1 {
				for report in beats::reports(window - 1, &[beats::beats(); 30]) {
					// At a session's end there is no room; then this window does not count.
					let _ = Executive::apply_extrinsic(report);
				}
			}
			chain.close();
			if Books::of(dead).status != NodeStatus::Active {
				break;
			}
		}
		assert_eq!(Heartbeats::liveness(dead), LivenessState::Up);
		let after = Books::of(dead);
		assert_eq!(after.status, NodeStatus::Jailed);
		assert!(after.money < before.money);
		assert_eq!(Ranking::explain(dead).unwrap().score, 0);
		all_hold();
	});
}
