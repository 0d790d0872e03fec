//! A chain in memory: presets as state, blocks through the real `Executive`.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

pub mod beats;
pub mod blob;
pub mod money;
pub mod nodes;
pub mod stored;

use codec::Encode;
use frame_support::traits::Get;
use hippius_runtime::*;
use serde_json::Value;
use sp_consensus_babe::{
	digests::{PreDigest, SecondaryPlainPreDigest},
	BABE_ENGINE_ID,
};
use sp_core::{crypto::Pair, ed25519, sr25519};
use sp_io::TestExternalities;
use sp_keystore::{testing::MemoryKeystore, KeystoreExt};
use sp_runtime::{
	traits::{Header as _, TransactionExtension},
	ApplyExtrinsicResult, Digest, DigestItem, MultiSignature,
};
use std::{collections::BTreeMap, sync::Mutex};

/// The preset's full genesis, as the node would build it.
pub fn genesis_json(preset: &str) -> Vec<u8> {
	let mut json = serde_json::to_value(RuntimeGenesisConfig::default()).unwrap();
	let patch = genesis::preset(&preset.into()).unwrap();
	merge(&mut json, serde_json::from_slice(&patch).unwrap());
	json.to_string().into_bytes()
}

fn merge(into: &mut Value, patch: Value) {
	match (into, patch) {
		(Value::Object(into), Value::Object(patch)) => {
			for (key, value) in patch {
				merge(into.entry(key).or_insert(Value::Null), value);
			}
		}
		(into, patch) => *into = patch,
	}
}

/// The state of block 0, with a keystore.
pub fn externalities(preset: &str) -> TestExternalities {
	let json = genesis_json(preset);
	let mut ext = TestExternalities::new_empty();
	ext.register_extension(KeystoreExt::new(MemoryKeystore::new()));
	ext.execute_with(|| {
		frame_support::genesis_builder_helper::build_state::<RuntimeGenesisConfig>(json).unwrap()
	});
	ext
}

/// The key pair of a well-known name.
pub fn pair(name: &str) -> sr25519::Pair {
	static KEPT: Kept<sr25519::Pair> = Kept::new(BTreeMap::new());
	kept(&KEPT, name)
}

/// The same of the payment service's kind of keys.
pub fn payment_key(name: &str) -> ed25519::Pair {
	static KEPT: Kept<ed25519::Pair> = Kept::new(BTreeMap::new());
	kept(&KEPT, name)
}

type Kept<P> = Mutex<BTreeMap<String, P>>;

/// Made once: each takes thousands of hashes.
fn kept<P: Pair + Clone>(kept: &Kept<P>, name: &str) -> P {
	let mut kept = kept.lock().unwrap();
	let make = || P::from_string(&format!("//{name}"), None).unwrap();
	kept.entry(name.into()).or_insert_with(make).clone()
}

/// The account of a well-known name.
pub fn account(name: &str) -> AccountId {
	pair(name).public().into()
}

/// Builds blocks on the state of the externalities it is used in.
#[derive(Clone)]
pub struct Chain {
	parent: Hash,
	number: BlockNumber,
	slot: u64,
	/// Looks at the state after each block.
	pub check: fn(),
}

impl Chain {
	/// On the state of block 0.
	pub fn new() -> Self {
		Self {
			parent: Hash::repeat_byte(69),
			number: 0,
			slot: 1_000_000,
			check: || (),
		}
	}

	/// The slot of the newest block.
	pub fn slot(&self) -> u64 {
		self.slot
	}

	/// Opens a block: its header, hooks and timestamp.
	pub fn open(&mut self) {
		let header = self.next();
		Executive::initialize_block(&header);
		let timestamp = self.after().timestamp();
		Executive::apply_extrinsic(timestamp).unwrap().unwrap();
	}

	/// The next block's header, as its author begins it.
	pub fn next(&self) -> Header {
		let slot = self.slot + 1;
		let authorities = Babe::authorities().len() as u64;
		let author = (0..authorities)
			.map(|offset| ((slot + offset) % authorities) as u32)
			.find(|author| !Session::disabled_validators().contains(author))
			.unwrap();
		let claim = PreDigest::SecondaryPlain(SecondaryPlainPreDigest {
			authority_index: author,
			slot: slot.into(),
		});
		let digest = Digest {
			logs: vec![DigestItem::PreRuntime(BABE_ENGINE_ID, claim.encode())],
		};
		Header::new(
			self.number + 1,
			Default::default(),
			Default::default(),
			self.parent,
			digest,
		)
	}

