//! Reads `types.txt`: what the OpenAPI documents of a real server (1.36, with the definitions of JobSet 0.12 and Trainer
//! 2.3) say about the types of the sandbox's kinds, without their descriptions.
//!
//! The first part, up to the empty line, has comments, which begin with `#`, and lines of `apiVersion kind type`. The
//! second defines the named types, each a struct: `T5 field:type field:type … *:type`, the star standing for all other
//! fields. A type is
//!
//! | written | means |
//! |---|---|
//! | `s` `n` `b` `u` | text, number, flag, any single value |
//! | `T5` `%Name` | a named type |
//! | `.` `-` | anything: maps merge; anything, as one value |
//! | `<t>` | a map of `t` |
//! | `!t` | a map that is one value |
//! | `[t]` | a list that is one value |
//! | `[t]=` | a set |
//! | `[t]@a,b="x"` | a list whose elements are told apart by `a` and `b`, with `b`'s default |
//!
//! and after a field's type: `+` for a struct that the server always writes, `?` for what it has as null, `~key` (`~` for
//! single values) for a list that strategic merge patches merge, `^` for what clients patch with `$retainKeys`, `|json`
//! for the default of a custom resource's field. The head of the file says where each of these comes from.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::types::{By, DEDUCED, Def, Field, Link, OPAQUE, Patching, Scalar, Types};

/// Reads a table. What cannot be read counts as anything.
pub(super) fn read(text: &str) -> Types {
    let mut reader = Reader {
        defs: vec![Def::Deduced, Def::Opaque],
        names: HashMap::new(),
    };
    let (kinds, types) = text.split_once("\n\n").unwrap_or((text, ""));
    let lines: Vec<(&str, &str)> = types.lines().filter_map(|line| line.split_once(' ')).collect();
    for (name, _) in lines.iter().filter(|(name, _)| name.starts_with('T')) {
        reader.names.insert((*name).to_owned(), reader.defs.len());
        reader.defs.push(Def::Opaque);
    }
    for (name, other) in lines.iter().filter(|(name, _)| name.starts_with('%')) {
        if let Some(at) = reader.names.get(*other).copied() {
            reader.names.insert((*name).to_owned(), at);
        }
    }
    for (name, body) in lines.iter().filter(|(name, _)| name.starts_with('T')) {
        if let (Some(at), Some(def)) = (reader.names.get(*name).copied(), reader.define(body)) {
            reader.defs[at] = def;
        }
    }
    let mut known = HashMap::new();
    for line in kinds.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        if let (Some(version), Some(kind), Some(shape)) = (words.next(), words.next(), words.next())
            && let Some((link, "")) = reader.link(shape)
        {
            known.insert((version.to_owned(), kind.to_owned()), link);
        }
    }
    Types {
        defs: reader.defs,
        kinds: known,
    }
}

struct Reader {
    defs: Vec<Def>,
    names: HashMap<String, usize>,
}

impl Reader {
    fn define(&mut self, body: &str) -> Option<Def> {
        let mut fields = BTreeMap::new();
        let mut rest = None;
        for part in body.split(' ') {
            let (name, shape) = part.split_once(':')?;
            let (link, marks) = self.link(shape)?;
            if name == "*" {
                rest = Some(link);
            } else {
                fields.insert(name.to_owned(), field(link, marks));
            }
        }
        Some(Def::Map { fields, rest })
    }

    fn add(&mut self, def: Def) -> Link {
        self.defs.push(def);
        Link {
            at: self.defs.len() - 1,
            atomic: false,
        }
    }

    /// The type at the beginning of a text, and what follows it.
    fn link<'x>(&mut self, text: &'x str) -> Option<(Link, &'x str)> {
        let first = text.chars().next()?;
        let after = &text[first.len_utf8()..];
        let scalar = match first {
            's' => Scalar::Text,
            'n' => Scalar::Number,
            'b' => Scalar::Flag,
            'u' => Scalar::Any,
            '.' => return Some((DEDUCED, after)),
            '-' => return Some((OPAQUE, after)),
            '!' => {
                let (link, after) = self.link(after)?;
                return Some((Link { atomic: true, ..link }, after));
            }
            '<' => {
                let (rest, after) = self.link(after)?;
                let map = Def::Map {
                    fields: BTreeMap::new(),
                    rest: Some(rest),
                };
                return Some((self.add(map), after.strip_prefix('>')?));
            }
            '[' => {
                let (item, after) = self.link(after)?;
                let (by, after) = keys(after.strip_prefix(']')?)?;
                return Some((self.add(Def::List { item, by }), after));
            }
            _ => {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(after.len()) + first.len_utf8();
                let at = *self.names.get(&text[..end])?;
                return Some((Link { at, atomic: false }, &text[end..]));
            }
        };
        Some((self.add(Def::Scalar(scalar)), after))
    }
}

/// What tells elements apart, and what follows it.
fn keys(text: &str) -> Option<(By, &str)> {
    if let Some(after) = text.strip_prefix('=') {
        return Some((By::Value, after));
    }
    let Some(text) = text.strip_prefix('@') else {
        return Some((By::Nothing, text));
    };
    let end = text.find(['~', '+', '?', '^', '|']).unwrap_or(text.len());
    let mut keys = Vec::new();
    for key in text[..end].split(',') {
        keys.push(match key.split_once('=') {
            Some((name, default)) => (name.to_owned(), Some(serde_json::from_str::<Value>(default).ok()?)),
            None => (key.to_owned(), None),
        });
    }
    Some((By::Keys(keys), &text[end..]))
}

fn field(link: Link, marks: &str) -> Field {
    let (marks, default) = marks.split_once('|').unwrap_or((marks, ""));
    let marks = marks.trim_end_matches('^');
    let (always, marks) = match (marks.strip_prefix('+'), marks.strip_prefix('?')) {
        (Some(marks), _) => (Some(json!({})), marks),
        (_, Some(marks)) => (Some(Value::Null), marks),
        _ => (None, marks),
    };
    let patching = match marks.strip_prefix('~') {
        Some(key) => Patching {
            merge: true,
            key: key.to_owned(),
        },
        None => Patching::default(),
    };
    Field {
        link,
        always,
        patching,
        default: serde_json::from_str(default).ok(),
    }
}
