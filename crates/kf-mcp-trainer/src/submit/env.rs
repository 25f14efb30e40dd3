//! Variables of the training container: plain values, references, and secrets that must not be written down.

use kf_mcp_core::names::is_subdomain;
use kf_mcp_core::redact;
use kf_mcp_trainjob::env_name;
use serde_json::{Map, Value, json};

use super::check::{MOST_BYTES, too_long};
use super::{Problems, Wishes};

/// As many as Trainer takes.
const MOST: usize = 128;
/// Where a value can come from.
const SOURCES: [&str; 4] = ["secretKeyRef", "configMapKeyRef", "fieldRef", "resourceFieldRef"];

/// The variables as Kubernetes writes them, in the order of their names.
pub(super) fn variables(wishes: &Wishes, problems: &mut Problems) -> Vec<Value> {
    let count = wishes.env().count();
    if count > MOST {
        problems.add("env", format!("has {count} variables, at most {MOST} are possible"));
    }
    let mut variables = Vec::new();
    for (name, value) in wishes.env() {
        let field = format!("env.{name}");
        if let Err(why) = env_name(name) {
            problems.add(&field, why);
            continue;
        }
        match value {
            Value::Object(source) => match reference(source) {
                Ok(source) => variables.push(json!({"name": name, "valueFrom": source})),
                Err(why) => problems.add(&field, why),
            },
            Value::Array(_) => problems.add(&field, "must be a text or a reference"),
            Value::Null => problems.add(&field, "is null: leave it out, or give a text"),
            plain => {
                let text = plain.as_str().map_or_else(|| plain.to_string(), str::to_owned);
                if is_clear_secret(name, &text) {
                    problems.add(
                        &field,
                        "looks like a secret and would be readable in the job by everybody",
                    );
                    problems.fix(concat!(
                        "put the value into a Secret of the namespace and give a reference, for example ",
                        r#"env {"HF_TOKEN": {"secretKeyRef": {"name": "SECRET", "key": "KEY"}}}"#
                    ));
                    continue;
                }
                // With its name and the sign between them.
                if name.len() + text.len() + 1 > MOST_BYTES {
                    problems.add(&field, too_long(text.len()));
                    continue;
                }
                variables.push(json!({"name": name, "value": text}));
            }
        }
    }
    variables
}

/// `{"secretKeyRef": …}`, or the same inside `valueFrom`.
fn reference(source: &Map<String, Value>) -> Result<Value, String> {
    let inner = match source.get("valueFrom") {
        Some(Value::Object(inner)) if source.len() == 1 => inner,
        _ => source,
    };
    let mut kinds = inner.iter();
    let (Some((kind, reference)), None) = (kinds.next(), kinds.next()) else {
        return Err(format!("must be a text or one of {}", SOURCES.join(", ")));
    };
    if !SOURCES.contains(&kind.as_str()) {
        return Err(format!("must be a text or one of {}, not `{kind}`", SOURCES.join(", ")));
    }
    let has = |key: &str| {
        reference
            .get(key)
            .and_then(Value::as_str)
            .is_some_and(|text| !text.is_empty())
    };
    if kind.ends_with("KeyRef") && !(has("name") && has("key")) {
        return Err(format!("must have `name` and `key` in its {kind}"));
    }
    let name = reference["name"].as_str().unwrap_or_default();
    if kind.ends_with("KeyRef") && !is_subdomain(name) {
        return Err(format!(
            "has a `name` in its {kind} that no Secret or ConfigMap can have"
        ));
    }
    Ok(json!({kind: reference}))
}

/// Whether a value is a secret by its name, and stands there for everybody to read.
pub(crate) fn is_clear_secret(name: &str, value: &str) -> bool {
    redact::is_secret_name(name) && !is_harmless(name, value)
}

