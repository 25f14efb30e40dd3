//! Who may use which tools, where, and for how much.
//!
//! A [persona](persona::Persona) gives tools by phase and risk; a [`Policy`], which an operator writes in a file, takes some
//! of them away and bounds what the others may touch. What both leave to one kind of caller is an [`Allowance`]: the
//! catalogue is made by it, and the gate asks it about every request.

mod allowance;
mod file;
mod pattern;
pub mod persona;
mod role;
mod rule;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

pub use allowance::{Allowance, Refusal};
pub use file::{PolicyError, Problem};
pub use pattern::Pattern;
pub use role::Role;
pub use rule::Rule;

use self::role::Custom;
use crate::names::nearest;
use crate::policy::persona::Persona;
use crate::tool::{Risk, ToolSpec};

/// When the person is asked before a change is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequireConfirmation {
    /// `confirmed=true` is enough.
    Preview,
    /// For destructive changes, where the client can ask; else as `preview`.
    #[default]
    Destructive,
    /// For every change.
    Person,
}

/// What happens to a change that a person must confirm when the client cannot ask one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unasked {
    /// It is refused.
    #[default]
    Refuse,
    /// `confirmed=true` is enough.
    Preview,
}

/// How much one job may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Max {
    /// Nodes of one job.
    #[serde(deserialize_with = "file::some_with_value")]
    pub nodes: Option<u64>,
    /// Accelerators of one job, of any kind, over all its nodes.
    #[serde(deserialize_with = "file::some_with_value")]
    pub gpus: Option<u64>,
}

/// What a policy, or a persona of it, says about tools and what they may touch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits {
    /// Of the policy: only these. Of a persona: these too.
    pub(crate) allow: Option<Vec<Rule>>,
    pub(crate) deny: Vec<Rule>,
    pub(crate) namespaces: Option<Vec<Pattern>>,
    pub(crate) images: Option<Vec<Pattern>>,
    pub(crate) max: Max,
    pub(crate) read_only: bool,
}

/// What an operator has decided: the file, read and checked. The default allows what the personas do, everywhere.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    limits: Limits,
    /// When the person is asked.
    pub require_confirmation: RequireConfirmation,
    /// What happens when the client cannot ask.
    pub unasked: Unasked,
    /// Whether free devices may be counted over all namespaces although `namespaces` names some.
    pub cluster_capacity: bool,
    personas: BTreeMap<String, Custom>,
    origin: Option<PathBuf>,
    source: String,
}

impl Policy {
    /// A policy that allows nothing.
    pub(crate) fn nothing() -> Self {
        Self {
            limits: Limits {
                allow: Some(Vec::new()),
                ..Limits::default()
            },
            ..Self::default()
        }
    }

    /// Reads and checks a policy.
    pub fn read(file: &Path) -> Result<Self, PolicyError> {
        let text = std::fs::read_to_string(file).map_err(|error| PolicyError::unreadable(file, &error.to_string()))?;
        let mut policy = Self::parse(&text).map_err(|problems| PolicyError::of(file, problems))?;
        policy.origin = Some(file.to_owned());
        policy.source = text;
        Ok(policy)
    }

    /// Checks the text of a policy; every problem of it.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        file::parse(text)
    }

    /// The file it was read from.
    pub fn origin(&self) -> Option<&Path> {
        self.origin.as_deref()
    }

    /// The text that it was read from, to tell whether the file has another by now.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// A persona by its name: a built-in one, or one of this policy.
    pub fn role(&self, name: &str) -> Result<Role, String> {
        if let Some(persona) = Persona::ALL.into_iter().find(|persona| persona.as_str() == name) {
            return Ok(Role::built_in(persona));
        }
        if self.personas.contains_key(name) {
            return Ok(Role::custom(name, &self.personas));
        }
        let names: Vec<&str> = self.persona_names().collect();
        let near = nearest(name, names.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
        Err(format!(
            "unknown persona `{name}`: there are {}{}",
            names.join(", "),
            near.unwrap_or_default()
        ))
    }

    /// All personas: the built-in ones, then those of this policy.
    pub fn persona_names(&self) -> impl Iterator<Item = &str> {
        let built_in = Persona::ALL.into_iter().map(|persona| -> &str { persona.as_str() });
        built_in.chain(self.personas.keys().map(String::as_str))
    }

    /// What the policy leaves to a persona.
    pub fn allowance(self: &Arc<Self>, role: Role) -> Allowance {
        Allowance::new(Arc::clone(self), role)
    }

    /// What is odd about the policy, given all tools that there are: rules that mean none of them.
    pub fn warnings(&self, tools: &[ToolSpec]) -> Vec<String> {
        let of_personas = self
            .personas
            .iter()
            .map(|(name, custom)| (format!("personas.{name}."), &custom.limits));
        std::iter::once((String::new(), &self.limits))
            .chain(of_personas)
            .flat_map(|(place, limits)| {
                let lists = [
                    ("allow", limits.allow.as_deref().unwrap_or_default()),
                    ("deny", &limits.deny),
                ];
                lists.into_iter().flat_map(move |(list, rules)| {
                    let place = place.clone();
                    rules.iter().filter_map(move |rule| {
                        let why = format!("{place}{list}: {}", rule.stray(tools)?);
                        let at = rule.at();
                        Some(Problem { at, why }.to_string())
                    })
                })
            })
            .collect()
    }

    /// What has to be done before a confirmed change of this risk, for a client that can or cannot ask the person.
    pub(crate) fn before(&self, risk: Risk, can_ask: bool) -> Before {
        match self.require_confirmation {
            RequireConfirmation::Destructive if risk == Risk::Destructive && can_ask => Before::Ask,
            RequireConfirmation::Person if can_ask => Before::Ask,
            RequireConfirmation::Person if self.unasked == Unasked::Refuse => Before::Refuse,
            _ => Before::Nothing,
        }
    }
}

/// What has to be done before a confirmed change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// The confirmation is enough.
    Nothing,
    /// The person is asked.
    Ask,
    /// The person would have to be asked, and cannot be.
    Refuse,
}
