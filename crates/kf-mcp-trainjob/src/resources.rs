//! What a node asks for: the short names that people write, and which of the resources are accelerators.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::lenient::quantity;
use crate::quantity::{bytes, count, is_quantity};

/// The resource that a plain number of GPUs means.
pub(crate) const NVIDIA_GPU: &str = "nvidia.com/gpu";
const MIG: &str = "nvidia.com/mig-";

/// Why resources cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    /// A value is no quantity.
    #[error("`{0}` must be a quantity such as 2 or \"500m\" for CPUs, \"16Gi\" or \"16G\" for bytes")]
    Quantity(String),
    /// Bytes that no container can do with, because a unit was left away or is another than was meant.
    #[error("`{0}` of {1} is less than a container can do with: give it with its unit, such as 16Gi")]
    TooLittle(String, String),
    /// Devices come whole.
    #[error("`{0}` counts devices and must be a whole number")]
    Whole(String),
    /// A container can use one kind of MIG slice.
    #[error("several kinds of MIG slices cannot be asked for together: {0}")]
    SeveralMig(String),
    /// A container uses whole GPUs or slices.
    #[error("whole GPUs and MIG slices ({0}) cannot be asked for together")]
    GpuAndMig(String),
    /// Two spellings of one resource with different values.
    #[error("`{0}` is given twice with different values")]
    Twice(String),
    /// Kubernetes knows no such resource, and others have a domain.
    #[error(
        "`{0}` is no resource: use cpu, memory, storage, gpu, tpu, mig-<profile>, or a full name such as amd.com/gpu"
    )]
    Unknown(String),
}

/// The resources of one node as Kubernetes names them: `gpu` is `nvidia.com/gpu`, `storage` is `ephemeral-storage`,
/// `mig-1g.5gb` is `nvidia.com/mig-1g.5gb`, any case. Other names are kept as they are.
pub fn node_resources(given: &Map<String, Value>) -> Result<BTreeMap<String, String>, Vec<ResourceError>> {
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    let mut problems = Vec::new();
    for (key, value) in given {
        let name = resource_name(key.trim());
        let native = matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
        if !native && !is_device(&name) {
            problems.push(ResourceError::Unknown(key.clone()));
            continue;
        }
        let Some(amount) = quantity(value).filter(|amount| is_quantity(amount)) else {
            problems.push(ResourceError::Quantity(key.clone()));
            continue;
        };
        if matches!(name.as_str(), "memory" | "ephemeral-storage") && too_little(&amount) {
            problems.push(ResourceError::TooLittle(key.clone(), amount));
            continue;
        }
        if is_device(&name) && count(&amount).is_none() {
            problems.push(ResourceError::Whole(key.clone()));
            continue;
        }
        if named.get(&name).is_some_and(|before| *before != amount) {
            problems.push(ResourceError::Twice(name));
            continue;
        }
        named.insert(name, amount);
    }
    let slices: Vec<&str> = named
        .keys()
        .map(String::as_str)
        .filter(|name| name.starts_with(MIG))
        .collect();
    if slices.len() > 1 {
        problems.push(ResourceError::SeveralMig(slices.join(", ")));
    } else if let Some(slice) = slices.first()
        && named.contains_key(NVIDIA_GPU)
    {
        problems.push(ResourceError::GpuAndMig((*slice).to_owned()));
    }
    if problems.is_empty() { Ok(named) } else { Err(problems) }
}

/// Whether an amount of bytes was surely meant with another unit: `128`, `512m`. 0 is none.
fn too_little(amount: &str) -> bool {
    bytes(amount).is_some_and(|bytes| bytes > 0.0 && bytes < 1_048_576.0)
}

fn resource_name(key: &str) -> String {
    let lower = key.to_ascii_lowercase();
    match lower.as_str() {
        "cpu" | "memory" | "ephemeral-storage" => lower,
        "gpu" => NVIDIA_GPU.to_owned(),
        "tpu" => "google.com/tpu".to_owned(),
        "storage" => "ephemeral-storage".to_owned(),
        _ if lower.starts_with("mig-") => format!("nvidia.com/{lower}"),
        _ => key.to_owned(),
    }
}

/// Extended resources (with a domain) other than huge pages are devices: they come whole.
fn is_device(name: &str) -> bool {
    name.contains('/')
}

/// The accelerators of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Devices {
    /// The resource, for example `nvidia.com/gpu`.
    pub resource: String,
    /// How many a node has.
    pub per_node: u64,
}

