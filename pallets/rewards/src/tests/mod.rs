#![allow(clippy::unwrap_used)]

mod eras;
mod slashes;
mod stakers;
mod walk;
