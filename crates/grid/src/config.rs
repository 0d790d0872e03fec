//! Limits and windows.

use crate::{
	wire::{EAGER, MAX_FRAME},
	GridError, PathKind,
};
use hippius_primitives::{coding::SHARD_LEN, net::MAX_RELAYS, RelayAddress};
use quinn::{AckFrequencyConfig, IdleTimeout, MtuDiscoveryConfig, TransportConfig, VarInt};
use std::{sync::Arc, time::Duration};

/// Settings of a [`Grid`](crate::Grid). The defaults suit a miner on a public address; a gateway
/// that must notice dead miners fast may shorten `idle_timeout` and `keep_alive`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GridConfig {
	/// Bytes one stream may have in flight towards us. Default 1 MiB: a full shard never waits
	/// for a window.
	pub stream_receive_window: u32,
	/// Bytes one connection that we dialled may have in flight towards us. Default 8 MiB.
	pub receive_window: u32,
	/// The same of one that we accepted; at least 18 KiB for each of `max_streams`. What a peer sends
	/// before its request is looked at lies there unread, so all of them together bound how much that
	/// can be. Default 2 MiB.
	pub request_window: u32,
	/// Bytes one connection keeps unacknowledged. Default 4 MiB.
	pub send_window: u64,
	/// Streams a peer may have open on one connection. Default 64.
	pub max_streams: u32,
	/// First guess of the round-trip time. Default 100 ms.
	pub initial_rtt: Duration,
	/// A silent connection is dropped after this long; the smaller value of both sides counts.
	/// Default 30 s.
	pub idle_timeout: Duration,
	/// The dialling side sends a ping when a connection was silent this long. Default 10 s.
	pub keep_alive: Duration,
	/// A handshake, and each address of a dial, takes at most this long. Default 5 s.
	pub handshake_timeout: Duration,
	/// After a failed dial, requests to that peer fail at once for this long. Default 1 s.
	pub redial_delay: Duration,
	/// A connection we dialled is replaced by a fresh one after this long, with new key exchange;
	/// shortened per connection by up to a fifth, so that not all fall due together. Default 1 h.
	pub max_connection_age: Duration,
	/// Traffic keys are replaced after this many bytes on a connection. Default 1 GiB.
	pub rekey_bytes: u64,
	/// Traffic keys are replaced after this long on a connection in use. Default 10 min.
	pub rekey_interval: Duration,
	/// Connections kept open to peers; the one unused longest is let go. Default 1024.
	pub max_pooled: usize,

	/// Connections accepted in all. Default 1024.
	pub max_connections: usize,
	/// Connections accepted per node key; one more closes the oldest. Default 4.
	pub max_connections_per_peer: usize,
	/// Open handshakes above which unproven addresses must prove themselves first. Default 64.
	pub retry_above: usize,
	/// Open handshakes above which new ones are ignored. Default 512.
	pub ignore_above: usize,
	/// Handshakes a network (/24 of IPv4, /56 of IPv6) may begin per second; beyond it newcomers
	/// must prove their address, and those who did are refused. Default 5.
	pub handshake_rate: u32,
	/// Handshakes a network may begin at once. Default 20.
	pub handshake_burst: u32,
	/// Whether that counts for this machine's own loopback network. Default no.
	pub limit_loopback: bool,
	/// Handshakes the transport queues before we look at them. Default 1024.
	pub max_incoming: usize,
	/// Bytes buffered per queued handshake. Default 64 KiB.
	pub incoming_buffer: u64,
	/// Bytes buffered for all queued handshakes. Default 8 MiB.
	pub incoming_buffer_total: u64,
	/// Requests served at a time. Default 256.
	pub max_requests: usize,
	/// Requests served at a time per node key. Default 32.
	pub max_requests_per_peer: usize,
	/// Bytes of shards held in memory for requests being served. Default 128 MiB.
	pub body_memory: usize,

	/// A request's header must be complete this long after its stream opened. Default 2 s.
	pub header_timeout: Duration,
	/// A transfer that moves nothing for this long is reset. Default 10 s.
	pub progress_timeout: Duration,
	/// Slowest average rate of a shard's transfer, bytes per second. Default 64 KiB/s.
	pub min_rate: u32,
	/// How long an answer may take once its request was sent, and a service to make it.
	/// Default 30 s.
	pub answer_timeout: Duration,
	/// How long [`Grid::close`](crate::Grid::close) waits for running requests. Default 5 s.
	pub drain_timeout: Duration,
	/// Size asked for each UDP socket buffer; the system may give less. Default 4 MiB.
	pub socket_buffer: usize,

	/// Relays this node keeps a connection to, so that others reach it there; at most two. Peers'
	/// relays are used whatever is set here. Default none.
	pub relays: Vec<RelayAddress>,
	/// Whether relays on other machines may be spoken to without TLS. For tests. Default no.
	pub relay_plain: bool,
	/// How long a peer's UDP addresses are tried before its relays are tried as well. Default
	/// 500 ms.
	pub relay_delay: Duration,
	/// Whether nodes that are reached through a relay are asked to find a direct way. Default yes.
	pub punch: bool,
	/// Whether such a way may lead over this machine's loopback network. For tests. Default no.
	pub punch_loopback: bool,
	/// First wait before another attempt to find a direct way to a peer; four times as long each
	/// time, up to 15 min. Default 10 s.
	pub punch_retry: Duration,
	/// A direct connection that was found over a relay is taken for broken after so long a silence,
	/// if `idle_timeout` is not shorter; it is kept awake three times as often. Default 6 s: less than
	/// `progress_timeout`, so that a read that hangs goes on through the relay.
	pub punched_idle: Duration,
	/// First wait before another attempt to connect to a relay; doubled each time up to 30 s.
	/// Default 250 ms.
	pub relay_retry: Duration,
}

