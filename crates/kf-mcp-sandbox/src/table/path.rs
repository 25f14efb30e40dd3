//! The JSONPath of printer columns: fields, indices, slices, wildcards and filters that compare.

use serde_json::Value;

/// One step of a path.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    /// `[from:to]`, counted from the end when negative; an index is a slice of one.
    Slice(Option<i64>, Option<i64>),
    /// `[*]`.
    All,
    /// `[?(@.path==literal)]`; the flag is whether it must be equal.
    Filter(Box<Path>, bool, Value),
}

/// A path, read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Path(Vec<Step>);

impl Path {
    /// Reads a path; `None` for what a printer column cannot have.
    pub(super) fn new(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        let mut rest = text.trim().trim_start_matches('$');
        while !rest.is_empty() {
            let (step, after) = match rest.strip_prefix('[') {
                Some(inside) => bracket(inside)?,
                None => field(rest.strip_prefix('.')?)?,
            };
            steps.extend(step);
            rest = after;
        }
        Some(Self(steps))
    }

    /// The first value at the path.
    pub(super) fn first<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        let mut found = vec![object];
        for step in &self.0 {
            found = found.into_iter().flat_map(|value| step.of(value)).collect();
        }
        found.first().copied()
    }
}

impl Step {
    fn of<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        match self {
            Step::Field(name) => value.get(name).into_iter().collect(),
            Step::All if value.is_object() => value.as_object().into_iter().flat_map(|map| map.values()).collect(),
            Step::All => list.iter().collect(),
            Step::Slice(from, to) => {
                let end = i64::try_from(list.len()).unwrap_or(i64::MAX);
                let place = |at: i64| usize::try_from(if at < 0 { end + at } else { at }).unwrap_or(0);
                let (from, to) = (place(from.unwrap_or(0)), place(to.unwrap_or(end)).min(list.len()));
                list.get(from..to).unwrap_or_default().iter().collect()
            }
            Step::Filter(path, equal, wanted) => list
                .iter()
                .filter(|element| path.first(element).is_some_and(|found| (found == wanted) == *equal))
                .collect(),
        }
    }
}

/// A field after a dot; `\.` is a dot in its name.
fn field(text: &str) -> Option<(Option<Step>, &str)> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    let mut end = text.len();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.push(chars.next()?.1),
            '.' | '[' => {
                end = at;
                break;
            }
            c => name.push(c),
        }
    }
    let rest = text.get(end..)?;
    match name.as_str() {
        // `.` alone is the object itself
        "" if text.is_empty() => Some((None, rest)),
        "" => None,
        "*" => Some((Some(Step::All), rest)),
        _ => Some((Some(Step::Field(name)), rest)),
    }
}

/// What stands between brackets.
fn bracket(text: &str) -> Option<(Option<Step>, &str)> {
    let (inside, rest) = if text.starts_with("?(") {
        let (inside, rest) = text.split_once(")]")?;
        (filter(inside.strip_prefix("?(")?)?, rest)
    } else {
        let (inside, rest) = text.split_once(']')?;
        let quoted = inside.strip_prefix('\'').and_then(|inside| inside.strip_suffix('\''));
        let step = match (quoted, inside.split_once(':')) {
            (Some(name), _) => Step::Field(name.to_owned()),
            (None, Some((from, to))) => Step::Slice(bound(from)?, bound(to)?),
            (None, None) if inside == "*" => Step::All,
            (None, None) => {
                let index: i64 = inside.parse().ok()?;
                Step::Slice(Some(index), (index != -1).then_some(index + 1))
            }
        };
        (step, rest)
    };
    Some((Some(inside), rest))
}

fn bound(text: &str) -> Option<Option<i64>> {
    if text.is_empty() {
        return Some(None);
    }
    text.parse().ok().map(Some)
}

fn filter(text: &str) -> Option<Step> {
    let (left, equal, right) = match text.split_once("==") {
        Some((left, right)) => (left, true, right),
        None => {
            let (left, right) = text.split_once("!=")?;
            (left, false, right)
        }
    };
    let right = right.trim().replace('\'', "\"");
    let path = Path::new(left.trim().strip_prefix('@')?)?;
    Some(Step::Filter(Box::new(path), equal, serde_json::from_str(&right).ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_find_what_printer_columns_name() {
        let object = json!({
            "spec": {"n": 3, "a.b": "dot"},
            "status": {"conditions": [
                {"type": "Created", "status": "True"},
                {"type": "Failed", "status": "False"},
            ]},
        });
        for (path, found) in [
            (".spec.n", json!(3)),
            (".status.conditions[-1:].type", json!("Failed")),
            (".status.conditions[0].type", json!("Created")),
            (".status.conditions[-1].type", json!("Failed")),
            (".status.conditions[*].status", json!("True")),
            (".status.conditions[?(@.type==\"Failed\")].status", json!("False")),
            (".status.conditions[?(@.type!='Created')].type", json!("Failed")),
            (".spec.a\\.b", json!("dot")),
            (".spec['a.b']", json!("dot")),
        ] {
            assert_eq!(Path::new(path).unwrap().first(&object), Some(&found), "{path}");
        }
        for path in [
            ".spec.m",
            ".status.conditions[7:].type",
            ".status.conditions[?(@.type==\"X\")].type",
        ] {
            assert_eq!(Path::new(path).unwrap().first(&object), None, "{path}");
        }
        for bad in ["spec", ".a[x]", ".a[?(b==1)]", ".a[1"] {
            assert_eq!(Path::new(bad), None, "{bad}");
        }
    }
}
