//! [`Rights`]: what the caller may do in a namespace, as far as a rules review tells.

use kf_mcp_core::kube::meta::null_is_empty;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Report;

const CHECK: &str = "rights";
/// What following a job takes: verb, group, resource, and the tool.
const FOLLOW: [(&str, &str, &str, &str); 4] = [
    ("get", "trainer.kubeflow.org", "trainjobs", "get_training_job"),
    ("list", "", "pods", "get_training_job"),
    ("get", "", "pods/log", "get_training_logs"),
    ("list", "", "events", "get_training_events"),
];

/// A SelfSubjectRulesReview that was answered.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Rights {
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    #[serde(deserialize_with = "null_is_empty")]
    resource_rules: Vec<Rule>,
    incomplete: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rule {
    #[serde(deserialize_with = "null_is_empty")]
    verbs: Vec<String>,
    #[serde(deserialize_with = "null_is_empty")]
    api_groups: Vec<String>,
    #[serde(deserialize_with = "null_is_empty")]
    resources: Vec<String>,
    #[serde(deserialize_with = "null_is_empty")]
    resource_names: Vec<String>,
}

impl Rule {
    fn allows(&self, verb: &str, group: &str, resource: &str) -> bool {
        let any = |list: &[String], word: &str| list.iter().any(|entry| entry == "*" || entry == word);
        let part = resource.split_once('/').map(|(_, part)| format!("*/{part}"));
        any(&self.verbs, verb)
            && any(&self.api_groups, group)
            && (any(&self.resources, resource) || part.is_some_and(|part| self.resources.contains(&part)))
            && self.resource_names.is_empty()
    }
}

impl Rights {
    /// The question.
    pub(crate) fn question(namespace: &str) -> Value {
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}})
    }

    /// The question that is decided and not listed: whether jobs may be created.
    pub(crate) fn to_submit(namespace: &str) -> Value {
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": {
            "namespace": namespace, "verb": "create", "group": "trainer.kubeflow.org", "resource": "trainjobs"}}})
    }

    fn may(&self, verb: &str, group: &str, resource: &str) -> bool {
        self.status
            .resource_rules
            .iter()
            .any(|rule| rule.allows(verb, group, resource))
    }

    /// Whether the rules allow to create jobs. When they do not, the list may still be too short.
    pub(crate) fn may_submit(&self) -> bool {
        self.may("create", "trainer.kubeflow.org", "trainjobs")
    }

    /// What the caller could not follow of a job.
    pub(crate) fn follow(&self, report: &mut Report) {
        if self.status.incomplete {
            return;
        }
        for (verb, group, resource, tool) in FOLLOW {
            if !self.may(verb, group, resource) {
                report.warnings.push(format!(
                    "you may not {verb} {resource}: {tool} would not tell all of the job"
                ));
            }
        }
    }

    /// Says that jobs may not be created.
    pub(crate) fn refuse(report: &mut Report, namespace: &str) {
        report.block(
            CHECK,
            format!("create trainjobs.trainer.kubeflow.org in namespace `{namespace}`"),
            "a SelfSubjectAccessReview says no",
            format!(
                "ask an administrator of the cluster for: kubectl -n {namespace} create rolebinding training --clusterrole=\
                 kubeflow-trainer-edit --user=YOU"
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(rules: Value, incomplete: bool) -> Rights {
        serde_json::from_value(json!({"status": {"resourceRules": rules, "incomplete": incomplete}})).unwrap()
    }

    #[test]
    fn rules_allow_what_they_name() {
        let rule = |verb: &str, group: &str, resource: &str, names: Value| json!([{"verbs": [verb], "apiGroups": [group], "resources": [resource], "resourceNames": names}]);
        for (rules, may) in [
            (rule("create", "trainer.kubeflow.org", "trainjobs", json!(null)), true),
            (rule("*", "*", "*", json!([])), true),
            (
                rule("create", "trainer.kubeflow.org", "trainjobs", json!(["one"])),
                false,
            ),
            (rule("create", "", "trainjobs", json!([])), false),
            (rule("get", "trainer.kubeflow.org", "trainjobs", json!([])), false),
            (
                rule("create", "trainer.kubeflow.org", "trainjobs/status", json!([])),
                false,
            ),
        ] {
            assert_eq!(rights(rules.clone(), false).may_submit(), may, "{rules}");
        }
        let logs = rights(rule("get", "", "*/log", json!([])), false);
        assert!(logs.may("get", "", "pods/log"));
    }

    #[test]
    fn what_could_not_be_followed_is_warned_of_unless_the_list_is_incomplete() {
        let warned = |incomplete| {
            let mut report = Report::default();
            rights(json!(null), incomplete).follow(&mut report);
            report.warnings.len()
        };
        assert_eq!((warned(false), warned(true)), (4, 0));
    }
}