impl Default for GridConfig {
	fn default() -> Self {
		Self {
			stream_receive_window: 1024 * 1024,
			receive_window: 8 * 1024 * 1024,
			request_window: 2 * 1024 * 1024,
			send_window: 4 * 1024 * 1024,
			max_streams: 64,
			initial_rtt: Duration::from_millis(100),
			idle_timeout: Duration::from_secs(30),
			keep_alive: Duration::from_secs(10),
			handshake_timeout: Duration::from_secs(5),
			redial_delay: Duration::from_secs(1),
			max_connection_age: Duration::from_secs(3600),
			rekey_bytes: 1024 * 1024 * 1024,
			rekey_interval: Duration::from_secs(600),
			max_pooled: 1024,
			max_connections: 1024,
			max_connections_per_peer: 4,
			retry_above: 64,
			ignore_above: 512,
			handshake_rate: 5,
			handshake_burst: 20,
			limit_loopback: false,
			max_incoming: 1024,
			incoming_buffer: 64 * 1024,
			incoming_buffer_total: 8 * 1024 * 1024,
			max_requests: 256,
			max_requests_per_peer: 32,
			body_memory: 128 * 1024 * 1024,
			header_timeout: Duration::from_secs(2),
			progress_timeout: Duration::from_secs(10),
			min_rate: 64 * 1024,
			answer_timeout: Duration::from_secs(30),
			drain_timeout: Duration::from_secs(5),
			socket_buffer: 4 * 1024 * 1024,
			relays: Vec::new(),
			relay_plain: false,
			relay_delay: Duration::from_millis(500),
			relay_retry: Duration::from_millis(250),
			punch: true,
			punch_loopback: false,
			punch_retry: Duration::from_secs(10),
			punched_idle: Duration::from_secs(6),
		}
	}
}

/// Windows of relayed connections: enough for 2 MB/s over half a second, in bytes.
const RELAYED_STREAM: u32 = 256 * 1024;
const RELAYED_WINDOW: u32 = 1024 * 1024;

/// Largest packets, in bytes, where the path takes them: jumbo frames in data centres, loopback. Ten
/// of them, which is what the transport hands to the system at once, fit into one UDP datagram.
pub(crate) const LARGEST_PACKET: u16 = 6500;

/// Which side of a connection a transport configuration is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
	Dialer,
	Acceptor,
}

