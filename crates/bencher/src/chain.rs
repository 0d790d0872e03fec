//! The runtime's wasm on a benchmarking state.

use crate::Error;
use codec::{Decode, Encode};
use frame_benchmarking::{
	benchmarking::HostFunctions, BenchmarkBatch, BenchmarkConfig, BenchmarkList,
	BenchmarkParameter, BenchmarkResult,
};
use sc_client_db::BenchmarkingState;
use sc_executor::WasmExecutor;
use serde_json::Value;
use sp_core::{
	offchain::{testing::TestOffchainExt, OffchainDbExt, OffchainWorkerExt},
	traits::{CallContext, CodeExecutor, RuntimeCode, WrappedRuntimeCode},
};
use sp_externalities::Extensions;
use sp_keystore::{testing::MemoryKeystore, KeystoreExt};
use sp_runtime::traits::BlakeTwo256;
use sp_state_machine::{BasicExternalities, OverlayedChanges, StateMachine};
use sp_storage::Storage;

/// What the runtime says of a storage item: pallet, name, prefix, greatest number and size.
type StorageInfo = (Vec<u8>, Vec<u8>, Vec<u8>, Option<u32>, Option<u32>);
type Executor = WasmExecutor<(sp_io::SubstrateHostFunctions, HostFunctions)>;

/// What a run is for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Measure {
	/// Reads, writes and proof; checks what the benchmark says must hold.
	Storage,
	/// Time alone, with nothing that slows it down.
	Time,
}

/// A benchmark the runtime has.
pub(crate) struct Benchmark {
	/// Its name.
	pub(crate) name: String,
	/// The pallet's name in the runtime.
	instance: Vec<u8>,
	/// Its parameters with their least and greatest values.
	pub(crate) components: Vec<(BenchmarkParameter, u32, u32)>,
}

/// The wasm and the state benchmarks start from.
pub(crate) struct Chain {
	code: Vec<u8>,
	executor: Executor,
	genesis: Storage,
}

impl Chain {
	/// Runs `code` and builds the genesis state of the preset.
	pub(crate) fn new(code: Vec<u8>, preset: &str) -> Result<Self, Error> {
		let executor = Executor::builder().build();
		let mut chain = Self {
			code,
			executor,
			genesis: Storage::default(),
		};
		let mut json = chain.preset(None)?;
		merge(&mut json, chain.preset(Some(preset))?);
		let mut ext = BasicExternalities::new_empty();
		let built: Result<(), String> = chain.call_on(
			&mut ext,
			"GenesisBuilder_build_state",
			&json.to_string().into_bytes().encode(),
		)?;
		built.map_err(Error::Runtime)?;
		chain.genesis = ext.into_storages();
		Ok(chain)
	}

	fn preset(&self, name: Option<&str>) -> Result<Value, Error> {
		let mut ext = BasicExternalities::new_empty();
		let method = "GenesisBuilder_get_preset";
		let json: Option<Vec<u8>> = self.call_on(&mut ext, method, &name.encode())?;
		let json = json.ok_or_else(|| Error::Runtime(format!("there is no preset {name:?}")))?;
		serde_json::from_slice(&json).map_err(|_| Error::Answer("get_preset"))
	}

	fn with_code<R>(&self, run: impl FnOnce(&RuntimeCode<'_>) -> R) -> R {
		let fetch = WrappedRuntimeCode(self.code.as_slice().into());
		run(&RuntimeCode {
			code_fetcher: &fetch,
			heap_pages: None,
			hash: sp_io::hashing::blake2_256(&self.code).to_vec(),
		})
	}

	fn call_on<R: Decode>(
		&self,
		ext: &mut BasicExternalities,
		method: &'static str,
		data: &[u8],
	) -> Result<R, Error> {
		let (answer, _) = self
			.with_code(|code| (self.executor).call(ext, code, method, data, CallContext::Offchain));
		let answer = answer.map_err(|error| Error::Runtime(error.to_string()))?;
		R::decode(&mut &answer[..]).map_err(|_| Error::Answer(method))
	}

	/// Runs a call of the runtime on a fresh benchmarking state.
	fn execute(&self, measure: Measure, method: &str, data: &[u8]) -> Result<Vec<u8>, Error> {
		let storage = measure == Measure::Storage;
		let state =
			BenchmarkingState::<BlakeTwo256>::new(self.genesis.clone(), None, storage, storage)
				.map_err(Error::Runtime)?;
		let mut extensions = Extensions::default();
		extensions.register(KeystoreExt::new(MemoryKeystore::new()));
		let (offchain, _) = TestOffchainExt::new();
		extensions.register(OffchainWorkerExt::new(offchain.clone()));
		extensions.register(OffchainDbExt::new(offchain));
		let mut overlay = OverlayedChanges::<BlakeTwo256>::default();
		self.with_code(|code| {
			StateMachine::new(
				&state,
				&mut overlay,
				&self.executor,
				method,
				data,
				&mut extensions,
				code,
				CallContext::Offchain,
			)
			.execute()
		})
		.map_err(|error| Error::Runtime(error.to_string()))
	}

	/// The benchmarks of a pallet.
	pub(crate) fn benchmarks(&self, pallet: &str) -> Result<Vec<Benchmark>, Error> {
		let list = self.list(pallet)?;
		let named = list.benchmarks.into_iter().map(|benchmark| Benchmark {
			name: String::from_utf8_lossy(&benchmark.name).into_owned(),
			instance: list.instance.clone(),
			components: benchmark.components,
		});
		Ok(named.collect())
	}

	fn list(&self, pallet: &str) -> Result<BenchmarkList, Error> {
		let method = "Benchmark_benchmark_metadata";
		let answer = self.execute(Measure::Time, method, &false.encode())?;
		let (lists, _): (Vec<BenchmarkList>, Vec<StorageInfo>) =
			Decode::decode(&mut &answer[..]).map_err(|_| Error::Answer(method))?;
		lists
			.into_iter()
			.find(|list| list.pallet == pallet.as_bytes())
			.ok_or_else(|| Error::NoPallet(pallet.into()))
	}

	/// Runs a benchmark once with these parameters.
	pub(crate) fn run(
		&self,
		pallet: &str,
		benchmark: &Benchmark,
		parameters: &[(BenchmarkParameter, u32)],
		measure: Measure,
	) -> Result<Vec<BenchmarkResult>, Error> {
		let config = BenchmarkConfig {
			pallet: pallet.into(),
			instance: benchmark.instance.clone(),
			benchmark: benchmark.name.clone().into(),
			selected_components: parameters.to_vec(),
			verify: measure == Measure::Storage,
			internal_repeats: 1,
		};
		let failed =
			|error: String| Error::Benchmark(format!("{} {parameters:?}", benchmark.name), error);
		let answer = self
			.execute(measure, "Benchmark_dispatch_benchmark", &config.encode())
			.map_err(|error| failed(error.to_string()))?;
		let batches: Result<Vec<BenchmarkBatch>, String> =
			Decode::decode(&mut &answer[..]).map_err(|_| Error::Answer("dispatch_benchmark"))?;
		let batches = batches.map_err(failed)?;
		Ok(batches
			.into_iter()
			.flat_map(|batch| batch.results)
			.collect())
	}
}

/// Puts a preset's values over the defaults.
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
