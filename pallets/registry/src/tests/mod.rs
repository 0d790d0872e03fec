#![allow(clippy::unwrap_used)]

mod exit;
mod penalties;
mod register;
mod rotate;
mod update;
