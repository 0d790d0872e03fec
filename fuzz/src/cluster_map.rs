//! Cluster maps from peers and from the chain.

use arion_crush::{
	diff, ClusterMap, FailureDomain, FamilyBucket, HostBucket, MapNode, PlacementRule, UpmapItem,
	ZoneBucket,
};
use codec::Encode;
use hippius_primitives::StripeId;

/// Decodes; what is valid must give slots, or a typed error, for every placement group.
pub fn run(data: &[u8]) {
	let Ok(map) = ClusterMap::decode_checked(data) else {
		return;
	};
	assert_eq!(
		ClusterMap::decode_checked(&map.encode()).as_ref(),
		Ok(&map),
		"what is valid stays valid"
	);
	let placement = map.placement().unwrap();
	assert!(map.pg_of(&StripeId([0xff; 32])) < map.pg_num);
	for pg in [0, 1, map.pg_num / 2, map.pg_num - 1] {
		if let Ok(slots) = placement.up(pg) {
			assert_eq!(slots.len(), 30);
			let raw = placement.raw(pg).unwrap();
			let mut own = map.exceptions.clone();
			own.retain(|item| item.pg == pg);
			placement.retain_valid(&mut own);
			let expected = placement.up_with(pg, &own).unwrap();
			assert_eq!(slots, expected, "what is not allowed changes nothing");
			let moved = raw.iter().zip(&slots).filter(|(raw, slot)| raw != slot);
			assert_eq!(moved.count(), own.len());
			let mut nodes: Vec<_> = slots.into_iter().flatten().collect();
			assert!(nodes.iter().all(|node| placement.contains(*node)));
			let all = nodes.len();
			nodes.sort_unstable();
			nodes.dedup();
			assert_eq!(nodes.len(), all, "a node twice");
		}
	}
	assert!(placement.up(map.pg_num).is_err());
	if map.pg_num <= 16 {
		if let Ok(table) = placement.table(1) {
			let _ = diff(&table, &table, |node| node % 2 == 0);
		}
	}
}

fn map(zones: u8, families: i32, hosts: i32) -> ClusterMap {
	let mut next = 0;
	let mut id = || {
		next -= 1;
		next
	};
	let mut node = 0;
	ClusterMap::plain(
		3,
		8,
		1,
		PlacementRule::new(30 / zones, FailureDomain::Host),
		(0..zones)
			.map(|zone| ZoneBucket {
				zone,
				id: id(),
				families: (0..families)
					.map(|_| FamilyBucket {
						id: id(),
						hosts: (0..hosts)
							.map(|_| HostBucket {
								id: id(),
								nodes: {
									node += 1;
									vec![MapNode {
										index: node,
										weight: 0x10000 * (1 + node % 3),
										reweight: 0x10000 - 0x1000 * (node % 2),
									}]
								},
							})
							.collect(),
					})
					.collect(),
			})
			.collect(),
	)
}

/// Small maps, some with exceptions.
pub fn seeds() -> Vec<Vec<u8>> {
	let seeds: Vec<_> = [(1, 4, 9), (2, 3, 6), (3, 4, 1), (6, 5, 1)]
		.map(|(zones, families, hosts)| map(zones, families, hosts).encode())
		.into();
	let mut seeds = seeds;
	for (zones, families, hosts) in [(1, 4, 9), (3, 4, 3)] {
		let mut excepted = map(zones, families, hosts);
		let placement = excepted.placement().unwrap();
		for pg in [0, 1, 7] {
			let raw = placement.raw(pg).unwrap();
			let free: Vec<_> = placement
				.nodes()
				.filter(|node| !raw.contains(&Some(*node)))
				.collect();
			let mut held: Vec<_> = raw.iter().flatten().copied().collect();
			held.sort_unstable();
			let items = held.into_iter().zip(free).take(4);
			excepted
				.exceptions
				.extend(items.map(|(from, to)| UpmapItem { pg, from, to }));
		}
		assert!(!excepted.exceptions.is_empty());
		seeds.push(excepted.encode());
	}
	assert!(seeds
		.iter()
		.all(|seed| ClusterMap::decode_checked(seed).is_ok()));
	seeds
}
