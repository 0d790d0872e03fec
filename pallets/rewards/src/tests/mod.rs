#![allow(clippy::unwrap_used)]

mod eras;
mod pages;
mod slashes;
mod stakers;
mod walk;
