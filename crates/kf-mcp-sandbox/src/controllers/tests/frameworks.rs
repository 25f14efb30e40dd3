//! What Trainer puts into the containers of the shipped runtimes.

use serde_json::{Value, json};

use super::World;
use crate::controllers::objects::{items, kind, number};
use crate::store::text;

/// A world with the shipped runtimes.
fn shipped() -> World {
    let mut world = World::new();
    let file: Value = serde_saphyr::from_str(include_str!("../../scenarios/runtimes.yaml")).unwrap();
    for runtime in items(&file["objects"]).filter(|runtime| runtime["metadata"]["name"] != "torch-distributed") {
        world.create("ClusterTrainingRuntime", runtime.clone());
    }
    world
}

fn pod(world: &World, part: &str) -> Value {
    world
        .pods()
        .into_iter()
        .find(|pod| text(pod, "/metadata/name").contains(part))
        .unwrap_or_default()
}

/// `NAME=value` of a container's env, fields by their path.
fn env(pod: &Value) -> Vec<String> {
    items(&pod["spec"]["containers"][0]["env"])
        .map(|var| {
            let value = var["value"]
                .as_str()
                .or(var["valueFrom"]["fieldRef"]["fieldPath"].as_str());
            format!("{}={}", text(var, "/name"), value.unwrap_or_default())
        })
        .collect()
}

const INDEX: &str = "metadata.annotations['batch.kubernetes.io/job-completion-index']";
const LAST: &str = "JOB_COMPLETION_INDEX=metadata.labels['batch.kubernetes.io/job-completion-index']";

#[test]
fn every_framework_finds_its_peers_in_its_own_way() {
    let mut world = shipped();
    let two_gpus = json!({"limits": {"nvidia.com/gpu": 2}});
    for (runtime, name, resources, expected) in [
        (
            "torch-distributed",
            "t",
            json!({"requests": {"cpu": "1500m"}}),
            vec![
                "A=1".to_owned(),
                "PET_NNODES=2".to_owned(),
                "PET_NPROC_PER_NODE=2".to_owned(),
                format!("PET_NODE_RANK={INDEX}"),
                "PET_MASTER_ADDR=t-node-0-0.t".to_owned(),
                "PET_MASTER_PORT=29500".to_owned(),
                LAST.to_owned(),
            ],
        ),
        (
            "jax-distributed",
            "j",
            json!({}),
            vec![
                "JAX_NUM_PROCESSES=2".to_owned(),
                format!("JAX_PROCESS_ID={INDEX}"),
                "JAX_COORDINATOR_ADDRESS=j-node-0-0.j:29500".to_owned(),
                "A=1".to_owned(),
                LAST.to_owned(),
            ],
        ),
        (
            "xgboost-distributed",
            "x",
            two_gpus.clone(),
            vec![
                "A=1".to_owned(),
                "DMLC_TRACKER_URI=x-node-0-0.x".to_owned(),
                "DMLC_TRACKER_PORT=29500".to_owned(),
                format!("DMLC_TASK_ID={INDEX}"),
                "DMLC_NUM_WORKER=4".to_owned(),
                LAST.to_owned(),
            ],
        ),
    ] {
        let trainer = json!({"numNodes": 2, "env": [{"name": "A", "value": "1"}], "resourcesPerNode": resources});
        world.train(name, json!({"runtimeRef": {"name": runtime}, "trainer": trainer}));
        assert_eq!(env(&pod(&world, &format!("{name}-node-0-0-"))), expected, "{runtime}");
    }
}

#[test]
fn without_a_trainer_nothing_is_injected() {
    let mut world = shipped();
    world.train("bare", json!({}));
    assert_eq!(env(&pod(&world, "bare-node")), [LAST]);
}

#[test]
fn mpi_starts_its_launcher_when_the_nodes_are_ready() {
    let mut world = shipped();
    world.train(
        "ds",
        json!({"runtimeRef": {"name": "deepspeed-distributed"}, "trainer": {"numNodes": 2}}),
    );
    assert_eq!((world.pods().len(), pod(&world, "launcher")), (1, Value::Null));
    world.pass(3);
    let launcher = pod(&world, "launcher");
    assert_eq!(env(&launcher)[0], "OMPI_MCA_orte_default_hostfile=/etc/mpi/hostfile");
    let hosts = world.get("ConfigMap", "ds-mpi-hostfile");
    assert_eq!(
        hosts["data"]["hostfile"],
        "ds-node-0-0.ds slots=1\nds-launcher-0-0.ds slots=1\n"
    );
    let name = text(&launcher, "/metadata/name");
    world.pass(3);
    world.patch("Pod", &name, &json!({"metadata": {"annotations": {"sim/run": "0s"}}}));
    assert_eq!(
        world.conditions("ds"),
        ["Complete/True/AllJobsCompleted/jobset completed successfully"]
    );
    assert_eq!(world.get("Job", "ds-node-0"), Value::Null);
    assert_eq!(world.phases(), ["Succeeded"]);
}

