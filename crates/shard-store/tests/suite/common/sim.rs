//! A disk in memory. Written bytes reach the medium when synced; a power cut keeps any part of what
//! was not. Faults are switched on by the test, and what they do follows the seed. Every access is
//! counted, so that a test can let each one in turn fail, or be the last one before the process dies.

use super::Rng;
use arion_shard_store::disk::{Disk, DiskFile, Space};
use std::{
	any::Any,
	collections::{BTreeMap, BTreeSet},
	io,
	sync::{Arc, Condvar, Mutex, MutexGuard},
};

const SECTOR: usize = 512;

#[derive(Default, Clone)]
struct Node {
	/// What readers see.
	cache: Vec<u8>,
	/// What survives a power cut.
	medium: Vec<u8>,
	/// Sectors that differ for want of a sync.
	dirty: BTreeSet<usize>,
	/// Blocks that fail when read.
	bad: BTreeSet<u64>,
	/// Blocks given back.
	holes: BTreeSet<u64>,
}

impl Node {
	/// A sector reaches the medium.
	fn persist(&mut self, sector: usize) {
		let start = sector * SECTOR;
		let end = (start + SECTOR).min(self.cache.len());
		if self.medium.len() < end {
			self.medium.resize(end, 0);
		}
		self.medium[start..end].copy_from_slice(&self.cache[start..end]);
	}
}

/// Faults to come, each used up by the operation that hits it.
#[derive(Default, Clone)]
pub struct Faults {
	/// The n-th write from now fails after a part of it.
	pub write_in: Option<u32>,
	/// The n-th sync from now fails.
	pub sync_in: Option<u32>,
	/// Creations fail for want of space.
	pub no_space: bool,
	/// The access with this number fails.
	pub fail_at: Option<(u64, Failure)>,
}

/// How an access fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
	/// With this error number. Writes and syncs may have done a part.
	Errno(i32),
	/// The process dies in it: nothing works any more until [`SimDisk::revive`].
	Kill,
}

struct State {
	nodes: Vec<Node>,
	names: BTreeMap<String, usize>,
	/// Names as of the last directory sync.
	durable_names: BTreeMap<String, usize>,
	faults: Faults,
	rng: Rng,
	locked: bool,
	/// Syncs wait while this is set.
	gate: bool,
	/// Reads wait while this is set.
	read_gate: bool,
	/// Syncs and reads waiting at the gates.
	at_gate: u32,
	syncs: u32,
	accesses: u64,
	dead: bool,
	/// What the accesses were, if they are recorded.
	log: Option<Vec<String>>,
}

pub struct SimDisk {
	state: Arc<(Mutex<State>, Condvar)>,
}

fn eio() -> io::Error {
	io::Error::from_raw_os_error(5)
}

/// What becomes of an access.
enum Fate {
	Works,
	Fails(io::Error),
	/// As [`Self::Fails`], and it is the last one.
	Dies,
}

impl State {
	/// Counts an access.
	fn access(&mut self, what: &str) -> Fate {
		if self.dead {
			return Fate::Fails(eio());
		}
		let number = self.accesses;
		self.accesses += 1;
		if let Some(log) = &mut self.log {
			log.push(what.into());
		}
		match self.faults.fail_at {
			Some((at, Failure::Errno(errno))) if at == number => {
				Fate::Fails(io::Error::from_raw_os_error(errno))
			}
			Some((at, Failure::Kill)) if at == number => {
				self.dead = true;
				Fate::Dies
			}
			_ => Fate::Works,
		}
	}

	/// As [`Self::access`], for accesses that are done wholly or not at all.
	fn enter(&mut self, what: &str) -> io::Result<()> {
		match self.access(what) {
			Fate::Works => Ok(()),
			Fate::Fails(error) => Err(error),
			Fate::Dies => Err(eio()),
		}
	}
}

impl SimDisk {
	pub fn new(seed: u64) -> Arc<Self> {
		let state = State {
			nodes: Vec::new(),
			names: BTreeMap::new(),
			durable_names: BTreeMap::new(),
			faults: Faults::default(),
			rng: Rng(seed),
			locked: false,
			gate: false,
			read_gate: false,
			at_gate: 0,
			syncs: 0,
			accesses: 0,
			dead: false,
			log: None,
		};
		Arc::new(Self {
			state: Arc::new((Mutex::new(state), Condvar::new())),
		})
	}

