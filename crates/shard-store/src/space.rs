//! Space of the file system: floors, and the ballast that is given up when there is none left.

use crate::{
	error::{Limit, StoreError},
	shared::Shared,
};
use std::io;

const BALLAST: &str = "BALLAST";

/// Whether `bytes` more may be taken from the file system.
pub(crate) fn check_floor(shared: &Shared, bytes: u64, data: bool) -> Result<(), Limit> {
	let space = match shared.disk.space() {
		Ok(space) => space,
		Err(error) => {
			// Not knowing is no reason to refuse: taking the space will tell.
			tracing::warn!(%error, "cannot tell the free space");
			return Ok(());
		}
	};
	let left = space.free.saturating_sub(bytes);
	let config = &shared.config;
	if left < config.hard_floor.of(&space) {
		return Err(Limit::HardFloor);
	}
	if data && left < config.soft_floor.of(&space) {
		return Err(Limit::SoftFloor);
	}
	Ok(())
}

/// Makes the ballast if there is none and there is room enough for it.
pub(crate) fn renew_ballast(shared: &Shared) -> Result<(), StoreError> {
	let bytes = shared.config.ballast;
	let fail = |op| move |error| StoreError::io(op, shared.disk.describe(BALLAST), error);
	if bytes == 0 || has_ballast(shared)? || check_floor(shared, bytes, true).is_err() {
		return Ok(());
	}
	match shared.disk.create(BALLAST, bytes) {
		Ok(_) => shared.disk.sync_dir().map_err(fail("sync")),
		Err(error) => {
			// A part of it may be there.
			match shared.disk.remove(BALLAST) {
				Err(error) if error.kind() != io::ErrorKind::NotFound => {
					tracing::warn!(%error, "cannot remove a part of the ballast");
				}
				_ => {}
			}
			Err(fail("create")(error))
		}
	}
}

/// Gives up the ballast; tells whether there was one.
pub(crate) fn drop_ballast(shared: &Shared) -> bool {
	match shared.disk.remove(BALLAST) {
		Ok(()) => {
			tracing::warn!("the disk is full: the ballast is given up for deletions");
			true
		}
		Err(error) => {
			if error.kind() != io::ErrorKind::NotFound {
				tracing::warn!(%error, "cannot give up the ballast");
			}
			false
		}
	}
}

fn has_ballast(shared: &Shared) -> Result<bool, StoreError> {
	match shared.disk.open(BALLAST) {
		Ok(_) => Ok(true),
		Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
		Err(error) => Err(StoreError::io("open", shared.disk.describe(BALLAST), error)),
	}
}
