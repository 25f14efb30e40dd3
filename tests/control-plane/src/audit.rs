//! The audit log: what a user asked of the API server, as the API server saw it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

/// The audit log of a control plane. A request is in it before its client has the answer.
#[derive(Debug, Clone)]
pub struct Audit {
    path: PathBuf,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `get`, `list`, `watch`, `create`, `patch`, `update`, `delete` or `deletecollection`.
    pub verb: String,
    /// API group, empty for the core.
    pub group: String,
    /// Plural resource with its subresource: `pods/log`; empty for paths that are no resource.
    pub resource: String,
    /// Namespace, empty when the request is in none.
    pub namespace: String,
    /// Name, empty for collections.
    pub name: String,
    /// Path and query.
    pub uri: String,
    /// HTTP status of the answer.
    pub code: u16,
}

impl Entry {
    fn of(line: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let object = &line["objectRef"];
        let mut resource = text(&object["resource"]);
        if let Some(sub) = object["subresource"].as_str() {
            resource = format!("{resource}/{sub}");
        }
        Self {
            verb: text(&line["verb"]),
            group: text(&object["apiGroup"]),
            resource,
            namespace: text(&object["namespace"]),
            name: text(&object["name"]),
            uri: text(&line["requestURI"]),
            code: line["responseStatus"]["code"]
                .as_u64()
                .and_then(|code| u16::try_from(code).ok())
                .unwrap_or_default(),
        }
    }
}

impl Audit {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where the log ends now, for [`Audit::since`].
    #[must_use]
    pub fn mark(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |file| file.len())
    }

    /// What a user has asked since a mark, in order. Who is impersonated counts as the one who asked.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn since(&self, mark: u64, user: &str) -> Result<Vec<Entry>> {
        let mut file = File::open(&self.path).with_context(|| format!("open {}", self.path.display()))?;
        file.seek(SeekFrom::Start(mark))
            .context("go to the mark in the audit log")?;
        let mut seen = BTreeSet::new();
        let mut entries = Vec::new();
        for line in BufReader::new(file).lines() {
            let line = line.context("read the audit log")?;
            // the last line may still be being written, by another's request
            let Ok(line) = serde_json::from_str::<Value>(&line) else {
                continue;
            };
            let who = line["impersonatedUser"]["username"]
                .as_str()
                .or(line["user"]["username"].as_str());
            // watches and logs have a line when they begin and one when they end
            if who == Some(user) && seen.insert(line["auditID"].as_str().unwrap_or_default().to_owned()) {
                entries.push(Entry::of(&line));
            }
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_users_requests_are_counted_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        let line = |id: &str, user: &str, verb: &str| {
            json!({"auditID": id, "verb": verb, "user": {"username": user}, "requestURI": "/api/v1/pods",
                "objectRef": {"resource": "pods", "subresource": "log", "namespace": "n"}, "responseStatus": {"code": 200}})
        };
        let mut text = String::new();
        for line in [
            line("1", "a", "list"),
            line("2", "b", "list"),
            line("3", "a", "get"),
            line("3", "a", "get"),
        ] {
            writeln!(text, "{line}").unwrap();
        }
        std::fs::write(&path, &text).unwrap();
        let audit = Audit::new(path);
        let mine = audit.since(0, "a").unwrap();
        assert_eq!(
            mine.iter().map(|entry| entry.verb.as_str()).collect::<Vec<_>>(),
            ["list", "get"]
        );
        assert_eq!(mine[0].resource, "pods/log");
        assert!(audit.since(audit.mark(), "a").unwrap().is_empty());
    }
}
