//! The miners as this gateway experiences them: who failed lately is asked last.

use crate::{cluster::Node, config::GridSection};
use arion_grid::{Grid, GridError, Peer};
use hippius_primitives::NodeKey;
use std::{
	collections::HashMap,
	sync::{Arc, Mutex, PoisonError},
	time::Duration,
};
use tokio::time::Instant;

/// Nodes remembered; beyond it the memory is emptied rather than grown.
const MOST_REMEMBERED: usize = 65_536;
/// Highest power of two by which the time of avoidance grows.
const MOST_DOUBLINGS: u32 = 4;

/// How a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
	/// Nothing speaks against it.
	Good,
	/// It failed or stalled some time ago and has not shown since that it is well.
	Unproven,
	/// Others were faster a moment ago.
	Slow,
	/// It could not be reached, or broke off, a moment ago.
	Down,
	/// It sent wrong bytes.
	Quarantined,
}

struct Memory {
	standing: Standing,
	until: Instant,
	failures: u32,
}

/// Connections to miners and what is remembered of them.
pub struct Peers {
	grid: Arc<Grid>,
	avoid: Duration,
	quarantine: Duration,
	memory: Mutex<HashMap<NodeKey, Memory>>,
}

impl Peers {
	/// Over this endpoint.
	pub fn new(grid: Arc<Grid>, config: &GridSection) -> Self {
		Self {
			grid,
			avoid: Duration::from_millis(config.avoid_ms),
			quarantine: Duration::from_millis(config.quarantine_ms),
			memory: Mutex::new(HashMap::new()),
		}
	}

	/// The endpoint.
	pub fn grid(&self) -> &Arc<Grid> {
		&self.grid
	}

	/// The way to a node.
	pub fn peer(&self, node: &Node) -> Peer {
		self.grid.peer(node.key, node.reach()).or_key(node.next_key)
	}

	/// How a node stands now.
	pub fn standing(&self, key: &NodeKey) -> Standing {
		let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
		match memory.get(key) {
			Some(entry) if entry.until > Instant::now() => entry.standing,
			Some(_) => Standing::Unproven,
			None => Standing::Good,
		}
	}

	/// Nodes that do not stand well now.
	pub fn not_good(&self) -> usize {
		let now = Instant::now();
		let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
		memory.values().filter(|entry| entry.until > now).count()
	}

	/// The node did what was asked.
	pub fn worked(&self, key: &NodeKey) {
		let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
		// Wrong bytes are not made good by right ones, only by time.
		let now = Instant::now();
		if memory
			.get(key)
			.is_some_and(|entry| entry.standing != Standing::Quarantined || entry.until <= now)
		{
			memory.remove(key);
		}
	}

	/// Whether an unproven node may be tried now. If so, it is taken for as bad as it was until it
	/// [worked](Self::worked), so that it is tried by one at a time, and less and less often.
	pub fn take_probe(&self, key: &NodeKey) -> bool {
		let now = Instant::now();
		let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
		let Some(entry) = memory.get_mut(key) else {
			return true;
		};
		if entry.until > now {
			return false;
		}
		if entry.standing == Standing::Quarantined {
			// Served its time; wrong bytes bring it back.
			entry.standing = Standing::Slow;
		}
		entry.until = now + self.avoidance(entry.failures);
		entry.failures = entry.failures.saturating_add(1);
		true
	}

	/// The node stalled: it had its chance and others were faster.
	pub fn stalled(&self, key: &NodeKey) {
		self.remember(key, Standing::Slow);
	}

	/// The node failed. Answers such as "not found" or "full" are no failure of the node, nor is a
	/// shard of another length than the manifest says.
	pub fn failed(&self, key: &NodeKey, error: &GridError) {
		if error.is_misbehaviour() {
			tracing::warn!(node = %key, %error, "quarantined");
			self.remember(key, Standing::Quarantined);
		} else if error.status().is_none() && !matches!(error, GridError::OtherLength { .. }) {
			self.remember(key, Standing::Down);
		}
	}

	fn avoidance(&self, failures: u32) -> Duration {
		self.avoid * 2u32.pow(failures.min(MOST_DOUBLINGS))
	}

	fn remember(&self, key: &NodeKey, standing: Standing) {
		let now = Instant::now();
		let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
		if memory.len() >= MOST_REMEMBERED && !memory.contains_key(key) {
			memory.retain(|_, entry| entry.until > now);
			if memory.len() >= MOST_REMEMBERED {
				memory.clear();
			}
		}
		let entry = memory.entry(*key).or_insert(Memory {
			standing,
			until: now,
			failures: 0,
		});
		let wait = match standing {
			Standing::Quarantined => self.quarantine,
			_ => self.avoidance(entry.failures),
		};
		// Many requests to one dead node fail together: that is one failure.
		if entry.until <= now {
			entry.failures = entry.failures.saturating_add(1);
			entry.standing = standing;
		}
		entry.standing = entry.standing.max(standing);
		entry.until = entry.until.max(now + wait);
	}
}
