//! adhoc
use kf_mcp_core::kube::Cluster;
use kf_mcp_core::*;
use std::sync::Arc;
#[tokio::test]
async fn adhoc() {
    use kf_mcp_sandbox::{Clock as SC, Sandbox};
    let sb = Sandbox::named("showcase", SC::real(1.0))
        .map_err(|e| e.to_string())
        .unwrap();
    let cluster = Cluster::ready(sb.client(), sb.default_namespace(), "the sandbox");
    let t = sb.clone();
    let sel = Selection {
        clients: vec!["optimizer".into(), "hub".into()],
        ..Selection::default()
    };
    let engine = Engine::new(EngineOptions {
        catalogue: Catalogue::new(&[&crate::MODULE, &kf_mcp_hub::MODULE], &sel).unwrap(),
        cluster: Arc::new(cluster),
        clock: Clock::from_fn(move || t.clock().now()),
        settings: Default::default(),
        log: Default::default(),
    });
    for line in std::fs::read_to_string("/tmp/calls").unwrap().lines() {
        let (tool, args) = line.split_once(' ').unwrap();
        let args: serde_json::Value = serde_json::from_str(args).unwrap();
        let c = engine
            .call(tool, args.as_object().unwrap().clone(), CallMeta::local())
            .await
            .unwrap();
        println!(
            "### {line}  ({} requests)\n{}\n--json {}\n",
            c.requests,
            c.answer.text,
            c.answer.structured.to_string().chars().take(700).collect::<String>()
        );
    }
}
