//! Arguments made up from an input schema: right ones, nearly right ones and nonsense.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// What stands where secrets stand: nothing that is said may contain it.
pub(super) const SECRET: &str = "hunter2-do-not-tell";

/// How the arguments of one call are made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// As somebody who knows the tool might write them, with slips.
    Sane,
    /// As nobody would.
    Wild,
}

/// Arguments of a tool: some of its own, and in wild calls now and then one that it does not have.
pub(super) fn of(schema: &Map<String, Value>) -> BoxedStrategy<Value> {
    prop_oneof![call(schema, Mood::Sane), call(schema, Mood::Wild)].boxed()
}

fn call(schema: &Map<String, Value>, mood: Mood) -> BoxedStrategy<Value> {
    let required = schema.get("required").cloned().unwrap_or_default();
    let is_required = move |name: &str| required.as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    // About three of the arguments that need not be given, however many there are.
    let optional = (3.0 / properties.len().max(1) as f64).min(0.4);
    let mut each: Vec<BoxedStrategy<Option<(String, Value)>>> = Vec::new();
    for (name, property) in properties {
        let chance = match name.as_str() {
            "confirmed" => 0.5,
            "plan_id" => 0.05,
            _ if is_required(&name) => 0.97,
            // In clear text they are always refused.
            _ if is_secret(&name) && mood == Mood::Sane => continue,
            _ => optional,
        };
        let value = argument(&name, &property, mood);
        each.push(option::weighted(chance, value.prop_map(move |value| (name.clone(), value))).boxed());
    }
    let foreign = match mood {
        Mood::Sane => Just(None).boxed(),
        Mood::Wild => option::weighted(0.1, (text(), anything())).boxed(),
    };
    (each, foreign)
        .prop_map(|(own, foreign)| Value::Object(own.into_iter().flatten().chain(foreign).collect()))
        .boxed()
}

fn is_secret(name: &str) -> bool {
    ["token", "access_key", "password"]
        .iter()
        .any(|word| name.ends_with(word))
}

/// A value for an argument: mostly of the right kind.
fn argument(name: &str, schema: &Value, mood: Mood) -> BoxedStrategy<Value> {
    if is_secret(name) {
        return prop_oneof![Just(json!(SECRET)), Just(json!([SECRET])), Just(json!({"a": SECRET}))].boxed();
    }
    let fitting = fitting(name, schema, mood);
    match mood {
        Mood::Sane => fitting,
        Mood::Wild => prop_oneof![2 => fitting, 1 => edges(schema), 1 => anything()].boxed(),
    }
}

/// A value of the kind that the schema wants.
fn fitting(name: &str, schema: &Value, mood: Mood) -> BoxedStrategy<Value> {
    if let Some(allowed) = schema["enum"].as_array().filter(|allowed| !allowed.is_empty()) {
        return select(allowed.clone()).boxed();
    }
    match schema["type"].as_str().unwrap_or("object") {
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "integer" => {
            let least = schema["minimum"].as_i64().unwrap_or(0);
            let most = schema["maximum"].as_i64().unwrap_or(40).min(40).max(least);
            (least..=most).prop_map(Value::from).boxed()
        }
        "number" => (0.0..1.2_f64).prop_map(Value::from).boxed(),
        "array" => {
            let item = argument(name, &schema["items"], mood);
            vec(item, 0..4).prop_map(Value::from).boxed()
        }
        "object" => object(name, schema, mood),
        _ if mood == Mood::Sane => known(name).prop_map(Value::from).boxed(),
        _ => prop_oneof![known(name), text()].prop_map(Value::from).boxed(),
    }
}

