//! Why a placement could not be told.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

/// Why a placement could not be told.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum PlacementError {
	/// There is no cluster map yet.
	#[codec(index = 0)]
	NoMap,
	/// The map has fewer placement groups.
	#[codec(index = 1)]
	UnknownPg,
	/// The epoch's map is no longer kept, or the epoch has not come.
	#[codec(index = 2)]
	EpochNotKept,
	/// The mapping takes more draws than the map's rule allows: too few nodes are in.
	#[codec(index = 3)]
	DrawLimit,
	/// The stored map does not validate, or maps to something else than nodes.
	#[codec(index = 4)]
	CorruptMap,
}

impl fmt::Display for PlacementError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::NoMap => "there is no cluster map yet; nodes must register first",
			Self::UnknownPg => "the map has fewer placement groups",
			Self::EpochNotKept => "the map of that epoch is not kept",
			Self::DrawLimit => "the mapping takes too many draws; too few nodes are in",
			Self::CorruptMap => "the stored map is not valid",
		})
	}
}

impl core::error::Error for PlacementError {}
