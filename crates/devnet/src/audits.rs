//! What audits do: miners that lose data are caught, jailed, thrown out and replaced; slow ones are not.

use crate::{
	demo::{get, put},
	error::{Error, Result},
	files::{fingerprint, make_random, Fingerprint},
	network::Network,
	plan::{MinerPlan, ZONES},
	report::{round, AuditReport, Report},
	rpc,
	trials::{chain, Thaw},
};
use arion_crush::ClusterMap;
use arion_shard_store::Item;
use futures_util::{future::try_join_all, stream, StreamExt as _, TryStreamExt as _};
use hippius_chain_client::{signer_from_suri, ChainClient, ChainView, Included};
use hippius_primitives::{registration::NodeStatus, NodeIndex};
use loss::{bytes_of, lose, Ledgers};
use rustix::process::Signal;
use std::{
	path::Path,
	time::{Duration, Instant},
};
use watch::Watch;

mod loss;
mod watch;

/// Objects stored besides the file, each a stripe of its own: a miner that loses a twentieth of its
/// shards loses some twentieth of its bytes.
const OBJECTS: usize = 24;
/// Bytes of each, above what is packed together with others.
const OBJECT: u64 = 1_300_000;
/// Puts side by side.
const PUTS: usize = 4;
/// Blocks until every miner must have been audited. A draw falls on each of 31 slots alike and blocks
/// make 24: that one miner is not drawn in 20 blocks has a probability of (30/31)^480, 1 in 7 million.
const AUDITED: u32 = 60;
/// Blocks in which all must have happened.
const PUNISHED: u32 = 110;
const REPAIRED: Duration = Duration::from_secs(180);
const LONGEST: Duration = Duration::from_secs(1_200);
/// Turns of the slow disk: most of what is asked of it waits for one and a half seconds. The full node
/// waits two for a daemon, and asks again with the next block; ten blocks are the local network's deadline.
const FROZEN: Duration = Duration::from_millis(1_500);
const RUNNING: Duration = Duration::from_millis(500);
/// Miners that fetch needs.
const SURVIVORS: usize = 10;
/// Who pays for a challenge.
const CHALLENGER: &str = "//Bob";

