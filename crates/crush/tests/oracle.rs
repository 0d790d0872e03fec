//! Every recorded answer of Ceph's own calculator, through the library and through the binary.
//!
//! The records lie beside the checkout, or where `HIPPIUS_ORACLES` says; without them these tests say
//! so and pass.

#![allow(clippy::unwrap_used)]

use arion_crush::{
	hash::{hash2, hash3, hash3_lanes},
	ln::{ln, LOG_HIGH, LOG_LOW, RECIPROCAL},
	map::{CrushMap, Reweights, WEIGHT_ONE},
	mapper::do_rule,
	text, DrawMeter,
};
use codec::{Decode, Encode};
use flate2::read::GzDecoder;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{collections::HashMap, fmt::Write, fs, io::Read, path::PathBuf};

/// The folder of the records.
fn oracles() -> Option<PathBuf> {
	let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/oracles");
	let named = std::env::var_os("HIPPIUS_ORACLES").map(PathBuf::from);
	let dir = named.clone().unwrap_or_else(|| beside.into()).join("crush");
	if dir.join("manifest.json").is_file() {
		return Some(dir);
	}
	assert!(
		named.is_none(),
		"HIPPIUS_ORACLES is set, but there is no {}",
		dir.display()
	);
	println!("skipped: no placement records in {}", dir.display());
	None
}

