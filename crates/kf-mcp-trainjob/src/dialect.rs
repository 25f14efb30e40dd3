//! [`Dialect`]: how a job says what its pods get beside their runtime. Trainer has changed that field twice.

use serde_json::{Value, json};

/// Our entry among a job's runtime patches. Each manager has one, and its name must be a domain with a path.
pub const PATCH_MANAGER: &str = "mcp.kubeflow.org/kubeflow-mcp";

/// How the training jobs of a cluster say what their pods get beside their runtime. All are `v1alpha1`: only the fields of
/// the kind tell them apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// `podSpecOverrides` of Trainer v2.0, without affinity and pull secrets.
    PodSpecOverrides,
    /// `podTemplateOverrides` of Trainer v2.1.
    PodTemplateOverrides,
    /// `runtimePatches`, since Trainer v2.2.
    #[default]
    RuntimePatches,
}

impl Dialect {
    /// All of them, the newest first.
    pub const ALL: [Self; 3] = [Self::RuntimePatches, Self::PodTemplateOverrides, Self::PodSpecOverrides];

    /// The field of a job's spec.
    pub fn field(self) -> &'static str {
        match self {
            Self::RuntimePatches => "runtimePatches",
            Self::PodTemplateOverrides => "podTemplateOverrides",
            Self::PodSpecOverrides => "podSpecOverrides",
        }
    }

    /// Which releases of Trainer speak it.
    pub fn release(self) -> &'static str {
        match self {
            Self::RuntimePatches => "v2.2 or later",
            Self::PodTemplateOverrides => "v2.1",
            Self::PodSpecOverrides => "v2.0",
        }
    }

    /// What the field says: for each part of the runtime by its name, what its pods get.
    pub(crate) fn written(self, parts: Vec<(&str, Value)>) -> Value {
        let each = parts.into_iter();
        if self == Self::RuntimePatches {
            let jobs: Vec<Value> = each
                .map(|(name, pod)| json!({"name": name, "template": {"spec": {"template": {"spec": pod}}}}))
                .collect();
            return json!([{
                "manager": PATCH_MANAGER,
                "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": jobs}}},
            }]);
        }
        let overridden = each.map(|(name, mut pod)| {
            if self == Self::PodTemplateOverrides {
                pod = json!({"spec": pod});
            }
            pod["targetJobs"] = json!([{"name": name}]);
            pod
        });
        overridden.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialect_says_the_same_in_its_own_form() {
        let parts = || {
            vec![
                ("node", json!({"nodeSelector": {"a": "b"}})),
                ("launcher", json!({"volumes": []})),
            ]
        };
        assert_eq!(
            Dialect::PodTemplateOverrides.written(parts()),
            json!([
                {"targetJobs": [{"name": "node"}], "spec": {"nodeSelector": {"a": "b"}}},
                {"targetJobs": [{"name": "launcher"}], "spec": {"volumes": []}},
            ])
        );
        assert_eq!(
            Dialect::PodSpecOverrides.written(parts()),
            json!([
                {"targetJobs": [{"name": "node"}], "nodeSelector": {"a": "b"}},
                {"targetJobs": [{"name": "launcher"}], "volumes": []},
            ])
        );
        let newest = Dialect::RuntimePatches.written(parts());
        assert_eq!(newest[0]["manager"], PATCH_MANAGER);
        assert_eq!(
            newest.pointer("/0/trainingRuntimeSpec/template/spec/replicatedJobs/0"),
            Some(&json!({"name": "node", "template": {"spec": {"template": {"spec": {"nodeSelector": {"a": "b"}}}}}}))
        );
        assert!(Dialect::ALL.is_sorted_by(|newer, older| newer > older));
    }
}
