#![no_main]

libfuzzer_sys::fuzz_target!(
	init: hippius_fuzz::start("grid_wire"),
	|data: &[u8]| hippius_fuzz::grid_wire::run(data)
);
