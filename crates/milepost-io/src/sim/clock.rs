//! [`SimClock`]: a wall clock that does what a test wants, as wall clocks do.
//!
//! Invariant: it moves only when it is told to, or by its step each time it is asked. It knows nothing of real time.

use std::sync::Arc;

use milepost_types::Timestamp;
use parking_lot::Mutex;

use crate::Clock;

/// A wall clock in hand. A clone is the same clock.
#[derive(Clone, Debug)]
pub struct SimClock(Arc<Mutex<Hands>>);

#[derive(Debug)]
struct Hands {
    now: Timestamp,
    /// Added after each reading.
    step_us: i64,
    /// Time that passes does not move it; only setting it does.
    frozen: bool,
}

impl SimClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> SimClock {
        SimClock(Arc::new(Mutex::new(Hands { now, step_us: 0, frozen: false })))
    }

    /// Sets it, also when it is frozen.
    pub fn set(&self, now: Timestamp) {
        self.0.lock().now = now;
    }

    /// Sets it forward or back by so many microseconds, also when it is frozen.
    pub fn jump(&self, by_us: i64) {
        let mut hands = self.0.lock();
        hands.now = Timestamp(hands.now.0.saturating_add(by_us));
    }

    /// Lets so many microseconds pass. A frozen clock does not see them.
    pub fn advance(&self, us: u64) {
        let mut hands = self.0.lock();
        if !hands.frozen {
            hands.now = Timestamp(hands.now.0.saturating_add_unsigned(us));
        }
    }

    /// Has it go on by so many microseconds after each reading; back, if negative.
    pub fn set_step(&self, us: i64) {
        self.0.lock().step_us = us;
    }

    /// Stops it.
    pub fn freeze(&self) {
        self.0.lock().frozen = true;
    }

    /// Has it go on from where it stands.
    pub fn unfreeze(&self) {
        self.0.lock().frozen = false;
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let mut hands = self.0.lock();
        let now = hands.now;
        if !hands.frozen {
            hands.now = Timestamp(now.0.saturating_add(hands.step_us));
        }
        now
    }
}

#[cfg(test)]
mod tests;
