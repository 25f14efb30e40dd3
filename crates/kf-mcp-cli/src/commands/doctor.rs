//! `doctor`: whether a server with these options would work, before anybody calls it. It changes nothing.
//!
//! It asks what a server would ask, as the server's own account: does the API server answer and as whom do calls act, are the
//! components there, which rights are missing, are the issuer's keys there.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use kf_mcp_core::audit::Audit;
use kf_mcp_core::kube::ActAs;
use kf_mcp_core::rbac::{self, Right};
use kf_mcp_core::{CallMeta, Check, Engine, ToolError, redact};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::clients::COMPILED;
use crate::options::{DoctorOptions, Format};
use crate::settings::{Settings, TransportKind, Unusable};
use crate::{callers, open};

/// The most lines of one finding that are printed for people.
const LINES: usize = 40;

/// How something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// As it should be.
    Ok,
    /// Some answers will say what they could not see.
    Less,
    /// Something will not work.
    Failed,
    /// Not asked; why.
    Skipped,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    check: String,
    state: State,
    /// What was found, for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lines: Vec<String>,
    /// What a tool answered.
    #[serde(skip_serializing_if = "Value::is_null")]
    answer: Value,
}

impl Finding {
    fn new(check: impl Into<String>, state: State, lines: Vec<String>) -> Self {
        let lines = lines.iter().map(|line| redact::secrets(line)).collect();
        Self {
            check: check.into(),
            state,
            lines,
            answer: Value::Null,
        }
    }

    fn skipped(check: &str, why: &str) -> Self {
        Self::new(check, State::Skipped, vec![format!("not asked: {why}")])
    }

    /// Its lines for people.
    fn text(&self) -> String {
        let state = match self.state {
            State::Ok => "ok",
            State::Less => "less",
            State::Failed => "FAILED",
            State::Skipped => "-",
        };
        let mut text = format!("{state:7} {}", self.check);
        for line in self.lines.iter().take(LINES) {
            text.push_str("\n          ");
            text.push_str(line);
        }
        if let Some(more) = self.lines.len().checked_sub(LINES).filter(|more| *more > 0) {
            text.push_str(&format!("\n          … {more} more lines"));
        }
        text
    }
}

pub(crate) async fn run(options: DoctorOptions) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(&options.serve.common, options.serve.flags(), true)?;
    let http = settings.transport == TransportKind::Http;
    if let Some(problem) = settings.auth.problem(http) {
        return Err(Unusable(problem.into()).into());
    }
    let server = open::server(&settings, Audit::default(), ActAs::Own)?;
    let findings = Doctor {
        settings: &settings,
        engine: server.engine(),
        options: &options,
    }
    .all()
    .await?;
    let failed = findings.iter().filter(|finding| finding.state == State::Failed).count();
    match options.format {
        Format::Json => {
            let all = json!({"ok": failed == 0, "checks": findings});
            super::print(&serde_json::to_string_pretty(&all)?)?;
        }
        Format::Table => {
            for finding in &findings {
                super::print(&finding.text())?;
            }
            let verdict = match failed {
                0 => "a server with these options would work".to_owned(),
                _ => format!("{failed} of {} checks failed", findings.len()),
            };
            super::print(&verdict)?;
        }
    }
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

struct Doctor<'a> {
    settings: &'a Settings,
    engine: &'a Engine,
    options: &'a DoctorOptions,
}

