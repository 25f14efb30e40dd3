//! Texts on torchtune's command line. Three readers come one after the other: Kubernetes replaces `$(NAME)`, torchtune
//! reads the value as YAML, and OmegaConf replaces `${name}` in it.

/// Words that YAML does not read as text, and one that torchtune does not.
const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "none", "y"];

/// A text as an argument's value, such that it arrives as it is: plain where that says the same, else in double quotes.
pub(super) fn text(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// A mapping of texts, spelt as Python spells it where the words are plain: `{'input': 'a', 'output': 'b'}`.
pub(super) fn mapping<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let word = |text: &str| {
        let simple = text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.'));
        if simple { format!("'{text}'") } else { quoted(text) }
    };
    let pairs: Vec<String> = pairs
        .map(|(key, value)| format!("{}: {}", word(key), word(value)))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}

/// Begins with a letter, holds nothing that YAML gives a meaning, and is no word with one.
fn is_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(' ')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && text.chars().all(|c| {
            c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | ',' | '!' | '?' | '(' | ')' | '/' | '_' | '-')
        })
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    let mut rest = text.chars().peekable();
    // How many backslashes stand right before.
    let mut slashes = 0;
    while let Some(c) = rest.next() {
        let before = slashes;
        slashes = if c == '\\' { slashes + 1 } else { 0 };
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // A backslash for OmegaConf, and one for each that stands before, since it reads two as one; YAML needs each
            // of them twice. Kubernetes makes one dollar of two.
            '$' if rest.peek() == Some(&'{') => {
                out.push_str(&"\\\\".repeat(before + 1));
                out.push_str("$$");
            }
            '$' => out.push_str("$$"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_stay_as_the_sdk_writes_them() {
        for plain in ["You are an AI.", "Answer in German, please!", "a/b (c)"] {
            assert_eq!(text(plain), plain);
        }
        let columns = [("input", "instruction"), ("output", "the answer")];
        assert_eq!(
            mapping(columns.into_iter()),
            "{'input': 'instruction', 'output': 'the answer'}"
        );
        assert_eq!(mapping([("a'b", "c")].into_iter()), "{\"a'b\": 'c'}");
    }

    #[test]
    fn what_yaml_omegaconf_or_kubernetes_would_change_is_quoted() {
        for (given, want) in [
            ("Role: assistant", r#""Role: assistant""#),
            ("[x]", r#""[x]""#),
            ("yes", r#""yes""#),
            ("None", r#""None""#),
            ("12", r#""12""#),
            ("a \"b\" \\ c", r#""a \"b\" \\ c""#),
            ("two\nlines ", r#""two\nlines ""#),
            ("costs $5 or $(HOME)", r#""costs $$5 or $$(HOME)""#),
            ("${x}", r#""\\$${x}""#),
            (r"\${x}", r#""\\\\\\$${x}""#),
            ("caf\u{e9} \u{1f600}\u{85}", "\"caf\u{e9} \u{1f600}\\u0085\""),
            ("", r#""""#),
        ] {
            assert_eq!(text(given), want);
        }
    }
}
