//! Journeys of scripts: what the pods have is the source byte for byte, and what is no Python is never sent.

use serde_json::{Value, json};

use super::{job, with};
use crate::{World, script};

/// What a heredoc, a shell, a formatter, an indenter or Kubernetes itself would change.
const NASTY: &str = "#!/usr/bin/env python\r\n# -*- coding: utf-8 -*-\r\nprice = '$HOME ${HOME} $(HOME) $(SIM_RUN) $(id) `id` $$ \\\\ \\$'\r\n\
    text = \"\"\"\nEOM\nEOF\n  'quoted' \"double\"\n\"\"\"\nemoji = '🦀 é \u{202e}'\nif True:\n\tprint('tab')\n\n\n# no newline at the end %s %d {0}";

/// Ends of lines that editors, parsers and terminals take for others: a mark at the beginning, bare carriage returns, form
/// feeds, and what Unicode calls a line; and enders of heredocs of every kind, the SDK's among them.
const ODD: &str = "\u{feff}a = 1\rb = 2\r\n\u{c}c = 'x\u{85}y\u{2028}z'\nd = \"\"\"\nEOM\n EOM\nEOF\n<<EOM\n\tEOM\n'EOM'\n\"\"\"\n\
    # \u{1f9d1}\u{200d}\u{1f680} e\u{301}\n";

/// 200 kB that compress badly, so that they travel in several parts.
fn big() -> String {
    let mut script = String::from("def train(rate, words=()):\n    print(rate, words, len(DATA))\n\nDATA = [\n");
    let mut state = 7_u64;
    while script.len() < 200_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        script.push_str(&format!(
            "    '{state:016x}{:016x} `$HOME` 🦀',\n",
            state ^ (state >> 29)
        ));
    }
    script + "]\n"
}

/// The arguments of a job that runs a script until it is told to end.
fn running(name: &str, source: &str) -> Value {
    json!({"name": name, "script": source, "gpu_per_node": 0, "env": {"SIM_RUN": "10h"}})
}

/// The document that the training container of a pod has in its arguments, none when it has no script.
fn carried(pod: &Value) -> Option<Value> {
    let containers = pod["spec"]["containers"].as_array()?;
    containers
        .iter()
        .find_map(|container| script::carried(&container["args"]))
}

/// Scripts that would break in a shell, and one of 200 kB with arguments: each pod has them as they are.
pub async fn a_script_reaches_the_pods_byte_for_byte(world: &World) {
    let big = big();
    let arguments = json!({"rate": 1e-4, "words": ["$HOME", "`id`", "EOM", "Zoë 🦀", {"deep": [null, true, "NaN"]}]});
    for (name, source, extra) in [
        (
            "nasty",
            NASTY,
            json!({"num_nodes": 2, "packages": ["peft>=0.17"], "pip_index_urls": ["https://pypi.org/simple"]}),
        ),
        ("odd", ODD, json!({"packages": ["peft>=0.17"]})),
        ("big", big.as_str(), json!({"func_args": arguments})),
    ] {
        let mut call = running(name, source);
        for (key, value) in extra.as_object().into_iter().flatten() {
            call[key] = value.clone();
        }
        let preview = world.call("run_custom_training", call.clone()).await;
        assert!(!preview.is_error, "{}", preview.text);
        assert!(
            preview.text.len() + preview.structured.to_string().len() < 12_000,
            "{}",
            preview.text
        );
        world.confirmed("run_custom_training", call).await;
        let pods = if name == "nasty" { 2 } else { 1 };
        world.running(name, pods).await;
        for pod in world.pods(name).await {
            let task = carried(&pod).unwrap_or_default();
            assert!(task["script"] == source, "{name}: {}", pod["spec"]["containers"]);
            assert_eq!(task["run"], json!(["-m", "torch.distributed.run"]));
            if name == "big" {
                assert_eq!(task["func_args"], arguments);
                assert!(task["entry"].as_str().is_some_and(|entry| entry.contains("train(")));
            } else {
                assert_eq!(
                    (&task["packages"], &task["entry"]),
                    (&json!(["peft>=0.17"]), &json!(""))
                );
            }
            let words = pod["spec"]["containers"][0]["args"].as_array().into_iter().flatten();
            assert!(words.filter_map(Value::as_str).all(|word| word.len() < 128 << 10));
        }
        world.confirmed("delete_training_job", job(name)).await;
    }
}

/// On an MPI runtime the launcher has the script, and tells the ranks of the variables.
pub async fn a_script_on_an_mpi_runtime_is_handed_on_by_mpirun(world: &World) {
    let call = with(running("ranks", NASTY), "runtime", json!("deepspeed-distributed"));
    world
        .confirmed("run_custom_training", with(call, "num_nodes", json!(2)))
        .await;
    world.running("ranks", 2).await;
    let pods = world.pods("ranks").await;
    let launchers: Vec<&Value> = pods.iter().filter(|pod| carried(pod).is_some()).collect();
    assert_eq!(launchers.len(), 1, "one pod has the script: {pods:?}");
    let launcher = launchers[0];
    assert_eq!(carried(launcher).unwrap_or_default()["script"], NASTY);
    let command = &launcher["spec"]["containers"][0]["command"];
    let begins: Vec<&str> = command
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .take(6)
        .collect();
    assert_eq!(
        begins,
        ["mpirun", "--hostfile", "/etc/mpi/hostfile", "-x", "SIM_RUN", "sh"]
    );
    world.confirmed("delete_training_job", job("ranks")).await;
}

/// A syntax error is told with its place, and nothing is asked of the cluster.
pub async fn what_is_no_python_is_refused_before_it_is_sent(world: &World) {
    let broken = running("broken", "import torch\n\ndef train(a:\n    pass\n");
    for arguments in [broken.clone(), with(broken, "confirmed", json!(true))] {
        let (answer, asked) = world.called("run_custom_training", arguments).await;
        let error = &answer.structured["error"];
        assert_eq!(
            (&error["code"], &error["field"]),
            (&json!("invalid_argument"), &json!("script")),
            "{error}"
        );
        assert!(answer.text.contains("line 3, column "), "{}", answer.text);
        assert!(asked.is_empty(), "{asked:?}");
    }
    assert!(world.object("trainjobs.trainer.kubeflow.org", "broken").await.is_none());
}
