//! The HTTP face against thirty miners.

#![allow(clippy::unwrap_used)]

mod common;

use arion_gateway::http::{router, ObjectInfo, TRANSFER_HEADER};
use common::*;
use reqwest::{header, Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use std::net::SocketAddr;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

struct Face {
	address: SocketAddr,
	http: Client,
}

impl Face {
	async fn of(network: &Network) -> Self {
		let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
		let address = listener.local_addr().unwrap();
		let router = router(network.gateway("http"), TOKEN, 8);
		tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
		Self {
			address,
			http: Client::builder().no_proxy().build().unwrap(),
		}
	}

	fn ask(&self, method: Method, path: &str) -> RequestBuilder {
		self.http
			.request(method, format!("http://{}{path}", self.address))
			.bearer_auth(TOKEN)
	}

	async fn fault(&self, request: RequestBuilder) -> (StatusCode, String, String) {
		let response = request.send().await.unwrap();
		let status = response.status();
		let body: Value = response.json().await.unwrap();
		let text = |field: &str| body["error"][field].as_str().unwrap().to_owned();
		(status, text("code"), text("message"))
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_over_http() {
	let network = Network::start();
	let face = Face::of(&network).await;
	let bytes = content(11 * 1024 * 1024, 1);
	let put = face
		.ask(Method::PUT, "/v1/objects?name=a%20b.txt")
		.header(header::CONTENT_TYPE, "text/plain");
	let response = put.body(bytes.clone()).send().await.unwrap();
	assert_eq!(response.status(), StatusCode::CREATED);
	let stored: ObjectInfo = response.json().await.unwrap();
	assert_eq!(
		(stored.size, stored.stripes, stored.name.as_deref()),
		(bytes.len() as u64, 2, Some("a b.txt"))
	);
	let link = stored.link.clone().unwrap();

	for name in [&stored.id, &link] {
		let response = face
			.ask(Method::GET, &format!("/v1/objects/{name}"))
			.send()
			.await
			.unwrap();
		assert_eq!(response.status(), StatusCode::OK);
		assert_eq!(response.content_length(), Some(stored.size));
		assert_eq!(response.headers()[header::CONTENT_TYPE], "text/plain");
		assert!(response.bytes().await.unwrap() == bytes);
		let stat: ObjectInfo = face
			.ask(Method::GET, &format!("/v1/objects/{name}/stat"))
			.send()
			.await
			.unwrap()
			.json()
			.await
			.unwrap();
		assert_eq!(stat, stored);
	}
	let path = format!("/v1/objects/{}", stored.id);
	let part = face
		.ask(Method::GET, &path)
		.header(header::RANGE, "bytes=1000-1009")
		.send()
		.await
		.unwrap();
	assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
	assert_eq!(
		part.headers()[header::CONTENT_RANGE],
		format!("bytes 1000-1009/{}", stored.size)
	);
	assert!(part.bytes().await.unwrap() == bytes[1000..1010]);
	let beyond = face
		.ask(Method::GET, &path)
		.header(header::RANGE, "bytes=99999999-");
	assert_eq!(face.fault(beyond).await.1, "bad_range");

	let empty: ObjectInfo = face
		.ask(Method::PUT, "/v1/objects")
		.send()
		.await
		.unwrap()
		.json()
		.await
		.unwrap();
	let response = face
		.ask(Method::GET, &format!("/v1/objects/{}", empty.id))
		.send()
		.await
		.unwrap();
	assert_eq!(response.content_length(), Some(0));
	assert!(response.bytes().await.unwrap().is_empty());

	// The catalog, two pages of one.
	let mut seen = Vec::new();
	let mut path = "/v1/objects?limit=1".to_owned();
	loop {
		let page: Value = face
			.ask(Method::GET, &path)
			.send()
			.await
			.unwrap()
			.json()
			.await
			.unwrap();
		for object in page["objects"].as_array().unwrap() {
			assert!(object.get("link").is_none(), "listings hold no keys");
			seen.push(object["id"].as_str().unwrap().to_owned());
		}
		match page["next"].as_str() {
			Some(next) => path = format!("/v1/objects?limit=1&after={next}"),
			None => break,
		}
	}
	let mut expected = vec![stored.id.clone(), empty.id];
	expected.sort();
	assert_eq!(seen, expected);

	let status: Value = face
		.ask(Method::GET, "/v1/status")
		.send()
		.await
		.unwrap()
		.json()
		.await
		.unwrap();
	assert_eq!(
		(status["map"]["nodes"].as_u64(), status["objects"].as_u64()),
		(Some(30), Some(2))
	);
	let metrics = face
		.ask(Method::GET, "/metrics")
		.send()
		.await
		.unwrap()
		.text()
		.await
		.unwrap();
	assert!(metrics.contains("\narion_gateway_objects_put_total 2\n"));

	let bad = [
		("/v1/objects/xyz", 400, "bad_request"),
		("/v1/objects/arion1zzz", 400, "bad_request"),
		("/v1/objects/xyz/stat", 400, "bad_request"),
		("/v1/objects?after=q", 400, "bad_request"),
		("/v1/transfers/77", 404, "not_found"),
		("/v1/transfers/x", 404, "not_found"),
		("/nowhere", 404, "no_such_path"),
	];
	for (path, status, code) in bad {
		let fault = face.fault(face.ask(Method::GET, path)).await;
		assert_eq!(
			(fault.0.as_u16(), fault.1.as_str()),
			(status, code),
			"{path}"
		);
	}
	let unknown = format!("/v1/objects/{}", "ab".repeat(32));
	assert_eq!(
		face.fault(face.ask(Method::GET, &unknown)).await.1,
		"not_found"
	);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_without_the_token_but_health() {
	let network = Network::start();
	let face = Face::of(&network).await;
	let url = |path: &str| format!("http://{}{path}", face.address);
	let health = face.http.get(url("/healthz")).send().await.unwrap();
	assert_eq!(health.status(), StatusCode::OK);
	for path in [
		"/v1/objects",
		"/v1/status",
		"/metrics",
		"/v1/objects/ab",
		"/v1/transfers/0",
	] {
		for request in [
			face.http.get(url(path)),
			face.http.get(url(path)).bearer_auth("wrong"),
		] {
			let (status, code, _) = face.fault(request).await;
			assert_eq!(
				(status, code.as_str()),
				(StatusCode::UNAUTHORIZED, "unauthorized"),
				"{path}"
			);
		}
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_fails_is_cut_and_says_why() {
	let network = Network::start();
	let face = Face::of(&network).await;
	let bytes = content(45 * 1024 * 1024, 2);
	let put = face.ask(Method::PUT, "/v1/objects").body(bytes.clone());
	let stored: ObjectInfo = put.send().await.unwrap().json().await.unwrap();
	let path = format!("/v1/objects/{}", stored.id);

	// The consumer takes one chunk and pauses; what is beyond the prefetch is still to be fetched
	// when the miners turn bad.
	let mut response = face.ask(Method::GET, &path).send().await.unwrap();
	let transfer = response.headers()[TRANSFER_HEADER]
		.to_str()
		.unwrap()
		.to_owned();
	let mut got = response.chunk().await.unwrap().unwrap().to_vec();
	network.behave(0..21, LIES);
	let cut = loop {
		match response.chunk().await {
			Ok(Some(chunk)) => got.extend_from_slice(&chunk),
			Ok(None) => break false,
			Err(_) => break true,
		}
	};
	assert!(cut && got.len() < bytes.len());
	assert!(bytes.starts_with(&got), "no wrong byte before the cut");
	let body: Value = face
		.ask(Method::GET, &format!("/v1/transfers/{transfer}"))
		.send()
		.await
		.unwrap()
		.json()
		.await
		.unwrap();
	assert_eq!(body["error"]["code"], "not_enough_shards");

	// Before the first byte, it is a status.
	let (status, code, message) = face.fault(face.ask(Method::GET, &path)).await;
	assert_eq!(
		(status, code.as_str()),
		(StatusCode::SERVICE_UNAVAILABLE, "not_enough_shards")
	);
	assert!(
		message.contains("9 of 30 shards found, 21 missing"),
		"{message}"
	);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_tool_gets_along() {
	use arion::{cli::Cli, error::CliError};
	use clap::Parser;

	let network = Network::start();
	let face = Face::of(&network).await;
	let folder = tempfile::tempdir().unwrap();
	let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
	std::fs::write(path("token"), TOKEN).unwrap();
	let bytes = content(1_500_000, 9);
	std::fs::write(path("source"), &bytes).unwrap();
	let gateway = format!("http://{}", face.address);
	let token = path("token");
	let run = async |arguments: &[&str]| -> Result<(), CliError> {
		let start = ["arion", "--gateway", &gateway, "--token-file", &token];
		arion::run(Cli::try_parse_from(start.iter().chain(arguments)).unwrap()).await
	};
	run(&["put", &path("source")]).await.unwrap();
	let listing: Value = face
		.ask(Method::GET, "/v1/objects")
		.send()
		.await
		.unwrap()
		.json()
		.await
		.unwrap();
	let id = listing["objects"][0]["id"].as_str().unwrap();
	assert_eq!(listing["objects"][0]["name"], "source");
	run(&["stat", id, "--output", "json"]).await.unwrap();
	run(&["ls"]).await.unwrap();
	run(&["get", id, "-o", &path("copy")]).await.unwrap();
	assert!(std::fs::read(path("copy")).unwrap() == bytes);
	let absent = "ab".repeat(32);
	assert_eq!(
		run(&["get", &absent, "-o", &path("x")])
			.await
			.unwrap_err()
			.exit_code(),
		3
	);
	network.behave(0..21, LIES);
	let error = run(&["get", id, "-o", &path("x")]).await.unwrap_err();
	assert_eq!(error.exit_code(), 4, "{error}");
	assert!(
		error.to_string().contains("9 of 30 shards found"),
		"{error}"
	);
	assert!(!std::path::Path::new(&path("x")).exists());
}
