//! The audit log: one line of JSON for each call, and one more before a change is applied.
//!
//! A thread of its own writes, so that a slow disk or a full pipe holds up no call. Who requires the log has changes wait for
//! their line, and refused when it cannot be written.

use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::error::{ErrorCode, ToolError};
use crate::kube::gate::Asked;
use crate::tool::Risk;
use crate::{redact, text};

/// Lines that wait to be written.
const WAITING: usize = 1024;
/// How long a change waits for its line.
const PATIENCE: Duration = Duration::from_secs(2);
/// Characters of a text in the arguments of a line.
const TEXT: usize = 300;
/// Bytes of all arguments of a line.
const ARGUMENTS: usize = 8 << 10;

/// How long lines gather after some were written: a busy server writes many at once. A line alone is written at once.
const GATHER: Duration = Duration::from_millis(1);
/// How long the end of the process waits for the last lines.
const LAST: Duration = Duration::from_secs(1);

/// Where audit lines go. The default is nowhere.
#[derive(Debug, Default)]
pub struct Audit {
    lines: Option<SyncSender<Line>>,
    required: bool,
}

struct Line {
    text: String,
    written: Option<oneshot::Sender<Result<(), String>>>,
}

impl Audit {
    /// Writes lines to a sink. `required`: a change whose line cannot be written is refused.
    pub fn to(sink: impl Write + Send + 'static, required: bool) -> Self {
        let (lines, waiting) = sync_channel(WAITING);
        std::thread::spawn(move || write(sink, &waiting));
        Self {
            lines: Some(lines),
            required,
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.lines.is_some()
    }

    /// Writes the line of a call that has ended.
    pub(crate) fn ended(&self, calling: &Calling, end: &End<'_>) {
        self.tell(calling, calling.line("call", end.asked, Some(end)));
    }

    /// Waits until all lines so far are written, but not for long.
    pub(crate) async fn flush(&self) {
        let Some(lines) = &self.lines else { return };
        let (written, told) = oneshot::channel();
        let last = Line {
            text: String::new(),
            written: Some(written),
        };
        if lines.try_send(last).is_ok() {
            tokio::time::timeout(LAST, told).await.ok();
        }
    }

    /// Writes a line that nobody waits for. It is dropped when too many wait already, and the log says so.
    fn tell(&self, calling: &Calling, text: String) {
        let Some(lines) = &self.lines else { return };
        if lines.try_send(Line { text, written: None }).is_err() {
            tracing::error!(
                request = calling.request_id,
                tool = calling.tool,
                "an audit line was lost"
            );
        }
    }

    /// Writes the line of a change that is about to be applied. Where the log is required the change goes on only when the line
    /// is written.
    pub(crate) async fn before(&self, calling: &Calling, asked: &[Asked]) -> Result<(), ToolError> {
        let text = calling.line("apply", asked, None);
        let Some(lines) = self.lines.as_ref().filter(|_| self.required) else {
            self.tell(calling, text);
            return Ok(());
        };
        let (written, told) = oneshot::channel();
        let sent = lines.try_send(Line {
            text,
            written: Some(written),
        });
        let why = match sent {
            Err(TrySendError::Full(_)) => format!("{WAITING} lines wait to be written"),
            Err(TrySendError::Disconnected(_)) => "its writer has ended".to_owned(),
            Ok(()) => match tokio::time::timeout(PATIENCE, told).await {
                Ok(Ok(Ok(()))) => return Ok(()),
                Ok(Ok(Err(why))) => why,
                Ok(Err(_)) => "its writer has ended".to_owned(),
                Err(_) => format!("it was not written within {} s", PATIENCE.as_secs()),
            },
        };
        tracing::error!(why, "the audit log cannot be written, and it is required");
        Err(ToolError::new(
            ErrorCode::DeniedByPolicy,
            format!("write the audit line of {}", calling.tool),
            format!("the audit log cannot be written ({why}), and this server changes nothing without it"),
        )
        .fix("nothing has changed; the operator has to look at the audit log"))
    }
}

fn write(mut sink: impl Write, lines: &Receiver<Line>) {
    while let Ok(first) = lines.recv() {
        // what has gathered meanwhile is written at once
        let mut batch = vec![first];
        batch.extend(lines.try_iter().take(WAITING));
        let text: String = batch.iter().map(|line| line.text.as_str()).collect();
        let done = sink.write_all(text.as_bytes()).and_then(|()| sink.flush());
        let done = done.map_err(|error| error.to_string());
        if let Err(error) = &done {
            tracing::error!(error, lines = batch.len(), "audit lines could not be written");
        }
        for written in batch.into_iter().filter_map(|line| line.written) {
            // who waited may have given up
            written.send(done.clone()).ok();
        }
        std::thread::sleep(GATHER);
    }
}

/// One call, as its lines tell it.
#[derive(Debug)]
pub(crate) struct Calling {
    pub(crate) request_id: String,
    pub(crate) session: Option<String>,
    pub(crate) caller: String,
    pub(crate) persona: String,
    pub(crate) tool: &'static str,
    pub(crate) risk: Risk,
    pub(crate) arguments: Value,
    pub(crate) started: Instant,
    pub(crate) decided: Mutex<Decided>,
}

/// What became of a change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Decided {
    /// `preview`, `asked` (the person), `confirmed` (by the caller), `accepted` or `refused` (by the person).
    pub(crate) decision: Option<&'static str>,
    pub(crate) plan_id: Option<String>,
}

