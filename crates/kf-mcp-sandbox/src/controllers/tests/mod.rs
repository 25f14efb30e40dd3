//! A small cluster for tests of the controllers, with time moved by hand.

mod frameworks;
mod life;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::objects::{items, kind};
use super::settle;
use crate::store::{Store, text};

/// A store with two GPU nodes and a runtime, and a clock.
struct World {
    store: Store,
    now: Timestamp,
}

impl World {
    fn new() -> Self {
        let now: Timestamp = "2026-05-04T10:00:00Z".parse().unwrap();
        let mut world = Self {
            store: Store::new(),
            now,
        };
        for (name, gpus) in [("gpu-0", 8), ("gpu-1", 4)] {
            let amounts = json!({"cpu": "64", "memory": "512Gi", "nvidia.com/gpu": gpus.to_string(), "pods": "110"});
            world.create(
                "Node",
                json!({"metadata": {"name": name}, "status": {"allocatable": amounts}}),
            );
        }
        let default = json!({"storageclass.kubernetes.io/is-default-class": "true"});
        world.create(
            "StorageClass",
            json!({"metadata": {"name": "standard", "annotations": default}}),
        );
        world.runtime("torch-distributed", json!({}), json!({}));
        world
    }

    fn runtime(&mut self, name: &str, job: Value, extra: Value) {
        let mut template = json!({"template": {"spec": {"containers": [{"name": "node", "image": "pytorch:1"}]}}});
        for (key, value) in job.as_object().unwrap() {
            template[key] = value.clone();
        }
        let mut spec = json!({"replicatedJobs": [{"name": "node", "template": {
            "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}}, "spec": template}}]});
        for (key, value) in extra.as_object().unwrap() {
            spec[key] = value.clone();
        }
        let spec = json!({"mlPolicy": {"numNodes": 1, "torch": {}}, "template": {"spec": spec}});
        self.create(
            "ClusterTrainingRuntime",
            json!({"metadata": {"name": name}, "spec": spec}),
        );
    }

    fn create(&mut self, of: &str, object: Value) {
        self.store.create(kind(of), object, self.now).unwrap();
    }

    /// A TrainJob with `spec` merged over `runtimeRef`, settled.
    fn train(&mut self, name: &str, mut spec: Value) {
        if spec["runtimeRef"].is_null() {
            spec["runtimeRef"] = json!({"name": "torch-distributed", "kind": "ClusterTrainingRuntime"});
        }
        self.create(
            "TrainJob",
            json!({"metadata": {"name": name, "namespace": "team-a"}, "spec": spec}),
        );
        settle(&mut self.store, self.now);
    }

    fn patch(&mut self, of: &str, name: &str, patch: &Value) {
        let mut object = (**self.store.get(kind(of), "team-a", name).unwrap()).clone();
        json_patch::merge(&mut object, patch);
        self.store.update(kind(of), object).unwrap();
        settle(&mut self.store, self.now);
    }

    /// Moves the clock in steps of a second, as a driver that wakes up in time would.
    fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.now += SignedDuration::from_secs(1);
            settle(&mut self.store, self.now);
        }
    }

    fn get(&self, of: &str, name: &str) -> Value {
        self.store
            .get(kind(of), "team-a", name)
            .map(|o| (**o).clone())
            .unwrap_or_default()
    }

    fn pods(&self) -> Vec<Value> {
        self.store
            .list(kind("Pod"), Some("team-a"))
            .map(|pod| (**pod).clone())
            .collect()
    }

    fn phases(&self) -> Vec<String> {
        self.pods().iter().map(|pod| text(pod, "/status/phase")).collect()
    }

    /// `type/status/reason/message` of the conditions of a TrainJob.
    fn conditions(&self, name: &str) -> Vec<String> {
        let job = self.get("TrainJob", name);
        let fields = ["type", "status", "reason", "message"];
        items(&job["status"]["conditions"])
            .map(|c| fields.map(|field| c[field].as_str().unwrap_or_default()).join("/"))
            .collect()
    }

    fn reasons(&self, about: &str) -> Vec<String> {
        let mut events: Vec<Value> = self
            .store
            .list(kind("Event"), Some("team-a"))
            .map(|e| (**e).clone())
            .collect();
        events.sort_by_key(|e| text(e, "/metadata/creationTimestamp"));
        events
            .iter()
            .filter(|e| e["involvedObject"]["kind"] == about)
            .map(|e| text(e, "/reason"))
            .collect()
    }
}
