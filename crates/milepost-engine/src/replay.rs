//! [`Replay`]: every commit once, in order. [`Watch`]: the same, then live.
//!
//! Invariant: no commit that is there is left out, shown twice, or shown before it is durable.

use std::{ops::ControlFlow, time::Duration};

use milepost_io::Held;
use milepost_types::{
    Commit, Receipt, Seq,
    body::{Body, BodyError},
};

use crate::{
    ReadError,
    engine::Shared,
    retention::{Needs, Pin},
};

/// How long a reader beside a writer in another process waits before it looks at the log again.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Commits that a watch goes on for before it lets go of those that it has shown.
const PINNED_MAX: u64 = 256;

/// Every commit from some position to the last one there was when it was asked for.
#[derive(Debug)]
pub struct Replay {
    pin: Pin,
    next: Seq,
    last: Seq,
}

impl Replay {
    pub(crate) fn new(shared: Held<Shared>, from: Seq, last: Seq) -> Replay {
        Replay { pin: Pin::new(shared, Needs::From(from)), next: from.max(Seq::FIRST), last }
    }

    /// The next commit; `None` after the last.
    #[expect(clippy::should_implement_trait, reason = "the same shape as Watch, which can wait for more")]
    pub fn next(&mut self) -> Result<Option<Commit>, ReadError> {
        self.pin.shared.may_read()?;
        let Some(commit) = self.pin.shared.next_commit(self.next, self.last)? else {
            self.next = Seq(self.last.0 + 1).max(self.next);
            return Ok(None);
        };
        self.next = Seq(commit.seq.0 + 1);
        Ok(Some(commit))
    }

    fn show(
        &self,
        receipt: Receipt,
        body: &[u8],
        visit: &mut dyn FnMut(Receipt, &Body<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ReadError> {
        let shared = &self.pin.shared;
        let fault = |error: BodyError| shared.unreadable(receipt.seq, &error);
        let body = Body::parse(body).map_err(fault)?;
        match shared.left_of(receipt.seq, &body)? {
            None => Ok(visit(receipt, &body)),
            Some(left) => {
                let left = Body::parse(&left).map_err(fault)?;
                // As one that compaction has taken.
                Ok(if left.says_nothing() { ControlFlow::Continue(()) } else { visit(receipt, &left) })
            }
        }
    }

    /// Walks what is left without making owned copies: the fast way.
    pub fn for_each(self, visit: &mut dyn FnMut(Receipt, &Body<'_>) -> ControlFlow<()>) -> Result<(), ReadError> {
        self.pin.shared.may_read()?;
        if self.next > self.last {
            return Ok(());
        }
        let mut fault = None;
        self.pin.shared.reader.for_each_frame(self.next, self.last, &mut |frame| {
            let receipt = Receipt { seq: frame.seq, at: frame.at };
            let shown = self.show(receipt, frame.body, visit);
            shown.unwrap_or_else(|error| {
                fault = Some(error);
                ControlFlow::Break(())
            })
        })?;
        fault.map_or(Ok(()), Err)
    }
}

impl Iterator for ReplayedCommits {
    type Item = Result<Commit, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.0.next().transpose();
        if matches!(next, Some(Err(_))) {
            self.0.next = Seq::MAX;
            self.0.last = Seq::ZERO;
        }
        next
    }
}

/// A replay as an iterator, which ends after an error.
#[derive(Debug)]
pub struct ReplayedCommits(Replay);

impl IntoIterator for Replay {
    type Item = Result<Commit, ReadError>;
    type IntoIter = ReplayedCommits;

    fn into_iter(self) -> ReplayedCommits {
        ReplayedCommits(self)
    }
}

/// Every commit from some position on, and those to come.
#[derive(Debug)]
pub struct Watch {
    /// Keeps what comes next, or a little more.
    pin: Pin,
    /// From where on it does.
    moved: Seq,
    next: Seq,
}

impl Watch {
    pub(crate) fn new(shared: Held<Shared>, from: Seq) -> Watch {
        Watch { pin: Pin::new(shared, Needs::From(from)), next: from.max(Seq::FIRST), moved: from }
    }

    /// The next commit, if it is there already.
    pub fn try_next(&mut self) -> Result<Option<Commit>, ReadError> {
        self.pin.shared.may_read()?;
        if self.next > self.pin.shared.published() {
            self.pin.shared.refresh()?;
        }
        let last = self.pin.shared.published();
        let Some(commit) = self.pin.shared.next_commit(self.next, last)? else {
            self.next = Seq(last.0 + 1).max(self.next);
            self.move_pin();
            return Ok(None);
        };
        self.next = Seq(commit.seq.0 + 1);
        if self.next.0 - self.moved.0 >= PINNED_MAX {
            self.move_pin();
        }
        Ok(Some(commit))
    }

    fn move_pin(&mut self) {
        if self.moved < self.next {
            self.pin.move_to(Needs::From(self.next));
            self.moved = self.next;
        }
    }

    /// The next commit, waited for at most for `timeout`.
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<Commit>, ReadError> {
        let live = !self.pin.shared.is_read_only();
        let mut left = timeout;
        loop {
            if let Some(commit) = self.try_next()? {
                return Ok(Some(commit));
            }
            if left.is_zero() || self.pin.shared.is_closed() {
                return Ok(None);
            }
            // Commits of this process ring a bell; those of another are looked for.
            let wait = if live { left } else { left.min(LOOK_EVERY) };
            self.pin.shared.wait_for(self.next, wait);
            left = left.saturating_sub(wait);
        }
    }
}

#[cfg(test)]
mod tests;
