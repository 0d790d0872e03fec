//! Shards that get lost.

use crate::{
	commands::CAPACITY_BYTES,
	error::{Context as _, Error, Result},
	network::Network,
	plan::MinerPlan,
	trials::chain,
};
use arion_crush::ClusterMap;
use arion_shard_store::{Item, Key, Namespace, StoreConfig, StoreError, StoreSet};
use futures_util::future::try_join_all;
use hippius_chain_client::{At, ChainClient};
use hippius_primitives::{Pg, StripeId};
use std::{
	collections::BTreeMap,
	path::{Path, PathBuf},
};

/// One in so many shards is lost.
const LOST_PART: usize = 20;

/// What groups hold, as far as one stripe is all of it.
pub(super) struct Ledgers {
	map: ClusterMap,
	/// The bytes a slot holds, of all groups whose audits are by all there is.
	bytes: BTreeMap<Pg, u64>,
}

impl Ledgers {
	pub(super) async fn read(client: &ChainClient) -> Result<Self> {
		let view = client.at(At::Best).await.map_err(chain)?;
		let map = view.cluster_map(None).await.map_err(chain)?;
		let map = map.ok_or_else(|| Error::Chain("the chain has no cluster map".into()))?;
		let ledgers = try_join_all((0..map.pg_num).map(|pg| view.ledger(pg)));
		let ledgers = ledgers.await.map_err(chain)?;
		let bytes = (0..)
			.zip(ledgers)
			.filter_map(|(pg, ledger)| {
				let ledger = ledger.filter(|ledger| ledger.peaks == ledger.challengeable)?;
				Some((pg, ledger.peaks.total().ok()?))
			})
			.collect();
		Ok(Self { map, bytes })
	}

	pub(super) fn pg_of(&self, item: &Item) -> Option<(Pg, u8)> {
		let (stripe, slot): (StripeId, u8) = item.stripe?;
		Some((self.map.pg_of(&stripe), slot))
	}

	/// A twentieth of these shards, rounded up, of usual length. Each is all that its group has, so that
	/// any byte of the group's ledger is one of the lost ones.
	pub(super) fn a_twentieth(&self, items: &[Item]) -> Vec<Item> {
		let alone = |item: &&Item| {
			self.pg_of(item)
				.is_some_and(|(pg, _)| self.bytes.get(&pg) == Some(&item.len.into()))
		};
		let mut chosen: Vec<Item> = items.iter().filter(alone).cloned().collect();
		let usual = bytes_of(items) / (items.len() as u64).max(1);
		chosen.sort_by_key(|item| (u64::from(item.len).abs_diff(usual), item.key));
		chosen.truncate(items.len().div_ceil(LOST_PART));
		chosen
	}
}

pub(super) fn bytes_of(items: &[Item]) -> u64 {
	items.iter().map(|item| u64::from(item.len)).sum()
}

/// Stops a miner, takes the chosen shards from its disk, and starts it again without repair, as one would
/// who wants to be paid for what he does not keep. Gives the lost ones and all there were.
pub(super) async fn lose(
	net: &Network,
	miner: &MinerPlan,
	choose: impl FnOnce(&[Item]) -> Vec<Item>,
) -> Result<(Vec<Item>, Vec<Item>)> {
	net.process(&miner.name)?.stop().await?;
	without_repair(&miner.base_path.join("config.toml"))?;
	let store = miner.base_path.join("store");
	let all = on_store(&store, inventory).await?;
	let chosen = choose(&all);
	if chosen.is_empty() {
		return Err(Error::Chain(format!("{} has no shard to lose", miner.name)));
	}
	let keys: Vec<Key> = chosen.iter().map(|item| item.key).collect();
	on_store(&store, move |store| {
		keys.iter()
			.try_for_each(|key| store.purge(key, None).map(drop))
	})
	.await?;
	net.restart(&miner.name).await?;
	Ok((chosen, all))
}

fn without_repair(path: &Path) -> Result<()> {
	let what = || format!("change {}", path.display());
	let text = std::fs::read_to_string(path).context(what)?;
	let mut config: toml::Table = toml::from_str(&text)
		.map_err(std::io::Error::other)
		.context(what)?;
	let repair = config
		.entry("repair")
		.or_insert_with(|| toml::Table::new().into());
	if let Some(repair) = repair.as_table_mut() {
		repair.insert("enabled".into(), false.into());
	}
	let text = toml::to_string(&config)
		.map_err(std::io::Error::other)
		.context(what)?;
	std::fs::write(path, text).context(what)
}

/// Opens a stopped miner's store for a moment.
async fn on_store<V: Send + 'static>(
	path: &Path,
	work: impl FnOnce(&StoreSet) -> std::result::Result<V, StoreError> + Send + 'static,
) -> Result<V> {
	let path: PathBuf = path.into();
	let what = format!("open the store {}", path.display());
	let opened = tokio::task::spawn_blocking(move || {
		// Volumes as the miner makes them in so little space.
		let config = StoreConfig {
			volume_size: CAPACITY_BYTES / 64,
			..StoreConfig::new(CAPACITY_BYTES)
		};
		work(&StoreSet::open(vec![(path, config)])?)
	});
	let result = opened.await.map_err(std::io::Error::other);
	let result = result.and_then(|result| result.map_err(std::io::Error::other));
	result.context(|| what)
}

fn inventory(store: &StoreSet) -> std::result::Result<Vec<Item>, StoreError> {
	let (mut items, mut from) = (Vec::new(), None);
	loop {
		let page = store.inventory(from, 1_000)?;
		let shards = page.items.into_iter();
		items.extend(shards.filter(|item| item.key.namespace == Namespace::Shard));
		match page.next {
			Some(next) => from = Some(next),
			None => return Ok(items),
		}
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[test]
	fn repair_is_switched_off_and_the_rest_kept() {
		let dir = tempfile::tempdir().unwrap();
		let path = dir.path().join("config.toml");
		for text in [
			"[grid]\nport = 7\n",
			"[repair]\nenabled = true\nparallel = 3\n",
		] {
			std::fs::write(&path, text).unwrap();
			without_repair(&path).unwrap();
			let config: toml::Table =
				toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
			assert_eq!(config["repair"]["enabled"].as_bool(), Some(false));
			assert_eq!(config.contains_key("grid"), text.contains("grid"));
			assert_eq!(
				config["repair"].get("parallel").is_some(),
				text.contains("parallel")
			);
		}
	}
}
