//! One place on which a story is played: a namespace, the requests of the story, and the pictures taken of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::Moments;
use super::picture::{self, Picture};
use crate::place::{Place, Reply};

/// How long a real cluster must stay as it is to count as being at rest.
const REST: Duration = Duration::from_millis(1200);
/// How often it is looked at until it is.
const LOOKS: usize = 12;

/// A namespace of one place.
pub struct Stage {
    place: Place,
    namespace: String,
    moments: Moments,
    mixed: bool,
}

impl Stage {
    /// A place with a fresh namespace that pods can be made in.
    pub(super) async fn open(place: Place, namespace: &str) -> Self {
        let stage = Self {
            place,
            namespace: namespace.to_owned(),
            moments: Vec::new(),
            mixed: false,
        };
        stage.place.make_namespace(namespace).await;
        stage
    }

    /// Takes the namespace away and gives what was seen.
    pub(super) async fn close(self) -> Moments {
        let path = format!("/api/v1/namespaces/{}", self.namespace);
        self.place.ask("DELETE", &path, "", None).await;
        self.moments
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Whether this is the real control plane.
    #[must_use]
    pub const fn is_real(&self) -> bool {
        matches!(self.place, Place::Real(_))
    }

    /// Where objects of a kind are.
    fn path(&self, kind: &str, name: &str) -> String {
        let (root, plural) = match kind {
            "TrainJob" => ("/apis/trainer.kubeflow.org/v1alpha1", "trainjobs"),
            "TrainingRuntime" => ("/apis/trainer.kubeflow.org/v1alpha1", "trainingruntimes"),
            "JobSet" => ("/apis/jobset.x-k8s.io/v1alpha2", "jobsets"),
            "Job" => ("/apis/batch/v1", "jobs"),
            "ResourceQuota" => ("/api/v1", "resourcequotas"),
            "PersistentVolumeClaim" => ("/api/v1", "persistentvolumeclaims"),
            "Event" => ("/api/v1", "events"),
            _ => ("/api/v1", "pods"),
        };
        let end = if name.is_empty() {
            String::new()
        } else {
            format!("/{name}")
        };
        format!("{root}/namespaces/{}/{plural}{end}", self.namespace)
    }

    /// A request that must succeed.
    async fn good(&self, method: &str, path: &str, body: &Value) -> Value {
        let content = if method == "PATCH" {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let reply = self.place.ask(method, path, content, Some(body)).await;
        assert!(
            reply.code.is_success(),
            "{} {method} {path}: {}",
            self.place.name(),
            reply.text
        );
        reply.json()
    }

    /// Makes an object.
    pub(super) async fn create(&self, kind: &str, object: Value) {
        self.good("POST", &self.path(kind, ""), &object).await;
    }

    /// Makes a `TrainJob` from its spec.
    pub(super) async fn train(&self, name: &str, spec: Value) {
        self.create(
            "TrainJob",
            json!({
                "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "metadata": {"name": name}, "spec": spec,
            }),
        )
        .await;
    }

    /// Tries to make a `TrainJob`; the answer.
    pub(super) async fn try_train(&self, name: &str, spec: Value) -> Reply {
        let job = json!({
            "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "metadata": {"name": name}, "spec": spec,
        });
        self.place
            .ask("POST", &self.path("TrainJob", ""), "application/json", Some(&job))
            .await
    }

    /// From now on the pods of a Job are not told apart: which one has which index, or runs, is up to chance.
    pub(super) const fn mix_pods(&mut self) {
        self.mixed = true;
    }

    /// A namespaced runtime `own` of one replicated job `node`, whose Job's and JobSet's specs are given.
    pub(super) async fn runtime(&self, policy: Value, job: Value, jobset: Value) {
        let replicated = json!([{
            "name": "node",
            "template": {"metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}}, "spec": job},
        }]);
        let mut spec = jobset;
        spec["replicatedJobs"] = replicated;
        self.create(
            "TrainingRuntime",
            json!({
                "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainingRuntime",
                "metadata": {"name": "own", "labels": {"trainer.kubeflow.org/framework": "torch"}},
                "spec": {"mlPolicy": policy, "template": {"spec": spec}},
            }),
        )
        .await;
    }

    /// Merges a patch into an object; the answer.
    pub(super) async fn patch(&self, kind: &str, name: &str, patch: Value) -> Reply {
        self.place
            .ask(
                "PATCH",
                &self.path(kind, name),
                "application/merge-patch+json",
                Some(&patch),
            )
            .await
    }

    /// Suspends or resumes a `TrainJob`.
    pub(super) async fn suspend(&self, name: &str, suspend: bool) {
        let reply = self
            .patch("TrainJob", name, json!({"spec": {"suspend": suspend}}))
            .await;
        assert!(reply.code.is_success(), "{}", reply.text);
    }

    /// Deletes an object in the way named by `policy`.
    pub(super) async fn delete(&self, kind: &str, name: &str, policy: &str) -> Reply {
        let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy});
        self.place
            .ask("DELETE", &self.path(kind, name), "application/json", Some(&options))
            .await
    }

    /// An object, null when there is none.
    pub(super) async fn get(&self, kind: &str, name: &str) -> Value {
        let reply = self.place.ask("GET", &self.path(kind, name), "", None).await;
        if reply.code.is_success() {
            reply.json()
        } else {
            Value::Null
        }
    }

    /// All objects of a kind.
    pub(super) async fn list(&self, kind: &str) -> Vec<Value> {
        let list = self.place.ask("GET", &self.path(kind, ""), "", None).await.json();
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// Waits for an object to be as it should be.
    pub(super) async fn until(&self, kind: &str, name: &str, what: &str, good: impl Fn(&Value) -> bool) {
        self.place
            .until(&format!("{kind} {name} {what}"), async || {
                good(&self.get(kind, name).await).then_some(())
            })
            .await;
    }

    /// Waits until an object is no more.
    pub(super) async fn gone(&self, kind: &str, name: &str) {
        self.until(kind, name, "gone", Value::is_null).await;
    }

    /// Waits until a `TrainJob` counts its nodes as suspended.
    pub(super) async fn counted_suspended(&self, name: &str) {
        self.until("TrainJob", name, "counted", |job| status(job, "node")["suspended"] == 1)
            .await;
    }

    /// Waits for a `TrainJob`'s condition to be true.
    pub(super) async fn condition(&self, name: &str, condition: &str) {
        self.until("TrainJob", name, condition, |job| has(job, condition)).await;
    }

    /// Waits until all pods of one of a `TrainJob`'s steps are ready.
    pub(super) async fn ready(&self, name: &str, step: &str) {
        self.until("TrainJob", name, "ready", |job| status(job, step)["ready"] == 1)
            .await;
    }

    /// Waits until so many events of a reason are there.
    pub(super) async fn event(&self, reason: &str) {
        self.place
            .until(&format!("an event {reason}"), async || {
                self.list("Event")
                    .await
                    .iter()
                    .any(|event| event["reason"] == reason)
                    .then_some(())
            })
            .await;
    }

    /// Waits until so many pods are in a phase.
    pub(super) async fn phase(&self, phase: &str, number: usize) {
        self.place
            .until(&format!("{number} pods {phase}"), async || {
                let pods = self.list("Pod").await;
                (pods.iter().filter(|pod| pod["status"]["phase"] == phase).count() == number).then_some(())
            })
            .await;
    }

    /// Lets the containers of all pods that run and whose name holds `part` end.
    pub(super) async fn end(&self, part: &str) {
        self.steer(part, &json!({"sim/run": "0s"})).await;
    }

    /// Lets them end with 1.
    pub(super) async fn fail(&self, part: &str) {
        self.steer(part, &json!({"sim/run": "0s", "sim/exit": "1"})).await;
    }

    /// Writes annotations on all pods that run and whose name holds `part`.
    pub(super) async fn steer(&self, part: &str, annotations: &Value) {
        for pod in self.list("Pod").await {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            if name.contains(part) && pod["status"]["phase"] == "Running" {
                self.patch("Pod", name, json!({"metadata": {"annotations": annotations}}))
                    .await;
            }
        }
    }

    /// Takes a picture as soon as nothing changes any more.
    pub(super) async fn look(&mut self, moment: &str) {
        let mut picture = picture::take(&self.place, &self.namespace, self.mixed).await;
        if self.is_real() {
            for _ in 0..LOOKS {
                tokio::time::sleep(REST).await;
                let again = picture::take(&self.place, &self.namespace, self.mixed).await;
                if again == picture {
                    break;
                }
                picture = again;
            }
        }
        self.moments.push((moment.to_owned(), picture));
    }

    /// Remembers an answer.
    pub(super) fn note(&mut self, moment: &str, reply: &Reply) {
        let answer = json!({"code": reply.code.as_u16(), "body": reply.json()});
        let answer = picture::tidy("answer", answer, &std::collections::HashMap::new());
        self.moments
            .push((moment.to_owned(), Picture::from([("answer".to_owned(), answer)])));
    }
}

/// Whether a condition is true.
pub(super) fn has(object: &Value, condition: &str) -> bool {
    object["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|c| c["type"] == condition && c["status"] == "True")
}

/// The counters of one step of a `TrainJob`.
pub(super) fn status(job: &Value, step: &str) -> Value {
    let steps = job["status"]["jobsStatus"].as_array();
    steps
        .into_iter()
        .flatten()
        .find(|s| s["name"] == step)
        .cloned()
        .unwrap_or_default()
}
