//! The command line.

mod run;

pub use run::Outcome;

use crate::{
	account::Secret,
	config::{
		Config, ControlSection, GridSection, NodeSection, PermitsSection, RepairSection,
		StoreSection,
	},
	permits::Issuers,
	register::Overrides,
	size::ByteSize,
	MinerError,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use hippius_primitives::{registration::MAX_HOST_LEN, NodeKey, RelayAddress};
use std::{net::SocketAddr, path::PathBuf};

const DEFAULT_CHAIN: &str = "ws://127.0.0.1:9944";

/// Keeps shards for the Arion storage network and serves them over QUIC.
///
/// A miner is made once with `init`, put on chain once with `register`, and then runs. A Hippius
/// full node started with `--arion-daemon http://CONTROL,token-file=BASE/control.token` hands it
/// the cluster map.
#[derive(Debug, Parser)]
#[command(
	name = "arion-miner",
	version,
	after_help = "Example:\n  \
	arion-miner init --base-path ~/arion --zone 0 --host rack-1 --capacity 500GiB --public 203.0.113.7:4100\n  \
	arion-miner register --base-path ~/arion --chain ws://127.0.0.1:9944 --suri-file family.secret\n  \
	arion-miner run --base-path ~/arion"
)]
pub struct Cli {
	/// How results and errors are printed.
	#[arg(long, global = true, value_enum, default_value = "text")]
	pub output: Output,
	/// What to do.
	#[command(subcommand)]
	pub command: Command,
}

/// A form of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
	/// For people.
	Text,
	/// One JSON object per result, for scripts.
	Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
	/// Make a miner: settings, node key, control token. Overwrites nothing.
	Init(InitArgs),
	/// Register the node on chain under your family account.
	Register(DeclareArgs),
	/// Declare changed addresses, capacity or host of a registered node.
	Update(DeclareArgs),
	/// Run the miner until SIGTERM or Ctrl-C.
	Run(RunArgs),
	/// Ask the running miner for key, addresses, epoch, slots, space and connections.
	Status(BaseArgs),
	/// Look at everything a miner needs; says what is wrong and what to do about it. Ends with 0 if
	/// all is well, 1 with warnings, 2 with errors.
	Doctor(DoctorArgs),
	/// Show or replace the node key.
	#[command(subcommand)]
	Keys(KeysCommand),
	/// Leave the network in good order: start the node's exit, then tell how many of its shards are
	/// with their new holders. Ends with 0 once the miner can be switched off, else with 3.
	Drain(DrainArgs),
	/// End a drained node's exit: deposit and stake are given back.
	Exit(ExitArgs),
	/// Show what the node earned, era by era and why, and what its family can withdraw.
	Earnings(EarningsArgs),
	/// Look at the settings.
	#[command(subcommand)]
	Config(ConfigCommand),
	/// Look after disks.
	#[command(subcommand)]
	Disk(DiskCommand),
}

/// What to do with the node key.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
	/// Print the public keys.
	Show(BaseArgs),
	/// Make the next key and announce it on chain; from then on both are valid.
	Rotate(AccountArgs),
	/// End the old key when the overlap is over, on chain and here. Can be repeated.
	Activate(ActivateArgs),
}

/// What to do with a disk.
#[derive(Debug, Subcommand)]
pub enum DiskCommand {
	/// Take an empty disk in place of the one that was there; the next start makes a store on it.
	Accept(AcceptArgs),
}

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
	/// Check config.toml; the error names field and remedy.
	Check(CheckArgs),
}

/// Arguments of `config check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
	#[command(flatten)]
	base: BaseArgs,
	/// Print all settings in effect, defaults included.
	#[arg(long)]
	show: bool,
}

/// Arguments of `disk accept`.
#[derive(Debug, Args)]
pub struct AcceptArgs {
	#[command(flatten)]
	base: BaseArgs,
	/// The disk's directory, as in config.toml.
	path: PathBuf,
}

/// The miner, the chain, and the account that signs.
#[derive(Debug, Args)]
pub struct AccountArgs {
	#[command(flatten)]
	base: BaseArgs,
	/// RPC address of a Hippius node.
	#[arg(long, default_value = DEFAULT_CHAIN, value_name = "URL")]
	chain: String,
	#[command(flatten)]
	secret: SecretArgs,
}

