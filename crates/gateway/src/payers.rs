//! Who pays for what is stored.

use crate::config::{ConfigError, LedgerConfig};
use hippius_chain_client::{parse_account, ss58};
use std::collections::BTreeSet;

/// The accounts that pay for what a gateway stores. On chain they are the owners of their stripes: they
/// are charged, and only they may release them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payers {
	own: [u8; 32],
	others: BTreeSet<[u8; 32]>,
}

/// The account may not be charged for uploads here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
	"account {} does not pay for uploads here; who runs this gateway names it in ledger.payers, and it must \
	 authorise the gateway's account {} (arion credits authorise)", ss58(asked), ss58(own)
)]
pub struct NotAPayer {
	/// The account asked for.
	pub asked: [u8; 32],
	/// The gateway's.
	pub own: [u8; 32],
}

impl Payers {
	/// Everything is paid by one account.
	pub fn one(own: [u8; 32]) -> Self {
		Self {
			own,
			others: BTreeSet::new(),
		}
	}

	/// What no upload pays for itself is paid by `own`; uploads may name one of `ledger.payers`.
	pub fn new(own: [u8; 32], config: &LedgerConfig) -> Result<Self, ConfigError> {
		let others = config.payers.iter().map(|text| {
			parse_account(text).map_err(|cause| ConfigError::Value {
				setting: "ledger.payers",
				reason: cause.to_string(),
			})
		});
		Ok(Self {
			own,
			others: others.collect::<Result<_, _>>()?,
		})
	}

	/// The gateway's account.
	pub fn own(&self) -> &[u8; 32] {
		&self.own
	}

	/// Who pays for an upload that names `asked`, or nobody.
	pub fn choose(&self, asked: Option<[u8; 32]>) -> Result<[u8; 32], NotAPayer> {
		match asked {
			None => Ok(self.own),
			Some(asked) if asked == self.own || self.others.contains(&asked) => Ok(asked),
			Some(asked) => Err(NotAPayer {
				asked,
				own: self.own,
			}),
		}
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[test]
	fn only_named_accounts_pay() {
		let config = LedgerConfig {
			payers: vec![ss58(&[2; 32]), format!("0x{}", "03".repeat(32))],
			..LedgerConfig::default()
		};
		let payers = Payers::new([1; 32], &config).unwrap();
		assert_eq!(payers.choose(None).unwrap(), [1; 32]);
		for named in [1, 2, 3] {
			assert_eq!(payers.choose(Some([named; 32])).unwrap(), [named; 32]);
		}
		let refused = payers.choose(Some([4; 32])).unwrap_err().to_string();
		assert!(
			refused.contains(&ss58(&[4; 32])) && refused.contains("ledger.payers"),
			"{refused}"
		);
		assert!(Payers::one([1; 32]).choose(Some([2; 32])).is_err());
		let config = LedgerConfig {
			payers: vec!["//Alice".into()],
			..LedgerConfig::default()
		};
		let error = Payers::new([1; 32], &config).unwrap_err().to_string();
		assert!(
			error.starts_with("ledger.payers: \"//Alice\" is no account"),
			"{error}"
		);
	}
}
