//! Log lines on their way to the caller: cleaned, without secrets, matched, and bounded so that the last ones survive.

use std::collections::VecDeque;

use kf_mcp_core::{ToolError, redact, text};
use regex::{Regex, RegexBuilder};

/// The longest line that is answered, in characters.
const MAX_LINE: usize = 2000;
/// All the text that is answered, in bytes.
const MAX_TEXT: usize = 48 << 10;
/// The longest pattern, in characters.
const MAX_PATTERN: usize = 200;
/// A private key is not longer than this; what follows an unfinished one is shown again.
const MAX_KEY: u32 = 100;

/// Reads a caller's pattern.
pub(crate) fn pattern(given: &str) -> Result<Regex, ToolError> {
    if given.chars().count() > MAX_PATTERN {
        return Err(ToolError::argument(
            "pattern",
            format!("must have at most {MAX_PATTERN} characters"),
        ));
    }
    let built = RegexBuilder::new(given)
        .size_limit(1 << 20)
        .dfa_size_limit(1 << 20)
        .build();
    built.map_err(|error| {
        ToolError::argument("pattern", format!("is not a regular expression: {error}"))
            .fix("escape special characters with a backslash, or search for a plain word such as `Error`")
    })
}

/// The end of a log, built line by line.
#[derive(Debug)]
pub(crate) struct Tail {
    kept: VecDeque<String>,
    size: usize,
    most: usize,
    pattern: Option<Regex>,
    searched: usize,
    dropped: Dropped,
    key_lines: u32,
}

/// Why lines that were read are not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// They all are.
    Nothing,
    /// There were more than asked for.
    Lines,
    /// They would have been too much text.
    Size,
}

impl Tail {
    /// Keeps the last `most` lines, of those that match the pattern.
    pub(crate) fn new(most: usize, pattern: Option<Regex>) -> Self {
        Self {
            kept: VecDeque::new(),
            size: 0,
            most,
            pattern,
            searched: 0,
            dropped: Dropped::Nothing,
            key_lines: 0,
        }
    }

    /// Takes a line as the container printed it; returns it as it is answered, unless the pattern leaves it out.
    ///
    /// The pattern sees the line without its secrets, so that it cannot be used to guess them.
    pub(crate) fn push(&mut self, raw: &str) -> Option<&str> {
        self.searched += 1;
        let line = self.safe(raw);
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(&line)) {
            return None;
        }
        let line = text::bounded(&line, MAX_LINE);
        self.size += line.len() + 1;
        self.kept.push_back(line);
        while self.kept.len() > self.most {
            self.drop_first(Dropped::Lines);
        }
        while self.size > MAX_TEXT && self.kept.len() > 1 {
            self.drop_first(Dropped::Size);
        }
        self.kept.back().map(String::as_str)
    }

    fn drop_first(&mut self, why: Dropped) {
        self.size -= self.kept.pop_front().map_or(0, |line| line.len() + 1);
        if self.dropped != Dropped::Size {
            self.dropped = why;
        }
    }

    /// One line without control characters and secrets. A private key spans lines, which are hidden until it ends.
    fn safe(&mut self, raw: &str) -> String {
        let line = text::clean(raw).replace('\n', " ");
        let in_key = self.key_lines > 0;
        if line.contains("PRIVATE KEY-----") {
            let begins = line.rfind("-----BEGIN ");
            let ends = line.rfind("-----END ");
            self.key_lines = if begins.is_some() && begins > ends { MAX_KEY } else { 0 };
        } else {
            self.key_lines = self.key_lines.saturating_sub(1);
        }
        if in_key {
            "***".to_owned()
        } else {
            redact::secrets(&line)
        }
    }

    /// Says that the log was longer than what was read of it.
    pub(crate) fn cut(&mut self) {
        self.dropped = Dropped::Size;
    }

    /// How many lines were read.
    pub(crate) fn searched(&self) -> usize {
        self.searched
    }

    /// Whether and why earlier lines are missing.
    pub(crate) fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// Whether no line is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The lines, oldest first.
    pub(crate) fn into_lines(self) -> Vec<String> {
        self.kept.into()
    }
}

/// Lines that go out as one progress report.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    lines: VecDeque<String>,
    left_out: usize,
}

