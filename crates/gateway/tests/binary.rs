//! The program as it is started.

#![allow(clippy::unwrap_used)]

use std::process::Command;

/// A kernel that was asked for and cannot be had is an error of whoever set the variable: nothing is
/// started on another one.
#[test]
fn unknown_erasure_kernel_is_refused_at_start() {
	let folder = tempfile::tempdir().unwrap();
	let output = Command::new(env!("CARGO_BIN_EXE_arion-gateway"))
		.args(["run", "--base-path"])
		.arg(folder.path())
		.env("ARION_ERASURE_KERNEL", "fastest")
		.output()
		.unwrap();
	let error = String::from_utf8(output.stderr).unwrap();
	assert_eq!(output.status.code(), Some(1), "{error}");
	assert!(error.contains("ARION_ERASURE_KERNEL"), "{error}");
	assert!(error.contains("fastest"), "{error}");
	// What may be asked for instead.
	assert!(error.contains("portable"), "{error}");
}
