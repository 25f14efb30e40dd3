//! [`Scan`]: a Kubernetes list as a tool reads it, page by page, with filters that the API server cannot apply.

use serde_json::value::RawValue;

use super::{Cursor, Listed};
use crate::allowed::Allowed;
use crate::cx::{Cx, Scope};
use crate::error::{ErrorCode, ToolError};
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
        let at = Cursor::resume(self.cursor, self.list, &self.scope.words(), &identity)?;
        match self.scope {
            Scope::Several(allowed) => self.of_several(cx, allowed, at, &read).await,
            scope => {
                let part = self.part(cx, scope.namespace(), at, self.limit, &read).await?;
                Ok(self.found(part, Vec::new()))
            }
        }
    }

    /// One namespace after the other, until the page is full. Those in which the caller may not read are named.
    async fn of_several<T: Send>(
        &self,
        cx: &Cx,
        allowed: &Allowed,
        mut at: Cursor,
        read: &(impl Fn(&RawValue) -> Option<T> + Send + Sync),
    ) -> Result<Found<T>, ToolError> {
        let namespaces = &allowed.names;
        let first = at
            .part
            .take()
            .map_or(Some(0), |part| namespaces.iter().position(|name| *name == part));
        let Some(first) = first else {
            let why = "stands in a namespace that the policy no longer allows";
            return Err(ToolError::argument("cursor", why).fix("start without a cursor"));
        };
        let (mut whole, mut refused, mut refusal) = (Part::default(), Vec::new(), None);
        for (index, namespace) in namespaces.iter().enumerate().skip(first) {
            let room = self.limit - whole.rows.len();
            let part = match self.part(cx, Some(namespace), at.clone(), room, read).await {
                Ok(part) => part,
                Err(error) if matches!(error.code, ErrorCode::Forbidden) => {
                    refused.push(format!("namespace {namespace}: you may not list there"));
                    refusal = Some(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            at = at.after(None, 0, part.rows.len());
            whole.rows.extend(part.rows);
            let next = match part.next {
                Some(next) => Some((next, namespace)),
                None if whole.rows.len() >= self.limit => namespaces.get(index + 1).map(|next| (at.clone(), next)),
                None => None,
            };
            if let Some((mut next, namespace)) = next {
                next.part = Some(namespace.clone());
                whole.next = Some(next);
                break;
            }
        }
        match refusal {
            Some(refusal) if refused.len() == namespaces.len() => Err(refusal),
            _ => {
                let not_seen = allowed.not_seen.iter().cloned().chain(refused);
                Ok(self.found(whole, not_seen.collect()))
            }
        }
    }

    /// The rows of one request's reach.
    async fn part<T: Send>(
        &self,
        cx: &Cx,
        namespace: Option<&str>,
        mut at: Cursor,
        limit: usize,
        read: &(impl Fn(&RawValue) -> Option<T> + Send + Sync),
    ) -> Result<Part<T>, ToolError> {
        if self.filter.is_empty() {
            let page = self.request(cx, namespace, &at, limit as u32).await?;
            let rows: Vec<T> = page.items.iter().filter_map(|item| read(item)).collect();
            let before = at.seen + page.items.len() as u64;
            let total = match (&page.next, page.remaining) {
                _ if self.labels.is_some() => None,
                (None, _) => Some(before),
                (Some(_), remaining) => remaining.map(|remaining| before + remaining),
            };
            let next = page.next.map(|token| at.after(Some(token), 0, rows.len()));
            return Ok(Part { rows, total, next });
        }
        let mut rows = Vec::new();
        let part = |rows, next| Part {
            rows,
            total: None,
            next,
        };
        for _ in 0..CHUNKS {
            let page = self.request(cx, namespace, &at, CHUNK).await?;
            let items = page.items.iter().map(|item| &**item);
            let take = filtered(items, at.offset, limit, read, &mut rows);
            match (take, page.next) {
                (Some(offset), _) => {
                    let next = at.after(at.token.clone(), offset, rows.len());
                    return Ok(part(rows, Some(next)));
                }
                (None, Some(token)) => at = at.after(Some(token), 0, 0),
                (None, None) => return Ok(part(rows, None)),
            }
            if rows.len() >= limit {
                break;
            }
        }
        let next = at.after(at.token.clone(), 0, rows.len());
        Ok(part(rows, Some(next)))
    }

    fn found<T>(&self, part: Part<T>, not_seen: Vec<String>) -> Found<T> {
        let listed = Listed {
            namespace: self.scope.namespace().unwrap_or("*").to_owned(),
            has_more: part.next.is_some(),
            next_cursor: part.next.map(|next| next.encode()),
            total: part.total,
            not_seen,
            several: matches!(self.scope, Scope::Several(_)),
        };
        Found {
            rows: part.rows,
            listed,
        }
    }

    async fn request(&self, cx: &Cx, namespace: Option<&str>, at: &Cursor, limit: u32) -> Result<Page, ToolError> {
        let query = ListQuery {
            labels: self.labels.map(str::to_owned),
            limit: Some(limit),
            cursor: at.token.clone(),
            ..ListQuery::default()
        };
        let page = cx.kube().list(self.of, namespace, &query).await;
        page.map_err(|error| refused(error, at))
    }
}

/// Rows, how many there are in all where that is known, and where the list goes on.
struct Part<T> {
    rows: Vec<T>,
    total: Option<u64>,
    next: Option<Cursor>,
}

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            total: None,
            next: None,
        }
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
