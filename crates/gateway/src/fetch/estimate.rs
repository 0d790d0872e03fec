//! How long a miner will take, judged by how long it took.

use super::sketch::{Ewma, Sketch, ALPHA};
use hippius_primitives::NodeKey;
use std::{collections::HashMap, time::Duration};

/// Peers remembered; beyond it, those not used longest are forgotten.
const MOST_PEERS: usize = 16_384;
/// No wait is shorter: timers and schedulers are no better than this.
const LEAST_PATIENCE: Duration = Duration::from_millis(10);
/// Shorter transfers say nothing of a rate.
const RATE_BYTES: u64 = 96 * 1024;
/// Bytes per second, as long as only short transfers are known.
const RATE_GUESS: f64 = 10e6;
/// Upper bound of [`Estimates::caution`].
const MOST_CAUTION: f64 = 4.0;

/// How packets reach a peer; each kind has its own averages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PathKind {
	/// Straight to its address.
	Direct,
	/// Through a relay.
	Relayed,
}

/// Averages over one kind of path.
#[derive(Clone, Debug)]
struct Averages {
	/// Seconds until the first byte.
	first_byte: Ewma,
	/// Bytes per second from there on.
	rate: Ewma,
	/// Of times against expectations.
	ratios: Sketch,
}

impl Averages {
	fn new() -> Self {
		Self {
			first_byte: Ewma::default(),
			rate: Ewma::default(),
			ratios: Sketch::new(),
		}
	}

	fn learn(&mut self, sample: &Sample) {
		let elapsed = sample.elapsed.as_secs_f64().max(1e-6);
		let first = sample.first_byte.as_secs_f64().min(elapsed);
		self.first_byte.add(first);
		if sample.bytes >= RATE_BYTES {
			// A transfer that came at once has no rate to speak of; half the time bounds it.
			let flow = (elapsed - first).max(elapsed / 8.0);
			self.rate.add(sample.bytes as f64 / flow);
		}
	}

	/// Seconds that `bytes` bytes take after `queued` others.
	fn seconds(&self, bytes: u64, queued: u64) -> Option<f64> {
		let first = self.first_byte.0?;
		let rate = self.rate.0.unwrap_or(RATE_GUESS).max(1.0);
		Some(first + (bytes + queued) as f64 / rate)
	}
}

/// A transfer that ended well.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
	/// From the request to the last byte.
	pub(crate) elapsed: Duration,
	/// From the request to the first byte.
	pub(crate) first_byte: Duration,
	/// Bytes of it.
	pub(crate) bytes: u64,
}

/// What is expected of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expectation {
	/// When it should be done.
	pub(crate) finish: Duration,
	/// When 95 of 100 such transfers are done.
	pub(crate) p95: Duration,
}

#[derive(Clone, Debug)]
struct Peer {
	paths: [Option<Averages>; 2],
	/// Bytes asked for and not yet here.
	outstanding: u64,
	used: u64,
}

/// What is known of all peers. A plain value: time comes in as durations.
#[derive(Clone, Debug)]
pub(crate) struct Estimates {
	peers: HashMap<NodeKey, Peer>,
	/// Of all peers of a kind, for those not known yet.
	kinds: [Averages; 2],
	/// What a peer is given of whose kind nothing is known.
	unknown: Duration,
	uses: u64,
	caution: f64,
	/// Share of late reads that asking one more would have helped.
	tail: f64,
}

/// A peer's averages, for status pages.
#[derive(Clone, Debug, serde::Serialize)]
pub struct PeerEstimate {
	/// The peer.
	pub node_key: String,
	/// How it is reached.
	pub path: PathKind,
	/// Milliseconds until the first byte.
	pub first_byte_ms: f64,
	/// Bytes per second; `null` while nothing long enough was fetched.
	pub rate: Option<f64>,
	/// Bytes asked for and not yet here.
	pub outstanding: u64,
}

impl Estimates {
	/// Nothing is known; `unknown` is how long a first transfer may take before it counts as late.
	pub(crate) fn new(unknown: Duration) -> Self {
		Self {
			peers: HashMap::new(),
			kinds: [Averages::new(), Averages::new()],
			unknown,
			uses: 0,
			caution: 1.0,
			tail: 0.0,
		}
	}

