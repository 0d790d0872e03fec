//! CRUSH placement, bit-exact with Ceph's calculator for straw2 buckets, the rjenkins1 hash and the
//! jewel tunables, and the Hippius cluster map built on it.
//!
//! - [`CrushMap`] is a hierarchy with rules, valid by construction; [`mapper::do_rule`] maps an input
//!   to devices with it, counting draws against a cap.
//! - [`ClusterMap`] is what the chain stores per epoch; [`ClusterMap::placement`] turns it into a
//!   [`Placement`] that answers which node holds which slot of a placement group.
//! - [`Placement::table`] maps all groups at once, [`diff()`] makes a repair plan of two tables, and
//!   [`upmap`] has the exceptions that single slots may be moved by.
//! - With `std`, [`text`] reads the text maps of Ceph's `crushtool`.
//!
//! Integers only, no floats outside the text parser, so that the chain's runtime and every daemon
//! compute the same slots.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

pub mod cluster;
pub mod diff;
mod encoding;
pub mod error;
#[cfg(feature = "std")]
mod fast;
pub mod hash;
pub mod ln;
pub mod map;
pub mod mapper;
mod meter;
pub mod placement;
#[cfg(feature = "std")]
pub mod samples;
mod straw;
pub mod table;
#[cfg(feature = "std")]
pub mod text;
pub mod upmap;
mod validate;

pub use cluster::{
	ClusterMap, FailureDomain, FamilyBucket, HostBucket, MapNode, PlacementRule, ZoneBucket,
};
pub use diff::{diff, RepairPlan, SlotMove};
pub use error::{DiffError, MapError, MapperError, PlaceError};
pub use map::{
	Bucket, BucketId, ChooseArgs, CrushMap, DeviceId, Item, Reweights, Rule, Step, WEIGHT_ONE,
};
pub use mapper::{DrawMeter, NONE};
pub use placement::Placement;
pub use table::{PgTable, Slots};
pub use upmap::{Balance, BalanceOptions, ExceptionsError, UpmapError, UpmapItem};
