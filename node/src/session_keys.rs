//! Makes a validator's session keys.
//!
//! `session.setKeys` takes keys only with a proof that their secrets are held by who registers them.
//! The RPC `author_rotateKeysWithOwner` makes both inside a running node; this tool does it without
//! one, for keys from a seed as well as for fresh ones.

use codec::Encode;
use hippius_runtime::{AccountId, SessionKeys};
use sc_cli::{CliConfiguration, KeystoreParams, SharedParams, SubstrateCli};
use sc_keystore::LocalKeystore;
use sc_service::{config::KeystoreConfig, BasePath};
use serde::Serialize;
use sp_core::{
	crypto::{key_types, ExposeSecret, KeyTypeId, Pair, SecretString, Ss58Codec},
	ed25519,
	proof_of_possession::statement_of_ownership,
	sr25519,
};
use sp_keystore::Keystore;
use sp_runtime::traits::OpaqueKeys;
use std::{fs, path::PathBuf};

/// Make session keys, put them into the node's keystore and print the public keys and their proof of
/// possession, ready for `session.setKeys(keys, proof)` sent by the owner. Without `--suri` and
/// `--seed-file` the keys are fresh and exist only in the keystore.
#[derive(Debug, clap::Args)]
pub struct SessionKeysCmd {
	/// The account that will register the keys: an SS58 address or 64 hexadecimal digits.
	#[arg(long, value_name = "ACCOUNT", value_parser = parse_account)]
	pub owner: AccountId,

	/// Secret phrase, seed or derivation (`//Alice`) to make all keys from. Shows in the list of
	/// processes; prefer --seed-file.
	#[arg(long, value_name = "SURI", conflicts_with = "seed_file")]
	pub suri: Option<String>,

	/// File that holds the secret phrase, seed or derivation.
	#[arg(long, value_name = "PATH")]
	pub seed_file: Option<PathBuf>,

	/// How to print.
	#[arg(long, value_enum, default_value_t = Output::Text)]
	pub output: Output,

	/// Where the keystore is.
	#[command(flatten)]
	pub keystore_params: KeystoreParams,

	/// Where the node is.
	#[command(flatten)]
	pub shared_params: SharedParams,
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
	/// One line each.
	#[default]
	Text,
	/// One JSON object.
	Json,
}

impl CliConfiguration for SessionKeysCmd {
	fn shared_params(&self) -> &SharedParams {
		&self.shared_params
	}

	fn keystore_params(&self) -> Option<&KeystoreParams> {
		Some(&self.keystore_params)
	}
}

/// Why there are no session keys.
#[derive(Debug, thiserror::Error)]
pub enum SessionKeysError {
	/// The seed file cannot be read.
	#[error("cannot read the seed file {path}: {source}")]
	SeedUnreadable {
		/// The file.
		path: PathBuf,
		/// Why.
		source: std::io::Error,
	},
	/// The keystore cannot be opened.
	#[error("cannot open the keystore: {0}")]
	Keystore(#[from] sc_keystore::Error),
	/// A key cannot be made or stored.
	#[error("cannot make the {key} key: {reason}; is the secret a phrase, a seed or //Name?")]
	Key {
		/// Which key.
		key: &'static str,
		/// Why.
		reason: String,
	},
	/// The proof does not hold: the keystore has other secrets than it says.
	#[error("the keystore's signatures do not match its public keys; check its password")]
	BadProof,
}

/// Session keys and their proof.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewSessionKeys {
	/// Who may register them.
	pub owner: String,
	/// `keys` of `session.setKeys`, hexadecimal.
	pub keys: String,
	/// `proof` of `session.setKeys`, hexadecimal.
	pub proof: String,
	/// Each public key, hexadecimal.
	pub grandpa: String,
	/// See `grandpa`.
	pub babe: String,
	/// See `grandpa`.
	pub im_online: String,
	/// See `grandpa`.
	pub authority_discovery: String,
}

fn parse_account(text: &str) -> Result<AccountId, String> {
	let digits = text.strip_prefix("0x").unwrap_or(text);
	let mut bytes = [0; 32];
	if hex::decode_to_slice(digits, &mut bytes).is_ok() {
		return Ok(bytes.into());
	}
	AccountId::from_ss58check(text).map_err(|error| format!("not an account: {error:?}"))
}

impl SessionKeysCmd {
	/// Makes, stores and prints the keys.
	pub fn run<C: SubstrateCli>(&self, cli: &C) -> sc_cli::Result<()> {
		let (path, password) = self.keystore(cli)?;
		let made = self
			.make(path, password)
			.map_err(|error| sc_cli::Error::Input(error.to_string()))?;
		match self.output {
			Output::Json => println!("{}", serde_json::to_string_pretty(&made).map_err(other)?),
			Output::Text => {
				println!("owner:               {}", made.owner);
				println!("keys:                {}", made.keys);
				println!("proof:               {}", made.proof);
				println!("grandpa:             {}", made.grandpa);
				println!("babe:                {}", made.babe);
				println!("im-online:           {}", made.im_online);
				println!("authority-discovery: {}", made.authority_discovery);
			}
		}
		Ok(())
	}