	/// What to expect of `bytes` bytes from a peer: `queue + first byte + size / rate`, where the
	/// round-trip time is the least that the first byte can take.
	pub(crate) fn expect(
		&self,
		key: &NodeKey,
		path: PathKind,
		bytes: u64,
		rtt: Option<Duration>,
	) -> Expectation {
		let (peer, kind) = (self.peers.get(key), &self.kinds[path as usize]);
		let queued = peer.map_or(0, |peer| peer.outstanding);
		let own = peer.and_then(|peer| peer.paths[path as usize].as_ref());
		let seconds = own
			.and_then(|own| own.seconds(bytes, queued))
			.or_else(|| kind.seconds(bytes, queued));
		let Some(seconds) = seconds else {
			// A relay is slow until it has shown otherwise: asked last.
			let unknown = match path {
				PathKind::Direct => self.unknown,
				PathKind::Relayed => self.unknown * 4,
			};
			return Expectation {
				finish: (unknown / 2).max(rtt.unwrap_or_default()),
				p95: unknown,
			};
		};
		let finish = Duration::from_secs_f64(seconds.min(3600.0)).max(rtt.unwrap_or_default());
		let ratio = own
			.and_then(|own| own.ratios.quantile(0.95))
			.or_else(|| kind.ratios.quantile(0.95));
		let p95 = match ratio {
			Some(ratio) => finish.mul_f64((ratio * self.caution).max(1.0)),
			None => self.unknown.max(finish * 3),
		};
		Expectation {
			finish,
			p95: p95.max(LEAST_PATIENCE),
		}
	}

	/// A transfer begins.
	pub(crate) fn begin(&mut self, key: &NodeKey, bytes: u64) {
		self.uses += 1;
		let used = self.uses;
		if self.peers.len() >= MOST_PEERS && !self.peers.contains_key(key) {
			// The older half of those that nothing is asked of.
			let middle = used.saturating_sub((MOST_PEERS / 2) as u64);
			self.peers
				.retain(|_, peer| peer.outstanding > 0 || peer.used > middle);
		}
		let peer = self.peers.entry(*key).or_insert(Peer {
			paths: [None, None],
			outstanding: 0,
			used,
		});
		peer.outstanding = peer.outstanding.saturating_add(bytes);
		peer.used = used;
	}

	/// A transfer of `bytes` bytes is over, however it went.
	pub(crate) fn end(&mut self, key: &NodeKey, bytes: u64) {
		if let Some(peer) = self.peers.get_mut(key) {
			peer.outstanding = peer.outstanding.saturating_sub(bytes);
		}
	}

	/// Learns from a transfer that ended well, of which `expected` was expected.
	pub(crate) fn finished(
		&mut self,
		key: &NodeKey,
		path: PathKind,
		sample: &Sample,
		expected: Duration,
	) {
		let ratio = sample.elapsed.as_secs_f64() / expected.as_secs_f64().max(1e-6);
		for averages in self.averages(key, path) {
			averages.learn(sample);
			averages.ratios.add(ratio);
		}
	}

	/// Learns from a transfer that was cancelled after `elapsed` with `received` of its bytes: it
	/// would have taken at least that long, which says something only when more was expected of it
	/// by then.
	pub(crate) fn cancelled(
		&mut self,
		key: &NodeKey,
		path: PathKind,
		elapsed: Duration,
		received: u64,
		expected: Duration,
	) {
		if elapsed <= expected {
			return;
		}
		let ratio = elapsed.as_secs_f64() / expected.as_secs_f64().max(1e-6);
		// Of its own only: one that stalls says nothing of the others of its kind.
		let Some(peer) = self.peers.get_mut(key) else {
			return;
		};
		let own = peer.paths[path as usize].get_or_insert_with(Averages::new);
		own.ratios.add(ratio);
		let seconds = elapsed.as_secs_f64();
		let first = own.first_byte.0.unwrap_or(0.0);
		if received == 0 && first < seconds {
			own.first_byte.add(seconds);
		} else if received > 0 {
			let rate = received as f64 / (seconds - first).max(seconds / 8.0);
			if own.rate.0.is_none_or(|known| rate < known) {
				own.rate.add(rate);
			}
			if own.first_byte.0.is_none() {
				own.first_byte.add(0.0);
			}
		}
	}

