//! Tests of the checks: what is refused, and that all of it is told at once.

use super::super::{JobOptions, ProgramOptions};
use super::*;
use kf_mcp_trainjob::RuntimeScope;

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn list(value: Value) -> Vec<Map<String, Value>> {
    serde_json::from_value(value).unwrap()
}

fn wishes<'a>(job: &'a JobOptions, own: &'a ProgramOptions) -> Wishes<'a> {
    Wishes {
        tool: "run_it",
        name: None,
        runtime: Some("r"),
        job,
        own: Some(own),
    }
}

fn job() -> JobOptions {
    JobOptions {
        num_nodes: 1,
        ..JobOptions::default()
    }
}

fn runtime(policy: &str, framework: &str, container: &str) -> Runtime {
    let value = json!({"metadata": {"name": "r", "labels": {"trainer.kubeflow.org/framework": framework}},
        "spec": {"mlPolicy": {policy: {}}, "template": {"spec": {"replicatedJobs": [{"name": "node", "template": {
            "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
            "spec": {"template": {"spec": {"volumes": [{"name": "shm"}],
                "containers": [{"name": container, "image": "x", "volumeMounts": [{"name": "initializer", "mountPath": "/workspace"}]}]}}}}}]}}}});
    Runtime::from_value(&value, RuntimeScope::Cluster)
}

