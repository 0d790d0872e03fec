//! Reads the text maps of Ceph's `crushtool` (what `crushtool -c` compiles).
//!
//! Everything that the calculator does not compute exactly as `crushtool` would is refused: other
//! bucket algorithms or hashes than straw2 and rjenkins1, other tunables than the jewel profile, and
//! every map that [`CrushMap`] refuses. As in `crushtool`, names are defined before they are used, so
//! a cycle cannot be written.

mod classes;
mod error;
mod parse;
mod rules;
mod tokens;

pub use error::{TextError, TextErrorKind};

use crate::map::CrushMap;
use std::{collections::BTreeMap, string::String};

/// Longest text accepted, in bytes.
pub const MAX_TEXT_LEN: usize = 16 * 1024 * 1024;

/// A map and the names its text gives things.
#[derive(Clone, Debug)]
pub struct TextMap {
	/// The map.
	pub map: CrushMap,
	/// Devices, also those that are in no bucket.
	pub devices: BTreeMap<i32, String>,
	/// Buckets, without shadow trees of device classes.
	pub buckets: BTreeMap<i32, String>,
	/// Types; 0 is the type of devices.
	pub types: BTreeMap<u16, String>,
	/// Rules that have a name.
	pub rules: BTreeMap<u32, String>,
}

/// Parses a text map. Of several `choose_args` it applies what `crushtool --test` applies: set 0, or
/// else the default set -1.
pub fn parse(text: &str) -> Result<TextMap, TextError> {
	parse::Parser::new(text)?.run()
}

/// A decimal weight as 16.16 fixed point, the way `crushtool` reads it: to single precision, times
/// 65536, cut. `None` if it is no number, negative, or too large for 32 bits.
pub fn weight(text: &str) -> Option<u32> {
	let plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
	if !text.chars().all(plain) {
		return None;
	}
	let scaled = text.parse::<f32>().ok()? * 65_536.0;
	// 2^32, the first value that does not fit.
	(0.0..4_294_967_296.0)
		.contains(&scaled)
		.then_some(scaled as u32)
}
