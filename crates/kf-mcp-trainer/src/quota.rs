//! Quotas of a namespace: what is left of them, and whether a job stays within.

use std::collections::BTreeMap;

use kf_mcp_core::Cx;
use kf_mcp_core::kube::meta::null_is_empty;
use kf_mcp_core::kube::resources::QUOTAS;
use kf_mcp_core::kube::{KubeError, ListQuery, Meta};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::capacity::Amounts;
use crate::pods::outside;
use crate::quantity::Quantity;

/// Quotas of one namespace that are read.
const MOST: u32 = 100;

/// One resource of one quota, as Kubernetes writes it.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Quota {
    pub(crate) name: String,
    pub(crate) resource: String,
    pub(crate) used: String,
    pub(crate) hard: String,
    pub(crate) left: String,
}

impl Quota {
    /// The row in words.
    pub(crate) fn words(&self) -> String {
        let Self {
            name,
            resource,
            used,
            hard,
            left,
        } = self;
        format!("{name} {resource}: {left} left, {used} of {hard} used")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ResourceQuota {
    metadata: Meta,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    #[serde(deserialize_with = "null_is_empty")]
    scopes: Vec<String>,
    scope_selector: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(deserialize_with = "null_is_empty")]
    hard: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_is_empty")]
    used: BTreeMap<String, String>,
}

/// What a job takes of a namespace at the time at which it takes most.
#[derive(Debug, Default)]
pub(crate) struct Demand {
    /// Pods that train.
    pub(crate) pods: u32,
    /// What each of them asks for, as requests and limits alike.
    pub(crate) each: Amounts,
    /// Objects beside the pods, by the names that quotas have for them, and the storage of volumes.
    pub(crate) objects: Amounts,
}

/// A resource of a quota that is not enough for a job.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Short {
    pub(crate) row: Quota,
    /// What the job asks for.
    pub(crate) asked: String,
}

/// The quotas of a namespace.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    quotas: Vec<ResourceQuota>,
    /// Whether there are more than were read.
    pub(crate) more: bool,
}

impl Quotas {
    /// Reads them, in one request.
    pub(crate) async fn read(cx: &Cx, namespace: &str) -> Result<Self, KubeError> {
        let query = ListQuery {
            limit: Some(MOST),
            ..ListQuery::default()
        };
        let page = cx.kube().list(&QUOTAS, Some(namespace), &query).await?;
        Ok(Self {
            quotas: page.decode().0,
            more: page.next.is_some(),
        })
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.quotas.is_empty()
    }

    /// All limits, one row for each resource.
    pub(crate) fn rows(&self) -> Vec<Quota> {
        self.quotas.iter().flat_map(ResourceQuota::rows).collect()
    }

    /// The names of quotas that count only some of the pods, by their priority or how long they may run: whether they count
    /// those of a job is not known here.
    pub(crate) fn scoped(&self) -> impl Iterator<Item = String> {
        let scoped = self.quotas.iter().filter(|quota| !quota.counts_all());
        scoped.map(|quota| outside(&quota.metadata.name))
    }

    /// The limits that a job would exceed.
    pub(crate) fn short(&self, demand: &Demand) -> Vec<Short> {
        let quotas = self.quotas.iter().filter(|quota| quota.counts_all());
        quotas.flat_map(|quota| quota.short(demand)).collect()
    }

    /// What pods must say how much they take of, and those of the job do not: `cpu` or `memory`, with the quota's name. A
    /// LimitRange of the namespace can say it for them.
    pub(crate) fn unsaid(&self, demand: &Demand) -> Vec<(String, &'static str)> {
        let mut unsaid = Vec::new();
        for quota in self.quotas.iter().filter(|quota| quota.counts_all()) {
            for resource in ["cpu", "memory"] {
                let limited = |key: &String| base(key) == Some(resource);
                if demand.pods > 0 && !demand.each.contains_key(resource) && quota.status.hard.keys().any(limited) {
                    unsaid.push((outside(&quota.metadata.name), resource));
                }
            }
        }
        unsaid
    }
}

impl ResourceQuota {
    fn counts_all(&self) -> bool {
        self.spec.scopes.is_empty() && self.spec.scope_selector.as_ref().is_none_or(Value::is_null)
    }

    fn row(&self, resource: &str, hard: &str) -> Quota {
        let used = self.status.used.get(resource).map_or("0", String::as_str);
        let amount = |text: &str| text.parse::<Quantity>().unwrap_or_default();
        Quota {
            name: outside(&self.metadata.name),
            resource: outside(resource),
            used: outside(used),
            hard: outside(hard),
            left: written(resource, (amount(hard) - amount(used)).or_none()),
        }
    }

