//! Label and field selectors.

mod fields;
mod labels;
mod names;

use serde_json::Value;

use super::query::Query;
use crate::kinds::Kind;
use crate::status::Status;
use crate::store::Store;
use fields::Field;
use labels::Label;

/// What of a collection a request is about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    labels: Vec<Label>,
    fields: Vec<Field>,
}

impl Selection {
    /// Reads `labelSelector` and `fieldSelector`.
    pub(crate) fn new(store: &Store, kind: &Kind, query: &Query) -> Result<Self, Status> {
        Self::parse(query)?.supported(store, kind)
    }

    /// Reads the selectors without asking whether a kind has the fields.
    pub(crate) fn parse(query: &Query) -> Result<Self, Status> {
        let labels = query.get("labelSelector").map(labels::parse).transpose()?;
        let fields = query.get("fieldSelector").map(fields::parse).transpose()?;
        Ok(Self {
            labels: labels.unwrap_or_default(),
            fields: fields.unwrap_or_default(),
        })
    }

    /// Refuses fields that objects of a kind cannot be selected by.
    pub(crate) fn supported(self, store: &Store, kind: &Kind) -> Result<Self, Status> {
        fields::supported(store, kind, &self.fields)?;
        Ok(self)
    }

    /// Whether everything is selected.
    pub(crate) fn is_all(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether an object is selected.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.fields.iter().all(|field| field.matches(object))
            && self
                .labels
                .iter()
                .all(|label| label.matches(&object["metadata"]["labels"]))
    }
}

#[cfg(test)]
mod tests;
