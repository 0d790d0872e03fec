//! The state folder: what runs, as what process, from where. Any shell can read it, so that
//! `status`, `logs` and `down` work beside a running network.

use crate::{
	error::{Context as _, Error, Result},
	process::{Running, Spec},
	procfs::ProcessId,
};
use rustix::fs::{flock, FlockOperation};
use serde::{Deserialize, Serialize};
use std::{
	fs::{self, File},
	path::{Path, PathBuf},
};

const FILE: &str = "devnet.json";
const LOCK: &str = "devnet.lock";
const VERSION: u32 = 1;
/// What a fresh start removes; nothing else in the folder is ever touched.
const DATA: [&str; 5] = ["nodes", "miners", "gateway", "logs", "demo"];

/// What kind of process it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
	/// Authors blocks.
	Validator,
	/// Hosts the offchain workers of the miners.
	FullNode,
	/// Keeps shards.
	Miner,
	/// Serves users.
	Gateway,
	/// Passes packets to miners that are not reached directly.
	Relay,
}

/// Something one can connect to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
	/// `rpc`, `p2p`, `metrics`, `control`, `quic`, `http`.
	pub kind: String,
	/// URL or address.
	pub url: String,
}

impl Address {
	/// Of a kind, at a URL.
	pub fn new(kind: &str, url: impl Into<String>) -> Self {
		Self {
			kind: kind.into(),
			url: url.into(),
		}
	}
}

/// A process of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
	/// Name.
	pub name: String,
	/// Kind.
	pub kind: Kind,
	/// Program file.
	pub program: PathBuf,
	/// Arguments.
	pub args: Vec<String>,
	/// Log file.
	pub log: PathBuf,
	/// Where it listens.
	pub addresses: Vec<Address>,
	/// The process last started for it.
	pub process: Option<ProcessId>,
}

impl Entry {
	/// What to run.
	pub fn spec(&self) -> Spec {
		Spec {
			name: self.name.clone(),
			program: self.program.clone(),
			args: self.args.clone(),
			log: self.log.clone(),
		}
	}

	/// Whether its process runs.
	pub fn alive(&self) -> bool {
		self.process.is_some_and(|process| process.alive())
	}

	/// Takes hold of its process, if that runs.
	pub fn attach(&self) -> Result<Option<Running>> {
		match self.process {
			Some(id) => Running::attach(&self.name, id, &self.log),
			None => Ok(None),
		}
	}
}

/// How far the network is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
	/// Nothing runs.
	#[default]
	Down,
	/// Coming up.
	Starting,
	/// Ready for users.
	Up,
}

/// Seconds the start took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Startup {
	/// Until every process answered.
	pub start: f64,
	/// Until every miner was in the map and knew it.
	pub register: f64,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
	version: u32,
	/// First port.
	pub base_port: u16,
	/// The zone whose miners are behind a relay.
	#[serde(default)]
	pub relayed_zone: Option<u16>,
	/// The zone with a miner more than the others.
	#[serde(default)]
	pub spare_zone: Option<u16>,
	/// Folder of the programs.
	pub bin_dir: PathBuf,
	/// How far it is.
	pub phase: Phase,
	/// The process that supervises, if one does.
	pub supervisor: Option<ProcessId>,
	/// What the start took.
	pub startup: Startup,
	/// Processes, in the order of their start.
	pub processes: Vec<Entry>,
}

impl State {
	/// A network that is about to start.
	pub fn new(base_port: u16, bin_dir: &Path, supervisor: Option<ProcessId>) -> Self {
		Self {
			version: VERSION,
			base_port,
			relayed_zone: None,
			spare_zone: None,
			bin_dir: bin_dir.into(),
			phase: Phase::Starting,
			supervisor,
			startup: Startup::default(),
			processes: Vec::new(),
		}
	}

	/// The process of that name.
	pub fn entry(&self, name: &str) -> Result<&Entry> {
		self.processes
			.iter()
			.find(|entry| entry.name == name)
			.ok_or_else(|| {
				let known: Vec<&str> = self
					.processes
					.iter()
					.map(|entry| entry.name.as_str())
					.collect();
				Error::NoSuchProcess {
					name: name.into(),
					known: known.join(", "),
				}
			})
	}

