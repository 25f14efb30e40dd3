//! Pausing and resuming a training job: what it means, whether it will reach the pods, and whether it has.
//!
//! Trainer tells success when it has read the wish, not when its JobSet has followed; on runtimes with certain volume
//! claims the JobSet never does. So what a TrainJob claims is compared with the counters of its parts.

use kf_mcp_trainjob::{JobState, ObjectMeta, Runtime, SuspendTrap, TrainJob, suspend_trap};

use crate::legacy::LegacyJob;
use crate::pods::outside;

/// How far a job is with what it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Its parts do what they were told.
    Done,
    /// Trainer says so, and the parts do something else. Right after the wish this may pass.
    Trap,
    /// Trainer has not answered yet.
    Open,
    /// The job has ended meanwhile.
    Ended,
}

/// Compares the wish with the conditions and counters of the job.
pub(crate) fn reach(job: &TrainJob, suspend: bool) -> Reach {
    if JobState::of(job).is_final() {
        return Reach::Ended;
    }
    let told = job.holds("Suspended").is_some();
    if job.spec.suspend != suspend || told != suspend {
        return Reach::Open;
    }
    match suspend_trap(job) {
        Some(_) => Reach::Trap,
        None => Reach::Done,
    }
}

/// The same for a job of the training operator v1, which says `Suspended` itself once its pods are gone.
pub(crate) fn reach_of_legacy(job: &LegacyJob, suspend: bool) -> Reach {
    if job.state().is_final() {
        return Reach::Ended;
    }
    let told = job.holds("Suspended").is_some();
    if job.suspend == suspend && told == suspend {
        Reach::Done
    } else {
        Reach::Open
    }
}

/// Whether the pods of a job that is told to pause run on.
pub(crate) fn runs_on(job: &TrainJob) -> bool {
    suspend_trap(job) == Some(SuspendTrap::StillRunning)
}

/// Whether Trainer will most likely be unable to pass the wish on to the JobSet. `runtime` is none when it could not be
/// read.
pub(crate) fn is_blocked(job: &TrainJob, runtime: Option<&Runtime>) -> bool {
    match runtime {
        Some(runtime) => runtime.claims_block_suspension,
        None => job.has_initializers() || job.spec.runtime_ref.name.starts_with("torchtune-"),
    }
}

/// What happens, apart from the number of pods and devices at the moment.
pub(crate) fn effects(job: &TrainJob, suspend: bool, runtime: Option<&Runtime>, devices: Option<&str>) -> Vec<String> {
    let mut effects = effects_on_pods(suspend, devices, job.spec.active_deadline_seconds);
    if job.has_initializers() {
        effects.push("initializers that have finished are not run again".into());
    }
    if is_blocked(job, runtime) {
        // The warning beside it says why it will not.
        effects
            .iter_mut()
            .for_each(|effect| effect.insert_str(0, "should it work: "));
    }
    effects
}

/// What happens to the pods of a job of any kind.
pub(crate) fn effects_on_pods(suspend: bool, devices: Option<&str>, deadline: Option<i64>) -> Vec<String> {
    let mut effects = Vec::new();
    if suspend {
        effects.push("its pods end, and their logs are lost: get_training_logs reads them before".to_owned());
        if let Some(devices) = devices {
            effects.push(format!("frees up to {devices}"));
        }
        effects.push("what it has done since its last checkpoint is lost; volume claims stay".into());
    } else {
        effects.push(match devices {
            Some(devices) => format!("new pods are made, which wait until {devices} are free"),
            None => "new pods are made, with new logs".into(),
        });
        if let Some(seconds) = deadline {
            effects.push(format!("its deadline of {seconds} s begins anew"));
        }
    }
    effects
}

/// What may keep it from happening. `runtime` is none when it could not be read.
pub(crate) fn warnings(job: &TrainJob, suspend: bool, runtime: Option<&Runtime>) -> Vec<String> {
    let mut warnings = Vec::new();
    let name = outside(&job.spec.runtime_ref.name);
    let blocked = is_blocked(job, runtime);
    let why = format!(
        "runtime {name} claims a volume without retentionPolicy.whenDeleted, and so Trainer cannot change the JobSet of its \
         jobs (new jobs are right once the platform team adds it)"
    );
    if !suspend && runs_on(job) {
        warnings.push("its pods never stopped: resuming only puts right what the job says of itself".into());
    } else if blocked && suspend {
        warnings.push(format!(
            "this will most likely not pause it: {why}. It will say Suspended while its pods run on and hold their \
             devices. Only delete_training_job frees them"
        ));
    } else if blocked {
        warnings.push(format!(
            "it will most likely stay paused: {why}. Submit it again with clone_training_job instead"
        ));
    }
    warnings.extend(warnings_of_queues(&job.metadata, &job.spec.managed_by));
    warnings
}

/// Who else decides about a job of any kind.
pub(crate) fn warnings_of_queues(metadata: &ObjectMeta, managed_by: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    if metadata.labels.contains_key("kueue.x-k8s.io/queue-name") {
        warnings.push("Kueue decides when this job runs, and may undo it".into());
    }
    if managed_by == "kueue.x-k8s.io/multikueue" {
        warnings.push("MultiKueue runs this job in another cluster".into());
    }
    if metadata.deletion_timestamp.is_some() {
        warnings.push("it is being deleted".into());
    }
    warnings
}

