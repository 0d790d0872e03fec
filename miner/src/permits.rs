//! Who may store, delete and restore here.
//!
//! A permit counts for the chain and the map it names, for the slot that its stripe gives this node,
//! for a few minutes, and once: brought again it is stale, and who may sign signs another, as after an
//! answer that was lost. What it stored and somebody then deleted it does not store again. The memory
//! of used permits ends with the process, so permits from before its start are not taken.

use crate::epochs::{Epochs, Held};
use arion_grid::{ServiceError, Status};
use arion_storage_proof::StripeEntry;
use codec::Encode;
use hippius_primitives::{
	permit::{check_time, Permit, Signed, SignedChange, SignedPermit, TimeError},
	receipt::BatchRef,
	Epoch, NodeIndex, NodeKey, ShardMeta,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{
	collections::{BTreeSet, HashMap},
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::{SystemTime, UNIX_EPOCH},
};

/// Used permits remembered at most, about 40 bytes each.
const MOST_USED: usize = 1 << 18;

/// Whose permits count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Issuers {
	/// Everybody's, if they bring it themselves.
	#[default]
	Any,
	/// Those of these keys, whoever brings them.
	Only(BTreeSet<NodeKey>),
}

/// `"any"` or a list of keys.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Setting {
	Word(String),
	Keys(BTreeSet<NodeKey>),
}

impl Serialize for Issuers {
	fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		match self {
			Self::Any => Setting::Word("any".into()),
			Self::Only(keys) => Setting::Keys(keys.clone()),
		}
		.serialize(serializer)
	}
}

impl<'de> Deserialize<'de> for Issuers {
	fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
		let bad = || {
			serde::de::Error::custom(
				"issuers is \"any\" or a list of node keys, each of 64 hexadecimal digits",
			)
		};
		match Setting::deserialize(deserializer) {
			Ok(Setting::Word(word)) if word == "any" => Ok(Self::Any),
			Ok(Setting::Keys(keys)) => Ok(Self::Only(keys)),
			Ok(Setting::Word(_)) | Err(_) => Err(bad()),
		}
	}
}

/// Who may store here, in `config.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PermitsSection {
	/// Whose permits to store and delete count: `"any"` (everybody's, if they bring it themselves)
	/// or a list of keys of gateways.
	pub issuers: Issuers,
}

impl PermitsSection {
	/// The section as it stands in `config.toml`, explained.
	pub fn render(&self) -> String {
		let issuers = match &self.issuers {
			Issuers::Any => "\"any\"".into(),
			Issuers::Only(keys) => {
				let keys: Vec<String> = keys.iter().map(|key| format!("\"{key}\"")).collect();
				format!("[{}]", keys.join(", "))
			}
		};
		format!(
			"[permits]\n\
			# Whose permits to store count: \"any\" (everybody's, for what they bring themselves), or a\n\
			# list of gateways' keys as in [\"64 hexadecimal digits\"].\n\
			issuers = {issuers}\n"
		)
	}
}

/// Milliseconds since 1970.
pub type Clock = fn() -> u64;

fn system() -> u64 {
	let since = SystemTime::now().duration_since(UNIX_EPOCH);
	since.map_or(0, |since| {
		u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
	})
}

/// Checks permits and remembers those that were used.
pub struct Permits {
	issuers: Issuers,
	epochs: Arc<Epochs>,
	clock: Clock,
	started: u64,
	most: usize,
	used: Arc<Mutex<Used>>,
}

type Digest = [u8; 16];

/// What is known of a permit's use.
struct Use {
	/// When the permit expires.
	until: u64,
	/// Whether what it allows was done; it is under way otherwise.
	done: bool,
}

/// Permits that were used or are being used.
#[derive(Default)]
struct Used {
	uses: HashMap<Digest, Use>,
	/// When expired ones are dropped next.
	sweep: u64,
}

fn locked(used: &Mutex<Used>) -> MutexGuard<'_, Used> {
	used.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The only use of a permit, under way. If it is dropped before [`Claim::done`], nothing was done and
