//! The parser: tunables, devices, types, buckets, replacement weights.

use super::{
	classes::Classes,
	error::{TextError, TextErrorKind},
	tokens::Tokens,
	TextMap, MAX_TEXT_LEN,
};
use crate::{
	error::MapError,
	map::{Bucket, BucketId, ChooseArgs, CrushMap, Item, Rule, MAX_DEVICE_ID, WEIGHT_ONE},
};
use std::{
	cmp::Reverse,
	collections::{BTreeMap, HashMap},
	string::{String, ToString},
	vec::Vec,
};

/// Tunables that matter to straw2: name, value when the text does not give it, value of the profile.
const TUNABLES: [(&str, u32, u32); 6] = [
	("choose_local_tries", 2, 0),
	("choose_local_fallback_tries", 5, 0),
	("choose_total_tries", 19, 50),
	("chooseleaf_descend_once", 0, 1),
	("chooseleaf_vary_r", 0, 1),
	("chooseleaf_stable", 0, 1),
];

/// Tunables that say nothing about mappings of straw2 buckets.
const IGNORED_TUNABLES: [&str; 2] = ["straw_calc_version", "allowed_bucket_algs"];

/// The set of `choose_args` that `crushtool --test` asks for, and the one it falls back to.
const CHOOSE_ARGS: [i64; 2] = [0, -1];

pub(super) struct Parser<'t> {
	pub(super) tokens: Tokens<'t>,
	/// Value and line of the tunables given.
	tunables: HashMap<&'t str, (u32, usize)>,
	/// Ids of devices and buckets.
	names: HashMap<&'t str, i32>,
	pub(super) kinds: HashMap<&'t str, u16>,
	pub(super) classes: Classes<'t>,
	buckets: Vec<Bucket>,
	/// Sum of the items of each bucket, which is its weight unless its parent says otherwise.
	sums: HashMap<BucketId, u32>,
	bucket_lines: HashMap<BucketId, usize>,
	/// Bucket ids above this are taken.
	next_id: BucketId,
	pub(super) rules: Vec<Rule>,
	pub(super) rule_lines: HashMap<u32, usize>,
	/// Whether a rule takes a shadow tree.
	pub(super) takes_class: bool,
	choose_args: BTreeMap<i64, HashMap<BucketId, ChooseArgs>>,
	device_names: BTreeMap<i32, String>,
	bucket_names: BTreeMap<i32, String>,
	kind_names: BTreeMap<u16, String>,
	pub(super) rule_names: BTreeMap<u32, String>,
}

impl<'t> Parser<'t> {
	pub(super) fn new(text: &'t str) -> Result<Self, TextError> {
		if text.len() > MAX_TEXT_LEN {
			let kind = TextErrorKind::TooLong {
				len: text.len(),
				max: MAX_TEXT_LEN,
			};
			return Err(TextError { line: 1, kind });
		}
		Ok(Self {
			tokens: Tokens::new(text)?,
			tunables: HashMap::new(),
			names: HashMap::new(),
			kinds: HashMap::new(),
			classes: Classes::default(),
			buckets: Vec::new(),
			sums: HashMap::new(),
			bucket_lines: HashMap::new(),
			next_id: -1,
			rules: Vec::new(),
			rule_lines: HashMap::new(),
			takes_class: false,
			choose_args: BTreeMap::new(),
			device_names: BTreeMap::new(),
			bucket_names: BTreeMap::new(),
			kind_names: BTreeMap::new(),
			rule_names: BTreeMap::new(),
		})
	}

