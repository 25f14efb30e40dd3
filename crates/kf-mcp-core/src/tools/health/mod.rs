//! This server itself.

mod get_server_logs;
mod health_check;
