//! The kernel chosen by the environment, in processes of their own because it is read once.
#![allow(clippy::unwrap_used)]

use arion_erasure::{Codec, Kernel, KernelError, KERNEL_VARIABLE};
use std::process::{Command, Output};

/// Runs the test of this name in a child with the variable set.
fn child(test: &str, kernel: &str) -> Output {
	Command::new(std::env::current_exe().unwrap())
		.args(["--exact", test, "--ignored", "--nocapture"])
		.env(KERNEL_VARIABLE, kernel)
		.output()
		.unwrap()
}

/// What a child prints: its kernel, and some parity.
#[test]
#[ignore = "run by the other tests"]
fn print_kernel() {
	let codec = Codec::shared();
	assert_eq!(codec.kernel(), Kernel::best());
	let shards = codec.encode_stripe(&[1, 2, 3, 4, 5]).unwrap();
	println!("kernel={} parity={:?}", codec.kernel(), &shards[29]);
	match Kernel::from_env() {
		Ok(kernel) => assert_eq!(kernel, codec.kernel()),
		Err(error) => println!("error={error}"),
	}
}

#[test]
fn the_environment_forces_each_kernel() {
	let shards = Codec::shared().encode_stripe(&[1, 2, 3, 4, 5]).unwrap();
	for kernel in Kernel::ALL.into_iter().filter(|k| k.is_available()) {
		let output = child("print_kernel", kernel.name());
		let printed = String::from_utf8(output.stdout).unwrap();
		assert!(output.status.success(), "{printed}");
		let expected = format!("kernel={kernel} parity={:?}", shards[29]);
		assert!(printed.contains(&expected), "{printed}");
		assert!(!printed.contains("error="), "{printed}");
	}
}

#[test]
fn a_kernel_that_cannot_be_had_is_an_error_and_said_aloud() {
	let fastest = Kernel::fastest();
	let unavailable = Kernel::ALL.into_iter().find(|k| !k.is_available());
	let names = unavailable.iter().map(|kernel| kernel.name());
	for name in names.chain(["gpu"]) {
		let output = child("print_kernel", name);
		let printed = String::from_utf8(output.stdout).unwrap();
		assert!(output.status.success(), "{printed}");
		assert!(printed.contains(&format!("kernel={fastest} ")), "{printed}");
		let error = match name.parse() {
			Ok(kernel) => KernelError::Unavailable {
				kernel,
				best: fastest,
			},
			Err(error) => error,
		};
		assert!(printed.contains(&format!("error={error}")), "{printed}");
		let complaint = String::from_utf8(output.stderr).unwrap();
		let expected = format!("{KERNEL_VARIABLE}: {error}; using `{fastest}`");
		assert_eq!(complaint.matches(&expected).count(), 1, "{complaint}");
	}
}

#[test]
fn a_codec_says_which_kernel_it_got() {
	for kernel in Kernel::ALL {
		let expected = if kernel.is_available() {
			kernel
		} else {
			Kernel::Portable
		};
		assert_eq!(Codec::with_kernel(kernel).kernel(), expected);
	}
}
