//! What the Hugging Face Hub says of a model, where the operator lets the server ask it. Two small documents, at the same time,
//! within five seconds; what was found is kept in memory.

use std::collections::VecDeque;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use kf_mcp_core::{Cx, ErrorCode, ToolError};
use serde_json::Value;

use crate::pods::outside;
use crate::settings::{hub_lookup, hub_url};
use crate::sizing::{Published, published};

/// How long the Hub may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest document that is read.
const MOST: usize = 1 << 20;
/// Models that are remembered.
const REMEMBERED: usize = 128;
/// The longest part of a model's name.
const LONGEST: usize = 96;

/// What was found, and what could not be looked at.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Found {
    pub(crate) published: Published,
    pub(crate) not_seen: Vec<String>,
}

/// The `ORG/NAME` of the Hub that a model's name is, if it is one.
pub(crate) fn repository(model: &str) -> Option<&str> {
    let model = model.trim();
    let model = model.strip_prefix("hf://").unwrap_or(model);
    let (owner, name) = model.split_once('/')?;
    let good = |part: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        part.len() <= LONGEST
            && part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && part.chars().all(inner)
            && !part.contains("..")
    };
    (good(owner) && good(name)).then_some(model)
}

/// Whether the Hub would be asked about a model: the operator allows it, and the name may be one of the Hub's.
pub(crate) fn may_ask(cx: &Cx, model: &str) -> Result<bool, ToolError> {
    Ok(repository(model).is_some() && hub_lookup(cx)?)
}

/// Asks the Hub about a model that it [may be asked](may_ask) about. Whatever fails there is told, and fails nothing.
pub(crate) async fn look_up(cx: &Cx, model: &str) -> Result<Found, ToolError> {
    let Some(model) = repository(model) else {
        return Ok(Found::default());
    };
    let base = hub_url(cx)?;
    let key = format!("{base} {model}");
    if let Some(published) = recall(&key) {
        return Ok(Found {
            published,
            not_seen: Vec::new(),
        });
    }
    let (count, shape) = (
        format!("/api/models/{model}?expand=safetensors"),
        format!("/{model}/resolve/main/config.json"),
    );
    let both = async { futures::join!(document(cx, &base, &count), document(cx, &base, &shape)) };
    let Ok((count, shape)) = tokio::time::timeout(PATIENCE, both).await else {
        let why = format!(
            "{model} at the Hugging Face Hub: no answer within {} s",
            PATIENCE.as_secs()
        );
        return Ok(Found {
            not_seen: vec![why],
            ..Found::default()
        });
    };
    let mut found = Found::default();
    let mut told = |what: &str, read: Result<Value, String>| {
        read.map_err(|why| {
            found
                .not_seen
                .push(format!("{what} of {model} at the Hugging Face Hub: {why}"))
        })
        .ok()
    };
    let count = told("the parameter count", count);
    let shape = told("config.json", shape);
    found.published.params = count.as_ref().and_then(published::params);
    found.published.dims = shape
        .as_ref()
        .and_then(|shape| published::dims(shape, found.published.params));
    if found.not_seen.is_empty() {
        remember(key, found.published);
        if found.published == Published::default() {
            let why =
                format!("{model} at the Hugging Face Hub: it says neither how many parameters nor which dimensions");
            found.not_seen.push(why);
        }
    }
    Ok(found)
}

/// A document of the Hub, or why there is none.
async fn document(cx: &Cx, base: &str, path: &str) -> Result<Value, String> {
    let reply = cx.fetch(base, path, MOST).await.map_err(|error| match error.code {
        ErrorCode::Timeout | ErrorCode::Cancelled => "no answer in time".to_owned(),
        _ => outside(&error.answered),
    })?;
    match reply.status {
        StatusCode::OK => serde_json::from_slice(&reply.body).map_err(|_| "the answer is no JSON".to_owned()),
        // The Hub does not tell what is private from what is not there.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Err("not public: private, gated, or there is no such model".to_owned())
        }
        StatusCode::NOT_FOUND => Err("there is none".to_owned()),
        StatusCode::TOO_MANY_REQUESTS => Err("it asks to slow down".to_owned()),
        status => Err(format!("it answered {}", status.as_u16())),
    }
}

/// The models asked for last, the latest first.
static LATEST: LazyLock<Mutex<VecDeque<(String, Published)>>> = LazyLock::new(Mutex::default);

fn recall(key: &str) -> Option<Published> {
    let mut latest = LATEST.lock().unwrap_or_else(PoisonError::into_inner);
    let at = latest.iter().position(|(known, _)| known == key)?;
    let entry = latest.remove(at)?;
    let published = entry.1;
    latest.push_front(entry);
    Some(published)
}

fn remember(key: String, published: Published) {
    let mut latest = LATEST.lock().unwrap_or_else(PoisonError::into_inner);
    latest.retain(|(known, _)| *known != key);
    latest.push_front((key, published));
    latest.truncate(REMEMBERED);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_a_repository_is_asked_for() {
        for (model, want) in [
            ("acme/foo-1", Some("acme/foo-1")),
            (" hf://acme/foo.v2 ", Some("acme/foo.v2")),
            ("foo", None),
            ("/models/foo", None),
            ("./models/foo", None),
            ("a/b/c", None),
            ("acme/..", None),
            ("acme/a..b", None),
            ("acme/foo?x=1", None),
            ("acme/foo bar", None),
            ("s3://acme/foo", None),
            ("acme/%2e%2e", None),
        ] {
            assert_eq!(repository(model), want, "{model}");
        }
        assert_eq!(repository(&format!("acme/{}", "x".repeat(97))), None);
    }

    #[test]
    fn the_models_asked_for_last_are_remembered() {
        let of = |at: usize| Published {
            params: Some(at as f64),
            dims: None,
        };
        for at in 0..REMEMBERED {
            remember(format!("test {at}"), of(at));
        }
        assert_eq!(recall("test 0"), Some(of(0)));
        remember("test new".into(), of(7));
        // The one that was recalled is not the oldest any more.
        assert_eq!((recall("test 1"), recall("test 0")), (None, Some(of(0))));
    }
}
