//! The life of a TrainJob through all controllers.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::World;
use crate::controllers::objects::{condition, items, kind};
use crate::controllers::settle;
use crate::store::text;

fn one_gpu() -> Value {
    json!({"limits": {"nvidia.com/gpu": 1}})
}

#[test]
fn two_nodes_run_and_complete() {
    let mut world = World::new();
    world.train(
        "demo",
        json!({"trainer": {"numNodes": 2, "resourcesPerNode": one_gpu()}}),
    );
    assert_eq!(world.phases(), ["Pending", "Pending"]);
    world.pass(3);
    assert_eq!(world.phases(), ["Running", "Running"]);
    let job = world.get("TrainJob", "demo");
    let running = json!([{"name": "node", "ready": 1, "succeeded": 0, "failed": 0, "active": 1, "suspended": 0}]);
    assert_eq!(job["status"], json!({"jobsStatus": running}));
    let pod = &world.pods()[0];
    assert!(text(pod, "/metadata/name").starts_with("demo-node-0-0-"));
    assert_eq!(
        pod["metadata"]["labels"]["jobset.sigs.k8s.io/replicatedjob-name"],
        "node"
    );
    assert_eq!(
        pod["spec"]["containers"][0]["resources"]["requests"]["nvidia.com/gpu"],
        "1"
    );
    let env: Vec<&str> = items(&pod["spec"]["containers"][0]["env"])
        .map(|var| var["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        env,
        [
            "PET_NNODES",
            "PET_NPROC_PER_NODE",
            "PET_NODE_RANK",
            "PET_MASTER_ADDR",
            "PET_MASTER_PORT",
            "JOB_COMPLETION_INDEX"
        ]
    );
    world.pass(130);
    assert_eq!(world.phases(), ["Succeeded", "Succeeded"]);
    assert_eq!(
        world.conditions("demo"),
        ["Complete/True/AllJobsCompleted/jobset completed successfully"]
    );
    let job = world.get("Job", "demo-node-0");
    assert_eq!(job["status"]["completedIndexes"], "0,1");
    assert_eq!(job["status"]["succeeded"], 2);
    assert_eq!(
        world.reasons("Job"),
        ["SuccessfulCreate", "SuccessfulCreate", "Completed"]
    );
    assert_eq!(world.reasons("JobSet"), ["AllJobsCompleted"]);
}

#[test]
fn a_jump_in_time_gives_every_event_its_own_time() {
    let mut world = World::new();
    world.train("demo", json!({"trainer": {"numNodes": 1}}));
    world.now += SignedDuration::from_hours(5);
    settle(&mut world.store, world.now);
    let job = world.get("TrainJob", "demo");
    assert_eq!(
        condition(&job, "Complete").unwrap()["lastTransitionTime"],
        "2026-05-04T10:02:02Z"
    );
}

#[test]
fn a_crash_loop_fails_the_job_and_takes_the_pods() {
    let mut world = World::new();
    let env = json!([
        {"name": "SIM_RUN", "value": "500ms"}, {"name": "SIM_EXIT", "value": "137"},
        {"name": "SIM_BACKOFF", "value": "300ms"},
    ]);
    world.train("crash", json!({"trainer": {"numNodes": 1, "env": env}}));
    world.pass(5);
    let pod = &world.pods()[0];
    assert_eq!(pod["status"]["phase"], "Running");
    assert_eq!(
        pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["reason"],
        "OOMKilled"
    );
    assert!(pod["status"]["containerStatuses"][0]["restartCount"].as_i64().unwrap() > 0);
    world.pass(20);
    assert_eq!(
        world.conditions("crash"),
        ["Failed/True/FailedJobs/jobset failed due to one or more job failures (first failed job: crash-node-0)"]
    );
    assert_eq!(world.phases(), [""; 0]);
    let job = world.get("Job", "crash-node-0");
    assert_eq!(
        condition(&job, "Failed").unwrap()["message"],
        "Job has reached the specified backoff limit"
    );
}

#[test]
fn with_restart_policy_never_the_failed_pods_stay() {
    let mut world = World::new();
    let pods = json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "node", "image": "i"}]}});
    world.runtime("never", json!({"backoffLimit": 0, "template": pods}), json!({}));
    let env = json!([{"name": "SIM_RUN", "value": "5s"}, {"name": "SIM_EXIT", "value": "3"}]);
    world.train(
        "f",
        json!({"runtimeRef": {"name": "never"}, "trainer": {"numNodes": 2, "env": env}}),
    );
    world.pass(12);
    assert_eq!(world.phases(), ["Failed", "Failed"]);
    assert_eq!(world.get("Job", "f-node-0")["status"]["failed"], 2);
    let state = &world.pods()[0]["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!((&state["exitCode"], &state["reason"]), (&json!(3), &json!("Error")));
}

#[test]
fn suspend_and_resume() {
    let mut world = World::new();
    let forever = json!([{"name": "SIM_RUN", "value": "forever"}]);
    world.train("s", json!({"trainer": {"numNodes": 2, "env": forever}}));
    world.pass(5);
    world.patch("TrainJob", "s", &json!({"spec": {"suspend": true}}));
    assert_eq!(
        world.conditions("s"),
        ["Suspended/True/Suspended/TrainJob is suspended"]
    );
    assert_eq!(world.get("TrainJob", "s")["status"]["jobsStatus"][0]["suspended"], 1);
    assert_eq!(world.phases(), [""; 0]);
    world.pass(60);
    world.patch("TrainJob", "s", &json!({"spec": {"suspend": false}}));
    world.pass(5);
    assert_eq!(world.conditions("s"), ["Suspended/False/Resumed/TrainJob is resumed"]);
    assert_eq!(world.phases(), ["Running", "Running"]);
    assert_eq!(world.get("TrainJob", "s")["metadata"]["generation"], 3);
    assert_eq!(world.reasons("JobSet"), ["SuspendedJobs", "ResumeJobs"]);
}

