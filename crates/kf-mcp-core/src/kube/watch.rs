//! Watches: an object's changes as they happen, instead of asking again and again.

use std::collections::VecDeque;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use http_body_util::BodyExt;
use kube::core::params::WatchParams;
use serde::Deserialize;
use serde_json::Value;

use super::answer::from_refusal;
use super::client::Kube;
use super::error::KubeError;
use super::resource::Resource;

/// The longest watch, in seconds: API servers end longer ones after 5 to 10 minutes in any case.
const LONGEST: u32 = 290;

/// One change that a watch reports.
#[derive(Debug, Clone, Deserialize, PartialEq)]
pub struct Seen {
    /// ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.
    #[serde(rename = "type")]
    pub kind: String,
    /// The object (a `Status` for ERROR).
    pub object: Value,
}

impl Kube {
    /// Watches a collection from a version on. Ends when the server ends it; the caller goes on from the last version. The
    /// server is asked to end it after `within`, and at most 290 s, so that it keeps none whose client has vanished behind
    /// a proxy.
    pub async fn watch(
        &self,
        of: &Resource,
        namespace: Option<&str>,
        fields: &str,
        from: &str,
        within: Duration,
    ) -> Result<impl Stream<Item = Result<Seen, String>> + Send + use<>, KubeError> {
        let asked = of.asked("watch", namespace, None);
        let params = WatchParams {
            field_selector: Some(fields.into()),
            bookmarks: true,
            timeout: Some(u32::try_from(within.as_secs()).map_or(LONGEST, |seconds| seconds.clamp(1, LONGEST))),
            ..WatchParams::default()
        };
        let request = self.build(&asked, kube::core::Request::new(of.url(namespace)).watch(&params, from))?;
        self.gate.admit(&asked)?;
        let (head, body) = self.open(&asked, request).await?.into_parts();
        if !head.status.is_success() {
            let said = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            return Err(self.gate.error(&asked, from_refusal(head.status, &head.headers, &said)));
        }
        let state = (
            Box::pin(body.into_data_stream()),
            Vec::<u8>::new(),
            VecDeque::<Seen>::new(),
        );
        Ok(stream::unfold(state, |(mut chunks, mut open, mut ready)| async move {
            loop {
                if let Some(seen) = ready.pop_front() {
                    return Some((Ok(seen), (chunks, open, ready)));
                }
                match chunks.next().await? {
                    Ok(chunk) => open.extend_from_slice(&chunk),
                    Err(error) => return Some((Err(error.to_string()), (chunks, open, ready))),
                }
                if open.len() > super::client::MAX_BODY {
                    return Some((
                        Err("an event of the watch is too large".into()),
                        (chunks, Vec::new(), ready),
                    ));
                }
                while let Some(end) = open.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = open.drain(..=end).collect();
                    ready.extend(serde_json::from_slice::<Seen>(&line).ok());
                }
            }
        }))
    }
}
