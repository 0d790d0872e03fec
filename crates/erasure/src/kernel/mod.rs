//! The inner loops: ten columns of bytes to other columns.
//!
//! A [`Map`] is prepared once for one [`Kernel`] and applied any number of times. There are two ways
//! to compute: multiplying by a matrix, which gives any outputs; and the transform of
//! [`crate::skew`], which gives all parity, and many outputs from the right sources, for less.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[macro_use]
mod body;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[macro_use]
mod rebuild;
mod choice;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod io;
mod map;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg_attr(
	not(any(target_arch = "x86_64", target_arch = "aarch64")),
	expect(dead_code, reason = "for vector kernels alone")
)]
mod route;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod tables;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
use neon::Vector;
#[cfg(target_arch = "x86_64")]
use x86::Vector;

pub use choice::{Kernel, KernelError, KERNEL_VARIABLE};
pub(crate) use map::Map;
pub(crate) use route::Route;

/// Bytes of each shard handled at a time by a matrix: ten input tiles fit the second-level cache.
const TILE: usize = 16 * 1024;
/// Bytes of the largest vector.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const LARGEST_VECTOR: usize = 64;

/// How memory is accessed, as a constant: buffers are near,
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const NEAR: u8 = 0;
/// or inputs are fetched ahead,
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const FAR: u8 = 1;
/// and outputs bypass the caches.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const STREAM: u8 = 2;

/// How outputs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stores {
	/// Past the caches if all buffers together exceed 4 MiB, and through them else.
	#[default]
	Auto,
	/// Through the caches: best if what was computed is read at once, as by hashing it.
	Cached,
	/// Past the caches, which saves reading the lines that are overwritten: best for outputs too
	/// large to stay in a cache. Used where all outputs have the same address modulo 64, the
	/// length of a cache line; other outputs, and kernels without such stores, write as by
	/// [`Stores::Cached`].
	Streaming,
}
