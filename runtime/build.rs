//! Builds the wasm blob when the `std` feature is on.

/// The wasm is built with the workspace's own Cargo.lock, wherever the target folder is.
#[cfg(feature = "std")]
fn name_workspace() {
	const HINT: &str = "WASM_BUILD_WORKSPACE_HINT";
	if std::env::var_os(HINT).is_none() {
		std::env::set_var(HINT, concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
	}
}

#[cfg(all(feature = "std", feature = "metadata-hash"))]
fn main() {
	name_workspace();
	substrate_wasm_builder::WasmBuilder::init_with_defaults()
		.enable_metadata_hash("ALPHA", 9)
		.build();
}

#[cfg(all(feature = "std", not(feature = "metadata-hash")))]
fn main() {
	name_workspace();
	substrate_wasm_builder::WasmBuilder::build_using_defaults();
}

#[cfg(not(feature = "std"))]
fn main() {}
