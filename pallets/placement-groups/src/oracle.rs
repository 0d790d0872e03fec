//! Computes any CRUSH mapping, not only this chain's, with the calculator the runtime itself uses, so that
//! anyone can compare the runtime with another implementation, input by input.

use alloc::vec::Vec;
use arion_crush::{mapper::do_rule, CrushMap, DrawMeter, MapperError, Reweights};
use codec::{Decode, DecodeAll, Encode};
use core::fmt;
use scale_info::TypeInfo;

/// Longest encoded map, in bytes.
pub const MAX_MAP_LEN: usize = 1024 * 1024;
/// Most inputs of one request.
pub const MAX_INPUTS: usize = 1024;
/// Most reweights, that is one more than the highest device that is in.
pub const MAX_REWEIGHTS: usize = 65_536;
/// Most draws of one request, over all of its inputs.
pub const MAX_DRAWS: u64 = 20_000_000;

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum OracleError {
	/// The map is longer than [`MAX_MAP_LEN`].
	#[codec(index = 0)]
	MapTooLong,
	/// The bytes are not exactly one valid map.
	#[codec(index = 1)]
	MalformedMap,
	/// More inputs than [`MAX_INPUTS`].
	#[codec(index = 2)]
	TooManyInputs,
	/// More reweights than [`MAX_REWEIGHTS`].
	#[codec(index = 3)]
	TooManyReweights,
	/// The map has no such rule.
	#[codec(index = 4)]
	UnknownRule,
	/// More items asked for than the calculator gives.
	#[codec(index = 5)]
	TooManySlots,
	/// The request takes more draws than [`MAX_DRAWS`]: ask with fewer inputs.
	#[codec(index = 6)]
	DrawLimit,
}

impl fmt::Display for OracleError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::MapTooLong => write!(f, "the map is longer than {MAX_MAP_LEN} bytes"),
			Self::MalformedMap => write!(f, "not the encoding of a valid map"),
			Self::TooManyInputs => write!(f, "more than {MAX_INPUTS} inputs"),
			Self::TooManyReweights => write!(f, "more than {MAX_REWEIGHTS} reweights"),
			Self::UnknownRule => write!(f, "the map has no such rule"),
			Self::TooManySlots => write!(f, "too many items asked for"),
			Self::DrawLimit => write!(f, "more than {MAX_DRAWS} draws; ask with fewer inputs"),
		}
	}
}

impl core::error::Error for OracleError {}

impl From<MapperError> for OracleError {
	fn from(error: MapperError) -> Self {
		match error {
			MapperError::NoSuchRule(_) => Self::UnknownRule,
			MapperError::TooManySlots(_) => Self::TooManySlots,
			MapperError::DrawCap(_) => Self::DrawLimit,
		}
	}
}

/// Maps each of `xs` with rule `rule` of `map` (SCALE of [`CrushMap`]), asking for `num_rep` items.
///
/// `reweights[d]` is the reweight of device `d` (16.16); a device beyond the end is out. A hole is
/// [`NONE`](arion_crush::NONE).
pub fn crush_map_pgs(
	map: &[u8],
	rule: u32,
	num_rep: u32,
	xs: &[u32],
	reweights: &[u32],
) -> Result<Vec<Vec<i32>>, OracleError> {
	if map.len() > MAX_MAP_LEN {
		return Err(OracleError::MapTooLong);
	}
	if xs.len() > MAX_INPUTS {
		return Err(OracleError::TooManyInputs);
	}
	if reweights.len() > MAX_REWEIGHTS {
		return Err(OracleError::TooManyReweights);
	}
	let map = CrushMap::decode_all(&mut &map[..]).map_err(|_| OracleError::MalformedMap)?;
	let reweights = Reweights::new((0..).zip(reweights.iter().copied()));
	let mut meter = DrawMeter::new(MAX_DRAWS);
	xs.iter()
		.map(|x| Ok(do_rule(&map, rule, *x, num_rep, &reweights, &mut meter)?))
		.collect()
}
