//! [`Ticket`]: a commit on its way to the disk; [`Pipeline`]: many, in order.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use milepost_types::Receipt;

use crate::{Error, Result};

/// Sends commits ahead, of which none is made behind one that was refused: what became durable is what was sent first,
/// without a gap. So many can be on their way, and an input can be taken up again behind what was told.
///
/// Once a commit is refused, by a condition or for want of room, those sent behind it are refused with
/// [`ErrorKind::Skipped`](crate::ErrorKind::Skipped); go on with a new pipeline. A commit that
/// [`CommitBuilder::submit_in`](crate::CommitBuilder::submit_in) itself refuses was not sent. For the commits of one
/// store.
///
/// ```
/// use milepost::{ErrorKind, Pipeline, Scope, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// let (store, scope) = (Store::open(dir.path())?, Scope::parse("import/orders")?);
/// store.set(&scope, "2", b"there already")?;
/// let mut pipeline = Pipeline::new();
/// let mut tickets = Vec::new();
/// for key in ["1", "2", "3"] {
///     let commit = store.commit().require_absent(&scope, key).set(&scope, key, b"new");
///     tickets.push(commit.submit_in(&mut pipeline)?);
/// }
/// let kinds = tickets.into_iter().map(|ticket| ticket.wait().err().map(|error| error.kind()));
/// assert_eq!(kinds.collect::<Vec<_>>(), [None, Some(ErrorKind::Conflict), Some(ErrorKind::Skipped)]);
/// assert!(store.get(&scope, "3")?.is_none());
/// # Ok::<(), milepost::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Pipeline(pub(super) milepost_engine::Pipeline);

impl Pipeline {
    /// One through which nothing was sent yet.
    ///
    /// ```
    /// let pipeline = milepost::Pipeline::new();
    /// # drop(pipeline);
    /// ```
    #[must_use]
    pub fn new() -> Pipeline {
        Pipeline::default()
    }
}

/// A commit on its way to the disk. Dropping it does not take the commit back.
///
/// ```
/// use milepost::{Scope, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let receipt = store.commit().set(&scope, "k", b"1").submit()?.await?;
/// assert_eq!(receipt, store.last());
/// # Ok::<(), milepost::Error>(())
/// # })?;
/// # Ok::<(), milepost::Error>(())
/// ```
#[must_use = "the commit is durable only when its ticket says so"]
pub struct Ticket(pub(super) milepost_engine::Ticket);

impl Ticket {
    /// Waits until the commit is durable, or refused.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// let ticket = store.commit().set(&scope, "k", b"1").submit()?;
    /// assert_eq!(ticket.wait()?, store.last());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn wait(self) -> Result<Receipt> {
        Ok(self.0.wait()?)
    }

    /// Whether [`Ticket::wait`] would return at once.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// let ticket = store.commit().set(&scope, "k", b"1").submit()?;
    /// store.close()?; // waits for what is queued
    /// assert!(ticket.is_done());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.0.is_done()
    }
}

impl Future for Ticket {
    type Output = Result<Receipt>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Receipt>> {
        Pin::new(&mut self.0).poll(context).map_err(Error::from)
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ticket({})", if self.is_done() { "done" } else { "under way" })
    }
}
