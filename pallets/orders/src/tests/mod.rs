#![allow(clippy::unwrap_used)]

mod life;
mod served;
mod walk;
