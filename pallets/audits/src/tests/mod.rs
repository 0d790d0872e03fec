#![allow(clippy::unwrap_used)]

mod answers;
mod challenges;
mod consequences;
mod deadline;
mod draws;
mod history;
