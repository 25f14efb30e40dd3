//! What real servers said to the same requests.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::controllers::objects::kind;

fn store() -> Store {
    let world = crate::scenario::load("healthy-empty", Timestamp::UNIX_EPOCH).unwrap();
    crate::load::store(world.objects, Timestamp::UNIX_EPOCH)
}

fn job(spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob",
        "metadata": {"name": "demo", "namespace": "team-a"},
        "spec": {"runtimeRef": {"name": "torch-distributed"}},
    });
    json_patch::merge(&mut object["spec"], spec);
    object
}

fn admission<'a>(store: &'a Store, of: &str) -> Admission<'a> {
    Admission {
        store,
        kind: kind(of),
        now: Timestamp::UNIX_EPOCH,
    }
}

fn create(object: &mut Value) -> Result<Vec<String>, Status> {
    admission(&store(), "TrainJob").create(object)
}

/// What is said of a new object in `team-a`, without what messages begin with.
fn refused(of: &str, object: Value) -> String {
    if let Some(why) = unreadable(kind(of), &object) {
        return why;
    }
    let mut object = object;
    object["metadata"]["namespace"] = json!("team-a");
    let status = admission(&store(), of).create(&mut object).unwrap_err();
    let (_, why) = status.message.split_once(": ").unwrap();
    why.to_owned()
}

const DENIED: &str = "admission webhook \"validator.trainjob.trainer.kubeflow.org\" denied the request: ";

#[test]
fn refusals_have_the_words_of_the_real_ones() {
    let torchtune = json!({"name": "torchtune-llama3.2-1b"});
    let tune = json!(["tune", "run"]);
    for (spec, code, message) in [
        (
            json!({"runtimeRef": {"name": "nope"}}),
            403,
            format!(
                "{DENIED}spec.RuntimeRef: Invalid value: {{\"name\":\"nope\",\"apiGroup\":\"trainer.kubeflow.org\",\
                 \"kind\":\"ClusterTrainingRuntime\"}}: ClusterTrainingRuntime.trainer.kubeflow.org \"nope\" not found: \
                 specified clusterTrainingRuntime must be created before the TrainJob is created"
            ),
        ),
        (
            json!({"trainer": {"env": [{"name": "PET_NNODES", "value": "3"}]}}),
            403,
            format!(
                "{DENIED}spec.trainer.env: Invalid value: [{{\"name\":\"PET_NNODES\",\"value\":\"3\"}}]: must not have \
                 reserved envs, invalid envs configured: [PET_NNODES]"
            ),
        ),
        (
            json!({"runtimeRef": {"kind": "Foo"}}),
            403,
            format!("{DENIED}unsupported runtime: Foo.trainer.kubeflow.org"),
        ),
        (
            json!({"runtimeRef": torchtune, "trainer": {"command": tune, "numNodes": 2}}),
            403,
            format!("{DENIED}spec.trainer.numNodes: Invalid value: 2: must be 1 for llama3_2/1B model"),
        ),
        (
            json!({"trainer": {"numNodes": "two"}}),
            400,
            "admission webhook \"defaulter.trainjob.trainer.kubeflow.org\" denied the request: json: cannot unmarshal \
             string into Go struct field Trainer.spec.trainer.numNodes of type int32"
                .to_owned(),
        ),
        (
            json!({"trainer": {"env": [{"name": "A"}, {"name": "A"}]}}),
            422,
            "TrainJob.trainer.kubeflow.org \"demo\" is invalid: spec.trainer.env[1]: Duplicate value: {\"name\":\"A\"}"
                .to_owned(),
        ),
        (
            json!({"runtimeRef": null}),
            422,
            "TrainJob.trainer.kubeflow.org \"demo\" is invalid: [spec.runtimeRef: Required value, <nil>: Invalid value: \
             null: some validation rules were not checked because the object was invalid; correct the existing errors \
             to complete validation]"
                .to_owned(),
        ),
        (
            json!({"initializer": {"model": {"storageUri": "org/name"}}}),
            422,
            "TrainJob.trainer.kubeflow.org \"demo\" is invalid: spec.initializer.model.storageUri: Invalid value: \
             \"org/name\": storageUri may be empty, or it must be a valid URI (scheme://...)"
                .to_owned(),
        ),
    ] {
        let refused = create(&mut job(&spec)).unwrap_err();
        assert_eq!((refused.code, refused.message), (code, message));
    }
    let refused = create(&mut job(
        &json!({"initializer": {"dataset": {"storageUri": "hf://a/b"}}}),
    ))
    .unwrap_err();
    let end = "must have dataset-initializer job when trainJob is configured with input datasetConfig";
    assert!(refused.message.ends_with(end), "{}", refused.message);
}