/// the permit can be used again.
#[must_use]
pub struct Claim {
	used: Arc<Mutex<Used>>,
	digest: Digest,
	done: bool,
}

impl Claim {
	/// What the permit allows was done.
	pub fn done(mut self) {
		self.done = true;
		if let Some(entry) = locked(&self.used).uses.get_mut(&self.digest) {
			entry.done = true;
		}
	}
}

impl Drop for Claim {
	fn drop(&mut self) {
		if !self.done {
			locked(&self.used).uses.remove(&self.digest);
		}
	}
}

/// How long expired entries may stay, in milliseconds.
const SWEEP_EVERY: u64 = 60_000;

impl Permits {
	/// Permits of `issuers`, for the maps of `epochs`.
	pub fn new(issuers: Issuers, epochs: Arc<Epochs>) -> Self {
		Self::with_clock(issuers, epochs, system)
	}

	/// The same with another clock.
	pub fn with_clock(issuers: Issuers, epochs: Arc<Epochs>, clock: Clock) -> Self {
		Self {
			issuers,
			epochs,
			clock,
			started: clock(),
			most: MOST_USED,
			used: Arc::default(),
		}
	}

	/// Whether `peer` may store the shard of `meta` with this permit. That the permit is of the
	/// stripe and of the shard's length has been checked.
	pub fn check_store(
		&self,
		peer: &NodeKey,
		signed: &SignedPermit,
		meta: &ShardMeta,
	) -> Result<(), ServiceError> {
		let permit = &signed.permit;
		self.check_chain(&permit.genesis)?;
		self.check_times(permit.issued, permit.expires)?;
		let held = self.map(permit.epoch)?;
		let slot = held
			.slot_of(&permit.stripe)
			.map_err(|error| unplaced(&error, permit.epoch))?;
		if slot != Some(meta.slot) {
			return Err(ServiceError::refused(
				"by the permit's map this slot of the stripe is not this node's",
			));
		}
		self.check_issuer(peer, signed)
	}

	/// Whether `peer` may change what is stored with this permit; of which shards, the store knows.
	pub fn check_change(&self, peer: &NodeKey, signed: &SignedChange) -> Result<(), ServiceError> {
		self.check_chain(&signed.permit.genesis)?;
		self.check_times(signed.permit.issued, signed.permit.expires)?;
		self.check_issuer(peer, signed)
	}

	/// Whether the permit was not used here for this slot, where what it allows to be stored is
	/// `held` or not.
	pub fn check_unused<P: Encode>(
		&self,
		signed: &Signed<P>,
		slot: u8,
		held: bool,
	) -> Result<(), ServiceError> {
		match self.used().uses.get(&digest(signed, slot)) {
			None => Ok(()),
			Some(Use { done: true, .. }) if !held => Err(ServiceError::refused(
				"the permit was used before, and what it stored was deleted since",
			)),
			Some(_) => Err(used_before()),
		}
	}

	/// Begins the permit's only use, before it `expires`. Without memory a permit could be used twice,
	/// so none is taken when too many are remembered.
	pub fn claim<P: Encode>(
		&self,
		signed: &Signed<P>,
		slot: u8,
		expires: u64,
	) -> Result<Claim, ServiceError> {
		let now = (self.clock)();
		let digest = digest(signed, slot);
		let mut used = self.used();
		if now >= used.sweep {
			used.uses.retain(|_, entry| entry.until > now);
			used.sweep = now.saturating_add(SWEEP_EVERY);
		}
		if used.uses.contains_key(&digest) {
			return Err(used_before());
		}
		if used.uses.len() >= self.most {
			let what = "too many permits were used in the last minutes";
			return Err(ServiceError::new(Status::Busy, what));
		}
		let entry = Use {
			until: expires,
			done: false,
		};
		used.uses.insert(digest, entry);
		Ok(Claim {
			used: self.used.clone(),
			digest,
			done: false,
		})
	}

