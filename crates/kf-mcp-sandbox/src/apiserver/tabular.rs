//! Tables as answers: rows of objects, with as much of the objects as the client wants.

use jiff::Timestamp;
use serde::Serialize;
use serde::ser::Serializer;
use serde_json::Value;

use super::Call;
use super::accept::Form;
use super::answer::{Answer, Payload};
use super::errors::bad_request;
use super::list::Meta;
use super::view::{Shown, View};
use crate::Inner;
use crate::kinds::Kind;
use crate::status::Status;
use crate::table::{Printer, Row};

/// How tables are made for one request.
#[derive(Debug)]
pub(crate) struct Tabular {
    printer: Printer,
    version: &'static str,
    include: Include,
}

/// How much of its object a row brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Include {
    Nothing,
    Metadata,
    Object,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Table<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Meta,
    column_definitions: Option<&'a Value>,
    rows: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    cells: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conditions: Option<Value>,
    object: Option<Shown<'a>>,
}

/// A table of objects, to be written.
pub(crate) struct Rows<'a> {
    tabular: &'a Tabular,
    objects: Vec<&'a Value>,
    metadata: Meta,
    headers: bool,
    now: Timestamp,
}

impl Tabular {
    /// What a request says about its table; nothing when it wants none.
    pub(crate) fn new(inner: &Inner, call: &Call, kind: &'static Kind, form: Form) -> Result<Option<Self>, Status> {
        let Form::Table(version) = form else { return Ok(None) };
        let include = match call.query.get("includeObject") {
            Some("None") => Include::Nothing,
            Some("Metadata") | None => Include::Metadata,
            Some("Object") => Include::Object,
            Some(other) => {
                return Err(bad_request(format!(
                    "Unable to convert to Table as requested: includeObject: Invalid value: \"{other}\": must be \
                     'Metadata', 'Object', 'None', or empty"
                )));
            }
        };
        let printer = inner.with(|state, _| Printer::new(&state.store, kind));
        Ok(Some(Self {
            printer,
            version,
            include,
        }))
    }

    /// A table of objects; without `headers` the columns are not described.
    pub(crate) fn rows<'a>(
        &'a self,
        objects: Vec<&'a Value>,
        metadata: Meta,
        headers: bool,
        now: Timestamp,
    ) -> Rows<'a> {
        Rows {
            tabular: self,
            objects,
            metadata,
            headers,
            now,
        }
    }

    /// Turns an answer with one object into a table of it. Other answers stay as they are.
    pub(crate) fn answer(&self, answer: Answer, kind: &Kind, now: Timestamp) -> Answer {
        let Payload::Whole(bytes) = &answer.payload else {
            return answer;
        };
        match serde_json::from_slice::<Value>(bytes) {
            Ok(object) if object["kind"] == kind.kind => {
                let metadata = Meta::of(&object);
                let mut table = Answer::json(answer.code, &self.rows(vec![&object], metadata, true, now));
                table.headers = answer.headers;
                table
            }
            _ => answer,
        }
    }

    fn line<'a>(&self, object: &'a Value, now: Timestamp) -> Line<'a> {
        let Row { cells, conditions } = self.printer.row(object, now);
        // the bookmark after the initial events is told by its annotation, which must not be lost
        let marked = !object["metadata"]["annotations"]["k8s.io/initial-events-end"].is_null();
        let object = match self.include {
            Include::Object => Some(Shown(object, View::Whole)),
            Include::Nothing if !marked => None,
            _ => Some(Shown(object, View::Metadata(self.version))),
        };
        Line {
            cells,
            conditions,
            object,
        }
    }
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let table = Table {
            kind: "Table",
            api_version: self.tabular.version,
            metadata: self.metadata.clone(),
            column_definitions: self.headers.then(|| self.tabular.printer.columns()),
            rows: self
                .objects
                .iter()
                .map(|object| self.tabular.line(object, self.now))
                .collect(),
        };
        table.serialize(serializer)
    }
}
