//! [`CommitBuilder`]: one commit, put together in a chain.
//!
//! Invariant: the first step that fails is kept and returned at the end, and then nothing is appended.

mod ticket;

use milepost_engine::Engine;
use milepost_types::{
    ContentType, Event, Key, Note, Precondition, Receipt, Scope, ScopePrefix, Seq, Timestamp, Writer,
};

pub use self::ticket::{Pipeline, Ticket};
use crate::{Error, Result};

/// A commit being put together: one or more events that become durable all or none.
///
/// A step that fails (a key too long, say) is remembered, and its error comes out of [`CommitBuilder::durable`] or
/// [`CommitBuilder::submit`], so that the chain reads without a `?` per step.
///
/// ```
/// use milepost::{Scope, Store, Writer};
/// # let dir = tempfile::tempdir().unwrap();
/// let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/etl/load")?);
/// let receipt = store
///     .commit()
///     .writer(Writer::new("worker-7")?.attempt(3))
///     .fence(&scope, 3)
///     .idempotency_key("load-2026-11-24")
///     .require_absent(&scope, "job")
///     .set(&scope, "job", b"spark-0017")
///     .delete(&scope, "error")
///     .durable()?;
/// assert_eq!(store.last(), receipt);
/// # Ok::<(), milepost::Error>(())
/// ```
#[must_use = "nothing is written until `durable` or `submit` is called"]
pub struct CommitBuilder {
    engine: Engine,
    /// The request so far, or the first step's error.
    state: Result<milepost_engine::Request>,
}

/// What a set carries beside its value.
///
/// ```
/// use milepost::{At, ContentType, Scope, SetOptions, Store, Timestamp};
/// # let dir = tempfile::tempdir().unwrap();
/// let (store, scope) = (Store::open(dir.path())?, Scope::parse("asset/orders")?);
/// let long_ago = Timestamp(0);
/// let options = SetOptions { content_type: Some(ContentType::JSON), expires_at: Some(long_ago) };
/// store.commit().set_with(&scope, "schema", b"{}", &options).durable()?;
/// assert!(store.get(&scope, "schema")?.is_none());
/// # Ok::<(), milepost::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetOptions {
    /// What the bytes are.
    pub content_type: Option<ContentType>,
    /// From when on the value counts as gone.
    pub expires_at: Option<Timestamp>,
}

impl CommitBuilder {
    pub(crate) fn new(engine: Engine) -> CommitBuilder {
        let state = Ok(engine.request());
        CommitBuilder { engine, state }
    }

    /// One that holds something already, or the error of putting it together.
    pub(crate) fn of(engine: Engine, state: Result<milepost_engine::Request>) -> CommitBuilder {
        CommitBuilder { engine, state }
    }

