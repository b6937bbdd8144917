//! [`Group`]: a group commit in front of an engine, as one would write it who has many threads and an engine that makes
//! them wait for each other.
//!
//! Invariant: whoever comes while the engine is busy joins the open group; the first of a group leads it: takes it when
//! the engine is free and makes all of it durable at once. All are answered after that, by one wake-up.

use std::{
    io, mem,
    sync::{Arc, Mutex, MutexGuard, OnceLock},
    thread,
};

use crate::{
    event::Event,
    peer::{Peer, Versions},
};

/// Takes the commits of many threads to an engine.
pub(super) struct Group<'a> {
    peer: &'a dyn Peer,
    versions: &'a Versions,
    /// Held by the leader while the engine is busy. Taken before `open`.
    busy: Mutex<()>,
    /// Those that wait for the next leader.
    open: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    commits: Vec<Vec<Event>>,
    fate: Fate,
}

/// The version of the first commit of a group, or what went wrong.
type Fate = Arc<OnceLock<Result<u64, String>>>;

impl<'a> Group<'a> {
    /// Before this engine.
    pub(super) fn new(peer: &'a dyn Peer, versions: &'a Versions) -> Group<'a> {
        Group { peer, versions, busy: Mutex::default(), open: Mutex::default() }
    }

    /// Makes one commit; its version.
    pub(super) fn append(&self, events: Vec<Event>) -> io::Result<u64> {
        let (place, fate) = self.join(events)?;
        if place == 0 {
            self.lead()?;
        }
        match fate.wait() {
            Ok(first) => Ok(first + place),
            Err(error) => Err(io::Error::other(error.as_str())),
        }
    }

    fn join(&self, events: Vec<Event>) -> io::Result<(u64, Fate)> {
        let mut open = lock(&self.open)?;
        open.commits.push(events);
        Ok((open.commits.len() as u64 - 1, Arc::clone(&open.fate)))
    }

    fn lead(&self) -> io::Result<()> {
        let busy = lock(&self.busy)?;
        // Those of the last group were answered just now and want to join. To wait until no more come, or to let the
        // next leader in before the answers, gained nothing.
        thread::yield_now();
        let group = mem::take(&mut *lock(&self.open)?);
        let unanswered = Unanswered(group.fate);
        let outcome = self.peer.append(self.versions, &group.commits).map_err(|error| error.to_string());
        unanswered.answer(outcome);
        drop(busy);
        Ok(())
    }
}

/// Those who wait are answered even if their leader panics.
struct Unanswered(Fate);

impl Unanswered {
    fn answer(&self, outcome: Result<u64, String>) {
        // Nobody else sets it; when dropped after an answer this does nothing.
        let _ = self.0.set(outcome);
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.answer(Err("the leader of a group panicked".to_owned()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> io::Result<MutexGuard<'_, T>> {
    mutex.lock().map_err(|_| io::Error::other("a writer panicked"))
}
