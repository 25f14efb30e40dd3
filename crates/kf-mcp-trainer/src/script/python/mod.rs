//! What the source of a script says about it. The only place that knows the parser, tree-sitter.
//!
//! Why this parser: it does not recurse, so that no script, however deeply nested, can end the server; it is the one that
//! editors use, so it reads all of today's Python and has someone who keeps it. It is generous, so [`errors`] adds what
//! Python refuses and the grammar does not.

mod errors;
mod names;
mod walk;

use std::borrow::Cow;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use kf_mcp_core::redact;
use regex::Regex;
use tree_sitter::{ParseOptions, Parser, Tree};

use crate::submit::Problems;

/// The newest Python whose syntax the grammar knows.
const NEWEST: u32 = 14;
/// How often a parse may ask whether to go on. A sane script of 1 MiB asks some thousand times.
const MOST_STEPS: u32 = 20_000;
/// As many lines with nothing but a backslash may follow each other: the parser looks through all of them at each.
const MOST_CONTINUED: usize = 500;

/// `requires-python = ">=3.15"` in the script's own metadata (PEP 723).
static REQUIRES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?m)^#\s*requires-python\s*=\s*["'](?:>=|==|~=|>)\s*3\.(\d{1,3})"#).ok());
/// The encoding that a source says it has (PEP 263), in its first two lines.
static CODING: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:[^\n]*\n)?[ \t\f]*#[^\n]*?coding[:=][ \t]*([A-Za-z0-9_.-]+)").ok());

/// Where a source is wrong, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// From 1.
    pub(super) line: usize,
    /// In characters, from 1.
    pub(super) column: usize,
    /// As the end of a sentence.
    pub(super) what: String,
}

/// The function that the job is to call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Train {
    /// Where it is defined.
    pub(super) line: usize,
    /// Whether something may have changed its signature.
    pub(super) decorated: bool,
    /// Parameters that must be given.
    pub(super) required: Vec<String>,
    /// Parameters that may be given.
    pub(super) optional: Vec<String>,
    /// Parameters that must be given and cannot be by name.
    pub(super) positional: Vec<String>,
    /// Whether it takes any name.
    pub(super) takes_any: bool,
}

/// A module, a member of one or a built-in function that the source names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use {
    /// Its full name, `os.system` for example, whatever it was imported as.
    pub(super) name: String,
    /// Where it is named first.
    pub(super) line: usize,
}

/// What a source says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// The first thing that is wrong.
    pub(super) error: Option<SyntaxError>,
    /// The parser gave up.
    unread: bool,
    /// The function `train`, if it is defined at the top.
    pub(super) train: Option<Train>,
    /// The line in which the top of the script itself comes to call it.
    calls: Option<usize>,
    /// The line of `if __name__ == "__main__":`, and whether `train` is called from there.
    guard: Option<(usize, bool)>,
    /// Whether more than one statement stands there.
    guards_more: bool,
    /// What it uses.
    pub(super) uses: Vec<Use>,
    /// The line of a text that looks like a secret.
    secret: Option<usize>,
}

/// How the job starts a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// Runs it. The line is the one that calls `train`, if there is one.
    AsItIs {
        /// From 1.
        line: Option<usize>,
    },
    /// Imports it and calls its `train`.
    Train {
        /// Where that is defined.
        line: usize,
        /// Whether there are arguments.
        arguments: bool,
    },
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsItIs { line: None } => f.write_str("runs as it is"),
            Self::AsItIs { line: Some(line) } => write!(f, "runs as it is, which calls train in line {line}"),
            Self::Train { line, arguments: false } => write!(f, "calls train() of line {line}"),
            Self::Train { line, arguments: true } => write!(f, "calls train(**func_args) of line {line}"),
        }
    }
}

/// Reads a source.
pub(super) fn read(source: &str) -> Facts {
    // The mark of some editors at the beginning is none of the grammar's columns.
    let text = source.strip_prefix('\u{feff}').unwrap_or(source);
    let text = &*lines(text);
    let Some(tree) = parse(text) else {
        return Facts {
            unread: true,
            ..Facts::default()
        };
    };
    let mut facts = names::read(&tree, text);
    facts.error = errors::first(&tree, text);
    facts
}

