//! What lets time pass: by hand, hop by hop, or in a task beside a running clock.

use std::sync::{Arc, Weak};

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;

use crate::Inner;

/// Moves a clock forward, with a stop at every moment at which something happens by itself.
pub(crate) fn advance(inner: &Inner, by: SignedDuration) {
    let target = inner.clock.now().saturating_add(by).unwrap_or(Timestamp::MAX);
    loop {
        let now = inner.clock.now();
        let due = inner.settle().unwrap_or(target);
        // a controller that stays due without doing anything must not hold up the time
        let next = if due > now {
            due
        } else {
            now.saturating_add(SignedDuration::from_secs(1)).unwrap_or(target)
        };
        if now >= target {
            return;
        }
        inner.clock.forward(next.min(target).duration_since(now));
    }
}

/// A task that lets the controllers work whenever the store changed or something is due. It ends with the sandbox.
pub(crate) fn spawn(inner: &Arc<Inner>) -> JoinHandle<()> {
    let weak = Arc::downgrade(inner);
    let mut ticks = inner.ticks.subscribe();
    let clock = inner.clock.clone();
    tokio::spawn(async move {
        loop {
            ticks.borrow_and_update();
            let Some(inner) = Weak::upgrade(&weak) else { return };
            let due = inner.settle();
            drop(inner);
            // a due moment that does not move on is looked at again only after a while
            let least = clock
                .now()
                .saturating_add(SignedDuration::from_millis(50))
                .unwrap_or(Timestamp::MAX);
            tokio::select! {
                changed = ticks.changed() => if changed.is_err() { return },
                () = clock.until(due.map(|due| due.max(least))) => {}
            }
        }
    })
}
