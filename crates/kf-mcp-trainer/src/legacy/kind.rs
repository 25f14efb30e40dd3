//! The kinds, and the `kind` argument that names one.

use std::borrow::Cow;
use std::fmt;

use kf_mcp_core::kube::Resource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One kind of the training operator v1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LegacyKind {
    /// As in objects: `PyTorchJob`.
    pub(crate) name: &'static str,
    /// Where it is served.
    pub(crate) resource: Resource,
    /// The field of the spec with the replicas.
    pub(crate) replicas: &'static str,
    /// The replica types as labels have them, those that lead the others first.
    pub(crate) types: &'static [&'static str],
    /// The container that trains.
    pub(crate) container: &'static str,
    /// What its lists are called in cursors.
    pub(crate) list: &'static str,
}

macro_rules! kinds {
    ($($name:literal, $plural:literal, $replicas:literal, $types:expr, $container:literal;)*) => {
        /// All kinds, the most used first.
        pub(crate) static KINDS: &[LegacyKind] = &[$(LegacyKind {
            name: $name,
            resource: Resource::new("kubeflow.org", "v1", $plural),
            replicas: $replicas,
            types: $types,
            container: $container,
            list: concat!("list_training_jobs of kind ", $name),
        }),*];
    };
}

kinds! {
    "PyTorchJob", "pytorchjobs", "pytorchReplicaSpecs", &["master", "worker"], "pytorch";
    "TFJob", "tfjobs", "tfReplicaSpecs", &["chief", "master", "worker", "ps", "evaluator"], "tensorflow";
    "MPIJob", "mpijobs", "mpiReplicaSpecs", &["launcher", "worker"], "mpi";
    "XGBoostJob", "xgboostjobs", "xgbReplicaSpecs", &["master", "worker"], "xgboost";
    "JAXJob", "jaxjobs", "jaxReplicaSpecs", &["worker"], "jax";
    "PaddleJob", "paddlejobs", "paddleReplicaSpecs", &["master", "worker"], "paddle";
}

/// MPIJobs of the MPI operator: the same plural in a version of its own.
pub(crate) const MPI_V2: Resource = Resource::new("kubeflow.org", "v2beta1", "mpijobs");

/// A tool's own accesses, and one to each v1 kind with the given verbs: `["get"].degrades(); Access::new(…), …`.
macro_rules! with_legacy {
    ([$($verb:literal),*] $(. $how:ident($($argument:expr)?))*; $($own:expr),* $(,)?) => {
        &[
            $($own,)*
            kf_mcp_core::Access::new("kubeflow.org", "pytorchjobs", &[$($verb),*])$(.$how($($argument)?))*,
            kf_mcp_core::Access::new("kubeflow.org", "tfjobs", &[$($verb),*])$(.$how($($argument)?))*,
            kf_mcp_core::Access::new("kubeflow.org", "mpijobs", &[$($verb),*])$(.$how($($argument)?))*,
            kf_mcp_core::Access::new("kubeflow.org", "xgboostjobs", &[$($verb),*])$(.$how($($argument)?))*,
            kf_mcp_core::Access::new("kubeflow.org", "jaxjobs", &[$($verb),*])$(.$how($($argument)?))*,
            kf_mcp_core::Access::new("kubeflow.org", "paddlejobs", &[$($verb),*])$(.$how($($argument)?))*,
        ]
    };
}
pub(crate) use with_legacy;

impl LegacyKind {
    /// The resource of an object of this kind, in the version that the object has.
    pub(crate) fn resource_of(&self, version: &str) -> &'static Resource {
        let v2 = self.resource.plural == MPI_V2.plural && version.ends_with(MPI_V2.version);
        let own = KINDS.iter().find(|kind| kind.name == self.name);
        match own {
            Some(kind) if !v2 => &kind.resource,
            _ => &MPI_V2,
        }
    }

    pub(crate) fn named(word: &str) -> Option<&'static Self> {
        let word = word.trim();
        let fits =
            |kind: &&Self| kind.name.eq_ignore_ascii_case(word) || kind.resource.plural.eq_ignore_ascii_case(word);
        KINDS.iter().find(fits)
    }
}

