//! Schemas in writing: what the types of a module's tools say, kept in a file beside them. A server that lists its tools reads
//! the file instead of walking through every type at each start, and a reviewer sees what a change does to clients.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{input_schema, listed, output_schema};
use crate::module::ClientModule;
use crate::tool::Entry;

/// What clients are told of one tool's arguments and answer.
#[derive(Debug)]
pub(crate) struct Schemas {
    /// What the model reads first.
    pub(crate) description: String,
    /// Arguments, as they are listed.
    pub(crate) input: Arc<Map<String, Value>>,
    /// Answer.
    pub(crate) output: Arc<Map<String, Value>>,
}

impl Schemas {
    /// As the tool's types say it.
    pub(crate) fn of_types(entry: &Entry) -> Self {
        let (rules, description) = input_schema((entry.input)(), entry.change);
        Self {
            description,
            input: Arc::new(listed(rules)),
            output: Arc::new(output_schema((entry.output)())),
        }
    }
}

/// The schemas of one tool in writing, not read yet.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Written {
    #[serde(borrow)]
    description: &'static RawValue,
    #[serde(borrow)]
    input: &'static RawValue,
    #[serde(borrow)]
    output: &'static RawValue,
}

impl Written {
    /// Those of a module, by tool. They are read one by one: who may see few tools needs few. A text that is no such JSON counts for
    /// nothing as a whole.
    pub(crate) fn of_module(module: &dyn ClientModule) -> BTreeMap<&'static str, Self> {
        let text = module.schemas().unwrap_or("{}");
        serde_json::from_str(text).unwrap_or_default()
    }

    /// Nothing, where the text is none of ours: the types know it all.
    pub(crate) fn read(self) -> Option<Schemas> {
        Some(Schemas {
            description: serde_json::from_str(self.description.get()).ok()?,
            input: Arc::new(serde_json::from_str(self.input.get()).ok()?),
            output: Arc::new(serde_json::from_str(self.output.get()).ok()?),
        })
    }
}

/// The text that a module's [`ClientModule::schemas`] holds, as its types say it now: JSON, one object for each tool by name.
pub fn in_writing(module: &dyn ClientModule) -> String {
    let entries = module.tools();
    let written = entries.iter().map(|entry| {
        let schemas = Schemas::of_types(entry);
        let told = json!({
            "description": schemas.description,
            "input": *schemas.input,
            "output": *schemas.output,
        });
        (entry.spec.name.to_owned(), told)
    });
    format!("{:#}\n", Value::Object(written.collect()))
}
