//! The connection to one relay: made, kept, made again.

use super::{
	frames::{self, Login, Received, MAX_MESSAGE, PATH, STATUS_REPLACED, SUBPROTOCOL},
	inbox::Inbox,
	mapped::Mapped,
	RelayId,
};
use crate::Identity;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hippius_primitives::RelayAddress;
use std::{
	future::Future,
	net::IpAddr,
	pin::pin,
	sync::{
		atomic::{AtomicUsize, Ordering},
		Arc, OnceLock,
	},
	time::Duration,
};
use tokio::{
	io::{AsyncRead, AsyncWrite},
	net::TcpStream,
	sync::{mpsc, watch},
	time::{interval_at, sleep, timeout, Instant, MissedTickBehavior},
};
use tokio_rustls::{
	rustls::{pki_types::ServerName, ClientConfig, RootCertStore},
	TlsConnector,
};
use tokio_tungstenite::{
	client_async_with_config,
	tungstenite::{
		client::IntoClientRequest,
		http::{header::SEC_WEBSOCKET_PROTOCOL, HeaderValue},
		protocol::WebSocketConfig,
		Error as WsError, Message,
	},
	WebSocketStream,
};

/// Connecting and logging in takes at most this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// We ping this often; relays do so as well.
const PING: Duration = Duration::from_secs(15);
/// A relay silent for this long is taken for dead.
const SILENCE: Duration = Duration::from_secs(35);
/// Longest wait before the next attempt.
const RETRY_MOST: Duration = Duration::from_secs(30);
/// A connection that held this long makes the next wait the shortest again.
const HELD: Duration = Duration::from_secs(10);
/// A relay that is nobody's home relay here is left when nothing passed for so long.
const IDLE: Duration = Duration::from_secs(120);
/// Messages waiting to be sent, and their bytes. More would be delay, not throughput.
const MOST_WAITING: usize = 1024;
const MOST_WAITING_BYTES: usize = 1024 * 1024;
/// Messages written before they are flushed.
const BATCH: usize = 64;

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}
type Socket = WebSocketStream<Box<dyn Io>>;

/// How it stands with a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
	/// On the way; with what went wrong before, if it is not the first attempt.
	Connecting(Option<String>),
	/// Packets pass.
	Connected,
	/// It did not work, or works no more; tried again later.
	Down(String),
	/// Given up because it was not needed.
	Left,
}

/// Why there is no connection to a relay (any more).
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
	#[error("cannot connect: {0}")]
	Connect(std::io::Error),
	#[error("it is plain HTTP and not on this machine; nodes accept https relays only (setting relay_plain)")]
	Plain,
	#[error("no answer within {0:?}")]
	Slow(Duration),
	#[error("TLS: {0}")]
	Tls(String),
	#[error("no relay there: {0}")]
	WebSocket(Box<WsError>),
	#[error("it broke the protocol: {0}")]
	Malformed(#[from] frames::Malformed),
	#[error("it refused this node's key: {0}")]
	Denied(String),
	#[error("the connection was lost: {0}")]
	Lost(Box<WsError>),
	#[error("it closed the connection")]
	Closed,
	#[error("it was silent for {0:?}")]
	Silent(Duration),
	#[error("another connection with this node's key took over; does a second daemon use it?")]
	Replaced,
	#[error("it restarts")]
	Restarting(Duration),
}

/// How a link is to work.
#[derive(Clone)]
pub(crate) struct Settings {
	pub(crate) address: RelayAddress,
	pub(crate) identity: Arc<Identity>,
	/// Whether plain HTTP to other machines is permitted.
	pub(crate) plain: bool,
	/// Kept open even when unused.
	pub(crate) home: bool,
	/// First wait before another attempt.
	pub(crate) retry: Duration,
}

/// The handle of a link; the work is done by the task behind it.
pub(crate) struct Link {
	pub(crate) id: RelayId,
	pub(crate) settings: Settings,
	waiting: mpsc::Sender<Bytes>,
	bytes: Arc<AtomicUsize>,
	state: watch::Receiver<State>,
}

impl Link {
	/// A link and the future that drives it until `closing`, or until it was idle for long.
	pub(crate) fn new(
		id: RelayId,
		settings: Settings,
		mapped: Arc<Mapped>,
		inbox: Arc<Inbox>,
		closing: watch::Receiver<bool>,
	) -> (Self, impl Future<Output = ()> + Send) {
		let (waiting, queue) = mpsc::channel(MOST_WAITING);
		let (state, watched) = watch::channel(State::Connecting(None));
		let bytes = Arc::new(AtomicUsize::new(0));
		let driver = Driver {
			id,
			settings: settings.clone(),
			queue,
			bytes: bytes.clone(),
			state,
			mapped,
			inbox,
		};
		let link = Self {
			id,
			settings,
			waiting,
			bytes,
			state: watched,
		};
		(link, driver.run(closing))
	}

