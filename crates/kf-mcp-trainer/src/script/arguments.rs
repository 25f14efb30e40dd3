//! The arguments of `train(...)`, held against its signature as far as the source tells it.

use serde_json::{Map, Value};

use super::python::{Facts, Start, Train};
use crate::submit::{Problems, is_clear_secret};

/// How the script starts with these arguments. What cannot work goes to the problems.
pub(super) fn check(facts: &Facts, given: Option<&Map<String, Value>>, problems: &mut Problems) -> Start {
    for (name, value) in given.into_iter().flatten() {
        secret(&format!("func_args.{name}"), name, value, problems);
    }
    // An empty object is what clients send for nothing.
    let given = given.filter(|given| !given.is_empty());
    let start = facts.start(given.is_some());
    let Some(train) = &facts.train else {
        if given.is_some() {
            problems.add("func_args", "has nobody to read it: the script defines no train(...)");
            problems.fix("define `def train(...)` with these names, or leave func_args out and use env");
        }
        return start;
    };
    match &start {
        Start::AsItIs { line } if given.is_some() => {
            let line = line.unwrap_or_default();
            problems.add(
                "func_args",
                format!("would come too late: the script calls train itself in line {line}"),
            );
            problems.fix("remove that call, or put it under `if __name__ == \"__main__\":`, where it is left out");
        }
        Start::Train { .. } if !train.decorated => signature(train, given, problems),
        _ => {}
    }
    start
}

/// A decorator can change the signature, so only plain functions are held against theirs.
fn signature(train: &Train, given: Option<&Map<String, Value>>, problems: &mut Problems) {
    let has = |name: &str| given.is_some_and(|given| given.contains_key(name));
    let missing: Vec<&str> = train
        .required
        .iter()
        .map(String::as_str)
        .filter(|name| !has(name))
        .collect();
    if !missing.is_empty() {
        let (line, missing) = (train.line, missing.join(", "));
        problems.add(
            "func_args",
            format!("lacks {missing}, which train in line {line} of the script needs"),
        );
    }
    if !train.positional.is_empty() {
        let names = train.positional.join(", ");
        problems.add(
            "func_args",
            format!("cannot give train its positional-only parameters {names}"),
        );
    }
    if train.takes_any {
        return;
    }
    let unknown: Vec<&str> = given
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .filter(|name| !train.required.iter().chain(&train.optional).any(|known| known == name))
        .take(10)
        .collect();
    if !unknown.is_empty() {
        let known: Vec<&str> = train
            .required
            .iter()
            .chain(&train.optional)
            .map(String::as_str)
            .collect();
        let why = format!(
            "has {}, which train does not take: it takes {}",
            unknown.join(", "),
            known.join(", ")
        );
        problems.add("func_args", why);
    }
}

/// Secrets have no place in a job, as deep as they may be.
fn secret(field: &str, name: &str, value: &Value, problems: &mut Problems) {
    match value {
        Value::String(text) if is_clear_secret(name, text) => {
            problems.add(
                field,
                "looks like a secret and would be readable in the job by everybody",
            );
            problems.fix(concat!(
                "give the value by reference, for example env ",
                r#"{"HF_TOKEN": {"secretKeyRef": {"name": "SECRET", "key": "KEY"}}}, and read os.environ in the script"#
            ));
        }
        Value::Object(inner) => {
            for (name, value) in inner {
                secret(&format!("{field}.{name}"), name, value, problems);
            }
        }
        Value::Array(items) => {
            for item in items {
                secret(field, name, item, problems);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::python;
    use super::*;
    use serde_json::json;

    fn told(script: &str, given: Value) -> (String, String) {
        let mut problems = Problems::default();
        let start = check(&python::read(script), given.as_object(), &mut problems);
        let wrong = problems.settle("t").map_err(|error| error.answered).err();
        (start.to_string(), wrong.unwrap_or_default())
    }

    #[test]
    fn train_is_called_once_and_only_with_what_it_takes() {
        let main = "def train(lr=1): pass\nif __name__ == '__main__':\n    train()\n";
        for (script, given, start, wrong) in [
            ("def train(): pass", json!(null), "calls train() of line 1", ""),
            ("print(1)", json!(null), "runs as it is", ""),
            ("print(1)", json!({}), "runs as it is", ""),
            ("print(1)", json!({"a": 1}), "runs as it is", "defines no train"),
            (
                "def train(lr, *, n=3): pass",
                json!({"lr": 1, "n": 2}),
                "calls train(**func_args) of line 1",
                "",
            ),
            (
                "def train(lr, n): pass",
                json!({"n": 2}),
                "calls train(**func_args) of line 1",
                "lacks lr",
            ),
            (
                "def train(lr=1): pass",
                json!({"rl": 2}),
                "calls train(**func_args) of line 1",
                "has rl",
            ),
            (
                "def train(**more): pass",
                json!({"rl": 2}),
                "calls train(**func_args) of line 1",
                "",
            ),
            (
                "def train(a, /): pass",
                json!({}),
                "calls train() of line 1",
                "positional-only parameters a",
            ),
            (
                "@wrapped\ndef train(cfg): pass",
                json!({}),
                "calls train() of line 2",
                "",
            ),
            ("async def train(): pass", json!(null), "calls train() of line 1", ""),
            (main, json!(null), "runs as it is, which calls train in line 3", ""),
            (main, json!({"lr": 2}), "calls train(**func_args) of line 1", ""),
            (
                "def train(a): pass\ntrain(1)\n",
                json!({"a": 1}),
                "runs as it is, which calls train in line 2",
                "too late",
            ),
        ] {
            let (says, told) = told(script, given);
            assert_eq!(says, start, "{script}");
            assert!(
                told.contains(wrong) && told.is_empty() == wrong.is_empty(),
                "{script}: {told}"
            );
        }
    }

    #[test]
    fn secrets_are_refused_by_name() {
        let script = "def train(**more): pass";
        let (_, wrong) = told(
            script,
            json!({"model": {"hf_token": "abc"}, "pad_token": "<pad>", "max_tokens": 5}),
        );
        assert!(
            wrong.contains("`func_args.model.hf_token`") && !wrong.contains("pad_token"),
            "{wrong}"
        );
    }
}
