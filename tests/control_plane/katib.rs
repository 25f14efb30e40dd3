//! Katib's kinds without Katib: their definitions without schemas, and the experiments of the sandbox's showcase, for
//! tools that only read them.

use jiff::Timestamp;
use kf_mcp_control_plane::Api;
use kf_mcp_sandbox::{Clock, Sandbox};
use kf_mcp_tests::START;
use kf_mcp_tests::place::Place;
use serde_json::{Value, json};

/// Kind, plural and singular.
const KINDS: [(&str, &str, &str); 2] = [
    ("Experiment", "experiments", "experiment"),
    ("Trial", "trials", "trial"),
];
/// Where the showcase has its experiments.
const FROM: &str = "team-a";

/// Defines the kinds and waits until they are served.
pub(crate) async fn define(api: &Api) {
    for (kind, plural, singular) in KINDS {
        let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.kubeflow.org"),
                "annotations": {"api-approved.kubernetes.io": "unapproved, stands for Katib in tests"}},
            "spec": {
                "group": "kubeflow.org", "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural, "singular": singular, "listKind": format!("{kind}List")},
                "versions": [{"name": "v1beta1", "served": true, "storage": true, "schema": schema, "subresources": {"status": {}}}],
            },
        });
        api.apply(&definition).await.unwrap();
    }
    let served = Place::Real(api.client());
    for (_, plural, _) in KINDS {
        let path = format!("/apis/kubeflow.org/v1beta1/{plural}");
        served
            .until("Katib's kinds", async || api.get(&path).await.ok().map(drop))
            .await;
    }
}

/// Copies the showcase's experiments and trials into a namespace; the name of one that has trials.
pub(crate) async fn copy(api: &Api, namespace: &str) -> String {
    let start: Timestamp = START.parse().unwrap();
    let showcase = Place::Sandbox(Sandbox::named("showcase", Clock::manual(start)).unwrap());
    let real = Place::Real(api.client());
    let mut chosen = String::new();
    for (_, plural, _) in KINDS {
        let list = showcase
            .ask(
                "GET",
                &format!("/apis/kubeflow.org/v1beta1/namespaces/{FROM}/{plural}"),
                "",
                None,
            )
            .await
            .json();
        for object in list["items"].as_array().unwrap() {
            let name = object["metadata"]["name"].as_str().unwrap();
            let mut copy: Value = object.clone();
            copy["metadata"] = json!({"name": name, "labels": object["metadata"]["labels"]});
            let path = format!("/apis/kubeflow.org/v1beta1/namespaces/{namespace}/{plural}");
            let made = real.ask("POST", &path, "application/json", Some(&copy)).await;
            assert!(made.code.is_success(), "{}", made.text);
            let status = json!({"status": object["status"]});
            let path = format!("{path}/{name}/status");
            real.ask("PATCH", &path, "application/merge-patch+json", Some(&status))
                .await;
            if plural == "trials" {
                let of = object["metadata"]["labels"]["katib.kubeflow.org/experiment"].as_str();
                chosen = of.unwrap_or_default().to_owned();
            }
        }
    }
    assert!(!chosen.is_empty(), "the showcase has no trial");
    chosen
}
