//! Counters, in Prometheus' text format.

use std::{
	fmt::Write,
	sync::atomic::{AtomicU64, Ordering},
};

macro_rules! counters {
	($($(#[doc = $doc:literal])+ $name:ident,)+) => {
		/// What the gateway counts.
		#[derive(Debug, Default)]
		pub struct Metrics {
			$($(#[doc = $doc])+ pub $name: Counter,)+
		}

		impl Metrics {
			fn each(&self, mut show: impl FnMut(&str, &str, u64)) {
				$(show(stringify!($name), concat!($($doc),+), self.$name.get());)+
			}
		}
	};
}

counters! {
	/// Objects stored.
	objects_put,
	/// Objects that could not be stored.
	objects_put_failed,
	/// Downloads finished.
	objects_got,
	/// Downloads that failed.
	objects_get_failed,
	/// Bytes of content taken from users.
	bytes_in,
	/// Bytes of content given to users.
	bytes_out,
	/// Shards acknowledged by miners.
	shards_stored,
	/// Shards that no miner took; repair has to make up for them.
	shards_unplaced,
	/// Shards fetched from miners.
	shards_fetched,
	/// Bytes of shards fetched from miners, the wasted ones included.
	shard_bytes_fetched,
	/// Requests for shards that failed.
	shard_requests_failed,
	/// Requests sent because earlier ones were slow.
	hedged_requests,
	/// Times that such a request was not sent because the budget of extra bytes was spent.
	hedges_refused,
	/// Requests that moved nothing for so long that they counted as failed.
	stalled_requests,
	/// Requests sent only to see how a miner does.
	probe_requests,
	/// Requests cancelled because enough had come from others.
	requests_cancelled,
	/// Bytes fetched from miners that were not needed in the end.
	wasted_bytes,
	/// Stripes that had to be decoded because a data shard was missing.
	stripes_decoded,
	/// Batches of stripes that are on chain.
	batches_appended,
	/// Times that a batch could not be brought to the chain; it is tried again.
	batches_failed,
	/// Searches for shards that were not where the map says.
	shard_searches,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
	/// Adds to it.
	pub fn add(&self, count: usize) {
		self.0
			.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
	}

	/// Its value.
	pub fn get(&self) -> u64 {
		self.0.load(Ordering::Relaxed)
	}
}

impl Metrics {
	/// All counters and these gauges as text.
	pub fn render(&self, gauges: &[(&str, &str, u64)]) -> String {
		let mut text = String::new();
		let mut line = |name: &str, help: &str, kind: &str, value: u64| {
			// Writing to a string cannot fail.
			let _ = writeln!(
				text,
				"# HELP arion_gateway_{name} {}\n# TYPE arion_gateway_{name} {kind}\narion_gateway_{name} {value}",
				help.trim()
			);
		};
		self.each(|name, help, value| line(&format!("{name}_total"), help, "counter", value));
		for (name, help, value) in gauges {
			line(name, help, "gauge", *value);
		}
		text
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn renders_counters_and_gauges() {
		let metrics = Metrics::default();
		metrics.objects_put.add(2);
		let text = metrics.render(&[("map_epoch", "Newest map.", 7)]);
		assert!(
			text.contains("# HELP arion_gateway_objects_put_total Objects stored.\n"),
			"{text}"
		);
		assert!(text.contains("\narion_gateway_objects_put_total 2\n"));
		assert!(text.ends_with("# TYPE arion_gateway_map_epoch gauge\narion_gateway_map_epoch 7\n"));
	}
}
