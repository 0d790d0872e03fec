#![allow(clippy::unwrap_used)]

mod build;
mod epochs;
mod health;
mod offchain;