#[test]
fn qlora_needs_one_device() {
    let args = json!(["model.quantize_base=True"]);
    let spec = |gpus: u8| {
        json!({
            "runtimeRef": {"name": "torchtune-llama3.2-1b"},
            "trainer": {
                "command": ["tune", "run"], "args": args, "resourcesPerNode": {"limits": {"nvidia.com/gpu": gpus}},
            },
        })
    };
    assert!(create(&mut job(&spec(2))).is_err());
    assert!(create(&mut job(&spec(1))).is_ok());
}

#[test]
fn a_name_must_begin_with_a_letter() {
    let mut object = job(&json!({}));
    object["metadata"]["name"] = json!("1demo");
    let refused = create(&mut object).unwrap_err();
    assert_eq!(
        refused.message,
        "TrainJob.trainer.kubeflow.org \"1demo\" is invalid: <nil>: Invalid value: metadata.name must match RFC 1035 \
         DNS label format"
    );
    assert_eq!(refused.details.unwrap()["causes"][0]["field"], "<nil>");
}

#[test]
fn defaults_are_those_of_the_crd() {
    let mut object = job(&json!({}));
    create(&mut object).unwrap();
    assert_eq!(
        object["spec"],
        json!({
            "managedBy": "trainer.kubeflow.org/trainjob-controller", "suspend": false,
            "runtimeRef": {
                "name": "torch-distributed", "apiGroup": "trainer.kubeflow.org", "kind": "ClusterTrainingRuntime",
            },
        })
    );
}

#[test]
fn most_of_a_job_cannot_be_changed() {
    let mut before = job(&json!({"trainer": {"numNodes": 1}}));
    create(&mut before).unwrap();
    let update = |patch: &Value| {
        let mut object = before.clone();
        json_patch::merge(&mut object["spec"], patch);
        admission(&store(), "TrainJob").update(&mut object, &before)
    };
    assert_eq!(update(&json!({"suspend": true})), Ok(Vec::new()));
    assert_eq!(
        update(&json!({"trainer": {"numNodes": 2}})).unwrap_err().message,
        "TrainJob.trainer.kubeflow.org \"demo\" is invalid: spec.trainer: Invalid value: field is immutable"
    );
    let patch = json!([{"manager": "a.io/b"}]);
    assert!(
        update(&json!({"runtimePatches": patch}))
            .unwrap_err()
            .message
            .contains("can only be modified when")
    );
    assert_eq!(
        update(&json!({"runtimePatches": patch, "suspend": true})),
        Ok(Vec::new())
    );
}

#[test]
fn suspending_a_job_whose_runtime_is_gone_is_refused() {
    let mut store = store();
    let mut before = job(&json!({}));
    create(&mut before).unwrap();
    store
        .delete(kind("ClusterTrainingRuntime"), "", "torch-distributed", false)
        .unwrap();
    let mut object = before.clone();
    object["spec"]["suspend"] = json!(true);
    let refused = admission(&store, "TrainJob").update(&mut object, &before).unwrap_err();
    assert_eq!((refused.code, refused.reason), (403, "Forbidden"));
}