	/// Hands over a message. `false`: there was no room, the packet is lost.
	pub(crate) fn send(&self, message: Bytes) -> bool {
		let len = message.len();
		if self.bytes.fetch_add(len, Ordering::Relaxed) + len > MOST_WAITING_BYTES
			|| self.waiting.try_send(message).is_err()
		{
			self.bytes.fetch_sub(len, Ordering::Relaxed);
			return false;
		}
		true
	}

	pub(crate) fn state(&self) -> State {
		self.state.borrow().clone()
	}

	pub(crate) fn watch(&self) -> watch::Receiver<State> {
		self.state.clone()
	}

	/// Waits until packets pass, or an attempt has failed.
	pub(crate) async fn ready(&self) -> Result<(), String> {
		let mut state = self.state.clone();
		let state = state
			.wait_for(|state| !matches!(state, State::Connecting(_)))
			.await;
		match state.as_deref() {
			Ok(State::Connected) => Ok(()),
			Ok(State::Down(why)) => Err(why.clone()),
			_ => Err("the link was closed".into()),
		}
	}
}

struct Driver {
	id: RelayId,
	settings: Settings,
	queue: mpsc::Receiver<Bytes>,
	bytes: Arc<AtomicUsize>,
	state: watch::Sender<State>,
	mapped: Arc<Mapped>,
	inbox: Arc<Inbox>,
}

/// How a session ended.
enum End {
	Error(LinkError),
	Idle,
}

impl Driver {
	async fn run(mut self, mut closing: watch::Receiver<bool>) {
		let state = self.state.clone();
		tokio::select! {
			biased;
			// An error means that the grid is gone.
			_ = closing.wait_for(|closing| *closing) => {}
			() = self.keep() => {}
		}
		state.send_replace(State::Left);
	}

	/// Sessions and the waits between, until the link was idle for long.
	async fn keep(&mut self) {
		let address = self.settings.address.clone();
		let mut wait = self.settings.retry;
		loop {
			let error = match connect(&self.settings).await {
				Ok(socket) => {
					// What was queued for the connection before is of no use by now.
					while let Ok(message) = self.queue.try_recv() {
						self.bytes.fetch_sub(message.len(), Ordering::Relaxed);
					}
					tracing::info!(relay = %address, "connected to relay");
					self.state.send_replace(State::Connected);
					let began = Instant::now();
					let end = self.session(socket).await;
					if began.elapsed() >= HELD {
						wait = self.settings.retry;
					}
					match end {
						End::Idle => {
							tracing::debug!(relay = %address, "relay not needed any more");
							return;
						}
						End::Error(error) => error,
					}
				}
				Err(error) => error,
			};
			let pause = match &error {
				LinkError::Restarting(after) => *after,
				LinkError::Replaced | LinkError::Denied(_) => wait.max(RETRY_MOST / 4),
				_ => wait,
			};
			let pause = jittered(pause.min(RETRY_MOST));
			tracing::warn!(relay = %address, %error, retry_in = ?pause, "no relay");
			let why = error.to_string();
			self.state.send_replace(State::Down(why.clone()));
			// A link nobody needs is not tried for ever.
			if !self.settings.home && wait >= RETRY_MOST {
				return;
			}
			sleep(pause).await;
			wait = (wait * 2).min(RETRY_MOST);
			self.state.send_replace(State::Connecting(Some(why)));
		}
	}

