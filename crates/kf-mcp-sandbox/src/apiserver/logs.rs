//! `pods/log`: the kubelet's options on what containers print.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Call;
use super::answer::{Answer, Payload};
use super::errors::{Cause, bad_request, invalid, not_found};
use crate::Inner;
use crate::kinds::Kind;
use crate::logs::{self, Line};
use crate::status::Status;

#[derive(Debug, Clone)]
struct Options {
    tail: Option<usize>,
    since: Option<Timestamp>,
    timestamps: bool,
    previous: bool,
    limit: Option<usize>,
    follow: bool,
}

/// Answers a request for a pod's log.
pub(crate) fn log(
    inner: &Arc<Inner>,
    call: &Call,
    kind: &'static Kind,
    name: &str,
    closing: &CancellationToken,
) -> Result<Answer, Status> {
    let namespace = call.target.namespace.clone().unwrap_or_default();
    let now = inner.clock.now();
    let options = Options::new(call, name, now)?;
    let pod = inner.with(|state, _| state.store.get(kind, &namespace, name).cloned());
    let pod = pod.ok_or_else(|| not_found(kind, name))?;
    let container = container(&pod, name, call.query.get("container"))?;
    if pod["spec"]["nodeName"].as_str().unwrap_or_default().is_empty() {
        // there is no kubelet to ask yet
        let payload = Payload::Whole(Bytes::new());
        return Ok(Answer {
            code: StatusCode::NO_CONTENT,
            content_type: None,
            headers: Vec::new(),
            payload,
        });
    }
    let lines = logs::lines(&pod, &container, options.previous, now)?;
    let mut text = Vec::new();
    for line in options.select(&lines) {
        options.write(line, &mut text);
    }
    let mut left = options.limit;
    clip(&mut text, &mut left);
    if !options.follow || options.previous {
        return Ok(Answer::whole(StatusCode::OK, "text/plain", text));
    }
    let follower = Follower {
        inner: Arc::clone(inner),
        kind,
        namespace,
        name: name.to_owned(),
        uid: pod["metadata"]["uid"].clone(),
        container,
        options,
        seen: lines.len(),
        left,
        first: Some(text),
        closing: closing.clone(),
    };
    let chunks = futures::stream::unfold(follower, async |mut follower| {
        let text = follower.next().await?;
        Some((Ok(Bytes::from(text)), follower))
    });
    Ok(Answer::chunks("text/plain", Box::pin(chunks)))
}

impl Options {
    fn new(call: &Call, pod: &str, now: Timestamp) -> Result<Self, Status> {
        let query = &call.query;
        let refuse = |field: &'static str, message: &str| {
            let reason = if message.starts_with("Forbidden") {
                "FieldValueForbidden"
            } else {
                "FieldValueInvalid"
            };
            Err(invalid(
                "",
                "PodLogOptions",
                pod,
                &Cause {
                    reason,
                    field: field.into(),
                    message: message.to_owned(),
                },
            ))
        };
        let tail = query.number("tailLines")?;
        let seconds = query.number("sinceSeconds")?;
        let limit = query.number("limitBytes")?;
        let time = query.time("sinceTime")?;
        if let Some(tail) = tail.filter(|&n| n < 0) {
            return refuse(
                "tailLines",
                &format!("Invalid value: {tail}: must be greater than or equal to 0"),
            );
        }
        if let Some(limit) = limit.filter(|&n| n < 1) {
            return refuse("limitBytes", &format!("Invalid value: {limit}: must be greater than 0"));
        }
        if let Some(seconds) = seconds.filter(|&n| n < 1) {
            return refuse(
                "sinceSeconds",
                &format!("Invalid value: {seconds}: must be greater than 0"),
            );
        }
        if seconds.is_some() && time.is_some() {
            return refuse(
                "[]",
                "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
            );
        }
        if query.get("stream").is_some() {
            return refuse("stream", "Forbidden: may not be specified");
        }
        let since = seconds.map(|s| {
            now.saturating_sub(SignedDuration::from_secs(s))
                .unwrap_or(Timestamp::MIN)
        });
        let size = |n: i64| usize::try_from(n).unwrap_or(usize::MAX);
        Ok(Self {
            tail: tail.map(size),
            since: since.or(time),
            timestamps: query.flag("timestamps"),
            previous: query.flag("previous"),
            limit: limit.map(size),
            follow: query.flag("follow"),
        })
    }

    /// The tail of the log, and of that what is not too old: both are ends of the same lines.
    fn select<'a>(&self, lines: &'a [Line]) -> &'a [Line] {
        let tail = self.tail.map_or(0, |n| lines.len().saturating_sub(n));
        let since = self
            .since
            .map_or(0, |since| lines.partition_point(|line| line.time < since));
        lines.get(tail.max(since)..).unwrap_or_default()
    }

    fn write(&self, line: &Line, out: &mut Vec<u8>) {
        if self.timestamps {
            out.extend_from_slice(line.time.strftime("%Y-%m-%dT%H:%M:%S%.9fZ ").to_string().as_bytes());
        }
        out.extend_from_slice(line.text.as_bytes());
        out.push(b'\n');
    }
}

