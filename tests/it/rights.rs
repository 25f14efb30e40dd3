//! What a call says when one right is missing that it would have used: a required one is named, with who can give it; one that it
//! can do without is told as what could not be seen.

use kf_mcp_core::{Need, Persona, Selection};
use kf_mcp_tests::{MODULES, World, queues};
use serde_json::{Value, json};

/// A tool and its arguments.
type Call = (&'static str, Value);

/// Calls, each in a world of its own after those that it needs.
fn calls() -> Vec<(Vec<Call>, Call)> {
    let submit = || {
        (
            "run_container_training",
            json!({"name": "probe", "image": "example.com/train:1", "confirmed": true}),
        )
    };
    let part = json!({"name": "node", "template": {"spec": {"template": {"spec": {"containers": [{"name": "node", "image": "i"}]}}}}});
    let spec = json!({"mlPolicy": {"torch": {}}, "template": {"spec": {"replicatedJobs": [part]}}});
    let runtime = || {
        (
            "create_runtime",
            json!({"name": "own", "spec": spec, "confirmed": true}),
        )
    };
    let alone = |tool, arguments| (Vec::new(), (tool, arguments));
    let after = |before, tool, arguments| (vec![before], (tool, arguments));
    vec![
        alone("health_check", json!({})),
        alone("list_namespaces", json!({})),
        alone("check_compatibility", json!({})),
        alone("get_cluster_resources", json!({})),
        alone(
            "pre_flight",
            json!({"model": "Qwen/Qwen2.5-1.5B", "dataset": "pvc://data", "hf_secret": "hub"}),
        ),
        alone(
            "pre_flight",
            json!({"runtime": "torch-distributed", "queue": "research"}),
        ),
        alone("estimate_resources", json!({"model": "Llama-3.1-8B"})),
        alone("list_training_jobs", json!({})),
        alone("get_training_job", json!({"name": "llama3-8b-pretrain"})),
        alone("list_runtimes", json!({})),
        alone("get_runtime", json!({"name": "torch-distributed"})),
        alone("get_training_logs", json!({"name": "llama3-8b-pretrain"})),
        alone("get_training_progress", json!({"name": "llama3-8b-pretrain"})),
        alone("get_training_events", json!({"name": "llama-lora"})),
        alone(
            "wait_for_training",
            json!({"name": "llama3-8b-pretrain", "timeout_seconds": 1}),
        ),
        alone("diagnose_training_job", json!({"name": "gpt2-pretrain"})),
        alone(
            "run_custom_training",
            json!({"name": "script", "script": "x = 1", "confirmed": true}),
        ),
        alone(
            "fine_tune",
            json!({"name": "tuned", "model": "Qwen/Qwen2.5-1.5B", "dataset": "a/b", "confirmed": true}),
        ),
        alone(submit().0, submit().1),
        after(
            submit(),
            "update_training_job",
            json!({"name": "probe", "action": "suspend", "confirmed": true}),
        ),
        after(
            submit(),
            "clone_training_job",
            json!({"name": "probe", "new_name": "again", "confirmed": true}),
        ),
        after(
            submit(),
            "delete_training_job",
            json!({"name": "probe", "confirmed": true}),
        ),
        alone("inspect_crd", json!({})),
        alone("inspect_crd", json!({"name": "TrainJob"})),
        alone("inspect_controller", json!({})),
        alone("inspect_controller", json!({"view": "events"})),
        alone(runtime().0, runtime().1),
        after(
            runtime(),
            "patch_runtime",
            json!({"name": "own", "patch": {"mlPolicy": {"numNodes": 2}}, "confirmed": true}),
        ),
        after(runtime(), "delete_runtime", json!({"name": "own", "confirmed": true})),
        alone("list_optimization_jobs", json!({"namespace": "*"})),
        alone("list_models", json!({})),
    ]
}

async fn world(before: &[Call]) -> World {
    let world = World::new("showcase");
    queues::define(&world.place).await;
    let queue = json!({"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "LocalQueue",
        "metadata": {"name": "research"}, "spec": {"clusterQueue": "all"}});
    world.create("localqueues.kueue.x-k8s.io", &queue).await;
    for (tool, arguments) in before {
        let answer = world.call(tool, arguments.clone()).await;
        assert!(!answer.is_error, "{tool}: {}", answer.text);
    }
    world
}

#[tokio::test]
async fn each_missing_right_is_told() {
    let clients = MODULES.iter().map(|module| module.name().to_owned()).collect();
    let persona = Persona::PlatformAdmin;
    let catalogue = kf_mcp_core::Catalogue::new(MODULES, &Selection { clients, persona }).unwrap();
    let (mut lines, mut wrong) = (Vec::new(), Vec::new());
    for (before, (tool, arguments)) in calls() {
        let spec = catalogue.get(tool).unwrap().spec;
        let (whole, asked) = world(&before).await.called(tool, arguments.clone()).await;
        assert!(!whole.is_error, "{tool}: {}", whole.text);
        let mut rights: Vec<(&str, String, String)> = asked
            .iter()
            .filter(|asked| !asked.group.starts_with("auth") && asked.name.as_deref() != Some(""))
            .map(|asked| (asked.verb, asked.group.clone(), asked.resource.clone()))
            .collect();
        // lists of what is in no namespace have no name either, and are rights all the same
        rights.extend(
            asked
                .iter()
                .filter(|asked| {
                    asked.name.as_deref() == Some("") && spec.access.iter().any(|a| a.resource == asked.resource)
                })
                .map(|asked| (asked.verb, asked.group.clone(), asked.resource.clone())),
        );
        rights.sort();
        rights.dedup();
        for (verb, group, resource) in rights {
            let need = spec
                .access
                .iter()
                .find(|a| a.group == group && a.resource == resource && a.verbs.contains(&verb))
                .map(|access| access.need);
            let world = world(&before).await;
            let dotted = if group.is_empty() {
                resource.clone()
            } else {
                format!("{resource}.{group}")
            };
            world.sandbox().forbid(&format!("{verb} {dotted}"));
            let answer = world.call(tool, arguments.clone()).await;
            let error = &answer.structured["error"];
            let needed = matches!(need, Some(Need::Required));
            let said = answer.text.replace('\n', " ");
            let names = said.contains(&resource) || said.contains(resource.trim_end_matches('s'));
            let tells = names
                || ["not seen", "not looked at", "may not"]
                    .iter()
                    .any(|words| said.contains(words));
            let good = if answer.is_error {
                let granted = said.contains("RoleBinding") && said.contains(verb);
                error["code"] == "forbidden" && names && granted
            } else {
                !needed && said != whole.text.replace('\n', " ") && tells
            };
            let outcome = if answer.is_error { "refused" } else { "told" };
            lines.push(format!("{tool}: {verb} {dotted}: {outcome}"));
            if !good {
                wrong.push(format!("{tool}: {verb} {dotted} ({need:?}): {}", answer.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    insta::assert_snapshot!(lines.join("\n"));
}
