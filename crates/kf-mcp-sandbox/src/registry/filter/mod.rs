//! `filterQuery`: its grammar, its error texts, and what it means for an entity.

mod parse;

use serde_json::Value;

use super::entity::{Entity, Kind};
use super::value::like;

pub(in crate::registry) use parse::parse;

/// A parsed condition.
#[derive(Debug)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Test(Test),
}

/// One comparison.
#[derive(Debug)]
pub(super) struct Test {
    property: String,
    /// The explicit `.string_value` and the like.
    suffix: Option<String>,
    operator: String,
    value: Literal,
}

#[derive(Debug, Clone, PartialEq)]
enum Literal {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    List(Vec<Literal>),
}

impl Filter {
    /// Whether an entity meets the condition.
    pub(super) fn accepts(&self, entity: &Entity) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.accepts(entity)),
            Self::Any(parts) => parts.iter().any(|part| part.accepts(entity)),
            Self::Test(test) => test.accepts(entity),
        }
    }
}

impl Test {
    fn accepts(&self, entity: &Entity) -> bool {
        let operator = if self.operator == "<>" {
            "="
        } else {
            self.operator.as_str()
        };
        let child = !matches!(entity.kind, Kind::Model | Kind::Environment);
        match self.property.as_str() {
            "id" => self.number(operator, entity.id),
            "createTimeSinceEpoch" => self.number(operator, entity.created),
            "lastUpdateTimeSinceEpoch" => self.number(operator, entity.updated),
            // Children are stored as `parent:name`, and only = and LIKE know that.
            "name" if child && matches!(operator, "=" | "LIKE") => match &self.value {
                Literal::Text(text) => like(&entity.stored_name(), &format!("%:{text}")),
                _ => false,
            },
            "name" => compare(operator, &Value::String(entity.stored_name()), &self.value),
            property if entity.kind.form(property).is_some() && self.suffix.is_none() => entity
                .fields
                .get(property)
                .is_some_and(|stored| compare(operator, stored, &self.value)),
            property => self.custom(operator, entity.properties.get(property)),
        }
    }

    /// Numeric columns; a text that is no number meets nothing.
    fn number(&self, operator: &str, stored: i64) -> bool {
        let as_number = |literal: &Literal| match literal {
            Literal::Text(text) => text.parse().ok().map(Literal::Integer),
            other => Some(other.clone()),
        };
        let value = match &self.value {
            Literal::List(list) => Some(Literal::List(list.iter().filter_map(as_number).collect())),
            one => as_number(one),
        };
        value.is_some_and(|value| compare(operator, &Value::from(stored), &value))
    }

    /// A custom property is looked at only in the columns that the literal's type suggests.
    fn custom(&self, operator: &str, stored: Option<&Value>) -> bool {
        let Some(stored) = stored else { return false };
        let fields: &[&str] = match (&self.suffix, &self.value) {
            (Some(suffix), _) => &[suffix.as_str()],
            (None, Literal::Integer(_)) => &["int_value", "double_value"],
            (None, Literal::Float(_)) => &["double_value"],
            (None, Literal::Bool(_)) => &["bool_value"],
            (None, Literal::Text(_) | Literal::List(_)) => &["string_value"],
        };
        fields.iter().filter_map(|field| stored.get(*field)).any(|value| {
            let number = value.as_str().filter(|_| stored["metadataType"] == "MetadataIntValue");
            match number.and_then(|text| text.parse::<i64>().ok()) {
                Some(number) => compare(operator, &Value::from(number), &self.value),
                None => compare(operator, value, &self.value),
            }
        })
    }
}

fn compare(operator: &str, stored: &Value, literal: &Literal) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    if let Literal::List(list) = literal {
        return operator == "IN" && list.iter().any(|one| compare("=", stored, one));
    }
    if let (Value::Array(elements), Literal::Text(_)) = (stored, literal) {
        return elements.iter().any(|element| compare(operator, element, literal));
    }
    let order = match (stored, literal) {
        (Value::String(stored), Literal::Text(text)) => {
            if matches!(operator, "LIKE" | "ILIKE") {
                return like(stored, text);
            }
            Some(stored.to_lowercase().cmp(&text.to_lowercase()))
        }
        (Value::Number(stored), Literal::Integer(number)) => match stored.as_i64() {
            Some(stored) => Some(stored.cmp(number)),
            None => number
                .to_string()
                .parse()
                .ok()
                .and_then(|number: f64| stored.as_f64()?.partial_cmp(&number)),
        },
        (Value::Number(stored), Literal::Float(number)) => stored.as_f64().and_then(|s| s.partial_cmp(number)),
        (Value::Bool(stored), Literal::Bool(wanted)) => Some(stored.cmp(wanted)),
        _ => None,
    };
    match operator {
        "=" => order == Some(Equal),
        "!=" => order.is_some_and(|order| order != Equal),
        ">" => order == Some(Greater),
        "<" => order == Some(Less),
        ">=" => matches!(order, Some(Greater | Equal)),
        "<=" => matches!(order, Some(Less | Equal)),
        _ => false,
    }
}
