//! [`Peer`]: what an engine must do here, and [`Reader`]: how one thread reads from it.
//!
//! Invariant: a version is the number of its commit, from 1, dense: the same in every engine. A reader checks every
//! byte of every value it is given (`event::number_of`) and answers with the numbers they say.
//!
//! Knows nothing of figures.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::event::Event;

/// How long a reader stays in one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// A new one for every read, as one must who wants to see what was acknowledged before.
    EachRead,
    /// One for all reads: less to do, but they see nothing that came after, and pages can't be reused meanwhile.
    AllReads,
}

/// An open store of some engine.
pub(crate) trait Peer: Send + Sync {
    /// Makes one commit of some events, durable when this returns. `version` is one more than [`Peer::last`].
    fn commit(&self, version: u64, events: &[Event]) -> io::Result<()> {
        self.replace(version, events, &[])
    }

    /// The same, with the removal of versions that are not kept any more. An engine that was told by
    /// [`Peer::keep_newest`] finds these itself.
    fn replace(&self, version: u64, events: &[Event], gone: &[Gone]) -> io::Result<()>;

    /// Makes a commit of each list of events, by many threads at once; durable when this returns, and together where
    /// the engine has transactions. They get the next versions, drawn from `versions` where the engine gives none
    /// itself: under its writer's lock if it has one. Returns the version of the first.
    fn append(&self, versions: &Versions, commits: &[Vec<Event>]) -> io::Result<u64>;

    /// Makes ready for so many threads that append at once.
    fn expect_writers(&self, _count: u64) -> io::Result<()> {
        Ok(())
    }

    /// Keeps so many newest versions of each key from now on, if the engine has such a rule.
    fn keep_newest(&self, _versions: u64) -> io::Result<()> {
        Ok(())
    }

    /// The last durable version; 0 in an empty store.
    fn last(&self) -> io::Result<u64>;

    /// Lends the calling thread a reader. Statements, transactions and tables that can be made once are made here.
    fn read(&self, hold: Hold, body: Body<'_>) -> io::Result<()>;

    /// Whether [`Hold::AllReads`] differs from [`Hold::EachRead`].
    fn has_transactions(&self) -> bool;

    /// Waits for background work to end, where the engine has a way.
    fn settle(&self) -> io::Result<()> {
        Ok(())
    }

    /// What somebody should know who reads this engine's numbers.
    fn note(&self) -> Option<String> {
        None
    }

    /// Closes the store as the engine's documentation says.
    fn close(self: Box<Self>) -> io::Result<()>;
}

/// Gives out versions to commits that are made at once.
pub(crate) struct Versions(AtomicU64);

impl Versions {
    /// The next one follows `last`.
    pub(crate) fn after(last: u64) -> Versions {
        Versions(AtomicU64::new(last))
    }

    /// The first of the next `count`. Relaxed: a number publishes nothing, the engine's commit does.
    pub(crate) fn take(&self, count: usize) -> u64 {
        self.0.fetch_add(count as u64, Ordering::Relaxed) + 1
    }
}

/// A version that is not kept any more.
#[derive(Clone, Copy)]
pub(crate) struct Gone {
    /// Its scope and key; the value is not its own.
    pub(crate) event: Event,
    /// Its commit.
    pub(crate) version: u64,
    /// Its place in the commit.
    pub(crate) place: u32,
}

/// What is done with a reader.
pub(crate) type Body<'a> = &'a mut dyn FnMut(&mut dyn Reader) -> io::Result<()>;

/// One thread's way to read.
pub(crate) trait Reader {
    /// The number of the newest value of a key.
    fn latest(&mut self, scope: &str, key: &str) -> io::Result<Option<u64>>;

    /// The number of a key's value as of a version.
    fn as_of(&mut self, scope: &str, key: &str, version: u64) -> io::Result<Option<u64>>;

    /// Every key of a scope as of a version, in order, with the number of its value.
    fn scope_as_of(&mut self, scope: &str, version: u64, visit: VisitKey<'_>) -> io::Result<()>;

    /// Every version of a key, newest first, with the number of its value.
    fn history(&mut self, scope: &str, key: &str, visit: VisitVersion<'_>) -> io::Result<()>;

    /// Every event of the store, in the order of the commits and of the events within them.
    fn replay(&mut self, visit: VisitEvent<'_>) -> io::Result<()>;

    /// When a version was committed, in microseconds; `None` for an engine that keeps no time.
    fn time_of(&mut self, _version: u64) -> io::Result<Option<i64>> {
        Ok(None)
    }

    /// The number of a key's value as of a time. Asked only of engines that know [`Reader::time_of`].
    fn as_of_time(&mut self, _scope: &str, _key: &str, _time_us: i64) -> io::Result<Option<u64>> {
        Err(io::Error::other("this engine keeps no time"))
    }
}

/// Is given a key and the number of its value.
pub(crate) type VisitKey<'a> = &'a mut dyn FnMut(&[u8], u64) -> io::Result<()>;
/// Is given a version and the number of its value.
pub(crate) type VisitVersion<'a> = &'a mut dyn FnMut(u64, u64) -> io::Result<()>;
/// Is given an event and the number of its value.
pub(crate) type VisitEvent<'a> = &'a mut dyn FnMut(Replayed<'_>, u64) -> io::Result<()>;

/// Where a replayed event belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replayed<'a> {
    /// Its commit.
    pub(crate) version: u64,
    /// Whose state.
    pub(crate) scope: &'a [u8],
    /// Which key.
    pub(crate) key: &'a [u8],
}
