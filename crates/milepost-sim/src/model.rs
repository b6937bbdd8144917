//! The reference: what a store must answer, said with maps and a list.
//!
//! Invariant: no cleverness. The truth is a list of commits; every question folds that list from its beginning. When
//! the engine and this file disagree, this file is meant to be the one that a reader can check by eye.
//!
//! Must not know: the engine, the log, files. It is built on the nouns alone, so that no mistake can be shared.

mod expiry;
mod judge;
mod past;
mod state;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use milepost_types::{At, Commit, Event, Meta, Precondition, Receipt, Seq, Timestamp};

pub use expiry::ENDED_KEY;
pub use judge::{NoFork, Outcome, Refused};
pub use past::{Horizon, Horizons, Pins, Sight};
pub use state::{Change, ChangeKind, Query, State, Subject, Version};

/// A commit as it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Writer, idempotency key and fences.
    pub meta: Meta,
    /// What has to hold.
    pub require: Vec<Precondition>,
    /// The events, in order.
    pub events: Vec<Event>,
}

/// A commit that is there, and how it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What was appended.
    pub commit: Commit,
    /// What was asked for: with the deletes that met nothing.
    pub ask: Ask,
}

/// A moment to read at: a place in the list, and the time that decides what has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The last commit that is seen.
    pub seq: Seq,
    /// What counts as now.
    pub now: Timestamp,
}

/// A key with its version on either side.
pub type Differing<'a> = (&'a str, Option<Version<'a>>, Option<Version<'a>>);

/// The whole store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    kept: Vec<Arc<Kept>>,
    /// Erasures: which event of which commit.
    erasures: Vec<(Seq, usize)>,
    /// What is there of each commit.
    left: Vec<past::Left>,
    horizons: Horizons,
    /// Scopes of whose last touch nothing is left: as of which commit their version was told, and what it was.
    told: BTreeMap<String, (Seq, Seq)>,
}

impl Model {
    /// All commits in order.
    #[must_use]
    pub fn kept(&self) -> &[Arc<Kept>] {
        &self.kept
    }

    /// How many commits there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether nothing was ever committed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The commit at a position.
    #[must_use]
    pub fn commit(&self, seq: Seq) -> Option<&Commit> {
        let index = usize::try_from(seq.0.checked_sub(1)?).ok()?;
        self.kept.get(index).map(|kept| &kept.commit)
    }

    /// Where the last commit stands; before the first one, at the beginning of time.
    #[must_use]
    pub fn last(&self) -> Receipt {
        match self.kept.last() {
            Some(kept) => Receipt { seq: kept.commit.seq, at: kept.commit.at },
            None => Receipt { seq: Seq::ZERO, at: Timestamp::MIN },
        }
    }

    /// Judges a request as the next one in the order, and appends it if that is the outcome.
    pub fn commit_next(&mut self, ask: &Ask, wall: Timestamp) -> Outcome {
        let outcome = self.judge(ask, wall);
        if let Outcome::Appended(commit) = &outcome {
            self.keep(Arc::new(Kept { commit: commit.clone(), ask: ask.clone() }));
        }
        outcome
    }

    /// Takes up a commit whose outcome was unknown and that was found to be there.
    pub fn keep(&mut self, kept: Arc<Kept>) {
        let is_erasure =
            |event: &Event| matches!(event, Event::Erase { .. } | Event::EraseScope { .. } | Event::ErasePrefix { .. });
        let events = kept.commit.events.iter().enumerate();
        let before = self.erasures.len();
        self.erasures.extend(events.filter(|(_, event)| is_erasure(event)).map(|(at, _)| (kept.commit.seq, at)));
        self.kept.push(kept);
        self.left.push(past::Left::Whole);
        if self.erasures.len() > before {
            self.hide_erased();
        }
    }

    /// Whether anything was ever erased.
    #[must_use]
    pub fn has_erasures(&self) -> bool {
        !self.erasures.is_empty()
    }

    /// The last commit that erased something.
    #[must_use]
    pub fn last_erasure(&self) -> Seq {
        self.erasures.last().map_or(Seq::ZERO, |(seq, _)| *seq)
    }

