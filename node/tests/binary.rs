//! The binary's tools, and what it refuses to start with.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::{
	path::Path,
	process::{Command, Output},
};

fn node(arguments: &[&str]) -> Output {
	Command::new(env!("CARGO_BIN_EXE_hippius-node"))
		.args(arguments)
		.output()
		.unwrap()
}

/// Runs the node with arguments it must refuse, and returns what it says.
fn refusal(base_path: &Path, arguments: &[&str]) -> String {
	let base_path = base_path.to_str().unwrap();
	let mut all = vec![
		"--base-path",
		base_path,
		"--listen-addr=/ip4/127.0.0.1/tcp/0",
		"--rpc-port=0",
		"--no-mdns",
		"--no-prometheus",
		"--no-telemetry",
	];
	all.extend(arguments);
	let output = node(&all);
	assert!(!output.status.success());
	String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_daemon_elsewhere_is_refused() {
	let dir = tempfile::tempdir().unwrap();
	let said = refusal(
		dir.path(),
		&["--dev", "--arion-daemon=http://192.168.1.2:7070"],
	);
	assert!(said.contains("not on loopback"), "{said}");
	let said = refusal(
		dir.path(),
		&["--dev", "--arion-daemon=https://127.0.0.1:7070"],
	);
	assert!(said.contains("plain http"), "{said}");
}

#[test]
fn a_missing_token_file_is_named() {
	let dir = tempfile::tempdir().unwrap();
	let file = dir.path().join("no-such-token");
	let argument = format!(
		"--arion-daemon=http://127.0.0.1:7070,token-file={}",
		file.display()
	);
	let said = refusal(dir.path(), &["--dev", &argument]);
	assert!(said.contains("no-such-token"), "{said}");
}

#[test]
fn nobody_validates_with_placeholder_keys() {
	let dir = tempfile::tempdir().unwrap();
	let key = "0000000000000000000000000000000000000000000000000000000000000001";
	let said = refusal(
		dir.path(),
		&["--chain=main", "--validator", "--node-key", key],
	);
	assert!(said.contains("placeholder keys"), "{said}");
}

#[test]
fn an_unknown_chain_is_named() {
	let dir = tempfile::tempdir().unwrap();
	let said = refusal(dir.path(), &["--chain=/nowhere.json"]);
	assert!(said.contains("/nowhere.json"), "{said}");
}

#[test]
fn chain_specs_are_exported_plain_and_raw() {
	for chain in ["dev", "local", "main"] {
		let output = node(&["export-chain-spec", "--chain", chain]);
		assert!(output.status.success());
		let spec: Value = serde_json::from_slice(&output.stdout).unwrap();
		assert_eq!(spec["properties"]["tokenSymbol"], "ALPHA");
	}
	let output = node(&["export-chain-spec", "--chain", "local", "--raw"]);
	let spec: Value = serde_json::from_slice(&output.stdout).unwrap();
	assert!(!spec["genesis"]["raw"]["top"]
		.as_object()
		.unwrap()
		.is_empty());
}

#[test]
fn session_keys_are_made_stored_and_printed() {
	let dir = tempfile::tempdir().unwrap();
	let keystore = dir.path().join("keystore");
	let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
	let output = node(&[
		"session-keys",
		"--owner",
		alice,
		"--suri",
		"//Validator",
		"--keystore-path",
		keystore.to_str().unwrap(),
		"--chain",
		"local",
		"--output",
		"json",
	]);
	assert!(
		output.status.success(),
		"{}",
		String::from_utf8_lossy(&output.stderr)
	);
	let made: Value = serde_json::from_slice(&output.stdout).unwrap();
	assert_eq!(made["owner"], alice);
	// Four public keys, four signatures.
	assert_eq!(made["keys"].as_str().unwrap().len(), 2 + 2 * 4 * 32);
	assert_eq!(made["proof"].as_str().unwrap().len(), 2 + 2 * 4 * 64);
	assert_eq!(std::fs::read_dir(&keystore).unwrap().count(), 4);

	let output = node(&["session-keys", "--owner", "nobody"]);
	assert!(!output.status.success());
	assert!(String::from_utf8_lossy(&output.stderr).contains("not an account"));
}
