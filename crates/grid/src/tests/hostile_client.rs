//! What a server makes of clients that do not keep to the rules.

use super::gullible::Gullible;
use super::support::{
	identity, pair, permit, quick, raw_client, serving, shard, store, Memory, Stuck, LOOPBACK,
};
use crate::{
	stream::read_frame,
	tls::SERVER_NAME,
	wire::{code, decode_response, frame, Request, Response, ALPN},
	Grid, GridConfig, Identity, Status,
};
use hippius_primitives::{NodeKey, ShardId, StripeId};
use quinn::{Connection, ConnectionError, Endpoint, ReadError, ReadExactError, TransportErrorCode};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::{sync::Arc, time::Duration};

/// How a client presents itself.
enum Shows {
	Nothing,
	/// A raw key, as it should be.
	Key([u8; 32]),
	/// An X.509 certificate, or what looks like one, with this Ed25519 key.
	Certificate([u8; 32]),
	/// A sound X.509 certificate of this key that has a victim's key in its names, said to be X.509
	/// or said to be a raw key.
	Planted([u8; 32], NodeKey, bool),
}

pub(super) fn pkcs8(seed: [u8; 32]) -> PrivateKeyDer<'static> {
	let head = [
		0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
	];
	PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from([&head[..], &seed].concat()))
}

/// A self-signed X.509 certificate whose issuer and subject are a victim's key.
pub(super) fn planted(own: &Identity, victim: &NodeKey) -> Vec<u8> {
	fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
		let content = parts.concat();
		let mut out = vec![tag];
		match u8::try_from(content.len()) {
			Ok(len) if len < 128 => out.push(len),
			Ok(len) => out.extend([0x81, len]),
			Err(_) => {
				out.push(0x82);
				out.extend((content.len() as u16).to_be_bytes());
			}
		}
		out.extend(content);
		out
	}
	let algorithm = tlv(0x30, &[&[6, 3, 0x2b, 0x65, 0x70]]);
	let common_name = [
		&[6, 3, 0x55, 4, 3][..],
		&tlv(0x14, &[&crate::tls::spki(victim)]),
	]
	.concat();
	let name = tlv(0x30, &[&tlv(0x31, &[&tlv(0x30, &[&common_name])])]);
	let day = |day: &[u8]| tlv(0x17, &[day]);
	let validity = tlv(0x30, &[&day(b"200101000000Z"), &day(b"491231235959Z")]);
	let tbs = tlv(
		0x30,
		&[
			&[0xa0, 3, 2, 1, 2, 2, 1, 1],
			&algorithm,
			&name,
			&validity,
			&name,
			&crate::tls::spki(&own.node_key()),
		],
	);
	let signature = tlv(3, &[&[0], &own.sign(&tbs)]);
	let der = tlv(0x30, &[&tbs, &algorithm, &signature]);
	let spki = crate::tls::spki(victim);
	assert!(der.windows(spki.len()).any(|window| window == spki));
	der
}

