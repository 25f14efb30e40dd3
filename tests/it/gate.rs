//! What is not allowed does not leave the process: a tool whose code tries all the same.

use std::sync::Arc;

use kf_mcp_core::kube::resources::{PODS, TRAIN_JOBS};
use kf_mcp_core::kube::{Cluster, DeleteOptions, ListQuery};
use kf_mcp_core::{
    Access, CallMeta, Catalogues, Cx, Entry, Phase, Policy, Render, Text, Tool, ToolError, ToolSpec, Tools,
};
use kf_mcp_server::Server;
use kf_mcp_tests::World;
use serde_json::{Value, json};

/// A tool whose code does not care for policies.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct TryEverything {
    /// What to try.
    what: String,
}

#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
struct Tried {}

impl Render for Tried {
    fn render(&self, text: &mut Text) {
        text.line("it was let through");
    }
}

impl Tool for TryEverything {
    type Output = Tried;
    const SPEC: ToolSpec = ToolSpec::write("try_everything", Phase::Lifecycle).access(&[Access::new(
        "trainer.kubeflow.org",
        "trainjobs",
        &["list", "patch", "delete", "create"],
    )
    .cluster()]);

    async fn run(self, cx: &Cx) -> Result<Tried, ToolError> {
        let (kube, query) = (cx.kube(), ListQuery::default());
        let (here, there) = (Some("team-b"), Some("team-a"));
        let patch = json!({"spec": {"suspend": true}});
        let image = json!({"spec": {"trainer": {"image": "evil.example.com/a:1"}}});
        match self.what.as_str() {
            "another namespace" => kube.list(&TRAIN_JOBS, there, &query).await.map(drop),
            "all namespaces" => kube.list(&TRAIN_JOBS, None, &query).await.map(drop),
            "what is not declared" => kube.list(&PODS, here, &query).await.map(drop),
            "to delete what it has not read" => kube.delete(&TRAIN_JOBS, here, "x", &DeleteOptions::default()).await,
            "to patch what it has not read" => kube
                .merge_patch::<Value>(&TRAIN_JOBS, here, "x", &patch, false)
                .await
                .map(drop),
            "an image" => kube.create::<Value>(&TRAIN_JOBS, here, &image, true).await.map(drop),
            _ => kube.list(&TRAIN_JOBS, here, &query).await.map(drop),
        }?;
        Ok(Tried {})
    }
}

#[tokio::test]
async fn a_tool_that_tries_is_stopped_at_the_gate() {
    let policy = "policy: {namespaces: [team-b], images: ['ghcr.io/org/*']}";
    let world = World::under("showcase", policy, "data-scientist");
    let tools = Tools::of(vec![const { &Entry::tool::<TryEverything>("test") }]).unwrap();
    let catalogues = Catalogues::new(tools, Policy::parse(policy).unwrap(), "data-scientist").unwrap();
    let cluster = Cluster::ready(world.sandbox().client(), "team-b", "the sandbox");
    let server = Server::builder()
        .catalogues(catalogues)
        .cluster(Arc::new(cluster))
        .build()
        .unwrap();
    let mut told = Vec::new();
    for what in [
        "another namespace",
        "all namespaces",
        "what is not declared",
        "to delete what it has not read",
        "to patch what it has not read",
        "an image",
        "what is allowed",
    ] {
        let arguments = json!({"what": what}).as_object().cloned().unwrap();
        let called = server
            .engine()
            .call("try_everything", arguments, CallMeta::local())
            .await
            .unwrap();
        // a request that was stopped was not counted, for it was not made
        assert_eq!(called.requests == 1, what == "what is allowed", "{what}");
        told.push(format!("{what}: {}", called.answer.text));
    }
    insta::assert_snapshot!(told.join("\n\n"));
}