	pub(super) fn run(mut self) -> Result<TextMap, TextError> {
		while self.tokens.peek().is_some() {
			match self.tokens.take("a definition")? {
				"tunable" => self.tunable()?,
				"device" => self.device()?,
				"type" => self.kind()?,
				"rule" => {
					// Shadow trees are of the buckets above the first rule.
					if self.rules.is_empty() {
						self.check_buckets()?;
						self.classes.build(&mut self.buckets);
					}
					self.rule()?;
				}
				"choose_args" => self.choose_args()?,
				kind => self.bucket(kind)?,
			}
		}
		self.check_tunables()?;
		self.check_buckets()?;
		self.apply_choose_args()?;
		let Self { buckets, rules, .. } = &mut self;
		let (buckets, rules) = (std::mem::take(buckets), std::mem::take(rules));
		let map = CrushMap::new(buckets, rules).map_err(|error| self.at(error))?;
		Ok(TextMap {
			map,
			devices: self.device_names,
			buckets: self.bucket_names,
			types: self.kind_names,
			rules: self.rule_names,
		})
	}

	/// Puts an error of the whole map at the bucket or rule it names.
	fn at(&self, error: MapError) -> TextError {
		use MapError::*;
		let line = match &error {
			BucketIdNotNegative(bucket)
			| DuplicateBucket(bucket)
			| BucketIsDevice(bucket)
			| TooDeep(bucket)
			| BucketWeight(bucket)
			| ChooseArgs(bucket)
			| FanOut { bucket, .. }
			| UnknownItem { bucket, .. }
			| DeviceId { bucket, .. }
			| ItemTwice { bucket, .. }
			| ChildType { bucket, .. }
			| ChildClass { bucket, .. }
			| ItemWeight { bucket, .. } => self.bucket_lines.get(bucket),
			RuleId(rule)
			| DuplicateRule(rule)
			| RuleTooLong(rule)
			| UnknownTake { rule, .. }
			| RuleTries { rule, .. }
			| RuleCount { rule, .. } => self.rule_lines.get(rule),
			_ => None,
		};
		let line = line.copied().unwrap_or_else(|| self.tokens.line());
		TextError {
			line,
			kind: error.into(),
		}
	}

	fn check_buckets(&mut self) -> Result<(), TextError> {
		self.buckets
			.sort_unstable_by_key(|bucket| Reverse(bucket.id));
		crate::validate::buckets(&self.buckets).map_err(|error| self.at(error))
	}

	fn tunable(&mut self) -> Result<(), TextError> {
		let name = self.tokens.name("a tunable")?;
		if !IGNORED_TUNABLES.contains(&name) && !TUNABLES.iter().any(|known| known.0 == name) {
			return Err(self
				.tokens
				.error(TextErrorKind::UnknownTunable(name.to_string())));
		}
		let value = self.tokens.number("the tunable's value")?;
		self.tunables.insert(name, (value, self.tokens.line()));
		Ok(())
	}

	fn check_tunables(&self) -> Result<(), TextError> {
		for (name, unset, needed) in TUNABLES {
			let given = self.tunables.get(name).copied();
			let (value, line) = given.unwrap_or((unset, self.tokens.line()));
			if value != needed {
				return Err(TextError {
					line,
					kind: TextErrorKind::Tunable {
						name,
						value,
						needed,
					},
				});
			}
		}
		Ok(())
	}

	/// Gives an id a name.
	fn define(&mut self, what: &'static str, name: &'t str, id: i32) -> Result<(), TextError> {
		if self.names.insert(name, id).is_some() {
			return Err(self.twice(what, name));
		}
		let list = if id < 0 {
			&mut self.bucket_names
		} else {
			&mut self.device_names
		};
		match list.insert(id, name.to_string()) {
			Some(_) => Err(self.twice(what, &id.to_string())),
			None => Ok(()),
		}
	}

	pub(super) fn twice(&self, what: &'static str, name: &str) -> TextError {
		self.tokens.error(TextErrorKind::Twice {
			what,
			name: name.to_string(),
		})
	}

	pub(super) fn unknown(&self, what: &'static str, name: &str) -> TextError {
		self.tokens.error(TextErrorKind::Unknown {
			what,
			name: name.to_string(),
		})
	}

	/// The device or bucket of this name.
	pub(super) fn item_id(&self, name: &str) -> Result<i32, TextError> {
		let id = self.names.get(name).copied();
		id.ok_or_else(|| self.unknown("device or bucket", name))
	}

