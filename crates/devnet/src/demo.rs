//! The story: store a file, lose miners, get the file back.

use crate::{
	audits,
	commands::{self, ARION},
	economy,
	error::{Context as _, Error, Result},
	files::{fingerprint, make_random, Fingerprint, Hasher},
	network::Network,
	plan::{miner_name, Plan, FULL_NODE, MINERS},
	report::{round, Report},
	story::bytes,
	tool, trials,
};
use hippius_primitives::coding::{DATA_SHARDS, TOTAL_SHARDS, WRITE_QUORUM};
use serde::Deserialize;
use std::{
	path::{Path, PathBuf},
	process::Stdio,
	time::Instant,
};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Size of the file made when none is given.
pub const DEFAULT_SIZE: u64 = 32_000_000;
/// Miners killed unless told otherwise.
pub const DEFAULT_KILL: u16 = (TOTAL_SHARDS - DATA_SHARDS) as u16;
/// Most miners that may die while a write is to be acknowledged.
const KILL_DURING_PUT: u16 = (TOTAL_SHARDS - WRITE_QUORUM) as u16;
const BUFFER: usize = 256 * 1024;

/// When miners are killed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum KillWhen {
	/// Ten of them while the file is being stored (more would rightly refuse the write), the rest
	/// after it.
	Put,
	/// Between storing and fetching.
	#[default]
	Between,
	/// While the file is being fetched, once its first bytes have arrived.
	Get,
}

/// What the demo does.
#[derive(Clone, Debug)]
pub struct Options {
	/// The file; a random one if none.
	pub file: Option<PathBuf>,
	/// Miners to kill.
	pub kill: u16,
	/// When.
	pub when: KillWhen,
	/// Flip a bit of a shard on the disks of this many surviving miners.
	pub damage: u16,
	/// Restart the full node in the middle.
	pub restart_node: bool,
	/// Kill a validator, see finality stop, bring it back, see finality go on.
	pub kill_validator: bool,
	/// Freeze a miner, see the chain call it down, let it go on, see it come back.
	pub freeze_miner: bool,
	/// See what audits do to miners that lost data, instead of the rest.
	pub audits: bool,
	/// See who pays whom, instead of the rest.
	pub economy: bool,
}

/// What `arion put --output json` prints, as far as the demo needs it.
#[derive(Debug, Deserialize)]
pub struct Stored {
	/// The object.
	pub id: String,
	/// What it is fetched by.
	pub link: Option<String>,
	/// Its stripes.
	pub stripes: u64,
}

/// Which miners die, first to last: every one once, spread over zones and families, the same in
/// every run. 7 and 30 have no common divisor, so stepping by 7 visits all.
pub fn victims(count: u16) -> Result<Vec<String>> {
	if count > MINERS {
		return Err(Error::Usage(format!(
			"--kill {count}: the network has {MINERS} miners"
		)));
	}
	Ok((0..count).map(|i| miner_name((i * 7) % MINERS)).collect())
}

/// Which miners die: as [`victims`], but those behind a relay last, so that reading needs them.
fn doomed(plan: &Plan, count: u16) -> Result<Vec<String>> {
	victims(count)?;
	let relayed = |name: &String| {
		let miner = plan.miners.iter().find(|miner| miner.name == *name);
		miner.is_some_and(|miner| plan.relay_of(miner).is_some())
	};
	let (last, mut first): (Vec<_>, Vec<_>) = victims(MINERS)?.into_iter().partition(relayed);
	first.extend(last);
	first.truncate(count.into());
	Ok(first)
}

