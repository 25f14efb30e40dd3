//! Lists, page by page.

use std::sync::Arc;

use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::Call;
use super::accept::Form;
use super::answer::Answer;
use super::listing::{self, Listing, Token, reached, selection};
use super::selector::Selection;
use super::tabular::Tabular;
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

/// The `metadata` of a list.
#[derive(Debug, Clone, Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Meta {
    resource_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#continue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_item_count: Option<usize>,
}

impl Meta {
    fn at(version: u64) -> Self {
        Self {
            resource_version: version.to_string(),
            ..Self::default()
        }
    }

    /// Of a list that is one object.
    pub(crate) fn of(object: &Value) -> Self {
        Self {
            resource_version: text(object, "/metadata/resourceVersion"),
            ..Self::default()
        }
    }
}

/// Answers a list.
pub(crate) fn list(
    inner: &Inner,
    call: &Call,
    kind: &'static Kind,
    form: Form,
    expired: bool,
) -> Result<Answer, Status> {
    let selection = inner.with(|state, _| selection(&state.store, call, kind))?;
    let listing = Listing::new(call)?;
    let tabular = Tabular::new(inner, call, kind, form)?;
    let (items, metadata, now) = inner.with(|state, now| {
        reached(call, &state.store)?;
        let (items, metadata) = page(&state.store, call, kind, &selection, &listing, expired)?;
        Ok((items, metadata, now))
    })?;
    Ok(match &tabular {
        Some(tabular) => {
            let objects = items.iter().map(AsRef::as_ref).collect();
            Answer::json(StatusCode::OK, &tabular.rows(objects, metadata, true, now))
        }
        None => answer(call.view, kind, &items, metadata),
    })
}

/// The answer with these objects, as deletions of collections give it too.
pub(crate) fn of(call: &Call, kind: &Kind, items: &[Arc<Value>], version: u64) -> Answer {
    answer(call.view, kind, items, Meta::at(version))
}

fn answer(view: View, kind: &Kind, items: &[Arc<Value>], mut metadata: Meta) -> Answer {
    let (list, api_version, view) = match view {
        View::Metadata(version) => ("PartialObjectMetadata", version.to_owned(), view),
        // custom resources have no Go type that could forget its own, nor one that could leave out an empty token
        _ if kind.custom() => {
            metadata.r#continue.get_or_insert_default();
            (kind.kind, kind.api_version(), View::Whole)
        }
        _ => (kind.kind, kind.api_version(), View::Bare),
    };
    let body = List {
        kind: format!("{list}List"),
        api_version,
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
    listing: &Listing,
    expired: bool,
) -> Result<(Vec<Arc<Value>>, Meta), Status> {
    let namespace = call.target.namespace.as_deref();
    let after = listing.token.as_ref().map(|token| token.place(call, kind));
    let version = listing.version.unwrap_or(store.version());
    let found = if expired && listing.token.is_some() {
        None
    } else if version == store.version() {
        Some(store.list_after(kind, namespace, after).map(Arc::clone).collect())
    } else {
        store.list_at(kind, namespace, after, version).ok()
    };
    let Some(found) = found else {
        return Err(gone(listing.token.as_ref()));
    };
    let found: Vec<Arc<Value>> = found;
    let mut selected = found
        .into_iter()
        .filter(|object| selection.is_all() || selection.matches(object));
    let items: Vec<Arc<Value>> = match listing.limit {
        Some(limit) => selected.by_ref().take(limit).collect(),
        None => selected.by_ref().collect(),
    };
    let mut metadata = Meta::at(version);
    if let (Some(_), Some(last)) = (selected.next(), items.last()) {
        let (namespace, name) = (text(last, "/metadata/namespace"), text(last, "/metadata/name"));
        metadata.r#continue = Some(Token::after(call, version, &namespace, &name).encode());
        // a real server knows the count only of what it does not have to filter
        metadata.remaining_item_count = selection.is_all().then(|| 1 + selected.count());
    }
    Ok((items, metadata))
}

/// 410 for a version that is no longer known; with a token comes another, with which the list can go on after all.
fn gone(token: Option<&Token>) -> Status {
    let Some(token) = token else {
        let message = "The resourceVersion for the provided list is too old.";
        return Status::new(410, "Expired", message);
    };
    let message = "The provided continue parameter is too old to display a consistent list result. You can start a new \
                   list without the continue parameter, or use the continue token in this response to retrieve the \
                   remainder of the results. Continuing with the provided token results in an inconsistent list - \
                   objects that were created, modified, or deleted between the time the first chunk was returned and \
                   now may show up in the list.";
    let mut status = Status::new(410, "Expired", message);
    status.resume = Some(token.inconsistent().encode());
    status
}

/// The resourceVersion of a get; refused when it is not a number or yet to come. An older one is answered with what
/// there is now, which is never older.
pub(crate) fn version(call: &Call, store: &Store) -> Result<Option<u64>, Status> {
    let version = listing::version(call)?;
    reached(call, store)?;
    Ok(version)
}
