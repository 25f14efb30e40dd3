//! The argument that holds a runtime, or a part of one: the whole object, its spec, or the useful parts of that.

use kf_mcp_core::names::nearest;
use kf_mcp_core::text;
use kf_mcp_trainjob::{API_VERSION, FRAMEWORK_LABEL, RuntimeScope};
use serde_json::{Map, Value, json};

use super::Problem;

/// The fields of a runtime's spec.
const PARTS: [&str; 3] = ["mlPolicy", "podGroupPolicy", "template"];
/// The fields of metadata that callers write.
const MARKS: [&str; 2] = ["labels", "annotations"];
/// What a copied object brings along and the server makes anew.
const BOOKKEEPING: [&str; 6] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "selfLink",
];
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What the argument is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// A new object, in `spec`.
    New,
    /// A change of one, in `patch`: nulls remove.
    Patch,
}

impl Use {
    /// The argument.
    pub(crate) const fn argument(self) -> &'static str {
        match self {
            Self::New => "spec",
            Self::Patch => "patch",
        }
    }
}

/// A runtime, or a part of one, put in order.
#[derive(Debug, Default)]
pub(crate) struct Form {
    labels: Map<String, Value>,
    annotations: Map<String, Value>,
    spec: Map<String, Value>,
    /// What was moved or left out.
    pub(crate) notes: Vec<String>,
    /// What cannot be right.
    pub(crate) problems: Vec<Problem>,
}

impl Form {
    /// Reads the argument for the runtime of a name and scope.
    pub(crate) fn read(given: &Map<String, Value>, of: Use, name: &str, namespace: Option<&str>) -> Self {
        let mut form = Self::default();
        let scope = scope(namespace);
        for (key, value) in given {
            let field = join(of.argument(), key);
            match key.as_str() {
                "apiVersion" if value == API_VERSION => {}
                "apiVersion" => form.problem(field, format!("must be {API_VERSION}")),
                "kind" if value == scope.kind() => {}
                "kind" => {
                    let how = match scope {
                        RuntimeScope::Cluster => "give namespace for a TrainingRuntime",
                        RuntimeScope::Namespace => "leave namespace out for a ClusterTrainingRuntime",
                    };
                    form.problem(field, format!("must be {}: {how}", scope.kind()));
                }
                "metadata" => form.metadata(value, &field, name, namespace),
                "spec" => form.inner(value, &field),
                // in a patch these are parts like the others
                marks if of == Use::Patch && MARKS.contains(&marks) => form.marks(marks, value, &field),
                other => form.part(other, value, &field),
            }
        }
        form
    }

    /// Sets the framework label.
    pub(crate) fn framework(&mut self, framework: &str) {
        let other = self.labels.get(FRAMEWORK_LABEL).and_then(Value::as_str);
        if let Some(other) = other.filter(|other| *other != framework) {
            let why = format!(
                "is {framework}, but the label {FRAMEWORK_LABEL} is {}",
                text::clean(other)
            );
            self.problem("framework".to_owned(), why);
        }
        self.labels.insert(FRAMEWORK_LABEL.into(), json!(framework));
    }

    /// The body of a new object.
    pub(crate) fn body(&self, name: &str, namespace: Option<&str>, marks: &[(&str, String)]) -> Value {
        let mut metadata = Map::from_iter([("name".to_owned(), json!(name))]);
        if let Some(namespace) = namespace {
            metadata.insert("namespace".into(), json!(namespace));
        }
        let mut labels = self.labels.clone();
        labels.extend(marks.iter().map(|(key, value)| ((*key).to_owned(), json!(value))));
        metadata.insert("labels".into(), labels.into());
        if !self.annotations.is_empty() {
            metadata.insert("annotations".into(), self.annotations.clone().into());
        }
        json!({"apiVersion": API_VERSION, "kind": scope(namespace).kind(), "metadata": metadata, "spec": self.spec})
    }

    /// The JSON merge patch.
    pub(crate) fn patch(&self) -> Value {
        let mut patch = Map::new();
        for (key, marks) in MARKS.into_iter().zip([&self.labels, &self.annotations]) {
            if !marks.is_empty() {
                let metadata = patch.entry("metadata").or_insert_with(|| json!({}));
                metadata[key] = marks.clone().into();
            }
        }
        if !self.spec.is_empty() {
            patch.insert("spec".into(), self.spec.clone().into());
        }
        patch.into()
    }

    fn problem(&mut self, field: String, why: impl Into<String>) {
        self.problems.push((field, why.into()));
    }

    fn inner(&mut self, value: &Value, field: &str) {
        let Value::Object(parts) = value else {
            return self.problem(field.to_owned(), "must be an object");
        };
        for (key, value) in parts {
            self.part(key, value, &join(field, key));
        }
    }

