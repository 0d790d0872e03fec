//! Clients that hold tickets of sessions from before.

use super::{
	gullible::Gullible,
	hostile_client::pkcs8,
	support::{quick, Memory, LOOPBACK},
};
use crate::{
	tls::{self, SERVER_NAME},
	wire::{frame, Request},
	Grid, Identity, ALPN,
};
use hippius_primitives::ShardId;
use quinn::{Connection, Endpoint};
use rustls::{
	client::{AlwaysResolvesClientRawPublicKeys, Resumption},
	crypto::{ring, CryptoProvider},
	server::AlwaysResolvesServerRawPublicKeys,
	sign::CertifiedKey,
};
use std::{net::SocketAddr, sync::Arc};

fn certified(provider: &CryptoProvider, seed: [u8; 32]) -> Arc<CertifiedKey> {
	let key = provider.key_provider.load_private_key(pkcs8(seed)).unwrap();
	let der = key.public_key().unwrap().as_ref().to_vec();
	Arc::new(CertifiedKey::new(vec![der.into()], key))
}

const SEED: [u8; 32] = [7; 32];

/// A server with the key of [`SEED`] that gives tickets and takes them, as the defaults of the TLS
/// library have it. Answers each stream with its end.
fn lax() -> Endpoint {
	let provider = Arc::new(ring::default_provider());
	let keys = certified(&provider, SEED);
	let mut config = rustls::ServerConfig::builder_with_provider(provider)
		.with_protocol_versions(&[&rustls::version::TLS13])
		.unwrap()
		.with_client_cert_verifier(Arc::new(Gullible::new(true)))
		.with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(keys)));
	config.alpn_protocols = vec![ALPN.to_vec()];
	config.max_early_data_size = u32::MAX;
	let crypto = quinn::crypto::rustls::QuicServerConfig::try_from(config).unwrap();
	let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
	let endpoint = Endpoint::server(config, LOOPBACK).unwrap();
	let accepting = endpoint.clone();
	tokio::spawn(async move {
		while let Some(incoming) = accepting.accept().await {
			let connection = incoming.await.unwrap();
			tokio::spawn(async move { while connection.accept_bi().await.is_ok() {} });
		}
	});
	endpoint
}

/// Connects, with early data if there is a ticket, and asks something, so that what follows the
/// handshake has arrived. Tells whether early data was sent, and whether it was taken.
async fn ask(
	endpoint: &Endpoint,
	config: &quinn::ClientConfig,
	to: SocketAddr,
) -> (Connection, Option<bool>) {
	let connecting = endpoint
		.connect_with(config.clone(), to, SERVER_NAME)
		.unwrap();
	let (connection, early) = match connecting.into_0rtt() {
		Ok((connection, taken)) => (connection, Some(taken.await)),
		Err(connecting) => (connecting.await.unwrap(), None),
	};
	let (mut send, mut recv) = connection.open_bi().await.unwrap();
	let get = Request::Get {
		shard: ShardId([0; 32]),
		groups: None,
	};
	send.write_all(&frame(&get).unwrap()).await.unwrap();
	send.finish().unwrap();
	recv.read_to_end(4096).await.unwrap();
	(connection, early)
}

/// It gets none here; that of another server with the same key, good there, is worth nothing here.
#[tokio::test]
async fn tickets_are_neither_given_nor_taken() {
	let identity = Arc::new(Identity::from_seed(&SEED).unwrap());
	let server = Grid::bind(LOOPBACK, identity, quick()).unwrap();
	server.serve(Arc::new(Memory::default())).unwrap();
	let lax = lax();

	let provider = Arc::new(ring::default_provider());
	let keys = certified(&provider, [8; 32]);
	let counting = Arc::new(Gullible::new(true));
	let mut config = rustls::ClientConfig::builder_with_provider(provider)
		.with_protocol_versions(&[&rustls::version::TLS13])
		.unwrap()
		.dangerous()
		.with_custom_certificate_verifier(counting.clone())
		.with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(keys)));
	config.alpn_protocols = vec![ALPN.to_vec()];
	config.resumption = Resumption::in_memory_sessions(8);
	config.enable_early_data = true;
	let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(config).unwrap();
	let config = quinn::ClientConfig::new(Arc::new(crypto));
	let endpoint = Endpoint::client(LOOPBACK).unwrap();

	// Twice, so that there would be a ticket for the second time if any was given.
	for times in 1..=2 {
		assert_eq!(ask(&endpoint, &config, server.local_addr()).await.1, None);
		assert_eq!(counting.shown(), times);
	}
	let lax_at = lax.local_addr().unwrap();
	assert_eq!(ask(&endpoint, &config, lax_at).await.1, None);
	assert_eq!(counting.shown(), 3);
	// This client does resume where it is let.
	assert_eq!(ask(&endpoint, &config, lax_at).await.1, Some(true));
	assert_eq!(counting.shown(), 3);
	// Here it offers a ticket as well, and must go through the whole handshake.
	let (connection, early) = ask(&endpoint, &config, server.local_addr()).await;
	assert_eq!(early, Some(false));
	assert_eq!(counting.shown(), 4);
	assert_eq!(tls::peer_key(&connection), Some(server.node_key()));
}
