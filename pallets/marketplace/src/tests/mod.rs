#![allow(clippy::unwrap_used)]

mod chargebacks;
mod deposits;
mod flow;
mod gateways;
mod plans;
mod usage;
mod vouchers;
mod walk;
mod wash;
