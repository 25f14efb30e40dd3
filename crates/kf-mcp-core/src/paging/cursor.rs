//! [`Cursor`]: the opaque place where a list goes on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::error::ToolError;

/// The longest cursor that is looked at. Ours are a few hundred characters.
const MAX_CURSOR: usize = 8 << 10;

/// Where a list goes on. It names the list it belongs to, so that the cursor of another list is refused instead of
/// answering something that only looks right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// The tool.
    #[serde(rename = "l")]
    list: String,
    /// Where it looks: a namespace, all of them, or a backend.
    #[serde(rename = "s")]
    scope: String,
    /// What it leaves out.
    #[serde(rename = "f", default, skip_serializing_if = "String::is_empty")]
    filter: String,
    /// The server's token of the page or chunk, none for the first.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Objects of that chunk that are done.
    #[serde(rename = "o", default)]
    pub offset: usize,
    /// The namespace it stands in, where a list goes through several.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Rows that the pages before had.
    #[serde(rename = "n", default)]
    pub seen: u64,
}

impl Cursor {
    /// The beginning of a list.
    pub fn first(list: &str, scope: &str, filter: &str) -> Self {
        Self {
            list: list.into(),
            scope: scope.into(),
            filter: filter.into(),
            token: None,
            offset: 0,
            part: None,
            seen: 0,
        }
    }

    /// The place that the caller's `cursor` argument names, or the beginning without one. A cursor that is broken or of
    /// another list is an `invalid_argument` on `cursor`.
    pub fn resume(given: Option<&str>, list: &str, scope: &str, filter: &str) -> Result<Self, ToolError> {
        let Some(given) = given else {
            return Ok(Self::first(list, scope, filter));
        };
        let read = (given.len() <= MAX_CURSOR)
            .then(|| URL_SAFE_NO_PAD.decode(given).ok())
            .flatten()
            .and_then(|json| serde_json::from_slice::<Self>(&json).ok());
        let Some(cursor) = read else {
            return Err(
                ToolError::argument("cursor", "is not a `next_cursor` of this server").fix("start without a cursor")
            );
        };
        let differs = if cursor.list != list {
            Some(format!("it is of {}", cursor.list))
        } else if cursor.scope != scope {
            Some(format!("it is of {}", cursor.scope))
        } else if cursor.filter != filter {
            Some("its filters were others".into())
        } else {
            None
        };
        match differs {
            None => Ok(cursor),
            Some(how) => Err(ToolError::argument("cursor", format!("belongs to another list: {how}"))
                .fix("repeat the arguments of the call that gave the cursor, or start without one")),
        }
    }

    /// The same list, further on.
    pub fn after(&self, token: Option<String>, offset: usize, rows: usize) -> Self {
        Self {
            token,
            offset,
            seen: self.seen + rows as u64,
            ..self.clone()
        }
    }

    /// The text for `next_cursor`.
    pub fn encode(&self) -> String {
        // A struct of strings and numbers always has a JSON form.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let first = Cursor::first("list_things", "namespace `a`", "status=Failed");
        let later = first.after(Some("token==".into()), 7, 3);
        let text = later.encode();
        assert!(
            text.bytes()
                .all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
        );
        let back = Cursor::resume(Some(&text), "list_things", "namespace `a`", "status=Failed").unwrap();
        assert_eq!((back.token.as_deref(), back.offset, back.seen), (Some("token=="), 7, 3));
        assert_eq!(
            Cursor::resume(None, "l", "s", "f").unwrap(),
            Cursor::first("l", "s", "f")
        );
    }

    #[test]
    fn a_foreign_or_broken_cursor_is_refused_on_its_argument() {
        let text = Cursor::first("list_things", "namespace `a`", "").encode();
        let long = "A".repeat(MAX_CURSOR + 1);
        for (given, list, scope, filter, said) in [
            (&*text, "list_others", "namespace `a`", "", "it is of list_things"),
            (&*text, "list_things", "all namespaces", "", "it is of namespace `a`"),
            (&*text, "list_things", "namespace `a`", "x", "its filters were others"),
            ("e30", "list_things", "namespace `a`", "", "not a `next_cursor`"),
            ("%%%", "list_things", "namespace `a`", "", "not a `next_cursor`"),
            (&*long, "list_things", "namespace `a`", "", "not a `next_cursor`"),
        ] {
            let error = Cursor::resume(Some(given), list, scope, filter).unwrap_err();
            assert_eq!(
                (error.code, error.field.as_deref()),
                (ErrorCode::InvalidArgument, Some("cursor"))
            );
            assert!(error.answered.contains(said), "{}", error.answered);
        }
    }
}
