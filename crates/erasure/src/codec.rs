//! The codec and the plans it decodes by.

use crate::{
	kernel::{Kernel, Map, Route, Stores},
	matrix::{Interpolation, Row},
	CodecError, ShardSet, DATA_SHARDS, PARITY_SHARDS, TOTAL_SHARDS,
};
use core::ops::Range;
use std::sync::{Arc, OnceLock};

/// Encodes and recovers the shards of a stripe. All buffers of a call have the same length, which
/// may be any, and nothing is allocated per call.
///
/// Every byte column is coded by itself, so any range of columns can be encoded or recovered alone:
/// buffers may be parts of shards, if all are the same part.
///
/// Shards in one buffer should not start at a multiple of a large power of two from each other,
/// or they compete for the same lines of a cache: [`crate::StripeBuffer`] spaces them well.
pub trait StripeCodec {
	/// Computes the twenty parity shards, slots 10 to 29, of ten data shards, and writes them as
	/// `stores` says.
	///
	/// # Errors
	/// [`CodecError::LengthMismatch`] if the lengths differ; no output is written then.
	fn encode_with(
		&self,
		data: &[&[u8]; DATA_SHARDS],
		parity: &mut [&mut [u8]; PARITY_SHARDS],
		stores: Stores,
	) -> Result<(), CodecError>;

	/// Prepares to compute the `wanted` slots from ten of the `present` ones. The plan holds for
	/// every stripe of which the same slots are present.
	///
	/// # Errors
	/// [`CodecError::NotEnoughShards`] if fewer than ten slots are present.
	fn plan(&self, present: ShardSet, wanted: ShardSet) -> Result<DecodePlan, CodecError>;

	/// Computes the slots [`DecodePlan::wanted`] from the slots [`DecodePlan::sources`], each given
	/// in that order, and writes them as `stores` says.
	///
	/// # Errors
	/// [`CodecError::CountMismatch`] if the number of outputs is not that of the wanted slots,
	/// [`CodecError::LengthMismatch`] if the lengths differ; no output is written then.
	fn recover_with(
		&self,
		plan: &DecodePlan,
		sources: &[&[u8]; DATA_SHARDS],
		wanted: &mut [&mut [u8]],
		stores: Stores,
	) -> Result<(), CodecError>;

	/// [`StripeCodec::encode_with`] [`Stores::Auto`].
	///
	/// # Errors
	/// As there.
	fn encode(
		&self,
		data: &[&[u8]; DATA_SHARDS],
		parity: &mut [&mut [u8]; PARITY_SHARDS],
	) -> Result<(), CodecError> {
		self.encode_with(data, parity, Stores::Auto)
	}

	/// [`StripeCodec::recover_with`] [`Stores::Auto`].
	///
	/// # Errors
	/// As there.
	fn recover(
		&self,
		plan: &DecodePlan,
		sources: &[&[u8]; DATA_SHARDS],
		wanted: &mut [&mut [u8]],
	) -> Result<(), CodecError> {
		self.recover_with(plan, sources, wanted, Stores::Auto)
	}

	/// Recovers the bytes `columns` of shards of `shard_len` bytes without the rest of them:
	/// `sources` and `wanted` hold exactly those bytes. So a hole of 16 KiB in a shard costs ten
	/// reads of 16 KiB.
	///
	/// # Errors
	/// [`CodecError::ColumnRange`] if shards have no such bytes, [`CodecError::LengthMismatch`] if a
	/// buffer is not as long as the range, [`CodecError::CountMismatch`] as for
	/// [`StripeCodec::recover_with`]; no output is written then.
	fn recover_columns(
		&self,
		plan: &DecodePlan,
		shard_len: usize,
		columns: Range<usize>,
		sources: &[&[u8]; DATA_SHARDS],
		wanted: &mut [&mut [u8]],
	) -> Result<(), CodecError> {
		let Range { start, end } = columns;
		if start > end || end > shard_len {
			return Err(CodecError::ColumnRange {
				start,
				end,
				shard_len,
			});
		}
		check_lengths(sources, wanted, end - start)?;
		self.recover_with(plan, sources, wanted, Stores::Auto)
	}
}

/// How to compute some slots from ten others.
#[derive(Clone, Debug)]
pub struct DecodePlan {
	sources: [usize; DATA_SHARDS],
	wanted: ShardSet,
	map: Arc<Map>,
}

impl DecodePlan {
	/// The ten slots to read, in ascending order: the first ten of those present, or, where many
	/// slots are wanted, ten that give them with less work.
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
	encoder: Map,
	kernel: Kernel,
}

impl Codec {
	/// A codec on the kernel of [`Kernel::best`].
	pub fn new() -> Self {
		Self::with_kernel(Kernel::best())
	}

	/// A codec on this kernel, or on the portable one if this machine cannot run it:
	/// [`Codec::kernel`] tells.
	pub fn with_kernel(kernel: Kernel) -> Self {
		let kernel = if kernel.is_available() {
			kernel
		} else {
			Kernel::Portable
		};
		let encoder = Map::parity(kernel);
		Self {
			inner: Arc::new(Inner { encoder, kernel }),
		}
	}

	/// The kernel it runs on.
	pub fn kernel(&self) -> Kernel {
		self.inner.kernel
	}

	/// The codec of this process, on the kernel of [`Kernel::best`].
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
	fn encode_with(
		&self,
		data: &[&[u8]; DATA_SHARDS],
		parity: &mut [&mut [u8]; PARITY_SHARDS],
		stores: Stores,
	) -> Result<(), CodecError> {
		check_lengths(data, parity, data[0].len())?;
		self.inner.encoder.apply(data, parity, stores);
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
		let kernel = self.inner.kernel;
		let routed = Route::find(present, wanted)
			.and_then(|(sources, route)| Some((sources, Map::route(route, kernel)?)));
		let (sources, map) = routed.unwrap_or_else(|| {
			let interpolation = Interpolation::new(sources);
			let mut rows: [Row; TOTAL_SHARDS] = [[0; DATA_SHARDS]; TOTAL_SHARDS];
			for (row, slot) in rows.iter_mut().zip(wanted.iter()) {
				*row = interpolation.row(slot);
			}
			(sources, Map::matrix(&rows[..wanted.len()], kernel))
		});
		Ok(DecodePlan {
			sources,
			wanted,
			map: Arc::new(map),
		})
	}

	fn recover_with(
		&self,
		plan: &DecodePlan,
		sources: &[&[u8]; DATA_SHARDS],
		wanted: &mut [&mut [u8]],
		stores: Stores,
	) -> Result<(), CodecError> {
		let need = plan.map.rows();
		if wanted.len() != need {
			return Err(CodecError::CountMismatch {
				have: wanted.len(),
				need,
			});
		}
		check_lengths(sources, wanted, sources[0].len())?;
		plan.map.apply(sources, wanted, stores);
		Ok(())
	}
}

fn check_lengths(
	inputs: &[&[u8]],
	outputs: &[&mut [u8]],
	expected: usize,
) -> Result<(), CodecError> {
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
