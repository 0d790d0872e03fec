use crate::oracle::{crush_map_pgs, OracleError, MAX_INPUTS, MAX_MAP_LEN, MAX_REWEIGHTS};
use arion_crush::{
	mapper::do_rule, Bucket, CrushMap, DrawMeter, Item, Reweights, Rule, Step, NONE, WEIGHT_ONE,
};
use codec::Encode;

/// 8 hosts with 4 devices each, and a rule that takes one device of each of N hosts.
fn crush_map() -> CrushMap {
	let hosts = (0..8).map(|host| {
		let devices = (0..4)
			.map(|device| Item {
				id: host * 4 + device,
				weight: WEIGHT_ONE,
			})
			.collect();
		Bucket::new(-2 - host, 1, devices)
	});
	let items = (0..8)
		.map(|host| Item {
			id: -2 - host,
			weight: 4 * WEIGHT_ONE,
		})
		.collect();
	let buckets = core::iter::once(Bucket::new(-1, 2, items))
		.chain(hosts)
		.collect();
	let choose = Step::Choose {
		leaf: true,
		indep: true,
		count: 0,
		kind: 1,
	};
	let rules = vec![Rule {
		id: 3,
		steps: vec![Step::Take(-1), choose, Step::Emit],
	}];
	CrushMap::new(buckets, rules).unwrap()
}

#[test]
fn it_is_the_calculator_input_by_input() {
	let map = crush_map();
	let mut weights = vec![WEIGHT_ONE; 32];
	weights[5] = 0;
	weights[6] = WEIGHT_ONE / 2;
	let xs: Vec<u32> = (0..200).collect();
	let lines = crush_map_pgs(&map.encode(), 3, 6, &xs, &weights).unwrap();
	let reweights = Reweights::new((0..).zip(weights.iter().copied()));
	for (x, line) in xs.into_iter().zip(lines) {
		let mut meter = DrawMeter::new(100_000);
		assert_eq!(
			do_rule(&map, 3, x, 6, &reweights, &mut meter),
			Ok(line.clone())
		);
		assert!(!line.contains(&5));
	}
}

#[test]
fn devices_beyond_the_reweights_are_out() {
	let lines = crush_map_pgs(&crush_map().encode(), 3, 6, &[1, 2, 3], &[]).unwrap();
	assert_eq!(lines, vec![vec![NONE; 6]; 3]);
	assert_eq!(
		crush_map_pgs(&crush_map().encode(), 3, 6, &[], &[]),
		Ok(vec![])
	);
}

#[test]
fn every_bound_has_its_error() {
	let map = crush_map().encode();
	let call = |map: &[u8], rule, num_rep, xs, reweights| {
		crush_map_pgs(
			map,
			rule,
			num_rep,
			&vec![0; xs],
			&vec![WEIGHT_ONE; reweights],
		)
	};
	assert_eq!(
		call(&vec![0; MAX_MAP_LEN + 1], 3, 6, 1, 32),
		Err(OracleError::MapTooLong)
	);
	assert_eq!(call(&map[1..], 3, 6, 1, 32), Err(OracleError::MalformedMap));
	assert_eq!(call(&[], 3, 6, 1, 32), Err(OracleError::MalformedMap));
	assert_eq!(
		call(&[&map[..], &[0]].concat(), 3, 6, 1, 32),
		Err(OracleError::MalformedMap)
	);
	assert_eq!(
		call(&map, 3, 6, MAX_INPUTS + 1, 32),
		Err(OracleError::TooManyInputs)
	);
	assert_eq!(
		call(&map, 3, 6, 1, MAX_REWEIGHTS + 1),
		Err(OracleError::TooManyReweights)
	);
	assert_eq!(call(&map, 4, 6, 1, 32), Err(OracleError::UnknownRule));
	assert_eq!(
		call(&map, 3, u32::MAX, 1, 32),
		Err(OracleError::TooManySlots)
	);
	assert_eq!(
		call(&map, 3, 4096, MAX_INPUTS, 32),
		Err(OracleError::DrawLimit)
	);
}