fn json(path: PathBuf) -> Value {
	serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn gunzip(path: PathBuf) -> Vec<u8> {
	let mut bytes = Vec::new();
	GzDecoder::new(fs::File::open(path).unwrap())
		.read_to_end(&mut bytes)
		.unwrap();
	bytes
}

fn u32_at(value: &Value, key: &str) -> u32 {
	u32::try_from(value[key].as_u64().unwrap()).unwrap()
}

fn load(dir: &std::path::Path, map: &str) -> CrushMap {
	let path = dir.join("maps").join(format!("{map}.txt"));
	text::parse(&fs::read_to_string(path).unwrap()).unwrap().map
}

fn run(map: &CrushMap, run: &Value) -> String {
	let mut pairs: Vec<_> = map.devices().map(|device| (device, WEIGHT_ONE)).collect();
	for (device, weight) in run["reweight"].as_object().unwrap() {
		pairs.push((device.parse().unwrap(), weight.as_u64().unwrap() as u32));
	}
	let reweights = Reweights::new(pairs);
	let (rule, num_rep) = (u32_at(run, "rule"), u32_at(run, "num_rep"));
	let mut out = String::new();
	for x in u32_at(run, "min_x")..=u32_at(run, "max_x") {
		let input = run["pool_id"]
			.as_u64()
			.map_or(x, |pool| hash2(x, pool as u32));
		let mut meter = DrawMeter::new(1_000_000);
		let items = do_rule(map, rule, input, num_rep, &reweights, &mut meter).unwrap();
		let items: Vec<_> = items.iter().map(i32::to_string).collect();
		writeln!(out, "CRUSH rule {rule} x {x} [{}]", items.join(",")).unwrap();
	}
	out
}

#[test]
fn every_run_is_equal_line_by_line() {
	let Some(dir) = oracles() else { return };
	let manifest = json(dir.join("manifest.json"));
	let mut maps: HashMap<String, CrushMap> = HashMap::new();
	let mut lines = 0;
	for entry in manifest.as_array().unwrap() {
		let name = entry["name"].as_str().unwrap();
		let map_name = entry["map"].as_str().unwrap().to_string();
		let map = maps
			.entry(map_name.clone())
			.or_insert_with(|| load(&dir, &map_name));
		let ours = run(map, entry);
		if let Some(file) = entry["file"].as_str() {
			let theirs = String::from_utf8(gunzip(dir.join(file))).unwrap();
			for (ours, theirs) in ours.lines().zip(theirs.lines()) {
				assert_eq!(ours, theirs, "run {name}");
			}
			assert_eq!(ours.lines().count(), theirs.lines().count(), "run {name}");
		}
		let digest = hex::encode(Sha256::digest(&ours));
		assert_eq!(digest, entry["sha256"].as_str().unwrap(), "run {name}");
		assert_eq!(
			ours.lines().count() as u64,
			entry["lines"].as_u64().unwrap(),
			"run {name}"
		);
		let holes = ours.matches("2147483647").count() as u64;
		assert_eq!(holes, entry["holes"].as_u64().unwrap(), "run {name}");
		lines += ours.lines().count();
	}
	println!(
		"{lines} mappings of {} runs are equal",
		manifest.as_array().unwrap().len()
	);
}

#[test]
fn parsed_maps_hold_the_recorded_integers() {
	let Some(dir) = oracles() else { return };
	for name in [
		"flat36",
		"tree150",
		"tree150_plus_one",
		"wounded150",
		"args68",
	] {
		let map = load(&dir, name);
		let dump = gunzip(dir.join("maps").join(format!("{name}.json.gz")));
		let dump: Value = serde_json::from_slice(&dump).unwrap();
		let theirs = dump["buckets"].as_array().unwrap();
		assert_eq!(map.buckets().count(), theirs.len(), "{name}");
		for bucket in map.buckets() {
			let other = theirs
				.iter()
				.find(|other| other["id"] == bucket.id)
				.unwrap();
			assert_eq!(other["type_id"], bucket.kind, "{name} {}", bucket.id);
			assert_eq!(
				other["weight"],
				bucket.weight().unwrap(),
				"{name} {}",
				bucket.id
			);
			let items: Vec<_> = other["items"].as_array().unwrap().iter().collect();
			assert_eq!(items.len(), bucket.items.len());
			for (item, other) in bucket.items.iter().zip(items) {
				assert_eq!(other["id"], item.id, "{name} {}", bucket.id);
				assert_eq!(other["weight"], item.weight, "{name} {}", bucket.id);
			}
		}
	}
}

#[test]
fn a_map_survives_its_encoding() {
	let Some(dir) = oracles() else { return };
	for name in ["flat36", "tree150", "wounded150", "args68"] {
		let map = load(&dir, name);
		assert_eq!(CrushMap::decode(&mut &map.encode()[..]).unwrap(), map);
	}
}

#[test]
fn hash_and_logarithm_vectors() {
	let Some(dir) = oracles() else { return };
	let vectors = json(dir.join("primitives.json"));
	let rows =
		|key: &str| -> Vec<Vec<u64>> { serde_json::from_value(vectors[key].clone()).unwrap() };
	for row in rows("hash2") {
		assert_eq!(u64::from(hash2(row[0] as u32, row[1] as u32)), row[2]);
	}
	for row in rows("hash3") {
		let [a, b, c] = [row[0] as u32, row[1] as u32, row[2] as u32];
		assert_eq!(u64::from(hash3(a, b, c)), row[3]);
		assert_eq!(hash3_lanes(a, &[b as i32; 8], c), [row[3] as u32; 8]);
	}
	for row in rows("ln") {
		assert_eq!(ln(row[0] as u16), row[1]);
	}
	let digest = |values: &[u64]| {
		let bytes: Vec<u8> = values
			.iter()
			.flat_map(|value| value.to_le_bytes())
			.collect();
		hex::encode(Sha256::digest(bytes))
	};
	let all: Vec<u64> = (0..=u16::MAX).map(ln).collect();
	let expected = &vectors["sha256_u64_le"];
	assert_eq!(digest(&RECIPROCAL), expected["RH"].as_str().unwrap());
	assert_eq!(digest(&LOG_HIGH), expected["LH"].as_str().unwrap());
	assert_eq!(digest(&LOG_LOW), expected["LL"].as_str().unwrap());
	assert_eq!(
		digest(&all),
		expected["ln_of_all_65536_inputs"].as_str().unwrap()
	);
}

/// Options and values are taken from the recorded command lines, after the program's own.
#[test]
#[cfg(feature = "cli")]
fn the_binary_prints_the_same() {
	let Some(dir) = oracles() else { return };
	let manifest = json(dir.join("manifest.json"));
	for name in [
		"flat36_out_r1",
		"tree150_r1_pool5",
		"tree150_r1_n12",
		"tree150_r5",
		"wounded150_out_r3",
		"wounded150_out_r4",
		"args68_r0",
	] {
		let runs = manifest.as_array().unwrap();
		let entry = runs.iter().find(|entry| entry["name"] == name).unwrap();
		let command = entry["command"].as_str().unwrap();
		let (_, options) = command.split_once(" --show-mappings ").unwrap();
		let map = dir
			.join("maps")
			.join(format!("{}.txt", entry["map"].as_str().unwrap()));
		let output = std::process::Command::new(env!("CARGO_BIN_EXE_crush-map"))
			.arg("--map")
			.arg(map)
			.args(options.split(' '))
			.output()
			.unwrap();
		let errors = String::from_utf8_lossy(&output.stderr);
		assert!(output.status.success(), "run {name}: {errors}");
		assert_eq!(errors, "", "run {name}");
		let theirs = gunzip(dir.join(entry["file"].as_str().unwrap()));
		assert!(output.stdout == theirs, "run {name} differs");
	}
}
