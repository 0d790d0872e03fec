#![allow(clippy::unwrap_used)]

mod build;
mod epochs;
mod exceptions;
mod health;
mod offchain;
