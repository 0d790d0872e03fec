//! The codec and the plans it decodes by.

use crate::{
	kernel::{Kernel, LinearMap},
	matrix::Matrix,
	CodecError, ShardSet, DATA_SHARDS, PARITY_SHARDS, TOTAL_SHARDS,
};
use std::sync::{Arc, OnceLock};

/// Encodes and recovers the shards of a stripe. All buffers of a call have the same length, which
/// may be any, and nothing is allocated per call.
pub trait StripeCodec {
	/// Computes the twenty parity shards, slots 10 to 29, of ten data shards.
	///
	/// # Errors
	/// [`CodecError::LengthMismatch`] if the lengths differ; no output is written then.
	fn encode(
		&self,
		data: &[&[u8]; DATA_SHARDS],
		parity: &mut [&mut [u8]; PARITY_SHARDS],
	) -> Result<(), CodecError>;

	/// Prepares to compute the `wanted` slots from any ten of the `present` ones. The plan holds
	/// for every stripe of which the same slots are present.
	///
	/// # Errors
	/// [`CodecError::NotEnoughShards`] if fewer than ten slots are present.
	fn plan(&self, present: ShardSet, wanted: ShardSet) -> Result<DecodePlan, CodecError>;

	/// Computes the slots [`DecodePlan::wanted`] from the slots [`DecodePlan::sources`], each given
	/// in that order.
	///
	/// # Errors
	/// [`CodecError::CountMismatch`] if the number of outputs is not that of the wanted slots,
	/// [`CodecError::LengthMismatch`] if the lengths differ; no output is written then.
	fn recover(
		&self,
		plan: &DecodePlan,
		sources: &[&[u8]; DATA_SHARDS],
		wanted: &mut [&mut [u8]],
	) -> Result<(), CodecError>;
}

/// How to compute some slots from ten others.
#[derive(Clone, Debug)]
pub struct DecodePlan {
	sources: [usize; DATA_SHARDS],
	wanted: ShardSet,
	map: Arc<LinearMap>,
}

impl DecodePlan {
	/// The ten slots to read, in ascending order: data slots are preferred.
	pub fn sources(&self) -> &[usize; DATA_SHARDS] {
		&self.sources
	}

	/// The slots computed; outputs are given in ascending order.
	pub fn wanted(&self) -> ShardSet {
		self.wanted
	}
}

/// The 10+20 codec. Cheap to clone and to share between threads.
#[derive(Clone, Debug)]
pub struct Codec {
	inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
	/// 30 rows, 10 columns; the top ten rows are the identity.
	generator: Matrix,
	encoder: LinearMap,
	kernel: Kernel,
}

impl Codec {
	/// A codec on the fastest kernel. Costs some microseconds; [`Codec::shared`] costs nothing.
	pub fn new() -> Self {
		Self::with_kernel(Kernel::best())
	}

	/// A codec on this kernel, or on the portable one if this machine cannot run it.
	pub fn with_kernel(kernel: Kernel) -> Self {
		let kernel = if kernel.is_available() {
			kernel
		} else {
			Kernel::Portable
		};
		// The shape is possible, and the fallback could only arise if it were not; codes of other
		// shapes cannot be built by callers.
		let generator = Matrix::systematic(DATA_SHARDS, TOTAL_SHARDS)
			.unwrap_or_else(|| unreachable!("10 of 30 is a possible shape"));
		let encoder = LinearMap::new(&generator.select(DATA_SHARDS..TOTAL_SHARDS), kernel);
		let inner = Inner {
			generator,
			encoder,
			kernel,
		};
		Self {
			inner: Arc::new(inner),
		}
	}

	/// The kernel it runs on.
	pub fn kernel(&self) -> Kernel {
		self.inner.kernel
	}

	/// The codec of this process.
	pub fn shared() -> &'static Self {
		static SHARED: OnceLock<Codec> = OnceLock::new();
		SHARED.get_or_init(Self::new)
	}
}

impl Default for Codec {
	fn default() -> Self {
		Self::shared().clone()
	}
}

impl StripeCodec for Codec {
	fn encode(
		&self,
		data: &[&[u8]; DATA_SHARDS],
		parity: &mut [&mut [u8]; PARITY_SHARDS],
	) -> Result<(), CodecError> {
		check_lengths(data, parity)?;
		self.inner.encoder.mul_rows(data, parity);
		Ok(())
	}

	fn plan(&self, present: ShardSet, wanted: ShardSet) -> Result<DecodePlan, CodecError> {
		let mut sources = [0; DATA_SHARDS];
		let mut have = 0;
		for (source, slot) in sources.iter_mut().zip(present.iter()) {
			*source = slot;
			have += 1;
		}
		if have < DATA_SHARDS {
			return Err(CodecError::not_enough(have));
		}
		let generator = &self.inner.generator;
		// Any ten rows of a systematic Vandermonde generator are independent.
		let inverse = generator
			.select(sources)
			.invert()
			.unwrap_or_else(|| unreachable!("ten distinct rows of the generator are independent"));
		let matrix = generator.select(wanted.iter()).multiply(&inverse);
		let map = LinearMap::new(&matrix, self.inner.kernel);
		Ok(DecodePlan {
			sources,
			wanted,
			map: Arc::new(map),
		})
	}

	fn recover(
		&self,
		plan: &DecodePlan,
		sources: &[&[u8]; DATA_SHARDS],
		wanted: &mut [&mut [u8]],
	) -> Result<(), CodecError> {
		let need = plan.map.rows();
		if wanted.len() != need {
			return Err(CodecError::CountMismatch {
				have: wanted.len(),
				need,
			});
		}
		check_lengths(sources, wanted)?;
		plan.map.mul_rows(sources, wanted);
		Ok(())
	}
}

fn check_lengths(inputs: &[&[u8]], outputs: &[&mut [u8]]) -> Result<(), CodecError> {
	let expected = inputs.first().map_or(0, |input| input.len());
	let inputs = inputs.iter().map(|input| input.len());
	let lengths = inputs.chain(outputs.iter().map(|output| output.len()));
	match lengths.enumerate().find(|(_, len)| *len != expected) {
		Some((index, len)) => Err(CodecError::LengthMismatch {
			index,
			len,
			expected,
		}),
		None => Ok(()),
	}
}