impl GridConfig {
	/// Refuses settings that cannot work.
	pub fn validate(&self) -> Result<(), GridError> {
		let refuse = |setting, reason: &str| {
			Err(GridError::Config {
				setting,
				reason: reason.into(),
			})
		};
		let counts = [
			("max_streams", self.max_streams as usize),
			("max_pooled", self.max_pooled),
			("max_connections", self.max_connections),
			("max_connections_per_peer", self.max_connections_per_peer),
			("max_incoming", self.max_incoming),
			("handshake_rate", self.handshake_rate as usize),
			("handshake_burst", self.handshake_burst as usize),
			("max_requests", self.max_requests),
			("min_rate", self.min_rate as usize),
			("stream_receive_window", self.stream_receive_window as usize),
			("receive_window", self.receive_window as usize),
			("request_window", self.request_window as usize),
		];
		for (setting, value) in counts {
			if value == 0 {
				return refuse(setting, "must not be 0");
			}
		}
		let waits = [
			("initial_rtt", self.initial_rtt),
			("idle_timeout", self.idle_timeout),
			("keep_alive", self.keep_alive),
			("handshake_timeout", self.handshake_timeout),
			("max_connection_age", self.max_connection_age),
			("rekey_interval", self.rekey_interval),
			("header_timeout", self.header_timeout),
			("progress_timeout", self.progress_timeout),
			("answer_timeout", self.answer_timeout),
			("relay_delay", self.relay_delay),
			("relay_retry", self.relay_retry),
			("punch_retry", self.punch_retry),
			("punched_idle", self.punched_idle),
		];
		for (setting, value) in waits {
			if value.is_zero() || value > Duration::from_secs(86_400) {
				return refuse(setting, "must be more than zero and at most a day");
			}
		}
		if self.max_requests_per_peer <= self.max_connections_per_peer {
			// Each connection keeps one permit in hand while it waits for a stream.
			return refuse(
				"max_requests_per_peer",
				"must exceed `max_connections_per_peer`",
			);
		}
		if self.max_requests > 1 << 20 || self.max_requests_per_peer > 1 << 20 {
			return refuse("max_requests", "must be at most 1048576");
		}
		if self.body_memory < SHARD_LEN || self.body_memory > 1 << 40 {
			return refuse(
				"body_memory",
				"must hold at least one shard (1 MiB), at most 1 TiB",
			);
		}
		if self.request_window < self.waiting_requests() {
			return refuse(
				"request_window",
				"must hold 18 KiB for each of `max_streams`: a header and a short body",
			);
		}
		if self.send_window == 0 || self.send_window > 1 << 40 {
			return refuse("send_window", "must be from 1 B to 1 TiB");
		}
		if self.keep_alive >= self.idle_timeout {
			return refuse("keep_alive", "must be shorter than `idle_timeout`");
		}
		if self.relays.len() > MAX_RELAYS {
			return refuse("relays", "must be at most two");
		}
		if !self.relays.iter().all(RelayAddress::is_sound) {
			return refuse("relays", "must be names or addresses with a port");
		}
		if self.rekey_bytes == 0 {
			return refuse("rekey_bytes", "must not be 0");
		}
		if self.retry_above > self.ignore_above {
			return refuse("retry_above", "must not exceed `ignore_above`");
		}
		Ok(())
	}

	/// Most bytes that requests of one connection consist of before they are looked at. If they filled
	/// the window, those that are being served would get no further.
	fn waiting_requests(&self) -> u32 {
		const EACH: u32 = (2 + MAX_FRAME + EAGER) as u32;
		EACH.saturating_mul(self.max_streams)
	}

	/// How long a transfer of `len` bytes may take: the slowest allowed rate, plus one stall.
	pub(crate) fn body_timeout(&self, len: usize) -> Duration {
		self.progress_timeout
			+ Duration::from_secs_f64(len as f64 / f64::from(self.min_rate.max(1)))
	}