	/// This node's number and slot in the placement group of a batch, if it is a member and all
	/// entries belong to that group.
	pub fn member(
		&self,
		batch: &BatchRef,
		entries: &[StripeEntry],
	) -> Result<(NodeIndex, u8), ServiceError> {
		self.check_chain(&batch.genesis)?;
		let held = self.map(batch.epoch)?;
		let stray = entries
			.iter()
			.any(|entry| held.map.pg_of(&entry.stripe) != batch.pg);
		if stray {
			return Err(ServiceError::bad_request(
				"a stripe of the batch belongs to another placement group",
			));
		}
		let slot = held
			.slot_in(batch.pg)
			.map_err(|error| unplaced(&error, batch.epoch))?;
		held.index
			.zip(slot)
			.ok_or_else(|| ServiceError::refused("this node has no slot in the placement group"))
	}

	/// Whether this node gives receipts to a peer: to those whose permits it takes, since it keeps
	/// the entries of each batch it signs for.
	pub fn check_receipts_for(&self, peer: &NodeKey) -> Result<(), ServiceError> {
		match &self.issuers {
			Issuers::Only(keys) if !keys.contains(peer) => Err(ServiceError::refused(
				"receipts are given to issuers of permits that this node takes",
			)),
			_ => Ok(()),
		}
	}

	/// The map of an epoch.
	fn map(&self, epoch: Epoch) -> Result<Arc<Held>, ServiceError> {
		self.epochs.at(epoch).ok_or_else(|| {
			let newest = self.epochs.state().epoch;
			let what =
				format!("the map of epoch {epoch} is not at hand; the newest here is {newest}");
			ServiceError::new(Status::UnknownEpoch, what)
		})
	}

	/// Used permits remembered now.
	pub fn remembered(&self) -> usize {
		self.used().uses.len()
	}

	fn used(&self) -> MutexGuard<'_, Used> {
		locked(&self.used)
	}

	fn check_chain(&self, genesis: &[u8; 32]) -> Result<(), ServiceError> {
		match self.epochs.genesis() {
			Some(ours) if ours == *genesis => Ok(()),
			Some(_) => Err(ServiceError::refused("the permit is of another chain")),
			None => Err(ServiceError::new(
				Status::UnknownEpoch,
				"this node has no map yet",
			)),
		}
	}

	fn check_times(&self, issued: u64, expires: u64) -> Result<(), ServiceError> {
		match check_time(issued, expires, (self.clock)()) {
			Ok(()) if issued < self.started => Err(ServiceError::new(
				Status::StalePermit,
				"the permit is from before this node's start; sign a new one",
			)),
			Ok(()) => Ok(()),
			Err(error @ TimeError::Expired) => {
				Err(ServiceError::new(Status::StalePermit, error.to_string()))
			}
			Err(error) => Err(ServiceError::refused(error.to_string())),
		}
	}

	fn check_issuer<P: Permit>(
		&self,
		peer: &NodeKey,
		signed: &Signed<P>,
	) -> Result<(), ServiceError> {
		let may = match &self.issuers {
			Issuers::Any => signed.issuer == *peer,
			Issuers::Only(keys) => keys.contains(&signed.issuer),
		};
		if !may {
			return Err(ServiceError::refused(match &self.issuers {
				Issuers::Any => "the permit is signed by somebody else than who brings it",
				Issuers::Only(_) => "this node takes no permits of that issuer",
			}));
		}
		if !signed.is_signed(arion_grid::verify) {
			return Err(ServiceError::refused("the permit's signature is wrong"));
		}
		Ok(())
	}
}

fn unplaced(error: &str, epoch: Epoch) -> ServiceError {
	tracing::error!(error, epoch, "a map cannot place");
	ServiceError::internal("the map cannot place the stripe")
}

fn used_before() -> ServiceError {
	ServiceError::new(
		Status::StalePermit,
		"the permit was used before; sign a new one",
	)
}

/// What is remembered of a permit's use. Of the whole permit, so that an issuer that uses a nonce
/// twice hurts nobody.
fn digest<P: Encode>(signed: &Signed<P>, slot: u8) -> Digest {
	let hash = blake3::hash(&(&signed.issuer, &signed.permit, slot).encode());
	let mut short = [0; 16];
	short.copy_from_slice(&hash.as_bytes()[..16]);
	short
}
