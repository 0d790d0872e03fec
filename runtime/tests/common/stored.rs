//! A stripe with all its bytes in the ledger of a test network, and answers to the draws that ask for it.

use super::{account, nodes::node_key, pair, signed, Chain};
use arion_storage_proof::{
	answer::{Answer, Item, Shown},
	sample, AuditProof, Blake2, ChunkProof, Mmr, Outboard, ShardLen, ShardPath, StripeEntry,
	SumTree,
};
use codec::{DecodeAll, Encode};
use ed25519_dalek::Signer;
use frame_support::storage::with_transaction_unchecked;
use hippius_primitives::{
	audit::AskedOf,
	id::shard_id,
	ledger::{full, owners_hash, CompactReceipt, OwnerShare},
	receipt::{BatchRef, Receipt, ReceiptBody},
	tree::stripe_id,
	Epoch, NodeIndex, Pg, ShardId, TOTAL_SHARDS,
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
pub const PG: Pg = 5;

/// A stripe of one chunk and a half, with all its bytes, as the only one of a ledger.
pub struct Stored {
	pub shards: Vec<Vec<u8>>,
	pub tree: SumTree,
	pub mmr: Mmr,
	owner: AccountId,
}

impl Stored {
	#[allow(clippy::new_without_default)]
	pub fn new() -> Self {
		Self::of(account("Bob"), 0)
	}

	/// For an owner; another number gives other bytes.
	pub fn of(owner: AccountId, number: u64) -> Self {
		let shards: Vec<Vec<u8>> = (0..TOTAL_SHARDS as u64)
			.map(|slot| sample::bytes(1_536, slot + 100 * number))
			.collect();
		let entry = StripeEntry {
			stripe: stripe_id(&ids(&shards)),
			owner: owner.clone().into(),
			shard_len: ShardLen::new(1_536).unwrap(),
		};
		let tree = SumTree::build::<Blake2>(vec![entry]).unwrap();
		let mut mmr = Mmr::new();
		mmr.append::<Blake2>(&tree.batch()).unwrap();
		Self {
			shards,
			tree,
			mmr,
			owner,
		}
	}

	/// Appends the batch to the group's ledger with the receipts of all its members, by Bob.
	pub fn append(&self, chain: &mut Chain) {
		chain.block_of(vec![self.appended_by(TOTAL_SHARDS, |_| ())]);
	}

	/// The transaction that appends the batch with the receipts of the members in the first `count`
	/// slots, changed by `edit`.
	pub fn appended_by(
		&self,
		count: usize,
		edit: impl FnOnce(&mut Vec<CompactReceipt>),
	) -> UncheckedExtrinsic {
		let epoch = ClusterMap::epoch();
		let batch = self.tree.batch();
		let members = PlacementGroups::acting_set(PG).unwrap().into_iter();
		let signers = members.flatten().take(count);
		let mut receipts: Vec<_> = signers
			.map(|node| receipt(self.reference(epoch), node, node))
			.collect();
		edit(&mut receipts);
		let call = pallet_placement_groups::Call::append {
			pg: PG,
			epoch,
			batch,
			owners: self.owners().try_into().unwrap(),
			receipts: receipts.try_into().unwrap(),
		};
		signed(&pair("Bob"), call)
	}

	/// The batch as receipts of `epoch` name it.
	pub fn reference(&self, epoch: Epoch) -> BatchRef {
		let batch = self.tree.batch();
		BatchRef {
			genesis: System::block_hash(0).0,
			pg: PG,
			epoch,
			root: batch.root,
			bytes: batch.bytes,
			stripes: batch.stripes,
			owners: owners_hash(&self.owners()),
		}
	}

	/// What the owner has of the batch.
	pub fn owners(&self) -> Vec<OwnerShare> {
		vec![OwnerShare {
			owner: self.owner.clone().into(),
			bytes: self.tree.batch().bytes,
		}]
	}

	pub fn prove(&self, slot: u8, offset: u64) -> AuditProof {
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

/// A receipt for everything in the batch by node `node`, signed with the key of `signer`.
pub fn receipt(batch: BatchRef, node: NodeIndex, signer: NodeIndex) -> CompactReceipt {
	let body = ReceiptBody {
		batch,
		held: full(batch.stripes),
		node,
	};
	let signature = node_key(signer).sign(&body.payload()).to_bytes();
	CompactReceipt::new(&Receipt { body, signature })
}

pub fn ids(shards: &[Vec<u8>]) -> [ShardId; TOTAL_SHARDS] {
	core::array::from_fn(|slot| shard_id(&shards[slot]))
}

/// Opens a block whose parent's author left a VRF output; gives what it draws.
pub fn open_with_draws(chain: &mut Chain) -> Vec<AskedOf> {
	// The test chain's authors claim their slots without a VRF; here is what one would have left.
	let number = System::block_number();
	pallet_babe::AuthorVrfRandomness::<Runtime>::put(Some(sample::hash(number.into())));
	chain.open();
	pallet_babe::AuthorVrfRandomness::<Runtime>::kill();
	Audits::draws(System::block_number())
}

/// Node `asked.node`'s answer, showing `proofs`.
pub fn answer(asked: &AskedOf, proofs: &[AuditProof]) -> Answer {
	answer_by(asked.node, asked.node, asked, proofs)
}

/// An answer in the name of `node`, signed with the key of `signer`.
pub fn answer_by(
	node: NodeIndex,
	signer: NodeIndex,
	asked: &AskedOf,
	proofs: &[AuditProof],
) -> Answer {
	let shown = proofs
		.iter()
		.map(|proof| Shown::Bytes(proof.encode().try_into().unwrap()));
	answer_showing(node, signer, asked, shown.collect())
}

/// An answer that shows this, whatever it is.
pub fn answer_showing(
	node: NodeIndex,
	signer: NodeIndex,
	asked: &AskedOf,
	shown: Vec<Shown>,
) -> Answer {
	let item = Item {
		ask: asked.ask,
		shown: shown.try_into().unwrap(),
	};
	let mut answer = Answer {
		node,
		place: 0,
		items: vec![item].try_into().unwrap(),
		signature: [0; 64],
	};
	sign(&mut answer, signer, asked);
	answer
}

/// Signs an answer anew.
pub fn sign(answer: &mut Answer, signer: NodeIndex, asked: &AskedOf) {
	let payload = answer.payload(&System::block_hash(0).0, &[asked.seed]);
	answer.signature = node_key(signer).sign(&payload).to_bytes();
}

pub fn extrinsic(answer: Answer) -> UncheckedExtrinsic {
	let call = RuntimeCall::Audits(pallet_audits::Call::answer { answer });
	let sent = UncheckedExtrinsic::new_transaction(call, plain_extension(0)).encode();
	UncheckedExtrinsic::decode_all(&mut &sent[..]).unwrap()
}

pub fn validate(answer: &Answer) -> TransactionValidity {
	// As a node does it, on a copy of the state.
	with_transaction_unchecked(|| {
		let parent = System::parent_hash();
		let transaction = extrinsic(answer.clone());
		let source = TransactionSource::External;
		TransactionOutcome::Rollback(Executive::validate_transaction(source, transaction, parent))
	})
}

pub fn assert_refused(answer: Answer, refusal: Refusal) {
	let error = TransactionValidityError::Invalid(InvalidTransaction::Custom(refusal as u8));
	assert_eq!(validate(&answer), Err(error));
	assert_eq!(Executive::apply_extrinsic(extrinsic(answer)), Err(error));
}
