#![no_main]

libfuzzer_sys::fuzz_target!(
	init: hippius_fuzz::start("crush_text"),
	|data: &[u8]| hippius_fuzz::crush_text::run(data)
);
