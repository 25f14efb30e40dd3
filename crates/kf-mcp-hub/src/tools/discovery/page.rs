//! The pages of the hub's lists: how one is asked for, and what an answer says about it.

use kf_mcp_core::paging::{Cursor, Limit};
use kf_mcp_core::{Text, ToolError};
use schemars::JsonSchema;
use serde::Serialize;

use super::view::NOTE;
use crate::api::Page;
use crate::client::Registry;

/// A page of a list, newest first.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// The tool that lists, for the cursor.
    pub(super) list: &'static str,
    /// What the list is of, for the cursor.
    pub(super) scope: String,
    /// The request in words.
    pub(super) asked: &'static str,
    /// Below the dialect's base.
    pub(super) path: &'a str,
    /// The field that the registry orders by.
    pub(super) order: &'static str,
    /// In the registry's own language, empty for none.
    pub(super) filter: &'a str,
    /// Rows at most.
    pub(super) limit: Limit,
    /// The caller's cursor.
    pub(super) cursor: Option<&'a str>,
}

impl Wanted<'_> {
    /// Reads the page, and says where it is in the list.
    pub(super) async fn read(&self, registry: &Registry<'_>) -> Result<(Cursor, Page), ToolError> {
        let at = Cursor::resume(self.cursor, self.list, &self.scope, self.filter)?;
        let size = self.limit.rows().to_string();
        let mut query = vec![("pageSize", &*size), ("orderBy", self.order), ("sortOrder", "DESC")];
        if !self.filter.is_empty() {
            query.push(("filterQuery", self.filter));
        }
        if let Some(token) = &at.token {
            query.push(("nextPageToken", token));
        }
        let page = registry.get(self.asked, self.path, &query).await?;
        Ok((at, page))
    }
}

/// What an answer says about the page that its rows are. Flattened into the answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Listed {
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    note: &'static str,
}

impl Listed {
    /// Of the page at a place in the list, of which `rows` are shown.
    pub(super) fn of(at: &Cursor, page: &Page, rows: usize) -> Self {
        Self::until(page.next().map(|token| at.after(Some(token), 0, rows).encode()))
    }

    /// Of a page that the list goes on after with this cursor.
    pub(super) fn until(next_cursor: Option<String>) -> Self {
        Self {
            has_more: next_cursor.is_some(),
            next_cursor,
            note: NOTE,
        }
    }

    /// What comes after the rows, or instead of them when there are none. `what` is what they are, in the plural.
    pub(super) fn render(&self, what: &str, rows: usize, text: &mut Text) {
        if rows > 0 {
            text.fact("note", self.note);
        } else if self.has_more {
            text.line(format!("no matching {what} on this page"));
        } else {
            text.line(format!("no matching {what}"));
        }
        text.fact("next_cursor", self.next_cursor.as_deref().unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_rows_says_whether_the_list_goes_on() {
        for (rows, next, said) in [
            (0, None, "no matching models"),
            (0, Some("abc"), "no matching models on this page\nnext_cursor: abc"),
        ] {
            let mut text = Text::new("2026-01-01T00:00:00Z".parse().unwrap());
            Listed::until(next.map(str::to_owned)).render("models", rows, &mut text);
            assert_eq!(text.finish(), said);
        }
    }
}