/// What has become of a job of the training operator v1, in a sentence.
pub(crate) fn outcome_of_legacy(reach: Reach, suspend: bool) -> &'static str {
    match (reach, suspend) {
        (Reach::Done, false) => "is resumed: get_training_job tells when it runs",
        (Reach::Open, true) => {
            "was told to pause, but the training operator has not answered yet: get_training_job shows whether it does"
        }
        (Reach::Open, false) => {
            "was told to go on, but the training operator has not answered yet: get_training_job shows whether it does"
        }
        _ => outcome(reach, suspend),
    }
}

/// What has become of it, in a sentence.
pub(crate) fn outcome(reach: Reach, suspend: bool) -> &'static str {
    match (reach, suspend) {
        (Reach::Done, true) => "is suspended; its pods end within moments",
        (Reach::Done, false) => "is resumed: wait_for_training tells when it runs",
        (Reach::Trap, true) => {
            "says that it is suspended, but its pods still run and hold their devices: this runtime's jobs cannot be \
             paused. delete_training_job frees the devices; update_training_job with resume puts right what it says"
        }
        (Reach::Trap, false) => {
            "says that it is resumed, but its parts are still paused and will stay so: this runtime's jobs cannot be \
             resumed. Submit it again with clone_training_job, then delete this one"
        }
        (Reach::Open, true) => {
            "was told to pause, but Trainer has not answered yet: get_training_job shows whether it does"
        }
        (Reach::Open, false) => {
            "was told to go on, but Trainer has not answered yet: get_training_job shows whether it does"
        }
        (Reach::Ended, _) => "has ended meanwhile",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn job(suspend: bool, told: Option<&str>, part: Value) -> TrainJob {
        let conditions: Vec<Value> = told
            .map(|status| json!({"type": "Suspended", "status": status}))
            .into_iter()
            .collect();
        TrainJob::from_value(
            &json!({"metadata": {"name": "a"}, "spec": {"suspend": suspend, "runtimeRef": {"name": "r"}},
            "status": {"conditions": conditions, "jobsStatus": [part]}}),
        )
        .0
    }

    #[test]
    fn what_a_job_says_is_compared_with_what_its_parts_do() {
        let (runs, paused) = (
            json!({"name": "node", "active": 1}),
            json!({"name": "node", "suspended": 1}),
        );
        for (job, suspend, want) in [
            (job(true, None, runs.clone()), true, Reach::Open),
            (job(true, Some("True"), runs.clone()), true, Reach::Trap),
            (job(true, Some("True"), paused.clone()), true, Reach::Done),
            (job(false, Some("True"), paused.clone()), false, Reach::Open),
            (job(false, Some("False"), paused.clone()), false, Reach::Trap),
            (job(false, Some("False"), runs.clone()), false, Reach::Done),
            (job(false, None, runs.clone()), false, Reach::Done),
            // somebody else has said the contrary meanwhile
            (job(false, Some("False"), runs), true, Reach::Open),
        ] {
            assert_eq!(reach(&job, suspend), want, "{job:?}");
        }
    }

    #[test]
    fn a_v1_job_says_itself_when_it_is_paused() {
        let legacy = |suspend: bool, holds: &str| {
            let kind: crate::legacy::JobKind = serde_json::from_value(json!("PyTorchJob")).unwrap();
            let object = json!({"spec": {"runPolicy": {"suspend": suspend}},
                "status": {"conditions": [{"type": holds, "status": "True"}]}});
            LegacyJob::read(kind.legacy().unwrap(), &object)
        };
        for (job, suspend, want) in [
            (legacy(true, "Running"), true, Reach::Open),
            (legacy(true, "Suspended"), true, Reach::Done),
            (legacy(false, "Suspended"), false, Reach::Open),
            (legacy(false, "Running"), false, Reach::Done),
            (legacy(false, "Created"), true, Reach::Open),
            (legacy(true, "Succeeded"), true, Reach::Ended),
        ] {
            assert_eq!(reach_of_legacy(&job, suspend), want, "{job:?}");
        }
        assert!(outcome_of_legacy(Reach::Open, true).contains("training operator"));
    }

    #[test]
    fn a_trap_is_told_before() {
        let tuned = |block| {
            Some(Runtime {
                claims_block_suspension: block,
                ..Runtime::default()
            })
        };
        let fresh = job(false, None, json!({"name": "node", "active": 1}));
        assert_eq!(warnings(&fresh, true, tuned(false).as_ref()), Vec::<String>::new());
        assert!(warnings(&fresh, true, tuned(true).as_ref())[0].contains("will most likely not pause it"));
        assert!(warnings(&fresh, false, tuned(true).as_ref())[0].contains("stay paused"));
        let trapped = job(true, Some("True"), json!({"name": "node", "active": 1}));
        assert!(warnings(&trapped, false, tuned(true).as_ref())[0].contains("never stopped"));
    }

    #[test]
    fn the_effects_name_devices_deadline_and_initializers() {
        let job = TrainJob::from_value(
            &json!({"spec": {"runtimeRef": {"name": "r"}, "activeDeadlineSeconds": 60,
            "initializer": {"model": {}}}}),
        )
        .0;
        let runtime = Some(Runtime::default());
        let told = effects(&job, true, runtime.as_ref(), Some("4 nvidia.com/gpu")).join("; ");
        assert!(
            told.contains("logs are lost") && told.contains("frees up to 4 nvidia.com/gpu"),
            "{told}"
        );
        let told = effects(&job, false, runtime.as_ref(), Some("4 nvidia.com/gpu")).join("; ");
        assert!(
            told.contains("until 4 nvidia.com/gpu are free") && told.contains("60 s begins anew"),
            "{told}"
        );
        assert!(
            told.contains("not run again") && !told.contains("should it work"),
            "{told}"
        );
        assert!(effects(&job, true, None, None)[0].starts_with("should it work: its pods end"));
    }
}