impl Calling {
    /// Notes which plan the call names.
    pub(crate) fn name(&self, plan_id: &str) {
        let mut decided = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        decided.plan_id = Some(plan_id.to_owned());
    }

    /// Notes what became of the change.
    pub(crate) fn decide(&self, decision: &'static str, plan_id: &str) {
        let mut decided = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        *decided = Decided {
            decision: Some(decision),
            plan_id: Some(plan_id.to_owned()),
        };
    }

    fn decided(&self) -> Decided {
        self.decided.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn line(&self, event: &'static str, asked: &[Asked], end: Option<&End<'_>>) -> String {
        let Decided { decision, plan_id } = self.decided();
        let done = matches!(decision, Some("confirmed" | "accepted")) && end.is_some_and(|end| end.result == "ok");
        let named = self.arguments["namespace"].as_str().map(str::to_owned);
        let touched = || asked.iter().find_map(|asked| asked.namespace.clone());
        let record = Record {
            time: format!("{:.3}", Timestamp::now()),
            event,
            request_id: &self.request_id,
            session: self.session.as_deref(),
            caller: &self.caller,
            persona: &self.persona,
            tool: self.tool,
            risk: self.risk.as_str(),
            arguments: &self.arguments,
            namespace: named.or_else(touched),
            decision,
            plan_id,
            duration_ms: end.map(|_| u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)),
            requests: end.map(|end| end.requests),
            result: end.map(|end| end.result),
            object: end.filter(|_| done).and_then(Object::of),
        };
        // a struct of texts and numbers always has a JSON form
        let mut line = serde_json::to_string(&record).unwrap_or_default();
        line.push('\n');
        line
    }
}

/// How a call ended.
#[derive(Debug)]
pub(crate) struct End<'a> {
    /// `ok`, or the code of the error.
    pub(crate) result: &'a str,
    pub(crate) requests: u32,
    pub(crate) asked: &'a [Asked],
    pub(crate) answer: &'a Value,
}

#[derive(Debug, Serialize)]
struct Record<'a> {
    time: String,
    /// `apply` before a change is made, `call` at the end of each call.
    event: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    caller: &'a str,
    persona: &'a str,
    tool: &'a str,
    risk: &'a str,
    arguments: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requests: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a str>,
    /// What was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<Object>,
}

/// An object that a call changed.
#[derive(Debug, Serialize)]
struct Object {
    verb: &'static str,
    resource: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
}

impl Object {
    /// What the last writing request was about; a creation's name and uid are in the answer.
    fn of(end: &End<'_>) -> Option<Self> {
        let writes = |asked: &&Asked| {
            matches!(asked.verb, "create" | "patch" | "update" | "delete") && asked.group != "authorization.k8s.io"
        };
        let last = end.asked.iter().rev().find(writes)?;
        let told = |field: &str| end.answer[field].as_str().map(str::to_owned);
        Some(Self {
            verb: last.verb,
            resource: last.resource.clone(),
            namespace: last.namespace.clone(),
            name: last.name.clone().or_else(|| told("name")),
            uid: told("uid"),
        })
    }
}