#[test]
fn every_job_of_the_showcase_would_be_admitted() {
    let world = crate::scenario::load("showcase", Timestamp::UNIX_EPOCH).unwrap();
    let store = crate::load::store(world.objects.clone(), Timestamp::UNIX_EPOCH);
    for mut object in world.objects.into_iter().filter(|object| object["kind"] == "TrainJob") {
        let name = text(&object, "/metadata/name");
        assert_eq!(
            admission(&store, "TrainJob").create(&mut object),
            Ok(Vec::new()),
            "{name}"
        );
    }
}

#[test]
fn patches_are_stamped_when_they_change() {
    let store = store();
    let at = |second| Admission {
        now: Timestamp::from_second(second).unwrap(),
        ..admission(&store, "TrainJob")
    };
    let mut before = job(&json!({"suspend": true, "runtimePatches": [{"manager": "a.io/b"}, {"manager": "a.io/c"}]}));
    at(1).create(&mut before).unwrap();
    let mut object = before.clone();
    object["spec"]["runtimePatches"][1]["trainingRuntimeSpec"] = json!({});
    at(2).update(&mut object, &before).unwrap();
    let times = [
        &object["spec"]["runtimePatches"][0]["time"],
        &object["spec"]["runtimePatches"][1]["time"],
    ];
    assert_eq!(times, ["1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z"]);
}

#[test]
fn built_in_kinds_are_checked_too() {
    let pod = |spec: Value| {
        let mut object = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "x"}]}});
        json_patch::merge(&mut object["spec"], &spec);
        object
    };
    for (of, object, why) in [
        ("Pod", pod(json!({"containers": []})), "spec.containers: Required value"),
        (
            "Pod",
            pod(
                json!({"containers": [{"name": "a", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]}),
            ),
            "spec.containers[0].volumeMounts[0].name: Not found: \"v\"",
        ),
        (
            "Pod",
            pod(json!({"containers": "a"})),
            "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            "Pod",
            pod(json!({"serviceAccountName": "nobody"})),
            "error looking up service account team-a/nobody: serviceaccount \"nobody\" not found",
        ),
        (
            "Job",
            json!({"metadata": {"name": "j"}, "spec": {"template": pod(json!({}))}}),
            "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"",
        ),
        (
            "ConfigMap",
            json!({"metadata": {"name": "m", "labels": {"a": "b c"}}}),
            "metadata.labels: Invalid value: \"b c\": a valid label must be an empty string or consist of alphanumeric \
             characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or \
             'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        ),
        (
            "ConfigMap",
            json!({"metadata": {"name": "m"}, "data": {"a": 1}}),
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        (
            "ResourceQuota",
            json!({"metadata": {"name": "q"}, "spec": {"hard": {"pods": -1}}}),
            "spec.hard[pods]: Invalid value: \"-1\": must be greater than or equal to 0",
        ),
    ] {
        assert_eq!(refused(of, object), why);
    }
}

#[test]
fn quotas_are_kept() {
    let mut store = store();
    let quota = json!({
        "metadata": {"name": "q", "namespace": "team-a"},
        "spec": {"hard": {"pods": "2", "requests.cpu": "2"}},
        "status": {"used": {"pods": "1", "requests.cpu": "500m"}},
    });
    store
        .create(kind("ResourceQuota"), quota, Timestamp::UNIX_EPOCH)
        .unwrap();
    let create = |cpu: &Value| {
        let mut pod = json!({
            "metadata": {"name": "p", "namespace": "team-a"},
            "spec": {"containers": [{"name": "a", "image": "x", "resources": {"requests": {"cpu": cpu}}}]},
        });
        admission(&store, "Pod")
            .create(&mut pod)
            .map_err(|status| status.message)
    };
    assert_eq!(create(&json!("1500m")), Ok(Vec::new()));
    assert_eq!(
        create(&json!(2)).unwrap_err(),
        "pods \"p\" is forbidden: exceeded quota: q, requested: requests.cpu=2, used: requests.cpu=500m, limited: \
         requests.cpu=2"
    );
    assert_eq!(
        create(&Value::Null).unwrap_err(),
        "pods \"p\" is forbidden: failed quota: q: must specify requests.cpu for: a"
    );
}
