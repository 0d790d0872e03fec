//! The UDP socket.

use crate::GridError;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
	io,
	net::{SocketAddr, UdpSocket},
	sync::Arc,
};

/// Binds `address`, with buffers of `buffer` bytes each way as far as the system gives them. An
/// IPv6 wildcard takes IPv4 too.
pub(crate) fn bind(address: SocketAddr, buffer: usize) -> Result<UdpSocket, GridError> {
	open(address, buffer).map_err(|source| GridError::Bind {
		address,
		source: Arc::new(source),
	})
}

fn open(address: SocketAddr, buffer: usize) -> io::Result<UdpSocket> {
	let socket = Socket::new(
		Domain::for_address(address),
		Type::DGRAM,
		Some(Protocol::UDP),
	)?;
	if address.is_ipv6() && address.ip().is_unspecified() {
		socket.set_only_v6(false)?;
	}
	raise(&socket, buffer);
	socket.set_nonblocking(true)?;
	socket.bind(&address.into())?;
	Ok(socket.into())
}

/// Best effort: a small buffer costs speed under load, never correctness.
fn raise(socket: &Socket, buffer: usize) {
	let asked = [
		socket.set_recv_buffer_size(buffer),
		socket.set_send_buffer_size(buffer),
	];
	for error in asked.into_iter().filter_map(Result::err) {
		tracing::warn!(%error, buffer, "UDP buffer not raised");
	}
	match (socket.recv_buffer_size(), socket.send_buffer_size()) {
		(Ok(receive), Ok(send)) if receive < buffer || send < buffer => tracing::warn!(
			receive,
			send,
			wanted = buffer,
			"UDP buffers are small; raise net.core.rmem_max and net.core.wmem_max"
		),
		(Ok(receive), Ok(send)) => tracing::debug!(receive, send, "UDP buffers"),
		(Err(error), _) | (_, Err(error)) => tracing::warn!(%error, "UDP buffers not readable"),
	}
}
