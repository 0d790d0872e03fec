//! Accounts that sign, and node keys that vouch for a registration.

use ed25519_dalek::{Signer, SigningKey};
use hippius_primitives::{
	registration::{registration_payload, KeyProof, NodeParams},
	NodeKey,
};
use std::str::FromStr;
use subxt_signer::{sr25519::Keypair, SecretUri};

/// The secret is no usable account.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
	/// It is neither a phrase nor a hexadecimal seed.
	#[error(
		"not a secret URI: {0}; give a mnemonic phrase, 0x and 64 hexadecimal digits, or //Alice"
	)]
	Uri(#[from] subxt_signer::SecretUriError),
	/// It reads well but makes no key.
	#[error("the secret makes no key: {0}")]
	Key(#[from] subxt_signer::sr25519::Error),
}

/// The sr25519 account behind a secret URI: a mnemonic phrase or `0x` seed with optional
/// `//hard` and `/soft` derivations and `///password`; `//Alice` derives from the development
/// phrase.
pub fn signer_from_suri(suri: &str) -> Result<Keypair, SignerError> {
	Ok(Keypair::from_uri(&SecretUri::from_str(suri.trim())?)?)
}

/// The account id of a signer: its public key.
pub fn account_of(signer: &Keypair) -> [u8; 32] {
	signer.public_key().0
}

/// Signs a registration with the node key.
///
/// `genesis` is the hash of block 0, `family` the account that will submit the call, `sequence`
/// what [`crate::ChainClient::proof_sequence`] says, `valid_until` the last block at which the
/// proof may be used.
pub fn sign_registration(
	node: &SigningKey,
	genesis: [u8; 32],
	family: [u8; 32],
	params: &NodeParams,
	sequence: u32,
	valid_until: u32,
) -> KeyProof {
	let key = NodeKey(node.verifying_key().to_bytes());
	let payload = registration_payload(&genesis, &family, &key, params, sequence, valid_until);
	KeyProof {
		genesis,
		sequence,
		valid_until,
		signature: node.sign(&payload).to_bytes(),
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use ed25519_dalek::Verifier;
	use hippius_primitives::NodeAddress;

	#[test]
	fn known_accounts() {
		let alice = signer_from_suri("//Alice").unwrap();
		assert_eq!(
			hex::encode(account_of(&alice)),
			"d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"
		);
		for bad in ["not a phrase at all", "0x12", "", "bottom drive obey"] {
			assert!(signer_from_suri(bad).is_err() || bad.is_empty(), "{bad:?}");
		}
	}

	#[test]
	fn a_registration_verifies_under_the_node_key_only_as_signed() {
		let node = SigningKey::from_bytes(&[7; 32]);
		let params = NodeParams {
			zone: 2,
			host: b"rack-1".to_vec(),
			capacity: 10,
			addresses: vec![NodeAddress::V4 {
				ip: [127, 0, 0, 1],
				port: 4001,
			}],
		};
		let proof = sign_registration(&node, [1; 32], [2; 32], &params, 0, 99);
		let key = NodeKey(node.verifying_key().to_bytes());
		let signature = ed25519_dalek::Signature::from_bytes(&proof.signature);
		let payload = |family| registration_payload(&[1; 32], &family, &key, &params, 0, 99);
		assert!(node
			.verifying_key()
			.verify(&payload([2; 32]), &signature)
			.is_ok());
		assert!(node
			.verifying_key()
			.verify(&payload([3; 32]), &signature)
			.is_err());
	}
}
