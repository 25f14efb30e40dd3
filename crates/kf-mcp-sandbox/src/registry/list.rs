//! Lists: filters, order, pages.

use serde_json::{Value, json};

use super::entity::{Entity, Kind};
use super::{Problem, Query, Registry, Reply, filter, value};

impl Registry {
    pub(super) fn list(&self, kind: Kind, parent: Option<i64>, query: &Query) -> Reply {
        let page_size = match query.get("pageSize").filter(|text| !text.is_empty()) {
            Some(text) => text
                .parse::<i32>()
                .map_err(|_| Problem::bad(format!("invalid numeric string: {}", value::go_number_error(text))))?,
            None => 0,
        };
        let after = match query.get("nextPageToken").filter(|token| !token.is_empty()) {
            Some(token) => Some(position(token)?),
            None => None,
        };
        let only = only(kind, query)?;
        // The server parses filters for these kinds alone and lets anything pass on the others.
        let filtered = matches!(kind, Kind::Model | Kind::Version | Kind::Any);
        let filter = if filtered {
            filter::parse(&condition(parent, query))?
        } else {
            None
        };
        let mut rows: Vec<&Entity> = self
            .table(kind)
            .iter()
            .filter(|entity| only.unwrap_or(kind).covers(entity.kind))
            .filter(|entity| parent.is_none_or(|parent| entity.parent == parent))
            .filter(|entity| filter.as_ref().is_none_or(|filter| filter.accepts(entity)))
            .collect();
        let order = |entity: &Entity| match query.get("orderBy") {
            Some("CREATE_TIME") => entity.created,
            Some("LAST_UPDATE_TIME") => entity.updated,
            _ => entity.id,
        };
        let descending = query.get("sortOrder") == Some("DESC");
        rows.sort_by_key(|entity| (order(entity), entity.id));
        if descending {
            rows.reverse();
        }
        if let Some((id, value)) = after {
            rows.retain(|entity| {
                let here = (order(entity), entity.id);
                if descending {
                    here < (value, id)
                } else {
                    here > (value, id)
                }
            });
        }
        let limit = usize::try_from(page_size)
            .ok()
            .filter(|limit| *limit > 0)
            .unwrap_or(rows.len());
        let token = match rows.get(..limit).and_then(<[_]>::last).filter(|_| rows.len() > limit) {
            Some(last) => value::encode(&format!("{}:{}", last.id, order(last))),
            None => String::new(),
        };
        rows.truncate(limit);
        let items: Vec<Value> = rows.iter().map(|entity| entity.body()).collect();
        Ok((
            200,
            json!({"size": items.len(), "items": items, "nextPageToken": token, "pageSize": page_size}),
        ))
    }
}

fn only(kind: Kind, query: &Query) -> Result<Option<Kind>, Problem> {
    match query
        .get("artifactType")
        .filter(|name| kind == Kind::Any && !name.is_empty())
    {
        Some(name) => Kind::artifact(name)
            .map(Some)
            .ok_or_else(|| Problem::bad(format!("invalid artifact type {name}"))),
        None => Ok(None),
    }
}

/// `name` and `externalId` of nested lists are spliced into the filter, quotes doubled as in SQL (which the filter's
/// own grammar does not understand).
fn condition(parent: Option<i64>, query: &Query) -> String {
    let mut parts = Vec::new();
    if parent.is_some() {
        for field in ["name", "externalId"] {
            if let Some(value) = query.get(field).filter(|value| !value.is_empty()) {
                parts.push(format!("{field} = '{}'", value.replace('\'', "''")));
            }
        }
    }
    if let Some(given) = query.get("filterQuery").filter(|given| !given.trim().is_empty()) {
        parts.push(if parts.is_empty() {
            given.to_owned()
        } else {
            format!("({given})")
        });
    }
    parts.join(" AND ")
}

fn position(token: &str) -> Result<(i64, i64), Problem> {
    let bad = |why: String| Problem::bad(format!("invalid nextPageToken: {why}"));
    let text = value::decode(token).map_err(bad)?;
    let (id, value) = text
        .split_once(':')
        .ok_or_else(|| bad("missing separator".to_owned()))?;
    let number = |text: &str| text.parse::<i64>().map_err(|_| bad(value::go_number_error(text)));
    Ok((number(id)?, number(value)?))
}
