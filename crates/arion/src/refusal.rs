//! What the chain refused, and what helps.

use crate::error::CliError;
use hippius_chain_client::ChainError;

/// A call that the chain refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
	/// Stable short name, e.g. `price_stale`.
	pub code: String,
	/// The chain's own words.
	pub why: String,
	/// What to do about it.
	pub mend: Option<&'static str>,
}

/// What helps against errors of the pallets for money.
fn mend(error: &str) -> Option<&'static str> {
	Some(match error {
		"NoAlphaPrice" | "PriceStale" => {
			"the oracle tells a price at least hourly, so a deposit will work soon; vouchers of TAO need it, too"
		}
		"PriceMoved" => "look at the price and deposit again, or give a smaller --least",
		"AmountTooSmall" => "deposit more",
		"NoAccount" | "NotEnoughCredits" | "NotPaid" => "buy credits with `arion credits deposit`",
		"BelowFloor" => {
			"release something first: a week of what is used must stay paid for"
		}
		"AccountLocked" => "`arion credits repay` pays what is owed, `arion credits balance` shows it",
		"NotRefundable" => "ask the payment service, which returns the money the way it came",
		"UnknownBatch" => "`arion credits balance` lists the batches",
		"TooManyBatches" => "spend some credits, or take a batch back with `arion credits refund`",
		"VoucherReplayed" | "PaymentUsed" => {
			"its credits were given already, `arion credits balance` shows them"
		}
		"VoucherExpired" => "ask the payment service for a fresh one",
		"WrongGenesis" => "it is for another network; give the right --chain",
		"SourceCap" | "UserCap" => "bring the same voucher again tomorrow, if it is valid until then",
		"FloatTooLow" => "bring the same voucher again later; the payment service is told by this",
		"KeyRevoked" | "UnknownKey" | "DuplicateKey" | "TooFewSignatures" | "BadSignature" => {
			"the voucher is not as the payment service made it; ask there for another"
		}
		"NotAuthorised" => "see `arion credits balance` for the gateways that may, and for how much",
		"TooManyGateways" => "revoke one with `arion credits revoke`",
		"GrantExpired" => "give more --days",
		"UnitsUnsound" => "--idle-units must be at least a tenth of --units, rounded up, and not exceed them",
		"TermUnsound" => "give other --days",
		"TooManyOrders" => "end one with `arion orders cancel`",
		"QueueFull" => "try again in some minutes",
		"UnknownOrder" => "it has ended, or never was; `arion orders list` shows yours",
		"NotYourOrder" => "give the secret of the account that ordered it",
		"NotActive" => "no miner has accepted it yet",
		"TooLate" => "its term is over",
		_ => return None,
	})
}

/// `PriceStale` as `price_stale`.
fn snake(name: &str) -> String {
	let mut out = String::new();
	for (at, c) in name.chars().enumerate() {
		if c.is_ascii_uppercase() && at > 0 {
			out.push('_');
		}
		out.push(c.to_ascii_lowercase());
	}
	out
}

impl From<ChainError> for CliError {
	fn from(error: ChainError) -> Self {
		match error {
			ChainError::Dispatch {
				pallet,
				error,
				docs,
			} => {
				// Errors of the runtime itself have no name of their own.
				let system = pallet == "System";
				let funds = ["Token(", "Arithmetic(Underflow"];
				let funds = system && funds.iter().any(|kind| error.contains(kind));
				let (code, mend) = match funds {
					_ if system && !funds => ("refused".to_owned(), None),
					true => (
						"too_little_alpha".to_owned(),
						Some("the account needs the amount, the fee and what keeps it alive"),
					),
					false => (snake(&error), mend(&error)),
				};
				Self::Refused(Refusal {
					code,
					why: docs.trim_end_matches('.').to_owned(),
					mend,
				})
			}
			other => Self::Chain(other),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn refused(pallet: &str, error: &str) -> CliError {
		CliError::from(ChainError::Dispatch {
			pallet: pallet.into(),
			error: error.into(),
			docs: "The words of the chain.".into(),
		})
	}

	#[test]
	fn refusals_name_cause_and_mend() {
		for (error, code, word) in [
			("PriceStale", "price_stale", "hourly"),
			("VoucherExpired", "voucher_expired", "fresh"),
			("VoucherReplayed", "voucher_replayed", "already"),
			("UserCap", "user_cap", "tomorrow"),
			("NotAuthorised", "not_authorised", "balance"),
			("AccountLocked", "account_locked", "repay"),
			("NotPaid", "not_paid", "deposit"),
		] {
			let error = refused("Marketplace", error);
			let text = error.to_string();
			assert_eq!((error.code(), error.exit_code()), (code, 6));
			assert!(
				text.starts_with("The words of the chain; ") && text.contains(word),
				"{text}"
			);
		}
		let error = refused("System", "Token(FundsUnavailable)");
		assert_eq!(error.code(), "too_little_alpha");
		let error = refused("System", "Arithmetic(Underflow)");
		assert_eq!(error.code(), "too_little_alpha");
		assert_eq!(refused("System", "BadOrigin").code(), "refused");
		assert!(refused("Marketplace", "Unheard")
			.to_string()
			.ends_with("chain"));
		let closed = CliError::from(ChainError::Closed);
		assert_eq!((closed.code(), closed.exit_code()), ("chain", 1));
	}
}
