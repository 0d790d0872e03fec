//! What is paid for, and what is signed about payments: vouchers of the payment service, and receipts
//! of clients for bytes that gateways sent them.

use crate::NodeIndex;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Signature context of a voucher.
pub const VOUCHER_CONTEXT: &[u8] = b"hippius/credit-voucher/v1";
/// Signature context of a chargeback.
pub const CHARGEBACK_CONTEXT: &[u8] = b"hippius/chargeback/v1";
/// Signature context of a receipt for bytes received.
pub const EGRESS_CONTEXT: &[u8] = b"hippius/egress-receipt/v1";

/// A service that miners offer.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Service {
	/// Storage of erasure-coded shards.
	#[codec(index = 0)]
	Arion,
	/// S3 volumes.
	#[codec(index = 1)]
	S3,
	/// IPFS pins.
	#[codec(index = 2)]
	Ipfs,
	/// Virtual machines.
	#[codec(index = 3)]
	Compute,
}

/// What of a service is used.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Usage {
	/// What is held over time.
	#[codec(index = 0)]
	Held,
	/// What is sent out.
	#[codec(index = 1)]
	Egress,
}

/// What a charge is for, and whose miners it pays.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Pool {
	/// The service.
	pub service: Service,
	/// What of it.
	pub usage: Usage,
}

impl Service {
	/// Every one.
	pub const ALL: [Self; 4] = [Self::Arion, Self::S3, Self::Ipfs, Self::Compute];

	/// What is held over time.
	pub const fn held(self) -> Pool {
		Pool {
			service: self,
			usage: Usage::Held,
		}
	}

	/// What is sent out.
	pub const fn egress(self) -> Pool {
		Pool {
			service: self,
			usage: Usage::Egress,
		}
	}
}

impl Pool {
	/// Every one, in order.
	pub const ALL: [Self; 8] = [
		Service::Arion.held(),
		Service::Arion.egress(),
		Service::S3.held(),
		Service::S3.egress(),
		Service::Ipfs.held(),
		Service::Ipfs.egress(),
		Service::Compute.held(),
		Service::Compute.egress(),
	];
}

/// What a voucher was paid with.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum Source {
	/// Money that can be charged back.
	#[codec(index = 0)]
	Fiat,
	/// TAO, which cannot.
	#[codec(index = 1)]
	Tao,
}

/// The payment service says that it was paid.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Voucher {
	/// Hash of the chain's block 0.
	pub genesis: [u8; 32],
	/// With what it was paid.
	pub source: Source,
	/// The payment: counts once, for ever.
	pub payment: [u8; 32],
	/// The account that gets the credits.
	pub user: [u8; 32],
	/// Credits, millionths of a US dollar.
	pub credits: u128,
	/// Unix time in ms after which it does not count.
	pub expires: u64,
}

impl Voucher {
	/// The bytes that the payment service's keys sign.
	pub fn payload(&self) -> Vec<u8> {
		prefixed(VOUCHER_CONTEXT, &self.encode())
	}
}

/// The bytes that the payment service's keys sign when a payment was reversed. There is one chargeback
/// per payment, so it needs no number and no expiry.
pub fn chargeback_payload(genesis: &[u8; 32], payment: &[u8; 32]) -> Vec<u8> {
	prefixed(CHARGEBACK_CONTEXT, &(genesis, payment).encode())
}

/// A client says how much it received.
#[derive(
	Clone,
	Copy,
	Debug,
	PartialEq,
	Eq,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct EgressReceipt {
	/// Hash of the chain's block 0.
	pub genesis: [u8; 32],
	/// The account that pays.
	pub client: [u8; 32],
	/// The gateway's account.
	pub gateway: [u8; 32],
	/// The service.
	pub service: Service,
	/// The node the bytes came from.
	pub node: NodeIndex,
	/// The cluster map's epoch; counting begins anew with each.
	pub epoch: u32,
	/// All bytes of this client, gateway, service and node in this epoch so far: a later receipt
	/// contains the earlier ones.
	pub bytes: u64,
}

impl EgressReceipt {
	/// The bytes that the client's account signs.
	pub fn payload(&self) -> Vec<u8> {
		prefixed(EGRESS_CONTEXT, &self.encode())
	}
}

fn prefixed(context: &[u8], body: &[u8]) -> Vec<u8> {
	let mut payload = context.to_vec();
	payload.extend_from_slice(blake3::hash(body).as_bytes());
	payload
}

#[cfg(test)]
mod tests {
	use super::*;

	fn voucher() -> Voucher {
		Voucher {
			genesis: [1; 32],
			source: Source::Fiat,
			payment: [2; 32],
			user: [3; 32],
			credits: 4,
			expires: 5,
		}
	}

	#[test]
	fn every_field_of_a_voucher_is_signed() {
		let base = voucher();
		let edits: [fn(&mut Voucher); 6] = [
			|v| v.genesis[31] ^= 1,
			|v| v.source = Source::Tao,
			|v| v.payment[0] ^= 1,
			|v| v.user[9] ^= 1,
			|v| v.credits += 1,
			|v| v.expires += 1,
		];
		for edit in edits {
			let mut other = base;
			edit(&mut other);
			assert_ne!(other.payload(), base.payload());
		}
	}

	#[test]
	fn every_field_of_a_receipt_is_signed() {
		let base = EgressReceipt {
			genesis: [1; 32],
			client: [2; 32],
			gateway: [3; 32],
			service: Service::Arion,
			node: 4,
			epoch: 5,
			bytes: 6,
		};
		let edits: [fn(&mut EgressReceipt); 7] = [
			|r| r.genesis[0] ^= 1,
			|r| r.client[0] ^= 1,
			|r| r.gateway[0] ^= 1,
			|r| r.service = Service::S3,
			|r| r.node += 1,
			|r| r.epoch += 1,
			|r| r.bytes += 1,
		];
		for edit in edits {
			let mut other = base;
			edit(&mut other);
			assert_ne!(other.payload(), base.payload());
		}
	}

	#[test]
	fn what_is_signed_begins_with_what_it_is_for() {
		assert!(voucher().payload().starts_with(VOUCHER_CONTEXT));
		let reversed = chargeback_payload(&[1; 32], &[2; 32]);
		assert!(reversed.starts_with(CHARGEBACK_CONTEXT));
		assert_ne!(reversed, chargeback_payload(&[1; 32], &[3; 32]));
	}

	#[test]
	fn pools_are_in_order_and_complete() {
		assert!(Pool::ALL.windows(2).all(|pair| pair[0] < pair[1]));
		for service in Service::ALL {
			assert!(Pool::ALL.contains(&service.held()) && Pool::ALL.contains(&service.egress()));
		}
	}
}
