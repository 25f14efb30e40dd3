//! A sandbox with the same nodes as the control plane has.

use jiff::Timestamp;
use kf_mcp_sandbox::{Clock, Sandbox, scenario};
use serde_json::{Value, json};

/// Name, CPUs, memory, disk, GPUs and GPU product of each node.
const NODES: [(&str, &str, &str, &str, &str, &str); 3] = [
    ("cpu-0", "64", "256Gi", "1Ti", "", ""),
    ("gpu-0", "128", "1Ti", "4Ti", "8", "NVIDIA-H100-80GB-HBM3"),
    ("gpu-1", "96", "512Gi", "4Ti", "4", "NVIDIA-A100-SXM4-40GB"),
];

/// An empty, healthy cluster with the control plane's nodes and a clock that moves by hand.
///
/// # Panics
/// When the sandbox has lost its scenario.
#[must_use]
#[allow(clippy::expect_used, reason = "a test's set-up has nobody to tell")]
pub fn sandbox() -> Sandbox {
    let start: Timestamp = crate::START.parse().expect("a time");
    let mut world = scenario::load("healthy-empty", start).expect("a scenario");
    world.objects.retain(|object| object["kind"] != "Node");
    // What the scenario runs on nodes that are not there would look for new ones.
    world.objects.retain(|object| object["kind"] != "Pod");
    world.objects.extend(NODES.map(node));
    Sandbox::new(world, Clock::manual(start))
}

fn node((name, cpu, memory, disk, gpus, product): (&str, &str, &str, &str, &str, &str)) -> Value {
    let mut labels =
        json!({"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": name});
    let mut room = json!({"cpu": cpu, "memory": memory, "ephemeral-storage": disk, "pods": "4000"});
    if gpus.is_empty() {
        labels["pool"] = json!("cpu");
    } else {
        labels["pool"] = json!("gpu");
        labels["nvidia.com/gpu.product"] = json!(product);
        room["nvidia.com/gpu"] = json!(gpus);
    }
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
        "status": {
            "capacity": room, "allocatable": room,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}],
        },
    })
}
