//! The sandbox's time: moved by hand in tests, running (perhaps faster) in a demonstration.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// A clock that all parts of a sandbox share. Clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Face>);

#[derive(Debug)]
struct Face {
    start: Timestamp,
    origin: Instant,
    /// Sandbox seconds per real second; zero stands still.
    speed: f64,
    /// How far the time was moved by hand.
    moved: Mutex<SignedDuration>,
    /// Tells sleepers that the time was moved.
    ticks: watch::Sender<()>,
}

impl Clock {
    /// A clock that stands still until somebody moves it.
    pub fn manual(start: Timestamp) -> Self {
        Self::with(start, 0.0)
    }

    /// A clock that starts now and runs at a multiple of real time: 60 is a minute per second.
    pub fn real(speed: f64) -> Self {
        Self::with(
            Timestamp::now(),
            if speed.is_finite() {
                speed.clamp(0.001, 1e6)
            } else {
                1.0
            },
        )
    }

    fn with(start: Timestamp, speed: f64) -> Self {
        let (ticks, _) = watch::channel(());
        Self(Arc::new(Face {
            start,
            origin: Instant::now(),
            speed,
            moved: Mutex::default(),
            ticks,
        }))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        let moved = *self.0.moved.lock().unwrap_or_else(PoisonError::into_inner);
        let ran = SignedDuration::try_from_secs_f64(self.0.origin.elapsed().as_secs_f64() * self.0.speed);
        let past = moved.saturating_add(ran.unwrap_or_default());
        self.0.start.checked_add(past).unwrap_or(Timestamp::MAX)
    }

    /// Whether the clock stands still by itself.
    pub fn is_manual(&self) -> bool {
        self.0.speed == 0.0
    }

    /// Moves the time forward.
    pub(crate) fn forward(&self, by: SignedDuration) {
        {
            let mut moved = self.0.moved.lock().unwrap_or_else(PoisonError::into_inner);
            *moved = moved.saturating_add(by.max(SignedDuration::ZERO));
        }
        self.0.ticks.send_replace(());
    }

    /// Sleeps until a moment of the sandbox's time; for ever when there is none.
    pub(crate) async fn until(&self, moment: Option<Timestamp>) {
        let mut ticks = self.0.ticks.subscribe();
        loop {
            let left = match moment {
                Some(moment) => moment.duration_since(self.now()),
                None => SignedDuration::MAX,
            };
            if left <= SignedDuration::ZERO {
                return;
            }
            if self.is_manual() || moment.is_none() {
                if ticks.changed().await.is_err() {
                    return;
                }
                continue;
            }
            // a day at most: a longer sleep just goes round again
            let real = Duration::from_secs_f64((left.as_secs_f64() / self.0.speed).clamp(0.001, 86_400.0));
            tokio::select! {
                () = tokio::time::sleep(real) => {}
                _ = ticks.changed() => {}
            }
        }
    }

    /// Waits for real time on a running clock, and on a manual one until it was moved that far.
    pub(crate) async fn delay(&self, by: Duration) {
        if self.is_manual() {
            let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
            self.until(Some(self.now().saturating_add(by).unwrap_or(Timestamp::MAX)))
                .await;
        } else {
            tokio::time::sleep(by).await;
        }
    }

    /// Waits a moment before looking again: real time on a running clock, and on a manual one until it shows another
    /// time than at the last look.
    pub(crate) async fn moment(&self, last: Timestamp) {
        if self.is_manual() {
            let next = last
                .saturating_add(SignedDuration::from_nanos(1))
                .unwrap_or(Timestamp::MAX);
            self.until(Some(next)).await;
        } else {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        clock.clone().forward(SignedDuration::from_secs(5));
        assert_eq!(clock.now().as_second(), 5);
        clock.forward(SignedDuration::from_secs(-5));
        assert_eq!(clock.now().as_second(), 5);
    }

    #[tokio::test]
    async fn sleepers_wake_when_the_time_is_moved() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.until(Some(Timestamp::from_second(10).unwrap())).await }
        });
        tokio::task::yield_now().await;
        clock.forward(SignedDuration::from_secs(4));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.forward(SignedDuration::from_secs(6));
        sleeper.await.unwrap();
    }
}