#[test]
fn torchtune_initialises_first_and_chooses_its_recipe() {
    let mut world = shipped();
    world.train(
        "ft",
        json!({
            "runtimeRef": {"name": "torchtune-llama3.2-1b"},
            "initializer": {"model": {"storageUri": "hf://a/b", "secretRef": {"name": "token"}}},
            "trainer": {
                "command": ["tune", "run"], "args": ["model.lora_attn_modules=[q_proj]"],
                "resourcesPerNode": {"limits": {"nvidia.com/gpu": 1}},
            },
        }),
    );
    assert_eq!(world.pods().len(), 2);
    let model = pod(&world, "model-initializer");
    assert_eq!(env(&model)[0], "STORAGE_URI=hf://a/b");
    assert_eq!(
        model["spec"]["containers"][0]["envFrom"][0]["secretRef"]["name"],
        "token"
    );
    assert_eq!(
        model["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"],
        "initializer-ft"
    );
    let names = |world: &World| -> Vec<String> {
        items(&world.get("TrainJob", "ft")["status"]["jobsStatus"])
            .map(|status| text(status, "/name"))
            .collect()
    };
    assert_eq!(names(&world), ["node", "model-initializer", "dataset-initializer"]);
    world.pass(125);
    let node = pod(&world, "ft-node");
    assert_eq!(
        node["spec"]["containers"][0]["command"],
        json!([
            "tune",
            "run",
            "lora_finetune_single_device",
            "--config",
            "llama3_2/1B_lora_single_device",
            "output_dir=/workspace/output",
            "tokenizer.path=/workspace/model/original/tokenizer.model",
            "checkpointer.checkpoint_dir=/workspace/model",
        ])
    );
}

#[test]
fn runtime_patches_reach_pods_and_jobset() {
    let mut world = shipped();
    let spec = json!({
        "nodeSelector": {"pool": "x"}, "tolerations": [{"key": "k", "operator": "Exists"}],
        "serviceAccountName": "robot", "imagePullSecrets": [{"name": "pull"}],
        "volumes": [{"name": "data", "emptyDir": {}}],
        "containers": [{"name": "node", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
    });
    let pod_template =
        json!({"metadata": {"labels": {"team": "a"}, "annotations": {"sim/run": "forever"}}, "spec": spec});
    let patch = json!({
        "metadata": {"labels": {"cost": "1"}},
        "spec": {"replicatedJobs": [{"name": "node", "template": {"spec": {"template": pod_template}}}]},
    });
    world.train(
        "p",
        json!({"trainer": {"numNodes": 1}, "runtimePatches": [{"manager": "a.io/b", "trainingRuntimeSpec": {"template": patch}}]}),
    );
    let made = pod(&world, "p-node");
    assert_eq!(made["spec"]["nodeSelector"]["pool"], "x");
    assert_eq!(made["spec"]["serviceAccountName"], "robot");
    assert_eq!(made["spec"]["tolerations"][0]["key"], "k");
    assert_eq!(made["spec"]["containers"][0]["volumeMounts"][0]["mountPath"], "/data");
    assert_eq!(made["spec"]["containers"][0]["image"], "pytorch:1");
    assert_eq!(made["metadata"]["labels"]["team"], "a");
    assert_eq!(made["metadata"]["annotations"]["sim/run"], "forever");
    assert_eq!(world.get("JobSet", "p")["metadata"]["labels"]["cost"], "1");
    let message = items(&made["status"]["conditions"])
        .map(|c| text(c, "/message"))
        .collect::<String>();
    assert!(
        message.starts_with("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."),
        "{message}"
    );
}

#[test]
fn a_plain_job_without_indexes_runs_too() {
    let mut world = World::new();
    let template = json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}});
    let job = json!({"metadata": {"name": "probe", "namespace": "team-a"}, "spec": {"template": template}});
    world.create("Job", job);
    world.pass(130);
    let job = world.get("Job", "probe");
    assert_eq!(number(&job, "/status/succeeded"), Some(1));
    assert_eq!(world.store.count(kind("Pod"), Some("team-a")), 1);
}
