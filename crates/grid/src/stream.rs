//! Frames and bodies on a QUIC stream, with bounds on length and time.

use crate::{
	service::Extract,
	wire::{self, WireError},
};
use bytes::Bytes;
use codec::Encode;
use quinn::{
	ConnectionError, ReadError, ReadExactError, RecvStream, SendStream, StoppedError, VarInt,
	WriteError,
};
use std::{
	future::Future,
	sync::Arc,
	time::{Duration, Instant},
};
use tokio::{sync::Semaphore, time::timeout};

/// Bodies are handed to the transport in pieces of this size, so that progress can be seen.
const PIECE: usize = 64 * 1024;
/// Bodies are hashed in pieces of this size.
const HASHED: usize = 64 * 1024;
/// Most chunks of a stream taken at a time.
const CHUNKS: usize = 64;

/// What can happen to a stream, before it is known whose fault it is.
#[derive(Debug)]
pub(crate) enum StreamError {
	/// A frame was not understood.
	Wire(WireError),
	/// The other side reset its half.
	Reset(VarInt),
	/// The other side stopped reading ours.
	Stopped(VarInt),
	/// The connection is gone.
	Lost(ConnectionError),
	/// The stream ended before the announced length.
	Short,
	/// The stream went on after its message.
	Trailing,
	/// Nothing moved, or not fast enough.
	Timeout(Duration),
	/// The stream was used after its end: a fault of this program.
	Misused,
}

impl From<WireError> for StreamError {
	fn from(error: WireError) -> Self {
		Self::Wire(error)
	}
}

impl From<ReadError> for StreamError {
	fn from(error: ReadError) -> Self {
		match error {
			ReadError::Reset(code) => Self::Reset(code),
			ReadError::ConnectionLost(error) => Self::Lost(error),
			ReadError::ClosedStream
			| ReadError::IllegalOrderedRead
			| ReadError::ZeroRttRejected => Self::Misused,
		}
	}
}

impl From<ReadExactError> for StreamError {
	fn from(error: ReadExactError) -> Self {
		match error {
			ReadExactError::FinishedEarly(_) => Self::Short,
			ReadExactError::ReadError(error) => error.into(),
		}
	}
}

impl From<WriteError> for StreamError {
	fn from(error: WriteError) -> Self {
		match error {
			WriteError::Stopped(code) => Self::Stopped(code),
			WriteError::ConnectionLost(error) => Self::Lost(error),
			WriteError::ClosedStream | WriteError::ZeroRttRejected => Self::Misused,
		}
	}
}

/// How long a body may take.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
	/// Between two signs of progress.
	pub(crate) stall: Duration,
	/// For the whole body.
	pub(crate) total: Duration,
}

/// Runs `step`, bounded by the stall time and by what is left until `start + total`.
pub(crate) async fn paced<T, E: Into<StreamError>>(
	pace: Pace,
	start: Instant,
	step: impl Future<Output = Result<T, E>>,
) -> Result<T, StreamError> {
	let left = pace.total.saturating_sub(start.elapsed());
	match timeout(pace.stall.min(left), step).await {
		Ok(done) => done.map_err(Into::into),
		Err(_) if left < pace.stall => Err(StreamError::Timeout(pace.total)),
		Err(_) => Err(StreamError::Timeout(pace.stall)),
	}
}

/// Lets those who send on one connection do so in turn, a piece each: when there is room in the window
/// again, the transport wakes him first who was blocked last, and on a slow line the others would wait
/// until they are taken for stalled.
#[derive(Clone)]
pub(crate) struct Pen(Arc<Semaphore>);

impl Default for Pen {
	fn default() -> Self {
		Self(Arc::new(Semaphore::new(1)))
	}
}

impl Pen {
	/// Runs `step` when it is its turn.
	async fn turn<T>(&self, step: impl Future<Output = T>) -> T {
		// Never closed; if it were, there would be no order, and nothing else amiss.
		let _turn = self.0.acquire().await;
		step.await
	}
}

/// The sending half. Dropped before [`Sender::finish`], it resets the stream: quinn alone would
/// end it cleanly, and a broken transfer would look like a short one.
pub(crate) struct Sender {
	stream: SendStream,
	on_drop: VarInt,
	ended: bool,
	pen: Pen,
}

impl Sender {
	pub(crate) fn new(stream: SendStream, on_drop: VarInt, pen: Pen) -> Self {
		Self {
			stream,
			on_drop,
			ended: false,
			pen,
		}
	}

	/// Sends a request. In turn, so that the other side sees it soon after the stream.
	pub(crate) async fn request(
		&mut self,
		message: &impl Encode,
		pace: Pace,
	) -> Result<(), StreamError> {
		let pen = self.pen.clone();
		paced(pace, Instant::now(), pen.turn(self.frame(message, pace))).await
	}