    /// Says who writes.
    ///
    /// ```
    /// # use milepost::{Scope, Store, Writer};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// let writer = Writer::new("backfill")?.attempt(2);
    /// let receipt = store.commit().writer(writer.clone()).set(&scope, "k", b"1").durable()?;
    /// assert_eq!(store.commit_at(receipt.seq)?.and_then(|commit| commit.meta.writer), Some(writer));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn writer(mut self, writer: Writer) -> CommitBuilder {
        self.state = self.state.map(|request| request.writer(writer));
        self
    }

    /// Makes a repeat of this commit answer with the outcome of the first, also after a restart.
    ///
    /// ```
    /// # use milepost::{ErrorKind, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// let pay = |amount: &[u8]| store.commit().idempotency_key("invoice-7").set(&scope, "paid", amount).durable();
    /// assert_eq!(pay(b"10")?, pay(b"10")?);
    /// assert_eq!(pay(b"11").unwrap_err().kind(), ErrorKind::Conflict);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn idempotency_key(mut self, key: &str) -> CommitBuilder {
        self.state = self.state.and_then(|request| Ok(request.idempotency_key(key)?));
        self
    }

    /// Claims a scope with a token, usually the attempt's number: from then on a lower one is refused, and so is an
    /// equal one from another writer.
    ///
    /// ```
    /// # use milepost::{ErrorKind, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// store.commit().fence(&scope, 2).set(&scope, "k", b"second attempt").durable()?;
    /// let zombie = store.commit().fence(&scope, 1).set(&scope, "k", b"first attempt").durable();
    /// assert_eq!(zombie.unwrap_err().kind(), ErrorKind::Fenced);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn fence(mut self, scope: &Scope, token: u64) -> CommitBuilder {
        self.state = self.state.and_then(|request| Ok(request.fence(scope, token)?));
        self
    }

    /// Adds a condition that must hold at the commit's place in the order.
    ///
    /// ```
    /// # use milepost::{ErrorKind, Precondition, Scope, Seq, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// let untouched = Precondition::ScopeAt { scope: scope.clone(), seq: Seq::ZERO };
    /// store.commit().require(untouched.clone()).set(&scope, "k", b"1").durable()?;
    /// let again = store.commit().require(untouched).set(&scope, "k", b"2").durable();
    /// assert_eq!(again.unwrap_err().kind(), ErrorKind::Conflict);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn require(mut self, precondition: Precondition) -> CommitBuilder {
        self.state = self.state.map(|request| request.require(precondition));
        self
    }

    /// Requires that a key has no value.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// let claim = |who: &[u8]| store.commit().require_absent(&scope, "owner").set(&scope, "owner", who).durable();
    /// assert!(claim(b"me").is_ok() && claim(b"you").is_err());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn require_absent(self, scope: &Scope, key: &str) -> CommitBuilder {
        self.require_of(key, |key| Precondition::KeyAbsent { scope: scope.clone(), key })
    }

    /// Requires that a key's value is the one set by the commit at `version`.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// let version = store.set(&scope, "count", b"1")?.seq;
    /// let bump = || store.commit().require_version(&scope, "count", version).set(&scope, "count", b"2").durable();
    /// assert!(bump().is_ok() && bump().is_err());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn require_version(self, scope: &Scope, key: &str, version: Seq) -> CommitBuilder {
        self.require_of(key, |key| Precondition::KeyAt { scope: scope.clone(), key, seq: version })
    }

    /// Requires that a key has no value or one below `bound` in the order of bytes: a watermark that only advances.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// let advance = |to: &[u8]| store.commit().require_below(&scope, "day", to).set(&scope, "day", to).durable();
    /// assert!(advance(b"2026-11-24").is_ok());
    /// assert!(advance(b"2026-11-23").is_err());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn require_below(self, scope: &Scope, key: &str, bound: &[u8]) -> CommitBuilder {
        self.require_of(key, |key| Precondition::ValueBelow { scope: scope.clone(), key, bound: bound.to_vec() })
    }

    /// Sets a key.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// store.commit().set(&scope, "k", b"1").set(&scope, "l", b"2").durable()?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn set(self, scope: &Scope, key: &str, value: &[u8]) -> CommitBuilder {
        self.step(|request| request.add_set(scope, key, value))
    }

    /// Sets a key, with a content type or an expiry.
    ///
    /// ```
    /// # use milepost::{ContentType, Scope, SetOptions, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// let json = SetOptions { content_type: Some(ContentType::JSON), ..SetOptions::default() };
    /// store.commit().set_with(&scope, "k", b"{}", &json).durable()?;
    /// assert_eq!(store.get(&scope, "k")?.unwrap().content_type(), Some("application/json"));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn set_with(self, scope: &Scope, key: &str, value: &[u8], options: &SetOptions) -> CommitBuilder {
        self.step(|request| request.add_set_with(scope, key, value, options.content_type.as_ref(), options.expires_at))
    }

    /// Deletes a key; an absent one gives no event.
    ///
    /// ```
    /// # use milepost::{Scope, Seq, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// store.commit().delete(&scope, "never-set").durable()?;
    /// assert_eq!(store.last().seq, Seq::ZERO);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn delete(self, scope: &Scope, key: &str) -> CommitBuilder {
        self.step(|request| request.add_delete(scope, key))
    }

    /// Deletes all keys of a scope.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// store.set(&scope, "old", b"1")?;
    /// store.commit().clear(&scope).set(&scope, "new", b"2").durable()?;
    /// assert!(store.get(&scope, "old")?.is_none());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn clear(self, scope: &Scope) -> CommitBuilder {
        self.step(|request| request.add_clear(scope))
    }

    /// Deletes all keys of a scope and of all scopes below it.
    ///
    /// ```
    /// # use milepost::{Scope, ScopePrefix, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let (inside, outside) = (Scope::parse("a/b/c")?, Scope::parse("a/bc")?);
    /// store.commit().set(&inside, "k", b"1").set(&outside, "k", b"2").durable()?;
    /// store.commit().clear_prefix(&ScopePrefix::parse("a/b")?).durable()?;
    /// assert!(store.get(&inside, "k")?.is_none() && store.get(&outside, "k")?.is_some());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn clear_prefix(self, prefix: &ScopePrefix) -> CommitBuilder {
        self.step(|request| request.add_clear_prefix(prefix))
    }

    /// Gives the state of a scope after this commit a name; a name given again moves on to it.
    ///
    /// ```
    /// # use milepost::{At, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// store.commit().set(&scope, "file", b"40000").checkpoint(&scope, "after-40000").durable()?;
    /// store.set(&scope, "file", b"40001")?;
    /// let past = store.view(At::checkpoint(&scope, "after-40000"))?;
    /// assert_eq!(past.get(&scope, "file")?.as_deref(), Some(&b"40000"[..]));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn checkpoint(self, scope: &Scope, name: &str) -> CommitBuilder {
        self.step(|request| request.add_checkpoint(scope, name, None))
    }

    /// The same, with a note for people.
    ///
    /// ```
    /// # use milepost::{Note, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// let note = Note::parse("before the new price list")?;
    /// store.commit().checkpoint_with(&scope, "prices", &note).durable()?;
    /// assert_eq!(store.checkpoints(&scope)?[0].note, Some(note));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn checkpoint_with(self, scope: &Scope, name: &str, note: &Note) -> CommitBuilder {
        self.step(|request| request.add_checkpoint(scope, name, Some(note)))
    }

    /// Lets the name of a checkpoint go; one that is not there gives no event.
    ///
    /// ```
    /// # use milepost::{At, ErrorKind, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// store.checkpoint(&scope, "done")?;
    /// store.commit().release(&scope, "done").durable()?;
    /// let error = store.view(At::checkpoint(&scope, "done")).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::NoCheckpoint);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn release(self, scope: &Scope, name: &str) -> CommitBuilder {
        self.step(|request| request.add_release(scope, name))
    }

    /// Lets a scope begin as `origin` was after the commit at `point`. The scope must hold no key and be no fork.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// let point = store.set(&scope, "file", b"40000")?.seq;
    /// let again = Scope::parse("a-again")?;
    /// store.commit().fork(&again, &scope, point).set(&again, "batch", b"100").durable()?;
    /// assert_eq!(store.get(&again, "file")?.as_deref(), Some(&b"40000"[..]));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn fork(self, scope: &Scope, origin: &Scope, point: Seq) -> CommitBuilder {
        self.step(|request| request.add_fork(scope, origin, point))
    }

    /// Adds an event of any kind, for instance one that was replayed.
    ///
    /// ```
    /// # use milepost::{Scope, Seq, Store};
    /// # let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// store.set(&scope, "k", b"1")?;
    /// let copy = Store::open(other.path())?;
    /// for commit in store.replay(Seq::FIRST) {
    ///     commit?.events.iter().fold(copy.commit(), |to, event| to.event(event)).durable()?;
    /// }
    /// assert_eq!(copy.get(&scope, "k")?.as_deref(), Some(&b"1"[..]));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn event(self, event: &Event) -> CommitBuilder {
        self.step(|request| request.add_event(event))
    }

    /// The commit after a step that failed.
    #[cfg(feature = "typed")]
    pub(crate) fn failed(mut self, error: Error) -> CommitBuilder {
        self.state = self.state.and(Err(error));
        self
    }

    /// Why it would not be committed: the first step's error.
    pub(crate) fn refusal(&self) -> Option<&Error> {
        self.state.as_ref().err()
    }

    /// How many events were added so far; none after a step that failed.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// assert_eq!(store.commit().set(&scope, "k", b"1").event_count(), 1);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.state.as_ref().map_or(0, |request| request.events())
    }

    /// Commits, and returns when it is durable.
    ///
    /// ```
    /// # use milepost::{ErrorKind, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// let error = store.commit().set(&scope, "", b"1").set(&scope, "k", b"2").durable().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Invalid);
    /// assert!(store.get(&scope, "k")?.is_none());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn durable(self) -> Result<Receipt> {
        Ok(self.engine.commit(self.state?)?)
    }

    /// Whether it would be let in, by its fences and preconditions. Nothing is committed.
    pub(crate) fn ask(self) -> Result<()> {
        self.engine.commit(self.state?.only_ask())?;
        Ok(())
    }

    /// Commits without waiting: the ticket is waited for, or awaited in any runtime. Submitted commits of one thread
    /// keep their order.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// let tickets: Vec<_> = (0..64u8)
    ///     .map(|i| store.commit().set(&scope, &i.to_string(), &[i]).submit())
    ///     .collect::<Result<_, _>>()?;
    /// for ticket in tickets {
    ///     ticket.wait()?;
    /// }
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn submit(self) -> Result<Ticket> {
        Ok(Ticket(self.engine.submit(self.state?)?))
    }

    /// The same through a [`Pipeline`].
    ///
    /// ```
    /// # use milepost::{Pipeline, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// let mut pipeline = Pipeline::new();
    /// let first = store.commit().set(&scope, "k", b"1").submit_in(&mut pipeline)?;
    /// let second = store.commit().set(&scope, "k", b"2").submit_in(&mut pipeline)?;
    /// assert!(first.wait()?.seq < second.wait()?.seq);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn submit_in(self, pipeline: &mut Pipeline) -> Result<Ticket> {
        Ok(Ticket(self.engine.submit_in(&mut pipeline.0, self.state?)?))
    }

    fn step(
        mut self,
        add: impl FnOnce(&mut milepost_engine::Request) -> Result<(), milepost_engine::CommitError>,
    ) -> CommitBuilder {
        if let Ok(request) = &mut self.state
            && let Err(error) = add(request)
        {
            self.state = Err(error.into());
        }
        self
    }

    fn require_of(mut self, key: &str, condition: impl FnOnce(Key) -> Precondition) -> CommitBuilder {
        match Key::parse(key) {
            Ok(key) => self.require(condition(key)),
            Err(error) => {
                self.state = self.state.and(Err(error.into()));
                self
            }
        }
    }
}

impl std::fmt::Debug for CommitBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.state {
            Ok(request) => write!(f, "CommitBuilder({} events)", request.events()),
            Err(error) => write!(f, "CommitBuilder({error})"),
        }
    }
}