	fn state(&self) -> MutexGuard<'_, State> {
		self.state.0.lock().unwrap()
	}

	pub fn set_faults(&self, faults: Faults) {
		self.state().faults = faults;
	}

	pub fn syncs(&self) -> u32 {
		self.state().syncs
	}

	/// Accesses so far.
	pub fn accesses(&self) -> u64 {
		self.state().accesses
	}

	/// Records what the accesses are.
	pub fn record(&self) {
		self.state().log = Some(Vec::new());
	}

	pub fn log(&self) -> Vec<String> {
		self.state().log.clone().unwrap_or_default()
	}

	/// From now on nothing works, as after `kill -9`.
	pub fn die(&self) {
		self.state().dead = true;
	}

	pub fn is_dead(&self) -> bool {
		self.state().dead
	}

	/// A new process may use the disk.
	pub fn revive(&self) {
		self.state().dead = false;
	}

	pub fn faults(&self) -> Faults {
		self.state().faults.clone()
	}

	pub fn has(&self, name: &str) -> bool {
		self.state().names.contains_key(name)
	}

	/// Bytes of a file that are not holes.
	pub fn taken(&self, name: &str) -> u64 {
		let state = self.state();
		let node = &state.nodes[state.names[name]];
		node.cache.len() as u64 - node.holes.len() as u64 * 4096
	}

	/// Cuts the power: of what was not synced, any sectors survive, and any state of the directory
	/// between its last sync and now.
	pub fn power_cut(&self) {
		let mut guard = self.state();
		let state = &mut *guard;
		state.dead = false;
		state.faults = Faults::default();
		for node in &mut state.nodes {
			for sector in std::mem::take(&mut node.dirty) {
				if state.rng.below(2) == 0 {
					node.persist(sector);
				}
			}
			node.cache = node.medium.clone();
		}
		if state.rng.below(2) == 0 {
			state.names = state.durable_names.clone();
		}
		state.durable_names = state.names.clone();
	}

	/// Names of the volumes.
	pub fn volumes(&self) -> Vec<String> {
		self.state()
			.names
			.keys()
			.filter(|name| name.ends_with(".vol"))
			.cloned()
			.collect()
	}

	pub fn len(&self, name: &str) -> u64 {
		let state = self.state();
		state.nodes[state.names[name]].cache.len() as u64
	}

	/// Turns one bit over, on the medium too.
	pub fn flip(&self, name: &str, bit: u64) {
		let mut state = self.state();
		let node = state.names[name];
		let (at, mask) = ((bit / 8) as usize, 1 << (bit % 8));
		state.nodes[node].cache[at] ^= mask;
		state.nodes[node].medium[at] ^= mask;
	}

	/// Overwrites bytes, on the medium too.
	pub fn overwrite(&self, name: &str, offset: u64, bytes: &[u8]) {
		let mut state = self.state();
		let node = state.names[name];
		let range = offset as usize..offset as usize + bytes.len();
		state.nodes[node].cache[range.clone()].copy_from_slice(bytes);
		state.nodes[node].medium[range].copy_from_slice(bytes);
	}

	pub fn bytes(&self, name: &str) -> Vec<u8> {
		let state = self.state();
		state.nodes[state.names[name]].cache.clone()
	}

	/// Makes 4 KiB blocks unreadable.
	pub fn break_block(&self, name: &str, block: u64) {
		let mut state = self.state();
		let node = state.names[name];
		state.nodes[node].bad.insert(block);
	}

	/// Holds syncs up from now on, or lets them go.
	pub fn gate(&self, closed: bool) {
		self.state().gate = closed;
		self.state.1.notify_all();
	}

	/// Holds reads up from now on, or lets them go.
	pub fn gate_reads(&self, closed: bool) {
		self.state().read_gate = closed;
		self.state.1.notify_all();
	}

	/// Waits until a sync or a read is held up.
	pub fn wait_at_gate(&self) {
		let mut state = self.state();
		while state.at_gate == 0 {
			state = self.state.1.wait(state).unwrap();
		}
	}
}

struct Unlock(Arc<(Mutex<State>, Condvar)>);

impl Drop for Unlock {
	fn drop(&mut self) {
		self.0 .0.lock().unwrap().locked = false;
	}
}

impl Disk for SimDisk {
	fn lock(&self) -> io::Result<Box<dyn Any + Send + Sync>> {
		let mut state = self.state();
		state.enter("lock")?;
		if std::mem::replace(&mut state.locked, true) {
			return Err(io::ErrorKind::WouldBlock.into());
		}
		Ok(Box::new(Unlock(self.state.clone())))
	}

	fn list(&self) -> io::Result<Vec<String>> {
		let mut state = self.state();
		state.enter("list")?;
		Ok(state.names.keys().cloned().collect())
	}

	fn create(&self, name: &str, len: u64) -> io::Result<Arc<dyn DiskFile>> {
		let mut state = self.state();
		state.enter(&format!("create {name}"))?;
		if state.faults.no_space {
			return Err(io::Error::from_raw_os_error(28));
		}
		if state.names.contains_key(name) {
			return Err(io::ErrorKind::AlreadyExists.into());
		}
		let bytes = vec![0; len as usize];
		state.nodes.push(Node {
			cache: bytes.clone(),
			medium: bytes,
			..Node::default()
		});
		let node = state.nodes.len() - 1;
		state.names.insert(name.into(), node);
		Ok(Arc::new(SimFile {
			state: self.state.clone(),
			node,
		}))
	}

	fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
		let mut state = self.state();
		state.enter(&format!("open {name}"))?;
		let node = *state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
		Ok(Arc::new(SimFile {
			state: self.state.clone(),
			node,
		}))
	}

	fn rename(&self, from: &str, to: &str) -> io::Result<()> {
		let mut state = self.state();
		state.enter(&format!("rename {to}"))?;
		let node = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
		state.names.insert(to.into(), node);
		Ok(())
	}

	fn remove(&self, name: &str) -> io::Result<()> {
		let mut state = self.state();
		state.enter(&format!("remove {name}"))?;
		state
			.names
			.remove(name)
			.map(|_| ())
			.ok_or(io::ErrorKind::NotFound.into())
	}

	fn sync_dir(&self) -> io::Result<()> {
		let mut state = self.state();
		state.enter("sync_dir")?;
		state.durable_names = state.names.clone();
		Ok(())
	}

	fn space(&self) -> io::Result<Space> {
		let mut state = self.state();
		state.enter("space")?;
		let free = if state.faults.no_space { 0 } else { 1 << 40 };
		Ok(Space {
			free,
			total: 1 << 41,
		})
	}

	fn describe(&self, name: &str) -> String {
		format!("sim/{name}")
	}
}

struct SimFile {
	state: Arc<(Mutex<State>, Condvar)>,
	node: usize,
}

impl SimFile {
	fn state(&self) -> MutexGuard<'_, State> {
		self.state.0.lock().unwrap()
	}
}

impl DiskFile for SimFile {
	fn size(&self) -> io::Result<u64> {
		let mut state = self.state();
		state.enter("size")?;
		Ok(state.nodes[self.node].cache.len() as u64)
	}

	fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
		let mut state = self.state();
		while state.read_gate {
			state.at_gate += 1;
			self.state.1.notify_all();
			state = self.state.1.wait(state).unwrap();
			state.at_gate -= 1;
		}
		state.enter("read")?;
		let node = &state.nodes[self.node];
		let end = offset + buf.len() as u64;
		if node
			.bad
			.range(offset / 4096..end.div_ceil(4096))
			.next()
			.is_some()
		{
			return Err(eio());
		}
		let bytes = node.cache.get(offset as usize..end as usize);
		buf.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
		Ok(())
	}

	fn write_at(&self, bufs: &[&[u8]], offset: u64) -> io::Result<()> {
		let buf = bufs.concat();
		let mut guard = self.state();
		let state = &mut *guard;
		let failed = match state.access("write") {
			Fate::Works if hit(&mut state.faults.write_in) => Some(eio()),
			Fate::Works => None,
			Fate::Dies => Some(eio()),
			Fate::Fails(error) if state.dead => return Err(error),
			Fate::Fails(error) => Some(error),
		};
		let len = if failed.is_some() {
			state.rng.below(buf.len() as u64) as usize
		} else {
			buf.len()
		};
		let node = &mut state.nodes[self.node];
		let start = offset as usize;
		let end = start + len;
		if node.cache.len() < end {
			node.cache.resize(end, 0);
		}
		node.cache[start..end].copy_from_slice(&buf[..len]);
		node.dirty.extend(start / SECTOR..end.div_ceil(SECTOR));
		failed.map_or(Ok(()), Err)
	}

	fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
		let mut state = self.state();
		state.enter("punch")?;
		let node = &mut state.nodes[self.node];
		let range = offset as usize..(offset + len) as usize;
		node.cache[range.clone()].fill(0);
		node.dirty.extend(range.start / SECTOR..range.end / SECTOR);
		node.holes.extend(offset / 4096..(offset + len) / 4096);
		Ok(())
	}

	fn sync(&self) -> io::Result<()> {
		let mut guard = self.state();
		guard.syncs += 1;
		while guard.gate {
			guard.at_gate += 1;
			self.state.1.notify_all();
			guard = self.state.1.wait(guard).unwrap();
			guard.at_gate -= 1;
		}
		let state = &mut *guard;
		let failed = match state.access("sync") {
			Fate::Works if hit(&mut state.faults.sync_in) => Some(eio()),
			Fate::Works => None,
			// What is not on the medium stays in the page cache, for the next process to see.
			Fate::Dies => return Err(eio()),
			Fate::Fails(error) if state.dead => return Err(error),
			Fate::Fails(error) => Some(error),
		};
		let node = &mut state.nodes[self.node];
		// Like Linux: after a failed sync the pages count as clean, and the next sync succeeds
		// without having written them.
		for sector in std::mem::take(&mut node.dirty) {
			if failed.is_none() || state.rng.below(2) == 0 {
				node.persist(sector);
			}
		}
		failed.map_or(Ok(()), Err)
	}

	fn next_data(&self, offset: u64) -> io::Result<Option<u64>> {
		Ok(Some(offset))
	}
}

fn hit(counter: &mut Option<u32>) -> bool {
	match counter {
		Some(0) => {
			*counter = None;
			true
		}
		Some(left) => {
			*left -= 1;
			false
		}
		None => false,
	}
}
