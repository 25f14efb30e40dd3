//! Reading the end of a container's log, of the run that tells most.

use kf_mcp_core::Cx;
use kf_mcp_core::kube::log::LogTail;
use kf_mcp_core::kube::{KubeError, LogQuery};

use crate::pods::Run;

/// How much of a log is held while it is read.
pub(super) const HELD: usize = 1 << 20;

/// The end of a log, and whose it is.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) log: Result<LogTail, KubeError>,
    /// Whether it is that of the run before the last restart.
    pub(super) previous: bool,
    /// Whether that was wanted, and the node has it no more.
    pub(super) lost: bool,
}

/// Reads the run that is wanted; the other one where the wanted one has nothing to read. At most two requests.
pub(super) async fn read(cx: &Cx, namespace: &str, pod: &str, query: &LogQuery, run: Run) -> Read {
    let one = async |previous| {
        let query = LogQuery {
            previous,
            ..query.clone()
        };
        cx.kube().log_tail(namespace, pod, &query, HELD).await
    };
    let mut found = Read {
        log: one(run == Run::Previous).await,
        previous: run == Run::Previous,
        lost: false,
    };
    if found.previous && found.log.as_ref().is_err_and(|error| error.code() == 400) {
        found = Read {
            log: one(false).await,
            previous: false,
            lost: true,
        };
    } else if run == Run::PreviousIfEmpty
        && found.log.as_ref().is_ok_and(|log| log.lines.is_empty())
        && let Ok(before) = one(true).await
    {
        found.previous = !before.lines.is_empty();
        found.log = Ok(before);
    }
    found
}
