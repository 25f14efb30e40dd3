//! Differences of who may do what.

use serde_json::{Value, json};

use super::both::Both;
use crate::place::Place;

pub(super) async fn rbac(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    let headers = [("impersonate-user", "nobody"), ("accept", "application/json")];
    assert_eq!(both.send("GET {core}/pods", &headers, "").await.codes(), (403, 200));
    both.end().await;
}

pub(super) async fn users(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let path = "POST /apis/authentication.k8s.io/v1/selfsubjectreviews";
    let (real, sandbox) = both.ask(path, Some(&body)).await.parts("/status/userInfo/username");
    assert_eq!(sandbox, "sandbox");
    assert_ne!(real, sandbox);
    both.end().await;
}

pub(super) async fn rules(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": both.namespace},
    });
    let path = "POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let (real, sandbox) = both.ask(path, Some(&body)).await.parts("/status/resourceRules");
    let count = |rules: &Value| rules.as_array().map_or(0, Vec::len);
    assert!(count(&sandbox) == 1 && count(&real) > 1, "{real} {sandbox}");
    both.end().await;
}