	/// What happened to a read that was late: whether asking one more made it faster. Requests that
	/// were sent in vain make the next ones come later.
	pub(crate) fn hedged(&mut self, useful: bool) {
		self.caution = if useful {
			(self.caution * 0.9).max(1.0)
		} else {
			(self.caution * 1.1).min(MOST_CAUTION)
		};
	}

	/// A read is over, and whether it had to wait for a miner that was late.
	pub(crate) fn read(&mut self, was_late: bool) {
		self.tail += ALPHA / 4.0 * (f64::from(u8::from(was_late)) - self.tail);
	}

	/// How many requests more than needed a read should start with.
	pub(crate) fn extra(&self) -> usize {
		match self.tail {
			tail if tail < 0.15 => 0,
			tail if tail < 0.4 => 1,
			_ => 2,
		}
	}

	/// By how much deadlines are stretched because hedges were sent in vain, from 1.
	pub(crate) fn caution(&self) -> f64 {
		self.caution
	}

	/// Peers known, slowest first, at most `most`.
	pub(crate) fn show(&self, most: usize) -> Vec<PeerEstimate> {
		let mut shown: Vec<PeerEstimate> = Vec::new();
		for (key, peer) in &self.peers {
			for path in [PathKind::Direct, PathKind::Relayed] {
				let Some(averages) = &peer.paths[path as usize] else {
					continue;
				};
				shown.push(PeerEstimate {
					node_key: key.to_string(),
					path,
					first_byte_ms: (averages.first_byte.0.unwrap_or(0.0) * 1e6).round() / 1e3,
					rate: averages.rate.0.map(f64::round),
					outstanding: peer.outstanding,
				});
			}
		}
		shown.sort_by(|a, b| b.first_byte_ms.total_cmp(&a.first_byte_ms));
		shown.truncate(most);
		shown
	}

