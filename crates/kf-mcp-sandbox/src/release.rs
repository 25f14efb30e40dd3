//! Which release of Kubeflow Trainer a cluster has: what a TrainJob's fields are.

use std::sync::LazyLock;

use serde_json::Value;

use crate::kinds::Kind;

/// A release of Kubeflow Trainer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Release {
    /// v2.0: jobs have `podSpecOverrides`.
    V2_0,
    /// v2.1: jobs have `podTemplateOverrides`.
    V2_1,
    /// v2.3, which the rest of the sandbox is like.
    #[default]
    V2_3,
}

static V2_0: LazyLock<Value> = LazyLock::new(|| read(include_str!("scenarios/trainjob-v2.0.yaml")));
static V2_1: LazyLock<Value> = LazyLock::new(|| read(include_str!("scenarios/trainjob-v2.1.yaml")));

fn read(schema: &str) -> Value {
    serde_saphyr::from_str(schema).unwrap_or_default()
}

impl Release {
    /// All of them, by their names.
    pub const ALL: [(&'static str, Self); 3] = [("v2.0", Self::V2_0), ("v2.1", Self::V2_1), ("v2.3", Self::V2_3)];

    /// The schema that the definition of a kind carries in this release, where it is another than usual.
    pub(crate) fn schema(self, kind: &Kind) -> Option<&'static Value> {
        match self {
            _ if kind.kind != "TrainJob" => None,
            Self::V2_0 => Some(&V2_0),
            Self::V2_1 => Some(&V2_1),
            Self::V2_3 => None,
        }
    }
}
