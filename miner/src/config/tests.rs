//! Settings: what is read, what is refused.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::{files::BasePath, permits::Issuers, size::ByteSize};
use hippius_primitives::NodeKey;

fn sample() -> Config {
	Config {
		node: NodeSection {
			zone: Some(3),
			host: Some("rack \"1\"".into()),
		},
		grid: GridSection {
			listen: "127.0.0.1:0".parse().unwrap(),
			public: vec![
				"192.0.2.1:4100".parse().unwrap(),
				"[2001:db8::1]:4100".parse().unwrap(),
			],
			relays: vec!["https://relay.example.org:443".parse().unwrap()],
		},
		store: StoreSection::single(ByteSize(10 << 30), Some(ByteSize(160 << 20))),
		control: ControlSection {
			listen: "[::1]:0".parse().unwrap(),
		},
		permits: PermitsSection {
			issuers: Issuers::Only([NodeKey([7; 32]), NodeKey([8; 32])].into()),
		},
		repair: RepairSection {
			parallel: 7,
			..RepairSection::default()
		},
	}
}

fn load(text: &str) -> Result<Config, MinerError> {
	let dir = tempfile::tempdir().unwrap();
	let path = dir.path().join("config.toml");
	std::fs::write(&path, text).unwrap();
	Config::load(&path)
}

#[test]
fn what_is_written_reads_back() {
	assert_eq!(load(&sample().render()).unwrap(), sample());
	let bare = Config {
		node: NodeSection::default(),
		permits: PermitsSection::default(),
		..sample()
	};
	assert_eq!(load(&bare.render()).unwrap(), bare);
}

#[test]
fn only_the_capacity_is_needed() {
	let config = load("[store]\ncapacity = \"10GiB\"\n").unwrap();
	let plans = config.store.plans(&BasePath("/b".into()));
	assert_eq!(plans.len(), 1);
	assert_eq!(plans[0].path, Path::new("/b/store"));
	assert_eq!(plans[0].config.volume_size, 160 << 20);
	assert_eq!(config.control.listen.to_string(), "127.0.0.1:7070");
}

#[test]
fn bad_settings_name_the_field_and_the_remedy() {
	let base = "[store]\ncapacity = \"1GiB\"\n";
	for (text, words) in [
		(
			&*format!("{base}[repair]\nparallel = 0\n"),
			vec!["repair.parallel", "1 to 64"],
		),
		(
			&format!("{base}[repair]\nrate = \"1KiB\"\n"),
			vec!["repair.rate", "64KiB"],
		),
		("", vec!["store"]),
		("[store]\n", vec!["capacity"]),
		("[store]\ncapacity = \"many\"\n", vec!["capacity", "10GiB"]),
		(
			"[store]\ncapacity = \"1GiB\"\nvolume = 3\n",
			vec!["volume", "unknown field", "did you mean `volume_size`"],
		),
		("[store]\ncapacity = \"1KiB\"\n", vec!["store", "capacity"]),
		(
			"[store]\ncapacity = \"1GiB\"\nvolume_size = \"1001MB\"\n",
			vec!["volume_size", "4096"],
		),
		(
			"[store]\ncapacity = \"1GiB\"\njobs = 0\n",
			vec!["store.jobs", "1 to 1024"],
		),
		(
			&format!("{base}[control]\nlisten = \"0.0.0.0:1\"\n"),
			vec!["control.listen", "127.0.0.1"],
		),
		(
			&format!("{base}[control]\nlisten = \"here\"\n"),
			vec!["listen", "line 4"],
		),
		(
			&format!("{base}[grid]\npublic = [\"0.0.0.0:1\"]\n"),
			vec!["grid.public", "others see"],
		),
		(
			&format!("{base}[grid]\npublic = [\"192.0.2.1:0\"]\n"),
			vec!["grid.public"],
		),
		(
			&format!("{base}[node]\nhost = \"\"\n"),
			vec!["node.host", "1 to 64"],
		),
		(&format!("{base}[node]\nzone = 300\n"), vec!["zone"]),
		(&format!("{base}[nodes]\n"), vec!["nodes"]),
		(
			&format!("{base}[permits]\nissuers = \"all\"\n"),
			vec!["issuers", "any"],
		),
		(
			&format!("{base}[permits]\nissuers = [\"12\"]\n"),
			vec!["issuers", "64 hexadecimal"],
		),
		("[store\n", vec!["line 1"]),
	] {
		let error = load(text).unwrap_err().to_string();
		for word in words {
			assert!(error.contains(word), "{text}: {error}");
		}
	}
	let many = format!(
		"{base}[grid]\npublic = [{}]\n",
		"\"192.0.2.1:1\",".repeat(5)
	);
	assert!(load(&many).unwrap_err().to_string().contains("at most 4"));
	let relays = |list: &str| load(&format!("{base}[grid]\nrelays = [{list}]\n"));
	assert!(relays("\"http://127.0.0.1:3340\"").is_ok());
	for (list, word) in [
		("\"127.0.0.1:3340\"", "https://HOST:PORT"),
		(
			"\"https://a:1\", \"https://b:1\", \"https://c:1\"",
			"at most 2",
		),
	] {
		let error = relays(list).unwrap_err().to_string();
		assert!(error.contains(word), "{error}");
	}
	assert!(load(&" ".repeat(MAX_FILE + 1)).is_err());
	let missing = Config::load(Path::new("/nonexistent/config.toml"))
		.unwrap_err()
		.to_string();
	assert!(missing.contains("arion-miner init"), "{missing}");
}

