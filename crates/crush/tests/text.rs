//! The text parser: what it reads, and what it refuses, with which error in which line.

#![allow(clippy::unwrap_used)]

use arion_crush::{
	map::{Reweights, Step},
	mapper::do_rule,
	text::{parse, weight, TextError, TextErrorKind},
	Bucket, CrushMap, DrawMeter, MapError,
};
use std::fmt::Write;

const TUNABLES: &str = "tunable choose_local_tries 0
tunable choose_local_fallback_tries 0
tunable choose_total_tries 50
tunable chooseleaf_descend_once 1
tunable chooseleaf_vary_r 1
tunable chooseleaf_stable 1
";

/// Seven lines of head (the first is line 1), then the two types, then `body` from line 10 on.
fn with_head(body: &str) -> String {
	format!("# begin\n{TUNABLES}type 0 osd\ntype 1 host\n{body}")
}

fn refused(body: &str) -> TextError {
	parse(&with_head(body)).unwrap_err()
}

fn map(body: &str) -> CrushMap {
	parse(&with_head(body)).unwrap().map
}

fn bucket(map: &CrushMap, id: i32) -> Bucket {
	map.buckets().find(|bucket| bucket.id == id).unwrap()
}

fn weights(map: &CrushMap, id: i32) -> Vec<(i32, u32)> {
	bucket(map, id)
		.items
		.iter()
		.map(|item| (item.id, item.weight))
		.collect()
}

#[test]
fn weights_are_cut_single_precision() {
	assert_eq!(weight("1"), Some(65_536));
	assert_eq!(weight("1.000"), Some(65_536));
	assert_eq!(weight("0.00001"), Some(0));
	assert_eq!(weight("0.3"), Some(19_660));
	assert_eq!(weight("6.955352783203125"), Some(455_826));
	assert_eq!(weight("65535.99"), Some(4294966528));
	for bad in [
		"",
		"x",
		"-1",
		"65536",
		"65535.999",
		"1e30",
		"nan",
		"inf",
		"0x10",
		"1.0.0",
	] {
		assert_eq!(weight(bad), None, "{bad}");
	}
}

#[test]
fn defaults_positions_and_comments() {
	let map = map("device 0 a # the first\ndevice 1 b\ndevice 2 c\n\
		host h0 { id -5 alg straw2 hash rjenkins1 item a pos 2 item b weight 2.5 item c }\n\
		type 2 root root r { alg straw2\n item h0\n}\n");
	assert_eq!(weights(&map, -5), [(1, 163_840), (2, 65_536), (0, 65_536)]);
	// No id given: the highest free one. No weight given: the sum of the children.
	assert_eq!(weights(&map, -1), [(-5, 163_840 + 2 * 65_536)]);
}

#[test]
fn numbers_of_rules_may_be_negative_counts() {
	let map = map(
		"device 0 a\nhost h { id -1 alg straw2 hash 0 item a weight 1 }\n\
		rule x { ruleset 7 type erasure min_size 1 max_size 9 step set_chooseleaf_vary_r 1 \
		step take h step choose indep -2 type osd step emit }",
	);
	let choose = Step::Choose {
		leaf: false,
		indep: true,
		count: -2,
		kind: 0,
	};
	assert_eq!(
		map.rule(7).unwrap().steps,
		[Step::Take(-1), choose, Step::Emit]
	);
}

#[test]
fn device_classes_make_shadow_trees() {
	let body = "device 0 a class ssd\ndevice 1 b class hdd\ndevice 2 c class ssd\ndevice 3 d\n\
		host h0 { id -2 id -9 class hdd alg straw2 hash 0 item a weight 1 item b weight 2 }\n\
		host h1 { id -3 alg straw2 hash 0 item c weight 4 item d weight 8 }\n\
		type 2 root root r { id -1 alg straw2 hash 0 item h0 item h1 }\n\
		rule ssd { id 0 type erasure step take r class ssd step chooseleaf indep 0 type host \
		step emit }\n\
		rule hdd { id 1 type erasure step take r class hdd step choose indep 0 type osd step emit }";
	let map = map(body);
	// Free ids go to children first, classes in order of mention: ssd h0, h1, r; then hdd h1, r.
	assert_eq!(map.rule(0).unwrap().steps[0], Step::Take(-6));
	assert_eq!(weights(&map, -4), [(0, 65_536)]);
	assert_eq!(weights(&map, -5), [(2, 4 * 65_536)]);
	assert_eq!(weights(&map, -6), [(-4, 65_536), (-5, 4 * 65_536)]);
	assert_eq!(weights(&map, -9), [(1, 2 * 65_536)]);
	assert_eq!(weights(&map, -7), []);
	assert_eq!(map.rule(1).unwrap().steps[0], Step::Take(-8));
	let reweights = Reweights::all_in(&map);
	for x in 0..200 {
		let mut meter = DrawMeter::new(10_000);
		let mut ssd = do_rule(&map, 0, x, 2, &reweights, &mut meter).unwrap();
		ssd.sort_unstable();
		assert_eq!(ssd, [0, 2]);
		assert_eq!(do_rule(&map, 1, x, 1, &reweights, &mut meter).unwrap(), [1]);
	}
}

