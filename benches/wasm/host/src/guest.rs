//! A wasm module in the node's executor.

use bench_harness::BenchError;
use codec::Decode;
use sc_executor::WasmExecutor;
use sp_core::traits::{CallContext, CodeExecutor, RuntimeCode, WrappedRuntimeCode};
use sp_io::{SubstrateHostFunctions, TestExternalities};
use std::fs;

/// The module, compiled at its first call.
pub(crate) struct Guest {
	executor: WasmExecutor<SubstrateHostFunctions>,
	code: Vec<u8>,
	/// What the node would know the code by.
	hash: Vec<u8>,
	externalities: TestExternalities,
}

impl Guest {
	pub(crate) fn load(path: &str) -> Result<Self, BenchError> {
		let code = fs::read(path).map_err(|cause| BenchError::failed(path, cause))?;
		Ok(Self {
			executor: WasmExecutor::builder().build(),
			hash: sp_io::hashing::blake2_256(&code).to_vec(),
			code,
			externalities: TestExternalities::default(),
		})
	}

	/// Calls an exported function as the node calls its runtime.
	pub(crate) fn call(&mut self, name: &str, arguments: &[u8]) -> Result<u64, BenchError> {
		let fetcher = WrappedRuntimeCode(self.code.as_slice().into());
		let code = RuntimeCode {
			code_fetcher: &fetcher,
			heap_pages: None,
			hash: self.hash.clone(),
		};
		let mut ext = self.externalities.ext();
		let (result, _) =
			self.executor
				.call(&mut ext, &code, name, arguments, CallContext::Offchain);
		let bytes = result.map_err(|cause| BenchError::failed(name, cause))?;
		u64::decode(&mut &bytes[..]).map_err(|cause| BenchError::failed(name, cause))
	}
}
