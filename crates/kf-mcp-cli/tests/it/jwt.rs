//! Callers with JSON web tokens: which are accepted, what they give, and what refusals tell a client.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::http::Served;
use crate::issuer::{AUDIENCE, Key, NAME, Shown, claims, encoded, from_now};
use crate::wire::{Answer, ask, bearer, initialize, modern, post};

/// A server that accepts an issuer's tokens.
fn served(issuer: &Shown, more: &[&str]) -> Served {
    let uri = format!("http://127.0.0.1:{}/keys", issuer.port);
    let own = ["--jwks-uri", &uri, "--jwt-issuer", NAME, "--jwt-audience", AUDIENCE];
    Served::start(&[&own[..], more].concat())
}

fn keys(keys: &[Value]) -> Value {
    json!({"keys": keys})
}

fn ed(id: &str) -> Value {
    json!({"alg": "EdDSA", "kid": id, "typ": "at+jwt"})
}

/// A kubeconfig for an API server that is nothing but counted.
fn counted(folder: &Path) -> (Shown, PathBuf) {
    let api = Shown::start(&json!({"kind": "Status", "code": 500}));
    let file = folder.join("kubeconfig");
    let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": format!("http://127.0.0.1:{}", api.port)}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": "t"}}]});
    std::fs::write(&file, config.to_string()).unwrap();
    (api, file)
}

#[test]
fn only_good_tokens_of_the_issuer_are_accepted_and_no_other_reaches_the_cluster() {
    let (pair, other, rsa) = (Key::ed(), Key::ed(), Key::rsa());
    let public = rsa.public("r");
    let issuer = Shown::start(&keys(&[pair.public("a"), public.clone()]));
    let folder = tempfile::tempdir().unwrap();
    let (api, kubeconfig) = counted(folder.path());
    let served = served(&issuer, &["--kubeconfig", kubeconfig.to_str().unwrap()]);
    let good = claims("alice", &json!({}));
    let with = |more: Value| pair.sign(&ed("a"), &claims("alice", &more));
    // what others made: the key that everybody can see, taken for a secret
    let hs256 = {
        let header = encoded(json!({"alg": "HS256", "kid": "r", "typ": "JWT"}).to_string());
        let message = format!("{header}.{}", encoded(good.to_string()));
        let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, public["n"].as_str().unwrap().as_bytes());
        format!("{message}.{}", encoded(ring::hmac::sign(&secret, message.as_bytes())))
    };
    let none = format!(
        "{}.{}.",
        encoded(json!({"alg": "none", "typ": "JWT"}).to_string()),
        encoded(good.to_string())
    );
    let mut tampered = with(json!({}));
    let at = tampered.rfind('.').unwrap() + 3;
    let flipped = if &tampered[at..=at] == "A" { "B" } else { "A" };
    tampered.replace_range(at..=at, flipped);
    for (what, token, why) in [
        (
            "another audience",
            with(json!({"aud": "https://other.example"})),
            "it is meant for another audience",
        ),
        ("no audience", with(json!({"aud": null})), "it lacks one of the claims"),
        (
            "another issuer",
            with(json!({"iss": "https://evil.example"})),
            "it is another issuer's",
        ),
        (
            "two issuers",
            with(json!({"iss": [NAME, "https://evil.example"]})),
            "it is another issuer's",
        ),
        ("expired", with(json!({"exp": from_now(-60)})), "it has expired"),
        ("no end", with(json!({"exp": null})), "it lacks one of the claims"),
        (
            "not yet valid",
            with(json!({"nbf": from_now(120)})),
            "it is not valid yet",
        ),
        ("nobody's", with(json!({"sub": null})), "it lacks one of the claims"),
        (
            "unknown key",
            pair.sign(&ed("b"), &good),
            "its key is none of the issuer's",
        ),
        ("another's key", other.sign(&ed("a"), &good), "its signature is wrong"),
        (
            "another algorithm's key",
            pair.sign(&json!({"alg": "EdDSA", "kid": "r"}), &good),
            "its key is none of the issuer's",
        ),
        ("alg none", none, "it is no JSON web token with an accepted algorithm"),
        ("the public key as a secret", hs256, "its algorithm is not accepted"),
        ("tampered", tampered, "its signature is wrong"),
        (
            "for something else",
            pair.sign(&json!({"alg": "EdDSA", "kid": "a", "typ": "logout+jwt"}), &good),
            "it is a token for something else",
        ),
        (
            "with demands",
            pair.sign(
                &json!({"alg": "EdDSA", "kid": "a", "crit": ["b64"], "b64": false}),
                &good,
            ),
            "its header demands what is not understood here",
        ),
        ("garbage", "a.b.c".into(), "it is no JSON web token"),
        ("too long", "a".repeat(20_000), "it is no bearer token"),
    ] {
        let answer = ask(served.port, &bearer(&token), "list_training_jobs");
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert_eq!(answer.code, 401, "{what}: {answer:?}");
        assert!(
            challenge.starts_with("Bearer realm=\"kubeflow-mcp\", error=\"invalid_token\", error_description=\"")
                && challenge
                    .contains("resource_metadata=\"https://mcp.example/.well-known/oauth-protected-resource/mcp\""),
            "{what}: {challenge}"
        );
        assert!(
            answer.body.contains(why) && challenge.contains(why),
            "{what}: {answer:?}"
        );
        assert!(!answer.body.contains("jobs"), "{what}: {answer:?}");
    }
    let twice = format!("{0}{0}", bearer(&with(json!({}))));
    assert_eq!(ask(served.port, &twice, "list_training_jobs").code, 401);
    let nothing = ask(served.port, "", "list_training_jobs");
    let challenge = nothing.header("www-authenticate").unwrap();
    assert!(
        nothing.code == 401 && !challenge.contains("error=") && challenge.contains("resource_metadata="),
        "{nothing:?}"
    );
    assert_eq!(api.asked(), [""; 0], "nothing of all this reached the cluster");
    // the same server, and a good token: now it is asked
    let answer = ask(served.port, &bearer(&with(json!({}))), "list_training_jobs");
    assert_eq!(answer.code, 200, "{answer:?}");
    assert!(!api.asked().is_empty());
    // clocks may be half a minute apart
    for more in [json!({"exp": from_now(-10)}), json!({"nbf": from_now(10)})] {
        assert_eq!(ask(served.port, &bearer(&with(more)), "list_training_jobs").code, 200);
    }
}

