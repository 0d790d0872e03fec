//! Tables in a document: each stands between two marks that name its simulation.

/// Why a document cannot be filled.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum Unfit {
	/// A simulation's mark is missing.
	#[error("the document has no place for `{0}`; write {1:?} and {END:?} on lines of their own")]
	NoPlace(String, String),
	/// A mark has no end.
	#[error("the place of `{0}` has no end; write {END:?} on a line of its own behind it")]
	NoEnd(String),
}

/// What stands behind a simulation's tables.
const END: &str = "<!-- end of hippius-sim -->";

/// What stands before the tables of the simulation of this name.
fn mark(name: &str) -> String {
	format!("<!-- hippius-sim {name} -->")
}

/// The document with these tables in their places.
pub(crate) fn fill(mut document: String, name: &str, tables: &str) -> Result<String, Unfit> {
	let mark = mark(name);
	let start = document
		.find(&mark)
		.ok_or_else(|| Unfit::NoPlace(name.into(), mark.clone()))?
		+ mark.len();
	let len = document[start..]
		.find(END)
		.ok_or_else(|| Unfit::NoEnd(name.into()))?;
	document.replace_range(start..start + len, &format!("\n\n{}\n\n", tables.trim()));
	Ok(document)
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[test]
	fn tables_take_the_place_of_others() {
		let document = format!("before\n{}\nold\n{END}\nafter\n", mark("x"));
		let filled = fill(document.clone(), "x", "new\n").unwrap();
		assert_eq!(
			filled,
			format!("before\n{}\n\nnew\n\n{END}\nafter\n", mark("x"))
		);
		assert_eq!(fill(filled.clone(), "x", "new").unwrap(), filled);
		assert!(matches!(fill(document, "y", ""), Err(Unfit::NoPlace(..))));
		let open = format!("{}\n", mark("x"));
		assert_eq!(fill(open, "x", ""), Err(Unfit::NoEnd("x".into())));
	}
}
