//! Which resources of a node are accelerators, and what product the node's labels call them.

use std::collections::BTreeMap;

use kf_mcp_core::Cost;

/// Extended resources that are no accelerators: network and storage devices, and other slots of a node.
const OTHER: [&str; 7] = [
    "vpc.amazonaws.com/",
    "networking.gke.io/",
    "devices.kubevirt.io/",
    "openshift.io/",
    "intel.com/sriov",
    "intel.com/sgx",
    "nvidia.com/hostdev",
];

/// Whether a resource counts accelerators: an extended resource of a vendor's domain, such as `nvidia.com/gpu`,
/// `nvidia.com/mig-1g.5gb`, `amd.com/gpu`, `google.com/tpu`, `habana.ai/gaudi` or `huawei.com/Ascend910`.
pub(crate) fn is_accelerator(resource: &str) -> bool {
    let Some((domain, name)) = resource.split_once('/') else {
        return false;
    };
    domain.contains('.')
        && !name.is_empty()
        && domain != "kubernetes.io"
        && !domain.ends_with(".kubernetes.io")
        && !domain.ends_with(".k8s.io")
        && !name.contains("rdma")
        && !OTHER.iter().any(|other| resource.starts_with(other))
}

/// What nodes with these extended resources take.
pub(crate) fn cost(nodes: u64, extended: &BTreeMap<String, u64>) -> Cost {
    let all = extended.iter().filter(|(resource, _)| is_accelerator(resource));
    Cost {
        nodes,
        accelerators: all
            .map(|(resource, each)| (resource.clone(), each.saturating_mul(nodes)))
            .collect(),
    }
}

/// What the labels of a node call an accelerator of it.
pub(crate) fn product(resource: &str, labels: &BTreeMap<String, String>) -> Option<String> {
    let domain = resource.split_once('/').map_or(resource, |(domain, _)| domain);
    let label = |name: &str| labels.get(name).filter(|value| !value.is_empty()).cloned();
    let known: &[&str] = match domain {
        // A MIG slice has a product of its own where the operator labels it.
        "nvidia.com" => &[
            "nvidia.com/gpu.product",
            "cloud.google.com/gke-accelerator",
            "k8s.amazonaws.com/accelerator",
        ],
        "google.com" => &["cloud.google.com/gke-tpu-accelerator"],
        "amd.com" => &[
            "amd.com/gpu.product-name",
            "amd.com/gpu.family",
            "beta.amd.com/gpu.product-name",
        ],
        "aws.amazon.com" => &["node.kubernetes.io/instance-type"],
        "gpu.intel.com" => &["gpu.intel.com/product"],
        "huawei.com" => &["accelerator-type", "accelerator"],
        _ => &[],
    };
    label(&format!("{resource}.product"))
        .or_else(|| known.iter().find_map(|name| label(name)))
        .or_else(|| label(&format!("{domain}/product")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accelerators_are_told_from_other_resources() {
        for resource in [
            "nvidia.com/gpu",
            "nvidia.com/gpu.shared",
            "nvidia.com/mig-1g.5gb",
            "amd.com/gpu",
            "google.com/tpu",
            "habana.ai/gaudi",
            "huawei.com/Ascend910",
            "aws.amazon.com/neuron",
            "gpu.intel.com/i915",
            "example.com/npu",
        ] {
            assert!(is_accelerator(resource), "{resource}");
        }
        for resource in [
            "cpu",
            "memory",
            "pods",
            "ephemeral-storage",
            "hugepages-2Mi",
            "attachable-volumes-aws-ebs",
            "kubernetes.io/batch-cpu",
            "scheduling.node.kubernetes.io/x",
            "vpc.amazonaws.com/pod-eni",
            "rdma/hca",
            "nvidia.com/rdma_shared_device",
            "devices.kubevirt.io/kvm",
        ] {
            assert!(!is_accelerator(resource), "{resource}");
        }
    }

    #[test]
    fn products_come_from_labels() {
        let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        for (resource, pairs, want) in [
            (
                "nvidia.com/gpu",
                &[("nvidia.com/gpu.product", "H100")][..],
                Some("H100"),
            ),
            (
                "nvidia.com/gpu",
                &[("cloud.google.com/gke-accelerator", "nvidia-l4")],
                Some("nvidia-l4"),
            ),
            (
                "nvidia.com/mig-1g.5gb",
                &[
                    ("nvidia.com/mig-1g.5gb.product", "A100-MIG-1g.5gb"),
                    ("nvidia.com/gpu.product", "A100"),
                ],
                Some("A100-MIG-1g.5gb"),
            ),
            (
                "google.com/tpu",
                &[("cloud.google.com/gke-tpu-accelerator", "tpu-v5-lite")],
                Some("tpu-v5-lite"),
            ),
            ("amd.com/gpu", &[("nvidia.com/gpu.product", "H100")], None),
            ("example.com/npu", &[("example.com/npu.product", "N1")], Some("N1")),
        ] {
            assert_eq!(product(resource, &labels(pairs)).as_deref(), want, "{resource}");
        }
    }
}
