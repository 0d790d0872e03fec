//! Windows of heartbeats, as validators report them.

use super::{pair, Chain};
use hippius_primitives::heartbeat::{Page, PageReport, Window};
use hippius_runtime::*;
use sp_core::{crypto::ByteArray, Pair};
use sp_runtime::{
	transaction_validity::{InvalidTransaction, TransactionValidityError},
	ApplyExtrinsicResult,
};

/// A transaction that its call alone authorizes.
pub fn authorized(call: impl Into<RuntimeCall>) -> UncheckedExtrinsic {
	UncheckedExtrinsic::new_transaction(call.into(), plain_extension(0))
}

pub fn window_blocks() -> u32 {
	Heartbeats::config().unwrap().window_blocks
}

/// A report of page 0 by the validator at this place, signed by `signer`.
pub fn report(window: Window, place: u32, counts: &[u8], signer: &str) -> UncheckedExtrinsic {
	report_of(window, 0, place, counts, signer)
}

/// The same of any page.
pub fn report_of(
	window: Window,
	page: Page,
	place: u32,
	counts: &[u8],
	signer: &str,
) -> UncheckedExtrinsic {
	let report = PageReport {
		window,
		page,
		collector: place,
		counts: counts.to_vec().try_into().unwrap(),
		evidence: [0; 32],
	};
	let genesis = System::block_hash(0).0;
	let signature = pair(signer).sign(&report.payload(&genesis)).into();
	authorized(pallet_heartbeats::Call::post_page { report, signature })
}

/// The names of the window's validators, in their order.
pub fn validators(window: Window) -> Vec<&'static str> {
	let open = pallet_heartbeats::Windows::<Runtime>::get(window).unwrap();
	let names = ["Alice", "Bob", "Charlie"];
	let name_of = |key: &[u8]| {
		*names
			.iter()
			.find(|name| pair(name).public().as_slice() == key)
			.unwrap()
	};
	open.validators
		.iter()
		.map(|key| name_of(key.as_slice()))
		.collect()
}

/// The reports of all validators.
pub fn reports(window: Window, counts: &[u8]) -> Vec<UncheckedExtrinsic> {
	let names = validators(window).into_iter().zip(0..);
	names
		.map(|(name, place)| report(window, place, counts, name))
		.collect()
}

/// Goes on until the window after the present one has begun; gives the one that is over.
pub fn next_window(chain: &mut Chain) -> Window {
	let window = System::block_number() / window_blocks();
	chain.until(window_blocks() + 1, || {
		System::block_number() / window_blocks() > window
	});
	window
}

/// A block with these transactions; the next one where a session ends, as such a block takes none that
/// are valid.
pub fn block(
	chain: &mut Chain,
	transactions: impl Fn() -> Vec<UncheckedExtrinsic>,
) -> Vec<ApplyExtrinsicResult> {
	let full: TransactionValidityError = InvalidTransaction::ExhaustsResources.into();
	let results = chain.block(transactions());
	if results.contains(&Err(full)) {
		return chain.block(transactions());
	}
	results
}

/// Lets windows pass in which all validators see this; the first one after genesis is never open.
pub fn pass(chain: &mut Chain, windows: u32, counts: &[u8]) {
	let mut passed = 0;
	while passed < windows {
		let window = next_window(chain);
		if pallet_heartbeats::Windows::<Runtime>::contains_key(window) {
			for result in block(chain, || reports(window, counts)) {
				result.unwrap().unwrap();
			}
			passed += 1;
		}
	}
	// Until the last of them is settled.
	chain.blocks(Heartbeats::config().unwrap().report_blocks);
}

/// Beats due in a window.
pub fn beats() -> u8 {
	Heartbeats::config().unwrap().beats_per_window
}

pub fn refused(result: ApplyExtrinsicResult) -> InvalidTransaction {
	match result {
		Err(TransactionValidityError::Invalid(why)) => why,
		other => panic!("{other:?}"),
	}
}
