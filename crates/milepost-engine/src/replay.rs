//! [`Replay`]: every commit once, in order. [`Watch`]: the same, then live.
//!
//! Invariant: no commit that is there is left out, shown twice, or shown before it is durable.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use milepost_types::{Commit, Receipt, Seq, body::Body};

use crate::{ReadError, engine::Shared};

/// How long a reader beside a writer in another process waits before it looks at the log again.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Every commit from some position to the last one there was when it was asked for.
#[derive(Debug)]
pub struct Replay {
    shared: Arc<Shared>,
    next: Seq,
    last: Seq,
}

impl Replay {
    pub(crate) fn new(shared: Arc<Shared>, from: Seq, last: Seq) -> Replay {
        Replay { shared, next: from.max(Seq::FIRST), last }
    }

    /// The next commit; `None` after the last.
    #[expect(clippy::should_implement_trait, reason = "the same shape as Watch, which can wait for more")]
    pub fn next(&mut self) -> Result<Option<Commit>, ReadError> {
        self.shared.may_read()?;
        let Some(commit) = self.shared.next_commit(self.next, self.last)? else {
            self.next = Seq(self.last.0 + 1).max(self.next);
            return Ok(None);
        };
        self.next = Seq(commit.seq.0 + 1);
        Ok(Some(commit))
    }

    /// Walks what is left without making owned copies: the fast way.
    pub fn for_each(self, visit: &mut dyn FnMut(Receipt, &Body<'_>) -> ControlFlow<()>) -> Result<(), ReadError> {
        self.shared.may_read()?;
        if self.next > self.last {
            return Ok(());
        }
        let mut fault = None;
        self.shared.reader.for_each_frame(self.next, self.last, &mut |frame| {
            let receipt = Receipt { seq: frame.seq, at: frame.at };
            match Body::parse(frame.body) {
                Ok(body) => visit(receipt, &body),
                Err(error) => {
                    fault = Some(self.shared.unreadable(frame.seq, &error));
                    ControlFlow::Break(())
                }
            }
        })?;
        fault.map_or(Ok(()), |fault| Err(fault.into()))
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
    shared: Arc<Shared>,
    next: Seq,
}

impl Watch {
    pub(crate) fn new(shared: Arc<Shared>, from: Seq) -> Watch {
        Watch { shared, next: from.max(Seq::FIRST) }
    }

    /// The next commit, if it is there already.
    pub fn try_next(&mut self) -> Result<Option<Commit>, ReadError> {
        if self.next > self.shared.published() {
            self.shared.refresh()?;
        }
        let last = self.shared.published();
        let Some(commit) = self.shared.next_commit(self.next, last)? else {
            self.next = Seq(last.0 + 1).max(self.next);
            return Ok(None);
        };
        self.next = Seq(commit.seq.0 + 1);
        Ok(Some(commit))
    }

    /// The next commit, waited for at most for `timeout`.
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<Commit>, ReadError> {
        let live = !self.shared.is_read_only();
        let mut left = timeout;
        loop {
            if let Some(commit) = self.try_next()? {
                return Ok(Some(commit));
            }
            if left.is_zero() || self.shared.is_closed() {
                return Ok(None);
            }
            // Commits of this process ring a bell; those of another are looked for.
            let wait = if live { left } else { left.min(LOOK_EVERY) };
            self.shared.wait_for(self.next, wait);
            left = left.saturating_sub(wait);
        }
    }
}