/// Plays the story, filling the report as it goes.
pub async fn play(net: &Network, options: &Options, report: &mut Report) -> Result<()> {
	let story = net.story();
	let doomed = doomed(&net.plan, options.kill)?;
	report.miners = net.plan.miners.len() as u16;
	let file = match &options.file {
		Some(file) => file.clone(),
		None => {
			let file = net.dir.path().join("demo/input.bin");
			make_random(&file, DEFAULT_SIZE).await?;
			file
		}
	};
	let before = fingerprint(file.clone()).await?;
	report.bytes = before.bytes;
	report.sha256_in = Some(before.sha256.clone());
	story.say(format!(
		"the file: {}, {}, sha256 {}",
		file.display(),
		bytes(before.bytes),
		before.sha256
	));

	if options.audits {
		return audits::play(net, &file, &before, report).await;
	}
	if options.economy {
		return economy::play(net, &file, &before, report).await;
	}

	let survivors = net
		.plan
		.miners
		.iter()
		.filter(|miner| !doomed.contains(&miner.name));
	let damaged: Vec<_> = survivors.take(usize::from(options.damage)).collect();
	if damaged.len() < usize::from(options.damage) {
		return Err(Error::Usage(format!(
			"--damage {}: only {} miners survive",
			options.damage,
			damaged.len()
		)));
	}
	let filled = trials::filled(&damaged)?;
	let (now, later) = match options.when {
		KillWhen::Put => doomed.split_at(doomed.len().min(usize::from(KILL_DURING_PUT))),
		KillWhen::Between | KillWhen::Get => (&[] as &[String], doomed.as_slice()),
	};
	let started = Instant::now();
	let stored = put(net, &file, before.bytes, None, now).await?;
	let seconds = started.elapsed().as_secs_f64();
	report.killed += now.len() as u16;
	report.seconds.put = Some(round(seconds));
	report.stripes = Some(stored.stripes);
	story.say(format!(
		"stored in {seconds:.1} s: {} stripes of {TOTAL_SHARDS} shards, id {}",
		stored.stripes, stored.id
	));

	if options.restart_node {
		net.process(FULL_NODE)?.stop().await?;
		story.say("stopped the full node; the file is fetched without it");
	}
	if options.when != KillWhen::Get && !later.is_empty() {
		net.kill_miners(later).await?;
		report.killed += later.len() as u16;
		story.say(format!(
			"killed {} of {} miners (SIGKILL)",
			report.killed, report.miners
		));
	}
	if !damaged.is_empty() {
		trials::damage(&damaged, &filled)?;
		story.say(format!(
			"flipped a bit of this file on the disks of {} more miners",
			damaged.len()
		));
	}
	let during: &[String] = if options.when == KillWhen::Get {
		later
	} else {
		&[]
	};
	let started = Instant::now();
	let after = get(
		net,
		stored.link.as_deref().unwrap_or(&stored.id),
		during,
		report,
	)
	.await?;
	let seconds = started.elapsed().as_secs_f64();
	report.seconds.get = Some(round(seconds));
	report.sha256_out = Some(after.sha256.clone());
	story.say(format!(
		"fetched in {seconds:.1} s from the {} miners left: {}, sha256 {}",
		report.miners - report.killed,
		bytes(after.bytes),
		after.sha256
	));
	if after != before {
		return Err(Error::Differs(format!(
			"{} bytes with sha256 {} went in, {} bytes with sha256 {} came out",
			before.bytes, before.sha256, after.bytes, after.sha256
		)));
	}
	story.say("every byte is the same");

	if options.restart_node {
		trials::full_node_catches_up(net).await?;
	}
	if options.kill_validator {
		trials::finality_survives_a_validator(net).await?;
	}
	if options.freeze_miner {
		net.heal().await?;
		trials::a_frozen_miner_is_noticed(net).await?;
	}
	Ok(())
}

/// Stores the file through a pipe into the real tool, so that the moment of the kills is known:
/// half of the bytes are handed over. Paid by `payer`, or else the gateway.
pub async fn put(
	net: &Network,
	file: &Path,
	size: u64,
	payer: Option<&str>,
	doomed: &[String],
) -> Result<Stored> {
	let name = file
		.file_name()
		.map(|name| name.to_string_lossy().into_owned())
		.unwrap_or_default();
	let source = if doomed.is_empty() {
		file.display().to_string()
	} else {
		"-".into()
	};
	let mut list = vec!["put", &source, "--name", &name, "--output", "json"];
	if let Some(payer) = payer {
		list.extend(["--payer", payer]);
	}
	let args = commands::arion(&net.plan.gateway, &list);
	let what = "arion put";
	let mut child = tool::command(&net.bins.path(ARION), &args, net.dir.path())?
		.stdin(if doomed.is_empty() {
			Stdio::null()
		} else {
			Stdio::piped()
		})
		.stdout(Stdio::piped())
		.stderr(Stdio::piped())
		.spawn()
		.context(|| "start arion".into())?;
	let input = child.stdin.take();
	// Both outputs are drained while the input is fed, or a full pipe would stop everything.
	let finish = tool::finish(child, what);
	let feed = async {
		let Some(mut input) = input else {
			return Ok(());
		};
		let mut source = tokio::fs::File::open(file)
			.await
			.context(|| format!("open {}", file.display()))?;
		let half = size / 2;
		if !copy(&mut source, &mut input, half).await? {
			return Ok(());
		}
		net.kill_miners(doomed).await?;
		net.story().say(format!(
			"killed {} miners in the middle of the put (SIGKILL)",
			doomed.len()
		));
		copy(&mut source, &mut input, u64::MAX).await.map(drop)
	};
	let (out, ()) = tokio::try_join!(finish, feed)?;
	serde_json::from_slice(&out).map_err(|cause| Error::Answer {
		who: what.into(),
		what: format!("{cause}: {}", String::from_utf8_lossy(&out)),
	})
}

