#![no_main]

libfuzzer_sys::fuzz_target!(
	init: hippius_fuzz::start("erasure_decode"),
	|data: &[u8]| hippius_fuzz::erasure_decode::run(data)
);
