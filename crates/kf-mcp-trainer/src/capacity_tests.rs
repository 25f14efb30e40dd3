//! Tests of the counting of capacity.

use serde_json::{Value, json};

use super::*;

fn node(name: &str, gpus: u32, product: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"nvidia.com/gpu.product": product}},
        "spec": {"taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"},
                            {"key": "soft", "effect": "PreferNoSchedule"}]},
        "status": {
            "allocatable": {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": gpus.to_string(), "pods": "110", "hugepages-2Mi": "0"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    })
}

fn pod(node: &str, requests: Value) -> Value {
    json!({"spec": {"nodeName": node, "containers": [{"resources": {"requests": requests}}]}})
}

fn counted(nodes: Value, pods: Value) -> Capacity {
    let nodes: Vec<Node> = serde_json::from_value(nodes).unwrap();
    let pods: Vec<PodLoad> = serde_json::from_value(pods).unwrap();
    let mut load = Load::default();
    for pod in &pods {
        load.add(pod);
    }
    capacity(&nodes, Some(&load))
}

#[test]
fn free_devices_are_counted_per_node_and_product() {
    let sums = counted(
        json!([node("a", 8, "H100"), node("b", 8, "H100"), node("c", 4, "L4")]),
        json!([
            pod("a", json!({"cpu": "500m", "memory": "1Gi", "nvidia.com/gpu": "6"})),
            pod("b", json!({"nvidia.com/gpu": 3})),
            // More than the node has: the others keep theirs.
            pod("c", json!({"nvidia.com/gpu": "5"})),
            pod("", json!({"nvidia.com/gpu": "16", "cpu": "1"})),
            pod("gone", json!({"nvidia.com/gpu": "1"})),
        ]),
    );
    let rows: Vec<_> = sums
        .accelerators
        .iter()
        .map(|a| {
            (
                a.product.as_deref(),
                a.nodes,
                a.allocatable,
                a.free,
                a.largest_free_block,
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            (Some("H100"), 2, 16, Some(7), Some(5)),
            (Some("L4"), 1, 4, Some(0), Some(0))
        ]
    );
    assert_eq!(sums.accelerators[0].taints, ["nvidia.com/gpu=present:NoSchedule"]);
    assert_eq!(
        sums.taints,
        BTreeMap::from([("nvidia.com/gpu=present:NoSchedule".to_owned(), 3)])
    );
    assert_eq!(sums.waiting, BTreeMap::from([("nvidia.com/gpu".to_owned(), 16)]));
    assert_eq!(
        (sums.cpu.allocatable.to_string(), sums.cpu.free.map(|q| q.to_string())),
        ("24".into(), Some("23500m".into()))
    );
    assert_eq!(sums.memory.free.map(Quantity::binary).as_deref(), Some("95Gi"));
    assert_eq!(
        sums.memory.largest_free_block.map(Quantity::binary).as_deref(),
        Some("32Gi")
    );
}

#[test]
fn closed_nodes_are_told_and_not_counted() {
    let mut cordoned = node("a", 8, "H100");
    cordoned["spec"]["unschedulable"] = json!(true);
    let mut lost = node("b", 8, "H100");
    lost["status"]["conditions"][0]["status"] = json!("Unknown");
    let sums = counted(json!([cordoned, lost, node("c", 1, "H100")]), json!([]));
    assert_eq!(
        sums.closed,
        [
            ("a".to_owned(), "unschedulable (cordoned)"),
            ("b".to_owned(), "not ready")
        ]
    );
    assert_eq!(
        (
            sums.open_nodes,
            sums.accelerators[0].allocatable,
            sums.cpu.allocatable.to_string().as_str()
        ),
        (1, 1, "8")
    );
}

#[test]
fn without_a_load_nothing_is_said_to_be_free() {
    let nodes: Vec<Node> = serde_json::from_value(json!([node("a", 8, "")])).unwrap();
    let sums = capacity(&nodes, None);
    assert_eq!((sums.accelerators[0].free, sums.cpu.free), (None, None));
    assert_eq!(
        (
            sums.accelerators[0].allocatable,
            sums.accelerators[0].product.as_deref()
        ),
        (8, None)
    );
}

#[test]
fn a_resource_without_devices_is_none() {
    assert_eq!(counted(json!([node("a", 0, "H100")]), json!([])).accelerators, []);
}

#[test]
fn pods_count_as_the_scheduler_counts_them() {
    let request = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
    let sidecar = |cpu: &str| json!({"restartPolicy": "Always", "resources": {"requests": {"cpu": cpu}}});
    for (spec, cpu) in [
        (json!({"containers": [request("1"), request("2")]}), "3"),
        (
            json!({"containers": [request("1")], "initContainers": [request("4")]}),
            "4",
        ),
        (
            json!({"containers": [request("3")], "initContainers": [request("1"), request("2")]}),
            "3",
        ),
        (
            json!({"containers": [request("3")], "initContainers": [sidecar("1"), request("1")]}),
            "4",
        ),
        (
            json!({"containers": [request("1")], "initContainers": [sidecar("1"), request("4")]}),
            "5",
        ),
        (
            json!({"containers": [request("1")], "overhead": {"cpu": "250m"}}),
            "1250m",
        ),
        (
            json!({"containers": [request("1")], "resources": {"requests": {"cpu": "2"}}, "overhead": null}),
            "2",
        ),
    ] {
        let pod: PodLoad = serde_json::from_value(json!({"spec": spec})).unwrap();
        assert_eq!(pod.requests()["cpu"].to_string(), cpu, "{spec}");
    }
}
