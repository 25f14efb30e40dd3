//! `get_training_progress` on the sandbox: the showcase's stories, logs of the frameworks, figures of the pods, and what is
//! missing of all that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use kf_mcp_tests::World;
use serde_json::{Value, json};

const TOOL: &str = "get_training_progress";

/// A world with a job `train` that runs on so many nodes and prints a log.
async fn training(world: &World, nodes: u32, log: &str) {
    let job = json!({"name": "train", "image": "example.com/train:1", "num_nodes": nodes, "gpu_per_node": 0, "env": {"SIM_RUN": "10h"}});
    world.confirmed("run_container_training", job).await;
    world.running("train", nodes as usize).await;
    world.annotate("train", &json!({"sim/log": log})).await;
    world.pass(120);
}

#[tokio::test]
async fn the_showcase_tells_how_far_it_is() {
    let world = World::new("showcase");
    let mut told = Vec::new();
    for arguments in [
        json!({"name": "llama3-8b-pretrain"}),
        json!({"name": "llama3-8b-pretrain", "metric": "lr", "points": 3, "step": "node-3"}),
        json!({"name": "bert-sentiment-finetune", "format": "chart"}),
        json!({"name": "gpt2-pretrain", "step": "node-3"}),
        json!({"name": "llama-lora"}),
        json!({"name": "qwen-sft", "format": "chart"}),
        json!({"name": "gemma-jax", "namespace": "team-b"}),
        json!({"name": "gemma-jax", "namespace": "team-b", "step": "node-9"}),
        json!({"name": "nobody"}),
    ] {
        let (answer, asked) = world.called(TOOL, arguments.clone()).await;
        told.push(format!("> {arguments} ({} requests)\n{}", asked.len(), answer.text));
    }
    insta::assert_snapshot!(told.join("\n\n"));
}

#[tokio::test]
async fn logs_of_the_frameworks_are_read() {
    let mut told = Vec::new();
    for (framework, log) in [
        (
            "hugging face",
            "Map: 100%|██████████| 9/9 [00:00<00:00, 90.00 examples/s]\n  0%|          | 0/300 [00:00<?, ?it/s]\r  0%|▏         | 1/300 [00:02<09:58,  2.00s/it]\r 33%|███▎      | 100/300 [00:50<01:40,  2.00it/s]\n{'loss': '1.5', 'grad_norm': '0.9', 'learning_rate': '2e-05', 'epoch': '1.0'}\n{'loss': '1.2', 'grad_norm': 'nan', 'learning_rate': '1e-05', 'epoch': '1.5'}",
        ),
        (
            "torchtune",
            "  0%|          | 0/250 [00:00<?, ?it/s]\r1|1|Loss: 1.9:   0%|          | 1/250 [00:01<04:09,  1.00it/s]\r1|2|Loss: 1.7:   1%|          | 2/250 [00:02<04:08,  1.00it/s]",
        ),
        (
            "lightning",
            "Sanity Checking DataLoader 0: 100%|██████████| 2/2 [00:00<00:00, 9.00it/s]\nEpoch 0:  25%|██▌       | 10/40 [00:05<00:15,  2.00it/s, v_num=0, train_loss=0.500]\rEpoch 0:  50%|█████     | 20/40 [00:10<00:10,  2.00it/s, v_num=0, train_loss=0.400]",
        ),
        (
            "keras",
            "Epoch 1/2\n\u{1b}[1m10/10\u{1b}[0m \u{1b}[32m━━━━━━━━━━\u{1b}[0m\u{1b}[37m\u{1b}[0m \u{1b}[1m1s\u{1b}[0m 100ms/step - accuracy: 0.5000 - loss: 1.2000\nEpoch 2/2\n\r\u{1b}[1m 5/10\u{1b}[0m \u{1b}[32m━━━━━\u{1b}[0m\u{1b}[37m━━━━━\u{1b}[0m \u{1b}[1m0s\u{1b}[0m 100ms/step - accuracy: 0.6000 - loss: 0.9000",
        ),
        (
            "xgboost",
            "[0]\ttrain-rmse:0.9\teval-rmse:1.0\n[1]\ttrain-rmse:0.7\teval-rmse:0.8",
        ),
        (
            "plain",
            "Epoch [1/10], Step [100/600], Loss: 0.5\nEpoch [1/10], Step [200/600], Loss: inf",
        ),
        ("something else", "GET /healthz 200\nGET /healthz 200"),
        ("nothing", ""),
    ] {
        let world = World::new("healthy-empty");
        training(&world, 2, log).await;
        let answer = world.call(TOOL, json!({"name": "train"})).await;
        assert!(!answer.is_error, "{}", answer.text);
        told.push(format!("> {framework}\n{}", answer.text));
    }
    insta::assert_snapshot!(told.join("\n\n"));
}

