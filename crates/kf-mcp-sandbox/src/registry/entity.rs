//! What the registry stores, and which fields each kind of it has.

use serde_json::{Map, Value, json};

/// A kind of entity. `Any` stands for all artifacts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Model,
    Version,
    Environment,
    Service,
    ModelArtifact,
    Doc,
    Dataset,
    Metric,
    Parameter,
    Any,
}

/// How a field is written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    List,
    Double,
    Integer,
    /// Name of the Go type and its values.
    Enum(&'static str, &'static [&'static str]),
}

use Form::{Double, Enum, Integer, List, Text};

const LIVE: &[&str] = &["LIVE", "ARCHIVED"];
const ARTIFACT_STATE: Form = Enum(
    "ArtifactState",
    &[
        "UNKNOWN",
        "PENDING",
        "LIVE",
        "MARKED_FOR_DELETION",
        "DELETED",
        "ABANDONED",
        "REFERENCE",
    ],
);

impl Kind {
    /// The kind of a list path.
    pub(super) fn plural(path: &str) -> Option<Self> {
        Some(match path {
            "registered_models" => Self::Model,
            "model_versions" => Self::Version,
            "serving_environments" => Self::Environment,
            "inference_services" => Self::Service,
            "model_artifacts" => Self::ModelArtifact,
            "artifacts" => Self::Any,
            _ => return None,
        })
    }

    /// The kind of a find path.
    pub(super) fn singular(path: &str) -> Option<Self> {
        Self::plural(&format!("{path}s")).filter(|_| !path.is_empty())
    }

    /// The kind of an `artifactType`.
    pub(super) fn artifact(name: &str) -> Option<Self> {
        [
            Self::ModelArtifact,
            Self::Doc,
            Self::Dataset,
            Self::Metric,
            Self::Parameter,
        ]
        .into_iter()
        .find(|kind| kind.artifact_type() == name)
    }

    /// `artifactType`, empty for what is no artifact.
    pub(super) fn artifact_type(self) -> &'static str {
        match self {
            Self::ModelArtifact => "model-artifact",
            Self::Doc => "doc-artifact",
            Self::Dataset => "dataset-artifact",
            Self::Metric => "metric",
            Self::Parameter => "parameter",
            _ => "",
        }
    }

    pub(super) fn is_artifact(self) -> bool {
        self == Self::Any || !self.artifact_type().is_empty()
    }

    /// Whether an entity of kind `other` is found where this kind is asked for.
    pub(super) fn covers(self, other: Self) -> bool {
        self == other || (self == Self::Any && other.is_artifact())
    }

    /// How messages call it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Model => "registered model",
            Self::Version => "model version",
            Self::Environment => "serving environment",
            Self::Service => "inference service",
            Self::ModelArtifact => "model artifact",
            Self::Doc => "doc artifact",
            Self::Dataset => "data set",
            Self::Metric => "metric",
            Self::Parameter => "parameter",
            Self::Any => "artifact",
        }
    }

    /// Fields besides name, description, externalId, custom properties and times.
    pub(super) fn fields(self) -> &'static [(&'static str, Form)] {
        match self {
            Self::Model => &[
                ("owner", Text),
                ("state", Enum("RegisteredModelState", LIVE)),
                ("readme", Text),
                ("maturity", Text),
                ("language", List),
                ("tasks", List),
                ("provider", Text),
                ("logo", Text),
                ("license", Text),
                ("licenseLink", Text),
                ("libraryName", Text),
            ],
            Self::Version => &[
                ("registeredModelId", Text),
                ("author", Text),
                ("state", Enum("ModelVersionState", LIVE)),
            ],
            Self::Environment | Self::Any => &[],
            Self::Service => &[
                ("registeredModelId", Text),
                ("servingEnvironmentId", Text),
                ("modelVersionId", Text),
                ("runtime", Text),
                (
                    "desiredState",
                    Enum("InferenceServiceState", &["DEPLOYED", "UNDEPLOYED"]),
                ),
            ],
            Self::ModelArtifact => &[
                ("uri", Text),
                ("state", ARTIFACT_STATE),
                ("modelFormatName", Text),
                ("modelFormatVersion", Text),
                ("storageKey", Text),
                ("storagePath", Text),
                ("serviceAccountName", Text),
                ("modelSourceKind", Text),
                ("modelSourceClass", Text),
                ("modelSourceGroup", Text),
                ("modelSourceId", Text),
                ("modelSourceName", Text),
            ],
            Self::Doc => &[("uri", Text), ("state", ARTIFACT_STATE)],
            Self::Dataset => &[
                ("digest", Text),
                ("sourceType", Text),
                ("source", Text),
                ("schema", Text),
                ("profile", Text),
                ("uri", Text),
                ("state", ARTIFACT_STATE),
            ],
            Self::Metric => &[
                ("value", Double),
                ("timestamp", Text),
                ("step", Integer),
                ("state", ARTIFACT_STATE),
            ],
            Self::Parameter => &[("value", Text), ("parameterType", Text), ("state", ARTIFACT_STATE)],
        }
    }

    /// The form of a field, common ones included.
    pub(super) fn form(self, field: &str) -> Option<Form> {
        match field {
            "name" | "description" | "externalId" => Some(Text),
            _ => self
                .fields()
                .iter()
                .find(|(name, _)| *name == field)
                .map(|(_, form)| *form),
        }
    }

    /// What a create or an update must not leave out.
    pub(super) fn required(self) -> &'static [&'static str] {
        match self {
            Self::Model | Self::Environment => &["name"],
            Self::Version => &["name", "registeredModelId"],
            Self::Service => &["registeredModelId", "servingEnvironmentId"],
            _ => &[],
        }
    }

    /// The state that an omitted state means, for creations and (surprisingly) for updates alike.
    pub(super) fn default_state(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Model | Self::Version => Some(("state", "LIVE")),
            Self::Service => Some(("desiredState", "DEPLOYED")),
            Self::ModelArtifact => Some(("state", "UNKNOWN")),
            _ => None,
        }
    }
}

/// One stored entity.
#[derive(Debug, Clone)]
pub(super) struct Entity {
    pub(super) id: i64,
    pub(super) kind: Kind,
    /// The model of a version, the version of an artifact, the environment of a service; 0 without one.
    pub(super) parent: i64,
    pub(super) name: String,
    pub(super) fields: Map<String, Value>,
    pub(super) properties: Map<String, Value>,
    pub(super) created: i64,
    pub(super) updated: i64,
}

impl Entity {
    /// A text field, empty when it is not set.
    pub(super) fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// The name as the database has it: children carry their parent's id in front.
    pub(super) fn stored_name(&self) -> String {
        match self.kind {
            Kind::Model | Kind::Environment => self.name.clone(),
            _ => format!("{}:{}", self.parent, self.name),
        }
    }

    /// The JSON of an answer.
    pub(super) fn body(&self) -> Value {
        let mut body = self.fields.clone();
        body.insert("id".into(), json!(self.id.to_string()));
        body.insert("name".into(), json!(self.name));
        body.insert("customProperties".into(), Value::Object(self.properties.clone()));
        body.insert("createTimeSinceEpoch".into(), json!(self.created.to_string()));
        body.insert("lastUpdateTimeSinceEpoch".into(), json!(self.updated.to_string()));
        if self.kind.is_artifact() {
            body.insert("artifactType".into(), json!(self.kind.artifact_type()));
        }
        Value::Object(body)
    }
}