/// A report is read as it passes by: more than this would not be.
const MAX_BATCH: usize = 20;

impl Batch {
    /// Adds a line.
    pub(crate) fn push(&mut self, line: &str) {
        self.lines.push_back(line.to_owned());
        if self.lines.len() > MAX_BATCH {
            self.lines.pop_front();
            self.left_out += 1;
        }
    }

    /// The report, none when there are no lines. The batch is empty afterwards.
    pub(crate) fn take(&mut self) -> Option<String> {
        let Self { lines, left_out } = std::mem::take(self);
        if lines.is_empty() {
            return None;
        }
        let head = (left_out > 0).then(|| format!("… ({left_out} lines before)"));
        Some(head.into_iter().chain(lines).collect::<Vec<_>>().join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(most: usize, pattern: Option<&str>, lines: &[&str]) -> Tail {
        let mut tail = Tail::new(most, pattern.map(|p| super::pattern(p).unwrap()));
        for line in lines {
            tail.push(line);
        }
        tail
    }

    #[test]
    fn the_last_lines_survive() {
        let short = tail(2, None, &["a", "b", "c"]);
        assert_eq!((short.dropped(), short.searched()), (Dropped::Lines, 3));
        assert_eq!(short.into_lines(), ["b", "c"]);
        assert_eq!(tail(3, None, &["a", "b", "c"]).dropped(), Dropped::Nothing);

        let mut long = Tail::new(5000, None);
        for n in 0..5000 {
            long.push(&format!("{n:05} {}", "x".repeat(100)));
        }
        assert_eq!(long.dropped(), Dropped::Size);
        let lines = long.into_lines();
        assert!(lines.iter().map(|line| line.len() + 1).sum::<usize>() <= MAX_TEXT);
        assert!(lines.last().unwrap().starts_with("04999"), "{:?}", lines.last());
    }

    #[test]
    fn lines_are_cleaned_redacted_and_cut() {
        let long = "y".repeat(3000);
        let lines = tail(
            9,
            None,
            &[
                "\u{1b}[31mred\u{1b}[0m",
                " 1%\r 99%\r100%",
                "HF_TOKEN=hf_abcdefghijklmnopqrstuvwx",
                &long,
            ],
        )
        .into_lines();
        assert_eq!(lines[..3], ["red", "100%", "HF_TOKEN=***"]);
        assert!(lines[3].ends_with("(1000 characters cut)"));
    }

    #[test]
    fn a_private_key_is_hidden_across_lines() {
        let lines = [
            "key:",
            "-----BEGIN RSA PRIVATE KEY-----",
            "MIIEow",
            "-----END RSA PRIVATE KEY-----",
            "done",
        ];
        assert_eq!(
            tail(9, None, &lines).into_lines(),
            ["key:", "***", "***", "***", "done"]
        );
        let mut unfinished = tail(500, None, &["-----BEGIN PRIVATE KEY-----"]);
        let shown = (0..150).filter(|_| unfinished.push("text") == Some("text")).count();
        assert_eq!(shown, 50);
    }

    #[test]
    fn patterns_see_no_secret_and_are_bounded() {
        let found = tail(9, Some("(?i)error"), &["ok", "ValueError: x", "ERROR y"]);
        assert_eq!(
            (found.searched(), found.into_lines()),
            (3, vec!["ValueError: x".to_owned(), "ERROR y".to_owned()])
        );
        assert!(tail(9, Some("hunter"), &["password=hunter2"]).is_empty());
        for bad in ["(", "a{1000}{1000}{1000}", &"a".repeat(201)] {
            assert_eq!(pattern(bad).unwrap_err().field.as_deref(), Some("pattern"), "{bad}");
        }
    }

    #[test]
    fn a_batch_is_bounded_and_empties() {
        let mut batch = Batch::default();
        assert_eq!(batch.take(), None);
        batch.push("a");
        batch.push("b");
        assert_eq!(batch.take().as_deref(), Some("a\nb"));
        for n in 0..25 {
            batch.push(&n.to_string());
        }
        let report = batch.take().unwrap();
        assert!(
            report.starts_with("… (5 lines before)\n5\n") && report.ends_with("\n24"),
            "{report}"
        );
        assert_eq!(batch.take(), None);
    }
}
