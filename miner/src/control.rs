//! The control API: HTTP on loopback, for the full node's worker and the operator's tools.
//!
//! | Request | Answer |
//! |---|---|
//! | `GET /healthz` | `ok`; needs no token |
//! | `GET /v1/epoch` | SCALE `EpochState` |
//! | `POST /v1/epoch` | takes SCALE `EpochUpdate`, answers SCALE `EpochState` |
//! | `POST /v1/beat` | takes SCALE `BeatOrder`, answers at once |
//! | `POST /v1/work` | takes SCALE `WorkOrder`, answers SCALE `WorkReport` within a second |
//! | `GET /v1/status` | JSON [`Status`](crate::status::Status) |
//! | `GET /v1/drain` | JSON [`DrainStatus`] |
//! | `GET /metrics` | Prometheus text |
//!
//! All others need `Authorization: Bearer TOKEN`. Errors are
//! `{"error":{"code":"..","message":".."}}`.

use crate::{
	beats::{Beats, OrderError},
	daemon::RunInfo,
	epochs::{EpochError, Epochs},
	metrics::{unix_now, Metrics},
	repair::{handover::DrainStatus, Repair},
	rotation::KeySwitch,
	status::{NetworkStatus, Status, StoreStatus},
	work::{Work, WorkError},
	MinerError,
};
use arion_grid::Grid;
use arion_shard_store::StoreSet;
use arion_storage_proof::work::{MAX_WORK_ORDER, WORK_PATH};
use axum::{
	body::Bytes,
	extract::{DefaultBodyLimit, FromRequest, Request, State},
	http::{header, StatusCode},
	middleware::{from_fn_with_state, Next},
	response::{IntoResponse, Response},
	routing::{get, post},
	Json, Router,
};
use codec::Encode;
use hippius_primitives::{
	collector::{BEAT_PATH, MAX_BEAT_ORDER},
	daemon::{EPOCH_PATH, MAX_EPOCH_UPDATE},
};
use serde_json::json;
use std::{
	sync::{atomic::Ordering::Relaxed, Arc},
	time::{Duration, Instant},
};

/// An update's body must be complete after this long.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// What the control API works on.
pub struct Api {
	/// Addresses and key, for the status.
	pub info: RunInfo,
	/// The maps.
	pub epochs: Arc<Epochs>,
	/// The heartbeats.
	pub beats: Arc<Beats>,
	/// What the chain asks of the disks.
	pub work: Arc<Work>,
	/// The node key, which new maps may change.
	pub keys: Arc<KeySwitch>,
	/// The shards.
	pub store: Arc<StoreSet>,
	/// The QUIC endpoint.
	pub grid: Arc<Grid>,
	/// Counters.
	pub metrics: Arc<Metrics>,
	/// Repair, which follows the maps.
	pub repair: Arc<Repair>,
	/// BLAKE3 of the token: comparing hashes takes the same time wherever they differ.
	pub token: blake3::Hash,
	/// When the daemon started.
	pub started: Instant,
	/// Bounds the bodies held in memory to one.
	pub turn: tokio::sync::Mutex<()>,
	/// The same for orders of work, which must not wait for a large map.
	pub work_turn: tokio::sync::Mutex<()>,
}

/// An error as HTTP.
struct ApiError {
	status: StatusCode,
	code: &'static str,
	message: String,
}

impl IntoResponse for ApiError {
	fn into_response(self) -> Response {
		let body = json!({ "error": { "code": self.code, "message": self.message } });
		(self.status, Json(body)).into_response()
	}
}

/// The API's routes.
pub fn router(api: Arc<Api>) -> Router {
	let closed = Router::new()
		.route(EPOCH_PATH, get(epoch).post(take_epoch))
		.route("/v1/status", get(status))
		.route("/v1/drain", get(drain))
		.route("/metrics", get(metrics))
		.layer(DefaultBodyLimit::max(MAX_EPOCH_UPDATE))
		.route(
			BEAT_PATH,
			post(take_order).layer(DefaultBodyLimit::max(MAX_BEAT_ORDER)),
		)
		.route(
			WORK_PATH,
			post(take_work).layer(DefaultBodyLimit::max(MAX_WORK_ORDER)),
		)
		.layer(from_fn_with_state(api.clone(), authorize));
	Router::new()
		.route("/healthz", get(|| async { "ok\n" }))
		.merge(closed)
		.fallback(|| async {
			ApiError {
				status: StatusCode::NOT_FOUND,
				code: "not_found",
				message:
					"no such path; there are /healthz, /v1/epoch, /v1/beat, /v1/work, /v1/status, \
					 /v1/drain, /metrics"
						.into(),
			}
		})
		.with_state(api)
}

