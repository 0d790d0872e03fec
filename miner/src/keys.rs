//! `arion-miner keys`: replaces the node key while the node goes on.
//!
//! `rotate` makes a key in `node.key.next` and announces it; from then on the chain knows the node by
//! both. `activate` ends the old key on chain and then renames `node.key.next` to `node.key`, one
//! step that a crash either comes before or after. Both can be repeated: they look at what is there
//! and do the rest.

use crate::{
	account::{rough, OwnNode, Secret},
	files::{self, BasePath},
	MinerError,
};
use arion_grid::Identity;
use hippius_chain_client::{ChainClient, NodeDetails};
use hippius_primitives::{
	registration::{rotation_payload, KeyProof},
	NodeIndex, NodeKey,
};
use serde::Serialize;
use std::{fmt, fs};

/// Blocks for which a proof may be used.
const PROOF_BLOCKS: u32 = 200;

/// The keys of a base path.
pub struct Keys {
	/// `node.key`.
	pub current: Identity,
	/// `node.key.next`, if there is one.
	pub next: Option<Identity>,
}

impl Keys {
	/// Reads them.
	pub fn load(base: &BasePath) -> Result<Self, MinerError> {
		let path = base.next_key();
		let there = path
			.try_exists()
			.map_err(MinerError::io("look at", &path))?;
		Ok(Self {
			current: Identity::load(&base.node_key())?,
			next: there.then(|| Identity::load(&path)).transpose()?,
		})
	}

	/// The public keys, current first.
	pub fn public(&self) -> Vec<NodeKey> {
		[Some(&self.current), self.next.as_ref()]
			.into_iter()
			.flatten()
			.map(Identity::node_key)
			.collect()
	}
}

/// The keys, as `keys show` tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
	/// The key in use.
	pub node_key: NodeKey,
	/// The key that is to replace it.
	pub next_key: Option<NodeKey>,
}

impl fmt::Display for Shown {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "node key   {}", self.node_key)?;
		match self.next_key {
			Some(next) => write!(f, "\nnext key   {next}"),
			None => Ok(()),
		}
	}
}

/// The public keys of a base path.
pub fn show(base: &BasePath) -> Result<Shown, MinerError> {
	let keys = Keys::load(base)?;
	Ok(Shown {
		node_key: keys.current.node_key(),
		next_key: keys.next.map(|next| next.node_key()),
	})
}

/// What `keys rotate` did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rotated {
	/// The node's number.
	pub node: NodeIndex,
	/// The key in use.
	pub node_key: NodeKey,
	/// The announced key.
	pub next_key: NodeKey,
	/// From this block on `keys activate` ends the old key.
	pub activation: u32,
	/// Seconds until then, roughly.
	pub seconds: Option<u64>,
	/// Whether it had been announced before.
	pub already: bool,
}

impl fmt::Display for Rotated {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let how = if self.already { "is" } else { "was" };
		let when = self
			.seconds
			.map_or(String::new(), |s| format!(", in about {}", rough(s)));
		write!(
			f,
			"Node {}: the next key {how} announced\nnode key   {}\nnext key   {}\n\nBoth are valid \
			 until block {}{when}. Then: arion-miner keys activate",
			self.node, self.node_key, self.next_key, self.activation
		)
	}
}

/// What `keys activate` did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Activated {
	/// The node's number.
	pub node: NodeIndex,
	/// The key in use from now on.
	pub node_key: NodeKey,
	/// The key that was replaced.
	pub old_key: NodeKey,
}

/// What the chain and the files together ask for.
#[derive(Debug, PartialEq, Eq)]
enum Step {
	/// Make a next key, if there is none, and announce it.
	Announce,
	/// The next key is announced; it can be activated from a block on.
	Announced(u32),
	/// The chain has changed over; the files have not.
	Swap,
	/// The files have changed over; the chain has not.
	Finish,
	/// The chain has another key than the files.
	Lost,
}

fn step(current: NodeKey, next: Option<NodeKey>, chain: &NodeDetails) -> Step {
	if next == Some(chain.key) {
		return Step::Swap;
	}
	match chain.next_key {
		Some((announced, _)) if announced == current => Step::Finish,
		_ if chain.key != current => Step::Lost,
		Some((announced, block)) if next == Some(announced) => Step::Announced(block),
		_ => Step::Announce,
	}
}

