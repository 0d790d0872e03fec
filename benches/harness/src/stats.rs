//! Medians.

/// The median; 0 of nothing.
pub fn median(samples: &[f64]) -> f64 {
	let mut sorted = samples.to_vec();
	sorted.sort_by(f64::total_cmp);
	let middle = sorted.len() / 2;
	match sorted.len() {
		0 => 0.0,
		len if len % 2 == 1 => sorted[middle],
		_ => (sorted[middle - 1] + sorted[middle]) / 2.0,
	}
}

/// Greatest minus least, as a share of the median.
pub fn spread(samples: &[f64]) -> f64 {
	let (least, most) = samples
		.iter()
		.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, m), s| {
			(l.min(*s), m.max(*s))
		});
	let median = median(samples);
	if median > 0.0 {
		(most - least) / median
	} else {
		0.0
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn medians_and_spreads() {
		assert_eq!(median(&[]), 0.0);
		assert_eq!(median(&[3.0]), 3.0);
		assert_eq!(median(&[9.0, 1.0, 2.0]), 2.0);
		assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
		assert_eq!(spread(&[1.0, 2.0, 4.0]), 1.5);
		assert_eq!(spread(&[]), 0.0);
	}
}
