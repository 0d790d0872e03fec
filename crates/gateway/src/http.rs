//! The HTTP face, on loopback.
//!
//! | request | answer |
//! |---|---|
//! | `PUT /v1/objects?name=N` | stores the body; 201 and the object with its link |
//! | `GET /v1/objects?after=ID&limit=N` | the catalog, in pages |
//! | `GET /v1/objects/{id or link}` | the content; takes one `Range` |
//! | `GET /v1/objects/{id or link}/stat` | facts |
//! | `GET /v1/transfers/{id}` | why a download broke off (its id is in `x-arion-transfer`) |
//! | `GET /v1/status` | the gateway and its cluster |
//! | `GET /metrics` | Prometheus |
//! | `GET /healthz` | 200, without a token |
//!
//! All but the last want `Authorization: Bearer TOKEN`. Errors are
//! `{"error":{"code":"not_enough_shards","message":".."}}`.

mod answer;
mod objects;
mod range;
mod status;
mod transfers;

use crate::gateway::Gateway;
use answer::Failure;
use axum::{
	extract::{Request, State},
	http::{header, StatusCode},
	middleware::{self, Next},
	response::{IntoResponse, Response},
	routing::get,
	Router,
};
use std::sync::Arc;
use tokio::sync::Semaphore;
use transfers::Transfers;

pub use answer::ObjectInfo;
pub use transfers::TRANSFER_HEADER;

/// What every request needs.
struct Shared {
	gateway: Arc<Gateway>,
	/// Hash of the token, so that comparing it takes the same time whatever was sent.
	token: blake3::Hash,
	/// Uploads and downloads served at a time.
	slots: Arc<Semaphore>,
	transfers: Transfers,
}

/// The routes of a gateway.
pub fn router(gateway: Arc<Gateway>, token: &str, max_requests: usize) -> Router {
	let shared = Arc::new(Shared {
		gateway,
		token: blake3::hash(token.as_bytes()),
		slots: Arc::new(Semaphore::new(max_requests)),
		transfers: Transfers::default(),
	});
	Router::new()
		.route("/v1/objects", get(objects::list).put(objects::put))
		.route("/v1/objects/{object}", get(objects::get))
		.route("/v1/objects/{object}/stat", get(objects::stat))
		.route("/v1/transfers/{transfer}", get(transfers::show))
		.route("/v1/status", get(status::status))
		.route("/metrics", get(status::metrics))
		.layer(middleware::from_fn_with_state(shared.clone(), authorize))
		.route("/healthz", get(|| async { "ok\n" }))
		.fallback(|| async {
			Failure::new(
				StatusCode::NOT_FOUND,
				"no_such_path",
				"there is no such path",
			)
		})
		.with_state(shared)
}

async fn authorize(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
	let sent = request
		.headers()
		.get(header::AUTHORIZATION)
		.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
	match sent {
		Some(token) if blake3::hash(token.as_bytes()) == shared.token => next.run(request).await,
		_ => {
			let message =
				"send the token in the gateway's http.token as `Authorization: Bearer TOKEN`";
			let failure = Failure::new(StatusCode::UNAUTHORIZED, "unauthorized", message);
			([(header::WWW_AUTHENTICATE, "Bearer")], failure).into_response()
		}
	}
}