/// A carriage return alone ends a line for Python, and not for the grammar.
fn lines(text: &str) -> Cow<'_, str> {
    if !text.replace("\r\n", "").contains('\r') {
        return Cow::Borrowed(text);
    }
    let mut rest = text.chars().peekable();
    let mut lines = String::with_capacity(text.len());
    while let Some(c) = rest.next() {
        let alone = c == '\r' && rest.peek() != Some(&'\n');
        lines.push(if alone { '\n' } else { c });
    }
    Cow::Owned(lines)
}

fn parser() -> Option<Parser> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).ok()?;
    Some(parser)
}

/// The tree, unless the parser needs too long. Steps are counted, not seconds: the same script always ends the same way.
fn parse(text: &str) -> Option<Tree> {
    let mut continued = 0;
    for line in text.lines() {
        continued = if line.trim() == "\\" { continued + 1 } else { 0 };
        if continued > MOST_CONTINUED {
            return None;
        }
    }
    let mut steps = 0;
    let mut go_on = |_: &tree_sitter::ParseState| {
        steps += 1;
        if steps > MOST_STEPS {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let bytes = text.as_bytes();
    parser()?.parse_with_options(
        &mut |at, _| bytes.get(at..).unwrap_or_default(),
        None,
        Some(ParseOptions::new().progress_callback(&mut go_on)),
    )
}

impl Facts {
    /// Tells what is wrong with the source, and what surprises.
    pub(super) fn judge(&self, source: &str, problems: &mut Problems, warnings: &mut Vec<String>) {
        if self.unread {
            warnings.push("the script is too tangled for the syntax check and was not checked".into());
        }
        if let Some(SyntaxError { line, column, what }) = &self.error {
            let wrong = format!("line {line}, column {column}: {what}");
            if requires(source).is_some_and(|minor| minor > NEWEST) {
                warnings.push(format!(
                    "the script asks for a Python that is newer than the syntax check (3.{NEWEST}), which says: {wrong}"
                ));
            } else {
                problems.add("script", format!("is no Python: {wrong}"));
                problems.fix(&format!(
                    "correct the script; if it is right and needs a Python newer than 3.{NEWEST}, say so in it: \
                     `# requires-python = \">=3.{}\"`",
                    NEWEST + 1
                ));
            }
        }
        if let Some(line) = self.secret {
            warnings.push(format!(
                "line {line} of the script seems to hold a secret, which everybody who may read the job can see"
            ));
        }
        if let Some(coding) = coding(source).filter(|_| !source.is_ascii()) {
            warnings.push(format!(
                "the script says that it is in {coding}, but it is sent in UTF-8"
            ));
        }
    }

    /// What is left out when `train` is called with arguments, for a script that has more to do.
    pub(super) fn left_out(&self, start: &Start) -> Option<String> {
        let passed_by = self.guards_more && matches!(start, Start::Train { arguments: true, .. });
        let (line, _) = self.guard.filter(|_| passed_by)?;
        Some(format!(
            "what stands under `if __name__ == \"__main__\":` (line {line}) is left out: with func_args, train is called instead"
        ))
    }

    /// How the job starts it. A script that comes to call `train` by itself must not have it called twice; what stands under
    /// `if __name__ == "__main__":` is left out when there are arguments for `train`.
    pub(super) fn start(&self, arguments: bool) -> Start {
        let Some(train) = &self.train else {
            return Start::AsItIs { line: None };
        };
        if self.calls.is_some() {
            return Start::AsItIs { line: self.calls };
        }
        if let Some((line, calls)) = self.guard.filter(|_| !arguments) {
            // A decorator such as a command line library's, or parameters that nobody gives: the guard knows what to do.
            if calls || train.decorated || !train.required.is_empty() || !train.positional.is_empty() {
                return Start::AsItIs {
                    line: calls.then_some(line),
                };
            }
        }
        Start::Train {
            line: train.line,
            arguments,
        }
    }
}

/// The minor version of Python 3 that a script asks for.
fn requires(source: &str) -> Option<u32> {
    REQUIRES.as_ref()?.captures(source)?.get(1)?.as_str().parse().ok()
}

/// The encoding that a script says it has, if it is not UTF-8.
fn coding(source: &str) -> Option<&str> {
    let named = CODING.as_ref()?.captures(source)?.get(1)?.as_str();
    let plain = named.to_ascii_lowercase().replace(['-', '_'], "");
    (!matches!(plain.as_str(), "utf8" | "utf8sig" | "ascii" | "usascii")).then_some(named)
}

/// Whether a text in the source looks like a secret.
fn is_secret(text: &str) -> bool {
    text.len() >= 12 && redact::secrets(text) != text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(source: &str) -> (String, Vec<String>) {
        let (mut problems, mut warnings) = (Problems::default(), Vec::new());
        read(source).judge(source, &mut problems, &mut warnings);
        let wrong = problems.settle("t").map_err(|error| error.answered).err();
        (wrong.unwrap_or_default(), warnings)
    }

    #[test]
    fn what_a_guard_does_besides_training_is_missed() {
        let left_out = |script: &str, arguments: bool| {
            let facts = read(script);
            facts.left_out(&facts.start(arguments))
        };
        let more = "def train(lr=1): pass\nif __name__ == '__main__':\n    setup()\n    train()\n";
        assert!(left_out(more, true).is_some_and(|told| told.contains("(line 4) is left out")));
        assert_eq!(left_out(more, false), None);
        let only = "def train(lr=1): pass\nif __name__ == '__main__':\n    train()\n";
        assert_eq!(left_out(only, true), None);
        let noted = "def train(lr=1): pass\nif __name__ == '__main__':\n    # now\n    train()  # go\n    # done\n";
        assert_eq!(left_out(noted, true), None);
    }

    #[test]
    fn an_error_has_its_line_and_column() {
        let (wrong, _) = told("x = 1\ny = = 2\n");
        assert!(wrong.contains("line 2, column 5"), "{wrong}");
    }

    #[test]
    fn syntax_that_is_newer_than_the_parser_is_a_warning() {
        let new = "# /// script\n# requires-python = \">=3.15\"\n# ///\nx = new thing\n";
        let (wrong, warnings) = told(new);
        assert_eq!(wrong, "");
        assert!(warnings[0].contains("line 4"), "{warnings:?}");
        assert!(told(&new.replace("3.15", "3.12")).0.contains("line 4"));
    }

    #[test]
    fn encodings_and_secrets_are_told() {
        assert!(told("# -*- coding: latin-1 -*-\nx = 'é'\n").1[0].contains("latin-1"));
        assert!(
            told("#!/usr/bin/python\n# vim: set fileencoding=utf-8 :\nx = 'é'\n")
                .1
                .is_empty()
        );
        assert!(told("# coding: latin-1\nx = 1\n").1.is_empty());
        assert!(told("x = 1\nlogin('hf_abcdefghijklmnopqrstuvwx')\n").1[0].contains("line 2"));
        assert!(told("token = os.environ['HF_TOKEN']\n").1.is_empty());
    }

    #[test]
    fn nothing_is_too_deep() {
        for piece in [
            "(",
            "-",
            "not ",
            "lambda: ",
            "[",
            "{1:",
            "f'{",
            "if x:\n ",
            "x.",
            "x().",
            "x(",
            "'''",
            "\\\n",
            "x;",
            "b'\\x",
            "\n",
            "$",
            "match x:\n case ",
            "x if ",
            "*",
            "[x for x in ",
            "def train():\n ",
            "class a:\n ",
            "import a.b as c;",
            "@",
        ] {
            let deep = piece.repeat(5000);
            read(&deep);
            read(&format!("{deep}1"));
        }
    }
}
