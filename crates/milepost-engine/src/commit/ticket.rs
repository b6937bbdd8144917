//! [`Ticket`]: a commit on its way, to wait for or to `.await`. A plain future: it needs no runtime.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use milepost_types::Receipt;

use super::queue::Fate;
use crate::{CommitError, engine::Shared};

/// A commit on its way. Dropping it does not take the commit back.
#[must_use = "a commit is durable only once its ticket says so"]
#[derive(Debug)]
pub struct Ticket {
    pub(crate) fate: Arc<Fate>,
    pub(crate) index: u32,
    pub(crate) shared: Arc<Shared>,
}

impl Ticket {
    /// Waits until the commit is durable or refused.
    pub fn wait(self) -> Result<Receipt, CommitError> {
        self.shared.help(&self.fate);
        self.fate.wait();
        self.fate.outcome(self.index).expect("waited until it was there")
    }

    /// Whether the outcome is there.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.fate.is_done()
    }
}

impl Future for Ticket {
    type Output = Result<Receipt, CommitError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = self.fate.outcome(self.index) {
            return Poll::Ready(outcome);
        }
        if self.fate.wake_later(self.index, context.waker()) {
            return Poll::Ready(self.fate.outcome(self.index).expect("it is there"));
        }
        Poll::Pending
    }
}
