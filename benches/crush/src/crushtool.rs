//! Ceph's `crushtool --test` as a rival.

use bench_harness::{BenchError, Options};
use std::{
	env::temp_dir,
	ffi::OsStr,
	fs,
	path::PathBuf,
	process::{self, Command},
};

/// Clock ticks per second in /proc, the same on all architectures.
const TICKS: f64 = 100.0;

/// The program.
#[derive(Clone)]
pub(crate) struct Crushtool {
	program: PathBuf,
	name: String,
}

impl Crushtool {
	/// The one given as `--set crushtool=PATH`.
	pub(crate) fn find(options: &Options) -> Result<Self, BenchError> {
		let failed = |cause: &str| BenchError::failed("crushtool", cause);
		let program = options
			.get("crushtool")
			.ok_or_else(|| failed("not installed"))?;
		if !cfg!(target_os = "linux") {
			return Err(failed("the CPU time of programs is read on Linux only"));
		}
		let version = options.get("crushtool-version").unwrap_or("unknown");
		Ok(Self {
			program: program.into(),
			name: format!("crushtool-{version}"),
		})
	}

	/// With a map, given as text.
	pub(crate) fn with_map(&self, text: &str) -> Result<Mapped, BenchError> {
		let failed = |cause| BenchError::failed("crushtool", cause);
		let folder = temp_dir().join(format!("bench-crush-{}", process::id()));
		fs::create_dir_all(&folder).map_err(failed)?;
		let mapped = Mapped {
			tool: self.clone(),
			map: folder.join("map.bin"),
			folder,
		};
		let source = mapped.folder.join("map.txt");
		fs::write(&source, text).map_err(failed)?;
		let (source, map) = (source.as_os_str(), mapped.map.as_os_str());
		self.run([OsStr::new("-c"), source, OsStr::new("-o"), map])?;
		Ok(mapped)
	}

	fn run<A: AsRef<OsStr>>(
		&self,
		args: impl IntoIterator<Item = A>,
	) -> Result<String, BenchError> {
		let failed = |cause: String| BenchError::failed(&self.name, cause);
		let output = Command::new(&self.program)
			.args(args)
			.output()
			.map_err(|cause| failed(cause.to_string()))?;
		if !output.status.success() {
			let said = String::from_utf8_lossy(&output.stderr);
			return Err(failed(format!("{}: {}", output.status, said.trim())));
		}
		Ok(String::from_utf8_lossy(&output.stdout).into_owned())
	}
}

/// The program with a map; its files go with it.
pub(crate) struct Mapped {
	tool: Crushtool,
	folder: PathBuf,
	map: PathBuf,
}

impl Drop for Mapped {
	fn drop(&mut self) {
		if let Err(cause) = fs::remove_dir_all(&self.folder) {
			eprintln!("cannot remove {}: {cause}", self.folder.display());
		}
	}
}

impl Mapped {
	pub(crate) fn name(&self) -> &str {
		&self.tool.name
	}

	/// CPU seconds of `count` mappings, start-up taken off.
	pub(crate) fn seconds(&self, rule: u32, count: u32) -> Result<f64, BenchError> {
		let begun = children()?;
		self.test(rule, count, &[])?;
		let mapped = children()?;
		self.test(rule, 1, &[])?;
		let started = children()?;
		Ok((mapped - begun) - (started - mapped))
	}

	/// The slots of inputs `0..count`.
	pub(crate) fn mappings(&self, rule: u32, count: u32) -> Result<Vec<Vec<i32>>, BenchError> {
		let text = self.test(rule, count, &["--show-mappings"])?;
		let lines = text.lines().filter(|line| line.starts_with("CRUSH rule"));
		let mappings: Option<Vec<Vec<i32>>> = lines
			.map(|line| {
				let (_, list) = line.split_once('[')?;
				let items = list.trim_end().strip_suffix(']')?.split(',');
				items.map(|item| item.trim().parse().ok()).collect()
			})
			.collect();
		match mappings {
			Some(mappings) if mappings.len() == count as usize => Ok(mappings),
			_ => Err(BenchError::failed(
				self.name(),
				"its mappings cannot be read",
			)),
		}
	}

	fn test(&self, rule: u32, count: u32, more: &[&str]) -> Result<String, BenchError> {
		let (rule, last) = (rule.to_string(), (count - 1).to_string());
		let map = self.map.as_os_str();
		let fixed = [
			"--test",
			"--num-rep",
			"30",
			"--rule",
			&rule,
			"--min-x",
			"0",
			"--max-x",
			&last,
		];
		let args = [OsStr::new("-i"), map].into_iter();
		self.tool
			.run(args.chain(fixed.iter().chain(more).map(|arg| OsStr::new(*arg))))
	}
}

/// CPU seconds of all programs this one has waited for.
fn children() -> Result<f64, BenchError> {
	let failed = |cause: String| BenchError::failed("/proc/self/stat", cause);
	let stat = fs::read_to_string("/proc/self/stat").map_err(|cause| failed(cause.to_string()))?;
	// After the name, which may have spaces: cutime and cstime are fields 16 and 17 of proc(5).
	let fields = stat
		.rsplit(')')
		.next()
		.unwrap_or_default()
		.split_whitespace();
	let times: Vec<f64> = fields
		.skip(13)
		.take(2)
		.filter_map(|field| field.parse().ok())
		.collect();
	match times[..] {
		[user, system] => Ok((user + system) / TICKS),
		_ => Err(failed("not as expected".into())),
	}
}
