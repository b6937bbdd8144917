//! How long a command may run, and what ends it then: TERM at its time limit, KILL after a grace.
//!
//! Invariant: each signal is due once, KILL never before TERM.
//!
//! Knows nothing of processes: it says what is due.

use std::time::{Duration, Instant};

use rustix::process::Signal;

/// How long a command may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeLimit {
    /// Then it is asked to end.
    pub(crate) timeout: Duration,
    /// How long it may take over its end before it is killed.
    pub(crate) grace: Duration,
}

/// The time of one running command.
#[derive(Debug)]
pub(super) struct Clock {
    grace: Duration,
    /// What is due next, and when; nothing without a limit, or one beyond all time, or after the KILL.
    next: Option<(Instant, Signal)>,
    is_over: bool,
}

impl Clock {
    pub(super) fn start(limit: Option<TimeLimit>, now: Instant) -> Clock {
        let next = limit.and_then(|limit| Some((now.checked_add(limit.timeout)?, Signal::TERM)));
        Clock { grace: limit.map_or(Duration::ZERO, |limit| limit.grace), next, is_over: false }
    }

    /// How long until something is due; `None` if nothing ever is.
    pub(super) fn left(&self) -> Option<Duration> {
        self.next.map(|(at, _)| at.saturating_duration_since(Instant::now()))
    }

    /// The signal that is due now.
    pub(super) fn due(&mut self) -> Option<Signal> {
        let (at, signal) = self.next?;
        let now = Instant::now();
        if now < at {
            return None;
        }
        let kill_at = now.checked_add(self.grace).filter(|_| !self.is_over);
        self.next = kill_at.map(|at| (at, Signal::KILL));
        self.is_over = true;
        Some(signal)
    }

    /// Whether the command was asked to end.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }
}