/// Cuts text to what is left of `limitBytes`: its beginning, as the kubelet does, even within a line.
fn clip(text: &mut Vec<u8>, left: &mut Option<usize>) {
    if let Some(left) = left {
        text.truncate(*left);
        *left -= text.len();
    }
}

/// The container that is meant, or why none is.
fn container(pod: &Value, name: &str, asked: Option<&str>) -> Result<String, Status> {
    let names = |field: &str| -> Vec<String> {
        let list = pod["spec"][field].as_array().into_iter().flatten();
        list.filter_map(|c| c["name"].as_str().map(str::to_owned)).collect()
    };
    let (main, init) = (names("containers"), names("initContainers"));
    match (asked, main.as_slice()) {
        (Some(asked), _) if main.iter().chain(&init).any(|n| n == asked) => Ok(asked.to_owned()),
        (Some(asked), _) => Err(bad_request(format!("container {asked} is not valid for pod {name}"))),
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err(bad_request(format!(
            "a container name must be specified for pod {name}"
        ))),
        (None, several) => {
            let all: Vec<&str> = init.iter().chain(several).map(String::as_str).collect();
            Err(bad_request(format!(
                "a container name must be specified for pod {name}, choose one of: [{}]",
                all.join(" ")
            )))
        }
    }
}

struct Follower {
    inner: Arc<Inner>,
    kind: &'static Kind,
    namespace: String,
    name: String,
    uid: Value,
    container: String,
    options: Options,
    /// How many lines of the container were looked at.
    seen: usize,
    left: Option<usize>,
    first: Option<Vec<u8>>,
    closing: CancellationToken,
}

impl Follower {
    async fn next(&mut self) -> Option<Vec<u8>> {
        if let Some(text) = self.first.take().filter(|text| !text.is_empty()) {
            return Some(text);
        }
        let inner = Arc::clone(&self.inner);
        let mut ticks = inner.ticks.subscribe();
        loop {
            if self.left == Some(0) {
                return None;
            }
            ticks.borrow_and_update();
            let now = inner.clock.now();
            let pod = inner.with(|state, _| state.store.get(self.kind, &self.namespace, &self.name).cloned())?;
            if pod["metadata"]["uid"] != self.uid {
                return None;
            }
            let lines = logs::lines(&pod, &self.container, false, now).ok()?;
            if lines.len() > self.seen {
                let mut text = Vec::new();
                for line in lines.get(self.seen..).unwrap_or_default() {
                    self.options.write(line, &mut text);
                }
                self.seen = lines.len();
                clip(&mut text, &mut self.left);
                return Some(text);
            }
            if lines.len() < self.seen || !logs::running(&pod, &self.container) {
                return None;
            }
            // what a container prints is a matter of time, not of the store
            tokio::select! {
                () = inner.clock.moment(now) => {}
                changed = ticks.changed() => changed.ok()?,
                () = self.closing.cancelled() => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<Line> {
        (0..5)
            .map(|i| Line {
                time: Timestamp::from_second(i * 10).unwrap(),
                text: format!("line {i}"),
            })
            .collect()
    }

    fn shown(tail: Option<usize>, since: Option<i64>, timestamps: bool, limit: Option<usize>) -> String {
        let since = since.map(|s| Timestamp::from_second(s).unwrap());
        let options = Options {
            tail,
            since,
            timestamps,
            previous: false,
            limit,
            follow: false,
        };
        let mut text = Vec::new();
        for line in options.select(&lines()) {
            options.write(line, &mut text);
        }
        let mut left = limit;
        clip(&mut text, &mut left);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn options_choose_as_the_kubelet_does() {
        assert_eq!(shown(Some(2), None, false, None), "line 3\nline 4\n");
        assert_eq!(shown(Some(0), None, false, None), "");
        assert_eq!(shown(Some(4), Some(30), false, None), "line 3\nline 4\n");
        assert_eq!(
            shown(Some(1), Some(0), true, None),
            "1970-01-01T00:00:40.000000000Z line 4\n"
        );
        // the beginning of what is selected, even within a line
        assert_eq!(shown(Some(2), None, false, Some(9)), "line 3\nli");
    }
}
