//! Secrets, kept out of everything that leaves the process.

use std::fmt;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::text;

/// A value that may hold a secret: it has no `Display`, its `Debug` and its JSON are `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one place that has to send it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T> Serialize for Redacted<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("***")
    }
}

/// Whether the name of a variable or key suggests that its value is a secret.
pub fn is_secret_name(name: &str) -> bool {
    if is_vocabulary(name) {
        return false;
    }
    let name = name.to_ascii_lowercase().replace(['-', '.'], "_");
    // `max_tokens` and `tokenizer` are words of training, not secrets.
    let words: Vec<&str> = name.split('_').collect();
    words.iter().any(|word| {
        matches!(
            *word,
            "token"
                | "password"
                | "passwd"
                | "pwd"
                | "secret"
                | "credential"
                | "credentials"
                | "apikey"
                | "authorization"
        )
    }) || [
        "api_key",
        "access_key",
        "private_key",
        "account_key",
        "secretkey",
        "accesstoken",
    ]
    .iter()
    .any(|part| name.contains(part))
}

static KNOWN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?x)",
        r"hf_[A-Za-z0-9]{16,}", // Hugging Face
        r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}",
        r"|glpat-[A-Za-z0-9_\-]{16,}",
        r"|sk-[A-Za-z0-9_\-]{20,}",
        r"|xox[abprs]-[A-Za-z0-9\-]{10,}",
        r"|A[KS]IA[0-9A-Z]{16}",
        r"|AIza[0-9A-Za-z_\-]{35}|ya29\.[0-9A-Za-z_\-]{20,}|GOCSPX-[0-9A-Za-z_\-]{20,}", // Google
        r"|(?:dapi|npm_|pypi-)[0-9A-Za-z_\-]{32,}",
        r"|eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]*", // a JWT
        r"|-----BEGIN\ [A-Z\ ]*PRIVATE\ KEY(?:\ BLOCK)?-----(?s:.*?)(?:-----END\ [A-Z\ ]*PRIVATE\ KEY(?:\ BLOCK)?-----|\z)",
    ))
    .ok()
});

static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)(?P<head>",
        r#"\b[a-z0-9_.\-]*(?:token|passw(?:or)?d|passphrase|secret|credential|(?:api|access|secret|private|account)[_\-]?key(?:[_\-]?id)?|x-amz-signature)["']?\s*[=:]\s*["']?"#,
        r#"|\bauthorization["']?\s*[:=]\s*["']?(?:bearer|basic|token)\s+|\bbearer\s+|--(?:token|password|api-key)\s+|[?&](?:sig|signature|key)="#,
        r")(?P<value>[^\s\x22',;&]+)"
    ))
    .ok()
});

static IN_URL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)(?P<head>[a-z][a-z0-9+.\-]*://[^\s/:@]*:)[^\s/@]+@").ok());

/// What every text that is changed below holds at least one of, in lower case: each pattern begins with one of these, or names it.
const HINTS: [&str; 30] = [
    "hf_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "sk-",
    "xox",
    "akia",
    "asia",
    "aiza",
    "ya29.",
    "gocspx-",
    "dapi",
    "npm_",
    "pypi-",
    "eyj",
    "-----begin",
    "token",
    "passw",
    "passphrase",
    "secret",
    "credential",
    "key",
    "bearer",
    "authorization",
    "sig",
    "@",
];
/// Up to this many bytes the hints are looked for first.
const SHORT: usize = 4096;

/// Whether a text may be one that the patterns change. They take their time to make (which a server that starts does not have),
/// and most texts that are written are short and hold nothing.
fn is_suspicious(text: &str) -> bool {
    // other scripts have letters that the patterns take for a K or an S
    if text.len() > SHORT || !text.is_ascii() {
        return true;
    }
    let text = text.to_ascii_lowercase();
    HINTS.iter().any(|hint| text.contains(hint))
}

/// The text with what looks like a secret replaced by `***`: well-known token forms, values after names such as
/// `password=`, bearer tokens, passwords in URLs, signatures of signed URLs.
pub fn secrets(text: &str) -> String {
    if !is_suspicious(text) {
        return text.to_owned();
    }
    let (Some(known), Some(named), Some(in_url)) = (KNOWN.as_ref(), NAMED.as_ref(), IN_URL.as_ref()) else {
        // The patterns are constants and tested, but a text is never let through unread.
        return "***".to_owned();
    };
    let text = known.replace_all(text, "***");
    let text = in_url.replace_all(&text, "$head***@");
    named
        .replace_all(&text, |found: &Captures<'_>| {
            let (head, value) = (&found["head"], &found["value"]);
            let name = head.trim_end_matches([' ', '=', ':', '"', '\'']);
            let plain = head.ends_with(['=', ':', ' ', '"', '\'']) && is_plain(value) && !is_certain(name);
            if plain || is_vocabulary(name) {
                format!("{head}{value}")
            } else {
                format!("{head}***")
            }
        })
        .into_owned()
}

