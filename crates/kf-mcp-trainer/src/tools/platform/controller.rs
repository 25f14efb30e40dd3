//! Finding the controllers that make pods out of training jobs: Deployments and pods, by label, wherever they are.

use kf_mcp_core::kube::meta::null_is_empty;
use kf_mcp_core::kube::resources::PODS;
use kf_mcp_core::kube::{Condition, KubeError, ListQuery, Meta, Resource};
use kf_mcp_core::{Cx, ToolError, text};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::capacity;
use crate::pods::{Pod, outside};

const DEPLOYMENTS: Resource = Resource::new("apps", "v1", "deployments");
/// What Trainer's manifests, its Helm chart and JobSet call themselves.
const LABELS: &str = "app.kubernetes.io/name in (trainer,kubeflow-trainer,jobset)";
const NAME: &str = "app.kubernetes.io/name";
const COMPONENT: &str = "app.kubernetes.io/component";
/// Where they usually are, for callers that may not look everywhere.
const USUAL: [&str; 2] = ["kubeflow-system", "kubeflow"];
/// How many of each are looked at.
const MOST: u32 = 50;

/// A Deployment, as far as it is told.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Deployment {
    metadata: Meta,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    replicas: Option<i64>,
    template: Template,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Template {
    spec: PodSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodSpec {
    #[serde(deserialize_with = "null_is_empty")]
    containers: Vec<Container>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    name: String,
    image: String,
    #[serde(deserialize_with = "null_is_empty")]
    command: Vec<String>,
    #[serde(deserialize_with = "null_is_empty")]
    args: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    ready_replicas: i64,
    #[serde(deserialize_with = "null_is_empty")]
    conditions: Vec<Condition>,
}

/// A controller's Deployment.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct DeploymentFacts {
    /// `trainer` or `jobset`.
    component: &'static str,
    name: String,
    namespace: String,
    ready: i64,
    replicas: i64,
    containers: Vec<ContainerFacts>,
    /// Conditions that do not hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trouble: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ContainerFacts {
    name: String,
    image: String,
    /// Command and arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    args: Vec<String>,
}

/// A controller's pod.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PodFacts {
    component: &'static str,
    name: String,
    namespace: String,
    state: String,
    restarts: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    node: String,
    /// How the run before the last restart ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_end: Option<String>,
}

impl DeploymentFacts {
    pub(super) fn of(deployment: &Deployment) -> Self {
        let Deployment { metadata, spec, status } = deployment;
        // "ReplicaFailure" is bad when it holds
        let bad = |condition: &&Condition| (condition.kind == "ReplicaFailure") == condition.is_true();
        let trouble = status.conditions.iter().filter(bad);
        let container = |container: &Container| {
            let words = container.command.iter().chain(&container.args);
            ContainerFacts {
                name: outside(&container.name),
                image: outside(&container.image),
                args: words.take(40).map(|word| outside(word)).collect(),
            }
        };
        Self {
            component: component(metadata),
            name: outside(&metadata.name),
            namespace: outside(&metadata.namespace),
            ready: status.ready_replicas,
            replicas: spec.replicas.unwrap_or(1),
            containers: spec.template.spec.containers.iter().map(container).collect(),
            trouble: trouble
                .map(|condition| {
                    outside(&format!(
                        "{} is {}: {} {}",
                        condition.kind, condition.status, condition.reason, condition.message
                    ))
                })
                .collect(),
        }
    }

    /// Namespace and name.
    pub(in crate::tools) fn place(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }

    /// What is wrong when it does nothing.
    pub(in crate::tools) fn down(&self) -> Option<String> {
        (self.ready < 1).then(|| {
            let mut why = format!("{} of {} pods are ready", self.ready, self.replicas);
            for trouble in &self.trouble {
                why.push_str(&format!("; {trouble}"));
            }
            why
        })
    }

    pub(in crate::tools) fn is_trainer(&self) -> bool {
        self.component == "trainer"
    }

