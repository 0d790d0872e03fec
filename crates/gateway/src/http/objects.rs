//! Objects: put, get, stat, list.

use super::{
	answer::{Failure, ObjectInfo},
	range::{parse, Asked},
	transfers::TRANSFER_HEADER,
	Shared,
};
use crate::{error::GetError, gateway::Address, put::Label};
use axum::{
	body::{Body, Bytes},
	extract::{Path, Query, State},
	http::{header, HeaderMap, HeaderValue, StatusCode},
	response::{IntoResponse, Response},
	Json,
};
use futures_util::{stream, Stream, StreamExt};
use hippius_chain_client::parse_account;
use serde::Deserialize;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Entries of a listing's page unless asked otherwise.
const PAGE: usize = 1000;
/// Bytes handed to the connection at a time.
const SLICE: usize = 256 * 1024;

#[derive(Deserialize)]
pub(crate) struct PutQuery {
	#[serde(default)]
	name: String,
	/// The account that pays.
	payer: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct ListQuery {
	after: Option<String>,
	limit: Option<usize>,
}

/// `PUT /v1/objects`
pub(crate) async fn put(
	State(shared): State<Arc<Shared>>,
	Query(query): Query<PutQuery>,
	headers: HeaderMap,
	body: Body,
) -> Result<Response, Failure> {
	let _slot = slot(&shared)?;
	let content_type = headers
		.get(header::CONTENT_TYPE)
		.and_then(|value| value.to_str().ok());
	let payer = query.payer.as_deref().map(parse_account).transpose();
	let label = Label {
		name: query.name,
		content_type: content_type.unwrap_or_default().to_owned(),
		payer: payer.map_err(|error| Failure::bad_request(format!("payer: {error}")))?,
	};
	let stored = shared.gateway.put(body.into_data_stream(), label).await?;
	Ok((StatusCode::CREATED, Json(ObjectInfo::from(&stored))).into_response())
}

/// `GET /v1/objects/{object}`
pub(crate) async fn get(
	State(shared): State<Arc<Shared>>,
	Path(object): Path<String>,
	headers: HeaderMap,
) -> Result<Response, Failure> {
	let slot = slot(&shared)?;
	let address: Address = object.parse().map_err(|error| Failure::of(&error))?;
	let metrics = shared.gateway.metrics();
	let failed = |error: GetError| {
		metrics.objects_get_failed.add(1);
		Failure::of(&error)
	};
	let object = Arc::new(shared.gateway.find(&address).await.map_err(failed)?);
	let size = object.manifest.size();
	let asked = parse(
		headers
			.get(header::RANGE)
			.and_then(|value| value.to_str().ok()),
		size,
	);
	let range = match &asked {
		Asked::All => 0..size,
		Asked::Part(range) => range.clone(),
		Asked::Unsatisfiable => {
			let failure = Failure::new(
				StatusCode::RANGE_NOT_SATISFIABLE,
				"bad_range",
				format!("the object has {size} bytes"),
			);
			return Ok((
				[(header::CONTENT_RANGE, format!("bytes */{size}"))],
				failure,
			)
				.into_response());
		}
	};
	let content_type = HeaderValue::from_str(object.manifest.content_type())
		.ok()
		.filter(|value| !value.is_empty())
		.unwrap_or(HeaderValue::from_static("application/octet-stream"));
	let mut pieces = shared.gateway.read(object, range.clone()).map_err(failed)?;
	// Until the first piece is here, a failure can still be told with a status.
	let first = pieces.next().await.transpose().map_err(failed)?;
	let transfer = shared.transfers.begin();
	let rest = stream::iter(first.map(Ok)).chain(pieces);
	let mut response = Response::new(Body::from_stream(body(
		shared.clone(),
		transfer,
		slot,
		rest,
	)));
	let headers = response.headers_mut();
	headers.insert(header::CONTENT_LENGTH, (range.end - range.start).into());
	headers.insert(header::CONTENT_TYPE, content_type);
	headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
	headers.insert(TRANSFER_HEADER, transfer.into());
	if let Asked::Part(range) = asked {
		let text = format!("bytes {}-{}/{size}", range.start, range.end - 1);
		headers.insert(
			header::CONTENT_RANGE,
			HeaderValue::from_str(&text).map_err(|cause| {
				Failure::new(
					StatusCode::INTERNAL_SERVER_ERROR,
					"internal",
					cause.to_string(),
				)
			})?,
		);
		*response.status_mut() = StatusCode::PARTIAL_CONTENT;
	}
	Ok(response)
}

/// The body of a download. An error ends it early, which cuts the connection: the client sees
/// fewer bytes than announced and never a wrong one.
fn body(
	shared: Arc<Shared>,
	transfer: u64,
	slot: OwnedSemaphorePermit,
	pieces: impl Stream<Item = Result<Bytes, GetError>> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, GetError>> + Send + 'static {
	let watched = stream::unfold(
		(pieces.boxed(), Some((shared, slot))),
		move |(mut pieces, watch)| async move {
			let (shared, slot) = watch?;
			match pieces.next().await {
				Some(Ok(piece)) => Some((Ok(piece), (pieces, Some((shared, slot))))),
				Some(Err(error)) => {
					tracing::warn!(transfer, %error, "download broke off");
					shared.gateway.metrics().objects_get_failed.add(1);
					shared.transfers.fail(transfer, Failure::of(&error));
					// One turn of the scheduler, in which the server sends what it has: the client
					// must see the header that names this download before the connection ends.
					tokio::task::yield_now().await;
					Some((Err(error), (pieces, None)))
				}
				None => {
					shared.gateway.metrics().objects_got.add(1);
					None
				}
			}
		},
	);
	watched.flat_map(|piece| {
		let slices: Vec<Result<Bytes, GetError>> = match piece {
			Ok(piece) => (0..piece.len())
				.step_by(SLICE)
				.map(|at| Ok(piece.slice(at..piece.len().min(at + SLICE))))
				.collect(),
			Err(error) => vec![Err(error)],
		};
		stream::iter(slices)
	})
}

/// `GET /v1/objects/{object}/stat`
pub(crate) async fn stat(
	State(shared): State<Arc<Shared>>,
	Path(object): Path<String>,
) -> Result<Json<ObjectInfo>, Failure> {
	let address: Address = object.parse().map_err(|error| Failure::of(&error))?;
	let id = address.id();
	let known = shared.gateway.entry(id).await?;
	match known {
		Some(entry)
			if matches!(&address, Address::Id(_))
				|| matches!(&address, Address::Link(link) if link.key == entry.key) =>
		{
			Ok(Json(ObjectInfo::of_entry(id, &entry, true)))
		}
		_ => Ok(Json(ObjectInfo::of_object(
			&shared.gateway.find(&address).await?,
		))),
	}
}

/// `GET /v1/objects`
pub(crate) async fn list(
	State(shared): State<Arc<Shared>>,
	Query(query): Query<ListQuery>,
) -> Result<Json<serde_json::Value>, Failure> {
	let after = query.after.map(|id| id.parse()).transpose();
	let after =
		after.map_err(|_| Failure::bad_request("after: an object id is 64 hexadecimal digits"))?;
	let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE);
	let page = shared.gateway.list(after, limit).await?;
	let next = (page.len() == limit)
		.then(|| page.last().map(|(id, _)| id.to_string()))
		.flatten();
	let objects: Vec<ObjectInfo> = page
		.iter()
		.map(|(id, entry)| ObjectInfo::of_entry(*id, entry, false))
		.collect();
	Ok(Json(
		serde_json::json!({ "objects": objects, "next": next }),
	))
}

/// A place among the uploads and downloads.
fn slot(shared: &Shared) -> Result<OwnedSemaphorePermit, Failure> {
	shared.slots.clone().try_acquire_owned().map_err(|_| {
		let message = "as many uploads and downloads as this gateway serves at a time (http.max_requests) are running; try again soon";
		Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
	})
}
