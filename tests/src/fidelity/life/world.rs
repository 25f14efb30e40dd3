//! A sandbox with the same nodes as the control plane has.

use jiff::Timestamp;
use kf_mcp_sandbox::{Clock, Sandbox, scenario};
use serde_json::{Value, json};

/// The control plane's nodes, as it creates them.
const NODES: &str = include_str!("../../../control-plane/config/nodes.yaml");
/// How many GPUs they have.
pub const GPUS: u8 = 12;

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
    world.objects.extend(nodes());
    Sandbox::new(world, Clock::manual(start))
}

/// The nodes, ready as kwok makes them.
#[allow(clippy::expect_used, reason = "a test's data is part of the test")]
fn nodes() -> Vec<Value> {
    let mut nodes: Vec<Value> = serde_saphyr::from_multiple(NODES).expect("nodes");
    for node in &mut nodes {
        node["status"]["conditions"] = json!([
            {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"},
        ]);
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_have_as_many_gpus_as_tests_share() {
        let gpus = nodes().into_iter().filter_map(|node| {
            let gpus = node["status"]["allocatable"]["nvidia.com/gpu"].as_str()?;
            gpus.parse::<u8>().ok()
        });
        assert_eq!(gpus.sum::<u8>(), GPUS);
    }
}
