#![no_main]

libfuzzer_sys::fuzz_target!(
	init: hippius_fuzz::start("outboard"),
	|data: &[u8]| hippius_fuzz::outboard::run(data)
);
