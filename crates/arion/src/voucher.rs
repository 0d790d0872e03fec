//! Vouchers of the payment service, as files.

use hippius_chain_client::{parse_account, AccountError};
use hippius_primitives::money::{Source, Voucher};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Longest file.
const MOST: u64 = 16 * 1024;
/// Most signatures: the payment service has so many keys.
const MOST_SIGNATURES: usize = 3;

/// A voucher cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VoucherError {
	/// The file cannot be read.
	#[error("cannot read {}: {cause}", path.display())]
	Read {
		/// The file.
		path: PathBuf,
		/// Why.
		cause: std::io::Error,
	},
	/// The file is too long for a voucher.
	#[error("{} is no voucher: it has more than {MOST} bytes", .0.display())]
	TooLong(PathBuf),
	/// It is not the JSON of a voucher.
	#[error("{} is no voucher: {cause}", path.display())]
	Shape {
		/// The file.
		path: PathBuf,
		/// What and where.
		cause: serde_json::Error,
	},
	/// A field is not what it should be.
	#[error("field {field}: {what}")]
	Field {
		/// Its name.
		field: &'static str,
		/// What is wrong.
		what: String,
	},
	/// The account.
	#[error("field user: {0}")]
	User(#[from] AccountError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
	genesis: String,
	source: String,
	payment: String,
	user: String,
	credits: u64,
	expires: u64,
	signatures: Vec<Signature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
	key: String,
	signature: String,
}

/// A voucher with who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedVoucher {
	/// The voucher.
	pub voucher: Voucher,
	/// Keys and signatures.
	pub signatures: Vec<([u8; 32], [u8; 64])>,
}

fn hex<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N], VoucherError> {
	let mut bytes = [0; N];
	let digits = text.strip_prefix("0x").unwrap_or(text);
	hex::decode_to_slice(digits, &mut bytes).map_err(|cause| VoucherError::Field {
		field,
		what: format!("expected {} hexadecimal digits: {cause}", 2 * N),
	})?;
	Ok(bytes)
}

/// Reads a voucher: JSON with `genesis` and `payment` (32 bytes in hexadecimal), `source` (`fiat` or
/// `tao`), `user` (an account), `credits` (millionths of a dollar), `expires` (Unix time in ms) and
/// `signatures`, each with `key` and `signature` in hexadecimal.
pub fn read(path: &Path) -> Result<SignedVoucher, VoucherError> {
	use std::io::Read as _;
	let failed = |cause| VoucherError::Read {
		path: path.to_owned(),
		cause,
	};
	let file = std::fs::File::open(path).map_err(failed)?;
	let mut bytes = Vec::new();
	file.take(MOST + 1)
		.read_to_end(&mut bytes)
		.map_err(failed)?;
	if bytes.len() as u64 > MOST {
		return Err(VoucherError::TooLong(path.to_owned()));
	}
	let file: File = serde_json::from_slice(&bytes).map_err(|cause| VoucherError::Shape {
		path: path.to_owned(),
		cause,
	})?;
	let source = match file.source.as_str() {
		"fiat" => Source::Fiat,
		"tao" => Source::Tao,
		_ => {
			return Err(VoucherError::Field {
				field: "source",
				what: "expected fiat or tao".into(),
			})
		}
	};
	if !(1..=MOST_SIGNATURES).contains(&file.signatures.len()) {
		return Err(VoucherError::Field {
			field: "signatures",
			what: format!("expected one to {MOST_SIGNATURES}"),
		});
	}
	let signatures = file.signatures.iter().map(|signed| {
		Ok::<_, VoucherError>((
			hex("signatures.key", &signed.key)?,
			hex("signatures.signature", &signed.signature)?,
		))
	});
	Ok(SignedVoucher {
		voucher: Voucher {
			genesis: hex("genesis", &file.genesis)?,
			source,
			payment: hex("payment", &file.payment)?,
			user: parse_account(&file.user)?,
			credits: file.credits.into(),
			expires: file.expires,
		},
		signatures: signatures.collect::<Result<_, _>>()?,
	})
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use serde_json::{json, Value};

	fn good() -> Value {
		json!({
			"genesis": "11".repeat(32), "source": "tao", "payment": format!("0x{}", "22".repeat(32)),
			"user": "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
			"credits": 2_500_000, "expires": 1_800_000_000_000u64,
			"signatures": [{ "key": "33".repeat(32), "signature": "44".repeat(64) }],
		})
	}

	fn parse(value: &Value) -> Result<SignedVoucher, VoucherError> {
		let dir = tempfile::tempdir().unwrap();
		let path = dir.path().join("voucher.json");
		std::fs::write(&path, value.to_string()).unwrap();
		read(&path)
	}

	#[test]
	fn every_field_is_read() {
		let signed = parse(&good()).unwrap();
		let voucher = signed.voucher;
		assert_eq!((voucher.genesis, voucher.payment), ([0x11; 32], [0x22; 32]));
		assert_eq!((voucher.source, voucher.credits), (Source::Tao, 2_500_000));
		assert_eq!(voucher.expires, 1_800_000_000_000);
		assert_eq!(signed.signatures, [([0x33; 32], [0x44; 64])]);
	}

	#[test]
	fn what_is_wrong_is_named() {
		let four: Vec<Value> = vec![good()["signatures"][0].clone(); 4];
		for (field, value) in [
			("source", json!("gold")),
			("genesis", json!("11")),
			("payment", json!("zz")),
			("user", json!("me")),
			("signatures", json!([])),
			("signatures", json!(four)),
			("signatures", json!([{ "key": "1", "signature": "" }])),
		] {
			let mut voucher = good();
			voucher[field] = value;
			let error = parse(&voucher).unwrap_err().to_string();
			assert!(error.starts_with(&format!("field {field}")), "{error}");
		}
		for (field, value) in [
			("credits", json!(-1)),
			("credits", json!(1e30)),
			("extra", json!(1)),
		] {
			let mut voucher = good();
			voucher[field] = value;
			assert!(matches!(parse(&voucher), Err(VoucherError::Shape { .. })));
		}
		let long = json!("x".repeat(20_000));
		assert!(matches!(parse(&long), Err(VoucherError::TooLong(_))));
		assert!(matches!(
			read(Path::new("/nonexistent")),
			Err(VoucherError::Read { .. })
		));
	}
}
