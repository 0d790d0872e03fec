//! Prints how much data the `takes` rule moves when a map changes, and what balancing takes, on the
//! sample maps: `cargo run --release -p arion-crush --example crush-figures`.

use arion_crush::{
	diff,
	samples::{self, Shape},
	BalanceOptions, ClusterMap, MapNode, PgTable, WEIGHT_ONE,
};
use std::error::Error;

/// Enough that chance does not show in the figures.
const GROUPS: u32 = 1 << 15;

fn main() -> Result<(), Box<dyn Error>> {
	for (name, map) in [
		("300 nodes", samples::small()),
		("2000 nodes", samples::large()),
	] {
		movement(name, map)?;
	}
	println!("\nbalance: slots above the share, before and after");
	let even = |pg_num| {
		samples::cluster(Shape {
			zones: 6,
			families: 8,
			hosts: 144,
			nodes: 288,
			pg_num,
			even: true,
		})
	};
	balance("288 equal nodes, 960 groups", &even(1024), 960)?;
	balance("288 equal nodes, 1920 groups", &even(2048), 1920)?;
	balance("300 nodes, 1024 groups", &samples::small(), 1024)?;
	balance("2000 nodes, 8192 groups", &samples::large(), 8192)
}

fn movement(name: &str, mut map: ClusterMap) -> Result<(), Box<dyn Error>> {
	map.pg_num = GROUPS;
	let total: u64 = map.nodes().map(|node| u64::from(node.weight)).sum();
	let before = map.placement()?.table(2)?;
	println!("\n{name}, {GROUPS} groups, one take per zone");
	println!("| change | weight % | minimum % | moved % | moved/minimum |");
	println!("| --- | --- | --- | --- | --- |");
	for (change, apply) in CHANGES {
		let mut map = map.clone();
		let Some(weight) = apply(&mut map) else {
			return Err(format!("the map {name} has nothing to {change}").into());
		};
		let after = map.placement()?.table(2)?;
		let totals = diff(&before, &after, |_| false)?.totals();
		let percent = |part: u64, of: u64| part as f64 * 100.0 / of as f64;
		println!(
			"| {change} | {:.3} | {:.3} | {:.3} | {:.2} |",
			percent(weight, total),
			percent(totals.minimum, totals.slots),
			percent(totals.moved, totals.slots),
			totals.moved as f64 / totals.minimum as f64,
		);
	}
	Ok(())
}

/// Changes a map and gives the weight that the change touches.
type Change = fn(&mut ClusterMap) -> Option<u64>;

const CHANGES: [(&str, Change); 7] = [
	("add one node", |map| {
		let index = map.nodes().count() as u32;
		let host = map
			.zones
			.get_mut(2)?
			.families
			.get_mut(3)?
			.hosts
			.first_mut()?;
		host.nodes.push(node(index));
		Some(u64::from(WEIGHT_ONE))
	}),
	("add a host of 3", |map| {
		let index = map.nodes().count() as u32;
		let family = map.zones.get_mut(2)?.families.get_mut(3)?;
		let mut host = family.hosts.first()?.clone();
		host.id = -1_000_000;
		host.nodes = (index..index + 3).map(node).collect();
		family.hosts.push(host);
		Some(3 * u64::from(WEIGHT_ONE))
	}),
	("add a family", |map| {
		let index = map.nodes().count() as u32;
		let zone = map.zones.get_mut(2)?;
		let mut family = zone.families.first()?.clone();
		family.id = -1_000_000;
		let mut host = family.hosts.first()?.clone();
		host.id = -1_000_001;
		host.nodes = (index..index + 6).map(node).collect();
		family.hosts = vec![host];
		zone.families.push(family);
		Some(6 * u64::from(WEIGHT_ONE))
	}),
	("remove a family", |map| {
		let families = &mut map.zones.get_mut(2)?.families;
		let family = (families.len() > 3).then(|| families.remove(3))?;
		let nodes = family.hosts.iter().flat_map(|host| &host.nodes);
		Some(nodes.map(|node| u64::from(node.weight)).sum())
	}),
	("halve one node", |map| {
		let node = first_node(map)?;
		node.weight /= 2;
		Some(u64::from(node.weight))
	}),
	("mark one node out", |map| {
		let node = first_node(map)?;
		node.reweight = 0;
		Some(u64::from(node.weight))
	}),
	("mark a family out", |map| {
		let family = map.zones.get_mut(2)?.families.get_mut(3)?;
		let mut weight = 0;
		for node in family.hosts.iter_mut().flat_map(|host| &mut host.nodes) {
			node.reweight = 0;
			weight += u64::from(node.weight);
		}
		Some(weight)
	}),
];

fn node(index: u32) -> MapNode {
	MapNode {
		index,
		weight: WEIGHT_ONE,
		reweight: WEIGHT_ONE,
	}
}

fn first_node(map: &mut ClusterMap) -> Option<&mut MapNode> {
	let families = &mut map.zones.get_mut(2)?.families;
	families.get_mut(3)?.hosts.first_mut()?.nodes.first_mut()
}

fn balance(name: &str, map: &ClusterMap, groups: u32) -> Result<(), Box<dyn Error>> {
	let placement = map.placement()?;
	let table = placement.table_of(0..groups, 2)?;
	for max_deviation in [1, 5] {
		let options = BalanceOptions {
			max_deviation,
			..BalanceOptions::default()
		};
		let found = placement.balance(&table, &[], &options)?;
		let mut touched: Vec<_> = found.items.iter().map(|item| item.pg).collect();
		touched.dedup();
		println!(
			"{name}, to within {max_deviation}: +{} -{} to +{} -{} with {} exceptions, {:.2} % of the \
			 slots, in {} groups; every plan needs {}",
			found.before.max_excess,
			found.before.max_lack,
			found.after.max_excess,
			found.after.max_lack,
			found.items.len(),
			found.items.len() as f64 * 100.0 / (f64::from(groups) * 30.0),
			touched.len(),
			least(map, &table, max_deviation),
		);
	}
	Ok(())
}

/// For equal nodes: the slots above the highest allowed number, or missing to the lowest.
fn least(map: &ClusterMap, table: &PgTable, max_deviation: u32) -> String {
	let mut nodes = map.nodes();
	let first = nodes.next().map(|node| node.weight);
	if nodes.any(|node| Some(node.weight) != first) {
		return "an unknown number".into();
	}
	let share = (table.pgs().len() * 30 / map.nodes().count()) as u32;
	let loads = table.loads();
	let load = |node: &MapNode| loads.get(&Some(node.index)).copied().unwrap_or(0);
	let (mut above, mut below) = (0, 0);
	for load in map.nodes().map(load) {
		above += load.saturating_sub(share + max_deviation);
		below += (share - max_deviation).saturating_sub(load);
	}
	above.max(below).to_string()
}