/// The accelerators among the resources of a node, none when it has only CPU and memory. When several are asked for, the
/// best known kind is told.
pub fn devices(resources: &BTreeMap<String, String>) -> Option<Devices> {
    let best = resources
        .iter()
        .filter_map(|(name, amount)| Some((rank(name)?, name, count(amount)?)))
        .filter(|(_, _, amount)| *amount > 0)
        .min()?;
    Some(Devices {
        resource: best.1.clone(),
        per_node: best.2,
    })
}

/// The extended resources of a node, which have a vendor's domain: accelerators, and other devices.
pub fn extended(resources: &BTreeMap<String, String>) -> BTreeMap<String, u64> {
    let all = resources.iter().filter(|(name, _)| name.contains('/'));
    all.filter_map(|(name, amount)| Some((name.clone(), count(amount)?)))
        .collect()
}

/// How well known a kind of accelerator is; none for other resources.
fn rank(name: &str) -> Option<u8> {
    let lower = name.to_ascii_lowercase();
    match name {
        NVIDIA_GPU => Some(0),
        "google.com/tpu" => Some(1),
        _ if name.starts_with(MIG) => Some(2),
        _ if lower.contains("gpu") => Some(3),
        _ if lower.contains("ascend") || lower.contains("tpu") || lower.contains("npu") => Some(4),
        _ if lower.contains("neuron") || lower.contains("gaudi") || lower.contains("xpu") => Some(5),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn named(given: Value) -> Result<Value, String> {
        let Value::Object(given) = given else {
            panic!("not an object")
        };
        node_resources(&given)
            .map(|named| json!(named))
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn short_names_become_those_of_kubernetes() {
        for (given, want) in [
            (
                json!({"GPU": 1, "CPU": 2, "Memory": "1Gi"}),
                json!({"nvidia.com/gpu": "1", "cpu": "2", "memory": "1Gi"}),
            ),
            (json!({"MIG-1G.5GB": 1.0}), json!({"nvidia.com/mig-1g.5gb": "1"})),
            (json!({"storage": "10Gi"}), json!({"ephemeral-storage": "10Gi"})),
            (
                json!({"memory": "134217728000m", "storage": "0"}),
                json!({"memory": "134217728000m", "ephemeral-storage": "0"}),
            ),
            (json!({"huawei.com/Ascend910": 8}), json!({"huawei.com/Ascend910": "8"})),
            (json!({"gpu": 2, "nvidia.com/gpu": "2"}), json!({"nvidia.com/gpu": "2"})),
            (json!({}), json!({})),
        ] {
            assert_eq!(named(given), Ok(want));
        }
    }

    #[test]
    fn what_no_container_can_have_is_refused() {
        for (given, word) in [
            (json!({"mig-1g.5gb": 1, "mig-2g.10gb": 1}), "several kinds"),
            (json!({"mig-1g.5gb": 1, "gpu": 1}), "whole GPUs and MIG"),
            (json!({"memory": "16GB"}), "`memory` must be a quantity"),
            (
                json!({"memory": 128}),
                "`memory` of 128 is less than a container can do with: give it with its unit",
            ),
            (json!({"storage": "512m"}), "`storage` of 512m is less than"),
            (json!({"gpu": 0.5}), "whole number"),
            (json!({"gpu": 1, "nvidia.com/gpu": 2}), "given twice"),
            (json!({"gpus": 1}), "`gpus` is no resource"),
            (json!({"": 1}), "is no resource"),
            (json!({"cpu": [1]}), "`cpu` must be a quantity"),
        ] {
            assert!(named(given).unwrap_err().contains(word), "{word}");
        }
    }

    #[test]
    fn accelerators_are_told_from_cpu_and_memory() {
        let of = |given: Value| {
            let given: BTreeMap<String, String> = serde_json::from_value(given).unwrap();
            devices(&given).map(|d| format!("{}={}", d.resource, d.per_node))
        };
        assert_eq!(of(json!({"cpu": "8", "memory": "1Gi"})), None);
        assert_eq!(of(json!({"nvidia.com/gpu": "0"})), None);
        assert_eq!(
            of(json!({"amd.com/gpu": "2", "cpu": "8"})).as_deref(),
            Some("amd.com/gpu=2")
        );
        assert_eq!(
            of(json!({"nvidia.com/mig-1g.5gb": "3"})).as_deref(),
            Some("nvidia.com/mig-1g.5gb=3")
        );
        assert_eq!(of(json!({"rdma/hca": "1"})), None);
    }
}