	/// Adds a process, or replaces the one of that name.
	pub fn put(&mut self, entry: Entry) {
		match self.processes.iter_mut().find(|old| old.name == entry.name) {
			Some(old) => *old = entry,
			None => self.processes.push(entry),
		}
	}

	/// A process of the network that runs, the supervisor first.
	pub fn any_alive(&self) -> Option<ProcessId> {
		let processes = self.processes.iter().filter_map(|entry| entry.process);
		self.supervisor
			.into_iter()
			.chain(processes)
			.find(ProcessId::alive)
	}
}

/// The folder. Changes of the state are made under a file lock and replace the file atomically.
#[derive(Clone, Debug)]
pub struct StateDir {
	path: PathBuf,
}

impl StateDir {
	/// Opens the folder, making it if it is not there. Refuses one that holds other things.
	pub fn open(path: &Path) -> Result<Self> {
		fs::create_dir_all(path).context(|| format!("create {}", path.display()))?;
		let path = path
			.canonicalize()
			.context(|| format!("open {}", path.display()))?;
		if !path.join(LOCK).is_file() {
			let mut entries = fs::read_dir(&path).context(|| format!("list {}", path.display()))?;
			if entries.next().is_some() {
				return Err(Error::ForeignDir(path));
			}
		}
		let dir = Self { path };
		drop(dir.lock()?);
		Ok(dir)
	}

	/// Where the state lives unless told otherwise.
	pub fn default_path() -> Result<PathBuf> {
		let set = |name: &str| {
			std::env::var_os(name)
				.map(PathBuf::from)
				.filter(|p| p.is_absolute())
		};
		set("XDG_STATE_HOME")
			.or_else(|| set("HOME").map(|home| home.join(".local/state")))
			.map(|base| base.join("hippius/devnet"))
			.ok_or_else(|| {
				Error::Usage(
					"neither XDG_STATE_HOME nor HOME is set: name a folder with --dir".into(),
				)
			})
	}

	/// The folder, absolute.
	pub fn path(&self) -> &Path {
		&self.path
	}

	/// The log file of a process.
	pub fn log(&self, name: &str) -> PathBuf {
		self.path.join("logs").join(format!("{name}.log"))
	}

	/// Reads the state; `None` if there never was a network.
	pub fn load(&self) -> Result<Option<State>> {
		let path = self.path.join(FILE);
		let bytes = match fs::read(&path) {
			Ok(bytes) => bytes,
			Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
			Err(cause) => return Err(cause).context(|| format!("read {}", path.display())),
		};
		let state: State = serde_json::from_slice(&bytes).map_err(|cause| Error::BadState {
			path: path.clone(),
			cause: cause.to_string(),
		})?;
		match state.version {
			VERSION => Ok(Some(state)),
			other => Err(Error::BadState {
				path,
				cause: format!("version {other}"),
			}),
		}
	}

	/// The state of a network that runs, at least in part.
	pub fn live(&self) -> Result<State> {
		match self.load()? {
			Some(state) if state.any_alive().is_some() => Ok(state),
			_ => Err(Error::NotRunning(self.path.clone())),
		}
	}

