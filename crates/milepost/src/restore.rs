//! [`Restore`]: a scope on its way back to a past point.
//!
//! Invariant: nothing is written before it is committed, and the commit is refused if the scope was touched meanwhile.

use milepost_engine::{Difference, Engine, Restoration};
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
