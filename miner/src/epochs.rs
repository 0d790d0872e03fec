//! The cluster map a miner works by: taken from the chain's worker, checked, kept across restarts.

use crate::{files, MinerError};
use arion_crush::{ClusterMap, MapError, Placement};
use codec::{DecodeAll, Encode};
use hippius_primitives::{
	daemon::{EpochState, EpochUpdate, MAX_EPOCH_UPDATE},
	Epoch, NodeIndex, NodeKey, Pg, StripeId,
};
use std::{
	collections::{BTreeMap, BTreeSet},
	path::{Path, PathBuf},
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
	placement: OnceLock<Result<Placement, String>>,
}

impl Held {
	/// Reads and checks an update, for the node `key`.
	pub(crate) fn read(bytes: &[u8], key: &NodeKey) -> Result<Self, EpochError> {
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
			placement: OnceLock::new(),
		})
	}

	/// The map, ready to place.
	pub fn placement(&self) -> Result<&Placement, &str> {
		let placement = self
			.placement
			.get_or_init(|| self.map.placement().map_err(|error| error.to_string()));
		placement.as_ref().map_err(String::as_str)
	}

	/// Which slot of a stripe this node holds by this map, if any.
	pub fn slot_of(&self, stripe: &StripeId) -> Result<Option<u8>, String> {
		self.slot_in(self.map.pg_of(stripe))
	}

	/// Which slot of a placement group this node holds by this map, if any.
	pub fn slot_in(&self, pg: Pg) -> Result<Option<u8>, String> {
		let Some(index) = self.index else {
			return Ok(None);
		};
		let up = self
			.placement()?
			.up(pg)
			.map_err(|error| error.to_string())?;
		let at = up.iter().position(|node| *node == Some(index));
		Ok(at.and_then(|at| u8::try_from(at).ok()))
	}

	/// The slots that are this node's, by placement group. Computed once; that takes a moment for
	/// large maps, so the first call belongs on a thread that may block.
	pub fn compute_slots(&self) -> Result<&[(Pg, u8)], &str> {
		let computed = self.slots.get_or_init(|| {
			let Some(index) = self.index else {
				return Ok(Vec::new());
			};
			let placement = self.placement()?;
			placement.slots_of(index).map_err(|error| error.to_string())
		});
		computed.as_deref().map_err(String::as_str)
	}

	/// The slots, if they have been computed without error.
	pub fn slots(&self) -> Option<&[(Pg, u8)]> {
		self.slots.get()?.as_deref().ok()
	}
}

/// Maps kept besides the newest, so that permits of a gateway that is a little behind still count.
const OLDER_KEPT: usize = 3;

/// Takes epochs and keeps the last few in a directory: `genesis` (hex of the chain the miner is
/// bound to), `epoch` (SCALE of the newest update) and `epoch-N` (those before).
pub struct Epochs {
	dir: PathBuf,
	key: RwLock<NodeKey>,
	/// One update at a time is checked and written.
	taking: Mutex<()>,
	genesis: RwLock<Option<[u8; 32]>>,
	held: RwLock<Option<Arc<Held>>>,
	/// At most [`OLDER_KEPT`].
	older: RwLock<BTreeMap<Epoch, Arc<Held>>>,
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
			Some(bytes) => match Held::read(&bytes, &key) {
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
		let older = load_older(&dir, &key, held.as_deref())?;
		Ok(Self {
			dir,
			key: RwLock::new(key),
			taking: Mutex::default(),
			genesis: RwLock::new(genesis),
			held: RwLock::new(held),
			older: RwLock::new(older),
		})
	}

	/// The node's key is another from now on. Maps that are held keep the node's number, maps to
	/// come are searched for either of the node's keys anyway.
	pub fn set_key(&self, key: NodeKey) {
		*self.key.write().unwrap_or_else(PoisonError::into_inner) = key;
	}

	/// The map of an epoch, if it is one of the last few.
	pub fn at(&self, epoch: Epoch) -> Option<Arc<Held>> {
		if let Some(held) = self.held().filter(|held| held.update.epoch == epoch) {
			return Some(held);
		}
		let older = self.older.read().unwrap_or_else(PoisonError::into_inner);
		older.get(&epoch).cloned()
	}

	/// Keeps a map that is no longer the newest, on disk too.
	fn keep(&self, held: &Arc<Held>) -> Result<(), MinerError> {
		let epoch = held.update.epoch;
		files::replace(&older_path(&self.dir, epoch), &held.update.encode())?;
		let mut older = self.older.write().unwrap_or_else(PoisonError::into_inner);
		older.insert(epoch, held.clone());
		while older.len() > OLDER_KEPT {
			if let Some((epoch, _)) = older.pop_first() {
				let path = older_path(&self.dir, epoch);
				if let Err(error) = std::fs::remove_file(&path) {
					tracing::warn!(path = %path.display(), %error, "an old map cannot be removed");
				}
			}
		}
		Ok(())
	}

	/// The newest map and the few before it that are kept, newest first.
	pub fn kept(&self) -> Vec<Arc<Held>> {
		let mut maps: Vec<_> = self.held().into_iter().collect();
		let older = self.older.read().unwrap_or_else(PoisonError::into_inner);
		maps.extend(older.values().rev().cloned());
		maps
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
		let key = *self.key.read().unwrap_or_else(PoisonError::into_inner);
		let offered = Held::read(bytes, &key)?;
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
		if let Some(kept) = self.held() {
			let held = &kept.update;
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
			if held.epoch < update.epoch {
				self.keep(&kept)?;
			}
		}
		files::replace(&self.dir.join("epoch"), &update.encode())?;
		let (epoch, index) = (update.epoch, offered.index);
		*self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(offered));
		tracing::info!(epoch, node = ?index, "cluster map taken");
		Ok(self.state())
	}
}

fn older_path(dir: &Path, epoch: Epoch) -> PathBuf {
	dir.join(format!("epoch-{epoch}"))
}

/// Loads the maps before `newest`; what is damaged, of another chain or too old is left out.
fn load_older(
	dir: &Path,
	key: &NodeKey,
	newest: Option<&Held>,
) -> Result<BTreeMap<Epoch, Arc<Held>>, MinerError> {
	let mut epochs = BTreeSet::new();
	let listing = match std::fs::read_dir(dir) {
		Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
		listing => listing.map_err(|error| MinerError::io("list", dir)(error))?,
	};
	for file in listing {
		let file = file.map_err(|error| MinerError::io("list", dir)(error))?;
		let name = file.file_name();
		let number = name.to_str().and_then(|name| name.strip_prefix("epoch-"));
		epochs.extend(number.and_then(|number| number.parse::<Epoch>().ok()));
	}
	let mut older = BTreeMap::new();
	let Some(newest) = newest else {
		return Ok(older);
	};
	for epoch in epochs.into_iter().rev().take(OLDER_KEPT) {
		let Some(bytes) = files::read_limited(&older_path(dir, epoch), MAX_EPOCH_UPDATE)? else {
			continue;
		};
		match Held::read(&bytes, key) {
			Ok(held)
				if held.update.genesis == newest.update.genesis
					&& held.update.epoch == epoch
					&& epoch < newest.update.epoch =>
			{
				older.insert(epoch, Arc::new(held));
			}
			Ok(_) => tracing::warn!(epoch, "a kept older map does not fit and is left out"),
			Err(error) => tracing::warn!(epoch, %error, "a kept older map is damaged"),
		}
	}
	Ok(older)
}
