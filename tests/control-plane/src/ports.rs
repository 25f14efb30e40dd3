//! Free TCP ports on loopback.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

/// Below the range that systems take outgoing connections' ports from, so that nobody gets one between our look and the
/// program's bind.
const RANGE: std::ops::Range<u32> = 20_000..32_000;

/// Hands out ports that nobody listens on, none twice.
#[derive(Debug)]
pub(crate) struct Ports {
    seed: u32,
    given: BTreeSet<u16>,
}

impl Ports {
    /// Begins somewhere, so that two control planes that start together hardly meet.
    pub(crate) fn new() -> Self {
        #[allow(clippy::disallowed_methods, reason = "a seed, not a time that anything depends on")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            seed: now.subsec_nanos() ^ std::process::id().rotate_left(16),
            given: BTreeSet::new(),
        }
    }

    /// A port that is free now.
    pub(crate) fn free(&mut self) -> Result<u16> {
        for _ in 0..1000 {
            // the constants of a linear congruential generator with a full period
            self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let port = RANGE.start + (self.seed >> 8) % (RANGE.end - RANGE.start);
            let port = u16::try_from(port).unwrap_or_default();
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() && self.given.insert(port) {
                return Ok(port);
            }
        }
        bail!(
            "no free TCP port on 127.0.0.1 between {} and {}",
            RANGE.start,
            RANGE.end
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let mut ports = Ports::new();
        let given: BTreeSet<u16> = (0..50).map(|_| ports.free().unwrap()).collect();
        assert_eq!(given.len(), 50);
    }
}
