//! Every case of the official SDK against the tool that answers the same wish.
//!
//! `fixtures/sdk/cases.json` holds the bodies and errors of the SDK, `fixtures/sdk/calls.yaml` our calls, and what is
//! different on purpose with its reason. Both directions are exact: a difference that is not listed fails, and so does one
//! that is listed and does not show.

use std::collections::{BTreeMap, BTreeSet};

use kf_mcp_tests::script::carried;
use kf_mcp_tests::{World, differences};
use serde::Deserialize;
use serde_json::{Value, json};

const TRAIN_JOBS: &str = "trainjobs.trainer.kubeflow.org";

/// The SDK's side.
#[derive(Debug, Deserialize)]
struct Sdk {
    cases: Vec<Case>,
}

/// One case of the SDK: it sends a body, or refuses.
#[derive(Debug, Deserialize)]
struct Case {
    id: String,
    body: Option<Value>,
    error: Option<String>,
}

/// Our side.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ours {
    reasons: BTreeMap<String, Reason>,
    cases: Vec<Call>,
}

/// Why something is different, and the item of the facts about Trainer that says so.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    item: String,
    why: String,
}

/// Our call for a case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    id: String,
    tool: String,
    arguments: Value,
    /// The argument that our error names, where we refuse.
    refused: Option<String>,
    /// Why one of the two refuses and the other does not.
    because: Option<String>,
    /// What differs in the bodies, by the name of the reason.
    #[serde(default)]
    differs: BTreeMap<String, Vec<String>>,
}

fn sdk() -> Sdk {
    serde_json::from_str(include_str!("../fixtures/sdk/cases.json")).unwrap()
}

fn ours() -> Ours {
    serde_saphyr::from_str(include_str!("../fixtures/sdk/calls.yaml")).unwrap()
}

/// A world with the runtimes of the cases, where a token in clear text is taken, as by the SDK.
async fn world() -> World {
    let world = World::with("healthy-empty", |mut settings| {
        settings.insert("allow_clear_text_secrets".into(), json!(true));
        settings
    });
    let runtimes: Vec<Value> = serde_json::from_str(include_str!("../fixtures/sdk/runtimes.json")).unwrap();
    for runtime in &runtimes {
        let plural = format!("{}s", runtime["kind"].as_str().unwrap().to_lowercase());
        world.create(&format!("{plural}.trainer.kubeflow.org"), runtime).await;
    }
    world
}

#[test]
fn each_case_has_one_call_and_each_reason_is_used() {
    let ours = ours();
    let ids: Vec<String> = ours.cases.iter().map(|call| call.id.clone()).collect();
    let theirs: Vec<String> = sdk().cases.into_iter().map(|case| case.id).collect();
    assert_eq!(ids, theirs);
    let used: BTreeSet<&String> = ours
        .cases
        .iter()
        .flat_map(|call| call.differs.keys().chain(&call.because))
        .collect();
    assert_eq!(used, ours.reasons.keys().collect());
    for (name, Reason { item, why }) in &ours.reasons {
        assert!(item.starts_with('§') && why.len() > 20, "{name}: {item}: {why}");
    }
}

