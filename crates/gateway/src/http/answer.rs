//! What answers look like.

use crate::{
	catalog::{CatalogError, Entry},
	error::Fault,
	gateway::AddressError,
	put::Stored,
	root::Object,
};
use arion_object::{Link, ObjectId};
use axum::{
	http::StatusCode,
	response::{IntoResponse, Response},
	Json,
};
use serde::{Deserialize, Serialize};

/// An object as the gateway describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectInfo {
	/// The object's id: 64 hexadecimal digits.
	pub id: String,
	/// Id and key; whoever has it can read the object. Left out of listings.
	#[serde(skip_serializing_if = "Option::is_none")]
	pub link: Option<String>,
	/// Name it was stored under.
	#[serde(skip_serializing_if = "Option::is_none")]
	pub name: Option<String>,
	/// Bytes of content.
	pub size: u64,
	/// Stripes that hold the content.
	pub stripes: u32,
	/// Seconds since 1970 at which it was stored, if this gateway stored it.
	#[serde(skip_serializing_if = "Option::is_none")]
	pub created: Option<u64>,
}

impl ObjectInfo {
	/// Of an object in the catalog.
	pub(crate) fn of_entry(id: ObjectId, entry: &Entry, with_link: bool) -> Self {
		let link = with_link.then(|| {
			Link {
				id,
				key: entry.key.clone(),
			}
			.to_string()
		});
		Self {
			id: id.to_string(),
			link,
			name: entry.name.clone(),
			size: entry.size,
			stripes: entry.stripes,
			created: Some(entry.created),
		}
	}

	/// Of an object read from the network.
	pub(crate) fn of_object(object: &Object) -> Self {
		let name = object.manifest.name();
		Self {
			id: object.id.to_string(),
			link: Some(
				Link {
					id: object.id,
					key: object.key.clone(),
				}
				.to_string(),
			),
			name: (!name.is_empty()).then(|| name.to_owned()),
			size: object.manifest.size(),
			stripes: object.manifest.stripe_count(),
			created: None,
		}
	}
}

impl From<&Stored> for ObjectInfo {
	fn from(stored: &Stored) -> Self {
		Self {
			id: stored.link.id.to_string(),
			link: Some(stored.link.to_string()),
			name: stored.name.clone(),
			size: stored.size,
			stripes: stored.stripes,
			created: Some(stored.created),
		}
	}
}

/// An error on its way out.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
	pub(crate) status: StatusCode,
	pub(crate) code: &'static str,
	pub(crate) message: String,
}

impl Failure {
	pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
		Self {
			status,
			code,
			message: message.into(),
		}
	}

	pub(crate) fn bad_request(message: impl Into<String>) -> Self {
		Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
	}

	pub(crate) fn of(fault: &impl Fault) -> Self {
		let status =
			StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
		Self::new(status, fault.code(), fault.to_string())
	}
}

impl<F: Fault> From<F> for Failure {
	fn from(fault: F) -> Self {
		Self::of(&fault)
	}
}

impl Fault for CatalogError {
	fn code(&self) -> &'static str {
		"internal"
	}

	fn status(&self) -> u16 {
		500
	}
}

impl Fault for AddressError {
	fn code(&self) -> &'static str {
		"bad_request"
	}

	fn status(&self) -> u16 {
		400
	}
}

impl IntoResponse for Failure {
	fn into_response(self) -> Response {
		if self.status.is_server_error() {
			tracing::warn!(code = self.code, message = self.message, "request failed");
		}
		let body = serde_json::json!({ "error": { "code": self.code, "message": self.message } });
		(self.status, Json(body)).into_response()
	}
}
