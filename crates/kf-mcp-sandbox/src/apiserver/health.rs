//! `/livez`, `/readyz` and `/healthz`: everything is always well here, but clients may ask for each part of it.

use std::fmt::Write as _;

use http::StatusCode;

use super::answer::Answer;
use super::query::Query;

const TEXT: &str = "text/plain; charset=utf-8";

/// Answers a path, if it is one of these.
pub(crate) fn answer(path: &str, query: &Query) -> Option<Answer> {
    let (name, check) = match path.strip_prefix('/')?.split_once('/') {
        Some((name, check)) => (name, Some(check)),
        None => (path.strip_prefix('/')?, None),
    };
    let checks: &[&str] = match name {
        "livez" | "healthz" => &["ping", "log", "etcd"],
        "readyz" => &["ping", "log", "etcd", "etcd-readiness", "informer-sync", "shutdown"],
        _ => return None,
    };
    Some(match check {
        Some(check) if checks.contains(&check) => Answer::whole(StatusCode::OK, TEXT, "ok"),
        Some(_) => Answer::unknown_path(),
        None if query.has("verbose") => Answer::whole(StatusCode::OK, TEXT, all(name, checks, query)),
        None => Answer::whole(StatusCode::OK, TEXT, "ok"),
    })
}

fn all(name: &str, checks: &[&str], query: &Query) -> String {
    let excluded: Vec<&str> = query.all("exclude").collect();
    let mut text = String::new();
    for check in checks {
        let how = if excluded.contains(check) { " excluded:" } else { "" };
        // a String takes everything
        writeln!(text, "[+]{check}{how} ok").ok();
    }
    let mut unknown: Vec<String> = excluded
        .iter()
        .filter(|name| !checks.contains(name))
        .map(|name| format!("\"{name}\""))
        .collect();
    if !unknown.is_empty() {
        unknown.sort_unstable();
        let names = unknown.join(",");
        writeln!(
            text,
            "warn: some health checks cannot be excluded: no matches for {names}"
        )
        .ok();
    }
    text + name + " check passed\n"
}
