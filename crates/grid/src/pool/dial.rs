//! Making a connection to a peer.

use super::{Dialer, Entry, Keys, Live};
use crate::{
	identity::verifying_key,
	path::{PathKind, Reach},
	rekey::KeyClock,
	relay::{is_mapped, Hold},
	stream::Pen,
	tls::{self, SERVER_NAME},
	wire::code,
	DialCause, DialFailure, GridError, Identity,
};
use hippius_primitives::{NodeKey, RelayAddress};
use quinn::{ClientConfig, Connection, ConnectionError};
use std::{
	net::SocketAddr,
	sync::{Arc, PoisonError},
	time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};

/// A way that was opened through NAT, and how.
pub(crate) type Hole = (SocketAddr, PathKind);

/// A live connection, or what happened at each place; an error if nothing can be dialled at all.
type Dialled = Result<Result<Live, Vec<DialFailure>>, GridError>;

fn unreachable(peer: NodeKey, attempts: Vec<DialFailure>) -> GridError {
	GridError::Unreachable { peer, attempts }
}

impl Dialer {
	fn identity(&self) -> Arc<Identity> {
		let shown = self.identity.read();
		shown.unwrap_or_else(PoisonError::into_inner).clone()
	}

	/// Tries the UDP addresses in order, and after a while, or when they have failed, the relays.
	/// `hole`, one of the addresses, is such a way.
	pub(super) async fn dial(
		&self,
		keys: Keys,
		reach: &Reach,
		hole: Option<Hole>,
	) -> Result<Live, GridError> {
		let (key, _) = keys;
		if verifying_key(&key).is_none() {
			return Err(GridError::BadRequest {
				what: "the peer's key is no sound Ed25519 key",
			});
		}
		if reach.is_empty() {
			return Err(GridError::NoAddress { peer: key });
		}
		let direct = self.dial_direct(keys, &reach.direct, hole);
		let relayed = self.dial_relays(keys, &reach.relays);
		if reach.relays.is_empty() || reach.direct.is_empty() {
			let all = match reach.relays.is_empty() {
				true => direct.await?,
				false => relayed.await?,
			};
			return all.map_err(|attempts| unreachable(key, attempts));
		}
		tokio::pin!(direct, relayed);
		let head_start = sleep(self.config.relay_delay);
		let mut attempts = tokio::select! {
			biased;
			outcome = &mut direct => match outcome? {
				Ok(live) => return Ok(live),
				Err(failures) => failures,
			},
			() = head_start => tokio::select! {
				biased;
				outcome = &mut direct => match outcome? {
					Ok(live) => return Ok(live),
					Err(failures) => failures,
				},
				outcome = &mut relayed => match outcome? {
					Ok(live) => return Ok(live),
					Err(failures) => return direct.await?.map_err(|mut attempts| {
						attempts.extend(failures);
						unreachable(key, attempts)
					}),
				},
			},
		};
		relayed.await?.map_err(|failures| {
			attempts.extend(failures);
			unreachable(key, attempts)
		})
	}

	/// Tries UDP addresses in order.
	async fn dial_direct(
		&self,
		keys: Keys,
		addresses: &[SocketAddr],
		hole: Option<Hole>,
	) -> Dialled {
		let (key, _) = keys;
		let mut attempts = Vec::with_capacity(addresses.len());
		for &address in addresses {
			let path = hole
				.filter(|(at, _)| *at == address)
				.map_or(PathKind::Direct, |(_, path)| path);
			let cause = match is_mapped(&address) {
				true => Err(DialCause::Invalid("it is on no network".into())),
				false => self.dial_one(keys, address, path).await?,
			};
			match cause {
				Ok(connection) => return Ok(Ok(self.live(connection, path, None))),
				Err(cause) => {
					tracing::debug!(peer = %key, %address, %cause, "dial failed");
					attempts.push(DialFailure { address, cause });
				}
			}
		}
		Ok(Err(attempts))
	}