/// Arguments of `keys activate`.
#[derive(Debug, Args)]
pub struct ActivateArgs {
	#[command(flatten)]
	account: AccountArgs,
	/// End the old key before the overlap is over, as for a key that leaked.
	#[arg(long)]
	now: bool,
}

/// Arguments of `exit`.
#[derive(Debug, Args)]
pub struct ExitArgs {
	#[command(flatten)]
	account: AccountArgs,
	/// Leave although shards may be nowhere else; repair has to compute them from others.
	#[arg(long)]
	abandon: bool,
}

/// Arguments of `earnings`.
#[derive(Args)]
pub struct EarningsArgs {
	#[command(flatten)]
	base: BaseArgs,
	/// RPC address of a Hippius node.
	#[arg(long, default_value = DEFAULT_CHAIN, value_name = "URL")]
	chain: String,
	/// Eras looked back.
	#[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
	eras: u32,
	/// Blocks looked back for payments; a node that is no archive has the last 256.
	#[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=2000))]
	blocks: u32,
	/// Withdraw what can be withdrawn to the family's account, whose secret this needs.
	#[arg(long)]
	withdraw: bool,
	/// The family account's secret, to withdraw: mnemonic, 0x seed or //Dev name. Others on this machine
	/// can see it in the process list; prefer the file or the variable.
	#[arg(long, env = "ARION_SURI", hide_env_values = true)]
	suri: Option<String>,
	/// File whose first line is the family account's secret.
	#[arg(long, value_name = "FILE", conflicts_with = "suri")]
	suri_file: Option<PathBuf>,
}

impl std::fmt::Debug for EarningsArgs {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("EarningsArgs")
			.field("withdraw", &self.withdraw)
			.field("suri_file", &self.suri_file)
			.finish_non_exhaustive()
	}
}

impl EarningsArgs {
	/// The secret, if something is to be withdrawn.
	fn secret(&self) -> Result<Option<Secret>, MinerError> {
		match (self.withdraw, &self.suri, &self.suri_file) {
			(false, ..) => Ok(None),
			(true, _, Some(file)) => Ok(Some(Secret::File(file.clone()))),
			(true, Some(suri), None) => Ok(Some(Secret::Suri(suri.clone()))),
			(true, None, None) => Err(MinerError::Input(
				"--withdraw needs the family's secret: give --suri-file".into(),
			)),
		}
	}
}

/// Arguments of `drain`.
#[derive(Debug, Args)]
pub struct DrainArgs {
	#[command(flatten)]
	account: AccountArgs,
	/// Wait until the miner can be switched off.
	#[arg(long)]
	wait: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
	#[command(flatten)]
	base: BaseArgs,
	/// RPC address of a Hippius node.
	#[arg(long, default_value = DEFAULT_CHAIN, value_name = "URL")]
	chain: String,
	/// Look at this machine only.
	#[arg(long, conflicts_with = "chain")]
	no_chain: bool,
}

/// The miner's directory.
#[derive(Debug, Args)]
pub struct BaseArgs {
	/// The miner's directory.
	#[arg(long, value_name = "DIR", env = "ARION_MINER_BASE_PATH")]
	pub base_path: PathBuf,
}

