//! The form of a policy file, and everything that can be wrong with one.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Location, Spanned};
use thiserror::Error;

use super::pattern::Pattern;
use super::persona::Persona;
use super::role::Custom;
use super::rule::Rule;
use super::{Limits, Max, Policy, RequireConfirmation, Unasked};
use crate::names::nearest;
use crate::text;

/// The largest file that is read.
const MAX_BYTES: usize = 1 << 20;

/// One thing that is wrong with a policy, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line and column, each from 1; none when the place is not known.
    pub at: Option<(u64, u64)>,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some((line, column)) => write!(f, "line {line}, column {column}: {}", self.why),
            None => f.write_str(&self.why),
        }
    }
}

/// A policy that cannot be used: what is unreadable or wrong allows nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("policy {}: {}", file.display(), problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct PolicyError {
    /// The file.
    pub file: PathBuf,
    /// Everything that is wrong with it.
    pub problems: Vec<Problem>,
}

impl PolicyError {
    pub(super) fn unreadable(file: &Path, why: &str) -> Self {
        let why = format!("cannot be read: {why}");
        Self::of(file, vec![Problem { at: None, why }])
    }

    pub(super) fn of(file: &Path, problems: Vec<Problem>) -> Self {
        Self {
            file: file.to_owned(),
            problems,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    policy: Option<Body>,
}

type Texts = Vec<Spanned<String>>;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Body {
    #[serde(deserialize_with = "some_with_value")]
    allow: Option<Spanned<Texts>>,
    #[serde(deserialize_with = "with_value")]
    deny: Texts,
    #[serde(deserialize_with = "some_with_value")]
    namespaces: Option<Spanned<Texts>>,
    #[serde(deserialize_with = "some_with_value")]
    images: Option<Spanned<Texts>>,
    #[serde(deserialize_with = "with_value")]
    max: Max,
    read_only: bool,
    require_confirmation: RequireConfirmation,
    unasked: Unasked,
    cluster_capacity: bool,
    #[serde(deserialize_with = "with_value")]
    personas: BTreeMap<String, Spanned<PersonaForm>>,
}

/// What is said must have a value: a list whose last entry was taken out bounds nothing, and nobody would notice.
fn with_value<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    let value = Option::deserialize(from)?;
    value.ok_or_else(|| D::Error::custom("a key without a value says nothing: leave the key out, or give it a value"))
}

pub(super) fn some_with_value<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    with_value(from).map(Some)
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PersonaForm {
    #[serde(deserialize_with = "some_with_value")]
    inherit: Option<Spanned<String>>,
    #[serde(deserialize_with = "with_value")]
    allow: Texts,
    #[serde(deserialize_with = "with_value")]
    deny: Texts,
    #[serde(deserialize_with = "some_with_value")]
    namespaces: Option<Spanned<Texts>>,
    #[serde(deserialize_with = "some_with_value")]
    images: Option<Spanned<Texts>>,
    #[serde(deserialize_with = "with_value")]
    max: Max,
    read_only: bool,
}

pub(super) fn parse(text: &str) -> Result<Policy, Vec<Problem>> {
    let one = |at, why: String| vec![Problem { at, why }];
    if text.len() > MAX_BYTES {
        return Err(one(None, format!("is larger than {} KiB", MAX_BYTES >> 10)));
    }
    let form: Form = serde_saphyr::from_str(text).map_err(|error| {
        let why = error.to_string();
        // the text of the error shows the lines around it; the first line says what it is
        let why = why.lines().next().unwrap_or_default().trim_start_matches("error: ");
        one(None, text::bounded(&text::clean(why), 300))
    })?;
    let Some(body) = form.policy else {
        return Err(one(None, "has no `policy:` with its rules under it".into()));
    };
    let mut problems = Vec::new();
    let allow = body.allow.map(|list| {
        let rules = rules(&list.value, &mut problems);
        if list.value.is_empty() {
            let why = "allow is empty, so nothing would be allowed: leave it out to allow what the personas may";
            problems.push(problem(list.referenced, why));
        }
        rules
    });
    let limits = Limits {
        allow,
        deny: rules(&body.deny, &mut problems),
        namespaces: patterns("namespaces", body.namespaces, &mut problems),
        images: patterns("images", body.images, &mut problems),
        max: body.max,
        read_only: body.read_only,
    };
    let personas = personas(body.personas, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Policy {
        limits,
        require_confirmation: body.require_confirmation,
        unasked: body.unasked,
        cluster_capacity: body.cluster_capacity,
        personas,
        origin: None,
        source: String::new(),
    })
}

/// Line and column, if they are known.
fn place(at: Location) -> Option<(u64, u64)> {
    (at.line() > 0).then(|| (at.line(), at.column()))
}

fn problem(at: Location, why: impl Into<String>) -> Problem {
    Problem {
        at: place(at),
        why: why.into(),
    }
}

fn rules(texts: &Texts, problems: &mut Vec<Problem>) -> Vec<Rule> {
    each(texts, problems, |text| {
        let at = place(text.referenced);
        Rule::new(&text.value).map(|rule| rule.standing(at))
    })
}

fn patterns(what: &str, texts: Option<Spanned<Texts>>, problems: &mut Vec<Problem>) -> Option<Vec<Pattern>> {
    let texts = texts?;
    if texts.value.is_empty() {
        let why = format!("{what} is empty, so none would be allowed: leave it out to allow all");
        problems.push(problem(texts.referenced, why));
    }
    Some(each(&texts.value, problems, |text| Pattern::new(&text.value)))
}

fn each<T>(texts: &Texts, problems: &mut Vec<Problem>, read: impl Fn(&Spanned<String>) -> Result<T, String>) -> Vec<T> {
    let mut all = Vec::new();
    for text in texts {
        match read(text) {
            Ok(one) => all.push(one),
            Err(why) => {
                let shown = text::bounded(&text::clean(&text.value), 80);
                problems.push(problem(text.referenced, format!("`{shown}` {why}")));
            }
        }
    }
    all
}

fn personas(forms: BTreeMap<String, Spanned<PersonaForm>>, problems: &mut Vec<Problem>) -> BTreeMap<String, Custom> {
    let built_in = |name: &str| name.parse::<Persona>().is_ok();
    let names: Vec<String> = forms.keys().cloned().collect();
    let mut personas = BTreeMap::new();
    let mut places = BTreeMap::new();
    for (
        name,
        Spanned {
            value: form,
            referenced,
            ..
        },
    ) in forms
    {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let shown = text::bounded(&text::clean(&name), 80);
        if built_in(&name) {
            let why = format!("persona `{shown}` is built in: give yours another name and let it inherit `{shown}`");
            problems.push(problem(referenced, why));
        } else if name.is_empty() || name.len() > 40 || !name.chars().all(good) {
            let why = format!("persona `{shown}`: a name has at most 40 characters a-z, 0-9 and `-`");
            problems.push(problem(referenced, why));
        }
        if let Some(parent) = form
            .inherit
            .as_ref()
            .filter(|of| !built_in(&of.value) && !names.contains(&of.value))
        {
            let known = Persona::ALL.map(Persona::as_str);
            let known = known.into_iter().chain(names.iter().map(String::as_str));
            let near = nearest(&parent.value, known).map(|near| format!("; did you mean `{near}`?"));
            let wrong = text::bounded(&text::clean(&parent.value), 80);
            let why = format!(
                "persona `{shown}` inherits from `{wrong}`, which is none{}",
                near.unwrap_or_default()
            );
            problems.push(problem(parent.referenced, why));
        }
        places.insert(name.clone(), referenced);
        let custom = Custom {
            inherit: form.inherit.map(|parent| parent.value),
            limits: Limits {
                allow: Some(rules(&form.allow, problems)),
                deny: rules(&form.deny, problems),
                namespaces: patterns("namespaces", form.namespaces, problems),
                images: patterns("images", form.images, problems),
                max: form.max,
                read_only: form.read_only,
            },
        };
        personas.insert(name, custom);
    }
    for (name, place) in places {
        let parent = |of: &str| personas.get(of).and_then(|custom: &Custom| custom.inherit.as_deref());
        let mut at = parent(&name);
        for _ in 0..personas.len() {
            if at == Some(&name) {
                problems.push(problem(place, format!("persona `{name}` inherits from itself")));
                break;
            }
            at = at.and_then(parent);
        }
    }
    problems.sort_by_key(|problem| problem.at);
    personas
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> Vec<String> {
        parse(text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_key_without_a_value_is_refused() {
        for text in [
            "policy:\n  namespaces:\n",
            "policy:\n  images:\n",
            "policy:\n  allow:\n",
            "policy:\n  deny:\n",
            "policy:\n  max:\n",
            "policy:\n  max: {nodes: }\n",
            "policy:\n  personas:\n    a: {namespaces: }\n",
            "policy:\n  personas:\n",
        ] {
            let problems = wrong(text).join("\n");
            assert!(problems.contains("without a value"), "{text}: {problems}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_its_place() {
        let text = "\
policy:
  allow: [category:dicovery, list_*]
  deny:
    - risk:high
    - 'delete_['
  namespaces: []
  personas:
    tuner:
      inherit: data-scientits
    data-scientist: {}
    a: {inherit: b}
    b: {inherit: a}
";
        insta::assert_snapshot!(wrong(text).join("\n"), @r"
        line 2, column 11: `category:dicovery` names no category: there are planning, discovery, training, optimization, registration, monitoring, lifecycle, platform, health; did you mean `category:discovery`?
        line 4, column 7: `risk:high` names no risk: there are read, write, destructive
        line 5, column 7: `delete_[` is no pattern: unclosed character class; missing ']'
        line 6, column 15: namespaces is empty, so none would be allowed: leave it out to allow all
        line 9, column 16: persona `tuner` inherits from `data-scientits`, which is none; did you mean `data-scientist`?
        line 10, column 21: persona `data-scientist` is built in: give yours another name and let it inherit `data-scientist`
        line 11, column 8: persona `a` inherits from itself
        line 12, column 8: persona `b` inherits from itself
        ");
    }

    #[test]
    fn keys_and_values_that_do_not_exist_are_told_with_their_place() {
        for (text, said) in [
            (
                "policy:\n  alow: [list_*]\n",
                "line 2 column 3: unknown field `alow`, expected one of allow, deny, ",
            ),
            (
                "polcy: {}\n",
                "line 1 column 1: unknown field `polcy`, expected one of policy",
            ),
            (
                "policy:\n  require_confirmation: always\n",
                "line 2 column 25: unknown variant `always`, expected one of preview, destructive, person",
            ),
            ("policy:\n  max: {nodes: -1}\n", "line 2 column 16: invalid u64"),
            (
                "policy:\n  deny: delete_*\n",
                "line 2 column 9: expected sequence start",
            ),
            ("policy: [\n", "line 1 column 9: expected mapping start"),
            ("", "has no `policy:` with its rules under it"),
        ] {
            let told = wrong(text).join("\n");
            assert!(told.starts_with(said), "{text}: {told}");
        }
    }

    #[test]
    fn a_policy_without_rules_allows_what_the_personas_do() {
        let policy = parse("policy: {}\n").unwrap();
        assert_eq!(policy.require_confirmation, RequireConfirmation::Destructive);
        assert_eq!(policy.unasked, Unasked::Refuse);
        assert_eq!(wrong("policy:\n"), ["has no `policy:` with its rules under it"]);
    }
}