    /// Whether what an event of a commit did to a key was erased since.
    pub(crate) fn is_erased(&self, scope: &str, key: &str, place: (Seq, usize)) -> bool {
        self.erasures.iter().filter(|erasure| **erasure > place).any(|(seq, at)| {
            match &self.commit(*seq).expect("a commit of the model").events[*at] {
                Event::Erase { scope: of, key: erased, .. } => of.as_str() == scope && erased.as_str() == key,
                Event::EraseScope { scope: of, .. } => of.as_str() == scope,
                Event::ErasePrefix { prefix, .. } => prefix.holds(scope),
                _ => unreachable!("only erasures are listed"),
            }
        })
    }

    /// The moment that a read means, when the wall clock says `wall`; `None` if it is not there yet.
    #[must_use]
    pub fn moment(&self, at: &At, wall: Timestamp) -> Option<Moment> {
        let last = self.last();
        match *at {
            At::Latest => Some(Moment { seq: last.seq, now: Timestamp(wall.0.max(last.at.0)) }),
            At::Seq(seq) if seq > last.seq => None,
            At::Seq(seq) => {
                let now = self.commit(seq).map_or(Timestamp::MIN, |commit| commit.at);
                Some(Moment { seq, now })
            }
            At::Time(time) if self.kept.first().is_some_and(|first| time < first.commit.at) => None,
            At::Time(time) => {
                let seq = self.kept.iter().rev().find(|kept| kept.commit.at <= time);
                Some(Moment { seq: seq.map_or(Seq::ZERO, |kept| kept.commit.seq), now: time })
            }
            At::Checkpoint { ref scope, ref name } => {
                let seq = self.state(last.seq).checkpoint(scope.as_str(), name)?;
                Some(Moment { seq, now: self.commit(seq)?.at })
            }
        }
    }

    /// The state after the commit at a position.
    #[must_use]
    pub fn state(&self, seq: Seq) -> State<'_> {
        let mut state = State::default();
        for kept in self.kept.iter().filter(|kept| kept.commit.seq <= seq) {
            state.apply(self, &kept.commit);
        }
        state
    }

    /// The keys in which two scopes differ, each as of its own moment, in order: by value, content type and expiry.
    #[must_use]
    pub fn diff(&self, old: (&str, Moment), new: (&str, Moment)) -> Vec<Differing<'_>> {
        let keys = |(scope, moment): (&str, Moment)| self.state(moment.seq).scan(scope, "", moment.now);
        let (old, new): (BTreeMap<_, _>, BTreeMap<_, _>) =
            (keys(old).into_iter().collect(), keys(new).into_iter().collect());
        let all: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
        all.into_iter()
            .map(|key| (key, old.get(key).copied(), new.get(key).copied()))
            .filter(|(_, old, new)| old.map(Version::says) != new.map(Version::says))
            .collect()
    }

    /// What changed, as far as the query asks for it.
    #[must_use]
    pub fn history(&self, query: &Query) -> Vec<Change> {
        self.placed(query).into_iter().map(|(_, change)| change).collect()
    }

    /// The same, as far as it is there.
    #[must_use]
    pub fn history_left(&self, query: &Query) -> Vec<Change> {
        let is_left = |change: &Change, place: usize| match change.kind {
            ChangeKind::Set | ChangeKind::Delete | ChangeKind::Checkpoint | ChangeKind::Release | ChangeKind::Erase => {
                self.is_there(change.seq, place)
            }
            ChangeKind::Clear
            | ChangeKind::Fork
            | ChangeKind::Retain
            | ChangeKind::Unretain
            | ChangeKind::Hold
            | ChangeKind::Unhold => true,
        };
        let left = self.placed(query).into_iter().filter(|(place, change)| is_left(change, *place));
        left.map(|(_, change)| change).collect()
    }

    /// What changed, and by which event of its commit.
    fn placed(&self, query: &Query) -> Vec<(usize, Change)> {
        let mut state = State::default();
        let mut changes = Vec::new();
        for kept in &self.kept {
            let told = state.apply_telling(self, &kept.commit).into_iter();
            changes.extend(told.filter(|(_, change)| query.wants(change)));
        }
        if query.newest_first {
            changes.reverse();
        }
        changes
    }
}

#[cfg(test)]
mod tests;
