//! Which kernel runs.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use super::Vector;
use core::{fmt, str::FromStr};
use std::{ffi::OsString, sync::OnceLock};

/// The environment variable that names the kernel of this process: one of the names that
/// [`Kernel`] prints.
pub const KERNEL_VARIABLE: &str = "ARION_ERASURE_KERNEL";

/// How the inner loops are computed. All kernels give the same bytes.
///
/// Printed and parsed as `avx512-gfni`, `avx2-gfni`, `avx2`, `ssse3`, `neon` and `portable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kernel {
	/// 512-bit affine transformations (AVX-512 BW and GFNI).
	Avx512Gfni,
	/// 256-bit affine transformations (AVX2 and GFNI).
	Avx2Gfni,
	/// 256-bit table look-ups of half bytes.
	Avx2,
	/// 128-bit table look-ups of half bytes.
	Ssse3,
	/// 128-bit table look-ups of half bytes on 64-bit ARM.
	Neon,
	/// Plain Rust, for any machine.
	Portable,
}

/// Why a kernel cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
	/// No kernel has this name.
	#[error("there is no erasure kernel `{name}`: take one of {}", Names)]
	Unknown {
		/// The name given; what is not Unicode in it is replaced.
		name: String,
	},
	/// This machine has not the instructions that the kernel needs.
	#[error("this machine cannot run the erasure kernel `{kernel}`; it can run `{best}`")]
	Unavailable {
		/// The kernel named.
		kernel: Kernel,
		/// The fastest that this machine can run.
		best: Kernel,
	},
}

impl Kernel {
	/// All kernels, the fastest first.
	pub const ALL: [Self; 6] = [
		Self::Avx512Gfni,
		Self::Avx2Gfni,
		Self::Avx2,
		Self::Ssse3,
		Self::Neon,
		Self::Portable,
	];

	/// The name, as parsed.
	pub const fn name(self) -> &'static str {
		match self {
			Self::Avx512Gfni => "avx512-gfni",
			Self::Avx2Gfni => "avx2-gfni",
			Self::Avx2 => "avx2",
			Self::Ssse3 => "ssse3",
			Self::Neon => "neon",
			Self::Portable => "portable",
		}
	}

	/// Whether this machine can run it.
	pub fn is_available(self) -> bool {
		if self == Self::Portable {
			return true;
		}
		#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
		return Vector::find(self).is_some();
		#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
		false
	}

	/// The fastest that this machine can run, whatever the environment says.
	pub fn fastest() -> Self {
		let mut kernels = Self::ALL.into_iter();
		kernels
			.find(|kernel| kernel.is_available())
			.unwrap_or(Self::Portable)
	}

	/// The kernel of this process: the one that [`KERNEL_VARIABLE`] names, or [`Kernel::fastest`] if
	/// it is not set or empty. Read once; later changes of the environment change nothing.
	///
	/// Programs call this when they start and refuse to run on an error.
	///
	/// # Errors
	/// [`KernelError::Unknown`] if no kernel has that name, [`KernelError::Unavailable`] if this
	/// machine cannot run it.
	pub fn from_env() -> Result<Self, KernelError> {
		static CHOSEN: OnceLock<Result<Kernel, KernelError>> = OnceLock::new();
		CHOSEN
			.get_or_init(|| Self::choose(std::env::var_os(KERNEL_VARIABLE)))
			.clone()
	}

	/// The kernel of [`Kernel::from_env`]. If the environment names one that cannot be had, this is
	/// the fastest, and the error is written to standard error, once: results are the same bytes.
	pub fn best() -> Self {
		static BEST: OnceLock<Kernel> = OnceLock::new();
		*BEST.get_or_init(|| {
			Self::from_env().unwrap_or_else(|error| {
				let fastest = Self::fastest();
				eprintln!("{KERNEL_VARIABLE}: {error}; using `{fastest}`");
				fastest
			})
		})
	}

	fn choose(variable: Option<OsString>) -> Result<Self, KernelError> {
		let Some(name) = variable.filter(|name| !name.is_empty()) else {
			return Ok(Self::fastest());
		};
		let kernel: Self = name.to_string_lossy().parse()?;
		if !kernel.is_available() {
			let best = Self::fastest();
			return Err(KernelError::Unavailable { kernel, best });
		}
		Ok(kernel)
	}
}

impl fmt::Display for Kernel {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.pad(self.name())
	}
}

impl FromStr for Kernel {
	type Err = KernelError;

	fn from_str(name: &str) -> Result<Self, KernelError> {
		let mut kernels = Self::ALL.into_iter();
		kernels
			.find(|kernel| kernel.name() == name)
			.ok_or_else(|| KernelError::Unknown {
				name: name.to_owned(),
			})
	}
}

/// The names of all kernels, as a list.
struct Names;

impl fmt::Display for Names {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(&Kernel::ALL.map(Kernel::name).join(", "))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn choose(name: &str) -> Result<Kernel, KernelError> {
		Kernel::choose(Some(name.into()))
	}

	#[test]
	fn names_are_parsed_as_printed() {
		for kernel in Kernel::ALL {
			assert_eq!(kernel.to_string().parse(), Ok(kernel));
		}
		for name in ["", "AVX2", "avx2 ", "avx512", "fastest"] {
			let unknown = Err(KernelError::Unknown { name: name.into() });
			assert_eq!(name.parse::<Kernel>(), unknown);
		}
	}

	#[test]
	fn the_environment_chooses() {
		assert_eq!(Kernel::choose(None), Ok(Kernel::fastest()));
		assert_eq!(choose(""), Ok(Kernel::fastest()));
		for kernel in Kernel::ALL {
			let expected = if kernel.is_available() {
				Ok(kernel)
			} else {
				let best = Kernel::fastest();
				Err(KernelError::Unavailable { kernel, best })
			};
			assert_eq!(choose(kernel.name()), expected);
		}
		assert_eq!(
			choose("gpu").map_err(|error| error.to_string()),
			Err("there is no erasure kernel `gpu`: take one of avx512-gfni, avx2-gfni, avx2, ssse3, neon, portable".into())
		);
	}
}
