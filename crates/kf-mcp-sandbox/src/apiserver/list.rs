//! Lists, page by page.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Call;
use super::answer::Answer;
use super::errors::{bad_request, too_large};
use super::selector::Selection;
use super::view::{Items, View};
use crate::Inner;
use crate::kinds::Kind;
use crate::status::Status;
use crate::store::{Store, text};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    kind: String,
    api_version: String,
    metadata: Meta,
    items: Items<'a>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Meta {
    resource_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#continue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_item_count: Option<usize>,
}

/// Where the next page begins. The same three fields as a real server's token, which clients must not look into.
#[derive(Serialize, Deserialize)]
struct Token {
    v: String,
    /// The version of the first page; -1 in a token that goes on with whatever there is now.
    rv: i64,
    start: String,
}

impl Token {
    fn write(rv: i64, last: &Value) -> String {
        let start = format!("{}/{}", text(last, "/metadata/namespace"), text(last, "/metadata/name"));
        Self {
            v: "meta.k8s.io/v1".to_owned(),
            rv,
            start,
        }
        .encode()
    }

    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn read(token: &str) -> Result<Self, Status> {
        let bad = |why: String| bad_request(format!("invalid continue token: continue key is not valid: {why}"));
        let bytes = URL_SAFE_NO_PAD
            .decode(token.trim_end_matches('='))
            .map_err(|error| bad(error.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))
    }
}

/// Answers a list.
pub(crate) fn list(inner: &Inner, call: &Call, kind: &'static Kind, expired: bool) -> Result<Answer, Status> {
    let selection = Selection::new(kind, &call.query)?;
    let limit = call
        .query
        .number("limit")?
        .and_then(|n| usize::try_from(n).ok())
        .filter(|&n| n > 0);
    let token = call.query.get("continue").map(Token::read).transpose()?;
    let (items, metadata) = inner.with(|state, _| {
        if token.is_none() {
            version(call, &state.store)?;
        }
        page(&state.store, call, kind, &selection, limit, token, expired)
    })?;
    Ok(answer(call, kind, &items, metadata))
}

/// The answer with these objects, as deletions of collections give it too.
pub(crate) fn of(call: &Call, kind: &Kind, items: &[Arc<Value>], version: u64) -> Answer {
    answer(
        call,
        kind,
        items,
        Meta {
            resource_version: version.to_string(),
            ..Meta::default()
        },
    )
}

fn answer(call: &Call, kind: &Kind, items: &[Arc<Value>], metadata: Meta) -> Answer {
    let (list, view) = match call.view {
        View::Metadata => (
            ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
            View::Metadata,
        ),
        // custom resources have no Go type that could forget its own
        _ => {
            let view = if kind.custom() { View::Whole } else { View::Bare };
            ((format!("{}List", kind.kind), kind.api_version()), view)
        }
    };
    let body = List {
        kind: list.0,
        api_version: list.1,
        metadata,
        items: Items(items, view),
    };
    Answer::json(StatusCode::OK, &body)
}

fn page(
    store: &Store,
    call: &Call,
    kind: &Kind,
    selection: &Selection,
    limit: Option<usize>,
    token: Option<Token>,
    expired: bool,
) -> Result<(Vec<Arc<Value>>, Meta), Status> {
    let now = i64::try_from(store.version()).unwrap_or(i64::MAX);
    let (after, version) = match token {
        None => (None, now),
        Some(token) => {
            let asked = u64::try_from(token.rv).ok();
            if expired || asked.is_some_and(|rv| rv < store.oldest()) {
                return Err(gone(token));
            }
            let after = token
                .start
                .split_once('/')
                .map(|(ns, name)| (ns.to_owned(), name.to_owned()));
            (after, if token.rv < 0 { now } else { token.rv })
        }
    };
    let after = after.as_ref().map(|(ns, name)| (ns.as_str(), name.as_str()));
    let all = store.list_after(kind, call.target.namespace.as_deref(), after);
    let mut selected = all.filter(|object| selection.is_all() || selection.matches(object));
    let items: Vec<Arc<Value>> = match limit {
        Some(limit) => selected.by_ref().take(limit).map(Arc::clone).collect(),
        None => selected.by_ref().map(Arc::clone).collect(),
    };
    let mut metadata = Meta {
        resource_version: version.to_string(),
        ..Meta::default()
    };
    if selected.next().is_some() {
        metadata.r#continue = items.last().map(|last| Token::write(version, last));
        // a real server knows the count only of what it does not have to filter
        metadata.remaining_item_count = selection.is_all().then(|| 1 + selected.count());
    }
    Ok((items, metadata))
}

fn gone(token: Token) -> Status {
    let message = "The provided continue parameter is too old to display a consistent list result. You can start a new \
                   list without the continue parameter, or use the continue token in this response to retrieve the \
                   remainder of the results. Continuing with the provided token results in an inconsistent list - \
                   objects that were created, modified, or deleted between the time the first chunk was returned and \
                   now may show up in the list.";
    let mut status = Status::new(410, "Expired", message);
    status.resume = Some(Token { rv: -1, ..token }.encode());
    status
}

/// Refuses a resourceVersion that is not a number or is yet to come. Older ones are answered with what there is now,
/// which is never older.
pub(crate) fn version(call: &Call, store: &Store) -> Result<Option<u64>, Status> {
    let Some(text) = call.query.get("resourceVersion") else {
        return Ok(None);
    };
    let Ok(version) = text.parse::<u64>() else {
        return Err(bad_request(format!(
            "resourceVersion: Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax"
        )));
    };
    if version > store.version() {
        return Err(too_large(version, store.version()));
    }
    if call.query.get("resourceVersionMatch") == Some("Exact") && version < store.oldest() {
        return Err(Status::new(
            410,
            "Expired",
            "The resourceVersion for the provided list is too old.",
        ));
    }
    Ok(Some(version))
}
