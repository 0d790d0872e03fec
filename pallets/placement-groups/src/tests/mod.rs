#![allow(clippy::unwrap_used)]

mod append;
mod clean;
mod kit;
mod model;
mod oracle;
mod placement;
mod release;
mod usage;