/// What sort of training job is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum JobKind {
    /// A job of Trainer v2.
    #[default]
    TrainJob,
    /// One of the training operator v1.
    Legacy(&'static LegacyKind),
}

impl JobKind {
    /// The kind as objects have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TrainJob => "TrainJob",
            Self::Legacy(kind) => kind.name,
        }
    }

    /// The kind in a sentence: a TrainJob is what everybody means by a training job.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::TrainJob => "training job",
            Self::Legacy(kind) => kind.name,
        }
    }

    /// The v1 kind, none for a TrainJob.
    pub(crate) fn legacy(self) -> Option<&'static LegacyKind> {
        match self {
            Self::TrainJob => None,
            Self::Legacy(kind) => Some(kind),
        }
    }

    /// Reads a kind, or its plural, in any case.
    fn read(word: &str) -> Result<Self, String> {
        if ["trainjob", "trainjobs"].contains(&word.trim().to_ascii_lowercase().as_str()) {
            return Ok(Self::TrainJob);
        }
        LegacyKind::named(word).map(Self::Legacy).ok_or_else(|| {
            let shown: String = word.chars().filter(|c| !c.is_control()).take(40).collect();
            let all: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
            format!("`kind` must be one of TrainJob, {}, not `{shown}`", all.join(", "))
        })
    }
}

impl fmt::Display for JobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for JobKind {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for JobKind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::read(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

/// The kind of a list: one, or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KindOrAll {
    /// This one.
    One(JobKind),
    /// TrainJobs and every v1 kind that is served.
    All,
}

impl Default for KindOrAll {
    fn default() -> Self {
        Self::One(JobKind::TrainJob)
    }
}

impl<'de> Deserialize<'de> for KindOrAll {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let word = String::deserialize(from)?;
        if matches!(word.trim(), "*" | "all") {
            return Ok(Self::All);
        }
        JobKind::read(&word).map(Self::One).map_err(de::Error::custom)
    }
}

macro_rules! plain_text {
    ($($type:ident),*) => {$(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            // The names are not listed: each word of a schema is read in every session, and the error lists them.
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string"})
            }
        }
    )*};
}
plain_text!(JobKind, KindOrAll);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_kind_is_known_by_its_name_and_plural_in_any_case() {
        for (word, name) in [
            ("TrainJob", "TrainJob"),
            ("trainjobs", "TrainJob"),
            ("pytorchjob", "PyTorchJob"),
            (" TFJOBS ", "TFJob"),
            ("MPIJob", "MPIJob"),
            ("XGBoostJob", "XGBoostJob"),
            ("JAXJob", "JAXJob"),
            ("paddlejobs", "PaddleJob"),
        ] {
            let kind: JobKind = serde_json::from_value(json!(word)).unwrap();
            assert_eq!(kind.name(), name);
            assert_eq!(
                serde_json::from_value::<KindOrAll>(json!(word)).unwrap(),
                KindOrAll::One(kind)
            );
        }
        for all in ["*", "all"] {
            assert_eq!(serde_json::from_value::<KindOrAll>(json!(all)).unwrap(), KindOrAll::All);
        }
        let refused = serde_json::from_value::<JobKind>(json!("Job\u{7}"))
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("PyTorchJob") && refused.contains("not `Job`"),
            "{refused}"
        );
        assert!(serde_json::from_value::<JobKind>(json!("*")).is_err());
    }

    #[test]
    fn an_object_is_written_in_the_version_it_has() {
        for kind in KINDS {
            assert_eq!(kind.resource_of("kubeflow.org/v1"), &kind.resource);
        }
        let mpi = LegacyKind::named("mpijob").unwrap();
        assert_eq!(mpi.resource_of("kubeflow.org/v2beta1").version, "v2beta1");
    }

    #[test]
    fn every_kind_has_its_access() {
        let declared: &[kf_mcp_core::Access] = with_legacy!(["get"];);
        let plurals: Vec<&str> = KINDS.iter().map(|kind| kind.resource.plural).collect();
        assert_eq!(
            declared.iter().map(|access| access.resource).collect::<Vec<_>>(),
            plurals
        );
    }
}
