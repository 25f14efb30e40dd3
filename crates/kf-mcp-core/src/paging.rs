//! Paging of list tools: the opaque cursor, and the scan for filters that the API server cannot apply.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::cx::{Cx, Scope};
use crate::error::ToolError;
use crate::kube::{KubeError, ListQuery, Resource};

/// Objects that a filtered list reads at once.
pub const CHUNK: u32 = 500;
/// Chunks that one call reads at most; the cursor goes on from there.
pub const CHUNKS: usize = 4;
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

/// A page of a Kubernetes list.
#[derive(Debug)]
pub struct Found<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// How many rows the whole list has, where that is known.
    pub total: Option<u64>,
    /// Where the next page begins, none on the last.
    pub next_cursor: Option<String>,
}

/// A Kubernetes list that is read page by page.
#[derive(Debug)]
pub struct Scan<'a> {
    /// The tool that lists.
    pub list: &'static str,
    /// The kind of object.
    pub of: &'a Resource,
    /// Where to look.
    pub scope: &'a Scope,
    /// Label selector: the server applies it.
    pub labels: Option<&'a str>,
    /// What the reading function leaves out, in any stable words; empty when it keeps every object.
    pub filter: &'a str,
    /// Rows of a page.
    pub limit: usize,
    /// The caller's cursor.
    pub cursor: Option<&'a str>,
}

impl Scan<'_> {
    /// Reads a page: one request, or for a filter at most [`CHUNKS`] of [`CHUNK`] objects. A filtered page may be short, and
    /// even empty, although there is more. `read` makes a row of an object, or none if the filter leaves it out.
    pub async fn page<T: Send>(
        &self,
        cx: &Cx,
        read: impl Fn(&RawValue) -> Option<T> + Send + Sync,
    ) -> Result<Found<T>, ToolError> {
        let identity = match self.labels {
            Some(labels) => format!("{labels}|{}", self.filter),
            None => self.filter.to_owned(),
        };
        let mut at = Cursor::resume(self.cursor, self.list, &self.scope.words(), &identity)?;
        if self.filter.is_empty() {
            let page = self.request(cx, &at, self.limit as u32).await?;
            let rows: Vec<T> = page.items.iter().filter_map(|item| read(item)).collect();
            let before = at.seen + page.items.len() as u64;
            let total = match (&page.next, page.remaining) {
                _ if self.labels.is_some() => None,
                (None, _) => Some(before),
                (Some(_), remaining) => remaining.map(|remaining| before + remaining),
            };
            let next = page.next.map(|token| at.after(Some(token), 0, rows.len()).encode());
            return Ok(Found {
                rows,
                total,
                next_cursor: next,
            });
        }
        let mut rows = Vec::new();
        for _ in 0..CHUNKS {
            let page = self.request(cx, &at, CHUNK).await?;
            let take = filtered(
                page.items.iter().map(|item| &**item),
                at.offset,
                self.limit,
                &read,
                &mut rows,
            );
            match (take, page.next) {
                (Some(offset), _) => return Ok(unfinished(rows, |done| at.after(at.token.clone(), offset, done))),
                (None, Some(token)) => at = at.after(Some(token), 0, 0),
                (None, None) => {
                    return Ok(Found {
                        rows,
                        total: None,
                        next_cursor: None,
                    });
                }
            }
            if rows.len() >= self.limit {
                break;
            }
        }
        Ok(unfinished(rows, |done| at.after(at.token.clone(), 0, done)))
    }

    async fn request(&self, cx: &Cx, at: &Cursor, limit: u32) -> Result<crate::kube::Page, ToolError> {
        let query = ListQuery {
            labels: self.labels.map(str::to_owned),
            limit: Some(limit),
            cursor: at.token.clone(),
            ..ListQuery::default()
        };
        let page = cx.kube().list(self.of, self.scope.namespace(), &query).await;
        page.map_err(|error| refused(error, at))
    }
}

fn unfinished<T>(rows: Vec<T>, next: impl FnOnce(usize) -> Cursor) -> Found<T> {
    let next_cursor = Some(next(rows.len()).encode());
    Found {
        rows,
        total: None,
        next_cursor,
    }
}

/// Adds the rows of a chunk until there are `limit`. Answers how many objects of the chunk are done when some are left.
fn filtered<'a, T>(
    items: impl ExactSizeIterator<Item = &'a RawValue>,
    offset: usize,
    limit: usize,
    read: impl Fn(&RawValue) -> Option<T>,
    rows: &mut Vec<T>,
) -> Option<usize> {
    let all = items.len();
    for (index, item) in items.enumerate().skip(offset) {
        rows.extend(read(item));
        if rows.len() >= limit {
            return Some(index + 1).filter(|done| *done < all);
        }
    }
    None
}

/// What a failed page means for the cursor: expired, or made by somebody else.
fn refused(error: KubeError, at: &Cursor) -> ToolError {
    let resumed = at.token.is_some();
    let (expired, code) = (error.is_expired(), error.code());
    if resumed && code == 400 {
        return ToolError::argument("cursor", "the API server does not know this cursor").fix("start without a cursor");
    }
    let mut told = ToolError::from(error);
    if resumed && expired {
        told.field = Some("cursor".into());
    }
    told
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

    #[test]
    fn a_chunk_is_left_where_the_page_is_full() {
        let items: Vec<Box<RawValue>> = (0..6).map(|n| RawValue::from_string(n.to_string()).unwrap()).collect();
        let even = |item: &RawValue| item.get().parse::<u32>().ok().filter(|n| n % 2 == 0);
        let chunk = |offset, limit| {
            let mut rows = Vec::new();
            let done = filtered(items.iter().map(|item| &**item), offset, limit, even, &mut rows);
            (rows, done)
        };
        assert_eq!(chunk(0, 2), (vec![0, 2], Some(3)));
        assert_eq!(chunk(3, 2), (vec![4], None));
        assert_eq!(chunk(0, 3), (vec![0, 2, 4], Some(5)));
        // The last object fills the page: the chunk is done.
        assert_eq!(chunk(4, 1), (vec![4], Some(5)));
        assert_eq!(chunk(6, 1), (vec![], None));
    }
}
