//! One chain made twice: native code makes its blocks on one state, the runtime's wasm makes them again
//! on a copy, and after each the two must be the same to the last bit.

use crate::common::{blob::Blob, pair, Chain};
use codec::{DecodeAll, Encode};
use frame_support::{
	storage::with_transaction_unchecked,
	traits::Get,
	view_functions::{ViewFunction, ViewFunctionDispatchError},
};
use hippius_runtime::*;
use sp_consensus_babe::{
	digests::{PreDigest, PrimaryPreDigest, SecondaryVRFPreDigest},
	make_vrf_sign_data, BABE_ENGINE_ID,
};
use sp_core::{
	crypto::{ByteArray, VrfSecret},
	Pair,
};
use sp_externalities::Externalities;
use sp_io::TestExternalities;
use sp_runtime::{
	traits::Header as _,
	transaction_validity::{TransactionSource, TransactionValidity},
	ApplyExtrinsicResult, DigestItem, ExtrinsicInclusionMode, StateVersion, TransactionOutcome,
};

/// A value of a state, and how often it is there.
type Counted = (Vec<u8>, i32);

/// A state that can be copied.
pub(crate) struct State {
	raw: Vec<(Vec<u8>, Counted)>,
	root: Hash,
}

impl State {
	pub(crate) fn of(mut ext: TestExternalities) -> Self {
		ext.commit_all().unwrap();
		let (raw, root) = ext.into_raw_snapshot();
		Self { raw, root }
	}

	pub(crate) fn copy(&self) -> TestExternalities {
		TestExternalities::from_raw_snapshot(self.raw.clone(), self.root, StateVersion::V1)
	}
}

/// A chain whose blocks are made natively and, if there is a wasm, by that again.
pub(crate) struct Twins {
	chain: Chain,
	native: TestExternalities,
	wasm: Option<(Blob, TestExternalities)>,
}

impl Twins {
	/// A new chain on this state, made twice.
	pub(crate) fn new(genesis: TestExternalities) -> Self {
		let state = State::of(genesis);
		Self {
			chain: Chain::new(),
			native: state.copy(),
			wasm: Some((Blob::new(), state.copy())),
		}
	}

	/// A new chain on this state, made natively only.
	pub(crate) fn native_only(genesis: TestExternalities) -> Self {
		Self {
			chain: Chain::new(),
			native: genesis,
			wasm: None,
		}
	}

	/// The chain and its state.
	pub(crate) fn into_native(self) -> (Chain, TestExternalities) {
		(self.chain, self.native)
	}

	/// Looks at the state natively.
	pub(crate) fn native<R>(&mut self, look: impl FnOnce() -> R) -> R {
		self.native.execute_with(look)
	}

	/// A block with the transactions that `make` makes when it is open.
	pub(crate) fn block(
		&mut self,
		make: impl FnOnce() -> Vec<UncheckedExtrinsic>,
	) -> Vec<ApplyExtrinsicResult> {
		let chain = &mut self.chain;
		let (header, sent, mut results, made, events) = self.native.execute_with(|| {
			let header = claimed(chain);
			Executive::initialize_block(&header);
			let mut sent = vec![chain.after().timestamp()];
			let mut results = vec![apply(&sent[0])];
			let transactions = make();
			results.extend(transactions.iter().map(apply));
			sent.extend(transactions);
			let made = chain.close();
			(header, sent, results, made, System::events())
		});
		self.native.commit_all().unwrap();
		if let Some((blob, ext)) = &mut self.wasm {
			let number = *made.number();
			let again = {
				let mut ext = ext.ext();
				let _: ExtrinsicInclusionMode =
					blob.call_on(&mut ext, "Core_initialize_block", &header);
				for (at, (transaction, native)) in sent.iter().zip(&results).enumerate() {
					let result = apply_in(blob, &mut ext, transaction);
					assert_eq!(&result, native, "block {number}, transaction {at}");
				}
				let again: Header = blob.call_on(&mut ext, "BlockBuilder_finalize_block", &());
				again
			};
			let repeated = ext.execute_with(System::events);
			assert_eq!(repeated, events, "events of block {number}");
			assert_eq!(again.state_root(), made.state_root(), "block {number}");
			assert_eq!(again, made, "block {number}");
			ext.commit_all().unwrap();
		}
		// The timestamp.
		results.remove(0).unwrap().unwrap();
		results
	}