async fn dial_as(server: &Grid, raw: bool, shows: Shows) -> Result<Connection, ConnectionError> {
	let provider = Arc::new(rustls::crypto::ring::default_provider());
	let builder = rustls::ClientConfig::builder_with_provider(provider.clone())
		.with_protocol_versions(&[&rustls::version::TLS13])
		.unwrap()
		.dangerous()
		.with_custom_certificate_verifier(Arc::new(Gullible::new(raw)));
	let mut config = match shows {
		Shows::Nothing => builder.with_no_client_auth(),
		Shows::Planted(seed, victim, raw) => {
			let key = provider.key_provider.load_private_key(pkcs8(seed)).unwrap();
			let der = CertificateDer::from(planted(&Identity::from_seed(&seed).unwrap(), &victim));
			let certified = Arc::new(rustls::sign::CertifiedKey::new(vec![der], key));
			match raw {
				true => builder.with_client_cert_resolver(Arc::new(
					rustls::client::AlwaysResolvesClientRawPublicKeys::new(certified),
				)),
				false => builder.with_client_cert_resolver(Arc::new(
					rustls::sign::SingleCertAndKey::from(certified),
				)),
			}
		}
		Shows::Key(seed) => {
			let key = provider.key_provider.load_private_key(pkcs8(seed)).unwrap();
			let der = CertificateDer::from(key.public_key().unwrap().as_ref().to_vec());
			let certified = Arc::new(rustls::sign::CertifiedKey::new(vec![der], key));
			builder.with_client_cert_resolver(Arc::new(
				rustls::client::AlwaysResolvesClientRawPublicKeys::new(certified),
			))
		}
		Shows::Certificate(seed) => {
			let key = provider.key_provider.load_private_key(pkcs8(seed)).unwrap();
			let der = CertificateDer::from(key.public_key().unwrap().as_ref().to_vec());
			let certified = Arc::new(rustls::sign::CertifiedKey::new(vec![der], key));
			// Not marked as raw, so it is negotiated as X.509.
			builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(
				certified,
			)))
		}
	};
	config.alpn_protocols = vec![ALPN.to_vec()];
	let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(config).unwrap();
	let endpoint = Endpoint::client(LOOPBACK).unwrap();
	let config = quinn::ClientConfig::new(Arc::new(crypto));
	let connection = endpoint
		.connect_with(config, server.local_addr(), SERVER_NAME)
		.unwrap()
		.await?;
	// In TLS 1.3 the client is done before the server has judged it.
	let (mut send, mut recv) = connection.open_bi().await?;
	let get = frame(&Request::Get {
		shard: ShardId([1; 32]),
		groups: None,
	});
	let asked = async {
		send.write_all(&get.unwrap()).await?;
		send.finish()?;
		Ok::<_, Box<dyn std::error::Error>>(recv.read_to_end(4096).await?)
	};
	match asked.await {
		Ok(_) => Ok(connection),
		Err(_) => Err(connection.closed().await),
	}
}

#[tokio::test]
async fn clients_without_a_raw_key_are_refused() {
	let server = serving(quick(), Arc::new(Memory::default()));
	let victim = identity().node_key();
	// What the server says is wrong: TLS's alert, and the reason.
	let no_raw_key = (40, "IncorrectCertificateTypeExtension");
	let no_key_at_all = (42, "BadEncoding");
	let attempts = [
		(true, Shows::Nothing, no_raw_key),
		(false, Shows::Nothing, no_raw_key),
		(true, Shows::Certificate([7; 32]), no_raw_key),
		(false, Shows::Certificate([7; 32]), no_raw_key),
		(true, Shows::Planted([7; 32], victim, false), no_raw_key),
		(false, Shows::Planted([7; 32], victim, false), no_raw_key),
		(true, Shows::Planted([7; 32], victim, true), no_key_at_all),
	];
	for (at, (raw, shows, (alert, reason))) in attempts.into_iter().enumerate() {
		let error = dial_as(&server, raw, shows).await.unwrap_err();
		let ConnectionError::ConnectionClosed(close) = &error else {
			panic!("{at}: {error:?}")
		};
		assert_eq!(close.error_code, TransportErrorCode::crypto(alert), "{at}");
		assert!(error.to_string().contains(reason), "{at}: {error}");
	}
	assert_eq!(server.serve_stats().unwrap().connections, 0);
	// It was for the key alone.
	let connection = dial_as(&server, true, Shows::Key([7; 32])).await.unwrap();
	assert_eq!(server.serve_stats().unwrap().connections, 1);
	drop(connection);
}

/// Sends `bytes`, ends the stream if `end`, and reads what is answered.
async fn answer_to(
	connection: &Connection,
	bytes: &[u8],
	end: bool,
) -> Result<Response, crate::stream::StreamError> {
	let (mut send, mut recv) = connection.open_bi().await.unwrap();
	let _ = send.write_all(bytes).await;
	if end {
		let _ = send.finish();
	}
	let frame = read_frame(&mut recv).await?;
	Ok(decode_response(&frame).unwrap())
}

