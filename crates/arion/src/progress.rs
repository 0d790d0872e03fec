//! Progress bars, only where somebody sees them.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

const BAR: &str = "{msg} [{bar:30}] {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}";
const COUNTER: &str = "{msg} {bytes} {binary_bytes_per_sec}";

/// A bar over `size` bytes (a counter if unknown) on standard error, hidden when that is no
/// terminal.
pub(crate) fn bar(message: &'static str, size: Option<u64>) -> ProgressBar {
	let target = if std::io::stderr().is_terminal() {
		ProgressDrawTarget::stderr()
	} else {
		ProgressDrawTarget::hidden()
	};
	let bar = ProgressBar::with_draw_target(size, target).with_message(message);
	// The templates are constants; if one were wrong the default bar serves as well.
	match ProgressStyle::with_template(if size.is_some() { BAR } else { COUNTER }) {
		Ok(style) => bar.with_style(style),
		Err(_) => bar,
	}
}
