//! TLS 1.3 with raw Ed25519 public keys on both sides (RFC 7250).
//!
//! The peer's "certificate" is the 44-byte SubjectPublicKeyInfo of its node key and nothing else;
//! it is compared byte by byte, never searched. Sessions are never resumed: a resumed session
//! skips the check, so a revoked key would still get in.

use crate::{
	identity::{verifying_key, Identity},
	wire::ALPN,
	GridError,
};
use ed25519_dalek::Signature;
use hippius_primitives::NodeKey;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::{
	client::{
		danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
		AlwaysResolvesClientRawPublicKeys, Resumption,
	},
	crypto::{ring, CryptoProvider},
	pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
	server::{
		danger::{ClientCertVerified, ClientCertVerifier},
		AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage,
	},
	sign::{CertifiedKey, Signer, SigningKey},
	CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
	SignatureAlgorithm, SignatureScheme,
};
use std::sync::{Arc, OnceLock};

/// Never sent: with raw keys the name says nothing, so SNI is off.
pub(crate) const SERVER_NAME: &str = "node.arion.invalid";

/// DER of an Ed25519 SubjectPublicKeyInfo, up to the key itself (RFC 8410).
const SPKI_PREFIX: [u8; 12] = [
	0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// The SubjectPublicKeyInfo of a node key: 44 bytes.
pub(crate) fn spki(key: &NodeKey) -> [u8; 44] {
	let mut der = [0; 44];
	der[..12].copy_from_slice(&SPKI_PREFIX);
	der[12..].copy_from_slice(key.as_bytes());
	der
}

/// The node key in a SubjectPublicKeyInfo. Only the exact 44-byte form of a key that is on the
/// curve and not weak is taken.
pub(crate) fn key_of_spki(der: &[u8]) -> Option<NodeKey> {
	let key = der.strip_prefix(&SPKI_PREFIX)?;
	let key = NodeKey(key.try_into().ok()?);
	verifying_key(&key).map(|_| key)
}

/// The node key the other side of a finished handshake proved to hold.
pub(crate) fn peer_key(connection: &quinn::Connection) -> Option<NodeKey> {
	let identity = connection
		.peer_identity()?
		.downcast::<Vec<CertificateDer<'static>>>()
		.ok()?;
	match identity.as_slice() {
		[only] => key_of_spki(only),
		_ => None,
	}
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
	static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
	PROVIDER
		.get_or_init(|| Arc::new(ring::default_provider()))
		.clone()
}

#[derive(Debug)]
struct NodeSigner(Arc<Identity>);

impl SigningKey for NodeSigner {
	fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
		offered
			.contains(&SignatureScheme::ED25519)
			.then(|| Box::new(Self(self.0.clone())) as Box<dyn Signer>)
	}

	fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
		Some(SubjectPublicKeyInfoDer::from(
			spki(&self.0.node_key()).to_vec(),
		))
	}

	fn algorithm(&self) -> SignatureAlgorithm {
		SignatureAlgorithm::ED25519
	}
}

impl Signer for NodeSigner {
	fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
		Ok(self.0.sign(message).to_vec())
	}

	fn scheme(&self) -> SignatureScheme {
		SignatureScheme::ED25519
	}
}

fn certified(identity: &Arc<Identity>) -> Arc<CertifiedKey> {
	let der = CertificateDer::from(spki(&identity.node_key()).to_vec());
	Arc::new(CertifiedKey::new(
		vec![der],
		Arc::new(NodeSigner(identity.clone())),
	))
}

