//! Formats of names, labels and keys, and what is said of texts that do not have them.

/// How a label of a domain name looks, as messages show it.
const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
/// How the last part of a label's key looks.
const QUALIFIED: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_LENGTH: usize = 63;
const SUBDOMAIN_LENGTH: usize = 253;

/// What is wrong with a label of a domain name.
pub(crate) fn label(text: &str) -> Vec<String> {
    let mut wrong = too_long(text, LABEL_LENGTH);
    if !is_label(text) {
        wrong.push(if is_subdomain(text) {
            "must not contain dots".to_owned()
        } else {
            format!(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start \
                 and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
                 '{LABEL}')"
            )
        });
    }
    wrong
}

/// What is wrong with a domain name.
pub(crate) fn subdomain(text: &str) -> Vec<String> {
    let mut wrong = too_long(text, SUBDOMAIN_LENGTH);
    if !is_subdomain(text) {
        wrong.push(format!(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
             start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
             '{LABEL}(\\.{LABEL})*')"
        ));
    }
    wrong
}

/// What is wrong with the key of a label or an annotation, or with a finalizer.
pub(crate) fn qualified(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let words = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
                 character";
    let shape = format!("(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{QUALIFIED}')");
    let name = match text.split('/').collect::<Vec<_>>().as_slice() {
        [name] => *name,
        ["", name] => {
            wrong.push("prefix part must be non-empty".to_owned());
            *name
        }
        [prefix, name] => {
            wrong.extend(subdomain(prefix).into_iter().map(|why| format!("prefix part {why}")));
            *name
        }
        _ => {
            wrong.push(format!(
                "a valid label key {words} {shape} with an optional DNS subdomain prefix and '/' (e.g. \
                 'example.com/MyName')"
            ));
            return wrong;
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_LENGTH {
        wrong.push(format!("name part must be no more than {LABEL_LENGTH} bytes"));
    }
    if !is_qualified(name) {
        wrong.push(format!("name part {words} {shape}"));
    }
    wrong
}

/// What is wrong with the value of a label.
pub(crate) fn label_value(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > LABEL_LENGTH {
        wrong.push(format!("must be no more than {LABEL_LENGTH} bytes"));
    }
    if !text.is_empty() && !is_qualified(text) {
        wrong.push(format!(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
             start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for \
             validation is '({QUALIFIED})?')"
        ));
    }
    wrong
}

/// What is wrong with a key of a `ConfigMap` or a Secret.
pub(crate) fn config_key(text: &str) -> Vec<String> {
    let mut wrong = too_long(text, SUBDOMAIN_LENGTH);
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || !text.chars().all(fine) {
        wrong.push(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or \
             'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
                .to_owned(),
        );
    } else if text == "." {
        wrong.push("must not be '.'".to_owned());
    } else if text == ".." {
        wrong.push("must not be '..'".to_owned());
    } else if text.starts_with("..") {
        wrong.push("must not start with '..'".to_owned());
    }
    wrong
}

/// Whether a text is a domain name.
pub(crate) fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

fn is_label(text: &str) -> bool {
    let alnum = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(alnum) && text.ends_with(alnum) && text.chars().all(|c| alnum(c) || c == '-')
}

fn is_qualified(text: &str) -> bool {
    let alnum = |c: char| c.is_ascii_alphanumeric();
    let inner = |c: char| alnum(c) || matches!(c, '-' | '_' | '.');
    text.starts_with(alnum) && text.ends_with(alnum) && text.chars().all(inner)
}

fn too_long(text: &str, most: usize) -> Vec<String> {
    if text.len() > most {
        vec![format!("must be no more than {most} characters")]
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_its_format_is_not_complained_about() {
        let long = "a".repeat(64);
        type Format = fn(&str) -> Vec<String>;
        let cases: [(Format, &[&str], &[&str]); 5] = [
            (label, &["a", "1-a"], &["", "-a", "a.b", "A", &long]),
            (subdomain, &["a.b", "1", &long], &["", "a..b", "a_b", ".a"]),
            (
                qualified,
                &["a", "A_b.c", "example.com/Name"],
                &["", "/a", "a/b/c", "A.b/c", "-a", &long],
            ),
            (label_value, &["", "a", "A_b.c"], &["a b", "-", &long]),
            (config_key, &["a", ".a.", "A_b"], &["", ".", "..", "a/b"]),
        ];
        for (format, good, bad) in cases {
            for text in good {
                assert_eq!(format(text), Vec::<String>::new(), "{text}");
            }
            for text in bad {
                assert!(!format(text).is_empty(), "{text}");
            }
        }
    }
}
