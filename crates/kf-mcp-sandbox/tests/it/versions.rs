//! Versions of lists and watches: pages of one list are one snapshot, old versions expire, and those to come are waited
//! for.

use jiff::SignedDuration;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::support::*;

const RUNTIMES: &str = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/team-a/trainingruntimes";

async fn four(client: &Client) -> Api<DynamicObject> {
    let api = api(client, "TrainingRuntime");
    for name in ["a", "b", "c", "d"] {
        api.create(&PostParams::default(), &runtime(name)).await.unwrap();
    }
    api
}

async fn list(client: &Client, query: &str) -> Value {
    let (_, body) = get(client, &format!("{RUNTIMES}?{query}")).await;
    serde_json::from_str(&body).unwrap()
}

/// Names of a list, with a star where the object has the label `new`.
fn names(list: &Value) -> String {
    let items = list["items"].as_array().unwrap_or_else(|| panic!("{list}"));
    let name = |item: &Value| {
        let mark = if item["metadata"]["labels"]["new"].is_null() {
            ""
        } else {
            "*"
        };
        format!("{}{mark}", item["metadata"]["name"].as_str().unwrap())
    };
    items.iter().map(name).collect::<Vec<_>>().join(" ")
}

/// Changes everything: `b` is replaced, `c` is marked, `d` goes, `e` comes.
async fn shake(api: &Api<DynamicObject>) {
    api.delete("b", &DeleteParams::default()).await.unwrap();
    api.create(&PostParams::default(), &runtime("bb")).await.unwrap();
    let mark = Patch::Merge(json!({"metadata": {"labels": {"new": "yes"}}}));
    api.patch("c", &PatchParams::default(), &mark).await.unwrap();
    api.patch("d", &PatchParams::default(), &mark).await.unwrap();
    api.delete("d", &DeleteParams::default()).await.unwrap();
    api.create(&PostParams::default(), &runtime("e")).await.unwrap();
}

#[tokio::test]
async fn pages_of_one_list_are_one_snapshot() {
    let sandbox = sandbox();
    let client = sandbox.client();
    let api = four(&client).await;
    let first = list(&client, "limit=1").await;
    assert_eq!(names(&first), "a");
    shake(&api).await;
    let token = first["metadata"]["continue"].as_str().unwrap();
    let rest = list(&client, &format!("limit=2&continue={token}")).await;
    assert_eq!(names(&rest), "b c");
    assert_eq!(
        rest["metadata"]["resourceVersion"],
        first["metadata"]["resourceVersion"]
    );
    assert_eq!(rest["metadata"]["remainingItemCount"], 1);
    let version = first["metadata"]["resourceVersion"].as_str().unwrap();
    let token = rest["metadata"]["continue"].as_str().unwrap();
    let last = list(&client, &format!("limit=2&continue={token}")).await;
    assert_eq!(names(&last), "d");
    // the objects are as they were, at the versions they had
    let was = &last["items"][0]["metadata"]["resourceVersion"];
    assert!(was.as_str().unwrap().parse::<u64>().unwrap() <= version.parse().unwrap());
    assert_eq!(names(&list(&client, "").await), "a bb c* e");

    // all namespaces, with a selector: the same
    let all = "/apis/trainer.kubeflow.org/v1alpha1/trainingruntimes";
    let (_, body) = get(
        &client,
        &format!("{all}?resourceVersion={version}&resourceVersionMatch=Exact"),
    )
    .await;
    assert_eq!(names(&serde_json::from_str(&body).unwrap()), "a b c d");
}

