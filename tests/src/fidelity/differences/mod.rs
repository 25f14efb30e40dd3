//! What stays different, shown: every row of the sandbox's `FIDELITY.md` has a function here that finds the difference on
//! a real control plane and the sandbox. When it is gone, the function fails, and the row can go too.

mod access;
mod both;
mod reads;
mod writes;

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;

use crate::fidelity::life;
use crate::place::Place;

/// Shows a difference; panics when there is none.
pub type Show = for<'a> fn(&'a Place, &'a Place) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A row of `FIDELITY.md` and what shows it.
#[derive(Clone, Copy)]
pub struct Row {
    /// The first column.
    pub title: &'static str,
    /// Finds the difference on a real place and a sandbox.
    pub show: Show,
}

/// A row whose function is `async fn(&Place, &Place)`: the real place first.
macro_rules! row {
    ($title:literal, $show:path) => {
        Row {
            title: $title,
            show: |real, sandbox| Box::pin($show(real, sandbox)),
        }
    };
}

/// All rows but those that the lives of TrainJobs show.
pub const ROWS: &[Row] = &[
    row!("Request bodies in protobuf", writes::protobuf),
    row!("Controllers and scenarios are field managers too", writes::managers),
    row!("Every custom kind is checked against its CRD", writes::custom_kinds),
    row!("Every built-in kind is checked", writes::built_in_kinds),
    row!("What several checks find is told by each of them", writes::causes),
    row!("A refused change of a pod shows what differs", writes::pod_changes),
    row!("Go's reader tells what is wrong with YAML", writes::yaml),
    row!("A pod is deleted after its grace period", writes::grace),
    row!("Foreground deletion waits for dependents", writes::foreground),
    row!("A namespace is `Terminating` for a while", writes::namespaces),
    row!(
        "ConfigMap `kube-root-ca.crt` in every namespace",
        writes::root_certificate
    ),
    row!("`generateName` is random", writes::generated_names),
    row!("Uids are random", writes::uids),
    row!("Answers in YAML and protobuf", reads::yaml),
    row!(
        "A watch as `PartialObjectMetadataList` ends at once",
        reads::metadata_lists
    ),
    row!("Discovery lists all kinds and subresources", reads::discovery),
    row!("OpenAPI describes every field", reads::openapi),
    row!(
        "A patch's media types in OpenAPI include strategic merge",
        reads::patch_types
    ),
    row!("`/livez?verbose` lists some forty checks", reads::health),
    row!(
        "`/metrics`, `/`, `pods/exec`, `pods/portforward`, `pods/eviction`, `scale`, `nodes/proxy`",
        reads::other_paths
    ),
    row!("Containers print, the kubelet keeps 10 MiB", reads::logs),
    row!("RBAC allows", access::rbac),
    row!("Users come from certificates and tokens", access::users),
    row!("A rules review lists rules as roles have them", access::rules),
];

/// The first columns of all tables of `FIDELITY.md`.
#[must_use]
pub fn titles() -> Vec<&'static str> {
    let text = include_str!("../../../../crates/kf-mcp-sandbox/FIDELITY.md");
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    rows.filter(|first| *first != "Real server" && *first != "Control plane")
        .collect()
}

/// Rows of `FIDELITY.md` that nothing shows, and what is shown without a row.
#[must_use]
pub fn unmatched() -> Vec<String> {
    let titles = titles();
    let by_life = life::ALLOWED.iter().map(|allowed| allowed.row.to_owned());
    let by_cases = super::api::rows();
    let shown: HashSet<String> = ROWS
        .iter()
        .map(|row| row.title.to_owned())
        .chain(by_life)
        .chain(by_cases)
        .collect();
    let unshown = titles.iter().filter(|title| !shown.contains(**title));
    let untold = shown.iter().filter(|title| !titles.contains(&title.as_str()));
    unshown
        .map(|title| format!("nothing shows: {title}"))
        .chain(untold.map(|title| format!("FIDELITY.md has no row: {title}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_shown_and_everything_shown_has_a_row() {
        assert_eq!(unmatched(), Vec::<String>::new());
    }
}
