//! A proxy before a node that says of transactions in blocks that they are invalid, as a node's pool may
//! when blocks are replaced by others.

use std::{
	net::SocketAddr,
	sync::{
		atomic::{AtomicUsize, Ordering::SeqCst},
		Arc,
	},
};
use tokio::{
	io::{AsyncReadExt as _, AsyncWriteExt as _},
	net::{
		tcp::{OwnedReadHalf, OwnedWriteHalf},
		TcpListener, TcpStream,
	},
};

/// What a node says, with a hash of 64 digits behind it, and how that ends. Messages to clients are not
/// masked, and JSON may have spaces: the lie is of the same length.
const TRUTH: &[u8] = br#"{"inBlock":"0x"#;
const TRUTH_LEN: usize = TRUTH.len() + 64 + 2;
const LIE: &[u8] = br#""invalid""#;

/// The proxy's address, and how often it has lied. It serves one connection after the other.
pub(crate) async fn before(node: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
	let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
	let address = listener.local_addr().unwrap();
	let lies = Arc::new(AtomicUsize::new(0));
	let told = lies.clone();
	tokio::spawn(async move {
		while let Ok((client, _)) = listener.accept().await {
			let (from_client, to_client) = client.into_split();
			let (from_node, to_node) = TcpStream::connect(node).await.unwrap().into_split();
			tokio::spawn(pass(from_client, to_node));
			tokio::spawn(lie(from_node, to_client, told.clone()));
		}
	});
	(address, lies)
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
	// Either side may go at any time.
	let _ = tokio::io::copy(&mut from, &mut to).await;
}

async fn lie(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, lies: Arc<AtomicUsize>) {
	let mut kept = Vec::new();
	let mut chunk = vec![0; 1 << 16];
	while let Ok(len @ 1..) = from.read(&mut chunk).await {
		kept.extend_from_slice(&chunk[..len]);
		let mut at = 0;
		while let Some(found) = find(&kept[at..], TRUTH).map(|found| at + found) {
			let Some(truth) = kept.get_mut(found..found + TRUTH_LEN) else {
				break;
			};
			truth.fill(b' ');
			truth[..LIE.len()].copy_from_slice(LIE);
			lies.fetch_add(1, SeqCst);
			at = found + TRUTH_LEN;
		}
		// What may be the beginning of one waits for the rest.
		let ready = (kept.len().saturating_sub(TRUTH_LEN)..kept.len())
			.find(|from| begins(&kept[*from..]))
			.unwrap_or(kept.len());
		if to.write_all(&kept[..ready]).await.is_err() {
			return;
		}
		kept.drain(..ready);
	}
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
	bytes.windows(wanted.len()).position(|part| part == wanted)
}

/// Whether these last bytes are the beginning of a [`TRUTH`].
fn begins(bytes: &[u8]) -> bool {
	let len = bytes.len().min(TRUTH.len());
	bytes[..len] == TRUTH[..len]
}