#[tokio::test]
async fn a_chart_is_a_picture_beside_the_text() {
    let world = World::new("showcase");
    let arguments = json!({"name": "llama3-8b-pretrain", "points": 200, "format": "chart"});
    let answer = world.call(TOOL, arguments).await;
    let chart = &answer.images[0];
    assert_eq!((answer.images.len(), chart.mime), (1, "image/png"));
    assert!(
        chart.data.starts_with(b"\x89PNG\r\n") && chart.data.len() <= 40_000,
        "{chart:?}"
    );
    let loss = &answer.structured["log"]["metrics"][0];
    assert_eq!(
        (&loss["name"], loss["y"].as_array().unwrap().len()),
        (&json!("loss"), 200)
    );
    assert!(answer.text.contains(loss["trend"].as_str().unwrap()), "{}", answer.text);
    assert!(!answer.structured.to_string().contains("PNG"));
    let plain = world.call(TOOL, json!({"name": "llama3-8b-pretrain"})).await;
    assert!(plain.images.is_empty());
}

#[tokio::test]
async fn what_may_not_be_seen_is_named_and_the_rest_is_told() {
    // A rule about pods is about those of metrics-server too.
    for (rule, named, rest) in [
        ("list pods.metrics.k8s.io", &["CPU and memory use"][..], "\"loss\""),
        ("get pods/log", &["the log: "], "Running"),
        ("list pods", &["pods and their logs", "CPU and memory use"], "Running"),
    ] {
        let world = World::new("showcase");
        world.sandbox().forbid(rule);
        let told = world.good(TOOL, json!({"name": "llama3-8b-pretrain"})).await;
        let unseen = &told["not_seen"];
        assert_eq!(unseen.as_array().map(Vec::len), Some(named.len()), "{rule}: {told}");
        for (at, named) in named.iter().enumerate() {
            assert!(unseen[at].as_str().unwrap().starts_with(named), "{rule}: {unseen}");
        }
        assert!(told.to_string().contains(rest), "{rule}: {told}");
    }
    let world = World::new("showcase");
    world.sandbox().forbid("get trainjobs.trainer.kubeflow.org");
    assert_eq!(
        world.bad(TOOL, json!({"name": "llama3-8b-pretrain"})).await["code"],
        "forbidden"
    );
}

#[tokio::test]
async fn a_cluster_without_metrics_server_is_told_in_a_line() {
    let world = World::new("showcase");
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/pods.metrics.k8s.io";
    assert!(world.place.ask("DELETE", path, "", None).await.code.is_success());
    let told = world.good(TOOL, json!({"name": "llama3-8b-pretrain"})).await;
    assert!(told["not_seen"].is_null(), "{told}");
    assert!(
        told["notes"][0].as_str().unwrap().contains("no metrics-server"),
        "{told}"
    );
}

/// What a Prometheus was asked, and what it says.
type Spoken = Arc<(Mutex<Vec<String>>, StatusCode, String)>;

