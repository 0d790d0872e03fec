#![allow(clippy::unwrap_used)]

mod chargebacks;
mod deposits;
mod gateways;
mod plans;
mod usage;
mod vouchers;
mod walk;
