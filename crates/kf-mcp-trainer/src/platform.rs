//! Which product the cluster is, by facts that are read anyway, and what that means for training jobs. Nothing is guessed:
//! a cloud's virtual machines or disks do not make its managed cluster, so provider ids and storage classes say nothing.

use std::collections::BTreeMap;

use kf_mcp_core::Text;
use schemars::JsonSchema;
use serde::Serialize;

use crate::pods::outside;

/// A product that Kubernetes comes as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Product {
    OpenShift,
    Eks,
    Gke,
    Aks,
}

/// What the cluster is and what to know of it.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Platform {
    name: &'static str,
    /// The fact that tells it.
    seen_by: String,
    advice: &'static [&'static str],
}

impl Platform {
    fn new(product: Product, seen_by: String) -> Self {
        Self {
            name: product.name(),
            seen_by,
            advice: product.advice(),
        }
    }

    /// The lines of an answer.
    pub(crate) fn render(&self, text: &mut Text) {
        text.fact("platform", format!("{} (by {})", self.name, self.seen_by));
        text.facts("advice", self.advice);
    }
}

/// The product by the version of the API server. AKS versions look like everybody's.
pub(crate) fn of_version(version: &str) -> Option<Platform> {
    let product = if version.contains("-eks-") {
        Product::Eks
    } else if version.contains("-gke.") {
        Product::Gke
    } else if is_openshift(version) {
        Product::OpenShift
    } else {
        return None;
    };
    Some(Platform::new(product, format!("the version {}", outside(version))))
}

/// The product by the labels of its nodes. OpenShift goes first: it also runs on the machines of the others.
pub(crate) fn of_nodes<'a>(nodes: impl Iterator<Item = &'a BTreeMap<String, String>>) -> Option<Platform> {
    let mut found: Option<(usize, Product)> = None;
    for labels in nodes {
        let rank = MARKS
            .iter()
            .position(|(mark, _)| labels.keys().any(|key| key.starts_with(mark)));
        if let Some(rank) = rank.filter(|rank| found.is_none_or(|(best, _)| *rank < best)) {
            found = Some((rank, MARKS[rank].1));
        }
    }
    found.map(|(rank, product)| Platform::new(product, format!("node labels that begin with {}", MARKS[rank].0)))
}

/// How the labels begin that each product puts on its nodes itself. Simulated TPU nodes have others of GKE's.
const MARKS: [(&str, Product); 4] = [
    ("node.openshift.io/", Product::OpenShift),
    ("eks.amazonaws.com/", Product::Eks),
    ("cloud.google.com/gke-nodepool", Product::Gke),
    ("kubernetes.azure.com/", Product::Aks),
];

/// `v1.29.6+aba1e8d`: OpenShift's builds have seven digits of their commit behind a release. Others write a word there
/// (`+k3s1`, `+rke2r1`, `+vmware.1`), and builds between releases have more digits and a dash before.
fn is_openshift(version: &str) -> bool {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    version
        .split_once('+')
        .is_some_and(|(release, build)| !release.contains('-') && build.len() == 7 && build.chars().all(hex))
}

impl Product {
    fn name(self) -> &'static str {
        match self {
            Self::OpenShift => "OpenShift",
            Self::Eks => "Amazon EKS",
            Self::Gke => "Google GKE",
            Self::Aks => "Azure AKS",
        }
    }

    /// What has cost people time there, in a sentence or two.
    fn advice(self) -> &'static [&'static str] {
        match self {
            Self::OpenShift => &[
                "pods run as a random user of the namespace, in group 0: images that need root, or a HOME to write to, fail with \
                 permission denied. Write below /tmp or a mounted volume and set HF_HOME there, or ask an administrator to \
                 grant the service account another SCC",
            ],
            Self::Eks => &[
                "a pending job may wait for the autoscaler or Karpenter to add a GPU node, which takes minutes; GPU node \
                 groups often have a taint nvidia.com/gpu that the job must tolerate",
                "EBS volumes (gp2, gp3) attach to one node and stay in one zone: several nodes share data through EFS or FSx",
            ],
            Self::Gke => &[
                "the taint nvidia.com/gpu of GPU nodes is tolerated by itself when a pod asks for GPUs; choose the kind of GPU \
                 with node_selector cloud.google.com/gke-accelerator, and expect minutes when a node pool grows from zero",
                "persistent disks attach to one node for writing: several nodes share data through Filestore or Cloud Storage FUSE",
            ],
            Self::Aks => &[
                "GPU node pools have the taints that their makers gave them, often sku=gpu:NoSchedule, and spot pools \
                 kubernetes.azure.com/scalesetpriority=spot:NoSchedule: the job must tolerate them. GPUs count only once \
                 NVIDIA's device plugin runs",
                "managed disks attach to one node: several nodes share data through Azure Files (azurefile-csi)",
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_tells_the_product_only_where_it_does() {
        for (version, name) in [
            ("v1.30.5-eks-ce1d5eb", Some("Amazon EKS")),
            ("v1.31.0-gke.1234000", Some("Google GKE")),
            ("v1.29.6+aba1e8d", Some("OpenShift")),
            ("v1.29.6", None),
            ("v1.36.3", None),
            ("v1.31.2+k3s1", None),
            ("v1.31.2+rke2r1", None),
            ("v1.28.4+vmware.1", None),
            ("v1.28.4+IKS", None),
            ("v1.36.0-alpha.1.12+f9ca1bf0c5aaf3", None),
            ("v1.36.0-beta.0+aba1e8d", None),
            ("", None),
        ] {
            let found = of_version(version);
            assert_eq!(found.as_ref().map(|platform| platform.name), name, "{version}");
            assert!(found.is_none_or(|platform| platform.seen_by.contains(version)));
        }
    }

    #[test]
    fn labels_tell_the_product_and_openshift_goes_first() {
        let node = |keys: &[&str]| -> BTreeMap<String, String> {
            keys.iter().map(|key| ((*key).to_owned(), String::new())).collect()
        };
        for (nodes, name) in [
            (vec![node(&["node.openshift.io/os_id"])], Some("OpenShift")),
            (
                vec![node(&["a"]), node(&["eks.amazonaws.com/nodegroup"])],
                Some("Amazon EKS"),
            ),
            (vec![node(&["cloud.google.com/gke-nodepool"])], Some("Google GKE")),
            (vec![node(&["kubernetes.azure.com/agentpool"])], Some("Azure AKS")),
            // OpenShift on Azure, where one node has only the labels of the machines
            (
                vec![
                    node(&["kubernetes.azure.com/cluster"]),
                    node(&["node.openshift.io/os_id"]),
                ],
                Some("OpenShift"),
            ),
            // machines of a cloud that somebody else's Kubernetes runs on, and a simulated TPU
            (
                vec![node(&[
                    "topology.ebs.csi.aws.com/zone",
                    "cloud.google.com/gke-tpu-accelerator",
                ])],
                None,
            ),
            (vec![], None),
        ] {
            assert_eq!(of_nodes(nodes.iter()).map(|platform| platform.name), name, "{nodes:?}");
        }
    }

    #[test]
    fn advice_is_short() {
        for product in [Product::OpenShift, Product::Eks, Product::Gke, Product::Aks] {
            let words: usize = product
                .advice()
                .iter()
                .map(|line| line.split_whitespace().count())
                .sum();
            assert!((20..=70).contains(&words), "{}: {words} words", product.name());
        }
    }
}
