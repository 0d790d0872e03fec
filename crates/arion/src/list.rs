//! `arion stat` and `arion ls`.

use crate::{
	cli::Output,
	client::{Gateway, ObjectInfo},
	error::CliError,
};

pub(crate) async fn stat(gateway: &Gateway, object: &str, output: Output) -> Result<(), CliError> {
	let info = gateway.stat(object).await?;
	match output {
		Output::Json => println!("{}", serde_json::json!(info)),
		Output::Text => {
			println!("id       {}", info.id);
			if let Some(name) = &info.name {
				println!("name     {}", printable(name));
			}
			println!("size     {} bytes", info.size);
			println!("stripes  {}", info.stripes);
			if let Some(link) = &info.link {
				println!("link     {link}");
			}
		}
	}
	Ok(())
}

pub(crate) async fn ls(gateway: &Gateway, output: Output) -> Result<(), CliError> {
	let objects = gateway.list().await?;
	match output {
		Output::Json => println!("{}", serde_json::json!({ "objects": objects })),
		Output::Text => objects
			.iter()
			.for_each(|object| println!("{}", line(object))),
	}
	Ok(())
}

fn line(object: &ObjectInfo) -> String {
	let name = object.name.as_deref().map(printable).unwrap_or_default();
	format!("{}  {:>14}  {name}", object.id, object.size)
		.trim_end()
		.to_owned()
}

/// Names come from others: control characters must not reach the terminal.
fn printable(name: &str) -> String {
	name.chars()
		.map(|c| if c.is_control() { '?' } else { c })
		.collect()
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn listing_cannot_drive_the_terminal() {
		assert_eq!(printable("a\u{1b}[31mb"), "a?[31mb");
	}
}
