//! The grammar of `filterQuery`, with the error texts of the real parser.

use super::{Filter, Literal, Test};
use crate::registry::Problem;

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
pub(in crate::registry) fn parse(text: &str) -> Result<Option<Filter>, Problem> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(None);
    }
    let mut parser = Parser {
        tokens,
        at: 0,
        end: text.chars().count() + 1,
    };
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
    Problem::bad(format!(
        "invalid filter query syntax: error parsing filter query: 1:{column}: {what}{hint}"
    ))
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
                return Err(wrong(
                    begin + 1,
                    &format!("invalid input text {:?}", chars[begin..].iter().collect::<String>()),
                ));
            }
            at += 1;
            if c == '`' { Sort::Quoted } else { Sort::Text }
        } else if c.is_ascii_alphabetic() || c == '_' {
            while chars
                .get(at)
                .is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
            {
                at += 1;
            }
            Sort::Word
        } else if c.is_ascii_digit() || (c == '-' && chars.get(at + 1).is_some_and(char::is_ascii_digit)) {
            at += 1;
            while chars
                .get(at)
                .is_some_and(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'))
            {
                at += 1;
            }
            Sort::Number
        } else {
            let two: String = chars[at..(at + 2).min(chars.len())].iter().collect();
            at += if OPERATORS.contains(&two.as_str()) { 2 } else { 1 };
            Sort::Sign
        };
        out.push(Token {
            sort,
            raw: chars[begin..at].iter().collect(),
            column: begin + 1,
        });
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
        let hit = self
            .peek()
            .is_some_and(|t| t.raw == raw && matches!(t.sort, Sort::Word | Sort::Sign));
        self.at += usize::from(hit);
        hit
    }

    fn unexpected(&self, expected: &str) -> Problem {
        let expected = if expected.is_empty() {
            String::new()
        } else {
            format!(" (expected {expected})")
        };
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
            return if self.take(")") {
                Ok(inner)
            } else {
                Err(self.unexpected("\")\""))
            };
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
        let value = if operator == "IN" {
            self.list()?
        } else {
            self.literal()?
        };
        Ok(Filter::Test(Test {
            property,
            suffix,
            operator,
            value,
        }))
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