	pub(crate) fn transport(
		&self,
		role: Role,
		path: PathKind,
	) -> Result<Arc<TransportConfig>, GridError> {
		let (idle, keep_alive) = match path.is_opened() {
			true if self.punched_idle < self.idle_timeout => (
				self.punched_idle,
				self.keep_alive.min(self.punched_idle / 3),
			),
			_ => (self.idle_timeout, self.keep_alive),
		};
		let idle = IdleTimeout::try_from(idle).map_err(|error| GridError::Config {
			setting: "idle_timeout",
			reason: error.to_string(),
		})?;
		let mut mtu = MtuDiscoveryConfig::default();
		mtu.upper_bound(LARGEST_PACKET);
		let window = match role {
			Role::Dialer => self.receive_window,
			Role::Acceptor => self.request_window,
		};
		let mut transport = TransportConfig::default();
		transport
			.stream_receive_window(self.stream_receive_window.into())
			.receive_window(window.into())
			.send_window(self.send_window)
			.max_concurrent_uni_streams(VarInt::from_u32(0))
			.datagram_receive_buffer_size(None)
			// Shards that are nearly through finish first instead of all finishing last.
			.send_fairness(false)
			.initial_rtt(self.initial_rtt)
			.mtu_discovery_config(Some(mtu))
			.max_idle_timeout(Some(idle))
			.ack_frequency_config(Some(AckFrequencyConfig::default()));
		match role {
			// Peers we dialled have nothing to ask of us on that connection.
			Role::Dialer => transport
				.max_concurrent_bidi_streams(VarInt::from_u32(0))
				.keep_alive_interval(Some(keep_alive)),
			Role::Acceptor => transport.max_concurrent_bidi_streams(self.max_streams.into()),
		};
		if path == PathKind::Relayed {
			// Datagrams of any length pass a relay, but none longer than the smallest has to. What
			// is in flight waits in queues of the relay and of TCP: more of it is only delay.
			let relayed = RELAYED_WINDOW.max(self.waiting_requests());
			transport
				.mtu_discovery_config(None)
				.stream_receive_window(self.stream_receive_window.min(RELAYED_STREAM).into())
				.receive_window(window.min(relayed).into())
				.send_window(self.send_window.min(RELAYED_WINDOW.into()));
		}
		Ok(Arc::new(transport))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn defaults_are_valid_and_bad_settings_are_named() {
		assert!(GridConfig::default().validate().is_ok());
		let base = GridConfig::default;
		let bad = [
			(
				"request_window",
				GridConfig {
					request_window: 1024 * 1024,
					..base()
				},
			),
			(
				"max_streams",
				GridConfig {
					max_streams: 0,
					..base()
				},
			),
			(
				"header_timeout",
				GridConfig {
					header_timeout: Duration::ZERO,
					..base()
				},
			),
			(
				"answer_timeout",
				GridConfig {
					answer_timeout: Duration::MAX,
					..base()
				},
			),
			(
				"max_requests_per_peer",
				GridConfig {
					max_requests_per_peer: 4,
					..base()
				},
			),
			(
				"max_requests",
				GridConfig {
					max_requests: usize::MAX,
					..base()
				},
			),
			(
				"body_memory",
				GridConfig {
					body_memory: 1,
					..base()
				},
			),
			(
				"keep_alive",
				GridConfig {
					keep_alive: Duration::from_secs(30),
					..base()
				},
			),
			(
				"retry_above",
				GridConfig {
					retry_above: 9999,
					..base()
				},
			),
			(
				"rekey_bytes",
				GridConfig {
					rekey_bytes: 0,
					..base()
				},
			),
			(
				"send_window",
				GridConfig {
					send_window: 0,
					..base()
				},
			),
		];
		for (name, config) in bad {
			let refused = config.validate();
			assert!(
				matches!(&refused, Err(GridError::Config { setting, .. }) if *setting == name),
				"{name}: {refused:?}"
			);
		}
	}

	#[test]
	fn body_timeout_grows_with_length() {
		let config = GridConfig::default();
		assert_eq!(config.body_timeout(0), config.progress_timeout);
		assert_eq!(
			config.body_timeout(SHARD_LEN),
			config.progress_timeout + Duration::from_secs(16)
		);
	}
}
