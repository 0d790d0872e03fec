#![allow(clippy::unwrap_used)]

mod exit;
mod register;
mod rotate;
mod update;