#[test]
fn declared_addresses_are_reachable_ones() {
	assert_eq!(sample().addresses().unwrap().len(), 3);
	let mut config = sample();
	config.grid.public.clear();
	// A node behind a relay need not have a UDP address; what it listens on is not declared.
	config.grid.listen = "127.0.0.1:4100".parse().unwrap();
	let relayed = config.addresses().unwrap();
	assert!(relayed.len() == 1 && relayed[0].relay().is_some());
	config.grid.listen = "0.0.0.0:4100".parse().unwrap();
	config.grid.relays.clear();
	assert!(config
		.addresses()
		.unwrap_err()
		.to_string()
		.contains("grid.public"));
	config.grid.listen = "127.0.0.1:4100".parse().unwrap();
	assert_eq!(config.addresses().unwrap().len(), 1);
}

#[test]
fn several_disks_read_and_write() {
	let text = "[store]\nvolume_size = \"128MiB\"\n\
		[[store.disk]]\npath = \"/mnt/a\"\ncapacity = \"10GiB\"\n\
		[[store.disk]]\npath = \"/mnt/b\"\ncapacity = \"20GiB\"\nvolume_size = \"1GiB\"\n";
	let config = load(text).unwrap();
	assert_eq!(config.store.total(), ByteSize(30 << 30));
	let plans = config.store.plans(&BasePath("/b".into()));
	assert_eq!(plans[0].path, Path::new("/mnt/a"));
	assert_eq!(plans[0].config.volume_size, 128 << 20);
	assert_eq!(plans[1].config.volume_size, 1 << 30);
	assert_eq!(load(&config.render()).unwrap(), config);
}

#[test]
fn disks_that_cannot_work_are_named() {
	let disk = |path: &str| format!("[[store.disk]]\npath = \"{path}\"\ncapacity = \"1GiB\"\n");
	let many: String = (0..65).map(|n| disk(&format!("/mnt/{n}"))).collect();
	for (entries, words) in [
		(disk("/mnt/a") + &disk("/mnt/a"), vec!["/mnt/a", "twice"]),
		(disk("/mnt/a") + &disk("/mnt/a/"), vec!["/mnt/a", "twice"]),
		(
			disk("/mnt/a") + &disk("/mnt/a/b"),
			vec!["/mnt/a/b lies inside /mnt/a", "its own"],
		),
		(
			disk("/mnt/a/b") + &disk("/mnt/a"),
			vec!["/mnt/a/b lies inside /mnt/a"],
		),
		(disk("mnt/a"), vec!["mnt/a", "absolute"]),
		(disk("/mnt/../a"), vec!["/mnt/../a", "absolute"]),
		(
			disk("/mnt/a").replace("1GiB", "1KiB"),
			vec!["/mnt/a", "capacity"],
		),
		(
			"capacity = \"1GiB\"\n".to_owned() + &disk("/mnt/a"),
			vec!["store.capacity", "beside"],
		),
		(String::new(), vec!["store.capacity", "500GiB"]),
		(many, vec!["65", "at most 64"]),
		(disk("/mnt/a") + "size = 3\n", vec!["unknown field `size`"]),
	] {
		let error = load(&format!("[store]\n{entries}"))
			.unwrap_err()
			.to_string();
		for word in words {
			assert!(error.contains(word), "{entries}: {error}");
		}
	}
}
