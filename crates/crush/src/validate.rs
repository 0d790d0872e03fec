//! What a map must satisfy before anything is drawn from it.

use crate::error::MapError;
use crate::map::{
	position, Bucket, Rule, Step, MAX_BUCKETS, MAX_BUCKET_WEIGHT, MAX_DEPTH, MAX_DEVICE_ID,
	MAX_DEVICE_WEIGHT, MAX_FAN_OUT, MAX_RULES, MAX_RULE_STEPS, MAX_SLOTS, MAX_TRIES,
	MAX_WEIGHT_SETS,
};
use alloc::vec::Vec;

/// Checks the hierarchy; `buckets` are sorted by descending id.
pub(crate) fn buckets(buckets: &[Bucket]) -> Result<(), MapError> {
	if buckets.len() > MAX_BUCKETS {
		return Err(MapError::TooManyBuckets(buckets.len()));
	}
	for bucket in buckets {
		if bucket.id >= 0 {
			return Err(MapError::BucketIdNotNegative(bucket.id));
		}
	}
	if let Some(pair) = buckets.windows(2).find(|pair| pair[0].id == pair[1].id) {
		return Err(MapError::DuplicateBucket(pair[0].id));
	}
	for bucket in buckets {
		items(bucket, buckets)?;
		weights(bucket)?;
		choose_args(bucket)?;
	}
	one_parent(buckets)?;
	depth(buckets)
}

fn items(bucket: &Bucket, buckets: &[Bucket]) -> Result<(), MapError> {
	if bucket.kind == 0 {
		return Err(MapError::BucketIsDevice(bucket.id));
	}
	if bucket.items.len() > MAX_FAN_OUT {
		return Err(MapError::FanOut {
			bucket: bucket.id,
			items: bucket.items.len(),
		});
	}
	for item in &bucket.items {
		if item.id > MAX_DEVICE_ID {
			return Err(MapError::DeviceId {
				bucket: bucket.id,
				device: item.id as u32,
			});
		}
		if item.id >= 0 {
			continue;
		}
		let child = position(buckets, item.id).ok_or(MapError::UnknownItem {
			bucket: bucket.id,
			item: item.id,
		})?;
		if buckets[child].kind >= bucket.kind {
			return Err(MapError::ChildType {
				bucket: bucket.id,
				item: item.id,
			});
		}
		if buckets[child].class != bucket.class {
			return Err(MapError::ChildClass {
				bucket: bucket.id,
				item: item.id,
			});
		}
	}
	Ok(())
}

fn weights(bucket: &Bucket) -> Result<(), MapError> {
	for item in &bucket.items {
		let max = if item.id < 0 {
			MAX_BUCKET_WEIGHT
		} else {
			MAX_DEVICE_WEIGHT
		};
		if item.weight > max {
			let (item, weight) = (item.id, item.weight);
			return Err(MapError::ItemWeight {
				bucket: bucket.id,
				item,
				weight,
			});
		}
	}
	match bucket.weight() {
		Some(sum) if sum <= MAX_BUCKET_WEIGHT => Ok(()),
		_ => Err(MapError::BucketWeight(bucket.id)),
	}
}

fn choose_args(bucket: &Bucket) -> Result<(), MapError> {
	let Some(args) = &bucket.args else {
		return Ok(());
	};
	let len = bucket.items.len();
	let fits = (args.ids.is_empty() || args.ids.len() == len)
		&& args.weight_sets.len() <= MAX_WEIGHT_SETS
		&& args.weight_sets.iter().all(|row| row.len() == len);
	if fits {
		Ok(())
	} else {
		Err(MapError::ChooseArgs(bucket.id))
	}
}

/// Within one class's tree, each item stands once.
fn one_parent(buckets: &[Bucket]) -> Result<(), MapError> {
	let key = |class: u16, item: i32| u64::from(class) << 32 | u64::from(item as u32);
	let keys = buckets.iter().flat_map(|bucket| {
		let items = bucket.items.iter();
		items.map(move |item| key(bucket.class, item.id))
	});
	let mut keys: Vec<u64> = keys.collect();
	keys.sort_unstable();
	let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) else {
		return Ok(());
	};
	// By descending id, the last bucket that has the item is not the first that has it.
	let held = |bucket: &Bucket| {
		let mut items = bucket.items.iter();
		items
			.find(|item| key(bucket.class, item.id) == pair[0])
			.copied()
	};
	let last = buckets
		.iter()
		.rev()
		.find_map(|bucket| Some((bucket.id, held(bucket)?)));
	match last {
		Some((bucket, item)) => Err(MapError::ItemTwice {
			bucket,
			item: item.id,
		}),
		None => Ok(()),
	}
}

/// Types fall on the way down, so taking the buckets by ascending type meets children first.
fn depth(buckets: &[Bucket]) -> Result<(), MapError> {
	let mut order: Vec<usize> = (0..buckets.len()).collect();
	order.sort_unstable_by_key(|at| buckets[*at].kind);
	let mut depths = alloc::vec![0usize; buckets.len()];
	for at in order {
		let below = buckets[at]
			.items
			.iter()
			.filter_map(|item| position(buckets, item.id))
			.map(|child| depths[child])
			.max();
		depths[at] = 1 + below.unwrap_or(0);
		if depths[at] > MAX_DEPTH {
			return Err(MapError::TooDeep(buckets[at].id));
		}
	}
	Ok(())
}

/// Checks the rules against the hierarchy; both sorted.
pub(crate) fn rules(rules: &[Rule], buckets: &[Bucket]) -> Result<(), MapError> {
	for rule in rules {
		if rule.id >= MAX_RULES {
			return Err(MapError::RuleId(rule.id));
		}
		if rule.steps.len() > MAX_RULE_STEPS {
			return Err(MapError::RuleTooLong(rule.id));
		}
		for step in &rule.steps {
			self::step(rule.id, step, buckets)?;
		}
	}
	match rules.windows(2).find(|pair| pair[0].id == pair[1].id) {
		Some(pair) => Err(MapError::DuplicateRule(pair[0].id)),
		None => Ok(()),
	}
}

fn step(rule: u32, step: &Step, buckets: &[Bucket]) -> Result<(), MapError> {
	match *step {
		Step::Take(item) if item > MAX_DEVICE_ID => Err(MapError::UnknownTake { rule, item }),
		Step::Take(item) if item < 0 && position(buckets, item).is_none() => {
			Err(MapError::UnknownTake { rule, item })
		}
		Step::SetChooseTries(tries) | Step::SetChooseleafTries(tries) if tries > MAX_TRIES => {
			Err(MapError::RuleTries { rule, tries })
		}
		Step::Choose { count, .. } if count.unsigned_abs() > MAX_SLOTS => {
			Err(MapError::RuleCount { rule, count })
		}
		_ => Ok(()),
	}
}