	fn device(&mut self) -> Result<(), TextError> {
		let id: i32 = self.tokens.number("a device id")?;
		if !(0..=MAX_DEVICE_ID).contains(&id) {
			return Err(self.tokens.unexpected("a device id", &id.to_string()));
		}
		let name = self.tokens.name("a device name")?;
		self.define("device", name, id)?;
		if self.tokens.take_if("class") {
			let class = self.class()?;
			self.classes.set_device(id, class);
		}
		Ok(())
	}

	/// Takes a class name that may be new.
	fn class(&mut self) -> Result<u16, TextError> {
		let name = self.tokens.name("a device class")?;
		let class = self.classes.make(name);
		class.ok_or_else(|| {
			self.tokens
				.error(TextErrorKind::Unsupported("so many device classes"))
		})
	}

	fn kind(&mut self) -> Result<(), TextError> {
		let id: u16 = self.tokens.number("a type number")?;
		let name = self.tokens.name("a type name")?;
		if self.kinds.insert(name, id).is_some() {
			return Err(self.twice("type", name));
		}
		match self.kind_names.insert(id, name.to_string()) {
			Some(_) => Err(self.twice("type", &id.to_string())),
			None => Ok(()),
		}
	}

	fn bucket(&mut self, kind_name: &str) -> Result<(), TextError> {
		let line = self.tokens.line();
		let Some(&kind) = self.kinds.get(kind_name) else {
			return Err(self.unknown("type", kind_name));
		};
		let name = self.tokens.name("a bucket name")?;
		self.tokens.expect("{")?;
		let mut id = None;
		let mut shadows = Vec::new();
		let mut has_algorithm = false;
		let mut lines = Vec::new();
		loop {
			match self.tokens.take("`id`, `alg`, `hash`, `item` or `}`")? {
				"id" => {
					let given: i32 = self.tokens.number("a bucket id")?;
					if given >= 0 {
						return Err(self.tokens.error(MapError::BucketIdNotNegative(given)));
					}
					if self.tokens.take_if("class") {
						shadows.push((self.class()?, given));
					} else if id.replace(given).is_some() {
						return Err(self.twice("id of bucket", name));
					}
				}
				"alg" => match self.tokens.name("a bucket algorithm")? {
					"straw2" => has_algorithm = true,
					other => {
						let kind = TextErrorKind::Algorithm(other.to_string());
						return Err(self.tokens.error(kind));
					}
				},
				"hash" => match self.tokens.name("a hash")? {
					"0" | "rjenkins1" => {}
					other => {
						return Err(self.tokens.error(TextErrorKind::Hash(other.to_string())));
					}
				},
				"item" => lines.push(self.item()?),
				"}" => break,
				other => {
					return Err(self
						.tokens
						.unexpected("`id`, `alg`, `hash`, `item` or `}`", other));
				}
			}
		}
		if !has_algorithm {
			return Err(self
				.tokens
				.error(TextErrorKind::NoAlgorithm(name.to_string())));
		}
		let id = match id {
			Some(id) => id,
			None => self.free_id(),
		};
		if self.classes.is_shadow(id) {
			return Err(self.twice("bucket", &id.to_string()));
		}
		self.define("bucket", name, id)?;
		for (class, shadow) in shadows {
			if self.bucket_names.contains_key(&shadow)
				|| !self.classes.set_shadow(id, class, shadow)
			{
				return Err(self.twice("bucket", &shadow.to_string()));
			}
			self.bucket_lines.insert(shadow, line);
		}
		self.bucket_lines.insert(id, line);
		let bucket = Bucket::new(id, kind, self.place(lines)?);
		let sum = bucket
			.weight()
			.ok_or_else(|| self.at(MapError::BucketWeight(id)))?;
		self.sums.insert(id, sum);
		self.buckets.push(bucket);
		Ok(())
	}

	/// The highest negative id that nothing has yet.
	fn free_id(&mut self) -> BucketId {
		while self.bucket_names.contains_key(&self.next_id) || self.classes.is_shadow(self.next_id)
		{
			self.next_id -= 1;
		}
		self.next_id
	}

