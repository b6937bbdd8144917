//! [`Store`]: a store held open, local for now.
//!
//! Invariant: a clone is the same store. Reads see durable commits only, each that was acknowledged before it too.

use std::path::Path;

use milepost_engine::{Engine, Parts};
use milepost_types::{At, Commit, Receipt, Scope, Seq, Writer, limits};

use crate::{
    Checkpoint, CommitBuilder, Diff, Erasure, Failure, HistoryBuilder, Options, Replay, Restore, Result, Retention,
    Stats, Task, Value, View, Watch,
    task::{
        Progress, ProgressOptions,
        progress::{places, shared::Origin},
    },
};

/// A store held open. Cheap to clone, to share between threads and to send to one.
///
/// ```
/// use milepost::{Scope, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// let store = Store::open(dir.path())?;
/// let scope = Scope::parse("asset/orders")?;
/// let handle = store.clone();
/// std::thread::scope(|s| s.spawn(|| handle.set(&scope, "rows", b"12").map(drop)).join().unwrap())?;
/// assert_eq!(store.get(&scope, "rows")?.as_deref(), Some(&b"12"[..]));
/// # Ok::<(), milepost::Error>(())
/// ```
#[derive(Clone)]
pub struct Store(Place);

/// Where the store is. A closed choice: what is built on it works with each.
#[derive(Clone)]
enum Place {
    /// In this process.
    Local(Engine),
}

