//! `doctor`: whether a server with these options would work, before anybody calls it. It changes nothing.
//!
//! It asks what a server would ask, as the server's own account: does the API server answer and as whom do calls act, are the
//! components there, which rights are missing, are the issuer's keys there.

mod finding;
mod rights;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use kf_mcp_core::audit::Audit;
use kf_mcp_core::kube::ActAs;
use kf_mcp_core::kube::resources::NAMESPACES;
use kf_mcp_core::rbac::{self, Callers, Reach, Right, Where};
use kf_mcp_core::{CallMeta, Check, Engine};
use kf_mcp_server::auth::Auth;
use serde_json::{Map, Value, json};

use self::finding::{Finding, State};
use self::rights::Rights;
use crate::clients::COMPILED;
use crate::options::{DoctorOptions, Format};
use crate::settings::{Settings, TransportKind, Unusable};
use crate::{callers, open};

/// The most namespaces in which rights are asked.
const MOST_NAMESPACES: usize = 10;

pub(crate) async fn run(options: DoctorOptions) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(&options.serve.common, options.serve.flags(), true)?;
    let http = settings.transport == TransportKind::Http;
    if let Some(problem) = settings.auth.problem(http) {
        return Err(Unusable(problem.into()).into());
    }
    open::try_audit(&settings)?;
    let server = open::server(&settings, Audit::default(), ActAs::Own)?;
    // what `serve` would not start with ends this too, before anybody is asked anything
    let listener = http.then(|| Listener::of(&settings, server.engine())).transpose()?;
    let auth = listener.as_ref().and_then(|listener| listener.auth.as_deref());
    let mut personas = auth.map(Auth::personas).unwrap_or_default();
    personas.remove(&settings.persona);
    let doctor = Doctor {
        settings: &settings,
        engine: server.engine(),
        reach: options.scope.into(),
        personas,
    };
    let mut findings = doctor.all().await?;
    if let Some(listener) = &listener {
        findings.push(listener.finding().await);
    }
    tell(&findings, options.format)
}