/// An object: what Kubernetes would take there, or anything.
fn object(name: &str, schema: &Value, mood: Mood) -> BoxedStrategy<Value> {
    let right = match name {
        "resources_per_node" => vec![
            json!({"cpu": 2, "memory": "4Gi", "gpu": 1}),
            json!({"mig-1g.5gb": 1}),
            json!({"cpu": "x"}),
        ],
        "env" => vec![
            json!({"A": "1"}),
            json!({"HF_TOKEN": {"secretKeyRef": {"name": "hf", "key": "token"}}}),
            json!({"DB_PASSWORD": SECRET}),
        ],
        "affinity" => vec![
            json!({"nodeAffinity": {}}),
            json!({"nodeAfinity": {}}),
            json!({"podAffinity": [1]}),
        ],
        "tolerations" => vec![
            json!({"operator": "Exists"}),
            json!({"key": 1}),
            json!({"operator": "exists"}),
        ],
        "volumes" => vec![
            json!({"name": "data", "emptyDir": {}}),
            json!({"name": "data", "hostPath": 7}),
            json!({"empty_dir": {}}),
        ],
        "volume_mounts" => vec![
            json!({"name": "data", "mountPath": "/data"}),
            json!({"name": "x", "mount_path": "/data"}),
        ],
        "image_pull_secrets" => vec![json!({"name": "registry"}), json!({"name": {"a": 1}})],
        "labels" | "annotations" | "node_selector" => vec![json!({"team": "a"}), json!({"a b": "c"}), json!({"": ""})],
        "func_args" => vec![json!({"rate": 0.1}), json!({"class": 1}), json!({"a b": [null, 1e300]})],
        "spec" | "patch" => vec![
            json!({"mlPolicy": {"numNodes": 2}}),
            json!({"mlPolicy": {"numNodes": "x"}, "template": 1}),
            json!({"template": {"spec": {"replicatedJobs": [{"name": "node", "template": {"spec": {"template": {"spec": {"containers": [{"name": "node", "image": "i"}]}}}}}]}}}),
        ],
        _ => vec![json!({})],
    };
    let value = match &schema["additionalProperties"] {
        Value::Object(inner) => fitting("", &Value::Object(inner.clone()), mood),
        _ => anything(),
    };
    let made_up = btree_map(prop_oneof![known("key"), text()], value, 0..4);
    if mood == Mood::Sane {
        return select(right).boxed();
    }
    prop_oneof![
        select(right),
        made_up.prop_map(|map| Value::Object(map.into_iter().collect())),
    ]
    .boxed()
}

