//! Why downloads broke off: once the first byte is out, the connection can only be cut, so the
//! reason is kept for those who ask.

use super::{answer::Failure, Shared};
use axum::{
	extract::{Path, State},
	http::StatusCode,
};
use std::{
	collections::VecDeque,
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc, Mutex, PoisonError,
	},
};

/// Header that names a download.
pub const TRANSFER_HEADER: &str = "x-arion-transfer";

/// Failures kept.
const KEPT: usize = 256;

/// Numbers downloads and keeps the newest failures.
#[derive(Default)]
pub(crate) struct Transfers {
	next: AtomicU64,
	failed: Mutex<VecDeque<(u64, Failure)>>,
}

impl Transfers {
	pub(crate) fn begin(&self) -> u64 {
		self.next.fetch_add(1, Ordering::Relaxed)
	}

	pub(crate) fn fail(&self, transfer: u64, failure: Failure) {
		let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
		if failed.len() == KEPT {
			failed.pop_front();
		}
		failed.push_back((transfer, failure));
	}

	fn get(&self, transfer: u64) -> Option<Failure> {
		let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
		failed
			.iter()
			.find(|(id, _)| *id == transfer)
			.map(|(_, failure)| failure.clone())
	}
}

/// `GET /v1/transfers/{id}`: the failure as a body, with status 200.
pub(crate) async fn show(
	State(shared): State<Arc<Shared>>,
	Path(transfer): Path<String>,
) -> Result<axum::Json<serde_json::Value>, Failure> {
	let known = transfer
		.parse()
		.ok()
		.and_then(|transfer| shared.transfers.get(transfer));
	let Some(Failure { code, message, .. }) = known else {
		let message = "no such download failed lately";
		return Err(Failure::new(StatusCode::NOT_FOUND, "not_found", message));
	};
	Ok(axum::Json(
		serde_json::json!({ "error": { "code": code, "message": message } }),
	))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn keeps_the_newest_only() {
		let transfers = Transfers::default();
		for _ in 0..KEPT + 2 {
			let transfer = transfers.begin();
			transfers.fail(transfer, Failure::bad_request(transfer.to_string()));
		}
		assert!(transfers.get(1).is_none());
		assert!(transfers
			.get(2)
			.is_some_and(|failure| failure.message == "2"));
		assert_eq!(
			transfers
				.failed
				.lock()
				.map(|failed| failed.len())
				.unwrap_or_default(),
			KEPT
		);
	}
}
