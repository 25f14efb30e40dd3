//! Label selectors: how they are read, and what they select.

use serde_json::Value;

use super::names::{check_key, check_value};
use crate::apiserver::errors::bad_request;
use crate::status::Status;

/// One requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Label {
    Exists(String),
    Missing(String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    /// A value that is a number greater than this one.
    Greater(String, i64),
    /// A value that is a number less than this one.
    Less(String, i64),
}

impl Label {
    /// Whether an object's labels meet the requirement.
    pub(super) fn matches(&self, labels: &Value) -> bool {
        let value = |key: &str| labels.get(key).and_then(Value::as_str);
        let number = |key: &str| value(key).and_then(|value| value.parse::<i64>().ok());
        match self {
            Label::Exists(key) => value(key).is_some(),
            Label::Missing(key) => value(key).is_none(),
            Label::In(key, values) => value(key).is_some_and(|v| values.iter().any(|x| x == v)),
            Label::NotIn(key, values) => value(key).is_none_or(|v| values.iter().all(|x| x != v)),
            Label::Greater(key, least) => number(key).is_some_and(|number| number > *least),
            Label::Less(key, most) => number(key).is_some_and(|number| number < *most),
        }
    }
}

/// Reads a selector.
pub(super) fn parse(text: &str) -> Result<Vec<Label>, Status> {
    let mut words = Words {
        words: split(text),
        at: 0,
    };
    let mut labels = Vec::new();
    loop {
        match words.peek() {
            "" if words.at_end() => return Ok(labels),
            word if is_name(word) || word == "!" => {}
            word => return Err(found(word, "!, identifier, or 'end of string'")),
        }
        let label = requirement(&mut words);
        labels.push(label.map_err(|why| bad_request(format!("unable to parse requirement: {why}")))?);
        match words.next() {
            "" => return Ok(labels),
            "," => {
                let word = words.peek();
                if !(is_name(word) || word == "!") {
                    return Err(found(word, "identifier after ','"));
                }
            }
            word => return Err(found(word, "',' or 'end of string'")),
        }
    }
}

/// The words of a selector; the end is an empty word.
struct Words<'a> {
    words: Vec<&'a str>,
    at: usize,
}

impl<'a> Words<'a> {
    fn peek(&self) -> &'a str {
        self.words.get(self.at).copied().unwrap_or_default()
    }

    fn next(&mut self) -> &'a str {
        let word = self.peek();
        self.at += 1;
        word
    }

    fn at_end(&self) -> bool {
        self.at >= self.words.len()
    }
}

fn is_special(c: char) -> bool {
    matches!(c, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

/// Whether a word is a key or a value rather than a sign.
fn is_name(word: &str) -> bool {
    word.chars().next().is_some_and(|c| !is_special(c))
}

fn split(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = if is_special(first) {
            ["==", "!="]
                .into_iter()
                .find(|sign| rest.starts_with(sign))
                .map_or(1, str::len)
        } else {
            let ends = |c: char| is_special(c) || matches!(c, ' ' | '\t' | '\n' | '\r');
            rest.find(ends).unwrap_or(rest.len())
        };
        let (word, after) = rest.split_at(end);
        words.push(word);
        rest = after.trim_start_matches([' ', '\t', '\n', '\r']);
    }
    words
}

fn found(word: &str, expected: &str) -> Status {
    bad_request(expectation(word, expected))
}

fn expectation(word: &str, expected: &str) -> String {
    format!("found '{word}', expected: {expected}")
}

fn requirement(words: &mut Words<'_>) -> Result<Label, String> {
    let missing = words.peek() == "!";
    if missing {
        words.next();
    }
    let key = words.next();
    if !is_name(key) {
        return Err(expectation(key, "identifier"));
    }
    check_key(key)?;
    let key = key.to_owned();
    if missing {
        return Ok(Label::Missing(key));
    }
    if matches!(words.peek(), "" | ",") {
        return Ok(Label::Exists(key));
    }
    match words.next() {
        "in" => Ok(Label::In(key.clone(), several(words, &key)?)),
        "notin" => Ok(Label::NotIn(key.clone(), several(words, &key)?)),
        "=" | "==" => Ok(Label::In(key.clone(), vec![one(words, &key)?])),
        "!=" => Ok(Label::NotIn(key.clone(), vec![one(words, &key)?])),
        ">" => Ok(Label::Greater(key.clone(), whole(words, &key)?)),
        "<" => Ok(Label::Less(key.clone(), whole(words, &key)?)),
        word => Err(expectation(word, "in, notin, =, ==, !=, gt, lt")),
    }
}

fn exact<'a>(words: &mut Words<'a>) -> Result<&'a str, String> {
    match words.peek() {
        "" | "," => Ok(""),
        word if is_name(word) => Ok(words.next()),
        word => Err(expectation(word, "identifier")),
    }
}

fn one(words: &mut Words<'_>, key: &str) -> Result<String, String> {
    let value = exact(words)?;
    check_value(0, key, value)?;
    Ok(value.to_owned())
}

fn whole(words: &mut Words<'_>, key: &str) -> Result<i64, String> {
    let value = exact(words)?;
    let number = value.parse::<i64>().map_err(|_| {
        format!("values[0]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, the value must be an integer")
    });
    match (number, check_value(0, key, value)) {
        (Ok(number), Ok(())) => Ok(number),
        (Err(why), Ok(())) | (Ok(_), Err(why)) => Err(why),
        (Err(first), Err(second)) => Err(format!("[{first}, {second}]")),
    }
}

fn several(words: &mut Words<'_>, key: &str) -> Result<Vec<String>, String> {
    let word = words.next();
    if word != "(" {
        return Err(format!("found '{word}' expected: '('"));
    }
    let mut values = Vec::new();
    match words.peek() {
        ")" => {}
        word if is_name(word) || word == "," => values = listed(words)?,
        word => return Err(expectation(word, "',', ')' or identifier")),
    }
    words.next();
    values.sort_unstable();
    values.dedup();
    for (index, value) in values.iter().enumerate() {
        check_value(index, key, value)?;
    }
    Ok(values)
}

/// Values with commas between, up to the closing parenthesis; between two commas there is an empty one.
fn listed(words: &mut Words<'_>) -> Result<Vec<String>, String> {
    let mut values = Vec::new();
    loop {
        let value = match words.peek() {
            word if is_name(word) => words.next(),
            "," | ")" => "",
            word => return Err(expectation(word, "',', or identifier")),
        };
        values.push(value.to_owned());
        match words.peek() {
            "," => words.next(),
            ")" => return Ok(values),
            word => return Err(expectation(word, "',' or ')'")),
        };
    }
}
