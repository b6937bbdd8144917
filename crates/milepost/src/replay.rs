//! [`Replay`]: durable commits once and in order; [`Watch`]: the same, then live.
//!
//! Invariant: within a prefix, a commit is given with exactly its events that touch the prefix, and not at all if there
//! are none.

use std::{ops::ControlFlow, time::Duration};

use milepost_types::{Commit, Event, Receipt, ScopePrefix, body::Body};

use crate::{Error, Result};

/// Durable commits in order, as [`crate::Store::replay`] finds them.
///
/// ```
/// use milepost::{Scope, Seq, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
/// store.set(&scope, "k", b"1")?;
/// store.set(&scope, "k", b"2")?;
/// let commits: Vec<_> = store.replay(Seq(2)).collect::<Result<_, _>>()?;
/// assert_eq!((commits.len(), commits[0].seq), (1, Seq(2)));
/// # Ok::<(), milepost::Error>(())
/// ```
#[must_use = "a replay reads nothing until it is iterated"]
pub struct Replay {
    inner: milepost_engine::Replay,
    prefix: Option<ScopePrefix>,
    ended: bool,
}

impl Replay {
    pub(crate) fn new(inner: milepost_engine::Replay) -> Replay {
        Replay { inner, prefix: None, ended: false }
    }

    /// Only events that touch a prefix.
    ///
    /// ```
    /// use milepost::{Scope, ScopePrefix, Seq, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let (a, b) = (Scope::parse("a/1")?, Scope::parse("b/1")?);
    /// store.commit().set(&a, "k", b"1").set(&b, "k", b"2").durable()?;
    /// store.set(&b, "k", b"3")?;
    /// let seen: Vec<_> = store.replay(Seq::FIRST).within(ScopePrefix::parse("a")?).collect::<Result<_, _>>()?;
    /// assert_eq!((seen.len(), seen[0].events.len()), (1, 1));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn within(mut self, prefix: ScopePrefix) -> Replay {
        self.prefix = Some(prefix);
        self
    }

    /// Hands each commit to a function, borrowed from the log: the fast way through all of it. The prefix is not
    /// applied.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use milepost::{Scope, Seq, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.commit().set(&scope, "k", b"1").set(&scope, "l", b"2").durable()?;
    /// let mut events = 0;
    /// store.replay(Seq::FIRST).for_each_body(&mut |_receipt, body| {
    ///     events += body.event_count();
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(events, 2);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn for_each_body(self, f: &mut dyn FnMut(Receipt, &Body<'_>) -> ControlFlow<()>) -> Result<()> {
        Ok(self.inner.for_each(f)?)
    }
}

impl Iterator for Replay {
    type Item = Result<Commit>;

    fn next(&mut self) -> Option<Result<Commit>> {
        while !self.ended {
            match self.inner.next() {
                Ok(Some(commit)) => {
                    if let Some(commit) = narrowed(commit, self.prefix.as_ref()) {
                        return Some(Ok(commit));
                    }
                }
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error.into()));
                }
            }
        }
        None
    }
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Durable commits in order, then live, as [`crate::Store::watch`] gives them.
///
/// ```
/// use std::time::Duration;
/// use milepost::{Scope, Seq, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
/// let mut watch = store.watch(Seq::FIRST);
/// store.set(&scope, "k", b"1")?;
/// let commit = watch.next_timeout(Duration::from_secs(9))?.expect("it was just committed");
/// assert_eq!(commit.events.len(), 1);
/// # Ok::<(), milepost::Error>(())
/// ```
pub struct Watch {
    inner: milepost_engine::Watch,
    prefix: Option<ScopePrefix>,
}

impl Watch {
    pub(crate) fn new(inner: milepost_engine::Watch) -> Watch {
        Watch { inner, prefix: None }
    }

    /// Only events that touch a prefix.
    ///
    /// ```
    /// use milepost::{Scope, ScopePrefix, Seq, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// let mut watch = store.watch(Seq::FIRST).within(ScopePrefix::parse("other")?);
    /// store.set(&scope, "k", b"1")?;
    /// assert!(watch.try_next()?.is_none());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn within(mut self, prefix: ScopePrefix) -> Watch {
        self.prefix = Some(prefix);
        self
    }

    /// The next commit, if there is one already.
    ///
    /// ```
    /// # use milepost::{Scope, Seq, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.set(&scope, "k", b"1")?;
    /// let mut watch = store.watch(Seq::FIRST);
    /// assert!(watch.try_next()?.is_some() && watch.try_next()?.is_none());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn try_next(&mut self) -> Result<Option<Commit>> {
        while let Some(commit) = self.inner.try_next()? {
            if let Some(commit) = narrowed(commit, self.prefix.as_ref()) {
                return Ok(Some(commit));
            }
        }
        Ok(None)
    }

    /// The next commit, waiting for it for some time. With a prefix, a commit outside it ends the wait early with
    /// `None`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use milepost::{Seq, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// assert!(store.watch(Seq::FIRST).next_timeout(Duration::from_millis(1))?.is_none());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<Commit>> {
        if let Some(commit) = self.try_next()? {
            return Ok(Some(commit));
        }
        let commit = self.inner.next_timeout(timeout).map_err(Error::from)?;
        Ok(commit.and_then(|commit| narrowed(commit, self.prefix.as_ref())))
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// The commit with only its events that touch the prefix; `None` if there are none.
fn narrowed(mut commit: Commit, prefix: Option<&ScopePrefix>) -> Option<Commit> {
    if let Some(prefix) = prefix {
        commit.events.retain(|event| touches(event, prefix));
        if commit.events.is_empty() {
            return None;
        }
    }
    Some(commit)
}

fn touches(event: &Event, prefix: &ScopePrefix) -> bool {
    match event {
        Event::Set { scope, .. }
        | Event::Delete { scope, .. }
        | Event::Clear { scope }
        | Event::Checkpoint { scope, .. }
        | Event::Release { scope, .. }
        | Event::Fork { scope, .. }
        | Event::Erase { scope, .. }
        | Event::EraseScope { scope, .. } => scope.is_within(prefix),
        // What is said of a part of the prefix touches it, and so does what is said of something around it.
        Event::ClearPrefix { prefix: meant }
        | Event::Retain { prefix: meant, .. }
        | Event::Unretain { prefix: meant }
        | Event::Hold { prefix: meant, .. }
        | Event::Unhold { prefix: meant, .. }
        | Event::ErasePrefix { prefix: meant, .. } => {
            meant.is_root() || prefix.holds(meant.as_str()) || meant.holds(prefix.as_str())
        }
    }
}