	fn keystore<C: SubstrateCli>(
		&self,
		cli: &C,
	) -> sc_cli::Result<(PathBuf, Option<SecretString>)> {
		let base_path = self
			.shared_params
			.base_path()?
			.unwrap_or_else(|| BasePath::from_project("", "", &C::executable_name()));
		let chain_id = self.shared_params.chain_id(self.shared_params.is_dev());
		let config_dir = base_path.config_dir(cli.load_spec(&chain_id)?.id());
		match self.keystore_params.keystore_config(&config_dir)? {
			KeystoreConfig::Path { path, password } => Ok((path, password)),
			KeystoreConfig::InMemory => Err(sc_cli::Error::Input(
				"session keys need a keystore on disk".into(),
			)),
		}
	}

	fn make(
		&self,
		path: PathBuf,
		password: Option<SecretString>,
	) -> Result<NewSessionKeys, SessionKeysError> {
		let seed = match (&self.suri, &self.seed_file) {
			(Some(suri), _) => Some(suri.clone()),
			(None, Some(path)) => Some(read_seed(path)?),
			(None, None) => None,
		};
		let secret = seed.as_deref().map(|seed| Secret {
			seed,
			password: password.clone(),
		});
		let keystore = LocalKeystore::open(path, password)?;
		make(&keystore, &self.owner, secret.as_ref())
	}
}

fn read_seed(path: &PathBuf) -> Result<String, SessionKeysError> {
	fs::read_to_string(path)
		.map(|text| text.trim().to_owned())
		.map_err(|source| SessionKeysError::SeedUnreadable {
			path: path.clone(),
			source,
		})
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> sc_cli::Error {
	sc_cli::Error::Application(Box::new(error))
}

/// What all keys are made from.
pub struct Secret<'a> {
	/// Secret phrase, seed or derivation.
	pub seed: &'a str,
	/// The keystore's password, which is part of the secret.
	pub password: Option<SecretString>,
}

/// Makes the keys in `keystore`, all from `secret` if there is one, and proves to `owner` that they
/// are held.
pub fn make(
	keystore: &LocalKeystore,
	owner: &AccountId,
	secret: Option<&Secret<'_>>,
) -> Result<NewSessionKeys, SessionKeysError> {
	let statement = statement_of_ownership(&owner.encode());
	let (grandpa, grandpa_proof) = ed25519_key(keystore, secret, &statement)?;
	let sr25519 = |id, name| sr25519_key(keystore, id, name, secret, &statement);
	let (babe, babe_proof) = sr25519(key_types::BABE, "babe")?;
	let (im_online, im_online_proof) = sr25519(key_types::IM_ONLINE, "im-online")?;
	let (discovery, discovery_proof) =
		sr25519(key_types::AUTHORITY_DISCOVERY, "authority-discovery")?;

	let keys = SessionKeys {
		grandpa: grandpa.into(),
		babe: babe.into(),
		im_online: im_online.into(),
		authority_discovery: discovery.into(),
	};
	let proof = (grandpa_proof, babe_proof, im_online_proof, discovery_proof).encode();
	if !keys.ownership_proof_is_valid(&owner.encode(), &proof) {
		return Err(SessionKeysError::BadProof);
	}
	let hex = |bytes: &[u8]| format!("0x{}", hex::encode(bytes));
	Ok(NewSessionKeys {
		owner: owner.to_ss58check(),
		keys: hex(&keys.encode()),
		proof: hex(&proof),
		grandpa: hex(grandpa.as_ref()),
		babe: hex(babe.as_ref()),
		im_online: hex(im_online.as_ref()),
		authority_discovery: hex(discovery.as_ref()),
	})
}

/// Stores the key of `secret` under its public key.
///
/// The keystore's own `generate_new` keeps a key made from a seed in memory only.
fn insert<P: Pair>(
	keystore: &LocalKeystore,
	id: KeyTypeId,
	secret: &Secret<'_>,
) -> Result<P::Public, String> {
	let password = secret
		.password
		.as_ref()
		.map(|password| password.expose_secret().as_str());
	let pair = P::from_string(secret.seed, password).map_err(|error| format!("{error:?}"))?;
	let public = pair.public();
	keystore
		.insert(id, secret.seed, public.as_ref())
		.map_err(|()| "the keystore cannot be written".to_string())?;
	Ok(public)
}

