//! What the tools tell of the product that a cluster is.

use kf_mcp_tests::World;
use serde_json::{Value, json};

const MERGE: &str = "application/merge-patch+json";

async fn label(world: &World, node: &str, key: &str) {
    let patch = json!({"metadata": {"labels": {key: "x"}}});
    let reply = world
        .place
        .ask("PATCH", &format!("/api/v1/nodes/{node}"), MERGE, Some(&patch))
        .await;
    assert!(reply.code.is_success(), "{}", reply.json());
}

/// A node, and not the first one.
async fn a_node(world: &World) -> String {
    let nodes = world.place.ask("GET", "/api/v1/nodes", "", None).await.json();
    let last = nodes["items"].as_array().unwrap().last().unwrap().clone();
    last["metadata"]["name"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn nodes_that_tell_their_product_bring_advice_without_a_request_more() {
    let world = World::new("showcase");
    let (plain, asked_before) = world.called("get_cluster_resources", json!({})).await;
    assert_eq!(plain.structured.get("platform"), None);
    let node = a_node(&world).await;
    label(&world, &node, "eks.amazonaws.com/nodegroup").await;
    let (answer, asked) = world.called("get_cluster_resources", json!({})).await;
    assert_eq!(asked.len(), asked_before.len());
    let platform = &answer.structured["platform"];
    assert_eq!(platform["name"], "Amazon EKS");
    assert!(platform["advice"].as_array().is_some_and(|advice| !advice.is_empty()));
    assert!(
        answer
            .text
            .contains("platform: Amazon EKS (by node labels that begin with eks.amazonaws.com/)\nadvice: "),
        "{}",
        answer.text
    );
    // OpenShift runs on the machines of the others.
    label(&world, &node, "node.openshift.io/os_id").await;
    let answer = world.good("get_cluster_resources", json!({})).await;
    assert_eq!(answer["platform"]["name"], "OpenShift");
}

#[tokio::test]
async fn a_version_that_tells_no_product_brings_no_advice() {
    let world = World::new("showcase");
    let answer = world.good("check_compatibility", json!({})).await;
    assert!(answer["versions"]["kubernetes"].is_string());
    assert_eq!(answer["platform"], Value::Null);
}
