//! Accounts as people write them.

use std::str::FromStr;
use subxt::utils::AccountId32;

/// The text names no account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no account ({cause}); give its address as polkadot.js shows it, or 0x and 64 hexadecimal digits")]
pub struct AccountError {
	/// The text.
	pub text: String,
	/// What is wrong with it.
	pub cause: String,
}

/// Reads an account: an SS58 address, or `0x` and 64 hexadecimal digits.
pub fn parse_account(text: &str) -> Result<[u8; 32], AccountError> {
	let text = text.trim();
	let wrong = |cause: String| AccountError {
		text: text.chars().take(80).collect(),
		cause,
	};
	if let Some(digits) = text.strip_prefix("0x") {
		let mut account = [0; 32];
		hex::decode_to_slice(digits, &mut account).map_err(|cause| wrong(cause.to_string()))?;
		return Ok(account);
	}
	let account = AccountId32::from_str(text).map_err(|cause| wrong(cause.to_string()))?;
	Ok(account.0)
}

/// An account's SS58 address.
pub fn ss58(account: &[u8; 32]) -> String {
	AccountId32(*account).to_string()
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

	#[test]
	fn both_forms_are_read_and_what_is_neither_is_named() {
		let alice = parse_account(ALICE).unwrap();
		assert_eq!(ss58(&alice), ALICE);
		assert_eq!(
			parse_account(&format!(" 0x{}\n", hex::encode(alice))).unwrap(),
			alice
		);
		let long = "x".repeat(10_000);
		for bad in [
			"",
			"0x",
			"0x12",
			"//Alice",
			&ALICE[1..],
			"5Grwva\u{1F600}",
			&long,
		] {
			let error = parse_account(bad).unwrap_err().to_string();
			assert!(
				error.contains("polkadot.js") && error.len() < 400,
				"{error}"
			);
		}
	}
}
