//! Tables of custom kinds, whose columns are in their CustomResourceDefinition.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::path::Path;
use super::{COLUMNS, age, at, list, name};
use crate::kinds::Kind;
use crate::store::Store;

/// The columns of a custom kind.
#[derive(Debug)]
pub(super) struct Custom {
    columns: Value,
    /// Type and path of all columns but the first.
    paths: Vec<(String, Option<Path>)>,
}

impl Custom {
    /// Reads the printer columns of the version that is served; without any there is the age.
    pub(super) fn new(store: &Store, kind: &Kind) -> Self {
        let definition = Kind::named("CustomResourceDefinition")
            .and_then(|definitions| store.get(definitions, "", &kind.qualified()));
        let version = definition
            .map(|definition| list(definition, "/spec/versions"))
            .unwrap_or_default()
            .iter()
            .find(|version| version["name"] == kind.version);
        let printed = version.map(|version| list(version, "/additionalPrinterColumns"));
        match printed {
            Some(printed) if !printed.is_empty() => Self::of(printed),
            _ => Self::of(&[json!({
                "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp",
                "description": COLUMNS["ServiceAccount"][1]["description"],
            })]),
        }
    }

    fn of(printed: &[Value]) -> Self {
        let mut columns = vec![COLUMNS["ServiceAccount"][0].clone()];
        let mut paths = Vec::new();
        for column in printed {
            let path = at(column, "/jsonPath");
            let description = match at(column, "/description") {
                "" => format!("Custom resource definition column (in JSONPath format): {path}"),
                description => description.to_owned(),
            };
            columns.push(json!({
                "name": at(column, "/name"), "type": at(column, "/type"), "format": at(column, "/format"),
                "description": description, "priority": column["priority"].as_i64().unwrap_or_default(),
            }));
            paths.push((at(column, "/type").to_owned(), Path::new(path)));
        }
        Self {
            columns: Value::Array(columns),
            paths,
        }
    }

    /// The column definitions.
    pub(super) fn columns(&self) -> &Value {
        &self.columns
    }

    /// The cells of an object; one without a value is null.
    pub(super) fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let cell = |(kind, path): &(String, Option<Path>)| {
            let value = path.as_ref().and_then(|path| path.first(object));
            value.map_or(Value::Null, |value| cell(kind, value, now))
        };
        std::iter::once(name(object))
            .chain(self.paths.iter().map(cell))
            .collect()
    }
}

/// A value as a column of a type shows it; one of another type shows nothing.
fn cell(kind: &str, value: &Value, now: Timestamp) -> Value {
    match (kind, value) {
        ("string", Value::String(_)) | ("boolean", Value::Bool(_)) => value.clone(),
        ("string", Value::Null) => json!("<nil>"),
        ("string", other) => json!(other.to_string()),
        ("date", Value::String(moment)) if moment.parse::<Timestamp>().is_err() => json!("<invalid>"),
        ("date", Value::String(_)) => json!(age::since(value, now)),
        #[expect(clippy::cast_possible_truncation, reason = "as the API server does")]
        ("integer", Value::Number(number)) => {
            json!(number.as_i64().or_else(|| number.as_f64().map(|float| float as i64)))
        }
        ("number", Value::Number(number)) => json!(number.as_f64()),
        _ => Value::Null,
    }
}
