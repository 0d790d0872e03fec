//! Ends of a connection that take whatever the other shows.

use rustls::{
	client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
	pki_types::{CertificateDer, ServerName, UnixTime},
	server::danger::{ClientCertVerified, ClientCertVerifier},
	DigitallySignedStruct, DistinguishedName, SignatureScheme,
};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Takes every key or certificate, and counts how often it was shown one: a resumed session shows none.
#[derive(Debug)]
pub(super) struct Gullible {
	raw: bool,
	shown: AtomicUsize,
}

impl Gullible {
	/// Asks for raw keys, or for certificates.
	pub(super) fn new(raw: bool) -> Self {
		let shown = AtomicUsize::new(0);
		Self { raw, shown }
	}

	/// How often it was shown something.
	pub(super) fn shown(&self) -> usize {
		self.shown.load(Ordering::SeqCst)
	}
}

impl ServerCertVerifier for Gullible {
	fn verify_server_cert(
		&self,
		_: &CertificateDer<'_>,
		_: &[CertificateDer<'_>],
		_: &ServerName<'_>,
		_: &[u8],
		_: UnixTime,
	) -> Result<ServerCertVerified, rustls::Error> {
		self.shown.fetch_add(1, Ordering::SeqCst);
		Ok(ServerCertVerified::assertion())
	}

	fn verify_tls12_signature(
		&self,
		_: &[u8],
		_: &CertificateDer<'_>,
		_: &DigitallySignedStruct,
	) -> Result<HandshakeSignatureValid, rustls::Error> {
		unreachable!()
	}

	fn verify_tls13_signature(
		&self,
		_: &[u8],
		_: &CertificateDer<'_>,
		_: &DigitallySignedStruct,
	) -> Result<HandshakeSignatureValid, rustls::Error> {
		Ok(HandshakeSignatureValid::assertion())
	}

	fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
		vec![SignatureScheme::ED25519]
	}

	fn requires_raw_public_keys(&self) -> bool {
		self.raw
	}
}

impl ClientCertVerifier for Gullible {
	fn root_hint_subjects(&self) -> &[DistinguishedName] {
		&[]
	}

	fn verify_client_cert(
		&self,
		_: &CertificateDer<'_>,
		_: &[CertificateDer<'_>],
		_: UnixTime,
	) -> Result<ClientCertVerified, rustls::Error> {
		self.shown.fetch_add(1, Ordering::SeqCst);
		Ok(ClientCertVerified::assertion())
	}

	fn verify_tls12_signature(
		&self,
		_: &[u8],
		_: &CertificateDer<'_>,
		_: &DigitallySignedStruct,
	) -> Result<HandshakeSignatureValid, rustls::Error> {
		unreachable!()
	}

	fn verify_tls13_signature(
		&self,
		_: &[u8],
		_: &CertificateDer<'_>,
		_: &DigitallySignedStruct,
	) -> Result<HandshakeSignatureValid, rustls::Error> {
		Ok(HandshakeSignatureValid::assertion())
	}

	fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
		vec![SignatureScheme::ED25519]
	}

	fn requires_raw_public_keys(&self) -> bool {
		self.raw
	}
}
