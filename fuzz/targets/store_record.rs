#![no_main]

libfuzzer_sys::fuzz_target!(
	init: hippius_fuzz::start("store_record"),
	|data: &[u8]| hippius_fuzz::store_record::run(data)
);
