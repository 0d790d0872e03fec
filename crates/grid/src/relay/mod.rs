//! Reaching nodes through relays.
//!
//! A relay is a server that both nodes connect to over TCP (TLS, WebSocket) and that passes
//! packets on by node key. To the transport this is one more way for packets: the endpoint's
//! socket ([`socket::Hybrid`]) sends to UDP or to a relay, depending on the address, and a node
//! behind a relay has an address that is on no network ([`mapped`]). A relay sees who talks to
//! whom and how much, never what: QUIC's encryption is between the nodes.
//!
//! A relay that is slow, gone or lies can only lose, delay, repeat or reorder packets, which QUIC
//! bears; nothing that happens to a relay is an error of the endpoint.

pub(crate) mod frames;
mod inbox;
mod link;
pub(crate) mod mapped;
mod socket;

pub use link::State as RelayState;
pub(crate) use mapped::{is_mapped, Hold};
pub(crate) use socket::Hybrid;

use crate::Identity;
use hippius_primitives::{NodeKey, RelayAddress};
use inbox::Inbox;
use link::{Link, Settings, State};
use mapped::Mapped;
use quinn::udp::Transmit;
use std::{
	collections::HashMap,
	net::SocketAddr,
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc, Mutex, MutexGuard, PoisonError,
	},
	time::Duration,
};
use tokio::{runtime::Handle, sync::watch};

/// Names a link within one grid.
pub(crate) type RelayId = u32;

/// Relays connected to at a time, home relays included.
const MOST_LINKS: usize = 32;

/// How this node stands with one relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayStatus {
	/// The relay.
	pub address: RelayAddress,
	/// Whether this node lists it, so that others reach it there.
	pub home: bool,
	/// Whether packets pass now.
	pub connected: bool,
	/// Why not, if the last attempt failed.
	pub problem: Option<String>,
}

/// What a grid has to do with relays.
pub(crate) struct Relays {
	identity: Arc<Identity>,
	runtime: Handle,
	plain: bool,
	retry: Duration,
	closing: watch::Receiver<bool>,
	pub(crate) mapped: Arc<Mapped>,
	inbox: Arc<Inbox>,
	links: Mutex<Links>,
	unsent: AtomicU64,
}

#[derive(Default)]
struct Links {
	next: RelayId,
	by_id: HashMap<RelayId, Arc<Link>>,
}

impl std::fmt::Debug for Relays {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("Relays").finish_non_exhaustive()
	}
}

impl Relays {
	/// Connects to the home relays, in the background. `v6` as the endpoint's UDP socket.
	pub(crate) fn new(
		identity: Arc<Identity>,
		config: &crate::GridConfig,
		v6: bool,
		runtime: Handle,
		closing: watch::Receiver<bool>,
	) -> Arc<Self> {
		let this = Arc::new(Self {
			identity,
			runtime,
			plain: config.relay_plain,
			retry: config.relay_retry,
			closing,
			mapped: Arc::new(Mapped::new(v6)),
			inbox: Arc::default(),
			links: Mutex::default(),
			unsent: AtomicU64::new(0),
		});
		for relay in &config.relays {
			this.link(relay, true);
		}
		this
	}

	fn lock(&self) -> MutexGuard<'_, Links> {
		self.links.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// The link to a relay, made if there is none. `None`: too many are open.
	fn link(&self, relay: &RelayAddress, home: bool) -> Option<Arc<Link>> {
		let mut links = self.lock();
		links.by_id.retain(|_, link| link.state() != State::Left);
		let known = links
			.by_id
			.values()
			.find(|link| link.settings.address == *relay);
		if let Some(link) = known {
			return Some(link.clone());
		}
		if links.by_id.len() >= MOST_LINKS {
			return None;
		}
		let id = links.next;
		links.next = links.next.wrapping_add(1);
		let settings = Settings {
			address: relay.clone(),
			identity: self.identity.clone(),
			plain: self.plain,
			home,
			retry: self.retry,
		};
		let (mapped, inbox) = (self.mapped.clone(), self.inbox.clone());
		let (link, driver) = Link::new(id, settings, mapped, inbox, self.closing.clone());
		self.runtime.spawn(driver);
		let link = Arc::new(link);
		links.by_id.insert(id, link.clone());
		Some(link)
	}

	/// The address under which the transport reaches `key` through `relay`, once there is a
	/// connection to that relay; else why there is none.
	pub(crate) async fn reach(
		&self,
		key: NodeKey,
		relay: &RelayAddress,
	) -> Result<(SocketAddr, Hold), String> {
		let link = self
			.link(relay, false)
			.ok_or("too many relays are in use here")?;
		link.ready().await?;
		self.mapped
			.dial(key, link.id)
			.ok_or_else(|| "too many nodes behind relays are in use here".into())
	}

	/// Sends a batch of datagrams to a mapped address. Whatever goes wrong is a lost packet.
	pub(crate) fn send(&self, transmit: &Transmit<'_>) {
		let sent = self.mapped.route(&transmit.destination).and_then(|route| {
			let (key, relay) = route;
			let link = self.lock().by_id.get(&relay).cloned()?;
			let segment = match transmit.segment_size {
				Some(size) if size < transmit.contents.len() => Some(u16::try_from(size).ok()?),
				_ => None,
			};
			(transmit.contents.len() <= frames::MAX_CONTENTS)
				.then(|| link.send(frames::send(&key, segment, transmit.contents)))
		});
		if sent != Some(true) {
			self.unsent.fetch_add(1, Ordering::Relaxed);
		}
	}

	/// How it stands with every relay, home relays first.
	pub(crate) fn status(&self) -> Vec<RelayStatus> {
		let mut all: Vec<_> = {
			let links = self.lock();
			links.by_id.values().cloned().collect()
		};
		all.sort_by_key(|link| (!link.settings.home, link.id));
		all.iter()
			.filter_map(|link| {
				let (connected, problem) = match link.state() {
					State::Connected => (true, None),
					State::Connecting(why) => (false, why),
					State::Down(why) => (false, Some(why)),
					State::Left => return None,
				};
				Some(RelayStatus {
					address: link.settings.address.clone(),
					home: link.settings.home,
					connected,
					problem,
				})
			})
			.collect()
	}

	/// How it stands with a relay from now on, if it is in use.
	pub(crate) fn watch(&self, relay: &RelayAddress) -> Option<watch::Receiver<State>> {
		let links = self.lock();
		let mut links = links.by_id.values();
		let link = links.find(|link| link.settings.address == *relay)?;
		Some(link.watch())
	}

	/// Batches of packets lost here for want of room: to relays, from relays.
	pub(crate) fn lost(&self) -> (u64, u64) {
		let unsent = self.unsent.load(Ordering::Relaxed);
		(unsent, self.inbox.lost_so_far())
	}

	/// Waits until there is a connection to a home relay; at once if there are none.
	pub(crate) async fn home(&self) -> Result<(), String> {
		let homes: Vec<_> = {
			let links = self.lock();
			let homes = links.by_id.values().filter(|link| link.settings.home);
			homes.cloned().collect()
		};
		let mut outcome = Ok(());
		for link in homes {
			outcome = link.ready().await;
			if outcome.is_ok() {
				break;
			}
		}
		outcome
	}
}