/// JSON without what looks like a secret: values under names such as `password`, of variables so named (`name` and `value`),
/// after flags such as `--token`, and in texts. Texts are cleaned, and bounded to `most` characters.
pub fn json(value: &Value, most: usize) -> Value {
    match value {
        Value::String(text) => Value::String(text::bounded(&secrets(&text::clean(text)), most)),
        Value::Array(items) => {
            let mut hidden = false;
            let items = items.iter().map(|item| {
                let hide = std::mem::take(&mut hidden);
                let flag = item.as_str().and_then(|item| item.strip_prefix("--"));
                hidden = flag.is_some_and(is_secret_name);
                if hide && item.is_string() {
                    hide_value()
                } else {
                    json(item, most)
                }
            });
            Value::Array(items.collect())
        }
        Value::Object(map) => {
            let named = map.get("name").and_then(Value::as_str).is_some_and(is_secret_name);
            let entries = map.iter().map(|(key, inner)| {
                // a reference to a secret is an object, and no secret
                let secret = is_secret_name(key) || named && key == "value";
                let shown = if secret && (inner.is_string() || inner.is_number()) {
                    hide_value()
                } else {
                    json(inner, most)
                };
                (text::bounded(&text::clean(key), most), shown)
            });
            Value::Object(entries.collect())
        }
        other => other.clone(),
    }
}

fn hide_value() -> Value {
    Value::String("***".into())
}

/// The special tokens of a tokenizer: `pad_token: <|endoftext|>` is no secret.
fn is_vocabulary(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', '.'], "_");
    ["pad", "eos", "bos", "unk", "sep", "cls", "mask", "image"]
        .iter()
        .any(|kind| {
            let before = name.strip_suffix("_token").and_then(|name| name.strip_suffix(kind));
            // The whole word: LAUNCHPAD_TOKEN is a secret.
            before.is_some_and(|before| before.is_empty() || before.ends_with('_'))
        })
}

/// Numbers and booleans after a name such as `token:` are counts and switches, as training logs print them.
fn is_plain(value: &str) -> bool {
    value.parse::<f64>().is_ok() || matches!(value, "true" | "false" | "True" | "False" | "None" | "null")
}

fn is_certain(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("password") || name.contains("passwd") || name.contains("secret")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts as they are found in logs, variables and manifests, and what is left of them; the same where nothing is secret.
    const CORPUS: &str = include_str!("redact_corpus.txt");

    #[test]
    fn secrets_of_the_corpus_are_replaced_and_the_rest_is_left_alone() {
        let (mut replaced, mut kept) = (0, 0);
        for pair in CORPUS.split("\n\n").filter(|pair| !pair.starts_with('#')) {
            // written in two parts, so that nobody takes the file itself for a leak
            let pair = pair.trim().replace("<+>", "");
            let (text, safe) = pair.split_once("\n=> ").unwrap_or((&pair, &pair));
            let text = text.replace("\\n", "\n");
            assert_eq!(secrets(&text), safe.replace("\\n", "\n"));
            let long = format!("{text}\n{}", "-\n".repeat(SHORT));
            assert!(
                secrets(&long).starts_with(&safe.replace("\\n", "\n")),
                "a long text: {text}"
            );
            if text == safe { kept += 1 } else { replaced += 1 }
        }
        assert!(replaced > 40 && kept > 25, "{replaced} {kept}");
    }

    #[test]
    fn letters_that_look_like_others_hide_nothing() {
        assert_eq!(secrets("to\u{212a}en: hunter2"), "to\u{212a}en: ***");
        assert_eq!(secrets("pa\u{17f}sword=hunter2"), "pa\u{17f}sword=***");
    }

    #[test]
    fn names_of_secrets_are_told_from_words_of_training() {
        for name in [
            "HF_TOKEN",
            "aws_secret_access_key",
            "DB-PASSWORD",
            "ACCESS_KEY_ID",
            "api_key",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["MAX_TOKENS", "TOKENIZERS_PARALLELISM", "EPOCHS", "KEYWORDS"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn a_redacted_value_shows_nothing() {
        let value = Redacted::new("hunter2".to_owned());
        assert_eq!(
            format!("{value:?} {}", serde_json::to_string(&value).unwrap()),
            "*** \"***\""
        );
        assert_eq!(value.expose(), "hunter2");
    }
}
