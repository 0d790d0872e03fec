//! Why a placement exception is not allowed.

use crate::Error;
use arion_crush::{PlaceError, UpmapError};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Why a map does not allow an exception.
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
pub enum Refusal {
	/// The map has no such placement group.
	#[codec(index = 0)]
	UnknownGroup,
	/// The group has no mapping by the map.
	#[codec(index = 1)]
	Unmappable,
	/// One of the nodes is not in the map.
	#[codec(index = 2)]
	NotInMap,
	/// The giving node holds no slot of the group by the calculator.
	#[codec(index = 3)]
	NotHeld,
	/// The taking node has the weight 0.
	#[codec(index = 4)]
	NoWeight,
	/// The taking node is out for the group.
	#[codec(index = 5)]
	NodeOut,
	/// The nodes are in different zones.
	#[codec(index = 6)]
	OtherZone,
	/// The taking node has a slot of the group already.
	#[codec(index = 7)]
	AlreadyHolds,
	/// The giving node's slot has an exception already.
	#[codec(index = 8)]
	MovedTwice,
	/// The taking node's failure domain has a slot of the group already.
	#[codec(index = 9)]
	DomainUsed,
	/// The taking node's family would have more than three slots of the group.
	#[codec(index = 10)]
	FamilyFull,
}

impl From<&PlaceError> for Refusal {
	fn from(error: &PlaceError) -> Self {
		match error {
			PlaceError::UnknownPg { .. } => Self::UnknownGroup,
			PlaceError::Mapper { .. }
			| PlaceError::Slots { .. }
			| PlaceError::NotANode { .. }
			| PlaceError::NodeTwice { .. }
			| PlaceError::NodeOut { .. } => Self::Unmappable,
		}
	}
}

impl From<&UpmapError> for Refusal {
	fn from(error: &UpmapError) -> Self {
		match error {
			UpmapError::Place(error) => error.into(),
			UpmapError::UnknownNode { .. } => Self::NotInMap,
			UpmapError::NotHeld { .. } => Self::NotHeld,
			UpmapError::NoWeight { .. } => Self::NoWeight,
			UpmapError::Out { .. } => Self::NodeOut,
			UpmapError::OtherZone { .. } => Self::OtherZone,
			UpmapError::AlreadyHolds { .. } => Self::AlreadyHolds,
			UpmapError::MovedTwice { .. } => Self::MovedTwice,
			UpmapError::DomainUsed { .. } => Self::DomainUsed,
			UpmapError::FamilyFull { .. } => Self::FamilyFull,
			// Of balancing, not of judging an exception.
			UpmapError::OtherEpoch { .. }
			| UpmapError::OtherGroups { .. }
			| UpmapError::NotRaw { .. }
			| UpmapError::Stale(_) => Self::Unmappable,
		}
	}
}

impl<T> From<Refusal> for Error<T> {
	fn from(refusal: Refusal) -> Self {
		match refusal {
			Refusal::UnknownGroup => Self::UnknownGroup,
			Refusal::Unmappable => Self::Unmappable,
			Refusal::NotInMap => Self::NotInMap,
			Refusal::NotHeld => Self::NotHeld,
			Refusal::NoWeight => Self::NoWeight,
			Refusal::NodeOut => Self::NodeOut,
			Refusal::OtherZone => Self::OtherZone,
			Refusal::AlreadyHolds => Self::AlreadyHolds,
			Refusal::MovedTwice => Self::MovedTwice,
			Refusal::DomainUsed => Self::DomainUsed,
			Refusal::FamilyFull => Self::FamilyFull,
		}
	}
}
