//! Query strings and paths, decoded.

use std::borrow::Cow;

/// Query parameters; of a repeated one the first counts.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// A parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Reads a raw query string.
pub(super) fn parse_query(raw: &str) -> Query {
    let pairs = raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (
            unescape(&key.replace('+', " ")).into_owned(),
            unescape(&value.replace('+', " ")).into_owned(),
        )
    });
    Query(pairs.collect())
}

/// Undoes percent encoding.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}
