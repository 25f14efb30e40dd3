//! `estimate_resources` and the Hugging Face Hub: asked only where the operator allows it and something would be guessed, and
//! never a reason to fail. The Hub is a small server on loopback.

use std::sync::{Arc, Mutex};

use kf_mcp_tests::World;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What the Hub answers a path with: a status, and a body or where it is.
type Answers = fn(&str) -> (u16, String);

/// A Hub on loopback; its URL, and the paths it was asked for.
async fn hub(answers: Answers) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
                while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut buffer).await {
                        Ok(read) if read > 0 => head.extend_from_slice(&buffer[..read]),
                        _ => return,
                    }
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                assert!(
                    head.starts_with("GET ") && !head.to_lowercase().contains("authorization"),
                    "{head}"
                );
                let (status, body) = answers(&path);
                log.lock().unwrap().push(path);
                let (location, body) = if (300..400).contains(&status) {
                    (format!("location: {body}\r\n"), String::new())
                } else {
                    (String::new(), body)
                };
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} X\r\n{location}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                // Whoever has read enough may be gone.
                stream.write_all(answer.as_bytes()).await.ok();
            });
        }
    });
    (url, asked)
}

fn world(url: &str, allowed: Value) -> World {
    World::with("showcase", |mut settings| {
        settings.insert("trainer".into(), json!({"hub_lookup": allowed, "hub_url": url}));
        settings
    })
}

fn config() -> String {
    json!({"architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 14336,
        "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "vocab_size": 128_256})
    .to_string()
}

/// As the Hub does: the file is behind a redirect on the same server.
fn usual(path: &str) -> (u16, String) {
    match path {
        "/api/models/acme/assistant?expand=safetensors" => (
            200,
            json!({"safetensors": {"parameters": {"BF16": 8_030_261_248_u64}, "total": 8_030_261_248_u64}}).to_string(),
        ),
        "/acme/assistant/resolve/main/config.json" => (
            307,
            "/api/resolve-cache/models/acme/assistant/abc/config.json?x=1".into(),
        ),
        "/api/resolve-cache/models/acme/assistant/abc/config.json?x=1" => (200, config()),
        _ => (401, "Invalid username or password.".into()),
    }
}

#[tokio::test]
async fn a_model_that_nobody_knows_is_looked_up_once() {
    let (url, asked) = hub(usual).await;
    let world = world(&url, json!("true"));
    let call = json!({"model": "hf://acme/assistant"});
    let answer = world.good("estimate_resources", call.clone()).await;
    assert_eq!(
        answer["sources"],
        json!(["parameters and dimensions: Hugging Face Hub"])
    );
    assert_eq!(answer["model"]["param_count"], json!(8_030_261_248_u64));
    assert_eq!(
        (&answer["model"]["layers"], &answer["confidence"]),
        (&json!(32), &json!("high"))
    );
    assert_eq!(answer.get("not_seen"), None, "{answer}");
    let once = asked.lock().unwrap().clone();
    assert_eq!(once.len(), 3, "{once:?}");
    let again = world.good("estimate_resources", call).await;
    assert_eq!(again["model"], answer["model"]);
    // The size in the name goes before, and the dimensions are the Hub's: nothing new is asked for a name it has not seen.
    assert_eq!(asked.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn nobody_is_asked_where_the_operator_does_not_allow_it_or_nothing_would_be_guessed() {
    let (url, asked) = hub(usual).await;
    let off = world(&url, json!(false));
    let error = off.bad("estimate_resources", json!({"model": "acme/assistant"})).await;
    assert_eq!(error["code"], "invalid_argument");
    assert!(error["fix"].as_str().unwrap().contains("--hub-lookup"), "{error}");
    off.good("estimate_resources", json!({"model": "acme/assistant-7b"}))
        .await;
    let on = world(&url, json!(true));
    for call in [
        json!({"model": "meta-llama/Llama-3.1-8B"}),
        json!({"model": "acme/assistant", "hidden_size": 2048, "layers": 16}),
        json!({"model": "assistant-7b"}),
        json!({"model": "./acme/assistant-7b"}),
    ] {
        on.good("estimate_resources", call).await;
    }
    // What is wrong with the call is told before anybody is asked.
    on.bad(
        "estimate_resources",
        json!({"model": "acme/assistant-7b", "batch_size": 0}),
    )
    .await;
    on.bad(
        "estimate_resources",
        json!({"model": "acme/assistant", "quantization": "int3"}),
    )
    .await;
    assert_eq!(asked.lock().unwrap().clone(), [""; 0]);
}

/// What is told of models about which the Hub says something odd.
const ODD: [(&str, &str); 5] = [
    ("gated", "not public"),
    ("elsewhere", "it answered 302"),
    ("circles", "too many redirects"),
    ("large", "broke off"),
    ("page", "no JSON"),
];

fn odd(path: &str) -> (u16, String) {
    let has = |name: &str| path.contains(name);
    match path {
        _ if has("half") && !has("/api/") => (403, "gated".into()),
        _ if has("half") => (200, json!({"safetensors": {"total": 7_000_000_000_u64}}).to_string()),
        _ if has("elsewhere") => (302, "https://evil.example/config.json".into()),
        _ if has("circles") => (307, path.to_owned()),
        _ if has("large") => (200, "9".repeat(2 << 20)),
        _ if has("page") => (200, "<html>\u{1b}[31m".into()),
        _ => (401, "no".into()),
    }
}

#[tokio::test]
async fn whatever_the_hub_says_fails_no_estimate() {
    let (url, _) = hub(odd).await;
    let world = world(&url, json!(true));
    for (name, told) in ODD {
        let call = json!({"model": format!("acme/{name}-7b")});
        let answer = world.good("estimate_resources", call).await;
        let not_seen = answer["not_seen"].to_string();
        assert!(
            not_seen.contains(told) && not_seen.contains("Hugging Face Hub"),
            "{name}: {not_seen}"
        );
        assert!(
            !not_seen.contains("u001b") && !not_seen.contains("html"),
            "{name}: {not_seen}"
        );
        assert_eq!(answer["confidence"], "low", "{name}");
        // Where nothing else tells the size, that is the reason.
        let error = world
            .bad("estimate_resources", json!({"model": format!("acme/{name}")}))
            .await;
        assert!(error["answered"].as_str().unwrap().contains(told), "{name}: {error}");
    }
    // One of both is enough.
    let half = world.good("estimate_resources", json!({"model": "acme/half"})).await;
    assert_eq!(half["sources"][0], "parameters: Hugging Face Hub");
    assert!(
        half["not_seen"][0]
            .as_str()
            .unwrap()
            .starts_with("config.json of acme/half"),
        "{half}"
    );
}

#[tokio::test]
async fn a_hub_that_says_nothing_is_waited_for_five_seconds() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = world(&format!("http://{}", listener.local_addr().unwrap()), json!(true));
    // Time is moved by hand from here on: nothing else of the call waits.
    tokio::time::pause();
    let answer = world
        .good("estimate_resources", json!({"model": "acme/assistant-7b"}))
        .await;
    assert!(
        answer["not_seen"].to_string().contains("no answer within 5 s"),
        "{answer}"
    );
}
