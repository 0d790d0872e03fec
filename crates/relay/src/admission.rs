//! Who may use the relay.

use hippius_primitives::NodeKey;
use iroh_base::EndpointId;
use iroh_metrics::{Counter, MetricsGroup};
use iroh_relay::server::{Access, AccessControl, ClientRequest, ConnectionId};
use std::{
	collections::{HashMap, HashSet},
	path::{Path, PathBuf},
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::{Duration, Instant},
};

/// Longest file of allowed keys, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// A list of keys that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
	/// A text is no node key.
	#[error("{place}: {text:?} is no node key (64 hexadecimal digits)")]
	Key {
		/// Where it stands.
		place: String,
		/// The text.
		text: String,
	},
	/// The file cannot be read.
	#[error("cannot read {}: {cause}", path.display())]
	Read {
		/// The file.
		path: PathBuf,
		/// Why.
		cause: std::io::Error,
	},
}

/// A node key from its hexadecimal form.
pub fn parse_key(place: &str, text: &str) -> Result<NodeKey, KeysError> {
	let mut key = [0; 32];
	hex::decode_to_slice(text, &mut key)
		.map(|()| NodeKey(key))
		.map_err(|_| KeysError::Key {
			place: place.into(),
			text: text.chars().take(80).collect(),
		})
}

/// The keys in a file, one per line.
pub fn read_keys(path: &Path) -> Result<HashSet<NodeKey>, KeysError> {
	let failed = |cause| KeysError::Read {
		path: path.into(),
		cause,
	};
	let len = std::fs::metadata(path).map_err(failed)?.len();
	if len > MAX_FILE {
		return Err(failed(std::io::Error::other("it is longer than 1 MiB")));
	}
	let text = std::fs::read_to_string(path).map_err(failed)?;
	let lines = text.lines().enumerate();
	lines
		.map(|(number, line)| {
			(
				number + 1,
				line.split('#').next().unwrap_or_default().trim(),
			)
		})
		.filter(|(_, text)| !text.is_empty())
		.map(|(number, text)| parse_key(&format!("{}:{number}", path.display()), text))
		.collect()
}

#[derive(Debug, Default)]
struct Known {
	allowed: HashSet<NodeKey>,
	registered: HashSet<NodeKey>,
	/// When the chain was read last.
	read: Option<Instant>,
	clients: HashMap<NodeKey, usize>,
	total: usize,
}

/// Counters of decisions.
#[derive(Debug, Default, MetricsGroup)]
#[metrics(name = "arion_relay")]
pub struct Decisions {
	/// Clients let in.
	pub admitted: Counter,
	/// Keys refused because nobody knows them.
	pub refused_unknown: Counter,
	/// Refused because there are too many, in all or of that key.
	pub refused_crowded: Counter,
}

/// The list of those who may come in, and of those who are in.
#[derive(Debug, Clone)]
pub struct Admission {
	known: Arc<Mutex<Known>>,
	stale_after: Duration,
	max_clients: usize,
	max_per_key: usize,
	/// Counters.
	pub decisions: Arc<Decisions>,
}

impl Admission {
	/// Nobody may come in yet.
	pub fn new(stale_after: Duration, max_clients: usize, max_per_key: usize) -> Self {
		Self {
			known: Arc::default(),
			stale_after,
			max_clients,
			max_per_key,
			decisions: Arc::default(),
		}
	}

	fn lock(&self) -> MutexGuard<'_, Known> {
		self.known.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Replaces the keys the operator allows.
	pub fn set_allowed(&self, keys: HashSet<NodeKey>) {
		self.lock().allowed = keys;
	}

	/// Replaces the keys registered on chain, as read now.
	pub fn set_registered(&self, keys: HashSet<NodeKey>) {
		let mut known = self.lock();
		known.registered = keys;
		known.read = Some(Instant::now());
	}

	/// Whether a key may come in. What the chain said long ago does not count.
	pub fn permits(&self, key: &NodeKey) -> bool {
		self.lock().permits(key, self.stale_after)
	}

	/// Clients that are in and would not be let in any more.
	pub fn strangers(&self) -> Vec<NodeKey> {
		let known = self.lock();
		let clients = known.clients.keys();
		clients
			.filter(|key| !known.permits(key, self.stale_after))
			.copied()
			.collect()
	}

	/// Connected clients, and keys known from the chain.
	pub fn counts(&self) -> (usize, usize) {
		let known = self.lock();
		(known.total, known.registered.len())
	}