	/// The chain as it is when the next block is open.
	pub fn after(&mut self) -> &Self {
		self.number += 1;
		self.slot += 1;
		self
	}

	/// What sets the time of the block that is open.
	pub fn timestamp(&self) -> UncheckedExtrinsic {
		let now = self.slot * units::SLOT_MILLIS;
		UncheckedExtrinsic::new_bare(RuntimeCall::Timestamp(pallet_timestamp::Call::set { now }))
	}

	/// Closes the block.
	pub fn close(&mut self) -> Header {
		let header = Executive::finalize_block();
		self.parent = header.hash();
		(self.check)();
		header
	}

	/// A block with these transactions.
	pub fn block(&mut self, transactions: Vec<UncheckedExtrinsic>) -> Vec<ApplyExtrinsicResult> {
		self.open();
		let results = transactions
			.into_iter()
			.map(Executive::apply_extrinsic)
			.collect();
		self.close();
		results
	}

	/// A block whose transactions all succeed.
	pub fn block_of(&mut self, transactions: Vec<UncheckedExtrinsic>) {
		for result in self.block(transactions) {
			result.unwrap().unwrap();
		}
	}

	/// `count` empty blocks.
	pub fn blocks(&mut self, count: u32) {
		for _ in 0..count {
			self.block(Vec::new());
		}
	}

	/// Empty blocks until `done`, at most `limit`.
	pub fn until(&mut self, limit: u32, mut done: impl FnMut() -> bool) {
		for _ in 0..limit {
			if done() {
				return;
			}
			self.block(Vec::new());
		}
		assert!(done(), "not after {limit} blocks");
	}

	/// Empty blocks until the next session.
	pub fn session(&mut self) {
		let session = Session::current_index();
		let slots = <configs::EpochDuration as Get<u64>>::get() as u32;
		self.until(slots + 1, || Session::current_index() > session);
	}
}

/// What the signature of a transaction covers besides its call and extensions.
pub type Implicit = <TxExtension as TransactionExtension<RuntimeCall>>::Implicit;

/// A signed transaction, with the account's next nonce.
pub fn signed(signer: &sr25519::Pair, call: impl Into<RuntimeCall>) -> UncheckedExtrinsic {
	let account: AccountId = signer.public().into();
	signed_with(signer, call, System::account_nonce(account), |_| ())
}

/// Signed transactions of one account, one after the other.
pub fn signed_all(signer: &sr25519::Pair, calls: Vec<RuntimeCall>) -> Vec<UncheckedExtrinsic> {
	let first = System::account_nonce(AccountId::from(signer.public()));
	let numbered = calls.into_iter().zip(first..);
	numbered
		.map(|(call, nonce)| signed_with(signer, call, nonce, |_| ()))
		.collect()
}

/// A signed transaction with another nonce or another implicit part.
pub fn signed_with(
	signer: &sr25519::Pair,
	call: impl Into<RuntimeCall>,
	nonce: Nonce,
	change: impl FnOnce(&mut Implicit),
) -> UncheckedExtrinsic {
	let extension = plain_extension(nonce);
	let mut implicit = extension.implicit().unwrap();
	change(&mut implicit);
	let payload = SignedPayload::from_raw(call.into(), extension, implicit);
	let signature = payload.using_encoded(|bytes| signer.sign(bytes));
	let (call, extension, _) = payload.deconstruct();
	UncheckedExtrinsic::new_signed(
		call,
		Address::Id(signer.public().into()),
		MultiSignature::Sr25519(signature),
		extension,
	)
}

/// A transfer that keeps the sender alive.
pub fn transfer(to: &AccountId, value: Balance) -> RuntimeCall {
	RuntimeCall::Balances(pallet_balances::Call::transfer_keep_alive {
		dest: Address::Id(to.clone()),
		value,
	})
}
