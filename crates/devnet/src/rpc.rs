//! The little of the nodes' JSON-RPC and the daemons' HTTP that supervision needs.

use crate::error::{Error, Result};
use serde_json::{json, Value};
use std::{future::Future, time::Duration};

/// Pause between two looks at something that offers no event to wait for.
const POLL: Duration = Duration::from_millis(150);
const REQUEST: Duration = Duration::from_secs(5);
/// Largest answer read, in bytes.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// A client for loopback: no proxy, short deadlines.
pub fn http() -> Result<reqwest::Client> {
	reqwest::Client::builder()
		.no_proxy()
		.connect_timeout(Duration::from_secs(2))
		.timeout(REQUEST)
		.build()
		.map_err(|cause| Error::Answer {
			who: "HTTP client".into(),
			what: cause.to_string(),
		})
}

/// Asks until the answer is `Some`; errors count as "not yet", so the caller sets a deadline.
pub async fn poll<T, F: Future<Output = Result<Option<T>>>>(mut ask: impl FnMut() -> F) -> T {
	loop {
		if let Ok(Some(found)) = ask().await {
			return found;
		}
		tokio::time::sleep(POLL).await;
	}
}

/// Like [`poll`], failing with the last error or `what` after `deadline`.
pub async fn poll_until<T, F: Future<Output = Result<Option<T>>>>(
	what: &str,
	deadline: Duration,
	mut ask: impl FnMut() -> F,
) -> Result<T> {
	let mut last = None;
	let found = tokio::time::timeout(deadline, async {
		loop {
			match ask().await {
				Ok(Some(found)) => return found,
				Ok(None) => last = None,
				Err(error) => last = Some(error),
			}
			tokio::time::sleep(POLL).await;
		}
	})
	.await;
	found.map_err(|_| Error::Late {
		what: what.into(),
		seconds: deadline.as_secs(),
		detail: last
			.map(|error| format!(" (last: {error})"))
			.unwrap_or_default(),
	})
}

/// `GET`, with an optional bearer token; the body if the status is a success.
pub async fn get(client: &reqwest::Client, url: &str, token: Option<&str>) -> Result<Vec<u8>> {
	let answer = |what: String| Error::Answer {
		who: url.into(),
		what,
	};
	let mut request = client.get(url);
	if let Some(token) = token {
		request = request.bearer_auth(token);
	}
	let response = request
		.send()
		.await
		.map_err(|cause| answer(cause.to_string()))?;
	let status = response.status();
	let body = bounded(response).await.map_err(answer)?;
	match status.is_success() {
		true => Ok(body),
		false => Err(answer(format!(
			"{status}: {}",
			String::from_utf8_lossy(&body)
		))),
	}
}

async fn bounded(mut response: reqwest::Response) -> Result<Vec<u8>, String> {
	let mut body = Vec::new();
	while let Some(chunk) = response.chunk().await.map_err(|cause| cause.to_string())? {
		if body.len() + chunk.len() > MAX_ANSWER {
			return Err(format!("more than {MAX_ANSWER} bytes"));
		}
		body.extend_from_slice(&chunk);
	}
	Ok(body)
}

/// A chain node's JSON-RPC.
#[derive(Clone, Debug)]
pub struct Rpc {
	client: reqwest::Client,
	url: String,
}

impl Rpc {
	/// Of the node at this HTTP URL.
	pub fn new(client: &reqwest::Client, url: String) -> Self {
		Self {
			client: client.clone(),
			url,
		}
	}

	/// Calls a method.
	pub async fn call(&self, method: &str, params: Value) -> Result<Value> {
		let answer = |what: String| Error::Answer {
			who: format!("{} ({method})", self.url),
			what,
		};
		let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
		let response = self
			.client
			.post(&self.url)
			.header("content-type", "application/json")
			.body(request.to_string())
			.send()
			.await
			.map_err(|cause| answer(cause.to_string()))?;
		let body = bounded(response).await.map_err(answer)?;
		parse_answer(&body).map_err(answer)
	}

	/// The node's libp2p identity.
	pub async fn peer_id(&self) -> Result<String> {
		let value = self.call("system_localPeerId", json!([])).await?;
		value
			.as_str()
			.map(str::to_owned)
			.ok_or_else(|| self.odd("system_localPeerId", &value))
	}

	/// Number of the best block.
	pub async fn best(&self) -> Result<u64> {
		let header = self.call("chain_getHeader", json!([])).await?;
		self.number(&header)
	}

	/// Number of the last finalised block.
	pub async fn finalised(&self) -> Result<u64> {
		let hash = self.call("chain_getFinalizedHead", json!([])).await?;
		let header = self.call("chain_getHeader", json!([hash])).await?;
		self.number(&header)
	}

	fn number(&self, header: &Value) -> Result<u64> {
		header
			.get("number")
			.and_then(Value::as_str)
			.and_then(|text| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok())
			.ok_or_else(|| self.odd("chain_getHeader", header))
	}

	fn odd(&self, method: &str, value: &Value) -> Error {
		Error::Answer {
			who: format!("{} ({method})", self.url),
			what: value.to_string(),
		}
	}
}

fn parse_answer(body: &[u8]) -> Result<Value, String> {
	let mut answer: Value = serde_json::from_slice(body).map_err(|cause| cause.to_string())?;
	if let Some(error) = answer.get("error") {
		return Err(error.to_string());
	}
	answer
		.get_mut("result")
		.map(Value::take)
		.ok_or_else(|| "neither result nor error".into())
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[test]
	fn answers_are_told_apart() {
		assert_eq!(parse_answer(br#"{"result":"x"}"#).unwrap(), json!("x"));
		assert!(parse_answer(br#"{"error":{"code":1,"message":"no"}}"#)
			.unwrap_err()
			.contains("no"));
		assert!(parse_answer(b"{}").is_err());
		assert!(parse_answer(b"<html>").is_err());
	}

	#[test]
	fn headers_give_numbers_or_errors() {
		let rpc = Rpc::new(&http().unwrap(), "http://127.0.0.1:1".into());
		assert_eq!(rpc.number(&json!({ "number": "0x2a" })).unwrap(), 42);
		for bad in [
			json!(null),
			json!({ "number": 3 }),
			json!({ "number": "0xzz" }),
		] {
			assert!(rpc.number(&bad).is_err(), "{bad}");
		}
	}

	#[tokio::test]
	async fn a_late_answer_tells_the_last_error() {
		let message = poll_until("the map", Duration::ZERO, || async {
			Err::<Option<()>, _>(Error::Usage("not there".into()))
		})
		.await
		.unwrap_err()
		.to_string();
		assert!(message.contains("the map"), "{message}");
	}
}