/// Copies at most `limit` bytes; `false` if the reader of the pipe has gone, whose own error then
/// tells why.
async fn copy(
	source: &mut (impl AsyncRead + Unpin),
	target: &mut (impl tokio::io::AsyncWrite + Unpin),
	limit: u64,
) -> Result<bool> {
	match tokio::io::copy(&mut source.take(limit), target).await {
		Ok(_) => Ok(true),
		Err(cause) if cause.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
		Err(cause) => Err(cause).context(|| "feed the file to arion".into()),
	}
}

/// Fetches the object through a pipe, killing miners after the first bytes, and hashes it.
pub async fn get(
	net: &Network,
	object: &str,
	doomed: &[String],
	report: &mut Report,
) -> Result<Fingerprint> {
	let args = commands::arion(&net.plan.gateway, &["get", object, "-o", "-"]);
	let mut child = tool::command(&net.bins.path(ARION), &args, net.dir.path())?
		.stdin(Stdio::null())
		.stdout(Stdio::piped())
		.stderr(Stdio::piped())
		.spawn()
		.context(|| "start arion".into())?;
	let (Some(mut out), Some(mut err)) = (child.stdout.take(), child.stderr.take()) else {
		return Err(Error::Usage("arion started without pipes".into()));
	};
	let mut words = Vec::new();
	let read = async {
		let mut hasher = Hasher::default();
		let mut buffer = vec![0; BUFFER];
		let mut doomed = Some(doomed).filter(|names| !names.is_empty());
		loop {
			let len = out
				.read(&mut buffer)
				.await
				.context(|| "read from arion".into())?;
			let Some(part) = buffer.get(..len).filter(|part| !part.is_empty()) else {
				return Ok::<_, Error>((hasher.finish(), doomed.is_none()));
			};
			if let Some(names) = doomed.take() {
				net.kill_miners(names).await?;
				report.killed += names.len() as u16;
				net.story().say(format!(
					"killed {} miners after the first {len} bytes had arrived (SIGKILL)",
					names.len()
				));
			}
			hasher.update(part);
		}
	};
	let words_read = async {
		err.read_to_end(&mut words)
			.await
			.context(|| "read from arion".into())
			.map(drop)
	};
	let ((print, killed), ()) = tokio::try_join!(read, words_read)?;
	let status = child.wait().await.context(|| "wait for arion".into())?;
	if !status.success() {
		return Err(tool::failed("arion get", &status.to_string(), &words));
	}
	match killed {
		true => Ok(print),
		false => Err(Error::Usage(
			"the file is empty, so nothing can be killed during the get".into(),
		)),
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use std::collections::BTreeSet;

	#[test]
	fn victims_are_distinct_and_bounded() {
		for count in [0, 1, 20, 21, 30] {
			let names: BTreeSet<String> = victims(count).unwrap().into_iter().collect();
			assert_eq!(names.len(), usize::from(count));
		}
		assert!(victims(31).unwrap_err().to_string().contains("30 miners"));
	}

	#[test]
	fn miners_behind_the_relay_die_last() {
		let dir = Path::new("/tmp/x");
		let plan = Plan::new(21900, dir).unwrap();
		assert_eq!(doomed(&plan, 20).unwrap(), victims(20).unwrap());
		let plan = plan.with_relay(Some(0), dir).unwrap();
		for (count, alive) in [(20, 5), (25, 5), (27, 3), (30, 0)] {
			let dead: BTreeSet<String> = doomed(&plan, count).unwrap().into_iter().collect();
			assert_eq!(dead.len(), usize::from(count));
			let left = plan
				.miners
				.iter()
				.filter(|miner| !dead.contains(&miner.name));
			assert_eq!(left.filter(|miner| miner.zone == 0).count(), alive);
		}
	}

	#[tokio::test]
	async fn a_gone_reader_is_told_from_other_trouble() {
		let (mut near, far) = tokio::io::duplex(16);
		drop(far);
		assert!(!copy(&mut [1u8; 64].as_slice(), &mut near, 64)
			.await
			.unwrap());
		let mut sink = Vec::new();
		assert!(copy(&mut [1u8; 64].as_slice(), &mut sink, 10)
			.await
			.unwrap());
		assert_eq!(sink.len(), 10);
	}
}
