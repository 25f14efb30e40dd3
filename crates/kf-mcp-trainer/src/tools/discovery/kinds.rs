//! Lists of training jobs of one kind, or of all kinds one after the other.
//!
//! A cursor of all kinds is the kind it stands at and that kind's own cursor: `PyTorchJob~abc`. A page goes on to the next
//! kind while it has room, so that few jobs of many kinds are one page.

use kf_mcp_core::kube::resources::TRAIN_JOBS;
use kf_mcp_core::paging::{Found, Listed, Scan};
use kf_mcp_core::{Cx, ErrorCode, Scope, ToolError};
use serde_json::value::RawValue;

use super::list_training_jobs::NAME;
use crate::legacy::{self, JobKind, KindOrAll, MPI_V2};

/// Between the kind and its cursor. No cursor has it.
const AT: char = '~';

/// A list of training jobs.
pub(super) struct Walk<'a> {
    pub(super) kind: KindOrAll,
    pub(super) scope: &'a Scope,
    pub(super) labels: Option<&'a str>,
    pub(super) filter: &'a str,
    pub(super) limit: usize,
    pub(super) cursor: Option<&'a str>,
}

impl Walk<'_> {
    /// Reads a page; `read` makes a row of an object of a kind, or none if a filter leaves it out.
    pub(super) async fn page<T: Send>(
        &self,
        cx: &Cx,
        read: impl Fn(JobKind, &RawValue) -> Option<T> + Send + Sync,
    ) -> Result<Found<T>, ToolError> {
        match self.kind {
            KindOrAll::One(kind) => self.of_kind(cx, kind, self.limit, self.cursor, &read).await,
            KindOrAll::All => self.of_all(cx, &read).await,
        }
    }

    async fn of_kind<T: Send>(
        &self,
        cx: &Cx,
        kind: JobKind,
        limit: usize,
        cursor: Option<&str>,
        read: &(impl Fn(JobKind, &RawValue) -> Option<T> + Send + Sync),
    ) -> Result<Found<T>, ToolError> {
        let scan = |of| Scan {
            list: kind.legacy().map_or(NAME, |kind| kind.list),
            of,
            scope: self.scope,
            labels: self.labels,
            filter: self.filter,
            limit,
            cursor,
        };
        let read = |raw: &RawValue| read(kind, raw);
        let Some(legacy) = kind.legacy() else {
            return scan(&TRAIN_JOBS).page(cx, read).await;
        };
        match scan(&legacy.resource).page(cx, read).await {
            // The MPI operator has MPIJobs in a version of its own.
            Err(error) if error.code == ErrorCode::NotInstalled && legacy.resource.plural == MPI_V2.plural => {
                let second = scan(&MPI_V2).page(cx, read).await;
                second.map_err(|second| {
                    if second.code == ErrorCode::NotInstalled {
                        error
                    } else {
                        second
                    }
                })
            }
            answer => answer,
        }
    }

    /// TrainJobs first, then the v1 kinds that are served.
    async fn of_all<T: Send>(
        &self,
        cx: &Cx,
        read: &(impl Fn(JobKind, &RawValue) -> Option<T> + Send + Sync),
    ) -> Result<Found<T>, ToolError> {
        let served = legacy::served(cx)
            .await
            .into_iter()
            .map(|(kind, _)| JobKind::Legacy(kind));
        let kinds: Vec<JobKind> = std::iter::once(JobKind::TrainJob).chain(served).collect();
        let (first, mut inner) = self.start(&kinds)?;
        let (mut rows, mut last) = (Vec::new(), Listed::default());
        for (at, kind) in kinds.iter().enumerate().skip(first) {
            let found = self
                .of_kind(cx, *kind, self.limit - rows.len(), inner.as_deref(), read)
                .await;
            inner = None;
            let found = match found {
                // A cluster may have the old operator alone.
                Err(error) if error.code == ErrorCode::NotInstalled && kinds.len() > 1 => continue,
                found => found?,
            };
            rows.extend(found.rows);
            last.namespace = found.listed.namespace;
            last.several = found.listed.several;
            // the same namespaces for each kind
            last.not_seen = found.listed.not_seen;
            let next = match found.listed.next_cursor {
                Some(cursor) => Some((*kind, cursor)),
                None if rows.len() >= self.limit => kinds.get(at + 1).map(|next| (*next, String::new())),
                None => None,
            };
            if let Some((kind, cursor)) = next {
                last.has_more = true;
                last.next_cursor = Some(format!("{kind}{AT}{cursor}"));
                break;
            }
        }
        Ok(Found { rows, listed: last })
    }

    /// Where the caller's cursor stands.
    fn start(&self, kinds: &[JobKind]) -> Result<(usize, Option<String>), ToolError> {
        let Some(cursor) = self.cursor else {
            return Ok((0, None));
        };
        let place = cursor.split_once(AT).and_then(|(kind, inner)| {
            let at = kinds.iter().position(|of| of.name() == kind)?;
            Some((at, (!inner.is_empty()).then(|| inner.to_owned())))
        });
        place.ok_or_else(|| {
            ToolError::argument("cursor", "is not a `next_cursor` of a list of all kinds").fix("start without a cursor")
        })
    }
}