fn lost(chain: &NodeDetails) -> MinerError {
	MinerError::Input(format!(
		"the chain has the key {}, of which there is no file here; put it back from a backup",
		chain.key
	))
}

/// Makes and announces the next key; done when that is finalised.
pub async fn rotate(base: &BasePath, url: &str, secret: &Secret) -> Result<Rotated, MinerError> {
	let keys = Keys::load(base)?;
	let signer = secret.signer()?;
	let node = OwnNode::of(url, &keys.public(), &signer).await?;
	let current = keys.current.node_key();
	let next = keys.next.as_ref().map(Identity::node_key);
	let done = |details: &NodeDetails, next_key, activation, already| Rotated {
		node: node.index,
		node_key: details.key,
		next_key,
		activation,
		seconds: node.seconds_until(activation),
		already,
	};
	match (step(current, next, &node.details), next) {
		(Step::Announced(block), Some(next)) => return Ok(done(&node.details, next, block, true)),
		(Step::Swap | Step::Finish, _) => {
			return Err(MinerError::Input(
				"a rotation is half done; end it with `arion-miner keys activate --now` first"
					.into(),
			))
		}
		(Step::Lost, _) => return Err(lost(&node.details)),
		_ => {}
	}
	let next = match keys.next {
		// Made by a run that did not get to announce it.
		Some(next) => next,
		None => {
			let next = Identity::generate()?;
			next.save(&base.next_key())?;
			next
		}
	};
	let key = next.node_key();
	let proof = proof(&node, &next).await?;
	let chain = &node.chain;
	let details = chain.announce_key(&signer, node.index, key, &proof).await?;
	match details.next_key {
		Some((announced, block)) if announced == key => Ok(done(&details, key, block, false)),
		_ => Err(MinerError::Input(
			"another key was announced for this node at the same time; run this again".into(),
		)),
	}
}

async fn proof(node: &OwnNode, next: &Identity) -> Result<KeyProof, MinerError> {
	let chain: &ChainClient = &node.chain;
	let genesis = chain.genesis_hash();
	let key = next.node_key();
	let sequence = chain.proof_sequence(key).await?;
	let valid_until = node.view.number().saturating_add(PROOF_BLOCKS);
	let family = &node.details.family;
	let payload = rotation_payload(&genesis, family, node.index, &key, sequence, valid_until);
	Ok(KeyProof {
		genesis,
		sequence,
		valid_until,
		signature: next.sign(&payload),
	})
}

/// Makes the announced key the only one, on chain and here; done when that is finalised. Before the
/// overlap's end only with `now`, as for a leaked key.
pub async fn activate(
	base: &BasePath,
	url: &str,
	secret: &Secret,
	now: bool,
) -> Result<Activated, MinerError> {
	let keys = Keys::load(base)?;
	let signer = secret.signer()?;
	let node = OwnNode::of(url, &keys.public(), &signer).await?;
	let current = keys.current.node_key();
	let next = keys.next.as_ref().map(Identity::node_key);
	let old_key = match (step(current, next, &node.details), next) {
		(Step::Announced(block), Some(next)) => {
			if node.view.number() < block && !now {
				let when = node.seconds_until(block);
				return Err(MinerError::TooEarly {
					what: "the overlap of the two keys",
					now: node.view.number(),
					block,
					when: when.map_or(String::new(), |s| format!(", in about {}", rough(s))),
					hint: "; with --now the old key ends at once",
				});
			}
			activate_on_chain(&node, &signer, next).await?;
			swap(base)?;
			current
		}
		(Step::Finish, _) => {
			activate_on_chain(&node, &signer, current).await?;
			return Ok(Activated {
				node: node.index,
				node_key: current,
				old_key: node.details.key,
			});
		}
		(Step::Swap, _) => {
			swap(base)?;
			current
		}
		(Step::Lost, _) => return Err(lost(&node.details)),
		(Step::Announce | Step::Announced(_), _) => {
			return Err(MinerError::Input(
				"no next key is announced; run `arion-miner keys rotate` first".into(),
			))
		}
	};
	Ok(Activated {
		node: node.index,
		node_key: next.unwrap_or(current),
		old_key,
	})
}