fn only_key(end_entity: &[u8], intermediates: &[CertificateDer<'_>]) -> Result<NodeKey, Error> {
	if !intermediates.is_empty() {
		return Err(CertificateError::BadEncoding.into());
	}
	key_of_spki(end_entity).ok_or_else(|| CertificateError::BadEncoding.into())
}

fn check_signature(
	message: &[u8],
	der: &[u8],
	signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
	let bad = || Error::from(CertificateError::BadSignature);
	if signed.scheme != SignatureScheme::ED25519 {
		return Err(bad());
	}
	let key = key_of_spki(der)
		.as_ref()
		.and_then(verifying_key)
		.ok_or_else(bad)?;
	let signature = Signature::from_slice(signed.signature()).map_err(|_| bad())?;
	key.verify_strict(message, &signature).map_err(|_| bad())?;
	Ok(HandshakeSignatureValid::assertion())
}

fn no_tls12() -> Error {
	PeerIncompatible::Tls12NotOffered.into()
}

/// Takes the key we mean to reach, or the one that replaces it, and remembers which key was shown.
#[derive(Debug)]
struct Pinned {
	expected: NodeKey,
	next: Option<NodeKey>,
	offered: Arc<OnceLock<NodeKey>>,
}

impl ServerCertVerifier for Pinned {
	fn verify_server_cert(
		&self,
		end_entity: &CertificateDer<'_>,
		intermediates: &[CertificateDer<'_>],
		_: &ServerName<'_>,
		_: &[u8],
		_: UnixTime,
	) -> Result<ServerCertVerified, Error> {
		let offered = only_key(end_entity, intermediates)?;
		// One handshake, one server: only the first value can be ours.
		let _ = self.offered.set(offered);
		if offered != self.expected && Some(offered) != self.next {
			return Err(CertificateError::ApplicationVerificationFailure.into());
		}
		Ok(ServerCertVerified::assertion())
	}

	fn verify_tls12_signature(
		&self,
		_: &[u8],
		_: &CertificateDer<'_>,
		_: &DigitallySignedStruct,
	) -> Result<HandshakeSignatureValid, Error> {
		Err(no_tls12())
	}

	fn verify_tls13_signature(
		&self,
		message: &[u8],
		cert: &CertificateDer<'_>,
		signed: &DigitallySignedStruct,
	) -> Result<HandshakeSignatureValid, Error> {
		check_signature(message, cert, signed)
	}

	fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
		vec![SignatureScheme::ED25519]
	}

	fn requires_raw_public_keys(&self) -> bool {
		true
	}
}

/// Takes any node key, but never none: who may do what is decided above.
#[derive(Debug)]
struct AnyNode;

impl ClientCertVerifier for AnyNode {
	fn client_auth_mandatory(&self) -> bool {
		true
	}

	fn root_hint_subjects(&self) -> &[DistinguishedName] {
		&[]
	}

	fn verify_client_cert(
		&self,
		end_entity: &CertificateDer<'_>,
		intermediates: &[CertificateDer<'_>],
		_: UnixTime,
	) -> Result<ClientCertVerified, Error> {
		only_key(end_entity, intermediates).map(|_| ClientCertVerified::assertion())
	}

	fn verify_tls12_signature(
		&self,
		_: &[u8],
		_: &CertificateDer<'_>,
		_: &DigitallySignedStruct,
	) -> Result<HandshakeSignatureValid, Error> {
		Err(no_tls12())
	}

	fn verify_tls13_signature(
		&self,
		message: &[u8],
		cert: &CertificateDer<'_>,
		signed: &DigitallySignedStruct,
	) -> Result<HandshakeSignatureValid, Error> {
		check_signature(message, cert, signed)
	}

	fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
		vec![SignatureScheme::ED25519]
	}

	fn requires_raw_public_keys(&self) -> bool {
		true
	}
}

fn tls(error: impl std::fmt::Display) -> GridError {
	GridError::Tls(error.to_string())
}

/// TLS for the accepting side.
pub(crate) fn server(identity: &Arc<Identity>) -> Result<QuicServerConfig, GridError> {
	let mut config = rustls::ServerConfig::builder_with_provider(provider())
		.with_protocol_versions(&[&rustls::version::TLS13])
		.map_err(tls)?
		.with_client_cert_verifier(Arc::new(AnyNode))
		.with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified(
			identity,
		))));
	config.alpn_protocols = vec![ALPN.to_vec()];
	config.send_tls13_tickets = 0;
	config.session_storage = Arc::new(NoServerSessionStorage {});
	config.max_early_data_size = 0;
	QuicServerConfig::try_from(config).map_err(tls)
}

/// TLS for one dial to `expected`, or to `next` which replaces it. The second part tells, after a failure, which key the other
/// side showed, if it came that far.
pub(crate) fn client(
	identity: &Arc<Identity>,
	expected: NodeKey,
	next: Option<NodeKey>,
) -> Result<(QuicClientConfig, Arc<OnceLock<NodeKey>>), GridError> {
	let (config, offered) = client_config(identity, expected, next)?;
	Ok((QuicClientConfig::try_from(config).map_err(tls)?, offered))
}

pub(crate) fn client_config(
	identity: &Arc<Identity>,
	expected: NodeKey,
	next: Option<NodeKey>,
) -> Result<(rustls::ClientConfig, Arc<OnceLock<NodeKey>>), GridError> {
	let offered = Arc::new(OnceLock::new());
	let verifier = Pinned {
		expected,
		next,
		offered: offered.clone(),
	};
	let mut config = rustls::ClientConfig::builder_with_provider(provider())
		.with_protocol_versions(&[&rustls::version::TLS13])
		.map_err(tls)?
		.dangerous()
		.with_custom_certificate_verifier(Arc::new(verifier))
		.with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified(
			identity,
		))));
	config.alpn_protocols = vec![ALPN.to_vec()];
	config.resumption = Resumption::disabled();
	config.enable_sni = false;
	config.enable_early_data = false;
	Ok((config, offered))
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]

	use super::*;
	use proptest::prelude::*;

	#[test]
	fn only_the_exact_form_of_a_sound_key_is_taken() {
		let key = Identity::generate().unwrap().node_key();
		let der = spki(&key);
		assert_eq!(key_of_spki(&der), Some(key));
		assert_eq!(key_of_spki(&der[..43]), None);
		assert_eq!(key_of_spki(&[&der[..], &[0]].concat()), None);
		for at in 0..12 {
			let mut other = der;
			other[at] ^= 1;
			assert_eq!(key_of_spki(&other), None);
		}
		// A sound key inside something larger is not found.
		assert_eq!(key_of_spki(&[&[0x30, 0x2c][..], &der[..]].concat()), None);
		let mut weak = [0u8; 32];
		weak[0] = 1;
		assert_eq!(key_of_spki(&spki(&NodeKey(weak))), None);
	}

	proptest! {
		#[test]
		fn arbitrary_der_never_panics(der in prop::collection::vec(any::<u8>(), 0..64)) {
			let _ = key_of_spki(&der);
		}
	}
}
