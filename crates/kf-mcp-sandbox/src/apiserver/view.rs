//! How objects are written into answers: whole, without their type, or only their metadata. Nothing is cloned.

use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;

/// How much of an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// All of it.
    Whole,
    /// Without apiVersion and kind, as items of typed lists are.
    Bare,
    /// `PartialObjectMetadata`, of an apiVersion.
    Metadata(&'static str),
}

/// One object as a view shows it.
pub(crate) struct Shown<'a>(pub(crate) &'a Value, pub(crate) View);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.1, self.0.as_object()) {
            (View::Whole, _) | (_, None) => self.0.serialize(serializer),
            (View::Bare, Some(object)) => serializer.collect_map(
                object
                    .iter()
                    .filter(|(field, _)| !matches!(field.as_str(), "apiVersion" | "kind")),
            ),
            (View::Metadata(version), Some(_)) => {
                let mut map = serializer.serialize_map(Some(3))?;
                map.serialize_entry("kind", "PartialObjectMetadata")?;
                map.serialize_entry("apiVersion", version)?;
                map.serialize_entry("metadata", &self.0["metadata"])?;
                map.end()
            }
        }
    }
}

/// Many objects as a view shows them.
pub(crate) struct Items<'a>(pub(crate) &'a [Arc<Value>], pub(crate) View);

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
        for object in self.0 {
            seq.serialize_element(&Shown(object, self.1))?;
        }
        seq.end()
    }
}
