//! The bytes of a cluster map.

use crate::cluster::{ClusterMap, PlacementRule, ZoneBucket};
use crate::upmap::UpmapItem;
use alloc::vec::Vec;
use codec::{
	Compact, CompactRef, Decode, DecodeWithMemTracking, Encode, EncodeLike, Input, Output,
};
use scale_info::{
	build::{Fields, FieldsBuilder, NamedFields, Variants},
	form::MetaForm,
	Path, Type, TypeInfo,
};

/// The first byte of a map without exceptions.
pub(crate) const PLAIN: u8 = 1;
/// The first byte of a map with at least one.
pub(crate) const WITH_EXCEPTIONS: u8 = 2;

impl Encode for ClusterMap {
	fn encode_to<T: Output + ?Sized>(&self, dest: &mut T) {
		let version = match self.exceptions.is_empty() {
			true => PLAIN,
			false => WITH_EXCEPTIONS,
		};
		version.encode_to(dest);
		CompactRef(&self.epoch).encode_to(dest);
		CompactRef(&self.pg_num).encode_to(dest);
		CompactRef(&self.pool).encode_to(dest);
		self.rule.encode_to(dest);
		self.zones.encode_to(dest);
		if version == WITH_EXCEPTIONS {
			self.exceptions.encode_to(dest);
		}
	}
}

impl EncodeLike for ClusterMap {}

impl Decode for ClusterMap {
	fn decode<I: Input>(input: &mut I) -> Result<Self, codec::Error> {
		let version = input.read_byte()?;
		if !matches!(version, PLAIN | WITH_EXCEPTIONS) {
			return Err("unknown cluster map version".into());
		}
		let mut map = Self::plain(
			Compact::<u32>::decode(input)?.0,
			Compact::<u32>::decode(input)?.0,
			Compact::<u32>::decode(input)?.0,
			Decode::decode(input)?,
			Decode::decode(input)?,
		);
		if version == WITH_EXCEPTIONS {
			map.exceptions = Decode::decode(input)?;
			// A map has one encoding, hence one hash.
			if map.exceptions.is_empty() {
				return Err("a cluster map of version 2 has exceptions".into());
			}
		}
		Ok(map)
	}
}

impl DecodeWithMemTracking for ClusterMap {}

/// The fields that every version has.
fn fields() -> FieldsBuilder<MetaForm, NamedFields> {
	Fields::named()
		.field(|f| f.compact::<u32>().name("epoch").type_name("Epoch"))
		.field(|f| f.compact::<u32>().name("pg_num").type_name("u32"))
		.field(|f| f.compact::<u32>().name("pool").type_name("u32"))
		.field(|f| {
			f.ty::<PlacementRule>()
				.name("rule")
				.type_name("PlacementRule")
		})
		.field(|f| {
			f.ty::<Vec<ZoneBucket>>()
				.name("zones")
				.type_name("Vec<ZoneBucket>")
		})
}

/// The version byte reads as the index of an enum's variant.
impl TypeInfo for ClusterMap {
	type Identity = Self;

	fn type_info() -> Type {
		Type::builder()
			.path(Path::new("ClusterMap", module_path!()))
			.docs(&["The cluster map of an epoch."])
			.variant(
				Variants::new()
					.variant("Plain", |v| v.index(PLAIN).fields(fields()))
					.variant("WithExceptions", |v| {
						v.index(WITH_EXCEPTIONS).fields(fields().field(|f| {
							f.ty::<Vec<UpmapItem>>()
								.name("exceptions")
								.type_name("Vec<UpmapItem>")
						}))
					}),
			)
	}
}