#[tokio::test]
async fn a_version_is_shown_exactly_or_as_the_newest() {
    let sandbox = sandbox();
    let client = sandbox.client();
    let api = four(&client).await;
    let version = list(&client, "").await["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_owned();
    shake(&api).await;
    for (query, expected) in [
        (
            format!("resourceVersion={version}&resourceVersionMatch=Exact"),
            "a b c d",
        ),
        (
            format!("resourceVersion={version}&resourceVersionMatch=Exact&labelSelector=new"),
            "",
        ),
        (format!("resourceVersion={version}&limit=2"), "a b"),
        (
            format!("resourceVersion={version}&resourceVersionMatch=NotOlderThan"),
            "a bb c* e",
        ),
        (
            format!("resourceVersion={version}&resourceVersionMatch=NotOlderThan&limit=2"),
            "a bb",
        ),
        (format!("resourceVersion={version}"), "a bb c* e"),
        ("resourceVersion=0".to_owned(), "a bb c* e"),
        // whatever is at hand is at hand as a whole
        ("resourceVersion=0&limit=2".to_owned(), "a bb c* e"),
        ("limit=0".to_owned(), "a bb c* e"),
        ("limit=-1".to_owned(), "a bb c* e"),
    ] {
        assert_eq!(names(&list(&client, &query).await), expected, "{query}");
    }
    sandbox.compact();
    for query in [
        format!("resourceVersion={version}&resourceVersionMatch=Exact"),
        format!("resourceVersion={version}&limit=2"),
    ] {
        let gone = list(&client, &query).await;
        assert_eq!(
            (&gone["code"], &gone["reason"], &gone["message"]),
            (
                &json!(410),
                &json!("Expired"),
                &json!("The resourceVersion for the provided list is too old.")
            )
        );
    }
}

/// Refusals of a real server, word for word.
#[tokio::test]
async fn options_that_do_not_go_together_are_refused() {
    let sandbox = sandbox();
    let client = sandbox.client();
    four(&client).await;
    let token = list(&client, "limit=1").await["metadata"]["continue"]
        .as_str()
        .unwrap()
        .to_owned();
    let invalid = "ListOptions.meta.k8s.io \"\" is invalid: ";
    let both = "[resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided, \
                resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"]";
    for (query, code, message) in [
        (
            "resourceVersion=abc".to_owned(),
            400,
            "invalid resource version: resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": \
             invalid syntax"
                .to_owned(),
        ),
        (
            "resourceVersion=99999999999999999999".to_owned(),
            400,
            "invalid resource version: resourceVersion: Invalid value: \"99999999999999999999\": strconv.ParseUint: \
             parsing \"99999999999999999999\": value out of range"
                .to_owned(),
        ),
        (
            "resourceVersionMatch=Exact".to_owned(),
            422,
            format!(
                "{invalid}resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
            ),
        ),
        (
            "resourceVersion=5&resourceVersionMatch=Foo".to_owned(),
            422,
            format!(
                "{invalid}resourceVersionMatch: Unsupported value: \"Foo\": supported values: \"Exact\", \"NotOlderThan\", \"\""
            ),
        ),
        (
            format!("continue={token}&resourceVersion=0&resourceVersionMatch=Exact"),
            422,
            format!("{invalid}{both}"),
        ),
        (
            format!("continue={token}&resourceVersion=5"),
            400,
            "specifying resource version is not allowed when using continue".to_owned(),
        ),
        (
            "sendInitialEvents=true".to_owned(),
            422,
            format!("{invalid}sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"),
        ),
        (
            "limit=abc".to_owned(),
            400,
            "strconv.ParseInt: parsing \"abc\": invalid syntax".to_owned(),
        ),
        (
            "continue=e30".to_owned(),
            400,
            "invalid continue token: continue key is not valid: server does not recognize this encoded version "
                .to_owned(),
        ),
        (
            "continue=!!".to_owned(),
            400,
            "invalid continue token: continue key is not valid: illegal base64 data at input byte 0".to_owned(),
        ),
        (
            "watch=1&resourceVersion=abc".to_owned(),
            500,
            "resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax".to_owned(),
        ),
        (
            "watch=1&sendInitialEvents=true".to_owned(),
            422,
            format!(
                "{invalid}resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            ),
        ),
        (
            "watch=1&resourceVersionMatch=NotOlderThan".to_owned(),
            422,
            format!(
                "{invalid}resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            ),
        ),
        (
            "watch=1&continue=abc".to_owned(),
            422,
            format!(
                "{invalid}resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided"
            ),
        ),
    ] {
        let refused = list(&client, &query).await;
        assert_eq!(
            (&refused["code"], &refused["message"]),
            (&json!(code), &json!(message)),
            "{query}"
        );
    }
}

/// Moves the clock once somebody waits for it.
async fn pass(sandbox: &Sandbox, seconds: i64) {
    while sandbox.faults().waiting() == 0 {
        tokio::task::yield_now().await;
    }
    sandbox.advance(SignedDuration::from_secs(seconds));
}

#[tokio::test]
async fn a_version_to_come_is_waited_for_and_then_refused() {
    let sandbox = sandbox();
    let client = sandbox.client();
    let api = four(&client).await;
    let params = ListParams {
        resource_version: Some("999999".to_owned()),
        ..ListParams::default()
    };
    let (refusal, ()) = tokio::join!(api.list(&params), pass(&sandbox, 3));
    let refusal = refused(refusal);
    assert_eq!((refusal.code, refusal.reason.as_str()), (504, "Timeout"));
    assert!(
        refusal
            .message
            .starts_with("Timeout: Too large resource version: 999999, current: ")
    );
    let details = refusal.details.unwrap();
    assert_eq!(
        (details.retry_after_seconds, details.causes[0].reason.as_str()),
        (1, "ResourceVersionTooLarge")
    );
    let path = format!("{RUNTIMES}/a?resourceVersion=999999");
    let ((code, _), ()) = tokio::join!(get(&client, &path), pass(&sandbox, 3));
    assert_eq!(code, 504);

    // one that comes in time is answered
    let version = list(&client, "").await["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_owned();
    let next = (version.parse::<u64>().unwrap() + 1).to_string();
    let query = format!("resourceVersion={next}&resourceVersionMatch=NotOlderThan");
    let comes = async {
        while sandbox.faults().waiting() == 0 {
            tokio::task::yield_now().await;
        }
        api.create(&PostParams::default(), &runtime("e")).await.unwrap();
    };
    let (listed, ()) = tokio::join!(list(&client, &query), comes);
    assert_eq!(names(&listed), "a b c d e");
}

/// Waits until a watch has begun.
async fn watched(sandbox: &Sandbox) {
    while !sandbox.requests().iter().any(|request| request.verb == "watch") {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_watch_from_a_version_to_come_waits_for_it() {
    let sandbox = sandbox();
    let client = sandbox.client();
    let api = four(&client).await;
    let version: u64 = list(&client, "").await["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let text = |query: String| {
        let request = http::Request::get(format!("{RUNTIMES}?watch=1&timeoutSeconds=5&{query}")).body(Vec::new());
        let client = client.clone();
        async move { client.request_text(request.unwrap()).await.unwrap() }
    };
    let later = async {
        watched(&sandbox).await;
        for name in ["e", "f"] {
            api.create(&PostParams::default(), &runtime(name)).await.unwrap();
        }
        sandbox.advance(SignedDuration::from_secs(5));
    };
    let (events, ()) = tokio::join!(text(format!("resourceVersion={}", version + 1)), later);
    // what brings the store to the version is not after it
    assert!(
        !events.contains("\"name\":\"e\"") && events.contains("\"name\":\"f\""),
        "{events}"
    );

    let initial = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=999999".to_owned();
    sandbox.take_requests();
    let later = async {
        watched(&sandbox).await;
        sandbox.advance(SignedDuration::from_secs(3));
    };
    let (events, ()) = tokio::join!(text(initial), later);
    let event: Value = serde_json::from_str(&events).unwrap();
    assert_eq!(
        (&event["type"], &event["object"]["code"]),
        (&json!("ERROR"), &json!(504))
    );
}
