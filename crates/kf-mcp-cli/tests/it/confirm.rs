//! A person's yes before anything changes, with real clients in both generations of the protocol.

use rmcp::model::{CallToolRequestParams, CallToolResponse, InputRequiredResult};
use rmcp::service::{ClientLifecycleMode, RunningService};
use rmcp::{ClientHandler, RoleClient};
use serde_json::{Value, json};

use crate::http::Served;
use crate::person::{Does, Person};
use crate::process::{call, http_client_as, modes, stdio_client_as};

type Client<H> = RunningService<RoleClient, H>;

/// A client of a server with a policy, over standard input and output.
async fn over_stdio<H: ClientHandler>(
    handler: H,
    policy: &str,
    mode: ClientLifecycleMode,
) -> (Client<H>, tempfile::TempDir) {
    patient(handler, policy, mode, "300").await
}

/// The same, with a server that waits for the person only so long.
async fn patient<H: ClientHandler>(
    handler: H,
    policy: &str,
    mode: ClientLifecycleMode,
    seconds: &str,
) -> (Client<H>, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("policy.yaml"), policy).unwrap();
    let arguments = [
        "--sandbox",
        "--persona",
        "ml-engineer",
        "--policy",
        "policy.yaml",
        "--confirm-within",
        seconds,
    ];
    let client = stdio_client_as(handler, home.path(), &arguments, mode).await;
    (client, home)
}

const PERSON: &str = "policy: {require_confirmation: person}";

fn submit(name: &str) -> Value {
    json!({"name": name, "image": "example.com/train:1", "num_nodes": 1, "gpu_per_node": 0, "confirmed": true})
}

/// The code of the error of a call; empty when it succeeded.
async fn code<H: ClientHandler>(client: &Client<H>, tool: &'static str, arguments: Value) -> String {
    let (answer, _) = called(client, tool, arguments).await;
    answer["error"]["code"].as_str().unwrap_or_default().to_owned()
}

/// The structured answer and the text of a call, after all that the client is asked in between.
async fn called<H: ClientHandler>(client: &Client<H>, tool: &'static str, arguments: Value) -> (Value, String) {
    let result = client.call_tool(params(tool, &arguments)).await.unwrap();
    let text = result.content.iter().filter_map(|content| content.as_text());
    let text = text.map(|text| text.text.clone()).collect();
    let answer = result.structured_content.unwrap();
    assert_eq!(result.is_error == Some(true), answer["error"].is_object(), "{answer}");
    (answer, text)
}

