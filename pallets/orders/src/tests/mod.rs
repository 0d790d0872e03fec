#![allow(clippy::unwrap_used)]

mod life;
mod offers;
mod queue;
mod served;
mod terms;
mod walk;
