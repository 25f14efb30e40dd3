//! The events of a training job among those of its namespace, in as few requests as that takes.

use std::collections::BTreeMap;

use kf_mcp_core::kube::resources::EVENTS;
use kf_mcp_core::kube::{ListQuery, Page};
use kf_mcp_core::{Cx, ToolError};

use crate::events::{Event, Involved, is_of_job};
use crate::legacy::{self, JobKind};

/// Events of one page; two are read at most, because a busy namespace has tens of thousands.
const PAGE: u32 = 500;

/// What was found without reading the job.
pub(super) struct Search {
    /// The job's events, by their names: pages of different queries may hold the same.
    pub(super) found: BTreeMap<String, Event>,
    /// The first page of the namespace's events.
    pub(super) first: Page,
    pub(super) not_seen: Vec<String>,
}

/// What is searched for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The job.
    pub(super) name: &'a str,
    /// Its kind, which decides what its parts are called.
    pub(super) kind: JobKind,
    /// Only what went wrong.
    pub(super) warnings_only: bool,
}

impl Wanted<'_> {
    /// The job's events. A selector cannot match the beginning of a name, so they are picked from the namespace's; when
    /// those do not end with the first page, the events of the job and JobSet themselves are asked for by name, because
    /// controllers report errors there.
    ///
    /// Parts that are not called as Trainer calls them are found only when nothing else is, because then the job is read.
    /// To know them always would cost every call one request more.
    pub(super) async fn collect(&self, cx: &Cx, namespace: &str) -> Result<Search, ToolError> {
        let first = self.first(cx, namespace).await?;
        self.beyond(cx, namespace, first).await
    }

    /// The first page of the namespace's events.
    pub(super) async fn first(&self, cx: &Cx, namespace: &str) -> Result<Page, ToolError> {
        self.page(cx, namespace, None, None).await
    }

    /// The job's events of the first page, and of what is searched beyond it.
    pub(super) async fn beyond(&self, cx: &Cx, namespace: &str, first: Page) -> Result<Search, ToolError> {
        let mut found = self.own(&first, &[]);
        let Some(cursor) = first.next.clone() else {
            return Ok(Search {
                found,
                first,
                not_seen: Vec::new(),
            });
        };
        let named = self
            .page(cx, namespace, Some(format!("involvedObject.name={}", self.name)), None)
            .await?;
        found.extend(self.own(&named, &[]));
        // Without any, the third request is for the job: if it does not exist, nothing else matters.
        let mut more = true;
        if !found.is_empty()
            // A list that changed too much to go on takes nothing from what was read.
            && let Ok(second) = self.page(cx, namespace, None, Some(cursor)).await
        {
            found.extend(self.own(&second, &[]));
            more = second.next.is_some();
        }
        let mut not_seen = Vec::new();
        if more {
            not_seen.push("the namespace has more events than were searched".to_owned());
        }
        Ok(Search { found, first, not_seen })
    }

    async fn page(
        &self,
        cx: &Cx,
        namespace: &str,
        fields: Option<String>,
        cursor: Option<String>,
    ) -> Result<Page, ToolError> {
        let warnings = self.warnings_only.then(|| "type=Warning".to_owned());
        let fields: Vec<String> = fields.into_iter().chain(warnings).collect();
        let query = ListQuery {
            fields: (!fields.is_empty()).then(|| fields.join(",")),
            limit: Some(PAGE),
            cursor,
            ..ListQuery::default()
        };
        Ok(cx.kube().list(&EVENTS, Some(namespace), &query).await?)
    }

    /// The job's events of a page, with those of its parts.
    pub(super) fn own(&self, page: &Page, parts: &[&str]) -> BTreeMap<String, Event> {
        let (events, _) = page.decode::<Event>();
        let of_job = |object: &Involved| match self.kind {
            JobKind::TrainJob => is_of_job(object, self.name, parts),
            JobKind::Legacy(kind) => legacy::is_of_job(object, kind, self.name),
        };
        let wanted = |event: &Event| of_job(&event.involved_object) && (event.is_warning() || !self.warnings_only);
        events
            .into_iter()
            .filter(wanted)
            .map(|event| (event.metadata.name.clone(), event))
            .collect()
    }
}
