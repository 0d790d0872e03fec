//! Text maps of other systems.

use arion_crush::{mapper::do_rule, text, DrawMeter, Reweights};

/// Parses; what is valid must map within its draws or say that it cannot.
pub fn run(data: &[u8]) {
	let Ok(source) = std::str::from_utf8(data) else {
		return;
	};
	let _ = text::weight(source);
	let Ok(parsed) = text::parse(source) else {
		return;
	};
	let reweights = Reweights::all_in(&parsed.map);
	for rule in parsed.map.rules().iter().take(4) {
		for x in [0, 7] {
			let mut meter = DrawMeter::new(5000);
			if let Ok(found) = do_rule(&parsed.map, rule.id, x, 30, &reweights, &mut meter) {
				assert!(found.len() <= 30);
			}
		}
	}
}

const SMALL: &str = "tunable choose_local_tries 0
tunable choose_local_fallback_tries 0
tunable choose_total_tries 50
tunable chooseleaf_descend_once 1
tunable chooseleaf_vary_r 1
tunable chooseleaf_stable 1
tunable straw_calc_version 1
tunable allowed_bucket_algs 54

device 0 osd.0 class hdd
device 1 osd.1 class hdd
device 2 osd.2 class ssd

type 0 osd
type 1 host
type 2 root

host a {
	id -1
	id -2 class hdd
	alg straw2
	hash 0
	item osd.0 weight 1.000
	item osd.1 weight 2.500
}
host b {
	id -3
	alg straw2
	hash 0
	item osd.2 weight 0.500
}
root default {
	id -4
	alg straw2
	hash 0
	item a weight 3.500
	item b weight 0.500
}

rule r {
	id 0
	type erasure
	step set_chooseleaf_tries 5
	step set_choose_tries 100
	step take default
	step chooseleaf indep 0 type host
	step emit
}

choose_args 0 {
  {
    bucket_id -4
    weight_set [
      [ 1.000 2.000 ]
    ]
    ids [ -1 -3 ]
  }
}
";

/// A small map, and pieces of it.
pub fn seeds() -> Vec<Vec<u8>> {
	let without_args = SMALL.split("choose_args").next().unwrap_or_default();
	[SMALL, without_args, "1.25", "# nothing\n"]
		.map(|text| text.as_bytes().to_vec())
		.into()
}