/// Texts that mean something: names of the showcase, models, scripts, quantities.
fn known(name: &str) -> BoxedStrategy<String> {
    let some: &[&str] = match name {
        "name" | "job" | "job_name" => &[
            "llama3-8b-pretrain",
            "llama-lora",
            "gpt2-pretrain",
            "bert-sentiment-finetune",
            "new-one",
            "torch-distributed",
            "1bad",
            "Bad_Name",
        ],
        "namespace" => &["team-a", "team-b", "*", "nowhere", "Team A", ""],
        "runtime" => &[
            "torch-distributed",
            "torchtune-llama3.2-1b",
            "fail-fast",
            "nope",
            "deepspeed-distributed",
            "jax-distributed",
            "No Runtime",
        ],
        "image" => &["example.com/train:1", "i", "a b", "-x", "@sha256:0"],
        "model" => &[
            "Qwen/Qwen2.5-1.5B",
            "Qwen/Qwen2.5-1.5B-Instruct",
            "hf://meta-llama/Llama-3.2-1B",
            "pvc://weights/llama-3.2-1b",
            "Llama-3.1-8B",
            "hf://",
        ],
        "dataset" => &[
            "tatsu-lab/alpaca",
            "hf://tatsu-lab/alpaca",
            "hf://a/b/c.d/e",
            "s3://b/k.jsonl",
            "pvc://data/x",
            "squad",
            "http://u:p@h/x",
        ],
        "dtype" => &["bf16", "fp32", "fp8"],
        "script" => &[
            "print(1)",
            "def train(a=1):\n    pass\n",
            "def train(:",
            "x = 'é\u{202e}'",
            "\tif",
        ],
        "dataset_source" => &["json", "csv", "tfrecord"],
        "loss" => &[
            "CEWithChunkedOutputLoss",
            "torchtune.modules.loss.CEWithChunkedOutputLoss",
            "mse",
        ],
        "lora_attn_modules" => &["q_proj", "v_proj", "output_proj", "z_proj"],
        "dataset_split" => &["train", "train[:95%]", "train["],
        "s3_endpoint" => &["https://minio.example.com", "minio", "http://u:p@h"],
        "packages" => &["peft>=0.17", "--pre", "a @ https://u:p@h/x", "-r /etc/passwd", "a b"],
        "pip_index_urls" => &["https://pypi.org/simple", "https://u:p@h/s", "ftp://x", "--index-url"],
        "command" | "args" => &["python", "$(HOME)", "-c", ""],
        "plan_id" => &["bcdfg-0123456789abcdef", "x", "bcdfg-"],
        "cursor" => &["x", "eyJ2IjoxfQ", "AAAA"],
        "path" => &["spec.trainer", "spec", "spec.nope", "spec..", "[0]"],
        "pattern" => &["loss", "(", "(?i)error", "((((((((((a*)*)*)*)*)*)*)*)*)*"],
        "step" => &["node-0", "node", "launcher", "node-99"],
        "key" => &[
            "a",
            "A",
            "team",
            "gpu",
            "PATH",
            "kubeflow-mcp/caller",
            "kueue.x-k8s.io/queue-name",
        ],
        _ => &[
            "a",
            "10",
            "1Gi",
            "true",
            "example",
            "2026-01-01T00:00:00Z",
            "trainjobs",
            "TrainJob",
            "Running",
        ],
    };
    select(some).prop_map(str::to_owned).boxed()
}

/// Values just out of, and far out of, what the schema allows.
fn edges(schema: &Value) -> BoxedStrategy<Value> {
    let mut edges = vec![
        json!(""),
        json!(0),
        json!(-1),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e308),
        json!(0.5),
        json!([]),
        json!({}),
    ];
    for bound in ["minimum", "maximum"] {
        if let Some(bound) = schema[bound].as_i64() {
            edges.extend([
                json!(bound - 1),
                json!(bound),
                json!(bound + 1),
                json!((bound + 1).to_string()),
            ]);
        }
    }
    let most = schema["maxLength"].as_u64().unwrap_or(253) as usize;
    edges.extend([
        json!("a".repeat(most)),
        json!("a".repeat(most + 1)),
        json!("é".repeat(5000)),
        json!(vec!["x"; 300]),
    ]);
    select(edges).boxed()
}

/// Any JSON, nested.
fn anything() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
        Just(deep()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(text(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
    .boxed()
}

/// Lists in lists, deeper than anybody writes.
fn deep() -> Value {
    (0..100).fold(json!("end"), |inner, _| json!([inner]))
}

/// Texts that break what is careless: controls, directions, quotes, other alphabets, paths, templates, and long ones.
fn text() -> BoxedStrategy<String> {
    prop_oneof![
        4 => select(vec![
            "", " ", "\0", "a\0b", "\u{1b}[31mred\u{1b}[0m", "\r\nX: y", "\u{202e}txt.exe", "\u{feff}a", "'; drop table", "../../etc/passwd",
            "%2e%2e%2f", "a?b=c&d#e", "$(HOME)", "`id`", "{{7*7}}", "${x}", "名前", "🦀", "e\u{301}", "-", ".", "..", "/", "\\", "a".repeat(64).as_str(),
        ].into_iter().map(str::to_owned).collect::<Vec<_>>()),
        2 => vec(any::<char>(), 0..12).prop_map(|chars| chars.into_iter().collect()),
        1 => (0..3_usize).prop_map(|size| "x".repeat([300, 5_000, 70_000][size])),
    ]
    .boxed()
}