/// The miners it is about.
struct Cast<'a> {
	/// Loses a twentieth of its shards.
	careless: (&'a MinerPlan, NodeIndex),
	/// Loses all of them.
	lost: (&'a MinerPlan, NodeIndex),
	/// Has a slow disk.
	slow: (&'a MinerPlan, NodeIndex),
}

impl<'a> Cast<'a> {
	async fn choose(net: &'a Network, client: &ChainClient) -> Result<Self> {
		let Some(zone) = net.plan.spare_zone else {
			return Err(Error::Usage(
				"--audits needs a zone that can lose a miner: start the network with --spare-zone 0"
					.into(),
			));
		};
		let nodes = client.nodes().await.map_err(chain)?;
		let of_zone = |zone: u16| {
			let miner = net
				.plan
				.miners
				.iter()
				.find(|miner| miner.zone == zone % ZONES)
				.ok_or_else(|| Error::Usage(format!("zone {zone} has no miner")))?;
			let node = nodes
				.iter()
				.find(|node| node.params.host == miner.host.as_bytes())
				.ok_or_else(|| {
					Error::Chain(format!("no registered node has the host {}", miner.host))
				})?;
			Ok::<_, Error>((miner, node.index))
		};
		Ok(Self {
			careless: of_zone(zone + 1)?,
			lost: of_zone(zone)?,
			slow: of_zone(zone + 2)?,
		})
	}
}

/// Plays it, filling the report as it goes.
pub async fn play(
	net: &Network,
	file: &Path,
	before: &Fingerprint,
	report: &mut Report,
) -> Result<()> {
	let started = Instant::now();
	let trial = tokio::time::timeout(LONGEST, trial(net, file, before, report));
	let result = trial.await.unwrap_or_else(|_| {
		Err(Error::Chain(format!(
			"the trial of audits was not over after {LONGEST:?}"
		)))
	});
	if let Some(audits) = &mut report.audits {
		audits.seconds = round(started.elapsed().as_secs_f64());
	}
	result
}

async fn trial(
	net: &Network,
	file: &Path,
	before: &Fingerprint,
	report: &mut Report,
) -> Result<()> {
	let story = net.story();
	let mut watch = Watch::new(&net.plan.full_node.ws()).await?;
	let cast = Cast::choose(net, &watch.client).await?;
	let audits = report.audits.insert(AuditReport::default());

	let stored = put(net, file, before.bytes, None, &[]).await?;
	report.stripes = Some(stored.stripes);
	let objects = put_objects(net).await?;
	story.say(format!("stored the file and {OBJECTS} smaller objects"));
	all_are_audited(net, &mut watch, audits).await?;

	// Both at once, so that nobody waits for the other's punishment.
	let ledgers = Ledgers::read(&watch.client).await?;
	let (few, all) = tokio::try_join!(
		lose(net, cast.careless.0, |items| ledgers.a_twentieth(items)),
		lose(net, cast.lost.0, |items| items.to_vec()),
	)?;
	audits.lost = (few.0.len(), few.1.len());
	audits.lost_bytes = (bytes_of(&few.0), bytes_of(&few.1));
	story.say(format!(
		"{} lost {} of {} shards, {} lost all {}; they were restarted without repair",
		cast.careless.0.name,
		few.0.len(),
		few.1.len(),
		cast.lost.0.name,
		all.0.len()
	));
	punished(net, &mut watch, &cast, &ledgers, &few.0, audits).await?;

	let link = stored.link.as_deref().unwrap_or(&stored.id);
	let doomed = repaired(net, &mut watch, &cast, audits).await?;
	net.kill_miners(&doomed).await?;
	report.killed = doomed.len() as u16;
	story.say(format!(
		"killed {} miners: only {SURVIVORS} are left, with every rebuilt shard among theirs",
		doomed.len()
	));
	let after = get(net, link, &[], report).await?;
	report.sha256_out = Some(after.sha256.clone());
	if after != *before {
		return Err(Error::Differs(format!(
			"{} bytes with sha256 {} went in, {} bytes with sha256 {} came out",
			before.bytes, before.sha256, after.bytes, after.sha256
		)));
	}
	for (link, before) in &objects {
		let after = get(net, link, &[], report).await?;
		if after != *before {
			return Err(Error::Differs(format!(
				"an object with sha256 {} came out with sha256 {}",
				before.sha256, after.sha256
			)));
		}
	}
	story.say(format!(
		"every byte is the same, of the {} smaller objects as well",
		objects.len()
	));
	Ok(())
}

/// Stores the smaller objects; gives what each is fetched by, and what it was.
async fn put_objects(net: &Network) -> Result<Vec<(String, Fingerprint)>> {
	let dir = net.dir.path().join("demo");
	let puts = (0..OBJECTS).map(|number| {
		let path = dir.join(format!("object-{number:02}.bin"));
		async move {
			make_random(&path, OBJECT).await?;
			let stored = put(net, &path, OBJECT, None, &[]).await?;
			let before = fingerprint(path).await?;
			Ok((stored.link.unwrap_or(stored.id), before))
		}
	});
	stream::iter(puts)
		.buffer_unordered(PUTS)
		.try_collect()
		.await
}

/// Waits until every node was audited; nobody may fail.
async fn all_are_audited(net: &Network, watch: &mut Watch, audits: &mut AuditReport) -> Result<()> {
	let start = watch.block;
	loop {
		watch.next().await?;
		let (samples, misses) = watch.of_others(&[]);
		audits.honest_samples = samples;
		audits.honest_misses = misses;
		audits.outage = watch.outage;
		if misses > 0 || watch.outage {
			return Err(Error::Chain(format!(
				"{misses} audits of {samples} failed although every miner has all it must (outage: {})",
				watch.outage
			)));
		}
		let missing = watch.fared.values().filter(|fared| fared.samples() == 0);
		let missing = missing.count();
		if missing == 0 {
			let blocks = watch.block - start;
			audits.all_audited = Some(blocks);
			net.story().say(format!(
				"all {} miners were audited within {blocks} blocks: {samples} audits, none failed",
				watch.fared.len()
			));
			return Ok(());
		}
		if watch.block - start > AUDITED {
			return Err(Error::Chain(format!(
				"{missing} miners were not audited within {AUDITED} blocks; {samples} audits in all"
			)));
		}
	}
}

/// Follows the chain until the careless miner was caught and scored, and the one that lost all was thrown
/// out, while another one's disk is slow.
async fn punished(
	net: &Network,
	watch: &mut Watch,
	cast: &Cast<'_>,
	ledgers: &Ledgers,
	few: &[Item],
	audits: &mut AuditReport,
) -> Result<()> {
	let story = net.story();
	let (careless, lost, slow) = (cast.careless.1, cast.lost.1, cast.slow.1);
	let start = watch.block;
	let slow_before = watch.fared(slow);
	let turns = tokio::spawn(in_turns(Thaw(net.process(&cast.slow.0.name)?)));
	let _stop = AbortOnDrop(turns);
	story.say(format!(
		"{} is slow from now on: it runs for {RUNNING:?}, then stands for {FROZEN:?}",
		cast.slow.0.name
	));
	loop {
		let view = watch.next().await?;
		let now = watch.block - start;
		audits.outage = watch.outage;
		(audits.honest_samples, audits.honest_misses) = watch.of_others(&[careless, lost]);
		audits.slow_samples = watch.fared(slow).samples() - slow_before.samples();
		audits.slow_misses = watch.fared(slow).misses - slow_before.misses;
		if audits.honest_misses > 0 || watch.outage {
			return Err(Error::Chain(format!(
				"{} audits of miners that lost nothing failed, {} of the slow one's (outage: {})",
				audits.honest_misses, audits.slow_misses, watch.outage
			)));
		}
		if audits.caught.is_none() && watch.fared(careless).misses > 0 {
			audits.caught = Some(now);
			story.say(format!(
				"{} was caught after {now} blocks and {} audits",
				cast.careless.0.name,
				watch.fared(careless).samples()
			));
		}
		match watch.status.get(&lost) {
			Some(NodeStatus::Jailed) if audits.jailed.is_none() => {
				audits.jailed = Some(now);
				story.say(format!(
					"{} was jailed after {now} blocks",
					cast.lost.0.name
				));
			}
			Some(NodeStatus::Evicted) if audits.evicted.is_none() => {
				audits.evicted = Some(now);
				story.say(format!(
					"{} was thrown out after {now} blocks",
					cast.lost.0.name
				));
			}
			_ => (),
		}
		// Draws may not have fallen on what it lost: it is asked for some 0.75 bytes a block, of which
		// one in 17 is lost. That nothing falls on it in 40 blocks has a probability of 0.16. Then somebody
		// who knows of the loss has it asked.
		if audits.evicted.is_some() && audits.caught.is_none() && !audits.challenged {
			audits.challenged = true;
			let place = few.first().and_then(|item| ledgers.pg_of(item));
			let (pg, slot) = place.ok_or_else(|| Error::Chain("no shard was lost".into()))?;
			let bob =
				signer_from_suri(CHALLENGER).map_err(|error| Error::Chain(error.to_string()))?;
			let asked = watch.client.challenge(&bob, pg, slot, 0, Included::InBlock);
			asked.await.map_err(chain)?;
			story.say(format!(
				"no draw fell on it: {CHALLENGER} challenged slot {slot} of group {pg}"
			));
		}
		if audits.evicted.is_some() && audits.caught.is_some() {
			audits.scores = scores(&view, watch, careless, lost).await?;
			if let Some((caught, honest)) = audits.scores.filter(|(caught, honest)| caught < honest)
			{
				let share = |score: u32| f64::from(score) / f64::from(1 << 30);
				story.say(format!(
					"its score is {:.4} now, that of honest miners {:.4}",
					share(caught),
					share(honest)
				));
				break;
			}
		}
		if now > PUNISHED {
			return Err(Error::Chain(format!(
				"after {PUNISHED} blocks: caught {:?}, jailed {:?}, thrown out {:?}, scores {:?}",
				audits.caught, audits.jailed, audits.evicted, audits.scores
			)));
		}
	}
	if audits.slow_samples == 0 {
		return Err(Error::Chain("the slow miner was not audited at all".into()));
	}
	story.say(format!(
		"{} was audited {} times while it was slow and failed none",
		cast.slow.0.name, audits.slow_samples
	));
	Ok(())
}

/// The caught miner's score in force and the middle one of the others.
async fn scores(
	view: &ChainView,
	watch: &Watch,
	caught: NodeIndex,
	lost: NodeIndex,
) -> Result<Option<(u32, u32)>> {
	let score = |node: NodeIndex| async move {
		let placing = view.placing(node).await.map_err(chain)?;
		Ok::<_, Error>(placing.map(|placing| placing.score))
	};
	let others = watch.fared.keys().copied();
	let others = others.filter(|node| ![caught, lost].contains(node));
	let mut honest: Vec<u32> = try_join_all(others.map(score))
		.await?
		.into_iter()
		.flatten()
		.collect();
	honest.sort_unstable();
	let middle = honest.get(honest.len() / 2).copied();
	Ok(score(caught).await?.zip(middle))
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
	fn drop(&mut self) {
		self.0.abort();
	}
}

/// Lets a process run in short turns, as if its disk kept it waiting; it goes on when this is dropped.
async fn in_turns(process: Thaw) {
	loop {
		for (signal, time) in [(Signal::STOP, FROZEN), (Signal::CONT, RUNNING)] {
			// One that has ended needs no signal.
			if process.0.signal(signal).is_err() {
				return;
			}
			tokio::time::sleep(time).await;
		}
	}
}

/// Waits until the slots of the miner that was thrown out are filled by others. Gives the miners that may
/// die then: all but ten, among which are all that rebuilt shards.
async fn repaired(
	net: &Network,
	watch: &mut Watch,
	cast: &Cast<'_>,
	audits: &mut AuditReport,
) -> Result<Vec<String>> {
	let lost = cast.lost.1;
	let start = watch.block;
	let without = |map: &ClusterMap| map.nodes().all(|node| node.index != lost);
	let map = watch.client.wait_for_map(without, REPAIRED).await;
	let epoch = map.map_err(chain)?.map.epoch;
	let busy =
		|miner: &&MinerPlan| ![&cast.lost.0.name, &cast.careless.0.name].contains(&&miner.name);
	let miners: Vec<&MinerPlan> = net.plan.miners.iter().filter(busy).collect();
	try_join_all(miners.iter().copied().map(|miner| async move {
		let what = format!("{} to have filled its slots of epoch {epoch}", miner.name);
		rpc::poll_until(&what, REPAIRED, || async {
			Ok(is_settled(&net.miner_status(miner).await?, epoch).then_some(()))
		})
		.await
	}))
	.await?;
	watch.next().await?;
	let blocks = watch.block - start;
	audits.repaired = Some(audits.evicted.unwrap_or(0) + blocks);
	net.story().say(format!(
		"all slots are filled by others as of map epoch {epoch}, {blocks} blocks later"
	));
	// The slots were refilled within the zone, so its miners hold all that was rebuilt.
	let zone = cast.lost.0.zone;
	let (inside, outside): (Vec<&MinerPlan>, Vec<&MinerPlan>) =
		miners.into_iter().partition(|miner| miner.zone == zone);
	let kept: Vec<&String> = inside
		.into_iter()
		.chain(outside)
		.take(SURVIVORS)
		.map(|miner| &miner.name)
		.collect();
	let names = net.plan.miners.iter().map(|miner| &miner.name);
	Ok(names.filter(|name| !kept.contains(name)).cloned().collect())
}

/// Whether a miner's status says that it has all it must by the map of this epoch or a later one.
fn is_settled(status: &serde_json::Value, epoch: u32) -> bool {
	let number = |path: &str| status.pointer(path).and_then(serde_json::Value::as_u64);
	let held = number("/epoch");
	held >= Some(epoch.into())
		&& number("/repair/epoch") == held
		&& ["/repair/open", "/repair/waiting", "/repair/singles"]
			.iter()
			.all(|path| number(path) == Some(0))
}

#[cfg(test)]
mod tests {
	use super::*;
	use serde_json::json;

	#[test]
	fn repair_is_over_when_nothing_is_open() {
		let status = |epoch: u32, of: u32, open: u32| json!({"epoch": epoch, "repair": {"epoch": of, "open": open, "waiting": 0, "singles": 0}});
		assert!(is_settled(&status(7, 7, 0), 7));
		assert!(is_settled(&status(8, 8, 0), 7));
		for other in [status(6, 6, 0), status(8, 7, 0), status(7, 7, 1), json!({})] {
			assert!(!is_settled(&other, 7));
		}
	}
}
