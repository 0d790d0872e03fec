//! What clients read of the runtime, and the copy of it that our own clients are built with.
#![allow(clippy::unwrap_used)]

use codec::{Decode, DecodeAll};
use frame_metadata::{RuntimeMetadata, RuntimeMetadataPrefixed};
use hippius_runtime::Runtime;
use std::{fs, path::Path};

/// The copy that `hippius-chain-client` is built with.
const COMMITTED: &str = concat!(
	env!("CARGO_MANIFEST_DIR"),
	"/../crates/chain-client/metadata.scale"
);
/// Its metadata version: the newest that subxt and the runtime both know.
const VERSION: u32 = 16;

/// Metadata on an empty state, so that constants which come from genesis have their defaults.
fn metadata(version: u32) -> Option<Vec<u8>> {
	sp_io::TestExternalities::new_empty()
		.execute_with(|| Runtime::metadata_at_version(version))
		.map(|metadata| (*metadata).clone())
}

#[test]
fn every_served_version_decodes() {
	let versions = sp_io::TestExternalities::new_empty().execute_with(Runtime::metadata_versions);
	for version in 14..=16 {
		assert!(versions.contains(&version), "{version}");
		let bytes = metadata(version).unwrap();
		let decoded = RuntimeMetadataPrefixed::decode_all(&mut &bytes[..]).unwrap();
		assert_eq!(decoded.1.version(), version);
	}
	assert_eq!(metadata(13), None);
}

#[test]
fn our_view_functions_and_apis_are_listed() {
	let bytes = metadata(16).unwrap();
	let RuntimeMetadata::V16(metadata) =
		RuntimeMetadataPrefixed::decode(&mut &bytes[..]).unwrap().1
	else {
		panic!("not version 16");
	};
	for pallet in [
		"Registry",
		"PlacementGroups",
		"Heartbeats",
		"Ranking",
		"Rewards",
		"Marketplace",
		"Orders",
	] {
		let pallet = metadata
			.pallets
			.iter()
			.find(|found| found.name == pallet)
			.unwrap();
		assert!(!pallet.view_functions.is_empty(), "{}", pallet.name);
	}
	for api in [
		"PlacementGroupsApi",
		"CrushOracleApi",
		"RuntimeViewFunction",
		"BabeApi",
	] {
		assert!(metadata.apis.iter().any(|found| found.name == api), "{api}");
	}
	let extensions: Vec<_> = metadata
		.extrinsic
		.transaction_extensions
		.iter()
		.map(|extension| extension.identifier.as_str())
		.collect();
	assert_eq!(extensions.first(), Some(&"AuthorizeCall"));
	assert_eq!(extensions.last(), Some(&"WeightReclaim"));
	// The wrapper around the payment is invisible to wallets.
	assert!(extensions.contains(&"ChargeTransactionPayment"));
}

#[test]
fn the_clients_copy_is_current() {
	let current = metadata(VERSION).unwrap();
	if std::env::var_os("UPDATE_METADATA").is_some() {
		fs::write(COMMITTED, &current).unwrap();
	}
	let committed = fs::read(Path::new(COMMITTED)).unwrap_or_default();
	assert!(
		committed == current,
		"the runtime changed: run UPDATE_METADATA=1 cargo test -p hippius-runtime --test metadata \
		 and build the clients again"
	);
}