	/// The averages a sample belongs to: those of its kind, and its peer's unless it was forgotten.
	fn averages(&mut self, key: &NodeKey, path: PathKind) -> impl Iterator<Item = &mut Averages> {
		let own = self
			.peers
			.get_mut(key)
			.map(|peer| peer.paths[path as usize].get_or_insert_with(Averages::new));
		own.into_iter()
			.chain(std::iter::once(&mut self.kinds[path as usize]))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	const A: NodeKey = NodeKey([1; 32]);
	const B: NodeKey = NodeKey([2; 32]);
	const MIB: u64 = 1 << 20;

	fn ms(ms: u64) -> Duration {
		Duration::from_millis(ms)
	}

	fn fetch(estimates: &mut Estimates, key: &NodeKey, elapsed: Duration, first_byte: Duration) {
		let expected = estimates.expect(key, PathKind::Direct, MIB, None);
		estimates.begin(key, MIB);
		estimates.end(key, MIB);
		let sample = Sample {
			elapsed,
			first_byte,
			bytes: MIB,
		};
		estimates.finished(key, PathKind::Direct, &sample, expected.finish);
	}

	#[test]
	fn a_peer_is_expected_to_take_as_long_as_it_took() {
		let mut estimates = Estimates::new(ms(250));
		let unknown = estimates.expect(&A, PathKind::Direct, MIB, None);
		let behind = estimates.expect(&A, PathKind::Relayed, MIB, None);
		assert!(behind.finish > unknown.finish && behind.p95 > unknown.p95);
		assert_eq!(unknown.p95, ms(250));
		for _ in 0..40 {
			fetch(&mut estimates, &A, ms(50), ms(10));
		}
		let near = |duration: Duration, expected: u64| {
			let ms = duration.as_secs_f64() * 1e3;
			assert!((ms - expected as f64).abs() < 1.0, "{ms}");
		};
		near(estimates.expect(&A, PathKind::Direct, MIB, None).finish, 50);
		near(
			estimates.expect(&A, PathKind::Direct, 2 * MIB, None).finish,
			90,
		);
		let p95 = estimates.expect(&A, PathKind::Direct, MIB, None).p95;
		assert!(p95 >= ms(50) && p95 < ms(65), "{p95:?}");
		// What was asked before stands in the queue.
		estimates.begin(&A, MIB);
		near(estimates.expect(&A, PathKind::Direct, MIB, None).finish, 90);
		estimates.end(&A, MIB);
		// A peer not known yet is like the others of its kind, and another kind is not.
		near(estimates.expect(&B, PathKind::Direct, MIB, None).finish, 50);
		assert_eq!(estimates.expect(&A, PathKind::Relayed, MIB, None), behind);
		// Nothing comes sooner than a round trip.
		let far = estimates.expect(&A, PathKind::Direct, MIB, Some(ms(900)));
		assert_eq!(far.finish, ms(900));
	}

	#[test]
	fn a_cancelled_transfer_is_a_lower_bound() {
		let mut estimates = Estimates::new(ms(250));
		for _ in 0..20 {
			fetch(&mut estimates, &A, ms(20), ms(5));
		}
		let before = estimates.expect(&A, PathKind::Direct, MIB, None);
		estimates.cancelled(&A, PathKind::Direct, ms(10), 0, before.finish);
		assert_eq!(
			estimates.expect(&A, PathKind::Direct, MIB, None),
			before,
			"too early to tell"
		);
		for _ in 0..10 {
			estimates.cancelled(&A, PathKind::Direct, ms(500), 0, before.finish);
		}
		let after = estimates.expect(&A, PathKind::Direct, MIB, None);
		assert!(after.finish > ms(300), "{after:?}");
		assert!(after.p95 > after.finish);
	}

	#[test]
	fn hedges_in_vain_make_more_patient_and_late_reads_less() {
		let mut estimates = Estimates::new(ms(250));
		for _ in 0..20 {
			fetch(&mut estimates, &A, ms(20), ms(5));
		}
		let calm = estimates.expect(&A, PathKind::Direct, MIB, None).p95;
		for _ in 0..50 {
			estimates.hedged(false);
		}
		assert!(estimates.expect(&A, PathKind::Direct, MIB, None).p95 >= calm * 3);
		assert!(estimates.caution() <= MOST_CAUTION);
		for _ in 0..50 {
			estimates.hedged(true);
		}
		assert_eq!(estimates.expect(&A, PathKind::Direct, MIB, None).p95, calm);
		assert_eq!(estimates.extra(), 0);
		for _ in 0..50 {
			estimates.read(true);
		}
		assert_eq!(estimates.extra(), 2);
		for _ in 0..100 {
			estimates.read(false);
		}
		assert_eq!(estimates.extra(), 0);
	}

	#[test]
	fn memory_is_bounded() {
		let mut estimates = Estimates::new(ms(250));
		for index in 0..(2 * MOST_PEERS as u64) {
			let mut key = [0; 32];
			key[..8].copy_from_slice(&index.to_le_bytes());
			estimates.begin(&NodeKey(key), 1);
			estimates.end(&NodeKey(key), 1);
			assert!(estimates.peers.len() <= MOST_PEERS);
		}
		assert_eq!(estimates.show(5).len(), 0);
	}

	proptest! {
		#[test]
		fn no_sample_breaks_an_expectation(
			samples in proptest::collection::vec((0u64..100_000_000, 0u64..200_000_000, 0u64..1 << 40), 0..50)
		) {
			let mut estimates = Estimates::new(ms(250));
			for (elapsed, first, bytes) in samples {
				let sample = Sample {
					elapsed: Duration::from_micros(elapsed),
					first_byte: Duration::from_micros(first),
					bytes,
				};
				estimates.begin(&A, bytes);
				let expected = estimates.expect(&A, PathKind::Direct, bytes, None);
				prop_assert!(expected.p95 >= LEAST_PATIENCE);
				estimates.finished(&A, PathKind::Direct, &sample, expected.finish);
				estimates.end(&A, bytes);
			}
		}
	}
}
