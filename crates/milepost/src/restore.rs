//! [`Restore`]: a scope on its way back to a past point.
//!
//! Invariant: nothing is written before it is committed, and the commit is refused if the scope was touched meanwhile.

use std::ops::ControlFlow;

use milepost_engine::{Difference, Engine, ErasedKey, ErasedSince, Restoration};
use milepost_types::{Receipt, Seq};

use crate::{CommitBuilder, Result};

/// What brings a scope back to a past point, made by [`crate::Store::restore`]. To look at it is a dry run.
///
/// ```
/// use milepost::{At, Scope, Store, Writer};
/// # let dir = tempfile::tempdir().unwrap();
/// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("asset/orders")?);
/// store.set(&scope, "watermark", b"2026-11-23")?;
/// store.checkpoint(&scope, "before-backfill")?;
/// store.set(&scope, "watermark", b"2099-01-01")?;
///
/// let restore = store.restore(&scope, At::checkpoint(&scope, "before-backfill"))?;
/// for difference in restore.differences() {
///     println!("{}: {:?} -> {:?}", difference.key, difference.old, difference.new);
/// }
/// if let Some(commit) = restore.commit() {
///     commit.writer(Writer::new("ann")?).durable()?;
/// }
/// assert_eq!(store.get(&scope, "watermark")?.as_deref(), Some(&b"2026-11-23"[..]));
/// # Ok::<(), milepost::Error>(())
/// ```
#[must_use = "nothing is restored until it is committed"]
pub struct Restore {
    engine: Engine,
    plan: Restoration,
}

impl Restore {
    pub(crate) fn new(engine: Engine, plan: Restoration) -> Restore {
        Restore { engine, plan }
    }

    /// What would change, in the order of the keys: `old` is what is there, `new` what was there.
    ///
    /// ```
    /// # use milepost::{DifferenceKind, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// let before = store.last();
    /// store.set(&scope, "k", b"1")?;
    /// let restore = store.restore(&scope, before.seq)?;
    /// assert_eq!(restore.differences()[0].kind(), DifferenceKind::Removed);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn differences(&self) -> &[Difference] {
        self.plan.differences()
    }

    /// The commit whose state it leads back to.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// let first = store.set(&scope, "k", b"1")?;
    /// assert_eq!(store.restore(&scope, first.at)?.point(), first.seq);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn point(&self) -> Seq {
        self.plan.point()
    }

    /// How much of what was there can't be put back, because it was erased since: by [`crate::Store::erase`] and its
    /// like, or by retention after its task had ended. `differences` say nothing of it.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("user/17")?);
    /// let before = store.commit().set(&scope, "mail", b"ann@example.org").set(&scope, "theme", b"dark").durable()?;
    /// store.erase(&scope, "mail")?;
    /// let restore = store.restore(&scope, before.seq)?;
    /// assert_eq!((restore.differences().len(), restore.erased().keys), (0, 1));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn erased(&self) -> ErasedSince {
        self.plan.erased()
    }

    /// The same, and calls `visit` with each such key, in order, until it breaks off. See [`crate::View::each_erased`].
    ///
    /// ```
    /// # use std::ops::ControlFlow;
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("user/17")?);
    /// let before = store.set(&scope, "mail", b"ann@example.org")?;
    /// store.erase(&scope, "mail")?;
    /// store.restore(&scope, before.seq)?.each_erased(|erased| {
    ///     println!("{} was erased by commit {}", erased.key, erased.by);
    ///     ControlFlow::Continue(())
    /// })?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn each_erased(&self, mut visit: impl FnMut(ErasedKey) -> ControlFlow<()>) -> Result<ErasedSince> {
        Ok(self.plan.each_erased(&mut visit)?)
    }

    /// Whether one commit can hold it: up to a million differences of 64 MiB together. What is more can be forked as it
    /// was, into another scope, without a copy: [`crate::Store::fork`].
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// let first = store.set(&scope, "k", b"1")?;
    /// store.set(&scope, "k", b"2")?;
    /// store.restore(&scope, first.seq)?.fits()?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn fits(&self) -> Result<()> {
        Ok(self.plan.fits(self.engine.request())?)
    }

    /// The one commit that does it, to be signed and made durable; `None` if there is nothing to do. It requires that
    /// nothing touches the scope before it.
    ///
    /// ```
    /// # use milepost::{ErrorKind, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// let first = store.set(&scope, "k", b"1")?;
    /// store.set(&scope, "k", b"2")?;
    /// let commit = store.restore(&scope, first.seq)?.commit().expect("there is a difference");
    /// store.set(&scope, "k", b"3")?;
    /// assert_eq!(commit.durable().unwrap_err().kind(), ErrorKind::Conflict);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn commit(&self) -> Option<CommitBuilder> {
        if self.plan.differences().is_empty() {
            return None;
        }
        Some(CommitBuilder::of(self.engine.clone(), self.plan.add_to(self.engine.request()).map_err(Into::into)))
    }

    /// Commits it as it is, durably on return; `None` if there was nothing to do.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// let first = store.set(&scope, "k", b"1")?;
    /// store.set(&scope, "k", b"2")?;
    /// assert!(store.restore(&scope, first.seq)?.durable()?.is_some());
    /// assert!(store.restore(&scope, first.seq)?.durable()?.is_none());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn durable(self) -> Result<Option<Receipt>> {
        self.commit().map(CommitBuilder::durable).transpose()
    }
}

impl std::fmt::Debug for Restore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Restore(to {}, {} differences)", self.point(), self.differences().len())
    }
}
