//! Calls that went wrong once, and calls too large or too odd for chance.

use serde_json::{Value, json};

/// A tool and arguments.
pub(super) fn all() -> Vec<(&'static str, Value)> {
    let deep = (0..200).fold(json!({}), |inner, _| json!({"a": inner}));
    let long = "a".repeat(100_000);
    vec![
        // Larger than any call may be: the argument was not named.
        (
            "run_custom_training",
            json!({"name": "a", "script": "x = 1\n".repeat(600_000)}),
        ),
        // Numbers that only the types refuse: neither was named, least of all in a part that is flattened into its tool.
        ("estimate_resources", json!({"model": "a/b", "num_workers": -1})),
        (
            "estimate_resources",
            json!({"model": "a/b", "param_count": -1, "layers": 5_000_000_000_u64}),
        ),
        (
            "run_container_training",
            json!({"image": "i", "num_proc_per_node": 5_000_000_000_u64}),
        ),
        // Names that the pattern lets pass and the type does not.
        ("get_training_job", json!({"name": "a..b"})),
        ("delete_training_job", json!({"name": "a.-b", "confirmed": true})),
        ("get_runtime", json!({"name": "a-.b", "namespace": long})),
        // Deep and long values.
        (
            "create_runtime",
            json!({"name": "deep", "spec": deep, "confirmed": true}),
        ),
        (
            "patch_runtime",
            json!({"name": "torch-distributed", "patch": {"template": deep}, "confirmed": true}),
        ),
        (
            "run_container_training",
            json!({"image": "i", "affinity": deep, "confirmed": true}),
        ),
        (
            "run_container_training",
            json!({"image": "i", "args": [long], "env": {"A": long}}),
        ),
        ("run_custom_training", json!({"script": "(".repeat(50_000)})),
        ("run_custom_training", json!({"script": "x = 1", "func_args": deep})),
        (
            "get_training_logs",
            json!({"name": "gpt2-pretrain", "pattern": "(a*)*".repeat(2_000)}),
        ),
        (
            "inspect_crd",
            json!({"name": "TrainJob", "path": "spec.".repeat(5_000)}),
        ),
        ("list_training_jobs", json!({"cursor": long})),
        ("list_training_jobs", json!({"label_selector": "a in (b,,c),!"})),
    ]
}