/// Arguments of `init`. All but the directory can be changed in config.toml later.
#[derive(Debug, Args)]
pub struct InitArgs {
	#[command(flatten)]
	base: BaseArgs,
	/// Placement zone, one that the chain's cluster map knows.
	#[arg(long)]
	zone: Option<u8>,
	/// Name of this machine: nodes of one host fail together [default: the host name].
	#[arg(long)]
	host: Option<String>,
	/// Most disk space shards may take, as in 500GiB.
	#[arg(long, default_value = "10GiB")]
	capacity: ByteSize,
	/// Size of one volume file, reserved as a whole [default: a 64th of the capacity, 64MiB to 1GiB].
	#[arg(long)]
	volume_size: Option<ByteSize>,
	/// UDP address to serve on; port 0 takes a free one.
	#[arg(long, default_value = "0.0.0.0:4100", value_name = "IP:PORT")]
	listen: SocketAddr,
	/// Address others reach the node at; repeat for more, best first [default: --listen].
	#[arg(long, value_name = "IP:PORT")]
	public: Vec<SocketAddr>,
	/// Relay for a node that others cannot reach directly, as https://relay.example.org:443; repeat
	/// for a second. Without --public, the node is then reached through relays only.
	#[arg(long = "relay", value_name = "URL")]
	relays: Vec<RelayAddress>,
	/// TCP address of the control API, loopback only; port 0 takes a free one.
	#[arg(long, default_value = "127.0.0.1:7070", value_name = "IP:PORT")]
	control: SocketAddr,
	/// Key of a gateway that may let shards be stored here, 64 hexadecimal digits; repeat for more
	/// [default: whoever connects may, for itself].
	#[arg(long, value_name = "KEY", value_parser = node_key)]
	issuer: Vec<NodeKey>,
}

fn node_key(text: &str) -> Result<NodeKey, &'static str> {
	NodeKey::from_hex(text).ok_or("expected 64 hexadecimal digits")
}

/// Arguments of `register` and `update`.
#[derive(Debug, Args)]
pub struct DeclareArgs {
	#[command(flatten)]
	account: AccountArgs,
	/// Placement zone [default: from config.toml].
	#[arg(long)]
	zone: Option<u8>,
	/// Name of the machine [default: from config.toml].
	#[arg(long)]
	host: Option<String>,
	/// Capacity to declare, at most that of the disks [default: from config.toml].
	#[arg(long)]
	capacity: Option<ByteSize>,
	/// Address others reach the node at; repeatable [default: from config.toml].
	#[arg(long = "address", value_name = "IP:PORT")]
	addresses: Vec<SocketAddr>,
}

/// The family account's secret; one of the two is needed.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct SecretArgs {
	/// The family account's secret: mnemonic, 0x seed or //Dev name. Others on this machine can see
	/// it in the process list; prefer the file or the variable.
	#[arg(long, env = "ARION_SURI", hide_env_values = true)]
	suri: Option<String>,
	/// File whose first line is the family account's secret.
	#[arg(long, value_name = "FILE")]
	suri_file: Option<PathBuf>,
}

impl std::fmt::Debug for SecretArgs {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_struct("SecretArgs")
			.field("suri_file", &self.suri_file)
			.finish_non_exhaustive()
	}
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
	#[command(flatten)]
	base: BaseArgs,
	/// Form of the log on stderr. RUST_LOG chooses what is logged.
	#[arg(long, value_enum, default_value = "text")]
	pub log_format: Output,
}

impl SecretArgs {
	fn secret(self) -> Result<Secret, MinerError> {
		match (self.suri, self.suri_file) {
			(Some(suri), None) => Ok(Secret::Suri(suri)),
			(None, Some(file)) => Ok(Secret::File(file)),
			_ => Err(MinerError::Input("give --suri or --suri-file".into())),
		}
	}
}

impl DeclareArgs {
	fn overrides(&self) -> Overrides {
		Overrides {
			zone: self.zone,
			host: self.host.clone(),
			capacity: self.capacity,
			addresses: self.addresses.clone(),
		}
	}
}

impl InitArgs {
	fn config(&self) -> Config {
		Config {
			node: NodeSection {
				zone: self.zone,
				host: self.host.clone().or_else(host_name),
			},
			grid: GridSection {
				listen: self.listen,
				public: self.public.clone(),
				relays: self.relays.clone(),
			},
			store: StoreSection::single(self.capacity, self.volume_size),
			control: ControlSection {
				listen: self.control,
			},
			permits: PermitsSection {
				issuers: match self.issuer.as_slice() {
					[] => Issuers::Any,
					keys => Issuers::Only(keys.iter().copied().collect()),
				},
			},
			repair: RepairSection::default(),
		}
	}
}

/// The machine's name, if it has one that can be declared.
fn host_name() -> Option<String> {
	let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
	let name = name.trim();
	(!name.is_empty() && name.len() <= MAX_HOST_LEN as usize).then(|| name.to_owned())
}
