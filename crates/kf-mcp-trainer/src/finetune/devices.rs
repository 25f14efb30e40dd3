//! What each node of a fine-tuning gets. Trainer adds the job's resources to the runtime's in the pods, but looks at the
//! job's alone when it chooses the recipe, so the job says all of them.

use std::collections::BTreeMap;

use kf_mcp_trainjob::Runtime;
use kf_mcp_trainjob::torchtune::{Layout, TuneModel};

use super::options::Trained;
use crate::submit::Problems;

const FIELD: &str = "resources_per_node";

/// The devices of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Devices {
    /// What each node asks for; empty for what the runtime says.
    pub(crate) resources: BTreeMap<String, String>,
    /// How Trainer counts it.
    pub(crate) layout: Layout,
    /// GPUs of each node.
    pub(crate) per_node: u64,
    /// What was decided for the caller.
    pub(crate) notes: Vec<String>,
}

/// The devices of a job that asks for these resources.
pub(crate) fn devices(
    asked: &BTreeMap<String, String>,
    nodes: u32,
    trained: Trained,
    model: TuneModel,
    runtime: &Runtime,
    problems: &mut Problems,
) -> Devices {
    let mut resources = asked.clone();
    let mut notes = Vec::new();
    let own = runtime.devices();
    let given = kf_mcp_trainjob::devices(asked);
    let none = given.is_none() && asked.keys().any(|name| name.contains('/'));
    let one_is_enough = trained.quantised && !trained.dora && model.needs_one_gpu() && nodes == 1;
    let (resource, per_node) = match (given, &own) {
        (Some(given), own) => {
            let other = own.as_ref().filter(|own| own.resource != given.resource);
            if let Some(own) = other {
                // Else the pod would ask for both.
                resources.insert(own.resource.clone(), "0".into());
            }
            (given.resource, given.per_node)
        }
        (None, _) if none => {
            problems.add(FIELD, "asks for no GPU, and torchtune's recipes need one");
            (String::from("nvidia.com/gpu"), 0)
        }
        (None, None) => {
            problems.add(
                FIELD,
                "must ask for a GPU: the runtime asks for none, and torchtune's recipes need one",
            );
            problems.fix(r#"give resources_per_node={"gpu": 1}"#);
            (String::from("nvidia.com/gpu"), 0)
        }
        (None, Some(own)) if one_is_enough && own.per_node > 1 => {
            resources.insert(own.resource.clone(), "1".into());
            notes.push(format!(
                "QLoRA runs on one GPU, so the job asks for 1 {} instead of the runtime's {}",
                own.resource, own.per_node
            ));
            (own.resource.clone(), 1)
        }
        (None, Some(own)) => {
            if !resources.is_empty() {
                resources.insert(own.resource.clone(), own.per_node.to_string());
            }
            notes.push(format!(
                "each node takes the runtime's {} {}; resources_per_node={{\"gpu\": 1}} asks for one",
                own.per_node, own.resource
            ));
            (own.resource.clone(), own.per_node)
        }
    };
    if resource.contains("/mig-") && per_node > 1 {
        problems.add(FIELD, "asks for several MIG slices, and a program can use one");
    }
    // Trainer counts what is called a GPU. Of anything else, and beside another kind, it is told the number.
    let counted = resource.to_ascii_lowercase().contains("gpu");
    let alone = resources
        .keys()
        .filter(|name| name.to_ascii_lowercase().contains("gpu"))
        .count()
        <= 1;
    let processes = (!counted || !alone)
        .then(|| u32::try_from(per_node).unwrap_or(u32::MAX))
        .filter(|n| *n > 0);
    Devices {
        resources,
        layout: Layout {
            nodes,
            gpus: if counted { per_node } else { 0 },
            processes,
        },
        per_node,
        notes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kf_mcp_trainjob::RuntimeScope;
    use serde_json::{Value, json};

    fn told(asked: Value, own: Value, quantised: bool) -> (Value, Option<u32>, u64, String) {
        let runtime = json!({"spec": {"template": {"spec": {"replicatedJobs": [{"name": "node", "template": {"spec": {"template": {
            "spec": {"containers": [{"name": "node", "resources": {"limits": own}}]}}}}}]}}}});
        let runtime = Runtime::from_value(&runtime, RuntimeScope::Cluster);
        let asked: BTreeMap<String, String> = serde_json::from_value(asked).unwrap();
        let trained = Trained {
            lora: true,
            quantised,
            dora: false,
        };
        let model = TuneModel::of_runtime("torchtune-llama3.2-1b").unwrap();
        let mut problems = Problems::default();
        let devices = devices(&asked, 1, trained, model, &runtime, &mut problems);
        let wrong = problems.settle("fine_tune").map_err(|error| error.answered).err();
        (
            json!(devices.resources),
            devices.layout.processes,
            devices.layout.gpus,
            wrong.unwrap_or_default(),
        )
    }

    #[test]
    fn item_12_the_job_says_all_that_its_nodes_get() {
        let two = || json!({"nvidia.com/gpu": 2});
        for (asked, want, processes, gpus) in [
            (json!({}), json!({}), None, 2),
            (json!({"cpu": "8"}), json!({"cpu": "8", "nvidia.com/gpu": "2"}), None, 2),
            (json!({"nvidia.com/gpu": "1"}), json!({"nvidia.com/gpu": "1"}), None, 1),
            (
                json!({"nvidia.com/mig-1g.10gb": "1"}),
                json!({"nvidia.com/mig-1g.10gb": "1", "nvidia.com/gpu": "0"}),
                Some(1),
                0,
            ),
            (
                json!({"amd.com/gpu": "4"}),
                json!({"amd.com/gpu": "4", "nvidia.com/gpu": "0"}),
                Some(4),
                4,
            ),
        ] {
            assert_eq!(
                told(asked.clone(), two(), false),
                (want, processes, gpus, String::new()),
                "{asked}"
            );
        }
    }

    #[test]
    fn item_10_qlora_asks_for_one_gpu() {
        let two = || json!({"nvidia.com/gpu": 2});
        assert_eq!(told(json!({}), two(), true).0, json!({"nvidia.com/gpu": "1"}));
        assert_eq!(
            told(json!({"cpu": "8"}), two(), true).0,
            json!({"cpu": "8", "nvidia.com/gpu": "1"})
        );
        assert_eq!(told(json!({"nvidia.com/gpu": "2"}), two(), true).2, 2);
    }

    #[test]
    fn a_fine_tuning_without_a_gpu_is_refused() {
        let wrong = |asked, own| told(asked, own, false).3;
        assert!(wrong(json!({"nvidia.com/gpu": "0"}), json!({"nvidia.com/gpu": 2})).contains("asks for no GPU"));
        assert!(wrong(json!({}), json!({})).contains("must ask for a GPU"));
        assert!(wrong(json!({"nvidia.com/mig-1g.10gb": "2"}), json!({})).contains("several MIG"));
    }
}