#[test]
fn every_kind_of_key_is_good() {
    let (ec, rsa) = (Key::ec(), Key::rsa());
    let issuer = Shown::start(&keys(&[ec.public("e"), rsa.public("r")]));
    let served = served(&issuer, &["--sandbox"]);
    for (key, header) in [
        (&ec, json!({"alg": "ES256", "kid": "e"})),
        (&rsa, json!({"alg": "RS256", "kid": "r", "typ": "JWT"})),
        (&rsa, json!({"alg": "PS256", "kid": "r"})),
        // the only key that fits need not be named
        (&ec, json!({"alg": "ES256"})),
    ] {
        let token = key.sign(&header, &claims("alice", &json!({})));
        let answer = ask(served.port, &bearer(&token), "list_training_jobs");
        assert!(
            answer.code == 200 && answer.body.contains("\"jobs\":"),
            "{header}: {answer:?}"
        );
    }
    assert_eq!(issuer.asked(), ["GET /keys HTTP/1.1"], "keys are fetched once");
}

#[test]
fn keys_are_replaced_and_an_issuer_that_is_away_stops_nobody() {
    let (old, new) = (Key::ed(), Key::ed());
    let issuer = Shown::start(&keys(&[old.public("1")]));
    let served = served(&issuer, &["--sandbox"]);
    let code = |key: &Key, id: &str| {
        let token = key.sign(&ed(id), &claims("alice", &json!({})));
        ask(served.port, &bearer(&token), "health_check").code
    };
    assert_eq!((code(&old, "1"), code(&new, "2")), (200, 401));
    issuer.says(200, &keys(&[old.public("1"), new.public("2")]));
    assert_eq!((code(&new, "2"), code(&old, "1")), (200, 200));
    // names that there are not make the issuer be asked a few times, not for ever
    let before = issuer.asked().len();
    for _ in 0..50 {
        assert_eq!(code(&old, "made-up"), 401);
    }
    assert!(issuer.asked().len() - before <= 6, "{:?}", issuer.asked().len());
    issuer.says(500, &json!({}));
    assert_eq!((code(&new, "2"), code(&old, "1")), (200, 200));
}

#[test]
fn without_the_issuers_keys_it_is_said_that_it_is_not_the_callers_fault() {
    let key = Key::ed();
    let issuer = Shown::start(&json!({"error": "down"}));
    issuer.says(500, &json!({}));
    let served = served(&issuer, &["--sandbox"]);
    let token = key.sign(&ed("a"), &claims("alice", &json!({})));
    let answer = ask(served.port, &bearer(&token), "health_check");
    assert!(
        answer.code == 503 && answer.body.contains("answered 500") && answer.header("retry-after") == Some("5"),
        "{answer:?}"
    );
}

