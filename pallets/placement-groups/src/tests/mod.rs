#![allow(clippy::unwrap_used)]

mod oracle;
mod placement;
