//! `reed-solomon-erasure`, two builds of it, each a library beside this program.

use crate::{
	coder::{Coder, Op},
	layout::Shards,
};
use bench_harness::BenchError;
use libloading::{Library, Symbol};
use std::{
	env::{
		consts::{DLL_PREFIX, DLL_SUFFIX},
		current_exe,
	},
	ffi::c_void,
};

pub(crate) const PLAIN: &str = "reed-solomon-erasure-6.0.0";
pub(crate) const SIMD: &str = "reed-solomon-erasure-6.0.0-simd";

type New = unsafe extern "C" fn() -> *mut c_void;
type Free = unsafe extern "C" fn(*mut c_void);
type Encode = unsafe extern "C" fn(*const c_void, *const *mut u8, usize) -> i32;
type Reconstruct = unsafe extern "C" fn(*const c_void, *const *mut u8, usize, u32) -> i32;

/// A codec of one of the builds.
pub(crate) struct Rse {
	name: &'static str,
	codec: *mut c_void,
	encode: Encode,
	reconstruct: Reconstruct,
	free: Free,
	// Dropped last: the code is in it.
	_library: Library,
}

impl Rse {
	pub(crate) fn load(name: &'static str, library: &str) -> Result<Self, BenchError> {
		let failed = |cause: String| BenchError::failed(name, cause);
		let exe = current_exe().map_err(|cause| failed(cause.to_string()))?;
		let path = exe.with_file_name(format!("{DLL_PREFIX}{library}{DLL_SUFFIX}"));
		if !path.is_file() {
			return Err(failed(format!("not built: {}", path.display())));
		}
		// SAFETY: our own library, whose initialisation does nothing special, and the signatures are
		// those of its source (benches/rse/lib.rs).
		unsafe {
			let library = Library::new(&path).map_err(|cause| failed(cause.to_string()))?;
			let missing = |cause: libloading::Error| failed(cause.to_string());
			let new: Symbol<'_, New> = library.get(b"rse_new\0").map_err(missing)?;
			let codec = new();
			let encode = *library.get::<Encode>(b"rse_encode\0").map_err(missing)?;
			let reconstruct = *library
				.get::<Reconstruct>(b"rse_reconstruct_data\0")
				.map_err(missing)?;
			let free = *library.get::<Free>(b"rse_free\0").map_err(missing)?;
			if codec.is_null() {
				return Err(failed("no codec".into()));
			}
			Ok(Self {
				name,
				codec,
				encode,
				reconstruct,
				free,
				_library: library,
			})
		}
	}
}

impl Drop for Rse {
	fn drop(&mut self) {
		// SAFETY: made by `rse_new`, and nobody uses it any more.
		unsafe { (self.free)(self.codec) }
	}
}

impl Coder for Rse {
	fn name(&self) -> &str {
		self.name
	}

	fn run(&mut self, op: Op, shards: &mut Shards<'_>) -> Result<(), BenchError> {
		let len = shards[0].len();
		let pointers = shards.each_mut().map(|shard| shard.as_mut_ptr());
		// SAFETY: thirty separate buffers of one length, borrowed exclusively during the call.
		let status = unsafe {
			match op {
				Op::Encode => (self.encode)(self.codec, pointers.as_ptr(), len),
				_ => {
					let present = u32::MAX << op.lost();
					(self.reconstruct)(self.codec, pointers.as_ptr(), len, present)
				}
			}
		};
		match status {
			0 => Ok(()),
			_ => Err(BenchError::failed(
				self.name,
				format!("{} failed", op.name()),
			)),
		}
	}
}
