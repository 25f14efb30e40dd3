//! The rights that are missing: what comes of it, and the command that prints them.

use std::collections::{BTreeMap, BTreeSet};

use kf_mcp_core::Engine;
use kf_mcp_core::kube::ActAs;
use kf_mcp_core::rbac::{self, Reach, Right};

use super::finding::{Finding, State};
use crate::settings::Settings;

/// Who asks for rights, and for what.
pub(super) struct Rights<'a> {
    pub(super) settings: &'a Settings,
    pub(super) engine: &'a Engine,
    pub(super) reach: Reach,
    /// The personas that callers come with, beside the default one.
    pub(super) personas: &'a BTreeSet<String>,
    /// As whom the server acts, where the API server says so.
    pub(super) acts_as: Option<&'a str>,
}

impl Rights<'_> {
    /// Whether some rights are there; those that are not wide in a namespace.
    pub(super) async fn ask(&self, check: String, rights: &[Right], namespace: &str) -> Finding {
        let missing = match rbac::missing(&self.engine.examiner(), rights, namespace).await {
            Ok(missing) => missing,
            Err(error) => return Finding::failed(check, error),
        };
        let count = rights.len();
        if missing.is_empty() {
            return Finding::new(check, State::Ok, vec![format!("all {count} are there")]);
        }
        let mut lines = vec![format!(
            "{} of {count} are missing; {}",
            missing.len(),
            self.grant(namespace)
        )];
        lines.extend(lost(&missing));
        let does_without = |right: &&Right| right.needed_by.is_empty() && !is_of_callers(right);
        let state = if missing.iter().all(does_without) {
            State::Less
        } else {
            State::Failed
        };
        Finding::new(check, state, lines)
    }

    /// How to get them.
    fn grant(&self, namespace: &str) -> String {
        let settings = self.settings;
        let mut words = vec!["kubeflow-mcp".to_owned(), "rbac".to_owned()];
        let mut option = |name: &str, value: &str| words.extend([format!("--{name}"), quoted(value)]);
        option("clients", &settings.clients.join(","));
        option("persona", &settings.persona);
        if !self.personas.is_empty() {
            let personas: Vec<&str> = self.personas.iter().map(String::as_str).collect();
            option("also-for", &personas.join(","));
        }
        if let Some(policy) = &settings.policy {
            option("policy", &policy.display().to_string());
        }
        option("namespace", namespace);
        if self.reach == Reach::Cluster {
            option("scope", "cluster");
        }
        match &settings.auth.acts {
            ActAs::Own => {}
            ActAs::Token => option("identity", "token"),
            ActAs::Impersonate(impersonation) => {
                option("identity", "impersonate");
                let groups: Vec<String> = impersonation.groups.iter().map(ToString::to_string).collect();
                for (name, values) in [("groups", &groups), ("extra", &impersonation.extra)] {
                    if !values.is_empty() {
                        option(&format!("impersonate-{name}"), &values.join(","));
                    }
                }
            }
        }
        let account = self
            .acts_as
            .and_then(|user| user.strip_prefix("system:serviceaccount:"));
        if let Some(account) = account {
            option("service-account", &account.replacen(':', "/", 1));
        }
        if settings.auth.review.is_some() {
            words.push("--token-review".to_owned());
        }
        let command = words.join(" ");
        match (account, self.acts_as) {
            (Some(_), _) => format!("whoever may grant them: {command} | kubectl apply -f -"),
            (None, Some(user)) => {
                format!(
                    "{command} prints them for a service account; for `{user}` its roles have to be bound to that user"
                )
            }
            (None, None) => format!("{command} prints them for a service account"),
        }
    }
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || ",._/:=@+-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Whether a right is the server's own, and no tool's.
fn is_of_callers(right: &Right) -> bool {
    right.needed_by.is_empty() && right.needed_with.is_empty() && right.used_by.is_empty()
}

/// One line for each kind of which a right is missing.
fn lost(missing: &[&Right]) -> Vec<String> {
    /// What is missing of a kind.
    #[derive(Default)]
    struct Lost<'a> {
        verbs: BTreeSet<&'a str>,
        fails: BTreeSet<&'a str>,
        fails_with: BTreeSet<(&'a str, &'a str)>,
        less: BTreeSet<&'a str>,
    }
    let mut lines = Vec::new();
    let mut kinds: BTreeMap<String, Lost<'_>> = BTreeMap::new();
    for right in missing {
        if is_of_callers(right) {
            lines.push(format!("{} {}: {}", right.verb, right.kind(), without(right)));
            continue;
        }
        let lost = kinds.entry(right.kind()).or_default();
        lost.verbs.insert(right.verb);
        lost.fails.extend(&right.needed_by);
        lost.fails_with.extend(&right.needed_with);
        lost.less.extend(&right.used_by);
    }
    let list = |words: &BTreeSet<&str>| words.iter().copied().collect::<Vec<_>>().join(", ");
    lines.extend(kinds.into_iter().map(|(kind, lost)| {
        let less = lost.less.difference(&lost.fails).copied().collect();
        let mut parts: Vec<String> = [("fails without: ", &lost.fails), ("tells less: ", &less)]
            .into_iter()
            .filter(|(_, tools)| !tools.is_empty())
            .map(|(what, tools)| what.to_owned() + &list(tools))
            .collect();
        let mut arguments: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (tool, argument) in lost.fails_with {
            arguments.entry(argument).or_default().insert(tool);
        }
        parts.extend(
            arguments
                .iter()
                .map(|(argument, tools)| format!("fails with `{argument}`: {}", list(tools))),
        );
        format!("{} {kind}: {}", list(&lost.verbs), parts.join("; "))
    }));
    lines
}

/// What does not work without a right of the server's own.
fn without(right: &Right) -> String {
    match (&*right.resource, &right.name) {
        ("tokenreviews", _) => "callers' tokens of the cluster are not accepted".to_owned(),
        ("groups", Some(name)) => format!("no call can be made for members of `{name}`"),
        ("groups", None) => "no call can be made for members of the groups that are handed on".to_owned(),
        ("serviceaccounts" | "uids", _) => "no call can be made for callers that the cluster has named".to_owned(),
        ("users", _) => "no call can be made for anybody".to_owned(),
        (extra, _) => format!(
            "no call can be made for callers with {}",
            extra.trim_start_matches("userextras/")
        ),
    }
}
