//! Following a log for a while: every new line goes to the caller soon, but not one by one.

use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::time::{Instant, sleep_until};

use crate::loglines::{Batch, Tail};

/// Lines that arrive within this time go out together: at most five reports a second.
const GATHER: Duration = Duration::from_millis(200);

/// Why following ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The container has stopped.
    Stopped,
    /// The time is over.
    TimeOver,
    /// The caller gave up.
    Cancelled,
    /// The connection broke.
    Broke(String),
}

/// Takes lines into the tail as they arrive, and reports them in batches with the number of lines so far.
pub(crate) async fn follow(
    lines: impl Stream<Item = Result<Vec<String>, String>>,
    tail: &mut Tail,
    until: Instant,
    cancelled: impl Future<Output = ()>,
    report: impl Fn(usize, String),
) -> End {
    let mut lines = std::pin::pin!(lines);
    let mut cancelled = std::pin::pin!(cancelled);
    let (mut batch, mut due) = (Batch::default(), None);
    let end = loop {
        tokio::select! {
            biased;
            () = &mut cancelled => break End::Cancelled,
            () = sleep_until(until) => break End::TimeOver,
            () = sleep_until(due.unwrap_or(until)), if due.is_some() => {
                due = None;
                if let Some(message) = batch.take() {
                    report(tail.searched(), message);
                }
            }
            chunk = lines.next() => match chunk {
                None => break End::Stopped,
                Some(Err(why)) => break End::Broke(why),
                Some(Ok(chunk)) => {
                    for line in chunk {
                        if let Some(shown) = tail.push(&line) {
                            batch.push(shown);
                            due = due.or_else(|| Some(Instant::now() + GATHER));
                        }
                    }
                    // A log that never pauses must not keep the clock and the cancellation from being seen.
                    tokio::task::yield_now().await;
                }
            }
        }
    };
    if let Some(message) = batch.take() {
        report(tail.searched(), message);
    }
    end
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::pending;

    use futures::stream;

    use super::*;

    fn soon(milliseconds: u64) -> Instant {
        Instant::now() + Duration::from_millis(milliseconds)
    }

    #[tokio::test]
    async fn lines_of_one_moment_are_one_report() {
        let lines = stream::iter([Ok(vec!["a".to_owned()]), Ok(vec!["b".to_owned(), "c".to_owned()])]);
        let (mut tail, reports) = (Tail::new(2, None), RefCell::new(Vec::new()));
        let end = follow(lines, &mut tail, soon(5000), pending(), |n, text| {
            reports.borrow_mut().push((n, text))
        })
        .await;
        assert_eq!(
            (end, reports.into_inner()),
            (End::Stopped, vec![(3, "a\nb\nc".to_owned())])
        );
        assert_eq!(tail.into_lines(), ["b", "c"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_log_ends_with_the_time_and_what_there_was_is_reported_before() {
        let lines = stream::iter([Ok(vec!["a".to_owned()])]).chain(stream::pending());
        let (mut tail, reports) = (Tail::new(9, None), RefCell::new(Vec::new()));
        let started = Instant::now();
        let report = |n, text| {
            reports
                .borrow_mut()
                .push((n, text, started.elapsed() < Duration::from_millis(390)))
        };
        let end = follow(lines, &mut tail, soon(400), pending(), report).await;
        assert_eq!(
            (end, reports.into_inner()),
            (End::TimeOver, vec![(1, "a".to_owned(), true)])
        );
    }

    #[tokio::test]
    async fn a_flood_is_cancelled_at_once_and_a_broken_log_says_so() {
        let flood = stream::repeat_with(|| Ok(vec!["x".to_owned()]));
        let mut tail = Tail::new(9, None);
        let gone = tokio::time::sleep(Duration::from_millis(20));
        assert_eq!(
            follow(flood, &mut tail, soon(9000), gone, |_, _| ()).await,
            End::Cancelled
        );
        let broken = stream::iter([Err("reset".to_owned())]);
        assert_eq!(
            follow(broken, &mut tail, soon(9000), pending(), |_, _| ()).await,
            End::Broke("reset".into())
        );
    }
}