#[test]
fn scopes_give_personas_and_more_are_asked_for() {
    let key = Key::ed();
    let issuer = Shown::start(&keys(&[key.public("a")]));
    let served = served(&issuer, &["--sandbox"]);
    let token = |scope: &str| bearer(&key.sign(&ed("a"), &claims("alice", &json!({"scope": scope}))));
    let call = |scope: &str, tool: &str| ask(served.port, &token(scope), tool);
    let insufficient = |answer: &Answer, scope: &str| {
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert!(
            answer.code == 403
                && challenge.contains(&format!("error=\"insufficient_scope\", scope=\"{scope}\""))
                && challenge.contains("resource_metadata=")
                && answer.body.contains(scope),
            "{answer:?}"
        );
    };
    assert_eq!(call("kubeflow:read", "list_training_jobs").code, 200);
    insufficient(&call("kubeflow:read", "run_container_training"), "kubeflow:write");
    insufficient(&call("openid kubeflow:read", "delete_training_job"), "kubeflow:write");
    insufficient(&call("kubeflow:write", "create_runtime"), "kubeflow:admin");
    // who has the scope is told what is wrong with the call, not with the token
    assert_eq!(call("kubeflow:write kubeflow:read", "run_container_training").code, 200);
    assert_eq!(call("kubeflow:admin", "create_runtime").code, 200);
    // a name that there is not is a matter of the protocol
    assert_eq!(call("kubeflow:read", "no_such_tool").code, 200);
    // the older generation, whose headers do not name the tool
    let opened = post(served.port, &token("kubeflow:read"), &initialize());
    let session = format!(
        "Mcp-Session-Id: {}\r\nMCP-Protocol-Version: 2025-11-25\r\n",
        opened.header("mcp-session-id").unwrap()
    );
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "create_runtime", "arguments": {}}});
    let answer = post(served.port, &format!("{session}{}", token("kubeflow:read")), &call);
    insufficient(&answer, "kubeflow:admin");
}

#[test]
fn groups_and_names_give_personas_where_the_operator_says_so() {
    let key = Key::ed();
    let issuer = Shown::start(&keys(&[key.public("a")]));
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit.jsonl");
    let served = served(
        &issuer,
        &[
            "--sandbox",
            "--jwt-user-claim",
            "email",
            "--jwt-groups-claim",
            "/realm_access/roles",
            "--auth-personas",
            "user:root@example.com=platform-admin, group:ml=data-scientist",
            "--audit-log",
            audit.to_str().unwrap(),
        ],
    );
    let persona = |more: Value| {
        let token = key.sign(&ed("a"), &claims("4711", &more));
        let answer = ask(served.port, &bearer(&token), "health_check");
        answer.json()["result"]["structuredContent"]["persona"].clone()
    };
    assert_eq!(persona(json!({"email": "root@example.com"})), "platform-admin");
    assert_eq!(
        persona(json!({"email": "a@example.com", "realm_access": {"roles": ["x", "ml"]}})),
        "data-scientist"
    );
    // a scope that the operator does not name gives nothing
    assert_eq!(
        persona(json!({"email": "b@example.com", "scope": "kubeflow:admin"})),
        "readonly"
    );
    let lines = std::fs::read_to_string(&audit).unwrap();
    assert!(
        lines.contains("\"caller\":\"a@example.com\"") && !lines.contains("eyJ"),
        "{lines}"
    );
    let refused = key.sign(
        &ed("a"),
        &claims("4711", &json!({"email": "x@y", "email_verified": false})),
    );
    assert_eq!(ask(served.port, &bearer(&refused), "health_check").code, 401);
}

#[test]
fn clients_are_told_where_tokens_come_from() {
    let issuer = Shown::start(&keys(&[Key::ed().public("a")]));
    let served = served(&issuer, &["--sandbox"]);
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
    ] {
        let answer = crate::wire::Wire::open(served.port).get(path);
        assert_eq!(
            answer.json(),
            json!({"resource": AUDIENCE, "authorization_servers": [NAME], "bearer_methods_supported": ["header"],
                "scopes_supported": ["kubeflow:read", "kubeflow:write", "kubeflow:admin"], "resource_name": "kubeflow-mcp"})
        );
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
    assert_eq!(issuer.asked(), [""; 0]);
}

#[test]
fn the_name_that_clients_know_it_by_is_served_and_others_are_not() {
    let key = Key::ed();
    let issuer = Shown::start(&keys(&[key.public("a")]));
    let served = served(&issuer, &["--sandbox"]);
    let token = bearer(&key.sign(&ed("a"), &claims("alice", &json!({}))));
    let (headers, body) = modern("health_check", &json!({}), &json!({}));
    for (host, code) in [("mcp.example", 200), ("localhost", 200), ("evil.example", 403)] {
        let body = body.to_string();
        let request = format!(
            "POST /mcp HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
             {headers}{token}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut wire = crate::wire::Wire::open(served.port);
        wire.send(request.as_bytes());
        let answer = wire.answer();
        assert_eq!(answer.code, code, "{host}: {answer:?}");
    }
}

#[test]
fn an_authenticated_caller_cannot_send_too_much_either() {
    let key = Key::ed();
    let issuer = Shown::start(&keys(&[key.public("a")]));
    let served = served(&issuer, &["--sandbox"]);
    let (headers, mut body) = modern("list_training_jobs", &json!({}), &json!({}));
    body["params"]["arguments"]["name"] = json!("x".repeat(4 << 20));
    let token = bearer(&key.sign(&ed("a"), &claims("alice", &json!({}))));
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
         {headers}{token}Content-Length: {}\r\n\r\n",
        body.to_string().len()
    );
    let mut wire = crate::wire::Wire::open(served.port);
    wire.send(head.as_bytes());
    // the rest need not be taken: it is refused by its length alone, or after the first megabytes
    wire.send_some(body.to_string().as_bytes());
    let answer = wire.answer();
    assert!(answer.code == 413 && answer.body.contains("4 MiB"), "{answer:?}");
}