async fn authorize(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
	let given = request
		.headers()
		.get(header::AUTHORIZATION)
		.and_then(|value| {
			let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
			scheme
				.eq_ignore_ascii_case("bearer")
				.then_some(token.trim())
		});
	if given.is_some_and(|token| blake3::hash(token.as_bytes()) == api.token) {
		return next.run(request).await;
	}
	api.metrics.add(|m| &m.unauthorized, 1);
	let error = ApiError {
		status: StatusCode::UNAUTHORIZED,
		code: "unauthorized",
		message: "send `Authorization: Bearer TOKEN` with the content of control.token".into(),
	};
	([(header::WWW_AUTHENTICATE, "Bearer")], error).into_response()
}

fn scale(value: &impl Encode) -> Response {
	(
		[(header::CONTENT_TYPE, "application/octet-stream")],
		value.encode(),
	)
		.into_response()
}

async fn epoch(State(api): State<Arc<Api>>) -> Response {
	api.metrics.worker_seen.store(unix_now(), Relaxed);
	scale(&api.epochs.state())
}

async fn take_epoch(State(api): State<Arc<Api>>, request: Request) -> Response {
	api.metrics.worker_seen.store(unix_now(), Relaxed);
	let taken = read_and_take(&api, request).await;
	match &taken {
		Ok(_) => api.metrics.add(|m| &m.epochs_taken, 1),
		Err(_) => api.metrics.add(|m| &m.epochs_refused, 1),
	}
	taken.unwrap_or_else(|error| {
		tracing::warn!(
			code = error.code,
			error = error.message,
			"epoch update refused"
		);
		error.into_response()
	})
}

async fn take_order(State(api): State<Arc<Api>>, request: Request) -> Response {
	api.metrics.worker_seen.store(unix_now(), Relaxed);
	let body = match read_body(request, MAX_BEAT_ORDER).await {
		Ok(body) => body,
		Err(error) => return error.into_response(),
	};
	match api.beats.take(&body) {
		Ok(()) => StatusCode::OK.into_response(),
		Err(error) => {
			tracing::warn!(%error, "an order to beat was refused");
			let (status, code) = match error {
				OrderError::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed"),
				OrderError::Unsound => (StatusCode::BAD_REQUEST, "unsound"),
				OrderError::OtherChain { .. } => (StatusCode::CONFLICT, "other_chain"),
			};
			ApiError {
				status,
				code,
				message: error.to_string(),
			}
			.into_response()
		}
	}
}

async fn take_work(State(api): State<Arc<Api>>, request: Request) -> Response {
	api.metrics.worker_seen.store(unix_now(), Relaxed);
	let turn = api.work_turn.lock().await;
	let body = match read_body(request, MAX_WORK_ORDER).await {
		Ok(body) => body,
		Err(error) => return error.into_response(),
	};
	let taken = api.work.take(&body).await;
	drop((turn, body));
	match taken {
		Ok(report) => scale(&report),
		Err(error) => {
			tracing::warn!(%error, "an order of work was refused");
			let (status, code) = match error {
				WorkError::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed"),
				WorkError::TooMany { .. } => (StatusCode::BAD_REQUEST, "too_many"),
				WorkError::OtherChain { .. } => (StatusCode::CONFLICT, "other_chain"),
				WorkError::NoMap => (StatusCode::CONFLICT, "no_map"),
			};
			ApiError {
				status,
				code,
				message: error.to_string(),
			}
			.into_response()
		}
	}
}

/// A request's whole body.
async fn read_body(request: Request, most: usize) -> Result<Bytes, ApiError> {
	tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, &()))
		.await
		.map_err(|_| ApiError {
			status: StatusCode::REQUEST_TIMEOUT,
			code: "timeout",
			message: format!("the body was not complete after {BODY_TIMEOUT:?}"),
		})?
		.map_err(|rejection| {
			let status = rejection.status();
			let too_large = status == StatusCode::PAYLOAD_TOO_LARGE;
			ApiError {
				status,
				code: if too_large { "too_large" } else { "bad_body" },
				message: format!("{}; at most {most} bytes", rejection.body_text()),
			}
		})
}

