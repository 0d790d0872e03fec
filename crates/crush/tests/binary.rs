//! What the binaries print, and where errors go.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

/// Nine lines, then `body`.
fn with_head(body: &str) -> String {
	format!(
		"# begin\ntunable choose_local_tries 0\ntunable choose_local_fallback_tries 0\n\
		tunable choose_total_tries 50\ntunable chooseleaf_descend_once 1\n\
		tunable chooseleaf_vary_r 1\ntunable chooseleaf_stable 1\ntype 0 osd\ntype 1 host\n{body}"
	)
}

fn run(args: &[&str]) -> Output {
	Command::new(env!("CARGO_BIN_EXE_crush-map"))
		.args(args)
		.output()
		.unwrap()
}

#[test]
fn errors_go_to_stderr_with_a_failure() {
	let dir = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
	let good = dir.join("good.txt");
	let bad = dir.join("bad.txt");
	let body = "device 0 a\nhost h { id -1 alg straw2 hash 0 item a weight 1 }\n\
		rule r { id 0 type erasure step take h step choose indep 0 type osd step emit }\n";
	std::fs::write(&good, with_head(body)).unwrap();
	std::fs::write(&bad, with_head("rack x { }")).unwrap();
	let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());

	let output = run(&[
		"--map",
		good,
		"--rule",
		"0",
		"--num-rep",
		"2",
		"--max-x",
		"1",
	]);
	assert!(output.status.success());
	let expected = "CRUSH rule 0 x 0 [0,2147483647]\nCRUSH rule 0 x 1 [0,2147483647]\n";
	assert_eq!(String::from_utf8_lossy(&output.stdout), expected);

	let cases: [(&[&str], &str); 7] = [
		(
			&["--map", bad, "--rule", "0", "--num-rep", "1"],
			"line 10: type `rack`",
		),
		(
			&["--map", "/nowhere", "--rule", "0", "--num-rep", "1"],
			"cannot read /nowhere",
		),
		(
			&["--map", good, "--rule", "4", "--num-rep", "1"],
			"the map has no rule 4",
		),
		(
			&["--map", good, "--rule", "0", "--num-rep", "5000"],
			"5000 items asked for",
		),
		(
			&[
				"--map",
				good,
				"--rule",
				"0",
				"--num-rep",
				"1",
				"--min-x",
				"2000",
			],
			"--min-x 2000",
		),
		(
			&[
				"--map",
				good,
				"--rule",
				"0",
				"--num-rep",
				"1",
				"--weight",
				"0",
				"x",
			],
			"--weight 0 x: the device",
		),
		(
			&[
				"--map",
				good,
				"--rule",
				"0",
				"--num-rep",
				"1",
				"--weight",
				"0",
			],
			"--weight",
		),
	];
	for (args, message) in cases {
		let output = run(args);
		assert!(!output.status.success(), "{args:?}");
		assert!(output.stdout.is_empty(), "{args:?}");
		let errors = String::from_utf8_lossy(&output.stderr);
		assert!(errors.contains(message), "{args:?}: {errors}");
	}
}

/// The recorded lines are what `crushtool` 16.2.15 prints for this map.
#[test]
fn device_classes_positions_and_defaults_are_read_as_crushtool_reads_them() {
	let map = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/classes.txt");
	let mut printed = String::new();
	for rule in ["0", "1", "2"] {
		let options = [
			"--num-rep",
			"5",
			"--max-x",
			"19",
			"--weight",
			"7",
			"0",
			"--weight",
			"9",
			"0.5",
		];
		let output = run(&[&["--map", map, "--rule", rule][..], &options].concat());
		assert!(output.status.success());
		printed += std::str::from_utf8(&output.stdout).unwrap();
	}
	assert_eq!(printed, include_str!("data/classes.mappings"));
}

#[test]
fn proposals_can_be_set_and_are_within_the_caps() {
	use arion_crush::{samples, ClusterMap, UpmapItem};
	use codec::Encode;
	use std::collections::BTreeMap;

	let dir = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
	let propose = |map: &ClusterMap, name: &str, hex: bool, caps: [&str; 2]| {
		let path = dir.join(name);
		let bytes = map.encode();
		match hex {
			true => std::fs::write(&path, format!("0x{}\n", hex::encode(bytes))).unwrap(),
			false => std::fs::write(&path, bytes).unwrap(),
		}
		let output = Command::new(env!("CARGO_BIN_EXE_crush-balance"))
			.args(["--map", path.to_str().unwrap(), "--max-items", caps[0]])
			.args(["--max-groups", caps[1]])
			.output()
			.unwrap();
		assert!(output.status.success(), "{output:?}");
		let lines = String::from_utf8(output.stdout).unwrap();
		lines
			.lines()
			.map(|line| {
				let call: serde_json::Value = serde_json::from_str(line).unwrap();
				let number = |value: &serde_json::Value| value.as_u64().unwrap() as u32;
				let pg = number(&call["pg"]);
				let items = call["exceptions"].as_array().unwrap().iter();
				let items = items.map(|item| UpmapItem {
					pg,
					from: number(&item["from"]),
					to: number(&item["to"]),
				});
				(pg, items.collect())
			})
			.collect::<BTreeMap<u32, Vec<UpmapItem>>>()
	};
	let mut map = samples::cluster(samples::Shape {
		zones: 6,
		families: 8,
		hosts: 48,
		nodes: 96,
		pg_num: 64,
		even: true,
	});
	let first = propose(&map, "plain.map", false, ["20", "9"]);
	assert!(first.len() <= 9 && first.values().flatten().count() <= 20);
	assert!(!first.is_empty());
	map.exceptions = first.values().flatten().copied().collect();
	let none = map.placement().unwrap().retain_valid(&mut map.exceptions);
	assert_eq!(none, []);

	// A line has all of its group.
	let second = propose(&map, "excepted.map", true, ["1024", "256"]);
	for (pg, items) in &second {
		let before = map.exceptions.iter().filter(|item| item.pg == *pg);
		assert!(before.clone().all(|item| items.contains(item)));
		assert!(items.len() > before.count());
	}
	let mut all = first;
	all.extend(second);
	map.exceptions = all.into_values().flatten().collect();
	assert_eq!(map.validate(), Ok(()));
	let none = map.placement().unwrap().retain_valid(&mut map.exceptions);
	assert_eq!(none, []);
	assert_eq!(propose(&map, "even.map", true, ["1024", "256"]).len(), 0);

	std::fs::write(dir.join("none.map"), "0x03").unwrap();
	let output = Command::new(env!("CARGO_BIN_EXE_crush-balance"))
		.args(["--map", dir.join("none.map").to_str().unwrap()])
		.output()
		.unwrap();
	assert_eq!(output.status.code(), Some(1));
	let error = String::from_utf8_lossy(&output.stderr).into_owned();
	assert!(error.contains("map version 3 is not known"), "{error}");
}
