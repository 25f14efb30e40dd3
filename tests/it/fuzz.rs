//! Every tool with arguments that nobody would write, and with some that somebody might: made from its own input schema.
//!
//! Whatever is given, the call ends in an answer; an argument that is wrong is named; nothing is written unless that was
//! confirmed and the answer says that it was done; and what is said repeats no secret and no control character.

mod arguments;
mod examples;

use std::cell::Cell;
use std::collections::BTreeMap;

use kf_mcp_core::{Answer, Persona, Selection};
use kf_mcp_tests::{MODULES, World};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::{Map, Value, json};

use arguments::SECRET;

/// Calls of each tool that are made up.
const CASES: u32 = 50;
/// The longest text of an answer, in bytes.
const MOST_TEXT: usize = 64 << 10;

/// Code points that make a text something else than it looks: controls but for the end of a line and the tab, and those
/// that turn the direction of writing.
fn is_treacherous(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Makes a call and judges it.
async fn judged(world: &World, tool: &str, schema: &Map<String, Value>, given: &Value) -> Result<Answer, String> {
    let before = version(world).await;
    let answer = world.call(tool, given.clone()).await;
    let wrote = version(world).await != before;
    told_well(&answer)?;
    if answer.is_error {
        named(schema, given, &answer)?;
    }
    let confirmed = matches!(&given["confirmed"], Value::Bool(true))
        || given["confirmed"]
            .as_str()
            .is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
    if wrote && (answer.is_error || !confirmed) {
        return Err(format!("something was written, but: {}", answer.text));
    }
    Ok(answer)
}

/// The version of all that is stored: it changes with every write, and with no trial.
async fn version(world: &World) -> String {
    let list = world
        .place
        .ask("GET", "/api/v1/namespaces?limit=1", "", None)
        .await
        .json();
    list["metadata"]["resourceVersion"].to_string()
}

/// The answer is of a kind that a client can use.
fn told_well(answer: &Answer) -> Result<(), String> {
    let (text, structured) = (&answer.text, answer.structured.to_string());
    if text.trim().is_empty() {
        return Err("the text is empty".into());
    }
    if text.len() > MOST_TEXT {
        return Err(format!("the text has {} bytes", text.len()));
    }
    if let Some(found) = text.chars().find(|c| is_treacherous(*c)) {
        return Err(format!("the text has {found:?}: {text:?}"));
    }
    if text.contains(SECRET) || structured.contains(SECRET) {
        return Err(format!("a secret is repeated: {text} {structured}"));
    }
    let error = &answer.structured["error"];
    if answer.is_error && (!error["code"].is_string() || error["code"] == "internal") {
        return Err(format!("not an error for callers: {text}"));
    }
    Ok(())
}

/// An error about the arguments names one of them, in its text too.
fn named(schema: &Map<String, Value>, given: &Value, answer: &Answer) -> Result<(), String> {
    let error = &answer.structured["error"];
    if error["code"] != "invalid_argument" {
        return Ok(());
    }
    let Some(field) = error["field"].as_str() else {
        return Err(format!("no argument is named: {}", answer.text));
    };
    let root = field.split(['.', '[']).next().unwrap_or_default();
    let is_known = schema["properties"].get(root).is_some();
    // An unknown name is told cleaned and cut.
    let is_given = given
        .as_object()
        .into_iter()
        .flatten()
        .any(|(name, _)| kf_mcp_core::text::clean(name).starts_with(field.split('…').next().unwrap_or_default()));
    if !is_known && !is_given {
        return Err(format!("{field:?} is no argument: {}", answer.text));
    }
    if !answer.text.contains(root) {
        return Err(format!("the text does not name {root}: {}", answer.text));
    }
    Ok(())
}

/// All tools with their schemas, by name.
fn tools() -> BTreeMap<&'static str, Map<String, Value>> {
    let clients = MODULES.iter().map(|module| module.name().to_owned()).collect();
    let selection = Selection {
        clients,
        persona: Persona::PlatformAdmin,
    };
    let catalogue = kf_mcp_core::Catalogue::new(MODULES, &selection).unwrap();
    catalogue
        .tools()
        .iter()
        .map(|tool| (tool.spec.name, (*tool.input_schema).clone()))
        .collect()
}

/// A runtime whose clock jumps when all wait: nobody waits for deadlines.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
}

/// The same cases in each run; `KF_FUZZ_CASES` makes more of them, and others.
fn runner() -> TestRunner {
    let more: Option<u32> = std::env::var("KF_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok());
    let config = Config {
        cases: more.unwrap_or(CASES),
        failure_persistence: None,
        max_shrink_iters: 300,
        ..Config::default()
    };
    match more {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    }
}

#[test]
fn whatever_is_given_ends_in_an_answer_and_only_what_is_confirmed_is_done() {
    let tokio = runtime();
    let fresh = || tokio.block_on(async { World::new("showcase") });
    let shared = fresh();
    let mut wrong = Vec::new();
    for (tool, schema) in tools() {
        // Confirmed changes change the world, so each change has one for itself.
        let own = schema["properties"].get("confirmed").map(|_| fresh());
        let world = own.as_ref().unwrap_or(&shared);
        let reached = Cell::new(0);
        let outcome = runner().run(&arguments::of(&schema), |given| {
            let answer = tokio
                .block_on(judged(world, tool, &schema, &given))
                .map_err(TestCaseError::fail)?;
            let refused = answer.is_error && answer.structured["error"]["code"] == "invalid_argument";
            reached.set(reached.get() + u32::from(!refused));
            Ok(())
        });
        match outcome {
            Err(failed) => wrong.push(format!("{tool}: {failed}")),
            Ok(()) if reached.get() < CASES / 25 => {
                wrong.push(format!(
                    "{tool}: only {} calls came further than its arguments",
                    reached.get()
                ));
            }
            Ok(()) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Calls that once went wrong, or that chance would seldom make.
#[test]
fn what_went_wrong_once_does_not_again() {
    let tokio = runtime();
    let tools = tools();
    let world = tokio.block_on(async { World::new("showcase") });
    for (tool, given) in examples::all() {
        let result = tokio.block_on(judged(&world, tool, &tools[tool], &given));
        assert_eq!(
            result.map(|_| ()),
            Ok(()),
            "{tool} {}",
            kf_mcp_core::text::bounded(&given.to_string(), 300)
        );
    }
}

/// The fuzz finds what it looks for: a call that is right is done when it is confirmed, and only then.
#[test]
fn a_confirmed_call_is_seen_to_write() {
    let tokio = runtime();
    let world = tokio.block_on(async { World::new("showcase") });
    let given = json!({"name": "probe", "image": "i"});
    let schema = &tools()["run_container_training"];
    tokio.block_on(async {
        assert!(judged(&world, "run_container_training", schema, &given).await.is_ok());
        assert!(world.object("trainjobs.trainer.kubeflow.org", "probe").await.is_none());
        let mut given = given;
        given["confirmed"] = json!(true);
        assert!(judged(&world, "run_container_training", schema, &given).await.is_ok());
        assert!(world.object("trainjobs.trainer.kubeflow.org", "probe").await.is_some());
    });
}
