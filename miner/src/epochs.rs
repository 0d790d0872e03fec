//! The cluster map a miner works by: taken from the chain's worker, checked, kept across restarts.

use crate::{files, MinerError};
use arion_crush::{ClusterMap, MapError};
use codec::{DecodeAll, Encode};
use hippius_primitives::{
	daemon::{EpochState, EpochUpdate, MAX_EPOCH_UPDATE},
	Epoch, NodeIndex, NodeKey, Pg,
};
use std::{
	collections::BTreeSet,
	path::PathBuf,
	sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
};

/// Why an update is not taken. Each is an answer of the control API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EpochError {
	/// The body is no [`EpochUpdate`].
	#[error("not an epoch update: {0}")]
	Malformed(String),
	/// The update is of another chain than the first one was.
	#[error("this miner belongs to the chain with genesis 0x{bound}, the update is of 0x{offered}; a miner for another chain needs a base path of its own")]
	OtherChain {
		/// The chain the miner is bound to, hex.
		bound: String,
		/// The update's chain, hex.
		offered: String,
	},
	/// Genesis is all zero, or the epoch 0.
	#[error("genesis and epoch must not be zero")]
	Zero,
	/// The map does not have the hash that came with it.
	#[error("the map has the hash 0x{computed}, 0x{given} was given")]
	Hash {
		/// Hash of the map, hex.
		computed: String,
		/// Hash in the update, hex.
		given: String,
	},
	/// The map is not valid.
	#[error("the map is not valid: {0}")]
	Map(MapError),
	/// The map says another epoch than the update.
	#[error("the map is of epoch {map}, the update of epoch {update}")]
	EpochMismatch {
		/// Epoch in the map.
		map: Epoch,
		/// Epoch in the update.
		update: Epoch,
	},
	/// A node is listed that the map does not have, or listed twice.
	#[error("node {0} is listed twice or not in the map")]
	Node(NodeIndex),
	/// A newer map is held.
	#[error("epoch {offered} is older than epoch {held}, which is held")]
	Stale {
		/// The update's epoch.
		offered: Epoch,
		/// The held epoch.
		held: Epoch,
	},
	/// Another map of the same epoch is held.
	#[error("another map of epoch {0} is held: one of the two nodes is on a wrong fork")]
	Conflict(Epoch),
}

/// A map in use.
#[derive(Debug)]
pub struct Held {
	/// The update as it came.
	pub update: EpochUpdate,
	/// Its map.
	pub map: ClusterMap,
	/// This node's number, if it is in the node table.
	pub index: Option<NodeIndex>,
	slots: OnceLock<Result<Vec<(Pg, u8)>, String>>,
}

impl Held {
	fn check(bytes: &[u8], key: &NodeKey) -> Result<Self, EpochError> {
		let update = EpochUpdate::decode_all(&mut &*bytes)
			.map_err(|error| EpochError::Malformed(error.to_string()))?;
		if update.genesis == [0; 32] || update.epoch == 0 {
			return Err(EpochError::Zero);
		}
		let computed = sp_crypto_hashing::blake2_256(&update.map);
		if computed != update.map_hash {
			let (computed, given) = (hex::encode(computed), hex::encode(update.map_hash));
			return Err(EpochError::Hash { computed, given });
		}
		let map = ClusterMap::decode_checked(&update.map).map_err(EpochError::Map)?;
		if map.epoch != update.epoch {
			return Err(EpochError::EpochMismatch {
				map: map.epoch,
				update: update.epoch,
			});
		}
		let mut unlisted: BTreeSet<NodeIndex> = map.nodes().map(|node| node.index).collect();
		if let Some(node) = update
			.nodes
			.iter()
			.find(|node| !unlisted.remove(&node.index))
		{
			return Err(EpochError::Node(node.index));
		}
		let index = update
			.nodes
			.iter()
			.find(|node| node.key == *key || node.next_key == Some(*key))
			.map(|node| node.index);
		Ok(Self {
			update,
			map,
			index,
			slots: OnceLock::new(),
		})
	}

	/// The slots that are this node's, by placement group. Computed once; that takes a moment for
	/// large maps, so the first call belongs on a thread that may block.
	pub fn compute_slots(&self) -> Result<&[(Pg, u8)], &str> {
		let computed = self.slots.get_or_init(|| {
			let Some(index) = self.index else {
				return Ok(Vec::new());
			};
			let placement = self.map.placement().map_err(|error| error.to_string())?;
			placement.slots_of(index).map_err(|error| error.to_string())
		});
		computed.as_deref().map_err(String::as_str)
	}