    fn rows(&self) -> impl Iterator<Item = Quota> {
        self.status.hard.iter().map(|(resource, hard)| self.row(resource, hard))
    }

    fn short(&self, demand: &Demand) -> impl Iterator<Item = Short> {
        self.status.hard.iter().filter_map(|(resource, hard)| {
            let asked = demand.of(resource).filter(|asked| *asked > Quantity::default())?;
            let used: Quantity = self
                .status
                .used
                .get(resource)
                .and_then(|used| used.parse().ok())
                .unwrap_or_default();
            (used + asked > hard.parse().ok()?).then(|| Short {
                row: self.row(resource, hard),
                asked: written(resource, asked),
            })
        })
    }
}

impl Demand {
    /// What the job takes of a limit.
    fn of(&self, limit: &str) -> Option<Quantity> {
        if matches!(limit, "pods" | "count/pods") {
            return Some(Quantity::of(self.pods));
        }
        let objects = self.objects.get(limit.strip_prefix("count/").unwrap_or(limit));
        let each = base(limit).and_then(|resource| self.each.get(resource));
        objects.copied().or_else(|| each.map(|each| each.times(self.pods)))
    }
}

/// The resource of a container that a limit is about.
fn base(limit: &str) -> Option<&str> {
    let named = limit
        .strip_prefix("requests.")
        .or_else(|| limit.strip_prefix("limits."));
    named.or_else(|| matches!(limit, "cpu" | "memory").then_some(limit))
}

/// An amount as Kubernetes writes amounts of a resource.
pub(crate) fn written(resource: &str, amount: Quantity) -> String {
    if resource.contains("memory") || resource.contains("storage") {
        amount.binary()
    } else {
        amount.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn quotas(hard: Value, used: Value, spec: Value) -> Quotas {
        let quota = json!({"metadata": {"name": "q"}, "spec": spec, "status": {"hard": hard, "used": used}});
        Quotas {
            quotas: vec![serde_json::from_value(quota).unwrap()],
            more: false,
        }
    }

    fn demand() -> Demand {
        let amounts = |value: Value| serde_json::from_value::<Amounts>(value).unwrap();
        Demand {
            pods: 2,
            each: amounts(json!({"nvidia.com/gpu": "4", "cpu": "500m"})),
            objects: amounts(json!({"trainjobs.trainer.kubeflow.org": 1, "requests.storage": "20Gi"})),
        }
    }

    #[test]
    fn what_is_left_is_told() {
        let quotas = quotas(
            json!({"requests.memory": "64Gi", "cpu": "4", "pods": "1"}),
            json!({"requests.memory": "16Gi", "cpu": "500m", "pods": "3"}),
            json!({}),
        );
        let rows: Vec<String> = quotas.rows().iter().map(Quota::words).collect();
        assert_eq!(
            rows,
            [
                "q cpu: 3500m left, 500m of 4 used",
                "q pods: 0 left, 3 of 1 used",
                "q requests.memory: 48Gi left, 16Gi of 64Gi used"
            ]
        );
    }

    #[test]
    fn a_job_is_short_of_what_it_would_exceed() {
        for (limit, hard, used, short) in [
            ("requests.nvidia.com/gpu", "8", "0", None),
            ("requests.nvidia.com/gpu", "8", "1", Some("8")),
            ("requests.amd.com/gpu", "0", "0", None),
            ("limits.cpu", "1", "0", None),
            ("cpu", "1", "1m", Some("1")),
            ("requests.cpu", "0", "0", Some("1")),
            ("pods", "2", "0", None),
            ("count/pods", "2", "1", Some("2")),
            ("count/trainjobs.trainer.kubeflow.org", "1", "1", Some("1")),
            ("requests.storage", "10Gi", "0", Some("20Gi")),
            ("memory", "1Gi", "1Gi", None),
            ("services", "1", "1", None),
        ] {
            let quotas = quotas(json!({limit: hard}), json!({limit: used}), json!({}));
            let asked = quotas.short(&demand()).pop().map(|short| short.asked);
            assert_eq!(asked.as_deref(), short, "{limit} {hard} {used}");
        }
    }

    #[test]
    fn what_a_quota_limits_must_be_said() {
        let of = |limit: &str, spec: Value| quotas(json!({limit: "100"}), json!({}), spec).unsaid(&demand());
        assert_eq!(of("limits.memory", json!({})), [("q".to_owned(), "memory")]);
        assert_eq!(of("requests.cpu", json!({})), []);
        assert_eq!(of("pods", json!({})), []);
        assert_eq!(of("memory", json!({"scopes": ["BestEffort"]})), []);
        let scoped = quotas(json!({}), json!({}), json!({"scopeSelector": {"matchExpressions": []}}));
        assert_eq!(scoped.scoped().count(), 1);
    }
}
