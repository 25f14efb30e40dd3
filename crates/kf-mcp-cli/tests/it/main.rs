//! The built binary, as a person and as an MCP client meet it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by ending"
)]

mod audit;
mod auth;
mod command_line;
mod confirm;
mod crash;
mod doctor;
mod guides;
mod http;
mod issuer;
mod jwt;
mod listener;
mod no_cluster;
mod person;
mod policy;
mod process;
mod proxy;
mod stdio;
mod stories;
mod wire;
