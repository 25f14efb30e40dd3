//! [`Allowance`]: what a policy leaves to one persona.

use std::sync::Arc;

use super::pattern::{self, names_image};
use super::persona::Persona;
use super::{Limits, Pattern, Policy, Role, rule};
use crate::error::{ErrorCode, ToolError};
use crate::tool::{Cost, Phase, Risk, ToolSpec};

/// Why something is not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule, in words.
    pub why: String,
    /// What can be done.
    pub fix: String,
}

impl Refusal {
    /// The refusal as the error of a call.
    pub fn error(self, asked: impl Into<String>) -> ToolError {
        ToolError::new(ErrorCode::DeniedByPolicy, asked, self.why).fix(self.fix)
    }
}

/// What a policy leaves to one persona.
#[derive(Debug, Clone)]
pub struct Allowance {
    policy: Arc<Policy>,
    role: Role,
}

impl Allowance {
    pub(super) fn new(policy: Arc<Policy>, role: Role) -> Self {
        Self { policy, role }
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn shared_policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy)
    }

    /// The persona.
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// The rule by which a tool may be used, in words, or why it may not. Deny beats allow, and the policy beats the persona.
    pub fn tool(&self, spec: &ToolSpec) -> Result<String, Refusal> {
        let refused = |why: String, fix: String| Err(Refusal { why, fix });
        let name = self.role.name();
        if spec.risk != Risk::Read {
            if self.policy.limits.read_only {
                let fix = "the operator can take read_only out of the policy".to_owned();
                return refused("the policy is read_only".into(), fix);
            }
            if self.role.layers.iter().any(|layer| layer.read_only) {
                let fix = "the operator can take read_only out of the persona".to_owned();
                return refused(format!("the persona `{name}` is read_only"), fix);
            }
        }
        if let Some(rule) = rule::of(&self.policy.limits.deny, spec) {
            let fix = format!("the operator can take `{rule}` out of the policy's deny");
            return refused(format!("the policy denies `{rule}`"), fix);
        }
        let denied = self.role.layers.iter().find_map(|layer| rule::of(&layer.deny, spec));
        if let Some(rule) = denied {
            let fix = format!("the operator can take `{rule}` out of the persona's deny");
            return refused(format!("the persona `{name}` denies `{rule}`"), fix);
        }
        let only = match &self.policy.limits.allow {
            None => None,
            Some(rules) => match rule::of(rules, spec) {
                Some(rule) => Some(rule),
                None => {
                    let fix = format!("the operator can add `{}` to the policy's allow", spec.name);
                    return refused(format!("the policy allows only {}", rule::words(rules)), fix);
                }
            },
        };
        let given = if self.role.base.is_some_and(|base| base.may(spec)) {
            Some(format!("the persona `{name}`"))
        } else {
            let layers = self.role.layers.iter();
            let mut extra = layers.filter_map(|layer| rule::of(layer.allow.as_deref()?, spec));
            extra.next().map(|rule| format!("the persona `{name}` allows `{rule}`"))
        };
        match (given, only) {
            (Some(given), None) => Ok(given),
            (Some(given), Some(rule)) => Ok(format!("{given}, the policy allows `{rule}`")),
            (None, _) => refused(
                format!(
                    "the persona `{name}` may not use it: it belongs to {} and its risk is {}",
                    spec.phase.as_str(),
                    spec.risk.as_str()
                ),
                format!("the operator can choose --persona {}", Persona::least(spec)),
            ),
        }
    }

    /// Whether calls of a tool may change only what the same caller made.
    pub fn only_own(&self, spec: &ToolSpec) -> bool {
        spec.phase == Phase::Lifecycle && spec.risk != Risk::Read && !self.role.changes_all()
    }

    /// Whether calls are bound to some namespaces.
    pub fn binds_namespaces(&self) -> bool {
        self.limits().any(|limits| limits.namespaces.is_some())
    }

    /// Whether a call may touch a namespace.
    pub fn namespace(&self, name: &str) -> Result<(), Refusal> {
        let fits = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(name));
        match self.outside(|limits| limits.namespaces.as_deref(), fits) {
            None => Ok(()),
            Some(patterns) => Err(Refusal {
                why: format!(
                    "the policy keeps this to the namespaces {}; `{name}` is none of them",
                    pattern::words(patterns)
                ),
                fix: "name one of those with `namespace`: list_namespaces shows them".into(),
            }),
        }
    }

    /// The namespaces of the rule that need not be looked for, as they are written without wildcards; and whether there are
    /// patterns as well.
    pub fn named_namespaces(&self) -> (Vec<&str>, bool) {
        let rules = || self.limits().filter_map(|limits| limits.namespaces.as_deref());
        let literals = rules().flatten().filter_map(Pattern::literal);
        let named = literals.filter(|name| self.namespace(name).is_ok());
        // one rule without wildcards names all that there can be
        let patterns = rules().all(|rule| rule.iter().any(|pattern| pattern.literal().is_none()));
        (named.collect(), patterns)
    }

    /// Whether a call may name an image.
    pub fn image(&self, image: &str) -> Result<(), Refusal> {
        let fits = |patterns: &[Pattern]| names_image(patterns, image);
        match self.outside(|limits| limits.images.as_deref(), fits) {
            None => Ok(()),
            Some(patterns) => Err(Refusal {
                why: format!(
                    "the policy allows the images {}; `{image}` is none of them",
                    pattern::words(patterns)
                ),
                fix: "use one of those, or none: the runtime brings its own".into(),
            }),
        }
    }

    /// Whether images are bound.
    pub(crate) fn binds_images(&self) -> bool {
        self.limits().any(|limits| limits.images.is_some())
    }

    /// Whether a plan may take so much.
    pub fn cost(&self, cost: &Cost) -> Result<(), Refusal> {
        let devices = cost.devices();
        for limits in self.limits() {
            let bounds = [
                ("nodes", cost.nodes, limits.max.nodes),
                ("accelerators (max.gpus)", devices, limits.max.gpus),
            ];
            for (what, wanted, most) in bounds {
                if let Some(most) = most.filter(|most| wanted > *most) {
                    return Err(Refusal {
                        why: format!("the policy allows a job at most {most} {what}; this one would take {wanted}"),
                        fix: "ask for fewer, or ask the operator for a higher `max` in the policy".into(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Whether sums over all namespaces may be made, such as free devices, although only some may be used.
    pub fn counts_cluster(&self) -> bool {
        self.policy.cluster_capacity
    }

    /// The first of the rules that something does not fit.
    fn outside<'a>(
        &'a self,
        of: impl Fn(&'a Limits) -> Option<&'a [Pattern]>,
        fits: impl Fn(&[Pattern]) -> bool,
    ) -> Option<&'a [Pattern]> {
        self.limits().filter_map(of).find(|patterns| !fits(patterns))
    }

    /// What the persona says, from its own words to those it inherits, then the policy.
    fn limits(&self) -> impl Iterator<Item = &Limits> {
        self.role.layers.iter().chain(std::iter::once(&self.policy.limits))
    }
}