/// Arguments as a line shows them: without secrets, and bounded.
pub(crate) fn arguments(given: &serde_json::Map<String, Value>) -> Value {
    let shown = redact::json(&Value::Object(given.clone()), TEXT);
    match shown.to_string() {
        all if all.len() <= ARGUMENTS => shown,
        all => Value::String(text::bounded(&all, ARGUMENTS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// A sink that can fail.
    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<(Vec<u8>, bool)>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let mut inner = self.0.lock().unwrap();
            if inner.1 {
                return Err(std::io::Error::other("no space left"));
            }
            inner.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn calling(arguments: Value) -> Calling {
        Calling {
            request_id: "r1".into(),
            session: None,
            caller: "local user".into(),
            persona: "ml-engineer".into(),
            tool: "delete_training_job",
            risk: Risk::Destructive,
            arguments,
            started: Instant::now(),
            decided: Mutex::default(),
        }
    }

    #[tokio::test]
    async fn all_lines_are_written_before_the_end() {
        let sink = Sink::default();
        let audit = Audit::to(sink.clone(), false);
        let call = calling(serde_json::json!({}));
        for _ in 0..100 {
            audit.tell(&call, "line\n".into());
        }
        audit.flush().await;
        let written = sink.0.lock().unwrap().0.clone();
        assert_eq!(String::from_utf8(written).unwrap(), "line\n".repeat(100));
    }

    #[tokio::test]
    async fn a_line_is_there_before_the_change_and_a_failing_log_stops_it() {
        let sink = Sink::default();
        let audit = Audit::to(sink.clone(), true);
        let call = calling(serde_json::json!({"name": "bert", "namespace": "team-a"}));
        call.decide("confirmed", "bcdfg-00");
        audit.before(&call, &[]).await.unwrap();
        let written = sink.0.lock().unwrap().0.clone();
        let mut line: Value = serde_json::from_slice(&written).unwrap();
        assert!(line["time"].as_str().unwrap().parse::<Timestamp>().is_ok());
        line["time"].take();
        assert_eq!(
            line,
            serde_json::json!({"time": null, "event": "apply", "request_id": "r1", "caller": "local user",
                "persona": "ml-engineer", "tool": "delete_training_job", "risk": "destructive",
                "arguments": {"name": "bert", "namespace": "team-a"}, "namespace": "team-a", "decision": "confirmed",
                "plan_id": "bcdfg-00"})
        );
        sink.0.lock().unwrap().1 = true;
        let error = audit.before(&call, &[]).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::DeniedByPolicy);
        assert!(error.answered.contains("no space left"), "{error}");
        // where nobody requires it, the change goes on
        Audit::to(sink, false).before(&call, &[]).await.unwrap();
    }

    #[test]
    fn arguments_are_shown_without_secrets_and_bounded() {
        let given = serde_json::json!({
            "name": "a", "hf_token": "hunter2", "env": {"API_KEY": "hunter2", "EPOCHS": "3", "FROM": {"secretKeyRef": {"name": "s", "key": "k"}}},
            "args": ["--password", "hunter2", "--epochs", "3", "login hf_abcdefghijklmnopqrstuvwx"],
            "variables": [{"name": "DB_PASSWORD", "value": "hunter2"}], "script": "x".repeat(1000),
        });
        let shown = arguments(given.as_object().unwrap());
        let text = shown.to_string();
        assert!(!text.contains("hunter2") && !text.contains("hf_abc"), "{text}");
        assert_eq!(shown["env"]["EPOCHS"], "3");
        assert_eq!(shown["env"]["FROM"]["secretKeyRef"]["name"], "s");
        assert_eq!(shown["args"][3], "3");
        assert!(shown["script"].as_str().unwrap().len() < 400);
        let many = serde_json::json!({"list": vec!["y".repeat(200); 200]});
        assert!(arguments(many.as_object().unwrap()).as_str().unwrap().len() < ARGUMENTS + 100);
    }
}