/// Switches, and paths of files that hold a secret, are none themselves.
fn is_harmless(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let switch = matches!(
        value.to_ascii_lowercase().as_str(),
        "" | "0" | "1" | "true" | "false" | "yes" | "no"
    );
    // `TOKEN_COUNT=12` and `SECRET_NAME=mine` speak about secrets.
    let ends = |words: &[&str]| words.iter().any(|end| name.ends_with(end));
    let number = value.len() <= 9 && value.bytes().all(|digit| digit.is_ascii_digit());
    let speaks_about = number && ends(&["_count", "_limit", "_length", "_size", "_ttl"])
        || is_subdomain(value) && ends(&["secret_name", "token_name", "_namespace"]);
    switch
        || speaks_about
        || value.starts_with('/') && (name.ends_with("_file") || name.ends_with("_path") || name.ends_with("_dir"))
}

#[cfg(test)]
mod tests {
    use super::super::{JobOptions, ProgramOptions};
    use super::*;

    fn told(given: Value) -> (Vec<Value>, String) {
        let mut problems = Problems::default();
        let own = ProgramOptions {
            env: given.as_object().cloned(),
            ..ProgramOptions::default()
        };
        let wishes = Wishes {
            tool: "t",
            name: None,
            runtime: None,
            job: &JobOptions::default(),
            own: Some(&own),
        };
        let variables = variables(&wishes, &mut problems);
        (
            variables,
            problems
                .settle("t")
                .map_err(|error| error.answered)
                .err()
                .unwrap_or_default(),
        )
    }

    #[test]
    fn what_speaks_about_a_secret_is_none() {
        for (name, value, secret) in [
            ("TOKEN_COUNT", "12", false),
            ("MY_SECRET_NAME", "hf", false),
            ("TOKEN_COUNT", "a1b2c3", true),
            ("SECRET_URL", "https://hooks.example.com/services/T0/B0/XXXX", true),
            ("PASSWORD_NAME", "hunter2", true),
            ("HF_TOKEN", "12", true),
            ("PASSWORD", "123456", true),
        ] {
            assert_eq!(is_clear_secret(name, value), secret, "{name}={value}");
        }
    }

    #[test]
    fn what_no_program_starts_with_is_refused() {
        let (variables, wrong) =
            told(json!({"A": null, "B": "x".repeat(MOST_BYTES - 2), "C": "x".repeat(MOST_BYTES - 1)}));
        assert_eq!(variables.len(), 1);
        assert!(
            wrong.contains("`env.A` is null") && wrong.contains("`env.C` has 131070 bytes"),
            "{wrong}"
        );
        let mut problems = Problems::default();
        super::super::long_words(
            "args",
            &["x".repeat(MOST_BYTES), "x".repeat(MOST_BYTES + 1)],
            &mut problems,
        );
        assert!(
            problems
                .settle("t")
                .unwrap_err()
                .answered
                .starts_with("`args[1]` has 131072 bytes")
        );
    }

    #[test]
    fn values_and_references_become_variables() {
        let reference = json!({"secretKeyRef": {"name": "hf", "key": "token"}});
        let (variables, problems) = told(json!({
            "A": "1", "B": 2, "C": true, "HF_TOKEN": reference, "OTHER_TOKEN": {"valueFrom": reference},
            "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1", "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token",
        }));
        assert_eq!(problems, "");
        assert!(variables.contains(&json!({"name": "B", "value": "2"})));
        assert!(variables.contains(&json!({"name": "C", "value": "true"})));
        assert!(variables.contains(&json!({"name": "HF_TOKEN", "valueFrom": reference})));
        assert!(variables.contains(&json!({"name": "OTHER_TOKEN", "valueFrom": reference})));
        assert_eq!(variables.len(), 7);
    }

    #[test]
    fn secrets_in_clear_text_are_refused_by_name_only() {
        let (variables, problems) = told(json!({
            "HF_TOKEN": "hf_secretvalue", "1A": "x", "B": ["x"], "C": {"x": 1}, "D": {"secretKeyRef": {"name": "a"}}, "OK": "1",
        }));
        assert_eq!(variables, [json!({"name": "OK", "value": "1"})]);
        for part in [
            "`env.HF_TOKEN` looks like a secret",
            "`env.1A`",
            "`env.B`",
            "`env.C`",
            "`env.D` must have `name` and `key`",
        ] {
            assert!(problems.contains(part), "{part}: {problems}");
        }
        assert!(!problems.contains("hf_secretvalue"));
    }
}
