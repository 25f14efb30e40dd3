//! [`Role`]: a persona as it is used, built in or of a policy.

use std::collections::BTreeMap;

use super::Limits;
use super::persona::Persona;

/// A persona of a policy.
#[derive(Debug, Clone, Default)]
pub(super) struct Custom {
    pub(super) inherit: Option<String>,
    pub(super) limits: Limits,
}

/// A persona with everything it inherits.
#[derive(Debug, Clone)]
pub struct Role {
    name: String,
    /// The built-in persona at its root; none for one that inherits nothing.
    pub(super) base: Option<Persona>,
    /// What it and those it inherits from say, its own first.
    pub(super) layers: Vec<Limits>,
}

impl Role {
    /// A built-in persona.
    pub fn built_in(persona: Persona) -> Self {
        Self {
            name: persona.as_str().to_owned(),
            base: Some(persona),
            layers: Vec::new(),
        }
    }

    /// A persona of a policy, which was checked: it inherits from what is there, and never from itself.
    pub(super) fn custom(name: &str, personas: &BTreeMap<String, Custom>) -> Self {
        let mut role = Self {
            name: name.to_owned(),
            base: None,
            layers: Vec::new(),
        };
        let mut next = Some(name);
        while let Some(custom) = next.and_then(|name| personas.get(name)) {
            role.layers.push(custom.limits.clone());
            next = custom.inherit.as_deref();
        }
        role.base = next.and_then(|name| name.parse().ok());
        role
    }

    /// The name, as the configuration says it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it may change what others made.
    pub(super) fn changes_all(&self) -> bool {
        self.base.is_some_and(Persona::changes_all)
    }
}

impl From<Persona> for Role {
    fn from(persona: Persona) -> Self {
        Self::built_in(persona)
    }
}
