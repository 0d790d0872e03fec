//! What can go wrong in a bench.

/// Why a bench stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
	/// The command line.
	#[error("{0}; see scripts/bench.sh --help")]
	Usage(String),
	/// A contestant refused to work.
	#[error("{name}: {cause}")]
	Failed {
		/// The contestant.
		name: String,
		/// What it said.
		cause: String,
	},
	/// A contestant's output is not what it should be, so its speed means nothing.
	#[error("{name}: wrong output in {case}: {what}")]
	Wrong {
		/// The contestant.
		name: String,
		/// The case.
		case: String,
		/// What differs.
		what: String,
	},
	/// Memory for the buffers.
	#[error("cannot map {bytes} bytes of memory: {cause}")]
	Memory {
		/// Bytes asked for.
		bytes: usize,
		/// What the system said.
		cause: std::io::Error,
	},
	/// The report.
	#[error("cannot write {path}: {cause}")]
	Write {
		/// The file.
		path: String,
		/// What the system said.
		cause: std::io::Error,
	},
	/// A report that is no JSON.
	#[error("cannot write the report: {0}")]
	Json(#[from] serde_json::Error),
}

impl BenchError {
	/// [`Self::Failed`] of any cause.
	pub fn failed(name: impl Into<String>, cause: impl ToString) -> Self {
		Self::Failed {
			name: name.into(),
			cause: cause.to_string(),
		}
	}
}
