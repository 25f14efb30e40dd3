//! The types of the TrainJob, with the limits of its `CustomResourceDefinition`.

use super::{ANY, INT32, List, Struct, Type, core, field, list, map, object, required};

const NAME: Type = Type::Text(1, 253);
const URI: Type = Type::Text(0, 2048);
const COUNT: Type = Type::Int(32, 0, i64::MAX);

static ENV_VAR: Struct = core(
    "EnvVar",
    &[
        required("name", ANY),
        field("value", ANY),
        field("valueFrom", Type::Other("v1.EnvVarSource")),
    ],
);
static ENV: List = map(Type::Struct(&ENV_VAR), "name", 128);
static REFERENCE: Struct = core("LocalObjectReference", &[field("name", ANY)]);

static DATASET: Struct = object(
    "DatasetInitializer",
    &[
        field("storageUri", URI),
        field("env", Type::List(&ENV)),
        field("secretRef", Type::Struct(&REFERENCE)),
    ],
);
static MODEL: Struct = object(
    "ModelInitializer",
    &[
        field("storageUri", URI),
        field("env", Type::List(&ENV)),
        field("secretRef", Type::Struct(&REFERENCE)),
    ],
);
static INITIALIZER: Struct = object(
    "Initializer",
    &[
        field("dataset", Type::Struct(&DATASET)),
        field("model", Type::Struct(&MODEL)),
    ],
);
static RESOURCES: Struct = core(
    "ResourceRequirements",
    &[
        field("limits", Type::Quantities),
        field("requests", Type::Quantities),
        field("claims", Type::Other("[]v1.ResourceClaim")),
    ],
);
static WORDS: List = list(Type::Text(0, 1_048_576), 128);
static TRAINER: Struct = object(
    "Trainer",
    &[
        field("image", Type::Text(0, 500)),
        field("command", Type::List(&WORDS)),
        field("args", Type::List(&WORDS)),
        field("env", Type::List(&ENV)),
        field("numNodes", INT32),
        field("resourcesPerNode", Type::Struct(&RESOURCES)),
        field("numProcPerNode", INT32),
    ],
);
static META: Struct = core(
    "ObjectMeta",
    &[field("labels", Type::Texts), field("annotations", Type::Texts)],
);
static MOUNT: Struct = core("VolumeMount", &[required("name", ANY)]);
static MOUNTS: List = map(Type::Struct(&MOUNT), "name", 128);
static CONTAINER: Struct = object(
    "ContainerPatch",
    &[
        required("name", NAME),
        field("env", Type::List(&ENV)),
        field("volumeMounts", Type::List(&MOUNTS)),
        field("securityContext", Type::Other("v1.SecurityContext")),
    ],
);
static CONTAINERS: List = map(Type::Struct(&CONTAINER), "name", 64);
static VOLUME: Struct = core("Volume", &[required("name", ANY)]);
static VOLUMES: List = map(Type::Struct(&VOLUME), "name", 128);
static SECRETS: List = map(Type::Struct(&REFERENCE), "name", 64);
static TOLERATIONS: List = list(Type::Other("v1.Toleration"), 128);
static GATE: Struct = core("PodSchedulingGate", &[required("name", ANY)]);
static GATES: List = map(Type::Struct(&GATE), "name", 16);
static POD: Struct = object(
    "PodSpecPatch",
    &[
        field("serviceAccountName", Type::Text(0, 253)),
        field("volumes", Type::List(&VOLUMES)),
        field("initContainers", Type::List(&CONTAINERS)),
        field("containers", Type::List(&CONTAINERS)),
        field("imagePullSecrets", Type::List(&SECRETS)),
        field("securityContext", Type::Other("v1.PodSecurityContext")),
        field("nodeSelector", Type::Texts),
        field("affinity", Type::Other("v1.Affinity")),
        field("tolerations", Type::List(&TOLERATIONS)),
        field("schedulingGates", Type::List(&GATES)),
        field("terminationGracePeriodSeconds", Type::Int(64, 0, i64::MAX)),
    ],
);
static POD_TEMPLATE: Struct = object(
    "PodTemplatePatch",
    &[
        field("metadata", Type::Struct(&META)),
        field("spec", Type::Struct(&POD)),
    ],
);
static JOB_SPEC: Struct = object("JobSpecPatch", &[field("template", Type::Struct(&POD_TEMPLATE))]);
static JOB_TEMPLATE: Struct = object(
    "JobTemplatePatch",
    &[
        field("metadata", Type::Struct(&META)),
        field("spec", Type::Struct(&JOB_SPEC)),
    ],
);
static REPLICATED: Struct = object(
    "ReplicatedJobPatch",
    &[required("name", NAME), field("template", Type::Struct(&JOB_TEMPLATE))],
);
static REPLICATED_JOBS: List = map(Type::Struct(&REPLICATED), "name", 100);
static JOBSET_SPEC: Struct = object(
    "JobSetSpecPatch",
    &[field("replicatedJobs", Type::List(&REPLICATED_JOBS))],
);
static JOBSET: Struct = object(
    "JobSetTemplatePatch",
    &[
        field("metadata", Type::Struct(&META)),
        field("spec", Type::Struct(&JOBSET_SPEC)),
    ],
);
static RUNTIME: Struct = object("TrainingRuntimeSpecPatch", &[field("template", Type::Struct(&JOBSET))]);
static PATCH: Struct = object(
    "RuntimePatch",
    &[
        required("manager", NAME),
        field("time", Type::Time),
        field("trainingRuntimeSpec", Type::Struct(&RUNTIME)),
    ],
);
static PATCHES: List = map(Type::Struct(&PATCH), "manager", 16);
static RUNTIME_REF: Struct = object(
    "RuntimeRef",
    &[
        required("name", NAME),
        field("apiGroup", Type::Text(0, 253)),
        field("kind", Type::Text(0, 253)),
    ],
);
static SPEC: Struct = object(
    "TrainJobSpec",
    &[
        required("runtimeRef", Type::Struct(&RUNTIME_REF)),
        field("initializer", Type::Struct(&INITIALIZER)),
        field("trainer", Type::Struct(&TRAINER)),
        field("runtimePatches", Type::List(&PATCHES)),
        field("suspend", Type::Flag),
        field("activeDeadlineSeconds", Type::Int(64, 1, i64::MAX)),
        field("managedBy", Type::Text(0, 253)),
    ],
);
static CONDITION: Struct = core(
    "Condition",
    &[
        required("type", Type::Text(0, 316)),
        required("status", Type::Enum(&["True", "False", "Unknown"])),
        field("observedGeneration", Type::Int(64, 0, i64::MAX)),
        required("lastTransitionTime", Type::Time),
        required("reason", Type::Text(1, 1024)),
        required("message", Type::Text(0, 32_768)),
    ],
);
static CONDITIONS: List = map(Type::Struct(&CONDITION), "type", 8);
static JOB_STATUS: Struct = object(
    "JobStatus",
    &[
        required("name", NAME),
        required("ready", COUNT),
        required("succeeded", COUNT),
        required("failed", COUNT),
        required("active", COUNT),
        required("suspended", COUNT),
    ],
);
static JOBS_STATUS: List = map(Type::Struct(&JOB_STATUS), "name", 100);
static METRIC: Struct = object(
    "Metric",
    &[
        required("name", Type::Text(1, 64)),
        required("value", Type::Text(1, 64)),
    ],
);
static METRICS: List = list(Type::Struct(&METRIC), 256);
static TRAINER_STATUS: Struct = object(
    "TrainerStatus",
    &[
        field("progressPercentage", Type::Int(32, 0, 100)),
        field("estimatedRemainingSeconds", COUNT),
        field("metrics", Type::List(&METRICS)),
        field("lastUpdatedTime", Type::Time),
    ],
);
static STATUS: Struct = object(
    "TrainJobStatus",
    &[
        field("conditions", Type::List(&CONDITIONS)),
        field("jobsStatus", Type::List(&JOBS_STATUS)),
        field("trainerStatus", Type::Struct(&TRAINER_STATUS)),
    ],
);

/// The TrainJob without its metadata.
pub(in crate::admission) static TRAIN_JOB: Struct = object(
    "TrainJob",
    &[
        field("spec", Type::Struct(&SPEC)),
        field("status", Type::Struct(&STATUS)),
    ],
);

/// The list of runtime patches, for messages that show it.
pub(in crate::admission) static RUNTIME_PATCHES: Type = Type::List(&PATCHES);
/// A list of env variables, for messages that show it.
pub(in crate::admission) static VARIABLES: Type = Type::List(&ENV);
/// The reference to a runtime, for messages that show it.
pub(in crate::admission) static REFERENCE_TO_RUNTIME: Type = Type::Struct(&RUNTIME_REF);
