//! What each tool is called with, and what its calls should come to.

use serde_json::{Value, json};

/// What a call should come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    /// A good answer.
    Good,
    /// An error with this code.
    Code(&'static str),
}
use Expect::{Code, Good};

/// The calls of a tool, in order: each success path, and what is not there.
pub(super) fn calls(tool: &str, experiment: &str) -> Vec<(Value, Expect)> {
    let gone = json!({"name": "nobody"});
    match tool {
        "health_check" | "get_server_logs" | "list_runtimes" | "get_cluster_resources" => vec![(json!({}), Good)],
        // what a quota wants to be told is told where the call has no request to spare for asking who else says it
        "pre_flight" => {
            let told = |more: Value| {
                let mut arguments = json!({"resources_per_node": {"cpu": 1}});
                for (key, value) in more.as_object().into_iter().flatten() {
                    arguments[key] = value.clone();
                }
                (arguments, Good)
            };
            let claim = json!({"model": "pvc://data", "runtime": "torch-distributed"});
            vec![
                told(json!({})),
                (json!({"gpu_per_node": 0}), Good),
                told(json!({"name": "walk"})),
                told(json!({"queue": "research"})),
                told(json!({"hf_secret": "hub"})),
                told(claim),
                told(json!({"model": "Qwen/Qwen2.5-1.5B", "resources_per_node": {"cpu": 1, "gpu": 1}})),
            ]
        }
        "estimate_resources" => vec![(json!({"model": "Llama-3.1-8B"}), Good)],
        "list_namespaces" => vec![(json!({}), Good)],
        "check_compatibility" => vec![(json!({}), Good)],
        "list_training_jobs" => vec![
            (json!({}), Good),
            (json!({"namespace": "*"}), Good),
            (json!({"status": "Running"}), Good),
            // every kind of the training operator v1
            (json!({"kind": "*"}), Good),
        ],
        "get_training_job" => vec![
            (json!({"name": "walk"}), Good),
            (json!({"name": "walk", "include_spec": true}), Good),
            (gone, Code("not_found")),
        ],
        "get_runtime" => vec![
            (json!({"name": "torch-distributed", "include_packages": true}), Good),
            (gone, Code("not_found")),
        ],
        // a job that cannot be placed has no log, and the events say why
        "get_training_logs" => vec![
            (json!({"name": "walk"}), Good),
            (json!({"name": "walk", "tail_lines": 1, "pattern": "epoch"}), Good),
            (json!({"name": "stuck"}), Good),
            (gone, Code("not_found")),
        ],
        "get_training_progress" => vec![
            (json!({"name": "walk"}), Good),
            (json!({"name": "walk", "format": "chart", "metric": "loss"}), Good),
            (gone, Code("not_found")),
        ],
        "get_training_events" => vec![(json!({"name": "walk"}), Good), (gone, Code("not_found"))],
        "run_container_training" => {
            let job = json!({"name": "probe", "image": "example.com/train:1", "gpu_per_node": 0});
            let confirmed =
                json!({"name": "probe", "image": "example.com/train:1", "gpu_per_node": 0, "confirmed": true});
            let lost = json!({"name": "probe2", "image": "example.com/train:1", "runtime": "nope"});
            vec![
                (job, Good),
                (confirmed.clone(), Good),
                // the same name again: the existing job is read to tell whose it is
                (confirmed, Code("already_exists")),
                (lost, Code("not_found")),
            ]
        }
        "run_custom_training" => {
            let script = |name: &str, runtime: &str, confirmed: bool| json!({"name": name, "script": "x = 1", "runtime": runtime, "gpu_per_node": 0, "confirmed": confirmed});
            vec![
                (script("script", "torch-distributed", false), Good),
                (script("script", "torch-distributed", true), Good),
                // the same name again: the existing job is read to tell whose it is
                (script("script", "torch-distributed", true), Code("already_exists")),
                (script("script2", "nope", false), Code("not_found")),
            ]
        }
        "fine_tune" => {
            let chosen = json!({"name": "tuned", "model": "Qwen/Qwen2.5-1.5B", "dataset": "tatsu-lab/alpaca"});
            let named = |name: &str, runtime: &str, confirmed: bool| {
                json!({"name": name, "model": "Qwen/Qwen2.5-1.5B", "dataset": "tatsu-lab/alpaca", "runtime": runtime,
                    "confirmed": confirmed})
            };
            vec![
                (chosen, Good),
                (named("tuned", "torchtune-qwen2.5-1.5b", true), Good),
                // the same name again: the existing job is read to tell whose it is
                (named("tuned", "torchtune-qwen2.5-1.5b", true), Code("already_exists")),
                (named("tuned2", "nope", false), Code("not_found")),
            ]
        }
        "clone_training_job" => {
            let copy = |name: &str, new: &str| json!({"name": name, "new_name": new, "num_nodes": 2});
            let with = |key: &str, value: Value| {
                let mut arguments = copy("walk", "walk2");
                arguments[key] = value;
                arguments
            };
            vec![
                (copy("walk", "walk2"), Good),
                (with("confirmed", json!(true)), Good),
                // the same name again: the existing job is read to tell whose it is
                (with("confirmed", json!(true)), Code("already_exists")),
                // a runtime of the namespace, and one that is nowhere
                (copy("housed", "housed2"), Good),
                (with("runtime", json!("nope")), Code("not_found")),
                (gone, Code("not_found")),
            ]
        }
        // the log of a container that failed is read
        "diagnose_training_job" => vec![
            (json!({"name": "walk"}), Good),
            (json!({"name": "broken"}), Good),
            (gone, Code("not_found")),
        ],
        "update_training_job" => {
            let told = |name: &str, action: &str| json!({"name": name, "action": action});
            let confirmed = |name: &str, action: &str| json!({"name": name, "action": action, "confirmed": true});
            vec![
                (told("spare", "suspend"), Good),
                (confirmed("spare", "suspend"), Good),
                (confirmed("spare", "suspend"), Good),
                (confirmed("spare", "resume"), Good),
                // on a runtime of its namespace
                (told("housed", "suspend"), Good),
                (told("nobody", "suspend"), Code("not_found")),
            ]
            .into_iter()
            .chain(one_of_each().into_iter().map(|mut of| {
                of["action"] = json!("resume");
                (of, Good)
            }))
            .collect()
        }
        // one that runs is watched; one that is stuck is looked into
        "wait_for_training" => vec![
            (json!({"name": "walk", "target_statuses": "Running"}), Good),
            (json!({"name": "walk", "timeout_seconds": 1}), Good),
            (json!({"name": "stuck"}), Good),
            (gone, Code("not_found")),
        ],
        "delete_training_job" => vec![
            (json!({"name": "spare"}), Good),
            (json!({"name": "spare", "confirmed": true}), Good),
            (gone, Code("not_found")),
        ]
        .into_iter()
        .chain(one_of_each().into_iter().map(|of| (of, Good)))
        .collect(),
        "inspect_crd" => vec![
            (json!({}), Good),
            (json!({"name": "TrainJob", "path": "spec.trainer"}), Good),
            (json!({"name": "widgets.example.com"}), Code("not_found")),
        ],
        "inspect_controller" => vec![
            (json!({"namespace": HERE}), Good),
            (json!({"namespace": HERE, "view": "events"}), Good),
            (json!({"view": "deployment"}), Good),
        ],
        "create_runtime" => runtimes(&[
            (json!({"spec": runtime()["spec"]}), Good),
            (json!({"spec": runtime()["spec"], "confirmed": true}), Good),
            (
                json!({"spec": runtime()["spec"], "confirmed": true}),
                Code("already_exists"),
            ),
        ]),
        // everybody may read the cluster's runtimes, so what is refused to nobody's user is the trial of a change
        "patch_runtime" => {
            let shipped = json!({"name": "torch-distributed", "patch": {"mlPolicy": {"numNodes": 2}}});
            let mut calls = vec![(shipped, Good)];
            calls.extend(runtimes(&[
                (json!({"patch": {"mlPolicy": {"numNodes": 2}}}), Good),
                (json!({"patch": {"mlPolicy": {"numNodes": 2}}, "confirmed": true}), Good),
            ]));
            calls
        }
        "delete_runtime" => {
            let mut calls = vec![(json!({"name": "torch-distributed"}), Good)];
            calls.extend(runtimes(&[
                (json!({}), Good),
                (json!({"confirmed": true}), Good),
                (json!({}), Code("not_found")),
            ]));
            calls
        }
        "list_optimization_jobs" => vec![(json!({}), Good), (json!({"namespace": "*"}), Good)],
        "get_optimization_job" | "get_best_hyperparameters" => {
            vec![(json!({"name": experiment}), Good), (gone, Code("not_found"))]
        }
        // the service of the registry has nothing behind it here
        "list_models" => vec![(json!({}), Code("unreachable"))],
        "get_model" | "list_model_versions" => vec![(json!({"name": "bert"}), Code("unreachable"))],
        other => panic!("{other} has no calls here: say what it does on a real cluster"),
    }
}

