//! Whether a value is of its type, in the words of a server that is asked to apply it.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::go::{literal, name, plain};
use super::step::Step;
use super::types::{By, Form, Listed, Mapped, Scalar, Shape};

/// One thing that is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    path: String,
    message: String,
}

impl Problem {
    fn new(message: String) -> Vec<Self> {
        vec![Self {
            path: String::new(),
            message,
        }]
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// Problems as one message.
pub(crate) fn join(problems: &[Problem]) -> String {
    if let [one] = problems {
        return one.to_string();
    }
    let lines = problems.iter().map(|problem| format!("\n  {problem}"));
    format!("errors:{}", lines.collect::<String>())
}

/// Everything that is wrong with an applied value. An element that is there twice is wrong too.
pub(crate) fn check(shape: Shape<'_>, value: &Value) -> Vec<Problem> {
    match shape.form(Some(value)) {
        Form::Scalar(scalar) => single(scalar, value),
        Form::List(list) => elements(list, value),
        Form::Map(map) => fields(map, value),
    }
}

fn single(scalar: Scalar, value: &Value) -> Vec<Problem> {
    let message = match (scalar, value) {
        (_, Value::Null)
        | (Scalar::Text, Value::String(_))
        | (Scalar::Number, Value::Number(_))
        | (Scalar::Flag, Value::Bool(_)) => return Vec::new(),
        (Scalar::Any, value) if !value.is_array() && !value.is_object() => return Vec::new(),
        (Scalar::Text, value) => format!(
            "expected string, got &value.valueUnstructured{{Value:{}}}",
            literal(value)
        ),
        (Scalar::Number, value) => format!("expected numeric (int or float), got {}", name(value)),
        (Scalar::Flag, value) => format!("expected boolean, got &{{{}}}", plain(value)),
        (Scalar::Any, value) => format!("expected any scalar, got &{{{}}}", plain(value)),
    };
    Problem::new(message)
}

fn elements(list: Listed<'_>, value: &Value) -> Vec<Problem> {
    let items = match value {
        Value::Array(items) => items,
        Value::Null => return Vec::new(),
        other => return Problem::new(format!("expected list, got &{{{}}}", plain(other))),
    };
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let step = if *list.by == By::Nothing {
            Step::Index(i64::try_from(index).unwrap_or_default())
        } else {
            match Step::to(list, item) {
                Ok(step) => step,
                // what cannot be named cannot be looked into
                Err(why) => {
                    problems.extend(Problem::new(format!("element {index}: {why}")));
                    return problems;
                }
            }
        };
        if !seen.insert(step.clone()) {
            problems.extend(Problem::new(format!("duplicate entries for key {step}")));
        }
        problems.extend(below(&step, check(list.item, item)));
    }
    problems
}

fn fields(map: Mapped<'_>, value: &Value) -> Vec<Problem> {
    let fields = match value {
        Value::Object(fields) => fields,
        Value::Null => return Vec::new(),
        other => return Problem::new(format!("expected map, got &{{{}}}", plain(other))),
    };
    let mut problems = Vec::new();
    for (name, value) in fields {
        let step = Step::field(name);
        let Some(shape) = map.field(name) else {
            problems.extend(below(&step, Problem::new("field not declared in schema".to_owned())));
            break;
        };
        problems.extend(below(&step, check(shape, value)));
    }
    problems
}

fn below(step: &Step, mut problems: Vec<Problem>) -> Vec<Problem> {
    for problem in &mut problems {
        problem.path.insert_str(0, &step.to_string());
    }
    problems
}
