//! `config.toml` as `init` writes it.

use super::{
	store::{default_jobs, default_volume},
	Config,
};
use hippius_primitives::{net::MAX_RELAYS, registration::MAX_ADDRESSES};
use std::fmt::Write;

fn text(text: &str) -> String {
	toml::Value::String(text.into()).to_string()
}

impl Config {
	/// `config.toml` with every setting, its default and what it does.
	pub fn render(&self) -> String {
		let zone = match self.node.zone {
			Some(zone) => format!("zone = {zone}"),
			None => "# zone = 0".into(),
		};
		let host = match &self.node.host {
			Some(host) => format!("host = {}", text(host)),
			None => "# host = \"rack-1\"".into(),
		};
		let public: Vec<String> = self
			.grid
			.public
			.iter()
			.map(|address| text(&address.to_string()))
			.collect();
		let relays: Vec<String> = self
			.grid
			.relays
			.iter()
			.map(|relay| text(&relay.to_string()))
			.collect();
		format!(
			"# Settings of an Arion miner. `arion-miner config check` tells whether they work,\n\
			# `arion-miner config check --show` prints those in effect. A restart applies changes.\n\
			\n\
			[node]\n\
			# Placement zone, one that the chain's cluster map knows. Declared by `register`, then fixed.\n\
			{zone}\n\
			# Name of this machine, unique in your family: nodes of one host fail together.\n\
			{host}\n\
			\n\
			[grid]\n\
			# UDP address to serve QUIC on. Port 0 takes a free one. Default: 0.0.0.0:4100\n\
			listen = \"{listen}\"\n\
			# Addresses others reach this node at, best first, at most {MAX_ADDRESSES}. Default, empty: `listen`,\n\
			# or none if there are relays.\n\
			public = [{public}]\n\
			# Relays for a node that others cannot reach directly, as \"https://relay.example.org:443\",\n\
			# best first, at most {MAX_RELAYS}; slow, so nodes behind relays are asked last. Default: none\n\
			relays = [{relays}]\n\
			\n\
			{store}\
			\n\
			[control]\n\
			# TCP address of the control API, on loopback only. Port 0 takes a free one.\n\
			# Default: 127.0.0.1:7070\n\
			listen = \"{control}\"\n\
			\n\
			{permits}\n\
			{repair}",
			listen = self.grid.listen,
			public = public.join(", "),
			relays = relays.join(", "),
			store = self.render_store(),
			control = self.control.listen,
			permits = self.permits.render(),
			repair = self.repair.render(),
		)
	}

	fn render_store(&self) -> String {
		let store = &self.store;
		let mut out = String::from("[store]\n");
		// Writing to a string cannot fail.
		let mut line = |text: std::fmt::Arguments<'_>| {
			let _ = writeln!(out, "{text}");
		};
		line(format_args!(
			"# Most disk space shards may take in `store/` beside this file. Also what `register` declares."
		));
		line(format_args!(
			"# For several disks remove it and give each an entry below."
		));
		match store.capacity {
			Some(capacity) => line(format_args!("capacity = \"{capacity}\"")),
			None => line(format_args!("# capacity = \"500GiB\"")),
		}
		line(format_args!(
			"# Size of one volume file; each is reserved on disk as a whole."
		));
		line(format_args!(
			"# Default: a 64th of the capacity, 64MiB to 1GiB."
		));
		match (store.volume_size, store.capacity) {
			(Some(size), _) => line(format_args!("volume_size = \"{size}\"")),
			(None, Some(capacity)) => {
				line(format_args!(
					"volume_size = \"{}\"",
					default_volume(capacity)
				));
			}
			(None, None) => line(format_args!("# volume_size = \"1GiB\"")),
		}
		line(format_args!(
			"# Store operations that may run at the same time. Default: {}",
			default_jobs()
		));
		line(format_args!("jobs = {}", store.jobs));
		line(format_args!(
			"# Whether disks below may be on one file system, as for a trial. Default: false"
		));
		line(format_args!(
			"shared_file_system = {}",
			store.shared_file_system
		));
		line(format_args!(
			"\n# One entry for each disk: a dead one then costs only what it held. `path` is a directory"
		));
		line(format_args!(
			"# on that disk; the store of a single disk is `store/` beside this file."
		));
		if store.disks.is_empty() {
			line(format_args!(
				"# [[store.disk]]\n# path = \"/mnt/disk1/arion\"\n# capacity = \"8TB\""
			));
		}
		for disk in &store.disks {
			line(format_args!("[[store.disk]]"));
			line(format_args!(
				"path = {}",
				text(&disk.path.to_string_lossy())
			));
			line(format_args!("capacity = \"{}\"", disk.capacity));
			if let Some(size) = disk.volume_size {
				line(format_args!("volume_size = \"{size}\""));
			}
		}
		out
	}
}
