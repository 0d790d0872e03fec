#![no_main]

libfuzzer_sys::fuzz_target!(
	init: hippius_fuzz::start("slice_decoder"),
	|data: &[u8]| hippius_fuzz::slice_decoder::run(data)
);