impl Doctor<'_> {
    async fn all(&self) -> anyhow::Result<Vec<Finding>> {
        let health = self.tool("health_check", |answer| answer["status"] == "healthy").await;
        let reached = health.state != State::Failed;
        let told = |key: &str| health.answer[key].as_str().map(str::to_owned);
        let (namespace, acts_as) = (told("namespace"), told("acts_as"));
        let mut findings = vec![health];
        let own = matches!(self.settings.auth.acts, ActAs::Own);
        for module in self.chosen() {
            findings.push(match (reached, own) {
                (false, _) => Finding::skipped(module.tool, "the API server does not answer"),
                (_, false) => Finding::skipped(module.tool, "calls act as those who call"),
                _ => self.tool(module.tool, module.holds).await,
            });
        }
        findings.push(if reached {
            let fallback = self.settings.namespace.as_deref().unwrap_or("default");
            let namespace = namespace.as_deref().unwrap_or(fallback);
            self.rights(namespace, acts_as.as_deref(), own).await
        } else {
            Finding::skipped("rights", "the API server does not answer")
        });
        if self.settings.transport == TransportKind::Http {
            findings.push(self.callers().await?);
        }
        Ok(findings)
    }

    /// How the chosen components are looked at.
    fn chosen(&self) -> impl Iterator<Item = Check> {
        let clients = &self.settings.clients;
        let chosen = COMPILED
            .iter()
            .filter(|module| clients.iter().any(|name| name == module.name()));
        chosen.filter_map(|module| module.check())
    }

    /// Calls a tool that takes no argument.
    async fn tool(&self, name: &'static str, holds: fn(&Value) -> bool) -> Finding {
        let catalogue = self.engine.catalogue();
        if catalogue.get(name).is_none() {
            return Finding::skipped(name, "the policy or the persona hides this tool");
        }
        let Some(called) = self.engine.call(name, Map::new(), CallMeta::local()).await else {
            return Finding::skipped(name, "there is no such tool");
        };
        let answer = called.answer;
        let state = if answer.is_error || !holds(&answer.structured) {
            State::Failed
        } else if answer.structured.get("not_seen").is_some() {
            State::Less
        } else {
            State::Ok
        };
        let lines = answer.text.lines().map(str::to_owned).collect();
        Finding {
            answer: answer.structured,
            ..Finding::new(name, state, lines)
        }
    }

    /// Which rights are missing, and what comes of it.
    async fn rights(&self, namespace: &str, acts_as: Option<&str>, own: bool) -> Finding {
        let reach = self.options.scope.into();
        let check = match reach {
            rbac::Reach::Namespace => format!("rights in namespace `{namespace}`"),
            rbac::Reach::Cluster => "rights in all namespaces".to_owned(),
        };
        let mut rights = rbac::of_callers(self.settings.auth.callers());
        let catalogue = self.engine.catalogue();
        if own {
            rights.extend(rbac::of_tools(catalogue.tools().iter().map(|tool| &tool.spec), reach));
        }
        let missing = match self.engine.lacks(&rights, namespace).await {
            Ok(missing) => missing,
            Err(error) => return Finding::new(check, State::Failed, vec![ToolError::from(error).to_string()]),
        };
        let mut lines = lost(&missing);
        if !own {
            lines.push("what the tools need is not asked: calls act as those who call, with their rights".to_owned());
        }
        if missing.is_empty() {
            lines.insert(0, format!("all {} are there", rights.len()));
            return Finding::new(check, State::Ok, lines);
        }
        lines.push(format!("{} of {} are missing", missing.len(), rights.len()));
        lines.push(format!(
            "whoever may grant them: {}",
            self.grant(namespace, acts_as.unwrap_or_default())
        ));
        let only_less = missing
            .iter()
            .all(|right| right.needed_by.is_empty() && !right.used_by.is_empty());
        Finding::new(check, if only_less { State::Less } else { State::Failed }, lines)
    }

    /// The command that prints the missing rights.
    fn grant(&self, namespace: &str, acts_as: &str) -> String {
        let settings = self.settings;
        let mut command = format!(
            "kubeflow-mcp rbac --clients {} --persona {} --namespace {namespace}",
            settings.clients.join(","),
            settings.persona,
        );
        if rbac::Reach::from(self.options.scope) == rbac::Reach::Cluster {
            command.push_str(" --scope cluster");
        }
        if let ActAs::Impersonate(impersonation) = &settings.auth.acts {
            command.push_str(" --impersonate");
            let groups: Vec<String> = impersonation.groups.iter().map(ToString::to_string).collect();
            for (option, values) in [("groups", &groups), ("extra", &impersonation.extra)] {
                if !values.is_empty() {
                    command.push_str(&format!(" --impersonate-{option} '{}'", values.join(",")));
                }
            }
        }
        if settings.auth.review.is_some() {
            command.push_str(" --token-review");
        }
        let account = acts_as.strip_prefix("system:serviceaccount:");
        match account.map(|account| account.replacen(':', "/", 1)) {
            Some(account) => format!("{command} --service-account {account} | kubectl apply -f -"),
            None => format!("{command} prints them for a service account; `{acts_as}` is none: bind the roles to it"),
        }
    }

    /// Who may call over HTTP.
    async fn callers(&self) -> anyhow::Result<Finding> {
        let settings = self.settings;
        let tls = settings.auth.tls.as_ref().map(callers::tls).transpose()?;
        let mut lines = vec![match tls {
            Some(_) => "the certificate and its key fit together".to_owned(),
            None => "the listener speaks plain HTTP".to_owned(),
        }];
        let Some(auth) = callers::of(settings, self.engine)? else {
            lines.push("nobody is asked who they are".to_owned());
            return Ok(Finding::new("callers", State::Ok, lines));
        };
        let mut state = State::Ok;
        if let Some((url, keys)) = auth.issuer_keys().await {
            lines.push(match keys {
                Ok(count) => format!("the issuer's keys at {url}: {count}"),
                Err(why) => {
                    state = State::Failed;
                    format!("the issuer's keys at {url} cannot be fetched: {why}")
                }
            });
        }
        Ok(Finding::new("callers", state, lines))
    }
}

/// One line for each kind of which a right is missing.
fn lost(missing: &[&Right]) -> Vec<String> {
    /// What is missing of a kind.
    #[derive(Default)]
    struct Lost<'a> {
        verbs: BTreeSet<&'a str>,
        fail: BTreeSet<&'a str>,
        less: BTreeSet<&'a str>,
    }
    let mut kinds: BTreeMap<(bool, String), Lost<'_>> = BTreeMap::new();
    for right in missing {
        let lost = kinds.entry((right.wide, right.kind())).or_default();
        lost.verbs.insert(right.verb);
        lost.fail.extend(&right.needed_by);
        lost.less.extend(&right.used_by);
    }
    let list = |words: &BTreeSet<&str>| words.iter().copied().collect::<Vec<_>>().join(", ");
    let line = |((_, kind), lost): ((bool, String), Lost<'_>)| {
        let less: BTreeSet<&str> = lost.less.difference(&lost.fail).copied().collect();
        let mut line = format!("{} {kind}: ", list(&lost.verbs));
        if lost.fail.is_empty() && less.is_empty() {
            line.push_str("the server cannot tell who calls, or act as them");
        }
        let parts = [("fails without: ", &lost.fail), ("tells less: ", &less)];
        let parts = parts.into_iter().filter(|(_, tools)| !tools.is_empty());
        let parts: Vec<String> = parts.map(|(what, tools)| what.to_owned() + &list(tools)).collect();
        line + &parts.join("; ")
    };
    kinds.into_iter().map(line).collect()
}