fn ed25519_key(
	keystore: &LocalKeystore,
	secret: Option<&Secret<'_>>,
	statement: &[u8],
) -> Result<(ed25519::Public, ed25519::Signature), SessionKeysError> {
	let failed = |reason: String| SessionKeysError::Key {
		key: "grandpa",
		reason,
	};
	let public = match secret {
		Some(secret) => insert::<ed25519::Pair>(keystore, key_types::GRANDPA, secret),
		None => keystore
			.ed25519_generate_new(key_types::GRANDPA, None)
			.map_err(|error| error.to_string()),
	}
	.map_err(failed)?;
	let signature = keystore
		.ed25519_sign(key_types::GRANDPA, &public, statement)
		.map_err(|error| failed(error.to_string()))?
		.ok_or_else(|| failed("it is not in the keystore".into()))?;
	Ok((public, signature))
}

fn sr25519_key(
	keystore: &LocalKeystore,
	id: KeyTypeId,
	key: &'static str,
	secret: Option<&Secret<'_>>,
	statement: &[u8],
) -> Result<(sr25519::Public, sr25519::Signature), SessionKeysError> {
	let failed = |reason: String| SessionKeysError::Key { key, reason };
	let public = match secret {
		Some(secret) => insert::<sr25519::Pair>(keystore, id, secret),
		None => keystore
			.sr25519_generate_new(id, None)
			.map_err(|error| error.to_string()),
	}
	.map_err(failed)?;
	let signature = keystore
		.sr25519_sign(id, &public, statement)
		.map_err(|error| failed(error.to_string()))?
		.ok_or_else(|| failed("it is not in the keystore".into()))?;
	Ok((public, signature))
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use codec::Decode;
	use sp_keyring::Sr25519Keyring;

	fn secret(seed: &str) -> Secret<'_> {
		Secret {
			seed,
			password: None,
		}
	}

	fn decode(hex_text: &str) -> Vec<u8> {
		hex::decode(hex_text.strip_prefix("0x").unwrap()).unwrap()
	}

	#[test]
	fn the_proof_is_for_its_owner_only() {
		let dir = tempfile::tempdir().unwrap();
		let keystore = LocalKeystore::open(dir.path(), None).unwrap();
		let owner = Sr25519Keyring::Alice.to_account_id();
		let made = make(&keystore, &owner, Some(&secret("//Validator"))).unwrap();
		let keys = SessionKeys::decode(&mut &decode(&made.keys)[..]).unwrap();
		let proof = decode(&made.proof);
		assert!(keys.ownership_proof_is_valid(&owner.encode(), &proof));
		let thief = Sr25519Keyring::Bob.to_account_id();
		assert!(!keys.ownership_proof_is_valid(&thief.encode(), &proof));

		// A node that opens the keystore later can use every key.
		let later = LocalKeystore::open(dir.path(), None).unwrap();
		for (id, public) in [
			(key_types::GRANDPA, &made.grandpa),
			(key_types::BABE, &made.babe),
			(key_types::IM_ONLINE, &made.im_online),
			(key_types::AUTHORITY_DISCOVERY, &made.authority_discovery),
		] {
			assert!(later.has_keys(&[(decode(public), id)]));
		}
	}

	#[test]
	fn the_same_seed_gives_the_same_keys_and_none_gives_fresh_ones() {
		let dir = tempfile::tempdir().unwrap();
		let keystore = LocalKeystore::open(dir.path(), None).unwrap();
		let owner = Sr25519Keyring::Alice.to_account_id();
		let from = |seed| make(&keystore, &owner, Some(&secret(seed))).unwrap().keys;
		assert_eq!(from("//A"), from("//A"));
		assert_ne!(from("//A"), from("//B"));
		let fresh = || make(&keystore, &owner, None).unwrap().keys;
		assert_ne!(fresh(), fresh());
	}

	#[test]
	fn a_password_is_part_of_the_secret() {
		let dir = tempfile::tempdir().unwrap();
		let password = || Some(SecretString::new("long".into()));
		let keystore = LocalKeystore::open(dir.path(), password()).unwrap();
		let owner = Sr25519Keyring::Alice.to_account_id();
		let with = Secret {
			seed: "//A",
			password: password(),
		};
		let with = make(&keystore, &owner, Some(&with)).unwrap();
		let plain = tempfile::tempdir().unwrap();
		let plain = LocalKeystore::open(plain.path(), None).unwrap();
		let without = make(&plain, &owner, Some(&secret("//A"))).unwrap();
		assert_ne!(with.keys, without.keys);
	}

	#[test]
	fn a_bad_secret_names_the_key() {
		let error = make(
			&LocalKeystore::in_memory(),
			&[0; 32].into(),
			Some(&secret("not a phrase")),
		);
		assert!(matches!(error, Err(SessionKeysError::Key { .. })));
	}

	#[test]
	fn owners_are_read_in_both_forms() {
		let alice = Sr25519Keyring::Alice.to_account_id();
		assert_eq!(parse_account(&alice.to_ss58check()).unwrap(), alice);
		assert_eq!(parse_account(&hex::encode(&alice)).unwrap(), alice);
		assert!(parse_account("alice").is_err());
	}
}