	/// Tries relays in order.
	async fn dial_relays(&self, keys: Keys, relays: &[RelayAddress]) -> Dialled {
		let (key, _) = keys;
		let patience = self.config.handshake_timeout;
		let mut attempts = Vec::with_capacity(relays.len());
		for relay in relays {
			let reached = match timeout(patience, self.relays.reach(key, relay)).await {
				Ok(reached) => reached,
				Err(_) => Err(format!("no connection to it within {patience:?}")),
			};
			let problem = match reached {
				Err(problem) => problem,
				Ok((address, hold)) => match self.dial_one(keys, address, PathKind::Relayed).await?
				{
					Ok(connection) => {
						return Ok(Ok(self.live(connection, PathKind::Relayed, Some(hold))));
					}
					Err(DialCause::Silent(after)) => {
						format!("no answer from the node within {after:?}; is it connected there?")
					}
					Err(cause) => cause.to_string(),
				},
			};
			tracing::debug!(peer = %key, %relay, problem, "dial failed");
			let address = SocketAddr::from(([0; 4], 0));
			let relay = relay.clone();
			let cause = DialCause::Relay { relay, problem };
			attempts.push(DialFailure { address, cause });
		}
		Ok(Err(attempts))
	}

	async fn dial_one(
		&self,
		(key, next): Keys,
		address: SocketAddr,
		path: PathKind,
	) -> Result<Result<Connection, DialCause>, GridError> {
		if *self.closing.borrow() {
			return Err(GridError::Closed);
		}
		let patience = self.config.handshake_timeout;
		let (crypto, offered) = tls::client(&self.identity(), key, next)?;
		let mut client = ClientConfig::new(Arc::new(crypto));
		client.transport_config(match path {
			PathKind::Direct => self.transport.clone(),
			PathKind::Relayed => self.relayed.clone(),
			PathKind::Punched | PathKind::Reversed => self.punched.clone(),
		});
		let connecting = match self.endpoint.connect_with(client, address, SERVER_NAME) {
			Ok(connecting) => connecting,
			Err(quinn::ConnectError::EndpointStopping) => return Err(GridError::Closed),
			Err(error) => return Ok(Err(DialCause::Invalid(error.to_string()))),
		};
		let wrong = offered.clone();
		let wrong = move || {
			wrong
				.get()
				.copied()
				.filter(|offered| *offered != key && Some(*offered) != next)
		};
		Ok(match timeout(patience, connecting).await {
			Err(_) | Ok(Err(ConnectionError::TimedOut)) => Err(DialCause::Silent(patience)),
			Ok(Err(ConnectionError::LocallyClosed)) => return Err(GridError::Closed),
			Ok(Err(error)) => Err(match wrong() {
				Some(offered) => DialCause::WrongKey { offered },
				None => DialCause::Handshake(error.to_string()),
			}),
			// The verifier has seen to it; asked again because everything rests on it.
			Ok(Ok(connection)) => match tls::peer_key(&connection) {
				Some(proved) if proved == key || Some(proved) == next => Ok(connection),
				proved => {
					connection.close(code::PROTOCOL, b"wrong key");
					Err(match proved {
						Some(offered) => DialCause::WrongKey { offered },
						None => DialCause::Handshake("no key was proved".into()),
					})
				}
			},
		})
	}

	/// Dials on a way that was opened; says why it did not work.
	pub(crate) async fn dial_hole(
		&self,
		entry: &Entry,
		address: SocketAddr,
		path: PathKind,
	) -> Result<Live, String> {
		let dialled = self.dial_one(entry.keys(), address, path).await;
		match dialled.map_err(|error| error.to_string())? {
			Ok(connection) => Ok(self.live(connection, path, None)),
			Err(cause) => Err(cause.to_string()),
		}
	}

	fn live(&self, connection: Connection, path: PathKind, hold: Option<Hold>) -> Live {
		let now = Instant::now();
		let keys = KeyClock::new(self.config.rekey_bytes, self.config.rekey_interval, now);
		let expires = now + aged(self.config.max_connection_age);
		tracing::debug!(peer = %connection.remote_address(), %path, "connected");
		Live {
			connection,
			path,
			keys: Arc::new(keys),
			pen: Pen::default(),
			expires,
			_hold: hold,
		}
	}
}

/// `age` shortened by up to a fifth.
fn aged(age: Duration) -> Duration {
	let mut byte = [0u8; 1];
	// Without randomness connections merely fall due together.
	if getrandom::fill(&mut byte).is_err() {
		return age;
	}
	age - age.mul_f64(f64::from(byte[0]) / 255.0 / 5.0)
}