#[tokio::test]
async fn bodies_are_those_of_the_sdk_but_for_what_is_listed() {
    let (world, sdk, ours) = (world().await, sdk(), ours());
    let mut wrong = Vec::new();
    for (case, call) in sdk.cases.iter().zip(&ours.cases) {
        let differs = match (&case.body, &call.refused) {
            (_, Some(field)) => {
                refused(&world, call, field).await;
                assert_eq!(
                    case.error.is_none(),
                    call.because.is_some(),
                    "{}: why do we refuse?",
                    call.id
                );
                Vec::new()
            }
            (None, None) => {
                assert!(call.because.is_some(), "{}: why do we accept?", call.id);
                submitted(&world, call).await;
                Vec::new()
            }
            (Some(theirs), None) => differences::of(theirs, &submitted(&world, call).await),
        };
        let mut listed: Vec<&String> = call.differs.values().flatten().collect();
        listed.sort_unstable();
        let mut found: Vec<&String> = differs.iter().collect();
        found.sort_unstable();
        if listed != found {
            wrong.push(format!("{}: found {found:#?}\nlisted {listed:#?}", call.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A call that must be refused before anything is written, with an error that names the argument.
async fn refused(world: &World, call: &Call, field: &str) {
    for confirmed in [false, true] {
        let mut arguments = call.arguments.clone();
        arguments["confirmed"] = json!(confirmed);
        let (answer, asked) = world.called(&call.tool, arguments).await;
        let error = &answer.structured["error"];
        assert_eq!(error["field"], field, "{}: {}", call.id, answer.text);
        assert!(answer.text.contains(field), "{}: {}", call.id, answer.text);
        assert!(asked.iter().all(|one| one.verb != "create"), "{}: {asked:?}", call.id);
    }
}

/// The body of a call: the job that is stored after it, without what the API server adds.
async fn submitted(world: &World, call: &Call) -> Value {
    let done = world.confirmed(&call.tool, call.arguments.clone()).await;
    let name = done["name"].as_str().unwrap();
    let mut body = world.object(TRAIN_JOBS, name).await.unwrap();
    let marks = ["kubeflow-mcp/managed-by", "kubeflow-mcp/caller"];
    for mark in marks {
        assert!(body["metadata"]["labels"][mark].is_string(), "{}: {body}", call.id);
    }
    if let Some(script) = call.arguments["script"].as_str() {
        let task = carried(&body["spec"]["trainer"]["args"]).unwrap();
        assert_eq!(task["script"], script, "{}", call.id);
        same_program(call, &task);
        let start = body["spec"]["trainer"]["command"].take();
        assert_eq!(
            start.to_string().matches("# kubeflow-mcp: ").count(),
            2,
            "{}: {start}",
            call.id
        );
        body["spec"]["trainer"]["command"] = json!("(starts the script)");
        body["spec"]["trainer"]["args"] = json!("(the script)");
    }
    if call.arguments.get("name").is_none() {
        assert!(name.starts_with("train-"), "{name}");
        body["metadata"]["name"] = json!("(generated)");
    }
    differences::sent(body)
}

/// What bash would write to a file for the SDK, without its expansions, is what we carry.
fn same_program(call: &Call, task: &Value) {
    let sdk = sdk();
    let case = sdk.cases.iter().find(|case| case.id == call.id).unwrap();
    let Some(body) = &case.body else { return };
    let command = body["spec"]["trainer"]["command"].as_array().unwrap();
    let bash = command.last().and_then(Value::as_str).unwrap();
    let (_, rest) = bash.split_once("<< EOM\n\n").unwrap();
    let (source, _) = rest.rsplit_once("\n\nEOM\nprintf").unwrap();
    let script = task["script"].as_str().unwrap().trim_end();
    match call.arguments.get("func_args") {
        // The SDK calls the function by its name, we one that is called `train`.
        Some(_) => {
            assert_eq!(
                source.replace("train_args(", "train("),
                format!("{script}\n\ntrain(**{{}})")
            );
            assert_eq!(task["func_args"], json!({}));
        }
        None => assert_eq!(source, script, "{}", call.id),
    }
    for package in task["packages"].as_array().unwrap() {
        assert!(
            bash.contains(&format!("PACKAGES=({})", package.as_str().unwrap())),
            "{}",
            call.id
        );
    }
    for url in task["pip_index_urls"].as_array().unwrap() {
        assert!(
            bash.contains(&format!("--index-url {}", url.as_str().unwrap())),
            "{}",
            call.id
        );
    }
    let torchrun = task["run"].to_string().contains("torch.distributed.run");
    assert_eq!(torchrun, bash.contains("torchrun"), "{}", call.id);
}
