//! The Hippius node.

use std::process::ExitCode;

fn main() -> ExitCode {
	match hippius_node::command::run() {
		Ok(()) => ExitCode::SUCCESS,
		Err(error) => {
			eprintln!("Error: {error}");
			ExitCode::FAILURE
		}
	}
}
