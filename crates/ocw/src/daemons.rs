//! The daemons beside this full node, and requests to them over loopback HTTP.
//!
//! The node's service leaves the daemons' addresses and tokens in persistent offchain storage. Nothing
//! a daemon answers is trusted: it is read up to a bound and decoded, and no daemon's silence keeps
//! what another one says.

use alloc::{format, string::String, vec, vec::Vec};
use codec::DecodeAll;
use core::fmt;
use hippius_primitives::daemon::{DaemonAccess, DAEMONS_STORAGE_KEY};
use sp_core::offchain::{Duration, HttpError, Timestamp};
use sp_runtime::offchain::{
	http::{self, PendingRequest, Request, Response},
	storage::StorageValueRef,
};

/// Most daemons served by one node; further ones are left out and logged.
pub const MAX_DAEMONS: usize = 64;
/// Longest a daemon that began to answer may take for the rest, in milliseconds.
pub const BODY_MILLIS: u64 = 250;
/// After so many milliseconds of waiting what has come is dealt with, the rest waited for on.
const LOOKS: [u64; 7] = [20, 50, 100, 200, 400, 800, 1_400];

/// Why a daemon could not be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
	/// Its address or token is no text that can be sent.
	BadAccess,
	/// The request could not be made or broke off.
	Io,
	/// No answer in time.
	Deadline,
	/// An answer other than 200.
	Status(u16),
	/// The answer is longer than any honest one.
	TooLong {
		/// The bound, in bytes.
		most: usize,
	},
	/// The answer is not what was asked for.
	Malformed,
}

impl fmt::Display for Failure {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::BadAccess => write!(f, "its URL or token is not valid; see --arion-daemon"),
			Self::Io => write!(f, "cannot be reached; does it run?"),
			Self::Deadline => write!(f, "gave no answer in time"),
			Self::Status(401) => write!(f, "refused the token (401); see --arion-daemon"),
			Self::Status(404) => write!(f, "does not know the request (404); is it too old?"),
			Self::Status(409) => write!(
				f,
				"refused (409): it has no map yet, or is bound to another chain"
			),
			Self::Status(code) => write!(f, "answered with status {code}"),
			Self::TooLong { most } => write!(f, "sent more than {most} bytes"),
			Self::Malformed => write!(f, "sent an answer that cannot be decoded"),
		}
	}
}

impl core::error::Error for Failure {}

impl From<http::Error> for Failure {
	fn from(error: http::Error) -> Self {
		match error {
			http::Error::DeadlineReached => Self::Deadline,
			http::Error::IoError | http::Error::Unknown => Self::Io,
		}
	}
}

impl From<HttpError> for Failure {
	fn from(error: HttpError) -> Self {
		match error {
			HttpError::DeadlineReached => Self::Deadline,
			HttpError::IoError | HttpError::Invalid => Self::Io,
		}
	}
}

/// A daemon as workers speak to it.
#[derive(Clone, Debug)]
pub struct Daemon {
	base: String,
	authorization: String,
}

impl Daemon {
	/// From what the service left.
	///
	/// # Errors
	/// [`Failure::BadAccess`].
	pub fn new(access: &DaemonAccess) -> Result<Self, Failure> {
		let text = |bytes| core::str::from_utf8(bytes).map_err(|_| Failure::BadAccess);
		Ok(Self {
			base: text(&access.url)?.into(),
			authorization: format!("Bearer {}", text(&access.token)?),
		})
	}

	/// Its base URL.
	pub fn url(&self) -> &str {
		&self.base
	}

	/// Asks for `path`.
	///
	/// # Errors
	/// [`Failure::Io`], [`Failure::Deadline`].
	pub fn get(&self, path: &str, deadline: Timestamp) -> Result<PendingRequest, Failure> {
		let url = format!("{}{path}", self.base);
		let request = Request::get(&url)
			.add_header("Authorization", &self.authorization)
			.deadline(deadline);
		Ok(request.send()?)
	}

	/// Sends `body` to `path`.
	///
	/// # Errors
	/// [`Failure::Io`], [`Failure::Deadline`].
	pub fn post(
		&self,
		path: &str,
		body: &[u8],
		deadline: Timestamp,
	) -> Result<PendingRequest, Failure> {
		let url = format!("{}{path}", self.base);
		let request = Request::post(&url, vec![body])
			.add_header("Authorization", &self.authorization)
			.add_header("Content-Type", "application/octet-stream")
			.deadline(deadline);
		Ok(request.send()?)
	}
}

/// The daemons given to this node; those whose access is not valid are logged under `target`.
pub fn daemons(target: &str) -> Vec<Daemon> {
	let stored = StorageValueRef::persistent(DAEMONS_STORAGE_KEY).get::<Vec<DaemonAccess>>();
	let Ok(accesses) = stored else {
		log::error!(target: target, "the stored list of daemons cannot be decoded");
		return Vec::new();
	};
	let accesses = accesses.unwrap_or_default();
	if accesses.len() > MAX_DAEMONS {
		log::warn!(
			target: target,
			"{} daemons are given, only the first {MAX_DAEMONS} are served", accesses.len()
		);
	}
	accesses
		.iter()
		.take(MAX_DAEMONS)
		.filter_map(|access| {
			let shown = String::from_utf8_lossy(&access.url);
			Daemon::new(access)
				.inspect_err(|failure| log::warn!(target: target, "daemon {shown}: {failure}"))
				.ok()
		})
		.collect()
}

/// Waits for the answers to requests that were sent, until `deadline`, and gives each to `take` as soon
/// as it is there: nobody waits for another one's answer.
pub fn exchange<J>(
	sent: Vec<(J, PendingRequest)>,
	deadline: Timestamp,
	mut take: impl FnMut(J, Result<Response, Failure>),
) {
	let start = sp_io::offchain::timestamp();
	let mut waiting = sent;
	let looks = LOOKS.map(|millis| start.add(Duration::from_millis(millis)));
	let looks = looks.into_iter().filter(|look| *look < deadline);
	for until in looks.chain([deadline]) {
		if waiting.is_empty() {
			return;
		}
		let (jobs, requests): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
		let answers = PendingRequest::try_wait_all(requests, until);
		waiting = Vec::new();
		for (job, answer) in jobs.into_iter().zip(answers) {
			match answer {
				Ok(result) => take(job, result.map_err(Failure::from)),
				Err(request) => waiting.push((job, request)),
			}
		}
	}
	for (job, _) in waiting {
		take(job, Err(Failure::Deadline));
	}
}

/// Reads an answer that must be a `V` of at most `most` bytes. A daemon that stops in the middle is
/// given up after [`BODY_MILLIS`].
///
/// # Errors
/// [`Failure::Status`], [`Failure::TooLong`], [`Failure::Malformed`], [`Failure::Deadline`],
/// [`Failure::Io`].
pub fn read<V: DecodeAll>(
	response: &Response,
	most: usize,
	deadline: Timestamp,
) -> Result<V, Failure> {
	if response.code != 200 {
		return Err(Failure::Status(response.code));
	}
	let mut body = response.body();
	let patience = sp_io::offchain::timestamp().add(Duration::from_millis(BODY_MILLIS));
	body.deadline(deadline.min(patience));
	let mut bytes = Vec::new();
	for byte in body.by_ref() {
		if bytes.len() >= most {
			return Err(Failure::TooLong { most });
		}
		bytes.push(byte);
	}
	if let Some(error) = body.error() {
		return Err((*error).into());
	}
	V::decode_all(&mut &bytes[..]).map_err(|_| Failure::Malformed)
}