#[test]
fn a_whole_map_error_names_the_bucket_s_line() {
	let error = refused("device 0 a\nhost h { id -1 alg straw2 hash 0\n item a weight 101\n}\n");
	assert_eq!(error.line, 11);
	let kind = MapError::ItemWeight {
		bucket: -1,
		item: 0,
		weight: 101 << 16,
	};
	assert_eq!(error.kind, TextErrorKind::Map(kind));
	assert_eq!(
		error.to_string(),
		"line 11: item 0 of bucket -1 weighs 101.000, more than the 100.000 allowed"
	);
}

/// Each text with the line and the beginning of the message it must be refused with.
#[test]
fn bad_texts_are_refused_with_their_line() {
	let host = |name: &str, rest: &str| format!("host {name} {{ {rest} alg straw2 hash 0 }}\n");
	let h = "host h { id -1 alg straw2 hash 0 }\n";
	let rule = |steps: &str| format!("{h}rule r {{ id 0 type erasure {steps} }}\n");
	let cases: Vec<(String, usize, &str)> = vec![
		(
			"device 0 a\ndevice 0 b".into(),
			11,
			"device `0` is defined twice",
		),
		(
			"device 0 a\ndevice 1 a".into(),
			11,
			"device `a` is defined twice",
		),
		("device -1 a".into(), 10, "expected a device id, found `-1`"),
		("device 2147483646 a".into(), 10, "expected a device id"),
		("device 99999999999 a".into(), 10, "expected a device id"),
		(
			"device 0".into(),
			10,
			"the map ends where a device name should follow",
		),
		("device 0 {".into(), 10, "expected a device name, found `{`"),
		("device 0 a~b".into(), 10, "character '~'"),
		("device 0 é".into(), 10, "character 'é'"),
		("type 1 rack".into(), 10, "type `1` is defined twice"),
		("type 2 host".into(), 10, "type `host` is defined twice"),
		("type 65536 x".into(), 10, "expected a type number"),
		(
			"rack r { }".into(),
			10,
			"type `rack` is not defined above this line",
		),
		(host("h", "id 1"), 10, "bucket id 1 is not negative"),
		(
			host("h", "id -1 id -2"),
			10,
			"id of bucket `h` is defined twice",
		),
		(
			host("h", "id -1 item x"),
			10,
			"device or bucket `x` is not defined above this line",
		),
		(
			host("h", "id -1 item h"),
			10,
			"device or bucket `h` is not defined above this line",
		),
		(
			host("h", "id -1") + &host("i", "id -1"),
			11,
			"bucket `-1` is defined twice",
		),
		(
			host("h", "id -1") + &host("h", "id -2"),
			11,
			"bucket `h` is defined twice",
		),
		(
			host("h", "id -1 id -1 class c"),
			10,
			"bucket `-1` is defined twice",
		),
		(
			host("h", "id -1 id -3 class c") + &host("i", "id -3"),
			11,
			"bucket `-3` is defined",
		),
		(
			host("h", "id -1") + &host("i", "id -2 item h"),
			11,
			"bucket -1 inside bucket -2 is not",
		),
		(
			"osd o { id -1 alg straw2 }".into(),
			10,
			"bucket -1 has type 0",
		),
		(
			"host h { id -1 hash 0 }".into(),
			10,
			"bucket `h` names no algorithm",
		),
		(
			"host h { id -1 alg straw hash 0 }".into(),
			10,
			"bucket algorithm `straw`",
		),
		(
			"host h { id -1 alg uniform }".into(),
			10,
			"bucket algorithm `uniform`",
		),
		(
			"host h { id -1 alg straw2 hash 1 }".into(),
			10,
			"bucket hash `1`",
		),
		(
			"host h { id -1 alg straw2 size 3 }".into(),
			10,
			"expected `id`, `alg`, `hash`",
		),
		("host h { id -1 alg straw2".into(), 10, "the map ends where"),
		(
			"device 0 a\n".to_string() + &host("h", "id -1 item a weight -1"),
			11,
			"`-1` is not a wei",
		),
		(
			"device 0 a\n".to_string() + &host("h", "id -1 item a weight x"),
			11,
			"`x` is not a wei",
		),
		(
			"device 0 a\n".to_string() + &host("h", "item a pos 1"),
			11,
			"item position 1 is taken",
		),
		(
			"device 0 a\n".to_string() + &host("h", "item a item a"),
			11,
			"item 0 stands a second",
		),
		(
			"device 0 a\n".to_string() + &host("h", "item a") + &host("i", "item a"),
			12,
			"item 0 stands a second time in bucket -2",
		),
		(rule("step take x"), 11, "device or bucket `x`"),
		(rule("step take h class c"), 11, "device class `c`"),
		(rule("step choose indep 0 type rack"), 11, "type `rack`"),
		(
			rule("step choose any 0 type osd"),
			11,
			"expected `firstn` or `indep`, found `any`",
		),
		(
			rule("step choose indep 5000 type osd"),
			11,
			"rule 0 chooses 5000",
		),
		(
			rule("step set_choose_tries 70000"),
			11,
			"rule 0 sets 70000 tries",
		),
		(
			rule("step set_choose_tries -1"),
			11,
			"expected a number of tries",
		),
		(
			rule("step set_chooseleaf_vary_r 0"),
			11,
			"`set_chooseleaf_vary_r` is 0; only 1",
		),
		(rule("step jump"), 11, "expected a step, found `jump`"),
		(rule("type other"), 11, "expected `replicated` or `erasure`"),
		(
			rule("") + "rule s { id 0 type erasure }",
			12,
			"rule `0` is defined twice",
		),
		(
			rule("") + "rule r { id 1 type erasure }",
			12,
			"rule `r` is defined twice",
		),
		("rule r { id 256 type erasure }".into(), 10, "rule id 256"),
		(
			"rule r { type erasure }".into(),
			10,
			"expected the rule's id",
		),
		("tunable speed 1".into(), 10, "tunable `speed` is not known"),
		(
			"tunable chooseleaf_stable 0".into(),
			10,
			"`chooseleaf_stable` is 0; only 1",
		),
		(
			"tunable choose_total_tries 100".into(),
			10,
			"`choose_total_tries` is 100; only 50",
		),
		(
			"choose_args 0 { { bucket_id -1 } }".into(),
			10,
			"bucket `-1` is not defined above",
		),
		(
			h.to_string() + "choose_args 0 { { bucket_id -1 ids [ 1 ] } }",
			10,
			"the choose_args of",
		),
		(
			h.to_string() + "choose_args 0 { } choose_args 0 { }",
			11,
			"choose_args `0` is defined",
		),
		("}".into(), 10, "type `}` is not defined above this line"),
	];
	for (body, line, message) in cases {
		let error = refused(&body);
		assert_eq!(error.line, line, "{body}: {error}");
		assert!(
			error.kind.to_string().starts_with(message),
			"{body}: {error}"
		);
	}
}

