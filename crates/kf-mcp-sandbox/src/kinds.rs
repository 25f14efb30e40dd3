//! Which kinds the sandbox serves: the one table that discovery, routing, storage and garbage collection read.

/// One API kind and how it is served.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// API group, empty for the core group.
    pub group: &'static str,
    /// The one version that is served.
    pub version: &'static str,
    /// CamelCase kind, for example `TrainJob`.
    pub kind: &'static str,
    /// Lower-case plural as in URLs.
    pub plural: &'static str,
    /// Short names that kubectl accepts.
    pub short: &'static [&'static str],
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Whether `/status` is a subresource, so that a plain update leaves status alone.
    pub status: bool,
}

const fn kind(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    namespaced: bool,
    status: bool,
) -> Kind {
    Kind {
        group,
        version,
        kind,
        plural,
        short: &[],
        namespaced,
        status,
    }
}

impl Kind {
    const fn short(mut self, short: &'static [&'static str]) -> Self {
        self.short = short;
        self
    }

    /// `group/version`, or the bare version in the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `plural.group`, as Kubernetes names a resource in messages; the bare plural in the core group.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_owned()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// Whether the API server counts the generations of objects of this kind.
    pub fn generations(&self) -> bool {
        self.custom() || matches!(self.kind, "Pod" | "Job" | "Deployment" | "CustomResourceDefinition")
    }

    /// Whether only a CustomResourceDefinition makes the server know this kind.
    pub fn custom(&self) -> bool {
        CUSTOM_GROUPS.contains(&self.group)
    }

    /// Whether it is a job of the training operator v1 or of the MPI operator, which only some clusters have.
    pub fn legacy(&self) -> bool {
        self.group == "kubeflow.org" && self.version != "v1beta1"
    }

    /// The kind behind a URL's group, version and plural.
    pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
        KINDS
            .iter()
            .find(|k| k.group == group && k.version == version && k.plural == plural)
    }

    /// The kind of an object by its `apiVersion` and `kind`.
    pub fn of(api_version: &str, kind: &str) -> Option<&'static Kind> {
        KINDS.iter().find(|k| k.kind == kind && k.api_version() == api_version)
    }

    /// The kind by its CamelCase name alone (names are unique in the table, but for MPIJob: the first of them).
    pub fn named(kind: &str) -> Option<&'static Kind> {
        KINDS.iter().find(|k| k.kind == kind)
    }
}

/// The groups that come with CustomResourceDefinitions.
pub const CUSTOM_GROUPS: &[&str] = &[
    "jobset.x-k8s.io",
    "trainer.kubeflow.org",
    "kubeflow.org",
    "metrics.k8s.io",
    "kueue.x-k8s.io",
    "scheduling.volcano.sh",
];

/// Those among them whose definitions no scenario brings: a test that wants one creates it.
pub const OTHER_GROUPS: &[&str] = &["kueue.x-k8s.io", "scheduling.volcano.sh"];

/// All kinds, in the order discovery lists them. A `CustomResourceDefinition` object in the store decides
/// whether the kinds of a group that only CRDs provide are served at all.
pub static KINDS: &[Kind] = &[
    kind("", "v1", "Namespace", "namespaces", false, true).short(&["ns"]),
    kind("", "v1", "Node", "nodes", false, true).short(&["no"]),
    kind("", "v1", "Pod", "pods", true, true).short(&["po"]),
    kind("", "v1", "Service", "services", true, true).short(&["svc"]),
    kind("", "v1", "Event", "events", true, false).short(&["ev"]),
    kind("", "v1", "ConfigMap", "configmaps", true, false).short(&["cm"]),
    kind("", "v1", "Secret", "secrets", true, false),
    kind("", "v1", "ServiceAccount", "serviceaccounts", true, false).short(&["sa"]),
    kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", true, true).short(&["pvc"]),
    kind("", "v1", "ResourceQuota", "resourcequotas", true, true).short(&["quota"]),
    kind("", "v1", "LimitRange", "limitranges", true, false).short(&["limits"]),
    kind("storage.k8s.io", "v1", "StorageClass", "storageclasses", false, false).short(&["sc"]),
    kind("resource.k8s.io", "v1", "ResourceSlice", "resourceslices", false, false),
    kind("apps", "v1", "Deployment", "deployments", true, true).short(&["deploy"]),
    kind("batch", "v1", "Job", "jobs", true, true),
    kind(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        false,
        true,
    )
    .short(&["crd", "crds"]),
    kind("jobset.x-k8s.io", "v1alpha2", "JobSet", "jobsets", true, true),
    kind("trainer.kubeflow.org", "v1alpha1", "TrainJob", "trainjobs", true, true),
    kind(
        "trainer.kubeflow.org",
        "v1alpha1",
        "TrainingRuntime",
        "trainingruntimes",
        true,
        false,
    ),
    kind(
        "trainer.kubeflow.org",
        "v1alpha1",
        "ClusterTrainingRuntime",
        "clustertrainingruntimes",
        false,
        false,
    ),
    kind("kubeflow.org", "v1", "PyTorchJob", "pytorchjobs", true, true),
    kind("kubeflow.org", "v1", "TFJob", "tfjobs", true, true),
    kind("kubeflow.org", "v1", "MPIJob", "mpijobs", true, true),
    kind("kubeflow.org", "v1", "XGBoostJob", "xgboostjobs", true, true),
    kind("kubeflow.org", "v1", "JAXJob", "jaxjobs", true, true),
    kind("kubeflow.org", "v1", "PaddleJob", "paddlejobs", true, true),
    kind("kubeflow.org", "v2beta1", "MPIJob", "mpijobs", true, true),
    kind("kubeflow.org", "v1beta1", "Experiment", "experiments", true, true),
    kind("kubeflow.org", "v1beta1", "Trial", "trials", true, true),
    kind("kubeflow.org", "v1beta1", "Suggestion", "suggestions", true, true),
    // Stands for what metrics-server serves: there is one when the definition is there, and whoever plays it writes objects.
    kind("metrics.k8s.io", "v1beta1", "PodMetrics", "pods", true, false),
    kind("kueue.x-k8s.io", "v1beta2", "LocalQueue", "localqueues", true, true),
    kind(
        "kueue.x-k8s.io",
        "v1beta2",
        "ClusterQueue",
        "clusterqueues",
        false,
        true,
    ),
    kind("scheduling.volcano.sh", "v1beta1", "Queue", "queues", false, true),
];
