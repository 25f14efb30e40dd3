//! The same server over HTTP.

use futures::StreamExt as _;
use kube::api::{ListParams, PostParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::support::*;

#[tokio::test]
async fn it_serves_over_http_until_it_is_told_to_stop() {
    let sandbox = sandbox();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn({
        let sandbox = sandbox.clone();
        async move {
            sandbox
                .serve(listener, async {
                    stopped.await.ok();
                })
                .await
        }
    });
    let config = kube::Config::new(format!("http://{addr}").parse().unwrap());
    let api = api(&Client::try_from(config).unwrap(), "TrainingRuntime");
    let mut events = Box::pin(api.watch(&WatchParams::default(), "0").await.unwrap());
    assert!(matches!(events.next().await, Some(Ok(WatchEvent::Bookmark(_)))));
    let made = api.create(&PostParams::default(), &runtime("a")).await.unwrap();
    match events.next().await.unwrap().unwrap() {
        WatchEvent::Added(seen) => assert_eq!(seen, made),
        event => panic!("{event:?}"),
    }
    assert_eq!(refused(api.get("nope").await).code, 404);

    let kubeconfig = Kubeconfig::from_yaml(&sandbox.kubeconfig(addr)).unwrap();
    assert_eq!(kubeconfig.current_context.as_deref(), Some("sandbox"));
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .unwrap();
    let again = crate::support::api(&Client::try_from(config).unwrap(), "TrainingRuntime");
    assert_eq!(again.list(&ListParams::default()).await.unwrap().items.len(), 1);

    // the open watch does not hold the server up
    stop.send(()).unwrap();
    served.await.unwrap().unwrap();
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_cut_answer_is_a_broken_connection() {
    let sandbox = sandbox();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn({
        let sandbox = sandbox.clone();
        async move { sandbox.serve(listener, std::future::pending()).await }
    });
    let config = kube::Config::new(format!("http://{addr}").parse().unwrap());
    let api = api(&Client::try_from(config).unwrap(), "Pod");
    sandbox.faults().next(1, "list pods", kf_mcp_sandbox::Fault::Cut(5));
    assert!(!matches!(
        api.list(&ListParams::default()).await.unwrap_err(),
        kube::Error::Api(_)
    ));
    api.list(&ListParams::default()).await.unwrap();
    server.abort();
}
