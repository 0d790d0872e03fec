//! One gathering: its streams, and when another is started.

mod account;
mod late;
mod start;

use super::{
	estimate::{Expectation, PathKind, Sample},
	search::Found,
	source::Watch,
	Fetcher, Gathered, Piece, Wanted,
};
use crate::{cluster::Node, peers::Standing};
use arion_grid::GridError;
use bytes::Bytes;
use futures_util::{
	future::BoxFuture,
	stream::{FuturesUnordered, StreamExt},
	FutureExt,
};
use hippius_primitives::{coding::SHARD_LEN, NodeKey, DATA_SHARDS, TOTAL_SHARDS};
use std::{
	collections::{HashMap, HashSet},
	ops::Range,
	sync::Arc,
	time::Duration,
};
use tokio::time::Instant;

/// How often streams are looked at.
const TICK_LEAST: Duration = Duration::from_millis(5);
const TICK_MOST: Duration = Duration::from_millis(50);
/// What a shard of unknown length is taken for until the first has come.
const GUESS: usize = SHARD_LEN;

/// A node that may have the shard of a slot.
#[derive(Clone, Debug)]
pub(crate) struct Place {
	pub(crate) slot: usize,
	pub(crate) node: Node,
	/// Which layout says so.
	pub(crate) rank: usize,
}

/// Why a stream was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
	/// The read needs it, or one more was started to be safe, or another is late.
	Counted,
	/// To see what became of a node: nothing relies on it.
	Probe,
}

struct Stream {
	slot: usize,
	key: NodeKey,
	path: PathKind,
	rtt: Option<Duration>,
	/// `None` for a whole shard of unknown length.
	range: Option<Range<usize>>,
	bytes: u64,
	role: Role,
	watch: Arc<dyn Watch>,
	started: Instant,
	expected: Expectation,
	due: Instant,
	lags: u32,
	seen: u64,
	moved: Instant,
	/// Another does its work.
	replaced: bool,
	stalled: bool,
}

impl Stream {
	fn share(&self) -> f64 {
		self.watch.received() as f64 / self.bytes.max(1) as f64
	}
}

enum Event {
	Done(u64, Result<Bytes, GridError>),
	Found(Found),
}

/// The state of one gathering. Dropping it cancels what still runs.
pub(super) struct Gathering<'a> {
	fetcher: &'a Fetcher,
	wanted: &'a Wanted,
	pieces: Vec<Option<Piece>>,
	places: Vec<Place>,
	running: FuturesUnordered<BoxFuture<'a, Event>>,
	streams: HashMap<u64, Stream>,
	next_id: u64,
	asked: HashSet<(usize, NodeKey)>,
	/// Nodes that gave no answer.
	silent: HashSet<NodeKey>,
	searched: bool,
	/// Any ten shards are asked for their columns; otherwise only the wanted slots.
	wide: bool,
	/// It is so because of what failed, not to be faster.
	must_be_wide: bool,
	/// Columns asked of any ten.
	columns: Range<usize>,
	/// Streams that should be on their way or done, once wide.
	target: usize,
	tick: Duration,
	/// Times that streams took which ended well, and their ids.
	times: Vec<Duration>,
	finished: HashSet<u64>,
	/// Streams that another was started for because they were late.
	late: Vec<u64>,
	reserved: u64,
	received: u64,
}

impl<'a> Gathering<'a> {
	pub(super) fn new(fetcher: &'a Fetcher, wanted: &'a Wanted, places: Vec<Place>) -> Self {
		let columns = match wanted.parts.is_empty() {
			true => 0..wanted.shard_len.unwrap_or(GUESS),
			false => {
				let starts = wanted.parts.iter().map(|part| part.range.start);
				let ends = wanted.parts.iter().map(|part| part.range.end);
				starts.min().unwrap_or(0)..ends.max().unwrap_or(0)
			}
		};
		let whole = wanted.parts.is_empty();
		Self {
			fetcher,
			wanted,
			pieces: vec![None; TOTAL_SHARDS],
			places,
			running: FuturesUnordered::new(),
			streams: HashMap::new(),
			next_id: 0,
			asked: HashSet::new(),
			silent: HashSet::new(),
			searched: false,
			wide: whole,
			must_be_wide: whole,
			columns,
			target: DATA_SHARDS,
			tick: TICK_MOST,
			times: Vec::new(),
			finished: HashSet::new(),
			late: Vec::new(),
			reserved: 0,
			received: 0,
		}
	}

	/// Shards of which something is here.
	pub(super) fn have(&self) -> usize {
		self.pieces.iter().flatten().count()
	}

	/// Nodes that gave no answer.
	pub(super) fn silent(&self) -> usize {
		self.silent.len()
	}

	/// What was gathered.
	pub(super) fn take(&mut self) -> Gathered {
		self.settle(true);
		Gathered {
			pieces: std::mem::take(&mut self.pieces),
			columns: self.columns.clone(),
		}
	}

	/// Runs to the end; whether enough was found.
	pub(super) async fn run(&mut self) -> bool {
		self.begin();
		loop {
			if self.is_enough() {
				return true;
			}
			if self.running.is_empty() && !self.searched {
				self.start_search();
			}
			tokio::select! {
				biased;
				event = self.running.next() => match event {
					Some(Event::Done(id, result)) => self.done(id, result),
					Some(Event::Found(found)) => self.found(found),
					// Nothing runs, nothing is left to ask, and the search is over.
					None => return false,
				},
				() = tokio::time::sleep(self.tick) => self.check(),
			}
		}
	}