/// A Prometheus that says one thing; its address, and what it was asked.
async fn prometheus(code: u16, says: String) -> (String, Spoken) {
    let spoken: Spoken = Arc::new((Mutex::default(), StatusCode::from_u16(code).unwrap(), says));
    let answer = async |State(spoken): State<Spoken>, Query(query): Query<HashMap<String, String>>| {
        spoken.0.lock().unwrap().push(query["query"].clone());
        (spoken.1, spoken.2.clone())
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/prom/", listener.local_addr().unwrap());
    let routes = axum::Router::new()
        .route("/prom/api/v1/query", get(answer))
        .with_state(Arc::clone(&spoken));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (address, spoken)
}

fn with_prometheus(url: &str) -> World {
    World::with("showcase", |mut settings| {
        settings.insert("trainer".into(), json!({"prometheus_url": url}));
        settings
    })
}

#[tokio::test]
async fn gpus_are_read_with_one_query() {
    let job = json!({"name": "llama3-8b-pretrain"});
    let pods = World::new("showcase").pods("llama3-8b-pretrain").await;
    let pod = &pods[0]["metadata"]["name"];
    let sample = |name: &str, gpu: &str, value: &str| {
        let metric = json!({"__name__": name, "namespace": "team-a", "pod": pod, "gpu": gpu, "modelName": "NVIDIA H100 80GB HBM3"});
        json!({"metric": metric, "value": [1_800_000_000, value]})
    };
    let mut samples = vec![json!({"metric": {"pod": "llama3-8b-pretrain-2-other"}, "value": [1, "5"]})];
    for gpu in ["0", "1"] {
        samples.push(sample("DCGM_FI_DEV_GPU_UTIL", gpu, "97"));
        samples.push(sample("DCGM_FI_DEV_FB_USED", gpu, "71680"));
        samples.push(sample("DCGM_FI_DEV_FB_FREE", gpu, "10240"));
    }
    let says = json!({"status": "success", "data": {"resultType": "vector", "result": samples}});
    let (url, spoken) = prometheus(200, says.to_string()).await;
    let world = with_prometheus(&url);
    let answer = world.call(TOOL, job).await;
    assert!(answer.text.contains("2x97% 70.0/80.0Gi"), "{}", answer.text);
    let row = &answer.structured["usage"][0];
    assert_eq!((&row["pod"], row["gpus"].as_array().unwrap().len()), (pod, 2), "{row}");
    let asked = spoken.0.lock().unwrap();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(
        asked[0].contains(r#"namespace="team-a",pod=~"llama3\\-8b\\-pretrain-.+""#),
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_prometheus_that_cannot_answer_fails_nothing() {
    let job = json!({"name": "llama3-8b-pretrain"});
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let refused = json!({"status": "error", "errorType": "bad_data", "error": "invalid parameter"}).to_string();
    for (url, said) in [
        (prometheus(400, refused).await.0, "status 400, error invalid parameter"),
        (
            prometheus(502, "<html>".into()).await.0,
            "status 502, the answer is none of Prometheus",
        ),
        (format!("http://{nobody}"), "no connection"),
        (
            "http://me:hunter2@prometheus:9090".into(),
            "trainer.prometheus_url is no http or https URL without credentials",
        ),
        (
            "prometheus:9090".into(),
            "trainer.prometheus_url is no http or https URL",
        ),
    ] {
        let answer = with_prometheus(&url).call(TOOL, job.clone()).await;
        assert!(!answer.is_error, "{}", answer.text);
        let unseen = &answer.structured["not_seen"];
        assert!(unseen[0].as_str().unwrap().contains(said), "{said}: {unseen}");
        assert!(
            !answer.text.contains("hunter2") && answer.text.contains("loss "),
            "{}",
            answer.text
        );
    }
    let nothing: Value = json!({"status": "success", "data": {"resultType": "vector", "result": []}});
    let (url, _) = prometheus(200, nothing.to_string()).await;
    let told = with_prometheus(&url).good(TOOL, job).await;
    assert!(told["notes"].to_string().contains("DCGM"), "{told}");
}
