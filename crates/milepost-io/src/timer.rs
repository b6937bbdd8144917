//! Waiting, and how long it took: for those whose business is to wait for something outside, as a poll of a remote job
//! is.
//!
//! The engine has no timer: it waits for what it waits for.

use std::time::{Duration, Instant};

/// Lets time pass.
#[expect(clippy::disallowed_methods, reason = "what is waited for is outside, and can't wake anybody")]
pub fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// Measures time that no setting of the clock changes.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts one.
    #[must_use]
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// How long it has been running.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
