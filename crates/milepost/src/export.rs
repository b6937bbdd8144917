//! [`Export`]: all that a store says, as lines that an import takes.
//!
//! Invariant: the same history gives the same bytes, be it in the store that wrote it or in one that was made of an
//! export.

use std::{fmt, vec};

use milepost_engine::{Engine, Horizon};
use milepost_types::{Commit, Seq, Timestamp};

use crate::{Replay, Result, Store, json};

/// The lines of all commits, and of what is not there any more, as [`Store::export`] finds them.
#[must_use = "an export reads nothing until its lines are asked for"]
pub struct Export {
    engine: Engine,
    horizons: vec::IntoIter<Horizon>,
    replay: Replay,
    /// The first commit that was not told yet.
    next: Seq,
    /// When the commit before it was stamped, if that was told.
    before: Option<Timestamp>,
    last: Seq,
    /// Comes behind the line that says what is not there before it.
    held: Option<Commit>,
}

impl Store {
    /// All commits up to the last one there is now, as [`crate::Import`] takes them: a line of
    /// [`json::write_horizon`] for each place of which the past can't be read from the first commit on, one of
    /// [`json::write_commit`] for each commit, one of [`json::write_removed`] for those that are not there any more.
    /// The last line says that it is, by a field `last`: an import of what was cut short is told so by its absence.
    ///
    /// ```
    /// use milepost::{Import, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, scope) = (Store::open(dir.path().join("a"))?, Scope::parse("a/b")?);
    /// store.set(&scope, "k", b"1")?;
    /// let mut import = Import::begin(dir.path().join("b"))?;
    /// let (mut export, mut line) = (store.export(), Vec::new());
    /// while export.next_line(&mut line)? {
    ///     import.line(&line)?;
    /// }
    /// assert_eq!(import.finish()?, store.last());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn export(&self) -> Export {
        Export::of(self.engine())
    }
}

impl Export {
    pub(crate) fn of(engine: &Engine) -> Export {
        // First: what is removed from here on the replay keeps, and of what was, the horizons say it.
        let (last, replay) = (engine.last().seq, Replay::new(engine.replay(Seq::FIRST)));
        let horizons = engine.horizons().into_iter();
        Export { engine: engine.clone(), horizons, replay, next: Seq::FIRST, before: None, last, held: None }
    }

    /// Puts the next line, without its line end, in the place of what `line` holds; whether there is one.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = milepost::Store::open(dir.path())?;
    /// assert!(!store.export().next_line(&mut Vec::new())?, "nothing is there");
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn next_line(&mut self, line: &mut Vec<u8>) -> Result<bool> {
        line.clear();
        if let Some(horizon) = self.horizons.next() {
            json::write_horizon(line, &horizon);
            return Ok(true);
        }
        if self.held.is_none() {
            // What was committed since the last one was asked for is not told.
            self.held = self.replay.next().transpose()?.filter(|commit| commit.seq <= self.last);
        }
        let through = self.held.as_ref().map_or(self.last, |commit| commit.seq.prev());
        if self.next <= through {
            let behind = self.held.as_ref().map(|commit| commit.at);
            let times = self.engine.removed_times((self.next, self.before), (through, behind))?;
            json::write_removed(line, self.next, through, times);
            self.next = Seq(through.0 + 1);
        } else {
            let Some(commit) = self.held.take() else { return Ok(false) };
            json::write_commit(line, &commit);
            (self.next, self.before) = (Seq(commit.seq.0 + 1), Some(commit.at));
        }
        if self.next > self.last {
            json::say_last(line);
        }
        Ok(true)
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export").field("next", &self.next).field("last", &self.last).finish_non_exhaustive()
    }
}
