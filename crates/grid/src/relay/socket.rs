//! The endpoint's socket: UDP, and relays beside it.

use super::{is_mapped, Relays};
use crate::punch::Puncher;
use quinn::{
	udp::{RecvMeta, Transmit},
	AsyncUdpSocket, UdpPoller,
};
use std::{
	io::{self, IoSliceMut},
	net::SocketAddr,
	pin::Pin,
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc,
	},
	task::{Context, Poll},
};

/// Sends by address: to relays what is mapped, everything else over UDP.
#[derive(Debug)]
pub(crate) struct Hybrid {
	udp: Arc<dyn AsyncUdpSocket>,
	relays: Arc<Relays>,
	puncher: Arc<Puncher>,
	relays_first: AtomicBool,
}

impl Hybrid {
	pub(crate) fn new(
		udp: Arc<dyn AsyncUdpSocket>,
		relays: Arc<Relays>,
		puncher: Arc<Puncher>,
	) -> Self {
		Self {
			udp,
			relays,
			puncher,
			relays_first: AtomicBool::new(false),
		}
	}

	fn poll_udp(
		&self,
		cx: &mut Context<'_>,
		buffers: &mut [IoSliceMut<'_>],
		meta: &mut [RecvMeta],
	) -> Poll<io::Result<usize>> {
		let polled = self.udp.poll_recv(cx, buffers, meta);
		if let Poll::Ready(Ok(count)) = polled {
			for meta in meta.iter_mut().take(count) {
				// No network has these sources: somebody means to pass for a node behind a relay.
				if is_mapped(&meta.addr) {
					meta.len = 0;
				}
			}
			self.puncher
				.look(buffers, meta.get(..count).unwrap_or_default());
		}
		polled
	}
}

impl AsyncUdpSocket for Hybrid {
	/// Writable means that UDP is; relays take everything and lose what is too much.
	fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
		self.udp.clone().create_io_poller()
	}

	fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
		if is_mapped(&transmit.destination) {
			self.relays.send(transmit);
			return Ok(());
		}
		self.udp.try_send(transmit)
	}

	fn poll_recv(
		&self,
		cx: &mut Context<'_>,
		buffers: &mut [IoSliceMut<'_>],
		meta: &mut [RecvMeta],
	) -> Poll<io::Result<usize>> {
		// Taking turns: neither a flood over UDP nor one through a relay silences the other. When
		// one has nothing the other is asked as well, so that both know whom to wake.
		if self.relays_first.fetch_xor(true, Ordering::Relaxed) {
			match self.relays.inbox.poll(cx, buffers, meta) {
				Poll::Ready(count) => Poll::Ready(Ok(count)),
				Poll::Pending => self.poll_udp(cx, buffers, meta),
			}
		} else {
			match self.poll_udp(cx, buffers, meta) {
				Poll::Pending => self.relays.inbox.poll(cx, buffers, meta).map(Ok),
				ready => ready,
			}
		}
	}

	fn local_addr(&self) -> io::Result<SocketAddr> {
		self.udp.local_addr()
	}

	fn max_transmit_segments(&self) -> usize {
		self.udp.max_transmit_segments()
	}

	fn max_receive_segments(&self) -> usize {
		self.udp.max_receive_segments()
	}

	fn may_fragment(&self) -> bool {
		self.udp.may_fragment()
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]

	use super::*;
	use crate::{tests::support::identity, GridConfig};
	use bytes::Bytes;
	use std::sync::Mutex;
	use tokio::{runtime::Handle, sync::watch};

	/// A network that always has a packet from `source`, and remembers where packets go.
	#[derive(Debug)]
	struct Network {
		source: SocketAddr,
		sent: Mutex<Vec<SocketAddr>>,
	}

	impl AsyncUdpSocket for Network {
		fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
			unreachable!()
		}

		fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
			self.sent.lock().unwrap().push(transmit.destination);
			Ok(())
		}

		fn poll_recv(
			&self,
			_: &mut Context<'_>,
			buffers: &mut [IoSliceMut<'_>],
			meta: &mut [RecvMeta],
		) -> Poll<io::Result<usize>> {
			buffers[0][..3].copy_from_slice(b"udp");
			meta[0].addr = self.source;
			(meta[0].len, meta[0].stride) = (3, 3);
			Poll::Ready(Ok(1))
		}

		fn local_addr(&self) -> io::Result<SocketAddr> {
			Ok(SocketAddr::from(([127, 0, 0, 1], 1)))
		}
	}

	fn hybrid(source: &str) -> (Hybrid, Arc<Network>) {
		let network = Arc::new(Network {
			source: source.parse().unwrap(),
			sent: Mutex::default(),
		});
		let (_, closing) = watch::channel(false);
		let config = GridConfig::default();
		let relays = Relays::new(identity(), &config, false, Handle::current(), closing);
		let (_, nat) = watch::channel(Default::default());
		let (_, closing) = watch::channel(false);
		let bound = SocketAddr::from(([127, 0, 0, 1], 1));
		let puncher = Puncher::new(network.clone(), bound, false, nat, closing);
		(Hybrid::new(network.clone(), relays, puncher), network)
	}

	/// What one poll gives: source and contents.
	fn poll(hybrid: &Hybrid) -> (SocketAddr, Vec<u8>) {
		let mut cx = Context::from_waker(futures_util::task::noop_waker_ref());
		let (mut memory, mut meta) = (vec![0; 100], [RecvMeta::default()]);
		let mut buffers = [IoSliceMut::new(&mut memory)];
		let Poll::Ready(Ok(1)) = hybrid.poll_recv(&mut cx, &mut buffers, &mut meta) else {
			panic!("nothing came")
		};
		(meta[0].addr, memory[..meta[0].len].to_vec())
	}

	#[tokio::test]
	async fn a_packet_that_claims_a_mapped_source_is_dropped() {
		let (honest, _) = hybrid("10.0.0.1:9");
		assert_eq!(poll(&honest).1, b"udp");
		for source in [
			"240.0.0.1:9",
			"[fd61:7269:6f6e:7265::1]:9",
			"[::ffff:250.1.1.1]:9",
		] {
			let (spoofed, _) = hybrid(source);
			assert_eq!(poll(&spoofed).1, b"", "{source}");
		}
	}

	#[tokio::test]
	async fn a_flood_on_one_side_does_not_silence_the_other() {
		let (hybrid, _) = hybrid("10.0.0.1:9");
		let behind: SocketAddr = "240.0.0.1:9".parse().unwrap();
		for _ in 0..3 {
			hybrid
				.relays
				.inbox
				.push(behind, 5, Bytes::from_static(b"relay"));
		}
		let from: Vec<_> = (0..6).map(|_| poll(&hybrid).0).collect();
		assert_eq!(from.iter().filter(|from| **from == behind).count(), 3);
	}

	#[tokio::test]
	async fn sending_goes_by_address_and_to_relays_it_never_fails() {
		let (hybrid, network) = hybrid("10.0.0.1:9");
		let transmit = |destination: &str| Transmit {
			destination: destination.parse().unwrap(),
			ecn: None,
			contents: &[0; 1200],
			segment_size: None,
			src_ip: None,
		};
		hybrid.try_send(&transmit("240.9.9.9:9")).unwrap();
		assert_eq!(hybrid.relays.lost(), (1, 0));
		hybrid.try_send(&transmit("10.0.0.2:9")).unwrap();
		assert_eq!(network.sent.lock().unwrap().len(), 1);
	}
}
