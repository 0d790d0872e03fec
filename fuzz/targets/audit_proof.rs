#![no_main]

libfuzzer_sys::fuzz_target!(
	init: hippius_fuzz::start("audit_proof"),
	|data: &[u8]| hippius_fuzz::audit_proof::run(data)
);
