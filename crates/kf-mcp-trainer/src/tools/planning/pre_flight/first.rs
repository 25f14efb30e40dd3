//! What the arguments alone decide to ask.

use kf_mcp_core::kube::KubeError;
use kf_mcp_core::kube::resources::{CLAIMS, SECRETS};
use kf_mcp_core::{Cx, ErrorCode, ToolError};
use kf_mcp_trainjob::Runtime;
use kf_mcp_trainjob::torchtune::Source;

use super::super::readings::{self, Cluster};
use super::PreFlight;
use super::ask::{list, take};
use crate::capacity::ControllerPod;
use crate::finetune;
use crate::preflight::{Claim, Report, Rights, Secret};
use crate::queues::{self, Queue};
use crate::quota::Quotas;
use crate::runtimes::{self, Found, Listed};
use crate::tools::training::fine_tune::MOST_RUNTIMES;
use crate::tools::training::plan::DEFAULT_RUNTIME;

/// What JobSet's controller calls itself.
const JOBSET: &str = "jobset";

/// The runtimes that may be meant.
enum Runtimes {
    /// The one that is named, if it is there.
    Named(Option<Found>),
    All(Listed),
    /// The model, which would choose, is wrong.
    NotAsked,
}

/// The answers of the first round.
pub(super) struct First {
    runtimes: Result<Runtimes, ToolError>,
    model: Option<Source>,
    pub(super) rights: Result<Rights, KubeError>,
    pub(super) quotas: Result<Quotas, KubeError>,
    pub(super) cluster: Result<Cluster, KubeError>,
    /// In the order in which they are named.
    pub(super) secrets: Vec<Result<Secret, KubeError>>,
    /// The claims, and whether there are more; none where no claim is named.
    pub(super) claims: Option<Result<(Vec<Claim>, bool), KubeError>>,
    /// The queue that is named; none in it where Kueue is not there.
    pub(super) queue: Option<Result<Option<Queue>, KubeError>>,
}

impl First {
    /// Asks all at once. A model that was read chooses the runtime where none is named.
    pub(super) async fn ask(cx: &Cx, namespace: &str, call: &PreFlight, model: Option<&Source>) -> Self {
        let runtimes = async {
            if !call.asks_by_model() {
                let name = call.named().unwrap_or(DEFAULT_RUNTIME);
                return runtimes::find(cx, namespace, name).await.map(Runtimes::Named);
            }
            if model.is_none() {
                return Ok(Runtimes::NotAsked);
            }
            let listed = runtimes::list(cx, namespace, MOST_RUNTIMES).await?;
            Ok(Runtimes::All(listed))
        };
        let secrets = call
            .secrets()
            .map(|(_, name)| async move { cx.kube().get::<Secret>(&SECRETS, Some(namespace), name).await });
        let claims = async {
            if call.claims().is_empty() {
                return None;
            }
            Some(list::<Claim>(cx, &CLAIMS, Some(namespace)).await)
        };
        let queue = async {
            let name = call.queued()?;
            Some(queues::find(cx, namespace, name).await)
        };
        let question = Rights::question(namespace);
        let (runtimes, rights, quotas, cluster, secrets, claims, queue) = futures::join!(
            runtimes,
            cx.kube().review::<Rights>("selfsubjectrulesreviews", &question),
            Quotas::read(cx, namespace),
            readings::read(cx, 1),
            futures::future::join_all(secrets),
            claims,
            queue,
        );
        Self {
            runtimes,
            model: model.cloned(),
            rights,
            quotas,
            cluster,
            secrets,
            claims,
            queue,
        }
    }

    /// The runtime, by its name or by the model; none when the model is wrong.
    pub(super) async fn runtime(
        &self,
        cx: &Cx,
        namespace: &str,
        call: &PreFlight,
        left: &mut u32,
        report: &mut Report,
    ) -> Result<Option<Runtime>, ToolError> {
        match &self.runtimes {
            Ok(Runtimes::Named(Some(found))) => {
                report.not_seen.extend(found.not_seen.iter().cloned());
                Ok(Some(found.runtime.clone()))
            }
            Ok(Runtimes::Named(None)) => {
                let name = call.named().unwrap_or(DEFAULT_RUNTIME);
                if take(left, 2) {
                    return Err(runtimes::missing(cx, namespace, name, "runtime").await);
                }
                let asked = format!("find the training runtime `{name}`");
                let answered =
                    format!("there is none of that name, neither in namespace `{namespace}` nor in the cluster");
                Err(ToolError::new(ErrorCode::NotFound, asked, answered)
                    .fix("list_runtimes shows what there is")
                    .tool("list_runtimes"))
            }
            Ok(Runtimes::All(listed)) => {
                report.not_seen.extend(listed.not_seen.iter().cloned());
                if listed.more {
                    report
                        .not_seen
                        .push(format!("runtimes beyond the first {MOST_RUNTIMES}"));
                }
                let chosen = self.model.as_ref().map(|model| finetune::chosen(model, listed.clone()));
                chosen.transpose()
            }
            Ok(Runtimes::NotAsked) => Ok(None),
            Err(error) => Err(error.clone()),
        }
    }

    /// Whether something of the namespace was seen, and so it exists.
    pub(super) fn saw_namespace(&self, runtime: Option<&Runtime>) -> bool {
        self.secrets.iter().any(Result::is_ok)
            || self.quotas.as_ref().is_ok_and(|quotas| !quotas.is_empty())
            || matches!(&self.queue, Some(Ok(Some(_))))
            || matches!(&self.claims, Some(Ok((all, _))) if !all.is_empty())
            || runtime.is_some_and(|runtime| !runtime.namespace.is_empty())
    }

    pub(super) fn may_submit(&self) -> Option<bool> {
        self.rights.as_ref().ok().map(Rights::may_submit)
    }

    /// The pods of Trainer's and JobSet's controllers, as far as the pods were read.
    pub(super) fn controllers(&self) -> &[ControllerPod] {
        let load = self.cluster.as_ref().ok().and_then(|cluster| cluster.load.as_ref());
        load.map(|load| load.controllers.as_slice()).unwrap_or_default()
    }

    /// Whether a pod of Trainer's controller was seen; else its Deployment tells.
    pub(super) fn saw_trainer(&self) -> bool {
        self.controllers().iter().any(|pod| pod.of != JOBSET)
    }
}
