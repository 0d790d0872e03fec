//! The counts.

use crate::Terms;
use ed25519_dalek::{Signature, VerifyingKey};
use hippius_primitives::{
	heartbeat::{
		evidence_leaf, evidence_root, page_of, verify_beat, BeatCounts, Page, PageReport,
		SignedBeat, Window, PAGE_NODES,
	},
	NodeIndex, NodeKey,
};
use std::collections::BTreeMap;

/// Windows that are kept: the present one, and the one before it, which is being reported.
const WINDOWS: usize = 2;

/// What a collector sees of the chain.
pub trait ChainView {
	/// Number of the best block.
	fn best(&self) -> u32;
	/// Hash of a block of the best chain.
	fn hash(&self, number: u32) -> Option<[u8; 32]>;
	/// The keys under which a node may sign now: none if it is not registered.
	fn keys(&self, node: NodeIndex) -> Vec<NodeKey>;
	/// Whether this validator collects the page in the window.
	fn collects(&self, window: Window, page: Page) -> bool;
}

/// Why a beat does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeatError {
	/// It is of another chain.
	#[error("the beat is of another chain: its genesis hash differs")]
	OtherChain,
	/// Its block is too far from the collector's best one.
	#[error(
		"the beat names block {named}, the best here is {best}: is one of the full nodes behind?"
	)]
	NotFresh {
		/// The beat's block.
		named: u32,
		/// The collector's.
		best: u32,
	},
	/// Its block is not on the collector's best chain.
	#[error("block {0} has another hash here: is the beat's full node on a fork?")]
	OtherFork(u32),
	/// The collector is not one of this page's.
	#[error("this validator does not collect page {0} in this window: ask the chain who does")]
	NotMyPage(Page),
	/// A beat with this number or a later one was seen.
	#[error("beat {seq} of node {node} is not newer than the last one, {last}")]
	Replayed {
		/// The node.
		node: NodeIndex,
		/// The beat's number.
		seq: u64,
		/// The last one's.
		last: u64,
	},
	/// Nobody has this number.
	#[error("no node has number {0}: is it registered, and does the full node here know of it?")]
	UnknownNode(NodeIndex),
	/// The signature is not the node's.
	#[error("the beat's signature is not that of node {0}")]
	BadSignature(NodeIndex),
}

/// What was heard of a node in a window.
#[derive(Clone, Debug, Default)]
struct Heard {
	/// The beats that count, one per slot, with the slot.
	beats: Vec<(u8, SignedBeat)>,
}

/// The counts of one collector.
pub struct Book {
	terms: Terms,
	windows: BTreeMap<Window, BTreeMap<NodeIndex, Heard>>,
	/// The number of each node's last beat that counted.
	last: BTreeMap<NodeIndex, u64>,
}

impl Book {
	/// An empty one.
	pub fn new(terms: Terms) -> Self {
		Self {
			terms,
			windows: BTreeMap::new(),
			last: BTreeMap::new(),
		}
	}

	/// Counts a beat; whether it was the first one of its slot. One that was not changes nothing.
	pub fn take(&mut self, signed: SignedBeat, chain: &impl ChainView) -> Result<bool, BeatError> {
		let beat = &signed.beat;
		if beat.genesis != self.terms.genesis {
			return Err(BeatError::OtherChain);
		}
		let best = chain.best();
		if beat.best.abs_diff(best) > self.terms.tolerance {
			return Err(BeatError::NotFresh {
				named: beat.best,
				best,
			});
		}
		// A node may know a block that this one is still waiting for.
		if let Some(hash) = chain.hash(beat.best) {
			if hash != beat.best_hash {
				return Err(BeatError::OtherFork(beat.best));
			}
		}
		let node = beat.node;
		// By the collector's own clock, so that a node cannot choose its slot.
		let (window, slot) = self.terms.slot_of(best);
		let (page, _) = page_of(node);
		if !chain.collects(window, page) {
			return Err(BeatError::NotMyPage(page));
		}
		if let Some(last) = self.last.get(&node) {
			if beat.seq <= *last {
				return Err(BeatError::Replayed {
					node,
					seq: beat.seq,
					last: *last,
				});
			}
		}
		let heard = self.windows.get(&window).and_then(|nodes| nodes.get(&node));
		if heard.is_some_and(|heard| heard.beats.iter().any(|(counted, _)| *counted == slot)) {
			return Ok(false);
		}
		let keys = chain.keys(node);
		if keys.is_empty() {
			return Err(BeatError::UnknownNode(node));
		}
		if !keys.iter().any(|key| verify_beat(&signed, key, verify)) {
			return Err(BeatError::BadSignature(node));
		}
		self.last.insert(node, beat.seq);
		let nodes = self.windows.entry(window).or_default();
		nodes.entry(node).or_default().beats.push((slot, signed));
		self.forget(chain);
		Ok(true)
	}

	/// What this collector, which has place `collector` in the window's list of validators, saw of a
	/// page. `None` if it knows nothing of the window: it did not run then.
	pub fn report(&self, window: Window, page: Page, collector: u32) -> Option<PageReport> {
		let nodes = self.windows.get(&window)?;
		let first = page.checked_mul(PAGE_NODES)?;
		let mut counts = Vec::new();
		let mut leaves = Vec::new();
		for (node, heard) in nodes.range(first..first.saturating_add(PAGE_NODES)) {
			let (_, place) = page_of(*node);
			counts.resize(place, 0);
			leaves.resize(place, [0; 32]);
			// One per slot, and slots are counted in a byte.
			counts.push(heard.beats.len() as u8);
			let beats: Vec<_> = heard.beats.iter().map(|(_, beat)| beat.clone()).collect();
			leaves.push(evidence_leaf(&beats));
		}
		Some(PageReport {
			window,
			page,
			collector,
			counts: BeatCounts::truncate_from(counts),
			evidence: evidence_root(&leaves),
		})
	}

	/// The beats that were counted of a node in a window, to show what a report says.
	pub fn evidence(&self, window: Window, node: NodeIndex) -> Vec<SignedBeat> {
		let heard = self.windows.get(&window).and_then(|nodes| nodes.get(&node));
		heard.map_or_else(Vec::new, |heard| {
			heard.beats.iter().map(|(_, beat)| beat.clone()).collect()
		})
	}

	/// The windows of which something is known.
	pub fn windows(&self) -> impl Iterator<Item = Window> + '_ {
		self.windows.keys().copied()
	}

	/// Drops what is too old to matter.
	fn forget(&mut self, chain: &impl ChainView) {
		if self.windows.len() <= WINDOWS {
			return;
		}
		while self.windows.len() > WINDOWS {
			self.windows.pop_first();
		}
		// A node that is gone sends no more; one that was silent for long starts anew, and beats it
		// sent then are too old by now.
		let windows = &self.windows;
		self.last.retain(|node, _| {
			windows.values().any(|nodes| nodes.contains_key(node)) && !chain.keys(*node).is_empty()
		});
	}
}

fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
	VerifyingKey::from_bytes(key).is_ok_and(|key| {
		key.verify_strict(message, &Signature::from_bytes(signature))
			.is_ok()
	})
}
