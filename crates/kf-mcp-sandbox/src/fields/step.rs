//! One step of a path into an object.

use std::cmp::Ordering;
use std::fmt;

use serde_json::{Map, Value};

use super::types::{By, Listed};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// A field of a map.
    Field(String),
    /// The element of a list with these fields, in the order of their names.
    Key(Vec<(String, Item)>),
    /// This element of a set.
    Value(Item),
    /// The element at a place.
    Index(i64),
}

/// A single value that can be ordered: numbers before texts before flags.
#[derive(Debug, Clone)]
pub(crate) struct Item(pub(crate) Value);

impl Item {
    fn rank(&self) -> u8 {
        match &self.0 {
            Value::Number(_) => 0,
            Value::String(_) => 1,
            Value::Bool(_) => 2,
            Value::Array(_) => 3,
            Value::Object(_) => 4,
            Value::Null => 5,
        }
    }
}

impl Ord for Item {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
                (Some(a), Some(b)) => a.cmp(&b),
                _ => a
                    .as_f64()
                    .unwrap_or_default()
                    .total_cmp(&b.as_f64().unwrap_or_default()),
            },
            (Value::String(a), Value::String(b)) => a.cmp(b),
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (a, b) => self
                .rank()
                .cmp(&other.rank())
                .then_with(|| a.to_string().cmp(&b.to_string())),
        }
    }
}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Item {}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // texts come out quoted, as Go's %q quotes them but for characters that no key has
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Key(fields) => {
                let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
                write!(f, "[{}]", fields.join(","))
            }
            Self::Value(value) => write!(f, "[={value}]"),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// A path as messages show it.
pub(crate) fn show(path: &[Step]) -> String {
    path.iter().map(Step::to_string).collect()
}

impl Step {
    /// A field.
    pub(crate) fn field(name: &str) -> Self {
        Self::Field(name.to_owned())
    }

    /// The step as a key of `fieldsV1`.
    pub(crate) fn write(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(fields) => {
                let fields: Map<String, Value> = fields
                    .iter()
                    .map(|(name, item)| (name.clone(), item.0.clone()))
                    .collect();
                format!("k:{}", Value::Object(fields))
            }
            Self::Value(item) => format!("v:{}", item.0),
            Self::Index(index) => format!("i:{index}"),
        }
    }

    /// The step behind a key of `fieldsV1`; none for keys of a kind that nobody knows.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        Some(match kind {
            "f" => Self::field(rest),
            "k" => {
                let fields: Map<String, Value> = serde_json::from_str(rest).ok()?;
                Self::Key(fields.into_iter().map(|(name, value)| (name, Item(value))).collect())
            }
            "v" => Self::Value(Item(serde_json::from_str(rest).ok()?)),
            "i" => Self::Index(rest.parse().ok()?),
            _ => return None,
        })
    }

    /// How an element of a list is found again. Says why it cannot be.
    pub(super) fn to(list: Listed<'_>, element: &Value) -> Result<Self, String> {
        match list.by {
            By::Nothing => Err("invalid indexing of non-associative list".to_owned()),
            By::Value => match element {
                Value::Object(_) => Err("associative list without keys has an element that's a map type".to_owned()),
                Value::Array(_) => Err("not supported: associative list with lists as elements".to_owned()),
                Value::Null => Err("associative list without keys has an element that's an explicit null".to_owned()),
                single => Ok(Self::Value(Item(single.clone()))),
            },
            By::Keys(keys) => {
                let fields = match element {
                    Value::Object(fields) => fields,
                    Value::Null => return Err("associative list with keys may not have a null element".to_owned()),
                    _ => return Err("associative list with keys may not have non-map elements".to_owned()),
                };
                let mut found: Vec<(String, Item)> = keys
                    .iter()
                    .filter_map(|(name, default)| {
                        let value = fields.get(name).or(default.as_ref())?;
                        Some((name.clone(), Item(value.clone())))
                    })
                    .collect();
                if found.is_empty() {
                    let names: Vec<String> = keys.iter().map(|(name, _)| format!("{name:?}")).collect();
                    return Err(format!(
                        "associative list with keys has an element that omits all key fields [{}] (and doesn't have \
                         default values for any key fields)",
                        names.join(" ")
                    ));
                }
                found.sort();
                Ok(Self::Key(found))
            }
        }
    }
}
