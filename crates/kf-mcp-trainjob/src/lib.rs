//! What a training job of Kubeflow Trainer is, and how one is built. Pure: no cluster, no clock, no tools.
//!
//! [`TrainJob`] and [`Runtime`] are read leniently (one odd field breaks nothing), [`JobState`] says where a job is in its
//! life, [`Submission`] becomes the body of a new job, and the other modules hold the rules that the API server does not
//! tell before it is too late: how long a name may be, which variables Trainer sets itself, what a resource is called.

mod build;
mod dialect;
mod job;
mod lenient;
mod name;
mod progress;
mod quantity;
mod reserved;
mod resources;
mod runtime;
mod status;
mod syntax;
pub mod torchtune;

pub use build::{
    ClaimMount, MANAGED_BY_LABEL, MANAGED_BY_VALUE, PLAN_ANNOTATION, PatchedPart, PodOptions, RuntimeRef, Submission,
};
pub use dialect::{Dialect, PATCH_MANAGER};
pub use job::{
    Condition, EnvVar, Initializer, JobCounts, JobSpec, JobStatus, ObjectMeta, Resources, RuntimeRefSpec, TrainJob,
    Trainer,
};
pub use name::{JobName, NAME_PATTERN, generated_name, max_name_length};
pub use progress::{Progress, ProgressMetric};
pub use quantity::{count, is_quantity, same_quantity};
pub use reserved::{reserved_env, reserved_names};
pub use resources::{Devices, ResourceError, devices, extended, node_resources};
pub use runtime::{ClaimTemplate, Container, Policy, ReplicatedJob, Runtime, RuntimeScope};
pub use status::{JobState, SuspendTrap, suspend_trap};
pub use syntax::{env_name, image, label_key, label_value};

/// The API version of training jobs and runtimes.
pub const API_VERSION: &str = "trainer.kubeflow.org/v1alpha1";
/// The label of a runtime that names its framework.
pub const FRAMEWORK_LABEL: &str = "trainer.kubeflow.org/framework";
/// The label of a pod that names its JobSet, and so its training job.
pub const JOBSET_LABEL: &str = "jobset.sigs.k8s.io/jobset-name";
/// The label of a pod that names its part of the JobSet.
pub const REPLICATED_JOB_LABEL: &str = "jobset.sigs.k8s.io/replicatedjob-name";
/// The label of a pod that numbers it within its part, which is the rank of the node.
pub const INDEX_LABEL: &str = "batch.kubernetes.io/job-completion-index";