    pub(super) fn line(&self) -> String {
        let containers: Vec<String> = self
            .containers
            .iter()
            .map(|container| {
                format!("{} {} {}", container.name, container.image, container.args.join(" "))
                    .trim_end()
                    .to_owned()
            })
            .collect();
        let trouble = if self.trouble.is_empty() {
            String::new()
        } else {
            format!("; trouble: {}", self.trouble.join("; "))
        };
        format!(
            "{} deployment {}/{}: {} of {} ready; {}{trouble}",
            self.component,
            self.namespace,
            self.name,
            self.ready,
            self.replicas,
            containers.join("; ")
        )
    }
}

impl PodFacts {
    pub(super) fn of(pod: &Pod) -> Self {
        let statuses = pod.status.container_statuses.iter();
        let mut ends = statuses
            .clone()
            .filter_map(|status| status.last_state.terminated.as_ref());
        let last_end = ends
            .next_back()
            .map(|end| outside(&format!("{}, exit code {}", end.reason, end.exit_code)));
        Self {
            component: component(&pod.metadata),
            name: outside(&pod.metadata.name),
            namespace: outside(&pod.metadata.namespace),
            state: pod.phrase(),
            restarts: statuses.map(|status| status.restart_count).sum(),
            node: outside(&pod.spec.node_name),
            last_end,
        }
    }

    pub(super) fn line(&self) -> String {
        let node = if self.node.is_empty() {
            String::new()
        } else {
            format!(" on {}", self.node)
        };
        let end = self
            .last_end
            .as_ref()
            .map(|end| format!(", ended last with {end}"))
            .unwrap_or_default();
        format!(
            "{} pod {}/{}{node}: {}, {} restarts{end}",
            self.component, self.namespace, self.name, self.state, self.restarts
        )
    }
}

fn component(metadata: &Meta) -> &'static str {
    match metadata.labels.get(NAME).map(String::as_str) {
        Some("jobset") => "jobset",
        _ => "trainer",
    }
}

/// The controllers' Deployments, in one request for callers that may look everywhere.
pub(in crate::tools) async fn deployments(cx: &Cx) -> Result<Vec<DeploymentFacts>, KubeError> {
    let query = ListQuery {
        labels: Some(LABELS.into()),
        limit: Some(MOST),
        ..ListQuery::default()
    };
    let page = cx.kube().list(&DEPLOYMENTS, None, &query).await?;
    let mut found: Vec<Deployment> = page.decode().0;
    found.retain(|deployment| controls(&deployment.metadata));
    Ok(found.iter().map(DeploymentFacts::of).collect())
}

/// Whether something is a controller.
fn controls(meta: &Meta) -> bool {
    let label = |name: &str| meta.labels.get(name).map(String::as_str);
    label(NAME).is_some_and(|name| capacity::controls(name, label(COMPONENT)))
}

/// What was found, and where nobody could look.
#[derive(Debug, Default)]
pub(super) struct Controllers {
    pub(super) deployments: Vec<Deployment>,
    pub(super) pods: Vec<Pod>,
    pub(super) not_seen: Vec<String>,
    pub(super) looked: String,
}

impl Controllers {
    /// Looks in a namespace, or everywhere; with lesser rights where controllers usually are.
    pub(super) async fn find(cx: &Cx, namespace: Option<&str>) -> Result<Self, ToolError> {
        let (deployments, pods) = futures::join!(
            look::<Deployment>(cx, &DEPLOYMENTS, namespace),
            look::<Pod>(cx, &PODS, namespace),
        );
        let (deployments, mut not_seen) = deployments?;
        let (pods, pods_not_seen) = pods?;
        not_seen.extend(pods_not_seen);
        let mut found = Self {
            deployments,
            pods,
            looked: namespace.map_or("all namespaces".to_owned(), |namespace| {
                format!("namespace {namespace}")
            }),
            not_seen,
        };
        found.deployments.retain(|deployment| controls(&deployment.metadata));
        found.pods.retain(|pod| controls(&pod.metadata));
        found
            .deployments
            .sort_by_key(|deployment| component(&deployment.metadata) == "jobset");
        found.pods.sort_by_key(|pod| component(&pod.metadata) == "jobset");
        Ok(found)
    }