	/// Decides on a client whose key is proved.
	fn enter(&self, key: NodeKey) -> Result<(), &'static str> {
		let mut known = self.lock();
		if !known.permits(&key, self.stale_after) {
			self.decisions.refused_unknown.inc();
			return Err("this key is not registered on chain and not allowed by the operator");
		}
		let of_key = known.clients.get(&key).copied().unwrap_or(0);
		if known.total >= self.max_clients || of_key >= self.max_per_key {
			self.decisions.refused_crowded.inc();
			return Err("too many clients");
		}
		known.total += 1;
		known.clients.insert(key, of_key + 1);
		self.decisions.admitted.inc();
		Ok(())
	}

	fn leave(&self, key: &NodeKey) {
		let mut known = self.lock();
		if let Some(of_key) = known.clients.get_mut(key) {
			*of_key = of_key.saturating_sub(1);
			if *of_key == 0 {
				known.clients.remove(key);
			}
			known.total = known.total.saturating_sub(1);
		}
	}
}

impl Known {
	fn permits(&self, key: &NodeKey, stale_after: Duration) -> bool {
		let fresh = self.read.is_some_and(|read| read.elapsed() < stale_after);
		self.allowed.contains(key) || fresh && self.registered.contains(key)
	}
}

impl AccessControl for Admission {
	async fn on_connect(&self, request: &ClientRequest) -> Access {
		let key = NodeKey(*request.endpoint_id().as_bytes());
		match self.enter(key) {
			Ok(()) => {
				tracing::info!(%key, "client connected");
				Access::Allow
			}
			Err(reason) => {
				tracing::info!(%key, reason, "client refused");
				Access::Deny {
					reason: Some(reason.into()),
				}
			}
		}
	}

	fn on_disconnect(&self, endpoint_id: EndpointId, _: ConnectionId) {
		let key = NodeKey(*endpoint_id.as_bytes());
		tracing::info!(%key, "client gone");
		self.leave(&key);
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]

	use super::*;

	const HOUR: Duration = Duration::from_secs(3600);

	fn key(byte: u8) -> NodeKey {
		NodeKey([byte; 32])
	}

	#[test]
	fn nobody_is_admitted_until_somebody_says_so() {
		let admission = Admission::new(HOUR, 10, 2);
		assert!(!admission.permits(&key(1)));
		admission.set_registered([key(1)].into());
		assert!(admission.permits(&key(1)) && !admission.permits(&key(2)));
		admission.set_allowed([key(2)].into());
		assert!(admission.permits(&key(2)) && !admission.permits(&key(3)));
		admission.set_registered([key(3)].into());
		assert!(!admission.permits(&key(1)));
	}

	#[test]
	fn what_the_chain_said_long_ago_does_not_count() {
		let admission = Admission::new(Duration::ZERO, 10, 2);
		admission.set_registered([key(1)].into());
		admission.set_allowed([key(2)].into());
		assert!(!admission.permits(&key(1)) && admission.permits(&key(2)));
	}

	#[test]
	fn clients_are_counted_in_all_and_by_key() {
		let admission = Admission::new(HOUR, 3, 2);
		admission.set_registered([key(1), key(2), key(3)].into());
		assert!(admission.enter(key(1)).is_ok() && admission.enter(key(1)).is_ok());
		assert_eq!(admission.enter(key(1)), Err("too many clients"));
		assert!(admission.enter(key(2)).is_ok());
		assert_eq!(admission.enter(key(3)), Err("too many clients"));
		admission.leave(&key(1));
		assert!(admission.enter(key(3)).is_ok());
		admission.set_registered([key(1), key(3)].into());
		assert_eq!(admission.strangers(), [key(2)]);
		for leaving in [1, 2, 3, 3] {
			admission.leave(&key(leaving));
		}
		assert_eq!(admission.counts(), (0, 2));
		assert_eq!(admission.decisions.admitted.get(), 4);
	}

	#[test]
	fn files_of_keys_say_where_they_are_wrong() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("keys");
		let good = hex::encode([1; 32]);
		std::fs::write(&path, format!("# gateways\n\n{good} # first\n")).unwrap();
		assert_eq!(read_keys(&path).unwrap(), [key(1)].into());
		std::fs::write(&path, format!("{good}\nnonsense\n")).unwrap();
		let error = read_keys(&path).unwrap_err().to_string();
		assert!(
			error.contains("keys:2") && error.contains("nonsense"),
			"{error}"
		);
		assert!(read_keys(&folder.path().join("none")).is_err());
	}
}
