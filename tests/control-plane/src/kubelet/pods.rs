//! Where the kubelet learns about pods.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{WatchEvent, WatchParams};
use kube::{Api, Client};

/// How long to wait after a watch was refused or broke.
const PAUSE: Duration = Duration::from_secs(1);

/// A source of pods.
pub(crate) trait Pods: Send + Sync + 'static {
    /// A pod as it is now.
    fn get<'a>(&'a self, namespace: &'a str, name: &'a str) -> BoxFuture<'a, kube::Result<Option<Pod>>>;

    /// What becomes of a pod. Ends when it is gone.
    fn changes(&self, pod: &Pod) -> BoxStream<'static, Pod>;
}

/// The pods of a cluster.
pub(crate) struct Cluster(pub(crate) Client);

impl Pods for Cluster {
    fn get<'a>(&'a self, namespace: &'a str, name: &'a str) -> BoxFuture<'a, kube::Result<Option<Pod>>> {
        let api = Api::namespaced(self.0.clone(), namespace);
        Box::pin(async move { api.get_opt(name).await })
    }

    fn changes(&self, pod: &Pod) -> BoxStream<'static, Pod> {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let watch = Watch {
            api: Api::namespaced(self.0.clone(), namespace),
            pod: pod.clone(),
            events: None,
        };
        Box::pin(stream::unfold(watch, async |mut watch| {
            let pod = watch.next().await?;
            Some((pod, watch))
        }))
    }
}

type Events = BoxStream<'static, kube::Result<WatchEvent<Pod>>>;

struct Watch {
    api: Api<Pod>,
    /// The newest state that was seen.
    pod: Pod,
    events: Option<Events>,
}

impl Watch {
    async fn next(&mut self) -> Option<Pod> {
        loop {
            let event = match &mut self.events {
                Some(events) => events.next().await,
                None => match open(self.api.clone(), &self.pod).await {
                    Ok(events) => {
                        self.events = Some(events);
                        continue;
                    }
                    Err(error) => Some(Err(error)),
                },
            };
            match event {
                Some(Ok(WatchEvent::Added(pod) | WatchEvent::Modified(pod))) => return self.seen(pod),
                Some(Ok(WatchEvent::Deleted(_))) => return None,
                Some(Ok(WatchEvent::Bookmark(mark))) => {
                    self.pod.metadata.resource_version = Some(mark.metadata.resource_version);
                }
                // the API server ends every watch after a while
                None => self.events = None,
                Some(Ok(WatchEvent::Error(_)) | Err(_)) => {
                    self.events = None;
                    tokio::time::sleep(PAUSE).await;
                    // what was missed meanwhile is in the pod itself
                    match self.api.get_opt(name(&self.pod)).await {
                        Ok(Some(pod)) => return self.seen(pod),
                        Ok(None) => return None,
                        Err(_) => {}
                    }
                }
            }
        }
    }

    /// Another pod of the same name means that this one is gone.
    fn seen(&mut self, pod: Pod) -> Option<Pod> {
        if pod.metadata.uid != self.pod.metadata.uid {
            return None;
        }
        self.pod = pod.clone();
        Some(pod)
    }
}

/// Watches one pod from the state that is known.
async fn open(api: Api<Pod>, pod: &Pod) -> kube::Result<Events> {
    let only = WatchParams::default().fields(&format!("metadata.name={}", name(pod)));
    let version = pod.metadata.resource_version.as_deref().unwrap_or_default();
    Ok(api.watch(&only, version).await?.boxed())
}

fn name(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}
