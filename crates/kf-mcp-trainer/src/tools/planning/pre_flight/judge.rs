//! What the answers mean for the submit.

use kf_mcp_trainjob::Runtime;
use kf_mcp_trainjob::torchtune::Source;

use super::PreFlight;
use super::ask::unseen;
use super::first::First;
use super::second::Second;
use crate::capacity::capacity;
use crate::preflight::{Ask, Report, claims, room, secret, size};
use crate::quota::{Demand, Quota};
use crate::sizing::fit::{Layout, Verdict, fit};
use crate::sizing::{Given, facts};

impl PreFlight {
    /// All checks but that of the versions.
    pub(super) fn judge(
        &self,
        first: &First,
        second: &Second,
        runtime: Option<&Runtime>,
        demand: Option<&Demand>,
        namespace: &str,
        report: &mut Report,
    ) {
        first.judge_rights(namespace, second, report);
        first.judge_controllers(second, report);
        second.judge_place(namespace, report);
        second.judge_name(namespace, self.job_name().unwrap_or_default(), report);
        self.judge_secrets(first, namespace, report);
        self.judge_claims(first, namespace, report);
        self.judge_queue(first, namespace, report);
        if let Some(runtime) = runtime {
            second.judge_volumes(runtime, report);
            self.judge_size(runtime, report);
        }
        match demand {
            Some(demand) => {
                self.judge_quota(first, second, demand, namespace, report);
                self.judge_room(first, demand, report);
            }
            None => report
                .not_seen
                .push("quota and devices: what the job asks for is not known until the rest is right".to_owned()),
        }
    }

    fn judge_secrets(&self, first: &First, namespace: &str, report: &mut Report) {
        for ((field, name), found) in self.secrets().zip(&first.secrets) {
            let found = match found {
                Ok(found) => Some(found),
                Err(error) if error.is_not_found() => None,
                Err(error) => {
                    report.not_seen.push(unseen(&format!("the Secret {name}"), error));
                    continue;
                }
            };
            secret(field, name, namespace, found, report);
        }
        if !first.secrets.is_empty() && first.secrets.iter().all(Result::is_ok) {
            report.done("secrets");
        }
    }

    fn judge_queue(&self, first: &First, namespace: &str, report: &mut Report) {
        let (Some(name), Some(found)) = (self.queued(), &first.queue) else {
            return;
        };
        match found {
            Ok(Some(queue)) => {
                report.warnings.extend(
                    queue
                        .closed()
                        .map(|why| format!("the queue {name} admits no jobs now: {why}")),
                );
                report.done("queue");
            }
            Ok(None) => report.warnings.push(format!(
                "Kueue is not there: the job does not wait in the queue {name}, and starts at once"
            )),
            Err(error) if error.is_not_found() => report.block(
                "queue",
                format!("find Kueue's LocalQueue `{name}` in namespace `{namespace}`"),
                "there is none: the job would stay suspended",
                format!("kubectl -n {namespace} get localqueues lists those there are, get_cluster_resources too"),
            ),
            Err(error) => report.not_seen.push(unseen(&format!("the queue {name}"), error)),
        }
    }

    fn judge_claims(&self, first: &First, namespace: &str, report: &mut Report) {
        let wanted = self.claims();
        match &first.claims {
            Some(Ok((all, more))) => {
                claims(&wanted, all, *more, namespace, self.num_workers, report);
                report.done("claims");
            }
            Some(Err(error)) => report
                .not_seen
                .push(unseen(&format!("the claims {}", wanted.join(", ")), error)),
            None => {}
        }
    }

    fn judge_size(&self, runtime: &Runtime, report: &mut Report) {
        if !runtime.is_torchtune() {
            return;
        }
        // What lies on a claim is not fetched.
        let fetched = Source::model(self.model_on(runtime))
            .ok()
            .filter(|model| model.uri().is_some());
        let facts = fetched.and_then(|model| facts(model.name(), &Given::default()));
        if let Some(facts) = facts {
            size(runtime, facts.model.params, report);
        }
    }

    fn judge_quota(&self, first: &First, second: &Second, demand: &Demand, namespace: &str, report: &mut Report) {
        let quotas = match &first.quotas {
            Ok(quotas) => quotas,
            Err(error) => return report.not_seen.push(unseen("quotas", error)),
        };
        for short in quotas.short(demand) {
            let Quota { name, resource, .. } = &short.row;
            report.block(
                "quota",
                format!("take {} {resource} of the quota `{name}` in namespace `{namespace}`", short.asked),
                short.row.words(),
                "ask for less, delete or suspend a job that holds it (list_training_jobs), or ask an administrator for more",
            );
        }
        for (name, resource) in quotas.unsaid(demand) {
            match second.fills_in(resource) {
                Some(true) => {}
                Some(false) => report.block(
                    "quota",
                    format!("create pods that do not say how much {resource} they take, in namespace `{namespace}`"),
                    format!("the quota `{name}` refuses them: must specify {resource}"),
                    format!("give resources_per_node with {resource}, for example {{\"cpu\": 4, \"memory\": \"16Gi\", \"gpu\": 1}}"),
                ),
                None => report.not_seen.push(format!(
                    "whether a LimitRange says how much {resource} pods take; else the quota {name} refuses them"
                )),
            }
        }
        let scoped: Vec<String> = quotas.scoped().collect();
        if !scoped.is_empty() {
            report
                .not_seen
                .push(format!("the quotas {}: they count only some pods", scoped.join(", ")));
        }
        if quotas.more {
            report.not_seen.push("more quotas than were read".to_owned());
        }
        report.done("quota");
    }

    fn judge_room(&self, first: &First, demand: &Demand, report: &mut Report) {
        if demand.each.is_empty() {
            return;
        }
        let cluster = match &first.cluster {
            Ok(cluster) => cluster,
            Err(error) => return report.not_seen.push(unseen("devices", error)),
        };
        report.not_seen.extend(cluster.not_seen.iter().cloned());
        let complete = !cluster.not_seen.iter().any(|line| line.starts_with("nodes"));
        let ask = Ask {
            pods: demand.pods,
            each: &demand.each,
        };
        room(&cluster.nodes, cluster.load.as_ref(), complete, &ask, report);
        report.done("devices");
        let sums = capacity(&cluster.nodes, cluster.load.as_ref());
        let asked = sums
            .accelerators
            .iter()
            .filter(|device| demand.each.contains_key(&device.resource));
        let Some(per_node) = asked.clone().find_map(|device| demand.each.get(&device.resource)) else {
            return;
        };
        let per_node = u32::try_from(per_node.whole()).unwrap_or(u32::MAX);
        let Some(plan) = self.plan(per_node) else {
            return;
        };
        let layout = Layout {
            nodes: self.num_workers,
            per_node,
        };
        let verdicts: Vec<Option<Verdict>> = asked.map(|device| fit(&plan, layout, device).verdict).collect();
        if !verdicts.is_empty() && verdicts.iter().all(|verdict| *verdict == Some(Verdict::No)) {
            report.warnings.push(format!(
                "no device here likely has the memory for {}, with {} x {per_node} of them: estimate_resources says what would",
                self.model.trim(),
                self.num_workers
            ));
        }
    }
}
