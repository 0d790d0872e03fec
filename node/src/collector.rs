//! A validator's collector of heartbeats.
//!
//! Nodes send their beats to a QUIC endpoint of this node, where `hippius-collector` counts them. What
//! it must know of the chain is read once per best block, so a beat costs no call of the runtime. At
//! the end of a window the counts are left in offchain storage, where the offchain worker finds them,
//! signs them with the session key and posts them.

use crate::{service::Client, Block};
use arion_grid::{Grid, GridConfig, GridError, Identity, IdentityError};
use codec::{Decode, Encode};
use futures::{FutureExt, StreamExt};
use hippius_collector::{Book, ChainView, Collector, Terms};
use hippius_primitives::{
	collector::{
		counts_key, CollectorAddresses, LocalEndpoint, PageCounts, ENDPOINT_STORAGE_KEY,
		MAX_COLLECTOR_ADDRESSES,
	},
	heartbeat::{collectors_of, page_of, Page, Window},
	NodeAddress, NodeIndex, NodeKey,
};
use pallet_heartbeats::runtime_api::HeartbeatsApi;
use pallet_placement_groups::runtime_api::PlacementGroupsApi;
use sc_client_api::BlockchainEvents;
use sp_api::{ApiError, ProvideRuntimeApi};
use sp_blockchain::HeaderBackend;
use sp_core::{
	crypto::key_types,
	offchain::{OffchainStorage, STORAGE_PREFIX},
};
use sp_keystore::KeystorePtr;
use sp_runtime::traits::{Block as BlockT, Header as _};
use std::{
	collections::{BTreeMap, BTreeSet, HashMap},
	io,
	net::SocketAddr,
	num::{NonZeroU32, NonZeroU8},
	path::{Path, PathBuf},
	sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

/// How many blocks a beat may be behind or ahead of this node's best one.
const TOLERANCE: u32 = 5;
/// Nodes asked of the runtime in one go.
const NODES: u32 = 256;
/// The file with the collector's own key, beside the chain's database.
const KEY_FILE: &str = "collector.key";
/// Where in offchain storage is listed what was left there.
const LEFT_STORAGE_KEY: &[u8] = b"hippius::collector-left";

type Hash = <Block as BlockT>::Hash;

/// Where a collector listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorConfig {
	/// The UDP address it is served on.
	pub listen: SocketAddr,
	/// Where others reach it.
	pub addresses: CollectorAddresses,
}

