//! The runtime's wasm, as the build made it.

use codec::{Decode, Encode};
use sc_executor::WasmExecutor;
use sp_core::traits::{CallContext, CodeExecutor, RuntimeCode, WrappedRuntimeCode};
use sp_externalities::Externalities;

/// The runtime's wasm, ready to be called.
pub struct Blob {
	executor: WasmExecutor,
	code: &'static [u8],
}

impl Blob {
	#[allow(clippy::new_without_default)]
	pub fn new() -> Self {
		let code = hippius_runtime::WASM_BINARY.expect("built without SKIP_WASM_BUILD");
		Self {
			executor: WasmExecutor::builder().build(),
			code,
		}
	}

	/// Calls it without any state.
	pub fn call<R: Decode>(&self, method: &str, arguments: &impl Encode) -> R {
		let mut ext = sp_io::TestExternalities::new_empty();
		let mut ext = ext.ext();
		self.call_on(&mut ext, method, arguments)
	}

	/// Calls it on a state.
	pub fn call_on<R: Decode>(
		&self,
		ext: &mut dyn Externalities,
		method: &str,
		arguments: &impl Encode,
	) -> R {
		let code = WrappedRuntimeCode(self.code.into());
		let code = RuntimeCode {
			code_fetcher: &code,
			heap_pages: None,
			hash: sp_io::hashing::blake2_256(self.code).to_vec(),
		};
		let (answer, _) = self.executor.call(
			ext,
			&code,
			method,
			&arguments.encode(),
			CallContext::Offchain,
		);
		R::decode(&mut &answer.unwrap()[..]).unwrap()
	}
}
