//! Starts, supervises and exercises a whole local Hippius network.
//!
//! Processes are recorded, with their start time, in a state folder, and each carries a mark in
//! its environment: so any shell can show or end the network, and nothing that was started can be
//! missed or mistaken for a stranger. Linux only (`/proc` and pidfds).

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod app;
pub mod audits;
pub mod cli;
pub mod commands;
pub mod demo;
pub mod economy;
pub mod error;
pub mod files;
pub mod network;
pub mod plan;
pub mod process;
pub mod procfs;
pub mod register;
pub mod report;
pub mod rpc;
pub mod state;
pub mod status;
pub mod story;
pub mod tool;
pub mod trials;
