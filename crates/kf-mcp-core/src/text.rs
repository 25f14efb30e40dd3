//! Text from outside: cleaned, bounded, and laid out for people.

use jiff::Timestamp;

/// Removes ANSI escape sequences, control characters (but newline and tab), and the invisible characters that can hide
/// or reorder text. What remains is safe to show and to hand to a model.
pub fn clean(text: &str) -> String {
    if !text
        .chars()
        .any(|c| (c.is_control() && c != '\n' && c != '\t') || is_invisible(c))
    {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            // A progress bar redraws its line: the line is what came last.
            '\r' => {
                if chars.peek().is_some_and(|next| *next != '\n') {
                    let line = out.rfind('\n').map_or(0, |at| at + 1);
                    out.truncate(line);
                }
            }
            '\n' | '\t' => out.push(c),
            c if c.is_control() || is_invisible(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// The text with control characters (but newline and tab) and invisible characters written out, as `\u{202e}`: for what will be
/// used as it was given, where a person has to see all of it.
pub fn visible(text: &str) -> String {
    let hidden = |c: char| (c.is_control() && c != '\n' && c != '\t') || is_invisible(c);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if hidden(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// The same in one line: newlines are written out too, so that no text looks like a line of ours.
pub fn in_line(text: &str) -> String {
    visible(text).replace('\n', "\\n")
}

fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {}
        }
        Some(']') => {
            chars.next();
            while let Some(c) = chars.next() {
                if c == '\u{7}' {
                    break;
                }
                if c == '\u{1b}' {
                    chars.next_if_eq(&'\\');
                    break;
                }
            }
        }
        Some(_) => {
            chars.next();
        }
        None => {}
    }
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// The text, cut to a number of characters with a mark where it was cut.
pub fn bounded(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}… ({} characters cut)", &text[..at], text[at..].chars().count()),
    }
}

/// A duration as kubectl writes ages: `45s`, `12m`, `3h20m`, `2d`.
pub fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=599 if seconds % 60 != 0 => format!("{}m{}s", seconds / 60, seconds % 60),
        120..=10_799 => format!("{}m", seconds / 60),
        10_800..=28_799 if (seconds / 60) % 60 != 0 => format!("{}h{}m", seconds / 3600, (seconds / 60) % 60),
        10_800..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A time as answers write it: RFC 3339, UTC, whole seconds.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A text for people and models, built line by line.
#[derive(Debug)]
pub struct Text {
    out: String,
    now: Timestamp,
}

impl Text {
    /// An empty text; `now` is what ages count from.
    pub fn new(now: Timestamp) -> Self {
        Self {
            out: String::new(),
            now,
        }
    }

    /// One line (or several, if the text has them).
    pub fn line(&mut self, line: impl AsRef<str>) {
        self.out.push_str(line.as_ref());
        self.out.push('\n');
    }

    /// `name: value`, nothing when the value is empty.
    pub fn fact(&mut self, name: &str, value: impl std::fmt::Display) {
        let value = value.to_string();
        if !value.is_empty() {
            self.line(format!("{name}: {value}"));
        }
    }

    /// One `name: value` for each value.
    pub fn facts(&mut self, name: &str, values: impl IntoIterator<Item: std::fmt::Display>) {
        for value in values {
            self.fact(name, value);
        }
    }

    /// A table with single spaces between the cells: few tokens, and still clear. Empty cells are written `-`, spaces in
    /// all but the last column become `_`, so that columns stay countable.
    pub fn table<const N: usize>(&mut self, head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
        self.rows(&head, rows.into_iter().map(Vec::from));
    }

    /// A table whose columns are only known when it is written.
    pub fn rows(&mut self, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        self.line(head.join(" "));
        for row in rows {
            let last = row.len().saturating_sub(1);
            let cells: Vec<String> = row
                .into_iter()
                .enumerate()
                .map(|(at, cell)| match cell.as_str() {
                    "" => "-".to_owned(),
                    _ if at == last => cell.replace('\n', " "),
                    _ => cell.split_whitespace().collect::<Vec<_>>().join("_"),
                })
                .collect();
            self.line(cells.join(" "));
        }
    }

    /// How long ago something was, as kubectl writes ages.
    pub fn age(&self, since: Timestamp) -> String {
        age(since, self.now)
    }

    /// The age of an RFC 3339 time, empty when it is none.
    pub fn age_of(&self, since: &str) -> String {
        since.parse().map(|at| self.age(at)).unwrap_or_default()
    }

    /// The finished text, without a newline at the end.
    pub fn finish(self) -> String {
        self.out.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_codes_and_hidden_characters_are_removed() {
        assert_eq!(
            clean("\u{1b}[31mred\u{1b}[0m\u{7} \u{202e}x\u{200b}y\n\tz"),
            "red xy\n\tz"
        );
        assert_eq!(clean("\u{1b}]0;title\u{7}text"), "text");
        assert_eq!(clean("a\n 10%\r 20%\r100%\nb\r\nc"), "a\n100%\nb\nc");
        assert_eq!(clean("plain"), "plain");
    }

    #[test]
    fn bounded_counts_characters_and_says_what_it_cut() {
        assert_eq!(bounded("häuser", 3), "häu… (3 characters cut)");
        assert_eq!(bounded("abc", 3), "abc");
    }

    #[test]
    fn ages_read_as_kubectl_writes_them() {
        let now: Timestamp = "2026-01-03T00:00:00Z".parse().unwrap();
        for (since, age) in [
            ("2026-01-02T23:59:15Z", "45s"),
            ("2026-01-02T23:54:30Z", "5m30s"),
            ("2026-01-02T23:00:00Z", "60m"),
            ("2026-01-02T20:40:00Z", "3h20m"),
            ("2026-01-02T04:00:00Z", "20h"),
            ("2025-12-31T00:00:00Z", "3d"),
        ] {
            assert_eq!(super::age(since.parse().unwrap(), now), age);
        }
    }

    #[test]
    fn tables_keep_their_columns() {
        let mut text = Text::new(Timestamp::UNIX_EPOCH);
        text.table(
            ["name", "node", "note"],
            [
                ["a".into(), String::new(), "two words".into()],
                ["b c".into(), "n".into(), "x".into()],
            ],
        );
        assert_eq!(text.finish(), "name node note\na - two words\nb_c n x");
    }
}
