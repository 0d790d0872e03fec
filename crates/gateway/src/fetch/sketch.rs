//! Averages and quantiles of a stream of samples, in constant space.

/// Weight of the newest sample in a moving average.
pub(super) const ALPHA: f64 = 0.2;
/// Samples below which a sketch says nothing.
const MIN_SAMPLES: u32 = 16;
/// Samples at which a sketch halves all its counts, so that old ones fade.
const FADE_AT: u32 = 256;

/// An exponentially weighted moving average.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ewma(pub(super) Option<f64>);

impl Ewma {
	pub(super) fn add(&mut self, sample: f64) {
		self.0 = Some(self.0.map_or(sample, |old| old + ALPHA * (sample - old)));
	}
}

/// Counts of ratios between the time taken and the time expected, in steps of 2^(1/4) from 1/16.
#[derive(Clone, Debug)]
pub(super) struct Sketch {
	counts: [u16; Self::BUCKETS],
	total: u32,
}

impl Sketch {
	const BUCKETS: usize = 48;
	const PER_OCTAVE: f64 = 4.0;
	const FIRST: f64 = -4.0;

	pub(super) fn new() -> Self {
		Self {
			counts: [0; Self::BUCKETS],
			total: 0,
		}
	}

	pub(super) fn add(&mut self, ratio: f64) {
		let place = (ratio.max(1e-9).log2() - Self::FIRST) * Self::PER_OCTAVE;
		// Saturates at both ends.
		let bucket = (place as usize).min(Self::BUCKETS - 1);
		if self.total >= FADE_AT {
			for count in &mut self.counts {
				*count /= 2;
			}
			self.total = self.counts.iter().map(|count| u32::from(*count)).sum();
		}
		self.counts[bucket] = self.counts[bucket].saturating_add(1);
		self.total += 1;
	}

	/// The upper end of the bucket in which the quantile lies; `None` of too few samples.
	pub(super) fn quantile(&self, quantile: f64) -> Option<f64> {
		if self.total < MIN_SAMPLES {
			return None;
		}
		let below = (f64::from(self.total) * quantile).ceil() as u32;
		let mut seen = 0;
		let bucket = self.counts.iter().position(|count| {
			seen += u32::from(*count);
			seen >= below
		})?;
		Some(((bucket as f64 + 1.0) / Self::PER_OCTAVE + Self::FIRST).exp2())
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use proptest::prelude::*;

	proptest! {
		#[test]
		fn a_sketch_is_right_within_a_bucket(
			ratios in proptest::collection::vec(0.1f64..100.0, 20..200),
			quantile in 0.05f64..0.99,
		) {
			let mut sketch = Sketch::new();
			ratios.iter().for_each(|ratio| sketch.add(*ratio));
			let mut sorted = ratios.clone();
			sorted.sort_by(f64::total_cmp);
			let rank = (sorted.len() as f64 * quantile).ceil() as usize;
			let exact = sorted[rank.clamp(1, sorted.len()) - 1];
			let told = sketch.quantile(quantile).unwrap();
			prop_assert!(told >= exact * 0.999 && told <= exact * 1.19, "{told} {exact}");
		}
	}
}
