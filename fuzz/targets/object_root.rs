#![no_main]

libfuzzer_sys::fuzz_target!(
	init: hippius_fuzz::start("object_root"),
	|data: &[u8]| hippius_fuzz::object_root::run(data)
);
