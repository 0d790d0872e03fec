//! The parser's part for rules.

use super::{
	error::{TextError, TextErrorKind},
	parse::Parser,
};
use crate::{
	error::MapError,
	map::{Rule, Step, MAX_RULES},
};
use std::{string::ToString, vec::Vec};

/// Steps that set what the jewel profile fixes: name, the only value supported.
const FIXED: [(&str, u32); 4] = [
	("set_choose_local_tries", 0),
	("set_choose_local_fallback_tries", 0),
	("set_chooseleaf_vary_r", 1),
	("set_chooseleaf_stable", 1),
];

impl Parser<'_> {
	/// Takes a rule, after the word itself.
	pub(super) fn rule(&mut self) -> Result<(), TextError> {
		let line = self.tokens.line();
		let name = match self.tokens.peek() {
			Some("{") | None => None,
			Some(_) => Some(self.tokens.name("a rule name")?),
		};
		self.tokens.expect("{")?;
		let mut id = None;
		let mut steps = Vec::new();
		loop {
			match self.tokens.take("`id`, `type`, `step` or `}`")? {
				"id" | "ruleset" => id = Some(self.tokens.number("a rule id")?),
				"type" => match self.tokens.name("a rule type")? {
					"replicated" | "erasure" => {}
					other => {
						return Err(self.tokens.unexpected("`replicated` or `erasure`", other));
					}
				},
				// Sizes are for whoever picks a rule; running one ignores them.
				"min_size" | "max_size" => {
					let _: u32 = self.tokens.number("a size")?;
				}
				"step" => steps.extend(self.step()?),
				"}" => break,
				other => {
					return Err(self.tokens.unexpected("`id`, `type`, `step` or `}`", other));
				}
			}
		}
		let Some(id) = id else {
			return Err(self.tokens.error(TextErrorKind::Expected {
				expected: "the rule's id",
				found: "}".to_string(),
			}));
		};
		if id >= MAX_RULES {
			return Err(self.tokens.error(MapError::RuleId(id)));
		}
		if self.rule_lines.insert(id, line).is_some() {
			return Err(self.twice("rule", &id.to_string()));
		}
		if let Some(name) = name {
			if self.rule_names.values().any(|known| known == name) {
				return Err(self.twice("rule", name));
			}
			self.rule_names.insert(id, name.to_string());
		}
		self.rules.push(Rule { id, steps });
		Ok(())
	}

	/// Takes a step, after the word itself; `None` if it says only what holds anyway.
	fn step(&mut self) -> Result<Option<Step>, TextError> {
		let word = self.tokens.name("a step")?;
		if let Some((name, needed)) = FIXED.into_iter().find(|fixed| fixed.0 == word) {
			let value = self.tokens.number("a number")?;
			if value != needed {
				return Err(self.tokens.error(TextErrorKind::Tunable {
					name,
					value,
					needed,
				}));
			}
			return Ok(None);
		}
		let step = match word {
			"take" => self.take_step()?,
			"set_choose_tries" => Step::SetChooseTries(self.tokens.number("a number of tries")?),
			"set_chooseleaf_tries" => {
				Step::SetChooseleafTries(self.tokens.number("a number of tries")?)
			}
			"choose" | "chooseleaf" => {
				let indep = match self.tokens.name("`firstn` or `indep`")? {
					"firstn" => false,
					"indep" => true,
					other => return Err(self.tokens.unexpected("`firstn` or `indep`", other)),
				};
				let count = self.tokens.number("how many to choose")?;
				self.tokens.expect("type")?;
				let name = self.tokens.name("a type name")?;
				let Some(&kind) = self.kinds.get(name) else {
					return Err(self.unknown("type", name));
				};
				Step::Choose {
					leaf: word == "chooseleaf",
					indep,
					count,
					kind,
				}
			}
			"emit" => Step::Emit,
			other => return Err(self.tokens.unexpected("a step", other)),
		};
		Ok(Some(step))
	}

	fn take_step(&mut self) -> Result<Step, TextError> {
		let name = self.tokens.name("a bucket name")?;
		let item = self.item_id(name)?;
		if !self.tokens.take_if("class") {
			return Ok(Step::Take(item));
		}
		let class_name = self.tokens.name("a device class")?;
		let shadow = self
			.classes
			.find(class_name)
			.and_then(|class| self.classes.shadow(item, class));
		let Some(shadow) = shadow else {
			return Err(self.unknown("device class", class_name));
		};
		self.takes_class = true;
		Ok(Step::Take(shadow))
	}
}
