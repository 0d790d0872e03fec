#![allow(clippy::unwrap_used)]

mod eras;
mod records;
mod sweep;

use crate::{weights::WeightInfo, EraConfig};
use frame_support::weights::constants::WEIGHT_REF_TIME_PER_SECOND;

#[test]
fn a_configuration_whose_eras_never_end_is_named() {
	let good = EraConfig::default();
	assert_eq!(good.check(), Ok(()));
	#[rustfmt::skip]
	let bad = [
		EraConfig { era_blocks: 0, ..good },
		EraConfig { day_blocks: 0, ..good },
		EraConfig { sweep_blocks: 0, ..good },
		EraConfig { sweep_blocks: good.era_blocks + 1, ..good },
	];
	for config in bad {
		assert!(config.check().is_err(), "{config:?}");
	}
}

#[test]
fn a_block_bears_a_page_and_a_few_groups() {
	let most = <()>::idle() + <()>::settle_page() + <()>::sweep(4);
	assert!(most.ref_time() < WEIGHT_REF_TIME_PER_SECOND / 4);
}
