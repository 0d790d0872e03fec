//! Every way to answer without holding the bytes, and every way to trouble those who do.

use crate::{mock::*, Answered, Event, Refusal};
use arion_storage_proof::{
	answer::{Answer, Shown},
	AuditProof, PgLedger, Sum,
};
use codec::{Decode, Encode};
use frame_support::{assert_noop, pallet_prelude::TransactionSource};
use hippius_primitives::audit::{Ask, AskedOf};
use sp_runtime::transaction_validity::{
	InvalidTransaction, TransactionValidityError, ValidTransaction,
};

fn validate(answer: &Answer) -> Result<ValidTransaction, TransactionValidityError> {
	Audits::authorize_answer(TransactionSource::External, answer).map(|(valid, _)| valid)
}

/// Refused in the pool and in a block, with this reason.
#[track_caller]
fn assert_refused(answer: Answer, refusal: Refusal) {
	let error = TransactionValidityError::Invalid(InvalidTransaction::Custom(refusal as u8));
	assert_eq!(Audits::check_answer(&answer), Err(refusal));
	assert_eq!(validate(&answer), Err(error));
	assert_noop!(submit(answer), error);
}

/// Blocks until one has drawn something of a stripe longer than one chunk; gives the draw.
fn draw_of_many_chunks() -> AskedOf {
	for _ in 0..100 {
		let block = next_block();
		let found = drawn(block).into_iter().find(|asked| {
			let (_, _, byte) = World::with(|world| world.groups[&asked.pg].find(asked.offsets[0]));
			asked.offsets.len() == 1 && byte >= 1_024
		});
		if let Some(asked) = found {
			return asked;
		}
	}
	panic!("nothing was drawn");
}

fn proof(asked: &AskedOf) -> AuditProof {
	World::with(|world| world.groups[&asked.pg].prove(asked.slot, asked.offsets[0]))
}

/// An answer, rightly signed, with other proofs.
fn showing(asked: &AskedOf, proof: &AuditProof) -> Answer {
	signed(
		asked.node,
		0,
		std::slice::from_ref(asked),
		vec![vec![bytes(proof)]],
	)
}

#[test]
fn the_bytes_count_once() {
	ExtBuilder::default().build_and_execute(|| {
		let asked = draw_of_many_chunks();
		let (Ask::Draw { block, draw }, node) = (asked.ask, asked.node) else {
			panic!("a task");
		};
		let answer = answer_to(std::slice::from_ref(&asked));
		let valid = validate(&answer).unwrap();
		assert_eq!((valid.longevity, valid.propagate), (5, true));
		assert_eq!(valid.provides.len(), 2);
		assert_eq!(Answered::<Test>::get(block), 0);

		submit(answer.clone()).unwrap();
		assert_eq!(Answered::<Test>::get(block), 1 << draw);
		assert_eq!(World::outcomes(node), (1, 0));
		let ask = asked.ask;
		assert!(events().contains(&Event::DrawAnswered { node, ask }));

		// Neither the same nor another good answer counts again.
		assert_refused(answer, Refusal::AlreadyAnswered);
		let other = signed(node, 3, std::slice::from_ref(&asked), vec![honest(&asked)]);
		assert_refused(other, Refusal::AlreadyAnswered);
		assert_eq!(World::outcomes(node), (1, 0));
	});
}

#[test]
fn forged_paths() {
	ExtBuilder::default().build_and_execute(|| {
		let asked = draw_of_many_chunks();
		let good = proof(&asked);
		for at in 0..good.path.len() {
			let mut forged = good.clone();
			forged.path[at].hash[0] ^= 1;
			assert_refused(showing(&asked, &forged), Refusal::WrongRoot);
			// Bytes moved between siblings end up elsewhere or at another root.
			let mut moved = good.clone();
			let sum = moved.path[at].sum.bytes().unwrap();
			moved.path[at].sum = Sum::new(sum + 64).unwrap();
			let answer = showing(&asked, &moved);
			let refusal = Audits::check_answer(&answer).unwrap_err();
			assert!(matches!(refusal, Refusal::WrongRoot | Refusal::WrongPlace));
		}
		let mut short = good.clone();
		short.path.pop();
		assert_refused(showing(&asked, &short), Refusal::WrongShape);
		let mut owner = good.clone();
		owner.owner[0] ^= 1;
		assert_refused(showing(&asked, &owner), Refusal::WrongRoot);
		let mut batch = good.clone();
		batch.batch = 99;
		assert_refused(showing(&asked, &batch), Refusal::WrongShape);
		submit(showing(&asked, &good)).unwrap();
	});
}