	/// Passes packets both ways until something breaks.
	async fn session(&mut self, socket: Socket) -> End {
		let (mut sink, mut stream) = socket.split();
		// Answers to pings; a relay that pings faster than it reads loses some.
		let (pong, mut pongs) = mpsc::channel(4);
		let (home, queue, bytes) = (self.settings.home, &mut self.queue, &self.bytes);
		let (mapped, inbox, id) = (&self.mapped, &self.inbox, self.id);
		let mut last = Instant::now();
		let passed = std::sync::Mutex::new(Instant::now());
		let touch = || {
			*passed
				.lock()
				.unwrap_or_else(std::sync::PoisonError::into_inner) = Instant::now();
		};
		let write = async {
			let mut ping = interval_at(Instant::now() + PING, PING);
			ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
			loop {
				let first = tokio::select! {
					biased;
					Some(pong) = pongs.recv() => pong,
					message = queue.recv() => match message {
						Some(message) => {
							touch();
							bytes.fetch_sub(message.len(), Ordering::Relaxed);
							message
						}
						None => return End::Idle,
					},
					_ = ping.tick() => {
						let passed = *passed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
						if !home && passed.elapsed() >= IDLE {
							return End::Idle;
						}
						frames::ping(*b"arion\0\0\0")
					}
				};
				let mut sent = sink.feed(Message::Binary(first)).await;
				for _ in 1..BATCH {
					let Ok(message) = queue.try_recv() else { break };
					bytes.fetch_sub(message.len(), Ordering::Relaxed);
					if sent.is_ok() {
						sent = sink.feed(Message::Binary(message)).await;
					}
				}
				if sent.is_ok() {
					sent = sink.flush().await;
				}
				if let Err(error) = sent {
					return End::Error(lost(error));
				}
			}
		};
		let read = async {
			loop {
				let message = match timeout(SILENCE, stream.next()).await {
					Err(_) => return End::Error(LinkError::Silent(last.elapsed())),
					Ok(None) => return End::Error(LinkError::Closed),
					Ok(Some(Err(error))) => return End::Error(lost(error)),
					Ok(Some(Ok(message))) => message,
				};
				last = Instant::now();
				let message = match message {
					Message::Binary(message) => message,
					Message::Close(_) => return End::Error(LinkError::Closed),
					_ => continue,
				};
				match frames::receive(message) {
					Err(error) => return End::Error(error.into()),
					Ok(Received::Datagrams {
						from,
						segment,
						contents,
					}) => {
						touch();
						match mapped.heard(from, id, std::time::Instant::now()) {
							Some(address) => inbox.push(address, segment, contents),
							None => inbox.lost(),
						}
					}
					Ok(Received::Ping(payload)) => {
						let _ = pong.try_send(frames::pong(payload));
					}
					Ok(Received::Restarting { after }) => {
						let after = Duration::from_millis(after.into());
						return End::Error(LinkError::Restarting(after));
					}
					Ok(Received::Status(STATUS_REPLACED)) => {
						return End::Error(LinkError::Replaced);
					}
					Ok(Received::Status(status)) => {
						tracing::debug!(relay = id, status, "relay status");
					}
					// The transport finds out about peers by itself.
					Ok(Received::Gone(_) | Received::Pong(_) | Received::Unknown) => {}
				}
			}
		};
		let (write, read) = (pin!(write), pin!(read));
		tokio::select! {
			end = write => end,
			end = read => end,
		}
	}
}

fn lost(error: WsError) -> LinkError {
	LinkError::Lost(Box::new(error))
}

/// `wait`, longer or shorter by up to a quarter, so that nodes do not come back all at once.
fn jittered(wait: Duration) -> Duration {
	let mut byte = [128u8; 1];
	// Without randomness all come at once.
	let _ = getrandom::fill(&mut byte);
	wait.mul_f64(0.75 + f64::from(byte[0]) / 510.0)
}

/// Connects and logs in.
async fn connect(settings: &Settings) -> Result<Socket, LinkError> {
	timeout(CONNECT_TIMEOUT, async {
		let mut socket = open(settings).await?;
		login(&mut socket, &settings.identity).await?;
		Ok(socket)
	})
	.await
	.map_err(|_| LinkError::Slow(CONNECT_TIMEOUT))?
}

