//! What can go wrong on purpose: faults that tests and scenarios switch on and off at run time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::pattern::{Asked, Pattern};

/// One way in which the API server misbehaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// 403, although access reviews say yes.
    Forbidden,
    /// 409 Conflict; only updates, patches and deletions meet it.
    Conflict,
    /// 429 with a `Retry-After` header.
    TooManyRequests {
        /// Seconds in `Retry-After`.
        retry_after: u32,
    },
    /// 500 InternalError.
    Internal,
    /// The answer comes late: by real time on a running clock, and on a manual one when it was moved that far.
    Slow(Duration),
    /// The body breaks off after so many bytes.
    Cut(usize),
    /// Watches end after so many events.
    DropWatch(usize),
    /// Continue tokens are answered with 410.
    ExpiredContinue,
    /// Watches from a resourceVersion are told 410 at once.
    ExpiredWatch,
}

#[derive(Debug)]
struct Rule {
    on: Pattern,
    left: Option<u32>,
    fault: Fault,
}

/// The switchboard of a sandbox's faults. Clones are the same board.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Board>);

#[derive(Debug, Default)]
struct Board {
    rules: Mutex<Vec<Rule>>,
    /// How many answers are being held back.
    waiting: AtomicUsize,
}

/// One answer that is held back; counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting(Faults);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Faults {
    /// Switches a fault on for all requests that match `on` (`verb resource[.group][/subresource][@namespace]`).
    pub fn add(&self, on: &str, fault: Fault) {
        self.push(on, None, fault);
    }

    /// Switches a fault on for the next `times` requests that match.
    pub fn next(&self, times: u32, on: &str, fault: Fault) {
        self.push(on, Some(times), fault);
    }

    /// Switches all faults off.
    pub fn clear(&self) {
        self.rules(Vec::clear);
    }

    /// How many answers [`Fault::Slow`] is holding back now: for tests that move the clock once a request is under way.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::SeqCst)
    }

    pub(crate) fn wait(&self) -> Waiting {
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        Waiting(self.clone())
    }

    fn push(&self, on: &str, left: Option<u32>, fault: Fault) {
        self.rules(|rules| {
            rules.push(Rule {
                on: Pattern::new(on),
                left,
                fault,
            })
        });
    }

    fn rules<T>(&self, work: impl FnOnce(&mut Vec<Rule>) -> T) -> T {
        work(&mut self.0.rules.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The faults that a request meets; each counts it as one of its times.
    pub(crate) fn hit(&self, asked: &Asked<'_>) -> Vec<Fault> {
        self.rules(|rules| {
            let mut hit = Vec::new();
            for rule in rules.iter_mut() {
                if !rule.on.matches(asked) || !rule.fault.concerns(asked.verb) {
                    continue;
                }
                if let Some(left) = &mut rule.left {
                    *left = left.saturating_sub(1);
                }
                hit.push(rule.fault.clone());
            }
            rules.retain(|rule| rule.left != Some(0));
            hit
        })
    }
}

impl Fault {
    fn concerns(&self, verb: &str) -> bool {
        match self {
            Fault::Conflict => matches!(verb, "update" | "patch" | "delete"),
            Fault::DropWatch(_) | Fault::ExpiredWatch => verb == "watch",
            Fault::ExpiredContinue => verb == "list",
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_with_a_count_wears_out_on_what_it_concerns() {
        let faults = Faults::default();
        faults.next(1, "* trainjobs", Fault::Conflict);
        let asked = |verb| Asked {
            verb,
            group: "",
            resource: "trainjobs",
            subresource: "",
            namespace: None,
        };
        assert!(faults.hit(&asked("list")).is_empty());
        assert_eq!(faults.hit(&asked("patch")), [Fault::Conflict]);
        assert!(faults.hit(&asked("patch")).is_empty());
    }
}
