//! The watch of `wait_for_training`: from its first second on it sees each change of the job at once, and it looks at pods and
//! events only while the job does not run.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use kf_mcp_core::kube::error::Cause;
use kf_mcp_core::kube::resources::{EVENTS, PODS, TRAIN_JOBS};
use kf_mcp_core::kube::{KubeError, ListQuery, Resource};
use kf_mcp_core::{Cx, ErrorCode, ToolError};
use kf_mcp_trainjob::{JobState, TrainJob};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::events::Event;
use crate::pods::{self, Pod, outside};
use crate::reason::{self, Reason};
use crate::refusal::{CHECK_TRAINJOB, said};
use crate::steps::training_pods;
use crate::waiting::{NO_PODS, NOT_RECONCILED, SUSPENDED, Standing, creation_failure, met, rests, scales_up};

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(10);
/// How soon after the first look at the job it is watched. A wait that is given up before has opened no watch, which an API server behind
/// a proxy might keep; nothing is missed, because the watch begins with the version that was read.
const SETTLES: Duration = Duration::from_millis(750);
/// How soon pods are looked at again; each time it takes twice as long, until [`SELDOM`].
const SOON: Duration = Duration::from_secs(1);
/// How seldom pods are looked at, and a client hears that nothing has changed.
const SELDOM: Duration = Duration::from_secs(15);
/// Pods that are read.
const MOST_PODS: u32 = 500;
/// Events that are read.
const MOST_EVENTS: u32 = 500;

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ended {
    Target,
    Finished,
    Stalled,
    Deleted,
    Timeout,
}

/// One wait, and what it knows of the job so far.
pub(super) struct Vigil<'a> {
    cx: &'a Cx,
    namespace: &'a str,
    name: &'a str,
    targets: &'a [JobState],
    begun: Instant,
    seconds: u64,
    uid: String,
    /// The status as it was last seen; none before the first answer.
    pub(super) state: Option<JobState>,
    /// Why it is not another.
    pub(super) reason: Option<Reason>,
    /// What could not be looked at.
    pub(super) not_seen: BTreeSet<String>,
    standing: Standing,
    said: String,
    /// Whether the job was watched already.
    watched: bool,
}

impl<'a> Vigil<'a> {
    pub(super) fn new(
        cx: &'a Cx,
        namespace: &'a str,
        name: &'a str,
        targets: &'a [JobState],
        begun: Instant,
        seconds: u64,
    ) -> Self {
        Self {
            cx,
            namespace,
            name,
            targets,
            begun,
            seconds,
            uid: String::new(),
            state: None,
            reason: None,
            not_seen: BTreeSet::new(),
            standing: Standing::default(),
            said: String::new(),
            watched: false,
        }
    }