async fn activate_on_chain(
	node: &OwnNode,
	signer: &hippius_chain_client::Keypair,
	key: NodeKey,
) -> Result<(), MinerError> {
	let details = node.chain.activate_key(signer, node.index).await?;
	match details.key == key {
		true => Ok(()),
		false => Err(lost(&details)),
	}
}

/// Puts the next key in the place of the current one, in one step.
pub fn swap(base: &BasePath) -> Result<(), MinerError> {
	let (next, current) = (base.next_key(), base.node_key());
	fs::rename(&next, &current).map_err(MinerError::io("rename", next))?;
	files::sync_dir(&base.0)
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use hippius_primitives::registration::NodeStatus;

	const A: NodeKey = NodeKey([1; 32]);
	const B: NodeKey = NodeKey([2; 32]);
	const C: NodeKey = NodeKey([3; 32]);

	fn chain(key: NodeKey, next: Option<NodeKey>) -> NodeDetails {
		NodeDetails {
			family: [0; 32],
			key,
			next_key: next.map(|key| (key, 50)),
			zone: 0,
			host: Vec::new(),
			capacity: 0,
			addresses: Vec::new(),
			status: NodeStatus::Active,
			registered_at: 0,
			deposit: 0,
			stake: 0,
			claimable_at: None,
		}
	}

	/// Every state a crash can leave behind, and what ends it.
	#[test]
	fn each_state_has_its_next_step() {
		for (current, next, on_chain, expected) in [
			(A, None, chain(A, None), Step::Announce),
			// The key was made, not announced.
			(A, Some(B), chain(A, None), Step::Announce),
			// Another was announced, whose file is not here.
			(A, Some(B), chain(A, Some(C)), Step::Announce),
			(A, None, chain(A, Some(C)), Step::Announce),
			(A, Some(B), chain(A, Some(B)), Step::Announced(50)),
			// Activated on chain, by us or by anyone, and not renamed.
			(A, Some(B), chain(B, None), Step::Swap),
			// Renamed by hand.
			(B, None, chain(A, Some(B)), Step::Finish),
			(B, None, chain(B, None), Step::Announce),
			(A, None, chain(B, None), Step::Lost),
			(A, Some(C), chain(B, None), Step::Lost),
		] {
			assert_eq!(
				step(current, next, &on_chain),
				expected,
				"{current} {next:?}"
			);
		}
	}

	#[test]
	fn the_swap_is_one_step_and_keys_stay_private() {
		use std::os::unix::fs::PermissionsExt;
		let dir = tempfile::tempdir().unwrap();
		let base = BasePath(dir.path().into());
		let (old, new) = (Identity::generate().unwrap(), Identity::generate().unwrap());
		old.save(&base.node_key()).unwrap();
		assert_eq!(show(&base).unwrap().next_key, None);
		assert!(swap(&base).is_err());
		assert_eq!(show(&base).unwrap().node_key, old.node_key());
		new.save(&base.next_key()).unwrap();
		let shown = show(&base).unwrap();
		assert_eq!(
			(shown.node_key, shown.next_key),
			(old.node_key(), Some(new.node_key()))
		);
		assert_eq!(Keys::load(&base).unwrap().public().len(), 2);
		// Never overwritten.
		assert!(Identity::generate()
			.unwrap()
			.save(&base.next_key())
			.is_err());
		swap(&base).unwrap();
		let shown = show(&base).unwrap();
		assert_eq!((shown.node_key, shown.next_key), (new.node_key(), None));
		let mode = fs::metadata(base.node_key()).unwrap().permissions().mode();
		assert_eq!(mode & 0o777, 0o600);
	}

	#[test]
	fn a_next_key_others_can_read_is_refused() {
		use std::os::unix::fs::PermissionsExt;
		let dir = tempfile::tempdir().unwrap();
		let base = BasePath(dir.path().into());
		for path in [base.node_key(), base.next_key()] {
			Identity::generate().unwrap().save(&path).unwrap();
		}
		fs::set_permissions(base.next_key(), fs::Permissions::from_mode(0o640)).unwrap();
		let error = show(&base).unwrap_err().to_string();
		assert!(error.contains("chmod 600"), "{error}");
	}
}
