//! QUIC on loopback without anything of ours above it: a bare quinn server and client, one stream
//! per shard.

use crate::{
	clock::{Phase, Spent},
	failed,
	miners::MINERS,
};
use bench_harness::BenchError;
use bytes::Bytes;
use futures_util::{stream, StreamExt, TryStreamExt};
use quinn::{
	rustls::{
		pki_types::{CertificateDer, PrivatePkcs8KeyDer},
		RootCertStore,
	},
	ClientConfig, Connection, Endpoint, ServerConfig, TransportConfig,
};
use std::sync::Arc;

const SHARD: usize = 1 << 20;
/// Streams at a time.
const AT_ONCE: usize = 10;

/// Moves `total` bytes over one connection; both ends are in this process.
pub(crate) async fn measure(content: &Bytes, total: usize) -> Result<Spent, BenchError> {
	let pair = Pair::open(content).await?;
	let phase = Phase::begin(None)?;
	stream::iter((0..total / SHARD).map(|_| fetch(&pair.connection)))
		.buffer_unordered(AT_ONCE)
		.try_collect::<()>()
		.await?;
	phase.end(None)
}

/// The same from one socket to as many others as a stripe has shards, a shard for each in turn.
pub(crate) async fn measure_many(content: &Bytes, total: usize) -> Result<Spent, BenchError> {
	let any = ([127, 0, 0, 1], 0).into();
	let endpoint = Endpoint::client(any).map_err(failed("quinn"))?;
	let mut pairs = Vec::new();
	for _ in 0..MINERS {
		pairs.push(Pair::open_from(endpoint.clone(), content).await?);
	}
	let phase = Phase::begin(None)?;
	stream::iter((0..total / SHARD).map(|at| {
		let start = (at * SHARD) % content.len().saturating_sub(SHARD).max(1);
		let shard = content.slice(start..(start + SHARD).min(content.len()));
		send(&pairs[at % pairs.len()].connection, shard)
	}))
	.buffer_unordered(pairs.len())
	.try_collect::<()>()
	.await?;
	phase.end(None)
}

/// A server and a connection to it.
struct Pair {
	connection: Connection,
	serving: Endpoint,
	answering: tokio::task::JoinHandle<()>,
}

impl Drop for Pair {
	fn drop(&mut self) {
		self.connection.close(0u32.into(), b"");
		self.serving.close(0u32.into(), b"");
		self.answering.abort();
	}
}

impl Pair {
	async fn open(content: &Bytes) -> Result<Self, BenchError> {
		let any = ([127, 0, 0, 1], 0).into();
		Self::open_from(Endpoint::client(any).map_err(failed("quinn"))?, content).await
	}

	async fn open_from(endpoint: Endpoint, content: &Bytes) -> Result<Self, BenchError> {
		open(endpoint, content).await
	}
}

async fn open(endpoint: Endpoint, content: &Bytes) -> Result<Pair, BenchError> {
	let certified = rcgen::generate_simple_self_signed(["localhost".into()]);
	let certified = certified.map_err(failed("certificate"))?;
	let certificate: CertificateDer<'static> = certified.cert.der().clone();
	let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
	let server = ServerConfig::with_single_cert(vec![certificate.clone()], key.into());
	let mut server = server.map_err(failed("quinn"))?;
	server.transport_config(transport());
	let any = ([127, 0, 0, 1], 0).into();
	let serving = Endpoint::server(server, any).map_err(failed("quinn"))?;
	let address = serving.local_addr().map_err(failed("quinn"))?;
	let answering = tokio::spawn(serve(serving.clone(), content.clone()));

	let mut roots = RootCertStore::empty();
	roots.add(certificate).map_err(failed("certificate"))?;
	let client = ClientConfig::with_root_certificates(Arc::new(roots));
	let mut client = client.map_err(failed("quinn"))?;
	client.transport_config(transport());
	let connecting = endpoint.connect_with(client, address, "localhost");
	let connection = connecting.map_err(failed("quinn"))?.await;
	let connection = connection.map_err(failed("quinn"))?;

	Ok(Pair {
		connection,
		serving,
		answering,
	})
}

fn transport() -> Arc<TransportConfig> {
	let mut transport = TransportConfig::default();
	transport
		.stream_receive_window((1u32 << 20).into())
		.receive_window((8u32 << 20).into())
		.send_window(4 << 20)
		.ack_frequency_config(Some(quinn::AckFrequencyConfig::default()));
	Arc::new(transport)
}

async fn serve(endpoint: Endpoint, content: Bytes) {
	let Some(incoming) = endpoint.accept().await else {
		return;
	};
	let Ok(connection) = incoming.await else {
		return;
	};
	let mut at = 0;
	while let Ok((mut send, mut recv)) = connection.accept_bi().await {
		at = (at + SHARD) % content.len().saturating_sub(SHARD).max(1);
		let shard = content.slice(at..(at + SHARD).min(content.len()));
		tokio::spawn(async move {
			// A shard that came is acknowledged, one that is asked for is sent. All of this ends when
			// the client goes; then nobody measures any more.
			let mut came = 0;
			while let Ok(Some(chunk)) = recv.read_chunk(SHARD, true).await {
				came += chunk.bytes.len();
			}
			let answer = if came > 1 { shard.slice(..1) } else { shard };
			if send.write_chunk(answer).await.is_ok() {
				let _ = send.finish();
			}
		});
	}
}

async fn send(connection: &Connection, shard: Bytes) -> Result<(), BenchError> {
	let (mut send, mut recv) = connection.open_bi().await.map_err(failed("quinn"))?;
	send.write_chunk(shard).await.map_err(failed("quinn"))?;
	send.finish().map_err(failed("quinn"))?;
	let answer = recv.read_to_end(1).await.map_err(failed("quinn"))?;
	match answer.len() {
		1 => Ok(()),
		len => Err(BenchError::failed("quinn", format!("{len} bytes arrived"))),
	}
}

async fn fetch(connection: &Connection) -> Result<(), BenchError> {
	let (mut send, mut recv) = connection.open_bi().await.map_err(failed("quinn"))?;
	send.write_all(b"x").await.map_err(failed("quinn"))?;
	send.finish().map_err(failed("quinn"))?;
	let mut shard = Vec::with_capacity(SHARD);
	while let Some(chunk) = recv
		.read_chunk(SHARD, true)
		.await
		.map_err(failed("quinn"))?
	{
		shard.extend_from_slice(&chunk.bytes);
	}
	match shard.len() {
		SHARD => Ok(()),
		len => Err(BenchError::failed("quinn", format!("{len} bytes arrived"))),
	}
}
