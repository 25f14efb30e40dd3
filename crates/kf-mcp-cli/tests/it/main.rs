//! The built binary, as a person and as an MCP client meet it.

mod command_line;
mod http;
mod no_cluster;
mod process;
mod stdio;
