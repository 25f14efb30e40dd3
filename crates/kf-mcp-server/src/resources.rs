//! The guides of the catalogue as MCP resources. They are the same for every caller, so anybody may cache them.

use kf_mcp_core::names::nearest;
use kf_mcp_core::{Catalogue, Guide};
use rmcp::model::{
    CacheScope, ErrorData, ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult, Resource,
    ResourceContents,
};
use serde_json::json;

use crate::handler::LIST_TTL;

/// Characters of an unknown URI that are told back.
const URI: usize = 200;

/// All guides on one page, since many clients read only the first. None of a server without guides, which declares no
/// resources either.
pub(crate) fn list(catalogue: &Catalogue) -> Option<ListResourcesResult> {
    let guides = some(catalogue)?;
    Some(
        ListResourcesResult::with_all_items(guides.iter().copied().map(resource).collect())
            .with_ttl_ms(LIST_TTL)
            .with_cache_scope(CacheScope::Public),
    )
}

/// No templates: every guide has its own URI. None as for [`list`].
pub(crate) fn templates(catalogue: &Catalogue) -> Option<ListResourceTemplatesResult> {
    some(catalogue).map(|_| {
        ListResourceTemplatesResult::with_all_items(Vec::new())
            .with_ttl_ms(LIST_TTL)
            .with_cache_scope(CacheScope::Public)
    })
}

/// The text of one guide. The error names the guides that there are; its code is the one of the client's revision (rmcp
/// makes `-32602` of `-32002` for those from 2026-07-28 on).
pub(crate) fn read(catalogue: &Catalogue, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let Some(guide) = catalogue.guide(uri) else {
        return Err(unknown(catalogue, uri));
    };
    let text = ResourceContents::text(guide.text, guide.uri).with_mime_type(Guide::MIME_TYPE);
    Ok(ReadResourceResult::new(vec![text])
        .with_ttl_ms(LIST_TTL)
        .with_cache_scope(CacheScope::Public))
}

fn some(catalogue: &Catalogue) -> Option<&[&'static Guide]> {
    Some(catalogue.guides()).filter(|guides| !guides.is_empty())
}

fn resource(guide: &Guide) -> Resource {
    Resource::new(guide.uri, guide.name)
        .with_title(guide.title)
        .with_description(guide.description)
        .with_mime_type(Guide::MIME_TYPE)
        .with_size(guide.text.len() as u64)
}

fn unknown(catalogue: &Catalogue, uri: &str) -> ErrorData {
    let uris: Vec<&str> = catalogue.guides().iter().map(|guide| guide.uri).collect();
    // All of them begin alike, so only the last part tells which one was meant.
    let last = uri.rsplit('/').next().unwrap_or_default();
    let near = nearest(last, catalogue.guides().iter().map(|guide| guide.name));
    let near = near.and_then(|near| catalogue.guides().iter().find(|guide| guide.name == near));
    let near = near.map(|guide| format!("; did you mean {}?", guide.uri));
    let uri: String = uri.chars().filter(|c| !c.is_control()).take(URI).collect();
    let there_are = if uris.is_empty() {
        "this server has none".to_owned()
    } else {
        format!("there are {}", uris.join(", "))
    };
    ErrorData::resource_not_found(
        format!("Unknown resource: {uri}: {there_are}{}", near.unwrap_or_default()),
        Some(json!({"uri": uri, "resources": uris})),
    )
}