/// Confirmed arguments about a job of each kind of the training operator v1.
fn one_of_each() -> Vec<Value> {
    let all = kf_mcp_tests::journeys::one_of_each().into_iter();
    all.map(|(_, of)| json!({"name": of["metadata"]["name"], "kind": of["kind"], "confirmed": true}))
        .collect()
}

/// Stands for the namespace of the visit in the arguments of calls.
const HERE: &str = "$HERE";

/// Calls about a runtime of the cluster, and then the same about one of the namespace.
fn runtimes(calls: &[(Value, Expect)]) -> Vec<(Value, Expect)> {
    let cluster = calls.iter().cloned().map(|(mut arguments, expected)| {
        arguments["name"] = json!(format!("for-{HERE}"));
        (arguments, expected)
    });
    let own = calls.iter().cloned().map(|(mut arguments, expected)| {
        arguments["name"] = json!("own");
        arguments["namespace"] = json!(HERE);
        (arguments, expected)
    });
    cluster.chain(own).collect()
}

/// A runtime without a name.
pub(super) fn runtime() -> Value {
    let part = json!({"name": "node", "template": {
        "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
        "spec": {"template": {"spec": {"containers": [{"name": "node", "image": "example.com/train:1"}]}}}}});
    json!({"apiVersion": "trainer.kubeflow.org/v1alpha1",
        "spec": {"mlPolicy": {"torch": {}}, "template": {"spec": {"replicatedJobs": [part]}}}})
}

/// Arguments for a namespace.
pub(super) fn placed(arguments: &Value, namespace: &str) -> Value {
    serde_json::from_str(&arguments.to_string().replace(HERE, namespace)).unwrap()
}