	/// The slots, if they have been computed without error.
	pub fn slots(&self) -> Option<&[(Pg, u8)]> {
		self.slots.get()?.as_deref().ok()
	}
}

/// Takes epochs and keeps the newest in a directory:
/// `genesis` (hex of the chain the miner is bound to) and `epoch` (SCALE of the update).
pub struct Epochs {
	dir: PathBuf,
	key: NodeKey,
	/// One update at a time is checked and written.
	taking: Mutex<()>,
	genesis: RwLock<Option<[u8; 32]>>,
	held: RwLock<Option<Arc<Held>>>,
}

impl Epochs {
	/// Loads what `dir` holds for the node `key`.
	///
	/// A damaged map is left out, because the worker hands over the current one anyway; a damaged
	/// binding to the chain is an error.
	pub fn load(dir: PathBuf, key: NodeKey) -> Result<Self, MinerError> {
		let path = dir.join("genesis");
		let genesis = match files::read_limited(&path, 256)? {
			None => None,
			Some(text) => {
				let mut genesis = [0; 32];
				hex::decode_to_slice(text.trim_ascii(), &mut genesis).map_err(|error| {
					let error = std::io::Error::new(std::io::ErrorKind::InvalidData, error);
					MinerError::io("read the genesis hash in", &path)(error)
				})?;
				Some(genesis)
			}
		};
		let held = match files::read_limited(&dir.join("epoch"), MAX_EPOCH_UPDATE)? {
			None => None,
			Some(bytes) => match Held::check(&bytes, &key) {
				Ok(held) if genesis == Some(held.update.genesis) => Some(Arc::new(held)),
				Ok(_) => {
					tracing::warn!("the kept map is of another chain, waiting for a new one");
					None
				}
				Err(error) => {
					tracing::warn!(%error, "the kept map is damaged, waiting for a new one");
					None
				}
			},
		};
		Ok(Self {
			dir,
			key,
			taking: Mutex::default(),
			genesis: RwLock::new(genesis),
			held: RwLock::new(held),
		})
	}

	/// The newest map.
	pub fn held(&self) -> Option<Arc<Held>> {
		self.held
			.read()
			.unwrap_or_else(PoisonError::into_inner)
			.clone()
	}

	/// Unix seconds at which the held map came; `None` without one.
	pub fn taken_at(&self) -> Option<u64> {
		self.held()?;
		let changed = std::fs::metadata(self.dir.join("epoch"))
			.ok()?
			.modified()
			.ok()?;
		let since = changed.duration_since(std::time::UNIX_EPOCH).ok()?;
		Some(since.as_secs())
	}

	/// The chain the miner is bound to.
	pub fn genesis(&self) -> Option<[u8; 32]> {
		*self.genesis.read().unwrap_or_else(PoisonError::into_inner)
	}

	/// What the worker wants to know.
	pub fn state(&self) -> EpochState {
		EpochState {
			epoch: self.held().map_or(0, |held| held.update.epoch),
			genesis: self.genesis().unwrap_or_default(),
		}
	}

	/// Takes a SCALE encoded [`EpochUpdate`]. The first one binds the miner to its chain. The
	/// update is on disk when this returns. Blocks.
	pub fn take(&self, bytes: &[u8]) -> Result<EpochState, MinerError> {
		let offered = Held::check(bytes, &self.key)?;
		let _taking = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
		let update = &offered.update;
		match self.genesis() {
			Some(bound) if bound != update.genesis => {
				let (bound, offered) = (hex::encode(bound), hex::encode(update.genesis));
				return Err(EpochError::OtherChain { bound, offered }.into());
			}
			Some(_) => {}
			None => {
				let text = format!("{}\n", hex::encode(update.genesis));
				files::replace(&self.dir.join("genesis"), text.as_bytes())?;
				let mut genesis = self.genesis.write().unwrap_or_else(PoisonError::into_inner);
				*genesis = Some(update.genesis);
			}
		}
		if let Some(held) = self.held() {
			let held = &held.update;
			if held.epoch > update.epoch {
				let error = EpochError::Stale {
					offered: update.epoch,
					held: held.epoch,
				};
				return Err(error.into());
			}
			if held.epoch == update.epoch && held.map_hash != update.map_hash {
				return Err(EpochError::Conflict(held.epoch).into());
			}
			if held == update {
				return Ok(self.state());
			}
		}
		files::replace(&self.dir.join("epoch"), &update.encode())?;
		let (epoch, index) = (update.epoch, offered.index);
		*self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(offered));
		tracing::info!(epoch, node = ?index, "cluster map taken");
		Ok(self.state())
	}
}