	/// Takes the folder for a new network: fails if one runs, removes what the last one left.
	pub fn claim(&self, state: &State) -> Result<()> {
		let _lock = self.lock()?;
		if let Some(id) = self.load()?.and_then(|old| old.any_alive()) {
			return Err(Error::AlreadyRunning {
				dir: self.path.clone(),
				pid: id.pid,
			});
		}
		for name in DATA {
			let path = self.path.join(name);
			match fs::remove_dir_all(&path) {
				Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
					return Err(cause).context(|| format!("remove {}", path.display()));
				}
				_ => (),
			}
		}
		self.write(state)
	}

	/// Changes the state.
	pub fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> Result<T> {
		let _lock = self.lock()?;
		let mut state = self
			.load()?
			.ok_or_else(|| Error::NotRunning(self.path.clone()))?;
		let out = change(&mut state);
		self.write(&state)?;
		Ok(out)
	}

	/// Forgets the state, keeping data and logs.
	pub fn forget(&self) -> Result<()> {
		let _lock = self.lock()?;
		let path = self.path.join(FILE);
		match fs::remove_file(&path) {
			Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
				Err(cause).context(|| format!("remove {}", path.display()))
			}
			_ => Ok(()),
		}
	}

	fn lock(&self) -> Result<File> {
		let path = self.path.join(LOCK);
		let file = File::options()
			.create(true)
			.truncate(false)
			.write(true)
			.open(&path)
			.context(|| format!("open {}", path.display()))?;
		flock(&file, FlockOperation::LockExclusive)
			.context(|| format!("lock {}", path.display()))?;
		Ok(file)
	}

	fn write(&self, state: &State) -> Result<()> {
		let path = self.path.join(FILE);
		let fresh = self.path.join("devnet.json.new");
		let text = serde_json::to_vec_pretty(state).map_err(|cause| Error::BadState {
			path: path.clone(),
			cause: cause.to_string(),
		})?;
		fs::write(&fresh, text).context(|| format!("write {}", fresh.display()))?;
		fs::rename(&fresh, &path).context(|| format!("write {}", path.display()))
	}
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	fn entry(name: &str, process: Option<ProcessId>) -> Entry {
		Entry {
			name: name.into(),
			kind: Kind::Miner,
			program: "/bin/true".into(),
			args: vec![],
			log: "x.log".into(),
			addresses: vec![Address::new("quic", "127.0.0.1:1")],
			process,
		}
	}

	fn own() -> ProcessId {
		ProcessId::of(std::process::id() as i32).unwrap()
	}

	#[test]
	fn a_running_network_cannot_be_claimed_and_a_stale_one_can() {
		let temp = tempfile::tempdir().unwrap();
		let dir = StateDir::open(temp.path()).unwrap();
		assert!(dir.load().unwrap().is_none());
		assert!(matches!(dir.live(), Err(Error::NotRunning(_))));
		let mut state = State::new(1, Path::new("/bin"), None);
		dir.claim(&state).unwrap();
		dir.update(|state| state.put(entry("miner-01", Some(own()))))
			.unwrap();
		assert!(dir.live().unwrap().entry("miner-01").unwrap().alive());
		assert!(
			matches!(dir.claim(&state), Err(Error::AlreadyRunning { pid, .. }) if pid == own().pid)
		);
		// The same pid with another start is another process: stale.
		let stale = ProcessId {
			start: own().start + 1,
			..own()
		};
		dir.update(|state| state.put(entry("miner-01", Some(stale))))
			.unwrap();
		assert_eq!(dir.load().unwrap().unwrap().processes.len(), 1);
		fs::create_dir_all(temp.path().join("nodes/alice")).unwrap();
		dir.claim(&state).unwrap();
		assert!(!temp.path().join("nodes").exists());
		state.supervisor = Some(own());
		dir.claim(&state).unwrap();
		assert!(matches!(
			dir.claim(&state),
			Err(Error::AlreadyRunning { .. })
		));
		dir.forget().unwrap();
		dir.forget().unwrap();
		assert!(dir.load().unwrap().is_none());
	}

	#[test]
	fn a_foreign_folder_is_refused_and_left_alone() {
		let temp = tempfile::tempdir().unwrap();
		fs::write(temp.path().join("thesis.txt"), "x").unwrap();
		assert!(matches!(
			StateDir::open(temp.path()),
			Err(Error::ForeignDir(_))
		));
		assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
	}

	#[test]
	fn a_damaged_state_is_an_error_that_names_the_file() {
		let temp = tempfile::tempdir().unwrap();
		let dir = StateDir::open(temp.path()).unwrap();
		for text in ["", "{", "[]", "{\"version\":1}"] {
			fs::write(temp.path().join(FILE), text).unwrap();
			assert!(
				dir.load().unwrap_err().to_string().contains(FILE),
				"{text:?}"
			);
		}
	}

	#[test]
	fn an_unknown_name_lists_the_known_ones() {
		let mut state = State::new(1, Path::new("/bin"), None);
		state.put(entry("alice", None));
		state.put(entry("bob", None));
		let message = state.entry("carol").unwrap_err().to_string();
		assert!(message.contains("alice, bob"), "{message}");
	}
}
