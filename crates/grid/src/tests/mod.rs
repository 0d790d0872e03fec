//! Two ends on loopback, honest and not.

#![allow(clippy::unwrap_used)]

mod flood;
mod gullible;
mod hostile_client;
mod hostile_server;
mod inventory;
mod ledger;
mod lifecycle;
mod limits;
mod punched;
mod rekey;
mod relayed;
mod resumed;
mod rotation;
mod roundtrip;
mod slices;
pub(crate) mod support;
mod test_relay;
