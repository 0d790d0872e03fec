//! `reed-solomon-simd`: another code of the same rate, so its parity cannot be compared.

use crate::{
	coder::{Coder, Op},
	layout::{Shards, DATA, TOTAL},
};
use bench_harness::BenchError;
use reed_solomon_simd::{Error, ReedSolomonDecoder, ReedSolomonEncoder};

const NAME: &str = "reed-solomon-simd-3.1.0";

/// Its coders, kept between calls. Shards are copied into them, which their interface asks for.
pub(crate) struct Rss {
	/// With the shard length they are set up for.
	coders: Option<(usize, ReedSolomonEncoder, ReedSolomonDecoder)>,
	keep: bool,
}

impl Rss {
	pub(crate) fn new() -> Self {
		Self {
			coders: None,
			keep: false,
		}
	}

	fn try_run(&mut self, op: Op, shards: &mut Shards<'_>) -> Result<(), Error> {
		let len = shards[0].len();
		if self
			.coders
			.as_ref()
			.is_none_or(|(set_up, ..)| *set_up != len)
		{
			let encoder = ReedSolomonEncoder::new(DATA, TOTAL - DATA, len)?;
			let decoder = ReedSolomonDecoder::new(DATA, TOTAL - DATA, len)?;
			self.coders = Some((len, encoder, decoder));
		}
		let Some((_, encoder, decoder)) = &mut self.coders else {
			return Ok(());
		};
		if op == Op::Encode {
			for shard in &shards[..DATA] {
				encoder.add_original_shard(&**shard)?;
			}
			let encoded = encoder.encode()?;
			if self.keep {
				for (shard, bytes) in shards[DATA..].iter_mut().zip(encoded.recovery_iter()) {
					shard.copy_from_slice(bytes);
				}
			}
			return Ok(());
		}
		for slot in op.sources() {
			match slot.checked_sub(DATA) {
				Some(index) => decoder.add_recovery_shard(index, &*shards[slot])?,
				None => decoder.add_original_shard(slot, &*shards[slot])?,
			}
		}
		let decoded = decoder.decode()?;
		if self.keep {
			for (slot, bytes) in decoded.restored_original_iter() {
				shards[slot].copy_from_slice(bytes);
			}
		}
		Ok(())
	}
}

impl Coder for Rss {
	fn name(&self) -> &str {
		NAME
	}

	fn run(&mut self, op: Op, shards: &mut Shards<'_>) -> Result<(), BenchError> {
		self.try_run(op, shards)
			.map_err(|cause| BenchError::failed(NAME, cause))
	}

	fn same_code(&self) -> bool {
		false
	}

	fn keep_output(&mut self, keep: bool) {
		self.keep = keep;
	}
}
