//! The gateway's HTTP interface, as this tool uses it.

use crate::error::{CliError, GatewayFault};
use reqwest::{header, Body, RequestBuilder, Response, StatusCode, Url};
use serde::{de::DeserializeOwned, Deserialize, Serialize};
use std::{path::Path, time::Duration};

/// Header in which a gateway names a download, so that its failure can be looked up when the
/// connection breaks after the first byte.
pub const TRANSFER_HEADER: &str = "x-arion-transfer";

/// What a gateway tells of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectInfo {
	/// The object's id: 64 hexadecimal digits.
	pub id: String,
	/// Id and key; whoever has it can read the object.
	#[serde(default, skip_serializing_if = "Option::is_none")]
	pub link: Option<String>,
	/// Name it was stored under.
	#[serde(default, skip_serializing_if = "Option::is_none")]
	pub name: Option<String>,
	/// Bytes of content.
	pub size: u64,
	/// Stripes that hold the content.
	pub stripes: u64,
	/// Seconds since 1970 at which it was stored, if this gateway stored it.
	#[serde(default, skip_serializing_if = "Option::is_none")]
	pub created: Option<u64>,
}

/// One page of a listing.
#[derive(Debug, Deserialize)]
struct Page {
	objects: Vec<ObjectInfo>,
	#[serde(default)]
	next: Option<String>,
}

#[derive(Deserialize)]
struct FaultBody {
	error: GatewayFault,
}

/// A gateway at an address.
pub struct Gateway {
	http: reqwest::Client,
	base: Url,
	token: Option<String>,
}

impl Gateway {
	/// Speaks to the gateway at `url`, with the token in `token_file` if there is one.
	pub fn new(url: &str, token_file: Option<&Path>) -> Result<Self, CliError> {
		let base: Url = url
			.parse()
			.map_err(|cause| CliError::Usage(format!("--gateway {url} is not a URL: {cause}")))?;
		if base.scheme() != "http" || !base.has_host() {
			return Err(CliError::Usage(format!(
				"--gateway {url}: only http:// is spoken; the gateway is meant to run on this machine"
			)));
		}
		let token = token_file.map(read_token).transpose()?;
		let http = reqwest::Client::builder()
			.no_proxy()
			.connect_timeout(Duration::from_secs(5))
			.build()
			.map_err(|cause| CliError::Usage(format!("cannot set up HTTP: {cause}")))?;
		Ok(Self { http, base, token })
	}

	/// Stores a body of `size` bytes (unknown for a pipe), paid by the gateway unless another account
	/// is named.
	pub async fn put(
		&self,
		name: Option<&str>,
		payer: Option<&str>,
		size: Option<u64>,
		body: Body,
	) -> Result<ObjectInfo, CliError> {
		let mut url = self.url(&["v1", "objects"])?;
		if let Some(name) = name {
			url.query_pairs_mut().append_pair("name", name);
		}
		if let Some(payer) = payer {
			url.query_pairs_mut().append_pair("payer", payer);
		}
		let mut request = self.http.put(url).body(body);
		if let Some(size) = size {
			request = request.header(header::CONTENT_LENGTH, size);
		}
		self.json(request).await
	}

	/// Starts a download.
	pub async fn get(&self, object: &str) -> Result<Response, CliError> {
		self.send(self.http.get(self.url(&["v1", "objects", object])?))
			.await
	}

	/// Facts about an object.
	pub async fn stat(&self, object: &str) -> Result<ObjectInfo, CliError> {
		self.json(self.http.get(self.url(&["v1", "objects", object, "stat"])?))
			.await
	}

	/// The account that pays on chain for what the gateway stores, if it does.
	pub async fn account(&self) -> Result<Option<String>, CliError> {
		#[derive(Deserialize)]
		struct Status {
			#[serde(default)]
			account: Option<String>,
		}
		let status: Status = self
			.json(self.http.get(self.url(&["v1", "status"])?))
			.await?;
		Ok(status.account)
	}

	/// Every object of the gateway's catalog.
	pub async fn list(&self) -> Result<Vec<ObjectInfo>, CliError> {
		let mut objects = Vec::new();
		let mut after: Option<String> = None;
		loop {
			let mut url = self.url(&["v1", "objects"])?;
			if let Some(after) = &after {
				url.query_pairs_mut().append_pair("after", after);
			}
			let page: Page = self.json(self.http.get(url)).await?;
			objects.extend(page.objects);
			match page.next {
				Some(next) if Some(&next) != after.as_ref() => after = Some(next),
				_ => return Ok(objects),
			}
		}
	}

	/// Why a transfer failed, if the gateway knows.
	pub async fn failure(&self, transfer: &str) -> Option<GatewayFault> {
		let request = self
			.http
			.get(self.url(&["v1", "transfers", transfer]).ok()?);
		let body: FaultBody = self.json(request).await.ok()?;
		Some(body.error)
	}

	fn url(&self, segments: &[&str]) -> Result<Url, CliError> {
		let mut url = self.base.clone();
		url.path_segments_mut()
			.map_err(|()| CliError::Usage(format!("--gateway {} cannot carry a path", self.base)))?
			.pop_if_empty()
			.extend(segments);
		Ok(url)
	}

	async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CliError> {
		self.send(request)
			.await?
			.json()
			.await
			.map_err(|cause| self.odd(describe(&cause)))
	}

	async fn send(&self, request: RequestBuilder) -> Result<Response, CliError> {
		let request = match &self.token {
			Some(token) => request.bearer_auth(token),
			None => request,
		};
		let response = request.send().await.map_err(|cause| {
			let url = self.base.to_string();
			if cause.is_connect() {
				CliError::Unreachable {
					url,
					cause: describe(&cause),
				}
			} else {
				CliError::Protocol {
					url,
					what: describe(&cause),
				}
			}
		})?;
		if response.status().is_success() {
			return Ok(response);
		}
		let status = response.status();
		if status == StatusCode::UNAUTHORIZED {
			return Err(CliError::Gateway(GatewayFault {
				code: "unauthorized".into(),
				message: match self.token {
					Some(_) => "the gateway does not accept the token; --token-file must name the http.token in its base path".into(),
					None => "the gateway wants a token; pass --token-file (http.token in the gateway's base path)".into(),
				},
			}));
		}
		match response.json::<FaultBody>().await {
			Ok(body) => Err(CliError::Gateway(body.error)),
			Err(_) => Err(self.odd(format!("status {status} without an error body"))),
		}
	}

	fn odd(&self, what: String) -> CliError {
		CliError::Protocol {
			url: self.base.to_string(),
			what,
		}
	}
}

/// The whole chain of causes: the outermost one alone says nothing ("error sending request").
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
	let mut text = error.to_string();
	let mut source = error.source();
	while let Some(cause) = source {
		let cause_text = cause.to_string();
		if !text.ends_with(&cause_text) {
			text.push_str(": ");
			text.push_str(&cause_text);
		}
		source = cause.source();
	}
	text
}

fn read_token(path: &Path) -> Result<String, CliError> {
	let text = std::fs::read_to_string(path).map_err(|cause| CliError::File {
		action: "cannot read the token in",
		path: path.to_owned(),
		cause,
	})?;
	let token = text.trim();
	if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
		return Err(CliError::Usage(format!(
			"{} holds no token",
			path.display()
		)));
	}
	Ok(token.to_owned())
}
