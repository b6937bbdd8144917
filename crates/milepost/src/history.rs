//! [`HistoryBuilder`]: which changes are meant; [`History`]: the changes, with their old and new values.
//!
//! Invariant: a step that fails is kept, and is then the first and only item of the iterator.

use milepost_engine::{Change, ChangeKind, Engine, HistoryQuery};
use milepost_types::{At, Key, ScopePrefix};

use crate::{Error, Result};

/// Which changes are meant; made by [`crate::Store::history`].
///
/// ```
/// use milepost::{At, Scope, Seq, Store, Writer};
/// # let dir = tempfile::tempdir().unwrap();
/// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
/// let writer = || Writer::new("worker-7");
/// store.commit().writer(writer()?).set(&scope, "cursor", b"1").durable()?;
/// store.commit().writer(writer()?).set(&scope, "cursor", b"2").durable()?;
///
/// let changes = store.history(&scope).key("cursor").since(At::Seq(Seq(2))).writer("worker-7").iter();
/// let change = changes.last().expect("one change")?;
/// assert_eq!(change.old.as_deref(), Some(&b"1"[..]));
/// assert_eq!(change.new.as_deref(), Some(&b"2"[..]));
/// # Ok::<(), milepost::Error>(())
/// ```
#[must_use = "nothing is read until `iter` is called"]
pub struct HistoryBuilder {
    engine: Engine,
    query: Result<HistoryQuery>,
}

impl HistoryBuilder {
    pub(crate) fn new(engine: Engine, prefix: ScopePrefix) -> HistoryBuilder {
        HistoryBuilder { engine, query: Ok(HistoryQuery { prefix, ..HistoryQuery::default() }) }
    }

    /// Only changes of this key.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.commit().set(&scope, "k", b"1").set(&scope, "l", b"2").durable()?;
    /// assert_eq!(store.history(&scope).key("k").iter().count(), 1);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn key(mut self, key: &str) -> HistoryBuilder {
        self.query = self.query.and_then(|query| Ok(HistoryQuery { key: Some(Key::parse(key)?), ..query }));
        self
    }

    /// Only changes at this moment or later.
    ///
    /// ```
    /// # use milepost::{Scope, Seq, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.set(&scope, "k", b"1")?;
    /// store.set(&scope, "k", b"2")?;
    /// assert_eq!(store.history(&scope).since(Seq(2)).iter().count(), 1);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn since(mut self, at: impl Into<At>) -> HistoryBuilder {
        let at = at.into();
        self.query = self.query.and_then(|query| {
            Ok(match at {
                At::Seq(seq) => HistoryQuery { since: Some(seq), ..query },
                At::Time(time) => HistoryQuery { since_time: Some(time), ..query },
                At::Latest | At::Checkpoint { .. } => {
                    HistoryQuery { since: Some(self.engine.view(at)?.seq()), ..query }
                }
            })
        });
        self
    }

    /// Only changes at this moment or earlier.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// let first = store.set(&scope, "k", b"1")?;
    /// store.set(&scope, "k", b"2")?;
    /// assert_eq!(store.history(&scope).until(first.at).iter().count(), 1);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn until(mut self, at: impl Into<At>) -> HistoryBuilder {
        let at = at.into();
        self.query = self.query.and_then(|query| {
            Ok(match at {
                At::Seq(seq) => HistoryQuery { until: Some(seq), ..query },
                At::Time(time) => HistoryQuery { until_time: Some(time), ..query },
                At::Latest => query,
                At::Checkpoint { .. } => HistoryQuery { until: Some(self.engine.view(at)?.seq()), ..query },
            })
        });
        self
    }

    /// Only changes of the writer with this name, in any attempt.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.set(&scope, "k", b"1")?;
    /// assert_eq!(store.history(&scope).writer("somebody").iter().count(), 0);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn writer(mut self, name: &str) -> HistoryBuilder {
        self.query = self.query.map(|query| HistoryQuery { writer: Some(name.to_owned()), ..query });
        self
    }

    /// Only changes of this attempt, by whichever writer.
    ///
    /// ```
    /// # use milepost::{Scope, Store, Writer};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.commit().writer(Writer::new("w")?.attempt(2)).set(&scope, "k", b"1").durable()?;
    /// assert_eq!(store.history(&scope).attempt(1).iter().count(), 0);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn attempt(mut self, attempt: u32) -> HistoryBuilder {
        self.query = self.query.map(|query| HistoryQuery { attempt: Some(attempt), ..query });
        self
    }

    /// Only changes of this kind.
    ///
    /// ```
    /// # use milepost::{ChangeKind, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.set(&scope, "k", b"1")?;
    /// store.checkpoint(&scope, "begin")?;
    /// assert_eq!(store.history(&scope).kind(ChangeKind::Checkpoint).iter().count(), 1);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn kind(mut self, kind: ChangeKind) -> HistoryBuilder {
        self.query = self.query.map(|query| HistoryQuery { kind: Some(kind), ..query });
        self
    }

    /// The newest first instead of the oldest.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.set(&scope, "k", b"1")?;
    /// let last = store.set(&scope, "k", b"2")?;
    /// let newest = store.history(&scope).newest_first().iter().next().expect("two changes")?;
    /// assert_eq!(newest.seq, last.seq);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn newest_first(mut self) -> HistoryBuilder {
        self.query = self.query.map(|query| HistoryQuery { newest_first: true, ..query });
        self
    }

    /// The changes.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// let error = store.history(&scope).key("").iter().next().expect("the step's error");
    /// assert!(error.is_err());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn iter(self) -> History {
        let found = self.query.and_then(|query| Ok(self.engine.history(query)?));
        History(found.map_err(Some))
    }
}

impl std::fmt::Debug for HistoryBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("HistoryBuilder").field(&self.query).finish()
    }
}

/// Changes in the order of their commits.
///
/// ```
/// # use milepost::{Scope, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
/// store.set(&scope, "k", b"1")?;
/// for change in store.history(&scope).iter() {
///     let change = change?;
///     println!("{} {:?}: {:?} -> {:?}", change.seq, change.key(), change.old, change.new);
/// }
/// # Ok::<(), milepost::Error>(())
/// ```
#[must_use = "a history reads nothing until it is iterated"]
pub struct History(Result<milepost_engine::History, Option<Error>>);

impl Iterator for History {
    type Item = Result<Change>;

    fn next(&mut self) -> Option<Result<Change>> {
        match &mut self.0 {
            Ok(history) => Some(history.next()?.map_err(Into::into)),
            Err(error) => error.take().map(Err),
        }
    }
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("History")
    }
}
