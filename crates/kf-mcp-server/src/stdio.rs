//! MCP over standard input and output: one client, the process's parent.

use std::borrow::Cow;

use rmcp::model::JsonRpcMessage;
use rmcp::service::{RxJsonRpcMessage, ServerInitializeError, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::io::stdio_pipes;
use rmcp::{RoleServer, ServiceExt};
use thiserror::Error;

use crate::Server;

/// The longest message that is read; scripts and manifests fit.
const MAX_LINE: usize = 4 << 20;

/// Why serving ended badly.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StdioError {
    /// The client's first messages were no MCP.
    #[error("the client did not begin as MCP asks: {0}")]
    Begin(String),
    /// The connection's task failed.
    #[error("serving ended unexpectedly: {0}")]
    Ended(String),
}

impl Server {
    /// Serves on standard input and output until the client closes its side.
    pub async fn serve_stdio(&self) -> Result<(), StdioError> {
        let (input, output) = stdio_pipes();
        let transport = AsyncRwTransport::new_server(input, output).with_max_line_length(MAX_LINE);
        self.serve_transport(transport).await
    }

    /// Serves on any pair of streams until the client closes its side.
    pub async fn serve_streams<R, W>(&self, input: R, output: W) -> Result<(), StdioError>
    where
        R: tokio::io::AsyncRead + Send + Unpin + 'static,
        W: tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        self.serve_transport(AsyncRwTransport::new_server(input, output).with_max_line_length(MAX_LINE))
            .await
    }

    async fn serve_transport<T>(&self, transport: T) -> Result<(), StdioError>
    where
        T: Transport<RoleServer> + 'static,
    {
        let transport = Tolerant {
            inner: transport,
            begun: false,
        };
        let running = match self.handler().serve(transport).await {
            Ok(running) => running,
            // The client went away before it said anything: not an error of ours.
            Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(error) => return Err(StdioError::Begin(error.to_string())),
        };
        running
            .waiting()
            .await
            .map(drop)
            .map_err(|error| StdioError::Ended(error.to_string()))
    }
}

/// Drops notifications that arrive before the first request: a client that gives up on `server/discover` must cancel it,
/// and then says `initialize`; rmcp takes that cancellation for a broken handshake.
struct Tolerant<T> {
    inner: T,
    begun: bool,
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for Tolerant<T> {
    type Error = T::Error;

    fn name() -> Cow<'static, str> {
        T::name()
    }

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.inner.send(item)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            let message = self.inner.receive().await?;
            match &message {
                JsonRpcMessage::Request(request) => {
                    use rmcp::model::ClientRequest::{DiscoverRequest, PingRequest};
                    if !matches!(request.request, DiscoverRequest(_) | PingRequest(_)) {
                        self.begun = true;
                    }
                }
                JsonRpcMessage::Notification(_) if !self.begun => continue,
                _ => {}
            }
            return Some(message);
        }
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.inner.close()
    }
}
