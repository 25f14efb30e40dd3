//! [`Rule`]: which tools a line of a policy is about.

use std::fmt;

use super::pattern::Pattern;
use crate::names::nearest;
use crate::tool::{Phase, Risk, ToolSpec};

/// Which tools a line is about: `category:training`, `risk:read`, a tool's name, or a pattern of names.
#[derive(Debug, Clone)]
pub struct Rule {
    text: String,
    of: Of,
    /// Line and column in the policy.
    at: Option<(u64, u64)>,
}

#[derive(Debug, Clone)]
enum Of {
    Category(Phase),
    Risk(Risk),
    Name(Pattern),
}

impl Rule {
    /// Reads a rule. The error says in words what is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let of = match text.split_once(':') {
            Some(("category", name)) => Of::Category(one_of("category", name, &Phase::ALL, Phase::as_str)?),
            Some(("risk", name)) => Of::Risk(one_of("risk", name, &Risk::ALL, Risk::as_str)?),
            Some((kind, _)) => {
                return Err(format!(
                    "begins with `{kind}:`: there are `category:` and `risk:`, and names of tools"
                ));
            }
            None => Of::Name(Pattern::new(text)?),
        };
        Ok(Self {
            text: text.to_owned(),
            of,
            at: None,
        })
    }

    /// Where it stands, if that is known.
    pub(super) fn at(&self) -> Option<(u64, u64)> {
        self.at
    }

    /// The same rule, which stands somewhere.
    pub(super) fn standing(self, at: Option<(u64, u64)>) -> Self {
        Self { at, ..self }
    }

    /// Whether a tool is meant.
    pub fn matches(&self, spec: &ToolSpec) -> bool {
        match &self.of {
            Of::Category(phase) => spec.phase == *phase,
            Of::Risk(risk) => spec.risk == *risk,
            Of::Name(pattern) => pattern.matches(spec.name),
        }
    }

    /// What to say when it means none of some tools, with the nearest name; nothing when it does, or when it names no tool
    /// at all: a category may be empty.
    pub(super) fn stray(&self, tools: &[ToolSpec]) -> Option<String> {
        let Of::Name(pattern) = &self.of else {
            return None;
        };
        if tools.iter().any(|spec| self.matches(spec)) {
            return None;
        }
        let near = pattern
            .literal()
            .and_then(|name| nearest(name, tools.iter().map(|spec| spec.name)));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        Some(format!("`{}` is no tool of this binary{near}", self.text))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The rule of some that means a tool.
pub(super) fn of<'a>(rules: &'a [Rule], spec: &ToolSpec) -> Option<&'a Rule> {
    rules.iter().find(|rule| rule.matches(spec))
}

/// The rules in one line.
pub(super) fn words(rules: &[Rule]) -> String {
    let words: Vec<&str> = rules.iter().map(|rule| rule.text.as_str()).collect();
    words.join(", ")
}

fn one_of<T: Copy>(what: &str, name: &str, all: &[T], written: fn(T) -> &'static str) -> Result<T, String> {
    let found = all.iter().copied().find(|one| written(*one) == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|one| written(*one)).collect();
        let near = nearest(name, names.iter().copied()).map(|near| format!("; did you mean `{what}:{near}`?"));
        format!(
            "names no {what}: there are {}{}",
            names.join(", "),
            near.unwrap_or_default()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: ToolSpec = ToolSpec::read("list_things", Phase::Discovery);
    const DELETE: ToolSpec = ToolSpec::destructive("delete_thing", Phase::Lifecycle);

    #[test]
    fn a_rule_means_a_category_a_risk_or_names() {
        for (rule, of_list, of_delete) in [
            ("category:discovery", true, false),
            ("risk:destructive", false, true),
            ("list_*", true, false),
            ("delete_thing", false, true),
            ("*", true, true),
        ] {
            let rule = Rule::new(rule).unwrap();
            assert_eq!(
                (rule.matches(&LIST), rule.matches(&DELETE)),
                (of_list, of_delete),
                "{rule}"
            );
        }
    }

    #[test]
    fn what_is_no_rule_is_told_with_the_nearest() {
        for (text, said) in [
            ("category:dicovery", "did you mean `category:discovery`?"),
            ("risk:high", "names no risk: there are read, write, destructive"),
            ("phase:training", "there are `category:` and `risk:`"),
            ("list_[", "is no pattern"),
        ] {
            let why = Rule::new(text).unwrap_err();
            assert!(why.contains(said), "{text}: {why}");
        }
    }

    #[test]
    fn a_rule_that_means_no_tool_is_told_unless_it_is_a_category() {
        let stray = |rule: &str| Rule::new(rule).unwrap().stray(&[LIST, DELETE]);
        assert_eq!(
            stray("list_thing").unwrap(),
            "`list_thing` is no tool of this binary; did you mean `list_things`?"
        );
        assert_eq!(stray("nothing_*").unwrap(), "`nothing_*` is no tool of this binary");
        assert_eq!((stray("category:training"), stray("delete_*")), (None, None));
    }
}
