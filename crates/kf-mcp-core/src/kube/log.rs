//! Pod logs: a bounded tail at once, or line by line as they are printed.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http_body_util::BodyExt;
use kube::core::subresource::LogParams;

use super::answer::from_refusal;
use super::client::Kube;
use super::error::{Cause, KubeError};
use super::gate::Asked;

/// Which part of a log to read.
#[derive(Debug, Clone, Default)]
pub struct LogQuery {
    /// Container.
    pub container: String,
    /// Lines from the end.
    pub tail_lines: Option<i64>,
    /// Only the last seconds.
    pub since_seconds: Option<i64>,
    /// The run before the last restart.
    pub previous: bool,
    /// Write the time before each line.
    pub timestamps: bool,
    /// Make each state of a progress bar a line of its own: a carriage return or a backspace ends a line too.
    pub redraws: bool,
}

/// The end of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogTail {
    /// Lines, oldest first, without newlines, not yet cleaned.
    pub lines: Vec<String>,
    /// Earlier lines of the request were left out because of the size limit.
    pub cut: bool,
}

/// The longest line that is kept; the rest of it is dropped.
const MAX_LINE: usize = 16 << 10;

fn asked(namespace: &str, pod: &str) -> Asked {
    Asked {
        verb: "get",
        group: String::new(),
        resource: "pods/log".into(),
        namespace: Some(namespace.into()),
        name: Some(pod.into()),
    }
}

impl Kube {
    /// Reads the end of a log, at most `most_bytes` of it: what does not fit is dropped from the front while reading, so a
    /// huge log is never held.
    pub async fn log_tail(
        &self,
        namespace: &str,
        pod: &str,
        query: &LogQuery,
        most_bytes: usize,
    ) -> Result<LogTail, KubeError> {
        let asked = asked(namespace, pod);
        let body = self.open_log(&asked, namespace, pod, query, false).await?;
        let read = async {
            let mut lines = Lines::of(query);
            let mut kept: VecDeque<String> = VecDeque::new();
            let (mut size, mut cut) = (0, false);
            let mut chunks = std::pin::pin!(body.into_data_stream());
            while let Some(chunk) = chunks.next().await {
                let chunk = chunk.map_err(|e| {
                    self.gate
                        .error(&asked, Cause::Unreachable(format!("the log broke off: {e}")))
                })?;
                for line in lines.push(&chunk) {
                    size += line.len() + 1;
                    kept.push_back(line);
                }
                while size > most_bytes && kept.len() > 1 {
                    size -= kept.pop_front().map_or(0, |line| line.len() + 1);
                    cut = true;
                }
            }
            kept.extend(lines.finish());
            Ok(LogTail {
                lines: kept.into(),
                cut,
            })
        };
        self.gate.within(&asked, self.gate.cluster.describe(), read).await
    }

    /// Follows a log: batches of new lines, as they arrive, until the container ends or the stream is dropped. The caller
    /// bounds the time.
    pub async fn log_follow(
        &self,
        namespace: &str,
        pod: &str,
        query: &LogQuery,
    ) -> Result<impl Stream<Item = Result<Vec<String>, String>> + Send + use<>, KubeError> {
        let asked = asked(namespace, pod);
        let body = self.open_log(&asked, namespace, pod, query, true).await?;
        let mut lines = Lines::of(query);
        // The end of the body is an item too: a container may end without a newline, and its last words count.
        let chunks = body.into_data_stream().map(Some).chain(stream::iter([None]));
        Ok(chunks.map(move |chunk| match chunk {
            Some(Ok(chunk)) => Ok(lines.push(&chunk)),
            Some(Err(error)) => Err(error.to_string()),
            None => Ok(std::mem::take(&mut lines).finish().into_iter().collect()),
        }))
    }

    async fn open_log(
        &self,
        asked: &Asked,
        namespace: &str,
        pod: &str,
        query: &LogQuery,
        follow: bool,
    ) -> Result<kube::client::Body, KubeError> {
        let params = LogParams {
            container: Some(query.container.clone()),
            follow,
            previous: query.previous,
            since_seconds: query.since_seconds,
            tail_lines: query.tail_lines,
            timestamps: query.timestamps,
            ..LogParams::default()
        };
        let url = super::resources::PODS.url(Some(namespace));
        let request = self.build(asked, kube::core::Request::new(url).logs(pod, &params))?;
        self.gate.admit(asked)?;
        let (head, body) = self.open(asked, request).await?.into_parts();
        if head.status.is_success() {
            return Ok(body);
        }
        let said = body
            .collect()
            .await
            .map(|body| body.to_bytes())
            .unwrap_or_else(|_| Bytes::new());
        Err(self.gate.error(asked, from_refusal(head.status, &head.headers, &said)))
    }
}

/// Cuts a byte stream into lines, dropping what exceeds [`MAX_LINE`].
#[derive(Debug, Default)]
struct Lines {
    open: Vec<u8>,
    redraws: bool,
}

impl Lines {
    fn of(query: &LogQuery) -> Self {
        Self {
            open: Vec::new(),
            redraws: query.redraws,
        }
    }

    fn push(&mut self, chunk: &[u8]) -> Vec<String> {
        let redraws = self.redraws;
        let ends = |byte: &u8| *byte == b'\n' || redraws && matches!(byte, b'\r' | 0x08);
        let mut done = Vec::new();
        for piece in chunk.split_inclusive(ends) {
            let (text, ended) = match piece.split_last() {
                Some((last, text)) if ends(last) => (text, true),
                _ => (piece, false),
            };
            let room = MAX_LINE.saturating_sub(self.open.len());
            self.open.extend_from_slice(&text[..text.len().min(room)]);
            // Only redrawing makes empty lines that nobody printed.
            if ended && (!redraws || !self.open.is_empty()) {
                done.push(String::from_utf8_lossy(&std::mem::take(&mut self.open)).into_owned());
            }
        }
        done
    }

    fn finish(self) -> Option<String> {
        (!self.open.is_empty()).then(|| String::from_utf8_lossy(&self.open).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_across_chunks_and_bounded() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"one\ntw"), ["one"]);
        assert_eq!(lines.push(b"o\n\nthree"), ["two", ""]);
        assert_eq!(lines.finish().as_deref(), Some("three"));
        let mut bar = Lines {
            redraws: true,
            ..Lines::default()
        };
        assert_eq!(bar.push(b"\r 1%\r 2%\r\n\x08\x08 3"), [" 1%", " 2%"]);
        assert_eq!(bar.finish().as_deref(), Some(" 3"));
        let mut long = Lines::default();
        let done = long.push(&[&vec![b'x'; MAX_LINE + 10][..], b"\n"].concat());
        assert_eq!(done[0].len(), MAX_LINE);
    }
}
