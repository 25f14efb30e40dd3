//! Who may do what.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SelfSubjectRulesReview,
    SelfSubjectRulesReviewSpec,
};
use kube::api::{ListParams, PostParams};

use crate::support::*;

async fn may(client: &Client, verb: &str, resource: &str, namespace: Option<&str>) -> bool {
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                verb: Some(verb.to_owned()),
                group: Some("trainer.kubeflow.org".to_owned()),
                resource: Some(resource.to_owned()),
                namespace: namespace.map(str::to_owned),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let api = Api::<SelfSubjectAccessReview>::all(client.clone());
    api.create(&PostParams::default(), &review)
        .await
        .unwrap()
        .status
        .unwrap()
        .allowed
}

#[tokio::test]
async fn rules_refuse_requests_and_reviews_say_so_before() {
    let sandbox = sandbox();
    let client = sandbox.client();
    assert!(may(&client, "list", "trainjobs", Some("team-a")).await);
    sandbox.forbid("list trainjobs@team-a");
    assert!(!may(&client, "list", "trainjobs", Some("team-a")).await);
    assert!(may(&client, "get", "trainjobs", Some("team-a")).await);
    assert!(may(&client, "list", "trainjobs", None).await);
    let refusal = refused(api(&client, "TrainJob").list(&ListParams::default()).await);
    assert_eq!((refusal.code, refusal.reason.as_str()), (403, "Forbidden"));
    assert_eq!(
        refusal.message,
        "trainjobs.trainer.kubeflow.org is forbidden: User \"sandbox\" cannot list resource \"trainjobs\" in API group \
         \"trainer.kubeflow.org\" in the namespace \"team-a\""
    );
    sandbox.forbid("* *");
    let everywhere = Api::<DynamicObject>::all_with(client.clone(), &resource("Node"));
    let refusal = refused(everywhere.get("n").await);
    assert_eq!(
        refusal.message,
        "nodes \"n\" is forbidden: User \"sandbox\" cannot get resource \"nodes\" in API group \"\" at the cluster scope"
    );
    assert!(!may(&client, "get", "trainjobs", None).await);
    sandbox.allow_all();
    assert!(may(&client, "list", "trainjobs", Some("team-a")).await);
}

#[tokio::test]
async fn a_rules_review_lists_what_is_left() {
    let sandbox = sandbox();
    let api = Api::<SelfSubjectRulesReview>::all(sandbox.client());
    let spec = SelfSubjectRulesReviewSpec {
        namespace: Some("team-a".to_owned()),
    };
    let review = SelfSubjectRulesReview {
        spec,
        ..SelfSubjectRulesReview::default()
    };
    let rules = api
        .create(&PostParams::default(), &review)
        .await
        .unwrap()
        .status
        .unwrap()
        .resource_rules;
    assert_eq!(rules[0].verbs, ["*"]);
    sandbox.forbid("delete trainjobs");
    sandbox.forbid("* secrets");
    let rules = api
        .create(&PostParams::default(), &review)
        .await
        .unwrap()
        .status
        .unwrap()
        .resource_rules;
    let verbs = |resource: &str| {
        let rule = rules
            .iter()
            .find(|r| r.resources.as_ref().is_some_and(|r| r.iter().any(|r| r == resource)));
        rule.map(|rule| rule.verbs.join(" ")).unwrap_or_default()
    };
    assert_eq!(
        verbs("trainjobs"),
        "get list watch create update patch deletecollection"
    );
    assert_eq!(verbs("secrets"), "");
    assert_eq!(verbs("pods/log"), "get");
}

#[tokio::test]
async fn users_are_named_and_recorded() {
    let sandbox = sandbox();
    let client = sandbox.client();
    let api = Api::<SelfSubjectReview>::all(client.clone());
    let review = api
        .create(&PostParams::default(), &SelfSubjectReview::default())
        .await
        .unwrap();
    assert_eq!(
        review.status.unwrap().user_info.unwrap().username.as_deref(),
        Some("sandbox")
    );
    sandbox.take_requests();
    sandbox.forbid("list pods");
    let request = http::Request::get("/api/v1/namespaces/team-a/pods?limit=5").header("impersonate-user", "ada");
    let refusal = refused(client.request::<Value>(request.body(Vec::new()).unwrap()).await);
    assert!(
        refusal.message.contains("User \"ada\" cannot list"),
        "{}",
        refusal.message
    );
    let requests = sandbox.take_requests();
    assert_eq!(requests.len(), 1);
    let seen = &requests[0];
    assert_eq!(
        (seen.verb.as_str(), seen.resource.as_str(), seen.namespace.as_deref()),
        ("list", "pods", Some("team-a"))
    );
    assert_eq!(
        (seen.user.as_str(), seen.code, seen.query.as_str()),
        ("ada", 403, "limit=5")
    );
    assert!(sandbox.requests().is_empty());
}