impl Store {
    /// Opens the store in a directory for writing, and makes one if there is none.
    ///
    /// ```
    /// use milepost::{ErrorKind, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let store = Store::open(dir.path())?;
    /// // One writer at a time; the error names the process that holds it.
    /// assert_eq!(Store::open(dir.path()).unwrap_err().kind(), ErrorKind::InUse);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn open(dir: impl AsRef<Path>) -> Result<Store> {
        Options::default().open(dir)
    }

    /// How to open a store, to be said before [`Options::open`].
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// let store = milepost::Store::options().segment_bytes(1 << 20).open(dir.path())?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn options() -> Options {
        Options::default()
    }

    /// Opens a store for reading, also beside a process that writes to it. Never writes a byte.
    ///
    /// ```
    /// use milepost::{ErrorKind, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (writer, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// writer.set(&scope, "k", b"1")?;
    /// let reader = Store::read_only(dir.path())?;
    /// assert_eq!(reader.get(&scope, "k")?.as_deref(), Some(&b"1"[..]));
    /// assert_eq!(reader.set(&scope, "k", b"2").unwrap_err().kind(), ErrorKind::ReadOnly);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn read_only(dir: impl AsRef<Path>) -> Result<Store> {
        Ok(Store::over(Engine::open_read_only(Parts::real(), dir.as_ref())?))
    }

    /// Begins a commit: one or more events, all or none.
    ///
    /// ```
    /// use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let store = Store::open(dir.path())?;
    /// let (from, to) = (Scope::parse("account/a")?, Scope::parse("account/b")?);
    /// store.commit().set(&from, "balance", b"0").set(&to, "balance", b"10").durable()?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn commit(&self) -> CommitBuilder {
        CommitBuilder::new(self.engine().clone())
    }

    /// Sets a key, durably on return.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let store = Store::open(dir.path())?;
    /// let receipt = store.set(&Scope::parse("a/b")?, "k", b"1")?;
    /// assert_eq!(receipt.seq.0, 1);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn set(&self, scope: &Scope, key: &str, value: &[u8]) -> Result<Receipt> {
        self.commit().set(scope, key, value).durable()
    }

    /// Deletes a key, durably on return. One that is absent is left alone, and nothing is appended.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.set(&scope, "k", b"1")?;
    /// store.delete(&scope, "k")?;
    /// assert!(store.get(&scope, "k")?.is_none());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn delete(&self, scope: &Scope, key: &str) -> Result<Receipt> {
        self.commit().delete(scope, key).durable()
    }

    /// Deletes all keys of a scope, durably on return. Scopes below it keep theirs: see
    /// [`CommitBuilder::clear_prefix`].
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.commit().set(&scope, "k", b"1").set(&scope, "l", b"2").durable()?;
    /// store.clear(&scope)?;
    /// assert_eq!(store.view(milepost::At::Latest)?.scan(&scope, "").count(), 0);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn clear(&self, scope: &Scope) -> Result<Receipt> {
        self.commit().clear(scope).durable()
    }

    /// The value a key has now.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// let receipt = store.set(&scope, "k", b"1")?;
    /// let value = store.get(&scope, "k")?.expect("it was just set");
    /// assert_eq!((&*value, value.seq()), (&b"1"[..], receipt.seq));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn get(&self, scope: &Scope, key: &str) -> Result<Option<Value>> {
        Ok(self.engine().get(scope.as_str(), key)?)
    }

    /// The state as of a moment: [`At::Latest`], a [`Seq`], a [`crate::Timestamp`] or a checkpoint. It never changes
    /// while it is held.
    ///
    /// ```
    /// use milepost::{At, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// let first = store.set(&scope, "k", b"1")?;
    /// let now = store.view(At::Latest)?;
    /// store.set(&scope, "k", b"2")?;
    /// assert_eq!(now.get(&scope, "k")?.as_deref(), Some(&b"1"[..]));
    /// assert_eq!(store.view(first.at)?.seq(), first.seq);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn view(&self, at: impl Into<At>) -> Result<View> {
        Ok(View(self.engine().view(at.into())?))
    }

    /// Gives the state of a scope as it is now a name, durably on return. A name given again moves on.
    ///
    /// ```
    /// use milepost::{At, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.set(&scope, "file", b"40000")?;
    /// store.checkpoint(&scope, "after-40000")?;
    /// store.set(&scope, "file", b"40001")?;
    /// let past = store.view(At::checkpoint(&scope, "after-40000"))?;
    /// assert_eq!(past.get(&scope, "file")?.as_deref(), Some(&b"40000"[..]));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn checkpoint(&self, scope: &Scope, name: &str) -> Result<Receipt> {
        self.commit().checkpoint(scope, name).durable()
    }

    /// The checkpoints of a scope and of those below it that were not released, by scope and then by name.
    ///
    /// ```
    /// use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// let receipt = store.checkpoint(&scope, "begin")?;
    /// let checkpoints = store.checkpoints(&scope)?;
    /// assert_eq!((checkpoints[0].name.as_str(), checkpoints[0].seq), ("begin", receipt.seq));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn checkpoints(&self, within: impl Into<milepost_types::ScopePrefix>) -> Result<Vec<Checkpoint>> {
        Ok(self.engine().checkpoints(&within.into())?)
    }

    /// Lets the name of a checkpoint go, durably on return. One that is not there is left alone, and nothing is
    /// appended.
    ///
    /// ```
    /// use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.checkpoint(&scope, "begin")?;
    /// store.release(&scope, "begin")?;
    /// assert!(store.checkpoints(&scope)?.is_empty());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn release(&self, scope: &Scope, name: &str) -> Result<Receipt> {
        self.commit().release(scope, name).durable()
    }

    /// Lets `scope` begin as `origin` was at a moment, durably on return. Nothing is copied: until a key is changed in
    /// one of them, both have it from the same commit. An origin that held no key then is refused.
    ///
    /// ```
    /// use milepost::{At, ErrorKind, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, load) = (Store::open(dir.path())?, Scope::parse("task/load")?);
    /// store.commit().set(&load, "file", b"40000").checkpoint(&load, "after-40000").durable()?;
    /// store.set(&load, "file", b"bad")?;
    ///
    /// let again = Scope::parse("task/load-again")?;
    /// store.fork(&load, At::checkpoint(&load, "after-40000"), &again)?;
    /// assert_eq!(store.get(&again, "file")?.as_deref(), Some(&b"40000"[..]));
    /// assert_eq!(store.fork(&load, At::Latest, &again).unwrap_err().kind(), ErrorKind::Conflict);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn fork(&self, origin: &Scope, at: impl Into<At>, scope: &Scope) -> Result<Receipt> {
        let point = self.engine().view(at.into())?.seq();
        self.commit().fork(scope, origin, point).durable()
    }

    /// What brings a scope back to a past moment, by one commit of the difference; history stays. Nothing is written
    /// before it is committed.
    ///
    /// ```
    /// use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// let good = store.set(&scope, "watermark", b"2026-11-23")?;
    /// store.set(&scope, "watermark", b"2099-01-01")?;
    /// store.restore(&scope, good.seq)?.durable()?;
    /// assert_eq!(store.get(&scope, "watermark")?.as_deref(), Some(&b"2026-11-23"[..]));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn restore(&self, scope: &Scope, at: impl Into<At>) -> Result<Restore> {
        Ok(Restore::new(self.engine().clone(), self.engine().restoration(scope, at.into())?))
    }

    /// The keys of a scope that have another value at one moment than at another. For two scopes, see [`View::diff`].
    ///
    /// ```
    /// use milepost::{At, DifferenceKind, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// let first = store.commit().set(&scope, "k", b"1").set(&scope, "same", b"1").durable()?;
    /// store.commit().set(&scope, "k", b"2").set(&scope, "l", b"2").durable()?;
    /// let diff = store.diff(&scope, first.seq, At::Latest)?.collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!((diff.len(), diff[1].key.as_str(), diff[1].kind()), (2, "l", DifferenceKind::Added));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn diff(&self, scope: &Scope, from: impl Into<At>, to: impl Into<At>) -> Result<Diff> {
        let (from, to) = (self.view(from)?, self.view(to)?);
        from.diff(scope, &to, scope)
    }

    /// What happened to the keys of a scope, or of all scopes below a prefix.
    ///
    /// ```
    /// use milepost::{Scope, ScopePrefix, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.set(&scope, "k", b"1")?;
    /// store.set(&scope, "k", b"2")?;
    /// assert_eq!(store.history(&scope).iter().count(), 2);
    /// assert_eq!(store.history(ScopePrefix::parse("a")?).key("other").iter().count(), 0);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn history(&self, within: impl Into<milepost_types::ScopePrefix>) -> HistoryBuilder {
        HistoryBuilder::new(self.engine().clone(), within.into())
    }

    /// Every durable commit from a position on, once and in order, up to the last one now.
    ///
    /// ```
    /// use milepost::{Scope, Seq, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.set(&scope, "k", b"1")?;
    /// for commit in store.replay(Seq::FIRST) {
    ///     assert_eq!(commit?.events.len(), 1);
    /// }
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn replay(&self, from: Seq) -> Replay {
        Replay::new(self.engine().replay(from))
    }

    /// The same, and then every commit as it becomes durable.
    ///
    /// ```
    /// use std::time::Duration;
    /// use milepost::{Scope, Seq, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// let mut watch = store.watch(Seq::FIRST);
    /// assert!(watch.try_next()?.is_none());
    /// store.set(&scope, "k", b"1")?;
    /// assert_eq!(watch.next_timeout(Duration::from_secs(9))?.map(|commit| commit.seq), Some(Seq(1)));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn watch(&self, from: Seq) -> Watch {
        Watch::new(self.engine().watch(from))
    }

    /// One commit by its position, or `None` if it is not there yet.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// let receipt = store.set(&scope, "k", b"1")?;
    /// let commit = store.commit_at(receipt.seq)?.expect("it is durable");
    /// assert_eq!(commit.at, receipt.at);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn commit_at(&self, seq: Seq) -> Result<Option<Commit>> {
        Ok(self.engine().commit_at(seq)?)
    }

    /// Where the last durable commit stands; [`Seq::ZERO`] for an empty store.
    ///
    /// ```
    /// # use milepost::{Scope, Seq, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// assert_eq!(store.last().seq, Seq::ZERO);
    /// assert_eq!(store.set(&scope, "k", b"1")?, store.last());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn last(&self) -> Receipt {
        self.engine().last()
    }

    /// Moves a read-only handle on to what is durable now, and lets go replaced files that nothing held in it needs.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (writer, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// let reader = Store::read_only(dir.path())?;
    /// let receipt = writer.set(&scope, "k", b"1")?;
    /// assert_eq!(reader.refresh()?, receipt);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn refresh(&self) -> Result<Receipt> {
        Ok(self.engine().refresh()?)
    }

    /// How large the store is, what it has written, and from where on its past can be read. It walks over nothing; what
    /// of each segment is live and dead is told by [`Store::segments`].
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.set(&scope, "k", b"1")?;
    /// let stats = store.stats();
    /// assert_eq!(stats.keys_ever, 1);
    /// assert!(stats.horizons.is_empty(), "all of the past can be read");
    /// assert!(stats.written.amplification().unwrap() >= 1.0);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.engine().stats()
    }

    /// What of the past is kept: policies, holds, and what they come to.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = milepost::Store::open(dir.path())?;
    /// assert!(store.retention().policies()?.is_empty(), "everything is kept");
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn retention(&self) -> Retention {
        Retention::new(self.engine().clone())
    }

    /// Erases all that a key ever was, durably on return: no moment of the past shows it from then on. The history says
    /// that it was erased, when, by whom and how many bytes there were.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("user/17")?);
    /// store.set(&scope, "mail", b"ann@example.org")?;
    /// store.erase(&scope, "mail")?;
    /// assert!(store.get(&scope, "mail")?.is_none());
    /// assert!(store.history(&scope).iter().all(|change| change.is_ok_and(|change| change.new.is_none())));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn erase(&self, scope: &Scope, key: &str) -> Result<Erasure> {
        self.retention().erase(scope, key)
    }

    /// Erases all that a scope ever held, durably on return. Scopes below it keep theirs.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("user/17")?);
    /// store.set(&scope, "mail", b"ann@example.org")?;
    /// assert_eq!(store.erase_scope(&scope)?.values, 1);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn erase_scope(&self, scope: &Scope) -> Result<Erasure> {
        self.retention().erase_scope(scope)
    }

    /// Erases all that a scope and those below it ever held, durably on return.
    ///
    /// ```
    /// # use milepost::{Scope, ScopePrefix, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// store.set(&Scope::parse("user/17/orders")?, "first", b"a lamp")?;
    /// assert_eq!(store.erase_prefix(&ScopePrefix::parse("user/17")?)?.bytes, 6);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn erase_prefix(&self, prefix: &milepost_types::ScopePrefix) -> Result<Erasure> {
        self.retention().erase_prefix(prefix)
    }

    /// Which of many items are done: the job of this name of a scope. Nothing is written before an item is marked.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// for file in progress.pending(["a", "b"]) {
    ///     progress.done(file?)?;
    /// }
    /// progress.flush()?;
    /// assert_eq!(progress.summary()?.done, 2);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn progress(&self, scope: &Scope, name: &str) -> Result<Progress> {
        self.progress_with(scope, name, &ProgressOptions::default())
    }

    /// The same, with other options.
    ///
    /// ```
    /// # use milepost::{Scope, Store, task::ProgressOptions};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let options = ProgressOptions { batch_marks: 100, ..ProgressOptions::default() };
    /// let progress = store.progress_with(&Scope::parse("task/load")?, "checksum", &options)?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn progress_with(&self, scope: &Scope, name: &str, options: &ProgressOptions) -> Result<Progress> {
        Progress::new(self, scope, name, options, Origin::default())
    }

    /// The jobs of a scope and of all below it: the scope and the name of each.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/load")?);
    /// store.progress(&scope, "checksum")?.done("a")?;
    /// assert_eq!(store.progress_jobs(&scope)?, [(scope, "checksum".to_owned())]);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn progress_jobs(&self, within: impl Into<milepost_types::ScopePrefix>) -> Result<Vec<(Scope, String)>> {
        let scopes = self.view(At::Latest)?.scopes(&within.into())?;
        Ok(scopes.iter().filter_map(places::job_of).collect())
    }

    /// Refuses a value that a commit would refuse.
    pub(crate) fn check_value(&self, value: &[u8]) -> Result<()> {
        Ok(limits::check("value", "bytes", value.len(), 0, self.engine().value_bytes_max())?)
    }

    /// Why the store takes no more commits, if it stopped.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = milepost::Store::open(dir.path())?;
    /// assert!(store.failure().is_none());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        self.engine().failure()
    }

    /// Whether the handle only reads.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = milepost::Store::open(dir.path())?;
    /// assert!(!store.is_read_only());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.engine().is_read_only()
    }

    /// The directory of the store.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = milepost::Store::open(dir.path())?;
    /// assert_eq!(store.dir(), dir.path());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.engine().dir()
    }

    /// Waits for what is queued, marks the store as closed cleanly and frees it, for every clone of this handle.
    /// Dropping the last clone does the same, but can't say what went wrong.
    ///
    /// ```
    /// use milepost::{ErrorKind, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.close()?;
    /// assert_eq!(store.set(&scope, "k", b"1").unwrap_err().kind(), ErrorKind::Closed);
    /// Store::open(dir.path())?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn close(&self) -> Result<()> {
        Ok(self.engine().close()?)
    }

    /// Opens a scope as a task: who works on it, in which attempt. A lower attempt is refused from then on, whatever it
    /// writes as a task. See [`crate::task`].
    ///
    /// ```
    /// use milepost::{ErrorKind, Scope, Store, Writer};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/etl/load")?);
    /// let zombie = store.task(&scope, Writer::new("worker-7")?.attempt(2))?;
    /// let task = store.task(&scope, Writer::new("worker-9")?.attempt(3))?;
    /// task.commit().set(&scope, "file", b"40000").durable()?;
    /// let refused = zombie.commit().set(&scope, "file", b"17").durable().unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::Fenced);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn task(&self, scope: &Scope, writer: Writer) -> Result<Task> {
        Task::open(self.clone(), scope, writer)
    }

    /// A store over an engine, also over one that somebody else drives: the simulator.
    #[doc(hidden)]
    #[must_use]
    pub fn over(engine: Engine) -> Store {
        Store(Place::Local(engine))
    }

    pub(crate) fn engine(&self) -> &Engine {
        match &self.0 {
            Place::Local(engine) => engine,
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.dir()).field("last", &self.last().seq).finish()
    }
}
