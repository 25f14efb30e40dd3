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

fn create(object: &mut Value, strict: bool) -> Result<Vec<String>, Status> {
    admit(&store(), kind("TrainJob"), Verb::Create, object, None, strict)
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
            422,
            "TrainJob.trainer.kubeflow.org \"demo\" is invalid: spec.trainer.numNodes: Invalid value: \"string\": \
             spec.trainer.numNodes in body must be of type integer: \"string\""
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
        let refused = create(&mut job(&spec), false).unwrap_err();
        assert_eq!((refused.code, refused.message), (code, message));
    }
    let refused = create(
        &mut job(&json!({"initializer": {"dataset": {"storageUri": "hf://a/b"}}})),
        false,
    )
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
    assert!(create(&mut job(&spec(2)), false).is_err());
    assert!(create(&mut job(&spec(1)), false).is_ok());
}

#[test]
fn a_name_must_begin_with_a_letter() {
    let mut object = job(&json!({}));
    object["metadata"]["name"] = json!("1demo");
    let refused = create(&mut object, false).unwrap_err();
    assert_eq!(
        refused.message,
        "TrainJob.trainer.kubeflow.org \"1demo\" is invalid: <nil>: Invalid value: metadata.name must match RFC 1035 \
         DNS label format"
    );
    assert_eq!(refused.details.unwrap()["causes"][0]["field"], "<nil>");
}

#[test]
fn unknown_fields_are_dropped_with_a_warning_or_refused() {
    let mut object = job(&json!({"nope": 1}));
    assert_eq!(create(&mut object, false).unwrap(), ["unknown field \"spec.nope\""]);
    assert!(object["spec"].get("nope").is_none());
    let refused = create(&mut job(&json!({"nope": 1})), true).unwrap_err();
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (
            400,
            "TrainJob in version \"v1alpha1\" cannot be handled as a TrainJob: strict decoding error: unknown field \
             \"spec.nope\""
        )
    );
}

#[test]
fn defaults_are_those_of_the_crd() {
    let mut object = job(&json!({}));
    create(&mut object, true).unwrap();
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
    create(&mut before, true).unwrap();
    let update = |patch: &Value| {
        let mut object = before.clone();
        json_patch::merge(&mut object["spec"], patch);
        admit(
            &store(),
            kind("TrainJob"),
            Verb::Update,
            &mut object,
            Some(&before),
            true,
        )
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
    create(&mut before, true).unwrap();
    store
        .delete(kind("ClusterTrainingRuntime"), "", "torch-distributed", false)
        .unwrap();
    let mut object = before.clone();
    object["spec"]["suspend"] = json!(true);
    let refused = admit(&store, kind("TrainJob"), Verb::Update, &mut object, Some(&before), true).unwrap_err();
    assert_eq!((refused.code, refused.reason), (403, "Forbidden"));
}

#[test]
fn every_job_of_the_showcase_would_be_admitted() {
    let world = crate::scenario::load("showcase", Timestamp::UNIX_EPOCH).unwrap();
    let store = crate::load::store(world.objects.clone(), Timestamp::UNIX_EPOCH);
    for mut object in world.objects.into_iter().filter(|object| object["kind"] == "TrainJob") {
        let name = text(&object, "/metadata/name");
        assert_eq!(
            admit(&store, kind("TrainJob"), Verb::Create, &mut object, None, true),
            Ok(Vec::new()),
            "{name}"
        );
    }
}