async fn read_and_take(api: &Arc<Api>, request: Request) -> Result<Response, ApiError> {
	let _turn = api.turn.lock().await;
	let body = read_body(request, MAX_EPOCH_UPDATE).await?;
	let epochs = api.epochs.clone();
	let state = blocking(move || epochs.take(&body))
		.await
		.and_then(|taken| taken);
	let state = state.map_err(|error| to_api(&error))?;
	compute_slots(&api.epochs);
	api.repair.wake();
	api.keys.changed.notify_one();
	Ok(scale(&state))
}

/// Finds this node's slots in the held map, in the background.
pub fn compute_slots(epochs: &Epochs) {
	let Some(held) = epochs.held() else { return };
	tokio::task::spawn_blocking(move || {
		let epoch = held.update.epoch;
		match held.compute_slots() {
			Ok(slots) => tracing::info!(epoch, slots = slots.len(), "slots computed"),
			Err(error) => tracing::error!(epoch, %error, "cannot compute this node's slots"),
		}
	});
}

async fn blocking<T: Send + 'static>(
	job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, MinerError> {
	tokio::task::spawn_blocking(job)
		.await
		.map_err(|error| MinerError::Task(error.to_string()))
}

fn to_api(error: &MinerError) -> ApiError {
	let (status, code) = match error {
		MinerError::Epoch(error) => match error {
			EpochError::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed"),
			EpochError::Zero => (StatusCode::BAD_REQUEST, "zero"),
			EpochError::Hash { .. } => (StatusCode::BAD_REQUEST, "wrong_hash"),
			EpochError::Map(_) => (StatusCode::BAD_REQUEST, "bad_map"),
			EpochError::EpochMismatch { .. } => (StatusCode::BAD_REQUEST, "epoch_mismatch"),
			EpochError::Node(_) => (StatusCode::BAD_REQUEST, "bad_node"),
			EpochError::OtherChain { .. } => (StatusCode::CONFLICT, "other_chain"),
			EpochError::Stale { .. } => (StatusCode::CONFLICT, "stale"),
			EpochError::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
		},
		_ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
	};
	ApiError {
		status,
		code,
		message: error.to_string(),
	}
}

async fn status(State(api): State<Arc<Api>>) -> Response {
	// Asking the disks may wait for one of them.
	match blocking(move || status_of(&api)).await {
		Ok(status) => Json(status).into_response(),
		Err(error) => to_api(&error).into_response(),
	}
}

fn status_of(api: &Api) -> Status {
	let held = api.epochs.held();
	// Borrowed once: whoever wants to change it between two loans would wait for the first, and the second
	// for him.
	let progress = api.repair.progress().borrow().clone();
	Status {
		info: RunInfo {
			node_key: api.grid.node_key(),
			..api.info.clone()
		},
		genesis: api
			.epochs
			.genesis()
			.map(|genesis| format!("0x{}", hex::encode(genesis))),
		epoch: api.epochs.state().epoch,
		epoch_age_seconds: api
			.epochs
			.taken_at()
			.map(|taken| unix_now().saturating_sub(taken)),
		worker_seen_seconds: match api.metrics.worker_seen.load(Relaxed) {
			0 => None,
			seen => Some(unix_now().saturating_sub(seen)),
		},
		node_index: held.as_ref().and_then(|held| held.index),
		slots: held.as_ref().and_then(|held| held.slots().map(<[_]>::len)),
		pg_num: held.as_ref().map(|held| held.map.pg_num),
		map_nodes: held.as_ref().map(|held| held.update.nodes.len()),
		connections: api.grid.open_connections(),
		network: NetworkStatus::of(&api.grid),
		uptime_seconds: api.started.elapsed().as_secs(),
		store: StoreStatus::of(&api.store),
		beats: api.beats.status(),
		work: api.work.status(),
		repair: (&progress).into(),
		drain: progress.drain,
	}
}

async fn drain(State(api): State<Arc<Api>>) -> Json<DrainStatus> {
	Json(api.repair.progress().borrow().drain)
}

async fn metrics(State(api): State<Arc<Api>>) -> Response {
	let render = move || {
		let repair = api.repair.stats();
		api.metrics.render(
			&api.store,
			&api.epochs,
			repair,
			&api.grid,
			&api.beats,
			&api.work,
		)
	};
	let form = "text/plain; version=0.0.4; charset=utf-8";
	match blocking(render).await {
		Ok(text) => ([(header::CONTENT_TYPE, form)], text).into_response(),
		Err(error) => to_api(&error).into_response(),
	}
}