#[test]
fn devices_come_from_one_of_two_arguments() {
    for (resources, gpus, want) in [
        (None, None, Ok(json!({"nvidia.com/gpu": "1"}))),
        (None, Some(0), Ok(json!({}))),
        (None, Some(4), Ok(json!({"nvidia.com/gpu": "4"}))),
        (Some(json!({})), None, Ok(json!({"nvidia.com/gpu": "1"}))),
        (Some(json!({"cpu": 4})), None, Ok(json!({"cpu": "4"}))),
        (Some(json!({"cpu": 4})), Some(1), Ok(json!({"cpu": "4"}))),
        (Some(json!({"cpu": 4})), Some(0), Ok(json!({"cpu": "4"}))),
        (Some(json!({"gpu": 2})), Some(2), Ok(json!({"nvidia.com/gpu": "2"}))),
        (Some(json!({"gpu": 2})), Some(1), Ok(json!({"nvidia.com/gpu": "2"}))),
        (Some(json!({"gpu": 2})), Some(4), Err("`gpu_per_node` is 4")),
        (Some(json!({"gpu": 2})), Some(0), Err("`gpu_per_node` is 0")),
        (Some(json!({"cpu": 4})), Some(2), Err("has 0 devices")),
        (
            Some(json!({"gpu": 1, "mig-1g.5gb": 1})),
            None,
            Err("whole GPUs and MIG"),
        ),
    ] {
        let job = JobOptions {
            resources_per_node: resources.map(object),
            ..job()
        };
        let own = ProgramOptions {
            gpu_per_node: gpus,
            ..ProgramOptions::default()
        };
        let checked = of_arguments(&wishes(&job, &own), Problems::default());
        match want {
            Ok(want) => assert_eq!(json!(checked.unwrap().resources), want),
            Err(word) => assert!(checked.unwrap_err().answered.contains(word), "{word}"),
        }
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let env = object(json!({"HF_TOKEN": "x", "1": "y"}));
    let labels = [
        ("a b".to_owned(), "v".to_owned()),
        ("kubeflow-mcp/caller".to_owned(), "me".to_owned()),
        ("ok".into(), "a b".into()),
    ];
    let job = JobOptions {
        num_nodes: 0,
        labels: Some(BTreeMap::from(labels)),
        active_deadline_seconds: Some(0),
        volumes: Some(list(
            json!([{"name": "A"}, {"name": "d", "emptyDir": {}}, {"name": "d", "emptyDir": {}}]),
        )),
        volume_mounts: Some(list(
            json!([{"name": "d", "mountPath": "x"}, {"name": "d", "mountPath": "/y"}, {"mountPath": "/y"}]),
        )),
        image_pull_secrets: Some(list(json!([{}]))),
        node_selector: Some([("zone".to_owned(), "a b".to_owned())].into()),
        ..JobOptions::default()
    };
    let own = ProgramOptions {
        env: Some(env),
        num_proc_per_node: Some(0),
        ..ProgramOptions::default()
    };
    let mut wrong = wishes(&job, &own);
    wrong.runtime = Some("A/b");
    let mut problems = Problems::default();
    problems.add("image", "must not contain spaces");
    let error = of_arguments(&wrong, problems).unwrap_err();
    assert_eq!(error.asked, "call of run_it");
    for part in [
        "`image`",
        "`runtime`",
        "`num_nodes`",
        "`num_proc_per_node`",
        "`active_deadline_seconds`",
        "`env.HF_TOKEN`",
        "`env.1`",
        "`labels.a b`",
        "`labels.kubeflow-mcp/caller` is set by this server",
        "`labels.ok`",
        "`node_selector.zone`",
        "`image_pull_secrets[0]`",
        "`volumes[0]`",
        "`volumes[2]` has the name `d`",
        "`volume_mounts[0]`",
        "`volume_mounts[1]` mounts `d` a second time",
    ] {
        assert!(error.answered.contains(part), "{part}: {}", error.answered);
    }
    assert_eq!(
        (error.code, error.field.as_deref()),
        (ErrorCode::InvalidArgument, Some("image"))
    );
    assert!(error.fix.contains("secretKeyRef"));
}

#[test]
fn the_runtime_decides_about_names_variables_and_volumes() {
    let env = object(json!({"PET_NNODES": "2", "PET_RDZV_CONF": "x"}));
    let long = "a".repeat(50);
    let job = JobOptions {
        volume_mounts: Some(list(
            json!([{"name": "shm", "mountPath": "/dev/shm"}, {"name": "nope", "mountPath": "/n"}]),
        )),
        ..job()
    };
    let own = ProgramOptions {
        env: Some(env),
        ..ProgramOptions::default()
    };
    let mut asked = wishes(&job, &own);
    asked.name = Some(&long);
    let error = of_runtime(&asked, &runtime("torch", "torch", "node"), Problems::default()).unwrap_err();
    for part in [
        "`name` has 50 characters",
        "at most 48",
        "`env.PET_NNODES`",
        "mounts `nope`",
    ] {
        assert!(error.answered.contains(part), "{part}: {}", error.answered);
    }
    assert!(!error.answered.contains("PET_RDZV_CONF") && !error.answered.contains("shm"));
    assert!(runs_programs(&runtime("torch", "torch", "node")).is_ok());
    let error = runs_programs(&runtime("torch", "torchtune", "node")).unwrap_err();
    assert_eq!(error.code, ErrorCode::Unsupported);
    let error = runs_programs(&runtime("torch", "torch", "main")).unwrap_err();
    assert_eq!(error.code, ErrorCode::Unsupported);
}

#[test]
fn without_a_program_of_the_callers_no_gpu_is_asked_for() {
    let job = job();
    let wishes = Wishes {
        tool: "t",
        name: None,
        runtime: None,
        job: &job,
        own: None,
    };
    let checked = of_arguments(&wishes, Problems::default()).unwrap();
    assert_eq!(checked, Checked::default());
}

#[test]
fn what_would_be_refused_when_pods_are_made_is_refused_before() {
    let said = |toleration: Value| {
        let job = JobOptions {
            tolerations: Some(list(json!([toleration]))),
            ..job()
        };
        let told = of_arguments(&wishes(&job, &ProgramOptions::default()), Problems::default());
        told.map_err(|error| error.answered).err().unwrap_or_default()
    };
    for (toleration, word) in [
        (json!({"operator": "Exists"}), ""),
        (json!({"key": "gpu", "value": "a", "effect": "NoSchedule"}), ""),
        (
            json!({"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}),
            "",
        ),
        (json!({"key": "gpu", "operator": "Exist"}), "the operator `Exist`"),
        (json!({"key": "gpu", "effect": "NoSchedul"}), "the effect `NoSchedul`"),
        (
            json!({"key": "gpu", "operator": "Exists", "value": "a"}),
            "has a value beside operator Exists",
        ),
        (json!({"value": "a"}), "has no key"),
        (json!({"key": "bad key!"}), "has a key that"),
        (json!({"key": "gpu", "tolerationSeconds": 60}), "need effect NoExecute"),
    ] {
        let told = said(toleration.clone());
        assert!(
            told.is_empty() == word.is_empty() && told.contains(word),
            "{toleration}: {told}"
        );
    }
    let job = JobOptions {
        volumes: Some(list(json!([{"name": "v", "emptyDir": {}}]))),
        volume_mounts: Some(list(json!([{"name": "v", "mountPath": "/v", "subPath": "a/../b"}]))),
        ..job()
    };
    let told = of_arguments(&wishes(&job, &ProgramOptions::default()), Problems::default());
    assert!(told.unwrap_err().answered.contains("relative `subPath` without `..`"));
}

#[test]
fn nothing_takes_the_place_of_what_the_runtime_mounts() {
    let mut runtime = runtime("torch", "torch", "node");
    runtime.claims = vec!["initializer".to_owned()];
    let said = |volumes: Value, mounts: Value| {
        let job = JobOptions {
            volumes: Some(list(volumes)),
            volume_mounts: Some(list(mounts)),
            ..job()
        };
        let told = of_runtime(&wishes(&job, &ProgramOptions::default()), &runtime, Problems::default());
        told.map_err(|error| error.answered).err().unwrap_or_default()
    };
    let own = json!([{"name": "v", "emptyDir": {}}]);
    for (volumes, path, word) in [
        (
            own.clone(),
            "/workspace/",
            "where the runtime mounts what is fetched (`initializer`)",
        ),
        (own, "/workspace/output", ""),
        (
            json!([{"name": "initializer", "emptyDir": {}}, {"name": "v", "emptyDir": {}}]),
            "/x",
            "has the name `initializer` of a volume",
        ),
        (
            json!([{"name": "shm", "emptyDir": {}}, {"name": "v", "emptyDir": {}}]),
            "/x",
            "has the name `shm` of a volume",
        ),
    ] {
        let told = said(volumes, json!([{"name": "v", "mountPath": path}]));
        assert!(
            told.is_empty() == word.is_empty() && told.contains(word),
            "{path}: {told}"
        );
    }
    // What is not fetched may be replaced, such as a larger /dev/shm.
    let mut other = runtime.clone();
    other.claims.clear();
    let volume_mounts = Some(list(json!([{"name": "v", "mountPath": "/workspace"}])));
    let replaced = JobOptions {
        volumes: Some(list(json!([{"name": "v", "emptyDir": {}}]))),
        volume_mounts,
        ..job()
    };
    let own = ProgramOptions::default();
    of_runtime(&wishes(&replaced, &own), &other, Problems::default()).unwrap();
    let checked = Checked {
        resources: BTreeMap::new(),
        env: Vec::new(),
    };
    let program = crate::submit::Program::default();
    let told = crate::submit::warnings(&wishes(&replaced, &own), &program, &checked, &other);
    assert!(
        told.iter()
            .any(|told| told.contains("takes the place of the runtime's volume `initializer`")),
        "{told:?}"
    );
    // The runtime's own volume may be mounted elsewhere.
    assert_eq!(
        said(json!([]), json!([{"name": "initializer", "mountPath": "/other"}])),
        ""
    );
}