    /// Watches until the wait is over. A watch that ends, breaks or is too old is taken up again with a fresh list.
    pub(super) async fn keep(&mut self) -> Result<Ended, ToolError> {
        let mut pause = SOON;
        loop {
            let (job, version) = match self.fresh().await {
                Ok(Some(found)) => found,
                Ok(None) if self.state.is_some() => return Ok(Ended::Deleted),
                Ok(None) => return Err(self.absent()),
                // A job that has been seen is worth another try; a refusal stays one.
                Err(error) if self.state.is_some() && passes(&error) => {
                    sleep(pause).await;
                    pause = (pause * 2).min(SELDOM);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let opened = Instant::now();
            if let Some(ended) = self.watch(job, &version).await? {
                return Ok(ended);
            }
            // A server that ends every watch at once is not asked again and again.
            let short = opened.elapsed() < SELDOM;
            pause = if short { pause } else { SOON };
            sleep(pause).await;
            pause = (pause * 2).min(SELDOM);
        }
    }

    fn absent(&self) -> ToolError {
        let asked = format!(
            "wait for training job `{}` in namespace `{}`",
            self.name, self.namespace
        );
        ToolError::new(ErrorCode::NotFound, asked, "there is no such training job")
            .fix(CHECK_TRAINJOB)
            .tool("list_training_jobs")
    }

    /// The job as it is now, and where a watch can go on.
    async fn fresh(&self) -> Result<Option<(TrainJob, String)>, KubeError> {
        let query = ListQuery {
            fields: Some(self.itself()),
            ..ListQuery::default()
        };
        let listing = self.cx.kube().list(&TRAIN_JOBS, Some(self.namespace), &query);
        let page = match timeout(REQUEST, listing).await {
            Ok(page) => page?,
            Err(_) => return Err(self.late()),
        };
        let job = page.items.first().map(|item| TrainJob::read(item.get()).0);
        Ok(job.map(|job| (job, page.resource_version)))
    }

    fn itself(&self) -> String {
        format!("metadata.name={}", self.name)
    }

    fn late(&self) -> KubeError {
        KubeError {
            asked: format!("list trainjobs in namespace `{}`", self.namespace),
            server: self.cx.kube().server(),
            namespace: Some(self.namespace.to_owned()),
            cause: Cause::Timeout(REQUEST.as_secs()),
        }
    }

    /// Follows the job from a version on; none when the watch is to be taken up again.
    async fn watch(&mut self, mut job: TrainJob, version: &str) -> Result<Option<Ended>, ToolError> {
        if let Some(ended) = self.seen(&job).await {
            return Ok(Some(ended));
        }
        if !std::mem::replace(&mut self.watched, true) {
            sleep(SETTLES).await;
        }
        let fields = self.itself();
        // No longer than the wait itself: what is left of it, and what opening may take.
        let within = Duration::from_secs(self.seconds).saturating_sub(self.begun.elapsed()) + REQUEST;
        let opening = self
            .cx
            .kube()
            .watch(&TRAIN_JOBS, Some(self.namespace), &fields, version, within);
        let changes = match timeout(REQUEST, opening).await {
            Ok(Ok(changes)) => changes,
            Ok(Err(error)) if error.is_expired() || passes(&error) => return Ok(None),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Ok(None),
        };
        let mut changes = pin!(changes);
        let mut pace = SOON;
        let mut next = Instant::now() + pace;
        loop {
            tokio::select! {
                change = changes.next() => {
                    let Some(Ok(change)) = change else { return Ok(None) };
                    match change.kind.as_str() {
                        "ADDED" | "MODIFIED" => job = TrainJob::from_value(&change.object).0,
                        "DELETED" => return Ok(Some(Ended::Deleted)),
                        "BOOKMARK" => continue,
                        // A version that is too old, or a server that goes down.
                        _ => return Ok(None),
                    }
                    pace = SOON;
                }
                () = sleep_until(next) => pace = (pace * 2).min(SELDOM),
            }
            if let Some(ended) = self.seen(&job).await {
                return Ok(Some(ended));
            }
            next = Instant::now() + pace;
        }
    }

    /// Takes in how the job is now; whether the wait is over.
    async fn seen(&mut self, job: &TrainJob) -> Option<Ended> {
        if self.uid.is_empty() {
            self.uid.clone_from(&job.metadata.uid);
        } else if self.uid != job.metadata.uid {
            // Another job has taken the name.
            return Some(Ended::Deleted);
        }
        let mut state = JobState::of(job);
        self.reason = reason::of(job, state, None, self.cx.now());
        let mut stuck = None;
        match state {
            JobState::Running | JobState::Complete => {
                self.standing.stands(None, Instant::now());
            }
            JobState::Suspended if rests(job, state) => {
                stuck = Some(Reason {
                    code: SUSPENDED.into(),
                    message: "it is paused, and goes on only when it is resumed".into(),
                });
            }
            // A job that could not be paused runs on, and may well end.
            JobState::Suspended if !self.targets.contains(&JobState::Suspended) => {}
            JobState::Suspended => stuck = self.stands().then(|| self.reason.clone()).flatten(),
            JobState::Failed | JobState::Created | JobState::Initializing => {
                if let Some(pods) = self.pods().await {
                    let newest: Vec<&Pod> = pods::steps(&pods).into_values().collect();
                    let (training, running) = training_pods(&newest);
                    state = JobState::with_pods(job, training, running);
                    self.reason = reason::of(job, state, Some(&newest), self.cx.now());
                    stuck = self.stuck(job, state, &newest).await;
                } else if !state.is_final() {
                    stuck = self.stands().then(|| self.reason.clone()).flatten();
                }
            }
        }
        self.state = Some(state);
        let ended = if met(self.targets, job, state) {
            Some(Ended::Target)
        } else if state.is_final() {
            Some(Ended::Finished)
        } else {
            stuck.map(|reason| {
                self.reason = Some(reason);
                Ended::Stalled
            })
        };
        self.say(job, state);
        ended
    }

    /// Whether the reason of the moment has stood for too long.
    fn stands(&mut self) -> bool {
        let code = self.reason.as_ref().map(|reason| reason.code.as_str());
        self.standing.stands(code, Instant::now())
    }

    /// Why the job will not run, if that is so.
    async fn stuck(&mut self, job: &TrainJob, state: JobState, pods: &[&Pod]) -> Option<Reason> {
        if state.is_final() || state == JobState::Running {
            self.standing.stands(None, Instant::now());
            return None;
        }
        let none = pods.is_empty() && self.reason.as_ref().is_none_or(|reason| reason.code == NO_PODS);
        if none {
            if !self.standing.stands(Some(NO_PODS), Instant::now()) {
                return None;
            }
            return self.failure(job).await;
        }
        if !self.stands() {
            return None;
        }
        let reason = self.reason.clone()?;
        if reason.code == NOT_RECONCILED
            && let Some(failure) = self.failure(job).await
        {
            return Some(failure);
        }
        if reason.code == "Unschedulable" {
            let waiting = pods.iter().find(|pod| pod.spec.node_name.is_empty())?;
            let of_pod = format!("involvedObject.name={}", waiting.metadata.name);
            if let Some(events) = self.events(of_pod).await
                && scales_up(events)
            {
                return None;
            }
        }
        Some(reason)
    }

    /// What keeps pods from being made, if an event says so.
    async fn failure(&mut self, job: &TrainJob) -> Option<Reason> {
        let warnings = self.events("type=Warning".into()).await?;
        let failure = creation_failure(warnings, job);
        if failure.is_some() {
            self.reason.clone_from(&failure);
        }
        failure
    }

    /// The pods of the job.
    async fn pods(&mut self) -> Option<Vec<Pod>> {
        let query = ListQuery {
            labels: Some(format!("{}={}", pods::JOB, self.name)),
            limit: Some(MOST_PODS),
            ..ListQuery::default()
        };
        self.listed(&PODS, &query).await
    }

    async fn events(&mut self, fields: String) -> Option<Vec<Event>> {
        let query = ListQuery {
            fields: Some(fields),
            limit: Some(MOST_EVENTS),
            ..ListQuery::default()
        };
        self.listed(&EVENTS, &query).await
    }

    /// One page; none when it may not be read, which is noted, or there was no answer.
    async fn listed<T: DeserializeOwned>(&mut self, of: &Resource, query: &ListQuery) -> Option<Vec<T>> {
        let listing = self.cx.kube().list(of, Some(self.namespace), query);
        match timeout(REQUEST, listing).await.ok()? {
            Ok(page) => Some(page.decode().0),
            Err(error) => {
                if error.is_forbidden() {
                    self.not_seen.insert(format!("{}: {}", of.plural, said(error)));
                }
                None
            }
        }
    }

    /// Tells the client what has changed, or that nothing has.
    fn say(&mut self, job: &TrainJob, state: JobState) {
        let mut now = state.as_str().to_owned();
        let percent = job
            .status
            .trainer_status
            .as_ref()
            .and_then(|told| told.progress_percentage);
        if let Some(percent) = percent.filter(|_| state == JobState::Running) {
            now.push_str(&format!(", {percent} %"));
        }
        if let Some(reason) = &self.reason {
            now.push_str(&format!(": {}: {}", outside(&reason.code), reason.message));
        }
        let message = if now == self.said {
            format!("still {now}")
        } else {
            now.clone()
        };
        self.said = now;
        self.cx
            .progress(self.begun.elapsed().as_secs_f64(), Some(self.seconds as f64), message);
    }
}

/// Whether a failed request may succeed a little later.
fn passes(error: &KubeError) -> bool {
    match &error.cause {
        Cause::Unreachable(_) | Cause::Timeout(_) | Cause::TooMany(_) => true,
        Cause::Status(status) => status.code == 410 || status.code >= 500,
        _ => false,
    }
}
