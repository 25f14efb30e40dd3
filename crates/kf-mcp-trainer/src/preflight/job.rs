//! What a job on a runtime takes.

use std::collections::BTreeMap;

use kf_mcp_trainjob::{Policy, Runtime};

use crate::capacity::Amounts;
use crate::quantity::Quantity;
use crate::quota::Demand;

/// What each training pod asks for: Trainer adds the job's resources to those of the runtime's container.
pub(crate) fn each(runtime: &Runtime, resources: &BTreeMap<String, String>) -> Amounts {
    let own = runtime.node().map(|node| &node.resources);
    let all = own.into_iter().flatten().chain(resources);
    let mut each = Amounts::new();
    for (resource, amount) in all {
        each.insert(resource.clone(), amount.parse().unwrap_or_default());
    }
    each.retain(|_, amount| *amount > Quantity::default());
    each
}

/// What a job takes of its namespace while it trains. What fetches its model and dataset has ended by then.
pub(crate) fn demand(runtime: &Runtime, nodes: u32, each: Amounts) -> Demand {
    // A launcher needs a worker beside it.
    let pods = if runtime.policy == Policy::Mpi {
        nodes.max(2)
    } else {
        nodes
    };
    let count = |count: usize| Quantity::of(u32::try_from(count).unwrap_or(u32::MAX));
    let mut objects = Amounts::from([
        ("trainjobs.trainer.kubeflow.org".to_owned(), Quantity::of(1)),
        ("jobsets.jobset.x-k8s.io".to_owned(), Quantity::of(1)),
        ("jobs.batch".to_owned(), count(runtime.replicated_jobs.len())),
        ("services".to_owned(), Quantity::of(1)),
        (
            "persistentvolumeclaims".to_owned(),
            count(runtime.claim_templates.len()),
        ),
    ]);
    for claim in &runtime.claim_templates {
        let size: Quantity = claim.storage.parse().unwrap_or_default();
        *objects.entry("requests.storage".to_owned()).or_default() += size;
        if let Some(class) = &claim.class {
            let of = format!("{class}.storageclass.storage.k8s.io/requests.storage");
            *objects.entry(of).or_default() += size;
        }
    }
    Demand { pods, each, objects }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kf_mcp_trainjob::RuntimeScope;
    use serde_json::{Value, json};

    fn runtime(policy: &str, limits: Value) -> Runtime {
        let template = json!({"metadata": {"name": "initializer"}, "spec": {"storageClassName": "fast",
            "resources": {"requests": {"storage": "20Gi"}}}});
        let value = json!({"spec": {"mlPolicy": {policy: {}}, "template": {"spec": {
            "volumeClaimPolicies": [{"templates": [template]}],
            "replicatedJobs": [{"name": "node", "template": {"spec": {"template": {"spec": {"containers": [
                {"name": "node", "resources": {"limits": limits}}]}}}}}]}}}});
        Runtime::from_value(&value, RuntimeScope::Cluster)
    }

    #[test]
    fn a_job_takes_what_it_says_and_what_its_runtime_says() {
        let runtime = runtime("torch", json!({"nvidia.com/gpu": 2, "memory": "8Gi"}));
        let resources = BTreeMap::from([
            ("nvidia.com/gpu".to_owned(), "0".to_owned()),
            ("cpu".into(), "4".into()),
        ]);
        let each = each(&runtime, &resources);
        assert_eq!(each.keys().collect::<Vec<_>>(), ["cpu", "memory"]);
        let demand = demand(&runtime, 3, each);
        assert_eq!(demand.pods, 3);
        assert_eq!(demand.objects["requests.storage"].binary(), "20Gi");
        assert_eq!(
            demand.objects["fast.storageclass.storage.k8s.io/requests.storage"].binary(),
            "20Gi"
        );
    }

    #[test]
    fn an_mpi_job_of_one_node_has_two_pods() {
        assert_eq!(demand(&runtime("mpi", json!({})), 1, Amounts::new()).pods, 2);
    }
}