#[test]
fn another_chunk_and_other_bytes() {
	ExtBuilder::default().build_and_execute(|| {
		let asked = draw_of_many_chunks();
		let good = proof(&asked);
		// A true proof of the shard's first chunk.
		let (_, _, byte) = World::with(|world| world.groups[&asked.pg].find(asked.offsets[0]));
		let first =
			World::with(|world| world.groups[&asked.pg].prove(asked.slot, asked.offsets[0] - byte));
		assert_refused(showing(&asked, &first), Refusal::WrongRoot);
		// A true proof of another stripe.
		let elsewhere = (asked.offsets[0] + 4_500) % World::live_bytes(asked.pg);
		let other = World::with(|world| world.groups[&asked.pg].prove(asked.slot, elsewhere));
		let refusal = Audits::check_answer(&showing(&asked, &other)).unwrap_err();
		assert!(matches!(refusal, Refusal::WrongPlace | Refusal::WrongRoot));
		// Changed bytes.
		let mut encoded = good.encode();
		encoded[10] ^= 1;
		let changed = AuditProof::decode(&mut &encoded[..]).unwrap();
		assert_refused(showing(&asked, &changed), Refusal::WrongRoot);
	});
}

#[test]
fn another_slots_shard() {
	ExtBuilder::default().build_and_execute(|| {
		let asked = draw_of_many_chunks();
		let slot = (asked.slot + 1) % 30;
		let other = World::with(|world| world.groups[&asked.pg].prove(slot, asked.offsets[0]));
		assert_refused(showing(&asked, &other), Refusal::WrongRoot);
		// Its bytes under the right slot's path are no better.
		let mut mixed = proof(&asked);
		mixed.chunk = other.chunk;
		assert_refused(showing(&asked, &mixed), Refusal::WrongRoot);
	});
}

#[test]
fn answers_by_others_and_for_others() {
	ExtBuilder::default().build_and_execute(|| {
		let asked = draw_of_many_chunks();
		let other = (asked.node + 1) % 30;
		let shown = || vec![honest(&asked)];
		// Another node says it was asked.
		assert_refused(
			signed(other, 0, std::slice::from_ref(&asked), shown()),
			Refusal::OtherNode,
		);
		// Another node signs for the one asked.
		let mut stolen = signed(other, 0, std::slice::from_ref(&asked), shown());
		stolen.node = asked.node;
		assert_refused(stolen, Refusal::Signature);
		// A good answer copied into the node's other places in the pool.
		let mut copied = answer_to(std::slice::from_ref(&asked));
		copied.place = 1;
		assert_refused(copied, Refusal::Signature);
		// A node nobody knows any more.
		let answer = answer_to(std::slice::from_ref(&asked));
		World::with(|world| world.nodes.remove(&asked.node));
		assert_refused(answer, Refusal::UnknownNode);
	});
}

#[test]
fn answers_of_other_chains_blocks_and_times() {
	ExtBuilder::default().build_and_execute(|| {
		let asked = draw_of_many_chunks();
		let Ask::Draw { block, draw } = asked.ask else {
			panic!("a task");
		};
		let with = |ask| {
			let mut other = asked.clone();
			other.ask = ask;
			answer_to(&[other])
		};
		assert_refused(
			with(Ask::Draw {
				block: block + 1,
				draw,
			}),
			Refusal::FutureBlock,
		);
		assert_refused(with(Ask::Draw { block, draw: 200 }), Refusal::NotAsked);
		assert_refused(with(Ask::Draw { block: 1, draw }), Refusal::NotAsked);
		assert_refused(with(Ask::Task { id: 0 }), Refusal::NotAsked);
		// Signed for the same draw after a reorganisation, with other randomness.
		let mut reorganised = asked.clone();
		reorganised.seed[0] ^= 1;
		assert_refused(answer_to(&[reorganised]), Refusal::Signature);
		// Signed for another chain.
		let answer = answer_to(std::slice::from_ref(&asked));
		frame_system::BlockHash::<Test>::insert(0, sp_core::H256([8; 32]));
		assert_refused(answer.clone(), Refusal::Signature);
		frame_system::BlockHash::<Test>::remove(0);
		assert_refused(answer.clone(), Refusal::NotReady);
		frame_system::BlockHash::<Test>::insert(0, sp_core::H256(GENESIS));

		// The last tick counts, the next does not.
		World::with(|world| world.prior = (1_000_000, 0));
		quiet_blocks(5);
		assert_eq!(Audits::check_answer(&answer), Ok(()));
		quiet_blocks(1);
		assert_refused(answer.clone(), Refusal::NotAsked);
		assert_eq!(World::outcomes(asked.node).0, 0);
	});
}

