//! `list_namespaces`: the namespaces this caller may use, with how many training jobs each has.

use std::collections::{BTreeMap, HashSet};

use futures::future::join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::allowed::{self, Allowed};
use crate::kube::resources::{NAMESPACES, TRAIN_JOBS};
use crate::kube::{KubeError, ListQuery, Meta};
use crate::{Access, Cx, Phase, Render, Text, Tool, ToolError, ToolSpec};

/// How many jobs are counted: four pages. Beyond that a count is a lower bound.
const PAGES: usize = 4;
/// Jobs of one page.
const PAGE: u32 = 500;
/// How many namespaces a caller without cluster rights is looked up in.
const CANDIDATES: usize = 20;
/// How many namespaces are shown.
const MOST: usize = 1000;

/// List the namespaces you may use and how many training jobs each has.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListNamespaces {}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Namespaces {
    namespaces: Vec<Row>,
    default: String,
    /// Whether these are all that exist.
    complete: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Row {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    training_jobs: Option<usize>,
}

impl Render for Namespaces {
    fn render(&self, text: &mut Text) {
        let rows = self.namespaces.iter().map(|row| {
            [
                row.name.clone(),
                row.training_jobs.map(|n| n.to_string()).unwrap_or_default(),
            ]
        });
        text.table(["namespace", "jobs"], rows);
        text.fact("default", &self.default);
        text.facts("not seen", &self.not_seen);
    }
}

impl Tool for ListNamespaces {
    type Output = Namespaces;
    const SPEC: ToolSpec = ToolSpec::read("list_namespaces", Phase::Discovery).access(&[
        Access::new("", "namespaces", &["list"]).cluster().degrades(),
        Access::new("trainer.kubeflow.org", "trainjobs", &["list"])
            .cluster()
            .degrades(),
        // everybody who is authenticated may ask what they themselves may do
        Access::new("authorization.k8s.io", "selfsubjectrulesreviews", &["create"])
            .cluster()
            .degrades(),
    ]);

    async fn run(self, cx: &Cx) -> Result<Namespaces, ToolError> {
        let default = cx.default_namespace().await?;
        if cx.allowance().binds_namespaces() {
            return bound(cx, default).await;
        }
        let query = ListQuery {
            limit: Some(MOST as u32),
            ..ListQuery::default()
        };
        let (names, counts) = futures::join!(cx.kube().list(&NAMESPACES, None, &query), count_jobs(cx));
        let page = match names {
            Ok(page) => page,
            Err(error) if error.is_forbidden() => {
                let mut candidates = vec![default.clone()];
                candidates.extend(cx.kube().named_namespaces().await?);
                let unseen = "other namespaces: you may not list them; name one with `namespace`";
                return own_namespaces(cx, default, candidates, vec![unseen.to_owned()]).await;
            }
            Err(error) => return Err(error.into()),
        };
        let (objects, _) = page.decode::<Object>();
        let mut not_seen = Vec::new();
        let counts = match counts {
            Ok((counts, more)) => {
                if more {
                    not_seen.push(format!("jobs beyond the first {}", PAGES * PAGE as usize));
                }
                Some(counts)
            }
            Err(error) => {
                not_seen.push(format!("job counts: {}", ToolError::from(error).answered));
                None
            }
        };
        if page.next.is_some() {
            not_seen.push(format!("namespaces beyond the first {MOST}"));
        }
        let namespaces = objects.into_iter().map(|object| {
            let training_jobs = counts
                .as_ref()
                .map(|counts| counts.get(&object.metadata.name).copied().unwrap_or(0));
            Row {
                name: object.metadata.name,
                training_jobs,
            }
        });
        Ok(Namespaces {
            namespaces: namespaces.collect(),
            default,
            complete: page.next.is_none(),
            not_seen,
        })
    }
}

crate::register!(ListNamespaces);

#[derive(Debug, Deserialize)]
struct Object {
    metadata: Meta,
}

/// Training jobs by namespace, and whether there are more than were counted.
async fn count_jobs(cx: &Cx) -> Result<(BTreeMap<String, usize>, bool), KubeError> {
    let mut counts = BTreeMap::new();
    let mut cursor = None;
    for _ in 0..PAGES {
        let query = ListQuery {
            limit: Some(PAGE),
            cursor,
            ..ListQuery::default()
        };
        let page = cx.kube().list(&TRAIN_JOBS, None, &query).await?;
        for job in page.decode::<Object>().0 {
            *counts.entry(job.metadata.namespace).or_default() += 1;
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok((counts, false));
        }
    }
    Ok((counts, true))
}

/// Under a policy that names namespaces: those, and nothing of others.
async fn bound(cx: &Cx, default: String) -> Result<Namespaces, ToolError> {
    let Allowed { names, mut not_seen } = allowed::namespaces(cx).await?;
    not_seen.push("other namespaces: the policy does not allow them".to_owned());
    if !names.contains(&default) {
        not_seen.push(format!(
            "the default namespace {default}: the policy does not allow it, so name another one with `namespace`"
        ));
    }
    own_namespaces(cx, default, names, not_seen).await
}

/// Without the right to see all namespaces: some, each asked what the caller may do there.
async fn own_namespaces(
    cx: &Cx,
    default: String,
    mut candidates: Vec<String>,
    mut not_seen: Vec<String>,
) -> Result<Namespaces, ToolError> {
    let mut seen = HashSet::new();
    candidates.retain(|name| seen.insert(name.clone()));
    if candidates.len() > CANDIDATES {
        not_seen.push(format!("namespaces beyond the first {CANDIDATES}"));
        candidates.truncate(CANDIDATES);
    }
    let asked = candidates
        .iter()
        .map(|namespace| async move { (namespace, rules(cx, namespace).await) });
    let mut namespaces = Vec::new();
    for (namespace, rules) in join_all(asked).await {
        match rules {
            Ok(true) => {
                let query = ListQuery {
                    limit: Some(PAGE),
                    ..ListQuery::default()
                };
                let jobs = cx.kube().list(&TRAIN_JOBS, Some(namespace), &query).await.ok();
                let training_jobs = jobs.map(|page| page.items.len() + page.remaining.unwrap_or(0) as usize);
                namespaces.push(Row {
                    name: namespace.clone(),
                    training_jobs,
                });
            }
            Ok(false) => not_seen.push(format!(
                "namespace {namespace}: you have no rights on training jobs there"
            )),
            Err(error) => not_seen.push(format!("namespace {namespace}: {}", ToolError::from(error).answered)),
        }
    }
    Ok(Namespaces {
        namespaces,
        default,
        complete: false,
        not_seen,
    })
}

/// Whether the caller may read training jobs in a namespace.
async fn rules(cx: &Cx, namespace: &str) -> Result<bool, KubeError> {
    let body = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}});
    let review: Value = cx.kube().review("selfsubjectrulesreviews", &body).await?;
    let has = |list: &Value, word: &str| {
        list.as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .any(|entry| entry == "*" || entry == word)
    };
    let rules = review["status"]["resourceRules"].as_array();
    Ok(rules.into_iter().flatten().any(|rule| {
        has(&rule["verbs"], "list")
            && has(&rule["apiGroups"], "trainer.kubeflow.org")
            && has(&rule["resources"], "trainjobs")
    }))
}