async fn open(settings: &Settings) -> Result<Socket, LinkError> {
	let relay = &settings.address;
	let host = relay.host();
	let tcp = TcpStream::connect((host, relay.port))
		.await
		.map_err(LinkError::Connect)?;
	if !relay.tls && !settings.plain {
		let peer = tcp.peer_addr().map_err(LinkError::Connect)?;
		if !peer.ip().to_canonical().is_loopback() {
			return Err(LinkError::Plain);
		}
	}
	tcp.set_nodelay(true).map_err(LinkError::Connect)?;
	let io: Box<dyn Io> = match relay.tls {
		false => Box::new(tcp),
		true => {
			let name = match host.parse::<IpAddr>() {
				Ok(ip) => ServerName::from(ip),
				Err(_) => ServerName::try_from(host.to_owned())
					.map_err(|error| LinkError::Tls(error.to_string()))?,
			};
			let tls = TlsConnector::from(tls_config()?).connect(name, tcp).await;
			Box::new(tls.map_err(|error| LinkError::Tls(error.to_string()))?)
		}
	};
	let url = relay.to_string().replacen("http", "ws", 1) + PATH;
	let mut request = url
		.into_client_request()
		.map_err(|error| LinkError::WebSocket(Box::new(error)))?;
	request.headers_mut().insert(
		SEC_WEBSOCKET_PROTOCOL,
		HeaderValue::from_static(SUBPROTOCOL),
	);
	let config = WebSocketConfig::default()
		.max_message_size(Some(MAX_MESSAGE))
		.max_frame_size(Some(MAX_MESSAGE))
		.max_write_buffer_size(4 * MAX_MESSAGE);
	client_async_with_config(request, io, Some(config))
		.await
		.map(|(socket, _)| socket)
		.map_err(|error| LinkError::WebSocket(Box::new(error)))
}

async fn login(socket: &mut Socket, identity: &Identity) -> Result<(), LinkError> {
	loop {
		let message = match socket.next().await {
			None | Some(Ok(Message::Close(_))) => return Err(LinkError::Closed),
			Some(Err(error)) => return Err(lost(error)),
			Some(Ok(Message::Binary(message))) => message,
			Some(Ok(_)) => continue,
		};
		match frames::login(message)? {
			Login::Confirmed => return Ok(()),
			Login::Denied(reason) => return Err(LinkError::Denied(reason)),
			Login::Challenge(challenge) => {
				let signature = identity.sign(&frames::to_sign(&challenge));
				let answer = frames::auth(&identity.node_key(), &signature);
				let sent = socket.send(Message::Binary(answer)).await;
				sent.map_err(lost)?;
			}
		}
	}
}

/// TLS as for any web site, with the system's authorities (or those of `SSL_CERT_FILE`).
fn tls_config() -> Result<Arc<ClientConfig>, LinkError> {
	static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
	if let Some(config) = CONFIG.get() {
		return Ok(config.clone());
	}
	let loaded = rustls_native_certs::load_native_certs();
	let mut roots = RootCertStore::empty();
	let (usable, _) = roots.add_parsable_certificates(loaded.certs);
	if usable == 0 {
		let why = loaded.errors.first().map(ToString::to_string);
		let why = why.unwrap_or_else(|| "install ca-certificates".into());
		return Err(LinkError::Tls(format!("no certificate authorities: {why}")));
	}
	let config = ClientConfig::builder_with_provider(crate::tls::provider())
		.with_safe_default_protocol_versions()
		.map_err(|error| LinkError::Tls(error.to_string()))?
		.with_root_certificates(roots)
		.with_no_client_auth();
	Ok(CONFIG.get_or_init(|| Arc::new(config)).clone())
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]

	use super::*;
	use crate::tests::support::identity;

	fn link(address: &str) -> (Link, impl Future<Output = ()> + Send) {
		let settings = Settings {
			address: address.parse().unwrap(),
			identity: identity(),
			plain: false,
			home: true,
			retry: Duration::from_millis(1),
		};
		let (_, closing) = watch::channel(false);
		let mapped = Arc::new(Mapped::new(false));
		Link::new(0, settings, mapped, Arc::default(), closing)
	}

	#[tokio::test]
	async fn what_waits_for_a_relay_is_bounded_in_number_and_bytes() {
		let (small, _driver) = link("http://127.0.0.1:1");
		let taken = (0..2 * MOST_WAITING).filter(|_| small.send(Bytes::from_static(b"x")));
		assert_eq!(taken.count(), MOST_WAITING);
		let (large, _driver) = link("http://127.0.0.1:1");
		let message = Bytes::from(vec![0; 12_000]);
		let taken = (0..1000).filter(|_| large.send(message.clone())).count();
		assert_eq!(taken, MOST_WAITING_BYTES / 12_000);
	}

	#[tokio::test]
	async fn a_closed_grid_ends_the_link() {
		// The sender of `closing` is gone, as that of a dropped grid.
		let (link, driver) = link("http://127.0.0.1:1");
		driver.await;
		assert_eq!(link.state(), State::Left);
		assert!(link.ready().await.is_err());
	}

	#[test]
	fn waits_vary_within_a_quarter() {
		let wait = Duration::from_secs(4);
		for _ in 0..100 {
			let varied = jittered(wait);
			assert!((3.0..=5.1).contains(&varied.as_secs_f64()), "{varied:?}");
		}
	}
}