#[test]
fn a_job_with_volume_claims_is_not_really_suspended() {
    let mut world = World::new();
    let claims = json!({"volumeClaimPolicies": [{"templates": [{"metadata": {"name": "initializer"}, "spec": {}}]}]});
    world.runtime("tune", json!({}), claims);
    world.train("t", json!({"runtimeRef": {"name": "tune"}, "trainer": {"numNodes": 1}}));
    world.pass(5);
    assert_eq!(
        world.get("PersistentVolumeClaim", "initializer-t")["status"]["phase"],
        "Bound"
    );
    world.patch("TrainJob", "t", &json!({"spec": {"suspend": true}}));
    world.pass(5);
    assert_eq!(
        world.conditions("t"),
        ["Suspended/True/Suspended/TrainJob is suspended"]
    );
    assert_eq!(world.phases(), ["Running"]);
    assert_eq!(world.reasons("TrainJob"), ["TrainJobResourcesCreationFailed"]);
}

#[test]
fn what_does_not_fit_waits_until_it_does() {
    let mut world = World::new();
    let forever = json!([{"name": "SIM_RUN", "value": "forever"}]);
    let gpus = |n: u8| json!({"limits": {"nvidia.com/gpu": n}});
    world.train(
        "first",
        json!({"trainer": {"numNodes": 1, "env": forever, "resourcesPerNode": gpus(8)}}),
    );
    world.pass(5);
    world.train(
        "second",
        json!({"trainer": {"numNodes": 1, "resourcesPerNode": gpus(6)}}),
    );
    let waiting = world
        .pods()
        .into_iter()
        .find(|p| text(p, "/metadata/name").starts_with("second"))
        .unwrap();
    let scheduled = condition(&waiting, "PodScheduled").unwrap();
    assert_eq!(scheduled["reason"], "Unschedulable");
    assert_eq!(
        scheduled["message"],
        "0/2 nodes are available: 2 Insufficient nvidia.com/gpu. no new claims to deallocate, preemption: 0/2 nodes \
         are available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling."
    );
    world.pass(30);
    assert_eq!(
        world.reasons("Pod").iter().filter(|r| *r == "FailedScheduling").count(),
        1
    );
    let status = world.get("TrainJob", "second")["status"]["jobsStatus"][0].clone();
    assert_eq!((&status["active"], &status["ready"]), (&json!(1), &json!(0)));
    world.store.delete(kind("TrainJob"), "team-a", "first", false).unwrap();
    settle(&mut world.store, world.now);
    world.pass(3);
    assert_eq!(world.phases(), ["Running"]);
}

#[test]
fn deleting_a_job_takes_everything_but_its_events() {
    let mut world = World::new();
    world.train("d", json!({"trainer": {"numNodes": 2}}));
    world.pass(5);
    world.store.delete(kind("TrainJob"), "team-a", "d", false).unwrap();
    settle(&mut world.store, world.now);
    for of in ["TrainJob", "JobSet", "Job", "Pod", "Service", "ConfigMap"] {
        assert_eq!(world.store.count(kind(of), Some("team-a")), 0, "{of}");
    }
    assert!(world.store.count(kind("Event"), Some("team-a")) > 0);
}

#[test]
fn a_deadline_deletes_the_jobset_and_leaves_stale_counters() {
    let mut world = World::new();
    world.train("late", json!({"trainer": {"numNodes": 1}, "activeDeadlineSeconds": 10}));
    world.pass(12);
    assert_eq!(
        world.conditions("late"),
        ["Failed/True/DeadlineExceeded/TrainJob exceeded its active deadline"]
    );
    assert_eq!(world.get("TrainJob", "late")["status"]["jobsStatus"][0]["active"], 1);
    assert_eq!(world.get("JobSet", "late"), Value::Null);
    assert_eq!(world.phases(), [""; 0]);
}

#[test]
fn a_name_that_is_too_long_is_only_an_event() {
    let mut world = World::new();
    let name = "n".repeat(58);
    world.train(&name, json!({"trainer": {"numNodes": 1}}));
    assert_eq!(world.get("TrainJob", &name)["status"], Value::Null);
    world.pass(3);
    assert_eq!(world.reasons("TrainJob"), ["TrainJobResourcesCreationFailed"]);
    let event = (**world.store.list(kind("Event"), None).next().unwrap()).clone();
    assert!(event["eventTime"].is_string() && event["firstTimestamp"].is_null() && event["count"].is_null());
}

#[test]
fn foreign_jobs_are_left_alone() {
    let mut world = World::new();
    world.train("k", json!({"managedBy": "kueue.x-k8s.io/multikueue"}));
    assert_eq!(world.get("JobSet", "k"), Value::Null);
}

#[test]
fn an_annotation_ends_a_running_pod_at_once() {
    let mut world = World::new();
    let forever = json!([{"name": "SIM_RUN", "value": "forever"}]);
    world.train("a", json!({"trainer": {"numNodes": 1, "env": forever}}));
    world.pass(500);
    assert_eq!(world.phases(), ["Running"]);
    let name = text(&world.pods()[0], "/metadata/name");
    world.patch("Pod", &name, &json!({"metadata": {"annotations": {"sim/run": "0s"}}}));
    assert_eq!(world.phases(), ["Succeeded"]);
    let ended = &world.pods()[0]["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"];
    assert_eq!(ended, "2026-05-04T10:08:20Z");
}
