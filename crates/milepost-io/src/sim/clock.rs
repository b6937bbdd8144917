//! [`SimClock`]: a wall clock that does what a test wants, as wall clocks do.
//!
//! Invariant: it moves only when it is told to. It knows nothing of real time.

use std::sync::Arc;

use milepost_types::Timestamp;
use parking_lot::Mutex;

use crate::Clock;

/// A wall clock in hand. A clone is the same clock.
#[derive(Clone, Debug)]
pub struct SimClock(Arc<Mutex<Timestamp>>);

impl SimClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> SimClock {
        SimClock(Arc::new(Mutex::new(now)))
    }

    /// Sets it.
    pub fn set(&self, now: Timestamp) {
        *self.0.lock() = now;
    }

    /// Sets it forward or back by so many microseconds.
    pub fn jump(&self, by_us: i64) {
        let mut now = self.0.lock();
        now.0 = now.0.saturating_add(by_us);
    }

    /// Lets so many microseconds pass.
    pub fn advance(&self, us: u64) {
        let mut now = self.0.lock();
        now.0 = now.0.saturating_add_unsigned(us);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

#[cfg(test)]
mod tests;