    /// A part of the spec; labels and annotations are none, but what is meant is clear.
    fn part(&mut self, key: &str, value: &Value, field: &str) {
        if MARKS.contains(&key) {
            self.notes
                .push(format!("{field} is no field of a runtime: taken as metadata.{key}"));
            return self.marks(key, value, field);
        }
        if !PARTS.contains(&key) {
            let hint = nearest(key, PARTS).map_or_else(
                || format!("there are {}", PARTS.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            return self.problem(field.to_owned(), format!("is no field of a runtime; {hint}"));
        }
        if self.spec.insert(key.to_owned(), value.clone()).is_some() {
            self.problem(field.to_owned(), "is given twice");
        }
    }

    fn metadata(&mut self, value: &Value, field: &str, name: &str, namespace: Option<&str>) {
        let Value::Object(metadata) = value else {
            return self.problem(field.to_owned(), "must be an object");
        };
        for (key, value) in metadata {
            let field = join(field, key);
            match key.as_str() {
                "name" if value == name => {}
                "namespace" if value.as_str() == namespace => {}
                "name" | "namespace" => self.problem(field, format!("differs from the argument {key}")),
                key if MARKS.contains(&key) => self.marks(key, value, &field),
                key if BOOKKEEPING.contains(&key) => {
                    self.notes.push(format!("{field} is the server's own and left out"));
                }
                _ => self.problem(field, "is not set by this tool: only labels and annotations are"),
            }
        }
    }

    fn marks(&mut self, key: &str, value: &Value, field: &str) {
        let Value::Object(marks) = value else {
            return self.problem(field.to_owned(), "must be an object");
        };
        for (mark, value) in marks.iter().filter(|(mark, _)| *mark != LAST_APPLIED) {
            if !value.is_string() && !value.is_null() {
                self.problem(join(field, mark), "must be a text");
            }
            let all = if key == "labels" {
                &mut self.labels
            } else {
                &mut self.annotations
            };
            all.insert(mark.clone(), value.clone());
        }
    }
}

/// The scope that a namespace, or none, means.
pub(crate) fn scope(namespace: Option<&str>) -> RuntimeScope {
    match namespace {
        Some(_) => RuntimeScope::Namespace,
        None => RuntimeScope::Cluster,
    }
}

fn join(path: &str, key: &str) -> String {
    format!("{path}.{}", text::bounded(&text::clean(key), 80))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: Value, of: Use, namespace: Option<&str>) -> Form {
        let Value::Object(given) = given else { unreachable!() };
        Form::read(&given, of, "r", namespace)
    }

    #[test]
    fn the_whole_object_its_spec_and_its_parts_mean_the_same() {
        let whole = json!({"apiVersion": API_VERSION, "kind": "ClusterTrainingRuntime",
            "metadata": {"name": "r", "uid": "u", "labels": {"a": "b"}, "annotations": {LAST_APPLIED: "{}"}},
            "spec": {"mlPolicy": {"torch": {}}, "template": {}}});
        let parts = json!({"mlPolicy": {"torch": {}}, "template": {}, "labels": {"a": "b"}});
        let bodies = [whole, parts].map(|given| {
            let form = read(given, Use::New, None);
            assert_eq!(form.problems, []);
            (form.body("r", None, &[]), form.notes.len())
        });
        assert_eq!(bodies[0], bodies[1]);
        assert_eq!(bodies[0].0["metadata"], json!({"name": "r", "labels": {"a": "b"}}));
        assert_eq!(bodies[0].1, 1, "what was left out is told");
    }

    #[test]
    fn what_cannot_be_meant_is_told_with_its_place() {
        let given = json!({"kind": "TrainingRuntime", "apiVersion": "v1", "mlpolicy": {}, "status": {},
            "metadata": {"name": "other", "finalizers": []}, "spec": {"template": 1, "replicas": 2}, "template": {}});
        let form = read(given, Use::New, None);
        let told: Vec<String> = form
            .problems
            .iter()
            .map(|(field, why)| format!("{field} {why}"))
            .collect();
        assert_eq!(
            told,
            [
                "spec.apiVersion must be trainer.kubeflow.org/v1alpha1",
                "spec.kind must be ClusterTrainingRuntime: give namespace for a TrainingRuntime",
                "spec.metadata.finalizers is not set by this tool: only labels and annotations are",
                "spec.metadata.name differs from the argument name",
                "spec.mlpolicy is no field of a runtime; did you mean `mlPolicy`?",
                "spec.spec.replicas is no field of a runtime; there are mlPolicy, podGroupPolicy, template",
                "spec.status is no field of a runtime; there are mlPolicy, podGroupPolicy, template",
                "spec.template is given twice",
            ]
        );
    }

    #[test]
    fn a_patch_holds_only_what_was_given() {
        let form = read(
            json!({"metadata": {"labels": {"a": null}}, "mlPolicy": {"numNodes": 2}}),
            Use::Patch,
            Some("n"),
        );
        assert_eq!(
            form.patch(),
            json!({"metadata": {"labels": {"a": null}}, "spec": {"mlPolicy": {"numNodes": 2}}})
        );
        assert_eq!(read(json!({}), Use::Patch, None).patch(), json!({}));
    }

    #[test]
    fn the_framework_must_not_contradict_the_label() {
        let mut form = read(json!({"labels": {FRAMEWORK_LABEL: "jax"}}), Use::New, None);
        form.framework("torch");
        assert_eq!(form.problems[0].0, "framework");
    }
}
