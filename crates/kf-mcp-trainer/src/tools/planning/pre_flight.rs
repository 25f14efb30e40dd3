//! `pre_flight`: everything that would make the next submit fail, or its job never run, in one call.
//!
//! What the tools that submit check before they send anything is checked by the same functions; what only the cluster knows is
//! asked in two rounds of concurrent requests ([`first`], [`second`]), at most ten in all.

mod answer;
mod ask;
mod cluster;
mod first;
mod job;
mod judge;
mod policy;
mod second;

use kf_mcp_core::{Access, Cx, ErrorCode, Namespace, Next, Phase, Tool, ToolError, ToolSpec};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::estimate_resources::weights;
use crate::compatibility::INSTALL;
use crate::preflight::{Report, demand, each};

use answer::Flight;
use first::First;
use second::Second;

/// Check what would make the next submit fail, from versions, rights and quota to devices, Secrets and volumes, and how to
/// fix it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PreFlight {
    /// As in fine_tune.
    #[serde(default)]
    model: String,
    /// As in fine_tune.
    dataset: Option<String>,
    /// Default by model.
    runtime: Option<String>,
    /// Nodes.
    #[serde(default = "one")]
    #[schemars(with = "i32")]
    num_workers: u32,
    /// Default 1 or runtime's.
    #[schemars(with = "Option<i32>")]
    gpu_per_node: Option<u32>,
    /// As in the submit.
    resources_per_node: Option<Map<String, Value>>,
    /// Per GPU.
    #[serde(default = "four")]
    #[schemars(with = "i32")]
    batch_size: u32,
    /// nf4: QLoRA.
    #[serde(default = "bf16")]
    quantization: String,
    /// Job name.
    name: Option<String>,
    /// Default yours.
    #[schemars(with = "Option<String>")]
    namespace: Option<Namespace>,
    /// Kueue's.
    queue: Option<String>,
    /// Secret's name.
    hf_secret: Option<String>,
    /// Secret's name.
    s3_secret: Option<String>,
}

fn one() -> u32 {
    1
}

fn four() -> u32 {
    4
}

fn bf16() -> String {
    "bf16".into()
}

impl Tool for PreFlight {
    type Output = Flight;
    const SPEC: ToolSpec = ToolSpec::read("pre_flight", Phase::Planning)
        .access(&[
            Access::new("trainer.kubeflow.org", "trainingruntimes", &["get", "list"]).degrades(),
            Access::new("trainer.kubeflow.org", "clustertrainingruntimes", &["get", "list"])
                .cluster()
                .degrades(),
            Access::new("trainer.kubeflow.org", "trainjobs", &["get"]).degrades(),
            Access::new("authorization.k8s.io", "selfsubjectrulesreviews", &["create"])
                .cluster()
                .degrades(),
            // Only where the rules do not allow to submit.
            Access::new("authorization.k8s.io", "selfsubjectaccessreviews", &["create"])
                .cluster()
                .degrades(),
            Access::new("", "resourcequotas", &["list"]).degrades(),
            // Only where a quota wants what the job does not say.
            Access::new("", "limitranges", &["list"]).degrades(),
            Access::new("", "nodes", &["list"]).cluster().degrades(),
            Access::new("", "pods", &["list"]).cluster().degrades().sums(),
            Access::new("apps", "deployments", &["list"]).cluster().degrades(),
            Access::new("", "secrets", &["get"]).degrades(),
            Access::new("", "persistentvolumeclaims", &["list"]).degrades(),
            Access::new("kueue.x-k8s.io", "localqueues", &["get"]).with_argument("queue"),
            Access::new("storage.k8s.io", "storageclasses", &["list"])
                .cluster()
                .degrades(),
            Access::new("", "namespaces", &["get"]).cluster().degrades(),
        ])
        .next(&[
            Next::to("fine_tune", "it is ready, for a model and a dataset"),
            Next::to("run_custom_training", "it is ready, for a script"),
            Next::to("get_cluster_resources", "devices or quotas are short"),
        ]);

    async fn run(self, cx: &Cx) -> Result<Flight, ToolError> {
        weights(&self.quantization)?;
        let namespace = cx.namespace(self.namespace.as_ref()).await?;
        let mut report = Report::default();
        let model = self.chooses(&mut report)?;
        let first = First::ask(cx, &namespace, &self, model.as_ref()).await;
        let mut left = ask::left(cx);
        let runtime = match first.runtime(cx, &namespace, &self, &mut left, &mut report).await {
            Ok(runtime) => runtime,
            Err(error) if error.code == ErrorCode::NotInstalled => {
                report.refuse("runtime", error.fix(INSTALL));
                None
            }
            Err(error) if is_refusal(error.code) => {
                report.refuse("runtime", error);
                None
            }
            Err(error) => return Err(error),
        };
        let mut wants = None;
        if let Some(runtime) = &runtime {
            report.done("runtime");
            let resources = self.tried(runtime, &namespace, &mut report)?;
            wants = resources.map(|resources| demand(runtime, self.num_workers, each(runtime, &resources)));
        }
        let second = Second::ask(cx, &namespace, &self, &first, runtime.as_ref(), wants.as_ref(), left).await;
        self.judge(
            &first,
            &second,
            runtime.as_ref(),
            wants.as_ref(),
            &namespace,
            &mut report,
        );
        self.judge_policy(cx, wants.as_ref(), &mut report);
        let kubernetes = second.judge_versions(&mut report);
        Ok(Flight::new(
            &self,
            namespace,
            runtime.as_ref(),
            wants.as_ref(),
            report,
            kubernetes,
        ))
    }
}

kf_mcp_core::register!(PreFlight);

/// Whether an error is about what was asked for, and not about the way there.
fn is_refusal(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NotFound
            | ErrorCode::Unsupported
            | ErrorCode::InvalidArgument
            | ErrorCode::Forbidden
            | ErrorCode::AdmissionDenied
    )
}