#[tokio::test]
async fn bad_requests_are_answered_as_such() {
	let memory = Arc::new(Memory::default());
	let server = serving(quick(), memory.clone());
	let (_endpoint, connection) = raw_client(&server).await;
	let (meta, bytes) = shard(1, 100, 2);
	let put = |meta: &hippius_primitives::ShardMeta, len| {
		frame(&Request::Put {
			permit: Box::new(permit(meta, len as usize)),
			meta: Box::new(meta.clone()),
			len,
		})
		.unwrap()
	};
	let mut other_root = meta.clone();
	other_root.stripe = StripeId([1; 32]);
	let mut no_slot = meta.clone();
	no_slot.slot = 30;
	let mut other_slot = meta.clone();
	other_slot.slot = 3;
	let get = frame(&Request::Get {
		shard: ShardId([1; 32]),
		groups: None,
	})
	.unwrap();
	let requests: Vec<(&str, Vec<u8>)> = vec![
		("too early", vec![]),
		("too early", vec![9]),
		("too early", vec![9, 0, 3]),
		("empty frame", vec![0, 0]),
		("at most 2048", vec![1, 8]),
		("at most 2048", vec![0xff, 0xff]),
		("version 1", vec![2, 0, 1, 2]),
		("does not decode", vec![2, 0, 3, 200]),
		("does not decode", vec![3, 0, 3, 2, 5]),
		("went on", [&get[..], b"x"].concat()),
		("shard length", put(&meta, 0)),
		("shard length", put(&meta, 1024 * 1024 + 1)),
		("another stripe or length", {
			let put = Request::Put {
				permit: Box::new(permit(&meta, 64)),
				meta: Box::new(meta.clone()),
				len: 100,
			};
			[&frame(&put).unwrap()[..], &bytes].concat()
		}),
		("another stripe or length", {
			let put = Request::Put {
				permit: Box::new(permit(&other_root, 100)),
				meta: Box::new(meta.clone()),
				len: 100,
			};
			[&frame(&put).unwrap()[..], &bytes].concat()
		}),
		(
			"does not fit",
			[&put(&other_root, 100)[..], &bytes].concat(),
		),
		("does not fit", [&put(&no_slot, 100)[..], &bytes].concat()),
		("do not hash", [&put(&other_slot, 100)[..], &bytes].concat()),
		("too early", [&put(&meta, 100)[..], &bytes[..99]].concat()),
		("went on", [&put(&meta, 100)[..], &bytes, b"x"].concat()),
		("do not hash", [&put(&meta, 99)[..], &bytes[..99]].concat()),
		(
			"number of shards",
			frame(&Request::Has { count: 0 }).unwrap(),
		),
		(
			"number of shards",
			frame(&Request::Has { count: 1025 }).unwrap(),
		),
		(
			"too early",
			[&frame(&Request::Has { count: 2 }).unwrap()[..], &[0; 63]].concat(),
		),
		(
			"went on",
			[&frame(&Request::Has { count: 2 }).unwrap()[..], &[0; 65]].concat(),
		),
	];
	for (expected, request) in requests {
		let answer = answer_to(&connection, &request, true).await;
		let Ok(Response::Failed { status, detail }) = answer else {
			panic!("{expected}: {answer:?}")
		};
		let detail = String::from_utf8(detail).unwrap();
		assert_eq!(status, Status::BadRequest, "{detail}");
		assert!(detail.contains(expected), "{expected}: {detail}");
	}
	assert!(memory.shards.lock().unwrap().is_empty());
	// The connection is as good as before.
	let good = [&put(&meta, 100)[..], &bytes].concat();
	assert!(matches!(
		answer_to(&connection, &good, true).await,
		Ok(Response::Stored(_))
	));
}

