//! MCP over stdio and HTTP: the only crate that names rmcp.
//!
//! A [`Server`] is an [`Engine`](kf_mcp_core::Engine) with a wire. Both generations of the protocol are served on one
//! endpoint: clients that send metadata with each request, and clients that begin with `initialize`.

pub mod auth;
mod builder;
pub mod confirm;
mod handler;
pub mod http;
mod listener;
mod listings;
mod owners;
mod request_id;
mod resources;
pub mod stdio;
mod subscriptions;
pub mod tls;

pub use builder::{BuildError, Builder};
pub use handler::Handler;

/// A server for a set of tools and a cluster. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Server {
    handler: std::sync::Arc<Handler>,
}

impl Server {
    /// Begins a server: choose modules or single tools, a persona, a cluster.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The call pipeline, for callers in the same process.
    pub fn engine(&self) -> &kf_mcp_core::Engine {
        self.handler.engine()
    }

    /// The MCP handler, for a transport of one's own.
    pub fn handler(&self) -> std::sync::Arc<Handler> {
        std::sync::Arc::clone(&self.handler)
    }
}
