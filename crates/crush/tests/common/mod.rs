//! What several tests of this crate use.

use proptest::{
	strategy::Strategy,
	test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};

/// Always the same cases, so that a failure can be looked at again.
pub(crate) fn check<S: Strategy>(
	cases: u32,
	strategy: S,
	test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
	let config = Config {
		cases,
		failure_persistence: None,
		..Config::default()
	};
	let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
	let result = TestRunner::new_with_rng(config, rng).run(&strategy, test);
	assert!(result.is_ok(), "{}", result.unwrap_err());
}
