//! The kinds of Kueue and Volcano without either: their definitions without schemas, for tools that only read them.

use serde_json::json;

use crate::Place;

/// Kind, plural, group, version and scope.
const KINDS: [(&str, &str, &str, &str, &str); 3] = [
    ("LocalQueue", "localqueues", "kueue.x-k8s.io", "v1beta2", "Namespaced"),
    ("ClusterQueue", "clusterqueues", "kueue.x-k8s.io", "v1beta2", "Cluster"),
    ("Queue", "queues", "scheduling.volcano.sh", "v1beta1", "Cluster"),
];

/// Defines the kinds, unless that has been done, and waits until they are served.
///
/// # Panics
/// When the server refuses.
pub async fn define(place: &Place) {
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    for (kind, plural, group, version, scope) in KINDS {
        let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        let names =
            json!({"kind": kind, "plural": plural, "singular": kind.to_lowercase(), "listKind": format!("{kind}List")});
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}"),
                "annotations": {"api-approved.kubernetes.io": "unapproved, stands for queues in tests"}},
            "spec": {"group": group, "scope": scope, "names": names,
                "versions": [{"name": version, "served": true, "storage": true, "schema": schema, "subresources": {"status": {}}}]},
        });
        let made = place
            .ask("POST", definitions, "application/json", Some(&definition))
            .await;
        assert!(made.code.is_success() || made.code.as_u16() == 409, "{}", made.text);
    }
    for (_, plural, group, version, _) in KINDS {
        let path = format!("/apis/{group}/{version}/{plural}");
        place
            .until("the kinds of queues", async || {
                place.ask("GET", &path, "", None).await.code.is_success().then_some(())
            })
            .await;
    }
}
