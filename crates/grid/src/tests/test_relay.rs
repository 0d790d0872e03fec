//! A relay within the test, honest or not. The real one is tested in `arion-relay`.

use super::support::LOOPBACK;
use crate::{
	identity::verify,
	relay::frames::{to_sign, SUBPROTOCOL},
};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hippius_primitives::{NodeKey, RelayAddress};
use std::{
	collections::HashMap,
	net::SocketAddr,
	sync::{Arc, Mutex},
};
use tokio::{
	net::{TcpListener, TcpStream},
	sync::{mpsc, watch},
	task::JoinSet,
};
use tokio_tungstenite::{
	accept_hdr_async,
	tungstenite::{
		handshake::server::{ErrorResponse, Request, Response},
		http::{header::SEC_WEBSOCKET_PROTOCOL, HeaderValue},
		Message,
	},
};

/// What becomes of a packet: those that are passed on in its place.
pub(super) type Mischief = Arc<dyn Fn(Bytes) -> Vec<Bytes> + Send + Sync>;

#[derive(Clone)]
pub(super) struct Rules {
	/// Whether a key may come in.
	pub(super) admit: Arc<dyn Fn(&NodeKey) -> bool + Send + Sync>,
	pub(super) mischief: Mischief,
}

impl Default for Rules {
	fn default() -> Self {
		Self {
			admit: Arc::new(|_| true),
			mischief: Arc::new(|packet| vec![packet]),
		}
	}
}

type Diverted = Arc<Mutex<Vec<(NodeKey, NodeKey)>>>;
type Clients = Arc<Mutex<HashMap<NodeKey, mpsc::UnboundedSender<Bytes>>>>;

pub(super) struct TestRelay {
	pub(super) address: SocketAddr,
	clients: Clients,
	diverted: Diverted,
	count: watch::Receiver<usize>,
	task: tokio::task::JoinHandle<()>,
}

impl Drop for TestRelay {
	fn drop(&mut self) {
		self.task.abort();
	}
}

impl TestRelay {
	pub(super) async fn start(rules: Rules) -> Self {
		Self::start_at(LOOPBACK, rules).await
	}

	pub(super) async fn start_at(address: SocketAddr, rules: Rules) -> Self {
		let listener = loop {
			match TcpListener::bind(address).await {
				Ok(listener) => break listener,
				// Connections of the one before are still being closed.
				Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
					tokio::task::yield_now().await;
				}
				Err(error) => panic!("{error}"),
			}
		};
		let address = listener.local_addr().unwrap();
		let clients = Clients::default();
		let (counted, count) = watch::channel(0);
		let diverted = Diverted::default();
		let shared = (clients.clone(), diverted.clone());
		let task = tokio::spawn(async move {
			let mut tasks = JoinSet::new();
			loop {
				let (tcp, _) = listener.accept().await.unwrap();
				tasks.spawn(serve(tcp, rules.clone(), shared.clone(), counted.clone()));
			}
		});
		Self {
			address,
			clients,
			diverted,
			count,
			task,
		}
	}

	pub(super) fn relay(&self) -> RelayAddress {
		format!("http://{}", self.address).parse().unwrap()
	}

	/// Ends it and all its connections.
	pub(super) async fn stop(mut self) {
		self.task.abort();
		let _ = (&mut self.task).await;
	}

	/// Waits until so many nodes are connected.
	pub(super) async fn connected(&self, count: usize) {
		let mut watched = self.count.clone();
		watched.wait_for(|now| *now == count).await.unwrap();
	}

	/// Gives `to` what is meant for `key`, and its answers in the name of `key`.
	pub(super) fn divert(&self, key: NodeKey, to: NodeKey) {
		self.diverted.lock().unwrap().push((key, to));
	}

	/// Sends a message to a node.
	pub(super) fn tell(&self, to: &NodeKey, message: Vec<u8>) {
		let clients = self.clients.lock().unwrap();
		clients[to].send(message.into()).unwrap();
	}
}

async fn serve(
	tcp: TcpStream,
	rules: Rules,
	(clients, diverted): (Clients, Diverted),
	count: watch::Sender<usize>,
) {
	// The callback's form is the library's.
	#[allow(clippy::result_large_err)]
	let answer = |_: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
		let protocol = HeaderValue::from_static(SUBPROTOCOL);
		response
			.headers_mut()
			.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
		Ok(response)
	};
	let mut socket = accept_hdr_async(tcp, answer).await.unwrap();
	let challenge = [7; 16];
	let message = [&[0][..], &challenge].concat();
	socket.send(Message::binary(message)).await.unwrap();
	let Some(Ok(Message::Binary(auth))) = socket.next().await else {
		return;
	};
	assert_eq!((auth[0], auth[33], auth.len()), (1, 64, 98));
	let key = NodeKey(auth[1..33].try_into().unwrap());
	let signature = auth[34..].try_into().unwrap();
	assert!(verify(&key, &to_sign(&challenge), signature));
	if !(rules.admit)(&key) {
		let denied = [&[3, 14][..], b"not registered"].concat();
		let _ = socket.send(Message::binary(denied)).await;
		return;
	}
	socket.send(Message::binary(vec![2])).await.unwrap();
	let (sender, mut queue) = mpsc::unbounded_channel();
	clients.lock().unwrap().insert(key, sender);
	count.send_modify(|count| *count += 1);
	loop {
		tokio::select! {
			message = queue.recv() => {
				let Some(message) = message else { break };
				if socket.send(Message::Binary(message)).await.is_err() {
					break;
				}
			}
			message = socket.next() => {
				let Some(Ok(Message::Binary(message))) = message else { break };
				if !matches!(message[0], 4 | 5) {
					continue;
				}
				let mut to = NodeKey(message[1..33].try_into().unwrap());
				let mut from = key;
				for (key, actual) in diverted.lock().unwrap().iter() {
					if to == *key {
						to = *actual;
					} else if from == *actual {
						from = *key;
					}
				}
				let from = [&[message[0] + 2][..], from.as_bytes(), &message[33..]].concat();
				for packet in (rules.mischief)(from.into()) {
					if let Some(to) = clients.lock().unwrap().get(&to) {
						let _ = to.send(packet);
					}
				}
			}
		}
	}
	count.send_modify(|count| *count -= 1);
}
