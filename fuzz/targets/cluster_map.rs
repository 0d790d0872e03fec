#![no_main]

libfuzzer_sys::fuzz_target!(
	init: hippius_fuzz::start("cluster_map"),
	|data: &[u8]| hippius_fuzz::cluster_map::run(data)
);