    /// The pod of Trainer whose log tells most: one that is not well, else the newest.
    pub(super) fn telling(&self) -> Option<&Pod> {
        let waits = |pod: &Pod| {
            pod.status
                .container_statuses
                .iter()
                .any(|status| status.state.waiting.is_some())
        };
        let trainers = self.pods.iter().filter(|pod| component(&pod.metadata) == "trainer");
        trainers.max_by_key(|pod| {
            (
                waits(pod),
                pod.status.phase == "Running",
                pod.metadata.creation_timestamp,
            )
        })
    }
}

/// One page of what has the labels. Without the right to look everywhere: in the usual namespaces, and a word about it.
async fn look<T: DeserializeOwned>(
    cx: &Cx,
    of: &Resource,
    namespace: Option<&str>,
) -> Result<(Vec<T>, Vec<String>), KubeError> {
    let query = ListQuery {
        labels: Some(LABELS.into()),
        limit: Some(MOST),
        ..ListQuery::default()
    };
    let not_allowed =
        |place: &str, error: &KubeError| format!("{} of {place}: {} list them", of.plural, error.who_refuses());
    let refused = match cx.kube().list(of, namespace, &query).await {
        Ok(page) => return Ok((page.decode().0, Vec::new())),
        Err(error) if !error.is_forbidden() => return Err(error),
        Err(error) => error,
    };
    if let Some(namespace) = namespace {
        return Ok((
            Vec::new(),
            vec![not_allowed(&format!("namespace {}", text::clean(namespace)), &refused)],
        ));
    }
    let asked = USUAL.map(|usual| cx.kube().list(of, Some(usual), &query));
    let mut found = Vec::new();
    let elsewhere = format!("all namespaces; only {} were looked at", USUAL.join(" and "));
    let mut not_seen = vec![not_allowed(&elsewhere, &refused)];
    for (usual, answer) in USUAL.into_iter().zip(futures::future::join_all(asked).await) {
        match answer {
            Ok(page) => found.extend(page.decode::<T>().0),
            Err(error) if error.is_forbidden() => not_seen.push(not_allowed(&format!("namespace {usual}"), &error)),
            Err(error) => return Err(error),
        }
    }
    Ok((found, not_seen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, of: &str, created: &str, status: serde_json::Value) -> Pod {
        serde_json::from_value(
            json!({"metadata": {"name": name, "namespace": "s", "labels": {NAME: of},
            "creationTimestamp": created}, "spec": {"containers": [{"name": "manager"}]}, "status": status}),
        )
        .unwrap()
    }

    #[test]
    fn the_log_is_that_of_the_pod_that_is_not_well() {
        let well = json!({"phase": "Running", "containerStatuses": [{"name": "manager", "state": {"running": {}}}]});
        let ill = json!({"phase": "Running", "containerStatuses": [{"name": "manager", "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}]});
        let pods = vec![
            pod("ill", "trainer", "2026-01-01T00:00:00Z", ill),
            pod("well", "kubeflow-trainer", "2026-01-02T00:00:00Z", well.clone()),
            pod("other", "jobset", "2026-01-03T00:00:00Z", well),
        ];
        let mut found = Controllers {
            pods,
            ..Controllers::default()
        };
        assert_eq!(found.telling().unwrap().metadata.name, "ill");
        assert_eq!(
            PodFacts::of(&found.pods[0]).line(),
            "trainer pod s/ill: Running: CrashLoopBackOff, 3 restarts, ended last with Error, exit code 1"
        );
        found.pods.remove(0);
        assert_eq!(found.telling().unwrap().metadata.name, "well");
    }

    #[test]
    fn a_deployment_tells_what_is_wrong_with_it() {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {"name": "d", "namespace": "s", "labels": {NAME: "trainer"}},
            "spec": {"template": {"spec": {"containers": [{"name": "manager", "image": "i:v2", "args": ["--token=abcdefgh1"]}]}}},
            "status": {"conditions": [{"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": "no"},
                {"type": "Progressing", "status": "True"}]},
        }))
        .unwrap();
        assert_eq!(
            DeploymentFacts::of(&deployment).line(),
            "trainer deployment s/d: 0 of 1 ready; manager i:v2 --token=***; trouble: Available is False: MinimumReplicasUnavailable no"
        );
    }
}