#[test]
fn malformed_answers() {
	ExtBuilder::default().build_and_execute(|| {
		let asked = draw_of_many_chunks();
		let node = asked.node;
		let one = std::slice::from_ref(&asked);
		let with = |place, shown: Vec<Vec<Shown>>| signed(node, place, one, shown);
		assert_refused(with(8, vec![honest(&asked)]), Refusal::Place);
		assert_refused(signed(node, 0, &[], vec![]), Refusal::Empty);
		let twice = signed(
			node,
			0,
			&[asked.clone(), asked.clone()],
			vec![honest(&asked), honest(&asked)],
		);
		assert_refused(twice, Refusal::Order);
		assert_refused(with(0, vec![vec![]]), Refusal::ProofCount);
		let two = [honest(&asked), honest(&asked)].concat();
		assert_refused(with(0, vec![two]), Refusal::ProofCount);

		let raw = |bytes: Vec<u8>| vec![vec![Shown::Bytes(bytes.try_into().unwrap())]];
		let good = proof(&asked).encode();
		assert_refused(with(0, raw(vec![])), Refusal::Malformed);
		assert_refused(with(0, raw(vec![0xff; 8_192])), Refusal::Malformed);
		assert_refused(with(0, raw([&good[..], &[0]].concat())), Refusal::Malformed);
		for cut in (0..good.len()).step_by(97) {
			assert_refused(with(0, raw(good[..cut].to_vec())), Refusal::Malformed);
		}
		World::with(|world| world.groups.remove(&asked.pg));
		assert_refused(answer_from(&asked, good), Refusal::NoLedger);
	});
}

fn answer_from(asked: &AskedOf, proof: Vec<u8>) -> Answer {
	let shown = vec![vec![Shown::Bytes(proof.try_into().unwrap())]];
	signed(asked.node, 0, std::slice::from_ref(asked), shown)
}

#[test]
fn a_flood_of_bad_answers_leaves_no_trace() {
	ExtBuilder::default().build_and_execute(|| {
		let asked = draw_of_many_chunks();
		let good = proof(&asked).encode();
		let before = sp_io::storage::root(sp_runtime::StateVersion::V1);
		for at in (0..good.len()).step_by(3) {
			for bit in [0, 7] {
				let mut changed = good.clone();
				changed[at] ^= 1 << bit;
				let answer = answer_from(&asked, changed);
				assert!(validate(&answer).is_err(), "byte {at}, bit {bit}");
			}
		}
		let after = sp_io::storage::root(sp_runtime::StateVersion::V1);
		assert_eq!(before, after);
		// Whoever is flooded with can still answer.
		submit(answer_to(&[asked])).unwrap();
	});
}

#[test]
fn pools_keep_one_answer_for_each_draw_and_place() {
	ExtBuilder::default().build_and_execute(|| {
		let asked = draw_of_many_chunks();
		let tags = |place| {
			let answer = signed(
				asked.node,
				place,
				std::slice::from_ref(&asked),
				vec![honest(&asked)],
			);
			validate(&answer).unwrap().provides
		};
		let (first, second) = (tags(0), tags(1));
		// The same draw clashes whatever the place; the place clashes whatever the draw.
		assert_ne!(first[0], second[0]);
		assert_eq!(first[1], second[1]);
		let places: std::collections::BTreeSet<_> =
			(0..8).map(|place| tags(place)[0].clone()).collect();
		assert_eq!(places.len(), 8);
	});
}

#[test]
fn eight_draws_in_one_answer_all_or_none() {
	ExtBuilder::default()
		.nodes(1)
		.rules(|rules| {
			rules.samples_per_node = 2_000;
			rules.floor_chunks = 1;
		})
		.build_and_execute(|| {
			let block = next_block();
			let all = drawn(block);
			assert!(all.len() >= 8);
			let good = answer_to(&all[..8]);
			let mut shown: Vec<_> = all[..8].iter().map(honest).collect();
			shown[7] = shown[0].clone();
			let bad = signed(0, 0, &all[..8], shown);
			assert!(validate(&bad).is_err());
			assert_noop!(submit(bad.clone()), validate(&bad).unwrap_err());
			submit(good).unwrap();
			assert_eq!(Answered::<Test>::get(block), 0xff);
			assert_eq!(World::outcomes(0), (8, 0));
			// One of them again spoils the answer it is in.
			let mixed = answer_to(&all[7..all.len().min(15)]);
			assert_refused(mixed, Refusal::AlreadyAnswered);
		});
}

