//! A map as the text that `crushtool -c` reads.

use arion_crush::{map::Step, Bucket, CrushMap};
use std::fmt::Write;

/// What the types of a sample map are called.
const KINDS: [&str; 5] = ["node", "host", "family", "zone", "root"];

/// The text of a sample map.
pub(crate) fn write(map: &CrushMap) -> String {
	let mut text = String::new();
	// Writing to a string cannot fail.
	let _ = write_to(map, &mut text);
	text
}

fn write_to(map: &CrushMap, text: &mut String) -> std::fmt::Result {
	for (name, value) in [
		("choose_local_tries", 0),
		("choose_local_fallback_tries", 0),
		("choose_total_tries", 50),
		("chooseleaf_descend_once", 1),
		("chooseleaf_vary_r", 1),
		("chooseleaf_stable", 1),
		("straw_calc_version", 1),
		("allowed_bucket_algs", 54),
	] {
		writeln!(text, "tunable {name} {value}")?;
	}
	for device in map.devices() {
		writeln!(text, "device {device} node.{device}")?;
	}
	for (kind, name) in KINDS.iter().enumerate() {
		writeln!(text, "type {kind} {name}")?;
	}
	// Children come first.
	let mut buckets: Vec<Bucket> = map.buckets().collect();
	buckets.sort_by_key(|bucket| bucket.kind);
	for bucket in &buckets {
		writeln!(text, "{} {} {{", kind(bucket.kind), name(bucket.id))?;
		writeln!(text, "\tid {}\n\talg straw2\n\thash 0", bucket.id)?;
		for item in &bucket.items {
			write!(text, "\titem {}", name(item.id))?;
			// A bucket's weight is the sum of its items' where none is given. A device's is cut to
			// 16 binary places after reading, so half of the last one is added.
			if item.id >= 0 {
				write!(
					text,
					" weight {:.7}",
					(f64::from(item.weight) + 0.5) / 65_536.0
				)?;
			}
			writeln!(text)?;
		}
		writeln!(text, "}}")?;
	}
	for rule in map.rules() {
		writeln!(
			text,
			"rule rule{} {{\n\tid {}\n\ttype erasure",
			rule.id, rule.id
		)?;
		writeln!(text, "\tmin_size 1\n\tmax_size 40")?;
		for step in &rule.steps {
			write_step(step, text)?;
		}
		writeln!(text, "}}")?;
	}
	Ok(())
}

fn write_step(step: &Step, text: &mut String) -> std::fmt::Result {
	match step {
		Step::Take(id) => writeln!(text, "\tstep take {}", name(*id)),
		Step::SetChooseTries(tries) => writeln!(text, "\tstep set_choose_tries {tries}"),
		Step::SetChooseleafTries(tries) => writeln!(text, "\tstep set_chooseleaf_tries {tries}"),
		Step::Choose {
			leaf,
			indep,
			count,
			kind: of,
		} => {
			let step = if *leaf { "chooseleaf" } else { "choose" };
			let mode = if *indep { "indep" } else { "firstn" };
			writeln!(text, "\tstep {step} {mode} {count} type {}", kind(*of))
		}
		Step::Emit => writeln!(text, "\tstep emit"),
	}
}

fn kind(kind: u16) -> &'static str {
	KINDS.get(usize::from(kind)).copied().unwrap_or("unknown")
}

fn name(id: i32) -> String {
	match id {
		device @ 0.. => format!("node.{device}"),
		bucket => format!("bucket{}", bucket.unsigned_abs()),
	}
}
