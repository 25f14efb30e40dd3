//! Cases as the files describe them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// A sequence of requests about one thing.
#[derive(Debug, Clone)]
pub struct Case {
    /// File and name: `lists/pages`.
    pub name: String,
    /// What is sent, in order.
    pub steps: Vec<Step>,
    /// Objects of the file that bodies are made from.
    pub objects: BTreeMap<String, Value>,
}

/// One request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Method and path with query. `{ns}` is the namespace, `{core}`, `{trainjobs}`, `{jobs}` are the paths of kinds in
    /// it, other names are what earlier steps saved.
    pub ask: String,
    /// Content type; `none` sends none. Without it, JSON.
    #[serde(default)]
    pub r#type: Option<String>,
    /// The body.
    #[serde(default)]
    pub body: Option<Value>,
    /// The body as it is, JSON or not.
    #[serde(default)]
    pub raw: Option<String>,
    /// The body is this object of the file.
    #[serde(default)]
    pub object: Option<String>,
    /// Merged into `object` as a merge patch is.
    #[serde(default)]
    pub merge: Option<Value>,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Names for later steps of strings or numbers in the answer, by JSON pointer.
    #[serde(default)]
    pub save: BTreeMap<String, String>,
    /// Sent again and again until the answer has these values, by JSON pointer; only the last answer counts.
    #[serde(default)]
    pub until: Map<String, Value>,
    /// Only must succeed; the answers are not compared.
    #[serde(default)]
    pub silent: bool,
    /// Only these parts of the body are compared, by JSON pointer.
    #[serde(default)]
    pub only: Vec<String>,
    /// Lists that are in no order on the real server, by JSON pointer; they are compared sorted.
    #[serde(default)]
    pub sorted: Vec<String>,
    /// Who manages which fields is compared too.
    #[serde(default)]
    pub owners: bool,
    /// Differences that stay.
    #[serde(default)]
    pub allowed: Vec<Allowed>,
}

/// A difference that stays.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    /// Where: what the path of the difference begins with.
    pub at: String,
    /// The row of the sandbox's FIDELITY.md that says why.
    pub row: String,
}

impl Allowed {
    /// Whether a difference, as [`super::differences`] writes it, is this one.
    pub(crate) fn covers(&self, difference: &str) -> bool {
        difference.starts_with(&self.at)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    objects: BTreeMap<String, Value>,
    cases: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    steps: Vec<Step>,
}

/// Reads a file.
///
/// # Panics
/// When it is not as it should be.
#[allow(clippy::panic, reason = "a test's data is part of the test")]
pub(super) fn read(name: &str, text: &str) -> Vec<Case> {
    let file: File = serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{name}.yaml: {error}"));
    let cases = file.cases.into_iter().map(|case| Case {
        name: format!("{name}/{}", case.name),
        steps: case.steps,
        objects: file.objects.clone(),
    });
    cases.collect()
}
