//! Tables in Markdown.

/// A table with a heading, the names of its columns, and its rows.
pub(crate) fn table(heading: &str, columns: &[&str], rows: &[Vec<String>]) -> String {
	let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
	let mut text = format!("### {heading}\n\n");
	text += &line(columns.to_vec());
	text += &line(vec!["---"; columns.len()]);
	for row in rows {
		text += &line(row.iter().map(String::as_str).collect());
	}
	text
}

/// A number of days as a person says it.
pub(crate) fn days(days: f64) -> String {
	if days < 1.0 {
		format!("{:.1} h", days * 24.0)
	} else if days < 10.0 {
		format!("{days:.1} d")
	} else {
		format!("{days:.0} d")
	}
}

/// A share in percent.
pub(crate) fn percent(share: f64) -> String {
	format!("{:.2} %", share * 100.0)
}

/// A Q30 share as a decimal.
pub(crate) fn decimal(share: u32) -> f64 {
	f64::from(share) / f64::from(hippius_score::ONE)
}
