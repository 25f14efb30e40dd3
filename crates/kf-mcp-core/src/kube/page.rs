//! Lists: what to ask for, and the page that comes back.

use kube::core::params::ListParams;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Label selector.
    pub labels: Option<String>,
    /// Field selector.
    pub fields: Option<String>,
    /// At most this many.
    pub limit: Option<u32>,
    /// Go on after this token of the page before.
    pub cursor: Option<String>,
}

impl ListQuery {
    /// The same in the words of the `kube` crate.
    pub(super) fn params(&self) -> ListParams {
        ListParams {
            label_selector: self.labels.clone(),
            field_selector: self.fields.clone(),
            limit: self.limit,
            continue_token: self.cursor.clone(),
            ..ListParams::default()
        }
    }
}

/// One page of a list. The items are undecoded, so that one broken object breaks nothing.
#[derive(Debug)]
pub struct Page {
    /// The objects as the server wrote them.
    pub items: Vec<Box<RawValue>>,
    /// Where the next page begins, none on the last.
    pub next: Option<String>,
    /// How many there are after this page, where the server says so.
    pub remaining: Option<u64>,
    /// Version of the list, where a watch can go on.
    pub resource_version: String,
}

impl Page {
    /// The items as a type; those that do not fit are left out and counted.
    pub fn decode<T: DeserializeOwned>(&self) -> (Vec<T>, usize) {
        let decoded: Vec<T> = self
            .items
            .iter()
            .filter_map(|item| serde_json::from_str(item.get()).ok())
            .collect();
        let odd = self.items.len() - decoded.len();
        (decoded, odd)
    }
}

/// A list as the server writes it.
#[derive(Deserialize)]
pub(super) struct List {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(default, deserialize_with = "super::meta::null_is_empty")]
    items: Vec<Box<RawValue>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ListMeta {
    #[serde(rename = "continue")]
    next: Option<String>,
    remaining_item_count: Option<u64>,
    resource_version: String,
}

impl From<List> for Page {
    fn from(list: List) -> Self {
        Self {
            items: list.items,
            next: list.metadata.next.filter(|token| !token.is_empty()),
            remaining: list.metadata.remaining_item_count,
            resource_version: list.metadata.resource_version,
        }
    }
}
