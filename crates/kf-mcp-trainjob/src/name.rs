//! [`JobName`], and how long a name may be so that the pods of the job still get theirs.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::runtime::{Policy, Runtime};

/// What the name of a training job looks like.
pub const NAME_PATTERN: &str = "^[a-z]([-a-z0-9]*[a-z0-9])?$";
/// The longest label, and so the longest name of a pod that is also a host name.
const MOST: usize = 63;

/// The name of a training job: at most 63 characters a-z, 0-9 and `-`, beginning with a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct JobName(String);

impl JobName {
    /// Checks a name.
    pub fn new(name: impl Into<String>) -> Result<Self, String> {
        let name = name.into();
        let good = name.len() <= MOST
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && name
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
        if good {
            return Ok(Self(name));
        }
        let shown: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
        Err(format!(
            "`{shown}` is not the name of a training job: at most {MOST} characters a-z, 0-9 and `-`, beginning with a \
             letter and ending with a letter or digit"
        ))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::ops::Deref for JobName {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for JobName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(from)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for JobName {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "JobName".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": NAME_PATTERN, "maxLength": MOST})
    }
}

/// The longest name of a job on a runtime with that many nodes: pods are called `NAME-PART-0-INDEX-abcde` and that must
/// be a label. Trainer accepts longer names and then never makes a pod of them.
pub fn max_name_length(runtime: &Runtime, nodes: u32) -> usize {
    let longest = |part: &str, pods: u32| {
        let index = pods.saturating_sub(1).to_string().len();
        MOST.saturating_sub(part.len() + index + "--0--abcde".len())
    };
    let parts = runtime.replicated_jobs.iter().map(|part| {
        let pods = match (part.name.as_str(), runtime.policy) {
            ("node", Policy::Mpi) => nodes.saturating_sub(1).max(1),
            _ if part.trains() => nodes,
            _ => part.parallelism,
        };
        longest(&part.name, pods)
    });
    parts.min().unwrap_or_else(|| longest("node", nodes))
}

/// A name from an image: `ghcr.io/team/BERT_train:1` and `x7k2q` give `bert-train-x7k2q`.
pub fn generated_name(image: &str, seed: &str, most: usize) -> String {
    let path = image.split('@').next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let base = last.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let mut name = String::new();
    for c in base.chars() {
        match c {
            'a'..='z' => name.push(c),
            '0'..='9' | '-' | '_' | '.' if name.is_empty() => {}
            '0'..='9' => name.push(c),
            _ if !name.is_empty() && !name.ends_with('-') => name.push('-'),
            _ => {}
        }
    }
    name.truncate(most.saturating_sub(seed.len() + 1).min(30));
    let name = name.trim_end_matches('-');
    if name.is_empty() {
        format!("job-{seed}")
    } else {
        format!("{name}-{seed}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::RuntimeScope;
    use serde_json::json;

    #[test]
    fn names_begin_with_a_letter() {
        for good in ["a", "bert-1", &"a".repeat(63)] {
            assert!(JobName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "1a", "-a", "a-", "A", "a.b", "a_b", "../a", &"a".repeat(64)] {
            assert!(JobName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_longest_name_depends_on_the_parts_of_the_runtime() {
        let with = |policy: &str, parts: &[&str], trains: &str| {
            let parts: Vec<_> = parts
                .iter()
                .map(|part| {
                    let labels = if *part == trains {
                        json!({"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"})
                    } else {
                        json!({})
                    };
                    json!({"name": part, "template": {"metadata": {"labels": labels}}})
                })
                .collect();
            let value = json!({"spec": {"mlPolicy": {policy: {}}, "template": {"spec": {"replicatedJobs": parts}}}});
            Runtime::from_value(&value, RuntimeScope::Cluster)
        };
        let torch = with("torch", &["node"], "node");
        let tune = with("torch", &["dataset-initializer", "model-initializer", "node"], "node");
        let model = with("torch", &["model-initializer", "node"], "node");
        let mpi = with("mpi", &["node", "launcher"], "launcher");
        for (runtime, nodes, most) in [
            (&torch, 1, 48),
            (&torch, 10, 48),
            (&torch, 11, 47),
            (&torch, 101, 46),
            (&tune, 1, 33),
            (&model, 1, 35),
            (&mpi, 2, 44),
        ] {
            assert_eq!(max_name_length(runtime, nodes), most, "{nodes}");
        }
        assert_eq!(max_name_length(&Runtime::default(), 1), 48);
    }

    #[test]
    fn names_are_made_of_images() {
        for (image, name) in [
            ("ghcr.io/team/BERT_train:1", "bert-train-x7k2q"),
            ("localhost:5000/train@sha256:00ff", "train-x7k2q"),
            ("123", "job-x7k2q"),
            ("9lives.v2", "lives-v2-x7k2q"),
            (
                "a/averyveryveryveryverylongnameofanimage",
                "averyveryveryveryverylongnameo-x7k2q",
            ),
        ] {
            assert_eq!(generated_name(image, "x7k2q", 48), name);
            assert!(JobName::new(name).is_ok());
        }
        assert_eq!(generated_name("abcdefghij", "x7k2q", 10), "abcd-x7k2q");
    }
}