	fn is_enough(&self) -> bool {
		let parts = &self.wanted.parts;
		let has = |slot: usize, range| {
			let piece = self.pieces.get(slot).and_then(Option::as_ref);
			piece.is_some_and(|piece| piece.get(range).is_some())
		};
		let direct = !parts.is_empty() && parts.iter().all(|part| has(part.slot, &part.range));
		direct || self.covering() >= DATA_SHARDS
	}

	/// Shards whose columns are here.
	fn covering(&self) -> usize {
		let pieces = self.pieces.iter().flatten();
		pieces.filter(|piece| self.covers(piece)).count()
	}

	fn covers(&self, piece: &Piece) -> bool {
		self.wanted.shard_len.is_none() || piece.get(&self.columns).is_some()
	}

	/// Shards whose columns are here or on their way.
	fn live(&self) -> usize {
		let streams = self.streams.values();
		let counted = streams.filter(|stream| {
			let columns = stream.range.as_ref().is_none_or(|range| {
				range.start <= self.columns.start && range.end >= self.columns.end
			});
			columns && stream.role == Role::Counted && !stream.replaced
		});
		self.covering() + counted.count()
	}

	fn start_search(&mut self) {
		if std::mem::replace(&mut self.searched, true) {
			return;
		}
		let missing = |slot: &usize| {
			let piece = self.pieces.get(*slot).and_then(Option::as_ref);
			!piece.is_some_and(|piece| self.covers(piece))
		};
		let missing = (0..TOTAL_SHARDS).filter(missing).collect();
		let search = self.fetcher.search(self.wanted, missing);
		self.running.push(search.map(Event::Found).boxed());
	}

	fn found(&mut self, found: Found) {
		self.silent.extend(found.silent);
		for place in found.places {
			let id = (place.slot, place.node.key);
			// A node asked before may have failed only for a moment.
			let runs = self.streams.values().any(|s| (s.slot, s.key) == id);
			if !runs {
				self.asked.remove(&id);
			}
			let known = self.places.iter_mut().find(|p| (p.slot, p.node.key) == id);
			match known {
				Some(known) => known.rank = 0,
				None => self.places.push(place),
			}
		}
		(self.wide, self.must_be_wide) = (true, true);
		self.top_up();
	}

	fn done(&mut self, id: u64, result: Result<Bytes, GridError>) {
		let Some(stream) = self.streams.remove(&id) else {
			return;
		};
		let fetcher = self.fetcher;
		let (slot, key) = (stream.slot, stream.key);
		fetcher.shared().estimates.end(&key, stream.bytes);
		let bytes = match result {
			Ok(bytes) => bytes,
			Err(error) => return self.failed(&stream, &error),
		};
		fetcher.peers.worked(&key);
		fetcher.metrics.shards_fetched.add(1);
		fetcher.metrics.shard_bytes_fetched.add(bytes.len());
		self.received += bytes.len() as u64;
		let elapsed = stream.started.elapsed();
		let first_byte = stream.watch.first_byte().or(stream.rtt);
		let sample = Sample {
			elapsed,
			first_byte: first_byte.unwrap_or_default(),
			bytes: bytes.len() as u64,
		};
		fetcher
			.shared()
			.estimates
			.finished(&key, stream.path, &sample, stream.expected.finish);
		self.finished.insert(id);
		self.times.push(elapsed);
		let expected = stream.range.as_ref().map_or(bytes.len(), Range::len);
		let has = self.pieces[slot].as_ref().is_some_and(|p| self.covers(p));
		if has || bytes.len() != expected {
			// The object was coded wrongly, or two nodes sent the same.
			if self.wide {
				self.top_up();
			} else if bytes.len() != expected {
				self.widen();
			}
			return;
		}
		let start = stream.range.map_or(0, |range| range.start);
		self.pieces[slot] = Some(Piece { start, bytes });
	}

	/// What failed is replaced at once, and not charged.
	fn failed(&mut self, stream: &Stream, error: &GridError) {
		let (fetcher, slot) = (self.fetcher, stream.slot);
		tracing::debug!(stripe = %self.wanted.stripe, slot, %error, "shard not fetched");
		fetcher.peers.failed(&stream.key, error);
		fetcher.metrics.shard_requests_failed.add(1);
		let received = usize::try_from(stream.watch.received()).unwrap_or(usize::MAX);
		fetcher.metrics.shard_bytes_fetched.add(received);
		if error.status().is_none() {
			self.silent.insert(stream.key);
		}
		if stream.role == Role::Counted && !stream.replaced {
			match self.holder(slot) {
				Some((at, range)) => self.start(at, Some(range), Role::Counted),
				None => self.widen(),
			}
		}
	}

	/// Asks ten nodes from here on, because it cannot be helped.
	fn widen(&mut self) {
		(self.wide, self.must_be_wide) = (true, true);
		self.top_up();
	}

	/// While only wanted slots are asked: another node for a slot, and its part.
	fn holder(&self, slot: usize) -> Option<(usize, Range<usize>)> {
		if self.wide {
			return None;
		}
		let part = self.wanted.parts.iter().find(|part| part.slot == slot)?;
		let at = self.places.iter().position(|place| {
			let key = &place.node.key;
			place.slot == slot
				&& !self.asked.contains(&(slot, *key))
				&& self.fetcher.peers.standing(key) == Standing::Good
		})?;
		Some((at, part.range.clone()))
	}
}

impl Drop for Gathering<'_> {
	fn drop(&mut self) {
		self.settle(false);
		// `running` goes with it, which stops every stream.
	}
}
