//! The Kubernetes API as tools see it: typed requests that all pass the [`gate`].

pub mod acting;
mod answer;
pub mod client;
pub mod connect;
mod discovery;
pub mod error;
pub mod gate;
pub mod groups;
mod identity;
pub mod log;
pub mod meta;
mod own;
pub mod page;
pub mod resource;
mod review;
pub mod watch;

pub use acting::{ActAs, Impersonation};
pub use client::{Created, DeleteOptions, Kube};
pub use connect::{Cluster, ClusterOptions, Connected};
pub use error::KubeError;
pub use groups::Groups;
pub use log::{LogQuery, LogTail};
pub use meta::{Condition, Meta};
pub use page::{ListQuery, Page};
pub use resource::Resource;
pub use review::Acting;

/// The resources that several components ask for.
pub mod resources {
    use super::Resource;

    /// Pods.
    pub const PODS: Resource = Resource::new("", "v1", "pods");
    /// Nodes.
    pub const NODES: Resource = Resource::new("", "v1", "nodes").cluster();
    /// Namespaces.
    pub const NAMESPACES: Resource = Resource::new("", "v1", "namespaces").cluster();
    /// Events, in their core/v1 form.
    pub const EVENTS: Resource = Resource::new("", "v1", "events");
    /// ConfigMaps.
    pub const CONFIG_MAPS: Resource = Resource::new("", "v1", "configmaps");
    /// Services.
    pub const SERVICES: Resource = Resource::new("", "v1", "services");
    /// Resource quotas.
    pub const QUOTAS: Resource = Resource::new("", "v1", "resourcequotas");
    /// Secrets.
    pub const SECRETS: Resource = Resource::new("", "v1", "secrets");
    /// Volume claims.
    pub const CLAIMS: Resource = Resource::new("", "v1", "persistentvolumeclaims");
    /// Storage classes.
    pub const STORAGE_CLASSES: Resource = Resource::new("storage.k8s.io", "v1", "storageclasses").cluster();
    /// Custom resource definitions.
    pub const CRDS: Resource = Resource::new("apiextensions.k8s.io", "v1", "customresourcedefinitions").cluster();
    /// What pods use of CPU and memory, as metrics-server tells it.
    pub const POD_METRICS: Resource = Resource::new("metrics.k8s.io", "v1beta1", "pods");
    /// Training jobs.
    pub const TRAIN_JOBS: Resource = Resource::new("trainer.kubeflow.org", "v1alpha1", "trainjobs");
    /// Training runtimes of a namespace.
    pub const TRAINING_RUNTIMES: Resource = Resource::new("trainer.kubeflow.org", "v1alpha1", "trainingruntimes");
    /// Training runtimes of the cluster.
    pub const CLUSTER_TRAINING_RUNTIMES: Resource =
        Resource::new("trainer.kubeflow.org", "v1alpha1", "clustertrainingruntimes").cluster();
    /// Katib experiments.
    pub const EXPERIMENTS: Resource = Resource::new("kubeflow.org", "v1beta1", "experiments");
    /// Katib trials.
    pub const TRIALS: Resource = Resource::new("kubeflow.org", "v1beta1", "trials");
}
