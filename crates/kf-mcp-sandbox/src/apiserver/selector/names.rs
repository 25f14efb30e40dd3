//! What label keys and values may look like, in the API server's words.

/// Names of up to 63 characters.
const LONGEST: usize = 63;

fn inside(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Whether a text is made of name characters and begins and ends with a letter or digit.
fn is_name(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    edge(text.chars().next()) && edge(text.chars().next_back()) && text.chars().all(inside)
}

fn is_subdomain(text: &str) -> bool {
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.split('.')
        .all(|part| part.starts_with(lower) && part.ends_with(lower) && part.chars().all(|c| lower(c) || c == '-'))
}

/// Refuses a label key that cannot be one.
pub(super) fn check_key(key: &str) -> Result<(), String> {
    const NAME: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                        alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
                        '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
    const PREFIX: &str = "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \
                          '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex \
                          used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    let mut wrong: Vec<String> = Vec::new();
    let name = match key.split('/').collect::<Vec<_>>().as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                wrong.push("prefix part must be non-empty".to_owned());
            } else if prefix.len() > 253 {
                wrong.push("prefix part must be no more than 253 bytes".to_owned());
            } else if !is_subdomain(prefix) {
                wrong.push(PREFIX.to_owned());
            }
            name
        }
        _ => {
            let why = format!(
                "a valid label key {NAME} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            );
            return Err(refusal("<nil>", key, &why));
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if name.len() > LONGEST {
        wrong.push("name part must be no more than 63 bytes".to_owned());
    }
    if !is_name(name) {
        wrong.push(format!("name part {NAME}"));
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(refusal("<nil>", key, &wrong.join("; ")))
    }
}

/// Refuses a label value that cannot be one; `index` is its place among the values of its key.
pub(super) fn check_value(index: usize, key: &str, value: &str) -> Result<(), String> {
    let why = if value.len() > LONGEST {
        "must be no more than 63 bytes"
    } else if !value.is_empty() && !is_name(value) {
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start \
         and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation \
         is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
    } else {
        return Ok(());
    };
    Err(refusal(&format!("values[{index}][{key}]"), value, why))
}

fn refusal(field: &str, value: &str, why: &str) -> String {
    format!("{field}: Invalid value: {value:?}: {why}")
}
