//! The types of metadata and of the built-in kinds that clients write, as far as their fields are decoded one by one.

use super::{ANY, Field, INT32, INT64, List, Struct, Type, core, field, list};
use crate::kinds::Kind;

static OWNER: Struct = core(
    "OwnerReference",
    &[
        field("apiVersion", ANY),
        field("kind", ANY),
        field("name", ANY),
        field("uid", Type::Named("types.UID")),
        field("controller", Type::Flag),
        field("blockOwnerDeletion", Type::Flag),
    ],
);
static OWNERS: List = list(Type::Struct(&OWNER), usize::MAX);
static TEXTS: List = list(ANY, usize::MAX);

/// The metadata of all kinds.
pub(in crate::admission) static META: Struct = core(
    "ObjectMeta",
    &[
        field("name", ANY),
        field("generateName", ANY),
        field("namespace", ANY),
        field("selfLink", ANY),
        field("uid", Type::Named("types.UID")),
        field("resourceVersion", ANY),
        field("generation", INT64),
        field("creationTimestamp", Type::Time),
        field("deletionTimestamp", Type::Time),
        field("deletionGracePeriodSeconds", INT64),
        field("labels", Type::Texts),
        field("annotations", Type::Texts),
        field("ownerReferences", Type::List(&OWNERS)),
        field("finalizers", Type::List(&TEXTS)),
    ],
);
const METADATA: Field = field("metadata", Type::Struct(&META));

static RESOURCES: Struct = core(
    "ResourceRequirements",
    &[field("limits", Type::Quantities), field("requests", Type::Quantities)],
);
static ENV_VAR: Struct = core("EnvVar", &[field("name", ANY), field("value", ANY)]);
static ENV: List = list(Type::Struct(&ENV_VAR), usize::MAX);
static CONTAINER: Struct = core(
    "Container",
    &[
        field("name", ANY),
        field("image", ANY),
        field("command", Type::List(&TEXTS)),
        field("args", Type::List(&TEXTS)),
        field("workingDir", ANY),
        field("env", Type::List(&ENV)),
        field("resources", Type::Struct(&RESOURCES)),
    ],
);
static CONTAINERS: List = list(Type::Struct(&CONTAINER), usize::MAX);
static POD_SPEC: Struct = core(
    "PodSpec",
    &[
        field("initContainers", Type::List(&CONTAINERS)),
        field("containers", Type::List(&CONTAINERS)),
        field("restartPolicy", Type::Named("v1.RestartPolicy")),
        field("terminationGracePeriodSeconds", INT64),
        field("activeDeadlineSeconds", INT64),
        field("nodeSelector", Type::Texts),
        field("serviceAccountName", ANY),
        field("nodeName", ANY),
        field("schedulerName", ANY),
        field("priorityClassName", ANY),
    ],
);
static POD: Struct = core("Pod", &[METADATA, field("spec", Type::Struct(&POD_SPEC))]);
static POD_TEMPLATE: Struct = core("PodTemplateSpec", &[METADATA, field("spec", Type::Struct(&POD_SPEC))]);
static JOB_SPEC: Struct = core(
    "JobSpec",
    &[
        field("parallelism", INT32),
        field("completions", INT32),
        field("activeDeadlineSeconds", INT64),
        field("backoffLimit", INT32),
        field("completionMode", Type::Named("v1.CompletionMode")),
        field("suspend", Type::Flag),
        field("ttlSecondsAfterFinished", INT32),
        field("template", Type::Struct(&POD_TEMPLATE)),
    ],
);
static JOB: Struct = core("Job", &[METADATA, field("spec", Type::Struct(&JOB_SPEC))]);
static CONFIG_MAP: Struct = core(
    "ConfigMap",
    &[
        METADATA,
        field("data", Type::Texts),
        field("binaryData", Type::Bytes),
        field("immutable", Type::Flag),
    ],
);
static SECRET: Struct = core(
    "Secret",
    &[
        METADATA,
        field("data", Type::Bytes),
        field("stringData", Type::Texts),
        field("type", Type::Named("v1.SecretType")),
        field("immutable", Type::Flag),
    ],
);
static QUOTA_SPEC: Struct = core("ResourceQuotaSpec", &[field("hard", Type::Quantities)]);
static QUOTA: Struct = core("ResourceQuota", &[METADATA, field("spec", Type::Struct(&QUOTA_SPEC))]);
static OTHER: Struct = core("Object", &[METADATA]);

/// The type of a built-in kind; of those that are not decoded here, only the metadata.
pub(in crate::admission) fn of(kind: &Kind) -> &'static Struct {
    match (kind.group, kind.kind) {
        ("", "Pod") => &POD,
        ("batch", "Job") => &JOB,
        ("", "ConfigMap") => &CONFIG_MAP,
        ("", "Secret") => &SECRET,
        ("", "ResourceQuota") => &QUOTA,
        _ => &OTHER,
    }
}
