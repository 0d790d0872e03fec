#![no_main]

libfuzzer_sys::fuzz_target!(
	init: hippius_fuzz::start("ledger"),
	|data: &[u8]| hippius_fuzz::ledger::run(data)
);
