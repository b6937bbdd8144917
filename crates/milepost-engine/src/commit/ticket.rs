//! [`Ticket`]: a commit on its way, to wait for or to `.await`. A plain future: it needs no runtime.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use milepost_types::Receipt;

use super::queue::{Outcome, Place};
use crate::{CommitError, engine::Shared};

/// A commit on its way. Dropping it does not take the commit back.
#[must_use = "a commit is durable only once its ticket says so"]
#[derive(Debug)]
pub struct Ticket {
    pub(crate) place: Place,
    pub(crate) shared: Arc<Shared>,
}

impl Ticket {
    /// Waits until the commit is durable or refused. In a child of a fork, which has no part in what was on its way
    /// then, it ends with [`CommitError::Forked`].
    pub fn wait(self) -> Result<Receipt, CommitError> {
        self.shared.see_through(&self.place);
        // Only a child does not see it through.
        self.outcome().unwrap_or(Err(CommitError::Forked))
    }

    fn outcome(&self) -> Option<Outcome> {
        self.place.fate.outcome(self.place.index)
    }

    /// Whether the outcome is there.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.place.fate.is_done()
    }
}

impl Future for Ticket {
    type Output = Result<Receipt, CommitError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = self.outcome() {
            return Poll::Ready(outcome);
        }
        if self.shared.is_child() {
            return Poll::Ready(Err(CommitError::Forked));
        }
        if self.place.fate.wake_later(self.place.index, context.waker()) {
            return Poll::Ready(self.outcome().expect("it is there"));
        }
        Poll::Pending
    }
}
