//! `filterQuery`: its grammar, its error texts, and what it means for an entity.

use serde_json::Value;

use super::Problem;
use super::entity::{Entity, Kind};
use super::value::like;

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

#[derive(Debug, Clone, PartialEq)]
enum Sort {
    Word,
    Quoted,
    Text,
    Number,
    Sign,
}

/// A token with where it begins and how it was written.
#[derive(Debug, Clone)]
struct Token {
    sort: Sort,
    raw: String,
    column: usize,
}

const OPERATORS: [&str; 10] = ["=", "!=", "<>", ">=", "<=", ">", "<", "LIKE", "ILIKE", "IN"];
const SUFFIXES: [&str; 4] = ["string_value", "int_value", "double_value", "bool_value"];

/// Parses a condition; `None` for an empty one.
pub(super) fn parse(text: &str) -> Result<Option<Filter>, Problem> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(None);
    }
    let mut parser = Parser { tokens, at: 0, end: text.chars().count() + 1 };
    let filter = parser.any()?;
    match parser.peek() {
        None => Ok(Some(filter)),
        Some(_) => Err(parser.unexpected("")),
    }
}

fn wrong(column: usize, what: &str) -> Problem {
    let hint = if what.contains("(expected Value)") {
        ". Hint: String values must be quoted (e.g., name=\"value\"). Numbers and booleans don't need quotes (e.g., \
         id>5, active=true)"
    } else {
        ". Check that operators and values are correctly formatted"
    };
    Problem::bad(format!("invalid filter query syntax: error parsing filter query: 1:{column}: {what}{hint}"))
}

fn tokens(text: &str) -> Result<Vec<Token>, Problem> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        let begin = at;
        let sort = if c.is_whitespace() {
            at += 1;
            continue;
        } else if c == '-' && chars.get(at + 1) == Some(&'-') {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
            continue;
        } else if matches!(c, '\'' | '"' | '`') {
            at += 1;
            while at < chars.len() && chars[at] != c {
                at += if chars[at] == '\\' && c != '`' { 2 } else { 1 };
            }
            if at >= chars.len() {
                return Err(wrong(begin + 1, &format!("invalid input text {:?}", chars[begin..].iter().collect::<String>())));
            }
            at += 1;
            if c == '`' { Sort::Quoted } else { Sort::Text }
        } else if c.is_ascii_alphabetic() || c == '_' {
            while chars.get(at).is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.')) {
                at += 1;
            }
            Sort::Word
        } else if c.is_ascii_digit() || (c == '-' && chars.get(at + 1).is_some_and(char::is_ascii_digit)) {
            at += 1;
            while chars.get(at).is_some_and(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-')) {
                at += 1;
            }
            Sort::Number
        } else {
            let two: String = chars[at..(at + 2).min(chars.len())].iter().collect();
            at += if OPERATORS.contains(&two.as_str()) { 2 } else { 1 };
            Sort::Sign
        };
        out.push(Token { sort, raw: chars[begin..at].iter().collect(), column: begin + 1 });
    }
    Ok(out)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn take(&mut self, raw: &str) -> bool {
        let hit = self.peek().is_some_and(|t| t.raw == raw && matches!(t.sort, Sort::Word | Sort::Sign));
        self.at += usize::from(hit);
        hit
    }

    fn unexpected(&self, expected: &str) -> Problem {
        let expected = if expected.is_empty() { String::new() } else { format!(" (expected {expected})") };
        match self.peek() {
            Some(token) => wrong(token.column, &format!("unexpected token \"{}\"{expected}", token.raw)),
            None => wrong(self.end, &format!("unexpected token \"<EOF>\"{expected}")),
        }
    }

    fn any(&mut self) -> Result<Filter, Problem> {
        let mut parts = vec![self.all()?];
        while self.take("OR") {
            parts.push(self.all()?);
        }
        Ok(Filter::Any(parts))
    }

    fn all(&mut self) -> Result<Filter, Problem> {
        let mut parts = vec![self.term()?];
        while self.take("AND") {
            parts.push(self.term()?);
        }
        Ok(Filter::All(parts))
    }

    fn term(&mut self) -> Result<Filter, Problem> {
        if self.take("(") {
            let inner = self.any()?;
            return if self.take(")") { Ok(inner) } else { Err(self.unexpected("\")\"")) };
        }
        let token = match self.peek() {
            Some(token) if matches!(token.sort, Sort::Word | Sort::Quoted) => token.clone(),
            _ => return Err(self.unexpected("Term")),
        };
        self.at += 1;
        let mut property = token.raw.trim_matches('`').to_owned();
        let mut suffix = None;
        if token.sort == Sort::Word
            && let Some((name, last)) = token.raw.rsplit_once('.')
            && SUFFIXES.contains(&last)
        {
            suffix = Some(last.to_owned());
            property = name.to_owned();
        }
        let operator = match self.peek() {
            Some(token) if OPERATORS.contains(&token.raw.as_str()) && token.sort != Sort::Text => token.raw.clone(),
            _ => {
                let all: Vec<String> = OPERATORS.iter().map(|operator| format!("\"{operator}\"")).collect();
                return Err(self.unexpected(&format!("({}) Value", all.join(" | "))));
            }
        };
        self.at += 1;
        let value = if operator == "IN" { self.list()? } else { self.literal()? };
        Ok(Filter::Test(Test { property, suffix, operator, value }))
    }

    fn list(&mut self) -> Result<Literal, Problem> {
        if !self.take("(") {
            return Err(self.unexpected("Value"));
        }
        let mut values = Vec::new();
        if self.take(")") {
            return Ok(Literal::List(values));
        }
        loop {
            values.push(self.literal()?);
            if self.take(")") {
                return Ok(Literal::List(values));
            }
            if !self.take(",") {
                return Err(self.unexpected("\")\""));
            }
        }
    }

    fn literal(&mut self) -> Result<Literal, Problem> {
        let literal = self.peek().and_then(|token| match token.sort {
            Sort::Text => Some(Literal::Text(unquote(&token.raw))),
            Sort::Number => match token.raw.parse::<i64>() {
                Ok(number) => Some(Literal::Integer(number)),
                Err(_) => token.raw.parse().ok().map(Literal::Float),
            },
            Sort::Word => match token.raw.as_str() {
                "true" | "TRUE" => Some(Literal::Bool(true)),
                "false" | "FALSE" => Some(Literal::Bool(false)),
                _ => None,
            },
            _ => None,
        });
        let literal = literal.ok_or_else(|| self.unexpected("Value"))?;
        self.at += 1;
        Ok(literal)
    }
}

/// The server trims every leading and trailing quote of the value, not just one.
fn unquote(raw: &str) -> String {
    let inner = raw.trim_matches(['\'', '"']);
    let mut out = String::new();
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some('\'' | '"' | '\\') if c == '\\' => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    out
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
        let operator = if self.operator == "<>" { "=" } else { self.operator.as_str() };
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
            property if entity.kind.form(property).is_some() && self.suffix.is_none() => {
                entity.fields.get(property).is_some_and(|stored| compare(operator, stored, &self.value))
            }
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
            None => number.to_string().parse().ok().and_then(|number: f64| stored.as_f64()?.partial_cmp(&number)),
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
