//! `arion put`.

use crate::{
	cli::{Output, PutArgs},
	client::Gateway,
	error::CliError,
	progress,
};
use futures_util::TryStreamExt;
use reqwest::Body;
use std::time::Instant;
use tokio::io::AsyncRead;
use tokio_util::io::ReaderStream;

/// Bytes read from the file at a time.
const READ_LEN: usize = 256 * 1024;

pub(crate) async fn run(gateway: &Gateway, args: PutArgs, output: Output) -> Result<(), CliError> {
	let started = Instant::now();
	let (reader, size, own_name): (Box<dyn AsyncRead + Send + Unpin>, _, _) =
		if args.file.as_os_str() == "-" {
			(Box::new(tokio::io::stdin()), None, None)
		} else {
			let failed = |cause| CliError::File {
				action: "cannot read",
				path: args.file.clone(),
				cause,
			};
			let file = tokio::fs::File::open(&args.file).await.map_err(failed)?;
			let facts = file.metadata().await.map_err(failed)?;
			if facts.is_dir() {
				return Err(CliError::Usage(format!(
					"{} is a folder; put stores one file (pack it first, e.g. with tar)",
					args.file.display()
				)));
			}
			// Only a regular file's length is known beforehand.
			let size = facts.is_file().then_some(facts.len());
			let name = args
				.file
				.file_name()
				.map(|name| name.to_string_lossy().into_owned());
			(Box::new(file), size, name)
		};
	let name = args.name.or(own_name);
	let bar = progress::bar("storing", size);
	let counter = bar.clone();
	let body = ReaderStream::with_capacity(reader, READ_LEN)
		.inspect_ok(move |chunk| counter.inc(u64::try_from(chunk.len()).unwrap_or(u64::MAX)));
	let stored = gateway
		.put(
			name.as_deref(),
			args.payer.as_deref(),
			size,
			Body::wrap_stream(body),
		)
		.await;
	bar.finish_and_clear();
	let stored = stored?;
	if let Some(size) = size.filter(|size| *size != stored.size) {
		return Err(CliError::Protocol {
			url: "upload".into(),
			what: format!(
				"{size} bytes sent, {} stored; did the file change meanwhile?",
				stored.size
			),
		});
	}
	let seconds = started.elapsed().as_secs_f64();
	match output {
		Output::Json => {
			let mut value = serde_json::json!(stored);
			value["seconds"] = seconds.into();
			println!("{value}");
		}
		Output::Text => {
			println!("id    {}", stored.id);
			if let Some(link) = &stored.link {
				println!("link  {link}");
			}
			println!(
				"{} bytes in {} stripes, {seconds:.1} s",
				stored.size, stored.stripes
			);
		}
	}
	Ok(())
}