/// Prints what was found; the exit code says whether something failed.
fn tell(findings: &[Finding], format: Format) -> anyhow::Result<ExitCode> {
    let count = |state: State| findings.iter().filter(|finding| finding.state == state).count();
    let (all, failed, skipped) = (findings.len(), count(State::Failed), count(State::Skipped));
    match format {
        Format::Json => {
            let all = json!({"ok": failed == 0, "checks": findings});
            super::print(&serde_json::to_string_pretty(&all)?)?;
        }
        Format::Table => {
            for finding in findings {
                super::print(&finding.text())?;
            }
            super::print(&match (failed, skipped) {
                (0, 0) => "a server with these options would work".to_owned(),
                (0, _) => format!("what was asked would work; {skipped} of {all} were not asked"),
                _ => format!("{failed} of {all} checks failed"),
            })?;
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
    reach: Reach,
    /// The personas that callers come with, beside the default one.
    personas: BTreeSet<String>,
}

/// What is known of a cluster that answers.
struct Cluster {
    namespace: String,
    acts_as: Option<String>,
}

impl Doctor<'_> {
    async fn all(&self) -> anyhow::Result<Vec<Finding>> {
        let (cluster, found) = self.cluster().await;
        let mut findings = vec![cluster];
        let Some(found) = found else {
            let why = "the cluster could not be asked";
            findings.extend(self.checks().map(|check| Finding::skipped(check.tool, why)));
            findings.push(Finding::skipped("rights", why));
            return Ok(findings);
        };
        let own = self.callers().act_as_the_server();
        // what a component is does not depend on what agents may do with it
        let unbound = self.engine.with_catalogues(open::unbound(self.settings)?);
        for check in self.checks() {
            findings.push(if own {
                component(&unbound, check).await
            } else {
                Finding::skipped(check.tool, "calls act as those who call")
            });
        }
        self.rights(&found, &mut findings).await?;
        Ok(findings)
    }

    /// How callers are treated.
    fn callers(&self) -> Callers<'_> {
        self.settings.auth.callers()
    }

    /// How the chosen components are looked at.
    fn checks(&self) -> impl Iterator<Item = Check> {
        let clients = &self.settings.clients;
        let chosen = COMPILED
            .iter()
            .filter(|module| clients.iter().any(|name| name == module.name()));
        chosen.filter_map(|module| module.check())
    }

    /// Whether the API server answers, and as whom the process acts.
    async fn cluster(&self) -> (Finding, Option<Cluster>) {
        let kube = self.engine.examiner();
        let (version, acting, defaults) = tokio::join!(kube.version(), kube.acts_as(), kube.defaults());
        let (version, (namespace, server)) = match (version, defaults) {
            (Ok(version), Ok(defaults)) => (version, defaults),
            (Err(error), _) | (_, Err(error)) => return (Finding::failed("cluster", error), None),
        };
        let mut lines = vec![
            format!("server: {server}"),
            format!("kubernetes: {}", version["gitVersion"].as_str().unwrap_or("unknown")),
            format!("namespace of calls that name none: {namespace}"),
        ];
        // servers before Kubernetes 1.28 do not say who one is
        let acts_as = acting.ok().map(|acting| acting.username);
        lines.push(match (&self.settings.auth.acts, &acts_as) {
            (ActAs::Own, Some(user)) => format!("calls act as: {user}"),
            (ActAs::Own, None) => "as whom calls act could not be asked".to_owned(),
            (_, Some(user)) => format!("calls act as those who call; the server itself is {user}"),
            (_, None) => "calls act as those who call; who the server itself is could not be asked".to_owned(),
        });
        let mut state = State::Ok;
        let default = self.engine.catalogue();
        if let Err(refusal) = default.allowance().namespace(&namespace) {
            state = State::Less;
            lines.push(format!("calls that name no namespace are refused: {}", refusal.why));
        }
        let there = kube.get::<Value>(&NAMESPACES, None, &namespace).await;
        if there.is_err_and(|error| error.is_not_found()) {
            state = State::Less;
            lines.push(format!(
                "there is no namespace `{namespace}`: --namespace names another"
            ));
        }
        (
            Finding::new("cluster", state, lines),
            Some(Cluster { namespace, acts_as }),
        )
    }

    /// Which rights are missing.
    async fn rights(&self, found: &Cluster, findings: &mut Vec<Finding>) -> anyhow::Result<()> {
        let catalogue = self.engine.catalogue();
        let bound = catalogue.allowance().binds_namespaces();
        // a policy that names namespaces lets nothing out that asks about all of them
        let reach = if bound { Reach::Namespace } else { self.reach };
        let rights = Rights {
            settings: self.settings,
            engine: self.engine,
            reach,
            personas: &self.personas,
            acts_as: found.acts_as.as_deref(),
        };
        let callers = rbac::of_callers(self.callers());
        if !callers.is_empty() {
            let check = "rights to know callers and to act as them".to_owned();
            findings.push(rights.ask(check, &callers, &found.namespace).await);
        }
        if !self.callers().act_as_the_server() {
            let why = "calls act as those who call, with their rights";
            findings.push(Finding::skipped("rights of the tools", why));
            return Ok(());
        }
        let specs = open::specs(self.engine.catalogues(), self.personas.iter().map(String::as_str))?;
        let needed = rbac::of_tools(specs.values(), reach, &self.settings.sections);
        let (narrow, wide): (Vec<Right>, Vec<Right>) =
            needed.into_iter().partition(|right| right.place == Where::Calls);
        let (named, patterns) = catalogue.allowance().named_namespaces();
        let allowed = |name: &&str| catalogue.allowance().namespace(name).is_ok();
        let mut namespaces: BTreeSet<&str> = Some(found.namespace.as_str()).filter(allowed).into_iter().collect();
        if bound {
            namespaces.extend(named);
        }
        if !narrow.is_empty() {
            for namespace in namespaces.iter().take(MOST_NAMESPACES) {
                let check = format!("rights in namespace `{namespace}`");
                findings.push(rights.ask(check, &narrow, namespace).await);
            }
            let more = namespaces.len() > MOST_NAMESPACES || bound && patterns;
            if more {
                let why = "the policy allows more namespaces: --namespace looks at one";
                findings.push(Finding::skipped("rights in other namespaces", why));
            }
        }
        if !wide.is_empty() {
            let check = "rights in the whole cluster and in namespaces of components".to_owned();
            let namespace = namespaces.first().unwrap_or(&found.namespace.as_str()).to_owned();
            findings.push(rights.ask(check, &wide, namespace).await);
        }
        Ok(())
    }
}

/// Whether a component is there.
async fn component(engine: &Engine, check: Check) -> Finding {
    match engine.call(check.tool, Map::new(), CallMeta::local()).await {
        Some(called) => Finding::of(check.tool, check.holds, &called.answer),
        None => Finding::skipped(check.tool, "there is no such tool"),
    }
}

/// What is served over HTTP, and to whom.
struct Listener {
    tls: bool,
    auth: Option<Arc<Auth>>,
}

impl Listener {
    fn of(settings: &Settings, engine: &Engine) -> Result<Self, Unusable> {
        Ok(Self {
            tls: settings.auth.tls.as_ref().map(callers::tls).transpose()?.is_some(),
            auth: callers::of(settings, engine)?,
        })
    }

    async fn finding(&self) -> Finding {
        let tls = if self.tls {
            "its certificate and key fit together"
        } else {
            "it speaks plain HTTP"
        };
        let mut lines = vec![tls.to_owned()];
        let mut state = State::Ok;
        match &self.auth {
            None => lines.push("nobody is asked who they are".to_owned()),
            Some(auth) => {
                if let Some((url, keys)) = auth.issuer_keys().await {
                    lines.push(match keys {
                        Ok(count) => format!("keys of the issuer at {url}: {count}"),
                        Err(why) => {
                            state = State::Failed;
                            format!("keys of the issuer at {url}: {why}")
                        }
                    });
                }
            }
        }
        Finding::new("listener", state, lines)
    }
}
