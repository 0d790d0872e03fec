//! The placement calculator gives the recorded answers inside the built wasm too.
//!
//! The records lie beside the checkout, or where `HIPPIUS_ORACLES` says; without them this says so and
//! passes.
#![allow(clippy::unwrap_used)]

mod common;

use arion_crush::{
	hash::hash2,
	map::{CrushMap, WEIGHT_ONE},
	text,
};
use codec::Encode;
use common::blob::Blob;
use flate2::read::GzDecoder;
use pallet_placement_groups::oracle::{crush_map_pgs, OracleError};
use serde_json::Value;
use std::{collections::HashMap, fs, io::Read, path::PathBuf};

/// Inputs of one run that are compared.
const SAMPLE: u32 = 40;

fn oracles() -> Option<PathBuf> {
	let dir = match std::env::var_os("HIPPIUS_ORACLES") {
		Some(dir) => PathBuf::from(dir).join("crush"),
		None => concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/oracles/crush").into(),
	};
	if dir.join("manifest.json").is_file() {
		return Some(dir);
	}
	println!("skipped: no placement records in {}", dir.display());
	None
}

/// One recorded run: rule, shards, inputs and reweights, and what is expected.
struct Run {
	rule: u32,
	num_rep: u32,
	xs: Vec<u32>,
	reweights: Vec<u32>,
	expected: Vec<Vec<i32>>,
}

impl Run {
	fn new(dir: &std::path::Path, map: &CrushMap, entry: &Value) -> Option<Self> {
		let number = |key: &str| entry[key].as_u64().unwrap() as u32;
		let mut text = String::new();
		let file = fs::File::open(dir.join(entry["file"].as_str()?)).unwrap();
		GzDecoder::new(file).read_to_string(&mut text).unwrap();
		let expected: Vec<Vec<i32>> = text.lines().take(SAMPLE as usize).map(parse_line).collect();
		let min_x = number("min_x");
		let xs = (min_x..)
			.take(expected.len())
			.map(|x| match entry["pool_id"].as_u64() {
				Some(pool) => hash2(x, pool as u32),
				None => x,
			});

		let devices = map.devices().map(|device| device as usize).max().unwrap() + 1;
		let mut reweights = vec![0; devices];
		for device in map.devices() {
			reweights[device as usize] = WEIGHT_ONE;
		}
		for (device, weight) in entry["reweight"].as_object().unwrap() {
			reweights[device.parse::<usize>().unwrap()] = weight.as_u64().unwrap() as u32;
		}
		let xs = xs.collect();
		Some(Self {
			rule: number("rule"),
			num_rep: number("num_rep"),
			xs,
			reweights,
			expected,
		})
	}
}

/// The items of `CRUSH rule R x X [a,b,c]`.
fn parse_line(line: &str) -> Vec<i32> {
	let (_, items) = line.split_once('[').unwrap();
	let items = items.trim_end_matches(']');
	items
		.split(',')
		.filter(|item| !item.is_empty())
		.map(|item| item.parse().unwrap())
		.collect()
}

#[test]
fn the_wasm_places_as_recorded() {
	let Some(dir) = oracles() else { return };
	let manifest: Value =
		serde_json::from_slice(&fs::read(dir.join("manifest.json")).unwrap()).unwrap();
	let entries = manifest["runs"].as_array().or(manifest.as_array()).unwrap();
	let blob = Blob::new();
	let mut maps: HashMap<String, CrushMap> = HashMap::new();
	let mut compared = 0;
	for entry in entries {
		let name = entry["map"].as_str().unwrap();
		// Per-bucket replacement weights are not part of the chain's maps.
		if name.starts_with("args") {
			continue;
		}
		let map = maps.entry(name.into()).or_insert_with(|| {
			let path = dir.join("maps").join(format!("{name}.txt"));
			text::parse(&fs::read_to_string(path).unwrap()).unwrap().map
		});
		let Some(run) = Run::new(&dir, map, entry) else {
			continue;
		};
		let map = map.encode();
		let native = crush_map_pgs(&map, run.rule, run.num_rep, &run.xs, &run.reweights).unwrap();
		assert_eq!(native, run.expected, "native: {entry}");
		let wasm: Result<Vec<Vec<i32>>, OracleError> = blob.call(
			"CrushOracleApi_crush_map_pgs",
			&(map, run.rule, run.num_rep, run.xs, run.reweights),
		);
		assert_eq!(wasm.unwrap(), run.expected, "wasm: {entry}");
		compared += 1;
	}
	assert!(compared >= maps.len() && compared > 0);
	println!("{compared} runs over {} maps", maps.len());
}

#[test]
fn the_wasm_refuses_what_is_no_map() {
	let answer: Result<Vec<Vec<i32>>, OracleError> = Blob::new().call(
		"CrushOracleApi_crush_map_pgs",
		&(vec![1u8, 2, 3], 0u32, 30u32, vec![0u32], Vec::<u32>::new()),
	);
	assert_eq!(answer, Err(OracleError::MalformedMap));
}
