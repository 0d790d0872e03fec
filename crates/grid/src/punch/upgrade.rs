//! The asker's side: from a relayed connection to a direct one.

use super::{
	is_hopeless, path,
	probe::{Keys, Side},
	rounds::Round,
	stats::Outcome,
	PATIENCE,
};
use crate::{
	observe::NatKind,
	path::PathKind,
	pool::{Dialer, Entry, Link, Live},
	wire::{Punch, Request, Response},
	GridError, Peer,
};
use bytes::Bytes;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::{timeout, Instant};

/// Longest wait before another attempt with the same peer.
const LONGEST: Duration = Duration::from_secs(900);

/// How long to wait after the `failures`th failed attempt in a row (from 1), before jitter: four times
/// as long each time. Attempts that cannot come out otherwise wait longest at once.
pub(crate) fn pause(first: Duration, failures: u32, outcome: Outcome) -> Duration {
	match outcome {
		Outcome::Hard | Outcome::Refused => LONGEST,
		_ => {
			let factor = 4u32.saturating_pow(failures.saturating_sub(1).min(8));
			first.saturating_mul(factor).min(LONGEST)
		}
	}
}

/// `wait`, longer or shorter by up to a quarter, so that nodes that lost each other at the same time
/// do not all try again at the same time.
pub(crate) fn jittered(wait: Duration) -> Duration {
	let mut byte = [128u8; 1];
	// Without randomness all come at once.
	let _ = getrandom::fill(&mut byte);
	wait.mul_f64(0.75 + f64::from(byte[0]) / 510.0)
}

/// Tries once to reach, without the relay, the node that `relayed` leads to.
pub(crate) async fn attempt(
	dialer: &Arc<Dialer>,
	entry: &Arc<Entry>,
	relayed: Live,
) -> Result<Live, Outcome> {
	let puncher = &dialer.puncher;
	puncher.counts.attempt();
	let peer = Peer {
		dialer: dialer.clone(),
		entry: entry.clone(),
	};
	let own = puncher.own().ok_or(Outcome::NoAddress)?;
	let theirs = ask(&peer, relayed, &own).await.map_err(|error| {
		tracing::debug!(peer = %entry.key, %error, "no answer to the wish for a direct path");
		Outcome::Refused
	})?;
	let targets = puncher.targets(&theirs);
	if is_hopeless(&own, &theirs, &targets) {
		let hard = !(own.candidates.is_empty() && theirs.candidates.is_empty());
		return Err(if hard {
			Outcome::Hard
		} else {
			Outcome::NoAddress
		});
	}
	let kind = path(NatKind::from_code(own.nat), NatKind::from_code(theirs.nat));
	let keys = Keys::new(&own.nonce, &theirs.nonce);
	let round = Round::new(keys, Side::Asker, entry.key, kind, targets);
	let mut found = puncher.begin(round, Instant::now());
	let answered = async {
		let found = found.wait_for(Option::is_some).await;
		found.ok().and_then(|found| *found)
	};
	let answered: Option<SocketAddr> = timeout(PATIENCE, answered).await.ok().flatten();
	let address = answered.ok_or(Outcome::Silent)?;
	dialer
		.dial_hole(entry, address, kind)
		.await
		.map_err(|cause| {
			tracing::debug!(peer = %entry.key, %address, cause, "probes passed, QUIC did not");
			Outcome::DialFailed
		})
}

async fn ask(peer: &Peer, relayed: Live, own: &Punch) -> Result<Punch, GridError> {
	let link = Link::new(relayed, true);
	let request = Request::Punch(Box::new(own.clone()));
	match peer.ask(&link, &request, Bytes::new()).await? {
		(Response::Punch(theirs), mut recv) => {
			peer.end(&link, &mut recv).await?;
			Ok(*theirs)
		}
		(other, _) => Err(peer.unexpected(&link, &other)),
	}
}

/// How an attempt that succeeded is counted.
pub(crate) fn success(path: PathKind) -> Outcome {
	match path {
		PathKind::Reversed => Outcome::Reversed,
		_ => Outcome::Punched,
	}
}
