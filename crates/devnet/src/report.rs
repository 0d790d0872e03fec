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
	/// What audits did.
	#[serde(skip_serializing_if = "Option::is_none")]
	pub audits: Option<AuditReport>,
	/// Who paid whom.
	#[serde(flatten)]
	pub economy: Option<EconomyReport>,
	/// What went wrong.
	#[serde(skip_serializing_if = "Option::is_none")]
	pub error: Option<String>,
}

/// What audits did to miners that lost data. Blocks are counted from the loss.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AuditReport {
	/// Blocks after which every miner had been audited.
	pub all_audited: Option<u32>,
	/// Audits of miners that lost nothing, at the end.
	pub honest_samples: u32,
	/// Of these, failed.
	pub honest_misses: u32,
	/// Shards that the first miner lost, and all it had.
	pub lost: (usize, usize),
	/// Bytes of them, and of all.
	pub lost_bytes: (u64, u64),
	/// Blocks until its first failed audit.
	pub caught: Option<u32>,
	/// Whether somebody had to challenge it, because no draw had fallen on what it lost.
	pub challenged: bool,
	/// Its score and the middle one of honest miners, 2^30 for the full one.
	pub scores: Option<(u32, u32)>,
	/// Blocks until the miner that lost all was jailed.
	pub jailed: Option<u32>,
	/// Blocks until it was thrown out.
	pub evicted: Option<u32>,
	/// Blocks until its slots were filled elsewhere.
	pub repaired: Option<u32>,
	/// Audits of the miner with the slow disk while it was slow.
	pub slow_samples: u32,
	/// Of these, failed.
	pub slow_misses: u32,
	/// Whether audits were ever suspended because too much went unanswered.
	pub outage: bool,
	/// Seconds from the first put to the end.
	pub seconds: f64,
}

/// Who paid whom between two finalised blocks, in rao.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EconomyReport {
	/// Alpha that was paid in for credits.
	#[serde(rename = "in")]
	pub paid_in: u128,
	/// What became of it.
	pub pots: Pots,
	/// What of the parts was withdrawn by those they belong to.
	pub out: Withdrawn,
	/// What of the parts was not withdrawn yet.
	pub unpaid: u128,
	/// Whether all of this adds up to the last rao, with the balances of the chain's accounts, too.
	pub conserved: bool,
	/// Whether each charge was split 60/30/10: rounded down, rounded down, the rest.
	pub split_exact: bool,
	/// What does not add up, by name.
	pub faults: Vec<String>,
	/// Charges there were.
	pub charges: u64,
	/// Of these, the client's own, and in how many eras.
	pub client: ClientBill,
	/// Eras whose pool was paid to miners.
	pub eras_paid: u32,
	/// Miners, validators and nominators that withdrew something.
	pub payees: [u32; 3],
	/// First and last block of it.
	pub blocks: [u32; 2],
	/// Seconds it took.
	pub seconds: f64,
}

/// Where what was paid in is accounted for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Pots {
	/// Miners' parts of what was charged.
	pub miners: u128,
	/// Validators' parts, those of who stakes with them included.
	pub validators: u128,
	/// The treasury's parts.
	pub treasury: u128,
	/// Not charged yet: what is behind credits that are left.
	pub held: u128,
}

/// What left the chain's pots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Withdrawn {
	/// To miners' families.
	pub miners: u128,
	/// To validators.
	pub validators: u128,
	/// To those who stake with them.
	pub nominators: u128,
	/// To the treasury.
	pub treasury: u128,
	/// To buyers, of what they had not used.
	pub refunds: u128,
}

/// What the client was charged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ClientBill {
	/// Bytes it is charged for.
	pub bytes: u64,
	/// Charges.
	pub charges: u64,
	/// Eras in which there were any.
	pub eras: u32,
	/// Credits, millionths of a US dollar.
	pub credits: u128,
	/// The rao behind them.
	pub rao: u128,
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
			audits: None,
			economy: None,
			error: None,
		};
		assert_eq!(
			serde_json::to_string(&report).unwrap(),
			r#"{"ok":true,"bytes":5,"sha256_in":"a","sha256_out":"a","miners":30,"killed":20,"stripes":1,"seconds":{"build":1.23,"start":null,"register":null,"put":null,"get":null}}"#
		);
	}
}
