//! The job that is paused or resumed: a TrainJob, or one of the training operator v1.

use kf_mcp_core::Cx;
use kf_mcp_core::kube::resources::TRAIN_JOBS;
use kf_mcp_core::kube::{KubeError, Resource};
use kf_mcp_trainjob::{JobState, ObjectMeta, TrainJob};
use serde_json::{Value, json};

use crate::legacy::{self, JobKind, LegacyJob};
use crate::pods;
use crate::suspension::{self, Reach};

/// A job.
#[derive(Debug)]
pub(super) enum Subject {
    /// Of Trainer.
    Train(Box<TrainJob>),
    /// Of the training operator v1.
    Legacy(Box<LegacyJob>),
}

impl Subject {
    /// The job in an object of a kind.
    pub(super) fn of(kind: JobKind, object: &Value) -> Self {
        match kind {
            JobKind::TrainJob => Self::Train(Box::new(TrainJob::from_value(object).0)),
            JobKind::Legacy(kind) => Self::Legacy(Box::new(LegacyJob::read(kind, object))),
        }
    }

    /// Reads it.
    pub(super) async fn read(cx: &Cx, kind: JobKind, namespace: &str, name: &str) -> Result<Self, KubeError> {
        let object = match kind {
            JobKind::TrainJob => cx.kube().get::<Value>(&TRAIN_JOBS, Some(namespace), name).await?,
            JobKind::Legacy(kind) => legacy::get(cx, kind, namespace, name).await?,
        };
        Ok(Self::of(kind, &object))
    }

    pub(super) fn kind(&self) -> JobKind {
        match self {
            Self::Train(_) => JobKind::TrainJob,
            Self::Legacy(job) => JobKind::Legacy(job.kind),
        }
    }

    pub(super) fn resource(&self) -> &'static Resource {
        match self {
            Self::Train(_) => &TRAIN_JOBS,
            Self::Legacy(job) => job.kind.resource_of(&job.api_version),
        }
    }

    pub(super) fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Train(job) => &job.metadata,
            Self::Legacy(job) => &job.metadata,
        }
    }

    pub(super) fn state(&self) -> JobState {
        match self {
            Self::Train(job) => JobState::of(job),
            Self::Legacy(job) => job.state(),
        }
    }

    /// What it is told.
    pub(super) fn suspended(&self) -> bool {
        match self {
            Self::Train(job) => job.spec.suspend,
            Self::Legacy(job) => job.suspend,
        }
    }

    /// The change that tells it.
    pub(super) fn wish(&self, suspend: bool) -> Value {
        match self {
            Self::Train(_) => json!({"spec": {"suspend": suspend}}),
            Self::Legacy(_) => json!({"spec": {"runPolicy": {"suspend": suspend}}}),
        }
    }

    /// How far it is with what it was told.
    pub(super) fn reach(&self, suspend: bool) -> Reach {
        match self {
            Self::Train(job) => suspension::reach(job, suspend),
            Self::Legacy(job) => suspension::reach_of_legacy(job, suspend),
        }
    }

    /// The label of its pods that has its name.
    pub(super) fn pod_label(&self) -> &'static str {
        match self {
            Self::Train(_) => pods::JOB,
            Self::Legacy(_) => legacy::JOB_LABEL,
        }
    }
}
