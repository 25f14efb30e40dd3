//! Files of a running server whose changes are put in force without a restart: the policy, the tokens.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kf_mcp_core::telemetry::for_the_operator;
use notify::{EventKind, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// Editors write a file in several steps.
const SETTLE: Duration = Duration::from_millis(100);

/// Follows a file for the rest of the process: `replace` is called when it has another content than `in_force`, later than
/// before, and when the process is told to look (SIGHUP). What it cannot use leaves things as they are; the log says both.
pub(crate) fn follow(
    what: &'static str,
    file: PathBuf,
    in_force: Vec<u8>,
    replace: impl Fn(&Path) -> Result<(), String> + Send + 'static,
) {
    tokio::spawn(async move {
        let (told, mut changes) = mpsc::channel(1);
        // dropping the watcher would end the watch
        let _watcher = watch(&file, told);
        let mut hangups = hangups();
        let mut before = Some(in_force);
        let mut asked = false;
        loop {
            // the first time at once: it may have changed between being read and being watched
            let now = std::fs::read(&file).ok();
            if asked || now != before {
                before = now;
                match replace(&file) {
                    Ok(()) => tracing::info!(file = %file.display(), "the {what} in force is another one"),
                    // whose token or whose persona is nobody else's business
                    Err(why) => for_the_operator().in_scope(|| {
                        tracing::error!("the {what} in force stays as it was: {why}");
                    }),
                }
            }
            asked = tokio::select! {
                Some(()) = changes.recv() => false,
                () = hung_up(&mut hangups) => true,
            };
            tokio::time::sleep(SETTLE).await;
        }
    });
}

/// Watches the folder of the file: editors, and Kubernetes for what it mounts, put another file in its place.
fn watch(file: &Path, told: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let read = matches!(&event, Ok(event) if matches!(event.kind, EventKind::Access(_)));
        // a change that waits to be looked at stands for all later ones
        if !read && told.try_send(()).is_err() {
            tracing::trace!("a change of a file waits already");
        }
    });
    let watched = watcher.and_then(|mut watcher| {
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    match watched {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(%error, folder = %folder.display(), "changes of a file there are not seen: send SIGHUP after them");
            None
        }
    }
}

#[cfg(unix)]
type Hangups = Option<tokio::signal::unix::Signal>;
#[cfg(not(unix))]
type Hangups = Option<()>;

#[cfg(unix)]
fn hangups() -> Hangups {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok()
}

#[cfg(not(unix))]
fn hangups() -> Hangups {
    None
}

async fn hung_up(hangups: &mut Hangups) {
    #[cfg(unix)]
    if let Some(signal) = hangups
        && signal.recv().await.is_some()
    {
        return;
    }
    #[cfg(not(unix))]
    drop(hangups.take());
    std::future::pending().await
}