#[tokio::test]
async fn what_the_person_says_is_what_happens() {
    for (era, mode) in modes() {
        for (does, said) in [
            (Does::Accepts, ""),
            (Does::SaysNo, "declined"),
            (Does::Declines, "declined"),
            (Does::Dismisses, "cancelled"),
        ] {
            let person = Person::who(does);
            let (client, _home) = over_stdio(person.clone(), PERSON, mode.clone()).await;
            // without `confirmed` it is a preview, and nobody is asked
            let mut preview = submit("asked");
            preview["confirmed"] = json!(false);
            assert_eq!(code(&client, "run_container_training", preview).await, "", "{era}");
            assert!(person.asked().is_empty(), "{era}");
            assert_eq!(
                code(&client, "run_container_training", submit("asked")).await,
                said,
                "{era} {does:?}"
            );
            let asked = person.asked();
            assert_eq!(asked.len(), 1, "{era}: {asked:?}");
            let question = &asked[0];
            assert!(
                question.starts_with("Shall this be done?\ncreate training job asked in team-a"),
                "{era}: {question}"
            );
            let there = code(&client, "get_training_job", json!({"name": "asked"}))
                .await
                .is_empty();
            assert_eq!(there, does == Does::Accepts, "{era} {does:?}");
            client.cancel().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_name_that_was_made_up_is_the_one_the_person_was_shown() {
    for (era, mode) in modes() {
        let person = Person::who(Does::Accepts);
        let (client, _home) = over_stdio(person.clone(), PERSON, mode).await;
        let mut arguments = submit("");
        arguments.as_object_mut().unwrap().remove("name");
        let (answer, _) = called(&client, "run_container_training", arguments).await;
        let name = answer["name"].as_str().unwrap();
        assert!(
            person.asked()[0].contains(&format!("training job {name} in")),
            "{era}: {:?}",
            person.asked()
        );
        client.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn a_person_who_says_nothing_has_not_said_yes() {
    let [(_, legacy), _] = modes();
    let (client, _home) = patient(Person::who(Does::Nothing), PERSON, legacy, "1").await;
    assert_eq!(
        code(&client, "run_container_training", submit("silent")).await,
        "timeout"
    );
    assert_eq!(
        code(&client, "get_training_job", json!({"name": "silent"})).await,
        "not_found"
    );
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn by_default_the_person_is_asked_about_what_destroys() {
    for (era, mode) in modes() {
        let person = Person::who(Does::Accepts);
        let (client, _home) = over_stdio(person.clone(), "policy: {}", mode.clone()).await;
        assert_eq!(
            code(&client, "run_container_training", submit("mine")).await,
            "",
            "{era}"
        );
        assert!(person.asked().is_empty(), "{era}");
        let delete = json!({"name": "mine", "confirmed": true});
        assert_eq!(code(&client, "delete_training_job", delete.clone()).await, "", "{era}");
        assert!(person.asked()[0].contains("delete"), "{era}: {:?}", person.asked());
        client.cancel().await.unwrap();
        // a client that cannot ask: `confirmed` is enough
        let (client, _home) = over_stdio((), "policy: {}", mode).await;
        assert_eq!(
            code(&client, "run_container_training", submit("mine")).await,
            "",
            "{era}"
        );
        assert_eq!(code(&client, "delete_training_job", delete).await, "", "{era}");
        client.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_cannot_ask_is_refused_unless_the_operator_says_otherwise() {
    for (era, mode) in modes() {
        let (client, _home) = over_stdio((), PERSON, mode.clone()).await;
        let (answer, text) = called(&client, "run_container_training", submit("unasked")).await;
        assert_eq!(answer["error"]["code"], "denied_by_policy", "{era}: {text}");
        assert!(
            text.contains("elicitation") && text.contains("unasked: preview"),
            "{era}: {text}"
        );
        client.cancel().await.unwrap();
        let policy = "policy: {require_confirmation: person, unasked: preview}";
        let (client, _home) = over_stdio((), policy, mode).await;
        assert_eq!(
            code(&client, "run_container_training", submit("unasked")).await,
            "",
            "{era}"
        );
        client.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn the_person_is_asked_over_http_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, PERSON).unwrap();
    let policy = file.to_str().unwrap();
    for (era, mode) in modes() {
        // any replica with the key takes the reply; a legacy session is one process's
        let key = folder.path().join("key");
        std::fs::write(&key, "0123456789abcdef0123456789abcdef\n").unwrap();
        let served = Served::start(&[
            "--sandbox",
            "--persona",
            "ml-engineer",
            "--policy",
            policy,
            "--state-key-file",
            key.to_str().unwrap(),
        ]);
        let person = Person::who(Does::Accepts);
        let client = http_client_as(person.clone(), served.port, None, mode).await;
        assert_eq!(
            code(&client, "run_container_training", submit("asked")).await,
            "",
            "{era}"
        );
        assert_eq!(person.asked().len(), 1, "{era}");
    }
}

/// The first half of a confirmation in the modern generation: what the client is asked.
async fn required(client: &Client<Person>, tool: &'static str, arguments: &Value) -> InputRequiredResult {
    match client.peer().call_tool_once(params(tool, arguments)).await.unwrap() {
        CallToolResponse::InputRequired(required) => required,
        other => unreachable!("{other:?}"),
    }
}

fn params(tool: &'static str, arguments: &Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool).with_arguments(arguments.as_object().cloned().unwrap())
}

/// The second half, with a yes: the structured answer, or the protocol's error.
async fn replied(client: &Client<Person>, tool: &'static str, arguments: &Value, state: &str) -> Result<Value, String> {
    let yes = [(
        "confirm".to_owned(),
        json!({"action": "accept", "content": {"confirm": true}}),
    )];
    let params = params(tool, arguments)
        .with_input_responses(yes.into())
        .with_request_state(state);
    match client.peer().call_tool_once(params).await {
        Ok(CallToolResponse::Complete(result)) => Ok(result.structured_content.unwrap()),
        Ok(other) => unreachable!("{other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

#[tokio::test]
async fn a_state_is_good_for_what_was_asked_and_nothing_else() {
    let [_, (_, modern)] = modes();
    let (client, _home) = over_stdio(Person::who(Does::Accepts), PERSON, modern).await;
    let tool = "run_container_training";
    let asked = required(&client, tool, &submit("mine")).await;
    let state = asked.request_state.unwrap();
    // tampered with, and for other arguments
    let mut broken = state.clone();
    let last = if broken.ends_with('A') { 'B' } else { 'A' };
    broken.replace_range(broken.len() - 1.., &last.to_string());
    let mut half = state.clone();
    half.truncate(state.len() / 2);
    for (arguments, state) in [
        (submit("mine"), broken.as_str()),
        (submit("mine"), half.as_str()),
        (submit("other"), state.as_str()),
    ] {
        let refused = replied(&client, tool, &arguments, state).await.unwrap_err();
        assert!(
            refused.contains("requestState was not made by this server"),
            "{refused}"
        );
    }
    assert_eq!(
        code(&client, "get_training_job", json!({"name": "mine"})).await,
        "not_found"
    );
    let log = call(client.peer(), "get_server_logs", json!({})).await.2;
    let refused = |line: &&str| line.contains("kf_mcp_core::call") && line.contains("requestState was not made");
    assert_eq!(log.lines().filter(refused).count(), 3, "{log}");
    // the same reply twice makes one job
    let first = replied(&client, tool, &submit("mine"), &state).await.unwrap();
    assert_eq!(first["already_submitted"], false, "{first}");
    let again = replied(&client, tool, &submit("mine"), &state).await.unwrap();
    assert_eq!(
        (&again["already_submitted"], &again["uid"]),
        (&json!(true), &first["uid"])
    );
    // a deletion that is replayed finds nothing, or another job, which it leaves alone
    let delete = json!({"name": "mine", "confirmed": true});
    let asked = required(&client, "delete_training_job", &delete).await;
    let state = asked.request_state.unwrap();
    replied(&client, "delete_training_job", &delete, &state).await.unwrap();
    let gone = replied(&client, "delete_training_job", &delete, &state).await.unwrap();
    assert_eq!(gone["error"]["code"], "not_found", "{gone}");
    client.call_tool(params(tool, &submit("mine"))).await.unwrap();
    let other = replied(&client, "delete_training_job", &delete, &state).await.unwrap();
    assert_eq!(other["error"]["code"], "stale_plan", "{other}");
    assert_eq!(code(&client, "get_training_job", json!({"name": "mine"})).await, "");
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn a_plan_that_no_longer_holds_is_refused() {
    let [_, (_, modern)] = modes();
    let (client, _home) = over_stdio(Person::who(Does::Accepts), "policy: {}", modern).await;
    called(&client, "run_container_training", submit("moving")).await;
    let delete = json!({"name": "moving", "confirmed": true});
    let asked = required(&client, "delete_training_job", &delete).await;
    let suspend = json!({"name": "moving", "action": "suspend", "confirmed": true});
    assert_eq!(code(&client, "update_training_job", suspend).await, "");
    let state = asked.request_state.unwrap();
    let stale = replied(&client, "delete_training_job", &delete, &state).await.unwrap();
    assert_eq!(stale["error"]["code"], "stale_plan", "{stale}");
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn a_person_sees_all_of_what_is_done() {
    let [_, (_, modern)] = modes();
    let (client, _home) = over_stdio(Person::who(Does::Accepts), PERSON, modern).await;
    let asked = async |tool, arguments: Value| {
        let required = required(&client, tool, &arguments).await;
        let requests = serde_json::to_value(required.input_requests).unwrap();
        requests["confirm"]["params"]["message"].as_str().unwrap().to_owned()
    };
    let script = json!({"script": "import os\nos.system('ls')  # \u{202e}\n", "gpu_per_node": 0, "confirmed": true});
    let message = asked("run_custom_training", script).await;
    assert!(
        message.ends_with("the script:\n| import os\n| os.system('ls')  # \\u{202e}\n| "),
        "{message}"
    );
    let mut job = submit("seen");
    job["command"] = json!([
        "python",
        "-c",
        format!("print(1)\nwarning: none{}# the end", " ".repeat(600))
    ]);
    job["args"] = json!(["a\u{200b}b\u{7}"]);
    let message = asked("run_container_training", job).await;
    assert!(
        message.contains("\ncommand: python -c print(1)\\nwarning: none"),
        "{message}"
    );
    assert!(
        message.contains("the command:\n| python -c print(1)\n| warning: none"),
        "{message}"
    );
    assert!(message.ends_with("# the end a\\u{200b}b\\u{7}"), "{message}");
    client.cancel().await.unwrap();
}