#[test]
fn a_map_without_tunables_has_other_ones() {
	let error = parse("device 0 a\n").unwrap_err();
	assert_eq!(
		error.to_string(),
		"line 1: `choose_local_tries` is 2; only 0, as in the jewel profile, is supported"
	);
}

#[test]
fn too_wide_too_deep_too_heavy() {
	let mut wide = String::new();
	for device in 0..257 {
		writeln!(wide, "device {device} d{device}").unwrap();
	}
	wide += "host h { id -1 alg straw2 hash 0";
	for device in 0..257 {
		write!(wide, " item d{device} weight 1").unwrap();
	}
	let error = refused(&(wide + " }"));
	assert_eq!(
		error.kind,
		TextErrorKind::Map(MapError::FanOut {
			bucket: -1,
			items: 257
		})
	);

	let chain = |levels: u16| {
		let mut text = String::from("device 0 d\nhost b1 { id -1 alg straw2 item d weight 1 }\n");
		for level in 2..=levels {
			let below = level - 1;
			writeln!(text, "type {level} t{level}\nt{level} b{level} {{ id -{level} alg straw2 item b{below} }}")
				.unwrap();
		}
		text
	};
	map(&chain(10));
	assert_eq!(
		refused(&chain(11)).kind,
		TextErrorKind::Map(MapError::TooDeep(-11))
	);

	let mut heavy = String::from("host h { id -1 alg straw2 }\nhost i { id -2 alg straw2 }\n");
	heavy += "type 2 root root r { id -3 alg straw2 item h weight 40000 item i weight 30000 }\n";
	assert_eq!(
		refused(&heavy).kind,
		TextErrorKind::Map(MapError::BucketWeight(-3))
	);
	let single = heavy.replace("40000", "65535.5").replace("30000", "0");
	assert!(matches!(
		refused(&single).kind,
		TextErrorKind::Map(MapError::ItemWeight {
			bucket: -3,
			item: -1,
			..
		})
	));
}

#[test]
fn texts_cut_anywhere_never_panic() {
	let whole = with_head(
		"device 0 a class ssd\ndevice 1 b\nhost h { id -1 id -2 class ssd alg straw2 hash 0 item a \
		weight 1.5 pos 0 item b }\nrule r { id 0 type erasure step take h class ssd step chooseleaf \
		indep 0 type osd step emit }\nchoose_args 3 { { bucket_id -1 weight_set [ [ 1 2 ] ] ids [ 5 6 ] \
		} }\n",
	);
	parse(&whole).unwrap();
	for end in 0..whole.len() {
		let _ = parse(&whole[..end]);
		let mut without = whole.clone();
		without.remove(end);
		let _ = parse(&without);
	}
}

#[test]
fn choose_args_and_device_classes_do_not_mix() {
	let body = "device 0 a class ssd\nhost h { id -1 alg straw2 hash 0 item a weight 1 }\n\
		rule r { id 0 type erasure step take h class ssd step choose indep 0 type osd step emit }\n\
		choose_args 0 { { bucket_id -1 weight_set [ [ 1 ] ] } }";
	assert!(matches!(refused(body).kind, TextErrorKind::Unsupported(_)));
}
