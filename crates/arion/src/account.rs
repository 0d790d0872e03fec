//! The chain, and the account it is about.

use crate::{
	cli::{AccountArgs, LookArgs},
	error::CliError,
};
use hippius_chain_client::{
	account_of, money::MoneyCall, parse_account, signer_from_suri, ChainClient, ChainView,
	Included, Keypair,
};
use hippius_primitives::money::{Pool, Service, Usage};
use std::io::Read as _;

/// Longest file with a secret.
const MOST: u64 = 4096;

impl AccountArgs {
	/// The secret's key pair, if there is a secret.
	fn secret(&self) -> Result<Option<Keypair>, CliError> {
		if let Some(suri) = &self.suri {
			return Ok(Some(signer_from_suri(suri)?));
		}
		let Some(path) = &self.suri_file else {
			return Ok(None);
		};
		let failed = |cause| CliError::File {
			action: "cannot read",
			path: path.clone(),
			cause,
		};
		let mut text = String::new();
		let file = std::fs::File::open(path).map_err(failed)?;
		file.take(MOST).read_to_string(&mut text).map_err(failed)?;
		let line = text.lines().next().unwrap_or_default();
		Ok(Some(signer_from_suri(line)?))
	}

	/// The key pair that signs.
	pub(crate) fn signer(&self) -> Result<Keypair, CliError> {
		self.secret()?.ok_or_else(|| {
			CliError::Usage("this needs an account: give --suri-file or --suri".into())
		})
	}

	/// Connects to the chain.
	pub(crate) async fn connect(&self) -> Result<ChainClient, CliError> {
		Ok(ChainClient::connect(&self.chain).await?)
	}

	/// Signs and submits calls, all or none; the state at the finalised block they are in.
	pub(crate) async fn submit(
		&self,
		calls: &[MoneyCall],
	) -> Result<(ChainView, [u8; 32]), CliError> {
		let signer = self.signer()?;
		let chain = self.connect().await?;
		let view = chain.money(&signer, calls, Included::Finalized).await?;
		Ok((view, account_of(&signer)))
	}
}

impl LookArgs {
	/// The account named, or that of the secret.
	pub(crate) fn account(&self) -> Result<[u8; 32], CliError> {
		match &self.account {
			Some(text) => Ok(parse_account(text)?),
			None => Ok(account_of(&self.signer.signer()?)),
		}
	}
}

/// A service's short name.
pub(crate) fn service_name(service: Service) -> &'static str {
	match service {
		Service::Arion => "arion",
		Service::S3 => "s3",
		Service::Ipfs => "ipfs",
		Service::Compute => "compute",
	}
}

/// What of a service, in short.
pub(crate) fn pool_name(pool: Pool) -> String {
	let usage = match pool.usage {
		Usage::Held => "held",
		Usage::Egress => "egress",
	};
	format!("{} {usage}", service_name(pool.service))
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use hippius_chain_client::ss58;

	fn args(suri: Option<&str>, file: Option<&std::path::Path>) -> AccountArgs {
		AccountArgs {
			chain: String::new(),
			suri: suri.map(str::to_owned),
			suri_file: file.map(Into::into),
		}
	}

	#[test]
	fn accounts_come_from_text_secret_or_file() {
		let dir = tempfile::tempdir().unwrap();
		let path = dir.path().join("secret");
		std::fs::write(&path, "//Alice\nmore\n").unwrap();
		let alice = account_of(&args(Some("//Alice"), None).signer().unwrap());
		assert_eq!(
			account_of(&args(None, Some(&path)).signer().unwrap()),
			alice
		);
		let look = |account: Option<String>, suri| LookArgs {
			account,
			signer: args(suri, None),
		};
		assert_eq!(look(Some(ss58(&alice)), None).account().unwrap(), alice);
		assert_eq!(look(None, Some("//Alice")).account().unwrap(), alice);
		let none = look(None, None).account().unwrap_err();
		assert!(none.to_string().contains("--suri-file") && none.exit_code() == 2);
		assert!(!format!("{:?}", args(Some("//Alice"), None)).contains("Alice"));
		assert!(args(None, Some(dir.path())).signer().is_err());
	}
}