	/// What a pool would say of a transaction, by both.
	pub(crate) fn validity(&mut self, transaction: &UncheckedExtrinsic) -> TransactionValidity {
		let source = TransactionSource::External;
		let parent = self.native.execute_with(System::parent_hash);
		let native = self.native.execute_with(|| {
			with_transaction_unchecked(|| {
				let validity = Executive::validate_transaction(source, transaction.clone(), parent);
				TransactionOutcome::Rollback(validity)
			})
		});
		if let Some((blob, ext)) = &mut self.wasm {
			let mut ext = ext.ext();
			ext.storage_start_transaction();
			let again: TransactionValidity = blob.call_on(
				&mut ext,
				"TaggedTransactionQueue_validate_transaction",
				&(source, transaction, parent),
			);
			ext.storage_rollback_transaction().unwrap();
			assert_eq!(again, native);
		}
		native
	}

	/// What a view function says, by both.
	pub(crate) fn view<F: ViewFunction>(&mut self, input: &impl Encode) -> F::ReturnType
	where
		F::ReturnType: DecodeAll,
	{
		let input = input.encode();
		let mut native = Vec::new();
		self.native
			.execute_with(|| F::execute(&mut &input[..], &mut native))
			.unwrap();
		if let Some((blob, ext)) = &mut self.wasm {
			let again: Result<Vec<u8>, ViewFunctionDispatchError> = blob.call_on(
				&mut ext.ext(),
				"RuntimeViewFunction_execute_view_function",
				&(F::id(), input),
			);
			assert_eq!(again.unwrap(), native);
		}
		DecodeAll::decode_all(&mut &native[..]).unwrap()
	}
}

/// As a block's author does it: what is refused leaves nothing behind.
fn apply(transaction: &UncheckedExtrinsic) -> ApplyExtrinsicResult {
	with_transaction_unchecked(|| match Executive::apply_extrinsic(transaction.clone()) {
		Ok(result) => TransactionOutcome::Commit(Ok(result)),
		Err(refused) => TransactionOutcome::Rollback(Err(refused)),
	})
}

/// The same by the wasm.
fn apply_in(
	blob: &Blob,
	ext: &mut dyn Externalities,
	transaction: &UncheckedExtrinsic,
) -> ApplyExtrinsicResult {
	ext.storage_start_transaction();
	let result: ApplyExtrinsicResult =
		blob.call_on(ext, "BlockBuilder_apply_extrinsic", transaction);
	match result {
		Ok(_) => ext.storage_commit_transaction(),
		Err(_) => ext.storage_rollback_transaction(),
	}
	.unwrap();
	result
}

/// The next block's header, whose author claims its slot with a VRF: so blocks have randomness, and the
/// two must agree on it, too.
fn claimed(chain: &Chain) -> Header {
	let mut header = chain.next();
	let slot = chain.slot() + 1;
	let passed = slot.saturating_sub(*Babe::current_epoch_start());
	let is_new = *header.number() > 1 && passed >= <configs::EpochDuration as Get<u64>>::get();
	let epoch = match is_new {
		true => Babe::next_epoch(),
		false => Babe::current_epoch(),
	};
	let place = slot as usize % epoch.authorities.len();
	let author = ["Alice", "Bob", "Charlie"]
		.map(pair)
		.into_iter()
		.find(|author| author.public().as_slice() == epoch.authorities[place].0.as_slice())
		.unwrap();
	let data = make_vrf_sign_data(&epoch.randomness, slot.into(), epoch.epoch_index);
	let (authority_index, vrf_signature) = (place as u32, author.vrf_sign(&data));
	let claim = match slot % 2 {
		0 => PreDigest::Primary(PrimaryPreDigest {
			authority_index,
			slot: slot.into(),
			vrf_signature,
		}),
		_ => PreDigest::SecondaryVRF(SecondaryVRFPreDigest {
			authority_index,
			slot: slot.into(),
			vrf_signature,
		}),
	};
	header.digest_mut().logs = vec![DigestItem::PreRuntime(BABE_ENGINE_ID, claim.encode())];
	header
}