#[tokio::test]
async fn refusals_come_before_the_body_is_read() {
	let server = serving(quick(), Arc::new(Memory::default()));
	let (_endpoint, connection) = raw_client(&server).await;
	let (mut meta, _) = shard(1, 100, 2);
	meta.stripe = StripeId([1; 32]);
	let (mut send, mut recv) = connection.open_bi().await.unwrap();
	let head = frame(&Request::Put {
		permit: Box::new(permit(&meta, 100)),
		meta: Box::new(meta),
		len: 100,
	})
	.unwrap();
	send.write_all(&head).await.unwrap();
	let answer = decode_response(&read_frame(&mut recv).await.unwrap()).unwrap();
	assert!(matches!(
		answer,
		Response::Failed {
			status: Status::BadRequest,
			..
		}
	));
	// The upload is stopped, not left hanging.
	assert_eq!(send.stopped().await.unwrap(), Some(code::ANSWERED));
}

#[tokio::test]
async fn slow_headers_and_bodies_are_cut_off() {
	let config = GridConfig {
		header_timeout: Duration::from_millis(50),
		progress_timeout: Duration::from_millis(50),
		..quick()
	};
	let server = serving(config, Arc::new(Memory::default()));
	let (_endpoint, connection) = raw_client(&server).await;
	let (meta, bytes) = shard(1, 100, 2);
	let put = frame(&Request::Put {
		permit: Box::new(permit(&meta, 100)),
		meta: Box::new(meta),
		len: 100,
	})
	.unwrap();
	let get = frame(&Request::Get {
		shard: ShardId([1; 32]),
		groups: None,
	})
	.unwrap();
	// One byte of a header; a whole header without its end; half a body.
	for part in [
		&put[..1],
		&put[..500],
		&get,
		&[&put[..], &bytes[..50]].concat(),
	] {
		let (mut send, mut recv) = connection.open_bi().await.unwrap();
		send.write_all(part).await.unwrap();
		let read = recv.read_exact(&mut [0]).await.unwrap_err();
		let ReadExactError::ReadError(ReadError::Reset(reset)) = read else {
			panic!("{read}")
		};
		assert_eq!(reset, code::TIMEOUT);
		assert_eq!(send.stopped().await.unwrap(), Some(code::TIMEOUT));
	}
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_cut_off() {
	let config = GridConfig {
		progress_timeout: Duration::from_millis(100),
		..quick()
	};
	let ends = pair(config, Arc::new(Memory::default()));
	let (meta, bytes) = shard(1, 1024 * 1024, 2);
	store(&ends.peer, &meta, bytes).await.unwrap();
	// A window too small for the shard, and nobody who reads.
	let (crypto, _) =
		crate::tls::client(&super::support::identity(), ends.server.node_key(), None).unwrap();
	let mut client = quinn::ClientConfig::new(Arc::new(crypto));
	let mut transport = quinn::TransportConfig::default();
	transport.stream_receive_window(1000u32.into());
	client.transport_config(Arc::new(transport));
	let endpoint = Endpoint::client(LOOPBACK).unwrap();
	let address = ends.server.local_addr();
	let connection = endpoint
		.connect_with(client, address, SERVER_NAME)
		.unwrap()
		.await
		.unwrap();
	let (mut send, mut recv) = connection.open_bi().await.unwrap();
	let get = frame(&Request::Get {
		shard: meta.shard().unwrap(),
		groups: None,
	})
	.unwrap();
	send.write_all(&get).await.unwrap();
	send.finish().unwrap();
	assert_eq!(recv.received_reset().await.unwrap(), Some(code::TIMEOUT));
}

#[tokio::test]
async fn a_service_that_never_answers_is_bounded() {
	let (stuck, mut events) = Stuck::new();
	let config = GridConfig {
		answer_timeout: Duration::from_millis(50),
		..quick()
	};
	let ends = pair(config, stuck);
	let error = ends.peer.get(ShardId([1; 32]), 10).await.unwrap_err();
	assert_eq!(error.status(), Some(Status::Busy));
	assert_eq!(events.recv().await, Some("started"));
	assert_eq!(events.recv().await, Some("dropped"));
}
