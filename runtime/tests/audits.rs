//! Audits through the whole pipeline: what nodes hold by the ledger is drawn, an answer with the bytes
//! gets into a block without an account or a fee, and nothing else does.
#![allow(clippy::unwrap_used)]

mod common;

use arion_storage_proof::{
	answer::{Answer, Item, Shown},
	sample, AuditProof, Blake2, ChunkProof, Mmr, Outboard, PgLedger, ShardLen, ShardPath,
	StripeEntry, SumTree,
};
use codec::{DecodeAll, Encode};
use common::{
	externalities,
	nodes::{node_key, thirty_nodes},
	pair, signed, Chain,
};
use ed25519_dalek::Signer;
use frame_support::storage::with_transaction_unchecked;
use hippius_primitives::{
	audit::AskedOf,
	id::shard_id,
	ledger::{full, CompactReceipt, OwnerShare},
	receipt::{BatchRef, Receipt, ReceiptBody},
	tree::stripe_id,
	Pg, ShardId, TOTAL_SHARDS,
};
use hippius_runtime::*;
use pallet_audits::Refusal;
use sp_runtime::{
	transaction_validity::{
		InvalidTransaction, TransactionSource, TransactionValidity, TransactionValidityError,
	},
	TransactionOutcome,
};

/// The group everything is stored in.
const PG: Pg = 5;

/// A stripe of one chunk and a half, with all its bytes, as the only one of a ledger.
struct Stored {
	shards: Vec<Vec<u8>>,
	tree: SumTree,
	mmr: Mmr,
}

impl Stored {
	fn new() -> Self {
		let shards: Vec<Vec<u8>> = (0..TOTAL_SHARDS as u64)
			.map(|slot| sample::bytes(1_536, slot))
			.collect();
		let entry = StripeEntry {
			stripe: stripe_id(&ids(&shards)),
			owner: [1; 32],
			shard_len: ShardLen::new(1_536).unwrap(),
		};
		let tree = SumTree::build::<Blake2>(vec![entry]).unwrap();
		let mut mmr = Mmr::new();
		mmr.append::<Blake2>(&tree.batch()).unwrap();
		Self { shards, tree, mmr }
	}

	/// Appends the batch to the group's ledger with the receipts of all its members.
	fn append(&self, chain: &mut Chain) {
		let epoch = ClusterMap::epoch();
		let members = PlacementGroups::acting_set(PG).unwrap();
		let batch = self.tree.batch();
		let reference = BatchRef {
			genesis: System::block_hash(0).0,
			pg: PG,
			epoch,
			root: batch.root,
			bytes: batch.bytes,
			stripes: batch.stripes,
		};
		let mut members: Vec<_> = members.into_iter().flatten().collect();
		members.sort_unstable();
		let receipts: Vec<_> = members
			.into_iter()
			.map(|node| {
				let body = ReceiptBody {
					batch: reference,
					held: full(batch.stripes),
					node,
				};
				let signature = node_key(node).sign(&body.payload()).to_bytes();
				CompactReceipt::new(&Receipt { body, signature })
			})
			.collect();
		let owners = vec![OwnerShare {
			owner: [1; 32],
			bytes: batch.bytes,
		}];
		let call = pallet_placement_groups::Call::append {
			pg: PG,
			epoch,
			batch,
			owners: owners.try_into().unwrap(),
			receipts: receipts.try_into().unwrap(),
		};
		chain.block_of(vec![signed(&pair("Bob"), call)]);
	}

	fn prove(&self, slot: u8, offset: u64) -> AuditProof {
		let shard = &self.shards[usize::from(slot)];
		AuditProof::assemble(
			ChunkProof::from_group(&Outboard::build(shard), shard, offset / 1_024).unwrap(),
			ShardPath::make(&ids(&self.shards), slot).unwrap(),
			&self.tree,
			0,
			0,
			&self.mmr.prove(0).unwrap(),
		)
		.unwrap()
	}
}

fn ids(shards: &[Vec<u8>]) -> [ShardId; TOTAL_SHARDS] {
	core::array::from_fn(|slot| shard_id(&shards[slot]))
}

/// Opens a block whose parent's author left a VRF output; gives what it draws.
fn open_with_draws(chain: &mut Chain) -> Vec<AskedOf> {
	// The test chain's authors claim their slots without a VRF; here is what one would have left.
	let number = System::block_number();
	pallet_babe::AuthorVrfRandomness::<Runtime>::put(Some(sample::hash(number.into())));
	chain.open();
	pallet_babe::AuthorVrfRandomness::<Runtime>::kill();
	Audits::draws(System::block_number())
}

/// Node `asked.node`'s answer, showing `proofs`.
fn answer(asked: &AskedOf, proofs: &[AuditProof]) -> Answer {
	let shown: Vec<_> = proofs
		.iter()
		.map(|proof| Shown::Bytes(proof.encode().try_into().unwrap()))
		.collect();
	let item = Item {
		ask: asked.ask,
		shown: shown.try_into().unwrap(),
	};
	let mut answer = Answer {
		node: asked.node,
		place: 0,
		items: vec![item].try_into().unwrap(),
		signature: [0; 64],
	};
	let payload = answer.payload(&System::block_hash(0).0, &[asked.seed]);
	answer.signature = node_key(asked.node).sign(&payload).to_bytes();
	answer
}

