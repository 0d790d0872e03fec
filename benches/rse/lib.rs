//! `reed-solomon-erasure` behind a C interface. One program cannot hold two builds of one crate, so
//! each build is a library that the bench loads.

use reed_solomon_erasure::galois_8::ReedSolomon;
use std::{ffi::c_void, slice};

const DATA: usize = 10;
const TOTAL: usize = 30;

/// A codec, or null.
#[no_mangle]
pub extern "C" fn rse_new() -> *mut c_void {
	match ReedSolomon::new(DATA, TOTAL - DATA) {
		Ok(codec) => Box::into_raw(Box::new(codec)).cast(),
		Err(_) => std::ptr::null_mut(),
	}
}

/// Frees a codec.
///
/// # Safety
/// `codec` is from [`rse_new`] and not used again.
#[no_mangle]
pub unsafe extern "C" fn rse_free(codec: *mut c_void) {
	if !codec.is_null() {
		// SAFETY: made by `Box::into_raw` of this type, says the caller.
		drop(unsafe { Box::from_raw(codec.cast::<ReedSolomon>()) });
	}
}

/// Computes the parity shards. 0 on success.
///
/// # Safety
/// `codec` is from [`rse_new`]; `shards` points to 30 pointers to `len` bytes each, none of which
/// overlap and which nobody else uses during the call.
#[no_mangle]
pub unsafe extern "C" fn rse_encode(
	codec: *const c_void,
	shards: *const *mut u8,
	len: usize,
) -> i32 {
	// SAFETY: as the caller says.
	let (codec, shards) = unsafe { (&*codec.cast::<ReedSolomon>(), split(shards, len)) };
	i32::from(codec.encode(shards).is_err())
}

/// Computes the data shards whose bit in `present` is 0. 0 on success.
///
/// # Safety
/// As [`rse_encode`].
#[no_mangle]
pub unsafe extern "C" fn rse_reconstruct_data(
	codec: *const c_void,
	shards: *const *mut u8,
	len: usize,
	present: u32,
) -> i32 {
	// SAFETY: as the caller says.
	let (codec, shards) = unsafe { (&*codec.cast::<ReedSolomon>(), split(shards, len)) };
	let mut slot = 0;
	let mut shards = shards.map(|shard| {
		slot += 1;
		(shard, present >> (slot - 1) & 1 == 1)
	});
	i32::from(codec.reconstruct_data(&mut shards).is_err())
}

/// # Safety
/// As [`rse_encode`].
unsafe fn split<'a>(shards: *const *mut u8, len: usize) -> [&'a mut [u8]; TOTAL] {
	// SAFETY: 30 pointers to separate buffers of `len` bytes, says the caller.
	std::array::from_fn(|slot| unsafe { slice::from_raw_parts_mut(*shards.add(slot), len) })
}
