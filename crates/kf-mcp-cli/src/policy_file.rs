//! The policy file of a running server: its changes are put in force without a restart.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kf_mcp_core::{Engine, Policy};
use notify::{EventKind, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::open;

/// Editors write a file in several steps.
const SETTLE: Duration = Duration::from_millis(100);

/// Follows the file for the rest of the process: when it changes, and when the process is told to look (SIGHUP). A file that
/// cannot be used leaves the policy as it is, and says so.
pub(crate) fn follow(engine: Engine, file: PathBuf) {
    tokio::spawn(async move {
        let (told, mut changes) = mpsc::channel(1);
        // dropping the watcher would end the watch
        let _watcher = watch(&file, told);
        let mut hangups = hangups();
        let in_force = engine.catalogue().allowance().policy().source().as_bytes().to_vec();
        let mut before = Some(in_force);
        let mut asked = false;
        loop {
            // the first time at once: it may have changed between being read and being watched
            let now = std::fs::read(&file).ok();
            if asked || now != before {
                before = now;
                reload(&engine, &file);
            }
            asked = tokio::select! {
                Some(()) = changes.recv() => false,
                () = hung_up(&mut hangups) => true,
            };
            tokio::time::sleep(SETTLE).await;
        }
    });
}

fn reload(engine: &Engine, file: &Path) {
    let replaced = Policy::read(file)
        .map_err(|error| error.to_string())
        .and_then(|policy| {
            let odd = open::oddities(&policy).unwrap_or_default();
            engine.catalogues().replace(policy).map(|()| odd)
        });
    match replaced {
        Ok(odd) => {
            tracing::info!(file = %file.display(), "the policy was replaced");
            for odd in odd {
                tracing::warn!("policy: {odd}");
            }
        }
        Err(why) => tracing::error!("the policy stays as it was: {why}"),
    }
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
            tracing::trace!("a change of the policy file waits already");
        }
    });
    let watched = watcher.and_then(|mut watcher| {
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    match watched {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(%error, folder = %folder.display(), "changes of the policy file are not seen: send SIGHUP after them");
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