	/// Sends a message.
	pub(crate) async fn frame(
		&mut self,
		message: &impl Encode,
		pace: Pace,
	) -> Result<(), StreamError> {
		let frame = wire::frame(message)?;
		paced(pace, Instant::now(), self.stream.write_all(&frame)).await
	}

	/// Sends raw bytes, in turn.
	pub(crate) async fn body(&mut self, mut bytes: Bytes, pace: Pace) -> Result<(), StreamError> {
		let start = Instant::now();
		while !bytes.is_empty() {
			let piece = bytes.split_to(bytes.len().min(PIECE));
			let step = self.pen.turn(self.stream.write_chunk(piece));
			paced(pace, start, step).await?;
		}
		Ok(())
	}

	/// Sends a slice, in turn.
	pub(crate) async fn slice(&mut self, extract: &Extract, pace: Pace) -> Result<(), StreamError> {
		let start = Instant::now();
		let mut pieces = extract.pieces().ok_or(StreamError::Misused)?;
		let mut batch: Vec<Bytes> = Vec::with_capacity(16);
		loop {
			let mut len = 0;
			batch.clear();
			// Several groups at a time, so that the connection is not locked for each.
			while len < PIECE {
				let Some(piece) = pieces.next() else { break };
				len += piece.len();
				batch.push(piece);
			}
			if batch.is_empty() {
				return Ok(());
			}
			let step = self.pen.turn(self.stream.write_all_chunks(&mut batch));
			paced(pace, start, step).await?;
		}
	}

	/// Ends the stream cleanly: everything was said.
	pub(crate) fn finish(&mut self) -> Result<(), StreamError> {
		self.ended = true;
		self.stream.finish().map_err(|_| StreamError::Misused)
	}

	/// Ends the stream with `code`: what was sent is not to be used.
	pub(crate) fn reset(&mut self, code: VarInt) {
		self.ended = true;
		// Fails only if the stream has ended already, which is what is wanted.
		let _ = self.stream.reset(code);
	}

	/// Resolves when the other side has everything, or wants no more, or is gone.
	pub(crate) fn stopped(
		&self,
	) -> impl Future<Output = Result<Option<VarInt>, StoppedError>> + Send + 'static {
		self.stream.stopped()
	}
}

impl Drop for Sender {
	fn drop(&mut self) {
		if !self.ended {
			self.reset(self.on_drop);
		}
	}
}

/// Reads one frame, without its prefix. Not bounded in time.
pub(crate) async fn read_frame(recv: &mut RecvStream) -> Result<Vec<u8>, StreamError> {
	let mut prefix = [0; 2];
	recv.read_exact(&mut prefix).await?;
	let mut frame = vec![0; wire::frame_len(prefix)?];
	recv.read_exact(&mut frame).await?;
	Ok(frame)
}

/// Reads exactly `len` bytes and the end of the stream; returns them with their BLAKE3.
pub(crate) async fn read_body(
	recv: &mut RecvStream,
	len: usize,
	pace: Pace,
) -> Result<(Bytes, [u8; 32]), StreamError> {
	let mut body = Vec::with_capacity(len);
	let hash = read_into(recv, &mut body, len, pace).await?;
	Ok((body.into(), hash))
}

/// The same into memory that is at hand: `body` is empty and has room for `len` bytes.
pub(crate) async fn read_into(
	recv: &mut RecvStream,
	body: &mut Vec<u8>,
	len: usize,
	pace: Pace,
) -> Result<[u8; 32], StreamError> {
	let start = Instant::now();
	let mut hasher = blake3::Hasher::new();
	let mut hashed = 0;
	// What has come is taken at once, so that locks and timers are per wakeup, not per packet.
	let mut chunks: [Bytes; CHUNKS] = std::array::from_fn(|_| Bytes::new());
	while body.len() < len {
		let count = paced(pace, start, recv.read_chunks(&mut chunks)).await?;
		for chunk in chunks.iter_mut().take(count.ok_or(StreamError::Short)?) {
			let chunk = std::mem::take(chunk);
			if chunk.len() > len - body.len() {
				return Err(StreamError::Trailing);
			}
			body.extend_from_slice(&chunk);
		}
		// By large pieces, while they are in cache: packets are too short for the fast kernels.
		let whole = body.len() / HASHED * HASHED;
		if whole > hashed {
			hasher.update(&body[hashed..whole]);
			hashed = whole;
		}
	}
	hasher.update(&body[hashed..]);
	paced(pace, start, read_end(recv)).await?;
	Ok(*hasher.finalize().as_bytes())
}

/// Reads the end of the stream.
pub(crate) async fn read_end(recv: &mut RecvStream) -> Result<(), StreamError> {
	match recv.read_chunk(1, true).await? {
		None => Ok(()),
		Some(_) => Err(StreamError::Trailing),
	}
}
