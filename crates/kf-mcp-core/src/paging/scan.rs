//! [`Scan`]: a Kubernetes list as a tool reads it, page by page, with filters that the API server cannot apply.

use serde_json::value::RawValue;

use super::{Cursor, Listed};
use crate::cx::{Cx, Scope};
use crate::error::ToolError;
use crate::kube::{KubeError, ListQuery, Page, Resource};

/// Objects that a filtered list reads at once.
pub const CHUNK: u32 = 500;
/// Chunks that one call reads at most; the cursor goes on from there.
pub const CHUNKS: usize = 4;

/// A page of a Kubernetes list.
#[derive(Debug)]
pub struct Found<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// What the answer says about them.
    pub listed: Listed,
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
            let next = page.next.map(|token| at.after(Some(token), 0, rows.len()));
            return Ok(self.found(rows, total, next));
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
                (Some(offset), _) => {
                    let next = at.after(at.token.clone(), offset, rows.len());
                    return Ok(self.found(rows, None, Some(next)));
                }
                (None, Some(token)) => at = at.after(Some(token), 0, 0),
                (None, None) => return Ok(self.found(rows, None, None)),
            }
            if rows.len() >= self.limit {
                break;
            }
        }
        let next = at.after(at.token.clone(), 0, rows.len());
        Ok(self.found(rows, None, Some(next)))
    }

    fn found<T>(&self, rows: Vec<T>, total: Option<u64>, next: Option<Cursor>) -> Found<T> {
        let listed = Listed {
            namespace: self.scope.namespace().unwrap_or("*").to_owned(),
            has_more: next.is_some(),
            next_cursor: next.map(|next| next.encode()),
            total,
        };
        Found { rows, listed }
    }

    async fn request(&self, cx: &Cx, at: &Cursor, limit: u32) -> Result<Page, ToolError> {
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
