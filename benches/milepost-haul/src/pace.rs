//! How fast the writer writes: a bounded amount in a minute, at a steady rate and as fast as possible in turns.
//!
//! Invariant: over any time no more bytes are given away than the rate allows, and those of half a minute that were
//! saved before. So a turn at full speed is at full speed until what the steady turn saved is spent.

use std::{
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Seconds of the rate that can be saved.
const SAVED_S: f64 = 30.0;
/// What an event takes beside its key and its value, about.
pub(crate) const EVENT_BYTES: u64 = 64;

/// Bytes that may be written, shared by all threads.
pub(crate) struct Budget {
    bytes_per_s: f64,
    /// What is left, or owed, and as of when.
    left: Mutex<(f64, Instant)>,
}

impl Budget {
    pub(crate) fn new(bytes_per_min: u64) -> Budget {
        Budget { bytes_per_s: bytes_per_min as f64 / 60.0, left: Mutex::new((0.0, Instant::now())) }
    }

    /// Waits until so many bytes may be written.
    pub(crate) fn take(&self, bytes: u64) {
        let owed = self.take_at(bytes, Instant::now());
        if owed > Duration::ZERO {
            thread::sleep(owed);
        }
    }

    /// Takes them, and says how long to wait for what is owed then.
    fn take_at(&self, bytes: u64, now: Instant) -> Duration {
        let mut left = self.left.lock();
        let earned = now.saturating_duration_since(left.1).as_secs_f64() * self.bytes_per_s;
        left.0 = (left.0 + earned).min(SAVED_S * self.bytes_per_s) - bytes as f64;
        left.1 = now;
        Duration::from_secs_f64((-left.0).max(0.0) / self.bytes_per_s)
    }
}

/// A steady rate.
pub(crate) struct Pace {
    period: Duration,
    next: Instant,
}

impl Pace {
    pub(crate) fn per_second(count: u64) -> Pace {
        Pace { period: Duration::from_secs(1) / count.max(1) as u32, next: Instant::now() }
    }

    /// Waits for the next moment. Who is late by more than a second does not make up for it.
    pub(crate) fn wait(&mut self) {
        let now = Instant::now();
        if self.next > now {
            thread::sleep(self.next - now);
        } else if now - self.next > Duration::from_secs(1) {
            self.next = now;
        }
        self.next += self.period;
    }
}

/// Whether commits are at a steady rate or as fast as possible, by the time since the writer began.
pub(crate) fn is_fast_turn(since: Duration, turn_ms: u64) -> bool {
    (since.as_millis() as u64 / turn_ms.max(1)) % 2 == 1
}

#[cfg(test)]
mod tests;
