//! Clients that speak QUIC and TLS as they should, and above that whatever they like.

use arion_grid::{ALPN, PROTOCOL_VERSION};
use hippius_primitives::ShardId;
use quinn::{Connection, Endpoint, TransportConfig};
use rustls::{
	client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
	pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
	DigitallySignedStruct, SignatureScheme,
};
use std::{net::SocketAddr, sync::Arc};

/// Never sent.
pub const SERVER_NAME: &str = "node.arion.invalid";

/// Takes every server.
#[derive(Debug)]
struct Gullible;

impl ServerCertVerifier for Gullible {
	fn verify_server_cert(
		&self,
		_: &CertificateDer<'_>,
		_: &[CertificateDer<'_>],
		_: &ServerName<'_>,
		_: &[u8],
		_: UnixTime,
	) -> Result<ServerCertVerified, rustls::Error> {
		Ok(ServerCertVerified::assertion())
	}

	fn verify_tls12_signature(
		&self,
		_: &[u8],
		_: &CertificateDer<'_>,
		_: &DigitallySignedStruct,
	) -> Result<HandshakeSignatureValid, rustls::Error> {
		unreachable!("TLS 1.3 alone is spoken")
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
		true
	}
}

/// Dials as the node of the Ed25519 secret `seed`.
pub fn client_config(seed: [u8; 32]) -> quinn::ClientConfig {
	// RFC 8410: a PKCS #8 key is this and the seed.
	let head = [
		0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
	];
	let pkcs8 = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from([&head[..], &seed].concat()));
	let provider = Arc::new(rustls::crypto::ring::default_provider());
	let key = provider.key_provider.load_private_key(pkcs8).unwrap();
	let der = CertificateDer::from(key.public_key().unwrap().as_ref().to_vec());
	let certified = Arc::new(rustls::sign::CertifiedKey::new(vec![der], key));
	let mut config = rustls::ClientConfig::builder_with_provider(provider)
		.with_protocol_versions(&[&rustls::version::TLS13])
		.unwrap()
		.dangerous()
		.with_custom_certificate_verifier(Arc::new(Gullible))
		.with_client_cert_resolver(Arc::new(
			rustls::client::AlwaysResolvesClientRawPublicKeys::new(certified),
		));
	config.alpn_protocols = vec![ALPN.to_vec()];
	config.enable_sni = false;
	let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(config).unwrap();
	quinn::ClientConfig::new(Arc::new(crypto))
}

/// A connection of the node of `seed`; its endpoint is to be kept.
pub async fn connect(
	to: SocketAddr,
	seed: [u8; 32],
	transport: TransportConfig,
) -> (Endpoint, Connection) {
	let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
	let mut config = client_config(seed);
	config.transport_config(Arc::new(transport));
	let connecting = endpoint.connect_with(config, to, SERVER_NAME).unwrap();
	(endpoint, connecting.await.unwrap())
}

/// The request for a whole shard, as it is on the wire.
pub fn get(shard: ShardId) -> Vec<u8> {
	let frame = [&[PROTOCOL_VERSION, 2][..], shard.as_ref(), &[0]].concat();
	[&(frame.len() as u16).to_le_bytes()[..], &frame].concat()
}
