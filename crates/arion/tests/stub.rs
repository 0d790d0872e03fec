//! The tool against a gateway that is played: what it sends, and every way it can fail.

#![allow(clippy::unwrap_used)]

use arion::{cli::Cli, error::CliError, run};
use axum::{
	body::{Body, Bytes},
	extract::{Path, Query},
	http::{HeaderMap, StatusCode},
	response::{IntoResponse, Response},
	routing::get,
	Json, Router,
};
use clap::Parser;
use futures_util::{stream, StreamExt};
use std::collections::HashMap;

const CONTENT: &[u8] = b"some content";

fn info(id: &str, size: usize) -> serde_json::Value {
	serde_json::json!({ "id": id, "link": "arion1x", "name": "../kept.txt", "size": size, "stripes": 1 })
}

fn fault(status: u16, code: &str, message: &str) -> Response {
	let body = serde_json::json!({ "error": { "code": code, "message": message } });
	(StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

async fn put(
	Query(query): Query<HashMap<String, String>>,
	headers: HeaderMap,
	body: Bytes,
) -> Response {
	assert_eq!(headers["content-length"], body.len().to_string());
	match query["name"].as_str() {
		"short.txt" => Json(info("ab", body.len() - 1)).into_response(),
		_ => (StatusCode::CREATED, Json(info("ab", body.len()))).into_response(),
	}
}

async fn stat(Path(object): Path<String>) -> Response {
	match object.as_str() {
		"absent" => fault(404, "not_found", "no object absent is in the network"),
		"lost" => fault(
			503,
			"not_enough_shards",
			"stripe 0 (x): 9 of 30 shards found, 21 missing",
		),
		"odd" => "not json".into_response(),
		"longer" => Json(info("ab", CONTENT.len() + 1)).into_response(),
		_ => Json(info("ab", CONTENT.len())).into_response(),
	}
}

async fn content(Path(object): Path<String>) -> Response {
	let mut response = match object.as_str() {
		"cut" => {
			let first = stream::iter([Ok(Bytes::from_static(b"some"))]);
			// One turn of the scheduler, in which the server sends what it has.
			let then = stream::once(async {
				tokio::task::yield_now().await;
				Err(std::io::Error::other("gone"))
			});
			Response::new(Body::from_stream(first.chain(then)))
		}
		_ => return CONTENT.into_response(),
	};
	response
		.headers_mut()
		.insert("content-length", CONTENT.len().into());
	response.headers_mut().insert("x-arion-transfer", 5.into());
	response
}

async fn transfer(Path(transfer): Path<String>) -> Response {
	assert_eq!(transfer, "5");
	let error =
		serde_json::json!({ "code": "not_enough_shards", "message": "stripe 7 (x): 9 of 30" });
	Json(serde_json::json!({ "error": error })).into_response()
}

async fn list(Query(query): Query<HashMap<String, String>>, headers: HeaderMap) -> Response {
	if headers
		.get("authorization")
		.is_none_or(|value| value != "Bearer sesame")
	{
		return fault(401, "unauthorized", "token");
	}
	match query.get("after").map(String::as_str) {
		None => Json(serde_json::json!({ "objects": [info("a", 1)], "next": "a" })),
		Some(_) => Json(serde_json::json!({ "objects": [info("b", 2)], "next": null })),
	}
	.into_response()
}

async fn gateway() -> String {
	let router = Router::new()
		.route("/v1/objects", get(list).put(put))
		.route("/v1/objects/{object}", get(content))
		.route("/v1/objects/{object}/stat", get(stat))
		.route("/v1/transfers/{transfer}", get(transfer));
	let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
	let address = listener.local_addr().unwrap();
	tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
	format!("http://{address}/")
}

async fn arion(gateway: &str, arguments: &[&str]) -> Result<(), CliError> {
	let start = ["arion", "--gateway", gateway];
	let all = start.iter().chain(arguments);
	run(Cli::try_parse_from(all).unwrap()).await
}

#[tokio::test]
async fn files_appear_whole_or_not_at_all() {
	let gateway = gateway().await;
	let folder = tempfile::tempdir().unwrap();
	let target = folder.path().join("out");
	let out = target.to_str().unwrap();
	arion(&gateway, &["get", "ab", "-o", out]).await.unwrap();
	assert_eq!(std::fs::read(&target).unwrap(), CONTENT);
	let refused = arion(&gateway, &["get", "ab", "-o", out])
		.await
		.unwrap_err();
	assert!(matches!(refused, CliError::Exists(_)), "{refused}");
	std::fs::write(&target, "old").unwrap();
	arion(
		&gateway,
		&["get", "ab", "-o", out, "--force", "--output", "json"],
	)
	.await
	.unwrap();
	assert_eq!(std::fs::read(&target).unwrap(), CONTENT);

	// Failures leave the old file and nothing beside it.
	for (object, code) in [
		("absent", 3),
		("lost", 4),
		("cut", 4),
		("longer", 1),
		("odd", 1),
	] {
		let error = arion(&gateway, &["get", object, "-o", out, "--force"])
			.await
			.unwrap_err();
		assert_eq!(error.exit_code(), code, "{object}: {error}");
	}
	let cut = arion(&gateway, &["get", "cut", "-o", out, "--force"])
		.await
		.unwrap_err();
	assert_eq!(cut.to_string(), "stripe 7 (x): 9 of 30");
	assert_eq!(std::fs::read(&target).unwrap(), CONTENT);
	assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

	let nowhere = folder.path().join("no/such/folder");
	let error = arion(&gateway, &["get", "ab", "-o", nowhere.to_str().unwrap()])
		.await
		.unwrap_err();
	assert!(matches!(error, CliError::File { .. }), "{error}");
}

#[tokio::test]
async fn puts_are_checked() {
	let gateway = gateway().await;
	let folder = tempfile::tempdir().unwrap();
	let file = |name: &str| {
		let path = folder.path().join(name);
		std::fs::write(&path, CONTENT).unwrap();
		path.to_str().unwrap().to_owned()
	};
	arion(&gateway, &["put", &file("a.txt")]).await.unwrap();
	arion(
		&gateway,
		&["put", &file("a.txt"), "--name", "b", "--output", "json"],
	)
	.await
	.unwrap();
	let error = arion(&gateway, &["put", &file("short.txt")])
		.await
		.unwrap_err();
	assert!(matches!(error, CliError::Protocol { .. }), "{error}");
	let folder = folder.path().to_str().unwrap();
	assert_eq!(
		arion(&gateway, &["put", folder])
			.await
			.unwrap_err()
			.exit_code(),
		2
	);
	let missing = arion(&gateway, &["put", &format!("{folder}/nothing")])
		.await
		.unwrap_err();
	assert!(matches!(missing, CliError::File { .. }), "{missing}");
}

#[tokio::test]
async fn listings_need_the_token_and_follow_pages() {
	let gateway = gateway().await;
	let folder = tempfile::tempdir().unwrap();
	let token = folder.path().join("http.token");
	let error = arion(&gateway, &["ls"]).await.unwrap_err();
	assert!(error.to_string().contains("--token-file"), "{error}");
	std::fs::write(&token, "sesame\n").unwrap();
	let path = token.to_str().unwrap();
	arion(&gateway, &["ls", "--token-file", path])
		.await
		.unwrap();
	arion(&gateway, &["ls", "--token-file", path, "--output", "json"])
		.await
		.unwrap();
	for bad in ["", "two words", "with\u{7}bell"] {
		std::fs::write(&token, bad).unwrap();
		assert_eq!(
			arion(&gateway, &["ls", "--token-file", path])
				.await
				.unwrap_err()
				.exit_code(),
			2
		);
	}
	let missing = format!("{path}.none");
	let error = arion(&gateway, &["ls", "--token-file", &missing])
		.await
		.unwrap_err();
	assert!(matches!(error, CliError::File { .. }), "{error}");
}

#[tokio::test]
async fn bad_addresses_and_silence() {
	for bad in [
		"https://127.0.0.1:1",
		"127.0.0.1:7090",
		"unix:/x",
		"http://",
	] {
		assert_eq!(
			arion(bad, &["ls"]).await.unwrap_err().exit_code(),
			2,
			"{bad}"
		);
	}
	// Bound and dropped: nobody listens there now.
	let port = std::net::TcpListener::bind("127.0.0.1:0")
		.unwrap()
		.local_addr()
		.unwrap()
		.port();
	let error = arion(&format!("http://127.0.0.1:{port}"), &["ls"])
		.await
		.unwrap_err();
	assert_eq!(
		(error.exit_code(), error.code()),
		(5, "unreachable"),
		"{error}"
	);
	let clash = arion(
		"http://127.0.0.1:1",
		&["get", "ab", "-o", "-", "--output", "json"],
	)
	.await;
	assert_eq!(clash.unwrap_err().exit_code(), 2);
}