	/// Takes an item line: the item, and the position if it names one.
	fn item(&mut self) -> Result<(Item, Option<u32>), TextError> {
		let name = self.tokens.name("an item name")?;
		let id = self.item_id(name)?;
		let mut weight = self.sums.get(&id).copied().unwrap_or(WEIGHT_ONE);
		let mut position = None;
		loop {
			if self.tokens.take_if("weight") {
				weight = self.tokens.weight()?;
			} else if self.tokens.take_if("pos") {
				position = Some(self.tokens.number("an item position")?);
			} else {
				return Ok((Item { id, weight }, position));
			}
		}
	}

	/// Puts items where they want to be, and the others in order into what is left.
	fn place(&self, lines: Vec<(Item, Option<u32>)>) -> Result<Vec<Item>, TextError> {
		let mut slots: Vec<Option<Item>> = std::iter::repeat_n(None, lines.len()).collect();
		for &(item, position) in &lines {
			let Some(position) = position else { continue };
			match slots.get_mut(position as usize) {
				Some(slot @ None) => *slot = Some(item),
				_ => return Err(self.tokens.error(TextErrorKind::Position(position))),
			}
		}
		let mut others = lines
			.iter()
			.filter(|line| line.1.is_none())
			.map(|line| line.0);
		for slot in slots.iter_mut().filter(|slot| slot.is_none()) {
			*slot = others.next();
		}
		Ok(slots.into_iter().flatten().collect())
	}

	fn choose_args(&mut self) -> Result<(), TextError> {
		let set: i64 = self.tokens.number("the number of a choose_args set")?;
		if self.choose_args.contains_key(&set) {
			return Err(self.twice("choose_args", &set.to_string()));
		}
		self.tokens.expect("{")?;
		let mut buckets = HashMap::new();
		while !self.tokens.take_if("}") {
			let (bucket, args) = self.bucket_args()?;
			if buckets.insert(bucket, args).is_some() {
				return Err(self.twice("choose_args of bucket", &bucket.to_string()));
			}
		}
		self.choose_args.insert(set, buckets);
		Ok(())
	}

	fn bucket_args(&mut self) -> Result<(BucketId, ChooseArgs), TextError> {
		self.tokens.expect("{")?;
		self.tokens.expect("bucket_id")?;
		let bucket: i32 = self.tokens.number("a bucket id")?;
		if !self.bucket_lines.contains_key(&bucket) {
			return Err(self.unknown("bucket", &bucket.to_string()));
		}
		let mut args = ChooseArgs {
			ids: Vec::new(),
			weight_sets: Vec::new(),
		};
		loop {
			match self.tokens.take("`weight_set`, `ids` or `}`")? {
				"weight_set" => {
					self.tokens.expect("[")?;
					while !self.tokens.take_if("]") {
						self.tokens.expect("[")?;
						let mut row = Vec::new();
						while !self.tokens.take_if("]") {
							row.push(self.tokens.weight()?);
						}
						args.weight_sets.push(row);
					}
				}
				"ids" => {
					self.tokens.expect("[")?;
					while !self.tokens.take_if("]") {
						args.ids.push(self.tokens.number("an id")?);
					}
				}
				"}" => return Ok((bucket, args)),
				other => return Err(self.tokens.unexpected("`weight_set`, `ids` or `}`", other)),
			}
		}
	}

	fn apply_choose_args(&mut self) -> Result<(), TextError> {
		let sets = &mut self.choose_args;
		let Some(mut set) = CHOOSE_ARGS.iter().find_map(|set| sets.remove(set)) else {
			return Ok(());
		};
		if self.takes_class && !set.is_empty() {
			let kind =
				TextErrorKind::Unsupported("choose_args together with rules by device class");
			return Err(self.tokens.error(kind));
		}
		for bucket in &mut self.buckets {
			bucket.args = set.remove(&bucket.id);
		}
		Ok(())
	}
}