/// Why there is no collector.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
	/// Nobody can be told to come to that address.
	#[error("nobody can reach a collector at {0}; give --collector-address IP:PORT")]
	BadAddress(SocketAddr),
	/// Too many addresses.
	#[error("{0} times --collector-address is too often; at most {MAX_COLLECTOR_ADDRESSES}")]
	TooManyAddresses(usize),
	/// Addresses of a collector that does not run.
	#[error("--collector-address needs --collector-listen IP:PORT")]
	NotListening,
	/// Only validators collect.
	#[error("--collector-listen is for validators; start with --validator, or leave it out")]
	NotAValidator,
	/// The chain has no heartbeats.
	#[error("this chain's genesis has no heartbeats to collect; leave --collector-listen out")]
	NoHeartbeats,
	/// The database has no place for the counts.
	#[error("this node's database has no offchain storage, so its worker cannot post counts")]
	NoOffchainStorage,
	/// The chain cannot be read.
	#[error("cannot read the chain: {0}")]
	Api(#[from] ApiError),
	/// The database cannot be read.
	#[error("cannot read the database: {0}")]
	Database(#[from] sp_blockchain::Error),
	/// The folder of the key.
	#[error("cannot make the folder {path} for the collector's key: {source}")]
	Folder {
		/// The folder.
		path: PathBuf,
		/// Why.
		source: io::Error,
	},
	/// The key.
	#[error("the collector's key: {0}")]
	Identity(#[from] IdentityError),
	/// The network.
	#[error("the collector cannot listen on {address}: {source}")]
	Grid {
		/// Where.
		address: SocketAddr,
		/// Why.
		source: GridError,
	},
}

impl CollectorConfig {
	/// What the command line says. Without addresses it is reached where it listens.
	pub fn resolve(
		listen: Option<SocketAddr>,
		addresses: &[SocketAddr],
	) -> Result<Option<Self>, CollectorError> {
		let Some(listen) = listen else {
			return match addresses {
				[] => Ok(None),
				_ => Err(CollectorError::NotListening),
			};
		};
		let own = [listen];
		let advertised = if addresses.is_empty() {
			&own
		} else {
			addresses
		};
		let unsound = |address: &&SocketAddr| !NodeAddress::from(**address).is_sound();
		if let Some(address) = advertised.iter().find(unsound) {
			return Err(CollectorError::BadAddress(*address));
		}
		let bounded: Vec<NodeAddress> = advertised.iter().copied().map(Into::into).collect();
		let addresses = bounded
			.try_into()
			.map_err(|_| CollectorError::TooManyAddresses(advertised.len()))?;
		Ok(Some(Self { listen, addresses }))
	}
}

/// What beats are checked against.
#[derive(Debug, Default)]
struct Snapshot {
	best: u32,
	hashes: BTreeMap<u32, [u8; 32]>,
	/// The pages this node collects, in the present window and the one before.
	pages: BTreeMap<Window, BTreeSet<Page>>,
	keys: HashMap<NodeIndex, Vec<NodeKey>>,
}

/// The chain as the collector sees it.
#[derive(Clone, Default)]
struct View(Arc<RwLock<Snapshot>>);

impl View {
	fn read(&self) -> RwLockReadGuard<'_, Snapshot> {
		self.0.read().unwrap_or_else(PoisonError::into_inner)
	}

	fn set(&self, snapshot: Snapshot) {
		*self.0.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
	}
}

impl ChainView for View {
	fn best(&self) -> u32 {
		self.read().best
	}

	fn hash(&self, number: u32) -> Option<[u8; 32]> {
		self.read().hashes.get(&number).copied()
	}

	fn keys(&self, node: NodeIndex) -> Vec<NodeKey> {
		self.read().keys.get(&node).cloned().unwrap_or_default()
	}

	fn collects(&self, window: Window, page: Page) -> bool {
		let snapshot = self.read();
		let pages = snapshot.pages.get(&window);
		pages.is_some_and(|pages| pages.contains(&page))
	}
}

/// What this node's worker finds, in place of what an earlier run left.
struct Mailbox<S> {
	storage: S,
	/// What is there.
	left: Vec<(Window, Page)>,
	/// The window whose counts are there.
	done: Option<Window>,
}

impl<S: OffchainStorage> Mailbox<S> {
	fn open(mut storage: S, endpoint: &LocalEndpoint) -> Self {
		storage.set(STORAGE_PREFIX, ENDPOINT_STORAGE_KEY, &endpoint.encode());
		let left = storage
			.get(STORAGE_PREFIX, LEFT_STORAGE_KEY)
			.and_then(|bytes| Vec::decode(&mut &bytes[..]).ok())
			.unwrap_or_default();
		Self {
			storage,
			left,
			done: None,
		}
	}

	/// Leaves the counts of a window, and forgets those of others.
	fn leave(&mut self, window: Window, counts: &[(Page, PageCounts)]) {
		for (window, page) in self.left.drain(..) {
			self.storage
				.remove(STORAGE_PREFIX, &counts_key(window, page));
		}
		self.left = counts.iter().map(|(page, _)| (window, *page)).collect();
		// The list first, so that nothing is left that is not listed.
		self.storage
			.set(STORAGE_PREFIX, LEFT_STORAGE_KEY, &self.left.encode());
		for (page, counted) in counts {
			self.storage.set(
				STORAGE_PREFIX,
				&counts_key(window, *page),
				&counted.encode(),
			);
		}
		self.done = Some(window);
	}
}

/// Without a collector: the worker must not announce that of an earlier run.
pub fn forget<S: OffchainStorage>(storage: Option<S>) {
	if let Some(mut storage) = storage {
		storage.remove(STORAGE_PREFIX, ENDPOINT_STORAGE_KEY);
	}
}

/// The collector's key; made at the first start.
fn identity(folder: &Path) -> Result<Identity, CollectorError> {
	let failed = |source| CollectorError::Folder {
		path: folder.into(),
		source,
	};
	std::fs::create_dir_all(folder).map_err(failed)?;
	let path = folder.join(KEY_FILE);
	if path.try_exists().map_err(failed)? {
		return Ok(Identity::load(&path)?);
	}
	let identity = Identity::generate()?;
	identity.save(&path)?;
	Ok(identity)
}

/// Ends the endpoint with the task that holds this.
struct Closing(Arc<Grid>, tokio::runtime::Handle);

impl Drop for Closing {
	fn drop(&mut self) {
		let grid = Arc::clone(&self.0);
		self.1.spawn(async move { grid.close().await });
	}
}

/// A collector that listens and is not yet told of the chain's progress.
pub struct Service<S> {
	grid: Arc<Grid>,
	collector: Arc<Collector<View>>,
	view: View,
	terms: Terms,
	client: Arc<Client>,
	keystore: KeystorePtr,
	mailbox: Mailbox<S>,
}

impl<S: OffchainStorage> Service<S> {
	/// Opens the endpoint; `folder` holds its key. Must be called within a tokio runtime.
	pub fn start(
		config: &CollectorConfig,
		folder: &Path,
		client: Arc<Client>,
		keystore: KeystorePtr,
		storage: Option<S>,
	) -> Result<Self, CollectorError> {
		let storage = storage.ok_or(CollectorError::NoOffchainStorage)?;
		let info = client.info();
		let (blocks, beats) = client
			.runtime_api()
			.terms(info.best_hash)?
			.ok_or(CollectorError::NoHeartbeats)?;
		let terms = Terms {
			genesis: info.genesis_hash.0,
			window_blocks: NonZeroU32::new(blocks).ok_or(CollectorError::NoHeartbeats)?,
			beats: NonZeroU8::new(beats).ok_or(CollectorError::NoHeartbeats)?,
			tolerance: TOLERANCE,
		};
		let address = config.listen;
		let failed = |source| CollectorError::Grid { address, source };
		let identity = Arc::new(identity(folder)?);
		let grid = Grid::bind(address, identity, GridConfig::default()).map_err(failed)?;
		let view = View::default();
		let collector = Arc::new(Collector::new(Book::new(terms), view.clone()));
		grid.serve(Arc::clone(&collector) as _).map_err(failed)?;
		let endpoint = LocalEndpoint {
			key: grid.node_key(),
			addresses: config.addresses.clone(),
		};
		log::info!(
			"collecting heartbeats at {address} with key {}",
			endpoint.key
		);
		Ok(Self {
			grid,
			collector,
			view,
			terms,
			client,
			keystore,
			mailbox: Mailbox::open(storage, &endpoint),
		})
	}

	/// Follows the chain.
	pub async fn run(mut self) {
		let _closing = Closing(Arc::clone(&self.grid), tokio::runtime::Handle::current());
		let mut blocks = self.client.import_notification_stream();
		loop {
			if let Err(error) = self.look() {
				log::warn!("the collector of heartbeats does not see the newest block: {error}");
			}
			loop {
				match blocks.next().await {
					None => return,
					Some(block) if block.is_new_best => break,
					Some(_) => {}
				}
			}
			// Only the newest matters.
			while let Some(Some(_)) = blocks.next().now_or_never() {}
		}
	}

	/// Takes in the best block.
	fn look(&mut self) -> Result<(), CollectorError> {
		let info = self.client.info();
		let (window, _) = self.terms.slot_of(info.best_number);
		let mut snapshot = Snapshot {
			best: info.best_number,
			hashes: self.hashes(info.best_hash)?,
			..Snapshot::default()
		};
		for window in window.saturating_sub(1)..=window {
			if let Some(pages) = self.pages(info.best_hash, window)? {
				snapshot.pages.insert(window, pages);
			}
		}
		if let Some(pages) = snapshot.pages.get(&window) {
			snapshot.keys = self.keys(info.best_hash, pages)?;
		}
		let back = info.best_number < self.view.best();
		if back {
			self.mailbox.done = None;
		}
		let last = window.checked_sub(1);
		let due = last.filter(|last| self.mailbox.done != Some(*last));
		let reported = due.and_then(|last| Some((last, snapshot.pages.get(&last)?.clone())));
		// From here on beats count for the new window.
		self.view.set(snapshot);
		if let Some((last, pages)) = reported {
			let counts = self.collector.with_book(|book| counted(book, last, &pages));
			self.mailbox.leave(last, &counts);
		}
		Ok(())
	}

	/// The hashes of the last blocks.
	fn hashes(&self, best: Hash) -> Result<BTreeMap<u32, [u8; 32]>, CollectorError> {
		let mut hashes = BTreeMap::new();
		let mut hash = best;
		for _ in 0..=TOLERANCE {
			let Some(header) = self.client.header(hash)? else {
				break;
			};
			hashes.insert(*header.number(), hash.0);
			hash = *header.parent_hash();
		}
		Ok(hashes)
	}

	/// The pages that this node's keys collect in a window, if it is known.
	fn pages(&self, at: Hash, window: Window) -> Result<Option<BTreeSet<Page>>, CollectorError> {
		let Some(draw) = self.client.runtime_api().window(at, window)? else {
			return Ok(None);
		};
		let own = self
			.keystore
			.keys(key_types::IM_ONLINE)
			.unwrap_or_else(|error| {
				log::warn!("the keystore does not tell its keys: {error}");
				Vec::new()
			});
		let ours: Vec<u32> = (0..)
			.zip(&draw.validators)
			.filter(|(_, key)| own.contains(key))
			.map(|(place, _)| place)
			.collect();
		if ours.is_empty() {
			return Ok(Some(BTreeSet::new()));
		}
		let collected = (0..draw.pages).filter(|page| {
			let drawn = collectors_of(&draw.seed, *page, &draw.validators);
			ours.iter().any(|place| drawn.contains(place))
		});
		Ok(Some(collected.collect()))
	}

	/// The keys of the nodes of these pages.
	fn keys(
		&self,
		at: Hash,
		pages: &BTreeSet<Page>,
	) -> Result<HashMap<NodeIndex, Vec<NodeKey>>, CollectorError> {
		let mut keys = HashMap::new();
		if pages.is_empty() {
			return Ok(keys);
		}
		let api = self.client.runtime_api();
		let mut from = 0;
		loop {
			let nodes = api.nodes_from(at, from, NODES)?;
			let Some(last) = nodes.last().map(|node| node.index) else {
				return Ok(keys);
			};
			for node in nodes {
				if pages.contains(&page_of(node.index).0) {
					let both = std::iter::once(node.key).chain(node.next_key);
					keys.insert(node.index, both.collect());
				}
			}
			match last.checked_add(1) {
				Some(next) if next > from => from = next,
				_ => return Ok(keys),
			}
		}
	}
}

/// What a book says of these pages in a window.
fn counted(book: &Book, window: Window, pages: &BTreeSet<Page>) -> Vec<(Page, PageCounts)> {
	let report = |page: &Page| {
		// The place is the worker's to know.
		let report = book.report(window, *page, 0)?;
		let counts = PageCounts {
			counts: report.counts,
			evidence: report.evidence,
		};
		Some((*page, counts))
	};
	pages.iter().filter_map(report).collect()
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;
	use sp_core::offchain::storage::InMemOffchainStorage;

	fn address(text: &str) -> SocketAddr {
		text.parse().unwrap()
	}

	#[test]
	fn a_collector_is_reached_where_it_listens_unless_told_otherwise() {
		let resolve = |listen: &str, more: &[&str]| {
			let more: Vec<_> = more.iter().map(|text| address(text)).collect();
			CollectorConfig::resolve(Some(address(listen)), &more)
		};
		let at = |config: CollectorConfig| -> Vec<String> {
			let sockets = config.addresses.iter().filter_map(NodeAddress::socket);
			sockets.map(|socket| socket.to_string()).collect()
		};
		let plain = resolve("127.0.0.1:50", &[]).unwrap().unwrap();
		assert_eq!(at(plain), ["127.0.0.1:50"]);
		let two = resolve("0.0.0.0:50", &["192.0.2.1:50", "[2001:db8::1]:50"]);
		assert_eq!(
			at(two.unwrap().unwrap()),
			["192.0.2.1:50", "[2001:db8::1]:50"]
		);
		assert_eq!(CollectorConfig::resolve(None, &[]).unwrap(), None);
	}

	#[test]
	fn addresses_that_help_nobody_are_refused() {
		let resolve = |listen: Option<&str>, more: &[&str]| {
			let more: Vec<_> = more.iter().map(|text| address(text)).collect();
			CollectorConfig::resolve(listen.map(address), &more).unwrap_err()
		};
		assert!(matches!(
			resolve(Some("0.0.0.0:50"), &[]),
			CollectorError::BadAddress(_)
		));
		assert!(matches!(
			resolve(Some("127.0.0.1:0"), &[]),
			CollectorError::BadAddress(_)
		));
		assert!(matches!(
			resolve(Some("0.0.0.0:50"), &["224.0.0.1:5"]),
			CollectorError::BadAddress(_)
		));
		assert!(matches!(
			resolve(Some("0.0.0.0:50"), &["192.0.2.1:5"; 5]),
			CollectorError::TooManyAddresses(5)
		));
		assert!(matches!(
			resolve(None, &["192.0.2.1:5"]),
			CollectorError::NotListening
		));
	}

	#[test]
	fn the_key_stays() {
		let dir = tempfile::tempdir().unwrap();
		let folder = dir.path().join("chains/x");
		let first = identity(&folder).unwrap().node_key();
		assert_eq!(identity(&folder).unwrap().node_key(), first);
		std::fs::write(folder.join(KEY_FILE), "no key").unwrap();
		assert!(matches!(
			identity(&folder),
			Err(CollectorError::Identity(_))
		));
	}

	#[test]
	fn counts_of_older_windows_are_forgotten_even_those_of_an_earlier_run() {
		let endpoint = LocalEndpoint {
			key: NodeKey([1; 32]),
			addresses: CollectorAddresses::default(),
		};
		let counts = |count: u8| PageCounts {
			counts: vec![count].try_into().unwrap(),
			evidence: [count; 32],
		};
		let storage = InMemOffchainStorage::default();
		let mut first = Mailbox::open(storage, &endpoint);
		first.leave(3, &[(0, counts(1)), (7, counts(2))]);
		let found = |storage: &InMemOffchainStorage, window, page| {
			let bytes = storage.get(STORAGE_PREFIX, &counts_key(window, page))?;
			Some(PageCounts::decode(&mut &bytes[..]).unwrap())
		};
		assert_eq!(found(&first.storage, 3, 0), Some(counts(1)));
		assert_eq!(found(&first.storage, 3, 7), Some(counts(2)));

		let mut second = Mailbox::open(first.storage, &endpoint);
		second.leave(4, &[(0, counts(3))]);
		assert_eq!(found(&second.storage, 3, 0), None);
		assert_eq!(found(&second.storage, 3, 7), None);
		assert_eq!(found(&second.storage, 4, 0), Some(counts(3)));
		let stored = second.storage.get(STORAGE_PREFIX, ENDPOINT_STORAGE_KEY);
		assert_eq!(stored, Some(endpoint.encode()));
		let storage = second.storage;
		forget(Some(storage.clone()));
	}

	#[test]
	fn the_view_says_what_was_seen() {
		let view = View::default();
		assert!(view.keys(1).is_empty() && !view.collects(0, 0) && view.hash(0).is_none());
		view.set(Snapshot {
			best: 9,
			hashes: [(9, [9; 32])].into(),
			pages: [(1, [0, 2].into())].into(),
			keys: [(1, vec![NodeKey([1; 32])])].into(),
		});
		assert_eq!((view.best(), view.hash(9)), (9, Some([9; 32])));
		assert!(view.collects(1, 2) && !view.collects(1, 1) && !view.collects(2, 0));
		assert_eq!(view.keys(1), [NodeKey([1; 32])]);
	}
}
