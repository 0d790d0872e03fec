#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]

extern crate alloc;

pub mod fixed;
pub mod placement;
pub mod quorum;
mod reputation;
mod score;

pub use fixed::{Ratio, ONE, Q30};
pub use reputation::Reputation;
pub use score::{pay_weight, sort_by_rank, Explanation, Inputs, Ranked, Term};