#[test]
fn four_chunks_of_one_group() {
	ExtBuilder::default().build_and_execute(|| {
		let mut found = None;
		for _ in 0..200 {
			let block = next_block();
			found = drawn(block)
				.into_iter()
				.find(|asked| asked.offsets.len() == 4);
			if found.is_some() {
				break;
			}
		}
		let asked = found.expect("lane B draws");
		let mut shown = honest(&asked);
		// Bytes of one chunk have one proof.
		let last = shown.iter().rposition(|other| *other != shown[0]).unwrap();
		shown.swap(0, last);
		let swapped = signed(asked.node, 0, std::slice::from_ref(&asked), vec![shown]);
		assert!(Audits::check_answer(&swapped).is_err());
		submit(answer_to(std::slice::from_ref(&asked))).unwrap();
		assert_eq!(World::outcomes(asked.node), (1, 0));
	});
}

#[test]
fn a_released_stripe_is_shown_without_bytes() {
	ExtBuilder::default().build_and_execute(|| {
		let asked = draw_of_many_chunks();
		let entry = World::with(|world| world.groups[&asked.pg].entry(asked.offsets[0]));
		let shown = |entry: &arion_storage_proof::EntryProof| {
			vec![vec![Shown::Released(entry.encode().try_into().unwrap())]]
		};
		let answer = signed(asked.node, 0, std::slice::from_ref(&asked), shown(&entry));
		assert_refused(answer.clone(), Refusal::NotReleased);

		let elsewhere = World::with(|world| {
			let group = &world.groups[&asked.pg];
			let offset = (0..).map(|step| step * 64);
			let other = offset
				.map(|offset| group.entry(offset))
				.find(|other| other.stripe != entry.stripe || other.batch != entry.batch)
				.unwrap();
			world.released.insert((asked.pg, entry.batch, entry.stripe));
			world.released.insert((asked.pg, other.batch, other.stripe));
			other
		});
		// Another stripe's release, or the right numbers over a forged entry.
		let other = signed(
			asked.node,
			0,
			std::slice::from_ref(&asked),
			shown(&elsewhere),
		);
		assert_refused(other, Refusal::WrongPlace);
		let mut forged = entry.clone();
		forged.entry.owner[0] ^= 1;
		let forged = signed(asked.node, 0, std::slice::from_ref(&asked), shown(&forged));
		assert_refused(forged, Refusal::WrongRoot);

		submit(answer).unwrap();
		assert_eq!(World::outcomes(asked.node), (0, 0));
		quiet_blocks(10);
		assert_eq!(World::outcomes(asked.node), (0, 0));
	});
}

#[test]
fn a_ledger_that_grew_wants_a_new_proof_of_the_same_byte() {
	ExtBuilder::default().build_and_execute(|| {
		let asked = draw_of_many_chunks();
		let append = |seed| {
			World::with(|world| {
				let group = world.groups.get_mut(&asked.pg).unwrap();
				group.append(seed, &[640, 128]);
			});
		};
		let answer = || answer_to(std::slice::from_ref(&asked));
		// The fourth batch comes under one peak with the three before it: their ways become longer.
		let old = answer();
		append(77);
		assert_refused(old, Refusal::WrongShape);
		// The fifth has a peak of its own, and the others' proofs stay good.
		let new = answer();
		append(78);
		assert_eq!(Audits::check_answer(&new), Ok(()));
		submit(new).unwrap();
	});
}

#[test]
fn grinding_the_answer_changes_nothing() {
	ExtBuilder::default().build_and_execute(|| {
		let asked = draw_of_many_chunks();
		let after = |place: u8| {
			let root = frame_support::storage::with_transaction(|| {
				let shown = vec![honest(&asked)];
				submit(signed(
					asked.node,
					place,
					std::slice::from_ref(&asked),
					shown,
				))
				.unwrap();
				let block = next_block_with(Some([5; 32]));
				let rolled = crate::Randomness::<Test>::get(block).unwrap();
				let outcome = (rolled, drawn(block));
				sp_runtime::TransactionOutcome::Rollback(Ok::<_, sp_runtime::DispatchError>(
					outcome,
				))
			});
			root.unwrap()
		};
		let first = after(0);
		assert!((1..8).all(|place| after(place) == first));
	});
}
