//! Ten requests, and what they are for.

use kf_mcp_core::Cx;
use kf_mcp_core::kube::{KubeError, ListQuery, Resource};
use serde::de::DeserializeOwned;

use crate::refusal::said;

/// The most requests of a call.
const MOST: u32 = 10;
/// Objects of one kind that are read.
const PAGE: u32 = 500;

/// Something that was asked for, or that no request was left for.
pub(super) enum Maybe<T> {
    NotNeeded,
    NoRoom,
    Asked(Result<T, KubeError>),
}

/// Whether something is asked for.
#[derive(Clone, Copy)]
pub(super) enum Plan {
    NotNeeded,
    NoRoom,
    Ask,
}

impl Plan {
    pub(super) fn of(needed: bool, left: &mut u32) -> Self {
        match needed {
            false => Self::NotNeeded,
            true if take(left, 1) => Self::Ask,
            true => Self::NoRoom,
        }
    }

    pub(super) async fn ask<T>(self, asked: impl Future<Output = Result<T, KubeError>>) -> Maybe<T> {
        match self {
            Self::NotNeeded => Maybe::NotNeeded,
            Self::NoRoom => Maybe::NoRoom,
            Self::Ask => Maybe::Asked(asked.await),
        }
    }
}

/// How many requests are left of a call.
pub(super) fn left(cx: &Cx) -> u32 {
    MOST.saturating_sub(cx.kube().gate().requests())
}

/// Takes requests from those that are left.
pub(super) fn take(left: &mut u32, requests: u32) -> bool {
    let enough = *left >= requests;
    if enough {
        *left -= requests;
    }
    enough
}

/// Why a check could not be made.
pub(super) fn unseen(what: &str, error: &KubeError) -> String {
    format!("{what}: {}", said(error.clone()))
}

/// Why a check was not made.
pub(super) fn no_room(what: &str) -> String {
    format!("{what}: a call asks the cluster at most {MOST} times")
}

/// One page of objects, and whether there are more.
pub(super) async fn list<T: DeserializeOwned>(
    cx: &Cx,
    of: &Resource,
    namespace: Option<&str>,
) -> Result<(Vec<T>, bool), KubeError> {
    let query = ListQuery {
        limit: Some(PAGE),
        ..ListQuery::default()
    };
    let page = cx.kube().list(of, namespace, &query).await?;
    Ok((page.decode().0, page.next.is_some()))
}
