//! What the operator does not want to see in scripts, from the configuration: [`ScriptPolicy`].
//!
//! This is advice with teeth and no security boundary: the names that a script uses are read from its source, and Python
//! has a hundred ways to use a thing without naming it. What a pod may do is decided by Kubernetes: service accounts,
//! network policies, pod security.

use serde::{Deserialize, Deserializer};

use super::python::Facts;
use crate::submit::Problems;

/// The names that are told or refused: modules (`subprocess`), their members (`os.system`), built-in functions (`eval`).
/// `trainer.script_warn` and `trainer.script_deny`: lists, or texts with commas between. Empty by default.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct ScriptPolicy {
    #[serde(deserialize_with = "names")]
    script_warn: Vec<String>,
    #[serde(deserialize_with = "names")]
    script_deny: Vec<String>,
}

/// A list, or a text with commas between, as variables hold it.
fn names<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Text(String),
        List(Vec<String>),
    }
    let names = match Given::deserialize(from)? {
        Given::Text(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
        Given::List(names) => names,
    };
    Ok(names.into_iter().filter(|name: &String| !name.is_empty()).collect())
}

impl ScriptPolicy {
    /// Holds what a script uses against the lists. A name that is on both is refused.
    pub(super) fn judge(&self, facts: &Facts, problems: &mut Problems, warnings: &mut Vec<String>) {
        let found = |names: &[String]| -> Vec<String> {
            let first = |name: &String| {
                let used = facts.uses.iter().find(|used| covers(name, &used.name))?;
                Some(format!("{name} (line {})", used.line))
            };
            names.iter().filter_map(first).collect()
        };
        let denied = found(&self.script_deny);
        if !denied.is_empty() {
            let denied = denied.join(", ");
            problems.add(
                "script",
                format!("uses what the operator of this server does not allow: {denied}"),
            );
        }
        let warned = found(&self.script_warn);
        if !warned.is_empty() {
            warnings.push(format!(
                "the script uses what the operator advises against: {}",
                warned.join(", ")
            ));
        }
    }
}

/// `os` covers `os.system`, not `ossaudiodev`.
fn covers(name: &str, used: &str) -> bool {
    used.strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::super::python;
    use super::*;
    use serde_json::{Value, json};

    fn told(policy: Value, script: &str) -> (String, Vec<String>) {
        let policy: ScriptPolicy = serde_json::from_value(policy).unwrap();
        let (mut problems, mut warnings) = (Problems::default(), Vec::new());
        policy.judge(&python::read(script), &mut problems, &mut warnings);
        let denied = problems.settle("t").map_err(|error| error.answered).err();
        (denied.unwrap_or_default(), warnings)
    }

    #[test]
    fn the_operator_decides_what_is_told_and_what_is_refused() {
        let deny = json!({"script_deny": ["subprocess", "os.system", "eval"], "script_warn": "socket, urllib.request"});
        for (script, denied) in [
            ("import subprocess", true),
            ("import os, subprocess as sp\nsp.run(['ls'])", true),
            ("from subprocess import run", true),
            ("import os\nos.system('ls')", true),
            ("from os import system as s\ns('ls')", true),
            ("import os as o\no.system", true),
            ("x = eval('1')", true),
            ("import os\nos.environ['A']", false),
            ("model.eval()", false),
            ("system = 1", false),
            ("# subprocess\nx = 'os.system'", false),
        ] {
            assert_eq!(told(deny.clone(), script).0.is_empty(), !denied, "{script}");
        }
        let (denied, warned) = told(deny, "import socket\nimport torch\nfrom urllib import request");
        assert_eq!(denied, "");
        assert_eq!(
            warned,
            ["the script uses what the operator advises against: socket (line 1), urllib.request (line 3)"]
        );
        assert_eq!(told(json!({}), "import subprocess"), (String::new(), Vec::new()));
    }
}
