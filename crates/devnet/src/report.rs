//! The JSON object the demo prints.

use serde::Serialize;

/// Seconds per phase, two decimals; `null` for a phase that was not reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Seconds {
	/// Building the programs, as told by the calling script.
	pub build: Option<f64>,
	/// Until every process answered and the chain finalised.
	pub start: Option<f64>,
	/// Until every miner was in the map and knew it.
	pub register: Option<f64>,
	/// Storing the file.
	pub put: Option<f64>,
	/// Fetching it.
	pub get: Option<f64>,
}

/// Outcome of a demo.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
	/// Whether the same bytes came back, and everything else asked for held.
	pub ok: bool,
	/// Bytes of the file.
	pub bytes: u64,
	/// SHA-256 of what was stored, hexadecimal.
	pub sha256_in: Option<String>,
	/// SHA-256 of what came back.
	pub sha256_out: Option<String>,
	/// Miners of the network.
	pub miners: u16,
	/// Miners killed.
	pub killed: u16,
	/// Stripes of the file.
	pub stripes: Option<u64>,
	/// Seconds per phase.
	pub seconds: Seconds,
	/// What went wrong.
	#[serde(skip_serializing_if = "Option::is_none")]
	pub error: Option<String>,
}

/// Seconds to two decimals.
pub fn round(seconds: f64) -> f64 {
	(seconds * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[test]
	fn the_object_has_the_promised_fields_in_order() {
		let report = Report {
			ok: true,
			bytes: 5,
			sha256_in: Some("a".into()),
			sha256_out: Some("a".into()),
			miners: 30,
			killed: 20,
			stripes: Some(1),
			seconds: Seconds {
				build: Some(round(1.234)),
				..Seconds::default()
			},
			error: None,
		};
		assert_eq!(
			serde_json::to_string(&report).unwrap(),
			r#"{"ok":true,"bytes":5,"sha256_in":"a","sha256_out":"a","miners":30,"killed":20,"stripes":1,"seconds":{"build":1.23,"start":null,"register":null,"put":null,"get":null}}"#
		);
	}
}
