//! [`Retention`]: what of the past is kept; [`Erasure`]: what an erasure took.
//!
//! Invariant: a policy, a hold and an erasure are events of the log: who said what when is history as all else.

use std::path::PathBuf;

use milepost_engine::{Engine, Explanation, HoldSet, Horizon, PolicySet};
use milepost_types::{Event, HoldName, Key, Note, Policy, Receipt, Scope, ScopePrefix, Writer};

use crate::{CommitBuilder, Error, Result};

/// What of the past is kept, below which prefixes; made by [`crate::Store::retention`].
///
/// ```
/// use std::time::Duration;
/// use milepost::{Policy, ScopePrefix, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// let store = Store::open(dir.path())?;
/// let tasks = ScopePrefix::parse("task")?;
/// store.retention().set(&tasks, Policy::default().keep_for(Duration::from_secs(30 * 86_400)))?;
/// assert_eq!(store.retention().policies()?[0].prefix, tasks);
/// # Ok::<(), milepost::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Retention {
    engine: Engine,
    writer: Option<Writer>,
}

impl Retention {
    pub(crate) fn new(engine: Engine) -> Retention {
        Retention { engine, writer: None }
    }

    /// Says who writes, for the history.
    ///
    /// ```
    /// use milepost::{Policy, ScopePrefix, Store, Writer};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let root = ScopePrefix::root();
    /// store.retention().by(Writer::new("ann")?).set(&root, Policy::default().keep_last(10))?;
    /// assert_eq!(store.retention().policies()?[0].writer, Some(Writer::new("ann")?));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn by(self, writer: Writer) -> Retention {
        Retention { writer: Some(writer), ..self }
    }

    /// Says what is kept at and below a prefix, durably on return. Of several prefixes the longest speaks; what was
    /// said of this one before is replaced as a whole.
    ///
    /// ```
    /// use milepost::{Policy, ScopePrefix, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// store.retention().set(&ScopePrefix::root(), Policy::default().keep_last(10))?;
    /// // A policy without rules keeps everything, whatever is said above it.
    /// store.retention().set(&ScopePrefix::parse("audit")?, Policy::default())?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn set(&self, prefix: &ScopePrefix, policy: Policy) -> Result<Receipt> {
        self.tell(&Event::Retain { prefix: prefix.clone(), policy })
    }

    /// Takes the policy of a prefix away, durably on return: what is said above it speaks again. Without one nothing is
    /// appended.
    ///
    /// ```
    /// use milepost::{Policy, ScopePrefix, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let root = ScopePrefix::root();
    /// store.retention().set(&root, Policy::default().keep_last(10))?;
    /// store.retention().unset(&root)?;
    /// assert!(store.retention().policies()?.is_empty());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn unset(&self, prefix: &ScopePrefix) -> Result<Receipt> {
        self.tell(&Event::Unretain { prefix: prefix.clone() })
    }

    /// Has nothing at and below a prefix removed until the hold of this name is released, durably on return. One of the
    /// same name there is not replaced: two who need one have one each, so that neither releases the other's. With the
    /// same note it is what is asked for, and nothing is appended.
    ///
    /// ```
    /// use milepost::{ErrorKind, HoldName, Note, Scope, ScopePrefix, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let (tasks, case) = (ScopePrefix::parse("task")?, HoldName::parse("case 17")?);
    /// store.retention().hold(&tasks, &case, Some(&Note::parse("asked for by the court")?))?;
    /// assert_eq!(store.retention().holds()?[0].name, case);
    /// let refused = store.erase_scope(&Scope::parse("task/etl")?).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::Held);
    /// assert_eq!(store.retention().hold(&tasks, &case, None).unwrap_err().kind(), ErrorKind::Conflict);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn hold(&self, prefix: &ScopePrefix, name: &HoldName, note: Option<&Note>) -> Result<Receipt> {
        if let Some(held) = self.holds()?.into_iter().find(|held| held.prefix == *prefix && held.name == *name) {
            return if held.note.as_ref() == note {
                Ok(Receipt { seq: held.seq, at: held.at })
            } else {
                Err(Error::hold_stands(held))
            };
        }
        self.tell(&Event::Hold { prefix: prefix.clone(), name: name.clone(), note: note.cloned() })
    }

    /// Releases a hold, durably on return. One that is not there is left alone, and nothing is appended.
    ///
    /// ```
    /// use milepost::{HoldName, ScopePrefix, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let (root, case) = (ScopePrefix::root(), HoldName::parse("case 17")?);
    /// store.retention().hold(&root, &case, None)?;
    /// store.retention().release(&root, &case)?;
    /// assert!(store.retention().holds()?.is_empty());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn release(&self, prefix: &ScopePrefix, name: &HoldName) -> Result<Receipt> {
        self.tell(&Event::Unhold { prefix: prefix.clone(), name: name.clone() })
    }

    /// The policies, in the order of their prefixes.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = milepost::Store::open(dir.path())?;
    /// assert!(store.retention().policies()?.is_empty(), "everything is kept");
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn policies(&self) -> Result<Vec<PolicySet>> {
        Ok(self.engine.policies()?)
    }

    /// The holds, in the order of their prefixes.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = milepost::Store::open(dir.path())?;
    /// assert!(store.retention().holds()?.is_empty());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn holds(&self) -> Result<Vec<HoldSet>> {
        Ok(self.engine.holds()?)
    }

    /// From where on the past of each place can be read, where that is not from the first commit on.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = milepost::Store::open(dir.path())?;
    /// assert!(store.retention().horizons().is_empty());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn horizons(&self) -> Vec<Horizon> {
        self.engine.horizons()
    }

    /// What goes of a scope, or of all at and below a prefix, when, and why.
    ///
    /// ```
    /// use milepost::{Policy, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.set(&scope, "k", b"1")?;
    /// store.set(&scope, "k", b"2")?;
    /// store.retention().set(&(&scope).into(), Policy::default().keep_last(1))?;
    /// let told = store.retention().explain(&scope)?;
    /// assert_eq!((told.versions, told.goes_now), (2, 1));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn explain(&self, place: impl Into<ScopePrefix>) -> Result<Explanation> {
        Ok(self.engine.explain(&place.into())?)
    }

    fn tell(&self, event: &Event) -> Result<Receipt> {
        let commit = CommitBuilder::new(self.engine.clone()).event(event);
        match &self.writer {
            Some(writer) => commit.writer(writer.clone()).durable(),
            None => commit.durable(),
        }
    }

    /// What [`crate::Store::erase`] does, under the writer that was said.
    ///
    /// ```
    /// # use milepost::{Scope, Store, Writer};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("user/17")?);
    /// store.retention().by(Writer::new("ann")?).erase(&scope, "mail")?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn erase(&self, scope: &Scope, key: &str) -> Result<Erasure> {
        let found = self.engine.to_erase_of_key(scope.as_str(), key)?;
        let receipt = self.tell(&Event::Erase { scope: scope.clone(), key: Key::parse(key)?, bytes: found.bytes })?;
        self.erasure(receipt, found)
    }

    /// What [`crate::Store::erase_scope`] does, under the writer that was said.
    ///
    /// ```
    /// # use milepost::{Scope, Store, Writer};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("user/17")?);
    /// store.retention().by(Writer::new("ann")?).erase_scope(&scope)?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn erase_scope(&self, scope: &Scope) -> Result<Erasure> {
        let found = self.engine.to_erase(&scope.into(), false)?;
        let receipt = self.tell(&Event::EraseScope { scope: scope.clone(), bytes: found.bytes })?;
        self.erasure(receipt, found)
    }

    /// What [`crate::Store::erase_prefix`] does, under the writer that was said.
    ///
    /// ```
    /// # use milepost::{ScopePrefix, Store, Writer};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// store.retention().by(Writer::new("ann")?).erase_prefix(&ScopePrefix::parse("user")?)?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn erase_prefix(&self, prefix: &ScopePrefix) -> Result<Erasure> {
        let found = self.engine.to_erase(prefix, true)?;
        let receipt = self.tell(&Event::ErasePrefix { prefix: prefix.clone(), bytes: found.bytes })?;
        self.erasure(receipt, found)
    }

    /// What an erasure took, and where else it may be: in every place that the store remembers a backup in.
    fn erasure(&self, receipt: Receipt, found: milepost_engine::ToErase) -> Result<Erasure> {
        // However little the store finds of it now: earlier backups may hold what it has let go of since.
        let known = milepost_engine::backup::known(&self.engine)?;
        let mut not_covered: Vec<PathBuf> = known.into_iter().map(|backup| backup.dir.into()).collect();
        not_covered.sort_unstable();
        not_covered.dedup();
        not_covered.extend(self.engine.quarantine_kept()?);
        let milepost_engine::ToErase { values, bytes, unreadable } = found;
        Ok(Erasure { receipt, values, bytes, unreadable, not_covered })
    }
}

/// What an erasure took.
///
/// ```
/// use milepost::{At, Scope, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("user/17")?);
/// let first = store.set(&scope, "mail", b"ann@example.org")?;
/// store.set(&scope, "mail", b"ann@example.com")?;
/// let erased = store.erase(&scope, "mail")?;
/// assert_eq!((erased.values, erased.bytes), (2, 30));
/// // No moment of the past shows it any more.
/// assert!(store.view(first.seq)?.get(&scope, "mail")?.is_none());
/// # Ok::<(), milepost::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Erasure {
    /// Where the event stands.
    pub receipt: Receipt,
    /// Values that there were, over all that was kept of the past.
    pub values: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Values beside these that can't be read, since they are damaged, so that nobody knows their bytes. They are
    /// erased like others; their bytes leave the files once the damage is mended or salvaged.
    pub unreadable: u64,
    /// Places of backups that the store remembers: a backup that was made there before the bytes left the store's
    /// files, with the next compaction, may hold them still. Also where the store itself holds nothing of it any more.
    /// And the store's own quarantine, if [`crate::Store::quarantine_kept`].
    pub not_covered: Vec<PathBuf>,
}