fn extrinsic(answer: Answer) -> UncheckedExtrinsic {
	let call = RuntimeCall::Audits(pallet_audits::Call::answer { answer });
	let sent = UncheckedExtrinsic::new_transaction(call, plain_extension(0)).encode();
	UncheckedExtrinsic::decode_all(&mut &sent[..]).unwrap()
}

fn validate(answer: &Answer) -> TransactionValidity {
	// As a node does it, on a copy of the state.
	with_transaction_unchecked(|| {
		let parent = System::parent_hash();
		let transaction = extrinsic(answer.clone());
		let source = TransactionSource::External;
		TransactionOutcome::Rollback(Executive::validate_transaction(source, transaction, parent))
	})
}

fn assert_refused(answer: Answer, refusal: Refusal) {
	let error = TransactionValidityError::Invalid(InvalidTransaction::Custom(refusal as u8));
	assert_eq!(validate(&answer), Err(error));
	assert_eq!(Executive::apply_extrinsic(extrinsic(answer)), Err(error));
}

#[test]
fn an_answer_with_the_bytes_gets_in_and_no_other() {
	externalities(genesis::LOCAL).execute_with(|| {
		let stored = Stored::new();
		let mut chain = Chain::new();
		thirty_nodes(&mut chain);
		chain.until(20, || ClusterMap::epoch() > 0);
		stored.append(&mut chain);
		// New data is drawn after the next snapshot but one.
		assert!(open_with_draws(&mut chain).is_empty());
		chain.close();
		chain.until(40, || <PlacementGroups as PgLedger>::total_bytes() == 1_536);

		let draws = open_with_draws(&mut chain);
		// 35 a day for each of 30 nodes, in 100 blocks.
		assert!(draws.len() >= 11, "{}", draws.len());
		let members = PlacementGroups::acting_set(PG).unwrap();
		assert!(draws
			.iter()
			.all(|asked| asked.pg == PG && members[usize::from(asked.slot)] == Some(asked.node)));
		let asked = draws.iter().find(|asked| asked.offsets.len() == 1).unwrap();
		let good = stored.prove(asked.slot, asked.offsets[0]);

		// Others' bytes, a forged path, another's signature.
		let other = stored.prove((asked.slot + 1) % 30, asked.offsets[0]);
		assert_refused(answer(asked, &[other]), Refusal::WrongRoot);
		let mut forged = good.clone();
		forged.shards.0[0][0] ^= 1;
		assert_refused(answer(asked, &[forged]), Refusal::WrongRoot);
		let mut stolen = answer(asked, std::slice::from_ref(&good));
		stolen.signature[0] ^= 1;
		assert_refused(stolen, Refusal::Signature);

		// The bytes.
		let honest = answer(asked, &[good]);
		let valid = validate(&honest).unwrap();
		assert_eq!((valid.longevity, valid.propagate), (5, true));
		assert_eq!(valid.provides.len(), 2);
		let issuance = Balances::total_issuance();
		Executive::apply_extrinsic(extrinsic(honest.clone()))
			.unwrap()
			.unwrap();
		assert_eq!(Balances::total_issuance(), issuance);
		assert_refused(honest, Refusal::AlreadyAnswered);
		assert!(!Audits::asked_of(asked.node).contains(asked));
		chain.close();
		Audits::do_try_state().unwrap();

		// Without a VRF output nothing is drawn, and what was drawn is swept in time.
		chain.blocks(8);
		assert_eq!(pallet_audits::Open::<Runtime>::iter().count(), 0);
		Audits::do_try_state().unwrap();
		Registry::do_try_state().unwrap();
	});
}

#[test]
fn an_answer_is_no_bare_or_signed_transaction() {
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		let answer = Answer {
			node: 0,
			place: 0,
			items: Default::default(),
			signature: [0; 64],
		};
		let call = || {
			RuntimeCall::Audits(pallet_audits::Call::answer {
				answer: answer.clone(),
			})
		};
		let results = chain.block(vec![
			UncheckedExtrinsic::new_bare(call()),
			signed(&pair("Alice"), call()),
			extrinsic(answer.clone()),
		]);
		assert!(!matches!(results[0], Ok(Ok(()))));
		assert!(!matches!(results[1], Ok(Ok(()))));
		let empty = InvalidTransaction::Custom(Refusal::Empty as u8);
		assert_eq!(results[2], Err(empty.into()));
	});
}

#[test]
fn a_full_block_is_noticed() {
	use frame_support::dispatch::DispatchClass;
	use pallet_audits::Congestion as _;
	externalities(genesis::LOCAL).execute_with(|| {
		let mut chain = Chain::new();
		chain.open();
		assert!(!configs::arion::Congestion::block_is_full());
		let weights = <Runtime as frame_system::Config>::BlockWeights::get();
		let most = weights.get(DispatchClass::Normal).max_total.unwrap();
		System::register_extra_weight_unchecked(most, DispatchClass::Normal);
		assert!(configs::arion::Congestion::block_is_full());
		chain.close();
		assert_eq!(pallet_audits::FullBlocks::<Runtime>::get() & 1, 1);
		chain.blocks(1);
		assert_eq!(pallet_audits::FullBlocks::<Runtime>::get() & 0b11, 0b10);
	});
}
