//! Tests of the copies: what is taken over, what is not, and what the changes do.

use super::*;

fn source() -> Value {
    json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob",
        "metadata": {
            "name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7", "generation": 3, "finalizers": ["x/y"],
            "creationTimestamp": "2026-01-01T00:00:00Z", "generateName": "a-", "selfLink": "/x",
            "ownerReferences": [{"kind": "Workflow", "name": "w", "uid": "v"}], "managedFields": [{"manager": "m"}],
            "labels": {"team": "nlp", "kubeflow-mcp/managed-by": "mcp", "kubeflow-mcp/caller": "0123", "app.kubernetes.io/instance": "app",
                "kueue.x-k8s.io/queue-name": "q", "kueue.x-k8s.io/managed": "true"},
            "annotations": {"note": "x", "kubeflow-mcp/plan-id": "p", "kubectl.kubernetes.io/last-applied-configuration": "{}",
                "argocd.argoproj.io/tracking-id": "t"},
        },
        "spec": {
            "runtimeRef": {"apiGroup": "trainer.kubeflow.org", "kind": "TrainingRuntime", "name": "own"},
            "managedBy": "trainer.kubeflow.org/trainjob-controller", "suspend": true, "activeDeadlineSeconds": 60,
            "initializer": {"model": {"storageUri": "hf://a/b", "secretRef": {"name": "hf"}}},
            "trainer": {
                "image": "i:1", "command": ["python"], "args": ["--lr", "1"], "numNodes": 2, "numProcPerNode": 4,
                "env": [{"name": "A", "value": "1"}, {"name": "T", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                "resourcesPerNode": {"limits": {"cpu": 4, "memory": "32Gi", "nvidia.com/gpu": 2}},
            },
            "runtimePatches": [
                {"manager": "a.b/c", "time": "2026-01-01T00:00:00Z", "trainingRuntimeSpec": {"template": {"spec": {"x": 1}}}},
                {"manager": "kueue.x-k8s.io/manager", "time": "2026-01-01T00:00:00Z"},
            ],
            "futureField": {"kept": true},
        },
        "status": {"conditions": [{"type": "Failed", "status": "True"}]},
    })
}

fn lines(copied: &Copied) -> Vec<String> {
    copied.changes.iter().map(Difference::line).collect()
}

#[test]
fn the_spec_is_taken_over_and_what_others_wrote_is_not() {
    let copied = copied(&source(), &Changes::default(), "b", "n");
    let mut spec = source()["spec"].clone();
    spec["suspend"] = json!(false);
    spec["runtimePatches"] = json!([{"manager": "a.b/c", "trainingRuntimeSpec": {"template": {"spec": {"x": 1}}}}]);
    assert_eq!(
        copied.body,
        json!({
            "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob",
            "metadata": {"name": "b", "namespace": "n", "annotations": {"note": "x"},
                "labels": {"team": "nlp", "kueue.x-k8s.io/queue-name": "q"}},
            "spec": spec,
        })
    );
    assert_eq!(lines(&copied), ["~ spec.suspend: true -> false"]);
    assert_eq!(
        copied.left_out,
        [
            "Kueue's runtime patch",
            "label app.kubernetes.io/instance",
            "label kueue.x-k8s.io/managed",
            "annotation argocd.argoproj.io/tracking-id",
        ]
    );
}

#[test]
fn changes_are_merged_and_told() {
    let changes = Changes {
        runtime: Some((RuntimeScope::Cluster, "other".into())),
        image: Some("i:2".into()),
        env: vec![json!({"name": "T", "value": "2"}), json!({"name": "NEW", "value": "3"})],
        num_nodes: Some(4),
        resources: BTreeMap::from([("memory".to_owned(), "64Gi".to_owned())]),
        active_deadline_seconds: Some(120),
        suspend: true,
        ..Changes::default()
    };
    let copied = copied(&source(), &changes, "b", "n");
    assert_eq!(
        lines(&copied),
        [
            "~ spec.activeDeadlineSeconds: 60 -> 120",
            "~ spec.runtimeRef.kind: \"TrainingRuntime\" -> \"ClusterTrainingRuntime\"",
            "~ spec.runtimeRef.name: \"own\" -> \"other\"",
            "+ spec.trainer.env[T].value: \"2\"",
            "- spec.trainer.env[T].valueFrom: {\"secretKeyRef\":{\"key\":\"k\",\"name\":\"s\"}}",
            "+ spec.trainer.env[NEW]: {\"name\":\"NEW\",\"value\":\"3\"}",
            "~ spec.trainer.image: \"i:1\" -> \"i:2\"",
            "~ spec.trainer.numNodes: 2 -> 4",
            "~ spec.trainer.resourcesPerNode.limits.memory: \"32Gi\" -> \"64Gi\"",
            "+ spec.trainer.resourcesPerNode.requests: {\"memory\":\"64Gi\"}",
        ]
    );
    assert_eq!(copied.body["spec"]["trainer"]["command"], json!(["python"]));
}

#[test]
fn devices_take_the_place_of_devices() {
    let changes = Changes {
        resources: BTreeMap::from([("nvidia.com/mig-1g.5gb".to_owned(), "1".to_owned())]),
        ..Changes::default()
    };
    let limits = &copied(&source(), &changes, "b", "n").body["spec"]["trainer"]["resourcesPerNode"]["limits"];
    assert_eq!(
        *limits,
        json!({"cpu": 4, "memory": "32Gi", "nvidia.com/mig-1g.5gb": "1"})
    );
}

#[test]
fn a_job_of_another_version_or_without_a_trainer_is_copied_too() {
    let old = json!({"metadata": {"name": "a", "annotations": {"kueue.x-k8s.io/override-idx": "1"}},
        "spec": {"runtimeRef": {"name": "r"}, "podTemplateOverrides": [{"spec": {"nodeSelector": {"a": "b"}}}, {"spec": {}}]}});
    let changes = Changes {
        num_nodes: Some(2),
        args: Some(vec!["x".into()]),
        env: vec![json!({"name": "A", "value": "1"})],
        ..Changes::default()
    };
    let copied = copied(&old, &changes, "b", "n");
    assert_eq!(
        copied.body["spec"],
        json!({"runtimeRef": {"name": "r"}, "podTemplateOverrides": [{"spec": {"nodeSelector": {"a": "b"}}}],
            "trainer": {"numNodes": 2, "args": ["x"], "env": [{"name": "A", "value": "1"}]}})
    );
    assert_eq!(
        copied.left_out,
        [
            "Kueue's pod template overrides",
            "annotation kueue.x-k8s.io/override-idx"
        ]
    );
}

#[test]
fn copies_of_copies_do_not_grow() {
    for (name, ours, want) in [
        ("bert-x7k2q", true, "bert"),
        ("bert-x7kkq", true, "bert"),
        ("bert-x7kkq", false, "bert-x7kkq"),
        ("gpt2-train", true, "gpt2-train"),
        ("bert", true, "bert"),
    ] {
        assert_eq!(called(name, ours), want);
    }
}
